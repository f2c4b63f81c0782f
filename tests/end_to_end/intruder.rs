//! A stranger who wants to be what they are not: somebody else, in a room, of a role; by every dialect, in any order, and
//! with all that may happen in between.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::accounts::{SECRET, hello};
use crate::world::{ANN, DEV, KEEPER, OPS, OWNER, Server, Wire};

const MALLORY: &str = "mallorymallorymallorym";

/// A server on which ann has an account, and is a moderator of `dev`, which nobody enters as a guest.
fn guarded(server: &Server) {
    server.has_account("ann", SECRET);
    server.reconfigure(|config| {
        let dev = "id = \"dev\"\nguests = false\naccounts = [{ name = \"ann\", role = \"moderator\" }]";
        config.replace("id = \"dev\"", dev)
    });
    server.until_logs("reloaded", |_| true);
}

fn is_refused(wire: &mut Wire, request: Value, code: &str) {
    let answer = wire.call(request.clone());
    assert_eq!((&answer["t"], &answer["code"]), (&json!("error"), &json!(code)), "{request}: {answer}");
}

/// All that a room's log has, as a member of it reads it.
fn log(server: &Server) -> Vec<Value> {
    let mut reader = server.connect();
    reader.hello("reader", None);
    let joined = reader.join(OWNER);
    assert_eq!(joined["t"], "joined", "{joined}");
    let page = reader.call(json!({"t": "history", "room": "ops", "before": 1_000_000, "limit": 200}));
    page["msgs"].as_array().expect("messages").clone()
}

#[test]
fn a_name_that_is_somebodys_is_nobody_elses_however_it_is_spelt_and_typed() {
    let server = Server::start();
    guarded(&server);
    for name in ["ann", "ANN", "\u{ff41}\u{ff4e}\u{ff4e}"] {
        let mut wire = server.connect();
        let welcome = wire.call(json!({"t": "hello", "v": [1], "name": name}));
        assert_ne!(welcome["name"], name, "a suffix");
        assert_eq!((&welcome["account"], &welcome["rooms"]), (&Value::Null, &Value::Null));
        is_refused(&mut wire, json!({"t": "name", "name": name}), "name_taken");
        // A second hello makes nobody somebody else, with a password or without.
        is_refused(&mut wire, hello(name, SECRET), "bad_state");
        is_refused(&mut wire, json!({"t": "join", "room": "dev"}), "not_member");
        is_refused(&mut wire, json!({"t": "join", "code": DEV}), "no_guests");

        let mut person = server.connect();
        person.send(format!("{OPS}\n{name}\n/name {name}\n/who\n"));
        person.finish();
        let seen = person.rest();
        assert!(seen.contains("is taken: you are ") && seen.contains(&format!("{name} is taken.\r")), "{seen}");
        assert!(!seen.contains("ann (you)"), "{seen}");
    }
}

#[test]
fn a_guest_who_was_called_so_first_is_called_otherwise_when_the_name_is_somebodys() {
    let server = Server::start();
    let mut mallory = server.connect();
    mallory.hello("ann", Some(MALLORY));
    mallory.join(OPS);
    let mut netcat = server.connect();
    netcat.send(format!("{OPS} bob\n"));
    netcat.hears("You are in.");
    guarded(&server);
    mallory.until(|line| line["ev"] == "name" && line["was"] == "ann");
    netcat.hears("ann is now ann-");
    // Their key is theirs still, and no more than that.
    drop(mallory);
    let mut mallory = server.connect();
    let welcome = mallory.hello("ann", Some(MALLORY));
    assert!(welcome["name"] != "ann" && welcome["account"].is_null(), "{welcome}");
    is_refused(&mut mallory, json!({"t": "join", "room": "dev"}), "not_member");
}

#[test]
fn what_is_sent_in_one_piece_behind_a_login_is_done_by_whoever_one_turns_out_to_be() {
    let server = Server::start();
    guarded(&server);
    let lines = |password: &str| {
        [
            hello("ann", password),
            json!({"t": "join", "id": "j", "room": "dev"}),
            json!({"t": "hello", "id": "h2", "v": [1], "name": "guest"}),
            json!({"t": "join", "id": "j2", "code": OPS}),
            json!({"t": "say", "id": "s", "room": "ops", "text": "who am I?"}),
        ]
        .map(|line| format!("{line}\n"))
        .concat()
    };
    let mut watch = server.connect();
    watch.member("watch", OPS);
    for (password, who) in [("wrong", "guest"), (SECRET, "ann")] {
        let mut wire = server.connect();
        // Byte by byte, the password too: nothing is decided before its line is whole.
        for byte in lines(password).bytes() {
            wire.send([byte]);
        }
        let said = watch.until(|line| line["text"] == "who am I?");
        assert_eq!(said["name"], who);
        let joined = wire.until(|line| line["re"] == "j");
        assert_eq!(joined["t"], if who == "ann" { "joined" } else { "error" }, "{joined}");
    }
    // A hello that is cut off before its end is none.
    let mut half = server.connect();
    half.send(lines(SECRET).split_at(70).0);
    half.finish();
    assert!(!half.rest().contains("welcome"));
}

