//! The line that is read most, a say, in the shape that programs write it in.

use memchr::memchr2;

use super::request::Request;
use crate::id::{Id, RoomId};
use crate::log::Kind;
use crate::text::Text;

/// A say. The room's id is valid, and stays where it was written: whoever looks it up needs no copy.
pub(crate) struct Say<'a> {
    pub(crate) id: Option<Id>,
    pub(crate) room: &'a str,
    pub(crate) text: Text,
}

/// Reads a say whose fields are strings without escapes, each at most once, with no space between them. Of any other line,
/// and of one that is wrong in any way, it says nothing: [`Request::decode`] reads it, and says what is wrong.
pub(crate) fn say(line: &[u8]) -> Option<Say<'_>> {
    // json has no control characters in strings, and what stands between them has none here.
    let is_clean = line.iter().fold(true, |so_far, &byte| so_far & (byte >= 0x20));
    let mut rest = core::str::from_utf8(line).ok().filter(|_| is_clean)?.strip_prefix('{')?;
    let [mut t, mut id, mut room, mut text] = [None; 4];
    loop {
        let (slot, from) = match rest.as_bytes() {
            [b'"', b't', b'"', b':', b'"', ..] => (&mut t, &rest[5..]),
            [b'"', b'i', b'd', b'"', b':', b'"', ..] => (&mut id, &rest[6..]),
            [b'"', b'r', b'o', b'o', b'm', b'"', b':', b'"', ..] => (&mut room, &rest[8..]),
            [b'"', b't', b'e', b'x', b't', b'"', b':', b'"', ..] => (&mut text, &rest[8..]),
            _ => return None,
        };
        let (value, behind) = from.split_at(memchr2(b'"', b'\\', from.as_bytes())?);
        if slot.replace(value).is_some() {
            return None;
        }
        match behind.as_bytes() {
            [b'"', b',', ..] => rest = &behind[2..],
            b"\"}" => break,
            _ => return None,
        }
    }
    if t != Some("say") {
        return None;
    }
    let id = id.map(str::parse).transpose().ok()?;
    let room = room.filter(|room| RoomId::fits(room))?;
    Some(Say { id, room, text: text?.parse().ok()? })
}

impl Say<'_> {
    pub(super) fn into_request(self) -> Option<Request> {
        let Self { id, room, text } = self;
        Some(Request::Say { id, room: room.parse().ok()?, text, kind: Kind::Say })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    fn say(line: &[u8]) -> Option<Request> {
        super::say(line).map(|say| say.into_request().unwrap())
    }

    #[test]
    fn what_programs_write_is_read_here() {
        for line in [
            r#"{"t":"say","id":"01J9ZK6E3Q8V","room":"ops","text":"deploy is green"}"#,
            r#"{"text":"部署完成","room":"ops","t":"say"}"#,
        ] {
            assert_eq!(say(line.as_bytes()), Some(Request::general(line.as_bytes()).unwrap()), "{line}");
        }
    }

    #[test]
    fn whatever_else_it_is_is_left_to_the_other_reader() {
        for line in [
            r#"{"t":"say","room":"ops","text":"a\tb"}"#,
            r#"{"t":"say","room":"ops","text":"a","text":"b"}"#,
            r#"{"t":"say","room":"ops","text":"a","kind":"me"}"#,
            r#"{"t":"say","room":"ops","text":" "}"#,
            r#"{"t":"say", "room":"ops","text":"a"}"#,
            r#"{"t":"say","room":"ops","text":"a"} "#,
            r#"{"t":"say","room":"ops","text":"a"}}"#,
            r#"{"t":"say","room":"ops","text":"a",}"#,
            r#"{"t":"say","room":null,"text":"a"}"#,
            r#"{"t":"join","room":"ops","text":"a"}"#,
            r#"{"t":"say","room":"ops"}"#,
            "{\"t\":\"say\",\"room\":\"ops\",\"text\":\"a\tb\"}",
            "{",
            "",
        ] {
            assert_eq!(say(line.as_bytes()), None, "{line}");
        }
        assert_eq!(say(b"{\"t\":\"say\",\"room\":\"ops\",\"text\":\"\xff\"}"), None);
    }

    proptest! {
        /// Pieces of such lines, put together in any way.
        #[test]
        fn it_never_reads_what_the_other_reader_reads_otherwise(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("\"t\":\"say\""), Just("\"id\":\"a-1\""), Just("\"room\":\"ops\""), Just("\"text\":\"hi\""),
                    Just("\"text\":\"é\""), Just("\"text\":\"\""), Just("\"id\":\"é\""), Just("\"room\":\"O\""),
                    Just(","), Just(","), Just("}"), Just("\""), Just("\\"), Just(" "), Just("\"t\":1"), Just("\u{1}"),
                ],
                0..9,
            ),
            tidy: bool,
        ) {
            let line = if tidy {
                alloc::format!("{{{}}}", pieces.join(","))
            } else {
                alloc::format!("{{{}", pieces.concat())
            };
            let line: String = line.chars().filter(|&c| c != '\n').collect();
            if let Some(said) = say(line.as_bytes()) {
                prop_assert_eq!(Request::general(line.as_bytes()), Ok(said), "{}", line);
            }
        }
    }
}
