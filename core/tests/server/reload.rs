//! Another configuration while people are in: what each change means for those who are, and for those who come.

use qun_core::log::Request;
use qun_core::server::{Note, Presence, Reason};
use qun_core::{Role, RoomId};
use serde_json::{Value, json};

use crate::world::{ANN, DEV, GUEST, HALL, OPS, World, access, millis, names, room, seconds, texts, types};

/// A code that no room has at the start.
const NEW: &str = "NEWC-0DE7";

fn id(room: &str) -> RoomId {
    room.parse().unwrap()
}

/// The room of this id is configured no more.
fn remove(world: &mut World, room: &str) {
    world.reload(|config| config.rooms.retain(|it| it.id.as_str() != room));
}

fn room_closed(line: &Value) {
    let expected = json!({
        "t": "left", "room": "ops", "code": "room_closed", "retry": "no", "text": "The room is closed."
    });
    assert_eq!(*line, expected);
}

// Rooms come and go.

#[test]
fn a_new_room_is_opened_like_any_other() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    assert_eq!(world.join(ann, NEW)["code"], "bad_code");
    world.reload(|config| config.rooms.push(room("lab", "The lab", Presence::Full, &[(NEW, Role::Talk)])));
    assert_eq!(world.notes.last(), Some(&Note::Reloaded { added: 1, removed: 0, changed: 0 }));
    world.quiet(ann);
    world.log.hold = true;
    world.ask(ann, json!({"t": "join", "id": "j2", "code": NEW}));
    assert!(matches!(&world.log.held[0], Request::Open { room, .. } if *room == id("lab")));
    world.release_all();
    let joined = world.only(ann);
    assert_eq!((&joined["re"], &joined["room"]["title"]), (&json!("j2"), &json!("The lab")));
    world.say(ann, "s1", "lab", "hello");
    assert_eq!(texts(&world.lines(ann)), ["hello"]);
}

#[test]
fn the_same_configuration_changes_nothing_for_anybody() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.person("bob", OPS));
    world.take(ann);
    world.reload(|_| {});
    assert_eq!(world.notes.last(), Some(&Note::Reloaded { added: 0, removed: 0, changed: 0 }));
    world.quiet(ann);
    world.quiet(bob);
    world.say(ann, "s1", "ops", "still here");
    assert_eq!(texts(&world.lines(ann)), ["still here"]);
    assert!(world.text(bob).contains("still here"));
}

#[test]
fn the_members_of_a_room_that_is_gone_are_told_why_and_keep_their_others() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.join(ann, DEV);
    world.take(ann);
    world.take(bob);
    remove(&mut world, "ops");
    room_closed(&world.only(ann));
    room_closed(&world.only(bob));
    assert!(world.notes.contains(&Note::RoomClosed { room: id("ops"), members: 2 }));
    world.say(ann, "s1", "dev", "and here I am");
    assert_eq!(texts(&world.lines(ann)), ["and here I am"]);
    for request in [
        json!({"t": "say", "id": "s2", "room": "ops", "text": "hello?"}),
        json!({"t": "history", "id": "h1", "room": "ops", "before": 9}),
        json!({"t": "leave", "id": "l1", "room": "ops"}),
        json!({"t": "join", "id": "j2", "room": "ops"}),
    ] {
        assert_eq!(world.call(bob, request)["code"], "not_member");
    }
}

#[test]
fn nobody_hears_of_the_others_who_are_put_out_with_them() {
    let mut world = World::new();
    let clients: Vec<_> = (0..5).map(|n| world.member(&format!("c{n}"), OPS)).collect();
    clients.iter().for_each(|&conn| drop(world.take(conn)));
    remove(&mut world, "ops");
    for conn in clients {
        room_closed(&world.only(conn));
    }
}

#[test]
fn what_was_said_in_a_room_that_is_gone_is_delivered_first() {
    for grew_first in [false, true] {
        let mut world = World::unpaced();
        let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
        world.log.grew_first = grew_first;
        world.log.hold = true;
        world.take(ann);
        world.say(ann, "s1", "ops", "one");
        world.say(ann, "s2", "ops", "two");
        remove(&mut world, "ops");
        world.quiet(ann);
        // Whoever speaks now is told at once that it is too late, in the order of what was said.
        let late = world.call(bob, json!({"t": "say", "id": "s3", "room": "ops", "text": "three"}));
        assert_eq!(
            (&late["re"], &late["code"], &late["text"]),
            (&json!("s3"), &json!("not_member"), &json!("That room is closed."))
        );
        assert_eq!(world.join(bob, OPS)["code"], "code_expired");
        world.release_all();
        for conn in [ann, bob] {
            let lines = world.lines(conn);
            assert_eq!(texts(&lines), ["one", "two"]);
            room_closed(lines.last().expect("a last line"));
        }
        assert_eq!(world.log.records("ops").len(), 2);
    }
}

