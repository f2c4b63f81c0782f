//! What is configured, as it is now and as it was since the server's start.
//!
//! Where a request was on its way as another configuration came, either order is right: what was asked is judged by each
//! configuration from the one on that was there as it reached the server. What comes unasked is judged by each from the one
//! on that was there when its connection had last taken all that there was.

use std::collections::BTreeMap;
use std::time::Duration;

use qun_core::{Instant, Limits, Role};

use super::accounts::AccountFacts;
use super::model::Model;

/// For so long an earlier configuration may still have something to do with what happens: the longest grace, and the longest
/// that a line or an answer may wait.
const LONG: Duration = Duration::from_secs(130);

/// What is configured.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Facts {
    pub(in crate::sim) rooms: BTreeMap<String, RoomFacts>,
    /// By their names as they are compared.
    pub(in crate::sim) accounts: BTreeMap<String, AccountFacts>,
    /// Whether people without an account may come in.
    pub(in crate::sim) guests: bool,
    pub(in crate::sim) limits: Limits,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) struct RoomFacts {
    pub(in crate::sim) title: String,
    /// As they are compared, with what each lets do.
    pub(in crate::sim) codes: BTreeMap<String, CodeFacts>,
    /// Whether the room says who is in it.
    pub(in crate::sim) full: bool,
    /// Whether a code lets people in who have no account.
    pub(in crate::sim) guests: bool,
}

/// What a code lets do, and whom it lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) struct CodeFacts {
    pub(in crate::sim) role: Role,
    /// Until when, in milliseconds since 1970.
    pub(in crate::sim) expires: Option<u64>,
    /// How many at once.
    pub(in crate::sim) most: Option<usize>,
}

/// What was configured before, since the server's start.
#[derive(Clone, Debug)]
pub(super) struct Before {
    facts: Facts,
    /// Until when.
    until: Instant,
}

/// The codes of rooms, with what each was last.
type Codes = BTreeMap<String, BTreeMap<String, CodeFacts>>;

/// What there was since the server's start.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    before: Vec<Before>,
    /// Every code that a room has had since the server's start.
    once: Codes,
    /// The highest role that a code, and an account, ever had in a room.
    highest: BTreeMap<String, BTreeMap<String, Role>>,
    highest_listed: BTreeMap<(String, String), Role>,
    /// The rooms that are gone, since when; and those that ever were.
    pub(super) gone: BTreeMap<String, Instant>,
    pub(super) ever_gone: BTreeMap<String, Instant>,
}

impl Facts {
    /// Whether a code opens a room.
    pub(super) fn opens(&self, room: &str, code: &str) -> bool {
        self.rooms.get(room).is_some_and(|room| room.codes.contains_key(code))
    }

    /// The room that a code opens, and what it is there.
    pub(super) fn opened(&self, code: &str) -> Option<(&String, CodeFacts)> {
        self.rooms.iter().find_map(|(id, room)| Some((id, *room.codes.get(code)?)))
    }

    /// Whether this is the password of the account of this name.
    pub(super) fn is_right(&self, name: &str, password: &str) -> bool {
        let account = self.accounts.get(&name.to_lowercase());
        account.is_some_and(|account| password.split('/').next() == Some(&account.secret))
    }

    /// What an account may do in a room at least.
    pub(super) fn listed(&self, account: Option<&String>, room: &str) -> Option<Role> {
        self.accounts.get(account?)?.rooms.get(room).copied()
    }
}

impl History {
    /// Every code that there was since the server's start.
    pub(super) fn codes(&self) -> impl Iterator<Item = &String> {
        self.once.values().flat_map(BTreeMap::keys)
    }

    fn learns(&mut self, facts: &Facts) {
        for (id, room) in &facts.rooms {
            self.once.entry(id.clone()).or_default().extend(room.codes.clone());
            let highest = self.highest.entry(id.clone()).or_default();
            for (code, CodeFacts { role, .. }) in &room.codes {
                let most = highest.entry(code.clone()).or_insert(*role);
                *most = (*most).max(*role);
            }
        }
        for (name, account) in &facts.accounts {
            for (room, role) in &account.rooms {
                let most = self.highest_listed.entry((name.clone(), room.clone())).or_insert(*role);
                *most = (*most).max(*role);
            }
        }
    }
}

impl Model {
    /// The server starts with this configuration.
    pub(super) fn starts(&mut self, facts: Facts) {
        self.facts = facts;
        let history = &mut self.history;
        history.before.clear();
        history.once.clear();
        history.gone.clear();
        history.learns(&self.facts);
    }

    /// It serves another one from here on; says which was the one before.
    pub(super) fn serves(&mut self, now: Instant, facts: Facts) -> Facts {
        let before = std::mem::replace(&mut self.facts, facts);
        let history = &mut self.history;
        for id in before.rooms.keys().filter(|id| !self.facts.rooms.contains_key(*id)) {
            history.gone.insert(id.clone(), now);
            history.ever_gone.insert(id.clone(), now);
        }
        history.gone.retain(|id, _| !self.facts.rooms.contains_key(id));
        history.learns(&self.facts);
        history.before.push(Before { facts: before.clone(), until: now });
        before
    }

    /// Which configuration it is since the server's start.
    pub(super) fn version(&self) -> usize {
        self.history.before.len()
    }

    /// The configurations from this one on, the newest first.
    pub(super) fn since(&self, version: usize) -> impl Iterator<Item = &Facts> + Clone {
        let before = self.history.before.get(version..).unwrap_or_default();
        std::iter::once(&self.facts).chain(before.iter().rev().map(|before| &before.facts))
    }

