//! Accounts: whose a name is, who is one member, and which passwords are looked at.

use qun_core::server::{Account, Input, Listed, Note, Reason, Verdict, Verification};
use qun_core::{ConnId, PasswordHash, Role};
use serde_json::{Value, json};

use crate::world::{ANN, BOB, DEV, GUEST, MEI, OPS, WRONG, World, names, seconds, texts, types};

const LAPTOP: &str = "laptoplaptoplaptoplapt";
const SECRET: &str = "correct horse";

pub(crate) fn account(name: &str, password: &str) -> Account {
    Account { name: name.parse().unwrap(), hash: PasswordHash::new(&format!("hash of {password}")) }
}

pub(crate) fn listed(name: &str, role: Role) -> Listed {
    Listed { name: name.parse().unwrap(), role }
}

/// A world in which ann and mei have accounts, and ann needs no code for `dev`, where she is a moderator.
fn world() -> World {
    World::with(|config| {
        config.accounts = vec![account("ann", SECRET), account("mei", "battery staple")];
        config.rooms[1].accounts = vec![listed("Ann", Role::Moderator)];
    })
}

fn hello(name: &str, key: Option<&str>, password: &str) -> Value {
    json!({"t": "hello", "id": "h0", "v": [1], "name": name, "key": key, "password": password})
}

impl World {
    fn logged_in(&mut self, key: Option<&str>) -> ConnId {
        let conn = self.connect();
        let welcome = self.call(conn, hello("ann", key, SECRET));
        assert_eq!(welcome["t"], "welcome", "{welcome}");
        conn
    }

    fn in_ops(&mut self, key: &str) -> ConnId {
        let conn = self.logged_in(Some(key));
        assert_eq!(self.join(conn, OPS)["t"], "joined");
        conn
    }
}

#[test]
fn a_right_password_is_welcomed_with_the_account_and_its_rooms() {
    let mut world = world();
    let conn = world.connect();
    let welcome = world.call(conn, hello("ANN", Some(ANN), SECRET));
    assert_eq!(
        (&welcome["t"], &welcome["name"], &welcome["account"]),
        (&json!("welcome"), &json!("ann"), &json!("ann"))
    );
    assert_eq!(welcome["rooms"], json!([{"id": "dev", "title": "Development", "role": "moderator"}]));
    let joined = world.call(conn, json!({"t": "join", "id": "j1", "room": "dev"}));
    assert_eq!((&joined["t"], &joined["room"]["role"]), (&json!("joined"), &json!("moderator")));
    assert!(world.notes.iter().any(|note| matches!(note, Note::Welcomed { account: true, .. })));
}

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
fn nobody_else_has_the_name_of_an_account() {
    let mut world = world();
    let conn = world.connect();
    for (spelt, given) in [("ann", "ann-2"), ("ANN", "ANN-3"), ("ａｎｎ", "ａｎｎ-4")] {
        let conn = world.connect();
        assert_eq!(world.hello(conn, spelt, None)["name"], given, "a guest gets a suffix");
    }
    world.hello(conn, "bob", None);
    let error = world.call(conn, json!({"t": "name", "id": "n", "name": "aNN"}));
    assert_eq!(error["code"], "name_taken");
    let person = world.connect();
    world.send(person, format!("{OPS} ann\n"));
    assert!(world.text(person).contains("-- ann is taken: you are ann-"), "and is told so");
}

#[test]
fn an_account_is_called_what_it_is_called() {
    let mut world = world();
    let ann = world.logged_in(Some(ANN));
    assert_eq!(world.call(ann, json!({"t": "name", "id": "n", "name": "boss"}))["code"], "bad_state");
    assert_eq!(world.call(ann, json!({"t": "name", "id": "n2", "name": "ann"}))["t"], "ok");
    world.join(ann, OPS);
    world.reset(ann);
    let again = world.connect();
    let welcome = world.hello(again, "boss", Some(ANN));
    assert_eq!((&welcome["name"], &welcome["resumed"]), (&json!("ann"), &json!(true)));
}

