//! The lines that are written most: messages, as everyone in the room gets them.

use alloc::vec::Vec;
use core::ops::Range;

use crate::id::RoomId;
use crate::log::{Kind, Record};

/// Bytes of the line besides its texts, at most.
const FRAME: usize = 224;

/// Appends the lines that [`Frame::Msg`](super::Frame::Msg) are, without making any, and says where each ends.
///
/// Ids, members and names hold nothing that json escapes, so only the texts are looked through.
pub(crate) fn write_messages(room: &RoomId, records: &[Record], out: &mut Vec<u8>, ends: &mut Vec<u32>) {
    // When the one before was said and by whom, and where that was written.
    let mut before: Option<(&Record, Range<usize>)> = None;
    for record in records {
        let Record { seq, kind, text, id, .. } = record;
        out.reserve(FRAME + room.as_bytes().len() + record.name.as_str().len() + text.as_str().len());
        out.extend_from_slice(b"{\"t\":\"msg\",\"room\":\"");
        out.extend_from_slice(room.as_bytes());
        out.extend_from_slice(b"\",\"seq\":");
        out.extend_from_slice(itoa::Buffer::new().format(seq.get()).as_bytes());
        let start = out.len();
        match before {
            Some((other, written)) if is_alike(record, other) => out.extend_from_within(written),
            _ => write_when_and_who(record, out),
        }
        before = Some((record, start..out.len()));
        match kind {
            Kind::Say => out.extend_from_slice(b",\"text\":"),
            Kind::Me => out.extend_from_slice(b",\"kind\":\"me\",\"text\":"),
            Kind::Removed => out.extend_from_slice(b",\"kind\":\"removed\",\"text\":"),
            Kind::Act(act) => {
                for part in [",\"kind\":\"", act.name(), "\",\"act\":", &act.details(), ",\"text\":"] {
                    out.extend_from_slice(part.as_bytes());
                }
            }
        }
        write_text(text.as_str(), out);
        if let Some(id) = id {
            out.extend_from_slice(b",\"id\":\"");
            out.extend_from_slice(id.as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(b"}\n");
        ends.push(out.len() as u32);
    }
}

/// Whether two say the same of when and who, as most do of those that come at once.
fn is_alike(a: &Record, b: &Record) -> bool {
    a.ts == b.ts && a.member == b.member && a.name == b.name
}

fn write_when_and_who(Record { ts, member, name, .. }: &Record, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"ts\":");
    out.extend_from_slice(itoa::Buffer::new().format(*ts).as_bytes());
    out.extend_from_slice(b",\"m\":\"");
    out.extend_from_slice(&member.text());
    out.extend_from_slice(b"\",\"name\":\"");
    out.extend_from_slice(name.as_str().as_bytes());
    out.push(b'"');
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
    use crate::name::Name;
    use crate::text::Text;

    /// A record, as far as its line shows it.
    fn record() -> impl Strategy<Value = Record> {
        let text = "[ -~\"\\\\\n\t\u{7f}é龥🦀\u{2028}]{1,80}x";
        let text = text.prop_filter_map("a text", |text| text.parse::<Text>().ok());
        let id = proptest::option::of("[A-Za-z0-9_-]{1,36}");
        // Few of them, so that some that stand next to each other differ in one alone.
        let (ts, member, name) = (0..2_u64, 1..3_u64, "[aé]");
        (0..1u64 << 53, ts, member, name, 0..4, text, id).prop_map(|(seq, ts, member, name, kind, text, id)| {
            let name: Name = name.parse().unwrap();
            let on = Subject { m: None, name: name.clone() };
            let kind = match kind {
                0 => Kind::Say,
                1 => Kind::Me,
                2 => Kind::Removed,
                _ => Act::Ban { on, until: Some(ts), why: Some(text.clone()) }.into(),
            };
            let id = id.map(|id| id.parse().unwrap());
            let (ts, member) = (1_771_329_600_000 * ts, MemberId::from_bits(member << 40));
            Record { seq: Seq::new(seq), ts, member, name, kind, text, id }
        })
    }

    proptest! {
        #[test]
        fn they_are_the_frames_to_the_byte(
            room in "[a-z0-9_-]{1,32}",
            records in proptest::collection::vec(record(), 0..6),
        ) {
            let room: RoomId = room.parse().unwrap();
            let (mut lines, mut ends) = (Vec::new(), Vec::new());
            write_messages(&room, &records, &mut lines, &mut ends);
            let (mut frames, mut their_ends) = (Vec::new(), Vec::new());
            for record in &records {
                Frame::Msg(Message { room: room.clone(), body: PageMessage::from(record) }).encode(&mut frames);
                their_ends.push(frames.len() as u32);
            }
            prop_assert_eq!(String::from_utf8(lines).unwrap(), String::from_utf8(frames).unwrap());
            prop_assert_eq!(ends, their_ends);
        }
    }
}
