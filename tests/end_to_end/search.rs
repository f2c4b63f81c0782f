//! Search, by the binary: through restarts, kills, a restore, an import, and an index that somebody damages.

use std::fs;

use serde_json::{Value, json};

use crate::world::{ANN, DEV, OPS, Process, Server, WRONG, Wire, qun};

fn say(wire: &mut Wire, room: &str, text: &str) {
    wire.say(room, text);
    wire.until(|line| line["text"] == text);
}

/// Runs a command of the configuration's.
fn command(server: &Server, args: &[&str]) -> Option<i32> {
    let mut process = Process::start(qun().args(args).arg("--config").arg(server.path("qun.toml")));
    process.close();
    process.exit()
}

/// `qun search`, in a room by its code: how it ended, and what it printed.
fn search(server: &Server, code: &str, args: &[&str]) -> (Option<i32>, String) {
    let mut command = qun();
    command.args(["search", code, "--server", &server.door()]).args(args);
    command.env("XDG_STATE_HOME", server.path("state")).env_remove("QUN_CODE");
    let mut process = Process::start(&mut command);
    process.close();
    (process.exit(), process.out.text())
}

fn seqs(server: &Server, args: &[&str]) -> Vec<u64> {
    let args: Vec<_> = args.iter().chain(&["--json", "--limit", "1000"]).copied().collect();
    let (exit, found) = search(server, OPS, &args);
    assert_eq!(exit, Some(0));
    let seq = |line: &str| serde_json::from_str::<Value>(line).expect("json")["seq"].as_u64().expect("a message");
    found.lines().map(seq).collect()
}

/// Has said 230 messages, every tenth of which is about a deploy.
fn told(server: &Server) -> Wire {
    let mut ann = server.connect();
    ann.member("ann", OPS);
    for n in 1..=230 {
        let text = if n % 10 == 0 { format!("Deploy {n}：部署完成") } else { format!("message {n}") };
        say(&mut ann, "ops", &text);
    }
    ann
}

#[test]
fn what_was_said_is_found_at_once_and_after_a_kill() {
    let mut server = Server::kept("burst = 0\nload_s = 60");
    let _ann = told(&server);
    let every_tenth: Vec<u64> = (1..=23).map(|n| n * 10).collect();
    for _ in 0..3 {
        assert_eq!(seqs(&server, &["部署"]), every_tenth);
        assert_eq!(seqs(&server, &["deploy", "完成"]), every_tenth);
        assert_eq!(seqs(&server, &["DEPL"]), every_tenth);
        assert!(seqs(&server, &["署部"]).is_empty());
        server.crash_and_restart();
    }
    let (exit, newest) = search(&server, OPS, &["deploy", "--limit", "2", "--before", "230"]);
    assert_eq!((exit, newest.lines().count()), (Some(0), 2));
    assert!(newest.ends_with(" #220 <ann> Deploy 220：部署完成\n") && !newest.contains('\x1b'), "{newest}");
    assert_eq!(search(&server, OPS, &["snow"]), (Some(0), String::new()));
    assert_eq!(search(&server, DEV, &["deploy"]), (Some(0), String::new()), "it is another room's");
    assert_eq!(search(&server, WRONG, &["deploy"]).0, Some(3));
    assert_eq!(search(&server, OPS, &["?!"]).0, Some(2));

    let mut ann = server.connect();
    ann.member("ann", OPS);
    let found = ann.call(json!({"t": "search", "id": "s1", "room": "ops", "words": "deploy", "limit": 1}));
    assert_eq!((&found["msgs"][0]["seq"], &found["from"], &found["more"]), (&json!(230), &json!(230), &json!(true)));
}

#[test]
fn pages_of_what_is_found_go_on_where_the_last_one_ended() {
    let server = Server::kept("burst = 0\npage = 7");
    let _ann = told(&server);
    assert_eq!(seqs(&server, &["message"]).len(), 207);
    assert_eq!(seqs(&server, &["message", "9"]), [9]);
}

#[test]
fn a_restored_an_imported_and_a_damaged_database_find_what_they_have() {
    let mut server = Server::kept("burst = 0\nload_s = 60");
    let mut ann = told(&server);
    let (backup, export) = (server.path("backup.db"), server.path("ops.ndjson"));
    let named = |path: &std::path::Path| path.display().to_string();
    assert_eq!(command(&server, &["backup", &named(&backup)]), Some(0));
    say(&mut ann, "ops", "部署 behind the backup");
    assert_eq!(seqs(&server, &["部署"]).last(), Some(&231));
    assert_eq!(command(&server, &["export", "ops", "-o", &named(&export)]), Some(0));
    server.terminate();
    server.exit();

    // The backup lacks the last one, and what is said then is another.
    fs::rename(&backup, server.path("qun.db")).expect("it is put back");
    server.start_again();
    assert!(seqs(&server, &["behind"]).is_empty());
    let mut ann = server.connect();
    ann.member("ann", OPS);
    say(&mut ann, "ops", "snow");
    assert_eq!((seqs(&server, &["snow"]), seqs(&server, &["部署"]).len()), (vec![231], 23));
    server.terminate();
    server.exit();

    // A database that is gone is begun anew, and filled.
    fs::remove_file(server.path("qun.db")).expect("it is there");
    assert_eq!(command(&server, &["import", "ops", &named(&export)]), Some(0));
    server.start_again();
    assert_eq!(
        (seqs(&server, &["snow"]), seqs(&server, &["behind"]), seqs(&server, &["部署"]).len()),
        (vec![], vec![231], 24)
    );
    server.terminate();
    server.exit();

    // An index is nothing that a message hangs on.
    for damage in [&b"not an index"[..], b"SQLite format 3\0", b""] {
        fs::write(server.path("qun.db-words"), damage).expect("it can be written");
        server.start_again();
        assert_eq!((seqs(&server, &["behind"]), seqs(&server, &["部署"]).len()), (vec![231], 24));
        server.terminate();
        assert_eq!(server.exit(), Some(0));
    }
}

#[test]
fn a_room_without_a_disk_is_searched_too() {
    let server = Server::start();
    let mut ann = server.connect();
    ann.hello("ann", Some(ANN));
    ann.join(OPS);
    say(&mut ann, "ops", "Deploy：部署完成");
    assert_eq!(seqs(&server, &["部署"]), [1]);
    let mut bob = server.connect();
    bob.send(format!("{OPS} bob\n/search 部署 dep\n"));
    let text = bob.hears("End of what was found.");
    assert!(text.contains("-- Found 1 message:\r\n") && text.contains("<ann> Deploy：部署完成\r\n"), "{text}");
}
