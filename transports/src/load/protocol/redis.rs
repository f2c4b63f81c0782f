//! Publish and subscribe of Redis by RESP3, in which one connection may do both.

use std::io::Write as _;

use memchr::memchr;

use super::{Frame, Me, Nonsense};

pub(super) fn enter(me: Me<'_>, out: &mut Vec<u8>) {
    let _ = write!(out, "HELLO 3\r\nSUBSCRIBE {}\r\n", me.door);
}

pub(super) fn say(me: Me<'_>, text: &[u8], out: &mut Vec<u8>) {
    let door = me.door;
    let _ = write!(out, "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{door}\r\n${}\r\n", door.len(), text.len());
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

pub(super) fn leave(me: Me<'_>, out: &mut Vec<u8>) {
    let _ = write!(out, "UNSUBSCRIBE {}\r\nQUIT\r\n", me.door);
}

pub(super) fn frame(bytes: &[u8]) -> Result<Option<(usize, Frame<'_>)>, Nonsense> {
    let Some(length) = length(bytes)? else { return Ok(None) };
    let whole = &bytes[..length];
    let frame = if whole.starts_with(b">3\r\n$7\r\nmessage\r\n") {
        Frame::Message
    } else if whole.starts_with(b">3\r\n$9\r\nsubscribe\r\n") {
        Frame::Entered(None)
    } else if whole.starts_with(b"-") {
        Frame::Refused
    } else {
        Frame::Other
    };
    Ok(Some((length, frame)))
}

/// How long the first value is, with all that it holds.
fn length(bytes: &[u8]) -> Result<Option<usize>, Nonsense> {
    let mut at = 0;
    let mut values = 1_usize;
    while values > 0 {
        let Some(end) = memchr(b'\n', &bytes[at..]) else { return Ok(None) };
        let header = bytes[at..at + end].strip_suffix(b"\r").ok_or(Nonsense)?;
        at += end + 1;
        values -= 1;
        let (kind, rest) = header.split_first().ok_or(Nonsense)?;
        let count = || std::str::from_utf8(rest).ok().and_then(|text| text.parse::<usize>().ok()).ok_or(Nonsense);
        match kind {
            b'$' if rest != b"-1" => at += count()? + 2,
            b'*' | b'>' | b'~' => values += count()?,
            b'%' => values += 2 * count()?,
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' | b'$' => {}
            _ => return Err(Nonsense),
        }
        if at > bytes.len() {
            return Ok(None);
        }
    }
    Ok(Some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_understands_the_server() {
        let message = b">3\r\n$7\r\nmessage\r\n$2\r\nr0\r\n$2\r\nhi\r\n";
        let hello = b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nmodules\r\n*0\r\n";
        let all = [&hello[..], b">3\r\n$9\r\nsubscribe\r\n$2\r\nr0\r\n:1\r\n", message, b":2\r\n"].concat();
        let mut rest = &all[..];
        let mut frames = Vec::new();
        while let Some((length, heard)) = frame(rest).unwrap() {
            frames.push(heard);
            rest = &rest[length..];
        }
        assert_eq!(frames, [Frame::Other, Frame::Entered(None), Frame::Message, Frame::Other]);
        for end in 0..message.len() {
            assert_eq!(frame(&message[..end]), Ok(None));
        }
        assert_eq!(frame(b"!x\r\n"), Err(Nonsense));
    }
}
