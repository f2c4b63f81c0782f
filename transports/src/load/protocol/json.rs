//! qun's dialect of programs (docs/PROTOCOL.md, json).

use std::io::Write as _;

use super::{Frame, Me, name};

pub(super) fn enter(me: Me<'_>, out: &mut Vec<u8>) {
    let name = name(me.number);
    let _ = write!(
        out,
        "{{\"t\":\"hello\",\"id\":\"h\",\"v\":[1],\"agent\":\"qun bench\",\"name\":\"{name}\"}}\n\
         {{\"t\":\"join\",\"id\":\"j\",\"code\":\"{}\",\"tail\":0}}\n",
        me.door
    );
}

/// The id is as long as those that clients make, 11 characters, so that frames are as long as in life.
pub(super) fn say(me: Me<'_>, text: &[u8], out: &mut Vec<u8>) {
    let Me { number, said, room, .. } = me;
    let _ = write!(out, "{{\"t\":\"say\",\"id\":\"{number:05x}-{said:05x}\",\"room\":\"{room}\",\"text\":\"");
    out.extend_from_slice(text);
    out.extend_from_slice(b"\"}\n");
}

pub(super) fn leave(me: Me<'_>, out: &mut Vec<u8>) {
    let _ = write!(out, "{{\"t\":\"leave\",\"id\":\"l\",\"room\":\"{}\"}}\n{{\"t\":\"bye\"}}\n", me.room);
}

/// `t` comes first in what the server writes.
pub(super) fn read(line: &[u8]) -> Frame<'_> {
    let Some(rest) = line.strip_prefix(b"{\"t\":\"") else { return Frame::Other };
    let kind = rest.split(|&byte| byte == b'"').next().unwrap_or_default();
    match kind {
        b"msg" => Frame::Message,
        b"joined" => Frame::Entered(room(rest)),
        b"ping" => {
            let mut pong = line.to_vec();
            pong[7] = b'o';
            pong.push(b'\n');
            Frame::Answer(pong)
        }
        b"error" | b"bye" => Frame::Refused,
        _ => Frame::Other,
    }
}

/// The id in `"room":{"id":"…"`.
fn room(joined: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(joined).ok()?;
    let (_, id) = text.split_once("\"room\":{\"id\":\"")?;
    Some(id.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_understands_the_server() {
        assert_eq!(read(br#"{"t":"msg","room":"ops"}"#), Frame::Message);
        assert_eq!(read(br#"{"t":"joined","re":"j","room":{"id":"ops","title":"x"}}"#), Frame::Entered(Some("ops")));
        assert_eq!(read(br#"{"t":"ping","n":17}"#), Frame::Answer(b"{\"t\":\"pong\",\"n\":17}\n".into()));
        assert_eq!(read(br#"{"t":"error","code":"bad_code"}"#), Frame::Refused);
        assert_eq!(read(br#"{"t":"here","n":3}"#), Frame::Other);
    }
}
