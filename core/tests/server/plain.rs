//! The plain dialect: what a person at netcat sees, byte for byte.

use qun_core::plain::Language;
use qun_core::server::Reason;
use serde_json::json;

use crate::world::{ANN, DEV, GUEST, HALL, OPS, START, WRONG, World, millis, seconds, texts};

#[test]
fn the_dialogue_is_the_protocols() {
    let mut world = World::new();
    let (bob, mei) = (world.member("bob", OPS), world.member("mei", OPS));
    world.keep(&[bob, mei], 60);
    world.say(bob, "b1", "ops", "deploy?");
    world.keep(&[bob, mei], 60);
    world.say(mei, "m1", "ops", "running");

    let ann = world.connect();
    world.wait(millis(400));
    assert_eq!(world.text(ann), "Room code: ");
    world.send(ann, "k7qm2xd5\n");
    assert_eq!(world.text(ann), "That code does not open a room. 4 tries left.\r\nRoom code: ");
    world.send(ann, "k7qm 2xd4\n");
    let prompt = world.text(ann);
    assert_eq!(prompt, "Your name [guest-1]: ");
    world.send(ann, "ann\n");
    assert_eq!(
        world.text(ann),
        "-- On-call. 3 here: bob, mei, ann (you). Last 2 of 2 messages:\r\n\
         12:01 <bob> deploy?\r\n\
         12:02 <mei> running\r\n\
         -- You are in. /who /name /me /history /search /join /leave /help /quit\r\n"
    );
    world.send(ann, "deploy is green\n");
    world.quiet(ann);
    assert_eq!(texts(&world.lines(bob)).last(), Some(&"deploy is green"));
    world.say(bob, "b2", "ops", "first line\nsecond line");
    assert_eq!(world.text(ann), "12:02 <bob> first line\r\n             | second line\r\n");
}

#[test]
fn the_dialogue_in_chinese() {
    let mut world = World::with(|config| {
        config.language = Language::ZhCn;
        config.rooms[0].title = "值班".into();
        config.utc_offset_s = 8 * 3600;
    });
    let bob = world.member("bob", OPS);
    world.say(bob, "b1", "ops", "好了吗？");
    let ann = world.connect();
    world.wait(millis(400));
    assert_eq!(world.text(ann), "请输入群口令：");
    world.send(ann, "k7qm2xd5\n");
    assert_eq!(world.text(ann), "口令不对，还可以试 4 次。\r\n请输入群口令：");
    world.send(ann, "k7qm2xd4\n");
    assert_eq!(world.text(ann), "你的名字 [guest-1]：");
    world.send(ann, "小明\n");
    assert_eq!(
        world.text(ann),
        "-- 值班。2 人在线：bob、小明（你）。共 1 条消息，最近 1 条：\r\n\
         20:00 <bob> 好了吗？\r\n\
         -- 你已进群。/who /name /me /history /search /join /leave /help /quit\r\n"
    );
    world.send(ann, "/quit\n");
    assert_eq!(world.text(ann), "-- 再见。\r\n");
    assert_eq!(world.closed(ann), Some(Reason::Done));
}

#[test]
fn an_empty_name_takes_the_one_offered() {
    let mut world = World::new();
    let ann = world.connect();
    world.send(ann, format!("{OPS}\n\n"));
    let text = world.text(ann);
    assert!(text.starts_with("Your name [guest-1]: -- On-call. 1 here: guest-1 (you).\r\n"), "{text:?}");
}

#[test]
fn a_name_that_will_not_do_is_asked_for_again() {
    let mut world = World::new();
    let ann = world.connect();
    world.send(ann, format!("{OPS}\n"));
    world.take(ann);
    world.send(ann, "a b\n");
    assert_eq!(world.text(ann), "A name has only letters, digits, '_', '-' and '.', not ' '.\r\nYour name [guest-1]: ");
    world.send(ann, "ann\n");
    assert!(world.text(ann).contains("ann (you)"));
}

