//! Who keeps order in a room: each rule of PROTOCOL.md, moderation.

use qun_core::Role;
use qun_core::log::Request;
use qun_core::server::{Config, Note, Presence};
use serde_json::{Value, json};

use crate::accounts::{account, listed};
use crate::world::{ANN, BOB, GUEST, MEI, OPS, Watch, World, names, room, seconds, texts, types};

const OWNER: &str = "0WNE-RC0D";
const KEEPER: &str = "KEEP-ERC0";

fn set(config: &mut Config) {
    let codes = [(OPS, Role::Talk), (GUEST, Role::Read), (KEEPER, Role::Moderator), (OWNER, Role::Owner)];
    config.rooms[0] = room("ops", "On-call", Presence::Full, &codes);
    for (access, label) in config.rooms[0].codes.iter_mut().zip(["team", "guests", "keepers", "owners"]) {
        access.label = label.into();
    }
    (config.limits.burst, config.limits.per_s) = (0, 0);
}

/// A world in which `ops` has a code for each role.
fn world() -> World {
    World::with(set)
}

/// The same log, and a server that has just begun.
fn restarted(before: World) -> World {
    let mut world = world();
    world.log = before.log;
    world
}

fn act(t: &str, rest: Value) -> Value {
    let mut request = json!({"t": t, "id": "a1", "room": "ops"});
    for (key, value) in rest.as_object().expect("fields") {
        request[key] = value.clone();
    }
    request
}

/// Asks, and takes the answer from among what comes.
fn order(world: &mut World, conn: qun_core::ConnId, t: &str, rest: Value) -> Value {
    world.take(conn);
    world.ask(conn, act(t, rest));
    let lines = world.lines(conn);
    let answer = lines.iter().find(|line| line["re"] == "a1");
    answer.unwrap_or_else(|| panic!("no answer among {lines:#?}")).clone()
}

fn done(world: &mut World, conn: qun_core::ConnId, t: &str, rest: Value) {
    let answer = order(world, conn, t, rest);
    assert!(answer["t"] == "ok" && answer["seq"].is_u64(), "{answer}");
}

fn is_refused(world: &mut World, conn: qun_core::ConnId, t: &str, rest: Value, code: &str) {
    let answer = order(world, conn, t, rest);
    assert_eq!((&answer["t"], &answer["code"]), (&json!("error"), &json!(code)), "{answer}");
}

#[test]
fn a_kick_is_a_record_then_the_end_of_the_membership_and_it_may_be_entered_again() {
    let mut world = world();
    let (ann, bob, mei) = (world.member("ann", KEEPER), world.member("bob", OPS), world.member("mei", OPS));
    let m = world.join(bob, OPS)["members"][1]["m"].clone();
    for conn in [ann, bob, mei] {
        world.take(conn);
    }
    world.ask(ann, act("kick", json!({"name": "BOB", "why": "spam"})));
    let lines = world.lines(mei);
    assert_eq!(types(&lines), ["msg", "presence"]);
    let record = &lines[0];
    assert_eq!(record["kind"], "kick");
    assert_eq!(record["act"], json!({"on": {"m": m, "name": "bob"}, "why": "spam"}));
    assert_eq!((&record["name"], &record["text"]), (&json!("ann"), &json!("put bob out: spam")));
    assert_eq!((&lines[1]["ev"], &lines[1]["why"], &lines[1]["m"]), (&json!("out"), &json!("kicked"), &m));
    let told = world.lines(bob);
    assert_eq!(types(&told), ["msg", "left"]);
    assert_eq!((&told[1]["code"], &told[1]["retry"]), (&json!("kicked"), &json!("no")));
    let told = world.lines(ann);
    assert_eq!(types(&told), ["msg", "presence", "ok"]);
    assert_eq!(told[2], json!({"t": "ok", "re": "a1", "seq": record["seq"]}));
    let held = world.call(bob, json!({"t": "join", "id": "j2", "room": "ops"}));
    assert_eq!(held["code"], "not_member", "its place is gone");
    assert_eq!(world.join(bob, OPS)["t"], "joined");
}

