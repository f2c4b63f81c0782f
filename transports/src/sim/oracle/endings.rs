//! How a connection ends: for a reason that can be seen from outside, in good order, and in time.

use std::time::Duration;

use qun_core::server::Reason;
use qun_core::{Instant, Limits};

use super::Violation;
use super::ask::{Ask, Asked, Say};
use super::json::Json;
use super::model::Model;
use super::overdue::MOMENT;
use super::wire::{Trust, Wire};

fn wrong<T>(invariant: u8, text: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::new(invariant, text))
}

/// What answers a prompt is shorter.
const FIRST_LINE: usize = 1_024;
/// How long a source that spoke HTTP is not prompted.
const HTTP_MEMORY: Duration = Duration::from_secs(60);

impl Wire {
    /// The server says goodbye.
    pub(super) fn bye(&mut self, model: &mut Model, now: Instant, frame: &Json) -> Result<(), Violation> {
        (self.is_over, self.over) = (true, now);
        let (reason, class) = match frame.text("code").unwrap_or_default() {
            "done" => (Reason::Done, "no"),
            "replaced" => (Reason::Replaced, "no"),
            "version" => (Reason::Version, "no"),
            "too_big" => (Reason::TooBig, "no"),
            "slow" => (Reason::Slow, "now"),
            "dead" => (Reason::Dead, "now"),
            "account_changed" => (Reason::AccountChanged, "fix"),
            "handshake" => (Reason::Handshake, "later"),
            "flood" => (Reason::Flood, "later"),
            "shutdown" => (Reason::Shutdown, "later"),
            _ => return wrong(6, "there is no such goodbye"),
        };
        let wait = frame.number("wait_ms").map(Duration::from_millis);
        if frame.text("retry") != Some(class) || wait.is_some() != (class == "later") {
            return wrong(6, format!("it is of the class {class:?}"));
        }
        let spread = model.facts.limits.spread + Duration::from_secs(1) + MOMENT;
        if reason == Reason::Shutdown && wait.is_none_or(|wait| wait < Duration::from_secs(1) || wait > spread) {
            return wrong(6, "nobody is to come back before the server does, nor much later");
        }
        if reason == Reason::Shutdown && model.returns.is_fixed(wait.unwrap_or_default()) {
            return wrong(6, format!("all are to come back at once, after {wait:?}"));
        }
        self.may_end(model, now, reason)
    }

    /// The server closes the connection.
    pub(super) fn closes(&self, model: &Model, now: Instant, reason: Reason) -> Result<(), Violation> {
        let is_said = matches!(
            reason,
            Reason::Done | Reason::Replaced | Reason::Dead | Reason::Shutdown | Reason::AccountChanged
        );
        if is_said && self.me.is_some() && self.stuck.is_none() && !self.is_over {
            return wrong(5, format!("it ends as {reason:?} without a goodbye"));
        }
        self.may_end(model, now, reason)
    }

