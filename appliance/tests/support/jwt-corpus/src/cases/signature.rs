//! Signatures: degenerate, cut, stretched, in another encoding, or moved to other bytes.

use serde_json::json;

use crate::Expect;
use crate::Expect::Either;
use crate::Expect::Reject;
use crate::forge::Forge;
use crate::keys::Signer;
use crate::keys::encode;

const GROUP: &str = "sig";

/// The order of P-256's base point, big-endian (SEC 2 2.4.2).
const P256_ORDER: [u8; 32] =
    *b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\
    \xf3\xb9\xca\xc2\xfc\x63\x25\x51";

/// The order of Ed25519's base point, little-endian (RFC 8032 5.1).
const ED25519_ORDER: [u8; 32] = *b"\xed\xd3\xf5\x5c\x1a\x63\x12\x58\xd6\x9c\xf7\xa2\xde\xf9\xde\x14\
    \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10";

/// A name, what becomes of a good signature, and what has to happen.
type Change = (&'static str, fn(&[u8]) -> Vec<u8>, Expect);

pub(super) fn add(forge: &mut Forge<'_>) {
    let keys = forge.keys;
    ecdsa(forge);
    let ed25519: [Change; 5] = [
        (
            "S + L",
            |good| [&good[..32], &plus(&good[32..], &ED25519_ORDER)].concat(),
            Reject,
        ),
        ("only zeros", |good| vec![0; good.len()], Reject),
        ("a bit changed in R", |good| flipped(good, 0), Reject),
        ("a bit changed in S", |good| flipped(good, 40), Reject),
        ("cut by a byte", |good| good[..63].to_vec(), Reject),
    ];
    changed(forge, "EdDSA", "ed", Signer::Ed25519(&keys.ed25519), &ed25519);
    let rsa: [Change; 5] = [
        ("only zeros", |good| vec![0; good.len()], Reject),
        ("only ones", |good| vec![0xff; good.len()], Reject),
        ("one", |good| [vec![0; good.len() - 1], vec![1]].concat(), Reject),
        ("a zero byte before it", |good| [&[0], good].concat(), Reject),
        ("a bit changed", |good| flipped(good, 100), Reject),
    ];
    changed(forge, "RS256", "rs", Signer::Rs256(&keys.rsa), &rsa);
    changed(forge, "PS256", "ps", Signer::Ps256(&keys.rsa), &rsa);
    moved(forge);
}

fn ecdsa(forge: &mut Forge<'_>) {
    let keys = forge.keys;
    let changes: [Change; 18] = [
        ("r = 0, s = 0", |_| vec![0; 64], Reject),
        ("r = 0", |good| [&[0; 32], &good[32..]].concat(), Reject),
        ("s = 0", |good| [&good[..32], &[0; 32]].concat(), Reject),
        ("r = n", |good| [&P256_ORDER, &good[32..]].concat(), Reject),
        ("s = n", |good| [&good[..32], &P256_ORDER].concat(), Reject),
        ("r = s = n", |_| [P256_ORDER, P256_ORDER].concat(), Reject),
        ("r = s = 1", |_| [one(), one()].concat(), Reject),
        (
            "s = n - s, which is as valid",
            |good| [&good[..32], &minus(&P256_ORDER, &good[32..])].concat(),
            Either,
        ),
        ("r and s swapped", |good| [&good[32..], &good[..32]].concat(), Reject),
        ("a bit changed in r", |good| flipped(good, 5), Reject),
        ("a bit changed in s", |good| flipped(good, 60), Reject),
        ("cut by a byte", |good| good[..63].to_vec(), Reject),
        ("cut in half", |good| good[..32].to_vec(), Reject),
        ("one byte", |good| good[..1].to_vec(), Reject),
        ("a byte after it", |good| [good, &[0]].concat(), Reject),
        (
            "a zero byte before each half",
            |good| [&[0], &good[..32], &[0], &good[32..]].concat(),
            Reject,
        ),
        ("twice", |good| [good, good].concat(), Reject),
        ("in DER", der, Reject),
    ];
    changed(forge, "ES256", "es", Signer::Ecdsa(&keys.es256), &changes);
}

fn changed(forge: &mut Forge<'_>, alg: &str, kid: &str, signer: Signer<'_>, changes: &[Change]) {
    for (name, change, expect) in changes {
        let header = json!({"alg": alg, "kid": kid, "typ": "at+jwt"}).to_string();
        let signed = format!(
            "{}.{}",
            encode(header.as_bytes()),
            encode(forge.claims().to_string().as_bytes())
        );
        let good = forge.keys.sign(signer, signed.as_bytes());
        let token = format!("{signed}.{}", encode(&change(&good)));
        forge.add(GROUP, &format!("{alg} signature: {name}"), token, *expect);
    }
}

/// Good segments of different tokens.
fn moved(forge: &mut Forge<'_>) {
    let (one, other) = (forge.valid_token(), forge.valid_token());
    let cut = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (one, other) = (cut(&one), cut(&other));
    let join = |parts: [&String; 3]| format!("{}.{}.{}", parts[0], parts[1], parts[2]);
    forge.add(
        GROUP,
        "the signature of another token",
        join([&one[0], &one[1], &other[2]]),
        Reject,
    );
    forge.add(
        GROUP,
        "the claims of another token",
        join([&one[0], &other[1], &one[2]]),
        Reject,
    );
    forge.add(
        GROUP,
        "header and claims swapped",
        join([&one[1], &one[0], &one[2]]),
        Reject,
    );
    let header = encode(br#"{"alg":"ES256","kid":"es","typ":"at+jwt" }"#);
    forge.add(
        GROUP,
        "a space added to the header",
        join([&header, &one[1], &one[2]]),
        Reject,
    );
}

/// SEC 1 C.5, as X.509 has it.
fn der(good: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let mut number: Vec<u8> = number.iter().copied().skip_while(|&byte| byte == 0).collect();
        if number.first().is_none_or(|&first| first >= 0x80) {
            number.insert(0, 0);
        }
        [&[2, u8::try_from(number.len()).expect("at most 33")], number.as_slice()].concat()
    };
    let body = [integer(&good[..32]), integer(&good[32..])].concat();
    [&[0x30, u8::try_from(body.len()).expect("at most 70")], body.as_slice()].concat()
}

fn one() -> [u8; 32] {
    let mut one = [0; 32];
    one[31] = 1;
    one
}

fn flipped(good: &[u8], index: usize) -> Vec<u8> {
    let mut bad = good.to_vec();
    bad[index] ^= 0x10;
    bad
}

/// The big-endian difference of two numbers of one length, the first of which is larger.
fn minus(from: &[u8], what: &[u8]) -> Vec<u8> {
    let mut borrow = false;
    let mut difference = vec![0; from.len()];
    for index in (0..from.len()).rev() {
        let (part, first) = from[index].overflowing_sub(what[index]);
        let (part, second) = part.overflowing_sub(u8::from(borrow));
        difference[index] = part;
        borrow = first || second;
    }
    difference
}

/// The little-endian sum of two numbers of one length.
fn plus(one: &[u8], other: &[u8]) -> Vec<u8> {
    let mut carry = 0_u16;
    let sum = one.iter().zip(other).map(|(&one, &other)| {
        carry += u16::from(one) + u16::from(other);
        let [low, high] = carry.to_le_bytes();
        carry = u16::from(high);
        low
    });
    sum.collect()
}