#[test]
fn nobody_acts_on_somebody_whose_role_is_not_below_nor_gives_what_is_not() {
    let mut world = world();
    let codes = [("reader", GUEST), ("talker", OPS), ("keeper", KEEPER), ("owner", OWNER)];
    let actors: Vec<_> = codes.iter().map(|(name, code)| world.member(name, code)).collect();
    let others: Vec<_> = codes.iter().map(|(name, code)| world.member(&format!("{name}2"), code)).collect();
    let [_, talk, keep, own] = actors[..] else { panic!("four") };
    for (at, actor) in actors.iter().enumerate() {
        for (below, (name, _)) in codes.iter().enumerate() {
            let target = format!("{name}2");
            let may = at >= 2 && below < at;
            let code = if at < 2 || below >= at { "forbidden" } else { "" };
            for t in ["kick", "ban", "mute"] {
                let answer = order(&mut world, *actor, t, json!({"name": target}));
                assert_eq!(answer["t"] == "ok", may, "{t} by {} of {name}: {answer}", codes[at].0);
                assert!(may || answer["code"] == code, "{answer}");
                if may && t != "mute" {
                    if t == "ban" {
                        done(&mut world, own, "unban", json!({"name": target}));
                    }
                    assert_eq!(world.join(others[below], codes[below].1)["t"], "joined");
                }
                if may && t == "mute" {
                    done(&mut world, own, "unmute", json!({"name": target}));
                }
            }
        }
    }
    for t in ["close", "open"] {
        for conn in [talk, keep] {
            is_refused(&mut world, conn, t, json!({}), "forbidden");
        }
    }
    for role in ["moderator", "talk", "read"] {
        for conn in [talk, keep] {
            is_refused(&mut world, conn, "role", json!({"name": "reader2", "role": role}), "forbidden");
            is_refused(&mut world, conn, "code", json!({"do": "add", "role": role}), "forbidden");
        }
    }
    is_refused(&mut world, own, "role", json!({"name": "reader2", "role": "owner"}), "forbidden");
    is_refused(&mut world, own, "code", json!({"do": "add", "role": "owner"}), "forbidden");
    is_refused(&mut world, own, "code", json!({"do": "rotate", "label": "owners"}), "forbidden");
    is_refused(&mut world, own, "code", json!({"do": "retire", "label": "owners"}), "forbidden");
    is_refused(&mut world, own, "kick", json!({"name": "owner"}), "forbidden");
}

#[test]
fn who_is_banned_is_out_and_stays_out_by_key_and_by_name_and_that_is_no_guess() {
    let mut world = world();
    let ann = world.member("ann", KEEPER);
    let bob = world.keyed("bob", BOB, OPS);
    done(&mut world, ann, "ban", json!({"name": "bob", "for_s": 60}));
    let told = world.lines(bob);
    assert_eq!((&told.last().unwrap()["code"], &told.last().unwrap()["retry"]), (&json!("banned"), &json!("no")));
    let again = world.join(bob, OPS);
    assert_eq!((&again["code"], &again["retry"]), (&json!("banned"), &json!("no")));
    assert!(again["wait_ms"].as_u64().is_some_and(|wait| (59_000..=60_000).contains(&wait)), "{again}");
    world.ask(bob, json!({"t": "bye"}));
    // By another name with the same key, and by the same name with another key.
    for (name, key) in [("robert", Some(BOB)), ("Bob", Some(MEI)), ("bob", None)] {
        let conn = world.connect();
        world.hello(conn, name, key);
        assert_eq!(world.join(conn, OPS)["code"], "banned", "{name}");
        world.ask(conn, json!({"t": "bye"}));
    }
    assert!(!world.notes.iter().any(|note| matches!(note, Note::WrongCode { .. })), "it is no guess");
    let person = world.connect();
    world.send(person, format!("{OPS} bob\n"));
    assert!(world.text(person).contains("You are banned from that room for 1 minute."));
    world.wait(seconds(61));
    let bob = world.connect();
    world.hello(bob, "bob", Some(BOB));
    assert_eq!(world.join(bob, OPS)["t"], "joined");
}

#[test]
fn a_ban_by_source_puts_out_all_of_a_lower_role_from_there_and_no_others() {
    let mut world = world();
    let ann = world.member("ann", KEEPER);
    let at = |world: &mut World, name: &str, code: &str| {
        let conn = world.connect_from("203.0.113.9:1");
        world.hello(conn, name, None);
        assert_eq!(world.join(conn, code)["t"], "joined");
        conn
    };
    let (bob, mei, own) = (at(&mut world, "bob", OPS), at(&mut world, "mei", OPS), at(&mut world, "own", OWNER));
    let far = world.member("far", OPS);
    done(&mut world, ann, "ban", json!({"name": "bob", "by": ["source"]}));
    for out in [bob, mei] {
        assert_eq!(world.lines(out).last().unwrap()["code"], "banned");
    }
    for stays in [own, far] {
        assert!(world.lines(stays).iter().all(|line| line["t"] != "left"));
        assert_eq!(world.join(stays, if stays == own { OWNER } else { OPS })["t"], "joined");
    }
    let other = world.connect_from("203.0.113.9:2");
    world.hello(other, "other", None);
    assert_eq!(world.join(other, OPS)["code"], "banned");
    assert_eq!(world.join(other, KEEPER)["t"], "joined", "who has a role as high is not kept out");
    is_refused(&mut world, own, "unban", json!({"name": "mei"}), "not_found");
    done(&mut world, ann, "unban", json!({"name": "bob"}));
    assert_eq!(world.join(bob, OPS)["t"], "joined");
}

#[test]
fn a_name_that_is_banned_is_not_taken_inside_either() {
    let mut world = world();
    let ann = world.member("ann", KEEPER);
    let bob = world.keyed("bob", BOB, OPS);
    is_refused(&mut world, ann, "ban", json!({"name": "eve"}), "not_found");
    done(&mut world, ann, "ban", json!({"name": "eve", "by": ["name"]}));
    world.take(bob);
    let answer = world.call(bob, json!({"t": "name", "id": "n1", "name": "Eve"}));
    assert_eq!(answer["code"], "banned");
    world.reset(bob);
    let bob = world.connect();
    let welcome = world.hello(bob, "eve", Some(BOB));
    assert_eq!(welcome["name"], "bob", "nor by coming back");
}

