//! One port: what the first bytes decide, and when the prompt comes.

use qun_core::ConnId;
use qun_core::server::{Note, Reason};
use serde_json::json;

use crate::world::{OPS, WRONG, World, millis, seconds};

const HELLO: &str = r#"{"t":"hello","v":[1],"name":"ann"}"#;

fn wrong_guesses(world: &World) -> usize {
    world.notes.iter().filter(|note| matches!(note, Note::WrongCode { .. })).count()
}

/// A client that is sure to be json, as it gets a welcome.
fn is_welcomed(world: &mut World, conn: ConnId) -> bool {
    world.text(conn).trim_start_matches("\r\n").starts_with(r#"{"t":"welcome""#)
}

#[test]
fn silence_is_prompted_after_400_ms() {
    let mut world = World::new();
    let conn = world.connect();
    world.wait(millis(399));
    world.quiet(conn);
    world.wait(millis(1));
    assert_eq!(world.text(conn), "Room code: ");
    world.wait(seconds(5));
    world.quiet(conn);
}

#[test]
fn silence_decides_nothing() {
    let mut world = World::new();
    let conn = world.connect();
    world.wait(seconds(1));
    world.take(conn);
    world.send(conn, format!("{HELLO}\n"));
    let text = world.text(conn);
    assert!(text.starts_with("\r\n{\"t\":\"welcome\""), "{text:?}");
}

#[test]
fn a_brace_is_json_at_once_and_is_not_prompted() {
    let mut world = World::new();
    let conn = world.connect();
    world.send(conn, "{");
    world.wait(seconds(2));
    world.quiet(conn);
    world.send(conn, format!("{}\n", &HELLO[1..]));
    assert!(is_welcomed(&mut world, conn));
}

#[test]
fn a_json_first_line_may_be_longer_than_others() {
    let mut world = World::new();
    let conn = world.connect();
    let agent = "a".repeat(8_000);
    world.ask(conn, json!({"t": "hello", "v": [1], "agent": agent, "name": "ann"}));
    assert!(is_welcomed(&mut world, conn));
}

#[test]
fn a_telnet_command_is_plain_and_is_answered() {
    let mut world = World::new();
    let conn = world.connect();
    // IAC DO ECHO is declined.
    world.send(conn, b"\xFF\xFD\x01");
    assert_eq!(world.take(conn), b"Room code: \xFF\xFC\x01");
    world.send(conn, format!("{OPS} ann\r\n"));
    assert!(world.text(conn).contains("You are in."));
}

#[test]
fn any_other_line_answers_the_prompt() {
    let mut world = World::new();
    let conn = world.connect();
    world.send(conn, "k7qm2xd4\n");
    assert!(world.text(conn).starts_with("Your name ["));
}

#[test]
fn half_a_line_decides_nothing() {
    let mut world = World::new();
    let conn = world.connect();
    for byte in b"k7qm 2xd4" {
        world.send(conn, [*byte]);
        world.quiet(conn);
    }
    world.send(conn, "\n");
    assert!(world.text(conn).starts_with("Your name ["));
}

#[test]
fn who_has_begun_to_type_is_not_asked() {
    let mut world = World::new();
    let conn = world.connect();
    world.wait(millis(100));
    world.send(conn, "k7qm");
    world.wait(seconds(50));
    world.quiet(conn);
    world.send(conn, "2xd4\n");
    assert!(world.text(conn).starts_with("Your name"));
}

#[test]
fn http_is_refused_and_is_no_guess() {
    for request in
        ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "POST /K7QM-2XD4 HTTP/1.0\r\n\r\nx\r\n", "PRI * HTTP/1.9\n"]
    {
        let mut world = World::new();
        let conn = world.connect();
        world.send(conn, request);
        assert!(world.is_gone(conn), "{request:?}");
        assert_eq!(wrong_guesses(&world), 0, "{request:?}");
        assert!(!world.text(conn).contains("Room code"), "{request:?}");
    }
}

