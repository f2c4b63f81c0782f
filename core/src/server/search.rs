//! Search: what the log finds of words.

use super::Server;
use super::history::{Asked, fits};
use super::io::LogTask;
use super::refusal::Refusal;
use super::slab::Handle;
use crate::dialect::Dialect;
use crate::id::{ConnId, Id, Seq};
use crate::log::{Found, Request, Ticket, Unavailable};
use crate::search::Words;

/// What is looked for, and how far.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) words: Words,
    /// Only below this seq.
    pub(super) before: Seq,
    pub(super) limit: Option<u64>,
}

impl Server {
    /// Has the log look for words; the connection's later lines wait for it. Whoever asks has paid for it as for saying
    /// something.
    pub(super) fn search(
        &mut self,
        id: ConnId,
        handle: Handle,
        re: Option<Id>,
        room: u32,
        query: Query,
    ) -> Result<(), Refusal> {
        let Query { words, before, limit } = query;
        let limit = self.page_limit(limit);
        let search = |ticket, room| Request::Search { ticket, room, words, before, limit };
        self.wait_for_log(id, handle, re, room, Asked::Search, search)
    }

    /// The log has looked, could not, or took too long.
    pub(super) fn found(&mut self, ticket: Ticket, found: Result<Found, Unavailable>) {
        let Some(load) = self.take_load(ticket) else { return };
        match (found, &load.asked) {
            (Ok(mut found), Asked::Search) => {
                found.records.retain(|record| !load.is_gone(record));
                self.log_worked(load.room, LogTask::Read);
                self.learn_first(load.room, found.first);
                let found = fitting(found, self.dialect(load.conn).unwrap_or(Dialect::Json));
                self.answer_found(&load, found);
            }
            _ => self.unread(&load),
        }
    }
}

/// As much of it as a line of the server may hold, the newest; what does not fit was not looked at.
fn fitting(mut found: Found, dialect: Dialect) -> Found {
    let mut fits = fits(dialect);
    let kept = found.records.iter().rev().take_while(|record| fits(record)).count();
    let cut = found.records.len() - kept;
    if cut > 0 {
        found.records.drain(..cut);
        found.from = found.records.first().map_or(found.from, |oldest| oldest.seq);
        found.more = true;
    }
    found
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;
    use crate::id::MemberId;
    use crate::json::{self, Frame, PageMessage};
    use crate::limits::SERVER_LINE;
    use crate::log::{Kind, Record};

    #[test]
    fn what_does_not_fit_a_line_is_left_for_the_next_search() {
        let text = String::from("\"").repeat(4_000);
        let record = |seq| Record {
            seq: Seq::new(seq),
            ts: u64::MAX,
            member: MemberId::from_bits(0),
            name: "小".repeat(21).parse().unwrap(),
            kind: Kind::Me,
            text: text.parse().unwrap(),
            id: Some("x".repeat(36).parse().unwrap()),
        };
        let found =
            Found { first: Seq::new(1), from: Seq::new(1), more: false, records: (1..=200).map(record).collect() };
        let found = fitting(found, Dialect::Json);
        let oldest = found.records.first().unwrap().seq;
        assert!(found.more && found.from == oldest && oldest > Seq::new(1));
        assert_eq!(found.records.last().unwrap().seq, Seq::new(200));
        let msgs = found.records.iter().map(PageMessage::from).collect();
        let (first, from) = (found.first, found.from);
        let (room, epoch) = ("x".repeat(32).parse().unwrap(), "e".parse().unwrap());
        let mut line = Vec::new();
        Frame::Found(json::Found { re: None, room, epoch, first, from, more: true, msgs }).encode(&mut line);
        assert!((SERVER_LINE / 2..=SERVER_LINE).contains(&line.len()), "{}", line.len());
    }
}
