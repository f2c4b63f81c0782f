//! Hello, names, keys: sessions that begin, move from connection to connection, and end.

use qun_core::Key;
use qun_core::server::{Note, Reason};
use serde_json::json;

use crate::world::{ANN, BOB, DEV, OPS, START, World, names, seconds, types};

#[test]
fn a_hello_is_answered_by_what_there_is_to_know() {
    let mut world = World::new();
    let conn = world.connect();
    let welcome = world.hello(conn, "ann", Some(ANN));
    let key: Key = ANN.parse().unwrap();
    assert_eq!(
        welcome,
        json!({"t": "welcome", "re": "h0", "v": 1, "server": "qun/0.1", "m": key.member(), "name": "ann",
            "resumed": false, "now": START, "ping_s": 25, "grace_s": 60,
            "limits": {"line": 16384, "text": 4000, "lines": 64, "name": 32, "replay": 200, "burst": 10, "per_s": 2}})
    );
}

#[test]
fn until_a_hello_has_succeeded_every_other_request_is_bad_state() {
    let mut world = World::new();
    let conn = world.connect();
    for request in [
        json!({"t": "join", "id": "x", "code": OPS}),
        json!({"t": "say", "id": "x", "room": "ops", "text": "hi"}),
        json!({"t": "history", "id": "x", "room": "ops", "before": 9}),
        json!({"t": "leave", "id": "x", "room": "ops"}),
        json!({"t": "name", "id": "x", "name": "ann"}),
    ] {
        let error = world.call(conn, request.clone());
        assert_eq!((&error["code"], &error["re"], &error["retry"]), (&json!("bad_state"), &json!("x"), &json!("no")));
    }
    world.hello(conn, "ann", None);
    let again = world.call(conn, json!({"t": "hello", "id": "h1", "v": [1]}));
    assert_eq!((&again["code"], &again["re"]), (&json!("bad_state"), &json!("h1")));
}

#[test]
fn requests_may_be_pipelined_behind_the_hello() {
    let mut world = World::new();
    let conn = world.connect();
    let hello = json!({"t": "hello", "id": "h0", "v": [1], "name": "ann"});
    let join = json!({"t": "join", "id": "j1", "code": OPS});
    let say = json!({"t": "say", "id": "s1", "room": "ops", "text": "hi"});
    let leave = json!({"t": "leave", "id": "l1", "room": "ops"});
    world.send(conn, format!("{hello}\n{join}\n{say}\n{leave}\n"));
    assert_eq!(types(&world.lines(conn)), ["welcome", "joined", "msg", "left"]);
}

#[test]
fn a_version_that_there_is_not_ends_the_connection() {
    let mut world = World::new();
    let conn = world.connect();
    world.ask(conn, json!({"t": "hello", "v": [2, 3], "name": "ann"}));
    let bye = world.only(conn);
    assert_eq!((&bye["t"], &bye["code"], &bye["retry"]), (&json!("bye"), &json!("version"), &json!("no")));
    assert_eq!(world.closed(conn), Some(Reason::Version));

    let conn = world.connect();
    let welcome = world.call(conn, json!({"t": "hello", "v": [3, 1, 2]}));
    assert_eq!(welcome["v"], 1);
}

#[test]
fn who_has_no_name_is_given_one() {
    let mut world = World::new();
    let (a, b) = (world.connect(), world.connect());
    let a = world.call(a, json!({"t": "hello", "v": [1]}));
    let b = world.call(b, json!({"t": "hello", "v": [1], "name": null}));
    assert_eq!((&a["name"], &b["name"]), (&json!("guest-1"), &json!("guest-2")));
    world.client("guest-3");
    let conn = world.connect();
    assert_eq!(world.call(conn, json!({"t": "hello", "v": [1]}))["name"], "guest-4");
    // Who comes next is nobody who has gone.
    world.reset(conn);
    let conn = world.connect();
    assert_eq!(world.call(conn, json!({"t": "hello", "v": [1]}))["name"], "guest-5");
}

#[test]
fn a_bad_name_is_refused_and_another_hello_may_follow() {
    let mut world = World::new();
    let conn = world.connect();
    for name in ["", "a b", "a<b", "an\u{202E}n", &"n".repeat(33), &"字".repeat(22)] {
        let error = world.call(conn, json!({"t": "hello", "id": "h0", "v": [1], "name": name}));
        assert_eq!((&error["code"], &error["retry"]), (&json!("bad_name"), &json!("fix")), "{name:?}");
    }
    for (conn, name) in [(conn, "n".repeat(32)), (world.connect(), "字".repeat(21))] {
        assert_eq!(world.hello(conn, &name, None)["name"], json!(name));
    }
}

