//! `qun join` under a pseudo-terminal: what a person sees and types.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tempfile::TempDir;

use crate::world::{Heard, OPS, Process, Server, WRONG, qun};

/// A pseudo-terminal of 80 columns.
pub(crate) struct Pty {
    /// The side of whoever types and sees.
    person: File,
    /// The side of the program.
    program: OwnedFd,
}

impl Pty {
    pub(crate) fn open() -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("it is ours");
        let name = ptsname(&terminal, Vec::new()).expect("it has a name");
        let program = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("its other side");
        tcsetwinsize(&program, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).expect("a size");
        Self { person: File::from(terminal), program }
    }

    pub(crate) fn stdio(&self) -> Stdio {
        Stdio::from(self.program.try_clone().expect("a descriptor"))
    }

    pub(crate) fn keys(&self) -> File {
        self.person.try_clone().expect("a descriptor")
    }
}

/// A person at a terminal.
pub(crate) struct Person {
    terminal: File,
    process: Process,
    _state: TempDir,
}

impl Person {
    pub(crate) fn joins(server: &Server, args: &[&str]) -> Self {
        let state = TempDir::new().expect("a directory");
        let pty = Pty::open();
        let mut command = qun();
        command
            .arg("join")
            .args(args)
            .args(["--server", &server.door()])
            .stdin(pty.stdio())
            .stdout(pty.stdio())
            .stderr(pty.stdio());
        command.env("XDG_STATE_HOME", state.path()).env("TERM", "xterm").env_remove("QUN_CODE");
        let child = command.spawn().expect("qun runs");
        drop(command);
        let Pty { person: terminal, program } = pty;
        drop(program);
        let heard = Heard::default();
        heard.listen(terminal.try_clone().expect("a descriptor"));
        Self { terminal, process: Process::adopt(child, heard), _state: state }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).expect("the terminal takes it");
    }

    pub(crate) fn sees(&self, words: &str) {
        self.process.out.until(words, |text| without_escapes(text).contains(words).then_some(()));
    }

    /// Whether the terminal shows what is typed.
    pub(crate) fn echoes(&self) -> bool {
        tcgetattr(&self.terminal).expect("a terminal").local_modes.contains(LocalModes::ECHO)
    }

    /// Waits for the program's end, which is so. All that was to be seen.
    pub(crate) fn leaves(mut self, exit: i32) -> String {
        assert_eq!(self.process.exit(), Some(exit));
        self.process.out.text()
    }
}

/// What is to be read, without what moves the cursor.
fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' if chars.next() == Some('[') => drop(chars.find(|c| ('@'..='~').contains(c))),
            '\x1b' => {}
            c => plain.push(c),
        }
    }
    plain
}

#[test]
fn a_person_joins_talks_and_leaves() {
    let server = Server::start();
    let mut bob = server.connect();
    bob.member("bob", OPS);
    bob.say("ops", "earlier");
    bob.until(|line| line["text"] == "earlier");
    let mut ann = Person::joins(&server, &[OPS, "--name", "ann"]);
    ann.sees("ann (you)");
    ann.sees("<bob> earlier");
    ann.types("hello from a terminal\r");
    bob.until(|line| line["text"] == "hello from a terminal" && line["name"] == "ann");
    ann.sees("<ann> hello from a terminal");
    // What arrives while somebody types leaves what they have typed alone.
    ann.types("half a th");
    ann.sees("half a th");
    bob.say("ops", "an interruption");
    ann.sees("<bob> an interruption");
    ann.types("ought\r");
    bob.until(|line| line["text"] == "half a thought");
    ann.types("/quit\r");
    ann.leaves(0);
    bob.until(|line| line["ev"] == "out" && line["name"] == "ann");
}

#[test]
fn a_wrong_code_is_asked_for_again() {
    let server = Server::start();
    let mut ann = Person::joins(&server, &[WRONG]);
    ann.sees("does not open a room");
    ann.types(&format!("{OPS}\r"));
    ann.sees("(you)");
    ann.types("\x04");
    ann.leaves(0);
}

#[test]
fn a_person_sees_that_the_server_is_gone_and_back() {
    let mut server = Server::start();
    let mut ann = Person::joins(&server, &[OPS, "--name", "ann"]);
    ann.sees("ann (you)");
    server.crash_and_restart();
    ann.sees("history restarted");
    ann.sees("Back in ops");
    let mut bob = server.connect();
    bob.member("bob", OPS);
    ann.types("still here\r");
    bob.until(|line| line["text"] == "still here" && line["name"] == "ann");
    ann.sees("<ann> still here");
    ann.types("\x03");
    ann.leaves(130);
}

#[test]
fn whoever_is_told_to_end_gives_the_terminal_back() {
    let server = Server::start();
    for (args, sees, exit) in
        [(&[OPS, "--name", "ann"][..], "ann (you)", Some(130)), (&["ops", "--account", "ann"], "Password", None)]
    {
        let mut ann = Person::joins(&server, args);
        ann.sees(sees);
        assert!(!ann.echoes());
        ann.process.signal(Signal::TERM);
        assert_eq!(ann.process.exit(), exit, "it says goodbye, or ends by the signal");
        assert!(ann.echoes(), "{}", ann.process.out.text());
    }
}
