//! What is to be sent.

use core::fmt;

use bytes::{Buf, BytesMut};

use crate::server::Overrun;

/// The unsent bytes: peek, then consume; a write may take any part of them.
#[derive(Debug)]
pub struct Transmit<'a>(pub(super) &'a mut Outgoing);

impl Transmit<'_> {
    /// Fills `out` from its start with the next bytes to send, in order, and says how many slices it filled: at least
    /// one where `out` has room. `wrap` makes what a vectored write wants of a slice, `IoSlice::new` for one.
    ///
    /// Every slice but the first begins with a whole line, and every one ends with one.
    pub fn gather<'s, T>(&'s self, out: &mut [T], wrap: impl Fn(&'s [u8]) -> T) -> usize {
        let Some(slot) = out.first_mut() else { return 0 };
        *slot = wrap(&self.0.0);
        1
    }

    /// The first `n` bytes of what [`gather`](Self::gather) showed are sent.
    ///
    /// # Errors
    /// [`Overrun`] where there are fewer; then all there are count as sent.
    pub fn advance(&mut self, n: usize) -> Result<(), Overrun> {
        let unsent = &mut self.0.0;
        let result = if n > unsent.len() { Err(Overrun) } else { Ok(()) };
        unsent.advance(n.min(unsent.len()));
        if unsent.is_empty() {
            *unsent = BytesMut::new();
        }
        result
    }
}

/// Whole lines, but for the rest of one that is sent in part. Few: a client says little, and that at a pace.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Outgoing(BytesMut);

impl Outgoing {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, line: &[u8]) {
        self.0.extend_from_slice(line);
    }
}

/// Hides the bytes, in which keys and codes stand.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing({} bytes)", self.0.len())
    }
}