#[test]
fn what_a_higher_one_has_done_stays() {
    let mut world = world();
    let (own, keep) = (world.member("own", OWNER), world.member("keep", KEEPER));
    let bob = world.keyed("bob", BOB, OPS);
    done(&mut world, own, "mute", json!({"name": "bob"}));
    is_refused(&mut world, keep, "unmute", json!({"name": "bob"}), "forbidden");
    done(&mut world, own, "ban", json!({"name": "bob"}));
    is_refused(&mut world, keep, "unban", json!({"name": "bob"}), "forbidden");
    assert_eq!(world.join(bob, OPS)["code"], "banned");
}

#[test]
fn who_is_muted_reads_and_says_nothing_for_as_long_as_that_lasts() {
    let mut world = world();
    let (ann, bob, mei) = (world.member("ann", KEEPER), world.keyed("bob", BOB, OPS), world.person("mei", OPS));
    done(&mut world, ann, "mute", json!({"name": "bob", "for_s": 60}));
    done(&mut world, ann, "mute", json!({"name": "mei", "for_s": 60, "why": "noise"}));
    for conn in [bob, mei] {
        world.take(conn);
    }
    let say = |id: &str| json!({"t": "say", "id": id, "room": "ops", "text": "hello"});
    let answer = world.call(bob, say("s1"));
    assert_eq!(
        (&answer["code"], &answer["retry"], &answer["wait_ms"]),
        (&json!("muted"), &json!("no"), &json!(60_000))
    );
    world.send(mei, "hello\n");
    assert_eq!(world.text(mei), "-- You may not speak here for 1 minute.\r\n");
    // By another name, by another code of that role, after a cut: the same.
    world.ask(bob, json!({"t": "name", "id": "n1", "name": "rob"}));
    world.reset(bob);
    let bob = world.connect();
    world.hello(bob, "rob", Some(BOB));
    world.join(bob, OPS);
    assert_eq!(world.call(bob, say("s2"))["code"], "muted");
    world.send(mei, "/name may\n");
    world.take(mei);
    world.send(mei, "hello\n");
    assert_eq!(world.text(mei), "-- You may not speak here for 1 minute.\r\n");
    world.take(bob);
    world.say(ann, "s3", "ops", "hear this");
    assert_eq!(texts(&world.lines(bob)), ["hear this"]);
    world.keep(&[ann, bob], 61);
    world.take(bob);
    assert_eq!(world.call(bob, say("s4"))["id"], "s4");
    done(&mut world, ann, "mute", json!({"name": "rob"}));
    done(&mut world, ann, "unmute", json!({"name": "rob"}));
    world.take(bob);
    assert_eq!(world.call(bob, say("s5"))["id"], "s5");
}

#[test]
fn what_was_on_its_way_when_somebody_was_banned_lies_before_it_or_nowhere() {
    let mut world = world();
    let ann = world.member("ann", KEEPER);
    let bob = world.keyed("bob", BOB, OPS);
    for conn in [ann, bob] {
        world.take(conn);
    }
    world.log.hold = true;
    world.say(bob, "before", "ops", "before");
    world.ask(ann, act("ban", json!({"name": "bob"})));
    world.say(bob, "behind", "ops", "behind");
    world.release();
    world.say(bob, "late", "ops", "late");
    world.release_all();
    let said: Vec<_> = world.log.records("ops").iter().map(|record| record.text.to_string()).collect();
    assert_eq!(said, ["before", "banned bob"]);
    let lines = world.lines(bob);
    let answer = |id: &str| lines.iter().find(|line| line["re"] == id || line["id"] == id).expect("an answer");
    assert_eq!(answer("before")["t"], "msg");
    assert_eq!([answer("behind")["code"].clone(), answer("late")["code"].clone()], ["not_member", "not_member"]);
    let left = lines.iter().position(|line| line["t"] == "left").expect("it was told");
    assert!(lines[left..].iter().all(|line| line["room"] != "ops" || line["t"] == "left"), "{lines:#?}");
}

#[test]
fn an_act_is_the_last_of_its_append_and_nothing_is_appended_before_its_record_has_come() {
    for grew_first in [false, true] {
        let mut world = world();
        world.log.grew_first = grew_first;
        let (ann, mei) = (world.member("ann", KEEPER), world.member("mei", OPS));
        world.log.hold = true;
        world.say(mei, "s1", "ops", "one");
        world.ask(ann, act("topic", json!({"text": "deploys"})));
        world.say(mei, "s2", "ops", "two");
        world.say(mei, "s3", "ops", "three");
        assert_eq!(world.log.held.len(), 1, "the first say is on its way");
        world.release();
        let Some(Request::Append { drafts, .. }) = world.log.held.front() else { panic!("an append") };
        assert_eq!(drafts.iter().map(|draft| draft.kind.name()).collect::<Vec<_>>(), ["topic"]);
        assert_eq!(world.log.held.len(), 1);
        world.release();
        let Some(Request::Append { drafts, .. }) = world.log.held.front() else { panic!("an append") };
        assert_eq!(drafts.len(), 2);
        world.release_all();
        let said: Vec<_> = world.log.records("ops").iter().map(|record| record.text.to_string()).collect();
        assert_eq!(said, ["one", "set the topic: deploys", "two", "three"]);
    }
}

