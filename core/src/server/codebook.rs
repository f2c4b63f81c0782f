//! Which code opens what.

use alloc::collections::{BTreeMap, VecDeque};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::code::Code;
use crate::id::RoomId;
use crate::name::Folded;

/// What a code opens: a room, by one of its codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Opens {
    pub(super) room: u32,
    pub(super) access: u32,
}

/// The codes of all rooms under a keyed hash: one guess costs one hash and one look-up whatever the number of rooms, and
/// how long it takes says nothing about any code, because nobody outside knows how the table is ordered.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Codebook {
    key: [u8; 32],
    codes: BTreeMap<CodeHash, Standing>,
    /// Those that open nothing any more, oldest first. One of them may open something again by now.
    retired: VecDeque<CodeHash>,
}

/// A code under the table's key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CodeHash([u8; 32]);

/// What there is to say of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Standing {
    /// It opens this.
    Opens(Opens),
    /// It once opened something. Whoever has it was told it once: that is no guess.
    Retired,
}

/// How many codes that open nothing any more are remembered.
const RETIRED: usize = 4_096;

impl Codebook {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self { key, codes: BTreeMap::new(), retired: VecDeque::new() }
    }

    /// From here on these codes open what they say, and no others anything; of two that are equal, the first counts.
    pub(super) fn replace(&mut self, codes: impl IntoIterator<Item = (CodeHash, Opens)>) {
        let before = core::mem::take(&mut self.codes);
        for (hash, opens) in codes {
            self.codes.entry(hash).or_insert(Standing::Opens(opens));
        }
        self.retired.retain(|hash| !self.codes.contains_key(hash));
        for (hash, standing) in before {
            if !self.codes.contains_key(&hash) && standing != Standing::Retired {
                self.retired.push_back(hash);
            }
        }
        self.retired.drain(..self.retired.len().saturating_sub(RETIRED));
        self.codes.extend(self.retired.iter().map(|&hash| (hash, Standing::Retired)));
    }

    /// What somebody typed, as the table has it; `None`: it can't be a code.
    pub(super) fn hash_typed(&self, typed: &str) -> Option<CodeHash> {
        Some(self.hash(&typed.parse().ok()?))
    }

    /// What a code is good for; `None`: it never opened anything that is remembered.
    pub(super) fn look_up(&self, hash: CodeHash) -> Option<Standing> {
        self.codes.get(&hash).copied()
    }

    pub(super) fn hash(&self, code: &Code) -> CodeHash {
        self.hash_bytes(code.canonical().as_bytes())
    }

    /// What lets an account into the rooms that list it, as the table has it. No code has a space in it.
    pub(super) fn hash_account(&self, account: &Folded, room: &RoomId) -> CodeHash {
        self.hash_bytes(alloc::format!("account {room} {}", account.as_str()).as_bytes())
    }

    fn hash_bytes(&self, bytes: &[u8]) -> CodeHash {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.key);
        let mac: Hmac<Sha256> = Hmac::new(&block.into());
        CodeHash(mac.chain_update(bytes).finalize().into_bytes().into())
    }
}

/// Says nothing of the key.
impl core::fmt::Debug for Codebook {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Codebook").field("codes", &self.codes.len()).finish_non_exhaustive()
    }
}

/// Says nothing of the code.
impl core::fmt::Debug for CodeHash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CodeHash(..)")
    }
}
