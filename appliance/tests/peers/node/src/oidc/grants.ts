/**
 * The two grants that `oidc-provider` leaves to its host: token exchange (RFC 8693), which issues ID-JAGs as well, and the
 * redemption of ID-JAGs (RFC 7523, draft-ietf-oauth-identity-assertion-authz-grant). They never widen a scope.
 */
import { randomUUID } from "node:crypto";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  type JWTPayload,
  type JWTVerifyOptions,
  errors as joseErrors,
  jwtVerify,
  SignJWT,
} from "jose";
import { type Client, errors, type Provider, type TokenEndpointGrantContext } from "oidc-provider";
import { certificateOf } from "./certificate.ts";
import { keySet, type Settings, signingKey } from "./settings.ts";

const GRANT = "urn:ietf:params:oauth:grant-type:";
const TYPE = "urn:ietf:params:oauth:token-type:";
const ID_JAG_SECONDS = 300;

type Context = TokenEndpointGrantContext<Record<string, unknown>>;

/** What an issued token will say. */
type Result = { subject: string; scope: string; ends: number; act?: Actor };
type Actor = { sub: string; act?: Actor };

/** Puts the grants that the settings ask for into `provider`. */
export function addGrants(provider: Provider, settings: Settings): void {
  const repeatable = ["resource", "audience"];
  if (settings.exchange !== undefined) {
    const read = ["subject_token", "subject_token_type", "actor_token", "actor_token_type"];
    const wanted = ["requested_token_type", "scope", ...repeatable];
    const exchange = new Exchange(provider, settings);
    const handler = (ctx: Context) => exchange.handle(ctx);
    provider.registerGrantType(`${GRANT}token-exchange`, handler, [...read, ...wanted], repeatable);
  }
  if (settings.redeems !== undefined) {
    const handler = (ctx: Context) => redeem(provider, settings, ctx);
    provider.registerGrantType(`${GRANT}jwt-bearer`, handler, ["assertion", "scope", "resource"], []);
  }
}

class Exchange {
  private readonly provider: Provider;
  private readonly settings: Settings;
  private readonly keys: ReturnType<typeof createLocalJWKSet>;

  constructor(provider: Provider, settings: Settings) {
    this.provider = provider;
    this.settings = settings;
    // The library takes the public half of each key.
    this.keys = createLocalJWKSet({
      keys: keySet(settings).map(({ d, p, q, dp, dq, qi, ...half }) => half) as never,
    });
  }

  async handle(ctx: Context): Promise<void> {
    const { client, params } = ctx.oidc;
    const subject = await this.presented(client, params.subject_token, params.subject_token_type);
    const actor =
      params.actor_token === undefined
        ? undefined
        : await this.presented(client, params.actor_token, params.actor_token_type);
    const act = this.act(client, subject, actor);
    const wanted = this.settings.exchange?.scope === "all" ? undefined : params.scope;
    const scope = narrowed(wanted, subject.scope);
    const ends = Math.min(subject.exp ?? 0, actor?.exp ?? Number.POSITIVE_INFINITY);
    const result = { subject: subject.sub ?? "", scope, ends, ...(act && { act }) };
    if (params.requested_token_type === `${TYPE}id-jag`) await this.idJag(ctx, result);
    else await issue(this.provider, this.settings, ctx, result, `${TYPE}access_token`);
  }

  /** The claims of a token of ours that the client presents. */
  private async presented(client: Client, token: unknown, type: unknown): Promise<JWTPayload> {
    const isIdToken = type === `${TYPE}id_token`;
    if (!isIdToken && type !== `${TYPE}access_token` && type !== `${TYPE}jwt`)
      throw new errors.InvalidRequest("token type is not supported");
    const checks: JWTVerifyOptions = { issuer: this.provider.issuer };
    if (isIdToken) checks.audience = client.clientId;
    else checks.typ = "at+jwt";
    const claims = await verified(token, this.keys, checks, errors.InvalidRequest);
    // RFC 8693 leaves it open; a bound token must not come out as a bearer token.
    if (claims.cnf !== undefined) throw new errors.InvalidRequest("a bound token is not exchanged");
    return claims;
  }

  /** The chain of actors: the current one, then those that acted before. */
  private act(client: Client, subject: JWTPayload, actor: JWTPayload | undefined): Actor | undefined {
    const prior = subject.act as Actor | undefined;
    if (actor === undefined || this.settings.exchange?.actor === "ignored") return prior;
    if (this.settings.exchange?.actor === "client" && actor.client_id !== client.clientId)
      throw new errors.InvalidRequest("actor_token is not a token of this client");
    const may = subject.may_act as Actor | undefined;
    if (may !== undefined && may.sub !== actor.sub)
      throw new errors.InvalidRequest("the subject lets somebody else act");
    return { sub: actor.sub ?? "", ...(prior && { act: prior }) };
  }

