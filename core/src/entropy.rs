//! Randomness, which the machines never find for themselves: all of it follows from a seed.

use sha2::{Digest, Sha256};

/// A generator of unpredictable bytes: SHA-256 over its seed and a counter.
///
/// Slow beside a stream cipher and fast enough for a key, a code or a jitter now and then; in exchange it is two
/// fields that can be cloned, compared and hashed with the machine that owns them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Entropy {
    seed: [u8; 32],
    drawn: u64,
}

impl Entropy {
    /// A generator all of whose output follows from `seed`, 32 bytes of the driver's best randomness.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    /// The next 32 bytes.
    pub fn block(&mut self) -> [u8; 32] {
        self.drawn += 1;
        Sha256::new().chain_update(self.seed).chain_update(self.drawn.to_le_bytes()).finalize().into()
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.block();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// A number in `0..bound`; 0 where the bound is 0. Its bias is below 2⁻⁶⁴ × `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }
}

/// Says nothing of the seed, so that no log ever does.
impl core::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Entropy").field("drawn", &self.drawn).finish_non_exhaustive()
    }
}
