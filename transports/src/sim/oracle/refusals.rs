//! Why the server may refuse what a client of this project asks for. It has no other reason than those of PROTOCOL.md,
//! and each can be seen from outside.

use qun_core::{Instant, Limits};

use super::Violation;
use super::ask::{Ask, Asked, Say};
use super::json::Json;
use super::model::{CodeFacts, Model, Trouble};
use super::wire::{Trust, Wire};

fn wrong<T>(invariant: u8, text: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::new(invariant, text))
}

impl Wire {
    /// A request is refused.
    pub(super) fn error(&mut self, model: &mut Model, now: Instant, frame: &Json) -> Result<(), Violation> {
        let (re, code) = (frame.text("re").unwrap_or_default(), frame.text("code").unwrap_or_default());
        let Trust::Client(person) = self.trust else { return Ok(()) };
        let class = match code {
            "room_full" | "slow_down" | "locked" | "unavailable" | "internal" => "later",
            "bad_field" | "bad_name" | "name_taken" | "bad_text" | "bad_code" | "code_expired" | "bad_password" => {
                "fix"
            }
            _ => "no",
        };
        if frame.text("retry") != Some(class) || frame.number("wait_ms").is_some() != (class == "later") {
            return wrong(6, format!("{code} is of the class {class:?}"));
        }
        let wait = frame.number("wait_ms").unwrap_or(1);
        if wait == 0 || wait > longest_wait(code, &model.facts.limits) {
            return wrong(6, format!("{wait} ms are to be waited after {code}"));
        }
        if let Some(token) = self.sent.get(re) {
            let token = *token;
            model.drafts.refused(token);
            self.waits_since = now;
            return match self.says.remove(re) {
                // One that came twice may be echoed for the first time, and refused for the second.
                _ if model.drafts.came_twice(token) => Ok(()),
                Some(say) => self.say_refused(model, now, person, &say, code),
                None => wrong(3, "a say is answered twice"),
            };
        }
        if re.is_empty() && self.is_torn {
            return Ok(());
        }
        let asked = self.answered(now, re)?;
        model.people.session(person).is_answered(now, &asked);
        let limits = model.facts.limits.clone();
        let is_so = match (&asked.what, code) {
            (Ask::Join { code: tried, .. }, _) => {
                if code == "room_full" {
                    self.kept_out.extend(model.room_of(tried));
                }
                if self.is_current(model) {
                    model.people.lets_out(now, person, Some(tried));
                }
                // Whoever is in, or held there, gets in whatever others have guessed.
                let room = model.room_of(tried);
                let is_in = room.is_some_and(|room| self.subs.contains_key(&room)) && self.is_current(model)
                    || asked.returns.is_some_and(|until| now < until);
                if code == "locked" && is_in {
                    return wrong(1, format!("{tried} is not looked at, of one who is in by it"));
                }
                let result = join_refused(model, now, self.source, person, &asked, tried, code);
                // Whoever is in by another code stays in by that one.
                if let Some(sub) = model.room_of(tried).and_then(|room| self.subs.get(&room))
                    && self.is_current(model)
                {
                    model.people.lets_in(&sub.code, person, None);
                }
                return result;
            }
            (Ask::Hello { name, password: Some(password), .. }, _) => {
                return self.login_refused(model, now, &asked, name.as_deref().unwrap_or_default(), password, code);
            }
            (Ask::Name { .. }, "bad_state") => model.logins.account_of(person).is_some(),
            (Ask::Name { .. }, "slow_down") => model.people.session(person).may_act_too_fast(now, &limits),
            (Ask::Name { name, .. }, "name_taken") => {
                model.is_protected(name) || model.people.may_be_taken(person, name)
            }
            (Ask::Search { .. }, "slow_down") => model.people.session(person).may_say_too_fast(now, &limits),
            (Ask::History { room, .. } | Ask::Search { room, .. }, "unavailable") => {
                model.troubles(room, Trouble::Load) > asked.troubles || now.since(asked.at) >= limits.load
            }
            // Who has been moved to another connection may still hear of a room where they are not.
            (Ask::History { room, .. } | Ask::Search { room, .. } | Ask::Leave { room, .. }, "not_member") => {
                !self.subs.contains_key(room)
            }
            _ => false,
        };
        if is_so { Ok(()) } else { wrong(6, format!("there is no reason to refuse {:?}", asked.what)) }
    }

