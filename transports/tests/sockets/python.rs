//! The small clients of `docs/clients`, against a server on the loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::support::{CODE, Running, over_every_poller, serve};
use qun_transports::readiness::PollerKind;

over_every_poller! {
    the_small_clients_join_talk_and_leave
    the_small_clients_say_that_a_code_is_wrong
}

const CLIENTS: [&str; 2] = ["minimal.py", "with_select.py"];

/// Starts a client; `None` where this machine has no Python.
fn start(client: &str, code: &str, name: &str, addr: SocketAddr) -> Option<Child> {
    let path = format!("{}/../docs/clients/{client}", env!("CARGO_MANIFEST_DIR"));
    let started = Command::new("python3")
        .args([&path, code, name, &addr.ip().to_string(), &addr.port().to_string()])
        .env("PYTHONUTF8", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    match started {
        Ok(child) => Some(child),
        Err(error) => {
            println!("skipped {client}: no python3 ({error})");
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

fn the_small_clients_join_talk_and_leave(poller: PollerKind) {
    for client in CLIENTS {
        talk(&serve(poller), client);
    }
}

fn the_small_clients_say_that_a_code_is_wrong(poller: PollerKind) {
    let server = serve(poller);
    for client in CLIENTS {
        let Some(child) = start(client, "WR0N-GC0D", "py", server.addr) else { return };
        let outcome = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(outcome.status.code(), Some(1), "{client}: {told}");
        assert!(told.contains("That code does not open a room."), "{client}: {told}");
    }
}