    /// Those which may have something to do with what happens now.
    pub(super) fn lately(&self) -> impl Iterator<Item = &Facts> + Clone {
        let (now, thawed) = (self.now, self.thawed);
        let before = self.history.before.iter().rev();
        let before = before.take_while(move |before| before.until.max(thawed) + LONG >= now);
        std::iter::once(&self.facts).chain(before.map(|before| &before.facts))
    }

    /// The limits at their widest of late: whatever is allowed by them may be so.
    pub(super) fn wide(&self) -> Limits {
        self.range(|one: usize, other| one.max(other), Duration::max)
    }

    /// The limits at their narrowest of late: what is within them is surely allowed.
    pub(super) fn narrow(&self) -> Limits {
        self.range(|one: usize, other| one.min(other), Duration::min)
    }

    fn range(&self, of: impl Fn(usize, usize) -> usize, of_times: impl Fn(Duration, Duration) -> Duration) -> Limits {
        let no_limit = |number: usize| if number == 0 { u32::MAX as usize } else { number };
        let of_rates = |one: u32, other: u32| {
            let some = of(no_limit(one as usize), no_limit(other as usize));
            if some == u32::MAX as usize { 0 } else { some as u32 }
        };
        self.lately().skip(1).map(|facts| &facts.limits).fold(self.facts.limits.clone(), |limits, other| Limits {
            replay: of(limits.replay as usize, other.replay as usize) as u64,
            page: of(limits.page as usize, other.page as usize) as u64,
            burst: of_rates(limits.burst, other.burst),
            acts_burst: of_rates(limits.acts_burst, other.acts_burst),
            in_flight: of(limits.in_flight, other.in_flight),
            rooms: of(limits.rooms, other.rooms),
            full_members: of(limits.full_members, other.full_members),
            room_bytes: of(limits.room_bytes, other.room_bytes),
            ping: of_times(limits.ping, other.ping),
            grace: of_times(limits.grace, other.grace),
            stall: of_times(limits.stall, other.stall),
            load: of_times(limits.load, other.load),
            ..limits
        })
    }

    /// Every value that this limit has had since the server's start.
    pub(super) fn ever<T>(&self, limit: impl Fn(&Limits) -> T) -> impl Iterator<Item = T> {
        self.since(0).map(move |facts| limit(&facts.limits))
    }

    /// What a code was last in a room, if it ever was one of it since the server's start.
    pub(super) fn once(&self, room: &str, code: &str) -> Option<CodeFacts> {
        self.history.once.get(room)?.get(code).copied()
    }

    /// All codes that a room has had since the server's start.
    pub(super) fn codes_once(&self, room: &str) -> impl Iterator<Item = &String> {
        self.history.once.get(room).into_iter().flat_map(BTreeMap::keys)
    }

    /// All rooms that there were since the server's start, with their codes.
    pub(super) fn rooms_once(&self) -> impl Iterator<Item = (&String, &BTreeMap<String, CodeFacts>)> {
        self.history.once.iter()
    }

    /// Whether a code has opened anything since the server's start.
    pub(super) fn was_code(&self, code: &str) -> bool {
        self.history.once.values().any(|codes| codes.contains_key(code))
    }

    /// The highest role that a code ever had in a room.
    pub(super) fn highest_by(&self, room: &str, code: &str) -> Option<Role> {
        self.history.highest.get(room)?.get(code).copied()
    }

    /// The highest role that any code ever had in a room.
    pub(super) fn highest_in(&self, room: &str) -> Option<Role> {
        self.history.highest.get(room)?.values().max().copied()
    }

    /// The highest role by which a room ever listed an account.
    pub(super) fn highest_listed(&self, account: &str, room: &str) -> Option<Role> {
        self.history.highest_listed.get(&(account.into(), room.into())).copied()
    }

    /// What a person who is in a room by a code may do there, by a configuration: where it has the code no more, what they might
    /// by it last.
    pub(super) fn role_by(&self, facts: &Facts, person: usize, room: &str, code: &str) -> Option<Role> {
        let by_code = facts.rooms.get(room).and_then(|room| room.codes.get(code)).copied();
        let by_code = by_code.or_else(|| self.once(room, code))?.role;
        Some(by_code.max(facts.listed(self.logins.account_of(person), room).unwrap_or(Role::Read)))
    }

    /// Whether a room was there all the time since this configuration, and somebody could speak in it by whichever of the codes
    /// that they have sent.
    pub(super) fn has_let_speak(&self, person: usize, room: &str, version: usize) -> bool {
        let codes = || self.logins.sent_by(person).filter(|code| self.once(room, code).is_some());
        self.since(version).all(|facts| {
            let lets = |code: &String| self.role_by(facts, person, room, code) >= Some(Role::Talk);
            facts.rooms.contains_key(room) && codes().all(lets)
        })
    }

    /// Whether the server knew of a code by this configuration.
    pub(super) fn knew(&self, code: &str, version: usize) -> bool {
        let before = self.history.before.iter().map(|before| &before.facts).chain([&self.facts]);
        before.take(version + 1).any(|facts| facts.opened(code).is_some())
    }

    /// Whether a room was ever gone.
    pub(in crate::sim) fn was_ever_gone(&self, room: &str) -> bool {
        self.history.ever_gone.contains_key(room)
    }

    /// Whether a room was gone at some time since this configuration.
    pub(super) fn was_gone(&self, room: &str, version: usize) -> bool {
        self.since(version).any(|facts| !facts.rooms.contains_key(room))
    }
}
