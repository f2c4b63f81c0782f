//! `qun history`: what was said in a room, and go.

use std::collections::VecDeque;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ZonedDateTime};
use qun_core::Seq;
use qun_core::json::PageMessage;

use crate::args;
use crate::door;
use crate::errand::{Errand, PAGE, Step};
use crate::exit::{Exit, Failure};
use crate::print::{Printer, print};
use crate::session::Doing;

/// Runs `qun history`.
///
/// # Errors
/// Where the room can't be entered, or does not answer in time.
pub(crate) fn run(args: args::History) -> Result<Exit, Failure> {
    let limit = match (args.limit, args.since) {
        (Some(limit), _) => limit,
        (None, Some(_)) => u64::MAX,
        (None, None) => 100,
    };
    let since = args.since.map_or(0, |since| u64::try_from(since.as_millisecond()).unwrap_or(0));
    let mut found = Wanted { since, limit, found: VecDeque::new() };
    let errand = Errand::start(door::find(args.door.code.as_deref())?, args.door.who, args.timeout)?;
    errand.run(|errand| found.fetch(errand))?;
    print(&found.found, &Printer::new(args.json, None), "nothing was said")
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

/// What is wanted, as far as it is there.
struct Wanted {
    /// Nothing older than this: milliseconds since 1970.
    since: u64,
    /// No more than so many.
    limit: u64,
    /// In the order of seq.
    found: VecDeque<PageMessage>,
}

impl Wanted {
    /// Reads page by page, the newest first, until there is enough.
    fn fetch(&mut self, errand: &Errand) -> Result<(), Failure> {
        let Step::In(room, head) = errand.read()? else { return Ok(()) };
        if head == Seq::ZERO || self.limit == 0 {
            return Ok(());
        }
        let mut before = head.next();
        loop {
            let limit = PAGE.min(self.limit - self.found.len() as u64);
            errand.session.give(Doing::History { room: room.clone(), before, limit });
            let Step::Read { messages, more, .. } = errand.read()? else { return Ok(()) };
            if self.take(&messages) || !more {
                return Ok(());
            }
            // A server that says that there is more gives some.
            let Some(first) = self.found.front() else { return Ok(()) };
            before = first.seq;
        }
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
}
