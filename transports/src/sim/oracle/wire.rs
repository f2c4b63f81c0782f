//! One connection, as its bytes tell.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use qun_core::log::Kind;
use qun_core::{Instant, SERVER_LINE};

use super::json::Json;
use super::model::{Model, token};
use super::plain::Screen;
use super::{Violation, lines};

/// Whose connection it is: what may be expected of it. The numbers are the people's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Trust {
    /// A client of this project, that speaks json.
    Client(usize),
    /// A person at netcat.
    Plain(usize),
    /// Bytes that mean nothing, mostly; the key is always the same.
    Hostile(usize),
}

#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) trust: Trust,
    up: Vec<u8>,
    down: Vec<u8>,
    heard: Instant,
    /// Since then it was asked whether it is still there.
    pub(super) is_pinged: bool,
    /// Requests but says, in their order: so they are answered.
    pub(super) asked: VecDeque<Asked>,
    /// Says that are not answered, with the number of the request.
    pub(super) says: BTreeMap<String, (u64, String)>,
    /// All says that were sent here.
    pub(super) sent: BTreeMap<String, u64>,
    pub(super) requests: u64,
    pub(super) me: Option<String>,
    pub(super) name: Option<String>,
    pub(super) subs: BTreeMap<String, Sub>,
    pub(super) screen: Screen,
    /// The server has said goodbye.
    pub(super) is_over: bool,
    /// The client has, or sends no more.
    pub(super) is_leaving: bool,
    /// The client's last line has no end, so that it may make no sense.
    pub(super) is_torn: bool,
}

/// A request that waits for its answer.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Hello { id: String },
    Join { id: String, code: String, resume: Option<(String, u64)>, tail: Option<u64> },
    History { id: String, room: String, before: Option<u64>, after: Option<u64>, limit: u64, head: u64 },
    Leave { id: String, room: String, at: Instant, number: u64 },
    Name { id: String, name: String },
    Ping { n: u64 },
}

impl Asked {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Hello { id }
            | Self::Join { id, .. }
            | Self::History { id, .. }
            | Self::Leave { id, .. }
            | Self::Name { id, .. } => id,
            Self::Ping { .. } => "",
        }
    }
}

/// A room on this connection.
#[derive(Clone, Debug)]
pub(super) struct Sub {
    pub(super) epoch: String,
    /// The seq that must come next.
    pub(super) next: u64,
    /// Up to here it is backlog: presence from before is left out.
    pub(super) backlog: u64,
    pub(super) roster: Option<BTreeMap<String, String>>,
    pub(super) here: u64,
}

impl Wire {
    pub(super) fn new(now: Instant, trust: Trust) -> Self {
        Self {
            trust,
            up: Vec::new(),
            down: Vec::new(),
            heard: now,
            is_pinged: false,
            asked: VecDeque::new(),
            says: BTreeMap::new(),
            sent: BTreeMap::new(),
            requests: 0,
            me: None,
            name: None,
            subs: BTreeMap::new(),
            screen: Screen::default(),
            is_over: false,
            is_leaving: false,
            is_torn: false,
        }
    }

    pub(super) fn is_json(&self) -> bool {
        matches!(self.trust, Trust::Client(_))
    }

    /// The membership in this room, where this connection is in it.
    pub(super) fn in_room(&self, room: &str) -> Option<&Sub> {
        if self.is_over || self.is_leaving {
            return None;
        }
        match self.trust {
            Trust::Client(_) => self.subs.get(room),
            Trust::Plain(_) => self.screen.sub(room),
            Trust::Hostile(_) => None,
        }
    }

    pub(super) fn froze(&mut self, time: Duration) {
        self.heard = self.heard + time;
    }

