//! One connection, as its bytes tell.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use qun_core::log::Kind;
use qun_core::{ConnId, Instant, SERVER_LINE};

use super::ask::{Asked, Say};
use super::endings::given_up;
use super::json::Json;
use super::model::Model;
use super::plain::Screen;
use super::seat::Seat;
use super::stranger::Stranger;
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
    /// Somebody in the room where order is kept, by a client or at netcat.
    Court(usize),
}

#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) trust: Trust,
    /// What limits by source count.
    pub(super) source: usize,
    up: Vec<u8>,
    down: Vec<u8>,
    /// The last bytes that were read, in which a password may begin.
    pub(super) last: Vec<u8>,
    /// Whether what is read was sent as soon as it was decided.
    pub(super) is_prompt: bool,
    /// Whether the line that is read was sent all at once.
    pub(super) is_whole: bool,
    pub(super) opened: Instant,
    /// For how long the server's machine has stood still since.
    pub(super) frozen: Duration,
    /// Whether its source had as many connections as it may have.
    pub(super) is_one_too_many: bool,
    /// When the server heard it last, but for the time at which its machine stood still.
    pub(super) heard: Instant,
    /// When it sent something last, and how long at most it did not.
    pub(super) spoke: Instant,
    silence: Duration,
    /// When it broke a silence for which it may have been given up.
    pub(super) was_silent: Option<Instant>,
    /// When it took something last, and since when it takes nothing that there is.
    pub(super) took: Instant,
    pub(super) stuck: Option<Instant>,
    /// Since when it has taken all that there was.
    pub(super) freely_since: Instant,
    /// Since then it was asked whether it is still there.
    pub(super) is_pinged: bool,
    pub(super) pinged: Instant,
    /// Whether it ever was.
    pub(super) was_pinged: bool,
    /// Which of its person's hellos came here; 0: none.
    pub(super) hello: u64,
    /// The rooms in which it takes a session over.
    pub(super) takes_over: Option<BTreeMap<String, String>>,
    /// Requests but says, in their order: so they are answered.
    pub(super) asked: VecDeque<Asked>,
    /// Since when the first of them does, or since something was answered that was said before.
    pub(super) waits_since: Instant,
    /// When something was said here, of late.
    pub(super) said: VecDeque<Instant>,
    /// Rooms that it asked to be in.
    pub(super) joined: BTreeSet<String>,
    /// Says that are not answered.
    pub(super) says: BTreeMap<String, Say>,
    /// Those of them that had no answer in time, as the room was left.
    pub(super) unheard: BTreeSet<String>,
    /// Whether something was said again before it was answered.
    pub(super) has_said_twice: bool,
    /// Those of them that the server surely has taken as it was told to go down.
    pub(super) owed: BTreeSet<String>,
    /// By which request a room was being left then.
    pub(super) owes_left: Option<u64>,
    /// All says that were sent here.
    pub(super) sent: BTreeMap<String, u64>,
    pub(super) requests: u64,
    pub(super) me: Option<String>,
    pub(super) name: Option<String>,
    /// The account that they are.
    pub(super) account: Option<String>,
    /// Which configuration it was when everything had been taken last.
    pub(super) version: usize,
    /// What they were called before somebody got an account of that name: by now there is a number behind it.
    pub(super) numbered: Option<String>,
    /// When their account was changed.
    pub(super) account_over: Option<Instant>,
    /// Whether it may have been, before they read that they are in by it.
    pub(super) may_lose_account: bool,
    /// What was said in a room and is to have its answer before that is closed; and what may have none behind its end.
    pub(super) owed_there: BTreeMap<String, BTreeSet<String>>,
    pub(super) given_up: BTreeSet<String>,
    pub(super) subs: BTreeMap<String, Sub>,
    /// Rooms that were full as they were to be joined.
    pub(super) kept_out: BTreeSet<String>,
    pub(super) screen: Screen,
    pub(super) stranger: Stranger,
    pub(super) seat: Seat,
    /// The server has said goodbye, at this time.
    pub(super) is_over: bool,
    pub(super) over: Instant,
    /// The client has, or sends no more.
    pub(super) is_leaving: bool,
    /// Since then; and whether nothing that they had asked for waited then.
    pub(super) left: Instant,
    pub(super) leaves_at_once: bool,
    pub(super) said_bye: bool,
    pub(super) is_ended: bool,
    /// The client's last line has no end, so that it may make no sense.
    pub(super) is_torn: bool,
}

