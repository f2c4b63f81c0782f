//! Where a person at netcat is, and how far they have read there.

use std::collections::BTreeSet;

use qun_core::Instant;

use super::Violation;
use super::model::{Model, token};
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

fn wrong<T>(invariant: u8, text: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::new(invariant, text))
}
