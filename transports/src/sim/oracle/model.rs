//! The model of rooms: what was committed, what the server was told of it, and what it asked for.

use std::collections::{BTreeMap, BTreeSet};

use qun_core::log::{Answer, Kind, Record, Request};
use qun_core::{Limits, Role, Seq};

use super::Violation;
use crate::sim::log::Committed;

/// What is known of the world before it begins.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Facts {
    pub(in crate::sim) rooms: BTreeMap<String, RoomFacts>,
    pub(in crate::sim) limits: Limits,
}

#[derive(Clone, Debug)]
pub(in crate::sim) struct RoomFacts {
    pub(in crate::sim) title: String,
    /// As they are compared, with what each lets do.
    pub(in crate::sim) codes: BTreeMap<String, Role>,
    /// Whether the room says who is in it.
    pub(in crate::sim) full: bool,
}

/// Something that a person said: `#7 word word`, where the number is its token.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Sentence {
    pub(in crate::sim) person: usize,
    pub(in crate::sim) room: String,
    pub(in crate::sim) kind: Kind,
    pub(in crate::sim) text: String,
}

/// What there is in the rooms.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Model {
    pub(in crate::sim) facts: Facts,
    /// What each room's log has, in order, for each of its histories.
    books: BTreeMap<(String, String), Vec<Record>>,
    /// Where a history has what bears a token.
    taken: BTreeMap<(u64, String), Seq>,
    /// What people said, by token.
    pub(in crate::sim) said: BTreeMap<u64, Sentence>,
    /// When the server got what bears a token: the numbers of those lines.
    receipts: BTreeMap<u64, Vec<u64>>,
    lines: u64,
    /// How often the server has asked the log to take it.
    drafted: BTreeMap<u64, usize>,
    /// The receipt of what was drafted last of a person in a room.
    drafted_last: BTreeMap<(usize, String), u64>,
    /// Who a person is on the wire.
    pub(super) members: BTreeMap<usize, String>,
    /// The rooms whose codes a hostile one has sent.
    known: BTreeSet<(usize, String)>,
    /// Since the server's start: each room's epoch and newest message, as the server was told.
    told: BTreeMap<String, (String, u64)>,
    /// Rooms whose append is not settled.
    appending: BTreeSet<String>,
    /// What each message looked like on the wire, and who was in the room just before it.
    pub(super) frames: BTreeMap<(String, u64), Vec<u8>>,
    pub(super) rosters: BTreeMap<(String, u64), BTreeMap<String, String>>,
    /// How many gaps were told.
    pub(in crate::sim) gaps: u64,
    /// Upper bound of what may have changed a roster since the server's start.
    pub(super) causes: u64,
}

impl Model {
    pub(super) fn new(facts: Facts) -> Self {
        Self {
            facts,
            books: BTreeMap::new(),
            taken: BTreeMap::new(),
            said: BTreeMap::new(),
            receipts: BTreeMap::new(),
            lines: 0,
            drafted: BTreeMap::new(),
            drafted_last: BTreeMap::new(),
            members: BTreeMap::new(),
            known: BTreeSet::new(),
            told: BTreeMap::new(),
            appending: BTreeSet::new(),
            frames: BTreeMap::new(),
            rosters: BTreeMap::new(),
            gaps: 0,
            causes: 0,
        }
    }

    pub(super) fn booted(&mut self) {
        self.known.clear();
        self.told.clear();
        self.appending.clear();
        self.frames.clear();
        self.rosters.clear();
        self.receipts.clear();
        self.drafted.clear();
        self.drafted_last.clear();
        self.causes = 0;
    }

