// Makes a key, or a DPoP proof with it (RFC 9449), for trying things by hand. Needs nothing but Node 18.
//
//   node dpop-proof.mjs key                              writes agent-key.pem and agent.jwk
//   node dpop-proof.mjs proof METHOD URL HEADERS [NONCE] prints a DPoP header line
//
// HEADERS is a file with the lines that `portreeve token` prints: tokens do not belong on a command line.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'

const [command, method, url, headers, nonce] = process.argv.slice(2)
const base64url = value => Buffer.from(JSON.stringify(value)).toString('base64url')
const sha256 = text => createHash('sha256').update(text).digest('base64url')

if (command === 'key') {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  writeFileSync('agent-key.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' })
  writeFileSync('agent.jwk', JSON.stringify(publicKey.export({ format: 'jwk' })))
} else if (command === 'proof' && headers) {
  const text = readFileSync(headers, 'utf8')
  const value = name => text.match(new RegExp(`^${name}: (.*)$`, 'im'))?.[1]
  const assertion = value('x-ai-user-assertion')
  const key = createPrivateKey(readFileSync('agent-key.pem'))
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: createPublicKey(key).export({ format: 'jwk' }) }
  const claims = {
    jti: randomUUID(),
    htm: method,
    htu: url,
    iat: Math.floor(Date.now() / 1000),
    ath: sha256(value('authorization').split(' ')[1]),
    ...(assertion && { oth: { 'x-ai-user-assertion': sha256(assertion) } }),
    ...(nonce && { nonce }),
  }
  const signed = `${base64url(header)}.${base64url(claims)}`
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
  console.log(`DPoP: ${signed}.${signature}`)
} else {
  console.error('usage: dpop-proof.mjs key | dpop-proof.mjs proof METHOD URL HEADERS [NONCE]')
  process.exitCode = 2
}
