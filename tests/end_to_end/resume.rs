//! A connection breaks, or the server does: what comes back, and what is said of what does not.

use serde_json::json;

use crate::world::{ANN, Joined, OPS, Server};

#[test]
fn a_client_resumes_on_a_server_that_was_killed_and_says_that_history_restarted() {
    let mut server = Server::start();
    let mut ann = Joined::new(&server, "ann");
    ann.process.write("before\n");
    ann.until("message", |told| told["text"] == "before" && told["mine"] == true);

    server.crash_and_restart();
    ann.until("restarted", |_| true);
    let mut bob = server.connect();
    bob.member("bob", OPS);
    ann.process.write("after\n");
    bob.until(|line| line["text"] == "after" && line["seq"] == 1);
    ann.until("message", |told| told["text"] == "after" && told["mine"] == true);

    let all = ann.all();
    let told = |event: &str| all.iter().position(|told| told["event"] == event);
    assert!(told("offline") < told("restarted"), "{all:#?}");
    assert_eq!(all.iter().filter(|told| told["text"] == "before").count(), 1);
    ann.process.close();
}

#[test]
fn what_is_said_while_the_server_is_down_is_said_when_it_is_back() {
    let mut server = Server::start();
    let mut ann = Joined::new(&server, "ann");
    server.terminate();
    assert_eq!(server.exit(), Some(0));
    ann.until("offline", |_| true);
    ann.process.write("I waited\n");
    server.crash_and_restart();
    let mut bob = server.connect();
    bob.hello("bob", None);
    bob.join(OPS);
    bob.until(|line| line["text"] == "I waited");
    ann.until("message", |told| told["text"] == "I waited");
}

#[test]
fn a_key_takes_the_session_up_where_it_was() {
    let server = Server::start();
    let (mut ann, mut bob) = (server.connect(), server.connect());
    ann.hello("ann", Some(ANN));
    let epoch = ann.join(OPS)["epoch"].clone();
    bob.member("bob", OPS);
    ann.say("ops", "one");
    ann.until(|line| line["text"] == "one");
    ann.reset();
    bob.say("ops", "two");
    bob.say("ops", "three");
    bob.until(|line| line["text"] == "three");

    let mut ann = server.connect();
    assert_eq!(ann.hello("ann", Some(ANN))["resumed"], true);
    let joined = ann.call(json!({"t": "join", "room": "ops", "resume": {"epoch": epoch, "seq": 1}}));
    assert_eq!((&joined["from"], &joined["head"]), (&json!(2), &json!(3)));
    assert_eq!([&ann.line()["text"], &ann.line()["text"]], ["two", "three"]);
    bob.say("ops", "was ann away?");
    let next = bob.line();
    assert_eq!(next["text"], "was ann away?", "nobody was told: {next}");
}

#[test]
fn a_second_connection_with_the_key_replaces_the_first() {
    let server = Server::start();
    let (mut old, mut new) = (server.connect(), server.connect());
    old.hello("ann", Some(ANN));
    old.join(OPS);
    assert_eq!(new.hello("ann", Some(ANN))["resumed"], true);
    let bye = old.until(|line| line["t"] == "bye");
    assert_eq!((&bye["code"], &bye["retry"]), (&json!("replaced"), &json!("no")));
    assert_eq!(old.rest(), "");
}
