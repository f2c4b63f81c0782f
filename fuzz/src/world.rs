//! A server with its log, and connections that are vectors of bytes.

use std::time::Duration;

use qun_core::json::{Frame, Request};
use qun_core::server::{Access, Account, Config, Hangup, Listed, Peer, Presence, RoomConfig, Verdict, Verification};
use qun_core::{ConnId, Instant, Limits, Now, PasswordHash, Role};
use qun_transports::{Driver, Event, MemoryLog};

use crate::pieces::Pieces;

/// When worlds begin: 2026-02-17T12:00:00Z.
const START: u64 = 1_771_329_600_000;

pub(crate) struct World {
    driver: Driver<MemoryLog>,
    now: Now,
    wires: Vec<Wire>,
    /// How much of what the server has to send is taken at once.
    takes: Pieces,
    /// Verdicts on passwords that are not given yet.
    verdicts: Vec<(Verification, Verdict)>,
    /// Whether they wait until they are asked for.
    pub(crate) are_verdicts_late: bool,
}

/// The code by which an owner comes into `ops`.
pub(crate) const OWNER: &str = "0WNE-R0PS";

/// One connection.
pub(crate) struct Wire {
    conn: ConnId,
    /// What the server sent.
    pub(crate) received: Vec<u8>,
    /// Neither side has closed it.
    pub(crate) open: bool,
    /// The server has bytes for it.
    owed: bool,
    /// It takes no bytes.
    pub(crate) stalled: bool,
}

impl World {
    /// A world with a room that says who is in it, `ops`, which has an owner's code, and one that counts, `hall`. There is
    /// an account, ann, that moderates in both.
    pub(crate) fn new(takes: Pieces) -> Self {
        let access = |code: &str, label: &str, role| Access {
            code: code.parse().expect("a code"),
            label: label.into(),
            role,
            expires: None,
            max_members: None,
        };
        let ann = || Listed { name: "ann".parse().expect("a name"), role: Role::Moderator };
        let room = |id: &str, presence, codes| RoomConfig {
            id: id.parse().expect("an id"),
            title: id.into(),
            presence,
            codes,
            accounts: vec![ann()],
            guests: true,
        };
        let ops = vec![access("K7QM-2XD4", "team", Role::Talk), access(OWNER, "owner", Role::Owner)];
        let hall = vec![access("HA11-HA11", "team", Role::Talk)];
        let config = Config {
            agent: "qun/0".into(),
            rooms: vec![room("ops", Presence::Full, ops), room("hall", Presence::Count, hall)],
            // So little that a reader falls off soon.
            limits: Limits { room_bytes: 4 << 10, ..Limits::default() },
            accounts: vec![Account { name: "ann".parse().expect("a name"), hash: PasswordHash::new("correct horse") }],
            guests: true,
            language: Default::default(),
            utc_offset_s: 0,
        };
        let now = Now { mono: Instant::default(), unix_ms: START };
        let driver = Driver::new(config, [7; 32], MemoryLog::new([8; 32]));
        Self { driver, now, wires: Vec::new(), takes, verdicts: Vec::new(), are_verdicts_late: false }
    }

    pub(crate) fn connect(&mut self) -> usize {
        let source = [198, 51, 100, self.wires.len() as u8];
        let conn = self.driver.open(self.now, Peer::Net((source, 4_000).into()));
        self.wires.push(Wire { conn, received: Vec::new(), open: true, owed: false, stalled: false });
        self.wires.len() - 1
    }

    /// Gives the server bytes of a connection.
    pub(crate) fn send(&mut self, wire: usize, bytes: &[u8]) {
        self.send_in(wire, bytes, &mut Pieces::Whole);
    }

    /// The same in pieces. The log answers when all is given: so its answers come at the same place of the stream.
    pub(crate) fn send_in(&mut self, wire: usize, bytes: &[u8], pieces: &mut Pieces) {
        for piece in pieces.cut(bytes) {
            self.driver.received(self.now, self.wires[wire].conn, piece);
        }
        self.settle();
    }

    pub(crate) fn finish(&mut self, wire: usize) {
        if self.wires[wire].open {
            self.driver.end_of_input(self.now, self.wires[wire].conn);
            self.settle();
        }
    }