#[test]
fn an_act_that_the_log_refuses_has_not_happened() {
    let mut world = world();
    let ann = world.member("ann", KEEPER);
    let bob = world.member("bob", OPS);
    for conn in [ann, bob] {
        world.take(conn);
    }
    world.log.hold = true;
    world.ask(ann, act("ban", json!({"name": "bob"})));
    world.ask(ann, json!({"t": "mute", "id": "a2", "room": "ops", "name": "bob"}));
    world.say(bob, "s1", "ops", "hi");
    world.log.broken = true;
    world.release();
    let answers: Vec<_> = world.lines(ann).iter().map(|line| (line["re"].clone(), line["code"].clone())).collect();
    let unavailable = json!("unavailable");
    assert_eq!(answers, [(json!("a1"), unavailable.clone()), (json!("a2"), unavailable.clone())]);
    assert_eq!(world.only(bob)["code"], unavailable);
    (world.log.broken, world.log.hold) = (false, false);
    world.say(bob, "s2", "ops", "still here");
    assert_eq!(texts(&world.lines(bob)), ["still here"]);
    assert_eq!(world.join(bob, OPS)["t"], "joined");
}

#[test]
fn whoever_loses_the_right_before_the_order_is_written_has_lost_it() {
    let mut world = world();
    let (own, keep, bob) = (world.member("own", OWNER), world.member("keep", KEEPER), world.member("bob", OPS));
    for conn in [own, keep, bob] {
        world.take(conn);
    }
    world.log.hold = true;
    world.ask(own, act("kick", json!({"name": "keep"})));
    world.ask(keep, act("kick", json!({"name": "bob"})));
    world.release_all();
    let lines = world.lines(keep);
    assert!(lines.iter().any(|line| line["re"] == "a1" && line["code"] == "not_member"), "{lines:#?}");
    assert!(world.lines(bob).iter().all(|line| line["t"] != "left"));
    // The same by another configuration.
    world.join(keep, KEEPER);
    for conn in [own, keep, bob] {
        world.take(conn);
    }
    world.log.hold = true;
    world.say(bob, "s1", "ops", "hi");
    world.ask(keep, act("kick", json!({"name": "bob"})));
    world.reload(|config| config.rooms[0].codes[2].role = Role::Talk);
    world.release_all();
    let lines = world.lines(keep);
    assert!(lines.iter().any(|line| line["re"] == "a1" && line["code"] == "forbidden"), "{lines:#?}");
}

#[test]
fn an_order_is_about_who_was_called_so_when_it_came() {
    let mut world = world();
    let (ann, bob, mei) = (world.member("ann", KEEPER), world.member("bob", OPS), world.member("mei", OPS));
    for conn in [ann, bob, mei] {
        world.take(conn);
    }
    world.log.hold = true;
    world.say(mei, "s1", "ops", "hi");
    world.ask(ann, act("kick", json!({"name": "bob"})));
    world.ask(bob, json!({"t": "name", "id": "n1", "name": "robert"}));
    world.ask(mei, json!({"t": "name", "id": "n1", "name": "bob"}));
    world.release_all();
    assert!(world.lines(bob).iter().any(|line| line["t"] == "left"));
    assert!(world.lines(mei).iter().all(|line| line["t"] != "left"));
}

#[test]
fn who_leaves_before_the_act_is_not_there_any_more() {
    let mut world = world();
    let (ann, bob) = (world.member("ann", KEEPER), world.member("bob", OPS));
    world.take(ann);
    world.log.hold = true;
    world.say(ann, "s1", "ops", "hi");
    world.ask(ann, act("kick", json!({"name": "bob"})));
    world.reset(bob);
    world.release_all();
    let lines = world.lines(ann);
    assert!(lines.iter().any(|line| line["re"] == "a1" && line["code"] == "not_found"), "{lines:#?}");
}

#[test]
fn who_was_put_out_while_away_is_told_so_once() {
    let mut world = world();
    let ann = world.member("ann", KEEPER);
    let bob = world.keyed("bob", BOB, OPS);
    world.reset(bob);
    world.take(ann);
    done(&mut world, ann, "kick", json!({"name": "bob"}));
    let bob = world.connect();
    world.hello(bob, "bob", Some(BOB));
    let answer = world.join(bob, OPS);
    assert_eq!((&answer["code"], &answer["retry"]), (&json!("kicked"), &json!("no")));
    assert_eq!(world.join(bob, OPS)["t"], "joined");
}

#[test]
fn a_topic_is_told_to_those_who_are_here_and_those_who_come() {
    let mut world = world();
    let (ann, bob) = (world.member("ann", KEEPER), world.person("bob", OPS));
    done(&mut world, ann, "topic", json!({"text": "deploys"}));
    assert_eq!(world.text(bob), "-- 12:00 ann set the topic: deploys\r\n");
    let mei = world.client("mei");
    assert_eq!(world.join(mei, OPS)["room"]["topic"], "deploys");
    let eve = world.connect();
    world.send(eve, format!("{OPS} eve\n"));
    let greeting = world.text(eve);
    assert!(greeting.contains("\r\n-- Topic: deploys\r\n-- You are in."), "{greeting}");
    world.take(ann);
    done(&mut world, ann, "topic", json!({}));
    assert_eq!(world.join(mei, OPS)["room"].get("topic"), None);
}

