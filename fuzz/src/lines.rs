//! Lines of the json dialect, read and written.

use arbitrary::Unstructured;
use qun_core::json::{Change, Door, ErrorCode, Frame, Request};
use qun_core::log::Span;
use qun_core::{CodeOrder, Order, Role, Seq, Which, Whom};
use serde_json::Value;

use crate::json::{Json, Verdict};
use crate::values;

/// Reads bytes as a line, by ourselves, by a reading of the same rules that shares no code with it, and by a reader that
/// knows json and not our rules. What is read is written as a line that reads the same.
pub fn json(bytes: &[u8]) {
    let request = Request::decode(bytes);
    let is_frame = !matches!(&request, Err(malformed) if malformed.code == ErrorCode::BadFrame);
    match Json::read(bytes) {
        Verdict::Line(line) => {
            assert!(is_frame, "refused, and by the rules it is a line: {request:?}");
            if let Ok(request) = &request {
                assert!(holds(&line, request), "{request:?} is read");
            }
        }
        Verdict::Bad(why) => assert!(!is_frame, "read, and by the rules it is no line: {why}"),
        Verdict::Unsure => {}
    }
    if is_frame {
        let value: Value = serde_json::from_slice(bytes).expect("what we take for json is json");
        assert!(value.is_object());
    }
    if let Ok(request) = request {
        assert_eq!(Request::decode(&written(|line| request.encode(line))), Ok(request));
    }
    if let Some(Ok(frame)) = Frame::decode(bytes)
        && frame != Frame::Unknown
        && !matches!(frame, Frame::Presence { change: Change::Unknown, .. })
    {
        assert_eq!(read(&frame), frame);
    }
}

/// Whatever request or frame there may be, it is written as a line by which the other side reads the same.
pub fn frames(bytes: &[u8]) {
    let given = &mut Unstructured::new(bytes);
    for _ in 0..20 {
        if given.is_empty() {
            break;
        }
        let Ok(request) = values::request(given) else { break };
        let line = written(|line| request.encode(line));
        assert_eq!(Request::decode(&line), Ok(request));
        assert!(matches!(Json::read(&line), Verdict::Line(_)), "{}", String::from_utf8_lossy(&line));
        let Ok(frame) = values::frame(given) else { break };
        assert_eq!(read(&frame), frame);
        let line = written(|line| frame.encode(line));
        assert!(matches!(Json::read(&line), Verdict::Line(_)), "{}", String::from_utf8_lossy(&line));
    }
}

/// A frame as it is read from the line that it is written as.
fn read(frame: &Frame) -> Frame {
    let line = written(|line| frame.encode(line));
    let read = Frame::decode(&line).expect("a line begins with a brace");
    read.unwrap_or_else(|error| unreachable!("{frame:?} is written as {}: {error}", String::from_utf8_lossy(&line)))
}

/// A line without its end, of which it has one.
fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut line = Vec::new();
    write(&mut line);
    assert_eq!(line.pop(), Some(b'\n'), "a line ends");
    assert!(!line.contains(&b'\n'));
    line
}

