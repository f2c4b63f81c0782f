//! Passwords: which are looked at, what their verdicts count for, and how many may be wrong.

use qun_core::server::{Input, Reason, Verdict, Verification};
use serde_json::json;

use super::*;
use crate::world::{ANN, BOB, OPS, World, seconds, types};

#[test]
fn a_wrong_password_and_an_unknown_account_get_the_same_answer_after_the_same_work() {
    let mut world = world();
    world.hold_verdicts = true;
    let (one, other) = (world.connect(), world.connect());
    world.ask(one, hello("ann", Some(ANN), "wrong"));
    world.ask(other, hello("nobody", Some(BOB), "wrong"));
    assert_eq!(world.asked.len(), 2, "both are verified");
    assert!(world.text(one).is_empty() && world.text(other).is_empty());
    world.judge();
    world.judge();
    let (one, other) = (world.only(one), world.only(other));
    assert_eq!(one, other);
    assert_eq!((&one["code"], &one["retry"], &one["left"]), (&json!("bad_password"), &json!("fix"), &json!(9)));
}

#[test]
fn the_right_password_of_one_account_opens_no_name_that_is_none() {
    let mut world = world();
    // An unknown name is verified against the hash of some account; whoever knows that password gets nothing by it.
    for (name, password) in [("nobody", SECRET), ("nobody", "battery staple"), ("mei", SECRET)] {
        let conn = world.connect();
        let error = world.call(conn, hello(name, Some(ANN), password));
        assert_eq!(error["code"], "bad_password", "{name}");
    }
}

#[test]
fn without_accounts_no_password_is_right_and_none_is_looked_at() {
    let mut world = World::new();
    let conn = world.connect();
    assert_eq!(world.call(conn, hello("ann", None, SECRET))["code"], "bad_password");
    assert_eq!(
        world.call(conn, json!({"t": "hello", "v": [1], "name": "ann"}))["t"],
        "welcome",
        "and may still say hello"
    );
}

#[test]
fn a_password_needs_a_name_and_is_one() {
    let mut world = world();
    let conn = world.connect();
    for request in [
        json!({"t": "hello", "id": "h", "v": [1], "password": "x"}),
        json!({"t": "hello", "id": "h", "v": [1], "name": "ann", "password": ""}),
        json!({"t": "hello", "id": "h", "v": [1], "name": "ann", "password": "a\u{7}"}),
        json!({"t": "hello", "id": "h", "v": [1], "name": "ann", "password": "x".repeat(257)}),
        json!({"t": "hello", "id": "h", "v": [1], "name": "ann", "password": 7}),
    ] {
        let error = world.call(conn, request);
        assert_eq!((&error["code"], &error["re"]), (&json!("bad_field"), &json!("h")), "{error}");
        assert!(!error.to_string().contains("xxx"), "what was given is not shown back");
    }
    assert!(world.asked.is_empty());
}

#[test]
fn a_key_is_proof_enough_as_long_as_its_session_is_there() {
    let mut world = world();
    let ann = world.in_ops(ANN);
    world.reset(ann);
    world.hold_verdicts = true;
    let again = world.connect();
    let welcome = world.call(again, hello("ann", Some(ANN), "whatever"));
    assert_eq!(welcome["resumed"], true);
    assert!(world.asked.is_empty(), "a storm of reconnects costs no hash");
    world.ask(again, json!({"t": "bye"}));
    let late = world.connect();
    world.ask(late, hello("ann", Some(ANN), SECRET));
    assert_eq!(world.asked.len(), 1, "the session is over");
}

#[test]
fn a_guests_key_is_no_proof_of_an_account() {
    let mut world = world();
    let guest = world.keyed("bob", ANN, OPS);
    let watcher = world.member("mei2", OPS);
    let thief = world.connect();
    assert_eq!(world.call(thief, hello("ann", Some(ANN), "wrong"))["code"], "bad_password");
    assert_eq!(world.closed(guest), None, "and nothing has become of the guest");
    world.take(watcher);
    let ann = world.connect();
    let welcome = world.call(ann, hello("ann", Some(ANN), SECRET));
    assert_eq!((&welcome["resumed"], &welcome["name"]), (&json!(false), &json!("ann")));
    assert_eq!(world.closed(guest), Some(Reason::Replaced));
    let told = world.only(watcher);
    assert_eq!((&told["ev"], &told["name"]), (&json!("out"), &json!("bob")));
}

