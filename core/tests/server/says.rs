//! What is said: the echo, idempotency, refusals, what is in flight, rates, texts.

use qun_core::log::Answer;
use qun_core::server::{Input, LogTask, Note};
use qun_core::{Instant, Now, RoomId, Seq};
use serde_json::json;

use crate::world::{ANN, DEV, MEI, OPS, START, World, millis, seconds, texts, types};

#[test]
fn the_echo_is_the_acknowledgement_and_the_same_for_everyone() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    world.take(ann);
    world.log.hold = true;
    world.say(ann, "01J9ZK6E3Q8V", "ops", "deploy is green");
    world.quiet(ann);
    world.quiet(bob);
    world.release();
    let (echo, told) = (world.text(ann), world.text(bob));
    assert_eq!(echo, told);
    let m = serde_json::from_str::<serde_json::Value>(&echo).unwrap()["m"].clone();
    assert_eq!(
        echo,
        format!(
            "{{\"t\":\"msg\",\"room\":\"ops\",\"seq\":1,\"ts\":{START},\"m\":{m},\"name\":\"ann\",\
             \"text\":\"deploy is green\",\"id\":\"01J9ZK6E3Q8V\"}}\n"
        )
    );
}

#[test]
fn settled_and_grew_may_come_in_either_order() {
    for grew_first in [false, true] {
        let mut world = World::new();
        world.log.grew_first = grew_first;
        let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
        world.take(ann);
        world.say(ann, "s1", "ops", "one");
        world.say(ann, "s2", "ops", "two");
        assert_eq!(texts(&world.lines(ann)), ["one", "two"]);
        assert_eq!(texts(&world.lines(bob)), ["one", "two"]);
    }
}

#[test]
fn a_log_that_brings_its_tail_again_delivers_nothing_twice() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    for text in ["one", "two"] {
        world.say(ann, text, "ops", text);
    }
    assert_eq!(texts(&world.lines(ann)), ["one", "two"]);
    for from in 0..2 {
        let records = world.log.records("ops")[from..].into();
        world.haunt(Input::Log(Answer::Grew { room: "ops".parse().unwrap(), first: Seq::new(1), records }));
        world.quiet(ann);
    }
}

#[test]
fn a_say_needs_no_id_and_may_be_an_act() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    let msg = world.call(ann, json!({"t": "say", "room": "ops", "text": "waves", "kind": "me"}));
    assert_eq!((&msg["kind"], &msg["text"], msg.get("id")), (&json!("me"), &json!("waves"), None));
    let error = world.call(ann, json!({"t": "say", "id": "s1", "room": "ops", "text": "x", "kind": "topic"}));
    assert_eq!((&error["code"], &error["re"]), (&json!("bad_field"), &json!("s1")));
}

#[test]
fn a_message_carries_the_name_as_it_was_when_said() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.say(ann, "s1", "ops", "before");
    world.ask(ann, json!({"t": "name", "id": "n1", "name": "ann_w"}));
    world.say(ann, "s2", "ops", "after");
    let bob = world.client("bob");
    world.ask(bob, json!({"t": "join", "id": "j1", "code": OPS}));
    let lines = world.lines(bob);
    assert_eq!([&lines[1]["name"], &lines[2]["name"]], ["ann", "ann_w"]);
}

#[test]
fn a_say_that_comes_again_is_ok_and_not_said_again() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.member("bob", OPS));
    world.take(ann);
    world.say(ann, "s0", "ops", "first");
    world.say(ann, "s1", "ops", "once");
    world.take(ann);
    let again = json!({"t": "say", "id": "s1", "room": "ops", "text": "once"});
    assert_eq!(world.call(ann, again.clone()), json!({"t": "ok", "re": "s1", "seq": 2}));

    // Across connections and sessions, too.
    world.ask(ann, json!({"t": "bye"}));
    let ann = world.connect();
    world.hello(ann, "ann", Some(ANN));
    world.join(ann, OPS);
    assert_eq!(world.call(ann, again), json!({"t": "ok", "re": "s1", "seq": 2}));
    assert_eq!(texts(&world.lines(bob)), ["first", "once"]);
}

#[test]
fn a_say_that_comes_twice_at_once_is_said_once() {
    let mut world = World::new();
    let ann = world.keyed("ann", ANN, OPS);
    world.log.hold = true;
    for id in ["s1", "s2", "s2", "s1", "s3"] {
        world.say(ann, id, "ops", id);
    }
    world.release_all();
    let lines = world.lines(ann);
    assert_eq!(texts(&lines), ["s1", "s2", "s3"]);
    let again: Vec<_> = lines.iter().filter(|line| line["t"] == "ok").map(|line| &line["re"]).collect();
    assert_eq!(again.len(), 2, "{lines:?}");
    assert!(again.contains(&&json!("s1")) && again.contains(&&json!("s2")));
}

