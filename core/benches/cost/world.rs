//! A server without sockets, and a log that numbers.

use qun_core::log::{Answer, Draft, Outcome, Page, Record, Request, Tail};
use qun_core::server::{Access, Action, Config, Input, Peer, Presence, RoomConfig, Server};
use qun_core::{ConnId, Epoch, Instant, Limits, Now, Role, Seq};

/// A server, its log, and where its bytes go.
pub(crate) struct World {
    pub(crate) server: Server,
    records: Vec<Record>,
    epoch: Epoch,
    now: Now,
    next: u32,
    ready: Vec<ConnId>,
    /// Bytes sent.
    pub(crate) sent: usize,
}

/// The code of the only room.
const CODE: &str = "K7QM-2XD4";

impl World {
    pub(crate) fn new() -> Self {
        let access = Access {
            code: CODE.parse().expect("a code"),
            label: "team".into(),
            role: Role::Talk,
            expires: None,
            max_members: None,
        };
        let room = RoomConfig {
            id: "ops".parse().expect("an id"),
            title: "Ops".into(),
            presence: Presence::Count,
            codes: vec![access],
        };
        let limits = Limits { burst: 0, per_s: 0, acts_burst: 0, acts_per_s: 0, ..Limits::default() };
        Self {
            server: Server::new(Config { rooms: vec![room], limits, ..Config::default() }, [7; 32]),
            records: Vec::new(),
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

    /// Somebody is in the room, and has read all of it.
    pub(crate) fn json(&mut self) -> ConnId {
        let conn = self.open();
        self.receive(conn, HELLO);
        self.receive(conn, JOIN);
        self.settle();
        conn
    }

    pub(crate) fn plain(&mut self) -> ConnId {
        let conn = self.open();
        let name = format!("{CODE} p{}\r\n", self.next);
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
                Action::Read(..) | Action::Close(..) | Action::Note(_) => {}
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
                let tail = Tail { epoch: self.epoch, first, head: Seq::ZERO, records: Vec::new() };
                self.server.handle(now, Input::Log(Answer::Ready { room, tail: Ok(tail) }));
            }
            Request::Append { room, drafts } => {
                let before = self.records.len();
                let mut outcomes = Vec::with_capacity(drafts.len());
                for Draft { once, member, name, kind, text } in drafts {
                    let seq = Seq::new(self.records.len() as u64 + 1);
                    let id = once.map(|(_, id)| id);
                    self.records.push(Record { seq, ts: now.unix_ms, member, name, kind, text, id });
                    outcomes.push(Outcome::New(seq));
                }
                let records = self.records[before..].to_vec();
                self.server.handle(now, Input::Log(Answer::Settled { room: room.clone(), outcomes }));
                self.server.handle(now, Input::Log(Answer::Grew { room, first, records }));
            }
            Request::Close { .. } | Request::Search { .. } => {}
            Request::Load { ticket, limit, .. } => {
                let records = self.records.iter().take(limit as usize).cloned().collect();
                let page = Page { first, more: true, records };
                self.server.handle(now, Input::Log(Answer::Loaded { ticket, page: Ok(page) }));
            }
        }
    }
}

/// How a program gets in.
pub(crate) const HELLO: &[u8] = b"{\"t\":\"hello\",\"id\":\"h\",\"v\":[1],\"agent\":\"cost\",\"name\":\"ann\"}\n";
/// The same.
pub(crate) const JOIN: &[u8] = b"{\"t\":\"join\",\"id\":\"j\",\"code\":\"K7QM-2XD4\",\"tail\":0}\n";

/// A message of 64 bytes.
pub(crate) fn say(number: usize) -> Vec<u8> {
    let text = "x".repeat(64);
    format!("{{\"t\":\"say\",\"id\":\"id-{number}\",\"room\":\"ops\",\"text\":\"{text}\"}}\n").into_bytes()
}
