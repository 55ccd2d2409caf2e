//! The client certificate of a connection: what tokens can be bound to, and the agent that an X.509-SVID names.
//!
//! Whoever builds one has seen the TLS handshake: its peer has the key. Must never come from a header, and never say who
//! an agent is where no authority of the operator's vouches for it.

use ring::digest;

use super::Binding;
use super::Fault;
use super::Side;
use super::Trust;
use super::der::BIT_STRING;
use super::der::BOOLEAN;
use super::der::INTEGER;
use super::der::OBJECT_ID;
use super::der::OCTET_STRING;
use super::der::Reader;
use super::der::SEQUENCE;
use super::presented::finish;
use super::token::Verified;
use crate::limits::CLAIM_TEXT_BYTES_MAX;
use crate::time::UnixTime;

const VERSION: u8 = 0xa0;
const ISSUER_ID: u8 = 0x81;
const SUBJECT_ID: u8 = 0x82;
const EXTENSIONS: u8 = 0xa3;
/// SPEC: RFC 5280 4.2.1.6: `uniformResourceIdentifier`, the sixth of the general names.
const URI: u8 = 0x86;
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];
const ALTERNATIVE_NAMES: [u8; 3] = [0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];
/// SPEC: RFC 5280 4.2.1.3: `digitalSignature` is bit 0, `keyCertSign` 5, `cRLSign` 6.
const DIGITAL_SIGNATURE: u8 = 0x80;
const SIGNS_CERTIFICATES: u8 = 0x04 | 0x02;

/// A certificate whose key the other end of the connection has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    digest: [u8; 32],
    until: Option<UnixTime>,
    svid: Option<String>,
}

impl PeerCertificate {
    /// Of a leaf in DER that led to an authority of the operator's. `None` if it cannot be read: it counts for nothing.
    #[must_use]
    pub fn vouched(der: &[u8]) -> Option<Self> {
        let contents = Contents::read(der)?;
        Some(Self {
            digest: sha256(der),
            until: Some(contents.until),
            svid: contents.svid(),
        })
    }

    /// Of a leaf in DER that nobody vouches for: tokens may be bound to it (RFC 8705 2.2), and that is all.
    #[must_use]
    pub fn unvouched(der: &[u8]) -> Self {
        Self {
            digest: sha256(der),
            until: None,
            svid: None,
        }
    }

    /// The SHA-256 of its DER: `x5t#S256` (RFC 8705 3.1).
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The SPIFFE id, if this is an X.509-SVID.
    #[must_use]
    pub fn svid(&self) -> Option<&str> {
        self.svid.as_deref()
    }

    /// Its `notAfter`, if somebody vouches for it.
    #[must_use]
    pub const fn until(&self) -> Option<UnixTime> {
        self.until
    }

    /// Whether its time is up at `now`. Connections may outlive it.
    #[must_use]
    pub fn has_ended(&self, now: UnixTime) -> bool {
        self.until.is_some_and(|until| now > until)
    }

    /// What the certificate alone proves: which agent calls. As a token of the agent's that is bound to it would.
    ///
    /// SPEC: SPIFFE X.509-SVID 5.2: the trust domain is that of the one URI.
    pub(super) fn verify(&self, trust: &Trust, now: UnixTime) -> Result<Verified, Fault> {
        let (id, until) = self.svid().zip(self.until).ok_or(Fault::Absent)?;
        if self.has_ended(now) {
            return Err(Fault::Absent);
        }
        let profile = trust.domain_of(id, Side::Agent).ok_or(Fault::Absent)?;
        let registered = trust.agent(&profile.issuer, id).ok_or(Fault::AgentUnknown)?;
        if !registered.x509 {
            return Err(Fault::Absent);
        }
        let verified = Verified {
            issuer: profile.issuer.clone(),
            profile: profile.name.clone(),
            subject: id.to_owned(),
            client: None,
            groups: Vec::new(),
            chain: Vec::new(),
            may_act: None,
            expires: until,
            leeway: core::time::Duration::ZERO,
            auth_time: None,
            acr: None,
            amr: Vec::new(),
            scopes: Vec::new(),
            jti: None,
            sid: None,
            recheck: None,
            // As old as can be: whoever shuts off what an agent was given before a moment means its certificate, too.
            issued: UnixTime::default(),
            bound: Some(Binding::Certificate(self.digest)),
        };
        verified.refuse_withdrawn(Side::Agent, trust)?;
        Ok(verified)
    }
}

