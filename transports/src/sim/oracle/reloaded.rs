//! Another configuration, while people are in: what it changes counts from one moment on, those whom it concerns are told, and
//! nobody else notices anything.

use std::collections::BTreeMap;

use qun_core::{ConnId, Instant, Role};

use super::ask::{Ask, Asked, Say};
use super::facts::{CodeFacts, Facts};
use super::json::Json;
use super::listen::wrong;
use super::model::Model;
use super::overdue::MOMENT;
use super::wire::{Sub, Trust, Wire};
use super::{Oracle, Violation};

impl Oracle {
    /// The server starts with this configuration.
    pub(in crate::sim) fn starts(&mut self, facts: Facts) {
        self.model.starts(facts);
    }

    /// Whether the log owes an answer to something that was said.
    pub(in crate::sim) fn is_appending(&self) -> bool {
        !self.model.drafts.is_idle()
    }

    /// The server serves another configuration from here on.
    pub(in crate::sim) fn reloaded(&mut self, now: Instant, facts: Facts) {
        self.all_here = None;
        let before = self.model.serves(now, facts);
        self.model.turn += 1;
        // Everybody may be called something else, and be told of in another way.
        self.model.causes += 2 * self.wires.len() as u64 + 2 * before.rooms.len() as u64;
        for room in before.rooms.keys().filter(|room| !self.model.facts.rooms.contains_key(*room)) {
            self.model.people.lets_all_out(now, room);
        }
        if self.model.facts.limits.burst != before.limits.burst {
            self.model.drafts.all_begin(now);
        }
        let roles = |facts: &Facts| {
            let codes =
                facts.rooms.iter().flat_map(|(room, facts)| facts.codes.iter().map(move |code| (room.clone(), code)));
            codes.map(|(room, (code, facts))| ((room, code.clone()), facts.role)).collect::<BTreeMap<_, _>>()
        };
        let old = roles(&before);
        if roles(&self.model.facts).iter().any(|(code, role)| old.get(code).is_none_or(|old| old < role)) {
            self.model.drafts.all_may_speak();
        }
        let Self { model, wires, .. } = self;
        wires.values_mut().for_each(|wire| wire.reloaded(model, now, &before));
    }

    /// The server has done all that it wants to: everybody who takes bytes has been told what another configuration means for
    /// them.
    pub(super) fn settled_after_reload(&mut self, takes: impl Fn(ConnId) -> bool) {
        let version = self.model.version();
        if version == 0 {
            return;
        }
        let mut found = Ok(());
        for (conn, wire) in self.wires.iter_mut().filter(|(conn, _)| takes(**conn)) {
            let untold = if wire.version < version { wire.is_untold(&self.model) } else { None };
            wire.version = version;
            if let Some(violation) = untold.or_else(|| wire.is_still_there(&self.model)) {
                found = Err(wire.names(*conn, violation));
            }
        }
        self.note(found);
    }

    /// Nobody is in a room that is gone for longer than it takes to have what was said there settled.
    pub(super) fn look_at_gone_rooms(&mut self, now: Instant, takes: impl Fn(ConnId) -> bool) {
        let drain = self.model.facts.limits.drain;
        let mut found = Ok(());
        for (room, since) in &self.model.history.gone {
            for (conn, wire) in self.wires.iter().filter(|(conn, wire)| wire.in_room(room).is_some() && takes(**conn)) {
                let due = since.max(&self.model.thawed).max(&wire.freely_since);
                if now > *due + drain + MOMENT {
                    let text = format!("{room} is gone for {:?}, and they are in it", now.since(*since));
                    found = Err(wire.names(*conn, Violation::new(5, text)));
                }
            }
        }
        self.note(found);
    }
}

impl Model {
    /// Whether a room says who is in it, where it has been so or not so all the time since this configuration.
    pub(super) fn says_who(&self, room: &str, version: usize) -> Option<bool> {
        let mut all = self.since(version).filter_map(|facts| Some(facts.rooms.get(room)?.full));
        let is_full = all.next()?;
        all.all(|other| other == is_full).then_some(is_full)
    }

