// A client on the official TypeScript SDK 2.x for a server that it does not know: `visitorts.mjs URL CALLS`. CALLS is a
// JSON list of [tool, arguments]. It prints one JSON object: what the server is and has, and what came of each call.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, calls] = process.argv.slice(2);
const client = new Client({ name: "visitor", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } });
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const found = { revision: client.getNegotiatedProtocolVersion(), server: client.getServerVersion() };
found.tools = (await client.listTools()).tools;
found.calls = [];
for (const [name, args] of JSON.parse(calls)) found.calls.push(await client.callTool({ name, arguments: args }));
await client.close();
console.log(JSON.stringify(found));