    pub(super) fn up(&mut self, model: &mut Model, now: Instant, bytes: &[u8]) -> Result<(), Violation> {
        self.heard = now;
        self.is_pinged = false;
        for line in lines(&mut self.up, bytes) {
            model.causes += 1;
            let text = String::from_utf8_lossy(&line);
            match self.trust {
                Trust::Client(_) => self.request(model, now, &line)?,
                Trust::Plain(_) => {
                    self.screen.typed(model, &text);
                    self.is_leaving |= text.trim() == "/quit";
                    if let Some(token) = token(text.strip_prefix("/me ").unwrap_or(&text)) {
                        model.received(token);
                    }
                }
                Trust::Hostile(person) => model.learns(person, &text),
            }
        }
        Ok(())
    }

    /// No more bytes will come: what is left is a line, if only half of one.
    pub(super) fn ended(&mut self, model: &mut Model, now: Instant) -> Result<(), Violation> {
        let rest = std::mem::take(&mut self.up);
        self.is_leaving = true;
        match self.trust {
            Trust::Client(_) if Json::read(&rest).is_some() => self.request(model, now, &rest),
            trust => {
                if let Trust::Hostile(person) = trust {
                    model.learns(person, &String::from_utf8_lossy(&rest));
                }
                self.is_torn = !rest.is_empty();
                Ok(())
            }
        }
    }

    /// A client of this project sends nothing that can't be read.
    fn request(&mut self, model: &mut Model, now: Instant, line: &[u8]) -> Result<(), Violation> {
        let unreadable = || Violation::new(6, format!("a client sent {:?}", String::from_utf8_lossy(line)));
        let request = Json::read(line).ok_or_else(unreadable)?;
        let text = |key| request.text(key).map(String::from);
        let id = || text("id").ok_or_else(unreadable);
        self.requests += 1;
        let number = self.requests;
        let asked = match request.text("t").ok_or_else(unreadable)? {
            "hello" => Asked::Hello { id: id()? },
            "join" => {
                let code = text("code").ok_or_else(unreadable)?;
                let resume = request.get("resume");
                let resume = resume.and_then(|resume| Some((resume.text("epoch")?.into(), resume.number("seq")?)));
                Asked::Join { id: id()?, code, resume, tail: request.number("tail") }
            }
            "history" => {
                let room = text("room").ok_or_else(unreadable)?;
                let (before, after) = (request.number("before"), request.number("after"));
                let limit = request.number("limit").unwrap_or(200);
                let head = model.told(&room).map_or(0, |(_, head)| head);
                Asked::History { id: id()?, room, before, after, limit, head }
            }
            "leave" => Asked::Leave { id: id()?, room: text("room").ok_or_else(unreadable)?, at: now, number },
            "name" => Asked::Name { id: id()?, name: text("name").ok_or_else(unreadable)? },
            "ping" => Asked::Ping { n: request.number("n").unwrap_or_default() },
            "say" => {
                let (id, room) = (id()?, text("room").ok_or_else(unreadable)?);
                let token = request.text("text").and_then(token).ok_or_else(unreadable)?;
                model.received(token);
                self.sent.insert(id.clone(), token);
                self.says.insert(id, (number, room));
                return Ok(());
            }
            "bye" => {
                self.is_leaving = true;
                return Ok(());
            }
            "pong" => return Ok(()),
            _ => return Err(unreadable()),
        };
        self.asked.push_back(asked);
        Ok(())
    }

    pub(super) fn down(&mut self, model: &mut Model, now: Instant, bytes: &[u8]) -> Result<(), Violation> {
        for line in lines(&mut self.down, bytes) {
            if line.len() >= SERVER_LINE {
                return Err(Violation::new(7, format!("a line of {} bytes", line.len())));
            }
            match self.trust {
                Trust::Client(_) => {
                    let result = self.frame(model, now, &line);
                    result.map_err(|violation| {
                        let (text, line) = (violation.text, String::from_utf8_lossy(&line).into_owned());
                        Violation { text: format!("{text}, at {:?}", shortened(&line)), ..violation }
                    })?;
                }
                Trust::Plain(_) => {
                    let text = String::from_utf8(line);
                    let text = text.map_err(|_| Violation::new(6, "a person was sent what is not UTF-8"))?;
                    self.screen.line(model, &text)?;
                }
                Trust::Hostile(person) => overheard(model, person, &line)?,
            }
        }
        Ok(())
    }

