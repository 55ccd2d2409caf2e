//! How the story looks on a terminal: colours where they are wanted, columns that line up.
//!
//! Never writes anything itself, and never lets text from the wire carry control characters to the terminal.

use std::io::IsTerminal;

/// Widest line that the story prints, in characters.
pub const WIDTH: usize = 100;

/// The colours of the story, or none.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    colour: bool,
}

impl Paint {
    /// Colours if standard output is a terminal and `NO_COLOR` is unset or empty.
    #[must_use]
    pub fn for_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            colour: std::io::stdout().is_terminal() && !refused,
        }
    }

    /// No colours at all.
    #[must_use]
    pub const fn plain() -> Self {
        Self { colour: false }
    }

    /// For what was let through.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// For what was turned away.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// For headings.
    #[must_use]
    pub fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// For what may be skipped.
    #[must_use]
    pub fn faint(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// `text` cut to `columns` characters and filled up with spaces; control characters become `·`.
#[must_use]
pub fn cell(text: &str, columns: usize) -> String {
    let cut = clip(text, columns);
    let missing = columns.saturating_sub(cut.chars().count());
    cut + &" ".repeat(missing)
}

/// `text` cut to `columns` characters, the last one `…` if anything is missing; control characters become `·`.
#[must_use]
pub fn clip(text: &str, columns: usize) -> String {
    let safe = |c: char| if c.is_control() { '·' } else { c };
    if text.chars().count() <= columns {
        return text.chars().map(safe).collect();
    }
    let mut cut: String = text.chars().take(columns.saturating_sub(1)).map(safe).collect();
    cut.push('…');
    cut
}

/// `words` in as few lines of at most `columns` characters as they fit on; a longer word is cut.
#[must_use]
pub fn wrap(words: &[String], columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.iter().map(|word| clip(word, columns)) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_exactly_as_wide_as_asked() {
        for text in ["", "short", "exactly ten", "zu lang für zehn Zeichen"] {
            assert_eq!(cell(text, 10).chars().count(), 10, "{text}");
        }
        assert_eq!(clip("abcdef", 4), "abc…");
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(clip("a\u{1b}[31mb\n", 20), "a·[31mb·");
    }

    #[test]
    fn no_wrapped_line_is_too_long_and_no_word_is_lost() {
        let words = ["a", "bcd", "efghijk", "l"].map(str::to_owned);
        assert_eq!(wrap(&words, 5), ["a bcd", "efgh…", "l"]);
    }

    #[test]
    fn plain_paint_adds_nothing() {
        assert_eq!(Paint::plain().bad("no"), "no");
    }
}
