//! What a line of json from the server must be, given what came before it.

use std::collections::{BTreeMap, BTreeSet};

use qun_core::{Instant, Role};

use super::Violation;
use super::json::Json;
use super::model::{Model, canonical};
use super::wire::{Asked, Sub, Trust, Wire, is_record};

type Roster = BTreeMap<String, String>;

fn wrong<T>(invariant: u8, text: impl Into<String>) -> Result<T, Violation> {
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
            "welcome" => self.welcome(model, &frame),
            "joined" => self.joined(model, &frame),
            "msg" => self.msg(model, &frame, line),
            "presence" => self.presence(&frame),
            "here" => self.here(model, &frame),
            "gap" => self.gap(model, &frame),
            "left" => self.left(model, now, &frame),
            "page" => self.page(model, &frame),
            "ok" => self.ok(model, &frame),
            "error" => self.error(model, &frame),
            "pong" => match self.asked.pop_front() {
                Some(Asked::Ping { n }) if frame.number("n") == Some(n) => Ok(()),
                other => wrong(9, format!("a pong, where the answer to {other:?} was due")),
            },
            "bye" => {
                self.is_over = true;
                Ok(())
            }
            "ping" => {
                self.is_pinged = true;
                Ok(())
            }
            "notice" => Ok(()),
            _ => wrong(6, "a line of no known type"),
        }
    }

    /// The request that this answers. All but says are answered in their order.
    fn answered(&mut self, frame: &Json) -> Result<Asked, Violation> {
        let re = frame.text("re").unwrap_or_default();
        match self.asked.pop_front() {
            Some(asked) if asked.id() == re => Ok(asked),
            other => wrong(9, format!("an answer to {re:?}, where one to {other:?} was due")),
        }
    }

    fn welcome(&mut self, model: &mut Model, frame: &Json) -> Result<(), Violation> {
        let (Asked::Hello { .. }, Trust::Client(person)) = (self.answered(frame)?, self.trust) else {
            return wrong(9, "a welcome to no hello");
        };
        let (Some(m), Some(name)) = (frame.text("m"), frame.text("name")) else { return wrong(6, "half a welcome") };
        if model.members.entry(person).or_insert_with(|| m.into()) != m {
            return wrong(10, format!("person {person} was somebody else"));
        }
        (self.me, self.name) = (Some(m.into()), Some(name.into()));
        Ok(())
    }

    fn joined(&mut self, model: &mut Model, frame: &Json) -> Result<(), Violation> {
        let Asked::Join { code, resume, tail, .. } = self.answered(frame)? else { return wrong(9, "joined unasked") };
        let Some(at) = frame.get("room") else { return wrong(6, "joined, but what?") };
        let room = at.text("id").unwrap_or_default();
        let Some(facts) = model.facts.rooms.get(room) else { return wrong(1, "a room that there is not") };
        let role = match facts.codes.get(&canonical(&code)) {
            None => return wrong(1, format!("{code} does not open it")),
            Some(Role::Read) => "read",
            Some(_) => "talk",
        };
        if at.text("role") != Some(role) || at.text("title") != Some(&facts.title) {
            return wrong(1, "another role or title than the room's");
        }
        let Some((epoch, told)) = model.told(room) else { return wrong(4, "a room that is not open") };
        let numbers = [frame.number("first"), frame.number("from"), frame.number("head")];
        let [Some(first), Some(from), Some(head)] = numbers else { return wrong(6, "joined without numbers") };
        if frame.text("epoch") != Some(epoch) || head > told || first > head + 1 || from > head + 1 {
            return wrong(2, format!("{room} is at {told} in {epoch}"));
        }
        let known = resume.filter(|(at, seq)| at == epoch && *seq <= head).map_or(0, |(_, seq)| seq);
        let replay = model.facts.limits.replay;
        let due = (known + 1).max((head + 1).saturating_sub(tail.unwrap_or(replay).min(replay)));
        if from < due {
            return wrong(2, format!("{due} was due"));
        }
        let due = due.max(first);
        // The room may have let go of the oldest; not so where all of it is surely less than it may hold.
        let cost = |seq| model.record(room, epoch, seq).map_or(0, |record| 500 + 2 * record.text.as_str().len());
        let most: usize = (due..=head).map(cost).sum::<usize>() + 500 * model.causes as usize;
        if from > due && most < model.facts.limits.room_bytes {
            return wrong(2, format!("{due} was due and is surely held"));
        }
        let roster = self.roster(frame, facts.full)?;
        if let Some(roster) = &roster
            && roster.get(self.me.as_deref().unwrap_or_default()) != self.name.as_ref()
        {
            return wrong(10, "a roster without me as I am called");
        }
        let here = frame.number("here").unwrap_or_default();
        self.subs.insert(room.into(), Sub { epoch: epoch.into(), next: from, backlog: head, roster, here });
        Ok(())
    }

    fn roster(&self, frame: &Json, full: bool) -> Result<Option<Roster>, Violation> {
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
        Ok(Some(roster))
    }

    /// The room that a frame is of, where this connection is in it.
    fn sub(&mut self, frame: &Json) -> Result<(String, &mut Sub), Violation> {
        let room = frame.text("room").unwrap_or_default();
        match self.subs.get_mut(room) {
            Some(sub) => Ok((room.into(), sub)),
            None => wrong(1, format!("something of {room}, which this connection is not in")),
        }
    }

    fn msg(&mut self, model: &mut Model, frame: &Json, line: &[u8]) -> Result<(), Violation> {
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
        let at = (room.clone(), seq);
        if model.frames.entry(at.clone()).or_insert_with(|| line.to_vec()) != line {
            return wrong(2, "another member has got other bytes");
        }
        if let (true, Some(roster)) = (seq > sub.backlog, &sub.roster) {
            let others = model.rosters.entry(at).or_insert_with(|| roster.clone());
            if others != roster {
                return wrong(10, format!("here the roster is {roster:?}, for another member it is {others:?}"));
            }
        }
        if let Some(id) = frame.text("id")
            && frame.text("m") == self.me.as_deref()
        {
            self.says.remove(id);
        }
        Ok(())
    }

    fn presence(&mut self, frame: &Json) -> Result<(), Violation> {
        let (me, mut my_name) = (self.me.clone(), None);
        let (_, sub) = self.sub(frame)?;
        let Some(roster) = &mut sub.roster else { return wrong(10, "presence in a room that only counts") };
        let text = |key| frame.text(key).map(String::from).unwrap_or_default();
        let (m, name) = (text("m"), text("name"));
        let was = match frame.text("ev").unwrap_or_default() {
            "in" => roster.insert(m.clone(), name.clone()).is_none(),
            "out" => roster.remove(&m).as_ref() == Some(&name),
            "name" => {
                if Some(&m) == me.as_ref() {
                    my_name = Some(name.clone());
                }
                roster.insert(m.clone(), name.clone()) == Some(text("was"))
            }
            _ => false,
        };
        sub.here = roster.len() as u64;
        let names: BTreeSet<_> = roster.values().map(|name| name.to_lowercase()).collect();
        if !was || names.len() != roster.len() {
            return wrong(10, format!("it does not follow from what was told before: now {roster:?}"));
        }
        self.name = my_name.or(self.name.take());
        Ok(())
    }

    fn here(&mut self, model: &Model, frame: &Json) -> Result<(), Violation> {
        let (room, sub) = self.sub(frame)?;
        if model.facts.rooms.get(&room).is_none_or(|room| room.full) {
            return wrong(10, "a number where a roster is told");
        }
        sub.here = frame.number("n").unwrap_or_default();
        Ok(())
    }

    fn gap(&mut self, model: &mut Model, frame: &Json) -> Result<(), Violation> {
        let full = model.facts.rooms.get(frame.text("room").unwrap_or_default()).is_some_and(|room| room.full);
        let roster = self.roster(frame, full)?;
        let (room, sub) = self.sub(frame)?;
        let [Some(from), Some(to)] = [frame.number("from"), frame.number("to")] else { return wrong(6, "half a gap") };
        if from != sub.next || to + 1 < from || model.told(&room).is_none_or(|(_, head)| to > head) {
            return wrong(2, format!("{} was due", sub.next));
        }
        (sub.next, sub.roster, sub.here) = (to + 1, roster, frame.number("here").unwrap_or_default());
        model.gaps += 1;
        // What was said here and missed has had its echo.
        let missed = (from..=to).filter_map(|seq| model.record(&room, &sub.epoch, seq)?.id);
        let missed: BTreeSet<_> = missed.map(|id| id.to_string()).collect();
        self.says.retain(|id, _| !missed.contains(id));
        Ok(())
    }

    fn left(&mut self, model: &Model, now: Instant, frame: &Json) -> Result<(), Violation> {
        let Asked::Leave { room, at, number, .. } = self.answered(frame)? else { return wrong(9, "left unasked") };
        if frame.text("room") != Some(&room) {
            return wrong(5, format!("{room} was to be left"));
        }
        self.subs.remove(&room);
        let overdue = now.since(at) >= model.facts.limits.drain;
        let early = self.says.values().any(|(said, of)| *said < number && *of == room);
        if early && !overdue { wrong(5, "left before what was said there") } else { Ok(()) }
    }

    fn page(&mut self, model: &Model, frame: &Json) -> Result<(), Violation> {
        let Asked::History { room, before, after, limit, head, .. } = self.answered(frame)? else {
            return wrong(9, "a page that nobody asked for");
        };
        let Some(sub) = self.subs.get(&room).filter(|_| frame.text("room") == Some(&room)) else {
            return wrong(1, "a page of a room that this connection is not in");
        };
        let (first, more) = (frame.number("first"), frame.get("more") == Some(&Json::Bool(true)));
        let (Some(first), Some(msgs)) = (first, frame.list("msgs")) else { return wrong(6, "half a page") };
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
        if fits { Ok(()) } else { wrong(2, format!("not the page asked for, of {room} at {head}")) }
    }

    fn ok(&mut self, model: &Model, frame: &Json) -> Result<(), Violation> {
        let re = frame.text("re").unwrap_or_default();
        let Some(token) = self.sent.get(re) else {
            return match self.answered(frame)? {
                Asked::Name { name, .. } => {
                    self.name = Some(name);
                    Ok(())
                }
                other => wrong(9, format!("ok to {other:?}")),
            };
        };
        self.says.remove(re);
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

    fn error(&mut self, model: &Model, frame: &Json) -> Result<(), Violation> {
        let (re, code) = (frame.text("re").unwrap_or_default(), frame.text("code").unwrap_or_default());
        if let Some(token) = self.sent.get(re) {
            // One that came twice may be echoed for the first time, and refused for the second.
            return match self.says.remove(re) {
                None if !model.came_twice(*token) => wrong(3, "a say is answered twice"),
                _ => Ok(()),
            };
        }
        if re.is_empty() && self.is_torn {
            return Ok(());
        }
        match (self.answered(frame)?, code) {
            (Asked::Join { code: tried, .. }, "bad_code") => {
                let opens = |room: &super::model::RoomFacts| room.codes.contains_key(&canonical(&tried));
                if model.facts.rooms.values().any(opens) { wrong(1, "the code is right") } else { Ok(()) }
            }
            (_, "bad_frame" | "unknown_type" | "bad_field" | "bad_state" | "internal") => {
                wrong(6, "a client of ours is not understood")
            }
            _ => Ok(()),
        }
    }
}
