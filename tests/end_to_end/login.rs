//! Logging in by the line client: at its start, in the middle of a conversation, and into rooms that need no code then.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use super::accounts::SECRET;
use super::terminal::{Person, Pty};
use crate::world::{Heard, KEEPER, OPS, Process, Server, qun};

/// A server on which ann has an account, and `dev` is open to her, who owns it.
fn server() -> Server {
    let server = Server::start();
    server.has_account("ann", SECRET);
    server.reconfigure(|config| {
        config.replace("id = \"dev\"", "id = \"dev\"\naccounts = [{ name = \"ann\", role = \"owner\" }]")
    });
    server.until_logs("reloaded", |_| true);
    server
}

#[test]
fn a_guest_logs_in_where_they_are_and_their_password_is_seen_nowhere() {
    let server = server();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    let mut ann = Person::joins(&server, &[OPS, "--name", "ann"]);
    ann.sees("ann is taken: you are ann-2. If it is yours: /login ann");
    ann.sees("2 here: ann-2 (you), bob.");
    ann.types("/login\r");
    ann.sees("Password of ann: ");
    ann.types("not this one\r");
    ann.sees("There is no account of that name and password.");
    ann.types("as before\r");
    assert_eq!(bob.until(|line| line["text"] == "as before")["name"], "ann-2");

    ann.types("/login ANN\r");
    ann.sees("Password of ANN: ");
    ann.types(&SECRET[..4]);
    bob.say("ops", "an interruption");
    ann.sees("<bob> an interruption");
    ann.types(&format!("{}\r", &SECRET[4..]));
    ann.sees("You are logged in as ann.");
    ann.sees("/join takes you without a code to: dev");
    // To others, one goes and another comes.
    bob.until(|line| line["ev"] == "out" && line["name"] == "ann-2");
    bob.until(|line| line["ev"] == "in" && line["name"] == "ann");
    ann.types("as ann\r");
    assert_eq!(bob.until(|line| line["text"] == "as ann")["name"], "ann");
    ann.types("/rooms\r");
    ann.sees("dev: dev, open to you: /join dev");
    ann.types("/join dev\r");
    ann.sees("dev. 1 here: ann (you, account, owner). You are an owner.");
    // Up brings back what was typed, and no password was.
    ann.types(&"\x1b[A".repeat(9));
    ann.sees("as before");
    ann.types("\x15/quit\r");
    let seen = ann.leaves(0);
    assert!(!seen.contains(SECRET) && !seen.contains("not this one"), "{seen}");
}

#[test]
fn a_pasted_password_ends_with_its_line_and_whoever_changes_their_mind_stays_who_they_are() {
    let server = server();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    let mut ann = Person::joins(&server, &[OPS, "--name", "guest"]);
    ann.sees("guest (you)");
    ann.types("half a thought");
    ann.types("\x01/login ann \x0b\r");
    ann.sees("Password of ann: ");
    ann.types("x\x03");
    ann.sees("Not logged in.");
    ann.types("/login ann\r");
    ann.types("\r");
    ann.sees("Not logged in: a password has at least one character.");
    ann.types("/login ann and more\r");
    ann.sees("the password is asked for");
    ann.types("/login ann\r");
    ann.types(&format!("\x1b[200~{SECRET}\rsaid to nobody\r\x1b[201~"));
    ann.sees("You are logged in as ann.");
    ann.types("the next word\r");
    let heard = bob.until(|line| line["t"] == "msg");
    assert_eq!((&heard["text"], &heard["name"]), (&json!("the next word"), &json!("ann")));
    ann.types("\x1b[A\x1b[A\x1b[A");
    ann.types("\x15/quit\r");
    let seen = ann.leaves(0);
    assert!(!seen.contains(SECRET) && !seen.contains("said to nobody"), "{seen}");
}

#[test]
fn the_password_of_an_account_is_asked_for_without_showing_it_and_its_room_needs_no_code() {
    let server = server();
    let mut ann = Person::joins(&server, &["dev", "--account", "ann"]);
    ann.sees("Password of ann: ");
    assert!(!ann.echoes(), "from the moment on that it is asked for");
    ann.types(&format!("{SECRET}\r"));
    ann.sees("You are logged in as ann.");
    ann.sees("dev. 1 here: ann (you, account, owner).");
    // A server that has forgotten everybody asks again, and is told again.
    let mut server = server;
    server.crash_and_restart();
    ann.sees("Back in dev");
    ann.types("/quit\r");
    let seen = ann.leaves(0);
    assert!(!seen.contains(SECRET), "{seen}");
    let mut ann = Person::joins(&server, &["dev", "--account", "ann"]);
    ann.sees("Password of ann: ");
    ann.types("\x03");
    ann.leaves(130);
}

#[test]
fn whoever_has_a_wrong_password_at_the_start_is_told_and_gone() {
    let server = server();
    let mut ann = Person::joins(&server, &[OPS, "--account", "ann"]);
    ann.sees("Password of ann: ");
    ann.types("wrong\r");
    ann.sees("There is no account of that name and password.");
    ann.leaves(4);
}

#[test]
fn a_script_enters_a_room_by_its_id_as_an_account_and_not_as_a_guest() {
    let server = server();
    let file = server.path("password");
    std::fs::write(&file, format!("{SECRET}\n")).expect("a file");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("it is ours");
    let run = |args: &[&str], has_account: bool| {
        let mut command = qun();
        command.args(args).args(["--server", &server.door()]).env("XDG_STATE_HOME", server.path("state"));
        if has_account {
            command.args(["--account", "ann", "--password-file"]).arg(&file);
        }
        command.stdin(Stdio::null()).output().expect("qun runs")
    };
    assert_eq!(run(&["send", "dev", "-m", "by its id"], true).status.code(), Some(0));
    assert_eq!(run(&["send", "dev", "-m", "by its id"], false).status.code(), Some(3), "to a guest it is a code");
    let found = run(&["search", "dev", "id"], true);
    assert!(String::from_utf8_lossy(&found.stdout).contains("by its id"), "{found:?}");
    let read = run(&["history", "dev"], true);
    assert!(String::from_utf8_lossy(&read.stdout).contains("<ann> by its id"), "{read:?}");
    // What a program is told: where it may go, and nothing of how it proved who it is.
    let told = run(&["join", "dev", "--json"], true);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains(r#""account":"ann","rooms":[{"id":"dev""#) && !told.contains(SECRET), "{told}");
}

#[test]
fn an_order_that_is_typed_into_a_pipe_is_waited_for() {
    let server = server();
    for (order, exit) in [("/topic the deploy\n", 0), ("/kick nobody\n", 4)] {
        let pty = Pty::open();
        let mut command = qun();
        command.args(["join", KEEPER, "--server", &server.door(), "--timeout", "50"]).stdin(pty.stdio());
        command.env("XDG_STATE_HOME", server.path("state")).env_remove("QUN_CODE");
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("qun runs");
        let heard = Heard::default();
        heard.listen(child.stdout.take().expect("a pipe"));
        let mut process = Process::adopt(child, heard);
        process.out.until_says("(you");
        let mut keys = pty.keys();
        keys.write_all(format!("{order}\x04").as_bytes()).expect("the terminal takes it");
        assert_eq!(process.exit(), Some(exit), "{order}");
    }
}
