//! Wrong passwords are limited.

use serde_json::json;

use super::*;
use crate::world::{ANN, BOB, OPS, millis, seconds, texts};

#[test]
fn wrong_passwords_are_limited_by_source_and_no_code_is_the_poorer_for_it() {
    let mut world = world();
    let thief = world.connect_from("203.0.113.7:1");
    for left in (0..10).rev() {
        assert_eq!(world.call(thief, hello("ann", Some(BOB), "wrong"))["left"], left);
        world.keep(&[], 0);
    }
    let error = world.call(thief, hello("mei", Some(BOB), "battery staple"));
    assert_eq!(
        (&error["code"], &error["retry"]),
        (&json!("locked"), &json!("later")),
        "right or wrong, it is not looked at"
    );
    assert!(error["wait_ms"].as_u64().unwrap() <= 10_000);
    let guest = world.connect_from("203.0.113.7:2");
    world.hello(guest, "x", None);
    assert_eq!(world.join(guest, OPS)["t"], "joined");
    world.wait(seconds(10));
    let again = world.connect_from("203.0.113.7:3");
    assert_eq!(world.call(again, hello("mei", Some(BOB), "battery staple"))["t"], "welcome");
}

#[test]
fn wrong_passwords_are_limited_by_account_wherever_they_come_from_and_living_sessions_notice_nothing() {
    let mut world = world();
    let ann = world.in_ops(ANN);
    for name in ["ann", "nobody"] {
        for _ in 0..10 {
            let thief = world.connect();
            assert_eq!(world.call(thief, hello(name, None, "wrong"))["code"], "bad_password");
            world.reset(thief);
            world.wait(millis(100));
        }
        let thief = world.connect();
        assert_eq!(
            world.call(thief, hello(name, None, SECRET))["code"],
            "locked",
            "{name}: whether there is such an account"
        );
    }
    world.say(ann, "s", "ops", "still here");
    assert_eq!(texts(&world.lines(ann)), ["still here"]);
    world.reset(ann);
    let again = world.connect();
    assert_eq!(world.hello(again, "ann", Some(ANN))["resumed"], true);
}

#[test]
fn a_source_has_no_more_passwords_on_their_way_than_it_may_have_wrong() {
    let mut world = world();
    world.hold_verdicts = true;
    for n in 0..12 {
        let conn = world.connect_from(&format!("203.0.113.7:{n}"));
        world.ask(conn, hello(&format!("name{n}"), None, "x"));
        if n % 2 == 0 {
            world.reset(conn);
        }
    }
    assert_eq!(world.asked.len(), 10);
}

#[test]
fn a_right_password_uses_nothing_up() {
    let mut world = world();
    for n in 0..30 {
        let conn = world.connect_from(&format!("203.0.113.7:{n}"));
        let welcome = world.call(conn, hello("ann", None, SECRET));
        assert_eq!(welcome["t"], "welcome", "{n}: {welcome}");
        world.reset(conn);
    }
}
