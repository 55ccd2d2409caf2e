/** What an authorization server of these tests is told in its settings file; `../../../README.md` describes each knob. */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ClientMetadata, JWK } from "oidc-provider";

/** A signing key: its private half as PKCS#8 DER in base64. The first one that fits an algorithm signs. */
type SigningKey = { kid: string; alg: "ES256" | "EdDSA" | "RS256"; pkcs8: string };

export type Settings = {
  /** `"stdin"`: the listening socket is standard input. Otherwise a free loopback port. */
  socket?: "stdin";
  /** A file that gets a line of JSON for each request to the token endpoint. */
  journal?: string;
  /** With these it speaks TLS, and asks its clients for a certificate. */
  tls?: { certificate: string; key: string };
  keys: SigningKey[];
  /** The algorithm of access tokens. */
  algorithm: SigningKey["alg"];
  /** Who there is to log in, and what their access tokens say besides. */
  accounts: Record<string, Record<string, unknown>>;
  clients: ClientMetadata[];
  /** What the access tokens of a client say besides. */
  claims?: Record<string, Record<string, unknown>>;
  /** The scopes of each resource (RFC 8707). Its tokens are JWTs; a token for none is opaque. */
  resources: Record<string, string>;
  /** The resources whose tokens are opaque all the same. */
  opaque?: string[];
  /** Seconds that an access token lives. */
  lifetime?: number;
  /** Seconds that an access token has lived already when it is issued. */
  age?: number;
  /** Whether DPoP proofs need a nonce of this server. */
  nonce?: boolean;
  /**
   * Offers token exchange. Whose the actor's token may be; `ignored`: the result names no actor. `scope: "all"` grants all
   * that the subject had, whatever is asked for.
   */
  exchange?: { actor: "anybody" | "client" | "ignored"; scope?: "all" };
  /** Issues ID-JAGs for these issuers: by which id each client is known there. */
  grants?: Record<string, Record<string, string>>;
  /** Redeems the ID-JAGs of these issuers, whose key sets are there. */
  redeems?: Record<string, string>;
};

export function readSettings(): Settings {
  const path = process.argv[2];
  if (path === undefined) throw new Error("usage: node oidc-provider.ts SETTINGS.json");
  return JSON.parse(readFileSync(path, "utf8")) as Settings;
}

function privateKey(key: SigningKey): KeyObject {
  return createPrivateKey({ key: Buffer.from(key.pkcs8, "base64"), format: "der", type: "pkcs8" });
}

/** The private key set. */
export function keySet(settings: Settings): JWK[] {
  return settings.keys.map((key) => {
    const members = privateKey(key).export({ format: "jwk" });
    return { ...members, kid: key.kid, alg: key.alg, use: "sig" } as JWK;
  });
}

/** The key that signs access tokens, which signs ID-JAGs, too. */
export function signingKey(settings: Settings): { kid: string; alg: string; key: KeyObject } {
  const found = settings.keys.find((key) => key.alg === settings.algorithm);
  if (found === undefined) throw new Error(`no key for ${settings.algorithm}`);
  return { kid: found.kid, alg: found.alg, key: privateKey(found) };
}
