//! The identifiers of the wire: of requests and says, keys, members, rooms, positions.

use alloc::string::String;
use core::borrow::Borrow;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use crate::entropy::Entropy;
use crate::name::Folded;

/// The alphabet of base64url, in order.
const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Why a text is not the identifier that it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{0}")]
pub struct IdError(&'static str);

/// What a client calls a request or a say: 1–36 of `[A-Za-z0-9_-]`.
///
/// A say's id is random and never reused: with the session's key it makes the say idempotent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    len: u8,
    bytes: [u8; Self::MAX],
}

impl Id {
    /// The most characters of an id.
    pub const MAX: usize = 36;

    /// A new id of 66 random bits, in 11 characters.
    pub fn generate(entropy: &mut Entropy) -> Self {
        let mut bytes = [0; Self::MAX];
        let block = entropy.block();
        for (to, from) in bytes.iter_mut().zip(block).take(11) {
            *to = BASE64URL[usize::from(from & 63)];
        }
        Self { len: 11, bytes }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Reads what is written so.
    pub(crate) fn read(written: &[u8]) -> Result<Self, IdError> {
        if written.is_empty() || written.len() > Self::MAX || !written.iter().copied().all(is_base64url) {
            return Err(IdError("an id is 1 to 36 of A-Z a-z 0-9 _ -"));
        }
        let mut bytes = [0; Self::MAX];
        bytes[..written.len()].copy_from_slice(written);
        Ok(Self { len: written.len() as u8, bytes })
    }
}

/// Of its characters only: what is behind them is the same in all.
impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::read(text.as_bytes())
    }
}

/// A client's secret: 22 base64url characters, random. Whoever has it is that member, so it is never shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; Self::LEN]);

impl Key {
    /// The characters of a key, 132 bits.
    pub const LEN: usize = 22;

    /// A new key.
    pub fn generate(entropy: &mut Entropy) -> Self {
        let mut key = [0; Self::LEN];
        for (to, from) in key.iter_mut().zip(entropy.block()) {
            *to = BASE64URL[usize::from(from & 63)];
        }
        Self(key)
    }

    /// The key as text, to keep it or to send it; nothing else should ask.
    pub fn expose(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// All that a server keeps of a key.
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.0).into())
    }

    /// The member that this key is, on every server: 60 bits of SHA-256("m" ‖ key).
    pub fn member(&self) -> MemberId {
        let hash: [u8; 32] = Sha256::new().chain_update(b"m").chain_update(self.0).finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        MemberId::from_bits(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl FromStr for Key {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let key = text.as_bytes().try_into().ok().filter(|key: &[u8; Self::LEN]| key.iter().copied().all(is_base64url));
        key.map(Self).ok_or(IdError("a key is 22 of A-Z a-z 0-9 _ -"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// SHA-256 of a [`Key`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// Who somebody is, without saying how to be them: 60 bits, shown as 10 base64url characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(u64);

impl MemberId {
    /// The member of the upper 60 of these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & !0xF)
    }

    /// The member that an account is, however many sessions it has: 60 bits of SHA-256("a" ‖ its name as names are
    /// compared).
    pub fn of_account(name: &Folded) -> Self {
        let hash: [u8; 32] = Sha256::new().chain_update(b"a").chain_update(name.as_str()).finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        Self::from_bits(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn text(self) -> [u8; 10] {
        core::array::from_fn(|i| BASE64URL[(self.0 >> (58 - 6 * i)) as usize & 63])
    }
}

impl FromStr for MemberId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError("a member is 10 of A-Z a-z 0-9 _ -");
        if text.len() != 10 {
            return Err(error);
        }
        text.bytes()
            .try_fold(0, |bits, b| {
                let digit = BASE64URL.iter().position(|&c| c == b).ok_or(error)?;
                Ok(bits << 6 | digit as u64)
            })
            .map(|bits| Self(bits << 4))
    }
}

/// What the configuration calls a room: 1–32 of `[a-z0-9_-]`. Its characters lie in it and nowhere else: with many rooms what
/// lies elsewhere has left the processor's caches when it is looked at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoomId {
    /// Behind the last character there are zeros, so that ids are ordered as texts are.
    bytes: [u8; Self::MAX],
    len: u8,
}

impl RoomId {
    const MAX: usize = 32;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// As its text is hashed.
impl Hash for RoomId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// Both are ordered alike.
impl Borrow<str> for RoomId {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for RoomId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        if !(1..=Self::MAX).contains(&text.len()) || !text.bytes().all(fits) {
            return Err(IdError("a room's id is 1 to 32 of a-z 0-9 _ -"));
        }
        let mut bytes = [0; Self::MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { bytes, len: text.len() as u8 })
    }
}

/// One history of a room. Where it differs from the one that a client knew, numbering began anew.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(Id);

impl Epoch {
    /// A new epoch of 66 random bits.
    pub fn generate(entropy: &mut Entropy) -> Self {
        Self(Id::generate(entropy))
    }

    /// The epoch as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Epoch {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self).map_err(|_: IdError| IdError("an epoch is 1 to 36 of A-Z a-z 0-9 _ -"))
    }
}

/// The number of a message in its room: 1, 2, 3 … without holes. [`Seq::ZERO`] stands before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Seq(u64);

impl Seq {
    /// Before the first message.
    pub const ZERO: Self = Self(0);
    /// 2⁵³-1, the largest integer of the wire.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The seq of this number, at most [`Seq::MAX`].
    pub const fn new(number: u64) -> Self {
        if number > Self::MAX.0 { Self::MAX } else { Self(number) }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The seq `n` further on.
    pub const fn plus(self, n: u64) -> Self {
        Self::new(self.0.saturating_add(n))
    }

    /// The seq `n` before, or [`Seq::ZERO`].
    pub const fn minus(self, n: u64) -> Self {
        Self(self.0.saturating_sub(n))
    }

    /// The next one.
    pub const fn next(self) -> Self {
        self.plus(1)
    }
}

impl<'de> Deserialize<'de> for Seq {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            number if number <= Self::MAX.0 => Ok(Self(number)),
            _ => Err(de::Error::custom("an integer is at most 2^53-1")),
        }
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far somebody has read: the last seq seen, of which epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The history that `seq` counts in.
    pub epoch: Epoch,
    /// The last message seen.
    pub seq: Seq,
}

/// A driver's name for a connection: a slab index, which stays small, and a generation, so that no two ever are equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    /// The place in the driver's slab. Machines keep a table this long: reuse the lowest that is free.
    pub index: u32,
    /// How often that place was used before.
    pub generation: u32,
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

/// Display, Debug and serde for identifiers that are short texts.
macro_rules! textual {
    ($($type:ident |$this:ident| $text:expr;)*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let $this = self;
                f.pad($text)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $this = self;
                serializer.serialize_str($text)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}

textual! {
    Id |id| id.as_str();
    RoomId |id| id.as_str();
    Epoch |epoch| epoch.as_str();
    MemberId |m| core::str::from_utf8(&m.text()).unwrap_or_default();
}
