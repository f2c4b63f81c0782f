//! The server machine.
//!
//! A room is a log, a member is a cursor: a room holds its newest records and, for each dialect that somebody reads,
//! their encoding; a membership is an offset into it. Live delivery, backlog, resume and what a slow reader misses are
//! one mechanism, in which that offset moves.
//!
//! Each file is one part of it. What it keeps: `held` (records and encodings), `room`, `rules` (what acts have left), `session`, `accounts`, `conn`, `out` (the
//! cursors and private frames of a connection), `codebook`, `directory` (rooms by id), `pace` (rates), `timers`. What it does: `read` (bytes to
//! lines), `greet` (which dialect), `hello`, `login` (accounts), `came` (who needs no code again), `request` (json), `person` and `password` (plain), `guess` (codes), `enter` (joining and
//! leaving), `counted` (codes for so many), `say` (to the log and back), `order`, `right`, `plan` and `act` (keeping order: how an order comes to the log, who
//! may give which, what is written of it, how it is done), `history`, `search`, `answer`, `deliver` (to the members), `transmit`
//! (to one connection), `close`, `expire`, `reload`. What it shows: `overview`, `trouble`.

mod accounts;
mod act;
mod answer;
mod came;
mod close;
mod codebook;
mod config;
mod conn;
mod counted;
mod deliver;
mod directory;
mod enter;
mod expire;
mod greet;
mod guess;
mod held;
mod hello;
mod history;
mod io;
mod login;
mod membership;
mod order;
mod out;
mod overview;
mod pace;
mod password;
mod person;
mod plan;
mod read;
mod refusal;
mod reload;
mod request;
mod right;
mod room;
mod rules;
mod say;
mod search;
mod session;
mod slab;
mod timers;
mod todo;
mod transmit;
mod trouble;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use self::accounts::Accounts;
use self::codebook::Codebook;
use self::conn::{Conn, Conns, Phase};
use self::directory::Directory;
use self::history::Loads;
use self::login::Logins;
use self::pace::{Guesses, Rate};
use self::room::Room;
use self::session::Sessions;
use self::timers::Timers;
use self::todo::Todo;
use crate::dialect::Style;
use crate::entropy::Entropy;
use crate::id::{ConnId, MemberId, RoomId};
use crate::limits::Limits;
use crate::log::Answer;
use crate::time::{Instant, Now};
pub use config::{Access, Account, Config, Listed, Presence, Room as RoomConfig};
pub use io::{Action, Hangup, Input, LogTask, Note, Peer, Reason, Source, Verdict, Verification};
pub use overview::{Overview, RoomOverview};
pub use transmit::{Overrun, Transmit};

/// The server: sessions, rooms and what is said in them, without the sockets.
///
/// Its methods are of four kinds. *Input*: [`handle`](Self::handle). *Polls*: [`poll`](Self::poll),
/// [`deadline`](Self::deadline). *Output*: [`transmit`](Self::transmit). *Getters*: [`connections`](Self::connections),
/// [`memory`](Self::memory), [`overview`](Self::overview).
///
/// A driver gives it what happens, in any order and any number at a time; polls until there is no action left; and calls
/// `transmit` for every [`Action::Transmit`] until it has none or the connection takes no more. `transmit` may lead to
/// new actions, so that a driver polls again after it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    agent: String,
    limits: Limits,
    style: Style,
    entropy: Entropy,
    codes: Codebook,
    guesses: Guesses,
    accounts: Accounts,
    /// Whether people without an account are taken at all.
    takes_guests: bool,
    logins: Logins,
    /// Wrong passwords, by source, and by the name for which they were given, whether there is such an account or not.
    passwords: Guesses,
    logins_by_name: Guesses<MemberId>,
    says: Rate,
    acts: Rate,
    rooms: Vec<Room>,
    room_index: Directory,
    /// Rooms in which nobody is any more and of which something is left to be read or answered.
    closed: BTreeSet<u32>,
    /// Places of `rooms` that are free.
    vacant: Vec<u32>,
    sessions: Sessions,
    conns: Conns,
    /// Connections by source, where they are counted.
    sources: BTreeMap<Source, u32>,
    /// Sources that have spoken HTTP, until when they are not prompted.
    http: BTreeMap<Source, Instant>,
    loads: Loads,
    timers: Timers,
    /// Of the newest batch of any room.
    stamp: u64,
    /// The last guest's number.
    guests: u64,
    draining: bool,
    /// Rooms whose facts the log was asked for at the start: until it has answered, no line is handled, because a code may
    /// be among them, or be retired by them.
    recalling: BTreeSet<RoomId>,
    now: Now,
    actions: Todo,
    /// Connections whose lines may go on.
    wake: VecDeque<ConnId>,
    /// Connections that the driver may have to be told to read or not to.
    reads: VecDeque<ConnId>,
    /// Rooms whose says are to be handed to the log: what comes until the driver asks is one append.
    appends: VecDeque<u32>,
    /// The line that is being handled. Empty between lines, and kept for its memory.
    line: Vec<u8>,
    /// The batch that is being written. Empty between batches, and kept for its memory.
    scratch: Vec<u8>,
    /// Connections that have more to send, and took some of it since the machine was last told the time.
    undated: Vec<ConnId>,
}

