//! The mark in every text that a load says: who said it, and which of theirs it is.

use memchr::memchr_iter;

/// The fewest bytes of a text that bears a mark.
pub const LEAST_BYTES: usize = LENGTH;

/// `^`, the sender and the number in 8 hexadecimal digits each, `^`. The sign is none that a protocol puts around a text.
const LENGTH: usize = 18;
const SIGN: u8 = b'^';

/// Which text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    /// Who said it, counted over all rooms.
    pub(super) sender: u32,
    /// Which one of theirs, from 0.
    pub(super) number: u32,
}

impl Stamp {
    /// A text of `bytes` bytes, or of as many as the mark takes.
    pub(super) fn text(self, bytes: usize) -> Vec<u8> {
        let mut text = Vec::with_capacity(bytes.max(LENGTH));
        text.push(SIGN);
        push_hex(&mut text, self.sender);
        push_hex(&mut text, self.number);
        text.push(SIGN);
        text.resize(bytes.max(LENGTH), b'x');
        text
    }

    /// The first mark in a frame.
    pub(super) fn find(frame: &[u8]) -> Option<Self> {
        memchr_iter(SIGN, frame).find_map(|at| {
            let mark = frame.get(at..at + LENGTH)?;
            if mark[LENGTH - 1] != SIGN {
                return None;
            }
            Some(Self { sender: hex(&mark[1..9])?, number: hex(&mark[9..17])? })
        })
    }
}

fn push_hex(text: &mut Vec<u8>, number: u32) {
    for shift in (0..8).rev() {
        text.push(b"0123456789abcdef"[(number >> (4 * shift) & 15) as usize]);
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u32::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_wherever_it_stands() {
        let stamp = Stamp { sender: 0xdead_beef, number: 7 };
        let text = String::from_utf8(stamp.text(64)).unwrap();
        assert_eq!(text.len(), 64);
        assert_eq!(Stamp::find(format!(":n1!~^x^@host PRIVMSG #b :{text}\r\n").as_bytes()), Some(stamp));
        assert_eq!(Stamp::find(&stamp.text(0)), Some(stamp));
    }

    #[test]
    fn half_a_mark_is_none() {
        let text = Stamp { sender: 1, number: 2 }.text(0);
        for end in 0..text.len() {
            assert_eq!(Stamp::find(&text[..end]), None);
        }
        assert_eq!(Stamp::find(b"^0000000100000002x"), None);
        assert_eq!(Stamp::find(b"^0000000100000g02^"), None);
    }
}
