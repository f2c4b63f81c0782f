//! Codes, names, texts and identifiers.

use std::fmt::Debug;
use std::str::FromStr;

use qun_core::{Code, CodeError, Epoch, Id, Key, MemberId, Name, RoomId, Text, Words};

/// Reads bytes as everything that a person or a program may type: what is read reads back, and keeps its limits.
pub fn words(bytes: &[u8]) {
    let typed = String::from_utf8_lossy(bytes);
    if let Ok(code) = typed.parse::<Code>() {
        assert!((1..=Code::MAX_CHARS).contains(&code.canonical().chars().count()));
        // A word of another protocol may have been typed with a hyphen in it: so it never stands in a configuration.
        for shown in [code.canonical(), &code.to_string()] {
            match shown.parse::<Code>() {
                Ok(again) => assert_eq!(again, code),
                Err(error) => assert!(matches!(error, CodeError::Reserved(_)), "{error}"),
            }
        }
        assert_eq!(format!("{code:?}"), "Code(…)", "no log ever shows a code");
    }
    if let Ok(name) = typed.parse::<Name>() {
        assert!(name.as_str().len() <= Name::MAX_BYTES && name.as_str().chars().count() <= Name::MAX_CHARS);
        assert_eq!(name.as_str().parse().as_ref(), Ok(&name));
        assert_eq!(name.with_suffix(2).as_str().parse(), Ok(name.with_suffix(2)));
        // What is compared does not change when it is compared again.
        if let Ok(folded) = format!("{:?}", name.folded()).parse::<Name>() {
            assert_eq!(folded.folded(), name.folded());
        }
    }
    if let Ok(text) = typed.parse::<Text>() {
        assert_eq!(text.as_str(), typed);
        assert!(!typed.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
    }
    if let Ok(words) = typed.parse::<Words>() {
        assert!(words.as_str().len() <= Words::MAX_BYTES);
        assert_eq!(words.as_str().parse().as_ref(), Ok(&words));
        assert!(words.are_in(&typed), "what was typed has what was typed");
        let places = words.places(&typed);
        assert!(places.iter().all(|place| typed.get(place.clone()).is_some_and(|found| !found.is_empty())));
    }
    reads_back::<Id>(&typed);
    reads_back::<RoomId>(&typed);
    reads_back::<Epoch>(&typed);
    reads_back::<MemberId>(&typed);
    if let Ok(key) = typed.parse::<Key>() {
        assert_eq!(key.expose(), typed);
        assert_eq!(format!("{key:?}"), "Key(…)", "no log ever shows a key");
    }
}

fn reads_back<T: FromStr + ToString + PartialEq + Debug>(typed: &str) {
    if let Ok(word) = typed.parse::<T>() {
        assert_eq!(word.to_string(), typed);
        assert_eq!(word.to_string().parse().ok(), Some(word));
    }
}
