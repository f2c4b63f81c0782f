//! The line that is written most: a message, as everyone in the room gets it.

use alloc::vec::Vec;

use crate::id::RoomId;
use crate::log::{Kind, Record};

/// Bytes of the line besides its texts, at most.
const FRAME: usize = 224;

/// Appends the line that [`Frame::Msg`](super::Frame::Msg) is, without making one.
///
/// Ids, members and names hold nothing that json escapes, so only the text is looked through.
pub(crate) fn write_message(room: &RoomId, record: &Record, out: &mut Vec<u8>) {
    let Record { seq, ts, member, name, kind, text, id } = record;
    out.reserve(FRAME + room.as_str().len() + name.as_str().len() + text.as_str().len());
    let mut number = itoa::Buffer::new();
    out.extend_from_slice(b"{\"t\":\"msg\",\"room\":\"");
    out.extend_from_slice(room.as_str().as_bytes());
    out.extend_from_slice(b"\",\"seq\":");
    out.extend_from_slice(number.format(seq.get()).as_bytes());
    out.extend_from_slice(b",\"ts\":");
    out.extend_from_slice(number.format(*ts).as_bytes());
    out.extend_from_slice(b",\"m\":\"");
    out.extend_from_slice(&member.text());
    out.extend_from_slice(b"\",\"name\":\"");
    out.extend_from_slice(name.as_str().as_bytes());
    match kind {
        Kind::Say => out.extend_from_slice(b"\",\"text\":"),
        Kind::Me => out.extend_from_slice(b"\",\"kind\":\"me\",\"text\":"),
        Kind::Removed => out.extend_from_slice(b"\",\"kind\":\"removed\",\"text\":"),
        Kind::Act(act) => {
            for part in ["\",\"kind\":\"", act.name(), "\",\"act\":", &act.details(), ",\"text\":"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
    }
    write_text(text.as_str(), out);
    if let Some(id) = id {
        out.extend_from_slice(b",\"id\":\"");
        out.extend_from_slice(id.as_str().as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b"}\n");
}

/// Appends a text as a json string.
fn write_text(text: &str, out: &mut Vec<u8>) {
    // Not cut short, so that many bytes are looked at in one step.
    let escapes = text.bytes().fold(false, |found, byte| found | matches!(byte, 0..0x20 | b'"' | b'\\'));
    if escapes {
        // A string can always be written.
        out.extend_from_slice(&serde_json::to_vec(text).unwrap_or_default());
    } else {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;
    use crate::act::{Act, Subject};
    use crate::id::{MemberId, Seq};
    use crate::json::{Frame, Message, PageMessage};
    use crate::text::Text;

    proptest! {
        #[test]
        fn it_is_the_frame_to_the_byte(
            room in "[a-z0-9_-]{1,32}",
            (seq, ts, member) in (0..1u64 << 53, 0..1u64 << 53, any::<u64>()),
            name in "[a-zà-öø-ÿ一-龥][a-z0-9._-]{0,8}",
            kind in 0..4,
            text in "[ -~\"\\\\\n\t\u{7f}é龥🦀\u{2028}]{1,80}x",
            id in proptest::option::of("[A-Za-z0-9_-]{1,36}"),
        ) {
            let Ok(text) = text.parse::<Text>() else { return Ok(()) };
            let on = Subject { m: None, name: name.parse().unwrap() };
            let kind = match kind {
                0 => Kind::Say,
                1 => Kind::Me,
                2 => Kind::Removed,
                _ => Act::Ban { on, until: Some(ts), why: Some(text.clone()) }.into(),
            };
            let id = id.map(|id| id.parse().unwrap());
            let member = MemberId::from_bits(member);
            let record = Record { seq: Seq::new(seq), ts, member, name: name.parse().unwrap(), kind, text, id };
            let room: RoomId = room.parse().unwrap();
            let (mut line, mut frame) = (Vec::new(), Vec::new());
            write_message(&room, &record, &mut line);
            Frame::Msg(Message { room, body: PageMessage::from(&record) }).encode(&mut frame);
            prop_assert_eq!(String::from_utf8(line).unwrap(), String::from_utf8(frame).unwrap());
        }
    }
}
