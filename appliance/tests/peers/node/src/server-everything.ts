/**
 * The official demonstration server on 127.0.0.1 and a free port; left alone it takes all interfaces.
 * Prints `listening on URL` when it accepts connections.
 */
import { type AddressInfo, Server } from "node:net";

const listen: (this: Server, port: number, host: string) => Server = Server.prototype.listen;

Server.prototype.listen = function listenOnLoopback(this: Server): Server {
  this.once("listening", () => {
    console.log(`listening on http://127.0.0.1:${(this.address() as AddressInfo).port}/mcp`);
  });
  return listen.call(this, 0, "127.0.0.1");
};
process.argv[2] = "streamableHttp";
const program = new URL(
  "../node_modules/@modelcontextprotocol/server-everything/dist/index.js",
  import.meta.url,
);
await import(program.href);
