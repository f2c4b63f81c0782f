//! Bytes in, lines out.

use alloc::vec::Vec;
use core::fmt;

use memchr::memchr;
use zeroize::Zeroize;

/// The unread input of one connection. Holds no memory while it is empty.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    /// So many of the first bytes are taken. They go when the next ones come, or when the rest is [tidied](Self::tidy).
    taken: usize,
    /// No line ends before here: it needs no second look.
    scanned: usize,
}

/// Hides the bytes, in which keys, codes and passwords stand.
impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lines({} bytes)", self.unread().len())
    }
}

/// A line grew longer than its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Lines {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.tidy();
        self.bytes.extend_from_slice(bytes);
    }

    /// What has been pushed and not taken.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Whether [`next`](Self::next) would answer something.
    pub(crate) fn has_line(&self, limit: usize) -> bool {
        self.unread().len() >= limit || memchr(b'\n', &self.bytes[self.scanned..]).is_some()
    }

    /// Takes the next line into `line`, which is empty, without its `\n` or `\r\n`; an error once more than `limit` bytes,
    /// its end included, make none.
    pub(crate) fn next(&mut self, limit: usize, line: &mut Vec<u8>) -> Option<Result<(), TooLong>> {
        let Some(end) = memchr(b'\n', &self.bytes[self.scanned..]).map(|at| at + self.scanned) else {
            self.scanned = self.bytes.len();
            return (self.unread().len() >= limit).then_some(Err(TooLong));
        };
        let whole = &self.bytes[self.taken..end];
        if whole.len() >= limit {
            return Some(Err(TooLong));
        }
        line.extend_from_slice(whole.strip_suffix(b"\r").unwrap_or(whole));
        (self.taken, self.scanned) = (end + 1, end + 1);
        Some(Ok(()))
    }

    /// What is left where no more will come: a last line without its end.
    pub(crate) fn rest(&mut self) -> Option<Vec<u8>> {
        self.tidy();
        let rest = core::mem::take(self).bytes;
        (!rest.is_empty()).then_some(rest)
    }

    /// Lets go of what is taken.
    pub(crate) fn tidy(&mut self) {
        if self.taken == self.bytes.len() {
            self.clear();
        } else if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.scanned -= self.taken;
            self.taken = 0;
        }
    }

    /// Overwrites what is taken: it held a password.
    pub(crate) fn wipe(&mut self) {
        self.bytes[..self.taken].zeroize();
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &mut Lines) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let mut line = Vec::new();
            match lines.next(8, &mut line) {
                Some(Ok(())) => all.push(line),
                _ => return all,
            }
        }
    }

    #[test]
    fn any_split_gives_the_same_lines() {
        let bytes = b"one\r\n\n\rtwo\nthree\r";
        for at in 0..bytes.len() {
            let mut lines = Lines::default();
            lines.push(&bytes[..at]);
            let mut got = all(&mut lines);
            lines.push(&bytes[at..]);
            got.extend(all(&mut lines));
            assert_eq!(got, [&b"one"[..], b"", b"\rtwo"], "split at {at}");
            assert_eq!(lines.rest().as_deref(), Some(&b"three\r"[..]));
            assert_eq!(lines, Lines::default());
        }
    }

    #[test]
    fn a_line_is_too_long_whether_its_end_has_come_or_not() {
        for bytes in [&b"seven77\n"[..], b"eight888\n", b"eight888"] {
            let mut lines = Lines::default();
            lines.push(b"x\n");
            lines.push(bytes);
            let mut line = Vec::new();
            assert_eq!(lines.next(8, &mut line), Some(Ok(())));
            line.clear();
            let fits = bytes.starts_with(b"seven");
            assert_eq!(lines.next(8, &mut line), Some(if fits { Ok(()) } else { Err(TooLong) }), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_taken_takes_no_memory() {
        let mut lines = Lines::default();
        lines.push(b"one\ntwo\n");
        assert_eq!(all(&mut lines).len(), 2);
        lines.tidy();
        assert_eq!(lines.bytes.capacity(), 0);
    }
}