#[test]
fn behind_a_login_that_can_be_none_a_password_is_said_to_nobody() {
    for (language, logged_in) in [("en", "logged in as ann already"), ("zh-CN", "ann")] {
        let server = Server::start();
        server.has_account("ann", SECRET);
        server.reconfigure(|config| format!("language = \"{language}\"\n{config}"));
        server.until_logs("reloaded", |_| true);
        let mut watch = server.connect();
        watch.member("watch", OPS);
        let logins =
            ["/login", "/login two words", "/LOGIN", "/login ann\nwrong", &format!("/login ann\n{}", "x".repeat(300))];
        for login in logins {
            let mut person = server.connect();
            person.send(format!("{OPS} guest\n"));
            person.hears("/quit");
            person.send(format!("{login}\n{SECRET}\n"));
            person.send("/quit\n");
            person.finish();
            let seen = person.rest();
            assert!(!seen.contains(SECRET), "{login}: {seen}");
        }
        let mut ann = server.connect();
        ann.send(format!("{OPS}\n/login ann\n{SECRET}\n"));
        ann.hears("/quit");
        ann.send(format!("/login ann\n{SECRET}\n"));
        ann.hears(logged_in);
        ann.send("that was all\n");
        let heard = watch.until(|line| line["t"] == "msg");
        assert_eq!(heard["text"], "that was all");
    }
}

#[test]
fn whoever_is_put_out_says_nothing_more_whatever_was_on_its_way() {
    let server = Server::with("burst = 0");
    let mut own = server.connect();
    own.member("own", OWNER);
    for (order, code) in [("kick", "kicked"), ("ban", "banned")] {
        let mut bob = server.connect();
        bob.hello("bob", Some(ANN));
        bob.join(OPS);
        let mut says = String::new();
        for n in 0..8 {
            says += &format!("{}\n", json!({"t": "say", "id": format!("{order}{n}"), "room": "ops", "text": "spam"}));
        }
        bob.send(&says);
        own.ask(&json!({"t": order, "id": order, "room": "ops", "name": "bob"}));
        bob.try_send(says.replace(&format!("\"{order}"), "\"late")).expect("it reads on");
        bob.until(|line| line["t"] == "left" && line["code"] == code);
        is_refused(&mut bob, json!({"t": "say", "room": "ops", "text": "spam"}), "not_member");
        is_refused(&mut bob, json!({"t": "history", "room": "ops", "before": 99, "limit": 9}), "not_member");
        is_refused(&mut bob, json!({"t": "join", "room": "ops"}), "not_member");
        let of_bob: Vec<_> = log(&server).into_iter().skip_while(|line| line["kind"] != order).collect();
        assert!(of_bob.iter().all(|line| line["name"] != "bob"), "{of_bob:#?}");
    }
    // By the same key on another connection, under another name, and after the line was cut.
    for name in ["bob", "rob"] {
        let mut bob = server.connect();
        bob.hello(name, Some(ANN));
        is_refused(&mut bob, json!({"t": "join", "code": OPS}), "banned");
        bob.reset();
    }
    let mut netcat = server.connect();
    netcat.send(format!("{OPS} bob\n"));
    netcat.hears("banned from that room");
}

