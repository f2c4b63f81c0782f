//! The commands, in pipes: what they print, and how they exit.

use std::io::Write;
use std::path::Path;
use std::process::Output;

use qun_tests::{EXPIRED, Json, OPS, OPS_READ, Server, qun};
use serde_json::Value;

fn run(home: &Path, arguments: &[&str], stdin: &str) -> Output {
    let mut child = qun(home, arguments).spawn().unwrap();
    // It may not want to know.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn send_exits_zero_only_when_it_is_acknowledged() {
    let server = Server::start("");
    let (home, addr) = (tempfile::tempdir().unwrap(), server.addr.to_string());
    let mut ann = Json::join(&server, "ann", OPS);
    let send = |code: &str, more: &[&str], text: &str| {
        run(home.path(), &[&["send", code, "--server", &addr, "--name", "ci"], more].concat(), text)
    };
    let sent = send(OPS, &[], "build\nis green\n");
    assert_eq!(sent.status.code(), Some(0), "{}", stderr(&sent));
    let said = ann.expect("msg");
    assert_eq!((said["name"].as_str(), said["text"].as_str()), (Some("ci"), Some("build\nis green")));
    assert_eq!(send("-", &[], &format!("{OPS}\nby standard input")).status.code(), Some(0));
    assert_eq!(ann.expect("msg")["text"], "by standard input");

    for (code, text, exit) in [
        ("NO-SUCH-CODE", "x", 3),
        (EXPIRED, "x", 3),
        (OPS_READ, "x", 4),
        (OPS, "\x1b[2J", 2),
        (OPS, "", 2),
        ("!?", "x", 3),
    ] {
        let output = send(code, &["--timeout", "10"], text);
        assert_eq!(output.status.code(), Some(exit), "{code} {text:?}: {}", stderr(&output));
        assert!(stderr(&output).starts_with("qun: "), "{}", stderr(&output));
        assert!(!stderr(&output).contains(OPS), "a code is no part of a message");
    }
    let nobody = run(home.path(), &["send", OPS, "-m", "x", "--server", "127.0.0.1:1", "--timeout", "1"], "");
    assert_eq!(nobody.status.code(), Some(1), "{}", stderr(&nobody));
}

#[test]
fn join_in_a_pipe_says_what_it_reads_and_shows_what_is_said() {
    let server = Server::start("");
    let (home, addr) = (tempfile::tempdir().unwrap(), server.addr.to_string());
    let mut ann = Json::join(&server, "ann", OPS);
    ann.say("ops", "a1", "earlier");
    ann.expect("msg");
    let lines: String = (0..30).map(|i| format!("line {i}\n")).collect();
    let joined = run(home.path(), &["join", OPS, "--server", &addr, "--name", "bob"], &lines);
    assert_eq!(joined.status.code(), Some(0), "{}", stderr(&joined));
    assert!(String::from_utf8(joined.stdout).unwrap().contains("<ann> earlier"));
    let heard: Vec<_> = (0..30).map(|_| ann.expect("msg")["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(heard, lines.lines().collect::<Vec<_>>(), "a paste is paced, and loses nothing");
}

#[test]
fn a_file_that_is_wrong_is_answered_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("qun.toml");
    let path = file.to_str().unwrap();
    assert_eq!(run(home.path(), &["init", path], "").status.code(), Some(0));
    assert_eq!(run(home.path(), &["check", path], "").status.code(), Some(0));
    assert_eq!(run(home.path(), &["init", path], "").status.code(), Some(2), "it overwrites nothing");
    std::fs::write(&file, "[[room]]\nid = \"ops\"\ntitel = \"On-call\"\ncodes = []\n").unwrap();
    for command in [&["check", path][..], &["serve", "--config", path][..]] {
        let output = run(home.path(), command, "");
        assert_eq!(output.status.code(), Some(2));
        let error = stderr(&output);
        assert!(error.contains(&format!("{path}:3:1: ")) && error.contains("title"), "{error}");
    }
}

#[test]
fn codes_are_new_each_time() {
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), &["code", "new", "-n", "50"], "");
    let codes = String::from_utf8(output.stdout).unwrap();
    let distinct: std::collections::BTreeSet<_> = codes.lines().collect();
    assert_eq!(distinct.len(), 50);
    assert!(distinct.iter().all(|code| code.len() == 9 && code.as_bytes()[4] == b'-'), "{codes}");
}

#[test]
fn every_line_of_json_is_an_event() {
    let server = Server::start("");
    let (home, addr) = (tempfile::tempdir().unwrap(), server.addr.to_string());
    let output = run(home.path(), &["join", OPS, "--server", &addr, "--json"], "hi\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let events: Vec<Value> = output
        .stdout
        .split(|&b| b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert!(names.starts_with(&["online", "joined"]) && names.contains(&"message"), "{names:?}");
}
