//! What is said is kept: through a restart, a kill, a disk that fails, and a backup that somebody puts back.

use std::fs;

use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::json;

use crate::world::{ANN, DEV, Joined, OPS, Process, Server, WRONG, Wire, qun};

/// Says something and waits until it is in the log; its seq.
fn say(wire: &mut Wire, room: &str, text: &str) -> u64 {
    wire.say(room, text);
    wire.until(|line| line["text"] == text)["seq"].as_u64().expect("a message")
}

#[test]
fn a_person_comes_back_to_where_they_were_after_a_restart_and_after_a_kill() {
    let mut server = Server::kept("");
    let mut ann = server.connect();
    ann.hello("ann", Some(ANN));
    let epoch = ann.join(OPS)["epoch"].clone();
    ann.ask(&json!({"t": "say", "id": "s1", "room": "ops", "text": "one"}));
    ann.until(|line| line["text"] == "one");
    for clean in [true, false] {
        let seen = say(&mut ann, "ops", "another");
        let missed = say(&mut ann, "ops", "and one that ann did not see");
        if clean {
            server.terminate();
            assert_eq!(server.exit(), Some(0));
        } else {
            server.kill();
        }
        server.start_again();
        ann = server.connect();
        let welcome = ann.hello("ann", Some(ANN));
        assert_eq!((&welcome["name"], &welcome["resumed"]), (&json!("ann"), &json!(false)), "sessions are not kept");
        let joined = ann.call(json!({"t": "join", "code": OPS, "resume": {"epoch": epoch, "seq": seen}}));
        assert_eq!((&joined["epoch"], &joined["from"], &joined["head"]), (&epoch, &json!(missed), &json!(missed)));
        assert_eq!(ann.line()["text"], "and one that ann did not see");
    }
}

#[test]
fn what_is_sent_again_is_said_once_across_a_kill() {
    let mut server = Server::kept("");
    let say = json!({"t": "say", "id": "01J9ZK6E3Q8V", "room": "ops", "text": "once"});
    let mut ann = server.connect();
    ann.hello("ann", Some(ANN));
    ann.join(OPS);
    ann.ask(&say);
    ann.until(|line| line["text"] == "once");
    server.crash_and_restart();
    let mut ann = server.connect();
    ann.hello("ann", Some(ANN));
    ann.call(json!({"t": "join", "code": OPS, "tail": 0}));
    ann.ask(&say);
    let ok = ann.until(|line| line["re"] == "01J9ZK6E3Q8V");
    assert_eq!((&ok["t"], &ok["seq"]), (&json!("ok"), &json!(1)));
}

#[test]
fn history_is_read_from_the_disk_while_people_talk() {
    let mut server = Server::kept("burst = 0\nload_s = 60\nroom_bytes = 220000");
    let mut ann = server.connect();
    ann.member("ann", OPS);
    let long = "x".repeat(3_900);
    for n in 0..200 {
        say(&mut ann, "ops", &format!("{n} {long}"));
    }
    server.crash_and_restart();
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.member("ann", OPS);
    bob.hello("bob", None);
    let joined = bob.join(OPS);
    assert!(joined["from"].as_u64() > Some(100), "memory holds the newest only: {joined}");
    let (mut before, mut seen) = (201, 0);
    while before > 1 {
        say(&mut ann, "ops", &format!("live {before}"));
        let page = bob.call(json!({"t": "history", "room": "ops", "before": before, "limit": 50}));
        let msgs = page["msgs"].as_array().expect("a page");
        let first = msgs[0]["seq"].as_u64().expect("a seq");
        assert_eq!((msgs.len() as u64, page["more"] == true), (before - first, first > 1), "without a hole");
        seen += msgs.len();
        before = first;
    }
    assert_eq!(seen, 200);
}

#[test]
fn a_client_that_was_cut_off_by_a_kill_notices_nothing_but_the_cut() {
    let mut server = Server::kept("");
    let mut ann = Joined::new(&server, "ann");
    ann.process.write("before\n");
    ann.until("message", |told| told["text"] == "before");
    server.kill();
    ann.until("offline", |_| true);
    ann.process.write("while it was down\n");
    server.start_again();
    ann.until("message", |told| told["text"] == "while it was down" && told["seq"] == 2);
    let all = ann.all();
    assert!(all.iter().all(|told| told["event"] != "restarted" && told["event"] != "lost"), "{all:#?}");
    assert_eq!(all.iter().filter(|told| told["text"] == "before").count(), 1);
}

