//! Rooms, over real sockets: what is said in one reaches only that one.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use qun_tests::{HALL, Json, OPS, OPS_READ, Plain, Server};
use serde_json::{Value, json};

const NO_RATE: &str = "burst = 0";

fn texts(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter(|line| line["t"] == "msg").filter_map(|line| line["text"].as_str()).collect()
}

#[test]
fn what_is_said_in_a_room_reaches_only_that_room() {
    let server = Server::start(NO_RATE);
    let (mut ann, mut bob) = (Json::join(&server, "ann", OPS), Plain::join(&server, "bob", OPS));
    let mut mei = Json::join(&server, "mei", HALL);
    ann.say("ops", "a1", "for ops");
    assert_eq!(ann.expect("msg")["id"], "a1");
    bob.expect("<ann> for ops\r\n");
    bob.line("and back");
    assert_eq!(ann.expect("msg")["text"], "and back");
    mei.say("hall", "m1", "for the hall");
    // By the time of her echo, what was said in the other room is long on its way.
    let mut heard = Vec::new();
    while texts(&heard).is_empty() {
        heard.push(mei.next().unwrap());
    }
    heard.extend(mei.so_far());
    assert_eq!(texts(&heard), ["for the hall"]);
    assert!(heard.iter().all(|line| line["room"] != "ops"), "{heard:?}");
    assert!(texts(&ann.so_far()).is_empty());
}

#[test]
fn a_silent_client_delays_nobody() {
    let server = Server::start(NO_RATE);
    let _silent = Json::connect(&server);
    let mut half = Json::connect(&server);
    half.write(b"{\"t\":\"hel");
    let (mut ann, mut bob) = (Plain::join(&server, "ann", OPS), Plain::join(&server, "bob", OPS));
    ann.line("hello");
    bob.expect("<ann> hello\r\n");
}

#[test]
fn a_client_of_one_byte_at_a_time_is_understood() {
    let server = Server::start(NO_RATE);
    let mut ann = Json::join(&server, "ann", OPS);
    let mut slow = Plain::connect(&server);
    for byte in format!("\u{FF}\u{FB}k7qm 2xd4 字\r\nsaid in bytes\r\n").replace("\u{FF}\u{FB}", "").bytes() {
        slow.write(&[byte]);
    }
    let said = ann.expect("msg");
    assert_eq!((said["name"].as_str(), said["text"].as_str()), (Some("字"), Some("said in bytes")));
}

#[test]
fn a_reset_in_mid_line_harms_nobody() {
    let mut server = Server::start(NO_RATE);
    let (mut ann, mut bob) = (Json::join(&server, "ann", OPS), Plain::join(&server, "bob", OPS));
    for round in 0..50 {
        let mut cut = if round % 2 == 0 { Json::join(&server, "cut", OPS) } else { Json::connect(&server) };
        cut.write(b"{\"t\":\"say\",\"id\":\"x\",\"room\":\"ops\",\"text\":\"half a li");
        let socket = socket2::SockRef::from(cut.socket());
        socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(cut);
    }
    ann.say("ops", "a1", "still here");
    bob.expect("<ann> still here\r\n");
    assert_eq!(ann.expect("msg")["text"], "still here");
    server.logged("lost");
}

#[test]
fn wrong_codes_are_locked_and_members_are_not() {
    let mut server = Server::start("");
    let mut ann = Json::join(&server, "ann", OPS);
    let mut thief = Json::hello(&server, "thief");
    for left in (0..10).rev() {
        thief.send(&json!({"t": "join", "id": "j", "code": format!("WRONG-{left}")}));
        let error = thief.expect("error");
        assert_eq!(
            (error["code"].as_str(), error["left"].as_u64(), &error["re"]),
            (Some("bad_code"), Some(left), &json!("j"))
        );
    }
    thief.send(&json!({"t": "join", "code": OPS}));
    let error = thief.expect("error");
    assert_eq!((error["code"].as_str(), error["retry"].as_str()), (Some("locked"), Some("later")));
    assert!(error["wait_ms"].as_u64().is_some_and(|wait| (1..=10_000).contains(&wait)), "{error}");
    let mut person = Plain::connect(&server);
    person.line(OPS);
    person.expect("Too many wrong codes. Try again in ");

    ann.say("ops", "a1", "I am in");
    assert_eq!(ann.expect("msg")["id"], "a1");
    ann.send(&json!({"t": "join", "code": OPS}));
    ann.expect("joined");
    server.logged("locked");
    let log = format!("{:?}", server.log());
    assert!(!log.contains(OPS) && !log.contains("WRONG"), "{log}");
}