#[test]
fn nobody_gets_a_role_by_a_ban_that_they_come_around() {
    let server = Server::start();
    guarded(&server);
    server.reconfigure(|config| {
        config.replace("id = \"ops\"", "id = \"ops\"\naccounts = [{ name = \"ann\", role = \"moderator\" }]")
    });
    server.until_logs("reloaded", |entry| entry["changed"] != 0);
    let mut own = server.connect();
    own.member("own", OWNER);
    let mut ann = server.connect();
    assert_eq!(ann.call(hello("ann", SECRET))["account"], "ann");
    assert_eq!(ann.call(json!({"t": "join", "room": "ops"}))["room"]["role"], "moderator");
    own.ask(&json!({"t": "ban", "id": "b", "room": "ops", "name": "ann"}));
    own.until(|line| line["re"] == "b" && line["t"] == "ok");
    ann.until(|line| line["t"] == "left");
    is_refused(&mut ann, json!({"t": "join", "room": "ops"}), "banned");
    is_refused(&mut ann, json!({"t": "join", "code": OPS}), "banned");
    // As a guest in, and then as herself.
    let mut back = server.connect();
    back.send(format!("{OPS} guest\n/login ann\n{SECRET}\n/kick own\n/mute own\nI am back\n"));
    let seen = back.hears("You were banned from ops");
    assert!(seen.contains("logged in as ann"), "{seen}");
    own.say("ops", "still here");
    own.until(|line| line["text"] == "still here");
    let acts: Vec<_> = log(&server).into_iter().filter(|line| !line["kind"].is_null()).collect();
    assert_eq!(acts.len(), 1, "the ban, and no act of hers: {acts:#?}");
}

#[test]
fn a_role_that_was_taken_back_while_one_was_away_is_gone() {
    let server = Server::start();
    let mut own = server.connect();
    own.member("own", OWNER);
    let mut bob = server.connect();
    bob.hello("bob", Some(MALLORY));
    bob.join(OPS);
    own.ask(&json!({"t": "role", "id": "r1", "room": "ops", "name": "bob", "role": "moderator"}));
    bob.until(|line| line["t"] == "room" && line["room"]["role"] == "moderator");
    // Nobody raises himself, or others to where he is.
    for role in ["owner", "moderator", "talk"] {
        is_refused(&mut bob, json!({"t": "role", "room": "ops", "name": "bob", "role": role}), "forbidden");
    }
    is_refused(&mut bob, json!({"t": "code", "room": "ops", "do": "add", "role": "talk"}), "forbidden");
    is_refused(&mut bob, json!({"t": "kick", "room": "ops", "name": "own"}), "forbidden");
    bob.reset();
    own.ask(&json!({"t": "role", "id": "r2", "room": "ops", "name": "bob"}));
    own.until(|line| line["re"] == "r2" && line["t"] == "ok");
    let mut bob = server.connect();
    bob.hello("bob", Some(MALLORY));
    // Sent in one piece with the join, before its answer says what he is.
    let kick = json!({"t": "kick", "id": "k", "room": "ops", "name": "own"});
    bob.send(format!("{}\n{kick}\n", json!({"t": "join", "id": "j", "room": "ops"})));
    let joined = bob.until(|line| line["re"] == "j");
    assert_eq!(joined["room"]["role"], "talk", "{joined}");
    assert_eq!(bob.until(|line| line["re"] == "k")["code"], "forbidden");
    // And the name alone is nobody's role.
    let mut other = server.connect();
    other.hello("bob", None);
    assert_eq!(other.join(OPS)["room"]["role"], "talk");
}

#[test]
fn a_code_for_one_lets_in_one_of_many_and_none_after_a_restart() {
    let mut server = Server::kept("");
    let mut own = server.connect();
    own.member("own", OWNER);
    let code = own.call(json!({"t": "code", "room": "ops", "do": "add", "label": "once", "uses": 1}));
    let code = code["code"].as_str().expect("a code").to_owned();
    let mut crowd: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for (n, wire) in crowd.iter_mut().enumerate() {
        let join = json!({"t": "join", "id": "j", "code": code});
        wire.send(format!("{}\n{join}\n{join}\n", json!({"t": "hello", "v": [1], "name": format!("n{n}")})));
    }
    let is_in = |wire: &mut Wire| wire.until(|line| line["re"] == "j")["t"] == "joined";
    assert_eq!(crowd.iter_mut().map(is_in).filter(|is_in| *is_in).count(), 1);
    // What is said is in the log behind it.
    own.say("ops", "one is in");
    own.until(|line| line["text"] == "one is in");
    server.crash_and_restart();
    let mut late = server.connect();
    late.hello("late", None);
    is_refused(&mut late, json!({"t": "join", "code": code}), "code_expired");
}

