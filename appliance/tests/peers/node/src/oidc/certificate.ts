/** The certificate that a client showed in the TLS session of its request. */
import { TLSSocket } from "node:tls";
import type { KoaContextWithOIDC } from "oidc-provider";

/** As PEM. */
export function certificateOf(ctx: KoaContextWithOIDC): string | undefined {
  return ctx.socket instanceof TLSSocket ? ctx.socket.getPeerX509Certificate()?.toString() : undefined;
}
