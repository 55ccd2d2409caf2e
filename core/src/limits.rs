//! Every maximum in one place, with its unit. A collection that traffic can grow has its bound here.
//!
//! Never a default that an operator tunes without a ceiling: configuration may lower these, not lift them.

use core::time::Duration;

// --- json: bodies and tokens ---

/// Containers open at once in any JSON text.
pub const JSON_DEPTH_MAX: usize = 64;

/// Length of a member name after unescaping, in bytes.
pub const JSON_NAME_BYTES: usize = 1024;

/// Length of a client's message, in bytes.
pub const JSON_MESSAGE_BYTES: usize = 4 << 20;

/// Values and member names in a client's message.
pub const JSON_MESSAGE_VALUES: usize = 1 << 16;

/// Members of one object in a client's message.
pub const JSON_MESSAGE_MEMBERS: usize = 4096;

/// Length of a token's header or claims after decoding, in bytes.
pub const JSON_TOKEN_BYTES: usize = 6 << 10;

/// Containers open at once in a token's header or claims.
pub const JSON_TOKEN_DEPTH: usize = 16;

/// Values and member names in a token's header or claims.
pub const JSON_TOKEN_VALUES: usize = 1024;

/// Members of one object in a token's header or claims.
pub const JSON_TOKEN_MEMBERS: usize = 256;

/// Length of an upstream's message, in bytes.
pub const JSON_REPLY_BYTES: usize = 8 << 20;

/// Values and member names in an upstream's message.
pub const JSON_REPLY_VALUES: usize = 1 << 18;

/// Members of one object in an upstream's message.
pub const JSON_REPLY_MEMBERS: usize = 1 << 14;

/// Memory that a parser keeps between documents, by the length of the text it has room for, in bytes.
pub const JSON_SCRATCH_KEPT_BYTES: usize = 256 << 10;

// --- framing: heads, chunks, events ---

/// Start line and header fields of one message, with the final empty line. Bytes. Two tokens of 8 KiB fit twice.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Request target: path and query. Bytes.
pub const TARGET_BYTES_MAX: usize = 4 * 1024;

/// Header fields of one message. Count.
pub const HEADERS_MAX: usize = 64;

/// Body of one request. Bytes.
pub const REQUEST_BODY_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// One event of a stream: its raw lines, or one comment line. Bytes. As large as the largest reply.
pub const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;

// --- jose and identity: tokens, caches ---

/// Length of a token as it is presented, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8192;

/// Length of a decoded JOSE header, in bytes.
pub const JOSE_HEADER_BYTES_MAX: usize = 1024;

/// Length of a key identifier, in bytes.
pub const KID_BYTES_MAX: usize = 256;

/// Length of a decoded signature: RSA with 8192 bits, in bytes.
pub const SIGNATURE_BYTES_MAX: usize = 1024;

/// Length of a key set document, in bytes.
pub const JWKS_BYTES_MAX: usize = 64 * 1024;

/// Keys in a key set document.
pub const JWKS_KEYS_MAX: usize = 100;

/// Smallest RSA modulus, in bytes; its highest bit is set.
pub const RSA_MODULUS_BYTES_MIN: usize = 256;

/// Largest RSA modulus, in bytes.
pub const RSA_MODULUS_BYTES_MAX: usize = 1024;

/// Smallest RSA public exponent.
pub const RSA_EXPONENT_MIN: u64 = 65537;

/// Issuer profiles.
pub const ISSUERS_MAX: usize = 64;

/// Registered agents.
pub const AGENTS_MAX: usize = 100_000;

/// API keys of one agent: the one in use and the one that replaces it.
pub const API_KEYS_PER_AGENT_MAX: usize = 2;

/// Everything that is shut off, together.
pub const REVOCATIONS_MAX: usize = 100_000;

/// Time after which no token is valid that was issued before: the longest life, and the leeway on both of its ends.
pub const TOKEN_GONE_AFTER: Duration = Duration::from_secs(24 * 60 * 60 + 2 * 120);

/// Age of a security event token that is still carried out: as long as a gate may have been away.
pub const SIGNAL_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How far in the future a security event token may have been issued.
pub const SIGNAL_LEEWAY: Duration = Duration::from_secs(60);

/// What transmitters of signals have shut off, together: they leave the operator as much room again.
pub const SIGNAL_REVOCATIONS_MAX: usize = 50_000;

/// Users of whom transmitters of signals said something that policies can read.
pub const SIGNAL_USERS_MAX: usize = 50_000;

