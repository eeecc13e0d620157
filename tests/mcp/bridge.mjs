// A server that speaks stdio, over HTTP: `bridge.mjs PORT COMMAND ARG...`. One process for each session; every message
// passes as it is, between two transports of the official SDK.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

const [port, command, ...args] = process.argv.slice(2);
const sessions = new Map();

async function open() {
  const http = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, http),
  });
  const child = new StdioClientTransport({ command, args, stderr: "inherit" });
  http.onmessage = (message) => child.send(message);
  child.onmessage = (message) =>
    http.send(message, "method" in message ? {} : { relatedRequestId: message.id }).catch(console.error);
  http.onclose = () => {
    sessions.delete(http.sessionId);
    child.close();
  };
  await child.start();
  await http.start();
  return http;
}

createServer(async (request, response) => {
  const id = request.headers["mcp-session-id"];
  const transport = id ? sessions.get(id) : await open();
  if (transport) await transport.handleRequest(request, response);
  else response.writeHead(404).end();
}).listen(Number(port), "127.0.0.1");
