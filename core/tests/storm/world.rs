//! A driver that checks what it is told, and connections at their other ends.

use std::collections::BTreeMap;
use std::time::Duration;

use qun_core::log::{Answer, Request};
use qun_core::server::{Access, Action, Config, Hangup, Input, Peer, Presence, Reason, RoomConfig, Server};
use qun_core::{ConnId, Instant, Limits, Now, Role, RoomId, Seq, TextLimits};

use crate::fold::Fold;
use crate::log::Log;

/// Numbers that follow from a seed (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A connection's other end.
#[derive(Debug)]
pub(crate) struct End {
    /// What it has sent and the server has not read.
    pub(crate) unread: Vec<u8>,
    /// Whether it will send no more.
    pub(crate) ended: bool,
    /// Whether the server was told so.
    told: bool,
    reading: bool,
    /// Whether the driver owes a flush.
    pub(crate) owed: bool,
    /// Whether it takes nothing.
    pub(crate) stalled: bool,
    /// Everything that it got.
    pub(crate) got: Vec<u8>,
    /// What it makes of it, where it speaks json.
    pub(crate) fold: Option<Fold>,
}

/// A server, its log and its connections.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) log: Log,
    pub(crate) dice: Dice,
    pub(crate) now: Instant,
    pub(crate) ends: BTreeMap<ConnId, End>,
    pub(crate) closed: Vec<(ConnId, Reason)>,
    /// The connections that were closed, with what they got.
    pub(crate) buried: BTreeMap<ConnId, End>,
    pub(crate) generations: Vec<u32>,
}

pub(crate) const OPS: &str = "opscode1";
pub(crate) const HALL: &str = "hallcode";

/// A server with a room of names and a room of numbers, and limits that are soon met.
pub(crate) fn config() -> Config {
    let access = |code: &str, role| Access {
        code: code.parse().unwrap(),
        label: code.into(),
        role,
        expires: None,
        max_members: None,
    };
    let room = |id: &str, presence, codes| RoomConfig {
        id: id.parse().unwrap(),
        title: id.into(),
        presence,
        codes,
        accounts: Vec::new(),
        guests: true,
    };
    Config {
        rooms: vec![
            room("ops", Presence::Full, vec![access(OPS, Role::Talk), access("opsread1", Role::Read)]),
            room("hall", Presence::Count, vec![access(HALL, Role::Talk)]),
            room("den", Presence::Full, vec![access("dencode1", Role::Talk)]),
        ],
        limits: Limits {
            line: 600,
            text: TextLimits { bytes: 200, lines: 4 },
            replay: 20,
            page: 5,
            burst: 20,
            per_s: 20,
            acts_burst: 20,
            acts_per_s: 10,
            in_flight: 4,
            private: 700,
            unread: 2_048,
            room_bytes: 6_000,
            guess_every: Duration::from_millis(100),
            ..Limits::default()
        },
        ..Config::default()
    }
}

impl World {
    pub(crate) fn new(config: Config, seed: u64) -> Self {
        Self {
            server: Server::new(config, [9; 32]),
            log: Log::new(),
            dice: Dice(seed),
            now: Instant::from_micros(1_000),
            ends: BTreeMap::new(),
            closed: Vec::new(),
            buried: BTreeMap::new(),
            generations: Vec::new(),
        }
    }

    pub(crate) fn open(&mut self, peer: Peer, json: bool) -> ConnId {
        let taken = |index: u32, world: &Self| world.ends.keys().any(|conn| conn.index == index);
        let index = (0..).find(|&index| !taken(index, self)).unwrap();
        if self.generations.len() <= index as usize {
            self.generations.push(0);
        }
        self.generations[index as usize] += 1;
        let conn = ConnId { index, generation: self.generations[index as usize] };
        let end = End {
            unread: Vec::new(),
            ended: false,
            told: false,
            reading: true,
            owed: false,
            stalled: false,
            got: Vec::new(),
            fold: json.then(Fold::default),
        };
        self.ends.insert(conn, end);
        self.input(Input::Opened { conn, peer });
        conn
    }

    /// The other end sends something.
    pub(crate) fn send(&mut self, conn: ConnId, bytes: impl AsRef<[u8]>) {
        if let Some(end) = self.ends.get_mut(&conn).filter(|end| !end.ended) {
            end.unread.extend_from_slice(bytes.as_ref());
        }
    }

    /// At most `most` bytes arrive; also where the server reads nothing, if the driver had `read_ahead`.
    pub(crate) fn arrive(&mut self, conn: ConnId, most: usize, read_ahead: bool) {
        let Some(end) = self.ends.get_mut(&conn) else { return };
        if !end.reading && !read_ahead {
            return;
        }
        let most = most.min(end.unread.len());
        let bytes: Vec<u8> = end.unread.drain(..most).collect();
        if !bytes.is_empty() {
            self.input(Input::Received { conn, bytes: &bytes });
        } else if end.ended && !end.told {
            end.told = true;
            self.input(Input::EndOfInput { conn });
        }
    }

