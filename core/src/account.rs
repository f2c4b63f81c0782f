//! Accounts: names that are somebody's, and the passwords that prove it.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroize;

/// A password, as somebody gave it: 1–256 bytes of UTF-8 in NFC, without control characters.
///
/// It is overwritten when it is dropped, and never shown. Two keyboards may spell one letter in two ways; NFC is one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Password(String);

/// Why a text can't be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PasswordError {
    /// There is nothing.
    #[error("a password has at least one character")]
    Empty,
    /// More than [`Password::MAX_BYTES`] bytes.
    #[error("a password has at most 256 bytes")]
    TooLong,
    /// A control character: nobody types one on purpose.
    #[error("a password has no control characters")]
    Control,
}

impl Password {
    /// The most bytes of a password.
    pub const MAX_BYTES: usize = 256;

    /// The password as text, to hash it, to verify it or to send it; nothing else should ask.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Password {
    type Err = PasswordError;

    /// Takes it as it is: a space at either end belongs to it.
    fn from_str(typed: &str) -> Result<Self, PasswordError> {
        if typed.is_empty() {
            return Err(PasswordError::Empty);
        }
        // NFC at most triples the bytes that it reads, and what is longer needs no more work.
        if typed.len() > 3 * Self::MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        // Room for all of it at once: a string that grows leaves copies behind.
        let mut password = Self(String::with_capacity(3 * typed.len()));
        password.0.extend(typed.nfc());
        if password.0.len() > Self::MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        if password.0.chars().any(char::is_control) {
            return Err(PasswordError::Control);
        }
        Ok(password)
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Says nothing of the password, not even how long it is.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// What a server keeps of a password: a salted slow hash in the PHC string format, which whoever verifies it reads. Cheap
/// to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PasswordHash(Arc<str>);

impl PasswordHash {
    /// A hash as whoever made it wrote it: `$argon2id$v=19$m=…`.
    pub fn new(phc: &str) -> Self {
        Self(phc.into())
    }

    /// The hash, to verify a password or to keep it; nothing else should ask.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Says nothing of the hash: it can be guessed against.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_password_is_what_was_typed_and_spelt_in_one_way() {
        let password = |typed: &str| typed.parse::<Password>();
        assert_eq!(password(" correct horse "), password(" correct horse "));
        assert_ne!(password("horse"), password("horse "), "a space belongs to it");
        assert_eq!(password("caf\u{e9}"), password("cafe\u{301}"), "as two keyboards have it");
        assert_eq!(password(""), Err(PasswordError::Empty));
        assert_eq!(password("a\u{7}"), Err(PasswordError::Control));
        assert!(password(&"x".repeat(256)).is_ok());
        assert_eq!(password(&"x".repeat(257)), Err(PasswordError::TooLong));
        assert_eq!(password(&"x".repeat(10_000)), Err(PasswordError::TooLong));
    }

    #[test]
    fn neither_a_password_nor_its_hash_is_ever_shown() {
        let password: Password = "correct horse".parse().unwrap();
        let shown = format!("{password:?} {:?}", PasswordHash::new("$argon2id$v=19$secret"));
        assert_eq!(shown, "Password(..) PasswordHash(..)");
    }
}
