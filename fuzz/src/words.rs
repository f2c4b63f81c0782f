//! Codes, names, texts and identifiers.

use qun_core::json::{Frame, Request};
use qun_core::{Code, CodeError, Epoch, Id, Key, MemberId, Name, RoomId, Text};

/// Reads bytes as everything that a person or a program may type: what is read reads back, and keeps its limits.
pub fn code(bytes: &[u8]) {
    let typed = String::from_utf8_lossy(bytes);
    if let Ok(code) = typed.parse::<Code>() {
        assert!((1..=Code::MAX_CHARS).contains(&code.canonical().chars().count()));
        // A word of another protocol may have been typed with a hyphen in it: so it never stands in a configuration.
        match code.canonical().parse::<Code>() {
            Ok(again) => assert_eq!(again, code),
            Err(error) => assert!(matches!(error, CodeError::Reserved(_)), "{error}"),
        }
        assert_eq!(format!("{code:?}"), "Code(…)", "no log ever shows a code");
    }
    if let Ok(name) = typed.parse::<Name>() {
        assert!(name.as_str().len() <= Name::MAX_BYTES && name.as_str().chars().count() <= Name::MAX_CHARS);
        assert_eq!(name.as_str().parse().as_ref(), Ok(&name));
        assert_eq!(name.with_suffix(2).as_str().parse(), Ok(name.with_suffix(2)));
        let _ = name.folded();
    }
    if let Ok(text) = typed.parse::<Text>() {
        assert_eq!(text.as_str(), typed);
        assert!(!typed.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
    }
    reads_back::<Id>(&typed);
    reads_back::<RoomId>(&typed);
    reads_back::<Epoch>(&typed);
    reads_back::<MemberId>(&typed);
    if let Ok(key) = typed.parse::<Key>() {
        assert_eq!(key.expose(), typed);
    }
    // What is read as a line of the wire is written as one that reads the same.
    if let Ok(request) = Request::decode(bytes) {
        let mut line = Vec::new();
        request.encode(&mut line);
        assert_eq!(Request::decode(whole(&line)), Ok(request));
    }
    if let Some(Ok(frame)) = Frame::decode(bytes)
        && frame != Frame::Unknown
        && !matches!(frame, Frame::Presence { change: qun_core::json::Change::Unknown, .. })
    {
        let mut line = Vec::new();
        frame.encode(&mut line);
        let again = Frame::decode(whole(&line)).expect("a line begins with a brace");
        assert_eq!(again.expect("it was written by us"), frame);
    }
}

fn reads_back<T: std::str::FromStr + ToString>(typed: &str) {
    if let Ok(word) = typed.parse::<T>() {
        assert_eq!(word.to_string(), typed);
    }
}

/// A line without its end, of which it has one.
fn whole(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").expect("a line ends");
    assert!(!line.contains(&b'\n'));
    line
}
