//! A room in a pipe: the lines of stdin are said, what happens goes to stdout.

use std::collections::HashMap;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use jiff::ZonedDateTime;
use qun_core::client::{Door, Event};
use qun_core::log::Kind;
use qun_core::{Id, Name, RoomId, TextLimits};

use super::command::Typed;
use super::json::Told;
use super::line::Tone;
use super::scribe::Scribe;
use crate::errand;
use crate::exit::{Exit, Failure};
use crate::session::{Clock, Doing, Msg, Session, Unreadable};
use crate::text::{self, LIMITS};

/// How it is to behave.
#[derive(Debug)]
pub(super) struct Manner {
    /// Tell in JSON.
    pub(super) json: bool,
    /// Stay after the end of stdin.
    pub(super) stay: bool,
    /// How long to wait for the room, and for the last acknowledgements.
    pub(super) patience: Duration,
    /// What to call the server.
    pub(super) server: String,
    /// What to be called there.
    pub(super) name: Option<Name>,
}

/// Lines of stdin that are read and not answered yet: enough to keep a server busy, and no file is read into memory.
const AHEAD: usize = 64;

/// The longest piece of stdin without a line end that is taken for a line.
const LINE: u64 = 1 << 20;

/// How long the goodbye may take once nothing is left to say.
const GOODBYE: Duration = Duration::from_secs(7);

/// How long the reason may be behind the news that we are out of the room.
const EXPLANATION: Duration = Duration::from_millis(200);

/// Runs until stdin ends, the server ends it, or a signal does.
///
/// # Errors
/// What ended it, where that is a failure.
pub(super) fn run(session: Session, inbox: &Receiver<Msg>, door: Door, manner: Manner) -> Result<Exit, Failure> {
    session.give(Doing::Join(door));
    let (permits, permitted) = sync_channel(AHEAD);
    let to = session.inbox();
    thread::Builder::new()
        .name("stdin".into())
        .spawn(move || read_lines(&to, &permitted))
        .map_err(|error| Failure::usage(format!("can't start a thread: {error}")))?;
    let mut pipe = Pipe {
        scribe: Scribe::new(&manner.server, session.member, manner.name.clone(), &ZonedDateTime::now()),
        clock: None,
        stage: Stage::Knocking,
        until: (!manner.stay).then(|| Instant::now() + manner.patience),
        permits,
        granted: 0,
        unanswered: 0,
        given: HashMap::new(),
        limits: LIMITS,
        refused: 0,
        unconfirmed: 0,
        has_commands: io::stdin().is_terminal(),
        session,
        manner,
    };
    let verdict = pipe.run(inbox)?;
    match (pipe.unconfirmed, pipe.refused) {
        (0, 0) => Ok(verdict),
        (0, n) => Err(Failure { exit: Exit::Refused, text: format!("{n} of what stdin said was not said") }),
        (n, _) => Err(Failure { exit: Exit::Unconfirmed, text: format!("{n} sent, but not confirmed") }),
    }
}

/// One run of `qun join` in a pipe.
struct Pipe {
    session: Session,
    manner: Manner,
    scribe: Scribe,
    clock: Option<Clock>,
    stage: Stage,
    /// When patience ends, where it does.
    until: Option<Instant>,
    /// Each lets one more line of stdin be read.
    permits: SyncSender<()>,
    /// How many are given and not used.
    granted: usize,
    /// Says that have no answer.
    unanswered: usize,
    /// What was asked for and not answered.
    given: HashMap<Id, Doing>,
    limits: TextLimits,
    refused: usize,
    unconfirmed: usize,
    /// Whether a person types, who may want a command.
    has_commands: bool,
}

/// How far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Not in the room yet.
    Knocking,
    /// In it.
    In(RoomId),
    /// In it, and stdin has ended.
    Finishing(RoomId),
    /// Not in it any more, and not by our wish.
    Outside,
    /// Goodbye is said; then exit so.
    Leaving(Exit),
}

/// The reader of stdout is gone.
struct Unheard;

impl Pipe {
    fn run(&mut self, inbox: &Receiver<Msg>) -> Result<Exit, Failure> {
        loop {
            let msg = match self.until {
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(until) => inbox.recv_timeout(until.saturating_duration_since(Instant::now())),
            };
            match msg {
                Ok(msg) => {
                    if let Some(exit) = self.take(msg)? {
                        return Ok(exit);
                    }
                }
                Err(_) => return self.out_of_patience(),
            }
            self.go_on();
        }
    }

