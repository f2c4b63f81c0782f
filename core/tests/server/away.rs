//! Acts on those who are away, on their way out, or not yet back; and answers of the log that come too late for them.

use qun_core::log::{Answer, Facts};
use qun_core::server::{Access, Input};
use qun_core::{ConnId, Role, SERVER_LINE};
use serde_json::{Value, json};

use crate::accounts::account;
use crate::world::{ANN, BOB, DEV, MEI, OPS, World, access, seconds, types};

const OWNER: &str = "0WNE-RC0D";

/// A world in which `ops` has an owner, ann.
fn world() -> (World, ConnId) {
    let mut world = World::with(|config| {
        config.rooms[0].codes =
            vec![access(OPS, Role::Talk), Access { label: "owners".into(), ..access(OWNER, Role::Owner) }];
        (config.limits.burst, config.limits.per_s) = (0, 0);
    });
    let ann = world.member("ann", OWNER);
    world.take(ann);
    (world, ann)
}

fn order(t: &str, rest: &Value) -> Value {
    let mut request = json!({"t": t, "id": "a1", "room": "ops"});
    for (key, value) in rest.as_object().expect("fields") {
        request[key] = value.clone();
    }
    request
}

/// Gives an order that is followed.
fn done(world: &mut World, conn: ConnId, t: &str, rest: Value) {
    world.take(conn);
    world.ask(conn, order(t, &rest));
    assert!(world.lines(conn).iter().any(|line| line["t"] == "ok" && line["re"] == "a1"));
}

#[test]
fn a_session_that_is_put_out_of_its_last_room_while_away_is_over() {
    let (mut world, ann) = world();
    let bob = world.keyed("bob", BOB, OPS);
    world.reset(bob);
    done(&mut world, ann, "kick", json!({"name": "bob"}));
    let other = world.connect();
    assert_eq!(world.hello(other, "bob", None)["name"], "bob", "the name is free");
}

#[test]
fn a_session_that_is_put_out_of_one_room_while_away_keeps_the_others() {
    let (mut world, ann) = world();
    let bob = world.keyed("bob", BOB, OPS);
    world.join(bob, DEV);
    world.reset(bob);
    done(&mut world, ann, "kick", json!({"name": "bob"}));
    let bob = world.connect();
    assert_eq!(world.hello(bob, "bob", Some(BOB))["resumed"], true);
    assert_eq!(world.call(bob, json!({"t": "join", "id": "j", "room": "dev"}))["t"], "joined");
}

#[test]
fn who_is_put_out_before_joining_again_is_still_on_the_server() {
    let (mut world, ann) = world();
    let bob = world.keyed("bob", BOB, OPS);
    world.reset(bob);
    let bob = world.connect();
    world.hello(bob, "bob", Some(BOB));
    done(&mut world, ann, "kick", json!({"name": "bob"}));
    assert_eq!(world.call(bob, json!({"t": "name", "id": "n", "name": "bob_w"}))["t"], "ok");
    assert_eq!(world.call(bob, json!({"t": "join", "id": "j", "room": "ops"}))["code"], "not_member");
    assert_eq!(world.call(bob, json!({"t": "join", "id": "j", "code": OPS}))["code"], "kicked");
}

#[test]
fn who_is_put_out_while_a_leave_waits_has_left_by_that() {
    let (mut world, ann) = world();
    let bob = world.member("bob", OPS);
    world.log.hold = true;
    world.ask(ann, order("kick", &json!({"name": "bob"})));
    world.say(bob, "late", "ops", "late");
    world.ask(bob, json!({"t": "leave", "id": "l1", "room": "ops"}));
    world.ask(bob, json!({"t": "ping", "n": 1}));
    world.release_all();
    let lines = world.lines(bob);
    let left: Vec<_> = lines.iter().filter(|line| line["t"] == "left").collect();
    assert_eq!(left.len(), 1, "{lines:#?}");
    assert_eq!((&left[0]["re"], &left[0]["code"]), (&json!("l1"), &json!("kicked")));
    assert_eq!(types(&lines).last(), Some(&"pong"), "what it said behind the leave is handled");
}

#[test]
fn a_person_who_is_put_out_on_the_way_to_another_room_gets_there() {
    let (mut world, ann) = world();
    let bob = world.person("bob", OPS);
    world.log.hold = true;
    world.ask(ann, order("kick", &json!({"name": "bob"})));
    world.send(bob, format!("late\n/join {DEV}\n"));
    world.release_all();
    let text = world.text(bob);
    assert!(text.contains("put out") && text.contains("Development"), "{text}");
    assert_eq!(world.log.records("ops").len(), 1, "the kick");
}