#[test]
fn a_log_that_does_not_answer_holds_up_the_end_of_a_room_for_5_seconds() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.log.hold = true;
    world.say(ann, "s1", "ops", "one");
    world.take(ann);
    remove(&mut world, "ops");
    world.wait(millis(4_999));
    world.quiet(ann);
    world.wait(millis(2));
    room_closed(&world.only(ann));
    room_closed(&world.only(bob));
    // The answer is none of theirs any more; the room is forgotten behind it.
    world.release_all();
    world.quiet(ann);
    assert_eq!(world.log.closes, [id("ops")]);
    assert_eq!(world.call(ann, json!({"t": "ping", "n": 1}))["t"], "pong");
}

#[test]
fn a_refused_say_does_not_keep_a_room_open() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.log.hold = true;
    world.say(ann, "s1", "ops", "one");
    world.take(ann);
    remove(&mut world, "ops");
    world.log.broken = true;
    world.release_all();
    let lines = world.lines(ann);
    assert_eq!(types(&lines), ["error", "left"]);
    assert_eq!(lines[0]["code"], "unavailable");
}

#[test]
fn a_page_of_a_room_that_is_gone_is_refused_and_what_is_behind_it_goes_on() {
    let mut world = World::new();
    world.log.fill("ops", 10, |n| n.to_string());
    let ann = world.member("ann", OPS);
    world.log.hold = true;
    world.ask(ann, json!({"t": "history", "id": "h1", "room": "ops", "before": 9}));
    world.ask(ann, json!({"t": "ping", "n": 7}));
    world.take(ann);
    remove(&mut world, "ops");
    let lines = world.lines(ann);
    assert_eq!(types(&lines), ["error", "left", "pong"]);
    assert_eq!((&lines[0]["re"], &lines[0]["code"]), (&json!("h1"), &json!("not_member")));
    world.release_all();
    world.quiet(ann);
}

#[test]
fn who_was_about_to_leave_has_left_by_the_end_of_the_room() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.join(ann, DEV);
    world.log.hold = true;
    // A leave waits for everything that its session said.
    world.say(ann, "s1", "dev", "one");
    world.ask(ann, json!({"t": "leave", "id": "l1", "room": "ops"}));
    world.ask(ann, json!({"t": "ping", "n": 7}));
    world.take(ann);
    remove(&mut world, "ops");
    let lines = world.lines(ann);
    assert_eq!(types(&lines), ["left", "pong"]);
    assert_eq!((&lines[0]["re"], &lines[0]["code"]), (&json!("l1"), &json!("room_closed")));
}

#[test]
fn a_person_is_told_and_asked_for_another_code() {
    let mut world = World::new();
    let (bob, mei) = (world.person("bob", OPS), world.member("mei", OPS));
    world.take(bob);
    world.log.hold = true;
    world.send(bob, "last words\n");
    remove(&mut world, "ops");
    world.send(bob, "too late\n");
    assert_eq!(world.text(bob), "-- Not now: On-call is about to be closed.\r\n");
    world.release_all();
    assert_eq!(world.text(bob), "-- On-call is closed. To another room: /join CODE\r\n");
    assert_eq!(texts(&world.lines(mei)), ["last words"]);
    // What was being typed is no guess.
    world.send(bob, "is anybody there?\n");
    assert_eq!(world.text(bob), "-- You are in no room. /join CODE\r\n");
    world.send(bob, format!("/join {DEV}\n"));
    assert!(world.text(bob).starts_with("-- Development. 1 here: bob (you).\r\n"));
}

#[test]
fn a_person_on_the_way_from_one_room_to_another_arrives() {
    let mut world = World::new();
    let bob = world.person("bob", OPS);
    world.log.hold = true;
    world.send(bob, format!("last words\n/join {DEV}\n"));
    world.take(bob);
    remove(&mut world, "ops");
    world.release_all();
    let text = world.text(bob);
    assert!(text.starts_with("-- On-call is closed."), "{text:?}");
    assert!(text.contains("-- Development. 1 here: bob (you).\r\n"), "{text:?}");
}

