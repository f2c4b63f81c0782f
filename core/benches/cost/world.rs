//! A server without sockets, and a log that numbers.

use std::collections::BTreeMap;

use qun_core::log::{Answer, Draft, Facts, Outcome, Page, Record, Request, Tail};
use qun_core::server::{Access, Action, Config, Input, Peer, Presence, RoomConfig, Server};
use qun_core::{Code, ConnId, Entropy, Epoch, Instant, Limits, Now, Role, RoomId, Seq};

/// A server, its log, and where its bytes go.
pub(crate) struct World {
    pub(crate) server: Server,
    codes: Vec<Code>,
    records: BTreeMap<RoomId, Vec<Record>>,
    epoch: Epoch,
    now: Now,
    next: u32,
    ready: Vec<ConnId>,
    /// Bytes sent.
    pub(crate) sent: usize,
}

impl World {
    /// One room.
    pub(crate) fn new() -> Self {
        Self::of(1)
    }

    /// So many rooms.
    pub(crate) fn of(rooms: usize) -> Self {
        let mut entropy = Entropy::new([5; 32]);
        let codes: Vec<_> = (0..rooms).map(|_| Code::generate(&mut entropy)).collect();
        let room = |(number, code): (usize, &Code)| RoomConfig {
            id: room(number).parse().expect("an id"),
            title: "Ops".into(),
            presence: Presence::Count,
            codes: vec![Access {
                code: code.clone(),
                label: "team".into(),
                role: Role::Talk,
                expires: None,
                max_members: None,
            }],
            accounts: Vec::new(),
            guests: true,
        };
        let rooms = codes.iter().enumerate().map(room).collect();
        let limits = Limits { burst: 0, per_s: 0, acts_burst: 0, acts_per_s: 0, ..Limits::default() };
        Self {
            server: Server::new(Config { rooms, limits, ..Config::default() }, [7; 32]),
            codes,
            records: BTreeMap::new(),
            epoch: "e9f2".parse().expect("an epoch"),
            now: Now { mono: Instant::from_micros(1), unix_ms: 1_771_329_600_000 },
            next: 0,
            ready: Vec::new(),
            sent: 0,
        }
    }

    /// Somebody connects.
    pub(crate) fn open(&mut self) -> ConnId {
        let conn = ConnId { index: self.next, generation: 0 };
        self.next += 1;
        self.server.handle(self.now, Input::Opened { conn, peer: Peer::Local });
        conn
    }

    /// Somebody is in the first room, and has read all of it.
    pub(crate) fn json(&mut self) -> ConnId {
        self.json_in(0)
    }

    /// The same in another room.
    pub(crate) fn json_in(&mut self, room: usize) -> ConnId {
        let conn = self.open();
        self.receive(conn, HELLO);
        self.receive(conn, &self.join(room, "\"tail\":0"));
        self.settle();
        conn
    }

    /// How a program gets into a room.
    pub(crate) fn join(&self, room: usize, from: &str) -> Vec<u8> {
        format!("{{\"t\":\"join\",\"id\":\"j\",\"code\":\"{}\",{from}}}\n", self.codes[room]).into_bytes()
    }

    pub(crate) fn plain(&mut self) -> ConnId {
        let conn = self.open();
        let name = format!("{} p{}\r\n", self.codes[0], self.next);
        self.receive(conn, name.as_bytes());
        self.settle();
        conn
    }

    pub(crate) fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        self.server.handle(self.now, Input::Received { conn, bytes });
    }

    /// Does what the server wants, the log's part included, and has everybody take all their bytes.
    pub(crate) fn settle(&mut self) {
        self.obey();
        self.flush();
    }

    pub(crate) fn obey(&mut self) {
        while let Some(action) = self.server.poll() {
            match action {
                Action::Transmit(conn) => self.ready.push(conn),
                Action::Log(request) => self.answer(request),
                Action::Read(..) | Action::Close(..) | Action::Verify { .. } | Action::Note(_) => {}
            }
        }
    }

    pub(crate) fn flush(&mut self) {
        for at in 0..self.ready.len() {
            while let Some(mut transmit) = self.server.transmit(self.ready[at]) {
                let mut slices = [&[][..]; 64];
                let filled = transmit.gather(&mut slices, |slice| slice);
                let bytes = slices[..filled].iter().map(|slice| slice.len()).sum();
                transmit.advance(bytes).expect("what was gathered");
                self.sent += bytes;
            }
        }
        self.ready.clear();
    }

    fn answer(&mut self, request: Request) {
        let now = self.now;
        let first = Seq::new(1);
        match request {
            Request::Open { room, .. } => {
                let tail =
                    Tail { epoch: self.epoch, first, head: Seq::ZERO, records: Vec::new(), facts: Facts::default() };
                self.server.handle(now, Input::Log(Answer::Ready { room, tail: Ok(tail) }));
            }
            Request::Append { room, drafts } => {
                let held = self.records.entry(room.clone()).or_default();
                let before = held.len();
                let mut outcomes = Vec::with_capacity(drafts.len());
                for Draft { once, member, name, kind, text, facts: _ } in drafts {
                    let seq = Seq::new(held.len() as u64 + 1);
                    let id = once.map(|(_, id)| id);
                    held.push(Record { seq, ts: now.unix_ms, member, name, kind, text, id });
                    outcomes.push(Outcome::New(seq));
                }
                let records = held[before..].into();
                self.server.handle(now, Input::Log(Answer::Settled { room: room.clone(), outcomes }));
                self.server.handle(now, Input::Log(Answer::Grew { room, first, records }));
            }
            Request::Recall { room } => {
                self.server.handle(now, Input::Log(Answer::Recalled { room, facts: Ok(Facts::default()) }));
            }
            Request::Close { .. } | Request::Keep { .. } | Request::Search { .. } => {}
            Request::Load { ticket, room, limit, .. } => {
                let held = self.records.get(&room).into_iter().flatten();
                let records = held.take(limit as usize).cloned().collect();
                let page = Page { first, more: true, records };
                self.server.handle(now, Input::Log(Answer::Loaded { ticket, page: Ok(page) }));
            }
        }
    }
}

/// How a program gets in.
pub(crate) const HELLO: &[u8] = b"{\"t\":\"hello\",\"id\":\"h\",\"v\":[1],\"agent\":\"cost\",\"name\":\"ann\"}\n";
/// A message of 64 bytes to the first room.
pub(crate) fn say(number: usize) -> Vec<u8> {
    say_in(0, number)
}

/// The same to another room.
pub(crate) fn say_in(to: usize, number: usize) -> Vec<u8> {
    let (room, text) = (room(to), "x".repeat(64));
    format!("{{\"t\":\"say\",\"id\":\"id-{number}\",\"room\":\"{room}\",\"text\":\"{text}\"}}\n").into_bytes()
}

fn room(number: usize) -> String {
    format!("ops{number}")
}