/// Devices of one such user.
pub const SIGNAL_DEVICES_MAX: usize = 16;

/// Names of one subject in a security event token.
pub const SIGNAL_ALIASES_MAX: usize = 16;

/// Longest difference between our clock and an issuer's that is tolerated.
pub const TOKEN_LEEWAY_MAX: Duration = Duration::from_secs(120);

/// Longest life of a token that any issuer profile may accept.
pub const TOKEN_LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Life of an agent's token, unless its issuer profile says otherwise.
pub const AGENT_TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The build date, roughly: a clock before this moment is wrong, and no token is judged by it. Seconds since 1970.
pub const CLOCK_FLOOR_SECS: u64 = 1_790_000_000;

/// Length of a subject, a client identifier, a group name or another name in a token, in bytes.
pub const CLAIM_TEXT_BYTES_MAX: usize = 255;

/// Audiences that a token may name.
pub const AUDIENCES_MAX: usize = 16;

/// Groups of a user.
pub const GROUPS_MAX: usize = 512;

/// Scopes or authentication methods of a token.
pub const SCOPES_MAX: usize = 64;

/// Scopes, or authentication classes, that may be demanded for one tool; all of them stand in one header.
pub const DEMANDED_WORDS_MAX: usize = 16;

/// Agents in a delegation chain, the current one included.
pub const CHAIN_MAX: usize = 4;

/// Entries of each cache of verified tokens, per core.
pub const IDENTITY_CACHE_MAX: usize = 1 << 16;

/// Time for which a verified token is not verified again.
pub const IDENTITY_CACHE_TTL: Duration = Duration::from_secs(5 * 60);

/// Time for which a refused token is refused without verifying it again.
pub const IDENTITY_REFUSED_TTL: Duration = Duration::from_secs(60);

/// Length of an issuer's answer about an opaque token, in bytes.
pub const INTROSPECTION_BYTES_MAX: usize = 64 * 1024;

/// Time for which an opaque token that is active is taken without asking its issuer again.
pub const INTROSPECTION_TTL: Duration = Duration::from_secs(60);

/// Time for which an opaque token is refused without asking its issuer again.
pub const INTROSPECTION_REFUSED_TTL: Duration = Duration::from_secs(5);

/// The least length of an opaque token, without padding, in bytes: 128 bits in base64url are 22, and a shorter text could
/// stand in a message by chance.
pub const OPAQUE_TOKEN_BYTES_MIN: usize = 20;

/// Answers about opaque tokens that one request waits for.
pub const INTROSPECTIONS_MAX: u8 = 4;

// --- proofs of possession: DPoP ---

/// Length of a DPoP proof as it is presented, in bytes.
pub const PROOF_BYTES_MAX: usize = 4096;

/// Length of the identifier or the nonce of a proof, in bytes.
pub const PROOF_ID_BYTES_MAX: usize = 255;

/// Length of the URI in a proof, in bytes.
pub const PROOF_URI_BYTES_MAX: usize = 2048;

/// How far the time of a proof may be from ours, in either direction.
pub const PROOF_TOLERANCE: Duration = Duration::from_secs(60);

/// How long one nonce is given out; it is accepted for as long again.
pub const PROOF_NONCE_PERIOD: Duration = Duration::from_secs(120);

/// Proofs that one shard remembers. At 28 bytes each, and 32 for each key, at most 32 MiB.
pub const PROOFS_PER_SHARD: usize = 1 << 19;

/// Time that proofs are counted and forgotten by, in seconds of their own time.
pub const PROOF_SLICE_SECS: u64 = 10;

/// Proofs of one key within one such slice: about 800 a second.
pub const PROOFS_PER_KEY_AND_SLICE: u32 = 1 << 13;

// --- mcp: names, cursors ---

/// Length of a string id of a message, in bytes.
pub const MCP_ID_BYTES: usize = 256;

/// Magnitude of an integer id: the largest that a double holds exactly, 2^53 - 1.
pub const MCP_ID_INTEGER_MAX: u64 = (1 << 53) - 1;

/// Length of a method name, in bytes.
pub const MCP_METHOD_BYTES: usize = 128;

/// Length of the name of a tool, prompt, argument, log level or task, in bytes.
pub const MCP_NAME_BYTES: usize = 512;

/// Length of a resource's URI, in bytes.
pub const MCP_URI_BYTES: usize = 8192;

/// Length of a cursor, in bytes.
pub const MCP_CURSOR_BYTES: usize = 8192;

/// Resources, and tasks, that one subscription stream may name.
pub const MCP_LISTEN_ITEMS: usize = 1024;