#[test]
fn an_id_belongs_to_its_key_alone() {
    let mut world = World::new();
    let (ann, mei) = (world.keyed("ann", ANN, OPS), world.keyed("mei", MEI, OPS));
    world.take(ann);
    world.say(ann, "s1", "ops", "ann's");
    world.say(mei, "s1", "ops", "mei's");
    assert_eq!(texts(&world.lines(mei)), ["ann's", "mei's"]);
}

#[test]
fn a_fault_refuses_its_batch_and_all_that_waits_in_that_room() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.join(ann, DEV);
    world.take(ann);
    world.log.hold = true;
    for id in ["s1", "s2", "s3"] {
        world.say(ann, id, "ops", id);
    }
    world.say(bob, "b1", "ops", "b1");
    world.say(ann, "d1", "dev", "d1");
    // The append of s1 fails; s2, s3 and b1 wait behind it.
    world.log.broken = true;
    world.release();
    world.log.broken = false;
    world.release_all();
    let lines = world.lines(ann);
    let refused: Vec<_> = lines.iter().filter(|line| line["t"] == "error").collect();
    assert_eq!(refused.iter().map(|line| &line["re"]).collect::<Vec<_>>(), ["s1", "s2", "s3"]);
    for error in refused {
        assert_eq!((&error["code"], &error["retry"]), (&json!("unavailable"), &json!("later")));
        assert!(error["wait_ms"].is_u64());
    }
    assert_eq!(texts(&lines), ["d1"], "another room is another matter");
    assert_eq!(world.only(bob)["re"], "b1");

    world.say(ann, "s4", "ops", "afterwards");
    assert_eq!(world.only(ann)["seq"], 1);
}

/// Whoever has come back by another connection sends again what they have no answer to.
#[test]
fn a_refusal_is_for_the_connection_that_said_it() {
    let mut world = World::new();
    let old = world.keyed("ann", ANN, OPS);
    world.log.hold = true;
    world.say(old, "s1", "ops", "lost");
    let new = world.connect();
    world.take(old);
    world.stall(old, 0);
    world.hello(new, "ann", Some(ANN));
    world.log.broken = true;
    world.release_all();
    world.quiet(new);
    world.unstall(old);
    assert_eq!(types(&world.lines(old)), ["bye"]);
    world.log.broken = false;
    world.join(new, OPS);
    world.say(new, "s1", "ops", "said again");
    assert_eq!(texts(&world.lines(new)), ["said again"]);
}

#[test]
fn one_append_is_outstanding_and_the_rest_make_the_next_batch() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.member("bob", OPS));
    world.log.hold = true;
    for n in 0..5 {
        world.say(ann, &format!("a{n}"), "ops", "a");
        world.say(bob, &format!("b{n}"), "ops", "b");
    }
    assert_eq!(world.log.held.len(), 1);
    world.release_all();
    assert_eq!(world.log.appends, [1, 9]);
}

#[test]
fn while_64_says_are_in_flight_later_lines_wait_in_order() {
    let mut world = World::unpaced();
    let ann = world.member("ann", OPS);
    world.log.hold = true;
    for n in 1..=63 {
        world.say(ann, &format!("s{n}"), "ops", &n.to_string());
    }
    world.ask(ann, json!({"t": "ping", "n": 1}));
    assert_eq!(world.only(ann), json!({"t": "pong", "n": 1}), "an answer may overtake a say");
    assert!(world.reading(ann));
    let more: String = (64..=66)
        .map(|n| format!("{}\n", json!({"t": "say", "id": format!("s{n}"), "room": "ops", "text": n.to_string()})))
        .collect();
    world.send(ann, format!("{more}{}\n", json!({"t": "ping", "n": 2})));
    assert!(!world.reading(ann), "the driver is to stop");
    world.quiet(ann);
    world.wait(seconds(9));
    world.release_all();
    let lines = world.lines(ann);
    let said: Vec<_> = (1..=66).map(|n: u32| n.to_string()).collect();
    assert_eq!(texts(&lines), said);
    assert!(lines.contains(&json!({"t": "pong", "n": 2})));
    assert!(world.reading(ann));
    assert!(world.log.appends.iter().all(|&drafts| drafts <= 64), "{:?}", world.log.appends);
}

#[test]
fn who_waits_for_the_log_delays_nobody_in_another_room() {
    let mut world = World::unpaced();
    let (ann, mei) = (world.member("ann", OPS), world.member("mei", DEV));
    world.log.hold = true;
    for n in 0..100 {
        world.say(ann, &format!("s{n}"), "ops", "x");
    }
    world.say(mei, "m1", "dev", "hello?");
    let request = world.log.held.remove(1).expect("the other room's append");
    world.log.held.push_front(request);
    world.release();
    assert_eq!(texts(&world.lines(mei)), ["hello?"]);
}