#[test]
fn a_code_and_a_name_fit_one_line() {
    let mut world = World::new();
    let ann = world.connect();
    world.send(ann, "k7qm 2xd4 ann\r\n");
    assert_eq!(
        world.text(ann),
        "-- On-call. 1 here: ann (you).\r\n-- You are in. /who /name /me /history /search /join /leave /help /quit\r\n"
    );
}

#[test]
fn a_script_sends_and_leaves() {
    let mut world = World::new();
    let bob = world.member("bob", OPS);
    let ci = world.connect();
    world.queue(ci, format!("{OPS} ci\nbuild ok"));
    world.finish(ci);
    assert_eq!(texts(&world.lines(bob)), ["build ok"]);
    assert_eq!(world.closed(ci), Some(Reason::EndOfInput));
}

#[test]
fn a_script_waits_until_the_log_has_what_it_said() {
    let mut world = World::new();
    let bob = world.member("bob", OPS);
    world.log.hold = true;
    let ci = world.connect();
    world.queue(ci, format!("{OPS} ci\nbuild ok\n"));
    world.finish(ci);
    assert!(!world.is_gone(ci));
    world.release_all();
    assert!(world.is_gone(ci));
    assert_eq!(texts(&world.lines(bob)), ["build ok"]);
}

#[test]
fn a_long_script_loses_no_line_to_the_rate() {
    let mut world = World::new();
    let bob = world.member("bob", OPS);
    let ci = world.connect();
    let lines: String = (1..=14).map(|n| format!("step {n}\n")).collect();
    world.queue(ci, format!("{OPS} ci\n{lines}"));
    world.finish(ci);
    world.wait(seconds(3));
    assert_eq!(texts(&world.lines(bob)).len(), 14);
    assert!(world.is_gone(ci));
}

#[test]
fn what_the_log_refuses_is_told() {
    let mut world = World::new();
    let ann = world.person("ann", OPS);
    world.log.broken = true;
    world.send(ann, "deploy\n");
    assert_eq!(world.text(ann), "-- Not sent, try again later: deploy\r\n");
}

#[test]
fn a_name_that_is_no_text_is_asked_for_again() {
    let mut world = World::new();
    let conn = world.connect();
    world.send(conn, format!("{OPS}\n"));
    world.take(conn);
    world.send(conn, b"\xC3(\n");
    let again = world.text(conn);
    assert!(again.starts_with("A name has only letters") && again.ends_with("Your name [guest-1]: "), "{again:?}");
}

#[test]
fn a_code_that_lets_nobody_in_is_no_guess() {
    let mut world = World::with(|config| {
        config.rooms[0].codes[0].expires = Some(START);
        config.rooms[1].codes[0].max_members = Some(0);
    });
    let conn = world.connect();
    for (code, why) in [(OPS, "That code has expired. Ask for a new one."), (DEV, "The room is full. Try again later.")]
    {
        for _ in 0..6 {
            world.send(conn, format!("{code}\n"));
            assert_eq!(world.text(conn), format!("{why}\r\nRoom code: "));
        }
    }
    world.send(conn, format!("{WRONG}\n"));
    assert!(world.text(conn).contains("4 tries left."));
}

#[test]
fn names_and_rooms_are_changed_at_a_rate() {
    let mut world = World::with(|config| (config.limits.acts_burst, config.limits.acts_per_s) = (2, 1));
    let ann = world.person("ann", OPS);
    world.send(ann, "/name anna\n");
    world.take(ann);
    world.send(ann, "/name anne\n");
    assert_eq!(world.text(ann), "-- Too fast. Try again in 1 second.\r\n");
    world.wait(seconds(1));
    world.send(ann, "/name anne\n");
    assert_eq!(world.text(ann), "-- anna is now anne.\r\n-- You are anne.\r\n");
}

#[test]
fn a_wrong_code_discards_what_came_behind_it() {
    let mut world = World::new();
    let conn = world.connect();
    world.send(conn, format!("{WRONG} ci\nbuild ok\nall tests pass\n{OPS}\n"));
    assert_eq!(world.text(conn), "That code does not open a room. 4 tries left.\r\nRoom code: ");
}

