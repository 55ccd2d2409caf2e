/** The steps of a black-box run, played against any client that can be wrapped as a `Peer`. */
import { readFileSync } from "node:fs";

/** What came back from a tool: its text blocks joined, and whether the tool said it failed. */
export type Outcome = { text: string; isError: boolean };

export type CallOptions = { onprogress?: () => void; signal?: AbortSignal };

/** One official client behind one face. */
export interface Peer {
  /** Connects and answers the negotiated protocol version. */
  connect(): Promise<string>;
  list(): Promise<string[]>;
  call(tool: string, args: Record<string, unknown>, options: CallOptions): Promise<Outcome>;
  /** How often the server asked this client for a sample or for input. */
  asked(): number;
  /** Whether an error is the server's JSON-RPC error, as opposed to a failed transport. */
  isProtocolError(error: unknown): boolean;
  close(): Promise<void>;
}

type Call = { tool: string; arguments?: Record<string, unknown>; expect?: string };
type Step =
  | { step: "connect"; expect?: string }
  | { step: "list"; has?: string[]; lacks?: string[] }
  | ({ step: "call" | "denied" | "asked" | "progress" } & Call)
  | ({ step: "cancel"; then: Call } & Call);

/** What to connect to, as whom, and what to do there. */
export type Plan = { url: string; headers: Record<string, string>; mode: string; steps: Step[] };

export function readPlan(): Plan {
  const path = process.argv[2];
  if (path === undefined) throw new Error("usage: node DRIVER.ts PLAN.json");
  return JSON.parse(readFileSync(path, "utf8")) as Plan;
}

/** What a client answers when the server asks its model or its person. */
export const sampled = {
  role: "assistant" as const,
  model: "none",
  content: { type: "text" as const, text: "sampled" },
};
export const elicited = {
  action: "accept" as const,
  content: { username: "ada", email: "ada@example.test", name: "ada", color: "green" },
};

/** Plays the plan's steps in order and prints one JSON line for each; exits 1 when one failed. */
export async function play(plan: Plan, peer: Peer): Promise<void> {
  let failed = false;
  for (const step of plan.steps) {
    let ok = true;
    let detail: string;
    try {
      detail = await perform(step, peer);
    } catch (error) {
      ok = false;
      detail = describe(error);
    }
    console.log(JSON.stringify({ step: step.step, ok, detail }));
    failed ||= !ok;
    if (failed && step.step === "connect") break;
  }
  await peer.close();
  process.exit(failed ? 1 : 0);
}

async function perform(step: Step, peer: Peer): Promise<string> {
  switch (step.step) {
    case "connect": {
      const version = await peer.connect();
      expect(version, step.expect);
      return version;
    }
    case "list": {
      const names = await peer.list();
      for (const name of step.has ?? []) if (!names.includes(name)) throw new Error(`${name} is not listed`);
      for (const name of step.lacks ?? []) if (names.includes(name)) throw new Error(`${name} is listed`);
      return `${names.length} tools`;
    }
    case "call":
      return called(step, peer, {});
    case "denied":
      return denied(step, peer);
    case "asked": {
      const before = peer.asked();
      const text = await called(step, peer, {});
      if (peer.asked() === before) throw new Error("the server asked nothing");
      return text;
    }
    case "progress": {
      let reports = 0;
      await called(step, peer, { onprogress: () => (reports += 1) });
      if (reports < 2) throw new Error(`${reports} progress reports`);
      return `${reports} reports`;
    }
    case "cancel":
      return cancelled(step, peer);
  }
}

async function called(step: Call, peer: Peer, options: CallOptions): Promise<string> {
  const { text, isError } = await peer.call(step.tool, step.arguments ?? {}, options);
  if (isError) throw new Error(`the tool failed: ${text}`);
  expect(text, step.expect);
  return text;
}

/** A denial is a JSON-RPC error or an error result: anything else has broken the client's connection. */
async function denied(step: Call, peer: Peer): Promise<string> {
  let outcome: Outcome;
  try {
    outcome = await peer.call(step.tool, step.arguments ?? {}, {});
  } catch (error) {
    if (!peer.isProtocolError(error)) throw error;
    const text = describe(error);
    expect(text, step.expect);
    return text;
  }
  if (!outcome.isError) throw new Error(`${step.tool} was let through`);
  expect(outcome.text, step.expect);
  return outcome.text;
}

/** Aborts the call when its first progress report arrives, then asks the server whether it noticed. */
async function cancelled(step: Call & { then: Call }, peer: Peer): Promise<string> {
  const abort = new AbortController();
  const call = peer.call(step.tool, step.arguments ?? {}, {
    signal: abort.signal,
    onprogress: () => abort.abort("cancelled by the test"),
  });
  const settled = await call.then(
    () => true,
    () => false,
  );
  if (settled) throw new Error("the cancelled call returned a result");
  if (!abort.signal.aborted) throw new Error("the call failed before it was cancelled");
  return called(step.then, peer, {});
}

function expect(text: string, wanted: string | undefined): void {
  if (wanted !== undefined && !text.includes(wanted)) throw new Error(`expected "${wanted}", got "${text}"`);
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? ` (${String(error.code)})` : "";
  return `${error.name}${code}: ${error.message}`;
}

/** The text blocks of a tool result, joined. */
export function textOf(content: readonly { type: string; text?: unknown }[]): string {
  return content.map((block) => (typeof block.text === "string" ? block.text : "")).join("");
}
