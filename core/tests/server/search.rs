//! Search: what is found, who may look, and what a look costs.

use qun_core::log::{Answer, Found, Ticket};
use qun_core::server::Input;
use qun_core::{Role, Seq};
use serde_json::{Value, json};

use crate::world::{DEV, OPS, World, access, millis, seconds};

fn seqs(found: &Value) -> Vec<u64> {
    found["msgs"].as_array().unwrap().iter().map(|message| message["seq"].as_u64().unwrap()).collect()
}

/// A room in which every tenth message is about the weather.
fn world() -> World {
    let mut world = World::new();
    let text =
        |seq: u64| if seq.is_multiple_of(10) { format!("Rain 下雨了 {seq}") } else { format!("nothing {seq}") };
    world.log.fill("ops", 100, text);
    world
}

#[test]
fn the_newest_that_have_the_words_are_found() {
    let mut world = world();
    let ann = world.member("ann", OPS);
    let found = world.call(ann, json!({"t": "search", "id": "s1", "room": "ops", "words": "RAIN", "limit": 3}));
    let head = [&found["t"], &found["re"], &found["room"], &found["first"], &found["from"], &found["more"]];
    assert_eq!(head, [&json!("found"), &json!("s1"), &json!("ops"), &json!(1), &json!(80), &json!(true)]);
    assert_eq!(seqs(&found), [80, 90, 100]);
    assert_eq!(found["msgs"][2]["text"], "Rain 下雨了 100");
    assert!(found["epoch"].is_string());

    let older = json!({"t": "search", "id": "s2", "room": "ops", "words": "下雨", "before": 80, "limit": 200});
    let found = world.call(ann, older);
    assert_eq!(
        (seqs(&found), &found["more"], &found["from"]),
        ((1..8).map(|n| n * 10).collect(), &json!(false), &json!(1))
    );
    let nothing = world.call(ann, json!({"t": "search", "id": "s3", "room": "ops", "words": "snow"}));
    assert_eq!((seqs(&nothing), &nothing["more"]), (vec![], &json!(false)));
}

#[test]
fn words_that_can_find_nothing_are_said_to() {
    let mut world = world();
    let ann = world.member("ann", OPS);
    for (words, why) in [
        (json!("?!"), "words: there is no letter and no digit in it to look for"),
        (json!(""), "words: there is no letter and no digit in it to look for"),
        (json!("x".repeat(201)), "words: at most 200 bytes can be looked for"),
        (json!(7), "words is not a string"),
        (Value::Null, "words is missing"),
    ] {
        let error = world.call(ann, json!({"t": "search", "id": "s1", "room": "ops", "words": words}));
        assert_eq!((&error["code"], &error["re"]), (&json!("bad_field"), &json!("s1")), "{error}");
        assert_eq!(error["text"], why);
    }
}

#[test]
fn only_members_of_a_room_search_it() {
    let mut world = world();
    let (outside, ann) = (world.client("bob"), world.member("ann", DEV));
    let ask = json!({"t": "search", "id": "s1", "room": "ops", "words": "rain"});
    for conn in [outside, ann] {
        assert_eq!(world.call(conn, ask.clone())["code"], "not_member");
    }
    assert_eq!(
        world.call(ann, json!({"t": "search", "id": "s2", "room": "nowhere", "words": "rain"}))["code"],
        "not_member"
    );
    world.reload(|config| config.rooms[0].codes = vec![access("READ-ONLY", Role::Read)]);
    let reader = world.member("mei", "READ-ONLY");
    assert_eq!(seqs(&world.call(reader, ask)).len(), 10, "who may read may search");
}

#[test]
fn a_search_costs_what_a_message_costs() {
    let mut world = world();
    let ann = world.member("ann", OPS);
    let ask = |n| json!({"t": "search", "id": format!("s{n}"), "room": "ops", "words": "rain"});
    world.say(ann, "m1", "ops", "one of the ten");
    world.take(ann);
    for n in 0..9 {
        assert_eq!(world.call(ann, ask(n))["t"], "found");
    }
    let slow = world.call(ann, ask(9));
    assert_eq!((&slow["code"], &slow["wait_ms"]), (&json!("slow_down"), &json!(500)));
    world.wait(millis(500));
    assert_eq!(world.call(ann, ask(10))["t"], "found");
}

