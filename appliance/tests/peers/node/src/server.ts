/**
 * The fixture server on the official TypeScript SDK: both eras on one endpoint, sessions in the legacy one.
 * Binds 127.0.0.1 on a free port and prints `listening on URL` when it accepts connections.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  localhostHostValidation,
  localhostOriginValidation,
  NodeStreamableHTTPServerTransport,
  toNodeHandler,
} from "@modelcontextprotocol/node";
import {
  createMcpHandler,
  isLegacyRequest,
  McpServer,
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { MemoryEvents } from "./events.ts";
import { everything, fill } from "./everything.ts";
import { find, TASKS } from "./tasks.ts";
import { callTool, needTasks, playRounds, Shared } from "./tools.ts";

const sessions = new Map<string, { transport: NodeStreamableHTTPServerTransport; server: McpServer }>();
const shared = new Shared(
  () => modern.notify.toolsChanged(),
  () => modern.notify.promptsChanged(),
);
const modern = createMcpHandler(() => buildServer(), { legacy: "reject" });
const serveModern = toNodeHandler(modern);

/** Lets the SDK hold a tool's `Mcp-Param-*` headers against its schema, though the tools come from data. */
class FixtureServer extends McpServer {
  override toolInputSchemaJson(name: string): Record<string, unknown> | undefined {
    return everything.tools.find(({ tool }) => tool.name === name)?.tool.inputSchema;
  }
}

function buildServer(): McpServer {
  const listed = { ttlMs: 1000, cacheScope: "public" } as const;
  const built = new FixtureServer(
    { name: "portreeve-fixture-ts", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        logging: {},
        completions: {},
        extensions: { [TASKS]: {} },
      },
      cacheHints: {
        "tools/list": listed,
        "prompts/list": listed,
        "resources/list": listed,
        "resources/templates/list": listed,
        "resources/read": listed,
        "server/discover": listed,
      },
    },
  );
  const { server } = built;
  server.setRequestHandler("tools/list", () => ({ tools: everything.tools.map((entry) => entry.tool) }));
  server.setRequestHandler("tools/call", ({ params }, ctx) => {
    const entry = everything.tools.find(({ tool }) => tool.name === params.name);
    if (!entry) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${params.name}`);
    return callTool(entry, params.arguments ?? {}, ctx, shared);
  });
  server.setRequestHandler("prompts/list", () => ({
    prompts: everything.prompts.map((entry) => entry.prompt),
  }));
  server.setRequestHandler("prompts/get", ({ params }, ctx) => {
    const entry = everything.prompts.find(({ prompt }) => prompt.name === params.name);
    if (!entry) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown prompt: ${params.name}`);
    const finish = () => ({ messages: fill(entry.messages, params.arguments ?? {}) });
    return entry.rounds ? playRounds(params.name, { rounds: entry.rounds }, ctx, finish) : finish();
  });
  server.setRequestHandler("resources/list", () => ({
    resources: everything.resources.map((entry) => entry.resource),
  }));
  server.setRequestHandler("resources/templates/list", () => ({
    resourceTemplates: everything.templates.map((entry) => entry.template),
  }));
  server.setRequestHandler("resources/read", ({ params: { uri } }) => ({ contents: [readResource(uri)] }));
  server.setRequestHandler("completion/complete", () => ({
    completion: { values: ["paris", "park", "party"], total: 3, hasMore: false },
  }));
  server.setRequestHandler("resources/subscribe", () => ({}));
  server.setRequestHandler("resources/unsubscribe", () => ({}));
  const task = z.looseObject({ taskId: z.string() });
  server.setRequestHandler("tasks/get", { params: task }, ({ taskId }, ctx) => {
    needTasks(ctx);
    return find(taskId).detailed();
  });
  server.setRequestHandler("tasks/update", { params: task }, ({ taskId }, ctx) => {
    needTasks(ctx);
    find(taskId).update(ctx.mcpReq.inputResponses ?? {});
    return {};
  });
  server.setRequestHandler("tasks/cancel", { params: task }, ({ taskId }, ctx) => {
    needTasks(ctx);
    find(taskId).cancel();
    return {};
  });
  return built;
}

function readResource(uri: string) {
  const fixed = everything.resources.find(({ resource }) => resource.uri === uri);
  if (fixed) return { uri, mimeType: fixed.resource.mimeType ?? "", ...fixed.contents };
  const made = everything.templates.find(
    ({ prefix, suffix }) => uri.startsWith(prefix) && uri.endsWith(suffix),
  );
  if (!made) throw new ResourceNotFoundError(uri);
  const id = uri.slice(made.prefix.length, uri.length - made.suffix.length);
  return { uri, mimeType: made.template.mimeType, text: fill(made.text, { id }) };
}

async function serveLegacy(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void> {
  const id = request.headers["mcp-session-id"];
  const known = typeof id === "string" ? sessions.get(id) : undefined;
  if (known) return known.transport.handleRequest(request, response, body);
  if (id !== undefined) {
    const error = { code: -32001, message: "Session not found" };
    response.writeHead(404, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id: null, error }));
    return;
  }
  const server = buildServer();
  const transport: NodeStreamableHTTPServerTransport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    eventStore: new MemoryEvents(),
    retryInterval: 500,
    onsessioninitialized: (sessionId) => void sessions.set(sessionId, { transport, server }),
    onsessionclosed: (sessionId) => void sessions.delete(sessionId),
  });
  await server.connect(transport);
  await transport.handleRequest(request, response, body);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** The request as the SDK's era classifier wants it. */
function asWebRequest(request: IncomingMessage, body: string): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined && name !== "host")
      headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  return new Request("http://127.0.0.1/mcp", { method: "POST", headers, body });
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "POST") return serveLegacy(request, response, undefined);
  const text = await readBody(request);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    const error = { code: ProtocolErrorCode.ParseError, message: "Parse error" };
    response.writeHead(400, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id: null, error }));
    return;
  }
  if (await isLegacyRequest(asWebRequest(request, text))) return serveLegacy(request, response, body);
  return serveModern(request, response, body);
}

const hostIsLocal = localhostHostValidation();
const originIsLocal = localhostOriginValidation();
const listener = createServer((request, response) => {
  if (!hostIsLocal(request, response) || !originIsLocal(request, response)) return;
  serve(request, response).catch((error: unknown) => {
    console.error(error);
    response.destroy();
  });
});
listener.listen(0, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`);
});
