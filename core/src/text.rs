//! Texts: what a person says.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

use memchr::memchr;
use serde::{Deserialize, Serialize, Serializer};

/// A text that is safe to show: not blank, no control characters but `\n` and `\t`, no bidirectional overrides.
///
/// How long it may be is the server's [`TextLimits`]; a client shows what it is sent. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Text(Arc<str>);

/// How much one text may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextLimits {
    /// Bytes of UTF-8.
    pub bytes: usize,
    /// Lines.
    pub lines: usize,
}

/// Why a text can't be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TextError {
    /// White space only.
    #[error("the text is empty")]
    Blank,
    /// More bytes than the limit that it names.
    #[error("the text has more than {0} bytes")]
    TooLong(usize),
    /// More lines than the limit that it names.
    #[error("the text has more than {0} lines")]
    TooManyLines(usize),
    /// A control character or a bidirectional override.
    #[error("the text has the control character {0:?}")]
    Control(char),
}

impl Text {
    /// What stands in the place of a text that was taken back.
    pub fn removed() -> Self {
        Self("(removed)".into())
    }

    /// The text as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its lines, at the ends that some terminal or reader takes for one.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        // Most texts are one line of ASCII, which needs no look at each character.
        let text = self.as_str();
        let (whole, several) = if text.is_ascii() && memchr(b'\n', text.as_bytes()).is_none() {
            (Some(text), None)
        } else {
            (None, Some(text.split(['\n', '\u{2028}', '\u{2029}'])))
        };
        whole.into_iter().chain(several.into_iter().flatten())
    }

    /// Whether it stays within `limits`.
    pub fn check(&self, limits: &TextLimits) -> Result<(), TextError> {
        if self.0.len() > limits.bytes {
            return Err(TextError::TooLong(limits.bytes));
        }
        if self.lines().count() > limits.lines {
            return Err(TextError::TooManyLines(limits.lines));
        }
        Ok(())
    }
}

impl FromStr for Text {
    type Err = TextError;

    fn from_str(typed: &str) -> Result<Self, TextError> {
        // Most texts are nothing but printable ASCII, which needs no look at each character.
        let is_plain = typed.bytes().fold(true, |so_far, byte| so_far & matches!(byte, b' '..=b'~'));
        if !is_plain && let Some(c) = typed.chars().find(|&c| is_forbidden(c)) {
            return Err(TextError::Control(c));
        }
        if typed.trim().is_empty() {
            return Err(TextError::Blank);
        }
        Ok(Self(typed.into()))
    }
}

/// Whether a character could move the cursor, hide text or forge a line where it is shown.
fn is_forbidden(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

impl TryFrom<String> for Text {
    type Error = TextError;

    fn try_from(typed: String) -> Result<Self, TextError> {
        typed.parse()
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_a_line_that_is_shown_as_one_counts() {
        let limits = TextLimits { bytes: 100, lines: 2 };
        for end in ["\n", "\u{2028}", "\u{2029}"] {
            let text = |lines: &[&str]| lines.join(end).parse::<Text>();
            assert_eq!(text(&["a", "b"]).and_then(|text| text.check(&limits)), Ok(()));
            assert_eq!(text(&["a", "b", "c"]).and_then(|text| text.check(&limits)), Err(TextError::TooManyLines(2)));
        }
    }
}
