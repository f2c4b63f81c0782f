//! A server with everything around it that a driver would give it: connections, a log, time.

mod log;
mod speak;
mod watch;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use qun_core::log::Request;
use qun_core::server::{
    Access, Action, Config, Hangup, Input, Note, Peer, Presence, Reason, RoomConfig, Server, Verdict, Verification,
};
use qun_core::{ConnId, Entropy, Instant, Limits, Now, Password, PasswordHash, Role};

use log::Log;
pub(crate) use speak::{ANN, BOB, DEV, GUEST, HALL, MEI, OPS, WRONG, names, texts, types};
pub(crate) use watch::Watch;

/// When the world begins: 2026-02-17T12:00:00Z.
pub(crate) const START: u64 = 1_771_329_600_000;

pub(crate) const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A server, its driver, its log and the other ends of its connections.
///
/// Every verb drains the machine before it returns, and then demands what the machine's contract promises at rest.
pub(crate) struct World {
    pub(crate) server: Server,
    /// What it was told last to serve.
    pub(crate) config: Config,
    pub(crate) log: Log,
    pub(crate) notes: Vec<Note>,
    /// Passwords whose verdict is awaited; only where they are held.
    pub(crate) asked: VecDeque<(Verification, PasswordHash, Password)>,
    /// Whether verdicts are held, until a test gives them.
    pub(crate) hold_verdicts: bool,
    pub(crate) split: Split,
    /// Whether every rest is checked on a copy of the whole machine; off where that would be slow.
    pub(crate) thorough: bool,
    /// Whether time passes by the machine's own deadlines, or in steps of this length.
    pub(crate) step: Option<Duration>,
    now: Now,
    wires: BTreeMap<ConnId, Wire>,
    /// How often each index was used, and whether it is.
    slots: Vec<(u32, bool)>,
}

/// How the bytes of either direction are cut.
#[derive(Clone)]
pub(crate) enum Split {
    /// As they come.
    Whole,
    /// At random.
    Random(Entropy),
}

impl Split {
    fn next(&mut self) -> usize {
        match self {
            Self::Whole => 64 << 10,
            Self::Random(entropy) => {
                let most = if entropy.below(4) == 0 { 4_000 } else { 12 };
                1 + entropy.below(most) as usize
            }
        }
    }
}

