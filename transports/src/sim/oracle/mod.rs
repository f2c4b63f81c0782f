//! Whether everything is as it must be, seen from outside.
//!
//! The oracle reads the bytes on each connection with its own small reading of the protocol, hears what the server asks
//! of its log and what the log answers, and sees what people are shown. It never asks a machine under test. What it
//! compares with is a model of rooms that is obviously right: a room is the list of what its log has committed, a member
//! is the next seq that it must be sent, a roster is a map that presence changes.

mod accounts;
mod ask;
mod codes;
mod drafts;
mod endings;
mod facts;
mod gallery;
mod hands;
mod json;
mod listen;
mod model;
mod order;
mod overdue;
mod pace;
mod people;
mod place;
mod plain;
mod reasons;
mod refusals;
mod reloaded;
mod rules;
mod search;
mod seat;
mod shown;
mod spread;
mod stranger;
mod wire;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use qun_core::log::{Answer, Outcome};
use qun_core::server::Reason;
use qun_core::{ConnId, Instant};

use super::court::COURT;
use super::log::Committed;
use super::tampered::Tap;
use super::verdicts::hushed;
pub(super) use accounts::AccountFacts;
use endings::given_up;
pub(super) use facts::{CodeFacts, Facts, RoomFacts};
pub(super) use hands::Hands;
pub(super) use model::{Model, Sentence, canonical};
pub(super) use shown::Witness;
pub(super) use spread::Spread;
pub(super) use wire::Trust;
use wire::Wire;

/// Something is as it must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which invariant is broken, as docs/architecture.md numbers them.
    pub invariant: u8,
    /// How.
    pub text: String,
}

impl Violation {
    pub(super) fn new(invariant: u8, text: impl Into<String>) -> Self {
        Self { invariant, text: text.into() }
    }

    /// The same, with the person at whose place it is.
    pub(super) fn of(self, person: usize) -> Self {
        Self { text: format!("{} (person {person})", self.text), ..self }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {} is broken: {}", self.invariant, hushed(&self.text))
    }
}

impl std::error::Error for Violation {}

/// What the oracle knows.
#[derive(Clone, Debug)]
pub(super) struct Oracle {
    pub(super) model: Model,
    wires: BTreeMap<ConnId, Wire>,
    /// Until then nobody in any roster can be gone for too long, if nothing is heard before.
    all_here: Option<Instant>,
    /// The first thing that was wrong.
    violation: Option<Violation>,
}

impl Oracle {
    pub(super) fn new(facts: Facts) -> Self {
        Self { model: Model::new(facts), wires: BTreeMap::new(), all_here: None, violation: None }
    }

    pub(super) fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    pub(super) fn note(&mut self, result: Result<(), Violation>) {
        if let (None, Err(violation)) = (&self.violation, result) {
            self.violation = Some(violation);
        }
    }

    /// The server starts, and knows nobody.
    pub(super) fn booted(&mut self) {
        self.all_here = None;
        self.model.court.away.clear();
        self.wires.clear();
        self.model.booted();
    }

    /// What the server's clock for people shows.
    pub(super) fn clock(&mut self, now: Instant, unix_ms: u64) {
        self.model.turn += 1;
        self.model.now = now;
        if unix_ms < self.model.clock {
            self.model.set_back = now;
        }
        self.model.clock = unix_ms;
        self.model.court.now = now;
        self.model.latest = self.model.latest.max(unix_ms);
    }

    pub(super) fn opened(&mut self, now: Instant, conn: ConnId, trust: Trust, source: usize) {
        let mut wire = Wire::new(now, trust, source);
        wire.version = self.model.version();
        self.model.comes(now, trust);
        let most = self.model.facts.limits.connections_per_source as usize;
        wire.is_one_too_many = most > 0 && self.wires.values().filter(|wire| wire.source == source).count() >= most;
        self.wires.insert(conn, wire);
    }

    /// The server closes a connection.
    pub(super) fn closed(&mut self, now: Instant, conn: ConnId, reason: Reason) {
        self.all_here = None;
        if let Some(wire) = self.wires.get(&conn) {
            let result = wire.closes(&self.model, now, reason);
            let result = result.map_err(|violation| wire.names(conn, violation));
            if wire.is_plain() && reason == Reason::EndOfInput {
                self.model.drafts.owes(now, wire.screen.whole_script());
            }
            self.note(result);
        }
        if let (Some(Trust::Client(person)), Reason::Done) = (self.wires.get(&conn).map(|wire| wire.trust), reason) {
            self.model.people.session(person).is_done();
        }
        self.lost(now, conn, reason == Reason::Slow);
    }