#[test]
fn a_reader_that_never_reads_is_closed_and_delays_nobody() {
    let mut server = Server::start("burst = 0\nstall_s = 1\nroom_bytes = 218112");
    let stuck = Json::join(&server, "stuck", OPS);
    socket2::SockRef::from(stuck.socket()).set_recv_buffer_size(4096).unwrap();
    let mut ann = Json::join(&server, "ann", OPS);
    let text = "x".repeat(3_000);
    for round in 0..600 {
        ann.say("ops", &format!("a{round}"), &text);
        assert_eq!(ann.expect("msg")["seq"], round + 1);
    }
    let closed = loop {
        let closed = server.logged("closed");
        if closed["why"] == "slow" {
            break closed;
        }
    };
    assert!(closed["peer"].is_string(), "{closed}");
    ann.say("ops", "last", "and on");
    assert_eq!(ann.expect("msg")["text"], "and on");
}

#[test]
fn a_code_to_read_does_not_speak() {
    let server = Server::start("");
    let mut guest = Json::join(&server, "guest", OPS_READ);
    guest.say("ops", "g1", "may I?");
    let error = guest.expect("error");
    assert_eq!((error["code"].as_str(), error["re"].as_str()), (Some("read_only"), Some("g1")));
}

/// What netcat sends of `printf 'K7QM-2XD4 ci\nbuild ok'`: no end to the last line, and then the end of its input.
#[test]
fn a_script_at_netcat_says_its_last_line_without_an_end() {
    let server = Server::start("");
    let mut ann = Json::join(&server, "ann", OPS);
    let mut script = Plain::connect(&server);
    script.write(format!("{OPS} ci\nbuild ok").as_bytes());
    script.socket().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(
        script.rest(),
        "-- On-call. 2 here: ann, ci (you).\r\n-- You are in. /who /name /me /history /join /leave /help /quit\r\n"
    );
    assert_eq!(ann.expect("msg")["text"], "build ok");
}

#[test]
fn the_real_netcat_talks() {
    let server = Server::start("");
    let mut ann = Plain::join(&server, "ann", OPS);
    let (host, port) = (server.addr.ip().to_string(), server.addr.port().to_string());
    let netcat = Command::new("nc").args([host, port]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut netcat) = netcat else {
        eprintln!("skipped: there is no nc here");
        return;
    };
    netcat.stdin.as_mut().unwrap().write_all(b"wrong\nk7qm 2xd4\nbob\nhello from nc\n/quit\n").unwrap();
    // A wrong code discards what came behind it, so that a script's next lines are not taken for guesses.
    let mut output = netcat.stdout.take().unwrap();
    let mut said = String::new();
    while !said.contains("4 tries left.\r\nRoom code: ") {
        let mut buffer = [0; 512];
        let n = output.read(&mut buffer).unwrap();
        assert!(n > 0, "{said}");
        said.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    netcat.stdin.take().unwrap().write_all(b"k7qm 2xd4\nbob\nhello from nc\n/quit\n").unwrap();
    ann.expect("<bob> hello from nc\r\n");
    ann.expect("-- bob left.\r\n");
    netcat.kill().unwrap();
    netcat.wait().unwrap();
}

#[test]
fn random_bytes_harm_nobody() {
    let server = Server::start("guess_per_s = 0\nguess_burst = 1000000");
    let mut ann = Json::join(&server, "ann", OPS);
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let beginnings: [&[u8]; 5] = [b"", b"{", b"\xFF", b"K7QM-2XD4 x\n", b"{\"t\":\"hello\",\"v\":[1]}\n"];
    for _ in 0..200 {
        let mut peer = Plain::connect(&server);
        let mut bytes = random.choice(beginnings).unwrap().to_vec();
        for _ in 0..random.usize(..2_000) {
            bytes.push(random.u8(..));
        }
        // It may be sent away before it has said everything.
        let _ = peer.socket().write_all(&bytes);
        if random.bool() {
            let _ = peer.socket().shutdown(std::net::Shutdown::Write);
        }
        peer = Plain::connect(&server);
        drop(peer);
    }
    ann.say("ops", "a1", "still here");
    while ann.expect("msg")["id"] != "a1" {}
}
