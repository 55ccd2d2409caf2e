//! The bytes of a sealed secret. Pure: no file, no clock.
//!
//! ```text
//! 0   "portreev"    8   what this is
//! 8   1             1   version of the format
//! 9   key id        8   of SHA-256("portreeve store key" || key): which key, and nothing about it
//! 17  set at        8   seconds since 1970, big endian
//! 25  nonce        12   random
//! 37  sealed            ChaCha20-Poly1305 over: length (2, big endian), secret, zeros up to a multiple of 256
//!     tag          16
//! ```
//!
//! Everything before the nonce, and the secret's name, is associated data: no file can pass for another one's, and a date
//! that was changed shows. The zeros hide how long the secret is.
//!
//! SPEC: RFC 8439 2.8.

use std::fmt;

use portreeve_core::limits::SECRET_BYTES_MAX;
use portreeve_core::time::UnixTime;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"portreev";
const VERSION: u8 = 1;
const KEY_ID: usize = 8;
const KEY_AT: usize = MAGIC.len() + 1;
const SET_AT: usize = KEY_AT + KEY_ID;
const NONCE_AT: usize = SET_AT + 8;
const SEALED_AT: usize = NONCE_AT + NONCE_LEN;
/// Secrets are filled up to a multiple of this, in bytes.
const BLOCK: usize = 256;
/// Bytes of the longest file.
pub(super) const FILE_BYTES_MAX: u64 = (SEALED_AT + (2 + SECRET_BYTES_MAX).next_multiple_of(BLOCK) + 16) as u64;

/// Bytes of a store key.
pub(super) const KEY_BYTES: usize = 32;

/// Why a file is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is something else.
    NotSealed,
    /// It is of a format that is not known here.
    Version(u8),
    /// Another key sealed it.
    OtherKey,
    /// It is not what was sealed under this name.
    Altered,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSealed => f.write_str("this is not a sealed secret"),
            Self::Version(version) => write!(
                f,
                "this secret is sealed in format {version}; this portreeve knows {VERSION}"
            ),
            Self::OtherKey => f.write_str("this secret was sealed with another key"),
            Self::Altered => {
                f.write_str("this is not what was sealed under this name: the file was changed, cut or renamed")
            }
        }
    }
}

/// The key of a store. Shows nothing but its id.
pub(super) struct StoreKey {
    cipher: LessSafeKey,
    id: [u8; KEY_ID],
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey")
    }
}

impl StoreKey {
    /// A key of exactly [`KEY_BYTES`] bytes. ring keeps it in its own memory; the caller wipes what it read.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let cipher = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, bytes).ok()?);
        let mut hash = Context::new(&SHA256);
        hash.update(b"portreeve store key");
        hash.update(bytes);
        let id = hash.finish().as_ref()[..KEY_ID].try_into().ok()?;
        Some(Self { cipher, id })
    }
}

/// The file for `secret` under `name`; `None` if the system gives no randomness.
pub(super) fn seal(key: &StoreKey, name: &str, secret: &[u8], now: UnixTime) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).ok()?;
    let mut file = Vec::with_capacity(SEALED_AT);
    file.extend_from_slice(MAGIC);
    file.push(VERSION);
    file.extend_from_slice(&key.id);
    file.extend_from_slice(&now.secs().to_be_bytes());
    let associated = associated(&file, name);
    file.extend_from_slice(&nonce);

    let length = u16::try_from(secret.len()).ok()?;
    let filled = (2 + secret.len()).next_multiple_of(BLOCK);
    let mut inner = Zeroizing::new(Vec::with_capacity(filled));
    inner.extend_from_slice(&length.to_be_bytes());
    inner.extend_from_slice(secret);
    inner.resize(filled, 0);
    let tag = key
        .cipher
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), associated, &mut inner)
        .ok()?;
    file.extend_from_slice(&inner);
    file.extend_from_slice(tag.as_ref());
    Some(file)
}