#[test]
fn an_account_that_is_removed_is_out_with_all_that_came_by_it() {
    let server = Server::start();
    guarded(&server);
    let hello = |key: &str| json!({"t": "hello", "v": [1], "name": "ann", "password": SECRET, "key": key});
    let mut phone = server.connect();
    phone.call(hello(ANN));
    phone.call(json!({"t": "join", "room": "dev"}));
    let mut laptop = server.connect();
    laptop.call(hello(MALLORY));
    laptop.call(json!({"t": "join", "room": "dev"}));
    laptop.reset();
    let mut netcat = server.connect();
    netcat.send(format!("/login ann\n{SECRET}\n/join dev\n"));
    netcat.hears("You are in");
    server.account(&["remove", "ann"], "");
    server.reconfigure(|config| config);
    phone.until(|line| line["t"] == "bye" && line["code"] == "account_changed");
    assert!(netcat.rest().contains("Your account is gone, or has another password."));
    // What is left of it: nothing, by either key, and by the password.
    for key in [ANN, MALLORY] {
        let mut wire = server.connect();
        is_refused(&mut wire, hello(key), "bad_password");
        let welcome = wire.call(json!({"t": "hello", "v": [1], "name": "ann", "key": key}));
        assert_eq!((&welcome["resumed"], &welcome["account"]), (&json!(false), &Value::Null), "{welcome}");
        is_refused(&mut wire, json!({"t": "join", "room": "dev"}), "not_member");
        is_refused(&mut wire, json!({"t": "join", "code": DEV}), "no_guests");
    }
}

#[test]
fn a_broken_file_of_accounts_changes_nothing_and_is_told_without_what_stands_in_it() {
    let server = Server::start();
    guarded(&server);
    let mut ann = server.connect();
    ann.call(hello("ann", SECRET));
    let file = server.path("accounts.toml");
    let right = std::fs::read_to_string(&file).expect("it was written");
    let hash = right.split("hash = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a hash").to_owned();
    let twice = format!("{right}\n[[account]]\nname = \"ANN\"\nhash = \"{hash}\"\n");
    let broken = [
        right.replace("hash = \"$argon2id", "hash = \"$argon2x"),
        right.replace("hash = \"", "hash = \"\\q"),
        right.replace("[[account]]", "[[account"),
        right.replace("name = \"ann\"", "name = \"an n\""),
        right.replace("hash =", "hush ="),
        twice,
    ];
    for (n, broken) in broken.iter().enumerate() {
        std::fs::write(&file, broken).expect("it is ours");
        server.reconfigure(|config| config);
        let told = |log: &str| log.lines().filter(|line| line.contains("not_reloaded")).count() == n + 1;
        server.until_log(|log| told(log).then_some(()));
        let mut again = server.connect();
        assert_eq!(again.call(hello("ann", SECRET))["account"], "ann", "as before");
    }
    let log = server.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("not_reloaded")).collect();
    assert!(told.iter().all(|line| line.contains("accounts.toml:")), "{told:#?}");
    let salt = hash.split('$').nth(4).expect("a salt");
    assert!(!log.contains(salt) && !log.contains("argon2"), "{told:#?}");

    // What others may read is told of, at each time that it is read, and served all the same.
    std::fs::write(&file, &right).expect("it is ours");
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("it is ours");
    server.reconfigure(|config| config);
    server
        .until_log(|log| log.lines().any(|line| line.contains("accounts.toml") && line.contains("644")).then_some(()));
    assert_eq!(ann.call(json!({"t": "join", "room": "dev"}))["t"], "joined", "and nobody was put out");
}

#[test]
fn a_room_that_is_closed_takes_nobody_by_any_door() {
    let server = Server::start();
    guarded(&server);
    let mut own = server.connect();
    own.member("own", OWNER);
    let mut bob = server.connect();
    bob.hello("bob", Some(MALLORY));
    bob.join(OPS);
    own.ask(&json!({"t": "close", "id": "c", "room": "ops"}));
    own.until(|line| line["re"] == "c" && line["t"] == "ok");
    is_refused(&mut bob, json!({"t": "say", "room": "ops", "text": "may I?"}), "closed");
    is_refused(&mut bob, json!({"t": "open", "room": "ops"}), "forbidden");
    let mut guest = server.connect();
    guest.hello("guest", None);
    is_refused(&mut guest, json!({"t": "join", "code": OPS}), "closed");
    let mut ann = server.connect();
    ann.call(hello("ann", SECRET));
    is_refused(&mut ann, json!({"t": "join", "code": OPS}), "closed");
    let mut netcat = server.connect();
    netcat.send(format!("{OPS} mei\n"));
    netcat.hears("closed");
    let mut keeper = server.connect();
    keeper.member("keeper", KEEPER);
    // Who was in comes back to read, and is no more than before.
    bob.reset();
    let mut bob = server.connect();
    bob.hello("bob", Some(MALLORY));
    assert_eq!(bob.call(json!({"t": "join", "room": "ops"}))["room"]["closed"], true);
    is_refused(&mut bob, json!({"t": "say", "room": "ops", "text": "may I?"}), "closed");
}
