//! How one server wants the claims of its tokens: some under another name, some left out, some of its own beside them.
//!
//! Must never touch what says who the token is for, whose it is and how long it lives: only [`FREE`] claims change, and
//! nothing takes the name of a claim that has a meaning.
//!
//! SPEC: RFC 7519 4.1, RFC 9068 2.2, RFC 8693 4, RFC 7800 3.1, RFC 9493 3, OpenID Connect Core 2.

use core::fmt;
use std::collections::BTreeMap;

use crate::limits;

/// The claims that may be renamed or left out.
const FREE: [&str; 3] = ["scope", "sub_id", "txn"];

/// Names that nothing else may be given.
const TAKEN: [&str; 24] = [
    "acr",
    "act",
    "amr",
    "aud",
    "auth_time",
    "authorization_details",
    "azp",
    "client_id",
    "cnf",
    "events",
    "exp",
    "iat",
    "iss",
    "jti",
    "may_act",
    "nbf",
    "nonce",
    "scope",
    "scp",
    "sid",
    "sub",
    "sub_id",
    "sub_profile",
    "txn",
];

/// Why claims cannot be shaped like this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// This claim is not one of those that may change.
    Fixed(String),
    /// This name has a meaning, is not plain, or is given twice.
    Name(String),
    /// There are too many, or a text is too long.
    Size,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(name) => write!(
                f,
                "`{}` cannot be renamed or left out, only {} can",
                name.escape_debug(),
                FREE.join(", ")
            ),
            Self::Name(name) => write!(
                f,
                "a claim cannot be called `{}`: the name has a meaning, is not plain text, or is given twice",
                name.escape_debug()
            ),
            Self::Size => write!(
                f,
                "at most {} claims, each text of at most {} bytes",
                limits::CLAIMS_MAX,
                limits::CLAIM_BYTES_MAX
            ),
        }
    }
}

impl core::error::Error for ShapeError {}

/// The shape of one server's claims. Without any they stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimShape {
    /// The names of the free claims that have another; `None` for those that are left out.
    names: BTreeMap<String, Option<String>>,
    constants: BTreeMap<String, String>,
}

impl ClaimShape {
    /// Claims renamed as in `renamed`, without those in `dropped`, and with `constants`.
    ///
    /// # Errors
    /// [`ShapeError`].
    pub fn new(
        renamed: &BTreeMap<String, String>,
        dropped: &[String],
        constants: &BTreeMap<String, String>,
    ) -> Result<Self, ShapeError> {
        let renamed = renamed.iter().map(|(from, to)| (from, Some(to)));
        let mut shape = Self::default();
        for (from, to) in renamed.chain(dropped.iter().map(|from| (from, None))) {
            let twice = shape.names.insert(from.clone(), to.cloned()).is_some();
            if twice || !FREE.contains(&from.as_str()) {
                return Err(ShapeError::Fixed(from.clone()));
            }
        }
        let given: Vec<&String> = shape.names.values().flatten().chain(constants.keys()).collect();
        if let Some(wrong) = given.iter().enumerate().find_map(|(at, name)| {
            let again = given[..at].contains(name);
            (again || !is_plain(name) || TAKEN.contains(&name.as_str())).then_some(*name)
        }) {
            return Err(ShapeError::Name(wrong.clone()));
        }
        let long = |text: &&String| text.len() > limits::CLAIM_BYTES_MAX;
        if given.len() > limits::CLAIMS_MAX || given.iter().copied().chain(constants.values()).any(|text| long(&text)) {
            return Err(ShapeError::Size);
        }
        shape.constants.clone_from(constants);
        Ok(shape)
    }

    /// What the claim `name` is called; `None` if it is left out.
    pub(super) fn name<'s>(&'s self, name: &'s str) -> Option<&'s str> {
        self.names.get(name).map_or(Some(name), Option::as_deref)
    }

    /// Claims that are the same in every token.
    pub(super) fn constants(&self) -> impl Iterator<Item = (&str, &str)> {
        self.constants
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(renamed: &[(&str, &str)], dropped: &[&str], constants: &[(&str, &str)]) -> Result<ClaimShape, ShapeError> {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let dropped: Vec<String> = dropped.iter().map(|name| (*name).to_owned()).collect();
        ClaimShape::new(&map(renamed), &dropped, &map(constants))
    }

    #[test]
    fn renames_leaves_out_and_adds() {
        let shape = shape(&[("sub_id", "https://corp.example/user")], &["txn"], &[("tenant", "a")]).unwrap();
        assert_eq!(shape.name("sub_id"), Some("https://corp.example/user"));
        assert_eq!((shape.name("txn"), shape.name("scope")), (None, Some("scope")));
        assert_eq!(shape.constants().collect::<Vec<_>>(), [("tenant", "a")]);
    }

    #[test]
    fn what_says_for_whom_whose_and_how_long_never_changes() {
        for fixed in [
            "iss",
            "aud",
            "sub",
            "exp",
            "iat",
            "jti",
            "act",
            "client_id",
            "cnf",
            "nothing",
        ] {
            assert_eq!(
                shape(&[(fixed, "other")], &[], &[]),
                Err(ShapeError::Fixed(fixed.to_owned()))
            );
            assert_eq!(shape(&[], &[fixed], &[]), Err(ShapeError::Fixed(fixed.to_owned())));
        }
        for taken in TAKEN {
            assert_eq!(
                shape(&[("txn", taken)], &[], &[]),
                Err(ShapeError::Name(taken.to_owned()))
            );
            assert_eq!(
                shape(&[], &["txn"], &[(taken, "x")]),
                Err(ShapeError::Name(taken.to_owned()))
            );
        }
    }

    #[test]
    fn no_name_is_given_twice_or_is_not_plain() {
        let name = |name: &str| Err(ShapeError::Name(name.to_owned()));
        assert_eq!(shape(&[("txn", "a"), ("scope", "a")], &[], &[]), name("a"));
        assert_eq!(shape(&[("txn", "a")], &[], &[("a", "x")]), name("a"));
        assert_eq!(
            shape(&[("txn", "a")], &["txn"], &[]),
            Err(ShapeError::Fixed("txn".to_owned()))
        );
        for bad in ["", "a b", "a\"b", "\u{e4}", "a\n"] {
            assert_eq!(shape(&[], &[], &[(bad, "x")]), name(bad));
        }
        let long = "x".repeat(limits::CLAIM_BYTES_MAX + 1);
        assert_eq!(shape(&[], &[], &[("a", &long)]), Err(ShapeError::Size));
    }
}
