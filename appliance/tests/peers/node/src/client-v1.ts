/** The official TypeScript client, first generation: speaks the legacy era only. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CallToolResultSchema,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  McpError,
} from "@modelcontextprotocol/sdk/types.js";
import {
  type CallOptions,
  elicited,
  type Outcome,
  type Peer,
  play,
  readPlan,
  sampled,
  textOf,
} from "./peer.ts";

const plan = readPlan();
const client = new Client(
  { name: "portreeve-driver-ts-v1", version: "1.0.0" },
  { capabilities: { sampling: {}, elicitation: {} } },
);
let asked = 0;
client.setRequestHandler(CreateMessageRequestSchema, () => {
  asked += 1;
  return sampled;
});
client.setRequestHandler(ElicitRequestSchema, () => {
  asked += 1;
  return elicited;
});
const transport = new StreamableHTTPClientTransport(new URL(plan.url), {
  requestInit: { headers: plan.headers },
});

const peer: Peer = {
  async connect(): Promise<string> {
    await client.connect(transport);
    return transport.protocolVersion ?? "";
  },
  async list(): Promise<string[]> {
    const { tools } = await client.listTools();
    return tools.map((tool) => tool.name);
  },
  async call(name: string, args: Record<string, unknown>, options: CallOptions): Promise<Outcome> {
    const request = { name, arguments: args };
    const result = await client.callTool(request, CallToolResultSchema, { ...options, timeout: 30_000 });
    const { content, isError } = CallToolResultSchema.parse(result);
    return { text: textOf(content), isError: isError === true };
  },
  asked: () => asked,
  isProtocolError: (error) => error instanceof McpError,
  async close(): Promise<void> {
    await transport.terminateSession();
    await client.close();
  },
};
await play(plan, peer);