    /// Handles what arrived; says how to exit where it is over.
    fn take(&mut self, msg: Msg) -> Result<Option<Exit>, Failure> {
        match msg {
            Msg::Client { event, members, state } => {
                self.limits = state.text;
                let doing = answered(&event).and_then(|id| self.given.remove(&id));
                let told = self.tell(&event, members.as_deref(), doing.as_ref());
                let over = self.event(&event, doing.as_ref())?;
                if let (Err(Unheard), None) = (told, over) {
                    self.leave(Exit::Ok);
                }
                return Ok(over);
            }
            Msg::Given { id, doing, .. } => drop(self.given.insert(id, doing)),
            Msg::NotMember(_) => {
                self.unanswered -= 1;
                self.refused += 1;
            }
            Msg::Clock(clock) => self.clock = Some(clock),
            Msg::Line(line) => self.line(line),
            Msg::EndOfInput => {
                if let Stage::In(room) = &self.stage
                    && !self.manner.stay
                {
                    self.stage = Stage::Finishing(room.clone());
                    self.until = Some(Instant::now() + self.manner.patience);
                }
            }
            Msg::Signal if matches!(self.stage, Stage::Leaving(_)) => return Ok(Some(Exit::Interrupted)),
            Msg::Signal => self.leave(Exit::Interrupted),
            Msg::Who(..) | Msg::Terminal(_) => {}
        }
        Ok(None)
    }

    fn event(&mut self, event: &Event, doing: Option<&Doing>) -> Result<Option<Exit>, Failure> {
        let is_say = matches!(doing, Some(Doing::Say { .. } | Doing::Order(..)));
        match event {
            Event::Joined { room, .. } if self.stage == Stage::Knocking => {
                self.stage = Stage::In(room.clone());
                self.until = None;
            }
            Event::Message { mine: true, .. } | Event::Delivered { .. } | Event::Done { .. } | Event::Code { .. }
                if is_say =>
            {
                self.answer();
            }
            Event::Unconfirmed { .. } => {
                self.unconfirmed += 1;
                self.answer();
            }
            Event::Refused { code, text, left, .. } if matches!(doing, Some(Doing::Join(_))) => {
                return Err(errand::refusal(code, text, *left));
            }
            Event::Refused { .. } if is_say => {
                self.refused += 1;
                self.answer();
            }
            Event::Left { bye: Some(bye), .. } if !matches!(self.stage, Stage::Leaving(_)) => {
                let over = Failure { exit: Exit::Refused, text: errand::said(bye).into() };
                // What has no confirmation is the more important news.
                return if self.unconfirmed == 0 { Err(over) } else { Ok(Some(Exit::Unconfirmed)) };
            }
            // Why follows, where the server said it.
            Event::Left { .. } => {
                self.stage = Stage::Outside;
                self.until = Some(Instant::now() + EXPLANATION);
            }
            Event::Refused { code, text, left, .. } if self.stage == Stage::Outside => {
                return Err(errand::refusal(code, text, *left));
            }
            Event::Ended { bye } => {
                return match (&self.stage, bye) {
                    (Stage::Leaving(exit), _) => Ok(Some(*exit)),
                    (_, bye) => {
                        let text = bye.as_ref().map_or("the server is done", errand::said).to_string();
                        Err(Failure { exit: Exit::Refused, text })
                    }
                };
            }
            _ => {}
        }
        Ok(None)
    }

    /// A say has its answer: that is progress.
    fn answer(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
        if matches!(self.stage, Stage::Finishing(_)) {
            self.until = Some(Instant::now() + self.manner.patience);
        }
    }

    /// Says a line of stdin.
    fn line(&mut self, line: Result<String, Unreadable>) {
        self.granted -= 1;
        let Stage::In(room) = self.stage.clone() else { return };
        let line = match line {
            Ok(line) => line,
            Err(error) => return self.unsaid("", &error.to_string()),
        };
        let (kind, line) = match Typed::parse(&line) {
            Typed::Order(order) if self.has_commands => {
                self.unanswered += 1;
                return self.session.give(Doing::Order(room, order));
            }
            _ if !self.has_commands => (Kind::Say, line),
            Typed::Say(kind, text) => (kind, text),
            Typed::Blank => return,
            Typed::Quit => return self.leave(Exit::Ok),
            Typed::Wrong(what) => return self.unsaid(&line, &what),
            _ => return self.unsaid(&line, "this command needs a terminal on stdout"),
        };
        match text::pieces(&line, &self.limits) {
            Ok(texts) => {
                for text in texts {
                    self.unanswered += 1;
                    self.session.give(Doing::Say { room: room.clone(), kind: kind.clone(), text });
                }
            }
            Err(text::Unsayable::Nothing) => {}
            Err(text::Unsayable::Line { error, .. }) => self.unsaid(&line, &error.to_string()),
        }
    }

