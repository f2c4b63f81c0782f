//! Codes: what opens a room, what a wrong one costs, and the limits of a room.

use qun_core::Role;
use qun_core::server::{Config, Note};
use serde_json::{Value, json};

use crate::world::{ANN, DEV, GUEST, HALL, OPS, START, WRONG, World, access, names, seconds, texts, types};

fn guess(world: &mut World, addr: &str, code: &str) -> Value {
    let conn = world.connect_from(addr);
    world.hello(conn, "guesser", None);
    let answer = world.call(conn, json!({"t": "join", "id": "j1", "code": code, "tail": 0}));
    world.reset(conn);
    answer
}

#[test]
fn a_code_is_the_same_however_it_is_typed() {
    for code in ["K7QM-2XD4", "k7qm2xd4", " k7 qm 2x d4 ", "K7QM–2XD4", "ｋ７ｑｍ２ｘｄ４"] {
        let mut world = World::new();
        let conn = world.client("ann");
        assert_eq!(world.join(conn, code)["t"], "joined", "{code:?}");
    }
    let mut world = World::new();
    let conn = world.client("ann");
    assert_eq!(world.join(conn, "HALL HALL")["t"], "joined", "I and L are 1");
    assert_eq!(world.join(conn, "devo-code")["t"], "joined", "O is 0");
}

#[test]
fn a_join_says_what_the_room_is() {
    let mut world = World::new();
    world.member("bob", OPS);
    let ann = world.client("ann");
    let joined = world.join(ann, OPS);
    assert_eq!(names(&joined), ["ann", "bob"]);
    for (field, value) in [
        ("re", json!("j1")),
        ("room", json!({"id": "ops", "title": "On-call", "role": "talk"})),
        ("here", json!(2)),
        ("epoch", json!("e9f2")),
        ("from", json!(1)),
        ("head", json!(0)),
        ("first", json!(1)),
    ] {
        assert_eq!(joined[field], value, "{field}");
    }
}

#[test]
fn what_is_said_in_one_room_reaches_only_that_room() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    let (mei, outside) = (world.member("mei", DEV), world.client("tom"));
    let both = world.member("zoe", OPS);
    world.join(both, DEV);
    for conn in [ann, bob, mei, both] {
        world.take(conn);
    }
    world.say(ann, "s1", "ops", "in ops");
    world.say(mei, "s2", "dev", "in dev");
    assert_eq!(texts(&world.lines(bob)), ["in ops"]);
    assert_eq!(texts(&world.lines(ann)), ["in ops"]);
    assert_eq!(texts(&world.lines(mei)), ["in dev"]);
    assert_eq!(texts(&world.lines(both)), ["in ops", "in dev"]);
    world.quiet(outside);
    let error = world.call(outside, json!({"t": "say", "id": "s3", "room": "ops", "text": "let me in"}));
    assert_eq!((&error["code"], &error["re"]), (&json!("not_member"), &json!("s3")));
    let error = world.call(outside, json!({"t": "history", "id": "h1", "room": "ops", "before": 9}));
    assert_eq!(error["code"], "not_member");
    let error = world.call(mei, json!({"t": "leave", "id": "l1", "room": "ops"}));
    assert_eq!(error["code"], "not_member");
    let unknown = world.call(outside, json!({"t": "say", "id": "s4", "room": "nowhere", "text": "x"}));
    assert_eq!(unknown["code"], "not_member", "whether a room exists is nobody's business");
    world.quiet(ann);
}

#[test]
fn a_wrong_code_says_how_many_are_left() {
    let mut world = World::new();
    let conn = world.client("ann");
    let error = world.join(conn, WRONG);
    let text = error["text"].as_str().unwrap();
    assert_eq!(error, json!({"t": "error", "re": "j1", "code": "bad_code", "retry": "fix", "left": 9, "text": text}));
    assert!(!text.contains("WR0N"), "a code is never repeated");
    assert_eq!(world.join(conn, "not a code: !")["left"], 8);
    assert_eq!(world.join(conn, "")["t"], "error");
}

