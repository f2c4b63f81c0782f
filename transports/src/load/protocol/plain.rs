//! qun's dialect of people (docs/PROTOCOL.md, plain).

use std::io::Write as _;

use memchr::memmem;

use super::{Frame, Me, name};

pub(super) fn enter(me: Me<'_>, out: &mut Vec<u8>) {
    let _ = write!(out, "{} {}\r\n", me.door, name(me.number));
}

pub(super) fn say(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

pub(super) fn leave(out: &mut Vec<u8>) {
    out.extend_from_slice(b"/quit\r\n");
}

/// Only what the server itself says begins with `--`. Both languages name the command that shows who is here as we enter.
pub(super) fn read(line: &[u8]) -> Frame<'_> {
    match line {
        [b'-', b'-', rest @ ..] if memmem::find(rest, b"/who").is_some() => Frame::Entered(None),
        [b'-', b'-', ..] => Frame::Other,
        [b'0'..=b'2', b'0'..=b'9', b':', ..] => Frame::Message(line),
        _ => Frame::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_understands_the_server() {
        assert_eq!(read("-- You are in. /who /name".as_bytes()), Frame::Entered(None));
        assert_eq!(read("-- 你已进群。/who /name".as_bytes()), Frame::Entered(None));
        assert_eq!(read(b"14:01 <b1> hi"), Frame::Message(b"14:01 <b1> hi"));
        assert_eq!(read(b"-- On-call. 3 here: bob, mei, ann (you)."), Frame::Other);
    }
}
