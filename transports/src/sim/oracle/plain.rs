//! What a person at netcat sees, and what of it must be so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use qun_core::log::{Kind, Record};

use super::Violation;
use super::model::{Model, canonical};
use super::wire::Sub;

/// A screen: the room that it is in, and how far its messages go.
#[derive(Clone, Debug, Default)]
pub(super) struct Screen {
    /// All that was typed, as codes are compared.
    letters: String,
    /// All that was typed: of what this person says there is no echo.
    typed: BTreeSet<String>,
    room: Option<(String, Sub)>,
    /// The newest message of each room when this person may have begun to go to another one.
    heads: Option<BTreeMap<String, u64>>,
    /// From here on messages may be the first of it that they see; nothing says where it is without a backlog.
    begins: Option<u64>,
    /// A page of history is being shown, from here up to there.
    page: Option<(u64, u64)>,
    /// The lines that continue the last message.
    rest: VecDeque<String>,
}

impl Screen {
    pub(super) fn typed(&mut self, model: &Model, line: &str) {
        if self.room.is_none() || line.starts_with("/join") {
            let head = |room: &String| (room.clone(), model.told(room).map_or(0, |(_, head)| head));
            self.heads.get_or_insert_with(|| model.facts.rooms.keys().map(head).collect());
        }
        self.letters.push_str(&canonical(line));
        self.typed.insert(line.strip_prefix("/me ").unwrap_or(line).trim().into());
    }

    pub(super) fn sub(&self, room: &str) -> Option<&Sub> {
        self.room.as_ref().filter(|(at, _)| at == room).map(|(_, sub)| sub)
    }

    pub(super) fn line(&mut self, model: &Model, line: &str) -> Result<(), Violation> {
        let wrong = |invariant, text: String| Err(Violation::new(invariant, format!("{text}, at {line:?}")));
        let line = unprompted(line);
        if let Some(expected) = self.rest.pop_front() {
            let is = line.trim_start().strip_prefix("| ").unwrap_or_default();
            return if is == expected { Ok(()) } else { wrong(2, format!("{expected:?} was due")) };
        }
        if let Some(words) = line.strip_prefix("-- ") {
            return self.server_words(model, words);
        }
        if line.is_empty() {
            return Ok(());
        }
        if self.room.is_none() && !is_message(line) {
            return Ok(());
        }
        let Some((room, sub)) = &mut self.room else { return wrong(1, "a message outside any room".into()) };
        if let Some((next, to)) = self.page.as_mut().filter(|(next, to)| next <= to) {
            let due = model.record(room, &sub.epoch, *next);
            *next += 1;
            return match due.and_then(|record| rest_of(record, line)) {
                Some(rest) => {
                    self.rest = rest;
                    Ok(())
                }
                None => wrong(2, format!("of a page up to {to}, the log has {due:?}")),
            };
        }
        if let Some(begins) = self.begins.take() {
            let typed = &self.typed;
            let fits = |from: u64| {
                let mut records = (from..).map_while(|seq| model.record(room, &sub.epoch, seq));
                let is = |record: &Record| rest_of(record, line).is_some();
                records.find(|record| is(record) || !typed.contains(record.text.as_str())).is_some_and(is)
            };
            if !fits(sub.next) {
                sub.next = (begins..sub.next).rev().find(|from| fits(*from)).unwrap_or(sub.next);
            }
        }
        loop {
            let Some(record) = model.record(room, &sub.epoch, sub.next) else {
                return wrong(4, format!("{} was due, and the log does not have it", sub.next));
            };
            sub.next += 1;
            if let Some(rest) = rest_of(record, line) {
                self.rest = rest;
                return Ok(());
            }
            if !self.typed.contains(record.text.as_str()) {
                return wrong(2, format!("{record:?} was due"));
            }
        }
    }