    /// A connection is gone: a person who was surely in some rooms by it is held there.
    pub(super) fn lost(&mut self, now: Instant, conn: ConnId, is_cut: bool) {
        self.all_here = None;
        let Some(wire) = self.wires.remove(&conn) else { return };
        if let Trust::Plain(person) = wire.trust {
            self.model.people.session(person).is_done();
            self.model.people.at_netcat(person, Some(now));
            return self.model.people.lost(now, person, BTreeMap::new());
        }
        // One that was taken over is nobody's any more.
        let is_last = self.wires.values().all(|other| other.trust != wire.trust);
        if let Trust::Court(_) = wire.trust {
            wire.court_is_over(&mut self.model, now, is_cut && is_last);
        }
        let Trust::Client(person) = wire.trust else { return };
        if wire.hello == 0 || wire.hello != self.model.people.hellos(person) {
            return;
        }
        let is_held = is_cut && wire.is_bound(&self.model, now);
        let rooms = if is_held { wire.rooms_there(&self.model) } else { BTreeMap::new() };
        self.model.people.lost(now, person, rooms);
    }

    /// How many joins of a connection have no answer yet.
    pub(super) fn joins(&self, conn: ConnId) -> usize {
        self.wires.get(&conn).map_or(0, |wire| wire.joins() + wire.stranger.joins())
    }

    /// There is more to send, and no room for it.
    pub(super) fn blocked(&mut self, now: Instant, conn: ConnId) {
        if let Some(wire) = self.wires.get_mut(&conn) {
            wire.blocked(now);
        }
    }

    /// The server is told to go down.
    pub(super) fn drains(&mut self, now: Instant) {
        self.model.draining = Some(now);
        self.wires.values_mut().for_each(|wire| wire.drains(&self.model));
    }

    /// These bytes reach the server.
    pub(super) fn up(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        self.all_here = None;
        self.model.turn += 1;
        let over = self.taken_over(now, conn);
        let Some(wire) = self.wires.get_mut(&conn) else { return };
        wire.takes_over = over;
        let result = wire.up(&mut self.model, now, bytes);
        let result = result.map_err(|violation| wire.names(conn, violation));
        self.note(result);
    }

    /// No more will.
    pub(super) fn ended(&mut self, now: Instant, conn: ConnId) {
        self.all_here = None;
        let Some(wire) = self.wires.get_mut(&conn) else { return };
        let result = wire.ended(&mut self.model, now);
        // Their grace begins here, and may end before this connection does.
        if let Trust::Client(person) = wire.trust
            && wire.hello > 0
            && wire.hello == self.model.people.hellos(person)
        {
            self.model.people.session(person).may_be_lost();
        }
        self.note(result);
    }

    /// The server sends these bytes.
    pub(super) fn down(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        self.all_here = None;
        let Some(wire) = self.wires.get_mut(&conn) else { return };
        let result = wire.tells_no_password(bytes).and_then(|()| wire.down(&mut self.model, now, bytes));
        let result = result.map_err(|violation| wire.names(conn, violation));
        self.note(result);
    }

    /// The rooms in which a hello on this connection takes its session over from another connection.
    fn taken_over(&self, now: Instant, conn: ConnId) -> Option<BTreeMap<String, String>> {
        let wire = self.wires.get(&conn).filter(|wire| wire.hello == 0)?;
        let Trust::Client(person) = wire.trust else { return None };
        let hello = self.model.people.hellos(person);
        let other = self.wires.values().find(|other| other.trust == wire.trust && hello > 0 && other.hello == hello)?;
        (other.is_bound(&self.model, now) && other.stuck.is_none()).then(|| other.rooms_there(&self.model))
    }

    /// The operator is told this.
    pub(super) fn overhears(&mut self, note: &str) {
        self.note(accounts::is_hushed("a note", note.as_bytes()));
    }

    pub(super) fn committed(&mut self, committed: Committed) {
        let at_court = (committed.room.as_str() == COURT).then(|| committed.clone());
        let result = self.model.committed(committed);
        self.note(result);
        if let Some(committed) = at_court {
            let result = self.model.court_commits(&committed);
            self.note(result);
        }
    }

