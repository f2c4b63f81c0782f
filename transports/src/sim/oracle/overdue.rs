//! What the server should have done by now about a connection that takes all that there is.

use std::time::Duration;

use qun_core::Instant;

use super::Violation;
use super::ask::Ask;
use super::model::Model;
use super::wire::{Trust, Wire};

/// The longest that the log takes for as much as may be in flight.
pub(super) const LOG: Duration = Duration::from_secs(40);
/// What is due at a time is done by this much later.
pub(super) const MOMENT: Duration = Duration::from_millis(2);

impl Wire {
    /// What the server should have done about this connection by now, that takes all that there is.
    pub(super) fn is_overdue(&self, model: &Model, now: Instant) -> Option<String> {
        if matches!(self.trust, Trust::Hostile(_) | Trust::Court(_)) {
            return None;
        }
        // Of what stood still or had no room nothing is due before that was over.
        let idle = self.freely_since.max(model.thawed);
        if self.is_over {
            return (now > self.over.max(idle) + MOMENT).then(|| "it was seen off, and is not closed".into());
        }
        if self.is_leaving {
            return self.lingers(model, now);
        }
        if let Some(since) = self.account_over {
            let due = since.max(idle) + model.facts.limits.drain;
            return (now > due + MOMENT).then(|| "its account was changed, and it is not closed".into());
        }
        let limits = &model.wide();
        let silence = now.since(self.heard);
        if !self.has_got_in() {
            // Whoever has a code and a name waits for the room to be opened.
            let patience = limits.handshake + 4 * limits.drain + self.frozen + MOMENT;
            let is_silent = self.is_plain() && self.spoke == self.opened && self.took == self.opened;
            return if now.since(self.opened) > patience {
                Some("it has not got in, and is not closed".into())
            } else if is_silent && now.since(self.opened) > limits.prompt + self.frozen + MOMENT {
                Some("it says nothing, and is asked nothing".into())
            } else {
                None
            };
        }
        if self.is_plain() {
            return None;
        }
        if let Some(asked) = self.asked.front() {
            let time = match asked.what {
                Ask::History { .. } | Ask::Search { .. } => limits.load,
                Ask::Leave { .. } => limits.drain,
                // The room may have to be opened.
                Ask::Join { .. } => LOG,
                Ask::Hello { .. } | Ask::Name { .. } | Ask::Ping { .. } => Duration::ZERO,
            };
            // Who was silent for too long, or sends too much, is being seen off, for as long as what they said is settled.
            let may_part = self.was_silent.is_some() || limits.unread < 64 << 10;
            let parting = if may_part { limits.drain } else { Duration::ZERO };
            if now > self.waits_since.max(idle) + time + parting + self.log_time(model) + MOMENT {
                return Some(format!("{asked:?} is not answered"));
            }
        }
        if silence <= limits.ping {
            return None;
        }
        if silence > limits.ping * 11 / 10 + MOMENT && !self.is_pinged {
            return Some(format!("nothing was heard for {silence:?}, and it is not pinged"));
        }
        let patience = limits.ping * 11 / 10 + limits.pong + limits.drain + MOMENT;
        // Who waited for a verdict meanwhile is asked behind that.
        let is_asked_for_long = now > self.pinged + limits.pong + limits.drain + MOMENT;
        (silence > patience && is_asked_for_long)
            .then(|| format!("nothing was heard for {silence:?}, and it is not closed"))
    }

    /// Who has said goodbye, or sends no more, is seen off as soon as what they said is settled, or has waited long enough.
    fn lingers(&self, model: &Model, now: Instant) -> Option<String> {
        if !self.is_json() || self.me.is_none() {
            return None;
        }
        let limits = model.wide();
        let (drain, load) = (limits.drain, limits.load);
        let since = self.left.max(self.freely_since).max(model.thawed);
        // Their lines may still wait for one another, and each of them for the log.
        let until = if self.leaves_at_once {
            since + drain
        } else {
            since.max(self.waits_since) + drain + load.max(drain) + 2 * LOG
        };
        (now > until + MOMENT).then(|| format!("it was left {:?} ago, and is not closed", now.since(self.left)))
    }

    /// How long a line may wait here for what was said before it.
    fn log_time(&self, model: &Model) -> Duration {
        let is_alone = self.person().is_some_and(|person| model.people.hellos(person) == 1);
        // Were all that was said lately still in flight, there would be room for it.
        let lately = self.said.iter().filter(|at| **at + LOG > self.waits_since).count();
        if is_alone && lately < model.narrow().in_flight { Duration::ZERO } else { LOG }
    }

    /// Whether it should have been closed by now, because it takes nothing.
    pub(super) fn is_too_slow(&self, model: &Model, now: Instant) -> Option<String> {
        let time = self.is_stuck_for(now)?;
        (time > model.wide().stall + MOMENT).then(|| format!("it takes nothing for {time:?}, and is not closed"))
    }

    /// A server that goes down has seen everybody off who takes bytes, once what was said has waited long enough.
    pub(super) fn outlives(&self, model: &Model, now: Instant) -> Result<(), Violation> {
        let Some(since) = model.draining else { return Ok(()) };
        let due = (since + model.facts.limits.drain).max(model.thawed).max(self.freely_since);
        if now <= due + MOMENT {
            return Ok(());
        }
        Err(Violation::new(11, format!("the server goes down for {:?}, and it is not closed", now.since(since))))
    }
}