#[test]
fn several_sessions_of_an_account_are_one_member() {
    let mut world = world();
    let bob = world.member("bob", OPS);
    let phone = world.in_ops(ANN);
    let came = world.only(bob);
    assert_eq!((&came["ev"], &came["name"]), (&json!("in"), &json!("ann")));
    let laptop = world.logged_in(Some(LAPTOP));
    let joined = world.join(laptop, OPS);
    assert_eq!((names(&joined), &joined["here"]), (vec!["ann", "bob"], &json!(2)));
    world.quiet(bob);
    world.say(phone, "s1", "ops", "from the phone");
    world.say(laptop, "s1", "ops", "from the laptop, under an id of its own");
    let heard = world.lines(bob);
    assert_eq!(texts(&heard).len(), 2);
    assert!(heard.iter().all(|line| line["m"] == came["m"]), "one member to others");
    assert_eq!(texts(&world.lines(phone)).len(), 2, "each hears the other");
    // The first goes, and nobody need know; with the last one she is gone.
    world.ask(phone, json!({"t": "bye"}));
    world.quiet(bob);
    world.ask(laptop, json!({"t": "leave", "id": "l", "room": "ops"}));
    let out = world.only(bob);
    assert_eq!((&out["ev"], &out["m"]), (&json!("out"), &came["m"]));
    assert_eq!(world.join(bob, OPS)["here"], 1);
}

#[test]
fn each_session_of_an_account_is_paced_and_resumed_by_itself() {
    let mut world = world();
    let phone = world.in_ops(ANN);
    let laptop = world.in_ops(LAPTOP);
    for n in 0..11 {
        world.say(phone, &format!("p{n}"), "ops", "x");
    }
    let told = world.lines(phone);
    assert!(told.iter().any(|line| line["code"] == "slow_down"));
    world.say(laptop, "l1", "ops", "y");
    assert!(texts(&world.lines(laptop)).contains(&"y"));
    world.reset(phone);
    let phone = world.connect();
    assert_eq!(world.hello(phone, "ann", Some(ANN))["resumed"], true);
    assert_eq!(world.closed(laptop), None, "the other one notices nothing");
}

#[test]
fn a_gap_and_a_count_have_an_account_once() {
    let mut world = World::with(|config| {
        config.accounts = vec![account("ann", SECRET)];
        config.rooms[2].accounts = vec![listed("ann", Role::Talk)];
    });
    let (phone, laptop) = (world.logged_in(Some(ANN)), world.logged_in(Some(LAPTOP)));
    for conn in [phone, laptop] {
        let joined = world.call(conn, json!({"t": "join", "room": "hall"}));
        assert_eq!(joined["here"], 1, "{joined}");
        world.take(conn);
    }
    world.wait(seconds(6));
    world.take(phone);
    world.reload(|config| config.rooms[2].presence = qun_core::server::Presence::Full);
    let gap = &world.lines(phone)[0];
    assert_eq!((names(gap), &gap["here"]), (vec!["ann"], &json!(1)));
}

