//! Rooms come and go.

use qun_core::Role;
use qun_core::log::Request;
use qun_core::server::{Note, Presence};
use serde_json::json;

use super::*;
use crate::world::{ANN, DEV, OPS, World, millis, room, seconds, texts, types};

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