impl Server {
    /// A server without connections. All its randomness (ids, the key of its code table, jitter) follows from `seed`, 32
    /// bytes of the driver's best.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut entropy = Entropy::new(seed);
        let codes = Codebook::new(entropy.block());
        let mut server = Self {
            agent: config.agent,
            style: Style { language: config.language, utc_offset_s: config.utc_offset_s },
            entropy,
            codes,
            guesses: Guesses::new(&config.limits),
            accounts: Accounts::default(),
            takes_guests: config.guests,
            logins: Logins::default(),
            passwords: Guesses::new(&config.limits),
            logins_by_name: Guesses::new(&config.limits),
            says: Rate::default(),
            acts: Rate::default(),
            limits: config.limits,
            rooms: Vec::new(),
            room_index: Directory::default(),
            closed: BTreeSet::new(),
            vacant: Vec::new(),
            sessions: Sessions::new(),
            conns: Conns::new(),
            sources: BTreeMap::new(),
            http: BTreeMap::new(),
            loads: Loads::default(),
            timers: Timers::default(),
            stamp: 0,
            guests: 0,
            draining: false,
            recalling: BTreeSet::new(),
            now: Now::default(),
            actions: Todo::default(),
            wake: VecDeque::new(),
            reads: VecDeque::new(),
            appends: VecDeque::new(),
            line: Vec::new(),
            scratch: Vec::new(),
            undated: Vec::new(),
        };
        server.set_rates();
        server.set_accounts(config.accounts);
        server.set_rooms(config.rooms);
        server.recalling = server.room_index.ids().cloned().collect();
        server
    }

    /// Takes an input. Infallible: what is wrong with it is answered to the one who sent it.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        self.now = Now { mono: now.mono.max(self.now.mono), ..now };
        self.date_progress();
        match input {
            Input::Opened { conn, peer } => self.opened(conn, peer),
            Input::Received { conn, bytes } => self.received(conn, bytes),
            Input::EndOfInput { conn } => self.ended(conn),
            Input::Closed { conn, why: _ } => self.lost(conn),
            Input::Log(Answer::Ready { room, tail }) => self.ready(&room, tail),
            Input::Log(Answer::Recalled { room, facts }) => self.recalled(&room, facts),
            Input::Log(Answer::Settled { room, outcomes }) => self.settled(&room, outcomes),
            Input::Log(Answer::Grew { room, first, records }) => self.grew(&room, first, records),
            Input::Log(Answer::Loaded { ticket, page }) => self.loaded(ticket, page),
            Input::Log(Answer::Found { ticket, found }) => self.found(ticket, found),
            Input::Verified { request, verdict } => self.verified(request, Some(verdict)),
            Input::Tick => {}
            Input::Drain => self.drain(),
            Input::Reload(config) => self.reload(*config),
        }
        self.forget_closed();
        self.expire();
    }

    /// The next action, until there is none.
    pub fn poll(&mut self) -> Option<Action> {
        loop {
            while let Some(action) = self.actions.pop_front() {
                match action {
                    Action::Transmit(conn) if self.conns.get(conn).is_none() => {}
                    Action::Close(conn, _) if !self.bury(conn) => {}
                    action => return Some(action),
                }
            }
            if let Some(conn) = self.wake.pop_front() {
                self.pump(conn);
            } else if let Some(conn) = self.reads.pop_front() {
                if let Some(read) = self.reading(conn) {
                    return Some(Action::Read(conn, read));
                }
            } else if let Some(room) = self.appends.pop_front() {
                self.append(room);
            } else if self.timers.next().is_some_and(|at| at <= self.now.mono) {
                // What a pumped line made due at once: after draining, nothing is.
                self.expire();
            } else {
                return None;
            }
        }
    }

    /// When the machine wants an [`Input::Tick`] at the latest: not after now while actions wait; `None`: never.
    pub fn deadline(&self) -> Option<Instant> {
        let waits = [&self.wake, &self.reads].into_iter().any(|queue| !queue.is_empty());
        if waits || !self.actions.is_empty() || !self.appends.is_empty() {
            return Some(self.now.mono);
        }
        // Whoever took bytes while nothing was told is not stalled: when it was, the next tick says, which wants to be soon.
        let soon = (!self.undated.is_empty()).then(|| self.now.mono + Duration::from_micros(1));
        self.timers.next().into_iter().chain(soon).min()
    }

    /// What `conn` is to send next, or `None` where there is nothing: then the next [`Action::Transmit`] says when there
    /// is.
    pub fn transmit(&mut self, conn: ConnId) -> Option<Transmit<'_>> {
        let transmit = self.as_transmit(conn)?;
        if !transmit.conn.out.armed {
            return None;
        }
        let newest = transmit.find_newest();
        if newest.is_none() {
            self.settle(conn)?;
        }
        Some(Transmit { newest, ..self.as_transmit(conn)? })
    }

    /// Settles the cursors of `conn`; `None` where that leaves nothing to send.
    fn settle(&mut self, id: ConnId) -> Option<()> {
        let mut transmit = self.as_transmit(id)?;
        transmit.settle();
        if transmit.has_any() {
            return Some(());
        }
        let conn = self.conns.get_mut(id)?;
        conn.out.armed = false;
        // Nearly always it is the one that was sent to last. Another is found to be dated when its turn comes.
        if core::mem::take(&mut conn.out.undated) && self.undated.last() == Some(&id) {
            self.undated.pop();
        }
        if let Phase::Flushing(reason, _) = conn.phase {
            self.closed(id, reason);
        }
        None
    }

    fn as_transmit(&mut self, conn: ConnId) -> Option<Transmit<'_>> {
        let Self { conns, rooms, sessions, wake, undated, style, limits, .. } = self;
        let conn = conns.get_mut(conn)?;
        Some(Transmit { conn, rooms, sessions, wake, undated, style: *style, private: limits.private, newest: None })
    }

    /// What was taken since the time was told last was taken now, at the latest.
    fn date_progress(&mut self) {
        for id in self.undated.drain(..) {
            if let Some(conn) = self.conns.get_mut(id).filter(|conn| conn.out.undated) {
                (conn.out.undated, conn.out.progress) = (false, self.now.mono);
            }
        }
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    /// Bytes that rooms hold of messages, presence and their encodings: at most, for each room, its budget times one more
    /// than the dialects that are read in it, plus one batch.
    pub fn memory(&self) -> usize {
        self.rooms.iter().map(|room| room.held.bytes()).sum()
    }

    fn set_rates(&mut self) {
        let Limits { burst, per_s, acts_burst, acts_per_s, .. } = self.limits;
        (self.says, self.acts) = (Rate::per_second(burst, per_s), Rate::per_second(acts_burst, acts_per_s));
    }

    fn room(&mut self, id: &RoomId) -> Option<(u32, &mut Room)> {
        let index = self.room_index.get(id.as_bytes())?;
        Some((index, &mut self.rooms[index as usize]))
    }

    fn conn(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(id)
    }
}