#[test]
fn a_closed_room_has_only_those_who_keep_order_come_in_and_speak() {
    let mut world = world();
    let (own, keep) = (world.member("own", OWNER), world.member("keep", KEEPER));
    let bob = world.keyed("bob", BOB, OPS);
    done(&mut world, own, "close", json!({"why": "night"}));
    for conn in [own, keep, bob] {
        world.take(conn);
    }
    let say = json!({"t": "say", "id": "s1", "room": "ops", "text": "hello"});
    assert_eq!(world.call(bob, say.clone())["code"], "closed");
    assert_eq!(world.call(keep, say.clone())["t"], "msg");
    let mei = world.client("mei");
    assert_eq!(world.join(mei, OPS)["code"], "closed");
    assert_eq!(world.join(mei, KEEPER)["room"]["closed"], true);
    world.reset(bob);
    let bob = world.connect();
    world.hello(bob, "bob", Some(BOB));
    assert_eq!(world.join(bob, OPS)["t"], "joined", "who was in comes back, to read");
    is_refused(&mut world, keep, "open", json!({}), "forbidden");
    done(&mut world, own, "open", json!({}));
    world.take(bob);
    assert_eq!(world.call(bob, say)["t"], "msg");
}

#[test]
fn a_role_that_was_given_counts_at_once_is_told_and_is_taken_back() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let (bob, mei) = (world.keyed("bob", BOB, OPS), world.member("mei", OPS));
    is_refused(&mut world, bob, "kick", json!({"name": "mei"}), "forbidden");
    done(&mut world, own, "role", json!({"name": "bob", "role": "moderator"}));
    let told = world.lines(bob);
    assert!(told.iter().any(|line| line["t"] == "room" && line["room"]["role"] == "moderator"), "{told:#?}");
    let told = world.lines(mei);
    assert!(told.iter().any(|line| line["ev"] == "role" && line["role"] == "moderator"), "{told:#?}");
    done(&mut world, bob, "kick", json!({"name": "mei"}));
    is_refused(&mut world, bob, "role", json!({"name": "bob", "role": "moderator"}), "forbidden");
    world.reset(bob);
    let bob = world.connect();
    world.hello(bob, "bob", Some(BOB));
    assert_eq!(world.join(bob, OPS)["room"]["role"], "moderator");
    done(&mut world, own, "role", json!({"name": "bob"}));
    assert_eq!(world.lines(bob).last().unwrap()["room"]["role"], "talk");
    is_refused(&mut world, own, "role", json!({"name": "bob"}), "not_found");
    world.join(mei, OPS);
    is_refused(&mut world, own, "role", json!({"name": "mei", "role": "moderator"}), "bad_field");
}

#[test]
fn what_was_removed_is_gone_for_those_who_are_behind_those_who_come_and_in_history() {
    let mut world = world();
    let (ann, bob) = (world.member("ann", KEEPER), world.member("bob", OPS));
    let (slow, person) = (world.member("slow", OPS), world.person("mei", OPS));
    world.take(slow);
    world.stall(slow, 0);
    world.stall(person, 0);
    for (id, text) in [("s1", "one"), ("s2", "the secret"), ("s3", "three")] {
        world.say(bob, id, "ops", text);
    }
    done(&mut world, ann, "remove", json!({"seq": 2, "why": "oops"}));
    world.say(bob, "s4", "ops", "four");
    for conn in [slow, person] {
        world.unstall(conn);
    }
    let lines = world.lines(slow);
    let messages: Vec<_> = lines.iter().filter(|line| line["t"] == "msg").collect();
    assert_eq!(texts(&lines), ["one", "(removed)", "three", "removed message 2, of bob: oops", "four"]);
    assert_eq!((&messages[1]["kind"], &messages[1]["name"]), (&json!("removed"), &json!("bob")));
    assert_eq!(messages[3]["act"]["of"], 2);
    let text = world.text(person);
    assert!(text.contains("<bob> (removed)\r\n") && text.contains("-- 12:00 ann removed message 2, of bob: oops\r\n"));
    let late = world.client("late");
    world.ask(late, json!({"t": "join", "id": "j1", "code": OPS}));
    world.ask(late, json!({"t": "history", "id": "h1", "room": "ops", "after": 0}));
    for conn in [slow, person, late] {
        assert!(!String::from_utf8_lossy(world.received(conn)).contains("secret"));
    }
    assert!(world.log.records("ops").iter().all(|record| !record.text.as_str().contains("secret")));
    is_refused(&mut world, ann, "remove", json!({"seq": 2}), "not_found");
    is_refused(&mut world, ann, "remove", json!({"seq": 4}), "forbidden");
    is_refused(&mut world, ann, "remove", json!({"seq": 0}), "not_found");
    is_refused(&mut world, ann, "remove", json!({"seq": 99}), "not_found");
    is_refused(&mut world, bob, "remove", json!({"seq": 1}), "forbidden");
}

