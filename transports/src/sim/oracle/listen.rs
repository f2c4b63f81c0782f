//! What a line of json from the server must be, given what came before it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use qun_core::{Instant, Limits, Role, SERVER_LINE};

use super::Violation;
use super::ask::Ask;
use super::json::Json;
use super::model::Model;
use super::wire::{Sub, Trust, Wire, is_record};

type Roster = BTreeMap<String, String>;

pub(super) fn wrong<T>(invariant: u8, text: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::new(invariant, text))
}

impl Wire {
    pub(super) fn frame(&mut self, model: &mut Model, now: Instant, line: &[u8]) -> Result<(), Violation> {
        // What does not begin so is a prompt, from before the server knew what it speaks to.
        if !line.starts_with(b"{") {
            return if self.me.is_some() { wrong(6, "a line that is no frame") } else { Ok(()) };
        }
        let Some(frame) = Json::read(line) else { return wrong(6, "a line that can't be read") };
        if self.is_over {
            return wrong(5, "a line after bye");
        }
        let kind = frame.text("t").unwrap_or_default();
        if self.me.is_none() && !matches!(kind, "welcome" | "error" | "bye") {
            return wrong(1, "a line before welcome");
        }
        match kind {
            "welcome" => self.welcome(model, now, &frame),
            "joined" => self.joined(model, now, &frame),
            "msg" => self.msg(model, now, &frame, line),
            "presence" => self.presence(model, now, &frame),
            "here" => self.here(model, now, &frame),
            "gap" => self.gap(model, &frame),
            "left" => self.left(model, now, &frame),
            "page" => self.page(model, now, &frame),
            "found" => self.found(model, now, &frame),
            "ok" => self.ok(model, now, &frame),
            "error" => self.error(model, now, &frame),
            "pong" => match self.answered(now, "")?.what {
                Ask::Ping { n } if frame.number("n") == Some(n) => Ok(()),
                other => wrong(9, format!("a pong, where the answer to {other:?} was due")),
            },
            "bye" => self.bye(model, now, &frame),
            "ping" => self.ping(model, now),
            "notice" => Ok(()),
            _ => wrong(6, "a line of no known type"),
        }
    }