    fn say_refused(
        &self,
        model: &mut Model,
        now: Instant,
        person: usize,
        say: &Say,
        code: &str,
    ) -> Result<(), Violation> {
        let limits = model.facts.limits.clone();
        let sub = self.subs.get(&say.room);
        let is_so = match code {
            "slow_down" => !say.fits && model.people.session(person).may_say_too_fast(now, &limits),
            "unavailable" => model.troubles(&say.room, Trouble::Append) > say.troubles,
            "read_only" => sub.is_some_and(|sub| sub.role == "read"),
            "not_member" => sub.is_none(),
            _ => false,
        };
        if is_so { Ok(()) } else { wrong(3, format!("there is no reason to refuse {say:?}")) }
    }

    /// Somebody is let in: by a code that is still good, and has room for them; or because they were in by it, or have an
    /// account that came by a code once, by whichever.
    pub(super) fn comes_in(
        &self,
        model: &Model,
        person: usize,
        room: &str,
        code: &str,
        asked: &Asked,
    ) -> Result<(), Violation> {
        if asked.has_asked || model.logins.account_of(person).is_some() {
            return Ok(());
        }
        let Some(CodeFacts { expires, most, .. }) = model.facts.rooms[room].codes.get(code) else { return Ok(()) };
        let was_late = asked.clock.min(model.clock);
        if expires.is_some_and(|expires| expires <= was_late) && model.set_back < asked.at {
            return wrong(1, format!("{code} has expired"));
        }
        let in_by_it = model.people.in_by(code, person, asked.at);
        if most.is_some_and(|most| in_by_it >= most) {
            return wrong(1, format!("{in_by_it} others are in by {code}"));
        }
        Ok(())
    }
}

/// For how many milliseconds a client is told to wait at most: until once more is allowed by a rate.
fn longest_wait(code: &str, limits: &Limits) -> u64 {
    let once_more = |per_s: u32| 1_000 / u64::from(per_s.max(1)) + 1;
    match code {
        "slow_down" => once_more(limits.per_s).max(once_more(limits.acts_per_s)),
        "locked" => (limits.guess_every.as_millis() as u64).max(once_more(limits.guess_per_s)) + 1,
        // Nobody knows until when.
        _ => 60_000,
    }
}

fn join_refused(
    model: &mut Model,
    now: Instant,
    source: usize,
    person: usize,
    asked: &Asked,
    tried: &str,
    code: &str,
) -> Result<(), Violation> {
    let opens = model.facts.rooms.iter().find_map(|(id, room)| Some((id.clone(), *room.codes.get(tried)?)));
    let limits = model.facts.limits.clone();
    let is_so = match (code, opens) {
        ("bad_code", None) => {
            model.people.guessed(source, asked.at, now, &limits)?;
            true
        }
        ("locked", _) => model.people.may_be_locked(source, now, &limits),
        ("slow_down", Some(_)) if asked.returns.is_some_and(|until| now < until) => false,
        ("slow_down", Some(_)) => model.people.session(person).may_act_too_fast(now, &limits),
        ("unavailable", Some((room, _))) => model.troubles(&room, Trouble::Open) > asked.troubles,
        // By its name, of a room that has forgotten them since.
        ("not_member", Some(_)) => model.logins.account_of(person).is_some(),
        ("code_expired", Some((_, CodeFacts { expires: Some(expires), .. }))) => expires <= model.latest,
        ("room_full", Some((room, CodeFacts { most, .. }))) => {
            most.is_some_and(|most| model.people.most_in(tried, person, asked.at, &limits) >= most)
                || model.may_be_full(&room, person, asked.at)
                || model.people.most_rooms(person, asked.at, &limits) >= limits.rooms
        }
        _ => false,
    };
    if is_so { Ok(()) } else { wrong(1, format!("there is no reason to refuse {tried}")) }
}
