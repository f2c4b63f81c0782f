//! A fingerprint of everything that happens.

use std::fmt;
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

/// Words go in as they are written down, without being written anywhere.
impl fmt::Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn it_is_fnv_1a() {
        let mut trace = Trace::new();
        trace.bytes(b"foobar");
        assert_eq!(trace.hash(), 0x8594_4171_f739_67e8);
        let mut written = Trace::new();
        write!(written, "foo{:?}", format_args!("bar")).unwrap();
        assert_eq!(written, trace);
    }
}