    pub(crate) fn reset(&mut self, wire: usize) {
        if std::mem::take(&mut self.wires[wire].open) {
            self.driver.closed(self.now, self.wires[wire].conn, Hangup::Reset);
            self.settle();
        }
    }

    /// Gives one of the verdicts that wait, or one that says nothing.
    pub(crate) fn verdict(&mut self, which: u8) {
        if self.verdicts.is_empty() {
            return;
        }
        let (request, verdict) = self.verdicts.remove(usize::from(which / 2) % self.verdicts.len());
        self.driver.verified(self.now, request, if which.is_multiple_of(2) { verdict } else { Verdict::Failed });
        self.settle();
    }

    pub(crate) fn drain(&mut self) {
        self.driver.drain(self.now);
        self.settle();
    }

    /// Lets time pass, by the server's own deadlines.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while let Some(at) = self.driver.deadline().filter(|&at| at < end) {
            self.tick(at);
        }
        self.tick(end);
    }

    fn tick(&mut self, at: Instant) {
        self.now = Now { mono: at, unix_ms: START + at.as_micros() / 1_000 };
        self.driver.tick(self.now);
        self.settle();
    }

    pub(crate) fn wire(&mut self, wire: usize) -> &mut Wire {
        &mut self.wires[wire]
    }

    pub(crate) fn wires(&self) -> &[Wire] {
        &self.wires
    }

    pub(crate) fn settle(&mut self) {
        loop {
            while let Some(event) = self.driver.poll(self.now) {
                match event {
                    Event::Transmit(conn) => self.by_conn(conn).owed = true,
                    Event::Close(conn, _) => self.by_conn(conn).open = false,
                    // Here a hash is the password itself; a real one would take most of a run.
                    Event::Verify { request, hash, password } => {
                        let is_right = hash.expose() == password.expose();
                        let verdict = if is_right { Verdict::Right } else { Verdict::Wrong };
                        if self.are_verdicts_late {
                            self.verdicts.push((request, verdict));
                        } else {
                            self.driver.verified(self.now, request, verdict);
                        }
                    }
                    // All that is given is taken.
                    Event::Read(..) | Event::Note(_) => {}
                }
            }
            if !self.flush() {
                break;
            }
        }
        assert!(self.driver.deadline().is_none_or(|at| at > self.now.mono), "drained, and yet due");
        assert_eq!(self.driver.connections(), self.wires.iter().filter(|wire| wire.open).count());
    }

    fn by_conn(&mut self, conn: ConnId) -> &mut Wire {
        self.wires.iter_mut().find(|wire| wire.conn == conn).expect("a connection of this world")
    }

    /// Takes what the server has to send. Whether there was any.
    fn flush(&mut self) -> bool {
        let mut any = false;
        for wire in self.wires.iter_mut().filter(|wire| wire.open && wire.owed && !wire.stalled) {
            any = true;
            while let Some(mut transmit) = self.driver.transmit(wire.conn) {
                let mut slices = self.takes.slices();
                let filled = transmit.gather(&mut slices, |slice| slice);
                assert!(filled > 0 && slices[..filled].iter().all(|slice| !slice.is_empty()), "a transmit has bytes");
                let bytes = slices[..filled].concat();
                let taken = self.takes.next(bytes.len());
                transmit.advance(taken).expect("no more was sent than there was");
                wire.received.extend_from_slice(&bytes[..taken]);
            }
            wire.owed = false;
        }
        any
    }
}

impl Wire {
    /// The frames that came, each of which is written as it was read; panics where something else came. The last line of a
    /// connection that is gone may be cut.
    pub(crate) fn frames(&self) -> Vec<Frame> {
        let end = self.received.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
        assert!(!self.open || self.stalled || end == self.received.len(), "half a line");
        let lines = self.received[..end].split_inclusive(|&b| b == b'\n').map(|line| &line[..line.len() - 1]);
        lines
            .map(|line| {
                let frame = Frame::decode(line).expect("a line begins with a brace").expect("a line is a frame");
                assert_ne!(frame, Frame::Unknown, "a frame that no version has");
                let mut again = Vec::new();
                frame.encode(&mut again);
                assert_eq!(again.strip_suffix(b"\n"), Some(line), "a frame reads as another one");
                frame
            })
            .collect()
    }
}

/// A json line.
pub(crate) fn line(request: &Request) -> Vec<u8> {
    let mut line = Vec::new();
    request.encode(&mut line);
    line
}
