//! What can go wrong between the appliance and a peer or a file, by what the caller can do about it.
//!
//! Never carries bytes from a peer.

use std::fmt;
use std::io;

/// A failed operation on a connection or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoError {
    /// The peer closed the connection, or this side already had.
    Closed,
    /// The peer reset the connection.
    Reset,
    /// The stream ended where TLS (RFC 8446 6.1) does not allow an end: somebody may have cut it.
    Truncated,
    /// Nobody listens at the address.
    Refused,
    /// There is no route to the address.
    Unreachable,
    /// The deadline passed first.
    TimedOut,
    /// The buffer holds as many bytes as the caller allows.
    BufferFull,
    /// The process or the machine is out of descriptors or memory.
    Exhausted,
    /// The peer's TLS does not fit ours.
    Tls(TlsFault),
    /// Anything else, as the kernel's error number (zero if there is none).
    Os(i32),
}

/// Why a TLS connection failed, as far as an operator can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// The peer's certificate has expired or is not valid yet.
    CertificateExpired,
    /// The peer's certificate is for another name.
    CertificateName,
    /// The peer's certificate is signed by nobody we trust.
    CertificateIssuer,
    /// The peer's certificate is refused for another reason.
    Certificate,
    /// The peer wants a certificate of us, or another one than it was shown.
    OwnCertificate,
    /// The peer refused us with another alert.
    Alert,
    /// The bytes are not TLS, or not one that we speak.
    Protocol,
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection is closed",
            Self::Reset => "the peer reset the connection",
            Self::Truncated => "the connection ended in the middle of a tls stream",
            Self::Refused => "nobody listens at the address",
            Self::Unreachable => "there is no route to the address",
            Self::TimedOut => "the deadline passed",
            Self::BufferFull => "the buffer is full",
            Self::Exhausted => "out of file descriptors or memory",
            Self::Tls(fault) => return fault.fmt(f),
            Self::Os(0) => "unexpected failure",
            Self::Os(number) => return write!(f, "unexpected failure, os error {number}"),
        })
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateExpired => "the peer's certificate is outside its validity period",
            Self::CertificateName => "the peer's certificate is for another name",
            Self::CertificateIssuer => "the peer's certificate is signed by an unknown authority",
            Self::Certificate => "the peer's certificate is not acceptable",
            Self::OwnCertificate => "the peer does not accept our certificate, or wants one",
            Self::Alert => "the peer ended the tls handshake with an alert",
            Self::Protocol => "the peer does not speak a tls version or cipher that we accept",
        })
    }
}

impl std::error::Error for IoError {}

impl From<io::Error> for IoError {
    fn from(error: io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::Tls(tls.into());
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected => Self::Closed,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Self::Reset,
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Self::Unreachable,
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::OutOfMemory => Self::Exhausted,
            _ => match error.raw_os_error() {
                Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => Self::Exhausted,
                number => Self::Os(number.unwrap_or(0)),
            },
        }
    }
}

impl From<glommio::GlommioError<()>> for IoError {
    fn from(error: glommio::GlommioError<()>) -> Self {
        match error {
            glommio::GlommioError::IoError(source) | glommio::GlommioError::EnhancedIoError { source, .. } => {
                source.into()
            }
            other => io::Error::from(other).into(),
        }
    }
}

impl From<&rustls::Error> for TlsFault {
    fn from(error: &rustls::Error) -> Self {
        use rustls::{AlertDescription as Alert, CertificateError as Certificate};
        match error {
            rustls::Error::InvalidCertificate(reason) => match reason {
                Certificate::Expired
                | Certificate::ExpiredContext { .. }
                | Certificate::NotValidYet
                | Certificate::NotValidYetContext { .. } => Self::CertificateExpired,
                Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => Self::CertificateName,
                // An authority of the same name with another key: one that was made anew.
                Certificate::UnknownIssuer | Certificate::BadSignature => Self::CertificateIssuer,
                _ => Self::Certificate,
            },
            // SPEC: RFC 8446 6.2; 4.4.2.4 for what each says of a client's certificate.
            rustls::Error::AlertReceived(
                Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA,
            ) => Self::OwnCertificate,
            rustls::Error::AlertReceived(_) => Self::Alert,
            _ => Self::Protocol,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_certificate_of_ours_is_told_apart_from_other_alerts() {
        use rustls::AlertDescription as Alert;
        for (alert, fault) in [
            (Alert::CertificateRequired, TlsFault::OwnCertificate),
            (Alert::UnknownCA, TlsFault::OwnCertificate),
            (Alert::InternalError, TlsFault::Alert),
        ] {
            assert_eq!(TlsFault::from(&rustls::Error::AlertReceived(alert)), fault);
        }
    }

    #[test]
    fn exhaustion_is_told_apart_from_a_peers_fault() {
        for number in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
            assert_eq!(IoError::from(io::Error::from_raw_os_error(number)), IoError::Exhausted);
        }
        assert_eq!(
            IoError::from(io::Error::from_raw_os_error(libc::ECONNRESET)),
            IoError::Reset
        );
        assert_eq!(
            IoError::from(io::Error::from_raw_os_error(libc::EIO)),
            IoError::Os(libc::EIO)
        );
    }

    #[test]
    fn a_tls_error_inside_an_io_error_keeps_its_meaning() {
        let inner = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let error = IoError::from(io::Error::new(io::ErrorKind::InvalidData, inner));
        assert_eq!(error, IoError::Tls(TlsFault::CertificateIssuer));
        assert_eq!(
            error.to_string(),
            "the peer's certificate is signed by an unknown authority"
        );
    }
}
