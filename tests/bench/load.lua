-- The script of wrk: asks for a hundred customers in turn, and says at the end what it measured, as one line of JSON.
local requests, at = {}, 0

function init(args)
  wrk.headers["Accept"] = "application/json"
  wrk.headers["User-Agent"] = "agent/1.0"
  for n = 1, 100 do
    requests[n] = wrk.format("GET", (args[1]:gsub("{n}", n)))
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\n{"requests": %d, "seconds": %f, "p50_us": %d, "p99_us": %d, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.timeout + e.status))
end
