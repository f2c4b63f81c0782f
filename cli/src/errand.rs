//! What the commands share that come into a room, do one thing and go.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use qun_core::client::{Bye, Door, Event};
use qun_core::json::{ErrorCode, PageMessage};
use qun_core::{RoomId, Seq};

use crate::args;
use crate::exit::{Exit, Failure};
use crate::session::{Doing, Manner, Msg, Session};

/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// Messages that are asked for at once: the most that a server gives unless it is told otherwise.
pub(crate) const PAGE: u64 = 200;

/// A client that is on its way into a room.
pub(crate) struct Errand {
    pub(crate) session: Session,
    pub(crate) inbox: Receiver<Msg>,
    server: String,
    /// How long nothing may go on.
    timeout: Duration,
}

/// How one that reads has come further.
pub(crate) enum Step {
    /// It is in the room, whose newest message is this.
    In(RoomId, Seq),
    /// It has got what it asked for.
    Read {
        messages: Vec<PageMessage>,
        /// The oldest message that was looked at, where something was looked for.
        from: Option<Seq>,
        more: bool,
    },
}

impl Errand {
    /// Sets out.
    ///
    /// # Errors
    /// Where no client can be started.
    pub(crate) fn start(door: Door, who: args::Who, timeout: Duration) -> Result<Self, Failure> {
        let (name, password) = who.prove()?;
        let server = who.server;
        let (session, inbox) = Session::start(Manner { server: server.clone(), name, password, tail: 0 })?;
        session.give(Doing::Join(door));
        Ok(Self { session, inbox, server, timeout })
    }

    /// Does it, says goodbye, and waits a moment for that to be sent.
    pub(crate) fn run<T>(mut self, act: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        let result = act(&mut self);
        self.session.bye();
        let deadline = Instant::now() + GOODBYE;
        loop {
            match self.inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Msg::Client { event: Event::Ended { .. }, .. } | Msg::Signal) | Err(_) => return result,
                Ok(_) => {}
            }
        }
    }

    /// What arrives next, until nothing has gone on since `since` for too long.
    pub(crate) fn next(&self, since: Instant) -> Option<Msg> {
        let deadline = since + self.timeout;
        self.inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }

    /// How one that reads comes further.
    ///
    /// # Errors
    /// Where the room can't be entered, or does not answer in time.
    pub(crate) fn read(&self) -> Result<Step, Failure> {
        let since = Instant::now();
        loop {
            let event = match self.next(since) {
                Some(Msg::Client { event, .. }) => event,
                Some(Msg::Signal) => return Err(Failure { exit: Exit::Interrupted, text: "interrupted".into() }),
                Some(Msg::NotMember(_)) => return Err(self.failure(Exit::Refused, "the server closed the room")),
                Some(_) => continue,
                None => return Err(self.failure(Exit::Network, "no answer in time")),
            };
            match event {
                Event::Joined { re: Some(_), room, head, .. } => return Ok(Step::In(room, head)),
                Event::Page { messages, more, .. } => return Ok(Step::Read { messages, from: None, more }),
                Event::Found { messages, from, more, .. } => {
                    return Ok(Step::Read { messages, from: Some(from), more });
                }
                Event::Refused { code, text, left, .. } => return Err(refusal(&code, &text, left)),
                Event::Left { .. } => return Err(self.failure(Exit::Refused, "the server closed the room")),
                Event::Ended { bye } => {
                    return Err(self.failure(Exit::Refused, bye.as_ref().map_or("the server is done", said)));
                }
                Event::Offline { attempt: 1, bye, .. } => self.tell_offline(bye.as_ref()),
                _ => {}
            }
        }
    }

    /// Tells the person that it takes longer.
    pub(crate) fn tell_offline(&self, bye: Option<&Bye>) {
        let server = &self.server;
        match bye {
            Some(bye) => eprintln!("qun: {server}: {}", said(bye)),
            None => eprintln!("qun: no connection to {server}; trying again"),
        }
    }

    pub(crate) fn failure(&self, exit: Exit, what: impl std::fmt::Display) -> Failure {
        Failure { exit, text: format!("{}: {what}", self.server) }
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