    /// A room that says who is in it has not more members than such a room may; who was in before there were fewer stays.
    pub(super) fn is_no_crowd(
        &self,
        roster: Option<&BTreeMap<String, String>>,
        version: usize,
    ) -> Result<(), Violation> {
        let count = roster.map_or(0, BTreeMap::len);
        let most = self.since(version).map(|facts| facts.limits.full_members).max().unwrap_or_default();
        if count > most { wrong(7, format!("{count} are in a room of {most}")) } else { Ok(()) }
    }

    /// Whether a code may keep somebody out since this configuration who may come in by it else: because it is gone, because
    /// the room is, or because it takes nobody without an account.
    pub(super) fn is_shut(&self, code: &str, person: usize, version: usize, why: &str) -> bool {
        let room = |facts: &Facts| facts.opened(code).map(|(room, _)| room.clone());
        // Who is on the way into a room is not led into another one.
        let is_moved = || self.since(version).any(|facts| room(facts) != room(&self.facts));
        why == "code_expired" && is_moved()
            || self.since(version).any(|facts| match (why, facts.opened(code)) {
                ("code_expired", None) => self.was_code(code),
                ("code_expired", Some((_, CodeFacts { expires, .. }))) => {
                    expires.is_some_and(|expires| expires <= self.latest)
                }
                ("no_guests", Some((room, _))) => {
                    let takes_guests = facts.guests && facts.rooms[room].guests;
                    !takes_guests && self.logins.account_of(person).is_none()
                }
                _ => false,
            })
    }
}

impl Model {
    /// Whether a guest who was called `had` may be called `name` by now: their name may have become an account's.
    pub(super) fn may_be_called(&self, had: &str, name: &str) -> bool {
        name == had || self.is_protected(had, 0) && is_number_of(name, had)
    }
}

impl Wire {
    /// The server serves another configuration; `before`: the one that it had.
    fn reloaded(&mut self, model: &mut Model, now: Instant, before: &Facts) {
        let facts = model.facts.clone();
        let is_read_at_once = self.is_read_at_once(model);
        let is_gone = |room: &String| before.rooms.contains_key(room) && !facts.rooms.contains_key(room);
        for room in before.rooms.keys().filter(|room| is_gone(room)) {
            let said = self.says.iter().filter(|(_, say)| say.room == **room && is_read_at_once);
            let said = said.map(|(id, _)| id.clone()).collect();
            self.owed_there.insert(room.clone(), said);
        }
        if let Trust::Client(person) = self.trust {
            for (room, sub) in self.subs.iter().filter(|(room, _)| facts.rooms.contains_key(*room)) {
                self.owed_there.remove(room);
                // One that comes back before its end was never gone.
                if !before.rooms.contains_key(room) && self.is_current(model) {
                    model.people.lets_in((room, &sub.code), person, None);
                }
            }
        }
        let account = |facts: &Facts, name: &String| facts.accounts.get(name).map(|account| account.secret.clone());
        if let Some(name) = &self.account
            && account(before, name) != account(&facts, name)
        {
            self.account_over.get_or_insert(now);
            if is_read_at_once {
                self.owed = self.says.keys().cloned().collect();
            }
        }
        let is_new = |name: &String| {
            let name = name.to_lowercase();
            facts.accounts.contains_key(&name) && !before.accounts.contains_key(&name)
        };
        if self.account.is_none() && self.name.as_ref().is_some_and(is_new) {
            self.numbered = self.name.clone();
        }
        self.screen.reloaded(now, self.stuck.is_none(), before, &facts);
    }

    /// Whether somebody is called so since there is an account of the name that they had.
    pub(super) fn is_numbered(&self, model: &Model, name: &str) -> bool {
        let is_it = |had: &String| {
            let is_account = |facts: &Facts| facts.accounts.contains_key(&had.to_lowercase());
            is_number_of(name, had) && model.lately().any(is_account)
        };
        self.numbered.iter().chain(&self.name).any(is_it)
    }

