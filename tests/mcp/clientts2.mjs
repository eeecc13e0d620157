// A client on the official TypeScript SDK 2.x that plays with server2.py, without sessions: `clientts2.mjs WHERE`. WHERE
// is a URL, or the command of a server that speaks stdio, as a JSON list. It prints one JSON object.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const options = {
  capabilities: { sampling: {}, elicitation: { form: {} }, roots: {} },
  versionNegotiation: { mode: "auto" },
};
const client = new Client({ name: "ts2", version: "1.0.0" }, options);
const [news, asked] = [[], []];
client.setRequestHandler("sampling/createMessage", ({ params }) => {
  asked.push(params);
  return { role: "assistant", content: { type: "text", text: "A ship." }, model: "none", stopReason: "endTurn" };
});
client.setRequestHandler("elicitation/create", ({ params }) => {
  asked.push(params);
  return { action: "accept", content: { name: "Ada", age: 36 } };
});
client.setRequestHandler("roots/list", () => ({ roots: [{ uri: "file:///srv/here" }] }));
client.setNotificationHandler("notifications/resources/updated", ({ params }) => news.push(params.uri));

const call = (name, args = {}, options = {}) => client.callTool({ name, arguments: args }, options);
const until = async (done) => {
  for (let tries = 0; tries < 400 && !(await done()); tries++) await new Promise((go) => setTimeout(go, 50));
};

const where = process.argv[2];
const [command, ...args] = where.startsWith("[") ? JSON.parse(where) : [];
await client.connect(command ? new StdioClientTransport({ command, args }) : new StreamableHTTPClientTransport(new URL(where)));
const found = { revision: client.getNegotiatedProtocolVersion(), instructions: client.getInstructions() };
found.server = client.getServerVersion();
found.tools = await client.listTools();
found.prompts = await client.listPrompts();
found.resources = await client.listResources();
found.templates = await client.listResourceTemplates();
found.say = await call("say");
found.fail = await call("fail");
found.add = await call("add", { a: 19, b: 23 });
found.place = await call("place", { region: "Île-de-France ", number: -7, note: "north" });
const steps = [];
found.steps = await call("steps", {}, { onprogress: (step) => steps.push(step) });
found.ask = await call("ask");
found.read = await client.readResource({ uri: "test://static-binary" });
found.template = await client.readResource({ uri: "test://template/7/data" });
found.prompt = await client.getPrompt({ name: "review", arguments: { topic: "the ship" } });
found.complete = await client.complete({ ref: { type: "ref/prompt", name: "review" }, argument: { name: "topic", value: "te" } });
const heard = await client.listen({ resourceSubscriptions: ["test://watched-resource"] });
found.honored = heard.honoredFilter;
await call("touch");
await until(() => news.length);
await heard.close();
found.closed = await heard.closed;

const me = `ts2 ${Math.random()}`;
const stop = new AbortController();
const slow = call("slow", { name: me }, { signal: stop.signal }).catch(() => "aborted");
setTimeout(() => stop.abort("I changed my mind."), 500);
found.slow = await slow;
await until(async () => JSON.stringify(await call("what_was_stopped")).includes(me));
found.stopped = JSON.stringify(await call("what_was_stopped")).includes(me);
await client.close();
console.log(JSON.stringify({ ...found, news, asked: asked.map((each) => JSON.stringify(each)).sort(), steps }));
