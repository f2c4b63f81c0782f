//! Programs that talk: `qun send`, `qun join` in a pipe, netcat itself, a few lines of Python.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{GUEST, Heard, OPS, Process, Server, WRONG, qun, which};

/// A `qun` that keeps its keys in `state`.
fn client(state: &TempDir, server: &str, args: &[&str]) -> Command {
    let mut command = qun();
    command.args(args).args(["--server", server]).env("XDG_STATE_HOME", state.path()).env_remove("QUN_CODE");
    command
}

/// Runs `qun send` with this on its stdin, and says how it ended.
fn send(server: &str, args: &[&str], text: &str) -> (Option<i32>, String) {
    let state = TempDir::new().expect("a directory");
    let mut process = Process::start(&mut client(&state, server, &[&["send"], args].concat()));
    process.write(text);
    process.close();
    let exit = process.exit();
    process.err.end();
    (exit, process.err.text())
}

#[test]
fn send_exits_0_when_it_is_acknowledged() {
    let server = Server::start();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    assert_eq!(send(&server.door(), &[OPS, "--name", "ci"], "build ok\n"), (Some(0), String::new()));
    let msg = bob.until(|line| line["t"] == "msg");
    assert_eq!((&msg["name"], &msg["text"]), (&json!("ci"), &json!("build ok")));
    bob.until(|line| line["ev"] == "out" && line["name"] == "ci");
}

#[test]
fn send_says_a_long_text_in_as_few_messages_as_possible() {
    let server = Server::start();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    let text: String = (0..100).map(|n| format!("line {n} {}\n", "x".repeat(70))).collect();
    assert_eq!(send(&server.door(), &[OPS], &text).0, Some(0));
    let mut heard = String::new();
    while heard.len() + 1 < text.len() {
        let msg = bob.until(|line| line["t"] == "msg");
        heard = format!("{heard}{}\n", msg["text"].as_str().expect("a text"));
    }
    assert_eq!(heard, text);
}

#[test]
fn send_exits_by_what_went_wrong() {
    let server = Server::start();
    let door = server.door();
    let (exit, said) = send(&door, &[WRONG], "hi");
    assert_eq!(exit, Some(3), "{said}");
    let (exit, said) = send(&door, &[GUEST], "hi");
    assert_eq!(exit, Some(4), "{said}");
    let (exit, said) = send(&door, &[OPS], "\u{1B}[2J");
    assert_eq!(exit, Some(2), "{said}");
    let (exit, said) = send(&door, &[OPS, "--nonsense"], "");
    assert_eq!(exit, Some(2), "{said}");
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let (exit, said) = send(&nobody.to_string(), &[OPS, "--timeout", "1"], "hi");
    assert_eq!(exit, Some(1), "{said}");
}

#[test]
fn send_exits_5_when_nobody_acknowledges() {
    let (door, heard) = server_that_answers(Vec::new());
    let (exit, said) = send(&door, &[OPS, "--timeout", "1"], "hello?");
    assert_eq!(exit, Some(5), "{said}");
    assert!(heard.iter().any(|line| line["t"] == "say" && line["text"] == "hello?"));
}

#[test]
fn send_says_how_much_was_said_before_it_failed() {
    let said = json!({"t": "msg", "room": "ops", "seq": 1, "ts": 0, "m": "Xk3pQ9aLw2", "name": "ann", "text": "one"});
    let refused = json!({"t": "error", "code": "closed", "retry": "no", "text": "The room is closed."});
    let (door, _heard) = server_that_answers(vec![said, refused]);
    let text = format!("one\n{}", "two\n".repeat(64));
    let (exit, said) = send(&door, &[OPS], &text);
    assert_eq!(exit, Some(4), "{said}");
    assert_eq!(said.trim_end(), "qun: The room is closed. (Said: 1 of 2 messages.)");
}

#[test]
fn send_exits_130_when_it_is_interrupted() {
    let state = TempDir::new().expect("a directory");
    let (door, heard) = server_that_answers(Vec::new());
    let mut process = Process::start(&mut client(&state, &door, &["send", OPS, "--timeout", "600"]));
    process.write("hello?");
    process.close();
    assert!(heard.iter().any(|line| line["t"] == "say"));
    process.signal(Signal::INT);
    assert_eq!(process.exit(), Some(130));
}

/// A server that lets one client in, and answers its first says by these and none after them. Where it is, and what is said
/// to it.
fn server_that_answers(says: Vec<Value>) -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let door = listener.local_addr().expect("an address").to_string();
    let (hears, heard) = channel();
    let serve = move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut says = says.into_iter();
        for line in BufReader::new(&stream).lines().map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).expect("a client speaks json");
            let id = &line["id"];
            let answer = match line["t"].as_str() {
                Some("hello") => json!({"t": "welcome", "re": id, "v": 1, "server": "deaf", "m": "Xk3pQ9aLw2",
                    "name": "ann", "resumed": false, "now": 0, "ping_s": 25, "grace_s": 60,
                    "limits": {"line": 16384, "text": 4000, "lines": 64, "name": 32, "replay": 200, "burst": 10, "per_s": 2}}),
                Some("join") => json!({"t": "joined", "re": id, "room": {"id": "ops", "title": "Ops", "role": "talk"},
                    "here": 1, "members": [{"m": "Xk3pQ9aLw2", "name": "ann"}], "epoch": "e1", "first": 1, "from": 1, "head": 0}),
                Some("say") => says.next().map_or(Value::Null, |mut answer| {
                    let names = if answer["t"] == "error" { "re" } else { "id" };
                    answer[names] = id.clone();
                    answer
                }),
                _ => Value::Null,
            };
            if !answer.is_null() {
                (&stream).write_all(format!("{answer}\n").as_bytes()).expect("it reads");
            }
            // The test may have heard enough.
            let _ = hears.send(line);
        }
    };
    thread::spawn(serve);
    (door, heard)
}