#[test]
fn five_wrong_codes_close() {
    let mut world = World::new();
    let conn = world.connect();
    for left in ["4 tries", "3 tries", "2 tries", "1 try"] {
        world.send(conn, format!("{WRONG}\n"));
        assert_eq!(world.text(conn), format!("That code does not open a room. {left} left.\r\nRoom code: "));
    }
    world.send(conn, format!("{WRONG}\n"));
    let text = world.text(conn);
    assert!(text.starts_with("That code does not open a room. No tries left.\r\n"), "{text:?}");
    assert!(world.is_gone(conn));
}

#[test]
fn a_wrong_code_at_the_end_of_the_stream_closes() {
    let mut world = World::new();
    let conn = world.connect();
    world.queue(conn, WRONG);
    world.finish(conn);
    let text = world.text(conn);
    assert!(text.starts_with("That code does not open a room."), "{text:?}");
    assert!(!text.contains("Room code:"), "nobody is there to answer: {text:?}");
    assert!(world.is_gone(conn));
}

#[test]
fn a_blank_line_at_the_prompt_is_no_guess() {
    let mut world = World::new();
    let conn = world.connect();
    for _ in 0..20 {
        world.send(conn, "\r\n");
    }
    assert!(world.text(conn).replace("Room code: ", "").is_empty());
    world.send(conn, format!("{WRONG}\n"));
    assert!(world.text(conn).contains("4 tries left."));
}

#[test]
fn ones_own_line_comes_back_only_where_one_wants_it() {
    let mut world = World::new();
    let (ann, bob) = (world.person("ann", OPS), world.person("bob", OPS));
    world.take(ann);
    world.send(ann, "quiet\n");
    world.quiet(ann);
    assert_eq!(world.text(bob), "12:00 <ann> quiet\r\n");
    world.send(ann, "/echo on\n");
    assert_eq!(world.text(ann), "-- Echo is on: your own lines come back to you.\r\n");
    world.send(ann, "loud\n");
    assert_eq!(world.text(ann), "12:00 <ann> loud\r\n");
    world.send(ann, "/echo off\n");
    world.take(ann);
    world.send(ann, "quiet again\n");
    world.quiet(ann);
}

#[test]
fn what_others_say_between_ones_own_lines_is_shown() {
    let mut world = World::unpaced();
    let (ann, bob) = (world.person("ann", OPS), world.person("bob", OPS));
    world.take(ann);
    world.stall(ann, 0);
    for line in ["one\n", "two\n"] {
        world.send(ann, line);
        world.send(bob, line);
        world.send(ann, line);
    }
    world.unstall(ann);
    assert_eq!(world.text(ann), "12:00 <bob> one\r\n12:00 <bob> two\r\n");
}

#[test]
fn ones_own_line_is_left_out_among_those_that_came_with_it() {
    let mut world = World::new();
    let (ann, bob) = (world.person("ann", OPS), world.person("bob", OPS));
    world.take(ann);
    world.log.hold = true;
    // The first goes to the log alone, the others together.
    for (who, line) in [(bob, "one\n"), (bob, "two\n"), (ann, "three\n"), (bob, "four\n")] {
        world.send(who, line);
    }
    world.release_all();
    assert_eq!(world.text(ann), "12:00 <bob> one\r\n12:00 <bob> two\r\n12:00 <bob> four\r\n");
}