#[test]
fn a_taken_name_gets_a_suffix_at_hello() {
    let mut world = World::new();
    world.client("ann");
    for (name, given) in [("ann", "ann-2"), ("ANN", "ANN-3"), ("ａｎｎ", "ａｎｎ-4")] {
        let conn = world.connect();
        assert_eq!(world.hello(conn, name, None)["name"], given);
    }
    for n in 5..=12 {
        let conn = world.connect();
        let name = world.hello(conn, "ann", None)["name"].as_str().unwrap().to_owned();
        let suffix: u64 = name.strip_prefix("ann-").unwrap().parse().unwrap();
        assert!(if n < 10 { suffix == n } else { suffix >= 10 }, "a random one where many share a name: {name}");
    }
}

#[test]
fn the_operator_is_told_who_comes() {
    let mut world = World::new();
    world.keyed("ann", ANN, OPS);
    world.person("bob", OPS);
    let ann = world.connect();
    world.hello(ann, "ann", Some(ANN));
    let told = world.notes.iter().filter_map(|note| match note {
        Note::Welcomed { name, resumed, .. } => Some((name.as_str(), *resumed)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [("ann", false), ("bob", false), ("ann", true)]);
}

#[test]
fn the_operator_sees_sessions_with_and_without_a_connection() {
    let mut world = World::new();
    let (ann, bob, _silent) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS), world.connect());
    let counts = |world: &World| (world.server.overview().connections, world.server.overview().sessions);
    assert_eq!(counts(&world), (3, 2));
    world.reset(ann);
    assert_eq!(counts(&world), (2, 2));
    world.keep(&[bob], 60);
    assert_eq!(counts(&world).1, 1);
}

#[test]
fn a_name_is_free_when_its_session_is_over() {
    let mut world = World::new();
    let conn = world.client("ann");
    world.reset(conn);
    let conn = world.connect();
    assert_eq!(world.hello(conn, "Ann", None)["name"], "Ann");
}

#[test]
fn only_a_name_request_fails_with_name_taken() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.take(ann);
    let error = world.call(bob, json!({"t": "name", "id": "n1", "name": "ANN"}));
    assert_eq!((&error["code"], &error["re"], &error["retry"]), (&json!("name_taken"), &json!("n1"), &json!("fix")));
    let error = world.call(bob, json!({"t": "name", "id": "n2", "name": "a b"}));
    assert_eq!((&error["code"], &error["re"]), (&json!("bad_name"), &json!("n2")));
    world.quiet(ann);

    world.ask(bob, json!({"t": "name", "id": "n3", "name": "bob_w"}));
    let lines = world.lines(bob);
    assert!(lines.contains(&json!({"t": "ok", "re": "n3"})), "{lines:?}");
    let told = world.only(ann);
    assert_eq!((&told["ev"], &told["name"], &told["was"]), (&json!("name"), &json!("bob_w"), &json!("bob")));
    assert_eq!(world.connect_and_hello("bob"), "bob");
}

#[test]
fn a_name_may_change_its_case() {
    let mut world = World::new();
    let ann = world.client("ann");
    assert_eq!(world.call(ann, json!({"t": "name", "id": "n1", "name": "Ann"})), json!({"t": "ok", "re": "n1"}));
}

#[test]
fn the_same_key_is_the_same_member_under_any_name() {
    let mut world = World::new();
    let conn = world.connect();
    let first = world.hello(conn, "ann", Some(ANN))["m"].clone();
    world.ask(conn, json!({"t": "bye"}));
    let conn = world.connect();
    assert_eq!(world.hello(conn, "other", Some(ANN))["m"], first);
    let conn = world.connect();
    assert_ne!(world.hello(conn, "ann", Some(BOB))["m"], first);
}

#[test]
fn a_session_with_a_key_outlives_its_connection_by_the_grace() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    world.reset(ann);
    world.keep(&[bob], 59);
    world.quiet(bob);
    assert_eq!(world.connect_and_hello("ann"), "ann-2");
    world.wait(seconds(2));
    let out = world.only(bob);
    assert_eq!((&out["ev"], &out["name"], &out["why"]), (&json!("out"), &json!("ann"), &json!("lost")));
    assert_eq!(world.connect_and_hello("ann"), "ann");
}

#[test]
fn a_session_without_a_key_ends_with_its_connection() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.reset(ann);
    let out = world.only(bob);
    assert_eq!((&out["t"], &out["ev"], &out["name"]), (&json!("presence"), &json!("out"), &json!("ann")));
}

#[test]
fn who_comes_back_within_the_grace_was_never_away() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    world.reset(ann);
    world.wait(seconds(20));
    let ann = world.connect();
    let welcome = world.hello(ann, "ann", Some(ANN));
    assert_eq!((&welcome["resumed"], &welcome["name"]), (&json!(true), &json!("ann")));
    world.say(bob, "s1", "ops", "psst");
    world.quiet(ann);
    let joined = world.call(ann, json!({"t": "join", "id": "j2", "room": "ops", "tail": 0}));
    assert_eq!(names(&joined), ["ann", "bob"]);
    assert_eq!(joined["room"], json!({"id": "ops", "title": "On-call", "role": "talk"}));
    assert_eq!(types(&world.lines(bob)), ["msg"]);
}