#[test]
fn who_is_held_in_a_room_that_is_gone_is_not_there_when_coming_back() {
    let mut world = World::new();
    let ann = world.keyed("ann", ANN, OPS);
    world.reset(ann);
    remove(&mut world, "ops");
    assert!(world.notes.iter().any(|note| matches!(note, Note::Ended { .. })), "kept for the sake of its room");
    let ann = world.connect();
    assert_eq!(world.hello(ann, "ann", Some(ANN))["resumed"], false);
    assert_eq!(world.join(ann, OPS)["code"], "code_expired");
}

#[test]
fn who_is_back_and_not_in_again_loses_only_that_room() {
    let mut world = World::new();
    let ann = world.keyed("ann", ANN, OPS);
    world.join(ann, DEV);
    world.reset(ann);
    let ann = world.connect();
    assert_eq!(world.hello(ann, "ann", Some(ANN))["resumed"], true);
    remove(&mut world, "ops");
    world.quiet(ann);
    assert_eq!(world.join(ann, OPS)["code"], "code_expired");
    assert_eq!(world.join(ann, DEV)["here"], 1);
}

#[test]
fn who_is_held_in_two_rooms_is_still_held_in_the_other() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", DEV));
    world.join(ann, DEV);
    world.take(bob);
    world.reset(ann);
    remove(&mut world, "ops");
    world.quiet(bob);
    let ann = world.connect();
    assert_eq!(world.hello(ann, "ann", Some(ANN))["resumed"], true);
    assert_eq!(world.call(ann, json!({"t": "join", "id": "j2", "room": "dev", "tail": 0}))["here"], 2);
}

/// A room that is over keeps its place until the log has answered, or its members' says would never land.
#[test]
fn what_the_log_answers_after_the_end_of_a_room_still_lands() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.join(ann, DEV);
    world.log.hold = true;
    world.say(ann, "s1", "ops", "last words");
    remove(&mut world, "ops");
    world.wait(seconds(5));
    room_closed(&world.only(ann));
    world.ask(ann, json!({"t": "leave", "id": "l1", "room": "dev"}));
    world.quiet(ann);
    world.release_all();
    assert_eq!(types(&world.lines(ann)), ["left"]);
}

#[test]
fn a_slow_reader_gets_everything_of_a_room_that_is_gone() {
    let mut world = World::unpaced();
    let (ann, slow) = (world.member("ann", OPS), world.member("slow", OPS));
    world.take(slow);
    world.stall(slow, 0);
    for n in 0..20 {
        world.say(ann, &format!("s{n}"), "ops", "x");
    }
    remove(&mut world, "ops");
    assert_eq!(world.log.closes, [], "somebody has still to read of it");
    world.wait(seconds(1));
    world.unstall(slow);
    let lines = world.lines(slow);
    assert_eq!(texts(&lines).len(), 20);
    room_closed(lines.last().expect("a last line"));
    world.wait(seconds(1));
    assert_eq!(world.log.closes, [id("ops")]);
    assert_eq!(world.server.memory(), 0);
}

#[test]
fn a_room_that_comes_back_before_its_end_was_never_gone() {
    let mut world = World::new();
    let (ann, rooms) = (world.member("ann", OPS), world.config.rooms.clone());
    world.log.hold = true;
    world.say(ann, "s1", "ops", "one");
    world.take(ann);
    remove(&mut world, "ops");
    world.reload(|config| config.rooms = rooms);
    world.release_all();
    assert_eq!(texts(&world.lines(ann)), ["one"]);
    world.wait(seconds(10));
    world.say(ann, "s2", "ops", "two");
    assert_eq!(texts(&world.lines(ann)), ["two"]);
    assert_eq!(world.log.closes, []);
}

#[test]
fn a_room_that_comes_back_is_opened_again() {
    let mut world = World::new();
    let (ann, rooms) = (world.member("ann", OPS), world.config.rooms.clone());
    world.say(ann, "s1", "ops", "before");
    world.take(ann);
    remove(&mut world, "ops");
    room_closed(&world.only(ann));
    world.wait(seconds(1));
    assert_eq!(world.log.closes, [id("ops")]);
    world.reload(|config| config.rooms = rooms);
    // This log keeps what it has: the same history goes on.
    let joined = world.call(ann, json!({"t": "join", "id": "j2", "code": OPS, "tail": 0}));
    assert_eq!((&joined["head"], &joined["here"], &joined["epoch"]), (&json!(1), &json!(1), &json!("e9f2")));
    world.say(ann, "s2", "ops", "after");
    assert_eq!(texts(&world.lines(ann)), ["after"]);
}

