//! Compact JWS signatures and key sets: the cryptographic half of identity.
//!
//! Owns base64url, key sets, the reading of a compact JWS and its signature check over `ring`. Follows RFC 7515,
//! RFC 7517, RFC 7518, RFC 8037 and the advice of RFC 8725. It must never choose an algorithm or a key by what a token
//! says: a key carries its one algorithm, an issuer lists the ones it uses, and a token can only agree.
//!
//! Not supported on purpose: symmetric algorithms, `none`, JWE, JSON serialisations, unencoded and detached payloads,
//! and every header parameter that points at a key (`jku`, `x5u`, `x5c`; `jwk` only where it is the point, in [`proof`]).

pub mod base64url;
pub mod jwk;
pub mod jwks;
pub mod jws;
pub mod proof;

mod algorithm;

#[cfg(test)]
mod tests;

pub use self::algorithm::Algorithm;
