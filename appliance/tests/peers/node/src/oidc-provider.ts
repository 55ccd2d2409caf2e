/**
 * The certified `oidc-provider` as an authorization server for tests, on loopback. `node oidc-provider.ts SETTINGS.json`
 * prints `listening on ISSUER` when it accepts connections, and ends on SIGTERM or when whoever started it is gone.
 */
import { randomBytes } from "node:crypto";
import { appendFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import {
  type Configuration,
  errors,
  type KoaContextWithOIDC,
  Provider,
  type UnknownObject,
} from "oidc-provider";
import { certificateOf } from "./oidc/certificate.ts";
import { addGrants } from "./oidc/grants.ts";
import { keySet, readSettings, type Settings } from "./oidc/settings.ts";

const settings = readSettings();

function features(settings: Settings): NonNullable<Configuration["features"]> {
  return {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => settings.nonce === true },
    introspection: { enabled: true, allowedPolicy: () => true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      selfSignedTlsClientAuth: true,
      getCertificate: certificateOf,
    },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, indicator) => {
        const scope = settings.resources[indicator];
        if (scope === undefined) throw new errors.InvalidTarget();
        if (settings.opaque?.includes(indicator)) return { scope, accessTokenFormat: "opaque" };
        return { scope, accessTokenFormat: "jwt", jwt: { sign: { alg: settings.algorithm } } };
      },
      useGrantedResource: () => true,
    },
    revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => client.clientId === token.clientId },
  };
}

function configuration(settings: Settings): Configuration {
  const lifetime = settings.lifetime ?? 600;
  const scopes = Object.values(settings.resources).flatMap((scopes) => scopes.split(" "));
  return {
    clientAuthMethods: ["private_key_jwt", "self_signed_tls_client_auth", "none"],
    clientDefaults: { id_token_signed_response_alg: settings.algorithm },
    clients: settings.clients,
    cookies: { keys: [randomBytes(32)] },
    extraTokenClaims: (_ctx, token) => {
      const account = "accountId" in token ? settings.accounts[token.accountId] : undefined;
      return {
        ...account,
        ...settings.claims?.[token.clientId ?? ""],
        ...(token.extra as UnknownObject | undefined),
      };
    },
    features: features(settings),
    findAccount: (_ctx, id) =>
      id in settings.accounts ? { accountId: id, claims: () => ({ sub: id }) } : undefined,
    formats: {
      customizers: {
        jwt: (_ctx, _token, { payload }) => {
          const age = settings.age ?? 0;
          payload.iat = Number(payload.iat) - age;
          payload.exp = Number(payload.exp) - age;
        },
      },
    },
    jwks: { keys: keySet(settings) },
    pkce: { required: () => true },
    responseTypes: ["code"],
    scopes: ["openid", ...scopes],
    ttl: { AccessToken: lifetime, ClientCredentials: lifetime },
  };
}

function listener(settings: Settings, answer: RequestListener): Server {
  if (settings.tls === undefined) return createServer(answer);
  const { certificate: cert, key } = settings.tls;
  // Certificates sign themselves here; who may use one is the registration's matter.
  return createTlsServer({ cert, key, requestCert: true, rejectUnauthorized: false }, answer);
}

/** Writes down what was asked for before it is answered: whoever has the answer finds it. */
function keepJournal(provider: Provider, journal: string): void {
  const note = (ctx: KoaContextWithOIDC, error?: string) => {
    const { client_id, grant_type, resource, scope } = ctx.oidc.params ?? {};
    const client = ctx.oidc.client?.clientId ?? client_id;
    appendFileSync(journal, `${JSON.stringify({ client, grant_type, resource, scope, error })}\n`);
  };
  provider.on("grant.success", (ctx) => note(ctx));
  provider.on("grant.error", (ctx, error) => note(ctx, error.error));
}

let answer: RequestListener = (_request, response) => response.writeHead(503).end();
const server = listener(settings, (request, response) => answer(request, response));

server.once("listening", () => {
  const { port } = server.address() as AddressInfo;
  const issuer = `${settings.tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  const provider = new Provider(issuer, configuration(settings));
  provider.on("server_error", (_ctx, error) => console.error(error));
  if (settings.journal !== undefined) keepJournal(provider, settings.journal);
  addGrants(provider, settings);
  answer = provider.callback();
  console.log(`listening on ${issuer}`);
});
if (settings.socket === "stdin") server.listen({ fd: 0 });
else server.listen(0, "127.0.0.1");

process.on("SIGTERM", () => process.exit(0));
const parent = process.ppid;
setInterval(() => {
  if (process.ppid !== parent) process.exit(1);
}, 1000).unref();