#[test]
fn the_roster_has_the_highest_role_of_an_accounts_sessions() {
    let mut world = world();
    let bob = world.member("bob", OPS);
    let phone = world.logged_in(Some(ANN));
    world.join(phone, GUEST);
    assert_eq!(world.only(bob)["role"], "read");
    let laptop = world.logged_in(Some(LAPTOP));
    assert_eq!(world.join(laptop, OPS)["members"][1].get("role"), None, "talk, which is not written");
    let told = world.only(bob);
    assert_eq!((&told["ev"], &told["role"]), (&json!("role"), &json!("talk")));
    world.ask(laptop, json!({"t": "bye"}));
    let told = world.only(bob);
    assert_eq!((&told["ev"], &told["role"]), (&json!("role"), &json!("read")));
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
            world.wait(millis_100());
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

fn millis_100() -> std::time::Duration {
    crate::world::millis(100)
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

#[test]
fn an_account_that_is_gone_ends_its_sessions_and_its_name_is_free() {
    for change in [vec![], vec![account("ann", "another")]] {
        let is_gone = change.is_empty();
        let mut world = world();
        let bob = world.member("bob", OPS);
        let (here, away) = (world.in_ops(ANN), world.in_ops(LAPTOP));
        world.reset(away);
        world.take(bob);
        world.reload(|config| config.accounts = change);
        let bye = world.lines(here).pop().unwrap();
        assert_eq!((&bye["t"], &bye["code"], &bye["retry"]), (&json!("bye"), &json!("account_changed"), &json!("fix")));
        assert_eq!(types(&world.lines(bob)), ["presence"], "one goes, for both");
        for key in [ANN, LAPTOP] {
            let again = world.connect();
            let welcome = world.hello(again, "ann", Some(key));
            assert_eq!(
                (&welcome["resumed"], &welcome.get("account")),
                (&json!(false), &None),
                "the key is worth nothing any more"
            );
            assert_eq!(welcome["name"] == "ann", is_gone && key == ANN, "{welcome}");
        }
    }
}

#[test]
fn what_an_account_said_last_is_in_the_stream_before_it_is_out_and_until_then_its_key_and_name_are_nobodys() {
    let mut world = world();
    let bob = world.member("bob", OPS);
    let ann = world.in_ops(ANN);
    world.take(bob);
    world.log.hold = true;
    world.say(ann, "s", "ops", "last words");
    world.reload(|config| config.accounts.clear());
    let thief = world.connect();
    let welcome = world.hello(thief, "ann", Some(ANN));
    assert_eq!((&welcome["resumed"], &welcome["name"]), (&json!(false), &json!("ann-2")));
    world.release_all();
    assert_eq!(types(&world.lines(bob)), ["msg", "presence"]);
    let late = world.connect();
    assert_eq!(world.hello(late, "ann", None)["name"], "ann", "free, now that she is gone");
}

#[test]
fn a_guest_who_has_a_name_that_becomes_an_accounts_gets_another() {
    let mut world = world();
    let bob = world.member("bob", OPS);
    let person = world.person("eve", OPS);
    let held = world.keyed("mallory", MEI, OPS);
    world.reset(held);
    world.take(bob);
    world.reload(|config| config.accounts.extend([account("Eve", "x"), account("mallory", "x")]));
    let told = world.lines(bob);
    assert_eq!(told.iter().map(|line| &line["name"]).collect::<Vec<_>>(), ["eve-2", "mallory-2"]);
    assert!(world.text(person).contains("eve is taken: you are eve-2."));
    let again = world.connect();
    assert_eq!(world.hello(again, "mallory", Some(MEI))["name"], "mallory-2", "nor does it get it back");
}

#[test]
fn a_room_may_be_for_accounts_only_and_a_guest_with_its_code_is_told_so() {
    let mut world = world();
    world.reload(|config| config.rooms[0].guests = false);
    let guest = world.client("bob");
    let error = world.join(guest, OPS);
    assert_eq!((&error["code"], &error["retry"]), (&json!("no_guests"), &json!("fix")));
    assert_eq!(world.join(guest, WRONG)["left"], 9, "it was no guess; and a wrong code is one, as everywhere");
    let ann = world.logged_in(Some(ANN));
    assert_eq!(world.join(ann, OPS)["t"], "joined");
    let person = world.connect();
    world.send(person, format!("{OPS}\n"));
    assert!(world.text(person).contains("Only people with an account come in here: /login NAME"));
}

#[test]
fn a_server_may_be_for_accounts_only_and_who_is_in_stays() {
    let mut world = world();
    let here = world.keyed("bob", BOB, OPS);
    let naming = world.connect();
    world.send(naming, format!("{OPS}\n"));
    world.take(naming);
    world.reload(|config| config.guests = false);
    let guest = world.connect();
    let error = world.call(guest, json!({"t": "hello", "id": "h", "v": [1], "name": "eve"}));
    assert_eq!((&error["code"], &error["re"]), (&json!("no_guests"), &json!("h")));
    world.send(naming, "eve\n");
    assert!(world.text(naming).contains("Only people with an account"), "whoever was on the way in is looked at again");
    world.reset(here);
    let again = world.connect();
    assert_eq!(world.hello(again, "bob", Some(BOB))["resumed"], true);
    assert_eq!(world.join(again, OPS)["t"], "joined");
}

#[test]
fn no_room_is_told_of_to_those_whose_it_is_not() {
    let mut world = world();
    let (ann, guest) = (world.logged_in(Some(ANN)), world.client("bob"));
    let answers: Vec<Value> = [(ann, "ops"), (ann, "nowhere"), (guest, "dev"), (guest, "nowhere")]
        .into_iter()
        .map(|(conn, room)| world.call(conn, json!({"t": "join", "id": "j", "room": room})))
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer["code"] == "not_member"), "{answers:?}");
}