    /// The server and its log talk.
    pub(super) fn tap(&mut self, now: Instant, tap: &Tap) {
        self.model.turn += 1;
        match tap {
            Tap::Request(request) => {
                let result = self.model.request(now, request);
                self.note(result);
            }
            Tap::Answer(answer) => {
                if let Answer::Settled { room, outcomes } = answer
                    && outcomes.contains(&Outcome::Refused)
                {
                    let taken = self.wires.values().filter(|wire| wire.is_read_at_once(&self.model));
                    let says = taken.flat_map(|wire| wire.says.values()).filter(|say| say.room == room.as_str());
                    let waiting: Vec<u64> = says.map(|say| say.token).collect();
                    waiting.into_iter().for_each(|token| self.model.drafts.dooms(token));
                }
                self.model.answer(answer);
            }
        }
        self.model.court_is_done();
    }

    /// The server has done all that it wants to: whoever takes bytes has had everything, whatever the others do; and who
    /// waits for no answer is read from, and who has lines waiting for one is not.
    pub(super) fn settled(&mut self, now: Instant, takes: impl Fn(ConnId) -> bool, is_read: impl Fn(ConnId) -> bool) {
        let mut wrong = None;
        for (conn, wire) in self.wires.iter().filter(|(conn, _)| takes(**conn)) {
            let is_unread = || !is_read(*conn) && wire.waits_for_nothing() && self.model.is_idle();
            let unread = || is_unread().then(|| "it is not read from".into());
            let is_read_on = || is_read(*conn) && wire.has_lines_waiting(&self.model, now);
            let read_on = || is_read_on().then(|| "it is read from, and has lines waiting".into());
            if let Some(text) = wire.is_behind(&self.model).or_else(unread).or_else(read_on) {
                wrong = Some(Violation::new(9, format!("{text} (connection {conn:?} of {:?})", wire.trust)));
            }
        }
        self.note(wrong.map_or(Ok(()), Err));
        self.settled_after_reload(takes);
    }

    /// What was due is done.
    pub(super) fn look_at_deadlines(&mut self, now: Instant, takes: impl Fn(ConnId) -> bool) {
        let forgotten = self.model.hands_on(now);
        self.note(forgotten);
        let mut late = None;
        let given_up = given_up(&self.model.narrow());
        for wire in self.wires.values() {
            let Some(person) = wire.person() else { continue };
            // The server may have given them up for their silence.
            if wire.longest_silence(now) >= given_up {
                self.model.people.session(person).may_be_lost();
            }
            if wire.asks_for_a_way() {
                self.model.people.session(person).asks(now);
            }
        }
        for (conn, wire) in &self.wires {
            let overdue = wire.is_too_slow(&self.model, now).map(|text| Violation::new(11, text)).or_else(|| {
                let overdue = wire.is_overdue(&self.model, now).filter(|_| takes(*conn));
                overdue.map(|text| Violation::new(9, text))
            });
            if let Some(violation) = overdue {
                late = Some(wire.names(*conn, violation));
            }
        }
        self.note(late.map_or(Ok(()), Err));
        self.look_at_gone_rooms(now, &takes);
        if self.all_here.is_none_or(|until| now > until) {
            self.look_at_rosters(now, takes);
        }
    }

    /// Nobody is in a roster who is gone for long.
    fn look_at_rosters(&mut self, now: Instant, takes: impl Fn(ConnId) -> bool) {
        let (people, thawed, limits) = (&self.model.people, self.model.thawed, &self.model.wide());
        // An account is there for as long as any of its sessions is.
        let is_alone = |(_, m): &(Instant, &String)| !self.model.logins.is_account(m);
        let mut gone = people.are_gone_at(thawed, limits);
        gone.retain(is_alone);
        let mut out = BTreeMap::new();
        for id in self.model.facts.rooms.keys() {
            let mut out_at = people.are_out_at(thawed, limits, id);
            out_at.retain(is_alone);
            out.insert(id, out_at);
        }
        let later = gone.iter().chain(out.values().flatten()).map(|(at, _)| *at).filter(|at| now <= *at).min();
        let mut is_clear = true;
        let mut late = None;
        for (conn, wire) in &self.wires {
            for (room, roster) in wire.subs.iter().filter_map(|(room, sub)| Some((room, sub.roster.as_ref()?))) {
                let mut out = gone.iter().chain(out.get(room).into_iter().flatten());
                let lingers = out.find(|(at, m)| now > *at && roster.contains_key(*m));
                let Some((_, m)) = lingers else { continue };
                is_clear = false;
                if takes(*conn) {
                    let text = format!("{m} is long gone, and still in a roster");
                    late = Some(wire.names(*conn, Violation::new(10, text)));
                }
            }
        }
        self.all_here = is_clear.then(|| later.unwrap_or(Instant::from_micros(u64::MAX)));
        self.note(late.map_or(Ok(()), Err));
    }