    /// Somebody reads that they are let in as an account: if it was changed since that was written, they are out.
    pub(super) fn may_lose_account(&mut self, model: &Model) {
        let secret = |facts: &Facts| facts.accounts.get(self.account.as_ref()?).map(|account| account.secret.clone());
        self.may_lose_account = model.since(self.version).any(|facts| secret(facts) != secret(&model.facts));
    }

    /// A room has let somebody in by a code: it is there, the code opens it or they were in by it, and they are told what they may
    /// do there. Says that.
    pub(super) fn is_let_into(
        &self,
        model: &Model,
        person: usize,
        room: &str,
        code: &str,
        asked: &Asked,
        at: &Json,
    ) -> Result<&'static str, Violation> {
        let served = || model.since(asked.version).filter_map(|facts| Some((facts, facts.rooms.get(room)?)));
        if served().next().is_none() {
            return wrong(1, "a room that there is not");
        }
        let account = model.logins.account_of(person);
        let by_name = matches!(&asked.what, Ask::Join { room: Some(_), .. });
        let comes_by = |facts: &Facts| facts.opens(room, code) || asked.may_be_in || by_name && account.is_some();
        if !served().any(|(facts, _)| comes_by(facts)) {
            return wrong(1, format!("{code} does not open it"));
        }
        let told = at.text("role").and_then(Role::named);
        let is_so = |(facts, room_facts): (&Facts, &super::RoomFacts)| {
            let listed = facts.listed(account, room).unwrap_or(Role::Read);
            // Another session of the account may have come by another code since, or by one that the room has no more.
            let any_code = model.codes_once(room).filter_map(|code| model.once(room, code));
            let mut any_role = any_code.flat_map(|code| [code.role, code.role.min(Role::Talk)]).chain([Role::Talk]);
            let is_role = model.role_by(facts, person, room, code) == told
                || by_name && any_role.any(|role| Some(role.max(listed)) == told);
            comes_by(facts) && is_role && at.text("title") == Some(&room_facts.title)
        };
        match told.filter(|_| served().any(is_so)) {
            Some(role) => Ok(role.as_str()),
            None => wrong(1, "another role or title than the room's"),
        }
    }

    /// A room is called something else, or another role is somebody's there.
    pub(super) fn room_news(&mut self, model: &Model, frame: &Json) -> Result<(), Violation> {
        let Some(at) = frame.get("room") else { return wrong(6, "news of no room") };
        let room = at.text("id").unwrap_or_default();
        let (Trust::Client(person), version) = (self.trust, self.version) else { return Ok(()) };
        let Some(sub) = self.subs.get_mut(room) else {
            return wrong(1, format!("something of {room}, which this connection is not in"));
        };
        let told = at.text("role").and_then(Role::named);
        let is_so = |facts: &Facts| {
            let Some(room_facts) = facts.rooms.get(room) else { return false };
            let is_role = match model.logins.account_of(person) {
                Some(_) => told.is_some(),
                None => model.role_by(facts, person, room, &sub.code) == told,
            };
            is_role && at.text("title") == Some(&room_facts.title)
        };
        if !model.since(version).any(is_so) {
            return wrong(1, "another role or title than the room's");
        }
        (sub.role, sub.title) = (told.map_or("talk", Role::as_str), at.text("title").unwrap_or_default().into());
        Ok(())
    }

    /// A room is left, as was asked for; or it is gone.
    pub(super) fn left(&mut self, model: &Model, now: Instant, frame: &Json) -> Result<(), Violation> {
        let room = frame.text("room").unwrap_or_default().to_string();
        let is_closed = match frame.text("code") {
            None => false,
            Some("room_closed") if frame.text("retry") == Some("no") => true,
            Some(_) => return wrong(6, "nobody is put out here for that"),
        };
        if is_closed && !model.was_gone(&room, self.version) {
            return wrong(5, format!("{room} is called closed, and is not"));
        }
        let asked = match frame.text("re") {
            None if is_closed => None,
            re => Some(self.answered(now, re.unwrap_or_default())?),
        };
        if let Some(asked) = &asked {
            let Ask::Leave { room: left, .. } = &asked.what else { return wrong(9, "left unasked") };
            if *left != room {
                return wrong(5, format!("{left} was to be left"));
            }
        }
        let was_in = self.subs.remove(&room).is_some();
        if !was_in && asked.is_none() {
            return wrong(5, format!("{room} is closed for one who is not in it"));
        }
        let drain = model.facts.limits.drain;
        let (early, since) = if is_closed {
            let owed = self.owed_there.remove(&room).unwrap_or_default();
            let early = self.says.iter().any(|(id, say)| say.room == room && owed.contains(id));
            let since = model.history.ever_gone.get(&room).copied().unwrap_or_default();
            // What was not settled in time may have no answer any more.
            let said = self.says.iter().filter(|(_, say)| say.room == room && now.since(since) >= drain);
            self.given_up.extend(said.map(|(id, _)| id.clone()));
            self.says.retain(|id, _| !self.given_up.contains(id));
            (early, since)
        } else {
            let number = asked.as_ref().map_or(0, |asked| asked.number);
            let says = self.says.iter().filter(|(_, say)| say.number < number && say.room == room);
            let early: Vec<String> = says.map(|(id, _)| id.clone()).collect();
            // What comes of them after that reaches nobody who is out.
            self.unheard.extend(early.iter().cloned());
            (!early.is_empty(), asked.map_or(now, |asked| asked.at))
        };
        let overdue = now.since(since) >= drain;
        if early && !overdue { wrong(5, "left before what was said there") } else { Ok(()) }
    }

    /// What somebody should have been told of another configuration, and was not.
    fn is_untold(&self, model: &Model) -> Option<Violation> {
        let Trust::Client(person) = self.trust else { return self.screen.is_untold() };
        if self.is_over || self.is_leaving || self.account_over.is_some() {
            return None;
        }
        for (room, sub) in &self.subs {
            let Some(facts) = model.facts.rooms.get(room) else { continue };
            if sub.title != facts.title {
                return Some(Violation::new(1, format!("{room} is called {:?}, and they are not told", facts.title)));
            }
            if sub.roster.is_some() != facts.full {
                return Some(Violation::new(10, format!("{room} tells in the old way who is in it")));
            }
            if let Some(violation) = self.has_old_role(model, person, room, sub) {
                return Some(violation);
            }
            if let Some(name) = sub.roster.as_ref().and_then(|roster| model.is_called_as_an_account(roster)) {
                return Some(Violation::new(13, format!("a guest is still called {name} in {room}")));
            }
        }
        None
    }

    fn has_old_role(&self, model: &Model, person: usize, room: &str, sub: &Sub) -> Option<Violation> {
        let role = Role::named(sub.role);
        let is_so = match &self.account {
            None => role == model.role_by(&model.facts, person, room, &sub.code),
            Some(account) => {
                let listed = model.facts.listed(Some(account), room);
                role >= listed && role <= listed.max(model.highest_in(room)).max(Some(Role::Talk))
            }
        };
        (!is_so).then(|| Violation::new(1, format!("they have another role in {room}, and are told {}", sub.role)))
    }

    /// Whether somebody is in a room that is gone, where everything that was said is settled.
    fn is_still_there(&self, model: &Model) -> Option<Violation> {
        let mut gone = model.history.gone.keys().filter(|room| model.is_idle_in(room));
        let room = gone.find(|room| self.in_room(room).is_some())?;
        Some(Violation::new(5, format!("{room} is gone, and they are in it")))
    }

    /// Whether something that was said at netcat is to come to an end before the connection does.
    pub(super) fn is_owed_at_netcat(&self, model: &Model, say: &Say) -> bool {
        let Trust::Plain(person) = self.trust else { return true };
        !model.is_told_of(say.token) && model.has_let_speak(person, &say.room, say.version)
    }
}

/// Whether this is what somebody is called whose name somebody else has.
fn is_number_of(name: &str, had: &str) -> bool {
    let number = name.strip_prefix(had).and_then(|rest| rest.strip_prefix('-'));
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}
