//! Where a person at netcat is, how far they have read there, and what becomes of it as another configuration comes.

use std::collections::BTreeSet;

use qun_core::Instant;

use super::Violation;
use super::facts::Facts;
use super::model::{Model, token};
use super::plain::Screen;
use super::wire::Sub;

/// Where a person at netcat is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) id: String,
    pub(super) sub: Sub,
    /// Up to here nobody can say whether it came before this person did.
    pub(super) vague: u64,
    /// Up to here nobody can say whether their own lines come back.
    pub(super) wavering: u64,
    /// Who is there, where that is known.
    pub(super) names: Option<BTreeSet<String>>,
    /// When something was missed last.
    pub(super) missed: Instant,
}

impl Place {
    /// Whether this is a message of their own, said while they were here: a terminal has shown it already.
    pub(super) fn is_own(&self, model: &Model, person: usize, seq: u64, typed: &BTreeSet<String>) -> bool {
        let record = model.record(&self.id, &self.sub.epoch, seq).filter(|_| seq > self.sub.backlog);
        let Some(record) = record else { return false };
        match token(record.text.as_str()) {
            Some(token) => model.said.get(&token).is_some_and(|said| said.person == person),
            None => {
                let is_theirs = model.people.member(person).is_none_or(|m| *m == record.member.to_string());
                is_theirs && typed.contains(record.text.as_str())
            }
        }
    }

    /// Who is here is who others are told to be, at the same message.
    pub(super) fn look_around(&self, model: &Model, seq: u64) -> Result<(), Violation> {
        let seen = model.seen.get(&self.id).and_then(|seen| seen.get(&seq)).filter(|_| seq > self.sub.backlog);
        let others = seen.and_then(|seen| seen.around.as_ref());
        let others = others.map(|(roster, _)| roster.values().cloned().collect::<BTreeSet<_>>());
        match (&self.names, others) {
            (Some(names), Some(others)) if *names != others => {
                wrong(10, format!("here are {names:?}, and another member is told of {others:?}"))
            }
            _ => Ok(()),
        }
    }

    /// A gap was told: nothing before it is missing but what a terminal has shown already.
    pub(super) fn missed(
        &mut self,
        model: &Model,
        now: Instant,
        is_passed: impl Fn(&Self, u64) -> bool,
        count: Option<u64>,
        from: u64,
        to: u64,
    ) -> Result<(), Violation> {
        let is_whole = (self.sub.next..from).all(|seq| is_passed(self, seq));
        if from < self.sub.next || to < from || count != Some(to + 1 - from) || !is_whole {
            return wrong(2, format!("{} was due", self.sub.next));
        }
        let told = model.told(&self.id).map_or(0, |(_, head)| head);
        if to > told || model.are_surely_held(&self.id, &self.sub.epoch, from, told) {
            return wrong(2, format!("the room is at {told}, and surely holds what is called missed"));
        }
        self.sub.next = to + 1;
        (self.names, self.missed) = (None, now);
        Ok(())
    }
}

impl Screen {
    /// The room that they are in is closed.
    pub(super) fn is_put_out(&mut self, model: &Model, since: usize, title: &str) -> Result<(), Violation> {
        let Some(place) = self.room.take() else { return wrong(5, "they are put out of no room") };
        (self.leaves, self.title_due) = (None, None);
        if !model.was_gone(&place.id, since) {
            return wrong(5, format!("{title} is called closed, and is not"));
        }
        Ok(())
    }

    /// Another configuration is served.
    pub(super) fn reloaded(&mut self, now: Instant, is_read: bool, before: &Facts, facts: &Facts) {
        let is_new = |name: &String| !before.accounts.contains_key(name);
        self.may_be_numbered |= facts.accounts.keys().any(is_new);
        let Some(place) = &mut self.room else { return };
        let (Some(was), Some(is)) = (before.rooms.get(&place.id), facts.rooms.get(&place.id)) else { return };
        if was.full != is.full {
            // Who was there is not told anew here.
            (place.names, place.missed) = (None, now);
        }
        if was.title != is.title {
            self.title_due = Some(is.title.clone()).filter(|_| is_read);
        }
    }

    /// What they should have been told of another configuration, and were not.
    pub(super) fn is_untold(&self) -> Option<Violation> {
        let title = self.title_due.as_ref().filter(|_| self.room.is_some())?;
        Some(Violation::new(1, format!("their room is called {title:?}, and they are not told")))
    }
}

fn wrong<T>(invariant: u8, text: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::new(invariant, text))
}