#[test]
fn tls_is_refused_and_is_no_guess() {
    let mut world = World::new();
    let conn = world.connect();
    world.send(conn, b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03");
    assert_eq!(world.closed(conn), Some(Reason::Protocol));
    assert_eq!(wrong_guesses(&world), 0);
}

#[test]
fn irc_is_refused_and_is_no_guess() {
    for line in ["CAP LS 302", "NICK ann", "USER a 0 * :a", "PASS x", "QUIT :x", "quit", "Ping x", "webirc a b c d"] {
        let mut world = World::new();
        let conn = world.connect();
        world.send(conn, format!("{line}\r\n"));
        assert!(world.is_gone(conn), "{line:?}");
        assert_eq!(wrong_guesses(&world), 0, "{line:?}");
    }
}

#[test]
fn a_word_that_only_begins_like_irc_is_a_guess() {
    for line in ["PINGPONG", "capital", "passw0rd", "quitter"] {
        let mut world = World::new();
        let conn = world.connect();
        world.send(conn, format!("{line}\n"));
        assert_eq!(wrong_guesses(&world), 1, "{line:?}");
    }
}

#[test]
fn a_source_that_spoke_http_is_not_prompted_for_a_minute() {
    let mut world = World::new();
    let browser = world.connect_from("203.0.113.9:1000");
    world.send(browser, "GET / HTTP/1.1\r\n\r\n");
    let spare = world.connect_from("203.0.113.9:1001");
    world.wait(seconds(5));
    world.quiet(spare);
    // Somebody at a terminal of that address asks for it.
    world.send(spare, "\n");
    assert_eq!(world.text(spare), "Room code: ");

    let elsewhere = world.connect_from("203.0.113.10:1000");
    world.wait(millis(400));
    assert_eq!(world.text(elsewhere), "Room code: ");

    world.wait(seconds(60) - millis(5_401));
    let within = world.connect_from("203.0.113.9:1002");
    world.wait(millis(1));
    let later = world.connect_from("203.0.113.9:1003");
    world.wait(millis(400));
    world.quiet(within);
    assert_eq!(world.text(later), "Room code: ", "the minute was over just then");
}

/// However many browsers come, what is remembered of them is bounded; those beyond it get the prompt.
#[test]
fn of_1024_sources_it_is_remembered_that_they_spoke_http() {
    let mut world = World::new();
    world.thorough = false;
    let address = |n: usize, port: u16| format!("10.9.{}.{}:{port}", n / 250, 1 + n % 250);
    let speak = |world: &mut World, n: usize| {
        let browser = world.connect_from(&address(n, 1000));
        world.send(browser, "GET / HTTP/1.1\r\n\r\n");
        assert!(world.is_gone(browser));
    };
    let prompted = |world: &mut World, n: usize| {
        let spare = world.connect_from(&address(n, 1001));
        world.wait(millis(400));
        let text = world.text(spare);
        world.reset(spare);
        text == "Room code: "
    };
    speak(&mut world, 0);
    world.wait(seconds(10));
    (1..=1_024).for_each(|n| speak(&mut world, n));
    assert!(!prompted(&mut world, 0) && !prompted(&mut world, 1_023) && prompted(&mut world, 1_024));
    // The first one's minute ends, and there is one place.
    world.wait(seconds(50) - millis(1_200));
    (2_000..2_002).for_each(|n| speak(&mut world, n));
    assert!(prompted(&mut world, 0) && !prompted(&mut world, 2_000) && prompted(&mut world, 2_001));
    assert!(!prompted(&mut world, 1_023), "the others are as they were");
}

#[test]
fn a_first_line_is_at_most_1024_bytes() {
    let mut world = World::new();
    let fits = world.connect();
    world.send(fits, format!("{}\n", "x".repeat(1_023)));
    assert!(!world.is_gone(fits));
    assert_eq!(wrong_guesses(&world), 1);

    let never_ends = world.connect();
    world.send(never_ends, "x".repeat(1_025));
    assert!(world.is_gone(never_ends));
    assert_eq!(wrong_guesses(&world), 1);
}

#[test]
fn telnet_makes_a_first_line_no_longer() {
    let mut world = World::new();
    let conn = world.connect();
    world.send(conn, [&b"\xFF\xFB\x1F"[..], &b"x".repeat(1_100)].concat());
    assert_eq!(world.closed(conn), Some(Reason::TooBig));
}

#[test]
fn who_never_gets_in_is_closed_after_a_minute() {
    let mut world = World::new();
    let (silent, half, asked) = (world.connect(), world.connect(), world.connect());
    world.send(half, "{\"t\":");
    world.send(asked, "k7qm2xd4\n");
    world.wait(seconds(59));
    assert!(![silent, half, asked].iter().any(|&conn| world.is_gone(conn)));
    world.wait(seconds(2));
    for conn in [silent, half, asked] {
        assert_eq!(world.closed(conn), Some(Reason::Handshake));
    }
    let bye = world.text(half);
    assert!(bye.contains(r#""code":"handshake""#), "{bye:?}");
}

#[test]
fn a_prompted_person_types_on_the_same_line() {
    let mut world = World::new();
    let conn = world.connect();
    world.wait(millis(400));
    world.take(conn);
    world.send(conn, format!("{WRONG}\n"));
    assert_eq!(world.text(conn), "That code does not open a room. 4 tries left.\r\nRoom code: ");
}
