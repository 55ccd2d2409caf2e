/** Calls that become tasks (tasks extension, 2026-07-28), which the SDK leaves to its user. */
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import {
  type CallToolResult,
  type InputRequests,
  ProtocolError,
  ProtocolErrorCode,
} from "@modelcontextprotocol/server";
import { fill, type Job } from "./everything.ts";

/** The extension's name among the capabilities. */
export const TASKS = "io.modelcontextprotocol/tasks";

type Answers = Record<string, unknown>;
type Ending =
  | { status: "completed"; result: CallToolResult }
  | { status: "failed"; error: { code: number; message: string } }
  | { status: "cancelled" };

/** One running or ended task. */
class Task {
  readonly #id = randomUUID();
  readonly #created = new Date().toISOString();
  readonly #cancelled = new AbortController();
  readonly #answered = Promise.withResolvers<void>();
  readonly #answers: Answers;
  #updated = this.#created;
  #pending: InputRequests;
  #ending: Ending | undefined;

  constructor(job: Job, args: Record<string, unknown>, answers: Answers) {
    this.#pending = { ...job.asks };
    this.#answers = { ...answers };
    this.#run(job, args).then(
      (ending) => this.#end(ending),
      (error: unknown) => this.#end({ status: "failed", error: asError(error) }),
    );
  }

  async #run(job: Job, args: Record<string, unknown>): Promise<Ending> {
    if (Object.keys(this.#pending).length > 0) await this.#answered.promise;
    const { signal } = this.#cancelled;
    if (!(await wait(args, signal))) return { status: "cancelled" };
    return { status: "completed", result: outcome(job, args, this.#answers) };
  }

  #end(ending: Ending): void {
    this.#pending = {};
    this.#ending = ending;
    this.#updated = new Date().toISOString();
  }

  /** Takes what answers an open question and ignores the rest. */
  update(responses: Answers): void {
    for (const [key, response] of Object.entries(responses)) {
      if (!(key in this.#pending)) continue;
      delete this.#pending[key];
      this.#answers[key] = response;
    }
    this.#updated = new Date().toISOString();
    if (Object.keys(this.#pending).length === 0) this.#answered.resolve();
  }

  cancel(): void {
    this.#cancelled.abort();
    this.#answered.resolve();
  }

  seed() {
    return {
      taskId: this.#id,
      status: this.#ending?.status ?? "working",
      createdAt: this.#created,
      lastUpdatedAt: this.#updated,
      ttlMs: 300_000,
      pollIntervalMs: 100,
    };
  }

  detailed() {
    const seed = this.seed();
    if (this.#ending) return { ...seed, ...this.#ending };
    if (Object.keys(this.#pending).length === 0) return seed;
    return { ...seed, status: "input_required" as const, inputRequests: this.#pending };
  }
}

const tasks = new Map<string, Task>();

/** Starts `job` as a task; it can be asked for from here on. */
export function start(job: Job, args: Record<string, unknown>, answers: Answers) {
  const task = new Task(job, args, answers);
  const seed = task.seed();
  tasks.set(seed.taskId, task);
  // The SDK takes no tool's result without content.
  return { content: [], resultType: "task", ...seed };
}

export function find(id: string): Task {
  const task = tasks.get(id);
  if (!task) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "Unknown task");
  return task;
}

/** Takes as long as the call asks for; false when it was cancelled before. */
export async function wait(args: Record<string, unknown>, signal: AbortSignal): Promise<boolean> {
  const seconds = typeof args.seconds === "number" ? args.seconds : 0;
  await pause(seconds * 1000, undefined, { signal }).catch(() => undefined);
  return !signal.aborted;
}

/** What `job` comes to, given what the client answered. */
export function outcome(job: Job, args: Record<string, unknown>, answers: Answers): CallToolResult {
  if (!job.result) throw new ProtocolError(ProtocolErrorCode.InternalError, "The job has no result");
  return fill(job.result, { ...args, answers: JSON.stringify(answers) });
}

function asError(error: unknown): { code: number; message: string } {
  const code = error instanceof ProtocolError ? error.code : ProtocolErrorCode.InternalError;
  return { code, message: String(error) };
}
