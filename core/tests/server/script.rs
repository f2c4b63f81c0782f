//! What several people do to a server, right and wrong, drawn at random.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use qun_core::{ConnId, Entropy};
use serde_json::{Value, json};

use crate::world::{ANN, BOB, DEV, GUEST, HALL, MEI, OPS, Split, WRONG, Watch, World, millis};

/// One thing that happens. People are numbered; who is not there yet connects first.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A json client sends these lines at once.
    Json(usize, Vec<Ask>),
    /// A person at a terminal types these lines at once.
    Plain(usize, Vec<Vec<u8>>),
    Finish(usize),
    Reset(usize),
    /// From here on this one takes only so many bytes.
    Stall(usize, usize),
    Unstall(usize),
    Wait(u64),
    /// The log fails, or works again.
    Broken(bool),
}

/// A json line, whose id the script gives it.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Fields(Value),
    /// A say with an id of a few, so that some come again.
    Again(u8, Value),
    Garbage(Vec<u8>),
}

/// How many people there are: the even ones speak json, the odd ones plain.
const PEOPLE: usize = 6;

pub(crate) fn steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let json = (0..PEOPLE / 2).prop_map(|n| 2 * n);
    let plain = (0..PEOPLE / 2).prop_map(|n| 2 * n + 1);
    vec(
        prop_oneof![
            12 => (json, vec(ask(), 1..6)).prop_map(|(who, asks)| Step::Json(who, asks)),
            5 => (plain, vec(typed(), 1..4)).prop_map(|(who, lines)| Step::Plain(who, lines)),
            1 => (0..PEOPLE).prop_map(Step::Finish),
            1 => (0..PEOPLE).prop_map(Step::Reset),
            1 => (0..PEOPLE, 0..300usize).prop_map(|(who, bytes)| Step::Stall(who, bytes)),
            1 => (0..PEOPLE).prop_map(Step::Unstall),
            3 => (0..4_000u64).prop_map(Step::Wait),
            1 => any::<bool>().prop_map(Step::Broken),
        ],
        1..length,
    )
}

fn code() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => select(vec![OPS, DEV, HALL, GUEST]), 1 => Just(WRONG)]
}

fn room() -> impl Strategy<Value = &'static str> {
    select(vec!["ops", "dev", "hall", "nowhere"])
}

fn name() -> impl Strategy<Value = &'static str> {
    select(vec!["ann", "Ann", "bob", "mei", "小明", "a b", ""])
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z ]{0,20}",
        1 => "\\PC{0,40}",
        1 => (1..4_200usize).prop_map(|length| "x".repeat(length)),
        1 => vec("[a-z]{0,3}", 0..70).prop_map(|lines| lines.join("\n")),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let resume = prop_oneof![
        Just(Value::Null),
        (0..40u64).prop_map(|seq| json!({"epoch": "e9f2", "seq": seq})),
        (0..40u64).prop_map(|seq| json!({"epoch": "other", "seq": seq})),
    ];
    let say = (room(), text()).prop_map(|(room, text)| json!({"t": "say", "room": room, "text": text})).boxed();
    prop_oneof![
        2 => (name(), select(vec![None, Some(ANN), Some(BOB), Some(MEI)]))
            .prop_map(|(name, key)| Ask::Fields(json!({"t": "hello", "v": [1], "name": name, "key": key}))),
        4 => (code(), resume, select(vec![None, Some(0u64), Some(3), Some(1_000)]))
            .prop_map(|(code, at, tail)| Ask::Fields(json!({"t": "join", "code": code, "resume": at, "tail": tail}))),
        1 => room().prop_map(|room| Ask::Fields(json!({"t": "join", "room": room}))),
        8 => say.clone().prop_map(Ask::Fields),
        2 => (0..3u8, say).prop_map(|(id, say)| Ask::Again(id, say)),
        1 => (room(), 0..40u64).prop_map(|(room, seq)| Ask::Fields(json!({"t": "history", "room": room, "before": seq}))),
        1 => (room(), 0..40u64)
            .prop_map(|(room, seq)| Ask::Fields(json!({"t": "history", "room": room, "after": seq, "limit": 2}))),
        2 => room().prop_map(|room| Ask::Fields(json!({"t": "leave", "room": room}))),
        2 => name().prop_map(|name| Ask::Fields(json!({"t": "name", "name": name}))),
        1 => any::<u32>().prop_map(|n| Ask::Fields(json!({"t": "ping", "n": n}))),
        1 => vec(any::<u8>(), 0..40).prop_map(Ask::Garbage),
        1 => "\\{\"t\":\"[a-z]{1,7}\",\"[a-z]{1,2}\":[0-9\\[{\"]{1,3}\\}".prop_map(|line| Ask::Garbage(line.into())),
    ]
}

fn typed() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (code(), name()).prop_map(|(code, name)| format!("{code} {name}").into_bytes()),
        1 => name().prop_map(|name| name.as_bytes().to_vec()),
        4 => text().prop_map(|text| text.replace('\n', " ").into_bytes()),
        2 => select(vec!["/who", "/help", "/history 3", "/leave", "/me waves", "/echo on", "//x", "/x", "/name", ""])
            .prop_map(|command| command.into()),
        1 => code().prop_map(|code| format!("/join {code}").into_bytes()),
        1 => name().prop_map(|name| format!("/name {name}").into_bytes()),
        1 => vec(any::<u8>(), 0..20),
    ]
}

/// How a script is played.
#[derive(Clone, Copy, Default)]
pub(crate) struct Play {
    /// Cuts what goes in and out at random, by this seed.
    pub(crate) split: Option<u8>,
    /// Time passes in steps of this length.
    pub(crate) step: Option<Duration>,
}

