//! Thousands of connections.

use serde_json::json;

use crate::world::{HALL, POLLER, Server, Wire, free_descriptors};

#[test]
fn five_thousand_connections_hear_one_message() {
    // The server and this process need a descriptor for each, and a few more.
    let crowd = free_descriptors().saturating_sub(200).min(5_000) as usize;
    // select(2) can watch no descriptor from 1,024 on.
    let crowd = if POLLER == "select" { crowd.min(900) } else { crowd };
    if crowd < 5_000 {
        println!("only {crowd} connections: there are no more descriptors");
    }
    let mut server = Server::start();
    let mut wires: Vec<Wire> = Vec::with_capacity(crowd);
    for n in 0..crowd {
        let mut wire = server.connect();
        wire.ask(&json!({"t": "hello", "v": [1], "name": format!("c{n}")}));
        wire.ask(&json!({"t": "join", "id": "j", "code": HALL}));
        wires.push(wire);
    }
    for wire in &mut wires {
        let joined = wire.until(|line| line["re"] == "j");
        assert_eq!(joined["t"], "joined", "{joined}");
    }
    wires[0].say("hall", "hello, all of you");
    for wire in &mut wires {
        let msg = wire.until(|line| line["t"] == "msg");
        assert_eq!(msg["text"], "hello, all of you");
    }
    drop(wires);
    server.is_well();
}