#[test]
fn a_longer_word_in_a_shorter_ones_place_moves_nobody() {
    let mut world = world();
    let (ann, bob) = (world.member("ann", KEEPER), world.member("bob", OPS));
    let readers: Vec<_> = (0..4).map(|n| world.member(&format!("r{n}"), OPS)).collect();
    for (n, reader) in readers.iter().enumerate() {
        world.take(*reader);
        world.stall(*reader, 150 * n);
    }
    for n in 0..6 {
        world.say(bob, &format!("s{n}"), "ops", &n.to_string());
    }
    for seq in [1, 3, 6] {
        done(&mut world, ann, "remove", json!({"seq": seq}));
        readers.iter().enumerate().for_each(|(n, reader)| world.trickle(*reader, 70 * n));
    }
    world.say(bob, "end", "ops", "end");
    for reader in readers {
        world.unstall(reader);
        let lines = world.lines(reader);
        let seqs: Vec<_> = lines.iter().filter(|line| line["t"] == "msg").map(|line| line["seq"].as_u64()).collect();
        assert_eq!(seqs, (1..=10).map(Some).collect::<Vec<_>>(), "{lines:#?}");
        assert_eq!(lines.iter().filter(|line| line["text"] == "end").count(), 1);
    }
}

#[test]
fn a_message_that_is_not_held_any_more_is_looked_up_before_it_is_removed() {
    let mut world = World::with(|config| {
        set(config);
        config.limits.room_bytes = 64 << 10;
    });
    world.log.fill("ops", 300, |n| format!("{n} {}", "x".repeat(1_000)));
    let ann = world.member("ann", KEEPER);
    done(&mut world, ann, "remove", json!({"seq": 3}));
    assert_eq!(world.log.records("ops")[2].text.as_str(), "(removed)");
    is_refused(&mut world, ann, "remove", json!({"seq": 3}), "not_found");
    // A page that was read before, and comes after.
    let bob = world.member("bob", OPS);
    world.log.hold = true;
    world.ask(bob, json!({"t": "history", "id": "h1", "room": "ops", "after": 4, "limit": 2}));
    let load = world.log.held.pop_front().expect("a load");
    let page = world.log.answer(load, 0);
    world.log.hold = false;
    done(&mut world, ann, "remove", json!({"seq": 5}));
    page.into_iter().for_each(|page| world.haunt(qun_core::server::Input::Log(page)));
    let lines = world.lines(bob);
    let page = lines.iter().find(|line| line["t"] == "page").expect("a page");
    assert_eq!((&page["msgs"][0]["seq"], &page["msgs"][0]["text"]), (&json!(5), &json!("(removed)")));
}

#[test]
fn an_author_whose_role_is_not_below_keeps_their_words_and_everyone_who_may_takes_back_their_own() {
    let mut world = world();
    let (own, keep) = (world.member("own", OWNER), world.member("keep", KEEPER));
    world.say(own, "s1", "ops", "the owner's");
    world.say(keep, "s2", "ops", "the keeper's");
    is_refused(&mut world, keep, "remove", json!({"seq": 1}), "forbidden");
    done(&mut world, keep, "remove", json!({"seq": 2}));
    is_refused(&mut world, keep, "remove", json!({"name": "nobody"}), "not_found");
    world.say(keep, "s3", "ops", "another");
    done(&mut world, own, "remove", json!({"name": "keep"}));
    assert_eq!(world.log.records("ops")[3].text.as_str(), "(removed)");
}

#[test]
fn a_code_that_was_made_lets_in_as_many_as_it_says_for_as_long_as_it_says() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let made =
        order(&mut world, own, "code", json!({"do": "add", "label": "temps", "role": "read", "uses": 2, "for_s": 60}));
    assert_eq!((&made["t"], &made["room"], &made["label"]), (&json!("code"), &json!("ops"), &json!("temps")));
    let code = made["code"].as_str().expect("a code").to_owned();
    is_refused(&mut world, own, "code", json!({"do": "add", "label": "temps"}), "bad_field");
    let (one, two, three) = (world.client("one"), world.client("two"), world.client("three"));
    assert_eq!(world.join(one, &code)["room"]["role"], "read");
    assert_eq!(world.join(one, &code)["t"], "joined", "who is in may come again");
    assert_eq!(world.join(two, &code)["t"], "joined");
    assert_eq!(world.join(three, &code)["code"], "code_expired");
    world.wait(seconds(1));
    let mut world = restarted(world);
    let three = world.client("three");
    assert_eq!(world.join(three, &code)["code"], "code_expired", "it was used up before");
    assert!(!format!("{:?}{:?}", world.notes, world.server).contains(&code), "nothing shows it");
}

#[test]
fn a_rotated_code_gives_way_to_another_and_stays_so_after_a_restart() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let bob = world.keyed("bob", BOB, OPS);
    let made = order(&mut world, own, "code", json!({"do": "rotate", "label": "team"}));
    let code = made["code"].as_str().expect("a code").to_owned();
    let mei = world.client("mei");
    assert_eq!(world.join(mei, OPS)["code"], "code_expired");
    assert_eq!(world.join(mei, &code)["t"], "joined");
    world.reset(bob);
    let bob = world.connect();
    world.hello(bob, "bob", Some(BOB));
    assert_eq!(world.join(bob, OPS)["t"], "joined", "who is in comes back by the code that it came by");
    world.reload(|_| {});
    let ann = world.client("ann");
    assert_eq!(world.join(ann, OPS)["code"], "code_expired", "the configuration still has it, and it is retired");
    let mut world = restarted(world);
    let (ann, mei) = (world.client("ann"), world.client("mei"));
    assert_eq!(world.join(ann, &code)["t"], "joined", "before anybody else has opened the room");
    assert_eq!(world.join(mei, OPS)["code"], "code_expired");
    let own = world.member("own", OWNER);
    let last = order(&mut world, own, "code", json!({"do": "rotate", "label": "team", "after_s": 60}));
    let last = last["code"].as_str().expect("a code").to_owned();
    assert_eq!(world.join(mei, &code)["t"], "joined", "for a minute more");
    world.wait(seconds(61));
    let late = world.client("late");
    assert_eq!(world.join(late, &code)["code"], "code_expired");
    assert_eq!(world.join(late, &last)["t"], "joined");
}

