//! The model of rooms: what was committed, what the server was told of it, and what it asked for.

use std::collections::{BTreeMap, BTreeSet};

use qun_core::log::{Answer, Kind, Outcome, Record, Ticket};
use qun_core::{Instant, Seq};

use super::Violation;
use super::accounts::Logins;
use super::drafts::Drafts;
use super::facts::{Facts, History};
use super::order::Court;
use super::people::People;
use super::spread::Spread;
use crate::sim::log::Committed;

/// What the log could not do for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    Open,
    Append,
    Load,
}

/// Where a room's log is, as the server was told.
#[derive(Clone, Debug)]
struct Told {
    epoch: String,
    /// The newest message as the room was opened.
    opened_at: u64,
    first: u64,
    head: u64,
}

/// Something that a person said: `#7 word word`, where the number is its token.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Sentence {
    pub(in crate::sim) person: usize,
    pub(in crate::sim) room: String,
    pub(in crate::sim) kind: Kind,
    pub(in crate::sim) text: String,
}

/// What is told of each member: a name, or a role.
type ToldOf = BTreeMap<String, String>;

/// What the first who got a message saw with it: what all others must see.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) frame: Vec<u8>,
    /// Who was in the room just before it, and as what, where anybody was told: the roster, and roles.
    pub(super) around: Option<(ToldOf, ToldOf)>,
}

/// What there is in the rooms.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Model {
    pub(in crate::sim) facts: Facts,
    pub(super) history: History,
    /// What time it is.
    pub(super) now: Instant,
    /// What each room's log has, in order, for each of its histories.
    books: BTreeMap<String, BTreeMap<String, Vec<Record>>>,
    /// Where a history has what bears a token.
    taken: BTreeMap<u64, BTreeMap<String, Seq>>,
    /// What people said, by token.
    pub(in crate::sim) said: BTreeMap<u64, Sentence>,
    /// The oldest message that each history still has, where it has let go of any.
    first: BTreeMap<(String, String), u64>,
    pub(super) people: People,
    pub(super) drafts: Drafts,
    pub(in crate::sim) logins: Logins,
    pub(in crate::sim) court: Court,
    /// When a member was told to have gone from a room, if they are not there again.
    gone: BTreeMap<(String, String), Instant>,
    /// The codes that a hostile one has sent.
    known: BTreeSet<(usize, String)>,
    /// Since the server's start: each room's epoch and newest message, as the server was told.
    told: BTreeMap<String, Told>,
    /// How often the log could not do something.
    troubles: BTreeMap<(String, Trouble), u64>,
    pub(super) loads: BTreeMap<Ticket, String>,
    /// When the server was told to go down.
    pub(super) draining: Option<Instant>,
    /// When the server's machine went on after it last stood still.
    pub(super) thawed: Instant,
    /// What the server's clock for people shows, the latest that it has shown, and when it was set back.
    pub(super) clock: u64,
    pub(super) latest: u64,
    pub(super) set_back: Instant,
    /// In each history, what is older than this was said to be held no more; and that itself, or presence before it.
    let_go: BTreeMap<String, BTreeMap<String, (u64, bool)>>,
    /// What each message looked like on the wire, and who was there, since the server's start.
    pub(super) seen: BTreeMap<String, BTreeMap<u64, Seen>>,
    /// Whether a break keeps lines back until they are whole, so that nobody knows when they began.
    pub(in crate::sim) are_lines_kept: bool,
    /// When a source was told that this is no web server.
    pub(super) http: BTreeMap<usize, Instant>,
    /// Counts what the server hears and when: while it stays the same, nothing is let go of.
    pub(super) turn: u64,
    /// How many gaps were told.
    pub(in crate::sim) gaps: u64,
    /// What guests were called who had no name, since the server's start.
    pub(super) guests: BTreeSet<String>,
    /// The silence before the first ping of a connection, and how long those stay away who are told of a shutdown.
    pub(super) pings: Spread,
    pub(super) returns: Spread,
    /// Upper bound of what may have changed a roster since the server's start.
    pub(super) causes: u64,
}

