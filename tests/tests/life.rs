//! A server's life: many clients, going down, coming back.

use std::collections::BTreeSet;

use qun_tests::{HALL, Json, OPS, Plain, Server, qun};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

#[test]
fn it_goes_down_politely() {
    let mut server = Server::start("");
    let (mut ann, bob) = (Json::join(&server, "ann", OPS), Plain::join(&server, "bob", OPS));
    let silent = Plain::connect(&server);
    ann.say("ops", "a1", "the last word");
    assert_eq!(ann.expect("msg")["id"], "a1");
    server.terminate();
    let bye = ann.expect("bye");
    assert_eq!((bye["code"].as_str(), bye["retry"].as_str()), (Some("shutdown"), Some("later")));
    assert!(bye["wait_ms"].as_u64().is_some_and(|wait| wait >= 1_000), "{bye}");
    assert!(ann.next().is_none());
    let rest = bob.rest();
    assert!(rest.contains("<ann> the last word\r\n") && rest.ends_with("seconds.\r\n"), "{rest}");
    silent.rest();
    assert!(server.wait().success());
}

#[test]
fn its_clients_come_back_at_different_times() {
    let server = Server::start("");
    let mut clients: Vec<_> = (0..20).map(|i| Json::join(&server, &format!("c{i}"), HALL)).collect();
    server.terminate();
    let waits: BTreeSet<_> = clients.iter_mut().map(|client| client.expect("bye")["wait_ms"].as_u64()).collect();
    assert!(waits.len() > 10, "{waits:?}");
}

#[test]
fn a_client_comes_back_to_a_server_that_lost_its_memory() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let mut server = Server::start("");
    let addr = server.addr.to_string();
    let home = tempfile::tempdir().unwrap();
    let join = ["join", OPS, "--name", "ann", "--server", &addr, "--json", "--stay"];
    let mut client = qun(home.path(), &join).spawn().unwrap();
    let mut events = BufReader::new(client.stdout.take().unwrap()).lines();
    let mut event = |name: &str| loop {
        let line: serde_json::Value = serde_json::from_str(&events.next().unwrap().unwrap()).unwrap();
        if line["event"] == name {
            return line;
        }
    };
    let mut stdin = client.stdin.take().unwrap();
    event("joined");
    writeln!(stdin, "before").unwrap();
    assert_eq!(event("message")["text"], "before");
    server = server.restart();
    event("offline");
    writeln!(stdin, "while it was away").unwrap();
    event("restarted");
    let message = event("message");
    assert_eq!((message["text"].as_str(), message["seq"].as_u64()), (Some("while it was away"), Some(1)));
    // Who was there all the time reads it once.
    let mut bob = Json::hello(&server, "bob");
    bob.send(&json!({"t": "join", "code": OPS}));
    let all = bob.so_far();
    assert_eq!(all.iter().filter(|line| line["t"] == "msg").count(), 1, "{all:?}");
    client.kill().unwrap();
    client.wait().unwrap();
}

#[test]
fn a_session_is_taken_up_where_it_was() {
    let server = Server::start("");
    let key = "q8ZtV1c0TgW2q8ZtV1c0Tg";
    let hello = json!({"t": "hello", "v": [1], "name": "ann", "key": key});
    let mut bob = Json::join(&server, "bob", OPS);
    let mut ann = Json::connect(&server);
    ann.send(&hello);
    ann.send(&json!({"t": "join", "code": OPS}));
    let joined = ann.expect("joined");
    bob.say("ops", "b1", "one");
    assert_eq!(ann.expect("msg")["seq"], 1);
    drop(ann);
    bob.say("ops", "b2", "two");
    bob.expect("msg");
    let mut ann = Json::connect(&server);
    ann.send(&hello);
    assert_eq!(ann.expect("welcome")["resumed"], true);
    ann.send(&json!({"t": "join", "room": "ops", "resume": {"epoch": joined["epoch"], "seq": 1}}));
    assert_eq!(ann.expect("joined")["from"], 2);
    assert_eq!(ann.expect("msg")["text"], "two");
    let presence: Vec<_> = bob.so_far().into_iter().filter(|line| line["t"] == "presence").collect();
    assert!(presence.iter().all(|line| line["ev"] == "in"), "nobody heard of the cut: {presence:?}");
}

#[test]
fn five_thousand_come_and_hear() {
    const PEOPLE: usize = 5_000;
    // Both ends of every connection, but in two processes.
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(PEOPLE as u64 + 100, |most| most.min(PEOPLE as u64 + 100));
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }).unwrap();
    let people = PEOPLE.min(wanted as usize - 100);
    let server = Server::start("");
    let mut everyone: Vec<_> = (0..people).map(|_| Plain::connect(&server)).collect();
    for (i, person) in everyone.iter_mut().enumerate() {
        person.line(&format!("{HALL} p{i}"));
    }
    for person in &mut everyone {
        person.expect("You are in");
    }
    everyone[0].line("hello, all of you");
    for person in &mut everyone[1..] {
        person.expect("<p0> hello, all of you\r\n");
    }
    server.terminate();
    for person in everyone {
        assert!(person.rest().contains("-- The server goes down."));
    }
}