    fn unsaid(&mut self, text: &str, why: &str) {
        self.refused += 1;
        if self.manner.json {
            // That nobody hears it is noticed with the next event.
            let _ = write_line(&Told::Unsaid { text, why: why.into() }.line());
        } else {
            let _ = writeln!(io::stderr(), "qun: not said: {why}");
        }
    }

    /// Lets stdin be read as far as it may be, and ends where nothing is left to do.
    fn go_on(&mut self) {
        match &self.stage {
            Stage::In(_) => {
                while self.granted + self.unanswered < AHEAD && self.permits.try_send(()).is_ok() {
                    self.granted += 1;
                }
            }
            Stage::Finishing(_) if self.unanswered == 0 => self.leave(Exit::Ok),
            _ => {}
        }
    }

    fn leave(&mut self, exit: Exit) {
        if !matches!(self.stage, Stage::Leaving(_)) {
            self.stage = Stage::Leaving(exit);
            self.until = Some(Instant::now() + GOODBYE);
            self.session.bye();
        }
    }

    fn out_of_patience(&mut self) -> Result<Exit, Failure> {
        match self.stage {
            Stage::Leaving(exit) => Ok(exit),
            Stage::Knocking => {
                Err(Failure { exit: Exit::Network, text: format!("{}: no answer in time", self.manner.server) })
            }
            Stage::Outside => Err(Failure { exit: Exit::Refused, text: "the server closed the room".into() }),
            Stage::In(_) | Stage::Finishing(_) => {
                self.unconfirmed += self.unanswered;
                Ok(Exit::Unconfirmed)
            }
        }
    }

    /// Tells an event on stdout, and in words on stderr what is about the connection.
    fn tell(
        &mut self,
        event: &Event,
        members: Option<&[qun_core::json::Person]>,
        doing: Option<&Doing>,
    ) -> Result<(), Unheard> {
        if self.manner.json {
            let retry_ms = match event {
                Event::Offline { retry_at, .. } => {
                    self.clock.map_or(0, |clock| u64::try_from(clock.until(*retry_at).as_millis()).unwrap_or(u64::MAX))
                }
                _ => 0,
            };
            return Told::of(event, members, retry_ms, doing).map_or(Ok(()), |told| write_line(&told.line()));
        }
        // What ends the program is told as it ends.
        let ends = matches!(event, Event::Ended { .. })
            || (matches!(event, Event::Refused { .. }) && matches!(doing, Some(Doing::Join(_))));
        for line in self.scribe.tell(event, members) {
            match line.tone {
                Tone::Message | Tone::Room => write_line(&line.render())?,
                Tone::Aside if ends => {}
                Tone::Aside => drop(writeln!(io::stderr(), "qun: {}", line.text)),
            }
        }
        Ok(())
    }
}

/// The command that an event answers.
pub(super) fn answered(event: &Event) -> Option<Id> {
    match event {
        Event::Message { message, mine: true, .. } => message.id,
        Event::Delivered { id, .. } | Event::Unconfirmed { id, .. } => Some(*id),
        Event::Joined { re, .. } | Event::Left { re, .. } | Event::Refused { re, .. } => *re,
        Event::Online { re, .. } => *re,
        Event::Page { re, .. } | Event::Found { re, .. } | Event::Renamed { re, .. } => Some(*re),
        Event::Done { re, .. } | Event::Code { re, .. } => Some(*re),
        _ => None,
    }
}

/// Writes a line to stdout and flushes it, so that whoever reads it needs not wait for another.
fn write_line(line: &str) -> Result<(), Unheard> {
    let mut out = io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).map_err(|_| Unheard)
}

/// Reads stdin, a line for each permit.
fn read_lines(to: &SyncSender<Msg>, permitted: &Receiver<()>) {
    let mut stdin = io::stdin().lock();
    while permitted.recv().is_ok() {
        let mut line = Vec::new();
        let msg = match (&mut stdin).take(LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => Msg::EndOfInput,
            Ok(_) => Msg::Line(String::from_utf8(line).map_err(|_| Unreadable)),
        };
        let is_last = matches!(msg, Msg::EndOfInput);
        if to.send(msg).is_err() || is_last {
            return;
        }
    }
}