#[test]
fn a_room_that_comes_back_while_it_is_still_read_goes_on() {
    let mut world = World::unpaced();
    let (ann, slow, rooms) = (world.member("ann", OPS), world.member("slow", OPS), world.config.rooms.clone());
    world.take(slow);
    world.stall(slow, 0);
    world.say(ann, "s1", "ops", "one");
    remove(&mut world, "ops");
    world.reload(|config| config.rooms = rooms);
    assert_eq!(world.join(ann, OPS)["here"], 1);
    world.say(ann, "s2", "ops", "two");
    world.unstall(slow);
    let lines = world.lines(slow);
    assert_eq!(texts(&lines), ["one"], "what was said after it was out is none of its");
    room_closed(lines.last().expect("a last line"));
    assert_eq!(world.log.closes, []);
}

#[test]
fn places_of_rooms_that_are_gone_are_used_again() {
    let mut world = World::new();
    let ann = world.client("ann");
    for n in 0..50 {
        let (name, code) = (format!("room-{n}"), format!("C0DE-{n:04}"));
        world.reload(|config| config.rooms = vec![room(&name, "A room", Presence::Full, &[(&code, Role::Talk)])]);
        assert_eq!(world.join(ann, &code)["room"]["id"], name);
        let overview = world.server.overview();
        assert!(overview.rooms.len() <= 2, "{overview:?}");
    }
    assert_eq!(world.log.closes.len(), 48 + 1, "all but the one that is there");
}

#[test]
fn a_room_that_nobody_has_opened_goes_without_a_word() {
    let mut world = World::new();
    remove(&mut world, "ops");
    assert_eq!(world.log.closes, []);
    assert!(world.notes.contains(&Note::RoomClosed { room: id("ops"), members: 0 }));
    assert_eq!(world.server.overview().rooms.len(), 2);
}

#[test]
fn who_waits_for_a_room_to_open_that_is_gone_is_refused() {
    let mut world = World::new();
    let (ann, rooms) = (world.client("ann"), world.config.rooms.clone());
    world.log.hold = true;
    world.ask(ann, json!({"t": "join", "id": "j1", "code": OPS}));
    world.ask(ann, json!({"t": "ping", "n": 7}));
    remove(&mut world, "ops");
    let lines = world.lines(ann);
    assert_eq!(types(&lines), ["error", "pong"]);
    assert_eq!((&lines[0]["re"], &lines[0]["code"]), (&json!("j1"), &json!("code_expired")));
    // It waits for another one now, and the answer for the first lets it into none.
    world.ask(ann, json!({"t": "join", "id": "j2", "code": DEV}));
    world.release();
    world.quiet(ann);
    world.reload(|config| config.rooms = rooms);
    world.release_all();
    assert_eq!(world.only(ann)["room"]["id"], "dev");
}

#[test]
fn a_server_that_goes_down_is_not_reloaded() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.log.hold = true;
    world.say(ann, "s1", "ops", "one");
    world.drain();
    remove(&mut world, "ops");
    world.take(ann);
    world.release_all();
    assert_eq!(types(&world.lines(ann)), ["msg", "bye"]);
}

#[test]
fn a_server_goes_down_while_a_room_closes() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.log.hold = true;
    world.say(ann, "s1", "ops", "one");
    remove(&mut world, "ops");
    world.drain();
    world.take(ann);
    world.release_all();
    let lines = world.lines(ann);
    assert_eq!(texts(&lines), ["one"]);
    assert_eq!(lines.last().expect("a last line")["t"], "bye");
    assert_eq!(world.server.connections(), 0);
}

// Codes change.

fn rotate(world: &mut World) {
    world.reload(|config| config.rooms[0].codes[0].code = NEW.parse().unwrap());
}

#[test]
fn a_code_that_is_gone_opens_nothing_and_who_is_in_by_it_stays() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.client("bob"));
    world.take(ann);
    rotate(&mut world);
    world.quiet(ann);
    let refused = world.join(bob, OPS);
    assert_eq!((&refused["code"], &refused["retry"]), (&json!("code_expired"), &json!("fix")));
    assert_eq!(world.join(bob, NEW)["here"], 2);
    world.take(bob);
    world.say(ann, "s1", "ops", "I am still here");
    assert_eq!(texts(&world.lines(bob)), ["I am still here"]);
}

