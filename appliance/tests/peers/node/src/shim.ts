/**
 * Adds headers to every request on its way to a target, for clients that cannot add any.
 * `node shim.ts PLAN.json` reads `{ url, headers }`, binds a free port and prints `listening on URL`.
 * Its own name in Host and Origin becomes the target's; any other name is passed on for the target to refuse.
 */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";
import { readPlan } from "./peer.ts";

const plan = readPlan();
const target = new URL(plan.url);
const agent = new Agent({ keepAlive: true });

function headersFor(incoming: IncomingMessage, own: string): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
    const name = incoming.rawHeaders[index] ?? "";
    const value = incoming.rawHeaders[index + 1] ?? "";
    const isName = ["host", "origin"].includes(name.toLowerCase());
    kept.push(name, isName ? value.replace(own, target.host) : value);
  }
  return [...kept, ...Object.entries(plan.headers).flat()];
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const own = `127.0.0.1:${incoming.socket.localPort}`;
  const onward = request({
    agent,
    host: target.hostname,
    port: target.port,
    method: incoming.method,
    path: target.pathname,
    headers: headersFor(incoming, own),
  });
  onward.on("response", (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    outgoing.flushHeaders();
    pipeline(answer, outgoing, () => undefined);
  });
  onward.on("error", () => outgoing.destroy());
  outgoing.on("close", () => onward.destroy());
  incoming.pipe(onward);
}

const listener = createServer(forward);
listener.listen(0, "127.0.0.1", () => {
  const { port } = listener.address() as AddressInfo;
  console.log(`listening on http://127.0.0.1:${port}${target.pathname}`);
});