#[test]
fn a_code_need_not_stand_among_the_arguments() {
    let server = Server::start();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    let state = TempDir::new().expect("a directory");
    let mut process = Process::start(client(&state, &server.door(), &["send"]).env("QUN_CODE", OPS));
    process.write("by the environment");
    process.close();
    assert_eq!(process.exit(), Some(0));
    bob.until(|line| line["text"] == "by the environment");
    assert_eq!(send(&server.door(), &["-"], &format!("{OPS}\nby stdin")).0, Some(0));
    bob.until(|line| line["text"] == "by stdin");
}

#[test]
fn join_in_a_pipe_says_lines_and_shows_what_is_said() {
    let server = Server::start();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    bob.say("ops", "backlog");
    bob.until(|line| line["text"] == "backlog");
    let state = TempDir::new().expect("a directory");
    let mut ann = Process::start(&mut client(&state, &server.door(), &["join", OPS, "--name", "ann"]));
    ann.out.until_says("<bob> backlog");
    ann.write("from a pipe\n");
    bob.until(|line| line["text"] == "from a pipe" && line["name"] == "ann");
    bob.say("ops", "to a pipe");
    ann.out.until_says("<bob> to a pipe");
    ann.close();
    assert_eq!(ann.exit(), Some(0));
    let keys: Vec<PathBuf> = std::fs::read_dir(state.path().join("qun/keys"))
        .expect("keys")
        .map(|entry| entry.expect("a key").path())
        .collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
}

#[test]
fn a_pipe_that_nobody_reads_holds_up_the_network_and_costs_no_memory() {
    let server = Server::with("burst = 0\nper_s = 0\nstall_s = 60");
    let state = TempDir::new().expect("a directory");
    let mut command = client(&state, &server.door(), &["join", OPS, "--name", "ann", "--stay"]);
    let streams = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut ann = Process::adopt(streams.spawn().expect("it starts"), Heard::default());
    server.until_logs("entered", |entry| entry["name"] == "ann");
    let before = ann.memory();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    let text = "x".repeat(2_000);
    for n in 0..40 {
        let last = format!("so far {n}");
        let say = |text: &str| format!("{}\n", json!({"t": "say", "room": "ops", "text": text}));
        bob.send(say(&text).repeat(100) + &say(&last));
        bob.until(|line| line["text"] == last);
    }
    let grown = ann.memory().saturating_sub(before);
    assert!(grown < 5 << 20, "8 MB were said, and it holds {grown} bytes of them");
    // It reads on where it stood, is told what it missed, and fetches what there still is of it.
    bob.say("ops", "the last word");
    ann.read_on();
    ann.out.until_says("<bob> the last word");
    ann.out.until_says("messages are lost here");
}

#[test]
fn netcat_itself() {
    let Some(nc) = which("nc") else { return };
    let server = Server::start();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    let mut ann = Process::start(Command::new(nc).args([server.addr.ip().to_string(), server.addr.port().to_string()]));
    ann.out.until_says("Room code: ");
    ann.write("k7qm 2xd4\n");
    ann.out.until_says("Your name [");
    ann.write("ann\n");
    ann.out.until_says("-- You are in.");
    ann.write("hello from netcat\n");
    bob.until(|line| line["text"] == "hello from netcat" && line["name"] == "ann");
    bob.say("ops", "hello netcat");
    ann.out.until_says("<bob> hello netcat\r\n");
    ann.write("/quit\n");
    ann.out.until_says("-- Goodbye.\r\n");
}

/// A client in another language, from PROTOCOL.md alone.
const PYTHON: &str = r#"
import json, socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
lines = s.makefile("r", encoding="utf-8")
def send(**frame):
    s.sendall((json.dumps(frame) + "\n").encode())
def receive(t):
    for line in lines:
        frame = json.loads(line)
        if frame["t"] == "error":
            sys.exit(frame["text"])
        if frame["t"] == "ping":
            send(t="pong", n=frame["n"])
        if frame["t"] == t:
            return frame
send(t="hello", id="h", v=[1], name="蟒蛇")
receive("welcome")
send(t="join", id="j", code=sys.argv[3])
room = receive("joined")["room"]["id"]
send(t="say", id="random-0123456789", room=room, text="你好 from Python")
print(json.dumps(receive("msg")), flush=True)
print(receive("msg")["text"], flush=True)
"#;

#[test]
fn a_few_lines_of_python() {
    let Some(python) = which("python3") else { return };
    let server = Server::start();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    let (ip, port) = (server.addr.ip().to_string(), server.addr.port().to_string());
    let mut snake = Process::start(Command::new(python).args(["-c", PYTHON, &ip, &port, OPS]));
    let msg = bob.until(|line| line["t"] == "msg");
    assert_eq!((&msg["name"], &msg["text"]), (&json!("蟒蛇"), &json!("你好 from Python")));
    snake.out.until_says("random-0123456789");
    bob.say("ops", "hello snake");
    assert_eq!(snake.exit(), Some(0));
    assert!(snake.out.text().ends_with("hello snake\n"));
}
