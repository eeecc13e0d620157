-- The script of wrk: asks for a hundred customers in turn or, where a run is named, posts a body that is never the same
-- twice, under headers that are named. Says at the end what it measured, as one line of JSON.
local requests, at, path, run, body = {}, 0, "", nil, nil

function init(args)
  path, run, body = args[1], args[2], args[3]
  wrk.headers["Accept"] = "application/json"
  wrk.headers["User-Agent"] = "agent/1.0"
  if run then wrk.headers["Content-Type"] = "application/json" end
  for n = 4, #args do
    local name, value = args[n]:match("^([^:]+): (.*)$")
    wrk.headers[name] = value
  end
  for n = 1, 100 do
    requests[n] = wrk.format("GET", (path:gsub("{n}", n)))
  end
end

function request()
  at = at + 1
  if run then return wrk.format("POST", path, nil, string.format(body, run, at)) end
  return requests[(at - 1) % #requests + 1]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\n{"requests": %d, "seconds": %f, "p50_us": %d, "p99_us": %d, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.timeout + e.status))
end
