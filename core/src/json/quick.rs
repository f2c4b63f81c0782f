//! The line that is read most, a say, in the shape that programs write it in.

use memchr::{memchr, memchr2};

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
    let line = core::str::from_utf8(line).ok()?;
    let mut rest = line.strip_prefix('{')?;
    let [mut t, mut id, mut room, mut text] = [None; 4];
    loop {
        let (name, value, behind) = field(rest)?;
        let slot = match name {
            "t" => &mut t,
            "id" => &mut id,
            "room" => &mut room,
            "text" => &mut text,
            _ => return None,
        };
        if slot.replace(value).is_some() {
            return None;
        }
        match behind.as_bytes() {
            [b',', ..] => rest = &behind[1..],
            b"}" => break,
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

/// The name and the value of the first field, and what comes behind it.
fn field(from: &str) -> Option<(&str, &str, &str)> {
    let from = from.strip_prefix('"')?;
    let name = &from[..memchr(b'"', from.as_bytes())?];
    let from = from[name.len()..].strip_prefix("\":\"")?;
    let end = memchr2(b'"', b'\\', from.as_bytes())?;
    let (value, behind) = from.split_at(end);
    let behind = behind.strip_prefix('"')?;
    // json has no control characters in strings, and escapes in names are none of ours.
    let is_clean = value.bytes().fold(true, |so_far, byte| so_far & (byte >= 0x20));
    is_clean.then_some((name, value, behind))
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