    /// What the server should have done about this connection by now.
    pub(super) fn is_overdue(&self, model: &Model, now: Instant) -> Option<String> {
        if self.is_over || self.is_leaving || self.me.is_none() {
            return None;
        }
        let limits = &model.facts.limits;
        let silence = now.since(self.heard);
        let moment = Duration::from_millis(2);
        if silence > limits.ping * 11 / 10 + moment && !self.is_pinged {
            return Some(format!("nothing was heard for {silence:?}, and it is not pinged"));
        }
        let patience = limits.ping * 11 / 10 + limits.pong + limits.drain + moment;
        (silence > patience).then(|| format!("nothing was heard for {silence:?}, and it is not closed"))
    }

    /// Whether everything that was asked here is answered, so that nothing can wait inside.
    pub(super) fn waits_for_nothing(&self) -> bool {
        let waits = !self.asked.is_empty() || !self.says.is_empty() || self.is_over || self.is_leaving;
        self.is_json() && self.me.is_some() && !waits
    }

    /// What this connection should have had by now, where it takes bytes.
    pub(super) fn is_behind(&self, model: &Model) -> Option<String> {
        if self.is_over || self.is_leaving {
            return None;
        }
        for (room, sub) in &self.subs {
            if let Some((_, head)) = model.told(room)
                && sub.next != head + 1
            {
                return Some(format!("{room} has {head}, and {} is not sent", sub.next));
            }
        }
        match self.trust {
            Trust::Plain(_) => self.screen.is_behind(model),
            _ => None,
        }
    }

    /// What is still to come here.
    pub(super) fn unsettled(&self) -> Option<String> {
        if self.is_over || self.is_leaving || !self.is_json() {
            return None;
        }
        if let Some(asked) = self.asked.front() {
            return Some(format!("{asked:?} is not answered"));
        }
        self.says.keys().next().map(|id| format!("what was said as {id} is not answered"))
    }
}

/// A hostile one gets nothing of a room whose code it never sent.
fn overheard(model: &Model, person: usize, line: &[u8]) -> Result<(), Violation> {
    let text = String::from_utf8_lossy(line);
    let room = match Json::read(line).filter(|_| text.starts_with('{')) {
        Some(frame) => frame.text("room").or_else(|| frame.get("room")?.text("id")).map(String::from),
        None if text.starts_with('{') => return Err(Violation::new(6, format!("the server sent {text:?}"))),
        None => {
            let body = text.split_once("> ").map_or("", |(_, body)| body);
            token(body).and_then(|token| model.said.get(&token)).map(|said| said.room.clone())
        }
    };
    match room.filter(|room| !model.knows(person, room)) {
        Some(room) => Err(Violation::new(1, format!("{text:?} of {room} reached a stranger"))),
        None => Ok(()),
    }
}

/// What a record looks like to those who read json.
pub(super) fn is_record(message: &Json, record: &qun_core::log::Record) -> bool {
    let kind = match record.kind {
        Kind::Say => None,
        Kind::Me => Some("me"),
    };
    message.number("seq") == Some(record.seq.get())
        && message.number("ts") == Some(record.ts)
        && message.text("m") == Some(record.member.to_string().as_str())
        && message.text("name") == Some(record.name.as_str())
        && message.text("text") == Some(record.text.as_str())
        && message.text("kind") == kind
        && message.text("id") == record.id.as_ref().map(|id| id.as_str())
}

fn shortened(line: &str) -> String {
    if line.len() > 300 { format!("{}…", &line[..line.floor_char_boundary(300)]) } else { line.into() }
}
