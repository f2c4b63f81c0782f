//! Codes: what a person types to get into a room.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use unicode_normalization::UnicodeNormalization;

use crate::entropy::Entropy;

/// Crockford's base32: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A code in canonical form, in which all that a person may type for it are equal.
///
/// Case, white space and hyphens don't count; `I` and `L` are `1`, `O` is `0` (NFKC before that, so that full-width
/// letters are letters). A configured code and a guess go through this same function (PROTOCOL.md, Codes).
///
/// [`Debug`](fmt::Debug) hides it, so that no log ever shows it; [`Display`](fmt::Display) is how it is shown to a
/// person, eight characters as `K7QM-2XD4`.
///
/// ```
/// # use qun_core::Code;
/// let code: Code = "k7qm 2xd4".parse()?;
/// assert_eq!(code, "K7QM-2XD4".parse()?);
/// assert_eq!(code.to_string(), "K7QM-2XD4");
/// # Ok::<(), qun_core::CodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(String);

/// Why a text can't be a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CodeError {
    /// Nothing is left of it.
    #[error("a code has at least one letter or digit")]
    Empty,
    /// More than [`Code::MAX_CHARS`] characters are left of it.
    #[error("a code has at most 64 letters and digits")]
    TooLong,
    /// It has a character that is no letter and no digit.
    #[error("a code has only letters, digits, spaces and hyphens, not {0:?}")]
    Character(char),
    /// Its first word is one by which the server knows another protocol.
    #[error("a code can't begin with {0}, which is a word of another protocol")]
    Reserved(&'static str),
}

impl Code {
    /// The most characters in canonical form.
    pub const MAX_CHARS: usize = 64;
    /// Fewer characters than this are for the operator who says `weak = true` and sets an expiry.
    pub const STRONG_CHARS: usize = 8;

    /// A new code of 40 random bits.
    pub fn generate(entropy: &mut Entropy) -> Self {
        let bits = entropy.bits();
        Self((0..8).map(|i| char::from(ALPHABET[(bits >> (5 * i)) as usize & 31])).collect())
    }

    /// The canonical form, which is what gets hashed.
    pub fn canonical(&self) -> &str {
        &self.0
    }

    /// Whether it is long enough to stand without an expiry.
    pub fn is_strong(&self) -> bool {
        self.0.chars().count() >= Self::STRONG_CHARS
    }
}

impl FromStr for Code {
    type Err = CodeError;

    fn from_str(typed: &str) -> Result<Self, CodeError> {
        let first = typed.split_whitespace().next().unwrap_or_default();
        if let Some(word) = crate::sniff::RESERVED.iter().find(|word| word.eq_ignore_ascii_case(first)) {
            return Err(CodeError::Reserved(word));
        }
        // What is left when hyphens are gone may compose or reorder anew, so once is not always enough; twice mostly is.
        let mut canonical = fold(typed)?;
        for _ in 0..ROUNDS {
            let again = fold(&canonical)?;
            if again == canonical {
                break;
            }
            canonical = again;
        }
        if canonical.is_empty() { Err(CodeError::Empty) } else { Ok(Self(canonical)) }
    }
}

/// How often a canonical form is folded again, until it stays as it is.
const ROUNDS: usize = 4;

fn fold(typed: &str) -> Result<String, CodeError> {
    // ASCII is NFKC as it is, and most codes are.
    if typed.is_ascii() { canonical(typed.chars()) } else { canonical(typed.nfkc()) }
}

fn canonical(typed: impl Iterator<Item = char>) -> Result<String, CodeError> {
    let mut folded = String::new();
    let mut chars = 0;
    for c in typed.filter(|c| !c.is_whitespace() && !is_hyphen(*c)).flat_map(char::to_uppercase) {
        if !c.is_alphanumeric() {
            return Err(CodeError::Character(c));
        }
        chars += 1;
        if chars > Code::MAX_CHARS {
            return Err(CodeError::TooLong);
        }
        folded.push(match c {
            'I' | 'L' => '1',
            'O' => '0',
            c => c,
        });
    }
    Ok(folded)
}

/// The hyphens and dashes that keyboards and text editors put in place of one another.
fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_at_checked(4) {
            Some((front, back)) if self.0.len() == 8 => write!(f, "{front}-{back}"),
            _ => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn a_canonical_form_is_its_own() {
        // Two marks that a hyphen kept in an order which is not theirs.
        let code: Code = "k\u{654}-\u{64D}k".parse().unwrap();
        assert_eq!(code.canonical().parse(), Ok(code.clone()));
    }
}