#[test]
fn a_hello_with_the_key_of_a_live_session_takes_it_over() {
    let mut world = World::new();
    let (old, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    world.take(old);
    let new = world.connect();
    let welcome = world.hello(new, "ann", Some(ANN));
    assert_eq!((&welcome["resumed"], &welcome["name"]), (&json!(true), &json!("ann")));
    let bye = world.only(old);
    assert_eq!((&bye["t"], &bye["code"], &bye["retry"]), (&json!("bye"), &json!("replaced"), &json!("no")));
    assert_eq!(world.closed(old), Some(Reason::Replaced));
    world.call(new, json!({"t": "join", "id": "j2", "room": "ops", "tail": 0}));
    world.quiet(bob);
    world.say(new, "s1", "ops", "still here");
    assert_eq!(world.only(bob)["name"], "ann");
}

#[test]
fn the_old_connection_can_no_longer_touch_the_session() {
    let mut world = World::new();
    let (old, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    // The old connection is stuck, so that it is still open when the new one comes.
    world.stall(old, 0);
    world.say(bob, "s1", "ops", "hi");
    let new = world.connect();
    world.hello(new, "ann", Some(ANN));
    world.take(bob);
    world.say(old, "s2", "ops", "from the grave");
    world.ask(old, json!({"t": "leave", "id": "l1", "room": "ops"}));
    world.ask(old, json!({"t": "bye"}));
    if !world.is_gone(old) {
        world.reset(old);
    }
    world.quiet(bob);
    let joined = world.call(new, json!({"t": "join", "id": "j2", "room": "ops", "tail": 0}));
    assert_eq!(joined["t"], "joined", "{joined}");
}

#[test]
fn memberships_that_are_not_joined_again_end_with_the_grace() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    world.join(ann, DEV);
    world.reset(ann);
    let ann = world.connect();
    world.hello(ann, "ann", Some(ANN));
    world.call(ann, json!({"t": "join", "id": "j3", "room": "dev", "tail": 0}));
    world.keep(&[ann, bob], 70);
    let out = world.only(bob);
    assert_eq!((&out["ev"], &out["name"], &out["room"]), (&json!("out"), &json!("ann"), &json!("ops")));
    let error = world.call(ann, json!({"t": "join", "id": "j4", "room": "ops"}));
    assert_eq!(error["code"], "not_member");
    world.say(ann, "s1", "dev", "here I am");
    assert_eq!(world.only(ann)["text"], "here I am");
}

#[test]
fn memberships_that_are_not_joined_again_after_a_take_over_end_with_the_grace() {
    let mut world = World::new();
    let (old, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    let new = world.connect();
    world.hello(new, "ann", Some(ANN));
    assert_eq!(world.closed(old), Some(Reason::Replaced));
    world.keep(&[new, bob], 59);
    world.quiet(bob);
    world.keep(&[new, bob], 2);
    let out = world.only(bob);
    assert_eq!((&out["ev"], &out["name"], &out["why"]), (&json!("out"), &json!("ann"), &json!("lost")));
    assert!(!world.is_gone(new));
}

#[test]
fn joins_and_changes_of_name_are_rated_unless_either_number_is_zero() {
    for (burst, per_s, refused) in [(3, 1, true), (0, 1, false), (3, 0, false), (0, 0, false)] {
        let mut world = World::with(|config| (config.limits.acts_burst, config.limits.acts_per_s) = (burst, per_s));
        let ann = world.client("ann");
        let mut asked = |request: serde_json::Value| {
            (0..50).filter(|_| world.call(ann, request.clone())["code"] == "slow_down").count()
        };
        let names = asked(json!({"t": "name", "id": "n1", "name": "ann_w"}));
        let joins = asked(json!({"t": "join", "id": "j1", "code": OPS, "tail": 0}));
        assert_eq!((names > 0, joins > 0), (refused, refused), "{burst} at once and {per_s} a second");
    }
}

#[test]
fn a_goodbye_ends_the_session_at_once() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    world.take(ann);
    world.ask(ann, json!({"t": "bye"}));
    let bye = world.only(ann);
    assert_eq!((&bye["t"], &bye["code"], &bye["retry"]), (&json!("bye"), &json!("done"), &json!("no")));
    assert_eq!(world.closed(ann), Some(Reason::Done));
    let out = world.only(bob);
    assert_eq!((&out["ev"], &out["why"]), (&json!("out"), &json!("bye")));
    let ann = world.connect();
    assert_eq!(world.hello(ann, "ann", Some(ANN))["resumed"], false);
}

impl World {
    /// Which name somebody gets who asks for this one, and goes again.
    fn connect_and_hello(&mut self, name: &str) -> String {
        let conn = self.connect();
        let welcome = self.hello(conn, name, None);
        self.reset(conn);
        welcome["name"].as_str().unwrap().into()
    }
}