#[test]
fn lines_wait_for_the_verdict_and_keep_their_order() {
    let mut world = world();
    world.hold_verdicts = true;
    let ann = world.connect();
    world.send(ann, format!("{}\n{{\"t\":\"join\",\"id\":\"j\",\"room\":\"dev\"}}\n", hello("ann", Some(ANN), SECRET)));
    world.quiet(ann);
    assert!(!world.reading(ann));
    world.judge();
    assert_eq!(types(&world.lines(ann)), ["welcome", "joined"]);
    assert!(world.reading(ann));
}

#[test]
fn a_verdict_that_never_comes_is_not_waited_for() {
    let mut world = world();
    world.hold_verdicts = true;
    let ann = world.connect();
    world.ask(ann, hello("ann", Some(ANN), SECRET));
    world.wait(seconds(11));
    let error = world.only(ann);
    assert_eq!((&error["code"], &error["retry"]), (&json!("unavailable"), &json!("later")));
    // Too late: whoever waits for another one is not let in by it.
    world.ask(ann, hello("mei", Some(ANN), "wrong"));
    world.judge();
    world.quiet(ann);
    world.judge();
    assert_eq!(world.only(ann)["code"], "bad_password");
}

#[test]
fn a_verdict_counts_for_the_connection_that_asked_and_no_other() {
    let mut world = world();
    world.hold_verdicts = true;
    let gone = world.connect();
    world.ask(gone, hello("ann", Some(ANN), SECRET));
    world.reset(gone);
    // The same place in the driver's table.
    let thief = world.connect();
    assert_eq!(thief.index, gone.index);
    world.ask(thief, hello("ann", Some(ANN), "wrong"));
    world.judge();
    world.quiet(thief);
    world.judge();
    assert_eq!(world.only(thief)["code"], "bad_password");
    world.haunt(Input::Verified { request: Verification(0), verdict: Verdict::Right });
    world.haunt(Input::Verified { request: Verification(99), verdict: Verdict::Right });
    world.quiet(thief);
}

#[test]
fn a_connection_that_is_being_closed_is_let_in_by_no_verdict() {
    let mut world = world();
    world.hold_verdicts = true;
    world.reload(|config| config.limits.verify = seconds(100));
    let late = world.connect();
    world.ask(late, hello("ann", Some(ANN), SECRET));
    world.wait(seconds(61));
    assert_eq!(world.closed(late), Some(Reason::Handshake));
    let drained = world.connect();
    world.ask(drained, hello("ann", Some(LAPTOP), SECRET));
    world.stall(drained, 0);
    world.drain();
    world.judge();
    world.judge();
    world.unstall(drained);
    assert!(world.lines(late).iter().chain(&world.lines(drained)).all(|line| line["t"] != "welcome"));
}

#[test]
fn a_verdict_on_an_account_that_has_changed_says_nothing() {
    for (change, code) in [
        (vec![account("ann", "another")], "unavailable"),
        (vec![], "bad_password"),
        (vec![account("bob", SECRET)], "bad_password"),
    ] {
        let mut world = world();
        world.hold_verdicts = true;
        let ann = world.connect();
        world.ask(ann, hello("ann", Some(ANN), SECRET));
        world.reload(|config| config.accounts = change);
        world.judge();
        assert_eq!(world.only(ann)["code"], code);
    }
}

#[test]
fn an_account_that_comes_meanwhile_is_verified_anew() {
    let mut world = world();
    world.hold_verdicts = true;
    let bob = world.connect();
    world.ask(bob, hello("bob", Some(BOB), "staple"));
    world.reload(|config| config.accounts.push(account("bob", "staple")));
    world.judge();
    assert_eq!(world.only(bob)["code"], "unavailable", "a decoy was verified");
    world.ask(bob, hello("bob", Some(BOB), "staple"));
    world.judge();
    assert_eq!(world.only(bob)["account"], "bob");
}

#[test]
fn no_note_and_no_debug_print_has_a_password() {
    let mut world = world();
    world.hold_verdicts = true;
    let (json, person) = (world.connect(), world.connect());
    world.ask(json, hello("ann", Some(ANN), SECRET));
    world.send(person, format!("/login ann\n{SECRET}\n"));
    assert_eq!(world.asked.len(), 2);
    // One that waits behind the first, and one whose line is not whole yet.
    world.ask(json, hello("mei", None, SECRET));
    let half = world.connect();
    world.send(half, hello("ann", None, SECRET).to_string());
    let shown = format!("{:?} {:?} {:?}", world.server, world.asked, world.notes);
    world.judge();
    world.judge();
    let shown = format!("{shown} {:?} {:?}", world.server, world.notes);
    assert!(!shown.contains(SECRET) && !shown.contains("hash of"));
    // Neither as the bytes of a buffer.
    let bytes: Vec<String> = SECRET.bytes().map(|byte| byte.to_string()).collect();
    assert!(!shown.contains(&bytes.join(", ")));
}