#[test]
fn a_code_that_is_gone_is_no_guess() {
    let mut world = World::new();
    rotate(&mut world);
    let conn = world.client("bob");
    for _ in 0..20 {
        assert_eq!(world.join(conn, OPS)["code"], "code_expired");
    }
    let person = world.connect();
    for _ in 0..20 {
        world.send(person, format!("{OPS}\n"));
        assert_eq!(world.text(person), "That code has expired. Ask for a new one.\r\nRoom code: ");
    }
    assert!(!world.is_gone(person));
}

#[test]
fn who_came_by_a_code_that_is_gone_comes_back_by_it_after_a_cut() {
    let mut world = World::new();
    let ann = world.keyed("ann", ANN, OPS);
    world.reset(ann);
    rotate(&mut world);
    let ann = world.connect();
    assert_eq!(world.hello(ann, "ann", Some(ANN))["resumed"], true);
    assert_eq!(world.join(ann, OPS)["t"], "joined");
    // Not after the session has ended: then it is a code like any other that is gone.
    world.ask(ann, json!({"t": "leave", "id": "l1", "room": "ops"}));
    assert_eq!(world.join(ann, OPS)["code"], "code_expired");
}

#[test]
fn a_code_that_comes_back_opens_its_room_again() {
    let mut world = World::new();
    let (ann, bob, rooms) = (world.member("ann", OPS), world.client("bob"), world.config.rooms.clone());
    rotate(&mut world);
    world.reload(|config| config.rooms = rooms);
    assert_eq!(world.join(bob, OPS)["here"], 2);
    assert_eq!(world.join(bob, NEW)["code"], "code_expired");
    world.take(ann);
}

#[test]
fn a_code_may_be_given_to_another_room() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.client("bob"));
    world.reload(|config| {
        config.rooms[0].codes[0].code = NEW.parse().unwrap();
        config.rooms[1].codes.push(access(OPS, Role::Talk));
    });
    assert_eq!(world.join(bob, OPS)["room"]["id"], "dev");
    world.take(ann);
    world.say(ann, "s1", "ops", "still in ops");
    assert_eq!(texts(&world.lines(ann)), ["still in ops"]);
    assert_eq!(world.join(ann, OPS)["room"]["id"], "dev");
}

#[test]
fn a_person_who_has_told_the_code_and_not_the_name_is_asked_for_another_code() {
    let mut world = World::new();
    let bob = world.connect();
    world.send(bob, format!("{OPS}\n"));
    world.take(bob);
    rotate(&mut world);
    assert_eq!(world.text(bob), "\r\nThat code has expired. Ask for a new one.\r\nRoom code: ");
    world.send(bob, format!("{NEW} bob\n"));
    assert!(world.text(bob).starts_with("-- On-call. 1 here: bob (you).\r\n"));
}

#[test]
fn a_code_that_only_moved_still_opens_for_who_has_told_it() {
    let mut world = World::new();
    let bob = world.connect();
    world.send(bob, format!("{GUEST}\n"));
    world.take(bob);
    world.reload(|config| config.rooms[0].codes.reverse());
    world.quiet(bob);
    world.send(bob, "bob\n");
    assert!(world.text(bob).contains("You are in, to read."), "the code says the role, wherever it stands");
}

#[test]
fn who_wanted_to_go_to_a_room_whose_code_is_gone_stays_in_the_old_one() {
    let mut world = World::new();
    let bob = world.person("bob", DEV);
    world.log.hold = true;
    world.send(bob, format!("one\n/join {OPS}\n"));
    rotate(&mut world);
    assert_eq!(world.text(bob), "-- That code has expired. Ask for a new one.\r\n");
    world.release_all();
    world.send(bob, "/who\n");
    assert_eq!(world.text(bob), "-- 1 here: bob (you).\r\n");
}