    /// The server goes down: so does every connection that takes bytes, in time.
    pub(super) fn look_at_end(&mut self, now: Instant, takes: impl Fn(ConnId) -> bool) {
        let mut wires = self.wires.iter().filter(|(conn, _)| takes(**conn));
        let late = wires.find_map(|(conn, wire)| Some(wire.names(*conn, wire.outlives(&self.model, now).err()?)));
        self.note(late.map_or(Ok(()), Err));
    }

    /// The server's machine stood still for this long: it heard nobody meanwhile.
    pub(super) fn froze(&mut self, now: Instant, time: Duration) {
        self.model.thawed = self.model.thawed.max(now + time);
        self.wires.values_mut().for_each(|wire| wire.froze(time));
    }

    /// What keeps things from being as they are when nothing goes wrong and nobody does anything.
    pub(super) fn unsettled(&self) -> Option<String> {
        for (conn, wire) in &self.wires {
            if let Some(why) = wire.unsettled().or_else(|| wire.court_unsettled()) {
                return Some(format!("connection {conn:?} of {:?}: {why}", wire.trust));
            }
        }
        self.rooms_unsettled()
    }

    /// Every roster is who is in the room, and so is every number.
    fn rooms_unsettled(&self) -> Option<String> {
        for room in self.model.facts.rooms.keys() {
            let members = || self.wires.values().filter_map(|wire| Some((wire, wire.in_room(room)?)));
            let called = |(wire, _): (&Wire, _)| wire.screen.me().or(wire.name.as_ref()).cloned();
            let names: BTreeSet<_> = members().filter_map(called).collect();
            // All sessions of an account are one member.
            let twins = members().filter_map(called).count() - names.len();
            let here = (members().count() - twins) as u64;
            // Whoever came as the room did not say who is in it has not seen what they are called.
            let is_known = members().all(|member| called(member).is_some());
            for names_seen in self.wires.values().filter_map(|wire| wire.screen.names(room)) {
                if is_known && *names_seen != names || !names.is_subset(names_seen) {
                    return Some(format!("somebody sees {names_seen:?} in {room}, where {names:?} are"));
                }
            }
            for (wire, sub) in members().filter(|(wire, _)| wire.is_json()) {
                if sub.here != here {
                    return Some(format!("{:?} is told of {} in {room}, where {here} are", wire.trust, sub.here));
                }
                for (other, _) in members().filter(|_| sub.roster.is_some()) {
                    if let (Some(m), Some(name)) = (&other.me, &other.name)
                        && sub.roster.as_ref().and_then(|roster| roster.get(m)) != Some(name)
                    {
                        return Some(format!("the roster of {:?} in {room} has not {m} as {name}", wire.trust));
                    }
                }
            }
        }
        None
    }

    /// Whether a room was full as somebody wanted to be in it again.
    pub(super) fn is_kept_out(&self, conn: ConnId, room: &str) -> bool {
        self.wires.get(&conn).is_some_and(|wire| wire.kept_out.contains(room))
    }

    pub(super) fn is_kept_out_anywhere(&self, conn: ConnId) -> bool {
        self.wires.get(&conn).is_some_and(|wire| !wire.kept_out.is_empty())
    }

    /// How many are in a room, as a person's connection was told.
    pub(super) fn here(&self, conn: ConnId, room: &str) -> Option<u64> {
        self.wires.get(&conn)?.in_room(room).map(|sub| sub.here)
    }

    /// The roster of a room as a person's connection was told it.
    pub(super) fn roster(&self, conn: ConnId, room: &str) -> Option<&BTreeMap<String, String>> {
        self.wires.get(&conn)?.in_room(room)?.roster.as_ref()
    }
}

/// Takes the whole lines off the front of `buffer`, each without its end.
fn lines(buffer: &mut Vec<u8>, bytes: &[u8]) -> Vec<Vec<u8>> {
    // There was no end in it before.
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map(|end| buffer.len() + end);
    buffer.extend_from_slice(bytes);
    let Some(end) = end else { return Vec::new() };
    let rest = buffer.split_off(end + 1);
    let whole = std::mem::replace(buffer, rest);
    let whole = &whole[..whole.len() - 1];
    whole.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec()).collect()
}