impl Model {
    pub(super) fn new(facts: Facts) -> Self {
        let mut model = Self {
            facts: facts.clone(),
            history: History::default(),
            now: Instant::default(),
            books: BTreeMap::new(),
            first: BTreeMap::new(),
            people: People::default(),
            drafts: Drafts::default(),
            logins: Logins::default(),
            court: Court::default(),
            gone: BTreeMap::new(),
            troubles: BTreeMap::new(),
            loads: BTreeMap::new(),
            draining: None,
            thawed: Instant::default(),
            clock: 0,
            latest: 0,
            set_back: Instant::default(),
            taken: BTreeMap::new(),
            said: BTreeMap::new(),
            known: BTreeSet::new(),
            told: BTreeMap::new(),
            let_go: BTreeMap::new(),
            seen: BTreeMap::new(),
            are_lines_kept: false,
            http: BTreeMap::new(),
            guests: BTreeSet::new(),
            pings: Spread::default(),
            returns: Spread::default(),
            turn: 0,
            gaps: 0,
            causes: 0,
        };
        model.starts(facts);
        model
    }

    pub(super) fn booted(&mut self) {
        self.known.clear();
        self.told.clear();
        self.let_go.clear();
        self.http.clear();
        self.seen.clear();
        self.guests.clear();
        self.troubles.clear();
        self.loads.clear();
        self.people.booted();
        self.drafts.booted();
        self.logins.booted();
        self.gone.clear();
        self.draining = None;
        self.causes = 0;
    }

    /// The log has taken a message. Each that people said is taken once in a history.
    pub(super) fn committed(&mut self, committed: Committed) -> Result<(), Violation> {
        let Committed { room, epoch, first, record, .. } = committed;
        let book = self.books.entry(room.to_string()).or_default().entry(epoch.to_string()).or_default();
        self.first.insert((room.to_string(), epoch.to_string()), first.get());
        // As long as the log keeps a message, it is there once.
        if let Some(token) = token(record.text.as_str())
            && let Some(earlier) = self.taken.entry(token).or_default().insert(epoch.to_string(), record.seq)
            && earlier >= first
        {
            return Err(Violation::new(3, format!("{room} has {:?} twice", record.text.as_str())));
        }
        let due = book.len() as u64 + 1;
        if record.seq.get() != due {
            return Err(Violation::new(
                4,
                format!("{room} had {} messages, and now {} is the next", due - 1, record.seq),
            ));
        }
        book.push(record);
        Ok(())
    }

    /// The room that a code opens, or opened last.
    pub(super) fn room_of(&self, code: &str) -> Option<String> {
        let opens = self.facts.opened(code).map(|(id, _)| id.clone());
        opens.or_else(|| self.rooms_once().find(|(_, codes)| codes.contains_key(code)).map(|(id, _)| id.clone()))
    }

    /// What a history of a room has at this seq.
    pub(in crate::sim) fn record(&self, room: &str, epoch: &str, seq: u64) -> Option<&Record> {
        self.book(room, epoch).get(usize::try_from(seq).ok()?.checked_sub(1)?)
    }

    /// All that a history of a room has.
    pub(in crate::sim) fn book(&self, room: &str, epoch: &str) -> &[Record] {
        self.books.get(room).and_then(|books| books.get(epoch)).map_or(&[], Vec::as_slice)
    }

    /// What any history of a room has at this seq.
    pub(in crate::sim) fn records(&self, room: &str, seq: u64) -> impl Iterator<Item = &Record> {
        let books = self.books.get(room).into_iter().flat_map(BTreeMap::values);
        books.filter_map(move |book| book.get(usize::try_from(seq).ok()?.checked_sub(1)?))
    }

    /// Whether any history of any room has it.
    pub(in crate::sim) fn has(&self, token: u64) -> bool {
        self.taken.contains_key(&token)
    }

    /// The room's epoch and newest message, as the server was told.
    pub(super) fn told(&self, room: &str) -> Option<(&str, u64)> {
        self.told.get(room).map(|told| (told.epoch.as_str(), told.head))
    }

    /// The newest message as the room was opened: nobody has come in before that.
    pub(super) fn opened_at(&self, room: &str) -> u64 {
        self.told.get(room).map_or(0, |told| told.opened_at)
    }

    /// The oldest message that the room's log has, as the server was told.
    pub(super) fn told_first(&self, room: &str) -> u64 {
        self.told.get(room).map_or(0, |told| told.first)
    }

    /// The oldest message that a history still has.
    pub(in crate::sim) fn first(&self, room: &str, epoch: &str) -> u64 {
        self.first.get(&(room.into(), epoch.into())).copied().unwrap_or(1)
    }