/// A world in which a script was played, to its end: everyone reads again, and the log has answered.
pub(crate) struct Played {
    pub(crate) world: World,
    /// Every connection in the order of its opening, and what it speaks.
    pub(crate) conns: Vec<(ConnId, Tongue)>,
    /// The ids of all requests of each json connection.
    pub(crate) asked: BTreeMap<ConnId, Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tongue {
    Json,
    Plain,
}

impl Played {
    pub(crate) fn new(steps: &[Step], play: Play) -> Self {
        let mut world = World::with(|config| {
            config.limits.burst = 20;
            // So little that who is stalled falls off.
            config.limits.room_bytes = 12 << 10;
            config.limits.full_members = 4;
        });
        world.log.hold = true;
        world.step = play.step;
        world.thorough = play.step.is_none();
        if let Some(seed) = play.split {
            world.split = Split::Random(Entropy::new([seed; 32]));
        }
        let mut played = Self { world, conns: Vec::new(), asked: BTreeMap::new() };
        let mut people = [None; PEOPLE];
        for (at, step) in steps.iter().enumerate() {
            played.step(&mut people, at, step);
            played.answer();
        }
        played.world.log.broken = false;
        for conn in people.into_iter().flatten().filter(|&conn| !played.world.is_gone(conn)).collect::<Vec<_>>() {
            played.world.unstall(conn);
            played.answer();
        }
        played.wait(6_000);
        played
    }

    fn step(&mut self, people: &mut [Option<ConnId>; PEOPLE], at: usize, step: &Step) {
        match step {
            Step::Json(who, asks) => {
                let conn = self.person(people, *who);
                let mut bytes = Vec::new();
                for (n, ask) in asks.iter().enumerate() {
                    bytes.extend_from_slice(&self.line(conn, &format!("r{at}-{n}"), ask));
                    bytes.push(b'\n');
                }
                self.world.send(conn, bytes);
            }
            Step::Plain(who, lines) => {
                let conn = self.person(people, *who);
                let lines: Vec<_> = lines.iter().map(|line| [&**line, b"\n"].concat()).collect();
                self.world.send(conn, lines.concat());
            }
            Step::Wait(ms) => self.wait(*ms),
            Step::Broken(broken) => self.world.log.broken = *broken,
            Step::Finish(who) | Step::Reset(who) | Step::Stall(who, _) | Step::Unstall(who) => {
                let Some(conn) = people[*who].filter(|&conn| !self.world.is_gone(conn)) else { return };
                match step {
                    Step::Finish(_) => self.world.finish(conn),
                    Step::Reset(_) => self.world.reset(conn),
                    Step::Stall(_, bytes) => self.world.stall(conn, *bytes),
                    _ => self.world.unstall(conn),
                }
            }
        }
    }

    /// This person's connection; a new one where there is none. It begins with what gets in: at the prompt for a code, a
    /// wrong one discards what has come behind it, and how much that is depends on the split.
    fn person(&mut self, people: &mut [Option<ConnId>; PEOPLE], who: usize) -> ConnId {
        if let Some(conn) = people[who].filter(|&conn| !self.world.is_gone(conn)) {
            return conn;
        }
        let conn = self.world.connect();
        people[who] = Some(conn);
        let tongue = if who.is_multiple_of(2) { Tongue::Json } else { Tongue::Plain };
        self.conns.push((conn, tongue));
        if tongue == Tongue::Plain {
            self.world.send(conn, format!("{HALL} person\n"));
            self.answer();
        } else {
            let key = [Some(ANN), None, Some(MEI)][who / 2];
            let line = self.line(conn, "r-hello", &Ask::Fields(json!({"t": "hello", "v": [1], "key": key})));
            self.world.send(conn, [line, b"\n".into()].concat());
        }
        conn
    }

    fn line(&mut self, conn: ConnId, id: &str, ask: &Ask) -> Vec<u8> {
        let (id, fields) = match ask {
            Ask::Garbage(bytes) => return bytes.iter().copied().filter(|&byte| byte != b'\n').collect(),
            Ask::Fields(fields) => (id.to_owned(), fields),
            Ask::Again(n, fields) => (format!("again-{n}"), fields),
        };
        let mut fields = fields.clone();
        if fields["t"] != "ping" {
            self.asked.entry(conn).or_default().push(id.clone());
            fields["id"] = json!(id);
        }
        fields.to_string().into_bytes()
    }

    fn wait(&mut self, ms: u64) {
        self.world.wait(millis(ms));
        self.answer();
    }

    /// The log answers, one request after the other, and only when there is nothing else to do.
    fn answer(&mut self) {
        while !self.world.log.held.is_empty() {
            self.world.release();
        }
    }

    /// What each json connection can know at the end.
    pub(crate) fn watches(&self) -> Vec<(ConnId, Watch)> {
        let json = self.conns.iter().filter(|(_, tongue)| *tongue == Tongue::Json);
        json.map(|&(conn, _)| {
            let received = self.world.received(conn);
            // Who is gone may have been cut in the middle of a line, and of a character.
            let whole = &received[..received.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1)];
            assert!(whole.len() == received.len() || self.world.is_gone(conn));
            let whole = std::str::from_utf8(whole).expect("the server speaks UTF-8");
            let lines: Vec<_> = whole.lines().map(|line| serde_json::from_str(line).expect("json")).collect();
            let mut watch = Watch::default();
            watch.feed(&lines);
            (conn, watch)
        })
        .collect()
    }
}