/// The driver's half of a connection, and the other end.
struct Wire {
    inbox: VecDeque<u8>,
    ending: bool,
    reading: bool,
    /// The machine said `Transmit`, and since then not that it has nothing.
    owed: bool,
    /// How many more bytes the other end takes.
    window: usize,
    received: Vec<u8>,
    read: usize,
    end: Option<Reason>,
    gone: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A world whose limits, rooms or language differ.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            agent: "qun/0.1".into(),
            rooms: vec![
                room("ops", "On-call", Presence::Full, &[(OPS, Role::Talk), (GUEST, Role::Read)]),
                room("dev", "Development", Presence::Full, &[(DEV, Role::Talk)]),
                room("hall", "The hall", Presence::Count, &[(HALL, Role::Talk)]),
            ],
            limits: Limits::default(),
            accounts: Vec::new(),
            guests: true,
            language: Default::default(),
            utc_offset_s: 0,
        };
        change(&mut config);
        Self {
            server: Server::new(config.clone(), [7; 32]),
            config,
            log: Log::new(),
            notes: Vec::new(),
            asked: VecDeque::new(),
            hold_verdicts: false,
            split: Split::Whole,
            thorough: true,
            step: None,
            now: Now { mono: Instant::default(), unix_ms: START },
            wires: BTreeMap::new(),
            slots: Vec::new(),
        }
    }

    /// A world in which nobody can speak too fast.
    pub(crate) fn unpaced() -> Self {
        Self::with(|config| (config.limits.burst, config.limits.per_s) = (0, 0))
    }

    /// A connection from an address that nobody else has.
    pub(crate) fn connect(&mut self) -> ConnId {
        let n = self.wires.len();
        self.connect_from(&format!("198.51.{}.{}:4000", n / 250, 1 + n % 250))
    }

    pub(crate) fn connect_from(&mut self, addr: &str) -> ConnId {
        let index = self.slots.iter().position(|(_, used)| !used).unwrap_or(self.slots.len());
        if index == self.slots.len() {
            self.slots.push((0, false));
        }
        let (generation, used) = &mut self.slots[index];
        *generation += 1;
        *used = true;
        let conn = ConnId { index: index as u32, generation: *generation };
        let wire = Wire {
            inbox: VecDeque::new(),
            ending: false,
            reading: true,
            owed: false,
            window: usize::MAX,
            received: Vec::new(),
            read: 0,
            end: None,
            gone: false,
        };
        self.wires.insert(conn, wire);
        self.input(Input::Opened { conn, peer: Peer::Net(addr.parse().unwrap()) });
        self.settle();
        conn
    }

    pub(crate) fn send(&mut self, conn: ConnId, bytes: impl AsRef<[u8]>) {
        self.queue(conn, bytes);
        self.settle();
    }

    /// Lets bytes wait until the next verb.
    pub(crate) fn queue(&mut self, conn: ConnId, bytes: impl AsRef<[u8]>) {
        self.wire(conn).inbox.extend(bytes.as_ref());
    }

    /// The other end closes its side.
    pub(crate) fn finish(&mut self, conn: ConnId) {
        self.wire(conn).ending = true;
        self.settle();
    }

    /// The connection is reset.
    pub(crate) fn reset(&mut self, conn: ConnId) {
        self.bury(conn);
        self.input(Input::Closed { conn, why: Hangup::Reset });
        self.settle();
    }

    /// An input that no driver would give.
    pub(crate) fn haunt(&mut self, input: Input<'_>) {
        self.input(input);
        self.settle();
    }

    /// Another configuration.
    pub(crate) fn reload(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.input(Input::Reload(Box::new(self.config.clone())));
        self.settle();
    }

    pub(crate) fn drain(&mut self) {
        self.input(Input::Drain);
        self.settle();
    }

    /// The other end takes no more than `bytes`.
    pub(crate) fn stall(&mut self, conn: ConnId, bytes: usize) {
        self.wire(conn).window = bytes;
    }

    /// The other end reads again.
    pub(crate) fn unstall(&mut self, conn: ConnId) {
        self.wire(conn).window = usize::MAX;
        self.flush(conn);
        self.settle();
    }

    /// The other end takes this many bytes, and no more.
    pub(crate) fn trickle(&mut self, conn: ConnId, bytes: usize) {
        self.wire(conn).window = bytes;
        self.flush(conn);
        self.settle();
    }

    /// Lets time pass, waking the machine just when it asks for it.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now.mono + time;
        loop {
            let step = self.step.map(|step| self.now.mono + step);
            match self.server.deadline().into_iter().chain(step).min() {
                Some(at) if at < end => self.tick(at),
                _ => break,
            }
        }
        self.tick(end);
    }

    fn tick(&mut self, at: Instant) {
        self.now.unix_ms = START + at.as_micros() / 1000;
        self.now.mono = at;
        self.input(Input::Tick);
        self.settle();
    }

    pub(crate) fn now(&self) -> Instant {
        self.now.mono
    }

    /// Answers the oldest request that the log holds.
    pub(crate) fn release(&mut self) {
        let request = self.log.held.pop_front().expect("the log holds a request");
        self.answer(request);
        self.settle();
    }

    /// Answers all that the log holds, and what comes of it, in the order in which it was asked.
    pub(crate) fn release_all(&mut self) {
        self.log.hold = true;
        while !self.log.held.is_empty() {
            self.release();
        }
        self.log.hold = false;
    }

    /// Gives the verdict on the password that was asked about first.
    pub(crate) fn judge(&mut self) {
        self.judge_next();
        self.settle();
    }

    fn judge_next(&mut self) {
        let (request, hash, password) = self.asked.pop_front().expect("a password is asked about");
        let is_right = hash.expose() == format!("hash of {}", password.expose());
        let verdict = if is_right { Verdict::Right } else { Verdict::Wrong };
        self.input(Input::Verified { request, verdict });
    }

    /// What came since the last time.
    pub(crate) fn take(&mut self, conn: ConnId) -> Vec<u8> {
        let wire = self.wire(conn);
        let new = wire.received[wire.read..].to_vec();
        wire.read = wire.received.len();
        new
    }

    pub(crate) fn text(&mut self, conn: ConnId) -> String {
        String::from_utf8(self.take(conn)).expect("the server speaks UTF-8")
    }

    /// All that ever came.
    pub(crate) fn received(&self, conn: ConnId) -> &[u8] {
        &self.wires[&conn].received
    }

    /// Every connection that there ever was.
    pub(crate) fn connections(&self) -> Vec<ConnId> {
        self.wires.keys().copied().collect()
    }

    pub(crate) fn closed(&self, conn: ConnId) -> Option<Reason> {
        self.wires[&conn].end
    }

    pub(crate) fn is_gone(&self, conn: ConnId) -> bool {
        self.wires[&conn].gone
    }

    pub(crate) fn reading(&self, conn: ConnId) -> bool {
        self.wires[&conn].reading
    }

    pub(crate) fn unread(&self, conn: ConnId) -> usize {
        self.wires[&conn].inbox.len()
    }

    fn wire(&mut self, conn: ConnId) -> &mut Wire {
        self.wires.get_mut(&conn).expect("a connection of this world")
    }

    fn input(&mut self, input: Input<'_>) {
        self.server.handle(self.now, input);
    }

    fn settle(&mut self) {
        loop {
            while let Some(action) = self.server.poll() {
                self.act(action);
            }
            if self.deliver() {
                continue;
            }
            if self.server.deadline().is_none_or(|due| due > self.now.mono) {
                break;
            }
            // What it wants to be told is the time; nothing is due at once after that.
            self.input(Input::Tick);
            while let Some(action) = self.server.poll() {
                self.act(action);
            }
            break;
        }
        self.check();
    }

    /// Gives the machine one piece of what each connection sent. Whether there was any.
    fn deliver(&mut self) -> bool {
        let conns: Vec<_> = self.wires.iter().filter(|(_, wire)| !wire.gone && wire.reading).map(|(&c, _)| c).collect();
        let mut any = false;
        for conn in conns {
            let length = self.split.next();
            let wire = self.wire(conn);
            let bytes: Vec<_> = wire.inbox.drain(..length.min(wire.inbox.len())).collect();
            if !bytes.is_empty() {
                any = true;
                self.input(Input::Received { conn, bytes: &bytes });
            } else if std::mem::take(&mut wire.ending) {
                any = true;
                self.input(Input::EndOfInput { conn });
            }
        }
        any
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Transmit(conn) => {
                let wire = self.wire(conn);
                assert!(!wire.gone, "{conn:?} is buried");
                assert!(!wire.owed, "{conn:?} was to transmit already");
                wire.owed = true;
                self.flush(conn);
            }
            Action::Read(conn, read) => {
                let wire = self.wire(conn);
                assert!(!wire.gone, "{conn:?} is buried");
                assert_ne!(wire.reading, read, "{conn:?}: Read is an edge");
                wire.reading = read;
            }
            Action::Close(conn, reason) => {
                self.bury(conn);
                self.wire(conn).end = Some(reason);
            }
            // What a room was left with is known before anything else; but what is asked for behind something is told with it.
            Action::Log(request @ Request::Recall { .. }) if !self.log.is_to_keep() => self.answer(request),
            Action::Log(request) if self.log.hold => self.log.held.push_back(request),
            Action::Log(request) => self.answer(request),
            Action::Verify { request, hash, password } => {
                self.asked.push_back((request, hash, password));
                if !self.hold_verdicts {
                    self.judge_next();
                }
            }
            Action::Note(note) => self.notes.push(note),
        }
    }

    fn bury(&mut self, conn: ConnId) {
        let wire = self.wire(conn);
        assert!(!wire.gone, "{conn:?} is buried twice");
        wire.gone = true;
        wire.inbox.clear();
        self.slots[conn.index as usize].1 = false;
    }

    fn answer(&mut self, request: qun_core::log::Request) {
        for answer in self.log.answer(request, self.now.unix_ms) {
            self.input(Input::Log(answer));
        }
    }

    /// Writes what there is, as much as the other end takes.
    fn flush(&mut self, conn: ConnId) {
        while self.wires[&conn].owed {
            let length = self.split.next();
            let Some(wire) = self.wires.get_mut(&conn) else { return };
            let Some(mut transmit) = self.server.transmit(conn) else {
                wire.owed = false;
                return;
            };
            let mut slices: [&[u8]; 3] = [&[]; 3];
            let filled = transmit.gather(&mut slices, |slice| slice);
            let slices = &slices[..filled];
            assert!(filled > 0 && slices.iter().all(|slice| !slice.is_empty()), "a transmit has bytes");
            if slices[0].starts_with(b"{\"") {
                assert!(slices.iter().all(|slice| slice.ends_with(b"\n")), "a slice ends with a frame");
            }
            let bytes = slices.concat();
            let taken = bytes.len().min(length).min(wire.window);
            transmit.advance(taken).expect("no more was sent than there was");
            wire.received.extend_from_slice(&bytes[..taken]);
            if wire.window != usize::MAX {
                wire.window -= taken;
            }
            if taken == 0 {
                return;
            }
        }
    }

    /// What the contract promises of a machine that has been drained.
    fn check(&mut self) {
        if let Some(deadline) = self.server.deadline() {
            assert!(deadline > self.now.mono, "drained, and yet due");
        }
        let open = self.wires.values().filter(|wire| !wire.gone).count();
        assert_eq!(self.server.connections(), open);
        if self.thorough {
            let mut copy = self.server.clone();
            for (&conn, wire) in &self.wires {
                assert!(wire.owed || copy.transmit(conn).is_none(), "{conn:?} has bytes and nobody was told");
            }
        }
    }
}

pub(crate) fn room(id: &str, title: &str, presence: Presence, codes: &[(&str, Role)]) -> RoomConfig {
    let code = |&(code, role): &(&str, Role)| access(code, role);
    RoomConfig {
        id: id.parse().unwrap(),
        title: title.into(),
        presence,
        codes: codes.iter().map(code).collect(),
        accounts: Vec::new(),
        guests: true,
    }
}

pub(crate) fn access(code: &str, role: Role) -> Access {
    Access { code: code.parse().unwrap(), label: "team".into(), role, expires: None, max_members: None }
}
