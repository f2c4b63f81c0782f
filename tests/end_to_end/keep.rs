//! Order is kept: over json, at netcat, in the line client, and after a restart.

use serde_json::json;

use super::terminal::Person;
use crate::world::{ANN, KEEPER, OPS, OWNER, Server};

const BOB: &str = "bobbobbobbobbobbobbobb";

#[test]
fn what_an_owner_did_holds_after_a_kill_over_every_dialect_and_no_log_has_a_code() {
    let mut server = Server::kept("");
    let mut own = server.connect();
    own.member("own", OWNER);
    let mut bob = server.connect();
    bob.hello("bob", Some(BOB));
    bob.join(OPS);
    bob.say("ops", "buy cheap watches");
    let seq = bob.until(|line| line["text"] == "buy cheap watches")["seq"].clone();
    own.ask(&json!({"t": "remove", "id": "r1", "room": "ops", "seq": seq, "why": "spam"}));
    own.until(|line| line["re"] == "r1" && line["t"] == "ok");
    own.ask(&json!({"t": "ban", "id": "b1", "room": "ops", "name": "bob", "why": "spam"}));
    own.until(|line| line["re"] == "b1" && line["t"] == "ok");
    bob.until(|line| line["t"] == "left" && line["code"] == "banned");
    own.ask(&json!({"t": "code", "id": "c1", "room": "ops", "do": "rotate", "label": "talk"}));
    let code = own.until(|line| line["re"] == "c1")["code"].as_str().expect("a code").to_owned();
    own.ask(&json!({"t": "topic", "id": "t1", "room": "ops", "text": "the deploy"}));
    own.until(|line| line["re"] == "t1");
    let before = server.log();
    server.crash_and_restart();

    // The first who come after the restart, before anybody has opened the room.
    let mut bob = server.connect();
    bob.hello("robert", Some(BOB));
    let refused = bob.call(json!({"t": "join", "code": code}));
    assert_eq!(refused["code"], "banned");
    let mut netcat = server.connect();
    netcat.send(format!("{OPS} mei\n"));
    netcat.hears("That code has expired. Ask for a new one.");
    netcat.send(format!("{code}\nmei\n"));
    let text = netcat.hears("You are in.");
    assert!(text.contains("own banned bob: spam") && text.contains("<bob> (removed)"), "{text}");
    assert!(!text.contains("watches"), "{text}");
    let mut ann = server.connect();
    ann.hello("ann", Some(ANN));
    assert_eq!(ann.join(&code)["room"]["topic"], "the deploy");
    for log in [before, server.log()] {
        let digits = code.replace('-', "");
        assert!(!log.contains(&code) && !log.contains(&digits) && !log.contains("watches"), "{log}");
    }
}

#[test]
fn people_at_netcat_and_in_the_line_client_keep_order_together() {
    let server = Server::start();
    let mut bob = server.connect();
    bob.send(format!("{OPS} bob\n"));
    bob.hears("You are in.");
    let mut mei = Person::joins(&server, &[KEEPER, "--name", "mei"]);
    mei.sees("You are a moderator.");
    mei.types("/kick\r");
    mei.sees("/kick NAME [WHY]");
    mei.types("/mute bob 10m too loud\r");
    mei.sees("-- mei muted bob: too loud");
    bob.hears("mei muted bob for 10 minutes: too loud\r\n");
    bob.send("may I?\n");
    bob.hears("You may not speak here for 10 minutes.\r\n");
    mei.types("/code add temps\r");
    mei.sees("That takes the role owner.");
    let mut own = server.connect();
    own.send(format!("{OWNER} own\n"));
    own.hears("as an owner.");
    own.send("/unmute bob\n/role mei none\n/code add temps uses=1\n");
    let text = own.hears("Only you see this.\r\n");
    assert!(
        text.contains("They were given no role here.\r\n") && text.contains("own lets bob speak again\r\n"),
        "{text}"
    );
    let code = text.rsplit_once("The code temps is ").and_then(|(_, rest)| rest.split(' ').next()).expect("a code");
    bob.send("thank you\n");
    mei.sees("<bob> thank you");
    let mut late = server.connect();
    late.send(format!("{code} late\n"));
    late.hears("You are in.");
    let mut later = server.connect();
    later.send(format!("{code} later\n"));
    later.hears("That code has expired.");
    mei.types("/kick bob out\r");
    bob.hears("You were put out of ops. /join CODE\r\n");
}