#[test]
fn a_code_is_retired_with_those_who_came_by_it_or_without() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let (bob, guest) = (world.keyed("bob", BOB, OPS), world.member("guest", GUEST));
    done(&mut world, own, "code", json!({"do": "retire", "label": "guests"}));
    assert!(world.lines(guest).iter().all(|line| line["t"] != "left"));
    done(&mut world, own, "code", json!({"do": "retire", "label": "team", "kick": true}));
    let told = world.lines(bob);
    assert_eq!(
        (&told.last().unwrap()["code"], &told.last().unwrap()["retry"]),
        (&json!("code_changed"), &json!("fix"))
    );
    assert_eq!(world.join(bob, OPS)["code"], "code_expired");
    is_refused(&mut world, own, "code", json!({"do": "retire", "label": "team"}), "not_found");
}

#[test]
fn bans_mutes_roles_and_topics_outlive_the_server() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let (bob, mei, ann) = (world.keyed("bob", BOB, OPS), world.keyed("mei", MEI, OPS), world.keyed("ann", ANN, OPS));
    done(&mut world, own, "ban", json!({"name": "bob"}));
    done(&mut world, own, "mute", json!({"name": "mei"}));
    done(&mut world, own, "role", json!({"name": "ann", "role": "moderator"}));
    done(&mut world, own, "topic", json!({"text": "deploys"}));
    let _ = (bob, mei, ann);
    let mut world = restarted(world);
    let [bob, mei, ann] = [("bob", BOB), ("mei", MEI), ("ann", ANN)].map(|(name, key)| {
        let conn = world.connect();
        world.hello(conn, name, Some(key));
        conn
    });
    assert_eq!(world.join(bob, OPS)["code"], "banned");
    world.join(mei, OPS);
    assert_eq!(world.call(mei, json!({"t": "say", "id": "s1", "room": "ops", "text": "hi"}))["code"], "muted");
    let joined = world.join(ann, OPS);
    assert_eq!((&joined["room"]["role"], &joined["room"]["topic"]), (&json!("moderator"), &json!("deploys")));
    done(&mut world, ann, "kick", json!({"name": "mei"}));
}

#[test]
fn every_act_is_noted_and_no_code_is() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let code = order(&mut world, own, "code", json!({"do": "add"}))["code"].as_str().expect("a code").to_owned();
    let acts: Vec<_> = world.notes.iter().filter(|note| matches!(note, Note::Acted { .. })).collect();
    assert_eq!(acts.len(), 1);
    assert!(format!("{acts:?}").contains("code-1") && !format!("{acts:?}").contains(&code));
    let text = world.log.records("ops")[0].text.to_string();
    assert_eq!(text, "added the code code-1");
}

#[test]
fn a_room_holds_so_many_facts_and_says_so() {
    let mut world = world();
    world.thorough = false;
    let ann = world.member("ann", KEEPER);
    let names = |n: usize| format!("n{n}");
    for n in 0..1_024 {
        done(&mut world, ann, "ban", json!({"name": names(n), "by": ["name"]}));
    }
    is_refused(&mut world, ann, "ban", json!({"name": "more", "by": ["name"]}), "too_many");
    done(&mut world, ann, "unban", json!({"name": names(7)}));
    done(&mut world, ann, "ban", json!({"name": "more", "by": ["name"], "for_s": 5}));
    world.keep(&[ann], 6);
    done(&mut world, ann, "ban", json!({"name": "again", "by": ["name"]}));
}

#[test]
fn a_person_at_netcat_keeps_order_too() {
    let mut world = world();
    let (own, bob) = (world.person("own", OWNER), world.person("bob", OPS));
    world.take(own);
    world.send(own, "/help\n");
    assert!(world.text(own).contains("-- /kick NAME [WHY]"));
    world.send(bob, "/help\n");
    assert!(!world.text(bob).contains("/kick"));
    world.send(bob, "/kick own\n");
    assert_eq!(world.text(bob), "-- That takes the role moderator.\r\n");
    world.send(own, "/kick\n");
    assert_eq!(world.text(own), "-- So it is used: /kick NAME [WHY]\r\n");
    world.send(own, "/kick bob do not\n");
    assert_eq!(world.text(own), "-- 12:00 own put bob out: do not\r\n-- bob left.\r\n");
    let out = "-- 12:00 own put bob out: do not\r\n-- You were put out of On-call. /join CODE\r\n";
    assert_eq!(world.text(bob), out);
    world.send(bob, format!("/join {OPS}\nhi there\n"));
    world.take(bob);
    world.send(own, "/remove bob\n/ban bob 1h\n");
    let text = world.text(own);
    assert!(
        text.contains("own removed message 2, of bob\r\n") && text.contains("own banned bob for 1 hour\r\n"),
        "{text}"
    );
    world.send(bob, format!("/join {OPS}\n"));
    assert!(world.text(bob).ends_with("-- You are banned from that room for 1 hour.\r\n"));
    world.send(own, "/unban bob\n/code add temps\n");
    let text = world.text(own);
    assert!(text.contains("-- The code temps is ") && text.contains("own added the code temps\r\n"), "{text}");
}

