//! Names: what a person is called on this server.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

use icu_casemap::CaseMapper;
use serde::{Deserialize, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

/// A person's name: 1–32 characters and at most 64 bytes of letters, digits, `_`, `-` and `.`, in NFC.
///
/// Cheap to clone. Two names are the same person's where their [`Folded`] forms are equal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(Arc<str>);

/// A name's NFKC case fold, by which names are compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folded(Arc<str>);

/// Why a text can't be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NameError {
    /// There is nothing.
    #[error("a name has at least one character")]
    Empty,
    /// More than [`Name::MAX_CHARS`] characters or [`Name::MAX_BYTES`] bytes.
    #[error("a name has at most 32 characters and 64 bytes")]
    TooLong,
    /// A character that no name has.
    #[error("a name has only letters, digits, '_', '-' and '.', not {0:?}")]
    Character(char),
}

impl Name {
    /// The most characters of a name.
    pub const MAX_CHARS: usize = 32;
    /// The most bytes of a name.
    pub const MAX_BYTES: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form by which it is compared with others.
    pub fn folded(&self) -> Folded {
        // Most names are ASCII, and need no tables.
        Folded(if self.0.is_ascii() { self.0.to_ascii_lowercase() } else { fold(&self.0) }.into())
    }

    /// This name made different by `-number`, shortened where it would grow too long.
    pub fn with_suffix(&self, number: u64) -> Self {
        let suffix = alloc::format!("-{number}");
        let mut stem = self.0.to_string();
        while stem.chars().count() + suffix.len() > Self::MAX_CHARS || stem.len() + suffix.len() > Self::MAX_BYTES {
            stem.pop();
        }
        Self((stem + &suffix).into())
    }
}

impl Folded {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(typed: &str) -> Result<Self, NameError> {
        let typed = typed.trim();
        if typed.is_empty() {
            return Err(NameError::Empty);
        }
        // NFC at most triples the bytes that it reads, so what is far too long needs no more work.
        if typed.len() > 3 * Self::MAX_BYTES {
            return Err(NameError::TooLong);
        }
        // ASCII is NFC as it is.
        let name: String = if typed.is_ascii() { typed.into() } else { typed.nfc().collect() };
        if let Some(c) = name.chars().find(|&c| !may_stand_in_a_name(c)) {
            return Err(NameError::Character(c));
        }
        if name.len() > Self::MAX_BYTES || name.chars().count() > Self::MAX_CHARS {
            return Err(NameError::TooLong);
        }
        Ok(Self(name.into()))
    }
}

/// The NFKC case fold of a text.
fn fold(text: &str) -> String {
    let nfkc: String = text.nfkc().collect();
    CaseMapper::new().fold_string(&nfkc).nfkc().collect()
}

fn may_stand_in_a_name(c: char) -> bool {
    // The fillers of Hangul are letters that nobody sees.
    let is_filler = matches!(c, '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}');
    (c.is_alphanumeric() && !is_filler) || matches!(c, '_' | '-' | '.')
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(typed: String) -> Result<Self, NameError> {
        typed.parse()
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_seen() {
        for invisible in ["\u{3164}", "ann\u{1160}", "\u{FFA0}", "\u{115F}", "ann\u{200B}", "\u{2800}"] {
            assert!(matches!(invisible.parse::<Name>(), Err(NameError::Character(_))), "{invisible:?}");
        }
    }

    #[test]
    fn ascii_needs_no_tables() {
        for pair in (0..=127).flat_map(|a| (0..=127).map(move |b| [char::from(a), char::from(b)])) {
            let text = String::from_iter(pair);
            assert_eq!(fold(&text), text.to_ascii_lowercase());
            assert_eq!(text.nfc().collect::<String>(), text);
        }
    }
}
