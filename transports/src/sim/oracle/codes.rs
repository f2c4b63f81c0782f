//! Codes that were made while the server ran, as those know them who were told.

use qun_core::Role;

use super::model::Model;
use super::reasons::{Asked, Order};
use crate::sim::court::COURT;

/// An act that made a code.
#[derive(Clone, Debug)]
pub(super) struct Making {
    pub(super) epoch: String,
    pub(super) seq: u64,
    pub(super) author: String,
    pub(super) label: String,
    /// When it was written, as the log has it.
    pub(super) ts: u64,
}

/// A code that was made and told.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) epoch: String,
    /// By which act; `None`: by one that is not known.
    pub(super) seq: Option<u64>,
    /// When it expires, at least and at most.
    pub(super) expires: (u64, u64),
    uses: Uses,
    /// How often somebody came with it, and how many have surely come in by it.
    tries: u64,
    came: u64,
}

/// How many a code lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Uses {
    Any,
    Few(u64),
    /// So many as are left of another's.
    Left,
}

impl Heard {
    /// Whether there may be a use left of it for one more, and whether there surely is one for the last who came with it.
    pub(super) fn lets_in(&self) -> (bool, bool) {
        match self.uses {
            Uses::Any => (true, true),
            Uses::Few(uses) => (self.came < uses, self.tries <= uses),
            Uses::Left => (true, false),
        }
    }

    pub(super) fn is_counted(&self) -> bool {
        self.uses != Uses::Any
    }

    /// Whether it was made by this act of the history that the room has now.
    pub(super) fn is_of(&self, model: &Model, seq: u64) -> bool {
        self.seq == Some(seq) && model.told(COURT).is_some_and(|(epoch, _)| epoch == self.epoch)
    }
}

impl Model {
    /// Somebody is told the code that they have asked for, behind the act that made it: what is `next` comes later.
    pub(super) fn hears_code(&mut self, asked: &Asked, order: &Order, me: &str, next: u64, code: String) {
        let (epoch, _) = self.told(COURT).unwrap_or_default();
        let epoch = epoch.to_string();
        let since = asked.done.as_ref().filter(|(of, _)| *of == epoch).map_or(0, |(_, done)| *done);
        let is_it = |making: &Making| {
            making.epoch == epoch
                && (since + 1..next).contains(&making.seq)
                && making.author == me
                && Some(&making.label) == order.label.as_ref()
        };
        // The newest: whoever asked for an earlier one has not heard of it.
        let at = self.court.making.iter().rposition(is_it).filter(|_| !asked.is_vague);
        let making = at.map(|at| self.court.making.remove(at));
        let seq = making.as_ref().map(|making| making.seq);
        let roles = (Role::Read, Role::Moderator);
        let (roles, expires, uses) = match order.deed.as_deref() {
            Some("add") => {
                let role = order.role.map_or(roles, |role| (role, role));
                let (least, _) = self.clocks(asked);
                let most = making.map_or(u64::MAX, |making| making.ts.max(self.latest));
                let in_ms = |from: u64, s: u64| from.saturating_add(s * 1_000);
                let expires = order.for_s.map_or((u64::MAX, u64::MAX), |s| (in_ms(least, s), in_ms(most, s)));
                (role, expires, order.uses.map_or(Uses::Any, Uses::Few))
            }
            _ => {
                let history = self.court.rules.get(&epoch);
                let made = history.zip(seq).and_then(|(history, seq)| history.now().made(seq)?.after);
                let old = made.and_then(|old| self.court.heard.iter().find(|(_, heard)| heard.is_of(self, old)));
                let roles = old.and_then(|(code, _)| self.court.codes.get(code)).copied().unwrap_or(roles);
                let old = old.map(|(_, old)| old);
                let uses = if old.is_some_and(|old| old.uses == Uses::Any) { Uses::Any } else { Uses::Left };
                (roles, old.map_or((0, u64::MAX), |old| old.expires), uses)
            }
        };
        self.court.codes.insert(code.clone(), roles);
        self.court.heard.insert(code, Heard { epoch, seq, expires, uses, tries: 0, came: 0 });
    }

    /// Somebody comes with a code.
    pub(super) fn comes_with(&mut self, code: &str) {
        if let Some(heard) = self.court.heard.get_mut(code) {
            heard.tries += 1;
        }
    }

    /// And is in by it, who was not before.
    pub(super) fn has_come_by(&mut self, code: &str) {
        let epoch = self.told(COURT).map(|(epoch, _)| epoch.to_string());
        if let Some(heard) = self.court.heard.get_mut(code).filter(|heard| Some(&heard.epoch) == epoch.as_ref()) {
            heard.came += 1;
        }
    }
}
