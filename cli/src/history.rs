//! `qun history`: what was said in a room, and go.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ZonedDateTime};
use qun_core::client::Event;
use qun_core::json::PageMessage;
use qun_core::log::Kind;
use qun_core::{RoomId, Seq};

use crate::args;
use crate::door::{self, Knock};
use crate::exit::{Exit, Failure};
use crate::send::{refusal, said};
use crate::session::{Doing, Manner, Msg, Session};

/// Messages that are asked for at once: the most that a server gives unless it is told otherwise.
const PAGE: u64 = 200;

/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// Runs `qun history`.
///
/// # Errors
/// Where the room can't be entered, or does not answer in time.
pub(crate) fn run(args: args::History) -> Result<Exit, Failure> {
    let code = match door::knock(args.door.code.as_deref())? {
        Knock::Code(code) => code,
        Knock::Ask => door::ask()?,
    };
    let limit = match (args.limit, args.since) {
        (Some(limit), _) => limit,
        (None, Some(_)) => u64::MAX,
        (None, None) => 100,
    };
    let since = args.since.map_or(0, |since| u64::try_from(since.as_millisecond()).unwrap_or(0));
    let (session, inbox) = Session::start(Manner { server: args.door.server.clone(), name: args.door.name, tail: 0 })?;
    session.give(Doing::Join(code));
    let mut errand = Errand { session, server: args.door.server, since, limit, found: VecDeque::new() };
    let result = errand.run(&inbox, args.timeout);
    errand.leave(&inbox);
    result?;
    print(&errand.found, args.json)
}

/// Reads a time: as in RFC 3339, a date, or how long ago.
pub(crate) fn parse_since(text: &str) -> Result<Timestamp, String> {
    let ago = || -> Option<Timestamp> {
        let span: Span = text.parse().ok()?;
        ZonedDateTime::now().checked_sub(span.abs()).ok().map(|then| then.timestamp())
    };
    let date = || -> Option<Timestamp> {
        let date: jiff::civil::DateTime = text.parse().ok()?;
        date.to_zoned_datetime(TimeZone::system()).ok().map(|then| then.timestamp())
    };
    let known = text.parse().ok().or_else(date).or_else(ago);
    known.ok_or_else(|| {
        "write a time, as in 2027-01-31T08:00:00Z or 2027-01-31, or how long ago, as in 90m or 3d".into()
    })
}

/// One run of `qun history`.
struct Errand {
    session: Session,
    server: String,
    /// Nothing older than this: milliseconds since 1970.
    since: u64,
    /// No more than so many.
    limit: u64,
    /// In the order of seq.
    found: VecDeque<PageMessage>,
}

impl Errand {
    /// Reads page by page, the newest first, until there is enough, or nothing has gone on for `timeout`.
    fn run(&mut self, inbox: &Receiver<Msg>, timeout: Duration) -> Result<(), Failure> {
        let mut deadline = Instant::now() + timeout;
        loop {
            let event = match inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Msg::Client { event, .. }) => event,
                Ok(Msg::Signal) => return Err(Failure { exit: Exit::Interrupted, text: "interrupted".into() }),
                Ok(Msg::NotMember(_)) => return Err(self.failure(Exit::Refused, "the server closed the room")),
                Ok(_) => continue,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(self.failure(Exit::Network, "no answer in time"));
                }
            };
            match event {
                Event::Joined { re: Some(_), room, head, .. } if head > Seq::ZERO && self.limit > 0 => {
                    self.load(room, head.next());
                }
                Event::Joined { re: Some(_), .. } => return Ok(()),
                Event::Page { room, messages, more, .. } => {
                    if self.take(&messages) || !more {
                        return Ok(());
                    }
                    // A server that says that there is more gives some.
                    let Some(first) = self.found.front() else { return Ok(()) };
                    let first = first.seq;
                    self.load(room, first);
                }
                Event::Refused { code, text, left, .. } => return Err(refusal(&code, &text, left)),
                Event::Left { .. } => return Err(self.failure(Exit::Refused, "the server closed the room")),
                Event::Ended { bye } => {
                    return Err(self.failure(Exit::Refused, bye.as_ref().map_or("the server is done", said)));
                }
                Event::Offline { attempt: 1, .. } => {
                    eprintln!("qun: no connection to {}; trying again", self.server);
                    continue;
                }
                _ => continue,
            }
            deadline = Instant::now() + timeout;
        }
    }

    fn load(&self, room: RoomId, before: Seq) {
        let limit = PAGE.min(self.limit - self.found.len() as u64);
        self.session.give(Doing::History { room, before, limit });
    }

    /// Takes a page; says whether there is enough.
    fn take(&mut self, messages: &[PageMessage]) -> bool {
        for message in messages.iter().rev() {
            if self.found.len() as u64 >= self.limit || message.ts < self.since {
                return true;
            }
            self.found.push_front(message.clone());
        }
        self.found.len() as u64 >= self.limit
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

    fn failure(&self, exit: Exit, what: impl std::fmt::Display) -> Failure {
        Failure { exit, text: format!("{}: {what}", self.server) }
    }
}

fn print(messages: &VecDeque<PageMessage>, json: bool) -> Result<Exit, Failure> {
    let zone = TimeZone::system();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = messages.iter().try_for_each(|message| {
        let line = if json { serde_json::to_string(message).map_err(io::Error::other)? } else { words(message, &zone) };
        writeln!(out, "{line}")
    });
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::usage(format!("can't write to stdout: {error}")))
        }
        _ => {
            if messages.is_empty() && io::stderr().is_terminal() {
                eprintln!("qun: nothing was said");
            }
            Ok(Exit::Ok)
        }
    }
}

/// A message for a person. Every line but its first is indented, so that no text looks like another message.
fn words(message: &PageMessage, zone: &TimeZone) -> String {
    let at = i64::try_from(message.ts).ok().and_then(|ts| Timestamp::from_millisecond(ts).ok()).unwrap_or_default();
    let time = at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
    let text = message.text.as_str().replace(['\n', '\u{2028}', '\u{2029}'], "\n                 | ");
    match message.kind {
        Kind::Me => format!("{time} * {} {text}", message.name),
        Kind::Say => format!("{time} <{}> {text}", message.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_several_ways() {
        let at = |text: &str| parse_since(text).unwrap();
        assert_eq!(at("2027-01-31T08:00:00Z").as_second(), 1_801_382_400);
        assert!(at("2027-01-31") < at("2027-01-31T12:00:00"));
        let ago = |text| Timestamp::now().duration_since(at(text)).as_secs();
        assert!((5_399..5_500).contains(&ago("90m")) && (3_599..3_700).contains(&ago("1 hour")));
        // A day may have an hour more or less.
        assert!((68..76).contains(&(ago("3d") / 3_600)));
        assert!(parse_since("yesterday").unwrap_err().contains("90m"));
    }

    #[test]
    fn no_text_forges_a_line() {
        let message = PageMessage {
            seq: Seq::new(1),
            ts: 1_771_329_600_000,
            m: "Xk3pQ9aLw2".parse().unwrap(),
            name: "ann".parse().unwrap(),
            kind: Kind::Say,
            text: "one\n2026-02-17 12:00 <bob> two".parse().unwrap(),
            id: None,
        };
        assert_eq!(
            words(&message, &TimeZone::UTC),
            "2026-02-17 12:00 <ann> one\n                 | 2026-02-17 12:00 <bob> two"
        );
    }
}