/// How much of an unknown version name is repeated to its sender, in bytes.
pub const MCP_VERSION_ECHO_BYTES: usize = 64;

// --- policy: arguments, sets ---

/// Most policy files that are loaded.
pub const POLICY_FILES_MAX: usize = 1_000;
/// Most bytes of policy text, all files together.
pub const POLICY_BYTES_MAX: usize = 16 << 20;
/// Most policies in a set.
pub const POLICIES_MAX: usize = 10_000;
/// Deepest nesting of a policy's condition, in expressions.
pub const POLICY_EXPRESSION_DEPTH_MAX: usize = 512;
/// Longest `@id` or `@reason` of a policy, in bytes.
pub const POLICY_ANNOTATION_BYTES_MAX: usize = 200;
/// Longest alias of a server, in bytes.
pub const SERVER_ALIAS_BYTES_MAX: usize = 64;
/// Longest tool name in the catalog, in bytes.
pub const POLICY_NAME_BYTES_MAX: usize = 4096;
/// Most tools in the catalog, all servers together.
pub const CATALOG_TOOLS_MAX: usize = 100_000;
/// Most labels of one tool.
pub const CATALOG_LABELS_MAX: usize = 64;
/// Deepest nesting of arguments that policies look at, in objects and arrays.
pub const POLICY_ARGUMENT_DEPTH_MAX: usize = 32;
/// Most values in arguments that policies look at.
pub const POLICY_ARGUMENT_VALUES_MAX: usize = 10_000;

// --- credential: lifetimes, caches ---

/// Servers behind one gate. The gate publishes two keys for each.
pub const SERVERS: usize = 256;
/// The longest life of a minted token.
pub const MINT_LIFETIME_MAX: Duration = Duration::from_secs(120);
/// Bytes of a scope that a server names.
pub const SCOPE_BYTES_MAX: usize = 1_024;
/// Claims that a server names, renamed and added ones together.
pub const CLAIMS_MAX: usize = 16;
/// Bytes of the name or the value of such a claim.
pub const CLAIM_BYTES_MAX: usize = 255;
/// Bytes of a secret that the gate itself holds for a server.
pub const SECRET_BYTES_MAX: usize = 8_192;
/// Minted tokens that their holders have revoked and that may not have ended yet: what one server can keep the gate busy with.
pub const MINTED_REVOCATIONS_MAX: usize = 1_000;
/// Length of the form that revokes one, in bytes: a token, percent-encoded, and a hint.
pub const REVOCATION_FORM_BYTES_MAX: usize = 32 * 1024;
/// Minted tokens one core keeps for use again.
pub const MINT_CACHE_ENTRIES: usize = 4_096;

/// Length of an authorization server's answer, in bytes.
pub const GRANT_BYTES_MAX: usize = 64 * 1024;
/// How long a token is used whose issuer does not say how long it lives.
pub const GRANT_LIFETIME_UNTOLD: Duration = Duration::from_secs(60);
/// The longest that a token of an authorization server is used.
pub const GRANT_LIFETIME_MAX: Duration = Duration::from_secs(60 * 60);

// --- audit: records ---

/// Bytes of one text from outside in an audit record; longer ones are cut and marked.
pub const AUDIT_TEXT_BYTES_MAX: usize = 512;
/// Policies named in one audit record.
pub const AUDIT_POLICIES_MAX: usize = 16;
/// Bytes of one audit line.
pub const AUDIT_LINE_BYTES_MAX: usize = 64 * 1024;

// --- sessions and tasks ---

/// Live legacy sessions one shard keeps.
pub const SESSIONS_PER_SHARD: usize = 8_192;
/// Live legacy sessions one (user, agent) pair keeps on one shard.
pub const SESSIONS_PER_PRINCIPAL: usize = 64;
/// Server requests of one session that wait for the client's answer.
pub const UNANSWERED_PER_SESSION: usize = 64;
/// Entries of one kind in a `subscriptions/listen` request.
pub const LISTEN_ENTRIES: usize = 64;
/// Bytes of an upstream's session id.
pub const SESSION_ID_BYTES: usize = 512;
/// Tasks one shard remembers the creator of.
pub const TASKS_PER_SHARD: usize = 16_384;
/// Tasks of one (user, agent) pair among those.
pub const TASKS_PER_PRINCIPAL: usize = 1_024;
/// How long a task's creator is remembered after the task was last asked for.
pub const TASK_IDLE: Duration = Duration::from_secs(24 * 60 * 60);
