//! Why the server may refuse what a client of this project asks for. It has no other reason than those of PROTOCOL.md,
//! and each can be seen from outside.

use qun_core::{Instant, Limits, Role};

use super::Violation;
use super::ask::{Ask, Asked, Say};
use super::facts::{CodeFacts, Facts};
use super::json::Json;
use super::model::{Model, Trouble};
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
            "bad_field" | "bad_name" | "name_taken" | "bad_text" | "bad_code" | "code_expired" | "bad_password"
            | "no_guests" => "fix",
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
            if self.given_up.remove(re) {
                return Ok(());
            }
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
        let (narrow, version) = (model.narrow(), asked.version);
        let is_so = match (&asked.what, code) {
            (Ask::Join { code: tried, room: named, .. }, _) => {
                let room = named.clone().or_else(|| model.room_of(tried));
                if code == "room_full" {
                    self.kept_out.extend(room.clone());
                }
                if self.is_current(model) {
                    model.people.lets_out(now, person, room.as_deref(), Some(tried));
                }
                // Whoever is in, or held there, gets in whatever others have guessed.
                let is_open =
                    || model.since(version).all(|facts| facts.opened(tried).map(|(id, _)| id) == room.as_ref());
                let is_in = room.as_ref().is_some_and(|room| self.subs.contains_key(room)) && self.is_current(model)
                    || asked.returns.is_some_and(|until| now < until);
                if code == "locked" && is_in && is_open() {
                    return wrong(1, format!("{tried} is not looked at, of one who is in by it"));
                }
                self.stays(model, now, &asked, room.as_deref(), code)?;
                let result = join_refused(model, now, self.source, person, &asked, (tried, room.clone()), code);
                // Whoever is in by another code stays in by that one.
                if let Some((room, sub)) = room.as_ref().and_then(|room| Some((room, self.subs.get(room)?)))
                    && self.is_current(model)
                {
                    model.people.lets_in((room, &sub.code), person, None);
                }
                return result;
            }
            (Ask::Hello { name, password: Some(password), .. }, _) => {
                return self.login_refused(model, now, &asked, name.as_deref().unwrap_or_default(), password, code);
            }
            (Ask::Name { .. }, "bad_state") => model.logins.account_of(person).is_some(),
            (Ask::Hello { password: None, .. }, "no_guests") => model.since(version).any(|facts| !facts.guests),
            (Ask::Name { .. }, "slow_down") => model.people.session(person).may_act_too_fast(now, &narrow),
            (Ask::Name { name, .. }, "name_taken") => {
                model.is_protected(name, version) || model.people.may_be_taken(person, name)
            }
            (Ask::Search { .. }, "slow_down") => model.people.session(person).may_say_too_fast(now, &narrow),
            (Ask::History { room, .. } | Ask::Search { room, .. }, "unavailable") => {
                model.troubles(room, Trouble::Load) > asked.troubles || now.since(asked.at) >= narrow.load
            }
            // Who has been moved to another connection may still hear of a room where they are not.
            (Ask::History { room, .. } | Ask::Search { room, .. } | Ask::Leave { room, .. }, "not_member") => {
                !self.subs.contains_key(room) || model.was_gone(room, version)
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
        let narrow = model.narrow();
        let sub = self.subs.get(&say.room);
        let may_read = |sub: &super::wire::Sub| {
            let role = |facts| model.role_by(facts, person, &say.room, &sub.code);
            sub.role == "read" || model.since(say.version).any(|facts| role(facts) == Some(Role::Read))
        };
        let is_so = match code {
            "slow_down" => !say.fits && model.people.session(person).may_say_too_fast(now, &narrow),
            "unavailable" => model.troubles(&say.room, Trouble::Append) > say.troubles,
            "read_only" => sub.is_some_and(may_read),
            "not_member" => sub.is_none() || model.was_gone(&say.room, say.version),
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
        // Of an account that came once it is not asked whether the code is still good, and by a room's name it comes by any.
        let is_account = model.logins.account_of(person).is_some();
        let is_named = matches!(&asked.what, Ask::Join { room: Some(_), .. });
        if asked.has_asked || is_account && is_named {
            return Ok(());
        }
        let was_late = asked.clock.min(model.clock);
        let in_by_it = model.people.in_by((room, code), person, asked.at);
        let mut wrongs = Vec::new();
        for facts in model.since(asked.version) {
            let Some(room_facts) = facts.rooms.get(room) else { continue };
            let Some(CodeFacts { expires, most, .. }) = room_facts.codes.get(code) else { continue };
            let is_over = expires.is_some_and(|expires| expires <= was_late) && model.set_back < asked.at;
            if is_over && (asked.is_unknown || !is_account) {
                wrongs.push(format!("{code} has expired"));
            } else if most.is_some_and(|most| in_by_it >= most) {
                wrongs.push(format!("{in_by_it} others are in by {code}"));
            } else if !(facts.guests && room_facts.guests || is_account) {
                wrongs.push("nobody comes in there who has no account".into());
            } else {
                return Ok(());
            }
        }
        match wrongs.pop() {
            Some(text) => wrong(1, text),
            None => Ok(()),
        }
    }

    /// Whoever is in a room, or held there, comes in again by the same code: it is not asked whether it still lets anybody in.
    fn stays(
        &self,
        model: &Model,
        now: Instant,
        asked: &Asked,
        room: Option<&str>,
        code: &str,
    ) -> Result<(), Violation> {
        let Some(room) = room.filter(|_| asked.is_in) else { return Ok(()) };
        let is_held = self.subs.contains_key(room) || asked.returns.is_some_and(|until| now < until);
        let since = asked.version.min(self.version);
        let is_there = is_held && self.is_bound(model, now) && !model.was_gone(room, since);
        let is_put_off = matches!(code, "slow_down" | "unavailable");
        // Of an account's codes another session's may be the one that counts.
        let is_one = |person| model.logins.account_of(person).is_none();
        let is_there = is_there && matches!(self.trust, Trust::Client(person) if is_one(person));
        if is_there && !is_put_off { wrong(1, format!("{code} is told to one who is in {room}")) } else { Ok(()) }
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
    (tried, opens): (&str, Option<String>),
    code: &str,
) -> Result<(), Violation> {
    let is_named = matches!(&asked.what, Ask::Join { room: Some(_), .. });
    let (narrow, wide, version) = (model.narrow(), model.wide(), asked.version);
    let most = |facts: &Facts| facts.opened(tried).and_then(|(_, code)| code.most);
    let most: Option<usize> = model.since(version).filter_map(most).min();
    let is_so = match (code, opens) {
        ("bad_code", _) if !is_named && !model.knew(tried, version) => {
            model.people.guessed(source, asked.at, now, &wide)?;
            true
        }
        ("locked", _) => model.people.may_be_locked(source, now, &narrow),
        ("slow_down", Some(_)) if asked.returns.is_some_and(|until| now < until) => false,
        ("slow_down", Some(_)) => model.people.session(person).may_act_too_fast(now, &narrow),
        ("unavailable", Some(room)) => model.troubles(&room, Trouble::Open) > asked.troubles,
        // By its name, of a room that has forgotten them since.
        ("not_member", Some(_)) if is_named => model.logins.account_of(person).is_some(),
        ("code_expired" | "no_guests", Some(_)) => model.is_shut(tried, person, version, code),
        ("room_full", Some(room)) => {
            most.is_some_and(|most| model.most_by((&room, tried), person, asked.at) >= most)
                || model.may_be_full(&room, person, asked.at)
                || model.people.most_rooms((&room, tried), person, asked.at, &wide) >= narrow.rooms
        }
        _ => false,
    };
    if is_so { Ok(()) } else { wrong(1, format!("there is no reason to refuse {tried}")) }
}
