//! A disk that takes seconds: whoever speaks waits for it, and nobody else notices.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::world::{DEV, HALL, OPS, Process, Server, Wire, which};

/// Has every sync of a process take a minute; `None`, and said so, where this machine has no strace or may not use it.
fn hold_syncs(server: &Server) -> Option<Process> {
    let Some(strace) = which("strace") else {
        println!("skipped: there is no strace to slow a disk down with");
        return None;
    };
    let mut command = Command::new(strace);
    command.args(["-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"]);
    command.args(["-e", "inject=fsync,fdatasync:delay_enter=60000000", "-p"]);
    let process = Process::start(command.arg(server.pid().as_raw_nonzero().to_string()));
    let attached = process.err.until("attached", |said| {
        let is_refused = said.contains("not permitted") || said.contains("Could not attach");
        (said.contains(" attached") || is_refused).then_some(!is_refused)
    });
    if !attached {
        println!("skipped: may not slow a disk down: {}", process.err.text());
    }
    attached.then_some(process)
}

fn say(wire: &mut Wire, room: &str, text: &str) {
    wire.say(room, text);
    wire.until(|line| line["text"] == text);
}

#[test]
fn who_speaks_waits_for_a_commit_and_nobody_else_does() {
    let server = Server::kept("burst = 0\nload_s = 60\nping_s = 60");
    let (mut ann, mut bob, mut mei) = (server.connect(), server.connect(), server.connect());
    ann.member("ann", OPS);
    bob.member("bob", DEV);
    bob.ask(&json!({"t": "join", "id": "j2", "code": OPS}));
    bob.until(|line| line["re"] == "j2");
    mei.member("mei", HALL);
    say(&mut ann, "ops", "deploy before");
    say(&mut bob, "dev", "before");
    say(&mut mei, "hall", "before");
    let Some(mut strace) = hold_syncs(&server) else { return };

    ann.say("ops", "deploy slowly");
    // Reading waits for nothing, and neither does coming in.
    let began = Instant::now();
    let page = bob.call(json!({"t": "history", "room": "ops", "before": 9}));
    assert_eq!(page["msgs"].as_array().map(Vec::len), Some(1), "what is not kept is not shown: {page}");
    let found = bob.call(json!({"t": "search", "room": "ops", "words": "deploy"}));
    assert_eq!(found["msgs"].as_array().map(Vec::len), Some(1), "{found}");
    let mut late = server.connect();
    late.hello("late", None);
    assert_eq!(late.join(OPS)["head"], 1);
    ann.until(|line| line["ev"] == "in" && line["name"] == "late");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());

    // Another room's word is taken, and kept with the next commit. From the fifth second on nothing more is.
    bob.say("dev", "behind it");
    assert!(ann.is_silent_for(Duration::from_millis(5_500)), "it is echoed when it is kept");
    let refused = mei.call(json!({"t": "say", "room": "hall", "text": "too much"}));
    assert_eq!((&refused["code"], &refused["retry"]), (&json!("unavailable"), &json!("later")), "{refused}");

    strace.signal(Signal::TERM);
    strace.wait();
    ann.until(|line| line["text"] == "deploy slowly" && line["seq"] == 2);
    bob.until(|line| line["text"] == "behind it" && line["seq"] == 2);
    late.until(|line| line["text"] == "deploy slowly");
    say(&mut mei, "hall", "again");
    let told = server.until_logs("storage_slow", |_| true);
    assert!(told["why"].as_str().is_some_and(|why| why.contains("took")), "{told}");
    let all = bob.call(json!({"t": "history", "room": "ops", "after": 0}));
    let texts: Vec<_> = all["msgs"].as_array().into_iter().flatten().map(|message| &message["text"]).collect();
    assert_eq!(texts, ["deploy before", "deploy slowly"]);
    assert!(!server.log().contains("storage_faulty"), "{}", server.log());
}