#[test]
fn another_role_counts_at_once_and_is_told() {
    let mut world = World::new();
    let (ann, guest) = (world.member("ann", OPS), world.member("guest", GUEST));
    let person = world.connect();
    world.send(person, format!("{GUEST} bob\n"));
    world.take(person);
    world.take(guest);
    let say = |id| json!({"t": "say", "id": id, "room": "ops", "text": "may I?"});
    assert_eq!(world.call(guest, say("s1"))["code"], "read_only");
    world.take(ann);
    world.reload(|config| config.rooms[0].codes[1].role = Role::Talk);
    let lines = world.lines(guest);
    let told = json!({"t": "room", "room": {"id": "ops", "title": "On-call", "role": "talk"}});
    assert!(lines.contains(&told) && lines.len() == 3, "and the roster: {lines:?}");
    assert_eq!(world.text(person), "-- You may speak here now.\r\n");
    let told = world.lines(ann);
    let told: Vec<_> = told.iter().map(|line| (&line["ev"], &line["name"], &line["role"])).collect();
    let talk = json!("talk");
    assert_eq!(told, [(&json!("role"), &json!("guest"), &talk), (&json!("role"), &json!("bob"), &talk)]);
    assert_eq!(world.call(guest, say("s2"))["id"], "s2");
    world.take(person);
    world.take(ann);
    world.reload(|config| config.rooms[0].codes[1].role = Role::Read);
    let lines = world.lines(guest);
    assert!(lines.iter().any(|line| line["room"]["role"] == "read"), "{lines:?}");
    assert_eq!(world.call(guest, say("s3"))["code"], "read_only");
    assert_eq!(world.text(person), "-- From now on you can read here, but not speak.\r\n");
}

#[test]
fn a_full_code_puts_nobody_out_and_lets_nobody_in() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.reload(|config| config.rooms[0].codes[0].max_members = Some(1));
    let mei = world.client("mei");
    assert_eq!(world.join(mei, OPS)["code"], "room_full");
    world.take(ann);
    assert_eq!(world.join(ann, OPS)["t"], "joined", "who is in may join again");
    world.ask(bob, json!({"t": "bye"}));
    assert_eq!(world.join(mei, OPS)["code"], "room_full");
    world.reload(|config| config.rooms[0].codes[0].max_members = Some(2));
    assert_eq!(world.join(mei, OPS)["t"], "joined");
}

#[test]
fn a_code_that_expires_earlier_lets_nobody_in_and_puts_nobody_out() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.wait(seconds(10));
    world.reload(|config| config.rooms[0].codes[0].expires = Some(crate::world::START));
    let mei = world.client("mei");
    assert_eq!(world.join(mei, OPS)["code"], "code_expired");
    world.take(ann);
    world.say(ann, "s1", "ops", "still here");
    assert_eq!(texts(&world.lines(ann)), ["still here"]);
}

// What a room is called, and how it tells who is in it.

#[test]
fn another_title_is_told() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.person("bob", OPS));
    world.take(ann);
    world.reload(|config| config.rooms[0].title = "Day shift".into());
    assert_eq!(world.notes.last(), Some(&Note::Reloaded { added: 0, removed: 0, changed: 1 }));
    assert_eq!(world.only(ann), json!({"t": "room", "room": {"id": "ops", "title": "Day shift", "role": "talk"}}));
    assert_eq!(world.text(bob), "-- The room is called Day shift now.\r\n");
    assert_eq!(world.join(ann, OPS)["room"]["title"], "Day shift");
}

#[test]
fn the_operator_is_told_how_many_rooms_are_others() {
    let mut world = World::new();
    world.reload(|config| {
        let [ops, dev, hall] = &mut config.rooms[..] else { panic!("three rooms") };
        (ops.title, dev.title) = ("Now".into(), "Then".into());
        hall.id = id("yard");
        let garden = room("garden", "The garden", Presence::Full, &[(NEW, Role::Talk)]);
        config.rooms.push(garden);
    });
    assert!(world.notes.contains(&Note::Reloaded { added: 2, removed: 1, changed: 2 }));
}

#[test]
fn one_who_does_not_read_costs_one_line_however_often_the_title_changes() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.take(ann);
    world.stall(ann, 0);
    for n in 0..10_000 {
        world.thorough = false;
        world.reload(|config| config.rooms[0].title = format!("Title {n}"));
    }
    world.unstall(ann);
    assert_eq!(world.only(ann)["room"]["title"], "Title 9999");
    // And nothing is left of the others that her lines would have to wait for.
    assert_eq!(world.call(ann, json!({"t": "ping", "n": 1}))["t"], "pong");
}

#[test]
fn a_person_who_reads_no_answers_is_told_no_titles() {
    let mut world = World::unpaced();
    let (ann, bob) = (world.person("ann", OPS), world.person("bob", OPS));
    world.stall(ann, 0);
    for _ in 0..4_000 {
        world.thorough = false;
        world.send(ann, "/who\n");
    }
    assert!(!world.reading(ann));
    world.reload(|config| config.rooms[0].title = "Elsewhere".into());
    assert_eq!(world.text(bob), "-- The room is called Elsewhere now.\r\n");
    world.unstall(ann);
    assert!(!world.text(ann).contains("Elsewhere now"));
}