    /// The connection is cut.
    pub(crate) fn cut(&mut self, conn: ConnId) {
        if let Some(end) = self.ends.remove(&conn) {
            self.buried.insert(conn, end);
            self.input(Input::Closed { conn, why: Hangup::Reset });
        }
    }

    /// The other end takes at most `most` bytes.
    pub(crate) fn flush(&mut self, conn: ConnId, most: usize) {
        let mut left = most;
        while left > 0 {
            let Some(end) = self.ends.get_mut(&conn).filter(|end| end.owed) else { return };
            let Some(mut transmit) = self.server.transmit(conn) else {
                end.owed = false;
                break;
            };
            let mut slices: Vec<&[u8]> = vec![&[]; 1 + self.dice.below(6) as usize];
            let filled = transmit.gather(&mut slices, |bytes| bytes);
            let mut bytes = slices[..filled].concat();
            assert!(!bytes.is_empty(), "a transmit without bytes");
            bytes.truncate(left);
            transmit.advance(bytes.len()).unwrap();
            left -= bytes.len();
            end.got.extend_from_slice(&bytes);
            let log = &self.log;
            if let Some(fold) = &mut end.fold {
                fold.take(&bytes, |room, seq, text| {
                    let record = &log.rooms[room].records[seq.get() as usize - 1];
                    assert_eq!(record.text.as_str(), text, "not what the log has");
                });
            }
        }
        self.drain();
    }

    pub(crate) fn now(&self) -> Now {
        Now { mono: self.now, unix_ms: self.now.as_micros() / 1000 }
    }

    pub(crate) fn input(&mut self, input: Input<'_>) {
        self.server.handle(self.now(), input);
        self.drain();
    }

    /// Polls until there is nothing, and checks what must be true then.
    fn drain(&mut self) {
        while let Some(action) = self.server.poll() {
            match action {
                Action::Transmit(conn) => {
                    let end = self.ends.get_mut(&conn).expect("a transmit for nobody");
                    assert!(!end.owed, "an edge that is none");
                    end.owed = true;
                }
                Action::Read(conn, reading) => {
                    let end = self.ends.get_mut(&conn).expect("a read for nobody");
                    assert_ne!(end.reading, reading, "an edge that is none");
                    end.reading = reading;
                }
                Action::Close(conn, reason) => {
                    let end = self.ends.remove(&conn).expect("a close for nobody");
                    self.closed.push((conn, reason));
                    self.buried.insert(conn, end);
                }
                // Where nothing goes wrong, what a room was left with is known at once.
                Action::Log(Request::Recall { room }) if self.log.faults == 0 => {
                    let facts = Ok(self.log.rooms.get(&room).map(|room| room.facts.clone()).unwrap_or_default());
                    self.server.handle(self.now(), Input::Log(Answer::Recalled { room, facts }));
                }
                Action::Log(request) => self.log.submit(self.now, &mut self.dice, request),
                Action::Verify { .. } | Action::Note(_) => {}
            }
        }
        assert!(self.server.deadline().is_none_or(|at| at > self.now), "{:?} is not after now", self.server.deadline());
        assert_eq!(self.server.connections(), self.ends.len());
    }

    /// Time passes, and the server is called when it asks.
    pub(crate) fn pass(&mut self, wait: Duration) {
        let until = self.now + wait;
        while let Some(at) = self.server.deadline().filter(|at| *at <= until) {
            self.now = at;
            self.input(Input::Tick);
        }
        self.now = until;
        self.input(Input::Tick);
    }

    /// The log answers one request, if there is one that was asked at `until` or before.
    pub(crate) fn answer(&mut self, until: Option<Instant>) -> bool {
        let Some(answer) = self.log.answer(&mut self.dice, until) else { return false };
        self.input(Input::Log(answer));
        true
    }

    /// Nothing is held back any more, until nothing happens.
    pub(crate) fn quiesce(&mut self) {
        loop {
            let mut busy = false;
            while self.answer(None) {
                busy = true;
            }
            for conn in self.ends.keys().copied().collect::<Vec<_>>() {
                let Some(end) = self.ends.get_mut(&conn) else { continue };
                end.stalled = false;
                busy |= end.owed || (end.reading && (!end.unread.is_empty() || (end.ended && !end.told)));
                self.arrive(conn, 500, false);
                self.flush(conn, usize::MAX);
            }
            if !busy {
                return;
            }
        }
    }

    pub(crate) fn head(&self, room: &RoomId) -> Seq {
        self.log.rooms.get(room).map_or(Seq::ZERO, |room| room.head())
    }

    /// What a connection got, as text; also after its end.
    pub(crate) fn text(&self, conn: ConnId) -> String {
        let end = self.ends.get(&conn).or_else(|| self.buried.get(&conn)).unwrap();
        String::from_utf8_lossy(&end.got).into_owned()
    }
}
