//! `qun send`: say something, wait until it is acknowledged, go.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Read as _};
use std::time::Instant;

use qun_core::client::Event;
use qun_core::log::Kind;
use qun_core::{Id, RoomId, TextLimits};

use crate::args;
use crate::door;
use crate::errand::{Errand, refusal, said};
use crate::exit::{Exit, Failure};
use crate::session::{Doing, Msg};
use crate::text::{self, LIMITS};

/// The most that is read from stdin; a file that is larger is hardly meant to be said.
const MOST: u64 = 1 << 20;

/// Runs `qun send`.
///
/// # Errors
/// Unless every part of it is acknowledged.
pub(crate) fn run(args: args::Send) -> Result<Exit, Failure> {
    // A code that stands on stdin stands before what is to be said.
    let door = door::find(args.door.code.as_deref())?;
    let written = match args.message {
        Some(message) => message,
        None => read_stdin()?,
    };
    // What can't be said needs no connection to be told so.
    text::pieces(&written, &LIMITS).map_err(Failure::usage)?;
    let errand = Errand::start(door, args.door.who, args.timeout)?;
    errand.run(|errand| Saying { errand, stage: Stage::Joining(written), parts: 0, waiting: Vec::new() }.run())?;
    Ok(Exit::Ok)
}

fn read_stdin() -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        eprintln!("qun: say it, then Ctrl-D");
    }
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(MOST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::usage(format!("can't read stdin: {error}")))?;
    if bytes.len() as u64 > MOST {
        return Err(Failure::usage("stdin has more than 1 MiB, which is too much to say"));
    }
    String::from_utf8(bytes).map_err(|_| Failure::usage("stdin is not UTF-8 text"))
}

/// One run of `qun send`.
struct Saying<'a> {
    errand: &'a Errand,
    stage: Stage,
    /// Messages that it takes, once that is known.
    parts: usize,
    /// Those of them that the machine has taken and nobody has acknowledged.
    waiting: Vec<Id>,
}

/// How far it has come.
enum Stage {
    /// Not in the room yet; this is to be said there.
    Joining(String),
    /// In the room: this many are still to be taken by the machine.
    Saying(usize),
}

impl Saying<'_> {
    /// Runs until everything is acknowledged, or until nothing has gone on for too long.
    fn run(mut self) -> Result<(), Failure> {
        let mut since = Instant::now();
        while !self.is_done() {
            let progress = match self.errand.next(since) {
                Some(msg) => self.take(msg),
                None => Err(self.gave_up()),
            };
            if progress.map_err(|failure| self.in_part(failure))? {
                since = Instant::now();
            }
        }
        Ok(())
    }

    /// What went wrong, and how much of it had been said before, where that is neither all nor nothing.
    fn in_part(&self, mut failure: Failure) -> Failure {
        if let Stage::Saying(left) = self.stage {
            let (parts, said) = (self.parts, self.parts - left - self.waiting.len());
            if said > 0 {
                let _ = write!(failure.text, " (Said: {said} of {parts} messages.)");
            }
        }
        failure
    }

    fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Saying(0)) && self.waiting.is_empty()
    }

    /// Handles what arrived; says whether it was progress.
    fn take(&mut self, msg: Msg) -> Result<bool, Failure> {
        match msg {
            Msg::Client { event, state, .. } => return self.event(event, &state.text),
            Msg::Given { id, doing: Doing::Say { .. }, .. } => {
                if let Stage::Saying(left) = &mut self.stage {
                    *left -= 1;
                }
                self.waiting.push(id);
            }
            Msg::NotMember(_) => return Err(self.refused("the server closed the room")),
            Msg::Signal => {
                let text = match &self.stage {
                    Stage::Joining(_) => "interrupted: nothing was sent",
                    Stage::Saying(_) => "interrupted: it may or may not have been sent",
                };
                return Err(Failure { exit: Exit::Interrupted, text: text.into() });
            }
            _ => {}
        }
        Ok(false)
    }

    fn event(&mut self, event: Event, limits: &TextLimits) -> Result<bool, Failure> {
        match event {
            Event::Joined { room, .. } => {
                self.joined(&room, limits)?;
                return Ok(true);
            }
            Event::Message { message, mine: true, .. } => {
                self.waiting.retain(|id| Some(*id) != message.id);
                return Ok(true);
            }
            Event::Delivered { id, .. } => {
                self.waiting.retain(|waiting| *waiting != id);
                return Ok(true);
            }
            Event::Refused { code, text, left, re, .. } => {
                let is_ours =
                    matches!(self.stage, Stage::Joining(_)) || re.is_some_and(|re| self.waiting.contains(&re));
                if is_ours {
                    return Err(refusal(&code, &text, left));
                }
            }
            Event::Unconfirmed { .. } => {
                let text = "sent, but not confirmed: the connection broke, and nobody can tell whether it arrived";
                return Err(Failure { exit: Exit::Unconfirmed, text: text.into() });
            }
            Event::Left { bye, .. } => {
                return Err(self.refused(bye.as_ref().map_or("the server closed the room", said)));
            }
            Event::Ended { bye } => return Err(self.refused(bye.as_ref().map_or("the server is done", said))),
            Event::Offline { attempt: 1, bye, .. } => self.errand.tell_offline(bye.as_ref()),
            _ => {}
        }
        Ok(false)
    }

    /// Says it, cut as this server wants it.
    fn joined(&mut self, room: &RoomId, limits: &TextLimits) -> Result<(), Failure> {
        if let Stage::Joining(written) = &self.stage {
            let texts = text::pieces(written, limits).map_err(Failure::usage)?;
            self.parts = texts.len();
            self.stage = Stage::Saying(self.parts);
            for text in texts {
                self.errand.session.give(Doing::Say { room: room.clone(), kind: Kind::Say, text });
            }
        }
        Ok(())
    }

    fn gave_up(&self) -> Failure {
        match &self.stage {
            Stage::Joining(_) => self.network("no answer in time; nothing was sent"),
            Stage::Saying(_) => Failure {
                exit: Exit::Unconfirmed,
                text: "sent, but not confirmed in time: it may or may not have arrived".into(),
            },
        }
    }

    fn network(&self, what: &str) -> Failure {
        self.errand.failure(Exit::Network, what)
    }

    fn refused(&self, what: &str) -> Failure {
        self.errand.failure(Exit::Refused, what)
    }
}