#[test]
fn a_room_that_lists_an_account_no_more_keeps_who_is_in() {
    let mut world = world();
    let ann = world.logged_in(Some(ANN));
    world.call(ann, json!({"t": "join", "room": "dev"}));
    world.reload(|config| config.rooms[1].accounts.clear());
    world.take(ann);
    world.say(ann, "s", "dev", "still here");
    assert_eq!(texts(&world.lines(ann)), ["still here"]);
    world.ask(ann, json!({"t": "leave", "room": "dev"}));
    world.take(ann);
    assert_eq!(world.call(ann, json!({"t": "join", "room": "dev"}))["code"], "not_member");
}

#[test]
fn a_role_by_account_counts_at_once_and_is_told() {
    let mut world = world();
    let bob = world.member("bob", DEV);
    let ann = world.logged_in(Some(ANN));
    world.join(ann, DEV);
    assert_eq!(world.only(bob)["role"], "moderator", "the higher of the code's and the account's");
    world.take(ann);
    world.reload(|config| config.rooms[1].accounts[0].role = Role::Owner);
    assert_eq!(world.only(bob)["role"], "owner");
    let told = world.lines(ann);
    assert_eq!(told.last().unwrap()["room"]["role"], "owner", "{told:?}");
    world.reload(|config| config.rooms[1].accounts.clear());
    assert_eq!(world.only(bob)["role"], "talk", "what the code gives is left");
}

#[test]
fn a_person_logs_in_at_the_prompt_for_the_code() {
    let mut world = world();
    let person = world.connect();
    world.send(person, "/login ann\n");
    assert!(world.text(person).ends_with("Password (it will be seen as you type): "));
    world.send(person, format!("{SECRET}\n"));
    let told = world.text(person);
    assert_eq!(told, "-- You are logged in as ann. Your rooms: dev. To one of them: /join ROOM\r\n");
    world.send(person, "/join dev\n");
    assert!(world.text(person).contains("You are in, as a moderator."));
    world.send(person, "/name boss\n/login mei\n");
    let told = world.text(person);
    assert_eq!(told, "-- Your name is your account's: ann.\r\n-- You are logged in as ann already.\r\n");
}

#[test]
fn a_person_logs_in_at_the_prompt_for_the_name_and_goes_where_the_code_leads() {
    let mut world = world();
    let person = world.connect();
    world.send(person, format!("{OPS}\n/login ann\n{SECRET}\nhello\n"));
    let told = world.text(person);
    assert!(told.contains("logged in as ann") && told.contains("You are in."), "{told}");
    let bob = world.client("bob");
    let joined = world.call(bob, json!({"t": "join", "id": "j1", "code": OPS, "tail": 0}));
    assert_eq!((names(&joined), &joined["head"]), (vec!["ann", "bob"], &json!(1)));
}

#[test]
fn a_person_who_is_in_becomes_the_account() {
    let mut world = world();
    let bob = world.member("bob", OPS);
    let person = world.person("guest", OPS);
    world.take(bob);
    world.send(person, format!("said as a guest\n/login ann\n{SECRET}\nsaid as ann\n"));
    let told = world.lines(bob);
    let who: Vec<_> = told.iter().map(|line| (line["ev"].as_str(), line["name"].as_str().unwrap())).collect();
    assert_eq!(who, [(None, "guest"), (Some("out"), "guest"), (Some("in"), "ann"), (None, "ann")]);
    assert!(!world.text(person).contains("said as ann"), "its own words are not shown back");
    assert_eq!(world.join(bob, OPS)["here"], 2);
}

