//! A configuration that is read again while people are in.

use serde_json::{Value, json};

use crate::world::{DEV, GUEST, HALL, OPS, Process, Server, qun};

/// Without the room `ops`, which is the first.
fn without_ops(config: String) -> String {
    let (head, rooms) = config.split_once("[[room]]").expect("a room");
    let (_, others) = rooms.split_once("[[room]]").expect("another room");
    format!("{head}[[room]]{others}")
}

#[test]
fn a_room_that_is_gone_ends_for_everyone_in_it_and_for_nobody_else() {
    let mut server = Server::start();
    let door = server.door();
    let (mut ann, mut person) = (server.connect(), server.connect());
    ann.member("ann", OPS);
    ann.send(format!("{}\n", json!({"t": "join", "id": "j2", "code": DEV})));
    ann.until(|line| line["re"] == "j2");
    person.send(format!("{OPS} person\n"));
    person.hears("You are in.");
    let mut pipe = Process::start(qun().args(["join", OPS, "--server", &door, "--stay"]));
    pipe.out.until_says("-- ops. ");
    let mut program = Process::start(qun().args(["join", OPS, "--server", &door, "--json", "--stay"]));
    program.out.until_says("\"joined\"");
    server.reconfigure(without_ops);
    let left = ann.until(|line| line["t"] == "left");
    assert_eq!((&left["code"], &left["retry"]), (&json!("room_closed"), &json!("no")));
    person.hears("-- ops is closed. To another room: /join CODE");
    assert_eq!((pipe.exit(), program.exit()), (Some(4), Some(4)));
    pipe.err.end();
    assert!(pipe.out.text().contains("You are out of ops: The room is closed."), "{}", pipe.out.text());
    assert!(pipe.err.text().ends_with("qun: The room is closed.\n"), "{}", pipe.err.text());
    let told: Value = serde_json::from_str(program.out.text().lines().last().expect("a line")).expect("an object");
    assert_eq!((&told["event"], &told["bye"]["code"]), (&json!("left"), &json!("room_closed")));
    ann.say("dev", "we are still here");
    ann.until(|line| line["text"] == "we are still here");
    let closed = server.until_logs("room_closed", |_| true);
    assert_eq!((&closed["room"], &closed["n"]), (&json!("ops"), &json!(4)));
    server.is_well();
}

#[test]
fn new_rooms_codes_and_titles_count_at_once() {
    let server = Server::start();
    let mut ann = server.connect();
    ann.member("ann", OPS);
    server.reconfigure(|config| {
        let lab = "[[room]]\nid = \"lab\"\ncodes = [{ code = \"1ABC-0DE1\", label = \"lab\" }]\n";
        format!(
            "{}{lab}",
            config.replace(GUEST, "NEWC-0DE7").replace("id = \"ops\"", "id = \"ops\"\ntitle = \"Day shift\"")
        )
    });
    let logged = server.until_logs("reloaded", |_| true);
    assert_eq!([&logged["added"], &logged["removed"], &logged["changed"]], [1, 0, 1]);
    assert_eq!(ann.until(|line| line["t"] == "room")["room"]["title"], "Day shift");
    server.connect().member("mei", "1ABC-0DE1");
    server.connect().member("guest", "NEWC-0DE7");
    let mut late = Process::start(qun().args(["join", GUEST, "--server", &server.door()]));
    assert_eq!(late.exit(), Some(3));
}

#[test]
fn a_configuration_that_is_wrong_changes_nothing_and_says_where() {
    let mut server = Server::start();
    let mut ann = server.connect();
    ann.member("ann", HALL);
    server.reconfigure(|config| format!("lisen = []\n{}", without_ops(config)));
    let entry = server.until_logs("not_reloaded", |_| true);
    let why = entry["why"].as_str().expect("a reason");
    assert!(why.contains("qun.toml:1") && why.contains("lisen"), "{why}");
    server.reconfigure(|config| config.replacen("lisen = []", "listen = [\"127.0.0.1:1\"]", 1));
    let entry = server.until_logs("warning", |entry| entry["why"].as_str().is_some_and(|why| why.contains("listen")));
    assert!(entry["why"].as_str().is_some_and(|why| why.contains("next start")), "{entry}");
    server.until_logs("reloaded", |entry| entry["removed"] == 1);
    ann.say("hall", "still here");
    ann.until(|line| line["text"] == "still here");
    server.is_well();
    server.terminate();
    assert_eq!(server.exit(), Some(0));
}

#[test]
fn without_a_configuration_a_hangup_is_a_goodbye() {
    let mut process = Process::start(qun().args(["serve", "--listen", "127.0.0.1:0"]));
    process.err.until_says("listening");
    process.signal(rustix::process::Signal::HUP);
    assert_eq!(process.exit(), Some(0));
    process.err.end();
    assert!(process.err.text().contains("stopped"));
}

#[test]
fn what_a_room_keeps_counts_at_once() {
    let mut server = Server::kept("burst = 0");
    let mut ann = server.connect();
    ann.member("ann", OPS);
    for n in 1..=10 {
        ann.say("ops", &n.to_string());
        ann.until(|line| line["seq"] == n);
    }
    let keep = |config: String, keep: &str| config.replace("id = \"ops\"\n", &format!("id = \"ops\"\n{keep}"));
    server.reconfigure(|config| keep(config, "keep_messages = 3\n"));
    let first = |wire: &mut crate::world::Wire| {
        wire.call(json!({"t": "history", "room": "ops", "after": 0}))["first"].as_u64().expect("a number")
    };
    while first(&mut ann) != 8 {}
    // And everything again.
    server.reconfigure(|config| config.replace("keep_messages = 3\n", "title = \"Day shift\"\n"));
    ann.until(|line| line["t"] == "room");
    for n in 11..=20 {
        ann.say("ops", &n.to_string());
        ann.until(|line| line["seq"] == n);
    }
    assert_eq!(first(&mut ann), 8);
    assert!(!server.log().contains("counts from the next start"), "{}", server.log());
    server.is_well();
}
