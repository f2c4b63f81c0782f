//! Where somebody is in their life when an act comes, and how they come back after it.

use qun_core::ConnId;
use serde_json::{Value, json};

use crate::accounts::account;
use crate::world::{DEV, GUEST, OPS, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Connected, and nothing was said.
    Greeting,
    /// Has said hello, and is in no room.
    Roomless,
    /// A person who is asked for a password, and is in the room meanwhile.
    Asked,
    /// An account whose password is being verified.
    Verdict,
    Joined,
    /// Something that was said is on its way to the log.
    Saying,
    ReadOnly,
    Muted,
    Banned,
    Kicked,
    /// Takes no byte, and has some waiting.
    Blocked,
    /// Lost the connection, and is held.
    Detached,
    /// Is back after that, and has not joined again.
    Resumed,
    /// Goes, when what was said is settled.
    Parting,
    /// Leaves the room, when what was said is settled.
    Leaving,
    /// A person on the way here, when what was said in another room is settled.
    Coming,
    /// An account in the room.
    Account,
    /// The same, by two sessions.
    Twin,
    /// The same, lost its connection.
    Away,
    /// An account that came by a code, and has gone.
    Remembered,
}

/// Somebody.
pub(super) struct Subject {
    pub(super) name: &'static str,
    key: String,
    /// Where they are connected.
    conn: Option<ConnId>,
}

const PASSWORD: &str = "sesame";

pub(super) fn world() -> World {
    World::with(|config| {
        crate::keep::set(config);
        config.accounts = vec![account("eve", PASSWORD)];
    })
}

impl State {
    pub(super) const ALL: [Self; 20] = [
        Self::Greeting,
        Self::Roomless,
        Self::Asked,
        Self::Verdict,
        Self::Joined,
        Self::Saying,
        Self::ReadOnly,
        Self::Muted,
        Self::Banned,
        Self::Kicked,
        Self::Blocked,
        Self::Detached,
        Self::Resumed,
        Self::Parting,
        Self::Leaving,
        Self::Coming,
        Self::Account,
        Self::Twin,
        Self::Away,
        Self::Remembered,
    ];

    fn is_account(self) -> bool {
        matches!(self, Self::Verdict | Self::Account | Self::Twin | Self::Away | Self::Remembered)
    }

