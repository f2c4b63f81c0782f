//! What a client of this project asks for.

use std::collections::BTreeSet;

use qun_core::{Instant, Limits};

use super::Violation;
use super::json::Json;
use super::model::{Model, Trouble, canonical, token};
use super::pace::Rate;
use super::wire::{Trust, Wire};

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
        /// By the room's name: then it is a code by which any session of the account came last.
        by_name: bool,
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
        let (mut troubles, mut has_asked, mut returns) = (0, false, None);
        let what = match request.text("t").ok_or_else(unreadable)? {
            "hello" => {
                let (over, thawed) = (self.takes_over.take(), model.thawed);
                let resumes = model.people.session(person).hello(now, thawed, over, &model.facts.limits);
                self.hello = model.people.hellos(person);
                model.greets(now, person);
                model.people.lets_out(now, person, None);
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
                let room = model.room_of(&code).unwrap_or_else(|| {
                    model.people.tries(now, self.source);
                    String::new()
                });
                model.logins.joins(person, &room, &code);
                // By another code they are not in by the one before.
                if let Some(before) = self.subs.get(&room).map(|sub| &sub.code).filter(|before| **before != code)
                    && is_current
                {
                    model.people.lets_out(now, person, Some(before));
                }
                if !room.is_empty() {
                    has_asked = model.people.has_asked(&code, person);
                    if is_current {
                        model.people.lets_in(&code, person, None);
                    }
                }
                troubles = model.troubles(&room, Trouble::Open);
                let head = model.told(&room).map_or(0, |(_, head)| head);
                let resume = request.get("resume");
                let resume = resume.and_then(|resume| Some((resume.text("epoch")?.into(), resume.number("seq")?)));
                let first = model.told_first(&room);
                let grace = model.facts.limits.grace;
                let held = model.people.session(person).held_until(now, &room, grace);
                returns = held.filter(|_| is_current && !self.joined.contains(&room));
                if returns.is_none() {
                    model.people.session(person).acts(now);
                }
                self.joined.insert(room);
                let by_name = text("code").is_none();
                Ask::Join { id: id()?, code, by_name, resume, tail: request.number("tail"), first, head }
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
                    for code in model.facts.rooms.get(&room).into_iter().flat_map(|room| room.codes.keys()) {
                        model.people.lets_out(now, person, Some(code));
                    }
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
                    model.people.lets_out(now, person, None);
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
        let (clock, turn) = (model.clock, model.turn);
        self.asked.push_back(Asked { what, at: now, number, heads, troubles, turn, clock, has_asked, returns });
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
        if self.said.len() > model.facts.limits.in_flight {
            self.said.pop_front();
        }
        let joins = self.asked.iter().any(|asked| matches!(asked.what, Ask::Join { .. }));
        let sub = self.subs.get(&room);
        let read_only = sub.is_some_and(|sub| sub.role == "read") && !joins;
        let epoch = sub.map(|sub| sub.epoch.clone());
        let renames = self.asked.iter().filter_map(|asked| match &asked.what {
            Ask::Name { name, .. } => Some(name.clone()),
            _ => None,
        });
        let names = self.name.iter().cloned().chain(renames).collect();
        self.sent.insert(id.clone(), token);
        let troubles = model.troubles(&room, Trouble::Append);
        let say = Say { number: self.requests, room, token, troubles, fits };
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

    /// The rooms that this connection's session surely is in.
    pub(super) fn rooms(&self) -> BTreeSet<String> {
        let leaves = |room: &String| {
            self.asked.iter().any(|asked| matches!(&asked.what, Ask::Leave { room: left, .. } if left == room))
        };
        self.subs.keys().filter(|room| !leaves(room)).cloned().collect()
    }
}
