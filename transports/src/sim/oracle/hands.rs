//! What leaves a client, and when: at the pace that it was told, in the order in which it was said, and a goodbye last.
//!
//! A client decides before its bytes leave. Where they have to wait, it is not known since when they do; so what arrives
//! meanwhile is no reason to find them wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use qun_core::Instant;

use super::json::Json;
use super::model::token;
use super::pace::{Pace, Rate};
use super::{Violation, lines};

/// Says on their way to the log (PROTOCOL.md, limits).
const IN_FLIGHT: usize = 64;
/// How long a goodbye waits for what was said before it.
const DRAIN: Duration = Duration::from_secs(5);
/// How long the answer to a hello may take, and to a ping.
const HELLO: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(10);
/// The shortest wait before something is asked again that the server could not do.
const AGAIN: Duration = Duration::from_secs(1);

/// A client, where the network begins.
#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct Hands {
    up: Vec<u8>,
    down: Vec<u8>,
    /// Since when what leaves may have waited.
    waits_since: Option<Instant>,
    /// Whether something was refused while bytes from before it waited.
    is_unsure: bool,
    /// What was said on this connection and has no answer here, by its id: its token, and the room.
    flying: BTreeMap<String, (u64, String)>,
    /// What was echoed here. A client may have to wait with it until a hole before it is filled.
    echoed: BTreeSet<u64>,
    /// What was refused since it was last judged what had left.
    refused: BTreeSet<u64>,
    /// What has left since: a token and a room; `None`: a goodbye.
    left: Vec<Option<(u64, String)>>,
    /// The rooms that it has asked to leave since; and those that it has not left yet, whatever it has joined meanwhile.
    leaves: Vec<String>,
    leaving: BTreeSet<String>,
    /// For each room of which a page was asked that was missed, by which id, since the room was joined.
    asked: BTreeMap<String, String>,
    /// Rooms of which such a page is on its way, by the request's id; and of which something is missed, since it was last
    /// judged what had left, and no such page was on its way.
    fetches: BTreeMap<String, String>,
    missed: BTreeSet<String>,
    /// The newest message of each room that ever came.
    newest: BTreeMap<String, u64>,
    /// Before this no page of it is to be asked for again.
    hold: BTreeMap<String, Instant>,
    /// And before this what bears a token is not to be said again, in this room.
    put_off: BTreeMap<u64, (Instant, String)>,
    pace: Pace,
    /// As it was told last.
    rate: Rate,
    /// When the person wanted to go.
    bye: Option<Instant>,
    /// The names that were asked for here, by the request's id; and the last one that they have got.
    names: BTreeMap<String, String>,
    name: Option<String>,
    /// When it said hello, and whether it is welcome.
    hello: Instant,
    is_welcome: bool,
    /// Whether the server has given a reason to go, or the client has said goodbye.
    may_close: bool,
    /// When it asked whether the server is still there, if nothing came since.
    pinged: Option<Instant>,
}

impl Hands {
    /// A connection begins.
    pub(in crate::sim) fn connects(&mut self, now: Instant) {
        let (mut pace, rate, bye, name) = (std::mem::take(&mut self.pace), self.rate, self.bye, self.name.take());
        let newest = std::mem::take(&mut self.newest);
        pace.begins(now);
        *self = Self { pace, rate, bye, name, newest, ..Self::default() };
    }

    /// The person wants to go.
    pub(in crate::sim) fn says_bye(&mut self, now: Instant) {
        self.bye.get_or_insert(now);
    }

    /// There is more to leave than the network takes; or nothing is left of it.
    pub(in crate::sim) fn waits(&mut self, since: Option<Instant>) {
        self.waits_since = since.map(|since| self.waits_since.unwrap_or(since));
        self.is_unsure &= since.is_some();
    }