/// The secret that was sealed into `file` under `name`.
pub(super) fn open(key: &StoreKey, name: &str, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    set_at(file)?;
    if file[KEY_AT..SET_AT] != key.id {
        return Err(Fault::OtherKey);
    }
    let nonce = Nonce::try_assume_unique_for_key(&file[NONCE_AT..SEALED_AT]).map_err(|_| Fault::Altered)?;
    let mut inner = Zeroizing::new(file[SEALED_AT..].to_vec());
    let associated = associated(&file[..NONCE_AT], name);
    let opened = key.cipher.open_in_place(nonce, associated, &mut inner);
    let opened = opened.map_err(|_| Fault::Altered)?;
    let (length, rest) = opened.split_first_chunk().ok_or(Fault::Altered)?;
    let secret = rest.get(..usize::from(u16::from_be_bytes(*length)));
    Ok(Zeroizing::new(secret.ok_or(Fault::Altered)?.to_vec()))
}

/// When `file` says it was sealed. Not proven before it is opened.
pub(super) fn set_at(file: &[u8]) -> Result<UnixTime, Fault> {
    if !file.starts_with(MAGIC) || file.len() <= MAGIC.len() {
        return Err(Fault::NotSealed);
    }
    if file[MAGIC.len()] != VERSION {
        return Err(Fault::Version(file[MAGIC.len()]));
    }
    let set = file.get(SET_AT..NONCE_AT).and_then(|set| set.try_into().ok());
    match set {
        Some(set) if file.len() >= SEALED_AT => Ok(UnixTime::from_secs(u64::from_be_bytes(set))),
        _ => Err(Fault::Altered),
    }
}

fn associated(head: &[u8], name: &str) -> Aad<Vec<u8>> {
    Aad::from([head, name.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_795_219_200);

    fn key(fill: u8) -> StoreKey {
        StoreKey::new(&[fill; KEY_BYTES]).unwrap()
    }

    #[test]
    fn what_was_sealed_is_opened_again_and_two_sealings_differ() {
        let secrets: [&[u8]; 4] = [b"k", b"token", &[0; 254], &[7; SECRET_BYTES_MAX]];
        for secret in secrets {
            let file = seal(&key(1), "town", secret, NOW).unwrap();
            assert_eq!(*open(&key(1), "town", &file).unwrap(), secret);
            assert_eq!(set_at(&file), Ok(NOW));
            assert!(file.len() as u64 <= FILE_BYTES_MAX);
            assert_ne!(file, seal(&key(1), "town", secret, NOW).unwrap());
        }
    }

    #[test]
    fn a_change_of_any_byte_shows_and_so_does_any_cut() {
        let file = seal(&key(1), "town", b"a secret of some length", NOW).unwrap();
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            let expected = match at {
                0..8 => Fault::NotSealed,
                8 => Fault::Version(0),
                9..17 => Fault::OtherKey,
                _ => Fault::Altered,
            };
            assert_eq!(open(&key(1), "town", &changed).unwrap_err(), expected, "byte {at}");
            assert!(open(&key(1), "town", &file[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(
            open(&key(1), "town", &[&file[..], b"x"].concat()).unwrap_err(),
            Fault::Altered
        );
    }

    #[test]
    fn neither_another_name_nor_another_key_opens_it() {
        let file = seal(&key(1), "town", b"secret", NOW).unwrap();
        assert_eq!(open(&key(1), "tower", &file).unwrap_err(), Fault::Altered);
        assert_eq!(open(&key(2), "town", &file).unwrap_err(), Fault::OtherKey);
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_and_any_secret_comes_back(
            bytes in vec(any::<u8>(), 0..600),
            secret in vec(any::<u8>(), 1..600),
            name in "[a-z0-9][a-z0-9_-]{0,63}",
        ) {
            prop_assert!(open(&key(1), &name, &bytes).is_err());
            let mut file = seal(&key(1), &name, &secret, NOW).unwrap();
            prop_assert_eq!(&*open(&key(1), &name, &file).unwrap(), &secret);
            file.truncate(NONCE_AT);
            file.extend_from_slice(&bytes);
            prop_assert!(open(&key(1), &name, &file).is_err());
        }
    }

    #[test]
    fn the_length_of_a_file_does_not_say_how_long_the_secret_is() {
        let length = |secret: &[u8]| seal(&key(1), "town", secret, NOW).unwrap().len();
        assert_eq!(length(b"k"), length(&[7; 254]));
    }
}
