//! What tools and servers demand of a caller besides a permit. Pure.

use std::time::Duration;

use portreeve_core::limits::DEMANDED_WORDS_MAX;
use portreeve_core::policy::{Demands, is_list_word};
use toml::Spanned;

use super::{Resolver, TEXT_BYTES_MAX};
use crate::config::value::TimeSpan;

/// The keys as they are written; what is left out is the server's.
pub(super) struct Written {
    pub(super) scopes: Option<Spanned<Vec<String>>>,
    pub(super) acr: Option<Spanned<Vec<String>>>,
    pub(super) age: Option<Spanned<TimeSpan>>,
}

impl Resolver<'_> {
    /// What is `written`, and `default` where nothing is.
    pub(super) fn demands(&mut self, written: Written, default: &Demands) -> Demands {
        Demands {
            scopes: self.demanded(written.scopes, &default.scopes),
            acr: self.demanded(written.acr, &default.acr),
            max_age: written.age.map_or(default.max_age, |age| {
                if age.get_ref().0 < Duration::from_secs(1) {
                    self.refuse(&age, "nobody can authenticate as recently as this", "a second or more");
                }
                Some(age.into_inner().0)
            }),
        }
    }

    /// Words that are told to callers in one header.
    fn demanded(&mut self, written: Option<Spanned<Vec<String>>>, default: &[String]) -> Vec<String> {
        let Some(written) = written else {
            return default.to_vec();
        };
        let is_good = |word: &String| word.len() <= TEXT_BYTES_MAX && is_list_word(word);
        if !written.get_ref().iter().all(is_good) {
            let hint = "each 1 to 255 bytes of ASCII without blanks, quotes and backslashes, as a token has them";
            self.refuse(&written, "a word here could not be told to callers", hint);
        }
        if written.get_ref().len() > DEMANDED_WORDS_MAX {
            self.refuse(&written, "these are too many", &format!("at most {DEMANDED_WORDS_MAX}"));
        }
        written.into_inner()
    }
}
