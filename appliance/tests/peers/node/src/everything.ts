/** The fixture's tools, resources and prompts, as data shared with the Rust fixture (`../../everything.json`). */
import { readFileSync } from "node:fs";
import type {
  CallToolResult,
  GetPromptResult,
  InputRequests,
  Prompt,
  Resource,
  Tool,
} from "@modelcontextprotocol/server";

/** Input requests by key, one record a round; `state` asks the client to carry a state string between them. */
export type Rounds = InputRequests[];

/**
 * A call that becomes a task: what it asks for before that (`rounds`) and in it (`asks`), and its result, which may
 * name arguments and `answers`. Without a result it ends in a protocol error; `required` refuses a client without tasks.
 */
export type Job = { required: boolean; rounds?: Rounds; asks?: InputRequests; result?: CallToolResult };

/** How a tool behaves. */
export type Does =
  | { does: "reply"; result: CallToolResult }
  | ({ does: "task" } & Job)
  | { does: "ask"; request: { method: string; params: Record<string, unknown> }; fill?: string; done: string }
  | { does: "rounds"; rounds: Rounds; state: boolean; done: string }
  | {
      does:
        | "logging"
        | "progress"
        | "reconnect"
        | "wait"
        | "cancelled"
        | "needs_sampling"
        | "tools_changed"
        | "prompts_changed";
    };

export type ToolEntry = Does & { tool: Tool };
export type PromptEntry = { prompt: Prompt; messages: GetPromptResult["messages"]; rounds?: Rounds };
export type ResourceEntry = { resource: Resource; contents: { text: string } | { blob: string } };
export type TemplateEntry = {
  template: { uriTemplate: string; name: string; description: string; mimeType: string };
  prefix: string;
  suffix: string;
  text: string;
};

export type Everything = {
  tools: ToolEntry[];
  prompts: PromptEntry[];
  resources: ResourceEntry[];
  templates: TemplateEntry[];
};

export const everything = JSON.parse(
  readFileSync(new URL("../../everything.json", import.meta.url), "utf8"),
) as Everything;

/** Replaces `{name}` in every string of `value` by the argument of that name. */
export function fill<T>(value: T, args: Record<string, unknown>): T {
  const text = JSON.stringify(value, (_key, item: unknown) =>
    typeof item === "string"
      ? item.replaceAll(/\{(\w+)\}/g, (whole: string, name: string) => String(args[name] ?? whole))
      : item,
  );
  return JSON.parse(text) as T;
}
