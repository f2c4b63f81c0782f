//! A fingerprint of everything that happens.

use std::hash::Hasher as _;

use fnv::FnvHasher;

/// The same on every machine and with every release of the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trace(u64);

impl Trace {
    pub(super) fn new() -> Self {
        Self(FnvHasher::default().finish())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let mut hasher = FnvHasher::with_key(self.0);
        hasher.write(bytes);
        self.0 = hasher.finish();
    }

    pub(super) fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    pub(super) const fn hash(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_fnv_1a() {
        let mut trace = Trace::new();
        trace.bytes(b"foobar");
        assert_eq!(trace.hash(), 0x8594_4171_f739_67e8);
    }
}
