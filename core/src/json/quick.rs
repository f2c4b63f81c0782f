//! The line that is read most, a say, in the shape that programs write it in.

use memchr::memchr3;

use super::request::Request;
use crate::id::Id;
use crate::log::Kind;
use crate::text::Text;

/// A say. The room's id stays where it was written: whoever finds a room of that id needs no copy, and no other look at it.
pub(crate) struct Say<'a> {
    pub(crate) id: Option<Id>,
    pub(crate) room: &'a [u8],
    pub(crate) text: Text,
}

/// Reads a say whose fields are strings without escapes, each at most once, with no space between them. Of any other line,
/// and of one that is wrong in any way but that no room is called so, it says nothing: [`Request::decode`] reads it, and says
/// what is wrong.
///
/// Each byte is looked at by whoever knows what may stand there, and not by all: keys are compared, ids and texts are parsed.
/// Of the control characters, which json has in no string, a text may have the tab, and the end of a line, which no line has.
pub(crate) fn say(line: &[u8]) -> Option<Say<'_>> {
    let mut rest = line.strip_prefix(b"{")?;
    let [mut t, mut id, mut room, mut text] = [None; 4];
    loop {
        let (slot, from, end) = match rest {
            [b'"', b't', b'"', b':', b'"', from @ ..] => (&mut t, from, short(from)),
            [b'"', b'i', b'd', b'"', b':', b'"', from @ ..] => (&mut id, from, short(from)),
            [b'"', b'r', b'o', b'o', b'm', b'"', b':', b'"', from @ ..] => (&mut room, from, short(from)),
            [b'"', b't', b'e', b'x', b't', b'"', b':', b'"', from @ ..] => {
                (&mut text, from, memchr3(b'"', b'\\', b'\t', from))
            }
            _ => return None,
        };
        let (value, behind) = from.split_at(end?);
        if slot.replace(value).is_some() {
            return None;
        }
        match behind {
            [b'"', b',', next @ ..] => rest = next,
            b"\"}" => break,
            _ => return None,
        }
    }
    if t != Some(b"say") {
        return None;
    }
    let id = id.map(Id::read).transpose().ok()?;
    Some(Say { id, room: room?, text: core::str::from_utf8(text?).ok()?.parse().ok()? })
}

/// Where a value ends that has few bytes: they are looked through before a search for long ones would have begun.
fn short(from: &[u8]) -> Option<usize> {
    from.iter().position(|byte| matches!(byte, b'"' | b'\\'))
}

impl Say<'_> {
    pub(super) fn into_request(self) -> Option<Request> {
        let Self { id, room, text } = self;
        let room = core::str::from_utf8(room).ok()?.parse().ok()?;
        Some(Request::Say { id, room, text, kind: Kind::Say })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    fn say(line: &[u8]) -> Option<Request> {
        super::say(line).and_then(Say::into_request)
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
            "{\"t\":\"say\",\"room\":\"o\tps\",\"text\":\"a\"}",
            "{\"t\":\"say\",\"id\":\"\u{1}\",\"room\":\"ops\",\"text\":\"a\"}",
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
                    Just("\"text\":\"\t\""), Just("\"room\":\"\u{1}\""),
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
