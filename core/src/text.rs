//! Texts: what a person says.

use alloc::string::String;
use alloc::sync::Arc;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

/// A text that is safe to show: not blank, no control characters but `\n` and `\t`, no bidirectional overrides.
///
/// How long it may be is the server's [`TextLimits`]; a client shows what it is sent. Cheap to clone.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Text {
    /// Its bytes, among those of texts that are kept as long as it is.
    buffer: Arc<str>,
    from: u32,
    to: u32,
}

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
        Self::alone("(removed)")
    }

    fn alone(text: &str) -> Self {
        // No line that is read has 4 GiB, and what would not fit is not shown.
        Self { buffer: text.into(), from: 0, to: u32::try_from(text.len()).unwrap_or_default() }
    }

    /// Lays texts side by side, in one piece of memory that lives as long as any of them: what is kept and let go of
    /// together is then found, and given back, at once.
    pub(crate) fn pack<T>(texts: &mut [T], text: impl Fn(&mut T) -> &mut Self) {
        if let [] | [_] = texts {
            return;
        }
        let mut all = String::with_capacity(texts.iter_mut().map(|holder| text(holder).as_str().len()).sum());
        texts.iter_mut().for_each(|holder| all.push_str(text(holder).as_str()));
        if u32::try_from(all.len()).is_err() {
            return;
        }
        let (buffer, mut from): (Arc<str>, _) = (all.into(), 0);
        for holder in texts {
            let text = text(holder);
            let to = from + (text.to - text.from);
            *text = Self { buffer: buffer.clone(), from, to };
            from = to;
        }
    }

    /// The text as a string.
    #[inline]
    pub fn as_str(&self) -> &str {
        self.buffer.get(self.from as usize..self.to as usize).unwrap_or_default()
    }

    /// Its lines, at the ends that some terminal or reader takes for one.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        let text = self.as_str();
        let (whole, several) = if self.is_simple() {
            (Some(text), None)
        } else {
            (None, Some(text.split(['\n', '\u{2028}', '\u{2029}'])))
        };
        whole.into_iter().chain(several.into_iter().flatten())
    }

    /// Whether it is one line of ASCII, as most are, so that no character needs a look of its own.
    fn is_simple(&self) -> bool {
        self.as_str().bytes().fold(true, |so_far, byte| so_far & byte.is_ascii() & (byte != b'\n'))
    }

    /// Whether it stays within `limits`.
    pub fn check(&self, limits: &TextLimits) -> Result<(), TextError> {
        if self.as_str().len() > limits.bytes {
            return Err(TextError::TooLong(limits.bytes));
        }
        // A text has no more lines than bytes, since not all of it is ends of lines.
        if self.as_str().len() > limits.lines && self.lines().count() > limits.lines {
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
        if typed.chars().all(char::is_whitespace) {
            return Err(TextError::Blank);
        }
        Ok(Self::alone(typed))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
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
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_packed_are_the_same_texts() {
        let texts = ["hi", "群聊", "x", "a\nb"].map(|text| text.parse::<Text>().unwrap());
        let mut packed = texts.clone();
        Text::pack(&mut packed, |text| text);
        assert_eq!(packed, texts);
        assert!(packed.iter().all(|text| Arc::ptr_eq(&text.buffer, &packed[0].buffer)));
        Text::pack(&mut packed[1..3], |text| text);
        assert_eq!((&packed, packed[1].buffer.as_ref()), (&texts, "群聊x"));
    }

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
