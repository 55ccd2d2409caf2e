/** What each fixture tool does, in both eras. */

import { setTimeout as pause } from "node:timers/promises";
import {
  type CallToolResult,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  type InputRequests,
  type InputRequiredResult,
  inputRequired,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { fill, type Job, type Rounds, type ToolEntry } from "./everything.ts";
import { outcome, start, TASKS, wait as untilDone } from "./tasks.ts";

/** What outlives one request: cancellations seen, and who is to be told of changed lists. */
export class Shared {
  readonly #cancelled = new Set<string>();
  #waiting: (() => void)[] = [];
  readonly toolsChanged: () => void;
  readonly promptsChanged: () => void;

  constructor(toolsChanged: () => void, promptsChanged: () => void) {
    this.toolsChanged = toolsChanged;
    this.promptsChanged = promptsChanged;
  }

  cancelled(token: string): void {
    this.#cancelled.add(token);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async untilCancelled(token: string): Promise<void> {
    while (!this.#cancelled.has(token)) await new Promise<void>((wake) => this.#waiting.push(wake));
  }
}

type Answer = CallToolResult | InputRequiredResult;

const say = (text: string): CallToolResult => ({ content: [{ type: "text", text }] });

export async function callTool(
  entry: ToolEntry,
  args: Record<string, unknown>,
  ctx: ServerContext,
  shared: Shared,
): Promise<Answer> {
  switch (entry.does) {
    case "reply":
      return fill(entry.result, args);
    case "ask": {
      const params = structuredClone(entry.request.params);
      if (entry.fill) place(params, String(args[entry.fill] ?? ""));
      const answer =
        entry.request.method === "sampling/createMessage"
          ? await ctx.mcpReq.send({ method: "sampling/createMessage", params })
          : await ctx.mcpReq.send({ method: "elicitation/create", params });
      return say(entry.done + JSON.stringify(answer));
    }
    case "rounds":
      return playRounds(entry.tool.name, entry, ctx, (answers) =>
        say(`${entry.done} ${JSON.stringify(answers)}`),
      );
    case "task":
      return begin(entry.tool.name, entry, args, ctx);
    case "logging":
      for (const line of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
        await ctx.mcpReq.log("info", line);
        await pause(50);
      }
      return say("Logged");
    case "progress":
      for (const progress of [0, 50, 100]) {
        await report(ctx, progress);
        await pause(50);
      }
      return say("Progressed");
    case "reconnect":
      ctx.http?.closeSSE?.();
      await pause(100);
      return say("Reconnected");
    case "wait":
      return wait(String(args.token), ctx, shared);
    case "cancelled":
      await shared.untilCancelled(String(args.token));
      return say("Cancelled");
    case "needs_sampling":
      if (!capabilities(ctx).includes("sampling")) {
        throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } });
      }
      return say("Sampling is declared");
    case "tools_changed":
      shared.toolsChanged();
      return say("Announced");
    case "prompts_changed":
      shared.promptsChanged();
      return say("Announced");
  }
}

async function begin(
  name: string,
  job: Job,
  args: Record<string, unknown>,
  ctx: ServerContext,
): Promise<Answer> {
  if (job.required) needTasks(ctx);
  const finish = (answers: Record<string, unknown>): Answer | undefined =>
    knowsTasks(ctx) ? start(job, args, answers) : undefined;
  const begun = job.rounds ? playRounds(name, { rounds: job.rounds }, ctx, finish) : finish({});
  if (begun) return begun;
  await untilDone(args, ctx.mcpReq.signal);
  return outcome(job, args, {});
}

/** Asks for each round's inputs in turn, carrying the round's number in the request state when `state` is set. */
export function playRounds<T>(
  name: string,
  plan: { rounds: Rounds; state?: boolean },
  ctx: ServerContext,
  finish: (answers: Record<string, unknown>) => T,
): T | InputRequiredResult {
  const mark = (round: number): string => `${name}/${round}`;
  const given = ctx.mcpReq.requestState<string>();
  const round = given === undefined ? 0 : plan.rounds.findIndex((_, index) => mark(index) === given);
  if (round < 0) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "the request state is not ours");
  const answers = ctx.mcpReq.inputResponses ?? {};
  const wanted = plan.rounds[round] ?? {};
  const complete = Object.keys(wanted).every((key) => isObject(answers[key]));
  const next = complete && ctx.mcpReq.inputResponses !== undefined ? round + 1 : round;
  const asked = plan.rounds[next];
  if (asked === undefined) return finish(answers);
  const inputRequests = name.endsWith("_capabilities") ? declaredOnly(asked, ctx) : asked;
  return inputRequired(plan.state ? { inputRequests, requestState: mark(next) } : { inputRequests });
}

function declaredOnly(asked: InputRequests, ctx: ServerContext): InputRequests {
  const known = capabilities(ctx);
  return Object.fromEntries(
    Object.entries(asked).filter(([, { method }]) => known.includes(method.split("/")[0] ?? "")),
  );
}

async function wait(token: string, ctx: ServerContext, shared: Shared): Promise<CallToolResult> {
  const { signal } = ctx.mcpReq;
  const aborted = new Promise<void>((done) => signal.addEventListener("abort", () => done(), { once: true }));
  await report(ctx, 0);
  if (!signal.aborted) await aborted;
  shared.cancelled(token);
  return say("Cancelled");
}

async function report(ctx: ServerContext, progress: number): Promise<void> {
  const progressToken = ctx.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return;
  await ctx.mcpReq.notify({
    method: "notifications/progress",
    params: { progressToken, progress, total: 100 },
  });
}

function declared(ctx: ServerContext): ClientCapabilities {
  const envelope: Record<string, unknown> = ctx.mcpReq.envelope ?? {};
  return envelope[CLIENT_CAPABILITIES_META_KEY] ?? {};
}

function capabilities(ctx: ServerContext): string[] {
  return Object.keys(declared(ctx));
}

function knowsTasks(ctx: ServerContext): boolean {
  return Object.hasOwn(declared(ctx).extensions ?? {}, TASKS);
}

/** Refuses a client that does not declare the tasks extension. */
export function needTasks(ctx: ServerContext): void {
  if (knowsTasks(ctx)) return;
  throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { extensions: { [TASKS]: {} } } });
}

/** Puts the caller's text where the request shows it: the prompt of a sampling, the message of an elicitation. */
function place(params: Record<string, unknown>, text: string): void {
  if ("messages" in params) params.messages = [{ role: "user", content: { type: "text", text } }];
  else params.message = text;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