/// What is read of a certificate. Its signature is the business of whoever took it.
struct Contents<'d> {
    until: UnixTime,
    key_usage: Option<&'d [u8]>,
    names: Option<&'d [u8]>,
    constraints: Option<&'d [u8]>,
}

impl<'d> Contents<'d> {
    /// SPEC: RFC 5280 4.1.
    fn read(der: &'d [u8]) -> Option<Self> {
        let mut whole = Reader::new(der);
        let mut certificate = Reader::new(whole.take(SEQUENCE)?);
        let mut body = Reader::new(certificate.take(SEQUENCE)?);
        if !whole.is_empty() {
            return None;
        }
        body.take_if(VERSION)?;
        body.take(INTEGER)?;
        let [_algorithm, _issuer] = [body.take(SEQUENCE)?, body.take(SEQUENCE)?];
        let mut validity = Reader::new(body.take(SEQUENCE)?);
        let (_from, until) = (validity.time()?, validity.time()?);
        let [_subject, _key] = [body.take(SEQUENCE)?, body.take(SEQUENCE)?];
        body.take_if(ISSUER_ID)?;
        body.take_if(SUBJECT_ID)?;
        let mut contents = Self {
            until,
            key_usage: None,
            names: None,
            constraints: None,
        };
        if let Some(extensions) = body.take_if(EXTENSIONS)? {
            let mut extensions = Reader::new(Reader::new(extensions).take(SEQUENCE)?);
            while !extensions.is_empty() {
                contents.extension(extensions.take(SEQUENCE)?)?;
            }
        }
        body.is_empty().then_some(contents)
    }

    fn extension(&mut self, extension: &'d [u8]) -> Option<()> {
        let mut extension = Reader::new(extension);
        let id = extension.take(OBJECT_ID)?;
        extension.take_if(BOOLEAN)?;
        let value = extension.take(OCTET_STRING)?;
        let place = match <[u8; 3]>::try_from(id) {
            Ok(KEY_USAGE) => &mut self.key_usage,
            Ok(ALTERNATIVE_NAMES) => &mut self.names,
            Ok(BASIC_CONSTRAINTS) => &mut self.constraints,
            _ => return Some(()),
        };
        // SPEC: RFC 5280 4.2: no extension twice.
        place.replace(value).is_none().then_some(())
    }

    /// SPEC: SPIFFE X.509-SVID 2, 4 and 5.2: exactly one URI; a leaf that signs, and signs no certificates.
    fn svid(&self) -> Option<String> {
        if self.is_authority()? || self.usage()? & (DIGITAL_SIGNATURE | SIGNS_CERTIFICATES) != DIGITAL_SIGNATURE {
            return None;
        }
        let mut names = Reader::new(Reader::new(self.names?).take(SEQUENCE)?);
        let mut uri = None;
        while !names.is_empty() {
            let (tag, name) = names.any()?;
            if tag == URI && uri.replace(name).is_some() {
                return None;
            }
        }
        let id = core::str::from_utf8(uri?).ok()?;
        let usable = id.len() <= CLAIM_TEXT_BYTES_MAX && id.bytes().all(|byte| byte.is_ascii_graphic());
        (usable && id.starts_with("spiffe://")).then(|| id.to_owned())
    }

    /// SPEC: RFC 5280 4.2.1.9: it is none unless it says so.
    fn is_authority(&self) -> Option<bool> {
        let Some(constraints) = self.constraints else {
            return Some(false);
        };
        let said = Reader::new(Reader::new(constraints).take(SEQUENCE)?).take_if(BOOLEAN)?;
        Some(said.is_some_and(|value| value != [0]))
    }

    /// The first byte of the key's usages, in which all that matter here are.
    fn usage(&self) -> Option<u8> {
        let bits = Reader::new(self.key_usage?).take(BIT_STRING)?;
        bits.get(1).copied()
    }
}

fn sha256(der: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(der);
    finish(context)
}
