//! Accounts, as an operator makes them and as people use them.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::world::{ANN, DEV, OPS, OWNER, Server, qun};

/// A word that stands nowhere else, so that it would be found.
pub(crate) const SECRET: &str = "Zxq9-correct-horse-Zxq9";

impl Server {
    /// Runs `qun account` with this on stdin.
    pub(crate) fn account(&self, args: &[&str], stdin: &str) -> Output {
        let mut command = qun();
        command.arg("account").args(args).arg("--config").arg(self.path("qun.toml"));
        run(command, stdin)
    }

    pub(crate) fn has_account(&self, name: &str, password: &str) {
        let output = self.account(&["add", name], &format!("{password}\n"));
        assert!(output.status.success(), "{output:?}");
    }
}

fn run(mut command: std::process::Command, stdin: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("qun runs");
    child.stdin.take().expect("a pipe").write_all(stdin.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

pub(crate) fn hello(name: &str, password: &str) -> Value {
    json!({"t": "hello", "v": [1], "name": name, "password": password})
}

#[test]
fn an_account_is_made_read_again_on_sighup_used_and_taken_away() {
    let server = Server::start();
    let mut early = server.connect();
    assert_eq!(early.call(hello("ann", SECRET))["code"], "bad_password", "there is none yet");
    server.has_account("ann", SECRET);
    let again = server.account(&["add", "Ann"], "x\n");
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    assert_eq!(server.account(&["list"], "").stdout, b"ann\n");
    server.reconfigure(|config| {
        config.replace("id = \"dev\"", "id = \"dev\"\naccounts = [{ name = \"ann\", role = \"owner\" }]")
    });
    server.until_logs("reloaded", |_| true);

    let welcome = early.call(hello("ANN", SECRET));
    assert_eq!((&welcome["account"], &welcome["rooms"][0]["id"]), (&json!("ann"), &json!("dev")), "{welcome}");
    assert_eq!(early.call(json!({"t": "join", "room": "dev"}))["room"]["role"], "owner");
    let mut wrong = server.connect();
    let (one, other) = (wrong.call(hello("ann", "wrong")), wrong.call(hello("nobody", "wrong")));
    assert_eq!((&one["code"], &one["text"]), (&other["code"], &other["text"]));
    assert_eq!(one["code"], "bad_password");

    let mut person = server.connect();
    person.send(format!("/login ann\n{SECRET}\n/join dev\n/who\n"));
    let seen = person.hears("1 here: ann (you)");
    assert!(seen.contains("Password (it will be seen as you type): ") && seen.contains("logged in as ann"), "{seen}");

    server.account(&["remove", "ann"], "");
    server.reconfigure(|config| config);
    assert_eq!(early.until(|line| line["t"] == "bye")["code"], "account_changed");
    assert!(person.rest().ends_with("-- Your account is gone, or has another password.\r\n"));
    let mut late = server.connect();
    assert_eq!(late.hello("ann", None)["name"], "ann", "her name is free");
}

#[test]
fn another_password_ends_what_came_by_the_old_one() {
    let server = Server::start();
    server.has_account("ann", "old");
    server.reconfigure(|config| config);
    server.until_logs("reloaded", |_| true);
    let mut ann = server.connect();
    assert_eq!(ann.call(hello("ann", "old"))["account"], "ann");
    assert!(server.account(&["passwd", "ann"], "new\n").status.success());
    server.reconfigure(|config| config);
    assert_eq!(ann.until(|line| line["t"] == "bye")["code"], "account_changed");
    let mut ann = server.connect();
    assert_eq!(ann.call(hello("ann", "old"))["code"], "bad_password");
    assert_eq!(ann.call(hello("ann", "new"))["account"], "ann");
}

#[test]
fn a_room_for_accounts_takes_no_guest_by_its_code() {
    let server = Server::start();
    server.has_account("ann", SECRET);
    server.reconfigure(|config| config.replace("id = \"dev\"", "id = \"dev\"\nguests = false"));
    server.until_logs("reloaded", |_| true);
    let (mut guest, mut ann) = (server.connect(), server.connect());
    guest.hello("ann", None);
    assert_eq!(guest.join(DEV)["code"], "no_guests");
    ann.call(hello("ann", SECRET));
    assert_eq!(ann.join(DEV)["t"], "joined");
}

#[test]
fn the_line_client_logs_in_by_a_file_that_nobody_else_may_read() {
    let server = Server::start();
    server.has_account("ann", SECRET);
    server.reconfigure(|config| config);
    server.until_logs("reloaded", |_| true);
    let file = server.path("password");
    let write = |password: &str, mode| {
        std::fs::write(&file, format!("{password}\n")).expect("a file");
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).expect("it is ours");
    };
    let send = || {
        let mut command = qun();
        command.args(["send", OPS, "-m", "by the line client", "--server", &server.door(), "--account", "ann"]);
        command.arg("--password-file").arg(&file).env("XDG_STATE_HOME", server.path("state"));
        run(command, "")
    };
    write(SECRET, 0o644);
    let refused = send();
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    write("wrong", 0o600);
    let refused = send();
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("There is no account of that name and password."));
    write(SECRET, 0o600);
    assert_eq!(send().status.code(), Some(0));
    let mut bob = server.connect();
    bob.member("bob", OPS);
    assert_eq!(bob.until(|line| line["t"] == "msg")["name"], "ann");
}

