// A client on the official TypeScript SDK 1.x that plays with server1.py: `clientts1.mjs WHERE`. WHERE is a URL, or the
// command of a server that speaks stdio, as a JSON list. It prints one JSON object.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";

const capabilities = { sampling: {}, elicitation: { form: {} }, roots: {} };
const client = new Client({ name: "ts1", version: "1.0.0" }, { capabilities });
const [logs, news, asked] = [[], [], []];
client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => {
  asked.push(params);
  return { role: "assistant", content: { type: "text", text: "Very well." }, model: "none", stopReason: "endTurn" };
});
client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
  asked.push(params);
  return { action: "accept", content: { username: "ada", email: ["ada", "example.net"].join("@") } };
});
client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///srv/here" }] }));
client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => logs.push(params));
client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => news.push(params));

const call = (name, args = {}, options = {}) => client.callTool({ name, arguments: args }, undefined, options);
const until = async (done) => {
  for (let tries = 0; tries < 400 && !(await done()); tries++) await new Promise((go) => setTimeout(go, 50));
};

const where = process.argv[2];
const [command, ...args] = where.startsWith("[") ? JSON.parse(where) : [];
const transport = command ? new StdioClientTransport({ command, args }) : new StreamableHTTPClientTransport(new URL(where));
await client.connect(transport);
const found = { server: client.getServerVersion(), instructions: client.getInstructions() };
found.tools = await client.listTools();
found.prompts = await client.listPrompts();
found.resources = await client.listResources();
found.templates = await client.listResourceTemplates();
found.text = await call("test_multiple_content_types");
found.error = await call("test_error_handling");
found.add = await call("add", { a: 19, b: 23 });
found.again = await call("test_reconnection");
found.where = await call("where");
found.level = await client.setLoggingLevel("debug");
found.logged = await call("test_tool_with_logging");
const steps = [];
found.progress = await call("test_tool_with_progress", {}, { onprogress: (step) => steps.push(step) });
found.sampling = await call("test_sampling", { prompt: "How are you?" });
found.elicitation = await call("test_elicitation", { message: "Who are you?" });
found.read = await client.readResource({ uri: "test://static-binary" });
found.template = await client.readResource({ uri: "test://template/7/data" });
found.prompt = await client.getPrompt({ name: "test_prompt_with_image" });
const ref = { type: "ref/prompt", name: "test_prompt_with_arguments" };
found.complete = await client.complete({ ref, argument: { name: "arg1", value: "te" } });
found.subscribed = await client.subscribeResource({ uri: "test://watched-resource" });
await call("touch");
await until(() => news.length);

const me = `ts1 ${transport.sessionId}`;
const stop = new AbortController();
const slow = call("slow", { name: me }, { signal: stop.signal }).catch(() => "aborted");
setTimeout(() => stop.abort("I changed my mind."), 500);
found.slow = await slow;
await until(async () => JSON.stringify(await call("what_was_stopped")).includes(me));
found.stopped = JSON.stringify(await call("what_was_stopped")).includes(me);
await transport.terminateSession?.();
await client.close();
console.log(JSON.stringify({ ...found, logs, news, asked, steps }));