#[test]
fn no_text_forges_an_act() {
    let mut world = world();
    let (bob, mei) = (world.person("bob", OPS), world.person("mei", OPS));
    world.send(bob, "-- 12:00 ann put mei out\n/me put mei out\n");
    let text = world.text(mei);
    assert!(text.lines().filter(|line| line.starts_with("-- ")).all(|line| !line.contains("put mei out")), "{text}");
    let ann = world.member("ann", OPS);
    let refused = world.call(ann, json!({"t": "say", "id": "s1", "room": "ops", "text": "x", "kind": "kick"}));
    assert_eq!(refused["code"], "bad_field");
}

#[test]
fn the_roster_stays_the_fold_of_what_is_told_through_all_acts() {
    let mut world = world();
    let own = world.member("own", OWNER);
    let bob = world.connect();
    let mut watch = Watch::default();
    world.ask(bob, json!({"t": "hello", "v": [1], "name": "bob", "key": BOB}));
    world.ask(bob, json!({"t": "join", "id": "j1", "code": OPS}));
    let (ann, mei) = (world.keyed("ann", ANN, OPS), world.keyed("mei", MEI, OPS));
    done(&mut world, own, "role", json!({"name": "ann", "role": "moderator"}));
    world.reset(mei);
    done(&mut world, ann, "kick", json!({"name": "mei"}));
    done(&mut world, own, "kick", json!({"name": "ann"}));
    world.join(ann, OPS);
    watch.feed(&world.lines(bob));
    let seen: Vec<_> = watch.rooms["ops"].roster.as_ref().unwrap().values().cloned().collect();
    let joined = world.join(ann, OPS);
    let mut seen: Vec<_> = seen.iter().map(String::as_str).collect();
    seen.sort_unstable();
    assert_eq!(names(&joined), seen);
}

#[test]
fn an_account_is_put_out_muted_and_banned_with_all_of_its_sessions_and_known_again_by_itself() {
    let mut world = World::with(|config| {
        set(config);
        config.accounts = vec![account("eve", "sesame")];
    });
    let own = world.member("own", OWNER);
    let login = |world: &mut World, key: &str| {
        let conn = world.connect();
        let hello = json!({"t": "hello", "id": "h0", "v": [1], "name": "eve", "key": key, "password": "sesame"});
        assert_eq!(world.call(conn, hello)["account"], "eve");
        conn
    };
    let [phone, laptop] = [ANN, BOB].map(|key| login(&mut world, key));
    for conn in [phone, laptop] {
        assert_eq!(world.join(conn, OPS)["t"], "joined");
    }
    done(&mut world, own, "mute", json!({"name": "eve"}));
    for conn in [phone, laptop] {
        world.take(conn);
        let say = json!({"t": "say", "id": "s1", "room": "ops", "text": "hi"});
        assert_eq!(world.call(conn, say)["code"], "muted");
    }
    done(&mut world, own, "unmute", json!({"name": "eve"}));
    done(&mut world, own, "role", json!({"name": "eve", "role": "moderator"}));
    assert_eq!(world.join(laptop, OPS)["room"]["role"], "moderator");
    world.take(own);
    done(&mut world, own, "ban", json!({"name": "eve"}));
    for conn in [phone, laptop] {
        assert!(world.lines(conn).iter().any(|line| line["t"] == "left" && line["code"] == "banned"));
    }
    let third = login(&mut world, MEI);
    assert_eq!(world.join(third, OPS)["code"], "banned", "by another key, too");
    done(&mut world, own, "unban", json!({"name": "eve"}));
    assert_eq!(world.join(third, OPS)["room"]["role"], "moderator", "what was given is the account's");
}

#[test]
fn who_is_listed_keeps_the_role_and_nobody_else_gets_it_when_codes_come_and_go() {
    let mut world = World::with(|config| {
        set(config);
        config.accounts = vec![account("ann", "sesame")];
        config.rooms[0].accounts = vec![listed("ann", Role::Owner)];
    });
    let ann = world.connect();
    let hello = json!({"t": "hello", "id": "h0", "v": [1], "name": "ann", "key": ANN, "password": "sesame"});
    world.call(ann, hello);
    assert_eq!(world.join(ann, OPS)["room"]["role"], "owner");
    for label in ["first", "second"] {
        let answer = order(&mut world, ann, "code", json!({"do": "add", "label": label, "role": "talk"}));
        assert_eq!(answer["t"], "code", "{answer}");
        let code = answer["code"].as_str().expect("a code").to_owned();
        let guest = world.client(label);
        let joined = world.join(guest, &code);
        assert_eq!(joined["room"]["role"], "talk", "{joined}");
    }
    done(&mut world, ann, "code", json!({"do": "retire", "label": "first"}));
    assert_eq!(world.join(ann, OPS)["room"]["role"], "owner");
}
