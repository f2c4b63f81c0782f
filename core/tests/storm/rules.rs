//! Rules that took a particular order of things to break.

use std::time::Duration;

use qun_core::ConnId;
use qun_core::json::ErrorCode;
use qun_core::server::{Input, Peer, Reason};

use crate::world::{HALL, OPS, World, config};

/// Sends lines, lets them all arrive, and answers for the log nothing.
fn send(world: &mut World, conn: ConnId, lines: &[&str]) {
    for line in lines {
        world.send(conn, format!("{line}\n"));
    }
    world.arrive(conn, usize::MAX, true);
}

/// A json connection that has said hello, with what is to stand in its hello besides.
fn hello(world: &mut World, name: &str, more: &str) -> ConnId {
    let conn = world.open(Peer::Local, false);
    send(world, conn, &[&format!(r#"{{"t":"hello","v":[1],"name":"{name}"{more}}}"#)]);
    world.flush(conn, usize::MAX);
    conn
}

/// A json connection that is in these rooms and has read all there is.
fn member(world: &mut World, name: &str, codes: &[&str]) -> ConnId {
    let conn = hello(world, name, "");
    for code in codes {
        send(world, conn, &[&format!(r#"{{"t":"join","code":"{code}"}}"#)]);
        while world.answer(None) {}
    }
    world.flush(conn, usize::MAX);
    conn
}

/// Says so much in a room that whoever did not read falls off its oldest end.
fn flood(world: &mut World, conn: ConnId, room: &str) {
    for _ in 0..60 {
        world.pass(Duration::from_millis(60));
        send(world, conn, &[&format!(r#"{{"t":"say","room":"{room}","text":"{}"}}"#, "x".repeat(150))]);
        while world.answer(None) {}
        world.flush(conn, usize::MAX);
    }
}

/// Where these stand in what a connection got: each once, and in this order.
fn assert_order(world: &World, conn: ConnId, parts: &[&str]) {
    let text = world.text(conn);
    let places: Vec<_> = parts.iter().map(|part| text.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{parts:?} at {places:?} of {text}");
}

#[test]
fn after_draining_nothing_is_due() {
    let mut world = World::new(config(), 1);
    let ann = hello(&mut world, "ann", "");
    // The second join waits inside for the first, and goes on as `poll` finds it; `World` looks at the deadline.
    let join = |code| format!(r#"{{"t":"join","code":"{code}"}}"#);
    send(&mut world, ann, &[&join(OPS), &join(HALL), &join("dencode1"), r#"{"t":"leave","room":"hall"}"#, &join(HALL)]);
    while world.answer(None) {}
}

#[test]
fn a_count_that_is_due_is_told_once() {
    let mut world = World::new(config(), 1);
    let (ann, bob) = (member(&mut world, "ann", &[HALL]), member(&mut world, "bob", &[HALL]));
    // The input that changes the number comes when the timer is over, and before the tick.
    world.now = world.now + Duration::from_secs(6);
    send(&mut world, bob, &[r#"{"t":"leave","room":"hall"}"#]);
    world.flush(ann, usize::MAX);
    assert_eq!(world.text(ann).matches(r#""t":"here""#).count(), 1, "{}", world.text(ann));
}

#[test]
fn nobody_is_out_before_what_they_said() {
    let mut world = World::new(config(), 1);
    let (ann, bob) = (member(&mut world, "ann", &[OPS]), member(&mut world, "bob", &[OPS]));
    send(&mut world, bob, &[r#"{"t":"say","room":"ops","text":"last words"}"#]);
    world.cut(bob);
    while world.answer(None) {}
    world.flush(ann, usize::MAX);
    assert_order(&world, ann, &["last words", r#""ev":"out""#]);
}

#[test]
fn a_log_that_never_answers_keeps_nobody_in() {
    let mut world = World::new(config(), 1);
    let (ann, bob) = (member(&mut world, "ann", &[OPS]), member(&mut world, "bob", &[OPS]));
    send(&mut world, bob, &[r#"{"t":"say","room":"ops","text":"last words"}"#]);
    world.cut(bob);
    world.pass(Duration::from_secs(6));
    world.flush(ann, usize::MAX);
    assert_order(&world, ann, &[r#""ev":"out""#]);
    while world.answer(None) {}
}

#[test]
fn a_gap_comes_before_the_bye() {
    let mut world = World::new(config(), 1);
    let (ann, bob) = (member(&mut world, "ann", &[OPS, "dencode1"]), member(&mut world, "bob", &[OPS, "dencode1"]));
    flood(&mut world, bob, "ops");
    flood(&mut world, bob, "den");
    send(&mut world, ann, &[r#"{"t":"bye"}"#]);
    world.flush(ann, usize::MAX);
    assert_order(&world, ann, &[r#"{"t":"gap","room":"ops""#, r#"{"t":"gap","room":"den""#, r#"{"t":"bye""#]);
}

#[test]
fn a_gap_comes_before_the_left() {
    let mut world = World::new(config(), 1);
    let bob = member(&mut world, "bob", &[OPS]);
    let ann = hello(&mut world, "ann", "");
    send(&mut world, ann, &[&format!(r#"{{"t":"join","code":"{OPS}"}}"#)]);
    flood(&mut world, bob, "ops");
    send(&mut world, ann, &[r#"{"t":"leave","room":"ops"}"#]);
    world.flush(ann, usize::MAX);
    assert_order(&world, ann, &[r#"{"t":"joined""#, r#"{"t":"gap""#, r#"{"t":"left""#]);
}

#[test]
fn who_has_left_is_not_told_who_came_later() {
    let mut world = World::new(config(), 1);
    let (ann, bob) = (member(&mut world, "ann", &[OPS]), member(&mut world, "bob", &[OPS]));
    flood(&mut world, bob, "ops");
    send(&mut world, ann, &[r#"{"t":"leave","room":"ops"}"#]);
    member(&mut world, "mei", &[OPS]);
    world.flush(ann, usize::MAX);
    assert_order(&world, ann, &[r#"{"t":"gap""#, r#""members":[]"#, r#"{"t":"left""#]);
    assert!(!world.text(ann).contains("mei"), "{}", world.text(ann));
}

#[test]
fn who_has_read_all_before_leaving_has_no_gap() {
    let mut world = World::new(config(), 1);
    let (ann, bob) = (member(&mut world, "ann", &[OPS]), member(&mut world, "bob", &[OPS]));
    world.flush(ann, usize::MAX);
    send(&mut world, ann, &[r#"{"t":"leave","room":"ops"}"#]);
    flood(&mut world, bob, "ops");
    world.flush(ann, usize::MAX);
    assert_order(&world, ann, &[r#"{"t":"left""#]);
    assert!(!world.text(ann).contains(r#""gap""#));
}

#[test]
fn a_gap_that_shrinks_lets_the_lines_go_on() {
    let mut world = World::new(config(), 1);
    let names: Vec<String> = (0..14).map(|i| format!("somebody_with_a_long_name_{i}")).collect();
    let crowd: Vec<ConnId> = names.iter().map(|name| member(&mut world, name, &[OPS])).collect();
    let (ann, bob) = (member(&mut world, "ann", &[OPS]), member(&mut world, "bob", &[OPS]));
    flood(&mut world, bob, "ops");
    // The gap with its long roster is written, and not one byte of it is taken.
    assert!(world.server.transmit(ann).is_some());
    let waits = [r#"{"t":"ping","n":41}"#, r#"{"t":"say","room":"ops","text":"it goes on"}"#];
    send(&mut world, ann, &waits);
    for conn in crowd {
        world.cut(conn);
    }
    world.pass(Duration::from_secs(1));
    flood(&mut world, bob, "ops");
    assert!(!world.text(bob).contains("it goes on"));
    // It is written anew, and still not one byte of it is taken: smaller, it holds up nothing any more.
    assert!(world.server.transmit(ann).is_some());
    world.input(Input::Tick);
    while world.answer(None) {}
    world.flush(bob, usize::MAX);
    assert!(world.text(bob).contains("it goes on"));
    world.quiesce();
    assert_order(&world, ann, &[r#"{"t":"gap""#, r#""n":41"#]);
}

#[test]
fn an_end_of_stream_behind_the_last_say_that_fits_closes() {
    let mut config = config();
    config.limits.in_flight = 1;
    let mut world = World::new(config, 1);
    let ann = member(&mut world, "ann", &[OPS]);
    send(&mut world, ann, &[r#"{"t":"say","room":"ops","text":"that is all"}"#]);
    world.ends.get_mut(&ann).unwrap().ended = true;
    world.arrive(ann, 0, true);
    world.quiesce();
    assert_eq!(world.closed, [(ann, Reason::EndOfInput)]);
}

#[test]
fn a_telnet_that_reads_no_answer_costs_little() {
    let mut world = World::new(config(), 1);
    let conn = world.open(Peer::Local, false);
    for _ in 0..200 {
        world.send(conn, b"\xff\xfd\x01".repeat(100));
        world.arrive(conn, usize::MAX, true);
    }
    world.flush(conn, usize::MAX);
    assert!(world.ends[&conn].got.len() < 2_000);
}

#[test]
fn an_error_has_no_integer_that_json_cannot_hold() {
    let mut world = World::new(config(), 1);
    let ann = world.open(Peer::Local, true);
    send(&mut world, ann, &[r#"{"t":"hello","v":[1]}"#, r#"{"t":"join","code":"nonsense"}"#]);
    world.flush(ann, usize::MAX);
    assert_eq!(world.ends[&ann].fold.as_ref().unwrap().errors, [ErrorCode::BadCode]);
}

#[test]
fn a_code_of_few_members_stays_so() {
    let mut config = config();
    config.rooms[0].codes[1].max_members = Some(1);
    let mut world = World::new(config, 1);
    let ann = member(&mut world, "ann", &[OPS]);
    member(&mut world, "bob", &["opsread1"]);
    send(&mut world, ann, &[r#"{"t":"join","code":"opsread1"}"#]);
    world.flush(ann, usize::MAX);
    assert_order(&world, ann, &[r#""code":"room_full""#]);
}

#[test]
fn who_is_held_in_a_room_gets_back_after_the_code_expired() {
    let mut config = config();
    config.rooms[0].codes[0].expires = Some(20_000);
    let mut world = World::new(config, 1);
    let key = r#","key":"q8ZtV1c0TgW2q8ZtV1c0Tg""#;
    let ann = hello(&mut world, "ann", key);
    send(&mut world, ann, &[&format!(r#"{{"t":"join","code":"{OPS}"}}"#)]);
    while world.answer(None) {}
    world.cut(ann);
    world.pass(Duration::from_secs(30));
    let ann = hello(&mut world, "ann", key);
    send(&mut world, ann, &[r#"{"t":"join","id":"j","room":"ops"}"#]);
    world.flush(ann, usize::MAX);
    assert_order(&world, ann, &[r#"{"t":"joined","re":"j""#]);
}

#[test]
fn a_page_of_none_is_a_page_of_one() {
    let mut config = config();
    config.limits.page = 0;
    let mut world = World::new(config, 1);
    let ann = member(&mut world, "ann", &[OPS]);
    send(&mut world, ann, &[r#"{"t":"history","id":"h","room":"ops","after":0}"#]);
    while world.answer(None) {}
    world.flush(ann, usize::MAX);
    assert_order(&world, ann, &[r#"{"t":"page","re":"h""#]);
}

#[test]
fn coming_back_under_other_names_is_rated() {
    let mut world = World::new(config(), 1);
    let bob = member(&mut world, "bob", &[OPS]);
    let key = r#","key":"q8ZtV1c0TgW2q8ZtV1c0Tg""#;
    let ann = hello(&mut world, "ann", key);
    send(&mut world, ann, &[&format!(r#"{{"t":"join","code":"{OPS}"}}"#)]);
    for n in 0..60 {
        hello(&mut world, &format!("ann{n}"), key);
        world.flush(bob, usize::MAX);
    }
    let told = world.text(bob).matches(r#""ev":"name""#).count();
    assert!((10..30).contains(&told), "{told}");
}

#[test]
fn a_json_line_begins_with_its_brace() {
    let mut world = World::new(config(), 1);
    let ann = hello(&mut world, "ann", "");
    send(&mut world, ann, &[r#" {"t":"ping","n":5}"#]);
    world.flush(ann, usize::MAX);
    assert_order(&world, ann, &["bad_frame"]);
}

#[test]
fn no_burst_of_guesses_is_no_limit() {
    let mut config = config();
    (config.limits.guess_burst, config.limits.guess_per_s) = (0, 0);
    let mut world = World::new(config, 1);
    let conn = world.open(Peer::Net(([10, 0, 0, 1], 1).into()), false);
    send(&mut world, conn, &[r#"{"t":"hello","v":[1]}"#]);
    for _ in 0..50 {
        send(&mut world, conn, &[r#"{"t":"join","code":"nonsense"}"#]);
        world.flush(conn, usize::MAX);
    }
    assert!(!world.text(conn).contains("locked"));
}

#[test]
fn what_has_happened_leaves_no_timer() {
    let mut config = config();
    (config.limits.per_s, config.limits.acts_per_s) = (0, 0);
    let mut world = World::new(config, 1);
    let key = r#","key":"q8ZtV1c0TgW2q8ZtV1c0Tg""#;
    let timers = |world: &World| format!("{:?}", world.server).matches("Instant(").count();
    let mut before = 0;
    for n in 0..30 {
        let ann = hello(&mut world, "ann", key);
        send(&mut world, ann, &[&format!(r#"{{"t":"join","code":"{OPS}"}}"#)]);
        while world.answer(None) {}
        send(&mut world, ann, &[r#"{"t":"history","room":"ops","after":0}"#]);
        while world.answer(None) {}
        world.quiesce();
        if n == 5 {
            before = timers(&world);
        }
        world.pass(Duration::from_millis(1));
    }
    assert!(timers(&world) <= before, "{} after {before}", timers(&world));
}

#[test]
fn a_late_page_does_not_bring_back_what_is_lost() {
    let mut world = World::new(config(), 1);
    let ann = member(&mut world, "ann", &[OPS]);
    flood(&mut world, ann, "ops");
    send(&mut world, ann, &[r#"{"t":"history","room":"ops","before":9}"#]);
    let (now, ops) = (world.now, "ops".parse().unwrap());
    let page = world.log.answer(&mut world.dice, None).unwrap();
    world.log.trim(&ops);
    world.log.elsewhere(now, &ops, "news");
    while world.answer(None) {}
    world.input(Input::Log(page));
    world.flush(ann, usize::MAX);
    send(&mut world, ann, &[r#"{"t":"join","id":"again","room":"ops"}"#]);
    world.flush(ann, usize::MAX);
    let text = world.text(ann);
    let joined = text.lines().find(|line| line.contains("again")).expect(&text);
    assert!(joined.contains(r#""first":56"#), "{joined}");
}

#[test]
fn the_oldest_message_that_a_page_tells_of_is_told_to_who_comes_next() {
    let mut world = World::new(config(), 1);
    let ann = member(&mut world, "ann", &[OPS]);
    flood(&mut world, ann, "ops");
    world.log.trim(&"ops".parse().unwrap());
    send(&mut world, ann, &[r#"{"t":"history","id":"page","room":"ops","after":0}"#]);
    while world.answer(None) {}
    world.flush(ann, usize::MAX);
    send(&mut world, ann, &[r#"{"t":"join","id":"again","room":"ops"}"#]);
    world.flush(ann, usize::MAX);
    let text = world.text(ann);
    let first = |re: &str| {
        let line = text.lines().find(|line| line.contains(&format!(r#""re":"{re}""#))).expect(&text);
        line.split_once(r#""first":"#).and_then(|(_, rest)| rest.split(',').next()).expect(&text)
    };
    assert_ne!(first("page"), "1");
    assert_eq!(first("again"), first("page"));
}

#[test]
fn joining_anew_encodes_nothing_anew() {
    let mut world = World::new(config(), 1);
    let ann = member(&mut world, "ann", &[OPS]);
    flood(&mut world, ann, "ops");
    let encoding = |world: &World| {
        let server = format!("{:?}", world.server);
        server.split_once("Encoding {").unwrap().1.split_once('}').unwrap().0.to_string()
    };
    let before = encoding(&world);
    send(&mut world, ann, &[r#"{"t":"join","room":"ops"}"#]);
    world.flush(ann, usize::MAX);
    assert_eq!(encoding(&world), before);
}