#[test]
fn over_the_rate_json_is_told_how_long_to_wait() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    for n in 0..10 {
        world.say(ann, &format!("s{n}"), "ops", "x");
    }
    assert_eq!(texts(&world.lines(ann)).len(), 10);
    let error = world.call(ann, json!({"t": "say", "id": "s10", "room": "ops", "text": "x"}));
    assert_eq!(
        (&error["code"], &error["re"], &error["retry"], &error["wait_ms"]),
        (&json!("slow_down"), &json!("s10"), &json!("later"), &json!(500))
    );
    world.wait(millis(499));
    let error = world.call(ann, json!({"t": "say", "id": "s10", "room": "ops", "text": "x"}));
    assert_eq!(error["wait_ms"], 1);
    world.wait(millis(1));
    world.say(ann, "s10", "ops", "x");
    world.say(ann, "s11", "ops", "x");
    assert_eq!(types(&world.lines(ann)), ["msg", "error"]);
}

#[test]
fn there_is_no_rate_where_either_number_is_zero() {
    for (burst, per_s) in [(0, 2), (10, 0), (0, 0)] {
        let mut world = World::with(|config| (config.limits.burst, config.limits.per_s) = (burst, per_s));
        let ann = world.member("ann", OPS);
        (0..50).for_each(|n| world.say(ann, &format!("s{n}"), "ops", "hi"));
        assert_eq!(texts(&world.lines(ann)).len(), 50, "{burst} at once and {per_s} a second");
    }
}

#[test]
fn silence_saves_nothing_up() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.keep(&[ann], 60);
    for n in 0..12 {
        world.say(ann, &format!("s{n}"), "ops", "x");
    }
    let lines = world.lines(ann);
    assert_eq!(texts(&lines).len(), 10);
    assert_eq!(lines.iter().filter(|line| line["code"] == "slow_down").count(), 2);
}

#[test]
fn a_monotonic_clock_that_steps_back_is_read_as_no_time() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    world.wait(seconds(20));
    for n in 0..9 {
        world.say(ann, &format!("s{n}"), "ops", "x");
    }
    world.take(ann);
    let before = Now { mono: Instant::from_micros(1_000_000), unix_ms: START + 1_000 };
    let say = json!({"t": "say", "id": "s10", "room": "ops", "text": "hi"}).to_string() + "\n";
    world.server.handle(before, Input::Received { conn: ann, bytes: say.as_bytes() });
    world.haunt(Input::Tick);
    assert_eq!(texts(&world.lines(ann)), ["hi"]);
}

#[test]
fn the_rate_is_the_sessions_whatever_its_connection() {
    let mut world = World::new();
    let ann = world.keyed("ann", ANN, OPS);
    for n in 0..10 {
        world.say(ann, &format!("s{n}"), "ops", "x");
    }
    let ann = world.connect();
    world.hello(ann, "ann", Some(ANN));
    world.join(ann, OPS);
    assert_eq!(world.call(ann, json!({"t": "say", "id": "s10", "room": "ops", "text": "x"}))["code"], "slow_down");
}

#[test]
fn over_the_rate_plain_loses_nothing_and_is_told_once() {
    let mut world = World::new();
    let (person, ann) = (world.person("bob", OPS), world.member("ann", OPS));
    let paste: String = (1..=16).map(|n| format!("line {n}\n")).collect();
    world.take(person);
    world.send(person, paste);
    assert_eq!(texts(&world.lines(ann)).len(), 10);
    assert_eq!(world.text(person), "-- Slow down: what you sent is read at 2 lines a second.\r\n");
    for n in 11..=16 {
        world.wait(millis(499));
        world.quiet(ann);
        world.wait(millis(1));
        assert_eq!(texts(&world.lines(ann)), [format!("line {n}")]);
    }
    world.quiet(person);
}

#[test]
fn a_line_waits_for_its_rate_whatever_else_is_looked_at() {
    let mut world = World::new();
    let (ann, bob) = (world.member("ann", OPS), world.connect());
    // Silence would have been prompted while the eleventh line waits.
    world.wait(millis(100));
    world.send(bob, format!("{OPS} bob\n{}", "x\n".repeat(11)));
    assert_eq!(texts(&world.lines(ann)).len(), 10);
    world.wait(millis(499));
    world.quiet(ann);
    world.wait(millis(1));
    assert_eq!(texts(&world.lines(ann)), ["x"]);
}