#[test]
fn what_a_person_said_before_is_said_by_who_they_were() {
    let mut world = world();
    let person = world.person("guest", OPS);
    world.log.hold = true;
    world.hold_verdicts = true;
    world.send(person, format!("slow\n/login ann\n{SECRET}\n"));
    assert!(world.asked.is_empty(), "the password waits for what was said before it");
    world.release_all();
    assert_eq!(world.asked.len(), 1);
    world.judge();
    assert!(world.text(person).contains("logged in as ann"));
}

#[test]
fn behind_a_wrong_password_nothing_is_a_guess_or_is_said() {
    let mut world = world();
    let bob = world.member("bob", OPS);
    let person = world.connect();
    world.send(person, format!("/login ann\nwrong\n{WRONG}\n{WRONG}\n"));
    let told = world.text(person);
    assert!(told.contains("There is no account of that name and password. 4 tries left.\r\nRoom code: "), "{told}");
    assert!(!world.notes.iter().any(|note| matches!(note, Note::WrongCode { .. })));
    let guest = world.person("guest", OPS);
    world.take(bob);
    world.send(guest, "/login ann\nwrong\nfor her eyes only\n");
    assert!(world.text(guest).contains("There is no account of that name and password."));
    world.quiet(bob);
}

#[test]
fn five_wrong_passwords_close_as_five_wrong_codes_do() {
    let mut world = world();
    let person = world.connect();
    for _ in 0..4 {
        world.send(person, "/login ann\n");
        world.send(person, "wrong\n");
    }
    assert_eq!(world.closed(person), None);
    world.send(person, "WR0NGC0DE\n");
    assert_eq!(world.closed(person), Some(Reason::Flood));
}

#[test]
fn telnet_is_asked_to_hide_the_password_and_netcat_is_told_that_it_is_seen() {
    const HIDE: &[u8] = &[255, 251, 1];
    const SHOW: &[u8] = &[255, 252, 1];
    let mut world = world();
    let person = world.connect();
    // It offers something; that is declined, as ever.
    world.send(person, [255, 251, 31]);
    world.send(person, "/login ann\r\n");
    let told = world.take(person);
    assert!(told.windows(3).any(|bytes| bytes == HIDE) && told.ends_with(b"Password: "), "{told:?}");
    world.send(person, [255, 253, 1]);
    assert!(world.take(person).is_empty(), "what we offered is not declined");
    world.send(person, format!("{SECRET}\r\n"));
    let told = world.take(person);
    assert!(told.starts_with(SHOW), "{told:?}");
    let netcat = world.connect();
    world.send(netcat, "/login ann\n");
    let told = world.take(netcat);
    assert!(!told.contains(&255) && told.ends_with(b"seen as you type): "));
}

#[test]
fn a_message_of_one_session_is_shown_to_the_other_and_not_to_itself() {
    let mut world = world();
    let mut people = Vec::new();
    for _ in 0..2 {
        let person = world.connect();
        world.send(person, format!("{OPS}\n/login ann\n{SECRET}\n"));
        world.take(person);
        people.push(person);
    }
    world.send(people[0], "which of me?\n");
    assert_eq!(world.text(people[0]), "");
    assert!(world.text(people[1]).ends_with("<ann> which of me?\r\n"));
}

#[test]
fn no_note_and_no_debug_print_has_a_password() {
    let mut world = world();
    world.hold_verdicts = true;
    let (json, person) = (world.connect(), world.connect());
    world.ask(json, hello("ann", Some(ANN), SECRET));
    world.send(person, format!("/login ann\n{SECRET}\n"));
    assert_eq!(world.asked.len(), 2);
    let shown = format!("{:?} {:?} {:?}", world.server, world.asked, world.notes);
    world.judge();
    world.judge();
    let shown = format!("{shown} {:?} {:?}", world.server, world.notes);
    assert!(!shown.contains(SECRET) && !shown.contains("hash of"));
    // Neither as the bytes of a buffer.
    let bytes: Vec<String> = SECRET.bytes().map(|byte| byte.to_string()).collect();
    assert!(!shown.contains(&bytes.join(", ")));
}
