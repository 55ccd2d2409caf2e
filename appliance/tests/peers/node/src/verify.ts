/**
 * What a server behind the gate does with the token it gets, by an independent library: finds the gate's keys through its
 * metadata, verifies, and prints the claims. `node verify.ts PLAN.json` reads `{ at, issuer, audience, token, requires }`;
 * `at` is where the issuer, the gate as a rule, listens, whatever its public name; `requires` are claims besides the usual. Exits 1 with the reason when the token is not good.
 */
import { readFileSync } from "node:fs";
import { createRemoteJWKSet, jwtVerify } from "jose";

type Plan = { at: string; issuer: string; audience: string; token: string; requires: string[] };

const plan = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Plan;

const answer = await fetch(new URL("/.well-known/oauth-authorization-server", plan.at));
const metadata = (await answer.json()) as { issuer: string; jwks_uri: string };
if (metadata.issuer !== plan.issuer) throw new Error(`the metadata is that of ${metadata.issuer}`);
if (!metadata.jwks_uri.startsWith(`${plan.issuer}/`)) throw new Error(`keys of ${metadata.jwks_uri}`);
const keys = createRemoteJWKSet(new URL(new URL(metadata.jwks_uri).pathname, plan.at));
const { payload } = await jwtVerify(plan.token, keys, {
  issuer: plan.issuer,
  audience: plan.audience,
  typ: "at+jwt",
  clockTolerance: 0,
  requiredClaims: ["sub", "scope", "client_id", "jti", "iat", "exp", ...plan.requires],
});
console.log(JSON.stringify(payload));