    fn code(self) -> &'static str {
        if self == Self::ReadOnly { GUEST } else { OPS }
    }

    /// A hello, under the subject's key.
    fn hello(self, key: &str) -> Value {
        match self.is_account() {
            true => json!({"t": "hello", "id": "h", "v": [1], "name": "eve", "key": key, "password": PASSWORD}),
            false => json!({"t": "hello", "id": "h", "v": [1], "name": "bob", "key": key}),
        }
    }

    /// Somebody comes to be in this state. Whoever was in the room has said something there.
    pub(super) fn enter(self, world: &mut World) -> Subject {
        let key = "subject-subject-subjec".to_owned();
        let name = if self.is_account() { "eve" } else { "bob" };
        let conn = world.connect();
        let mut subject = Subject { name, key, conn: Some(conn) };
        let order = |world: &mut World, t: &str| {
            let keeper = world.member("keeper", crate::keep::KEEPER);
            world.ask(keeper, json!({"t": t, "id": "k1", "room": "ops", "name": name}));
            world.ask(keeper, json!({"t": "bye"}));
        };
        match self {
            Self::Greeting => {}
            Self::Roomless => world.ask(conn, self.hello(&subject.key)),
            Self::Verdict => {
                world.hold_verdicts = true;
                world.ask(conn, self.hello(&subject.key));
            }
            Self::Asked => world.send(conn, format!("{OPS} bob\nold words\n/login eve\n")),
            Self::Coming => {
                world.send(conn, format!("{DEV} bob\n"));
                world.log.hold = true;
                world.send(conn, format!("words for dev\n/join {OPS}\n"));
            }
            _ => {
                world.ask(conn, self.hello(&subject.key));
                world.ask(conn, json!({"t": "join", "id": "j", "code": self.code()}));
                world.ask(conn, json!({"t": "say", "id": "old", "room": "ops", "text": "old words"}));
                match self {
                    Self::Muted => order(world, "mute"),
                    Self::Banned => order(world, "ban"),
                    Self::Kicked => order(world, "kick"),
                    Self::Saying | Self::Parting | Self::Leaving => {
                        world.log.hold = true;
                        world.ask(conn, json!({"t": "say", "id": "new", "room": "ops", "text": "new words"}));
                    }
                    Self::Blocked => {
                        world.stall(conn, 30);
                        let other = world.member("other", OPS);
                        for n in 0..3 {
                            world.say(other, &format!("o{n}"), "ops", "to be read");
                        }
                        world.ask(other, json!({"t": "bye"}));
                    }
                    Self::Detached | Self::Resumed | Self::Away => world.reset(conn),
                    Self::Twin => {
                        let twin = world.connect();
                        world.ask(twin, self.hello("twin-twin-twin-twin-tw"));
                        world.ask(twin, json!({"t": "join", "id": "j", "code": OPS}));
                    }
                    _ => {}
                }
                match self {
                    Self::Parting | Self::Remembered => world.ask(conn, json!({"t": "bye"})),
                    Self::Leaving => world.ask(conn, json!({"t": "leave", "id": "l", "room": "ops"})),
                    _ => {}
                }
                if matches!(self, Self::Detached | Self::Resumed | Self::Away | Self::Parting | Self::Remembered) {
                    subject.conn = None;
                }
                if self == Self::Resumed {
                    let conn = world.connect();
                    world.ask(conn, self.hello(&subject.key));
                    subject.conn = Some(conn);
                }
            }
        }
        subject
    }

    /// What comes after the act, and not before it.
    pub(super) fn hold_back(self, world: &mut World) {
        if self == Self::Coming && !world.log.held.is_empty() {
            world.log.held.rotate_left(1);
        }
    }

    /// They come back by their code and speak: what comes of it.
    pub(super) fn come_back(self, world: &mut World, subject: Subject) -> char {
        if matches!(self, Self::Asked | Self::Coming) {
            return person_comes_back(world, subject.conn.expect("a person stays"));
        }
        world.hold_verdicts = false;
        while !world.asked.is_empty() {
            world.judge();
        }
        let conn = subject.conn.filter(|conn| !world.is_gone(*conn));
        if let Some(conn) = conn {
            world.unstall(conn);
        }
        let conn = conn.filter(|conn| !world.is_gone(*conn)).unwrap_or_else(|| world.connect());
        let has_session = String::from_utf8_lossy(world.received(conn)).contains("\"welcome\"");
        if !has_session {
            world.take(conn);
            let mut hello = self.hello(&subject.key);
            hello["id"] = json!("again");
            world.ask(conn, hello);
            if world.lines(conn).iter().any(|line| line["code"] == "bad_password") {
                return 'P';
            }
        }
        let mut was_kicked = false;
        for id in ["back1", "back2"] {
            world.take(conn);
            world.ask(conn, json!({"t": "join", "id": id, "code": self.code(), "tail": 0}));
            let lines = world.lines(conn);
            let answer =
                lines.iter().find(|line| line["re"] == id).unwrap_or_else(|| panic!("no answer in {lines:#?}"));
            match answer["code"].as_str() {
                None => break,
                Some("kicked") if !was_kicked => was_kicked = true,
                Some("banned") => return 'B',
                Some("closed") => return 'c',
                Some("code_expired") => return 'X',
                Some(other) => panic!("{other}"),
            }
        }
        world.ask(conn, json!({"t": "say", "id": "said", "room": "ops", "text": "and again"}));
        let lines = world.lines(conn);
        let answer = lines.iter().find(|line| line["re"] == "said" || line["id"] == "said").expect("an answer");
        match answer["code"].as_str() {
            None if was_kicked => 'K',
            None => 'S',
            Some("muted") => 'M',
            Some("read_only") => 'R',
            Some("closed") => 'C',
            Some(other) => panic!("{other}"),
        }
    }
}

fn person_comes_back(world: &mut World, conn: ConnId) -> char {
    // Whoever is asked for a password gives a wrong one.
    world.send(conn, "wrong\n");
    world.take(conn);
    world.send(conn, format!("/join {OPS}\nand again\n"));
    if world.log.records("ops").last().is_some_and(|record| record.text.as_str() == "and again") {
        return 'S';
    }
    let told = world.text(conn);
    let is_told = |words: &str| told.contains(words);
    match () {
        () if is_told("You are banned") => 'B',
        () if is_told("You may not speak") => 'M',
        () if is_told("That code has expired") => 'X',
        () if is_told("closed to all") && is_told("already") => 'C',
        () if is_told("closed to all") => 'c',
        () => panic!("{told}"),
    }
}
