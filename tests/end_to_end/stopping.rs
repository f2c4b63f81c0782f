//! How a server stops, and how it starts.

use serde_json::json;
use tempfile::TempDir;

use crate::world::{OPS, Process, Server, Wire, qun};

#[test]
fn a_term_signal_drains() {
    let mut server = Server::start();
    let (mut ann, mut person) = (server.connect(), server.connect());
    ann.member("ann", OPS);
    person.send(format!("{OPS} person\n"));
    person.hears("You are in.");
    ann.say("ops", "last words");
    server.terminate();
    ann.until(|line| line["text"] == "last words");
    let bye = ann.until(|line| line["t"] == "bye");
    assert_eq!((&bye["code"], &bye["retry"]), (&json!("shutdown"), &json!("later")));
    assert!(bye["wait_ms"].as_u64().is_some_and(|ms| ms >= 1_000), "{bye}");
    assert_eq!(ann.rest(), "");
    assert!(person.rest().contains("-- The server goes down. Come back in "));
    assert_eq!(server.exit(), Some(0));
    assert!(server.log().lines().last().is_some_and(|line| line.contains("\"stopped\"")), "{}", server.log());
}

#[test]
fn a_reader_that_is_stuck_does_not_stop_it_from_stopping() {
    let mut server = Server::with("burst = 0\nper_s = 0\ndrain_s = 1\nstall_s = 60");
    let mut stuck = server.connect();
    stuck.narrow();
    stuck.member("stuck", OPS);
    let mut ann = server.connect();
    ann.member("ann", OPS);
    let text = "x".repeat(4_000);
    for _ in 0..300 {
        ann.say("ops", &text);
        ann.until(|line| line["text"] == text);
    }
    server.terminate();
    assert_eq!(server.exit(), Some(0));
}

#[test]
fn without_a_configuration_there_is_a_temporary_room() {
    let mut process = Process::start(qun().args(["serve", "--listen", "127.0.0.1:0"]));
    let (code, addr) = process.out.until("how to get in", |text| {
        let code = text.lines().find_map(|line| line.trim().strip_prefix("code "))?.trim().to_owned();
        let nc = text.lines().find_map(|line| line.trim().split_once("nc "))?.1.trim().replace(' ', ":");
        text.contains("Ctrl-C").then_some((code, nc))
    });
    process.err.until_says("listening");
    let mut wire = Wire::connect(addr.parse().expect("an address"));
    wire.member("ann", &code);
    process.signal(rustix::process::Signal::INT);
    assert_eq!(process.exit(), Some(0));
    process.err.end();
    assert!(!process.err.text().contains(&code), "the code is logged");
}

#[test]
fn what_init_writes_is_right_and_what_is_wrong_is_answered_with_its_place() {
    let dir = TempDir::new().expect("a directory");
    let run = |args: &[&str]| {
        let mut process = Process::start(qun().args(args).current_dir(dir.path()));
        let exit = process.exit();
        process.err.end();
        (exit, process.err.text())
    };
    assert_eq!(run(&["init"]).0, Some(0));
    assert_eq!(run(&["check"]), (Some(0), String::new()));
    let config = std::fs::read_to_string(dir.path().join("qun.toml")).expect("it was written");
    std::fs::write(dir.path().join("wrong.toml"), format!("lisen = [\"127.0.0.1:0\"]\n{config}")).expect("a file");
    for command in ["check", "serve"] {
        let (exit, said) = run(&[command, "--config", "wrong.toml"]);
        assert_eq!(exit, Some(2), "{said}");
        assert!(said.contains("wrong.toml:1") && said.contains("lisen") && said.contains("listen"), "{said}");
    }
}