/// A room that is open has its facts from its tail, and what has changed since.
#[test]
fn what_the_log_recalls_late_takes_nothing_back() {
    let (mut world, ann) = world();
    done(&mut world, ann, "topic", json!({"text": "the deploy"}));
    let room = "ops".parse().expect("a room");
    world.haunt(Input::Log(Answer::Recalled { room, facts: Ok(Facts::default()) }));
    let mei = world.client("mei");
    assert_eq!(world.join(mei, OPS)["room"]["topic"], "the deploy");
}

#[test]
fn an_account_whose_name_is_written_otherwise_is_called_so_at_once() {
    let (mut world, owner) = world();
    world.reload(|config| config.accounts = vec![account("mei", "battery staple")]);
    let mei = world.connect();
    world.ask(mei, json!({"t": "hello", "v": [1], "name": "mei", "key": ANN, "password": "battery staple"}));
    world.ask(mei, json!({"t": "join", "code": OPS}));
    for conn in [mei, owner] {
        world.take(conn);
    }
    world.reload(|config| config.accounts = vec![account("Mei", "battery staple")]);
    for conn in [mei, owner] {
        let line = world.only(conn);
        assert_eq!((&line["ev"], &line["name"], &line["was"]), (&json!("name"), &json!("Mei"), &json!("mei")));
    }
}

#[test]
fn a_page_of_acts_fits_a_line() {
    let (mut world, ann) = world();
    for _ in 0..200 {
        done(&mut world, ann, "topic", json!({"text": "\"".repeat(300)}));
    }
    world.take(ann);
    world.ask(ann, json!({"t": "history", "id": "h1", "room": "ops", "before": 201, "limit": 200}));
    let line = world.text(ann);
    assert!((SERVER_LINE / 2..=SERVER_LINE).contains(&line.len()), "{}", line.len());
}

/// A reason is held twice, as it is and in what the act says, and so it stands on the wire.
#[test]
fn an_act_counts_as_what_it_holds() {
    let (mut world, ann) = world();
    world.member("bob", OPS);
    let mut grown = |why: &str| {
        let before = world.server.memory();
        for _ in 0..20 {
            done(&mut world, ann, "mute", json!({"name": "bob", "why": why}));
        }
        (world.server.memory() - before) / 20
    };
    let (short, long) = (grown("x"), grown(&"x".repeat(300)));
    assert!((4 * 299..4 * 299 + 8).contains(&(long - short)), "{long} and {short}");
}

#[test]
fn a_moderator_who_has_left_keeps_the_words_from_moderators() {
    let (mut world, ann) = world();
    let (bob, mei) = (world.keyed("bob", BOB, OPS), world.keyed("mei", MEI, OPS));
    for name in ["bob", "mei"] {
        done(&mut world, ann, "role", json!({"name": name, "role": "moderator"}));
    }
    world.say(bob, "s1", "ops", "as I said");
    let seq = world.log.records("ops").len();
    world.ask(bob, json!({"t": "leave", "id": "l1", "room": "ops"}));
    world.take(mei);
    assert_eq!(world.call(mei, order("remove", &json!({"seq": seq})))["code"], "forbidden");
    done(&mut world, ann, "remove", json!({"seq": seq}));
    // Who was given nothing has no such right, whatever others were given.
    let zoe = world.member("zoe", OPS);
    world.say(zoe, "s1", "ops", "me, too");
    let seq = world.log.records("ops").len();
    world.ask(zoe, json!({"t": "leave", "id": "l1", "room": "ops"}));
    done(&mut world, mei, "remove", json!({"seq": seq}));
}

#[test]
fn a_code_of_the_configuration_that_is_rotated_later_opens_until_then() {
    let (mut world, ann) = world();
    world.ask(ann, order("code", &json!({"do": "rotate", "label": "team", "after_s": 60})));
    let bob = world.client("bob");
    assert_eq!(world.join(bob, OPS)["t"], "joined");
    world.wait(seconds(61));
    let mei = world.client("mei");
    assert_eq!(world.join(mei, OPS)["code"], "code_expired");
}

#[test]
fn an_order_whose_fields_make_no_sense_says_which() {
    let (mut world, ann) = world();
    for (rest, code) in [
        (json!({"do": "retire", "label": ""}), "bad_field"),
        (json!({"do": "retire", "label": "x".repeat(128)}), "not_found"),
        (json!({"do": "retire", "label": "x".repeat(129)}), "bad_field"),
        (json!({"do": "retire", "label": "team", "kick": true, "after_s": 1}), "bad_field"),
    ] {
        assert_eq!(world.call(ann, order("code", &rest))["code"], code, "{rest}");
    }
    // After no time is at once.
    done(&mut world, ann, "code", json!({"do": "retire", "label": "team", "kick": true, "after_s": 0}));
}