/// Whether the line says what was read.
fn holds(line: &Json, request: &Request) -> bool {
    let text = |name: &str, value: &str| line.get(name).and_then(Json::text) == Some(value);
    let integer = |name: &str, value: Option<u64>| line.get(name).and_then(Json::integer) == value;
    let seq = |name: &str, value: Option<Seq>| integer(name, value.map(Seq::get));
    let id = |id: &Option<qun_core::Id>| line.get("id").and_then(Json::text) == id.as_ref().map(|id| id.as_str());
    match request {
        Request::Hello { id: re, v, agent, name, key, password } => {
            let versions = line.get("v").and_then(Json::items);
            let versions = versions.map(|items| items.iter().map(Json::integer).collect());
            let versions = versions == Some(v.iter().copied().map(Some).collect::<Vec<_>>());
            let written = |name| line.get(name).and_then(Json::text);
            let agent = written("agent") == agent.as_deref();
            let key = written("key") == key.as_ref().map(|key| key.expose());
            // Neither is always typed in NFC.
            let name = written("name").is_some() == name.is_some();
            let password = written("password").is_some() == password.is_some();
            text("t", "hello") && id(re) && versions && agent && name && key && password
        }
        Request::Join { id: re, door, resume, tail } => {
            let door = match door {
                Door::Code(code) => text("code", code),
                Door::Held(room) => text("room", room.as_str()) && line.get("code").is_none(),
            };
            let resume = match (resume, line.get("resume")) {
                (Some(position), Some(at)) => {
                    at.get("epoch").and_then(Json::text) == Some(position.epoch.as_str())
                        && at.get("seq").and_then(Json::integer) == Some(position.seq.get())
                }
                (resume, at) => resume.is_none() && at.is_none(),
            };
            text("t", "join") && id(re) && door && resume && integer("tail", *tail)
        }
        Request::Say { id: re, room, text: said, .. } => {
            text("t", "say") && id(re) && text("room", room.as_str()) && text("text", said.as_str())
        }
        Request::History { id: re, room, span, limit } => {
            let (before, after) = match *span {
                Span::Before(at) => (Some(at), None),
                Span::After(at) => (None, Some(at)),
            };
            let span = seq("before", before) && seq("after", after);
            text("t", "history") && id(re) && text("room", room.as_str()) && span && integer("limit", *limit)
        }
        Request::Search { id: re, room, words, before, limit } => {
            let words = line.get("words").and_then(Json::text).is_some_and(|typed| typed.trim() == words.as_str());
            let rest = seq("before", *before) && integer("limit", *limit);
            text("t", "search") && id(re) && text("room", room.as_str()) && words && rest
        }
        Request::Leave { id: re, room } => text("t", "leave") && id(re) && text("room", room.as_str()),
        // What is typed is not always in NFC.
        Request::Name { id: re, .. } => text("t", "name") && id(re) && line.get("name").is_some(),
        Request::Act { id: re, room, order } => {
            text("t", order.verb().as_str()) && id(re) && text("room", room.as_str()) && orders(line, order)
        }
        Request::Ping { n } => text("t", "ping") && line.get("n").map_or(*n == 0, |_| integer("n", Some(*n))),
        Request::Pong { n } => text("t", "pong") && line.get("n").map_or(*n == 0, |_| integer("n", Some(*n))),
        Request::Bye => text("t", "bye"),
    }
}

/// Whether the line says what was read of an order: all of it, and nothing that the line does not say.
fn orders(line: &Json, order: &Order) -> bool {
    let written = |name: &str| line.get(name).and_then(Json::text);
    let integer = |name: &str| line.get(name).and_then(Json::integer);
    // What is typed is not always in NFC.
    let about = |whom: &Whom| match whom {
        Whom::Member(m) => written("m") == Some(&m.to_string()) && line.get("name").is_none(),
        Whom::Name(_) => line.get("m").is_none() && written("name").is_some(),
    };
    let short = |name: &str, text: &Option<qun_core::Text>| written(name) == text.as_ref().map(|text| text.as_str());
    let role = |role: Option<Role>| written("role") == role.map(Role::as_str);
    match order {
        Order::Kick { whom, why } => about(whom) && short("why", why),
        Order::Ban { whom, by, for_s, why } => {
            let marks = line.get("by").and_then(Json::items).unwrap_or_default();
            let is_read = |mark: &Json| by.iter().any(|by| mark.text() == Some(by.as_str()));
            let is_written = |by: &qun_core::By| marks.iter().any(|mark| mark.text() == Some(by.as_str()));
            let by = marks.iter().all(is_read) && by.iter().all(is_written);
            about(whom) && by && integer("for_s") == *for_s && short("why", why)
        }
        Order::Mute { whom, for_s, why } => about(whom) && integer("for_s") == *for_s && short("why", why),
        Order::Unban { whom } | Order::Unmute { whom } => about(whom),
        Order::Topic { topic } => short("text", topic),
        Order::Remove { which: Which::Message(seq), why } => integer("seq") == Some(seq.get()) && short("why", why),
        Order::Remove { which: Which::Newest(whom), why } => {
            line.get("seq").is_none() && about(whom) && short("why", why)
        }
        Order::Close { why } => short("why", why),
        Order::Open => true,
        Order::Role { whom, role: given } => about(whom) && role(*given),
        Order::Code(CodeOrder::Add { label, role: given, for_s, uses }) => {
            let role = role(Some(*given)) || (line.get("role").is_none() && *given == Role::default());
            let rest = integer("for_s") == *for_s && integer("uses") == *uses;
            written("do") == Some("add") && written("label") == label.as_deref() && role && rest
        }
        Order::Code(CodeOrder::Rotate { label, after_s }) => {
            written("do") == Some("rotate") && written("label") == label.as_deref() && integer("after_s") == *after_s
        }
        Order::Code(CodeOrder::Retire { label, after_s, kick }) => {
            // At once is 0 seconds, said or not.
            let after = integer("after_s").filter(|&after| after > 0) == *after_s;
            let kick = line.get("kick").and_then(Json::flag).unwrap_or_default() == *kick;
            written("do") == Some("retire") && written("label") == Some(&**label) && after && kick
        }
    }
}