    /// Whether there is this reason to end the connection, and nothing is owed to it any more.
    fn may_end(&self, model: &Model, now: Instant, reason: Reason) -> Result<(), Violation> {
        if let Trust::Court(_) = self.trust {
            return Ok(());
        }
        let limits = &model.facts.limits;
        let is_mine = !matches!(self.trust, Trust::Hostile(_));
        let is_so = match reason {
            Reason::Done => self.said_bye || !is_mine,
            Reason::EndOfInput => self.is_ended,
            Reason::Shutdown => model.draining.is_some(),
            Reason::Slow => self.stuck.is_some() && now.since(self.took) >= model.narrow().stall,
            Reason::Dead => self.was_silent_lately(model, now),
            Reason::Handshake => self.me.is_none() && !self.screen.was_in && now.since(self.opened) >= limits.handshake,
            Reason::Replaced => match self.trust {
                // Verdicts come in any order: the later hello may be the earlier one.
                Trust::Client(person) if model.logins.account_of(person).is_some() => model.people.hellos(person) > 1,
                Trust::Client(person) => model.people.hellos(person) > self.hello,
                Trust::Plain(_) => false,
                Trust::Hostile(_) | Trust::Court(_) => true,
            },
            Reason::AccountChanged => {
                // The welcome may be on its way still.
                let logs_in = |asked: &Asked| matches!(asked.what, Ask::Hello { password: Some(_), .. });
                self.account_over.is_some() || self.may_lose_account || self.asked.iter().any(logs_in)
            }
            // What is read at once may be more than a connection may have waiting.
            Reason::Flood if limits.unread < 64 << 10 => true,
            // Who takes nothing has not heard yet that they were wrong.
            Reason::Flood
                if self.is_plain() && self.stuck.is_some() && self.requests >= limits.plain_guesses.into() =>
            {
                true
            }
            Reason::Flood => self.is_one_too_many || self.screen.is_out_of_guesses(model) || !is_mine,
            // Who is not in yet answers a prompt, with a first line or another one.
            Reason::TooBig => !is_mine || self.is_plain() && !self.screen.was_in && self.screen.most >= FIRST_LINE,
            Reason::Protocol | Reason::Version => !is_mine,
        };
        if !is_so {
            return wrong(9, format!("there is no reason to end it as {reason:?}"));
        }
        self.owes_nothing(model, now, reason)
    }

    /// What was said is in the stream, or refused, before the end; unless that took too long.
    fn owes_nothing(&self, model: &Model, now: Instant, reason: Reason) -> Result<(), Violation> {
        let drain = model.facts.limits.drain;
        let is_owed = |(id, say): &(&String, &Say)| match self.is_plain() {
            true => self.is_owed_at_netcat(model, say),
            false => !self.unheard.contains(*id),
        };
        let mut unanswered = self.says.iter().filter(is_owed);
        let owed = match reason {
            Reason::Done | Reason::EndOfInput if now.since(self.left) < drain => unanswered.next(),
            Reason::Shutdown if model.draining.is_some_and(|since| now.since(since) < drain) => {
                unanswered.find(|(id, _)| self.owed.contains(*id))
            }
            Reason::AccountChanged if self.account_over.is_some_and(|since| now.since(since) < drain) => {
                unanswered.find(|(id, _)| self.owed.contains(*id))
            }
            _ => None,
        };
        match owed {
            Some((id, _)) => wrong(5, format!("the end comes before what becomes of {id}")),
            // What is read to the end is answered to the end.
            None if matches!(reason, Reason::Done | Reason::EndOfInput) && self.stuck.is_none() => {
                match self.asked.front() {
                    Some(asked) => wrong(5, format!("the end comes before the answer to {asked:?}")),
                    None => Ok(()),
                }
            }
            None if reason == Reason::Shutdown
                && self.stuck.is_none()
                && self.asked.front().is_some_and(|a| Some(a.number) == self.owes_left) =>
            {
                wrong(5, "the end comes before the room is left")
            }
            None => Ok(()),
        }
    }

    /// The server is told to go down: what it surely has taken, it still owes.
    pub(super) fn drains(&mut self, model: &Model) {
        if self.is_read_at_once(model) {
            self.owed = self.says.keys().cloned().collect();
        }
        self.owes_left = self.asked.front().filter(|_| self.is_leaving_a_room(model)).map(|asked| asked.number);
    }

    /// Whether no line has waited here: for another answer, or for earlier says.
    pub(super) fn is_read_at_once(&self, model: &Model) -> bool {
        self.asked.is_empty() && self.has_room_for_says(model)
    }

    /// Whether the only thing that is asked for is to be let out of a room: that is being done.
    fn is_leaving_a_room(&self, model: &Model) -> bool {
        let is_leave = matches!(self.asked.front(), Some(Asked { what: Ask::Leave { .. }, .. }));
        is_leave && self.asked.len() == 1 && self.has_room_for_says(model)
    }