#[test]
fn a_backup_that_is_put_back_restarts_history_for_who_has_seen_more() {
    let mut server = Server::kept("");
    let mut ann = Joined::new(&server, "ann");
    ann.process.write("in the backup\n");
    ann.until("message", |told| told["text"] == "in the backup");
    server.terminate();
    server.exit();
    fs::copy(server.path("qun.db"), server.path("backup.db")).expect("a copy");
    server.start_again();
    ann.process.write("behind it\n");
    ann.until("message", |told| told["text"] == "behind it");
    server.kill();
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(server.path(&format!("qun.db{end}")));
    }
    fs::copy(server.path("backup.db"), server.path("qun.db")).expect("a copy");
    server.start_again();
    server.until_logs("history_restarted", |_| true);
    ann.until("restarted", |_| true);
    let mut bob = server.connect();
    bob.member("bob", OPS);
    assert_eq!(say(&mut bob, "ops", "another behind it"), 2);
    ann.until("message", |told| told["text"] == "another behind it" && told["seq"] == 2);
}

#[test]
fn a_disk_that_takes_nothing_is_told_to_who_speaks_and_to_nobody_else() {
    let server = Server::kept("load_s = 60");
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.member("ann", OPS);
    bob.member("bob", OPS);
    say(&mut ann, "ops", "before");
    // No file of the server may be longer than 4 KiB from now on: writing fails, as it does on a broken disk.
    let limit = |current| prlimit(Some(server.pid()), Resource::Fsize, Rlimit { current, maximum: None });
    limit(Some(4_096)).expect("it is ours");
    let refused = ann.call(json!({"t": "say", "room": "ops", "text": "into the void"}));
    assert_eq!((&refused["code"], &refused["retry"]), (&json!("unavailable"), &json!("later")), "{refused}");
    server.until_logs("storage_faulty", |_| true);
    for _ in 0..5 {
        ann.call(json!({"t": "say", "room": "ops", "text": "into the void"}));
    }
    let page = bob.call(json!({"t": "history", "room": "ops", "before": 2}));
    assert_eq!(page["msgs"][0]["text"], "before", "reading goes on: {page}");
    let mut mei = server.connect();
    mei.member("mei", OPS);
    limit(None).expect("it is ours");
    assert_eq!(say(&mut ann, "ops", "after"), 2);
    bob.until(|line| line["text"] == "after");
    server.until_logs("storage_healed", |_| true);
    let over = server.until_logs("log_works", |_| true);
    assert_eq!((&over["room"], &over["n"], &over["why"]), (&json!("ops"), &json!(6), &json!("keep")));
    assert_eq!(server.log().matches("log_fault").count(), 1, "{}", server.log());
}

#[test]
fn what_can_not_be_served_is_refused_and_left_as_it_is() {
    let mut server = Server::kept("");
    let second = server.does_not_start();
    assert!(second.contains("another server has") && second.contains("qun.db"), "{second}");
    let mut ann = server.connect();
    ann.member("ann", DEV);
    say(&mut ann, "dev", "the first one notices nothing");
    server.terminate();
    server.exit();
    fs::write(server.path("qun.db"), "no database").expect("a file");
    let damaged = server.does_not_start();
    assert!(damaged.contains("qun.db is damaged") && damaged.contains(".recover"), "{damaged}");
    assert_eq!(fs::read(server.path("qun.db")).expect("a file"), b"no database");
}

#[test]
fn where_history_is_kept_is_told() {
    let server = Server::kept("");
    let told = server.until_logs("history", |_| true);
    assert_eq!(told["file"], server.path("qun.db").display().to_string());
    assert_eq!(told["durability"], "full");
    let server = Server::start();
    assert_eq!(server.until_logs("history", |_| true).get("file"), None);
}

/// Runs a command beside the server's configuration; its exit code and what it wrote to stdout and stderr.
fn command(server: &Server, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = qun();
    command.args(args).args(["--config"]).arg(server.path("qun.toml"));
    let mut process = Process::start(&mut command);
    process.close();
    let exit = process.exit();
    process.err.end();
    (exit, process.out.text(), process.err.text())
}

