/** The official TypeScript client, second generation: `mode` is `auto`, `legacy` or a version to pin. */
import { Client, ProtocolError, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
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
const mode = plan.mode === "auto" || plan.mode === "legacy" ? plan.mode : { pin: plan.mode };
const client = new Client(
  { name: "portreeve-driver-ts", version: "1.0.0" },
  { capabilities: { sampling: {}, elicitation: { form: {} }, roots: {} }, versionNegotiation: { mode } },
);
let asked = 0;
client.setRequestHandler("sampling/createMessage", () => {
  asked += 1;
  return sampled;
});
client.setRequestHandler("elicitation/create", () => {
  asked += 1;
  return elicited;
});
client.setRequestHandler("roots/list", () => ({ roots: [{ uri: "file:///town" }] }));

const peer: Peer = {
  async connect(): Promise<string> {
    const requestInit = { headers: plan.headers };
    await client.connect(new StreamableHTTPClientTransport(new URL(plan.url), { requestInit }));
    return client.getNegotiatedProtocolVersion() ?? "";
  },
  async list(): Promise<string[]> {
    const { tools } = await client.listTools();
    return tools.map((tool) => tool.name);
  },
  async call(name: string, args: Record<string, unknown>, options: CallOptions): Promise<Outcome> {
    const result = await client.callTool({ name, arguments: args }, { ...options, timeout: 30_000 });
    return { text: textOf(result.content), isError: result.isError === true };
  },
  asked: () => asked,
  isProtocolError: (error) => error instanceof ProtocolError,
  close: () => client.close(),
};
await play(plan, peer);