#[test]
fn wrong_guesses_are_limited_by_source_across_the_dialects() {
    let mut world = World::new();
    let bob = world.member("bob", OPS);
    let person = world.connect_from("192.0.2.1:9");
    world.send(person, format!("{WRONG}\n"));
    for left in (0..9).rev() {
        assert_eq!(guess(&mut world, "192.0.2.1:10", WRONG)["left"], left);
    }
    for code in [WRONG, OPS] {
        let locked = guess(&mut world, "192.0.2.1:11", code);
        assert_eq!((&locked["code"], &locked["retry"]), (&json!("locked"), &json!("later")), "{code}");
        let wait = locked["wait_ms"].as_u64().unwrap();
        assert!((9_000..=10_000).contains(&wait), "{wait}");
    }
    world.take(person);
    world.send(person, format!("{OPS}\n"));
    let text = world.text(person);
    assert!(text.starts_with("Too many wrong codes. Try again in 10 seconds.\r\n"), "{text:?}");

    assert_eq!(guess(&mut world, "192.0.2.2:11", OPS)["t"], "joined", "another source");
    world.take(bob);
    world.say(bob, "s1", "ops", "not affected");
    assert_eq!(types(&world.lines(bob)), ["msg"]);

    world.wait(seconds(10));
    assert_eq!(guess(&mut world, "192.0.2.1:12", WRONG)["left"], 0);
    assert_eq!(guess(&mut world, "192.0.2.1:12", WRONG)["code"], "locked");
    world.wait(seconds(10));
    assert_eq!(guess(&mut world, "192.0.2.1:13", OPS)["t"], "joined");
}

#[test]
fn a_locked_source_is_let_in_after_the_wait_that_it_was_told() {
    let mut world = World::new();
    for _ in 0..10 {
        guess(&mut world, "192.0.2.1:10", WRONG);
    }
    world.wait(seconds(3));
    let wait = guess(&mut world, "192.0.2.1:11", OPS)["wait_ms"].as_u64().unwrap();
    world.wait(std::time::Duration::from_millis(wait));
    assert_eq!(guess(&mut world, "192.0.2.1:11", OPS)["t"], "joined");
}

#[test]
fn an_ipv6_source_is_its_64() {
    let mut world = World::new();
    for n in 0..10 {
        guess(&mut world, &format!("[2001:db8:0:1::{n:x}]:1"), WRONG);
    }
    assert_eq!(guess(&mut world, "[2001:db8:0:1:ffff::1]:1", OPS)["code"], "locked");
    assert_eq!(guess(&mut world, "[2001:db8:0:2::1]:1", OPS)["t"], "joined");
    for _ in 0..10 {
        guess(&mut world, "192.0.2.7:1", WRONG);
    }
    assert_eq!(guess(&mut world, "[::ffff:192.0.2.7]:1", OPS)["code"], "locked", "an IPv4 address in IPv6 clothes");
    world.wait(seconds(1));
    // The bits of that address, in front of those of another network.
    for network in ["[0:0:c000:207::1]:1", "[8000:0:c000:207::1]:1"] {
        assert_eq!(guess(&mut world, network, OPS)["t"], "joined");
    }
}

#[test]
fn the_whole_server_looks_at_20_wrong_guesses_a_second() {
    let mut world = World::new();
    let (addr, mut wrong) = (|n| format!("10.0.0.{n}:1"), 0);
    while guess(&mut world, &addr(wrong), WRONG)["code"] == "bad_code" {
        wrong += 1;
    }
    assert_eq!(wrong, 20);
    world.wait(seconds(1));
    assert_eq!(guess(&mut world, &addr(99), OPS)["t"], "joined");
}