/// A room on this connection.
#[derive(Clone, Debug)]
pub(super) struct Sub {
    pub(super) epoch: String,
    /// The seq that must come next.
    pub(super) next: u64,
    /// Up to here it is backlog: presence from before is left out.
    pub(super) backlog: u64,
    /// Whether the last that came of it is a message.
    pub(super) is_quiet: bool,
    pub(super) roster: Option<BTreeMap<String, String>>,
    /// What those may do in it who may not what most may.
    pub(super) roles: BTreeMap<String, String>,
    pub(super) here: u64,
    /// When that was told by a frame of its own.
    pub(super) here_told: Option<Instant>,
    /// By which code, to do what.
    pub(super) code: String,
    pub(super) role: &'static str,
    /// What it is called.
    pub(super) title: String,
    /// By which of the connection's joins.
    pub(super) number: u64,
    /// In which of the model's turns it began, where it was answered in the same.
    pub(super) begun_at: Option<u64>,
}

impl Wire {
    pub(super) fn new(now: Instant, trust: Trust, source: usize) -> Self {
        Self {
            trust,
            source,
            up: Vec::new(),
            down: Vec::new(),
            last: Vec::new(),
            is_prompt: true,
            is_whole: false,
            opened: now,
            frozen: Duration::ZERO,
            is_one_too_many: false,
            heard: now,
            spoke: now,
            silence: Duration::ZERO,
            was_silent: None,
            took: now,
            stuck: None,
            freely_since: now,
            is_pinged: false,
            pinged: now,
            was_pinged: false,
            hello: 0,
            takes_over: None,
            asked: VecDeque::new(),
            waits_since: now,
            said: VecDeque::new(),
            joined: BTreeSet::new(),
            says: BTreeMap::new(),
            unheard: BTreeSet::new(),
            has_said_twice: false,
            owed: BTreeSet::new(),
            owes_left: None,
            sent: BTreeMap::new(),
            requests: 0,
            me: None,
            name: None,
            account: None,
            version: 0,
            numbered: None,
            account_over: None,
            may_lose_account: false,
            owed_there: BTreeMap::new(),
            given_up: BTreeSet::new(),
            subs: BTreeMap::new(),
            kept_out: BTreeSet::new(),
            screen: Screen::default(),
            stranger: Stranger::default(),
            seat: Seat::default(),
            is_over: false,
            over: now,
            is_leaving: false,
            left: now,
            leaves_at_once: false,
            said_bye: false,
            is_ended: false,
            is_torn: false,
        }
    }

    pub(super) fn is_json(&self) -> bool {
        matches!(self.trust, Trust::Client(_))
    }

    /// Whose client is here.
    pub(super) fn person(&self) -> Option<usize> {
        match self.trust {
            Trust::Client(person) => Some(person),
            _ => None,
        }
    }