#[test]
fn who_has_said_all_that_the_rate_allows_is_not_told_to_slow_down() {
    let mut world = World::new();
    let (person, ann) = (world.person("bob", OPS), world.member("ann", OPS));
    world.take(person);
    world.send(person, format!("{}half", "x\n".repeat(10)));
    assert_eq!(texts(&world.lines(ann)).len(), 10);
    world.quiet(person);
    // Its end is one: it waits for its turn like others.
    world.finish(person);
    world.quiet(ann);
    world.wait(millis(500));
    assert_eq!(texts(&world.lines(ann)), ["half"]);
    assert!(world.is_gone(person));
}

#[test]
fn a_text_is_refused_at_its_edges() {
    let mut world = World::unpaced();
    let ann = world.member("ann", OPS);
    let lines = |n: usize| vec!["x"; n].join("\n");
    for text in ["x".repeat(4_000), "é".repeat(2_000), lines(64), "a\tb\nc".into()] {
        let msg = world.call(ann, json!({"t": "say", "room": "ops", "text": text}));
        assert_eq!(msg["text"], json!(text));
    }
    let bad = ["".into(), " \n ".into(), "x".repeat(4_001), lines(65), "a\u{1B}[2J".into(), "a\u{0}".into()];
    for text in bad.into_iter().chain(["\r", "\u{7F}", "\u{85}", "\u{202E}x", "x\u{2066}"].map(|c| format!("a{c}"))) {
        let error = world.call(ann, json!({"t": "say", "id": "s", "room": "ops", "text": text}));
        assert_eq!((&error["code"], &error["re"], &error["retry"]), (&json!("bad_text"), &json!("s"), &json!("fix")));
    }
}

#[test]
fn a_text_of_4000_bytes_fits_a_line_even_escaped() {
    let mut world = World::new();
    let ann = world.member("ann", OPS);
    let escaped = "\\u00e9".repeat(2_000);
    let line = format!("{{\"t\":\"say\",\"id\":\"{}\",\"room\":\"ops\",\"text\":\"{escaped}\"}}\n", "x".repeat(36));
    world.send(ann, line);
    assert_eq!(world.only(ann)["text"], json!("é".repeat(2_000)));
}

#[test]
fn a_log_that_fails_is_told_of_as_it_begins_now_and_then_and_when_it_is_over() {
    let mut world = World::unpaced();
    let (ann, dev) = (world.member("ann", OPS), world.member("dev", DEV));
    let faults = |world: &mut World| -> Vec<Note> {
        let is_fault = |note: &Note| matches!(note, Note::LogFault { .. } | Note::LogWorks { .. });
        std::mem::take(&mut world.notes).into_iter().filter(is_fault).collect()
    };
    let room: RoomId = "ops".parse().unwrap();
    let fault = |task, count| Note::LogFault { room: room.clone(), task, count };
    let works = |task, count| Note::LogWorks { room: room.clone(), task, count };
    faults(&mut world);

    world.log.broken = true;
    for n in 0..100 {
        world.say(ann, &format!("a{n}"), "ops", "lost");
    }
    assert_eq!(faults(&mut world), [fault(LogTask::Keep, 1)]);
    // Reading is another thing, and so is another room.
    world.take(ann);
    let history = json!({"t": "history", "id": "h1", "room": "ops", "before": 9});
    assert_eq!(world.call(ann, history.clone())["code"], "unavailable");
    assert_eq!(world.call(ann, history.clone())["code"], "unavailable");
    assert_eq!(faults(&mut world), [fault(LogTask::Read, 1)]);
    world.keep(&[ann, dev], 60);
    world.say(ann, "b1", "ops", "lost");
    world.say(ann, "b2", "ops", "lost");
    assert_eq!(faults(&mut world), [fault(LogTask::Keep, 100)], "the 99 that were not told, and this one");

    world.log.broken = false;
    world.say(dev, "d1", "dev", "it never failed");
    assert_eq!(faults(&mut world), []);
    world.say(ann, "c1", "ops", "kept");
    assert_eq!(faults(&mut world), [works(LogTask::Keep, 102)]);
    world.take(ann);
    assert_eq!(world.call(ann, history)["t"], "page");
    assert_eq!(faults(&mut world), [works(LogTask::Read, 2)]);
    world.say(ann, "c2", "ops", "kept");
    world.log.broken = true;
    world.say(ann, "c3", "ops", "lost");
    world.log.broken = false;
    world.say(ann, "c4", "ops", "kept");
    world.log.broken = true;
    world.say(ann, "c5", "ops", "lost");
    assert_eq!(faults(&mut world), [], "what comes and goes floods nobody either");
    world.keep(&[ann, dev], 60);
    world.say(ann, "c6", "ops", "lost");
    assert_eq!(faults(&mut world), [fault(LogTask::Keep, 3)]);
}