#[test]
fn later_lines_wait_for_what_is_found_and_never_for_long() {
    let mut world = world();
    let ann = world.member("ann", OPS);
    world.log.hold = true;
    world.ask(ann, json!({"t": "search", "id": "s1", "room": "ops", "words": "rain"}));
    world.ask(ann, json!({"t": "ping", "n": 1}));
    world.wait(millis(4_999));
    world.quiet(ann);
    world.wait(millis(1));
    let lines = world.lines(ann);
    assert_eq!(
        (&lines[0]["code"], &lines[0]["re"], &lines[1]["t"]),
        (&json!("unavailable"), &json!("s1"), &json!("pong"))
    );
    // What comes later is for nobody.
    world.release_all();
    world.quiet(ann);
    world.wait(seconds(1));
    assert_eq!(world.call(ann, json!({"t": "search", "id": "s2", "room": "ops", "words": "rain"}))["re"], "s2");
}

#[test]
fn a_log_that_cannot_look_says_so() {
    let mut world = world();
    let ann = world.member("ann", OPS);
    world.log.broken = true;
    let error = world.call(ann, json!({"t": "search", "id": "s1", "room": "ops", "words": "rain"}));
    assert_eq!((&error["code"], &error["retry"]), (&json!("unavailable"), &json!("later")));
    let person = world.person("bob", OPS);
    world.take(person);
}

#[test]
fn an_answer_to_nothing_changes_nothing() {
    let mut world = world();
    let ann = world.member("ann", OPS);
    world.take(ann);
    let found = Found { first: Seq::new(1), from: Seq::new(1), more: false, records: Vec::new() };
    world.haunt(Input::Log(Answer::Found { ticket: Ticket(99), found: Ok(found) }));
    world.quiet(ann);
}

#[test]
fn a_room_that_closes_is_searched_no_more() {
    let mut world = world();
    let ann = world.member("ann", OPS);
    world.log.hold = true;
    world.ask(ann, json!({"t": "search", "id": "s1", "room": "ops", "words": "rain"}));
    world.take(ann);
    world.reload(|config| config.rooms.retain(|room| room.id.as_str() != "ops"));
    let lines = world.lines(ann);
    assert_eq!((&lines[0]["re"], &lines[0]["code"]), (&json!("s1"), &json!("not_member")));
}

#[test]
fn a_person_is_shown_what_was_found_day_by_day() {
    let mut world = world();
    let ann = world.person("ann", OPS);
    world.wait(seconds(13 * 3600));
    world.send(ann, "10 and rain\n");
    world.take(ann);
    world.send(ann, "/search rain 10\n");
    assert_eq!(
        world.text(ann),
        "-- Found 2 messages:\r\n\
         -- 2026-02-17\r\n\
         11:50 <old> Rain 下雨了 10\r\n\
         -- 2026-02-18\r\n\
         01:00 <ann> 10 and rain\r\n\
         -- End of what was found.\r\n"
    );
    world.send(ann, "/search snow\n");
    assert_eq!(world.text(ann), "-- No message has that.\r\n");
    world.send(ann, "/search ?\n");
    assert_eq!(world.text(ann), "-- There is no letter and no digit in that to look for.\r\n");
    world.send(ann, "/search\n");
    assert_eq!(world.text(ann), "-- /search and words, for example: /search deploy green\r\n");
    world.send(ann, format!("/search {}\n", "x".repeat(201)));
    assert_eq!(world.text(ann), "-- That is too much to look for: at most 200 bytes.\r\n");
}

#[test]
fn a_person_sees_the_newest_and_that_there_are_more() {
    let mut world = World::unpaced();
    world.log.fill("ops", 30, |seq| format!("下雨 {seq}"));
    let ann = world.person("ann", OPS);
    world.take(ann);
    world.send(ann, "/search 雨\n");
    let text = world.text(ann);
    assert!(text.starts_with("-- Found. The newest 20 messages, more words find fewer:\r\n"), "{text}");
    assert_eq!(text.matches("<old>").count(), 20);
    assert!(text.contains(" 11\r\n") && text.contains(" 30\r\n") && !text.contains(" 10\r\n"));
    world.log.broken = true;
    world.send(ann, "/search 雨\n");
    assert_eq!(world.text(ann), "-- The server can't reach its messages. Try again later.\r\n");
}
