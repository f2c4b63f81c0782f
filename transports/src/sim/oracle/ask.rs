//! What a client of this project asks for.

use std::collections::BTreeMap;

use qun_core::{Instant, Limits, Role};

use super::Violation;
use super::json::Json;
use super::model::{Model, Trouble, canonical, token};
use super::pace::Rate;
use super::wire::{Sub, Trust, Wire};

/// A request that waits for its answer.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) what: Ask,
    /// When it reached the server, as which of this connection's requests.
    pub(super) at: Instant,
    pub(super) number: u64,
    /// The newest message of each room here at that time: what the server knew then goes out before the answer. With the
    /// number of the membership.
    heads: Vec<(String, u64, u64)>,
    /// How often the log could not do what this asks for, up to then.
    pub(super) troubles: u64,
    /// In which of the model's turns.
    pub(super) turn: u64,
    /// What the server's clock for people showed.
    pub(super) clock: u64,
    /// Whether the same person has asked to come in by the same code before.
    pub(super) has_asked: bool,
    /// Where somebody comes back to a room in which they are held, as often as they like: until when they surely are.
    pub(super) returns: Option<Instant>,
    /// Whether nobody of their account has ever wanted to be there before: then it is not known there.
    pub(super) is_unknown: bool,
    /// Whether they surely are in the room by this code, so that it is not asked again.
    pub(super) is_in: bool,
    /// Whether they may be in the room by this code, whatever has become of it.
    pub(super) may_be_in: bool,
    /// By which configuration it may have been answered, or by any later one.
    pub(super) version: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// With the name that is asked for, and whether the session must still be there.
    Hello {
        id: String,
        name: Option<String>,
        password: Option<String>,
        resumes: Option<bool>,
    },
    Join {
        id: String,
        code: String,
        /// By the room's name: then the code is one by which any session of the account came last.
        room: Option<String>,
        resume: Option<(String, u64)>,
        tail: Option<u64>,
        first: u64,
        head: u64,
    },
    History {
        id: String,
        room: String,
        before: Option<u64>,
        after: Option<u64>,
        limit: u64,
        head: u64,
    },
    Search {
        id: String,
        room: String,
        words: String,
        before: Option<u64>,
        limit: u64,
        head: u64,
    },
    Leave {
        id: String,
        room: String,
    },
    Name {
        id: String,
        name: String,
    },
    Ping {
        n: u64,
    },
}

/// Something that was said and is not answered.
#[derive(Clone, Debug)]
pub(super) struct Say {
    /// As which of this connection's requests.
    pub(super) number: u64,
    pub(super) room: String,
    pub(super) token: u64,
    pub(super) troubles: u64,
    /// Whether the rate surely allows it.
    pub(super) fits: bool,
    /// By which configuration it may have been taken or refused, or by any later one.
    pub(super) version: usize,
}

impl Asked {
    pub(super) fn id(&self) -> &str {
        match &self.what {
            Ask::Hello { id, .. }
            | Ask::Join { id, .. }
            | Ask::History { id, .. }
            | Ask::Search { id, .. }
            | Ask::Leave { id, .. }
            | Ask::Name { id, .. } => id,
            Ask::Ping { .. } => "",
        }
    }
}

