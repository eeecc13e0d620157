// A client on an official TypeScript SDK for a server that it does not know: `visitorts.mjs WHERE CALLS [SDK]`. WHERE is a
// URL, or the command of a server that speaks stdio, as a JSON list; CALLS is a JSON list of [tool, arguments]; SDK is 1
// or 2. It prints one JSON object: what the server is and has, and what came of each call.
const [where, calls, sdk = "2"] = process.argv.slice(2);
const old = sdk === "1";
const from = old ? "@modelcontextprotocol/sdk/client" : "@modelcontextprotocol/client";
const { Client, StreamableHTTPClientTransport } = old
  ? { ...(await import(`${from}/index.js`)), ...(await import(`${from}/streamableHttp.js`)) }
  : await import(from);
const { StdioClientTransport } = await import(old ? `${from}/stdio.js` : `${from}/stdio`);
const types = old ? await import("@modelcontextprotocol/sdk/types.js") : {};

const told = [];
const capabilities = { sampling: {}, elicitation: { form: {} }, roots: {} };
const client = new Client({ name: "visitor", version: "1.0.0" }, { capabilities, versionNegotiation: { mode: "auto" } });
client.setRequestHandler(old ? types.CreateMessageRequestSchema : "sampling/createMessage", ({ params }) => {
  told.push(params);
  return { role: "assistant", content: { type: "text", text: "Very well." }, model: "none" };
});
client.setRequestHandler(old ? types.ElicitRequestSchema : "elicitation/create", ({ params }) => {
  told.push(params);
  return { action: "decline" };
});
client.setRequestHandler(old ? types.ListRootsRequestSchema : "roots/list", () => ({ roots: [{ uri: "file:///srv/here" }] }));

async function call(name, args) {
  const options = { onprogress: ({ progress, total, message }) => told.push([name, progress, total, message]) };
  const asked = { name, arguments: args };
  try {
    return await (old ? client.callTool(asked, undefined, options) : client.callTool(asked, options));
  } catch ({ code, message, data }) {
    return { error: { code, message, data } };
  }
}

const [command, ...args] = where.startsWith("[") ? JSON.parse(where) : [];
await client.connect(command ? new StdioClientTransport({ command, args }) : new StreamableHTTPClientTransport(new URL(where)));
const found = { revision: client.getNegotiatedProtocolVersion?.(), server: client.getServerVersion() };
found.tools = (await client.listTools()).tools;
found.calls = [];
for (const each of JSON.parse(calls)) found.calls.push(await call(...each));
await client.close();
console.log(JSON.stringify({ ...found, told }));
