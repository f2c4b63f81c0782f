//! `qun search`: the messages of a room that have some words, and go.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _};

use qun_core::json::PageMessage;
use qun_core::{Seq, Words};

use crate::args;
use crate::door;
use crate::errand::{Errand, PAGE, Step};
use crate::exit::{Exit, Failure};
use crate::print::{Printer, print};
use crate::session::Doing;

/// Runs `qun search`.
///
/// # Errors
/// Where there is nothing to look for, the room can't be entered, or it does not answer in time.
pub(crate) fn run(args: args::Search) -> Result<Exit, Failure> {
    // What nothing can be found by needs no connection to be told so.
    let words = args.words.join(" ").parse();
    let words: Words = words.map_err(|error| Failure::usage(format!("can't search: {error}")))?;
    let code = match args.code.as_str() {
        "-" => std::env::var("QUN_CODE").unwrap_or(args.code),
        _ => args.code,
    };
    let errand = Errand::start(door::find(Some(&code))?, args.who, args.timeout)?;
    let mut wanted = Wanted { limit: args.limit, before: args.before, found: VecDeque::new(), more: false };
    errand.run(|errand| wanted.fetch(errand, &words))?;
    let exit = print(&wanted.found, &Printer::new(args.json, Some(&words)), "no message has that")?;
    if let Some(before) = wanted.before.filter(|_| wanted.more && io::stderr().is_terminal()) {
        eprintln!("qun: older ones: --before {before}");
    }
    Ok(exit)
}

/// What is wanted, as far as it is there.
struct Wanted {
    /// No more than so many.
    limit: u64,
    /// Where the next look begins.
    before: Option<Seq>,
    /// In the order of seq.
    found: VecDeque<PageMessage>,
    /// Whether something was not looked at.
    more: bool,
}

impl Wanted {
    /// Looks further and further back, until there is enough or no more.
    fn fetch(&mut self, errand: &Errand, words: &Words) -> Result<(), Failure> {
        let Step::In(room, _) = errand.read()? else { return Ok(()) };
        while (self.found.len() as u64) < self.limit {
            let limit = PAGE.min(self.limit - self.found.len() as u64);
            let (room, words) = (room.clone(), words.clone());
            errand.session.give(Doing::Search { room, words, before: self.before, limit });
            let Step::Read { messages, from: Some(from), more } = errand.read()? else { return Ok(()) };
            messages.into_iter().rev().for_each(|message| self.found.push_front(message));
            // A server that says that there is more has come further.
            self.more = more && self.before.is_none_or(|before| from < before);
            if !self.more {
                return Ok(());
            }
            self.before = Some(from);
        }
        Ok(())
    }
}