#[test]
fn telnet_hides_the_password() {
    let server = Server::start();
    server.has_account("ann", SECRET);
    server.reconfigure(|config| config);
    server.until_logs("reloaded", |_| true);
    let mut person = server.connect();
    // It says that it would like not to go ahead, which is declined, and is asked to hide what is typed.
    person.send([255, 253, 3]);
    person.send("/login ann\r\n");
    person.skips(&[255, 251, 1]);
    person.hears("Password: ");
    person.send([255, 253, 1]);
    person.send(format!("{SECRET}\r\0"));
    person.skips(&[255, 252, 1]);
    person.hears("You are logged in as ann.");
}

#[test]
fn a_password_and_a_key_stand_in_no_file_and_in_nothing_that_is_printed() {
    let mut server = Server::kept("");
    server.has_account("ann", SECRET);
    server.reconfigure(|config| config);
    server.until_logs("reloaded", |_| true);
    for name in ["ann", SECRET, "nobody"] {
        let mut wire = server.connect();
        wire.call(hello(name, SECRET));
        wire.send(format!("{{\"t\":\"hello\",\"v\":[1],\"name\":\"ann\",\"password\":\"{SECRET}\",\"password\":1}}\n"));
        let mut person = server.connect();
        person.send(format!("/login {name}\n{SECRET}\n/quit\n"));
        // Behind a wrong password nothing is heard, the goodbye neither.
        person.finish();
        person.rest();
    }
    // Somebody of whom the database has what they said, and that they are banned by their key.
    let (mut own, mut bob) = (server.connect(), server.connect());
    own.member("own", OWNER);
    bob.hello("bob", Some(ANN));
    bob.join(OPS);
    own.ask(&json!({"t": "ban", "id": "b", "room": "ops", "name": "bob", "by": ["key"]}));
    own.until(|line| line["re"] == "b" && line["t"] == "ok");
    server.terminate();
    assert_eq!(server.exit(), Some(0));
    let log = server.log();
    assert!(log.contains("wrong_password") && log.contains("acted"), "{log}");
    assert!([SECRET, ANN, OPS, OWNER].iter().all(|secret| !log.contains(secret)), "{log}");
    let mut files = 0;
    for entry in std::fs::read_dir(server.path("")).expect("its directory") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            files += 1;
            let bytes = std::fs::read(&path).expect("a file");
            for secret in [SECRET, ANN] {
                assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{path:?}");
            }
        }
    }
    assert!(files >= 3, "the configuration, the accounts, the database");
    assert_eq!(mode(&server.path("accounts.toml")), 0o600);
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}
