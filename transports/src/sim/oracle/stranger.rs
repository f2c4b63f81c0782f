//! What somebody is sent who speaks as they like: nothing of a room that they are not in.

use std::collections::BTreeMap;

use qun_core::{Instant, Limits};

use super::Violation;
use super::json::Json;
use super::model::{Model, token};
use super::pace::{Pace, Rate};

/// A connection of one who sends corrupted bytes, as far as it says what they are let see.
#[derive(Clone, Debug, Default)]
pub(super) struct Stranger {
    /// The rooms that they were let into, with the next message of each.
    rooms: BTreeMap<String, u64>,
    is_welcome: bool,
    /// How many codes were wrong.
    wrong: u64,
    /// And how many passwords.
    pub(super) wrong_passwords: u64,
    /// Whether they may have asked for a room here.
    may_be_in: bool,
    /// How many joins have come here and may still be answered by `joined`.
    joins: usize,
    /// How often they took another name.
    names: Pace,
}

impl Stranger {
    /// They have another name, once more: not too often. Only of what they hear at once is known when it was decided.
    pub(super) fn is_renamed(&mut self, now: Instant, line: &[u8], limits: &Limits) -> Result<(), Violation> {
        let frame = Json::read(line).filter(|frame| frame.text("t") == Some("ok") && frame.number("seq").is_none());
        let rate = Rate { burst: limits.acts_burst, per_s: limits.acts_per_s };
        match frame.and_then(|_| self.names.does(now, now, rate)) {
            Some((times, time)) => Err(Violation::new(7, format!("they were renamed {times} times within {time:?}"))),
            None => Ok(()),
        }
    }

    pub(super) fn wrong(&self) -> u64 {
        self.wrong
    }

    /// How many streams may begin anew here, at most.
    pub(super) fn joins(&self) -> usize {
        self.joins
    }

    /// Counts a line by which a stream may begin anew; says whether it is one.
    pub(super) fn counts_join(&mut self, request: Option<&Json>, line: &str) -> bool {
        let may_be_join = request.is_none_or(|request| request.text("t") == Some("join")) && line.contains("join");
        self.joins += usize::from(may_be_join);
        may_be_join
    }

    /// They send a line.
    pub(super) fn says(&mut self, model: &mut Model, line: &[u8]) {
        let request = Json::read(line);
        self.may_be_in |= self.counts_join(request.as_ref(), &String::from_utf8_lossy(line));
        if let Some(id) = request.as_ref().and_then(|request| request.text("id")) {
            model.drafts.rude(id, self.may_be_in);
        }
    }

    pub(super) fn line(&mut self, model: &Model, person: usize, line: &[u8]) -> Result<(), Violation> {
        let text = String::from_utf8_lossy(line);
        if !text.starts_with('{') {
            return self.plain(model, person, &text);
        }
        let wrong = |invariant, what: &str| Err(Violation::new(invariant, format!("{what}: {text:?}")));
        let Some(frame) = Json::read(line) else { return wrong(6, "a line that can't be read") };
        let room = frame.text("room").or_else(|| frame.get("room")?.text("id")).map(String::from);
        let kind = frame.text("t").unwrap_or_default();
        match frame.text("code") {
            Some("bad_code") => self.wrong += 1,
            Some("bad_password") => self.wrong_passwords += 1,
            _ => {}
        }
        let is_of_join = ["bad_code", "code_expired", "room_full", "locked"].map(Some).contains(&frame.text("code"));
        if kind == "joined" || is_of_join {
            self.joins = self.joins.saturating_sub(1);
        }
        let Some(room) = room else {
            self.is_welcome |= kind == "welcome";
            if frame.get("account").is_some() {
                return wrong(13, "they are let in without the password");
            }
            return if self.is_welcome || matches!(kind, "error" | "bye") { Ok(()) } else { wrong(1, "a stranger") };
        };
        match (kind, self.rooms.get_mut(&room)) {
            ("joined", _) if frame.number("from") > frame.number("head").map(|head| head + 1) => {
                return wrong(2, "it begins beyond the newest message");
            }
            ("joined", _) if self.is_welcome && model.knows(person, &room) => {
                self.rooms.insert(room, frame.number("from").unwrap_or_default());
            }
            ("msg", Some(next)) if frame.number("seq") == Some(*next) => *next += 1,
            ("msg", Some(_)) => return wrong(2, "not the message that was due"),
            ("gap", Some(next)) => *next = frame.number("to").unwrap_or_default() + 1,
            ("presence" | "here" | "page" | "found" | "room", Some(_)) => {}
            // Who is held in a room may leave it without having joined again.
            ("left", _) if model.knows(person, &room) => {
                self.rooms.remove(&room);
            }
            _ => return wrong(1, "it reached somebody who is not in that room"),
        }
        Ok(())
    }

    /// As a person at netcat sees it.
    fn plain(&mut self, model: &Model, person: usize, text: &str) -> Result<(), Violation> {
        let body = text.split_once("> ").map_or("", |(_, body)| body);
        let said = token(body).and_then(|token| model.said.get(&token));
        match said.filter(|said| !model.knows(person, &said.room)) {
            Some(said) => Err(Violation::new(1, format!("{text:?} of {} reached a stranger", said.room))),
            None => Ok(()),
        }
    }
}