    fn has_room_for_says(&self, model: &Model) -> bool {
        let Trust::Client(person) = self.trust else { return false };
        let has_more = self.has_said_twice || model.people.hellos(person) > 1;
        // The log may have told everyone of one, and not the server what became of it.
        let flying = self.says.len() + model.drafts.in_appends(person);
        !has_more && self.stuck.is_none() && flying < model.narrow().in_flight
    }

    /// The server wants to know whether somebody is there.
    pub(super) fn ping(&mut self, model: &mut Model, now: Instant) -> Result<(), Violation> {
        (self.is_pinged, self.pinged) = (true, now);
        // What waited has come later than it was sent; and only the first one's time is drawn.
        let is_first = !std::mem::replace(&mut self.was_pinged, true) && self.is_prompt;
        if is_first && self.frozen.is_zero() && model.pings.is_fixed(now.since(self.heard)) {
            return wrong(9, format!("all are pinged after {:?} of silence", now.since(self.heard)));
        }
        if self.longest_silence(now) < model.narrow().ping * 9 / 10 {
            return wrong(9, format!("a ping after {:?} of silence", self.longest_silence(now)));
        }
        Ok(())
    }

    /// Of a hostile one's wrong codes no more are looked at than a source may have.
    pub(super) fn has_not_guessed_too_often(&self, model: &Model, now: Instant) -> Result<(), Violation> {
        let limits = &model.facts.limits;
        let more = now.since(self.opened).as_secs() / limits.guess_every.as_secs().max(1) + 1;
        if self.stranger.wrong() > u64::from(limits.guess_burst) + more {
            return wrong(1, format!("{} wrong codes were looked at", self.stranger.wrong()));
        }
        if self.stranger.wrong_passwords > u64::from(limits.guess_burst) + more {
            return wrong(13, format!("{} wrong passwords were looked at", self.stranger.wrong_passwords));
        }
        Ok(())
    }

    /// A browser's spare connection is not spoken to.
    pub(super) fn is_no_browser(&self, model: &mut Model, now: Instant, bytes: &[u8]) -> Result<(), Violation> {
        // Only of what is sent as it is decided is known when that was.
        let is_told = bytes.starts_with(b"HTTP/1.1 400") || bytes.starts_with(b"\r\nHTTP/1.1 400");
        if is_told && self.is_prompt {
            model.http.insert(self.source, now);
        }
        let told = model.http.get(&self.source).filter(|told| self.opened > **told && now.since(**told) < HTTP_MEMORY);
        if told.is_some() && self.spoke == self.opened && bytes.starts_with(b"Room code: ") {
            return wrong(6, "somebody is asked for a code who may be a browser");
        }
        Ok(())
    }

    /// Whether somebody has got in.
    pub(super) fn has_got_in(&self) -> bool {
        match self.trust {
            Trust::Client(_) => self.me.is_some(),
            Trust::Plain(_) => self.screen.was_in || self.screen.is_spoken_to(),
            Trust::Hostile(_) | Trust::Court(_) => false,
        }
    }

    /// Whether it is silent for so long that it may be given up; or was, and has spoken as it was being seen off.
    fn was_silent_lately(&self, model: &Model, now: Instant) -> bool {
        let long = 2 * model.facts.limits.drain;
        now.since(self.spoke) >= given_up(&model.narrow())
            || self.was_silent.is_some_and(|at| at.max(model.thawed) + long >= now)
    }

    /// Whether the server surely has not ended it for its silence or its goodbye.
    pub(super) fn is_bound(&self, model: &Model, now: Instant) -> bool {
        let is_heard = self.longest_silence(now) < model.narrow().ping * 9 / 10;
        let is_theirs = self.account_over.is_none();
        self.me.is_some() && is_heard && is_theirs && !self.is_over && !self.is_leaving
    }
}

/// The shortest silence after which somebody is given up.
pub(super) fn given_up(limits: &Limits) -> Duration {
    limits.ping * 9 / 10 + limits.pong
}
