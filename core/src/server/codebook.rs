//! Which code opens what.

use alloc::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::code::Code;

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
    opens: BTreeMap<[u8; 32], Opens>,
}

impl Codebook {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self { key, opens: BTreeMap::new() }
    }

    /// Adds a code; of two that are equal, the first counts.
    pub(super) fn add(&mut self, code: &Code, opens: Opens) {
        let hash = self.hash(code);
        self.opens.entry(hash).or_insert(opens);
    }

    /// What somebody typed, looked up. What can't be a code opens nothing.
    pub(super) fn look_up(&self, typed: &str) -> Option<Opens> {
        let code: Code = typed.parse().ok()?;
        self.opens.get(&self.hash(&code)).copied()
    }

    fn hash(&self, code: &Code) -> [u8; 32] {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.key);
        let mac: Hmac<Sha256> = Hmac::new(&block.into());
        mac.chain_update(code.canonical()).finalize().into_bytes().into()
    }
}

/// Says nothing of the key.
impl core::fmt::Debug for Codebook {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Codebook").field("codes", &self.opens.len()).finish_non_exhaustive()
    }
}
