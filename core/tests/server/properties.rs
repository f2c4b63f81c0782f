//! What holds whatever people do, checked from outside on random scripts.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use qun_core::{ConnId, Entropy};
use serde_json::json;

use crate::script::{Play, Played, Tongue, steps};
use crate::world::{OPS, Split, Watch, World, millis, seconds};

/// What each connection received, but for the telnet options that were declined: these are answered at once, and where
/// between two lines that is, depends on the split.
fn streams(played: &Played) -> Vec<(ConnId, String)> {
    let text = |conn| String::from_utf8_lossy(&without_telnet(played.world.received(conn))).into_owned();
    played.conns.iter().map(|&(conn, _)| (conn, text(conn))).collect()
}

/// A stream as one stream for each room and one for the rest: the order of what two rooms say to one member is nobody's.
fn by_room(stream: &str) -> BTreeMap<String, Vec<&str>> {
    let mut rooms: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in stream.split_inclusive('\n') {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
        let room = value["room"].as_str().or(value["room"]["id"].as_str()).unwrap_or_default();
        rooms.entry(room.to_owned()).or_default().push(line);
    }
    rooms
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Isolation, contiguous seqs but for exact gaps, rosters that are the fold of what was told, one answer to each
    /// request, and everyone at the log's end.
    #[test]
    fn every_member_knows_what_the_log_and_the_room_are(steps in steps(40)) {
        let mut played = Played::new(&steps, Play::default());
        let watches = played.watches();
        let mut said: BTreeMap<(String, u64), serde_json::Value> = BTreeMap::new();
        for (conn, watch) in &watches {
            for msg in &watch.messages {
                let place = (msg["room"].as_str().unwrap().to_owned(), msg["seq"].as_u64().unwrap());
                let record = &played.world.log.records(&place.0)[place.1 as usize - 1];
                prop_assert_eq!(record.text.as_str(), msg["text"].as_str().unwrap());
                prop_assert_eq!(record.name.as_str(), msg["name"].as_str().unwrap());
                let first = said.entry(place).or_insert_with(|| msg.clone());
                prop_assert_eq!(&*first, msg, "the same message, told in two ways");
            }
            if played.world.is_gone(*conn) {
                continue;
            }
            for asked in played.asked.get(conn).into_iter().flatten() {
                prop_assert!(watch.answers.contains_key(asked), "no answer to {}", asked);
            }
            for (room, seen) in &watch.rooms {
                prop_assert_eq!(seen.next, played.world.log.records(room).len() as u64 + 1, "not at the end of {}", room);
            }
        }
        let mut rosters = BTreeMap::new();
        for (conn, watch) in watches.iter().filter(|(conn, _)| !played.world.is_gone(*conn)) {
            for (room, seen) in &watch.rooms {
                if let Some(roster) = &seen.roster {
                    let first = rosters.entry(room).or_insert(roster);
                    prop_assert_eq!(*first, roster, "{:?} sees others in {}", conn, room);
                }
            }
        }
    }

    #[test]
    fn any_split_of_input_and_output_gives_the_same_streams(steps in steps(25), seed: u8) {
        let whole = Played::new(&steps, Play::default());
        let split = Played::new(&steps, Play { split: Some(seed), ..Play::default() });
        for (whole, split) in streams(&whole).into_iter().zip(streams(&split)) {
            prop_assert_eq!(by_room(&whole.1), by_room(&split.1), "{:?}", whole.0);
        }
    }

    #[test]
    fn what_a_person_is_shown_is_whole_lines_that_nobody_forged(steps in steps(25)) {
        let played = Played::new(&steps, Play::default());
        for &(conn, _) in played.conns.iter().filter(|(_, tongue)| *tongue == Tongue::Plain) {
            let bytes: Vec<_> = without_telnet(played.world.received(conn));
            let text = String::from_utf8_lossy(&bytes).into_owned();
            for line in text.split("\r\n") {
                let line = line.trim_start_matches("Room code: ");
                let line = line.split_once("]: ").filter(|(prompt, _)| prompt.starts_with("Your name [")).map_or(line, |(_, line)| line);
                let is_timed = line.len() > 6 && line[..6].bytes().zip(*b"00:00 ").all(|(byte, like)| byte == like || byte.is_ascii_digit());
                let is_own = ["-- ", "     ", "That code ", "Too many wrong", "A name has", "The room is full", "ERROR :", "HTTP/1.1 ", "The server can't"]
                    .iter()
                    .any(|begin| line.starts_with(begin));
                let is_http = text.starts_with("HTTP/1.1 ");
                prop_assert!(line.is_empty() || is_timed || is_own || is_http || played.world.is_gone(conn), "{:?}", line);
                prop_assert!(!line.contains(|c: char| c.is_control() && c != '\t') || is_http, "{:?}", line);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn who_wakes_only_at_the_deadline_is_as_good_as_who_ticks_every_millisecond(steps in steps(15)) {
        let lazy = Played::new(&steps, Play::default());
        let eager = Played::new(&steps, Play { step: Some(millis(1)), ..Play::default() });
        for (lazy, eager) in streams(&lazy).into_iter().zip(streams(&eager)) {
            prop_assert_eq!(lazy, eager);
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_machine(steps in steps(25), seed: u8) {
        let play = Play { split: Some(seed), ..Play::default() };
        let (one, other) = (Played::new(&steps, play), Played::new(&steps, play));
        prop_assert!(one.world.server == other.world.server);
    }
}

/// Bytes of all kinds, with what the dialects look for among them.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        3 => vec(any::<u8>(), 0..12),
        2 => proptest::sample::select(vec![
            "\n", "\r\n", "{", "}", "\"t\":", "\"hello\"", "\"v\":[1]", "\"join\"", "\"say\"", "[", "]", ",", "null", "/join ",
            "/name ", "//", "\u{202E}", "\\u0000", " HTTP/1.1", "NICK ", "{\"t\":\"hello\",\"v\":[1]}\n", "{\"t\":\"ping\"}\n",
        ]).prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::sample::select(vec![b"\xFF\xFA".to_vec(), b"\xFF\xF0".to_vec(), b"\xFF\xFD\x01".to_vec(), b"\x16\x03".to_vec()]),
        1 => (0..3_000usize).prop_map(|length| vec![b'x'; length]),
    ];
    vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn bytes_of_somebody_without_a_code_reach_nobody(bytes in bytes(), seed: u8, ends: bool) {
        let mut world = World::new();
        let (bob, mei) = (world.member("bob", OPS), world.person("mei", OPS));
        world.take(bob);
        world.split = Split::Random(Entropy::new([seed; 32]));
        let conn = world.connect();
        world.send(conn, &bytes);
        if ends && !world.is_gone(conn) {
            world.finish(conn);
        }
        world.wait(seconds(5));
        world.quiet(bob);
        world.quiet(mei);
    }

    #[test]
    fn bytes_of_a_json_member_never_break_another_members_stream(bytes in bytes(), seed: u8) {
        let mut world = World::new();
        let mallory = world.member("mallory", OPS);
        let bob = world.connect();
        world.ask(bob, json!({"t": "hello", "v": [1], "name": "bob"}));
        world.ask(bob, json!({"t": "join", "id": "j1", "code": OPS}));
        let mei = world.person("mei", OPS);
        world.split = Split::Random(Entropy::new([seed; 32]));
        world.send(mallory, &bytes);
        world.wait(seconds(5));
        let mut watch = Watch::default();
        watch.feed(&world.lines(bob));
        prop_assert!(watch.messages.is_empty(), "no whole say is among these words: {:?}", watch.messages);
        world.text(mei);
    }

    #[test]
    fn bytes_of_a_plain_member_never_break_another_members_stream(bytes in bytes(), seed: u8) {
        let mut world = World::new();
        let mallory = world.person("mallory", OPS);
        let bob = world.connect();
        world.ask(bob, json!({"t": "hello", "v": [1], "name": "bob"}));
        world.ask(bob, json!({"t": "join", "id": "j1", "code": OPS}));
        let mei = world.person("mei", OPS);
        world.split = Split::Random(Entropy::new([seed; 32]));
        world.send(mallory, &bytes);
        world.wait(seconds(5));
        let mut watch = Watch::default();
        watch.feed(&world.lines(bob));
        for line in world.text(mei).split("\r\n") {
            prop_assert!(line.is_empty() || line.starts_with("-- ") || line.starts_with("12:00 "), "{:?}", line);
        }
    }
}

/// What the server declines stands among what it says.
fn without_telnet(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut bytes = bytes.iter();
    while let Some(&byte) = bytes.next() {
        if byte == 0xFF {
            bytes.nth(1);
        } else {
            text.push(byte);
        }
    }
    text
}