#[test]
fn commands_do_what_help_says() {
    let mut world = World::new();
    let (ann, bob) = (world.person("ann", OPS), world.person("bob", OPS));
    world.take(ann);
    world.send(ann, "/who\n");
    assert_eq!(world.text(ann), "-- 2 here: bob, ann (you).\r\n");
    world.send(ann, "/me waves\n");
    assert_eq!(world.text(bob), "12:00 * ann waves\r\n");
    world.send(ann, "/name ann_w\n");
    assert_eq!(world.text(bob), "-- ann is now ann_w.\r\n");
    assert_eq!(world.text(ann), "-- ann is now ann_w.\r\n-- You are ann_w.\r\n");
    world.send(ann, "/name BOB\n");
    assert_eq!(world.text(ann), "-- BOB is taken.\r\n");
    world.send(ann, "//me is how it is done\n");
    assert_eq!(world.text(bob), "12:00 <ann_w> /me is how it is done\r\n");
    world.send(ann, "/nick ann\n");
    assert_eq!(world.text(ann), "-- There is no command /nick here. /help shows them, //nick says /nick.\r\n");
    world.quiet(bob);
    world.send(ann, "/help\n");
    let help = world.text(ann);
    for word in ["/who", "/name", "/me", "/history", "/search", "/join", "/leave", "/help", "/quit", "/echo", "//"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    world.wait(seconds(10));
    world.send(ann, "/quit good night\n");
    assert_eq!(world.text(ann), "-- Goodbye.\r\n");
    assert_eq!(world.closed(ann), Some(Reason::Done));
    assert_eq!(world.text(bob), "-- ann_w left.\r\n");
}

#[test]
fn a_person_is_in_one_room_at_a_time() {
    let mut world = World::new();
    let (ann, ops, dev) = (world.person("ann", OPS), world.member("o", OPS), world.member("d", DEV));
    world.take(ann);
    world.send(ann, format!("/join {DEV}\n"));
    let text = world.text(ann);
    assert!(text.contains("-- Development. 2 here: d, ann (you).\r\n"), "{text:?}");
    world.send(ann, "hello dev\n");
    assert_eq!(texts(&world.lines(dev)), ["hello dev"]);
    assert_eq!(texts(&world.lines(ops)), Vec::<&str>::new());
    world.say(ops, "s1", "ops", "where is ann?");
    world.quiet(ann);

    world.send(ann, "/leave\n");
    assert_eq!(world.text(ann), "-- You left Development.\r\n");
    world.send(ann, "anybody?\n");
    assert_eq!(world.text(ann), "-- You are in no room. /join CODE\r\n");
    world.send(ann, format!("/join {WRONG}\n"));
    let text = world.text(ann);
    assert!(text.starts_with("-- That code does not open a room."), "{text:?}");
    world.send(ann, format!("/join {OPS}\n"));
    assert!(world.text(ann).contains("12:00 <o> where is ann?\r\n"));
    world.send(ann, format!("/join {OPS}\n"));
    assert_eq!(world.text(ann), "-- You are in On-call already.\r\n");
}

#[test]
fn a_wrong_code_to_another_room_leaves_one_where_one_is() {
    let mut world = World::new();
    let (ann, bob) = (world.person("ann", OPS), world.member("bob", OPS));
    world.take(ann);
    world.send(ann, format!("/join {WRONG}\nstill here\n"));
    assert_eq!(texts(&world.lines(bob)), ["still here"]);
}

#[test]
fn history_shows_the_newest_messages() {
    let mut world = World::new();
    world.log.fill("ops", 30, |n| format!("message {n}"));
    let ann = world.person("ann", OPS);
    world.send(ann, "/history 3\n");
    assert_eq!(
        world.text(ann),
        "-- Messages 28 to 30:\r\n11:50 <old> message 28\r\n11:50 <old> message 29\r\n11:50 <old> message 30\r\n\
         -- End of history.\r\n"
    );
    let dev = world.person("mei", DEV);
    world.send(dev, "/history\n");
    assert_eq!(world.text(dev), "-- There is no history.\r\n");
}

#[test]
fn a_reader_may_not_speak() {
    let mut world = World::new();
    let (ann, guest) = (world.member("ann", OPS), world.connect());
    world.send(guest, format!("{GUEST} guest\n"));
    assert!(world.text(guest).contains("-- You are in, to read."));
    world.send(guest, "hello\n");
    assert_eq!(world.text(guest), "-- You can read here, but not speak.\r\n");
    assert_eq!(texts(&world.lines(ann)), Vec::<&str>::new());
}

#[test]
fn what_cannot_be_said_is_told_and_costs_nothing_else() {
    let mut world = World::new();
    let (ann, bob) = (world.person("ann", OPS), world.member("bob", OPS));
    world.take(ann);
    world.send(ann, b"\xC3\x28\n");
    assert_eq!(world.text(ann), "-- Not sent: that is not UTF-8.\r\n");
    world.send(ann, "bell \u{7}\n");
    assert_eq!(world.text(ann), "-- Not sent: it has the control character U+0007.\r\n");
    world.send(ann, format!("{}\n", "x".repeat(4_001)));
    assert_eq!(world.text(ann), "-- Not sent: it has more than 4000 bytes.\r\n");
    world.send(ann, format!("{}\n", "x".repeat(4_000)));
    world.quiet(ann);
    assert_eq!(texts(&world.lines(bob)), ["x".repeat(4_000)]);
    world.send(ann, "\n \r\n");
    world.quiet(ann);
    world.quiet(bob);
}

#[test]
fn a_line_that_never_ends_is_not_kept() {
    let mut world = World::new();
    let ann = world.person("ann", OPS);
    for _ in 0..40 {
        world.send(ann, "x".repeat(1_000));
    }
    let text = world.text(ann);
    assert!(text.contains("16384") || world.is_gone(ann), "{text:?}");
}

#[test]
fn telnet_is_understood_wherever_its_reads_are_split() {
    let mut world = World::new();
    let (bob, ann) = (world.member("bob", OPS), world.connect());
    let typed = [
        b"\xFF\xFB\x1F\xFF\xFA\x1F\x00\x50\x00\x18\xFF\xF0".as_slice(),
        OPS.as_bytes(),
        b" an\xFF\xF1n\r\0hel\xFF\xFD\x03lo\r\n",
    ]
    .concat();
    for byte in typed {
        world.send(ann, [byte]);
    }
    let told = world.take(ann);
    let has = |bytes: &[u8]| told.windows(bytes.len()).any(|window| window == bytes);
    assert!(has(b"\xFF\xFE\x1F") && has(b"\xFF\xFC\x03"), "every option is declined: {told:?}");
    let lines = world.lines(bob);
    assert_eq!((&lines[0]["name"], texts(&lines)), (&json!("ann"), vec!["hello"]));
}

#[test]
fn json_and_plain_members_see_each_other() {
    let mut world = World::new();
    let (ann, bob) = (world.keyed("ann", ANN, OPS), world.person("bob", OPS));
    let came = world.only(ann);
    assert_eq!((&came["ev"], &came["name"]), (&json!("in"), &json!("bob")));
    world.send(bob, "hi ann\n");
    let msg = world.only(ann);
    assert_eq!((&msg["name"], &msg["text"], &msg["ts"]), (&json!("bob"), &json!("hi ann"), &json!(START)));
    world.say(ann, "s1", "ops", "hi bob\nhow are you?");
    assert_eq!(world.text(bob), "12:00 <ann> hi bob\r\n             | how are you?\r\n");
    world.ask(ann, json!({"t": "leave", "id": "l1", "room": "ops"}));
    assert_eq!(world.text(bob), "-- ann left.\r\n");
}

#[test]
fn a_room_that_counts_tells_a_person_only_how_many() {
    let mut world = World::new();
    let ann = world.person("ann", HALL);
    for name in ["a", "b", "c"] {
        world.member(name, HALL);
    }
    world.wait(seconds(20));
    world.quiet(ann);
    world.send(ann, "/who\n");
    assert_eq!(world.text(ann), "-- 4 here.\r\n");
}

#[test]
fn a_taken_name_is_told() {
    let mut world = World::new();
    world.person("ann", OPS);
    let other = world.connect();
    world.send(other, format!("{OPS} Ann\n"));
    let text = world.text(other);
    assert!(text.starts_with("-- Ann is taken: you are Ann-2.\r\n"), "{text:?}");
}
