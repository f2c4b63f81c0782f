//! Those who break rules, or connections: nobody else notices.

use std::time::Instant;

use serde_json::json;

use crate::world::{DEV, OPS, PATIENCE, Server, WRONG};

#[test]
fn a_reset_in_mid_line_harms_nobody() {
    let mut server = Server::start();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    for n in 0..20 {
        let mut ann = server.connect();
        ann.member(&format!("ann{n}"), OPS);
        ann.say("ops", &format!("whole {n}"));
        bob.until(|line| line["text"] == format!("whole {n}"));
        ann.send("{\"t\":\"say\",\"room\":\"ops\",\"text\":\"hal");
        ann.reset();
        bob.until(|line| line["ev"] == "out");
    }
    server.is_well();
}

#[test]
fn a_reset_before_a_word_harms_nobody() {
    let mut server = Server::start();
    for n in 0..200 {
        let mut wire = server.connect();
        match n % 4 {
            0 => {}
            1 => wire.send("K7Q"),
            2 => wire.send("{\"t\":\"hello\",\"v\":[1]}\n"),
            _ => wire.send("\u{16}\u{3}"),
        }
        wire.reset();
    }
    server.is_well();
}

#[test]
fn wrong_codes_until_locked() {
    let server = Server::start();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    let mut guesser = server.connect();
    guesser.hello("guesser", None);
    for left in (0..10).rev() {
        let error = guesser.join(WRONG);
        assert_eq!((&error["code"], &error["left"]), (&json!("bad_code"), &json!(left)));
    }
    let error = guesser.join(OPS);
    assert_eq!((&error["code"], &error["retry"]), (&json!("locked"), &json!("later")));
    assert!(error["wait_ms"].as_u64().is_some_and(|ms| ms <= 10_000));
    let mut person = server.connect();
    person.send(format!("{OPS} person\n"));
    person.hears("Too many wrong codes.");
    bob.say("ops", "I am in");
    bob.until(|line| line["text"] == "I am in");
    assert!(!server.log().contains("WR0N"), "a code is never logged");
}

#[test]
fn five_wrong_codes_close_netcat() {
    let server = Server::start();
    let mut person = server.connect();
    person.hears("Room code: ");
    for _ in 0..4 {
        person.send(format!("{WRONG}\n"));
        person.hears("Room code: ");
    }
    person.send(format!("{WRONG}\n"));
    assert!(person.rest().starts_with("That code does not open a room. No tries left."));
}

#[test]
fn a_reader_that_never_reads_is_closed_and_delays_nobody() {
    let server = Server::with("burst = 0\nper_s = 0\nstall_s = 1");
    let mut stalled = server.connect();
    stalled.narrow();
    stalled.member("stalled", OPS);
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.member("ann", OPS);
    bob.member("bob", OPS);
    let text = "x".repeat(4_000);
    let deadline = Instant::now() + PATIENCE;
    // What a stalled reader can hold in the kernel is bounded; behind that the server notices.
    while !server.log().contains("\"why\":\"slow\"") {
        assert!(Instant::now() < deadline, "it is never closed");
        ann.say("ops", &text);
        ann.until(|line| line["text"] == text);
        bob.until(|line| line["text"] == text);
    }
    server.until_logs("closed", |entry| entry["why"] == "slow");
    bob.say("ops", "good riddance");
    ann.until(|line| line["text"] == "good riddance");
}

#[test]
fn random_bytes_harm_nobody() {
    // Much of it is taken for codes.
    let mut server = Server::with("guess_burst = 100_000\nguess_per_s = 0");
    let mut bob = server.connect();
    bob.member("bob", OPS);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for n in 0..300 {
        let mut wire = server.connect();
        let length = random.below(2_000);
        let mut bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        match n % 5 {
            0 => bytes.splice(..0, b"{\"t\":\"hello\",\"v\":[1]}\n".iter().copied()).for_each(drop),
            1 => bytes.splice(..0, *b"{").for_each(drop),
            2 => bytes.splice(..0, *b"\xFF\xFB").for_each(drop),
            3 => bytes.splice(..0, *b"GET / HTTP/1.1\r\n").for_each(drop),
            _ => {}
        }
        // The server may close in the middle of it.
        let _ = wire.try_send(&bytes);
        if n % 2 == 0 {
            wire.reset();
        }
    }
    bob.say("ops", "quiet here");
    assert_eq!(bob.line()["text"], "quiet here");
    server.is_well();
}

#[test]
fn a_line_without_an_end_is_refused() {
    let server = Server::start();
    let mut wire = server.connect();
    wire.member("ann", DEV);
    let _ = wire.try_send("{".repeat(20_000));
    let bye = wire.rest();
    assert!(bye.contains("\"code\":\"too_big\""), "{bye:?}");
}

#[test]
fn a_browser_is_told_and_closed() {
    let server = Server::start();
    let mut browser = server.connect();
    browser.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let page = browser.rest();
    assert!(page.starts_with("HTTP/1.1 400 "), "{page:?}");
    assert!(!server.log().contains("wrong_code"));
}

/// Numbers that look random, and are the same each time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