    /// The histories that a room has had.
    pub(in crate::sim) fn epochs(&self, room: &str) -> impl Iterator<Item = &str> {
        self.books.get(room).into_iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// How often the log could not do this for the server.
    pub(super) fn troubles(&self, room: &str, trouble: Trouble) -> u64 {
        self.troubles.get(&(room.into(), trouble)).copied().unwrap_or_default()
    }

    /// Whether a room that says who is in it may have as many in it as it may.
    pub(super) fn may_be_full(&self, room: &str, person: usize, since: Instant) -> bool {
        if !self.lately().any(|facts| facts.rooms.get(room).is_some_and(|facts| facts.full)) {
            return false;
        }
        // Of those who send what they like nobody knows how many they are.
        let is_known = self.codes_once(room).any(|code| self.known.iter().any(|(_, known)| known == code));
        let wide = self.wide();
        let clients = self.people.most_in_room(room, person, since, &wide);
        is_known || clients + self.people.most_at_netcat(since, &wide) >= self.narrow().full_members
    }

    /// How many others may be in a room by a code at most: of those who send what they like nobody knows how many they are.
    pub(super) fn most_by(&self, door: (&str, &str), person: usize, since: Instant) -> usize {
        let wide = self.wide();
        let clients = self.people.most_in(door, person, since, &wide);
        let is_known = self.known.iter().any(|(_, known)| known == door.1);
        let others = if is_known { usize::MAX / 2 } else { self.people.most_at_netcat(since, &wide) };
        clients + others
    }

    /// Whether the server was told that the log has what bears this token.
    pub(super) fn is_told_of(&self, token: u64) -> bool {
        let Some(said) = self.said.get(&token) else { return false };
        let Some(told) = self.told.get(&said.room) else { return false };
        let taken = self.taken.get(&token).and_then(|taken| taken.get(&told.epoch));
        taken.is_some_and(|seq| seq.get() <= told.head)
    }

    /// Whether the messages `from..=head` are surely less than a room may hold: then it has let go of none of them.
    pub(super) fn are_surely_held(&self, room: &str, epoch: &str, from: u64, head: u64) -> bool {
        let cost = |seq| self.record(room, epoch, seq).map_or(0, |record| 500 + 2 * record.text.as_str().len());
        let most: usize = (from..=head).map(cost).sum::<usize>() + 500 * self.causes as usize;
        most < self.ever(|limits| limits.room_bytes).min().unwrap_or_default()
    }

    /// Somebody is told that the room does not hold what is older than this; `too`: nor this, or what came just before it.
    pub(super) fn lets_go(&mut self, room: &str, epoch: &str, before: u64, too: bool) {
        let known = self.let_go.entry(room.into()).or_default().entry(epoch.into()).or_default();
        *known = (before, too).max(*known);
    }

    /// A message comes from what the room holds: then nobody was told before that it is gone. `alone`: nothing came just
    /// before it but a message.
    pub(super) fn is_held(&self, room: &str, epoch: &str, seq: u64, alone: bool) -> Result<(), Violation> {
        let let_go = self.let_go.get(room).and_then(|let_go| let_go.get(epoch));
        let Some(&(before, too)) = let_go else { return Ok(()) };
        if seq < before || seq == before && too && alone {
            return Err(Violation::new(2, format!("{room} still holds {seq}, and it was called gone before")));
        }
        Ok(())
    }

    /// All who get a message get the same bytes; and all who are told who is there, and as what, are told the same.
    pub(super) fn looks_the_same(
        &mut self,
        room: &str,
        seq: u64,
        frame: &[u8],
        around: Option<(&ToldOf, &ToldOf)>,
    ) -> Result<(), Violation> {
        if !self.seen.contains_key(room) {
            self.seen.insert(room.into(), BTreeMap::new());
        }
        let Some(seen) = self.seen.get_mut(room) else { return Ok(()) };
        let first = || Seen { frame: frame.into(), around: None };
        let seen = seen.entry(seq).or_insert_with(first);
        if seen.frame != frame {
            return Err(Violation::new(2, "another member has got other bytes"));
        }
        let Some((roster, roles)) = around else { return Ok(()) };
        let (others, their_roles) = seen.around.get_or_insert_with(|| (roster.clone(), roles.clone()));
        if their_roles != roles {
            let text = format!("here the roles are {roles:?}, for another member they are {their_roles:?}");
            return Err(Violation::new(10, text));
        }
        if others != roster {
            let text = format!("here the roster is {roster:?}, for another member it is {others:?}");
            return Err(Violation::new(10, text));
        }
        Ok(())
    }

    /// Whether the server and the log of a room owe each other nothing.
    pub(super) fn is_idle_in(&self, room: &str) -> bool {
        let is_told = |told: &Told| self.book(room, &told.epoch).len() as u64 == told.head;
        !self.drafts.is_appending(room) && self.told.get(room).is_none_or(is_told)
    }

    /// Whether the server and its log owe each other nothing.
    pub(super) fn is_idle(&self) -> bool {
        let is_told = |(room, told): (&String, &Told)| self.book(room, &told.epoch).len() as u64 == told.head;
        self.drafts.is_idle() && self.told.iter().all(is_told)
    }

    pub(super) fn answer(&mut self, answer: &Answer) {
        let mut trouble = |room: &str, what| *self.troubles.entry((room.into(), what)).or_default() += 1;
        match answer {
            Answer::Ready { room, tail: Ok(tail) } => {
                let (epoch, head) = (tail.epoch.to_string(), tail.head.get());
                let told = Told { epoch, opened_at: head, first: tail.first.get(), head };
                self.told.insert(room.to_string(), told);
                // What was let go of may be held again.
                self.let_go.remove(room.as_str());
            }
            Answer::Ready { room, tail: Err(_) } => trouble(room.as_str(), Trouble::Open),
            Answer::Recalled { .. } => {}
            Answer::Grew { room, first, records } => {
                if let (Some(told), Some(last)) = (self.told.get_mut(room.as_str()), records.last()) {
                    told.head = last.seq.get().max(told.head);
                    told.first = first.get().max(told.first);
                }
            }
            Answer::Settled { room, outcomes } => {
                if outcomes.contains(&Outcome::Refused) {
                    trouble(room.as_str(), Trouble::Append);
                }
                self.drafts.settled(room.as_str());
            }
            Answer::Loaded { ticket, .. } | Answer::Found { ticket, .. } => {
                let Some(room) = self.loads.remove(ticket) else { return };
                if matches!(answer, Answer::Loaded { page: Err(_), .. } | Answer::Found { found: Err(_), .. }) {
                    trouble(&room, Trouble::Load);
                }
            }
        }
    }

    /// Somebody is told to have gone.
    pub(super) fn goes(&mut self, now: Instant, room: &str, m: &str) {
        self.gone.insert((room.into(), m.into()), now);
    }

    /// What somebody said is in the stream before it is told that they are gone, unless that took too long.
    pub(super) fn is_in_time(
        &mut self,
        room: &str,
        m: &str,
        text: &str,
        roster: &BTreeMap<String, String>,
    ) -> Result<(), Violation> {
        let key = (room.to_string(), m.to_string());
        if roster.contains_key(m) {
            self.gone.remove(&key);
            return Ok(());
        }
        let (Some(gone), Some(token)) = (self.gone.get(&key), token(text)) else { return Ok(()) };
        match self.drafts.received_at(token) {
            Some(last) if *gone >= last && gone.since(last) < self.facts.limits.drain => {
                Err(Violation::new(5, format!("{m} is told to be gone before this")))
            }
            _ => Ok(()),
        }
    }

    /// A hostile one sends a line: whatever codes are in it.
    pub(super) fn learns(&mut self, person: usize, line: &str) {
        let letters = canonical(line);
        let codes = self.history.codes().filter(|code| letters.contains(*code));
        let known: Vec<_> = codes.map(|code| (person, code.clone())).collect();
        self.known.extend(known);
    }

    pub(super) fn knows(&self, person: usize, room: &str) -> bool {
        self.codes_once(room).any(|code| self.known.contains(&(person, code.clone())))
    }
}

/// The number of something that a person said.
pub(in crate::sim) fn token(text: &str) -> Option<u64> {
    let number = text.strip_prefix('#')?;
    number.split([' ', '\n']).next()?.parse().ok()
}

/// A code as it is compared.
pub(in crate::sim) fn canonical(code: &str) -> String {
    let fold = |c: char| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    };
    code.chars().filter(char::is_ascii_alphanumeric).map(fold).collect()
}
