//! NATS core: a subject for each room.

use std::io::Write as _;

use memchr::memchr;

use super::{Frame, Me, Nonsense};

/// The pong says that the subscription stands.
pub(super) fn enter(me: Me<'_>, out: &mut Vec<u8>) {
    let _ = write!(out, "CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\nSUB {} 1\r\nPING\r\n", me.door);
}

pub(super) fn say(me: Me<'_>, text: &[u8], out: &mut Vec<u8>) {
    let _ = write!(out, "PUB {} {}\r\n", me.door, text.len());
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

pub(super) fn leave(out: &mut Vec<u8>) {
    out.extend_from_slice(b"UNSUB 1\r\n");
}

pub(super) fn frame(bytes: &[u8]) -> Result<Option<(usize, Frame<'_>)>, Nonsense> {
    let Some(end) = memchr(b'\n', bytes) else { return Ok(None) };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(Nonsense)?;
    let end = end + 1;
    if line.starts_with(b"MSG ") {
        let size = line.rsplit(|&byte| byte == b' ').next().and_then(|size| std::str::from_utf8(size).ok());
        let size: usize = size.and_then(|size| size.parse().ok()).ok_or(Nonsense)?;
        let whole = end + size + 2;
        return Ok((bytes.len() >= whole).then_some((whole, Frame::Message)));
    }
    let frame = match line {
        b"PING" => Frame::Answer(b"PONG\r\n".into()),
        b"PONG" => Frame::Entered(None),
        _ if line.starts_with(b"-ERR") => Frame::Refused,
        _ => Frame::Other,
    };
    Ok(Some((end, frame)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_understands_the_server() {
        let message = b"MSG r0 1 2\r\nhi\r\n";
        assert_eq!(frame(message), Ok(Some((message.len(), Frame::Message))));
        for end in 0..message.len() {
            assert_eq!(frame(&message[..end]), Ok(None));
        }
        assert_eq!(frame(b"PONG\r\n"), Ok(Some((6, Frame::Entered(None)))));
        assert_eq!(frame(b"-ERR 'no'\r\n"), Ok(Some((11, Frame::Refused))));
        assert_eq!(frame(b"INFO {}\r\nx"), Ok(Some((9, Frame::Other))));
    }
}