    fn welcome(&mut self, model: &mut Model, now: Instant, frame: &Json) -> Result<(), Violation> {
        let asked = self.answered(now, frame.text("re").unwrap_or_default())?;
        let (Ask::Hello { name: wanted, password, resumes, .. }, Trust::Client(person)) = (asked.what, self.trust)
        else {
            return wrong(9, "a welcome to no hello");
        };
        let (Some(m), Some(name)) = (frame.text("m"), frame.text("name")) else { return wrong(6, "half a welcome") };
        model.people.is_called(person, m)?;
        model.is_let_in(frame, wanted.as_deref().unwrap_or_default(), password.as_deref())?;
        model.is_theirs(name, m)?;
        let resumed = frame.get("resumed") == Some(&Json::Bool(true));
        if resumes.is_some_and(|resumes| resumes != resumed) {
            return wrong(10, format!("the session must {}be there still", if resumed { "not " } else { "" }));
        }
        let suffixed = |wanted: &str| {
            let suffix = name.strip_prefix(wanted).and_then(|suffix| suffix.strip_prefix('-'));
            suffix.is_some_and(|suffix| suffix.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let is_theirs = match &wanted {
            // Over its rate, a session keeps the name that it has.
            _ if resumed => true,
            None => suffixed("guest"),
            Some(wanted) if name == wanted => true,
            Some(wanted) => {
                suffixed(wanted) && (model.is_protected(wanted) || model.people.may_be_taken(person, wanted))
            }
        };
        if !is_theirs {
            return wrong(10, format!("{wanted:?} is what they wanted to be called"));
        }
        if wanted.is_none() && !resumed && !model.guests.insert(name.into()) {
            return wrong(10, format!("{name} was another guest before"));
        }
        let limits = &model.facts.limits;
        let told = |key| frame.get("limits").and_then(|told| told.number(key));
        let seconds = |time: Duration| Some(time.as_secs());
        let are_told = told("line") == Some(limits.line as u64)
            && told("text") == Some(limits.text.bytes as u64)
            && told("lines") == Some(limits.text.lines as u64)
            && told("replay") == Some(limits.replay)
            && told("burst") == Some(limits.burst.into())
            && told("per_s") == Some(limits.per_s.into())
            && frame.number("ping_s") == seconds(limits.ping)
            && frame.number("grace_s") == seconds(limits.grace);
        if !are_told {
            return wrong(6, "these are not the limits");
        }
        let shown = frame.number("now").unwrap_or_default();
        if model.set_back < asked.at && !(asked.clock..=model.clock).contains(&shown) {
            return wrong(6, format!("the clock showed {} to {}", asked.clock, model.clock));
        }
        model.people.named(person, name);
        (self.me, self.name) = (Some(m.into()), Some(name.into()));
        Ok(())
    }

    fn joined(&mut self, model: &mut Model, now: Instant, frame: &Json) -> Result<(), Violation> {
        let asked = self.answered(now, frame.text("re").unwrap_or_default())?;
        let (Ask::Join { code, by_name, resume, tail, first: begun, head: before, .. }, Trust::Client(person)) =
            (asked.what.clone(), self.trust)
        else {
            return wrong(9, "joined unasked");
        };
        model.people.session(person).is_answered(now, &asked);
        let Some(at) = frame.get("room") else { return wrong(6, "joined, but what?") };
        let room = at.text("id").unwrap_or_default();
        let Some(facts) = model.facts.rooms.get(room) else { return wrong(1, "a room that there is not") };
        let Some(opens) = facts.codes.get(&code) else { return wrong(1, format!("{code} does not open it")) };
        let listed = model.listed(person, room);
        let told = at.text("role").and_then(Role::named);
        // Another session of the account may have come by another code since.
        let role = match told.filter(|told| by_name && facts.codes.values().any(|code| code.role.max(listed) == *told))
        {
            Some(told) => told,
            None => opens.role.max(listed),
        };
        let role = role.as_str();
        if at.text("role") != Some(role) || at.text("title") != Some(&facts.title) {
            return wrong(1, "another role or title than the room's");
        }
        let Some((epoch, told)) = model.told(room) else { return wrong(4, "a room that is not open") };
        let before = before.max(model.opened_at(room));
        let numbers = [frame.number("first"), frame.number("from"), frame.number("head")];
        let [Some(first), Some(from), Some(head)] = numbers else { return wrong(6, "joined without numbers") };
        if frame.text("epoch") != Some(epoch) || head > told || head < before || from > head + 1 {
            return wrong(2, format!("{room} was at {before} and is at {told} in {epoch}"));
        }
        let begins = model.first(room, epoch);
        if first < begun.min(head + 1) || first > begins.min(head + 1) {
            return wrong(2, format!("the log begins at {begins}, and began at {begun}"));
        }
        let known = resume.filter(|(at, seq)| at == epoch && *seq <= head).map_or(0, |(_, seq)| seq);
        let replay = model.facts.limits.replay;
        let due = (known + 1).max((head + 1).saturating_sub(tail.unwrap_or(replay).min(replay)));
        if from < due {
            return wrong(2, format!("{due} was due"));
        }
        let due = due.max(first);
        // The room may have let go of the oldest; not so where all of it is surely less than it may hold.
        if from > due && model.are_surely_held(room, epoch, due, head) {
            return wrong(2, format!("{due} was due and is surely held"));
        }
        if from > due {
            let epoch = epoch.to_string();
            model.lets_go(room, &epoch, from, false);
        }
        self.comes_in(model, person, room, &code, &asked)?;
        let roster = roster(frame, model.facts.rooms[room].full, &model.facts.limits)?;
        model.are_theirs(roster.as_ref())?;
        if let Some(roster) = &roster
            && roster.get(self.me.as_deref().unwrap_or_default()) != self.name.as_ref()
        {
            return wrong(10, "a roster without me as I am called");
        }
        let mut members = frame.list("members").unwrap_or_default().iter();
        let listed = members.find(|member| member.text("m") == self.me.as_deref());
        // Of an account it has the highest that any of the sessions has there.
        let is_alone = model.logins.account_of(person).is_none();
        if listed.is_some_and(|me| is_alone && me.text("role").unwrap_or("talk") != role) {
            return wrong(10, "a roster in which I have another role");
        }
        let (epoch, _) = model.told(room).unwrap_or_default();
        let sub = Sub {
            epoch: epoch.into(),
            next: from,
            backlog: head,
            is_quiet: false,
            roster,
            roles: roles(frame),
            here: frame.number("here").unwrap_or_default(),
            here_told: None,
            code: code.clone(),
            role,
            number: asked.number,
            begun_at: (asked.turn == model.turn && asked.number == self.requests).then_some(asked.turn),
        };
        self.kept_out.remove(room);
        self.subs.insert(room.into(), sub);
        let most = model.facts.limits.rooms;
        if self.subs.len() > most {
            return wrong(7, format!("in {} rooms, where {most} are allowed", self.subs.len()));
        }
        model.people.session(person).joined(room);
        // What was asked after that may have changed it already; and an account may be in by any code by which it came once.
        let is_sure = self.is_bound(model, now) && self.asked.is_empty() && model.logins.account_of(person).is_none();
        // What is read after another connection has taken over was decided before that.
        if self.is_current(model) {
            model.people.lets_in(&code, person, is_sure.then_some(now));
        }
        Ok(())
    }

    /// The room that a frame is of, where this connection is in it.
    fn sub(&mut self, frame: &Json) -> Result<(String, &mut Sub), Violation> {
        let room = frame.text("room").unwrap_or_default();
        match self.subs.get_mut(room) {
            Some(sub) => Ok((room.into(), sub)),
            None => wrong(1, format!("something of {room}, which this connection is not in")),
        }
    }

    fn msg(&mut self, model: &mut Model, now: Instant, frame: &Json, line: &[u8]) -> Result<(), Violation> {
        let is_whole = self.is_whole;
        let (room, sub) = self.sub(frame)?;
        let seq = frame.number("seq").unwrap_or_default();
        if seq != sub.next {
            return wrong(2, format!("{} was due", sub.next));
        }
        sub.next += 1;
        match model.record(&room, &sub.epoch, seq) {
            None => return wrong(4, "the log does not have it"),
            Some(record) if !is_record(frame, record) => return wrong(2, format!("the log has {record:?}")),
            Some(_) => {}
        }
        if model.told(&room).is_none_or(|(_, head)| head < seq) {
            return wrong(4, "the server was not told of it");
        }
        if is_whole && !model.are_lines_kept {
            let is_alone = sub.is_quiet && seq > sub.backlog + 1;
            model.is_held(&room, &sub.epoch, seq, is_alone)?;
        }
        sub.is_quiet = true;
        let around = sub.roster.as_ref().filter(|_| seq > sub.backlog);
        if let Some(roster) = around {
            let (m, text) = (frame.text("m").unwrap_or_default(), frame.text("text").unwrap_or_default());
            model.is_in_time(&room, m, text, roster)?;
        }
        model.looks_the_same(&room, seq, line, around.map(|roster| (roster, &sub.roles)))?;
        if let Some(id) = frame.text("id")
            && frame.text("m") == self.me.as_deref()
        {
            self.says.remove(id);
            self.waits_since = now;
        }
        Ok(())
    }

    fn presence(&mut self, model: &mut Model, now: Instant, frame: &Json) -> Result<(), Violation> {
        let (me, mut my_name) = (self.me.clone(), None);
        let when = (now, self.freely_since.max(model.thawed));
        let (room, sub) = self.sub(frame)?;
        sub.is_quiet = false;
        let Some(roster) = &mut sub.roster else { return wrong(10, "presence in a room that only counts") };
        if let (Some("in" | "out" | "role"), Some(m)) = (frame.text("ev"), frame.text("m")) {
            match frame.text("role").filter(|role| *role != "talk") {
                Some(role) => sub.roles.insert(m.into(), role.into()),
                None => sub.roles.remove(m),
            };
        }
        let text = |key| frame.text(key).map(String::from).unwrap_or_default();
        let (m, name) = (text("m"), text("name"));
        model.is_theirs(&name, &m)?;
        let was = match frame.text("ev").unwrap_or_default() {
            "in" => roster.insert(m.clone(), name.clone()).is_none(),
            "out" => {
                // Of an account any session may be the last that goes.
                if !model.logins.is_account(&m) {
                    let may_go = model.people.may_go(when, &m, &room, &text("why"), &model.facts.limits);
                    may_go.map_err(|text| Violation::new(5, text))?;
                }
                model.goes(now, &room, &m);
                roster.remove(&m).as_ref() == Some(&name)
            }
            "name" => {
                if Some(&m) == me.as_ref() {
                    my_name = Some(name.clone());
                }
                roster.insert(m.clone(), name.clone()) == Some(text("was"))
            }
            "role" => roster.get(&m) == Some(&name) && Role::named(&text("role")).is_some(),
            _ => false,
        };
        sub.here = roster.len() as u64;
        is_no_crowd(roster, &model.facts.limits)?;
        let names: BTreeSet<_> = roster.values().map(|name| name.to_lowercase()).collect();
        if !was || names.len() != roster.len() {
            return wrong(10, format!("it does not follow from what was told before: now {roster:?}"));
        }
        if let Some(person) = model.people.whose(&m) {
            model.people.named(person, &name);
        }
        self.name = my_name.or(self.name.take());
        Ok(())
    }

    fn here(&mut self, model: &Model, now: Instant, frame: &Json) -> Result<(), Violation> {
        let freely_since = self.freely_since;
        let (room, sub) = self.sub(frame)?;
        if model.facts.rooms.get(&room).is_none_or(|room| room.full) {
            return wrong(10, "a number where a roster is told");
        }
        (sub.here, sub.is_quiet) = (frame.number("n").unwrap_or_default(), false);
        // Who does not take what there is gets the one before late; and so does everyone from a machine that stood still.
        let before = sub.here_told.replace(now).filter(|before| freely_since < *before && model.thawed < *before);
        match before.map(|before| now.since(before)) {
            Some(time) if time < model.facts.limits.here => wrong(10, format!("{time:?} after the number before")),
            _ => Ok(()),
        }
    }

    fn gap(&mut self, model: &mut Model, frame: &Json) -> Result<(), Violation> {
        let full = model.facts.rooms.get(frame.text("room").unwrap_or_default()).is_some_and(|room| room.full);
        let roster = roster(frame, full, &model.facts.limits)?;
        model.are_theirs(roster.as_ref())?;
        let (room, sub) = self.sub(frame)?;
        let [Some(from), Some(to)] = [frame.number("from"), frame.number("to")] else { return wrong(6, "half a gap") };
        let told = model.told(&room).map_or(0, |(_, head)| head);
        if from != sub.next || to + 1 < from || to > told {
            return wrong(2, format!("{} was due", sub.next));
        }
        if sub.begun_at == Some(model.turn) || model.are_surely_held(&room, &sub.epoch, from, told) {
            return wrong(2, format!("{room} surely holds what is called missed"));
        }
        model.lets_go(&room, &sub.epoch, from, true);
        sub.is_quiet = false;
        (sub.next, sub.roster, sub.here) = (to + 1, roster, frame.number("here").unwrap_or_default());
        sub.roles = roles(frame);
        model.gaps += 1;
        // What was said here and missed has had its echo.
        let missed = (from..=to).filter_map(|seq| model.record(&room, &sub.epoch, seq)?.id);
        let missed: BTreeSet<_> = missed.map(|id| id.to_string()).collect();
        self.says.retain(|id, _| !missed.contains(id));
        Ok(())
    }

    fn left(&mut self, model: &Model, now: Instant, frame: &Json) -> Result<(), Violation> {
        let asked = self.answered(now, frame.text("re").unwrap_or_default())?;
        let Ask::Leave { room, .. } = asked.what else { return wrong(9, "left unasked") };
        if frame.text("room") != Some(&room) {
            return wrong(5, format!("{room} was to be left"));
        }
        self.subs.remove(&room);
        let overdue = now.since(asked.at) >= model.facts.limits.drain;
        let says = self.says.iter().filter(|(_, say)| say.number < asked.number && say.room == room);
        let early: Vec<String> = says.map(|(id, _)| id.clone()).collect();
        // What comes of them after that reaches nobody who is out.
        self.unheard.extend(early.iter().cloned());
        let early = !early.is_empty();
        if early && !overdue { wrong(5, "left before what was said there") } else { Ok(()) }
    }

    fn page(&mut self, model: &Model, now: Instant, frame: &Json) -> Result<(), Violation> {
        let asked = self.answered(now, frame.text("re").unwrap_or_default())?;
        let Ask::History { room, before, after, limit, head, .. } = asked.what else {
            return wrong(9, "a page that nobody asked for");
        };
        let Some(sub) = self.subs.get(&room).filter(|_| frame.text("room") == Some(&room)) else {
            return wrong(1, "a page of a room that this connection is not in");
        };
        let (first, more) = (frame.number("first"), frame.get("more") == Some(&Json::Bool(true)));
        let (Some(first), Some(msgs)) = (first, frame.list("msgs")) else { return wrong(6, "half a page") };
        if first > model.first(&room, &sub.epoch) {
            return wrong(2, "the log begins before that");
        }
        if frame.text("epoch") != Some(&sub.epoch) || msgs.len() as u64 > limit.clamp(1, model.facts.limits.page) {
            return wrong(2, "a page of another history, or a longer one than asked for");
        }
        let bounds = (msgs.first(), msgs.last());
        let seq = |message: Option<&Json>| message.and_then(|message| message.number("seq"));
        let (lowest, highest) = (seq(bounds.0), seq(bounds.1));
        for (seq, message) in (lowest.unwrap_or_default()..).zip(msgs) {
            if model.record(&room, &sub.epoch, seq).is_none_or(|record| !is_record(message, record)) {
                return wrong(2, format!("the log has something else at {seq}"));
            }
        }
        let newest = model.book(&room, &sub.epoch).len() as u64;
        let fits = match (before, after) {
            (Some(before), _) => {
                let near = before.min(newest + 1) - 1;
                // The log may have grown since it was asked.
                let near_enough = highest.map_or(near.min(head) < first, |highest| highest >= near.min(head));
                near_enough && highest.is_none_or(|h| h < before) && more == lowest.is_some_and(|lowest| lowest > first)
            }
            (None, Some(after)) => {
                let from = (after + 1).max(first);
                lowest.map_or(from > head && !more, |lowest| lowest == from)
                    && (more || highest.unwrap_or(from - 1) >= head)
            }
            (None, None) => false,
        };
        if !fits {
            return wrong(2, format!("not the page asked for, of {room} at {head}"));
        }
        // Only a line of the server that is full holds fewer messages than there are and were asked for.
        let limit = limit.clamp(1, model.facts.limits.page);
        let (has_more, next) = match before {
            Some(_) => (more, lowest.map(|lowest| lowest - 1)),
            None => (more, highest.map(|highest| highest + 1)),
        };
        let cost =
            |seq: u64| model.record(&room, &sub.epoch, seq).map_or(0, |record| 400 + 2 * record.text.as_str().len());
        let all = lowest.into_iter().flat_map(|lowest| lowest..=highest.unwrap_or_default()).chain(next);
        let is_full = all.map(cost).sum::<usize>() > SERVER_LINE / 2;
        if has_more && (msgs.len() as u64) < limit && !is_full {
            return wrong(2, format!("{} messages, where {limit} were asked for, and there are more", msgs.len()));
        }
        Ok(())
    }

    fn ok(&mut self, model: &mut Model, now: Instant, frame: &Json) -> Result<(), Violation> {
        let re = frame.text("re").unwrap_or_default();
        let Some(token) = self.sent.get(re) else {
            return match (self.answered(now, re)?.what, self.trust) {
                (Ask::Name { name, .. }, Trust::Client(person)) => {
                    model.people.named(person, &name);
                    self.name = Some(name);
                    Ok(())
                }
                other => wrong(9, format!("ok to {other:?}")),
            };
        };
        self.says.remove(re);
        self.waits_since = now;
        let said = model.said.get(token);
        let seq = frame.number("seq").unwrap_or_default();
        let record = said.and_then(|said| {
            let (epoch, _) = model.told(&said.room)?;
            model.record(&said.room, epoch, seq)
        });
        match record {
            Some(record) if record.id.as_ref().is_some_and(|id| id.as_str() == re) => Ok(()),
            other => wrong(4, format!("at {seq} the log has {other:?}")),
        }
    }
}

/// What those may do in a room, as a frame tells it, who may not what most may.
fn roles(frame: &Json) -> BTreeMap<String, String> {
    let members = frame.list("members").unwrap_or_default().iter();
    let role = |member: &Json| Some((member.text("m")?.to_string(), member.text("role")?.to_string()));
    members.filter_map(role).filter(|(_, role)| role != "talk").collect()
}

/// Who is in a room, as a frame tells it.
fn roster(frame: &Json, full: bool, limits: &Limits) -> Result<Option<Roster>, Violation> {
    let Some(members) = frame.list("members") else {
        return if full { wrong(10, "no roster") } else { Ok(None) };
    };
    let person = |member: &Json| Some((member.text("m")?.to_string(), member.text("name")?.to_string()));
    let roster: Roster = members.iter().filter_map(person).collect();
    let names: BTreeSet<_> = roster.values().map(|name| name.to_lowercase()).collect();
    if !full || roster.len() != members.len() || names.len() != members.len() {
        return wrong(10, "a roster that has somebody or a name twice, or should not be told");
    }
    if frame.number("here") != Some(members.len() as u64) {
        return wrong(10, "a number that is not the roster's");
    }
    is_no_crowd(&roster, limits)?;
    Ok(Some(roster))
}

/// A room that says who is in it has not more members than such a room may.
fn is_no_crowd(roster: &Roster, limits: &Limits) -> Result<(), Violation> {
    let (count, most) = (roster.len(), limits.full_members);
    if count > most { wrong(7, format!("{count} are in a room of {most}")) } else { Ok(()) }
}
