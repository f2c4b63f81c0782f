//! Bytes in, lines out.

use bytes::{Buf, Bytes, BytesMut};

/// The unread input of one connection. Holds no memory while it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Lines {
    unread: BytesMut,
    /// No line ends within this many bytes: they need no second look.
    scanned: usize,
}

/// A line grew longer than its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Lines {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// What has been pushed and not taken.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Whether [`next`](Self::next) would answer something.
    pub(crate) fn has_line(&self, limit: usize) -> bool {
        self.unread.len() >= limit || self.unread[self.scanned..].contains(&b'\n')
    }

    /// The next line, without its `\n` or `\r\n`; an error once more than `limit` bytes, its end included, make none.
    pub(crate) fn next(&mut self, limit: usize) -> Option<Result<Bytes, TooLong>> {
        let Some(end) = self.unread[self.scanned..].iter().position(|&b| b == b'\n').map(|i| i + self.scanned) else {
            self.scanned = self.unread.len();
            return (self.scanned >= limit).then_some(Err(TooLong));
        };
        if end >= limit {
            return Some(Err(TooLong));
        }
        let mut line = self.unread.split_to(end);
        self.unread.advance(1);
        self.forget_if_empty();
        if line.ends_with(b"\r") {
            line.truncate(end - 1);
        }
        Some(Ok(line.freeze()))
    }

    /// What is left where no more will come: a last line without its end.
    pub(crate) fn rest(&mut self) -> Option<Bytes> {
        self.scanned = 0;
        let rest = core::mem::take(&mut self.unread);
        (!rest.is_empty()).then(|| rest.freeze())
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn forget_if_empty(&mut self) {
        self.scanned = 0;
        if self.unread.is_empty() {
            self.unread = BytesMut::new();
        }
    }
}