    /// The server speaks for itself.
    fn server_words(&mut self, model: &Model, words: &str) -> Result<(), Violation> {
        let number = |text: &str| text.split(' ').next().and_then(|number| number.parse::<u64>().ok());
        if let Some((id, facts)) = model.facts.rooms.iter().find(|(_, room)| {
            words.strip_prefix(&room.title).is_some_and(|rest| rest.starts_with(". ") && rest.contains(" here"))
        }) {
            if !facts.codes.keys().any(|code| self.letters.contains(code)) {
                return Err(Violation::new(1, format!("in {id} without its code")));
            }
            let Some((epoch, _)) = model.told(id) else { return Err(Violation::new(4, "a room that is not open")) };
            // "Last 2 of 815 messages:"; without a backlog nothing says where the room is.
            let backlog = words.rsplit_once(". Last ").and_then(|(_, last)| last.split_once(" of "));
            let backlog = backlog.and_then(|(last, of)| Some((last.parse::<u64>().ok()?, number(of)?)));
            let head = model.told(id).map_or(0, |(_, head)| head);
            // It was somewhere between the head as they asked and the head now: it takes its time until a line is sent.
            let asked = self.heads.take().and_then(|heads| heads.get(id).copied()).unwrap_or(head);
            let next = backlog.map_or(head + 1, |(last, of)| of + 1 - last.min(of));
            self.begins = backlog.is_none().then_some(asked + 1);
            let sub = Sub { epoch: epoch.into(), next, backlog: head, roster: None, here: 0 };
            self.room = Some((id.clone(), sub));
        } else if words.starts_with("You left ") {
            self.room = None;
        } else if let Some((_, range)) = words.strip_prefix("You missed ").and_then(|words| words.split_once(" (")) {
            let range = range.split(')').next().unwrap_or_default();
            let (from, to) = range.split_once(" to ").unwrap_or((range, range));
            if let (Some((_, sub)), Some(from), Some(to)) = (&mut self.room, number(from), number(to)) {
                // What this person said itself may stand before it.
                if from < sub.next || to < from {
                    return Err(Violation::new(2, format!("{} was due, at {words:?}", sub.next)));
                }
                sub.next = to + 1;
            }
        } else if let Some(range) = words.strip_prefix("Messages ").or(words.strip_prefix("Message ")) {
            let (from, to) = range.split_once(" to ").unwrap_or((range, range));
            self.page = number(from.trim_end_matches(':')).zip(number(to.trim_end_matches(':')));
        } else if words.starts_with("End of history") && self.page.take().is_none_or(|(next, to)| next != to + 1) {
            return Err(Violation::new(2, "a page ends early"));
        }
        Ok(())
    }

    pub(super) fn is_behind(&self, model: &Model) -> Option<String> {
        let (room, sub) = self.room.as_ref()?;
        let (_, head) = model.told(room)?;
        let missing = (sub.next..=head).find(|seq| {
            let record = model.record(room, &sub.epoch, *seq);
            record.is_none_or(|record| !self.typed.contains(record.text.as_str()))
        });
        missing.map(|seq| format!("{room} has {head}, and {seq} is not sent"))
    }
}

/// The line without the prompts before it, which end no line.
fn unprompted(mut line: &str) -> &str {
    loop {
        if let Some(rest) = line.strip_prefix("Room code: ") {
            line = rest;
        } else if let Some((_, rest)) = line.strip_prefix("Your name [").and_then(|line| line.split_once("]: ")) {
            line = rest;
        } else {
            return line;
        }
    }
}

/// `14:03 <ann> …` or `14:03 * ann …`.
fn is_message(line: &str) -> bool {
    let rest = line.split_once(' ').filter(|(time, _)| time.len() == 5 && time.contains(':'));
    rest.is_some_and(|(_, rest)| rest.starts_with('<') || rest.starts_with("* "))
}

/// The further lines of a record, where this is its first one.
fn rest_of(record: &Record, line: &str) -> Option<VecDeque<String>> {
    let mut lines = record.text.as_str().split(['\n', '\u{2028}', '\u{2029}']).map(String::from);
    let first = lines.next().unwrap_or_default();
    let expected = match record.kind {
        Kind::Say => format!("<{}> {first}", record.name),
        Kind::Me => format!("* {} {first}", record.name),
    };
    let (time, rest) = line.split_once(' ')?;
    (time.len() == 5 && rest == expected).then(|| lines.collect())
}