  private async idJag(ctx: Context, result: Result): Promise<void> {
    const { client, params } = ctx.oidc;
    const audience = params.audience;
    const id = typeof audience === "string" ? this.settings.grants?.[audience]?.[client.clientId] : undefined;
    if (id === undefined) throw new errors.InvalidTarget("no ID-JAG for this audience");
    const { kid, alg, key } = signingKey(this.settings);
    const { scope, act } = result;
    const ends = Math.min(result.ends, now() + ID_JAG_SECONDS);
    const jag = await new SignJWT({ client_id: id, scope, resource: params.resource, ...(act && { act }) })
      .setProtectedHeader({ typ: "oauth-id-jag+jwt", alg, kid })
      .setIssuer(this.provider.issuer)
      .setSubject(result.subject)
      .setAudience(audience as string)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime(ends)
      .sign(key);
    // Not an access token, hence N_A (RFC 8693 2.2.1).
    ctx.body = {
      access_token: jag,
      issued_token_type: `${TYPE}id-jag`,
      token_type: "N_A",
      expires_in: ends - now(),
      scope,
    };
  }
}

async function redeem(provider: Provider, settings: Settings, ctx: Context): Promise<void> {
  const { client, params } = ctx.oidc;
  const assertion = params.assertion;
  let issuer: string | undefined;
  try {
    issuer = typeof assertion === "string" ? decodeJwt(assertion).iss : undefined;
  } catch {
    // Not a JWT: its issuer is unknown.
  }
  const place = settings.redeems?.[issuer ?? ""];
  if (issuer === undefined || place === undefined) throw new errors.InvalidGrant("unknown issuer");
  const keys = createRemoteJWKSet(new URL(place));
  const checks = {
    issuer,
    audience: provider.issuer,
    typ: "oauth-id-jag+jwt",
    requiredClaims: ["sub", "jti", "exp"],
  };
  const claims = await verified(assertion, keys, checks, errors.InvalidGrant);
  if (Array.isArray(claims.aud) && claims.aud.length !== 1) throw new errors.InvalidGrant("two audiences");
  if (claims.client_id !== client.clientId) throw new errors.InvalidGrant("issued to another client");
  const act = claims.act as Actor | undefined;
  const scope = narrowed(params.scope, claims.scope);
  if (typeof claims.resource === "string") params.resource ??= claims.resource;
  const result = { subject: claims.sub ?? "", scope, ends: Number.POSITIVE_INFINITY, ...(act && { act }) };
  await issue(provider, settings, ctx, result);
}

/** Answers with an access token for the one resource that is asked for. */
async function issue(
  provider: Provider,
  settings: Settings,
  ctx: Context,
  result: Result,
  type?: string,
): Promise<void> {
  const { client, params } = ctx.oidc;
  const resource = params.resource ?? params.audience;
  const known = typeof resource === "string" ? settings.resources[resource] : undefined;
  if (typeof resource !== "string" || known === undefined) throw new errors.InvalidTarget();
  const scope = result.scope.split(" ").filter((one) => known.split(" ").includes(one));
  const lifetime = Math.min(settings.lifetime ?? 600, result.ends - now());
  const token = new provider.AccessToken({
    client,
    accountId: result.subject,
    grantId: randomUUID(),
    gty: "exchange",
    scope: scope.join(" "),
    expiresIn: lifetime,
  });
  token.resourceServer = new provider.ResourceServer(resource, {
    scope: known,
    jwt: { sign: { alg: settings.algorithm } },
    accessTokenFormat: "jwt",
  });
  if (result.act !== undefined) token.extra = { act: result.act };
  if (client.tlsClientCertificateBoundAccessTokens) {
    const certificate = certificateOf(ctx);
    if (certificate === undefined) throw new errors.InvalidGrant("no certificate to bind the token to");
    token.setThumbprint("x5t", certificate);
  }
  ctx.body = {
    access_token: await token.save(),
    ...(type && { issued_token_type: type }),
    token_type: token.tokenType,
    expires_in: lifetime,
    scope: token.scope,
  };
}

/** The scopes that are asked for, or all; refuses more than there were. */
function narrowed(asked: unknown, had: unknown): string {
  const before = typeof had === "string" ? had : "";
  if (typeof asked !== "string") return before;
  const held = before.split(" ");
  for (const scope of asked.split(" "))
    if (!held.includes(scope)) throw new errors.InvalidScope("more than the subject had", scope);
  return asked;
}

async function verified(
  token: unknown,
  keys: Parameters<typeof jwtVerify>[1],
  checks: JWTVerifyOptions,
  Refusal: typeof errors.InvalidRequest | typeof errors.InvalidGrant,
): Promise<JWTPayload> {
  if (typeof token !== "string") throw new Refusal("a token is missing");
  try {
    return (await jwtVerify(token, keys as ReturnType<typeof createLocalJWKSet>, checks)).payload;
  } catch (error) {
    if (error instanceof joseErrors.JOSEError) throw new Refusal(`not a token for this: ${error.code}`);
    throw error;
  }
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