impl Wire {
    /// A client of this project sends nothing that can't be read.
    pub(super) fn request(&mut self, model: &mut Model, now: Instant, line: &[u8]) -> Result<(), Violation> {
        let unreadable = || Violation::new(6, format!("a client sent {:?}", String::from_utf8_lossy(line)));
        let request = Json::read(line).ok_or_else(unreadable)?;
        let text = |key| request.text(key).map(String::from);
        let id = || text("id").ok_or_else(unreadable);
        let Trust::Client(person) = self.trust else { return Err(unreadable()) };
        self.requests += 1;
        let number = self.requests;
        let is_current = self.is_current(model);
        let (mut troubles, mut has_asked, mut returns, mut is_in, mut may_be_in) = (0, false, None, false, false);
        let mut is_unknown = false;
        let what = match request.text("t").ok_or_else(unreadable)? {
            "hello" => {
                let (over, thawed) = (self.takes_over.take(), model.thawed);
                let (narrow, wide) = (model.narrow(), model.wide());
                let resumes = model.people.session(person).hello(now, thawed, over, (&narrow, &wide));
                self.hello = model.people.hellos(person);
                model.greets(now, person);
                model.people.lets_out(now, person, None, None);
                if let Some(name) = text("name") {
                    model.people.named(person, &name);
                }
                let (name, password) = (text("name"), text("password"));
                model.logs_in(now, self.source, person, name.as_deref(), password.as_deref());
                // Verdicts come in any order, and so sessions of an account begin in any.
                let resumes = resumes.filter(|_| password.is_none());
                Ask::Hello { id: id()?, name, password, resumes }
            }
            "join" => {
                // An account that came by a code once comes by the room's name, where the code is good no more.
                let code = match text("code") {
                    Some(code) => canonical(&code),
                    None => model.logins.last(person, &text("room").ok_or_else(unreadable)?).ok_or_else(unreadable)?,
                };
                let room = text("room").or_else(|| model.room_of(&code)).unwrap_or_else(|| {
                    model.people.tries(now, self.source);
                    String::new()
                });
                is_unknown = model.logins.joins(person, &room, &code);
                let wide = model.wide();
                let grace = model.narrow().grace;
                let held = model.people.session(person).held_until(now, &room, grace);
                returns = held.filter(|_| is_current && !self.joined.contains(&room));
                let held_by = model.people.session(person).held_by(&room).filter(|_| returns.is_some()).cloned();
                let by_code = self.subs.get(&room).map(|sub| sub.code.clone()).or(held_by);
                let is_handled_now = is_current && self.asked.is_empty() && self.is_bound(model, now);
                is_in = by_code.as_ref() == Some(&code) && is_handled_now;
                // By another code they are not in by the one before.
                if let Some(before) = self.subs.get(&room).map(|sub| &sub.code).filter(|before| **before != code)
                    && is_current
                {
                    model.people.lets_out(now, person, Some(&room), Some(before));
                }
                if !room.is_empty() {
                    has_asked = model.people.has_asked((&room, &code), person);
                    may_be_in = model.people.is_in_by((&room, &code), person, now, &wide);
                    if is_current {
                        model.people.lets_in((&room, &code), person, None);
                    }
                }
                troubles = model.troubles(&room, Trouble::Open);
                let head = model.told(&room).map_or(0, |(_, head)| head);
                let resume = request.get("resume");
                let resume = resume.and_then(|resume| Some((resume.text("epoch")?.into(), resume.number("seq")?)));
                let first = model.told_first(&room);
                if returns.is_none() {
                    model.people.session(person).acts(now);
                }
                self.joined.insert(room);
                let room = text("room");
                Ask::Join { id: id()?, code, room, resume, tail: request.number("tail"), first, head }
            }
            "history" => {
                let room = text("room").ok_or_else(unreadable)?;
                let (before, after) = (request.number("before"), request.number("after"));
                let limit = request.number("limit").unwrap_or(200);
                let head = model.told(&room).map_or(0, |(_, head)| head);
                troubles = model.troubles(&room, Trouble::Load);
                Ask::History { id: id()?, room, before, after, limit, head }
            }
            "search" => {
                self.spends(model, now, person);
                let (room, words) = (text("room").ok_or_else(unreadable)?, text("words").ok_or_else(unreadable)?);
                let (before, limit) = (request.number("before"), request.number("limit").unwrap_or(200));
                let head = model.told(&room).map_or(0, |(_, head)| head);
                troubles = model.troubles(&room, Trouble::Load);
                Ask::Search { id: id()?, room, words, before, limit, head }
            }
            "leave" => {
                let room = text("room").ok_or_else(unreadable)?;
                model.people.session(person).leaves(&room);
                if is_current {
                    model.people.lets_out(now, person, Some(&room), None);
                }
                Ask::Leave { id: id()?, room }
            }
            "name" => {
                model.people.session(person).acts(now);
                let name = text("name").ok_or_else(unreadable)?;
                model.people.named(person, &name);
                Ask::Name { id: id()?, name }
            }
            "ping" => Ask::Ping { n: request.number("n").unwrap_or_default() },
            "say" => {
                let (id, room) = (id()?, text("room").ok_or_else(unreadable)?);
                let token = request.text("text").and_then(token).ok_or_else(unreadable)?;
                return self.say(model, now, person, id, room, token);
            }
            "bye" => {
                self.leave_taking(model, now);
                self.said_bye = true;
                if is_current {
                    model.people.session(person).says_bye();
                    model.people.lets_out(now, person, None, None);
                }
                return Ok(());
            }
            "pong" => return Ok(()),
            _ => return Err(unreadable()),
        };
        let head = |room: &String| model.told(room).map_or(0, |(_, head)| head);
        let heads = self.subs.iter().map(|(room, sub)| (room.clone(), sub.number, head(room))).collect();
        if self.asked.is_empty() {
            self.waits_since = now;
        }
        let (clock, turn, version) = (model.clock, model.turn, model.version());
        self.asked.push_back(Asked {
            what,
            at: now,
            number,
            heads,
            troubles,
            turn,
            clock,
            has_asked,
            returns,
            is_unknown,
            is_in,
            may_be_in,
            version,
        });
        Ok(())
    }