    /// Whether its session has not been taken over by another connection: of one that has, nothing more is handled.
    pub(super) fn is_current(&self, model: &Model) -> bool {
        self.person().is_none_or(|person| self.hello == model.people.hellos(person))
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self.trust, Trust::Plain(_))
    }

    /// The membership in this room, where this connection is in it.
    pub(super) fn in_room(&self, room: &str) -> Option<&Sub> {
        if self.is_over || self.is_leaving {
            return None;
        }
        match self.trust {
            Trust::Client(_) => self.subs.get(room),
            Trust::Plain(_) => self.screen.sub(room),
            Trust::Hostile(_) | Trust::Court(_) => None,
        }
    }

    pub(super) fn froze(&mut self, time: Duration) {
        self.heard = self.heard + time;
        self.pinged = self.pinged + time;
        self.frozen += time;
        self.waits_since = self.waits_since + time;
        self.said.iter_mut().for_each(|at| *at = *at + time);
        self.stuck = self.stuck.map(|since| since + time);
    }

    pub(super) fn up(&mut self, model: &mut Model, now: Instant, bytes: &[u8]) -> Result<(), Violation> {
        if now.since(self.spoke) >= given_up(&model.narrow()) {
            self.was_silent = Some(now);
        }
        (self.silence, self.spoke) = (self.longest_silence(now), now);
        self.heard = now;
        self.is_pinged = false;
        self.screen.arrives(self.up.len() + bytes.len());
        for line in lines(&mut self.up, bytes) {
            model.causes += 1;
            let text = || String::from_utf8_lossy(&line);
            match self.trust {
                Trust::Client(_) => self.request(model, now, &line)?,
                Trust::Plain(_) => self.typed(model, now, &text())?,
                Trust::Court(person) => self.court_says(model, now, person, &text()),
                Trust::Hostile(person) => {
                    let text = text();
                    model.people.tries(now, self.source);
                    model.logs_in_rudely(now, self.source, &text);
                    model.learns(person, &text);
                    if text.contains("hello") {
                        model.comes(now, self.trust);
                    }
                    self.stranger.says(model, &line);
                }
            }
        }
        Ok(())
    }

    /// No more bytes will come: what is left is a line, if only half of one.
    pub(super) fn ended(&mut self, model: &mut Model, now: Instant) -> Result<(), Violation> {
        let rest = std::mem::take(&mut self.up);
        self.is_ended = true;
        self.screen.arrives(0);
        let result = match self.trust {
            Trust::Client(_) if Json::read(&rest).is_some() => self.request(model, now, &rest),
            Trust::Plain(_) if !rest.is_empty() => {
                let text = String::from_utf8_lossy(&rest);
                self.typed(model, now, &text)
            }
            Trust::Court(person) if !rest.is_empty() => {
                self.court_says(model, now, person, &String::from_utf8_lossy(&rest));
                Ok(())
            }
            trust => {
                if let Trust::Hostile(person) = trust {
                    model.people.tries(now, self.source);
                    let text = String::from_utf8_lossy(&rest);
                    model.logs_in_rudely(now, self.source, &text);
                    model.learns(person, &text);
                    self.stranger.says(model, &rest);
                }
                self.is_torn = !rest.is_empty();
                Ok(())
            }
        };
        self.leave_taking(model, now);
        result
    }

    /// The client will be gone: by a goodbye, or by its end of input.
    pub(super) fn leave_taking(&mut self, model: &Model, now: Instant) {
        if !self.is_leaving {
            (self.is_leaving, self.left) = (true, now);
            self.leaves_at_once = self.is_read_at_once(model);
        }
    }

    /// The same violation, with whose connection it is.
    pub(super) fn names(&self, conn: ConnId, violation: Violation) -> Violation {
        let text = format!("{} (connection {conn:?} of {:?})", violation.text, self.trust);
        Violation { text, ..violation }
    }

    /// How long it has been silent at most, up to now.
    pub(super) fn longest_silence(&self, now: Instant) -> Duration {
        self.silence.max(now.since(self.spoke))
    }

    /// How long it takes nothing although there is something.
    pub(super) fn is_stuck_for(&self, now: Instant) -> Option<Duration> {
        self.stuck.map(|since| now.since(since.max(self.took)))
    }

    /// There is more to send, and no room for it.
    pub(super) fn blocked(&mut self, now: Instant) {
        self.stuck.get_or_insert(now);
    }

    pub(super) fn down(&mut self, model: &mut Model, now: Instant, bytes: &[u8]) -> Result<(), Violation> {
        if self.stuck.take().is_some() {
            self.freely_since = now;
        }
        self.is_prompt = self.freely_since < now;
        self.took = now;
        if self.is_one_too_many {
            return Err(Violation::new(7, "its source has more connections than it may have"));
        }
        self.is_no_browser(model, now, bytes)?;
        // The end of what was cut in two comes from before.
        self.is_whole = self.down.is_empty();
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
                    self.reads(model, now, &text)?;
                }
                Trust::Court(person) => {
                    let text = String::from_utf8_lossy(&line);
                    let result = self.court_reads(model, person, &text);
                    result.map_err(|violation| Violation {
                        text: format!("{}, at {:?}", violation.text, shortened(&text)),
                        ..violation
                    })?;
                }
                Trust::Hostile(person) => {
                    let before = self.stranger.wrong();
                    self.stranger.line(model, person, &line)?;
                    if self.stranger.wrong() > before && self.is_prompt {
                        model.people.guesses(now, now, &model.facts.limits.clone())?;
                    }
                    self.has_not_guessed_too_often(model, now)?;
                    if self.is_prompt {
                        self.stranger.is_renamed(now, &line, &model.wide())?;
                    }
                }
            }
            self.is_whole = true;
        }
        Ok(())
    }

    /// Whether everything that was asked here is answered, so that nothing can wait inside.
    pub(super) fn waits_for_nothing(&self) -> bool {
        let waits = !self.asked.is_empty() || !self.says.is_empty() || self.is_over || self.is_leaving;
        self.is_json() && self.me.is_some() && !waits
    }

    /// Whether a line surely waits inside for the answer to another one, where this connection takes bytes: what was asked
    /// first is not answered, and it is not being seen off.
    pub(super) fn has_lines_waiting(&self, model: &Model, now: Instant) -> bool {
        let is_staying = self.is_json() && self.is_current(model) && self.is_bound(model, now);
        let is_seen_off = model.draining.is_some() || self.account_over.is_some();
        let may_part = self.was_silent.is_some() || model.facts.limits.unread < 64 << 10 || is_seen_off;
        self.asked.len() > 1 && is_staying && !may_part
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
            Trust::Plain(person) => self.screen.is_behind(model, person),
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

/// What a record looks like to those who read json.
pub(super) fn is_record(message: &Json, record: &qun_core::log::Record) -> bool {
    let kind = (record.kind != Kind::Say).then(|| record.kind.name());
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