#[test]
fn a_room_moves_to_another_server_by_export_and_import() {
    let (old, mut new) = (Server::kept("burst = 0"), Server::kept(""));
    let mut ann = old.connect();
    ann.member("ann", OPS);
    for n in 0..5 {
        say(&mut ann, "ops", &format!("message {n}"));
    }
    let file = new.path("ops.ndjson").display().to_string();
    assert_eq!(command(&old, &["export", "ops", "-o", &file]), (Some(0), String::new(), String::new()));
    // It was broken off in the middle of a line, and more was said since.
    let text = fs::read_to_string(&file).expect("it is written");
    fs::write(&file, &text[..text.len() - 20]).expect("a file");
    say(&mut ann, "ops", "你好");
    assert_eq!(command(&old, &["export", "ops", "-o", &file]).0, Some(0));
    let (_, whole, _) = command(&old, &["export", "ops"]);
    assert_eq!(fs::read_to_string(&file).expect("it is written"), whole);
    assert_eq!(whole.lines().count(), 6);
    assert_eq!(
        command(&old, &["export", "ops", "--after", "5"]).1,
        whole.lines().last().expect("a line").to_owned() + "\n"
    );

    let (exit, _, said) = command(&new, &["import", "ops", &file]);
    assert!(exit == Some(2) && said.contains("another server has"), "{said}");
    new.terminate();
    new.exit();
    let (exit, _, said) = command(&new, &["import", "ops", &file]);
    assert!(exit == Some(0) && said.contains("6 messages are imported, 0 were"), "{said}");
    let (exit, _, said) = command(&new, &["import", "ops", &file]);
    assert!(exit == Some(0) && said.contains("0 messages are imported, 6 were"), "{said}");
    fs::write(&file, "{\"seq\":7}\n").expect("a file");
    let (exit, _, said) = command(&new, &["import", "ops", &file]);
    assert!(exit == Some(2) && said.contains("line 1: missing field"), "{said}");
    let (exit, _, said) = command(&new, &["import", "nowhere", &file]);
    assert!(exit == Some(2) && said.contains("its rooms are ops, dev, hall"), "{said}");

    new.start_again();
    let mut bob = new.connect();
    bob.hello("bob", None);
    assert_eq!(bob.join(OPS)["head"], 6);
    assert_eq!(bob.until(|line| line["seq"] == 6)["text"], "你好");
    assert_eq!(say(&mut bob, "ops", "hello from here"), 7);
}

#[test]
fn a_backup_is_made_while_the_server_runs_and_put_back() {
    let mut server = Server::kept("");
    let mut ann = server.connect();
    ann.member("ann", OPS);
    say(&mut ann, "ops", "in the backup");
    let file = server.path("backup.db").display().to_string();
    let (exit, said, _) = command(&server, &["backup", &file]);
    assert!(exit == Some(0) && said.contains("backup.db is written"), "{said}");
    let (exit, _, said) = command(&server, &["backup", &file]);
    assert!(exit == Some(2) && said.contains("exists"), "{said}");
    say(&mut ann, "ops", "behind it");
    server.terminate();
    server.exit();
    fs::rename(&file, server.path("qun.db")).expect("it is put back");
    server.start_again();
    let mut ann = server.connect();
    ann.hello("ann", None);
    assert_eq!(ann.join(OPS)["head"], 1);
    server.until_logs("history_restarted", |_| true);
}

#[test]
fn what_was_said_is_printed_for_who_has_the_code() {
    let mut server = Server::kept("burst = 0\nload_s = 60");
    let mut ann = server.connect();
    ann.member("ann", OPS);
    for n in 1..=230 {
        say(&mut ann, "ops", &format!("message {n}"));
    }
    server.crash_and_restart();
    let history = |args: &[&str], code: &str| {
        let mut command = qun();
        command.args(["history", code, "--server", &server.door()]).args(args);
        command.env("XDG_STATE_HOME", server.path("state")).env_remove("QUN_CODE");
        let mut process = Process::start(&mut command);
        process.close();
        (process.exit(), process.out.text())
    };
    let (exit, all) = history(&["--since", "1h", "--json"], OPS);
    let seqs: Vec<_> = all
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("json")["seq"].as_u64())
        .collect();
    assert_eq!((exit, seqs), (Some(0), (1..=230).map(Some).collect()));
    let (exit, newest) = history(&["--limit", "3"], OPS);
    assert_eq!((exit, newest.lines().count()), (Some(0), 3));
    assert!(newest.ends_with("<ann> message 230\n"), "{newest}");
    assert_eq!(history(&["--since", "2999-01-01T00:00:00Z"], OPS), (Some(0), String::new()));
    assert_eq!(history(&[], WRONG).0, Some(3));
}