#[test]
fn a_lock_never_affects_a_session_that_resumes() {
    let mut world = World::new();
    let ann = world.connect_from("192.0.2.1:1");
    world.hello(ann, "ann", Some(ANN));
    world.join(ann, OPS);
    world.reset(ann);
    for _ in 0..11 {
        guess(&mut world, "192.0.2.1:2", WRONG);
    }
    let ann = world.connect_from("192.0.2.1:3");
    assert_eq!(world.hello(ann, "ann", Some(ANN))["resumed"], true);
    for door in ["room", "code"] {
        let joined = world.call(ann, json!({"t": "join", "id": "j2", door: if door == "room" { "ops" } else { OPS }}));
        assert_eq!(joined["t"], "joined", "by its {door}");
    }
    assert_eq!(world.call(ann, json!({"t": "join", "id": "j3", "code": DEV}))["code"], "locked");
}

fn expiring(config: &mut Config) {
    let mut expiring = access("E4RL-1ER0", Role::Talk);
    expiring.expires = Some(START + 60_000);
    config.rooms[0].codes.push(expiring);
}

#[test]
fn an_expired_code_is_no_guess() {
    let mut world = World::with(expiring);
    assert_eq!(guess(&mut world, "192.0.2.1:1", "E4RL-1ER0")["t"], "joined");
    world.wait(seconds(60));
    for _ in 0..12 {
        let error = guess(&mut world, "192.0.2.1:1", "E4RL-1ER0");
        assert_eq!((&error["code"], &error["retry"]), (&json!("code_expired"), &json!("fix")));
    }
    assert!(!world.notes.iter().any(|note| matches!(note, Note::WrongCode { .. })));
}

#[test]
fn a_code_lets_so_many_in_at_once() {
    let mut world = World::with(|config| config.rooms[0].codes[0].max_members = Some(2));
    let first = world.member("one", OPS);
    world.member("two", OPS);
    let third = world.client("three");
    let error = world.join(third, OPS);
    assert_eq!((&error["code"], &error["retry"]), (&json!("room_full"), &json!("later")));
    assert!(error["wait_ms"].is_u64());
    let guest = world.client("guest");
    assert_eq!(world.join(guest, GUEST)["t"], "joined", "another code of the room");
    world.reset(first);
    assert_eq!(world.join(third, OPS)["t"], "joined");
}

#[test]
fn a_room_that_says_who_has_a_most() {
    let mut world = World::with(|config| config.limits.full_members = 2);
    for name in ["one", "two"] {
        world.member(name, OPS);
        world.member(name, HALL);
    }
    let third = world.client("three");
    assert_eq!(world.join(third, OPS)["code"], "room_full");
    assert_eq!(world.join(third, HALL)["t"], "joined", "a room that counts has none");
}

#[test]
fn a_session_is_in_so_many_rooms_at_most() {
    let mut world = World::with(|config| config.limits.rooms = 2);
    let ann = world.member("ann", OPS);
    world.join(ann, DEV);
    assert_eq!(world.join(ann, HALL)["code"], "room_full");
    let left = world.call(ann, json!({"t": "leave", "id": "l1", "room": "ops"}));
    assert_eq!(left, json!({"t": "left", "re": "l1", "room": "ops"}));
    assert_eq!(world.join(ann, HALL)["t"], "joined");
}

#[test]
fn a_code_to_read_is_not_one_to_talk() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    let guest = world.client("guest");
    assert_eq!(world.join(guest, GUEST)["room"]["role"], "read");
    world.take(ann);
    let error = world.call(guest, json!({"t": "say", "id": "s1", "room": "ops", "text": "hi"}));
    assert_eq!((&error["code"], &error["re"], &error["retry"]), (&json!("read_only"), &json!("s1"), &json!("no")));
    world.say(ann, "s2", "ops", "hello guest");
    assert_eq!(texts(&world.lines(guest)), ["hello guest"]);
}

