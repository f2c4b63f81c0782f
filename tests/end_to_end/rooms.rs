//! The main job: people in rooms, by json and by netcat's bytes.

use std::time::Duration;

use serde_json::json;

use crate::world::{DEV, GUEST, HALL, OPS, Server, WRONG};

#[test]
fn three_clients_in_two_rooms() {
    let server = Server::start();
    let (mut ann, mut bob, mut mei) = (server.connect(), server.connect(), server.connect());
    ann.member("ann", OPS);
    bob.member("bob", OPS);
    mei.member("mei", DEV);
    ann.until(|line| line["ev"] == "in" && line["name"] == "bob");

    ann.say("ops", "in ops");
    mei.say("dev", "in dev");
    for (wire, text) in [(&mut ann, "in ops"), (&mut bob, "in ops"), (&mut mei, "in dev")] {
        assert_eq!(wire.line()["text"], text);
    }
    let refused = mei.call(json!({"t": "say", "room": "ops", "text": "let me in"}));
    assert_eq!(refused["code"], "not_member");
    bob.say("ops", "last");
    assert_eq!(ann.line()["text"], "last", "and nothing of the other room before it");

    drop(bob);
    let out = ann.line();
    assert_eq!((&out["ev"], &out["name"]), (&json!("out"), &json!("bob")));
}

#[test]
fn netcats_exact_bytes() {
    let server = Server::start();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    let mut ann = server.connect();
    assert_eq!(ann.hears("Room code: "), "Room code: ");
    ann.send(format!("{}\n", WRONG.to_lowercase()));
    let text = ann.hears("Room code: ");
    assert_eq!(text, "That code does not open a room. 4 tries left.\r\nRoom code: ");
    ann.send("k7qm 2xd4\n");
    ann.hears("Your name [guest-1]: ");
    ann.send("ann\n");
    let text = ann.hears("You are in.");
    assert!(text.starts_with("-- ops. 2 here: bob, ann (you).\r\n-- You are in."), "{text:?}");
    ann.send("deploy is green\n");
    bob.until(|line| line["text"] == "deploy is green" && line["name"] == "ann");
    bob.say("ops", "first line\nsecond line");
    let text = ann.hears("| second line\r\n");
    assert!(text.contains(" <bob> first line\r\n             | second line\r\n"), "{text:?}");
    ann.send("/quit\n");
    assert!(ann.rest().ends_with("-- Goodbye.\r\n"));
}

#[test]
fn a_script_sends_and_leaves() {
    let server = Server::start();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    let mut ci = server.connect();
    ci.send(format!("{OPS} ci\nbuild ok\nno end of line here"));
    ci.finish();
    let text = ci.rest();
    assert!(text.contains("You are in."), "{text:?}");
    bob.until(|line| line["text"] == "build ok");
    bob.until(|line| line["text"] == "no end of line here");
    bob.until(|line| line["ev"] == "out" && line["name"] == "ci");
}

#[test]
fn a_silent_client_delays_nobody() {
    let server = Server::start();
    let silent: Vec<_> = (0..20).map(|_| server.connect()).collect();
    let mut half = server.connect();
    half.send("{\"t\":");
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.member("ann", OPS);
    bob.member("bob", OPS);
    ann.say("ops", "anybody?");
    bob.until(|line| line["text"] == "anybody?");
    drop(silent);
}

#[test]
fn one_byte_at_a_time() {
    let server = Server::start();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    let mut ann = server.connect();
    let hello = json!({"t": "hello", "v": [1], "name": "ann"});
    let join = json!({"t": "join", "code": OPS});
    let say = json!({"t": "say", "room": "ops", "text": "s l o w l y, 慢慢地"});
    for byte in format!("{hello}\n{join}\n{say}\n").bytes() {
        ann.send([byte]);
    }
    bob.until(|line| line["text"] == "s l o w l y, 慢慢地");
    let mut person = server.connect();
    for byte in format!("{OPS} typist\r\nhello\r\n").bytes() {
        person.send([byte]);
    }
    bob.until(|line| line["text"] == "hello" && line["name"] == "typist");
}

#[test]
fn who_may_read_may_not_speak() {
    let server = Server::start();
    let (mut ann, mut guest) = (server.connect(), server.connect());
    ann.member("ann", OPS);
    guest.member("guest", GUEST);
    let refused = guest.call(json!({"t": "say", "room": "ops", "text": "hi"}));
    assert_eq!(refused["code"], "read_only");
    ann.say("ops", "welcome");
    guest.until(|line| line["text"] == "welcome");
}

#[test]
fn somebody_outside_hears_nothing() {
    let server = Server::start();
    let (mut ann, mut outside) = (server.connect(), server.connect());
    ann.member("ann", OPS);
    outside.hello("outside", None);
    for n in 0..5 {
        ann.say("ops", &format!("secret {n}"));
        ann.until(|line| line["text"] == format!("secret {n}"));
    }
    assert!(outside.is_silent_for(Duration::from_millis(100)));
    assert_eq!(outside.call(json!({"t": "history", "room": "ops", "before": 9}))["code"], "not_member");
}

#[test]
fn a_large_room_only_counts() {
    let server = Server::start();
    let mut ann = server.connect();
    ann.hello("ann", None);
    let joined = ann.join(HALL);
    assert_eq!((&joined["here"], joined.get("members")), (&json!(1), None));
}