    /// These bytes leave.
    pub(in crate::sim) fn up(&mut self, now: Instant, bytes: &[u8]) -> Result<(), Violation> {
        for line in lines(&mut self.up, bytes) {
            let Some(request) = Json::read(&line) else { continue };
            let text = |key| request.text(key).map(String::from);
            match (request.text("t"), text("id"), text("room")) {
                (Some("say"), Some(id), Some(room)) => {
                    let Some(token) = request.text("text").and_then(token) else { continue };
                    let put_off = self.put_off.remove(&token).filter(|_| self.waits_since.is_none());
                    if put_off.is_some_and(|(until, _)| now < until) {
                        return wrong(11, format!("a client sends #{token} again too early"));
                    }
                    if !self.is_unsure {
                        self.left.push(Some((token, room.clone())));
                    }
                    self.flying.insert(id, (token, room));
                    let (since, rate) = (self.waits_since.unwrap_or(now), self.rate);
                    if let Some((times, time)) = self.pace.does(since, now, rate) {
                        return wrong(3, format!("a client says {times} times something within {time:?}"));
                    }
                }
                (Some("search"), ..) => {
                    let (since, rate) = (self.waits_since.unwrap_or(now), self.rate);
                    if let Some((times, time)) = self.pace.does(since, now, rate) {
                        return wrong(3, format!("a client says and looks for {times} things within {time:?}"));
                    }
                }
                (Some("leave"), _, Some(room)) => {
                    self.missed.remove(&room);
                    self.leaving.insert(room.clone());
                    self.leaves.push(room);
                }
                (Some("history"), Some(id), Some(room)) if request.number("after").is_some() => {
                    if self.waits_since.is_none() && self.hold.get(&room).is_some_and(|hold| *hold > now) {
                        return wrong(11, format!("a client asks too early again for a page of {room}"));
                    }
                    // One that waited may have been asked for before the refusal of another.
                    self.hold.remove(&room);
                    self.missed.remove(&room);
                    self.fetches.insert(room.clone(), id.clone());
                    self.asked.insert(room, id);
                }
                (Some("hello"), ..) => {
                    self.hello = self.waits_since.unwrap_or(now);
                    if self.name.is_some() && text("name") != self.name {
                        return wrong(10, format!("a client is {:?}, and says hello as {:?}", self.name, text("name")));
                    }
                }
                (Some("name"), Some(id), _) => self.names.extend(text("name").map(|name| (id, name))),
                (Some("ping"), ..) => self.pinged = Some(self.waits_since.unwrap_or(now)),
                (Some("bye"), ..) => {
                    self.may_close = true;
                    if self.waits_since.is_none() {
                        self.left.push(None);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The client hangs up, of its own accord.
    pub(in crate::sim) fn closes(&self, now: Instant) -> Result<(), Violation> {
        // What waits may be the question.
        let has_asked = self.waits_since.is_some() || self.pinged.is_some_and(|at| now.since(at) >= PONG);
        if self.is_welcome && !self.may_close && !has_asked {
            return wrong(9, "a client hangs up on a server that does as it should");
        }
        Ok(())
    }

    /// These arrive.
    pub(in crate::sim) fn down(&mut self, now: Instant, bytes: &[u8]) {
        // What comes in the same moment may have lain there since before.
        self.pinged.take_if(|at| *at < now);
        for line in lines(&mut self.down, bytes) {
            let Some(frame) = Json::read(&line) else { continue };
            match (frame.text("t"), frame.text("re")) {
                (Some("msg"), _) => {
                    if let (Some(room), Some(seq)) = (frame.text("room"), frame.number("seq")) {
                        let newest = self.newest.entry(room.into()).or_default();
                        *newest = seq.max(*newest);
                    }
                    let token = frame.text("id").and_then(|id| self.flying.remove(id));
                    self.echoed.extend(token.map(|(token, _)| token));
                }
                (Some("ok"), Some(re)) if self.names.contains_key(re) => self.name = self.names.remove(re),
                (Some("ok"), Some(re)) => self.echoed.extend(self.flying.remove(re).map(|(token, _)| token)),
                (Some("page"), Some(re)) => self.fetches.retain(|_, id| id != re),
                (Some("gap"), _) => self.misses(&frame),
                (Some("left"), _) => {
                    let room = frame.text("room").unwrap_or_default();
                    self.missed.remove(room);
                    self.leaving.remove(room);
                }
                (Some("error"), Some(re)) => {
                    self.fetches.retain(|_, id| id != re);
                    self.is_unsure |= self.waits_since.is_some();
                    let said = self.flying.remove(re);
                    self.refused.extend(said.as_ref().map(|(token, _)| *token));
                    let later = frame.text("retry") == Some("later");
                    let wait = Duration::from_millis(frame.number("wait_ms").unwrap_or_default());
                    if let Some((token, room)) = said.filter(|_| later) {
                        let wait = if frame.text("code") == Some("slow_down") { wait } else { wait.max(AGAIN) };
                        self.put_off.insert(token, (now + wait, room));
                    }
                    let room = self.asked.iter().find(|(_, id)| *id == re).map(|(room, _)| room.clone());
                    if let Some(room) = room.filter(|_| later) {
                        self.hold.insert(room, now + wait.max(AGAIN));
                    }
                }
                // It may have come too late.
                (Some("welcome"), _) => {
                    self.is_welcome = now.since(self.hello) < HELLO;
                    self.is_told_of_limits(frame.get("limits"));
                }
                (Some("bye"), _) => self.may_close = true,
                // What is missing of it is another hole now.
                (Some("joined"), _) => {
                    if let Some(room) = frame.get("room").and_then(|room| room.text("id")) {
                        self.asked.remove(room);
                        self.hold.remove(room);
                        self.fetches.remove(room);
                        self.missed.remove(room);
                        // In another history it is another beginning.
                        self.put_off.retain(|_, (_, of)| of != room);
                    }
                }
                _ => {}
            }
        }
    }

    /// The server says how much may be said at once, and in a second.
    fn is_told_of_limits(&mut self, limits: Option<&Json>) {
        let number = |key| limits.and_then(|limits| limits.number(key)).unwrap_or_default() as u32;
        let rate = Rate { burst: number("burst"), per_s: number("per_s") };
        if self.rate != rate {
            (self.rate, self.pace) = (rate, Pace::default());
        }
    }

    /// The server tells of a gap: what it had is to be asked for.
    fn misses(&mut self, frame: &Json) {
        let room = frame.text("room").unwrap_or_default();
        // Whoever joins once more by another code is told of what they have.
        let newest = self.newest.get(room).copied();
        let is_empty = frame.number("to") < frame.number("from") || frame.number("to") <= newest;
        let waits = self.fetches.contains_key(room) || self.hold.contains_key(room) || self.leaving.contains(room);
        if !(is_empty || waits) {
            self.missed.insert(room.into());
        }
    }

    /// What left since this was asked last was right: a say of a room comes behind all earlier ones that wait, and again
    /// only when what was said behind it has its answer. `pending` is what has no fate yet, with its room.
    pub(in crate::sim) fn judge<'a>(
        &mut self,
        now: Instant,
        pending: impl Fn() -> Vec<(u64, &'a str)>,
    ) -> Result<(), Violation> {
        let left = std::mem::take(&mut self.left);
        let leaves = std::mem::take(&mut self.leaves);
        let refused = std::mem::take(&mut self.refused);
        let missed = std::mem::take(&mut self.missed);
        let has_all_left = self.waits_since.is_none() && !self.may_close && self.bye.is_none();
        if let Some(room) = missed.first().filter(|_| has_all_left) {
            return wrong(2, format!("a client does not ask for what it missed of {room}"));
        }
        // What waits now may have been decided just before what was refused since.
        self.is_unsure |= self.waits_since.is_some() && !refused.is_empty();
        if left.is_empty() && leaves.is_empty() {
            return Ok(());
        }
        let pending = pending();
        // Nothing more is said in a room that is being left.
        if let Some((token, room)) = pending.iter().find(|(_, room)| leaves.iter().any(|left| left == room)) {
            return wrong(5, format!("a client leaves {room} before it knows of #{token}"));
        }
        // Of what left at once, the later ones were not on their way before the earlier ones.
        let mut behind: BTreeSet<u64> = left.iter().flatten().map(|(token, _)| *token).collect();
        for said in left {
            let Some((token, room)) = said else {
                let is_early = self.bye.is_some_and(|bye| now < bye + DRAIN);
                match pending.first().filter(|_| is_early) {
                    Some((token, _)) => return wrong(3, format!("a client says goodbye before it knows of #{token}")),
                    None => continue,
                }
            };
            behind.remove(&token);
            // What a gap has swallowed has no answer of its own.
            let flies =
                |token: &u64| self.flying.values().any(|(flying, _)| flying == token) && !behind.contains(token);
            let all_flying = pending.iter().filter(|(token, _)| flies(token));
            if all_flying.clone().count() > IN_FLIGHT {
                return wrong(7, format!("a client has more than {IN_FLIGHT} says in flight"));
            }
            let flying: BTreeSet<u64> = all_flying.filter(|(_, of)| *of == room).map(|(token, _)| *token).collect();
            if let Some(later) = flying.range(token + 1..).next() {
                return wrong(3, format!("a client sends #{token} again before #{later} has its answer"));
            }
            let is_passed = |(earlier, of): &&(u64, &str)| {
                let is_known = flying.contains(earlier) || refused.contains(earlier) || self.echoed.contains(earlier);
                *of == room && *earlier < token && !is_known
            };
            if let Some((earlier, _)) = pending.iter().find(is_passed) {
                return wrong(3, format!("a client sends #{token} before #{earlier}"));
            }
        }
        Ok(())
    }
}

fn wrong<T>(invariant: u8, text: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::new(invariant, text))
}