    /// The log has taken a message. Each that people said is taken once in a history.
    pub(super) fn committed(&mut self, committed: Committed) -> Result<(), Violation> {
        let Committed { room, epoch, first, record } = committed;
        let book = self.books.entry((room.to_string(), epoch.to_string())).or_default();
        // As long as the log keeps a message, it is there once.
        if let Some(token) = token(record.text.as_str())
            && let Some(earlier) = self.taken.insert((token, epoch.to_string()), record.seq)
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

    /// What a history of a room has at this seq.
    pub(in crate::sim) fn record(&self, room: &str, epoch: &str, seq: u64) -> Option<&Record> {
        self.book(room, epoch).get(usize::try_from(seq).ok()?.checked_sub(1)?)
    }

    /// All that a history of a room has.
    pub(in crate::sim) fn book(&self, room: &str, epoch: &str) -> &[Record] {
        self.books.get(&(room.into(), epoch.into())).map_or(&[], Vec::as_slice)
    }

    /// What any history of a room has at this seq.
    pub(in crate::sim) fn records(&self, room: &str, seq: u64) -> impl Iterator<Item = &Record> {
        let books = self.books.iter().filter(move |((of, _), _)| of == room);
        books.filter_map(move |(_, book)| book.get(usize::try_from(seq).ok()?.checked_sub(1)?))
    }

    /// Whether any history of any room has it.
    pub(in crate::sim) fn has(&self, token: u64) -> bool {
        self.taken.range((token, String::new())..).next().is_some_and(|((taken, _), _)| *taken == token)
    }

    /// The room's epoch and newest message, as the server was told.
    pub(super) fn told(&self, room: &str) -> Option<(&str, u64)> {
        self.told.get(room).map(|(epoch, head)| (epoch.as_str(), *head))
    }

    /// Whether the server and its log owe each other nothing.
    pub(super) fn is_idle(&self) -> bool {
        let is_told = |(room, (epoch, head)): (&String, &(String, u64))| self.book(room, epoch).len() as u64 == *head;
        self.appending.is_empty() && self.told.iter().all(is_told)
    }

    pub(super) fn answer(&mut self, answer: &Answer) {
        match answer {
            Answer::Ready { room, tail: Ok(tail) } => {
                self.told.insert(room.to_string(), (tail.epoch.to_string(), tail.head.get()));
            }
            Answer::Grew { room, records, .. } => {
                if let (Some((_, head)), Some(last)) = (self.told.get_mut(room.as_str()), records.last()) {
                    *head = last.seq.get().max(*head);
                }
            }
            Answer::Settled { room, .. } => {
                self.appending.remove(room.as_str());
            }
            Answer::Ready { tail: Err(_), .. } | Answer::Loaded { .. } => {}
        }
    }

    /// A line with a token reaches the server.
    pub(super) fn received(&mut self, token: u64) {
        self.lines += 1;
        self.receipts.entry(token).or_default().push(self.lines);
    }

    /// A hostile one sends a line: whatever codes are in it.
    pub(super) fn learns(&mut self, person: usize, line: &str) {
        let letters = canonical(line);
        for (id, room) in &self.facts.rooms {
            if room.codes.keys().any(|code| letters.contains(code)) {
                self.known.insert((person, id.clone()));
            }
        }
    }

    pub(super) fn knows(&self, person: usize, room: &str) -> bool {
        self.known.contains(&(person, room.into()))
    }

    pub(super) fn came_twice(&self, token: u64) -> bool {
        self.receipts.get(&token).is_some_and(|receipts| receipts.len() > 1)
    }

    /// What the server asks the log to take is what people said, where they said it, in their order, and not more often
    /// than the server got it.
    pub(super) fn request(&mut self, request: &Request) -> Result<(), Violation> {
        let Request::Append { room, drafts } = request else { return Ok(()) };
        if !self.appending.insert(room.to_string()) {
            return Err(Violation::new(3, format!("two appends of {room} at once")));
        }
        for draft in drafts {
            let text = draft.text.as_str();
            let Some(token) = token(text) else { continue };
            let Some(sentence) = self.said.get(&token) else {
                return Err(Violation::new(3, format!("{text:?} is to be appended, and nobody said it")));
            };
            if sentence.room != room.as_str() {
                return Err(Violation::new(1, format!("{text:?} was said in {}, not in {room}", sentence.room)));
            }
            if sentence.text != text || sentence.kind != draft.kind {
                return Err(Violation::new(3, format!("{:?} was said, not {text:?}", sentence.text)));
            }
            let person = sentence.person;
            if let Some(m) = self.members.get(&person).filter(|m| **m != draft.member.to_string()) {
                return Err(Violation::new(3, format!("{text:?} was said by {m}, not by {}", draft.member)));
            }
            let receipts = self.receipts.get(&token).map_or(&[][..], Vec::as_slice);
            let drafted = self.drafted.entry(token).or_default();
            *drafted += 1;
            if *drafted > receipts.len() {
                let text = format!("{text:?} came {} times, and is to be appended {drafted} times", receipts.len());
                return Err(Violation::new(3, text));
            }
            let last = self.drafted_last.entry((person, room.to_string())).or_default();
            match receipts.iter().find(|receipt| **receipt > *last) {
                Some(receipt) => *last = *receipt,
                None => return Err(Violation::new(3, format!("{text:?} is appended behind what was said after it"))),
            }
        }
        Ok(())
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