#[test]
fn a_room_that_only_counts_from_here_on_tells_nobody_who_is_in() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.take(ann);
    world.reload(|config| config.rooms[0].presence = Presence::Count);
    assert_eq!(world.only(ann), json!({"t": "gap", "room": "ops", "from": 1, "to": 0, "here": 2}));
    world.ask(bob, json!({"t": "bye"}));
    world.quiet(ann);
    world.wait(seconds(5));
    assert_eq!(world.only(ann), json!({"t": "here", "room": "ops", "n": 1}));
}

#[test]
fn a_room_that_tells_who_is_in_from_here_on_begins_with_the_roster() {
    let mut world = World::new();
    let (ann, bob, mei) = (world.member("ann", HALL), world.member("bob", HALL), world.member("mei", HALL));
    world.say(mei, "s1", "hall", "hi");
    for conn in [ann, bob, mei] {
        world.take(conn);
    }
    // A number is due, and a number is not what it tells any more.
    world.ask(bob, json!({"t": "bye"}));
    world.reload(|config| config.rooms[2].presence = Presence::Full);
    let gap = world.only(ann);
    assert_eq!((&gap["t"], &gap["from"], &gap["to"], &gap["here"]), (&json!("gap"), &json!(2), &json!(1), &json!(2)));
    assert_eq!(names(&gap), ["ann", "mei"]);
    world.take(mei);
    world.wait(seconds(6));
    world.quiet(ann);
    world.ask(mei, json!({"t": "bye"}));
    assert_eq!(world.only(ann)["ev"], "out");
}

#[test]
fn who_is_in_from_here_on_is_told_behind_what_was_answered_before() {
    let mut world = World::new();
    let ann = world.member("ann", HALL);
    world.take(ann);
    world.stall(ann, 0);
    world.ask(ann, json!({"t": "ping", "n": 1}));
    world.reload(|config| config.rooms[2].presence = Presence::Full);
    world.unstall(ann);
    assert_eq!(types(&world.lines(ann)), ["pong", "gap"]);
}

#[test]
fn a_room_that_nobody_has_opened_may_tell_in_another_way() {
    let mut world = World::new();
    world.reload(|config| config.rooms[0].presence = Presence::Count);
    let ann = world.client("ann");
    let joined = world.join(ann, OPS);
    assert_eq!((&joined["here"], joined.get("members")), (&json!(1), None));
}

#[test]
fn a_room_too_large_to_say_who_is_in_goes_on_counting() {
    let mut world = World::with(|config| config.limits.full_members = 2);
    let members: Vec<_> = (0..3).map(|n| world.member(&format!("c{n}"), HALL)).collect();
    members.iter().for_each(|&conn| drop(world.take(conn)));
    world.reload(|config| config.rooms[2].presence = Presence::Full);
    assert!(world.notes.contains(&Note::TooManyToName { room: id("hall"), here: 3, most: 2 }));
    world.quiet(members[0]);
    world.ask(members[2], json!({"t": "bye"}));
    world.reload(|_| {});
    assert_eq!(names(&world.lines(members[0])[0]), ["c0", "c1"]);
}

// Limits.

#[test]
fn another_rate_counts_at_once_and_nobody_waits_for_the_old_one() {
    let mut world = World::with(|config| (config.limits.burst, config.limits.per_s) = (1_000, 1));
    let (ann, bob) = (world.member("ann", OPS), world.person("bob", OPS));
    for n in 0..1_000 {
        world.thorough = false;
        world.say(ann, &format!("s{n}"), "ops", "x");
    }
    world.send(bob, "x\n".repeat(1_010));
    assert!(!world.reading(bob));
    world.take(ann);
    world.reload(|config| (config.limits.burst, config.limits.per_s) = (10, 10));
    world.wait(millis(100));
    world.take(ann);
    world.say(ann, "again1", "ops", "y");
    assert_eq!(texts(&world.lines(ann)), ["y"]);
    world.wait(seconds(1));
    assert!(world.reading(bob), "ten a second, so ten in one");
}

