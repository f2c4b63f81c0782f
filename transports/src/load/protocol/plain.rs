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

/// What the server says, in either language, when it does not let somebody.
const REFUSALS: [&str; 16] = [
    "does not open a room",
    "has expired",
    "Too many wrong codes",
    "Too fast",
    "Slow down",
    "The room is full",
    "Not sent",
    "but not speak",
    "口令不对",
    "口令已过期",
    "口令错误次数太多",
    "太快了",
    "慢一点",
    "群已满",
    "未发送",
    "不能发言",
];

/// Only what the server itself says begins with `--`, but for its prompts and what it says between them. Both languages name the command that shows who is here as we enter.
pub(super) fn read(line: &[u8]) -> Frame<'_> {
    match line {
        [b'-', b'-', rest @ ..] if memmem::find(rest, b"/who").is_some() => Frame::Entered(None),
        [b'0'..=b'2', b'0'..=b'9', b':', ..] => Frame::Message,
        _ if REFUSALS.iter().any(|words| memmem::find(line, words.as_bytes()).is_some()) => Frame::Refused,
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
        assert_eq!(read(b"14:01 <b1> hi"), Frame::Message);
        assert_eq!(read(b"Room code: That code does not open a room. 4 tries left."), Frame::Refused);
        assert_eq!(read("-- 慢一点：你发的内容按每秒 2 行读取。".as_bytes()), Frame::Refused);
        assert_eq!(read(b"14:01 <b1> Slow down"), Frame::Message);
        assert_eq!(read(b"-- On-call. 3 here: bob, mei, ann (you)."), Frame::Other);
    }
}
