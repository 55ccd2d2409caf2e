//! A bearer token in a file of its own, readable by its owner alone.
//!
//! Must never print one, and never keep one for longer than a request. A file that others could have read is refused.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::config::Diagnostic;

/// Bytes of a token, and of its file but for white space at the end.
const TOKEN_BYTES: usize = 4096;

/// Reads the token in `file`.
///
/// # Errors
/// The file cannot be read, others may read it, or it does not hold one token.
pub fn read(file: &Path) -> Result<Zeroizing<String>, Diagnostic> {
    let fault = |error: std::io::Error| Diagnostic::of_file(file, format!("the token cannot be read: {error}"));
    let opened = File::open(file).map_err(fault)?;
    let mode = opened.metadata().map_err(fault)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Diagnostic::of_file(file, "others can read this token").hint("chmod 600, and replace the token"));
    }
    let mut text = Zeroizing::new(String::with_capacity(TOKEN_BYTES + 2));
    let most = u64::try_from(TOKEN_BYTES).unwrap_or(u64::MAX) + 2;
    opened.take(most).read_to_string(&mut text).map_err(fault)?;
    let token = text.trim_ascii_end();
    // SPEC: RFC 6750 2.1: b64token.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || token.len() > TOKEN_BYTES || !token.bytes().all(plain) {
        let message = format!("is not one bearer token of at most {TOKEN_BYTES} bytes");
        return Err(Diagnostic::of_file(file, message).hint("the token alone, without `Bearer`"));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn written(text: &str, mode: u32) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let token = read(&file).map(|token| token.to_string());
        token.map_err(|fault| fault.message)
    }

    #[test]
    fn a_token_is_read_from_a_file_of_its_owner_alone() {
        assert_eq!(written("abc-._~+/=\n", 0o600).as_deref(), Ok("abc-._~+/="));
        assert_eq!(written("abc", 0o400).as_deref(), Ok("abc"));
        for mode in [0o640, 0o604, 0o660] {
            assert_eq!(written("abc", mode), Err("others can read this token".to_owned()));
        }
        for text in ["", "\n", "Bearer abc", "a\nb", "a\u{e9}", &"a".repeat(TOKEN_BYTES + 1)] {
            assert!(written(text, 0o600).is_err(), "{text:?}");
        }
    }
}