#[test]
fn another_limit_of_guesses_counts_at_once() {
    let mut world = World::new();
    let guess = |world: &mut World| {
        let ann = world.connect_from("192.0.2.1:9");
        world.hello(ann, "ann", None);
        let answer = world.call(ann, json!({"t": "join", "id": "j1", "code": "WR0N-GGGG"}));
        world.reset(ann);
        (answer["code"].as_str().unwrap().to_owned(), answer["left"].as_u64())
    };
    let wrong = |left| ("bad_code".into(), left);
    assert_eq!([guess(&mut world), guess(&mut world)], [wrong(Some(9)), wrong(Some(8))]);
    world.reload(|config| config.limits.guess_burst = 4);
    assert_eq!([guess(&mut world), guess(&mut world)], [wrong(Some(1)), wrong(Some(0))]);
    assert_eq!(guess(&mut world).0, "locked");
    world.reload(|config| config.limits.guess_burst = 0);
    assert_eq!(guess(&mut world), wrong(None));
}

#[test]
fn a_line_may_be_as_long_as_its_client_was_told() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.reload(|config| {
        config.limits.line = 4_096;
        config.limits.text.bytes = 600;
    });
    world.take(ann);
    let long = json!({"t": "say", "id": "s1", "room": "ops", "text": "x".repeat(4_000), "padding": "y".repeat(8_000)});
    assert_eq!(world.call(ann, long.clone())["code"], "bad_text", "a text is measured by the limit of the day");
    let bob = world.connect();
    assert_eq!(world.hello(bob, "bob", None)["limits"]["line"], 4_096);
    world.ask(bob, long);
    assert_eq!(world.closed(bob), Some(Reason::TooBig));
}

#[test]
fn a_smaller_room_lets_go_of_the_oldest_at_once() {
    let mut world = World::unpaced();
    let (ann, slow) = (world.member("ann", OPS), world.member("slow", OPS));
    world.take(slow);
    world.stall(slow, 0);
    for n in 0..40 {
        world.say(ann, &format!("s{n}"), "ops", &"x".repeat(4_000));
    }
    let before = world.server.memory();
    world.reload(|config| config.limits.room_bytes = 64 << 10);
    assert!(world.server.memory() < 2 * (64 << 10) + 8_000 && world.server.memory() < before);
    world.unstall(slow);
    let lines = world.lines(slow);
    assert_eq!(lines[0]["t"], "gap");
    world.reload(|config| config.limits.room_bytes = 512 << 10);
    assert_eq!(world.join(ann, OPS)["t"], "joined");
}

#[test]
fn lines_that_waited_for_a_limit_go_on_when_it_is_lifted() {
    let mut world = World::with(|config| {
        config.limits.in_flight = 1;
        (config.limits.burst, config.limits.per_s) = (0, 0);
    });
    let ann = world.member("ann", OPS);
    world.log.hold = true;
    world.say(ann, "s1", "ops", "one");
    world.queue(ann, format!("{}\n", json!({"t": "ping", "n": 7})));
    world.send(ann, "");
    world.take(ann);
    world.quiet(ann);
    world.reload(|config| config.limits.in_flight = 64);
    assert_eq!(world.only(ann)["t"], "pong");
}

#[test]
fn a_shorter_handshake_counts_for_those_who_are_in_it() {
    let mut world = World::new();
    let conn = world.connect();
    world.wait(seconds(5));
    world.reload(|config| config.limits.handshake = seconds(8));
    world.wait(millis(2_999));
    assert!(!world.is_gone(conn));
    world.wait(millis(2));
    assert_eq!(world.closed(conn), Some(Reason::Handshake));
}

#[test]
fn another_language_is_spoken_from_the_next_line_on() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.person("bob", OPS));
    world.say(ann, "s1", "ops", "before");
    world.reload(|config| {
        config.language = qun_core::plain::Language::ZhCn;
        config.agent = "qun/9".into();
    });
    world.take(bob);
    world.send(bob, "/echo off\n");
    assert_eq!(world.text(bob), "-- 回显已关：你不会看到自己发的消息。\r\n");
    let mei = world.connect();
    assert_eq!(world.hello(mei, "mei", None)["server"], "qun/9");
}

#[test]
fn the_same_reloads_give_the_same_lines() {
    let run = || {
        let mut world = World::new();
        let (ann, rooms) = (world.keyed("ann", ANN, OPS), world.config.rooms.clone());
        world.say(ann, "s1", "ops", "one");
        rotate(&mut world);
        remove(&mut world, "ops");
        world.reload(|config| config.rooms = rooms);
        world.join(ann, OPS);
        world.received(ann).to_vec()
    };
    assert_eq!(run(), run());
}