#[test]
fn the_code_that_a_member_joined_by_last_says_the_role() {
    let mut world = World::with(|config| config.rooms[0].codes[1].max_members = Some(1));
    let (ann, bob) = (world.client("ann"), world.client("bob"));
    for (code, role, answer) in [(OPS, "talk", "msg"), (GUEST, "read", "error"), (OPS, "talk", "msg")] {
        assert_eq!(world.join(ann, code)["room"]["role"], role);
        let said = world.call(ann, json!({"t": "say", "room": "ops", "text": "may I?"}));
        assert_eq!(said["t"], answer);
        let full = world.join(bob, GUEST)["code"] == "room_full";
        assert_eq!(full, role == "read", "the one place among the readers");
        world.ask(bob, json!({"t": "leave", "room": "ops"}));
        world.take(ann);
    }
    // She has given her place among the readers back.
    assert_eq!(world.join(bob, GUEST)["t"], "joined");
    assert_eq!(world.join(ann, GUEST)["code"], "room_full");
}

#[test]
fn joins_have_a_rate_and_joining_again_after_a_cut_is_not_counted() {
    let rated = |config: &mut Config| (config.limits.acts_burst, config.limits.acts_per_s) = (3, 1);
    let mut world = World::with(rated);
    let ann = world.connect();
    world.hello(ann, "ann", Some(ANN));
    for code in [OPS, DEV, OPS] {
        assert_eq!(world.join(ann, code)["t"], "joined");
    }
    let error = world.join(ann, DEV);
    assert_eq!((&error["code"], &error["wait_ms"]), (&json!("slow_down"), &json!(1_000)));
    let error = world.call(ann, json!({"t": "name", "id": "n1", "name": "anna"}));
    assert_eq!(error["code"], "slow_down");
    world.reset(ann);
    let ann = world.connect();
    world.hello(ann, "ann", Some(ANN));
    for code in [OPS, DEV] {
        assert_eq!(world.join(ann, code)["t"], "joined");
    }
    assert_eq!(world.join(ann, HALL)["code"], "slow_down");
}

#[test]
fn a_room_joins_when_its_log_is_ready() {
    let mut world = World::new();
    world.log.hold = true;
    let ann = world.client("ann");
    world.ask(ann, json!({"t": "join", "id": "j1", "code": OPS}));
    world.ask(ann, json!({"t": "ping", "n": 1}));
    world.quiet(ann);
    world.release();
    assert_eq!(types(&world.lines(ann)), ["joined", "pong"]);
    let bob = world.client("bob");
    assert_eq!(world.join(bob, OPS)["t"], "joined", "no later join waits for a disk");
}

#[test]
fn a_log_that_fails_to_open_is_asked_again_with_the_next_join() {
    let mut world = World::new();
    world.log.broken = true;
    let ann = world.client("ann");
    let error = world.join(ann, OPS);
    assert_eq!((&error["code"], &error["retry"]), (&json!("unavailable"), &json!("later")));
    world.log.broken = false;
    assert_eq!(world.join(ann, OPS)["t"], "joined");
}

#[test]
fn connections_of_one_source_are_limited() {
    let mut world = World::with(|config| config.limits.connections_per_source = 2);
    let first = world.connect_from("192.0.2.1:1");
    let second = world.connect_from("192.0.2.1:2");
    let third = world.connect_from("192.0.2.1:3");
    assert!(!world.is_gone(first) && !world.is_gone(second) && world.is_gone(third));
    let other = world.connect_from("192.0.2.2:1");
    assert!(!world.is_gone(other));
    for local in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"] {
        for port in 1..=3 {
            let local = world.connect_from(&format!("{local}:{port}"));
            assert!(!world.is_gone(local), "a person on this machine, or everyone behind its proxy");
        }
    }
    world.reset(first);
    let again = world.connect_from("192.0.2.1:4");
    assert!(!world.is_gone(again));

    let mut world = World::with(|config| config.limits.connections_per_source = 0);
    for port in 1..100 {
        let conn = world.connect_from(&format!("192.0.2.1:{port}"));
        assert!(!world.is_gone(conn), "0 lifts the limit");
    }
}

#[test]
fn nothing_is_left_of_a_source_that_is_gone() {
    let mut world = World::new();
    for host in 1..=50 {
        let conn = world.connect_from(&format!("198.51.100.{host}:1"));
        world.reset(conn);
    }
    world.wait(seconds(60));
    let all = format!("{:?}", world.server);
    assert!(!all.contains("Source("), "{all}");
}