    fn say(
        &mut self,
        model: &mut Model,
        now: Instant,
        person: usize,
        id: String,
        room: String,
        token: u64,
    ) -> Result<(), Violation> {
        let fits = self.spends(model, now, person);
        self.said.push_back(now);
        if self.said.len() > model.wide().in_flight {
            self.said.pop_front();
        }
        let joins = self.asked.iter().any(|asked| matches!(asked.what, Ask::Join { .. }));
        let sub = self.subs.get(&room);
        let may_speak = |sub: &Sub| {
            let role = |facts| model.role_by(facts, person, &room, &sub.code);
            sub.role != "read" || model.since(self.version).any(|facts| role(facts) > Some(Role::Read))
        };
        let read_only = sub.is_some_and(|sub| !may_speak(sub)) && !joins;
        let epoch = sub.map(|sub| sub.epoch.clone());
        let renames = self.asked.iter().filter_map(|asked| match &asked.what {
            Ask::Name { name, .. } => Some(name.clone()),
            _ => None,
        });
        let numbered = self.numbered.iter().map(|name| format!("{name}-"));
        let names = self.name.iter().cloned().chain(renames).chain(numbered).collect();
        self.sent.insert(id.clone(), token);
        let troubles = model.troubles(&room, Trouble::Append);
        let say = Say { number: self.requests, room, token, troubles, fits, version: model.version() };
        self.has_said_twice |= self.says.insert(id, say).is_some();
        model.received(now, token, names, read_only, epoch.as_deref())
    }

    /// Something is said or searched for; says whether the rate surely allows it.
    fn spends(&self, model: &mut Model, now: Instant, person: usize) -> bool {
        let is_handled_now = self.is_read_at_once(model);
        let Limits { burst, per_s, .. } = model.facts.limits;
        let session = model.people.session(person);
        session.says(now);
        session.spends(now, is_handled_now, Rate { burst, per_s })
    }

    /// How many joins have no answer yet.
    pub(super) fn joins(&self) -> usize {
        if let Trust::Court(_) = self.trust {
            // By a code at a prompt; the others are counted as those of strangers are.
            return 1;
        }
        self.asked.iter().filter(|asked| matches!(asked.what, Ask::Join { .. })).count()
    }

    /// Whether a join or a leave has no answer yet.
    pub(super) fn asks_for_a_way(&self) -> bool {
        self.asked.iter().any(|asked| matches!(asked.what, Ask::Join { .. } | Ask::Leave { .. }))
    }

    /// The request that an answer with this id is to. All but says are answered in their order, and what the server knew
    /// as it got one goes out before the answer.
    pub(super) fn answered(&mut self, now: Instant, re: &str) -> Result<Asked, Violation> {
        let asked = match self.asked.pop_front() {
            Some(asked) if asked.id() == re => {
                self.waits_since = now;
                asked
            }
            other => return Err(Violation::new(9, format!("an answer to {re:?}, where one to {other:?} was due"))),
        };
        for (room, number, head) in &asked.heads {
            if let Some(sub) = self.subs.get(room).filter(|sub| sub.number == *number && sub.next <= *head) {
                let text = format!("an answer to {re:?} overtakes {} of {room}, which had {head} before", sub.next);
                return Err(Violation::new(5, text));
            }
        }
        Ok(asked)
    }

    /// The rooms that this connection's session surely is in, each with the code, where that is sure.
    pub(super) fn rooms_there(&self, model: &Model) -> BTreeMap<String, String> {
        let leaves = |room: &String| {
            self.asked.iter().any(|asked| matches!(&asked.what, Ask::Leave { room: left, .. } if left == room))
        };
        // Who has not heard that a room was closed may be out of it, although it is back.
        let stays = |room: &String| !leaves(room) && !model.was_gone(room, self.version);
        let rooms = self.subs.iter().filter(|(room, _)| stays(room));
        // By another one, where what was asked since is done.
        let asks = |room: &String| {
            let is_it = |asked: &Asked| matches!(&asked.what, Ask::Join { code, .. } if model.room_of(code).as_ref() == Some(room));
            self.asked.iter().any(is_it)
        };
        let code = |(room, sub): (&String, &Sub)| if asks(room) { String::new() } else { sub.code.clone() };
        rooms.map(|(room, sub)| (room.clone(), code((room, sub)))).collect()
    }
}
