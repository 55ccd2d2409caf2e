/**
 * The MCP Inspector's command line as a peer: one process a step, `mode` is `auto`, `legacy` or `modern`.
 * It answers no server requests and cancels nothing, so plans for it hold connect, list, call and denied only.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Outcome, type Peer, play, readPlan, textOf } from "./peer.ts";

const plan = readPlan();
const home = mkdtempSync(join(tmpdir(), "inspector-"));
const program = new URL("../node_modules/.bin/mcp-inspector", import.meta.url).pathname;

type Listed = { tools: { name: string }[] };
type Failed = { error: { code: string; message: string } };
type Called = { content: { type: string; text?: unknown }[]; isError?: boolean };

/** The server's own JSON-RPC error, as the Inspector reports it. */
class ProtocolError extends Error {
  override name = "ProtocolError";
}

async function inspect(method: string, more: string[]): Promise<unknown> {
  const headers = Object.entries(plan.headers).map(([name, value]) => `${name}: ${value}`);
  const args = ["--cli", "--server-url", plan.url, "--transport", "http", "--protocol-era", plan.mode];
  if (headers.length > 0) args.push("--header", ...headers);
  args.push("--format", "json", "--method", method, ...more);
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((done) => {
    const env = { ...process.env, HOME: home };
    execFile(process.execPath, [program, ...args], { env, timeout: 60_000 }, (_error, stdout, stderr) =>
      done({ stdout, stderr }),
    );
  });
  if (stdout.trim() !== "") return (JSON.parse(stdout) as { result: unknown }).result;
  const { error } = JSON.parse(stderr) as Failed;
  // Anything but the server's own answer has a code of its own: unreachable, tool_not_found, …
  throw error.code === "error" ? new ProtocolError(error.message) : new Error(stderr.trim());
}

const peer: Peer = {
  async connect(): Promise<string> {
    await inspect("tools/list", []);
    return plan.mode;
  },
  async list(): Promise<string[]> {
    const { tools } = (await inspect("tools/list", [])) as Listed;
    return tools.map((tool) => tool.name);
  },
  async call(name: string, args: Record<string, unknown>): Promise<Outcome> {
    const pairs = Object.entries(args).map(([key, value]) => `${key}=${String(value)}`);
    const given = pairs.length > 0 ? ["--tool-arg", ...pairs] : [];
    const { content, isError } = (await inspect("tools/call", ["--tool-name", name, ...given])) as Called;
    return { text: textOf(content), isError: isError === true };
  },
  asked: () => 0,
  isProtocolError: (error) => error instanceof ProtocolError,
  async close(): Promise<void> {
    rmSync(home, { recursive: true });
  },
};
await play(plan, peer);
