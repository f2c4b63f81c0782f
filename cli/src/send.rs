//! `qun send`: say something, wait until it is acknowledged, go.

use std::io::{self, IsTerminal as _, Read as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use qun_core::client::{Bye, Event};
use qun_core::json::ErrorCode;
use qun_core::log::Kind;
use qun_core::{Id, RoomId, TextLimits};

use crate::args;
use crate::door::{self, Knock};
use crate::exit::{Exit, Failure};
use crate::session::{Doing, Manner, Msg, Session};
use crate::text::{self, LIMITS};

/// The most that is read from stdin; a file that is larger is hardly meant to be said.
const MOST: u64 = 1 << 20;

/// How long the goodbye may take once everything is acknowledged.
const GOODBYE: Duration = Duration::from_secs(2);

/// Runs `qun send`.
///
/// # Errors
/// Unless every part of it is acknowledged.
pub(crate) fn run(args: args::Send) -> Result<Exit, Failure> {
    let code = match door::knock(args.door.code.as_deref())? {
        Knock::Code(code) => code,
        Knock::Ask => door::ask()?,
    };
    let written = match args.message {
        Some(message) => message,
        None => read_stdin()?,
    };
    // What can't be said needs no connection to be told so.
    text::pieces(&written, &LIMITS).map_err(Failure::usage)?;
    let (session, inbox) = Session::start(Manner { server: args.door.server.clone(), name: args.door.name, tail: 0 })?;
    session.give(Doing::Join(code));
    let mut errand = Errand { session, server: args.door.server, stage: Stage::Joining(written), waiting: Vec::new() };
    let result = errand.run(&inbox, args.timeout);
    errand.leave(&inbox);
    result.map(|()| Exit::Ok)
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
struct Errand {
    session: Session,
    server: String,
    stage: Stage,
    /// Says that are not acknowledged.
    waiting: Vec<Id>,
}

/// How far it has come.
enum Stage {
    /// Not in the room yet; this is to be said there.
    Joining(String),
    /// In the room: this many are still to be taken by the machine.
    Saying(usize),
}

impl Errand {
    /// Runs until everything is acknowledged, or until nothing has gone on for `timeout`.
    fn run(&mut self, inbox: &Receiver<Msg>, timeout: Duration) -> Result<(), Failure> {
        let mut deadline = Instant::now() + timeout;
        while !self.is_done() {
            match inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(msg) => {
                    if self.take(msg)? {
                        deadline = Instant::now() + timeout;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(self.gave_up()),
            }
        }
        Ok(())
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
            Event::Offline { attempt: 1, bye, .. } => {
                let server = &self.server;
                match bye {
                    Some(bye) => eprintln!("qun: {server}: {}", said(&bye)),
                    None => eprintln!("qun: no connection to {server}; trying again"),
                }
            }
            _ => {}
        }
        Ok(false)
    }

    /// Says it, cut as this server wants it.
    fn joined(&mut self, room: &RoomId, limits: &TextLimits) -> Result<(), Failure> {
        if let Stage::Joining(written) = &self.stage {
            let texts = text::pieces(written, limits).map_err(Failure::usage)?;
            self.stage = Stage::Saying(texts.len());
            for text in texts {
                self.session.give(Doing::Say { room: room.clone(), kind: Kind::Say, text });
            }
        }
        Ok(())
    }

    /// Says goodbye, and waits a moment for it to be sent.
    fn leave(&self, inbox: &Receiver<Msg>) {
        self.session.bye();
        let deadline = Instant::now() + GOODBYE;
        loop {
            match inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Msg::Client { event: Event::Ended { .. }, .. } | Msg::Signal) | Err(_) => return,
                Ok(_) => {}
            }
        }
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

    fn network(&self, what: impl std::fmt::Display) -> Failure {
        Failure { exit: Exit::Network, text: format!("{}: {what}", self.server) }
    }

    fn refused(&self, what: &str) -> Failure {
        Failure { exit: Exit::Refused, text: format!("{}: {what}", self.server) }
    }
}

/// What the server said as it sent us away.
pub(crate) fn said(bye: &Bye) -> &str {
    if bye.text.is_empty() { bye.code.as_str() } else { &bye.text }
}

/// How a refused command ends the program.
pub(crate) fn refusal(code: &ErrorCode, text: &str, left: Option<u64>) -> Failure {
    let exit = match code {
        ErrorCode::BadCode | ErrorCode::CodeExpired => Exit::Code,
        _ => Exit::Refused,
    };
    let text = if text.is_empty() { code.as_str() } else { text };
    let left = match left {
        Some(1) => " 1 try left.".to_string(),
        Some(left) => format!(" {left} tries left."),
        None => String::new(),
    };
    Failure { exit, text: format!("{text}{left}") }
}
