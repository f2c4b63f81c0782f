//! The small programs in Python that stand in `docs`: clients, against a server on the loopback, and a server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::every::over_every_loop;
use crate::support::{CODE, Line, Loop, Running, serve};

over_every_loop! {
    the_small_clients_join_talk_and_leave
    the_small_clients_say_that_a_code_is_wrong
}

const CLIENTS: [&str; 2] = ["minimal.py", "with_select.py"];

/// Starts a client; `None` where this machine has no Python.
fn start(client: &str, code: &str, name: &str, addr: SocketAddr) -> Option<Child> {
    python(&format!("clients/{client}"), &[code, name, &addr.ip().to_string(), &addr.port().to_string()])
}

fn python(program: &str, arguments: &[&str]) -> Option<Child> {
    let path = format!("{}/../docs/{program}", env!("CARGO_MANIFEST_DIR"));
    let started = Command::new("python3")
        .arg(path)
        .args(arguments)
        .env("PYTHONUTF8", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    match started {
        Ok(child) => Some(child),
        Err(error) => {
            println!("skipped {program}: no python3 ({error})");
            None
        }
    }
}

/// Somebody else is in the room, then the client; what each says the other sees.
fn talk(server: &Running, client: &str) -> Option<()> {
    let mut ann = server.member("ann");
    let mut child = start(client, CODE, "py", server.addr)?;
    let mut typed = child.stdin.take().unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap());

    typed.write_all("hello, 群\n\n  indented\nand no end".as_bytes()).unwrap();
    assert!(ann.until(r#""t":"msg""#).contains(r#""text":"hello, 群""#));
    assert!(ann.until(r#""t":"msg""#).contains(r#""text":"  indented""#));
    ann.say("a1", "hi, py");
    let mut line = String::new();
    while line != "<ann> hi, py\n" {
        line.clear();
        assert!(printed.read_line(&mut line).unwrap() > 0, "{client} ended before it printed what came");
    }
    drop(typed);
    assert!(ann.until(r#""t":"msg""#).contains(r#""text":"and no end""#));
    let mut rest = String::new();
    printed.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "<py> and no end\n", "{client} stays until what it said has come back");
    let outcome = child.wait_with_output().unwrap();
    assert!(outcome.status.success(), "{client}: {}", String::from_utf8_lossy(&outcome.stderr));
    Some(())
}

fn the_small_clients_join_talk_and_leave(kind: Loop) {
    for client in CLIENTS {
        talk(&serve(kind), client);
    }
}

fn the_small_clients_say_that_a_code_is_wrong(kind: Loop) {
    let server = serve(kind);
    for client in CLIENTS {
        let Some(child) = start(client, "WR0N-GC0D", "py", server.addr) else { return };
        let outcome = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(outcome.status.code(), Some(1), "{client}: {told}");
        assert!(told.contains("That code does not open a room."), "{client}: {told}");
    }
}

/// A program that is ended with the test, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_chat_on_select_outlives_the_silent_the_reset_and_the_slow() {
    let Some(child) = python("chat_on_select.py", &["0"]) else { return };
    let mut server = Ended(child);
    let mut printed = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut printed).unwrap();
    let port: u16 = printed.trim().strip_prefix("listening on port ").unwrap().parse().unwrap();
    let enter = |code: &str| {
        let mut line = Line::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
        line.send(code);
        line
    };
    let (_silent, _half_a_code) = (enter(""), enter("re"));
    let mut bob = enter("red\n");
    let mut eve = enter("blue\n");
    let slow = enter("red\nI am in\n");
    assert_eq!(bob.next().unwrap(), "I am in\n");
    enter("red\nand gone\n").reset();
    let mut wrong = enter("green\nhello\n");
    assert_eq!(wrong.next(), None);

    let mut ann = enter("red\n");
    let text = format!("{}\n", "x".repeat(4_000));
    // More than the server keeps and the kernel takes for one who reads nothing.
    for _ in 0..3_000 {
        ann.send(&text);
        assert_eq!(bob.until("x"), text);
    }
    let mut slow = slow;
    let mut got = 0;
    while let Some(line) = slow.next() {
        got += usize::from(line == text);
    }
    assert!(got < 3_000, "the slow one was to be sent away");
    eve.send("bye\n");
    eve.stream().shutdown(Shutdown::Write).unwrap();
    assert_eq!(eve.next(), None, "nothing of another room");
}
