//! History: what the log is asked to read, and pages of it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Server;
use super::conn::Wait;
use super::io::{Action, LogTask};
use super::order::Author;
use super::refusal::Refusal;
use super::room::Log;
use super::slab::Handle;
use super::timers::Timer;
use crate::dialect::Dialect;
use crate::id::{ConnId, Id, RoomId, Seq};
use crate::limits::SERVER_LINE;
use crate::log::{self, Request, Span, Ticket, Unavailable};
use crate::name::Name;
use crate::order::{Missing, Order};
use crate::time::Instant;

/// Bytes of a message on a page besides its text and its name, at most.
const MESSAGE: usize = 256;
/// Bytes that stand before and behind a line in the plain dialect, at most: the widest name is as wide as its bytes.
const INDENT: usize = Name::MAX_BYTES + 16;
/// Bytes of a page besides its messages, at most.
const PAGE: usize = 512;

/// What is being read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Loads {
    next: u64,
    by_ticket: BTreeMap<Ticket, Load>,
    /// What the log is not asked yet, by room: what was said before it waits for an append that is outstanding.
    behind: Vec<(u32, Ticket, Request)>,
}

/// What the log was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    Page(Span),
    Search,
    /// A message that is to be removed: whose it is.
    Remove {
        by: Author,
        order: Order,
        seq: Seq,
    },
}

/// Who waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Load {
    pub(super) conn: ConnId,
    pub(super) re: Option<Id>,
    pub(super) room: u32,
    pub(super) asked: Asked,
    /// What these messages said was removed since it was asked for.
    gone: Vec<Seq>,
    /// When it is given up.
    until: Instant,
}

impl Server {
    /// Asks the log for a page; the connection's later lines wait for it.
    pub(super) fn history(
        &mut self,
        id: ConnId,
        handle: Handle,
        re: Option<Id>,
        room: u32,
        span: Span,
        limit: Option<u64>,
    ) -> Result<(), Refusal> {
        let limit = self.page_limit(limit);
        let load = |ticket, room| Request::Load { ticket, room, span, limit };
        self.wait_for_log(id, handle, re, room, Asked::Page(span), load)
    }

    /// Makes the connection's later lines wait for what a member of a room asks of the log by this request.
    pub(super) fn wait_for_log(
        &mut self,
        id: ConnId,
        handle: Handle,
        re: Option<Id>,
        room: u32,
        asked: Asked,
        request: impl FnOnce(Ticket, RoomId) -> Request,
    ) -> Result<(), Refusal> {
        let session = self.sessions.get(handle).ok_or(Refusal::NotMember)?;
        let membership = session.memberships.get(room).filter(|membership| membership.slot.is_some());
        membership.ok_or(Refusal::NotMember)?;
        if !self.rooms[room as usize].is_serving() {
            return Err(Refusal::RoomClosed);
        }
        let ticket = Ticket(self.loads.next);
        self.loads.next += 1;
        let until = self.now.mono + self.limits.load;
        self.loads.by_ticket.insert(ticket, Load { conn: id, re, room, asked, gone: Vec::new(), until });
        self.timers.set(until, Timer::Load(ticket));
        if let Some(conn) = self.conn(id) {
            conn.wait = Some(Wait::Page(ticket));
        }
        // What was said before it was asked is appended before it is read, however the bytes came.
        self.append(room);
        let request = request(ticket, self.rooms[room as usize].id.clone());
        self.loads.behind.push((room, ticket, request));
        self.ask_log(room);
        Ok(())
    }

    /// Asks the log for the message that is to be removed.
    pub(super) fn load_to_remove(&mut self, by: Author, room: u32, order: Order, seq: Seq) -> Result<(), Refusal> {
        let load = |ticket, room| Request::Load { ticket, room, span: Span::After(seq.minus(1)), limit: 1 };
        self.wait_for_log(by.conn, by.session, by.re, room, Asked::Remove { by, order, seq }, load)
    }

    /// What a message said is gone from what was read before.
    pub(super) fn blank_pages(&mut self, room: u32, seq: Seq) {
        let loads = self.loads.by_ticket.values_mut().filter(|load| load.room == room);
        loads.for_each(|load| load.gone.push(seq));
    }

    /// How many messages one answer has at most.
    pub(super) fn page_limit(&self, wanted: Option<u64>) -> u64 {
        wanted.unwrap_or(self.limits.page).min(self.limits.page).max(1)
    }

    /// Asks the log what is wanted of a room, unless something that was said before is still to be appended.
    pub(super) fn ask_log(&mut self, room: u32) {
        let Self { loads: Loads { by_ticket, behind, .. }, rooms, actions, .. } = self;
        let state = &rooms[room as usize];
        if behind.is_empty() || !state.waiting.is_empty() || !state.asked.is_empty() {
            return;
        }
        for (_, ticket, request) in behind.extract_if(.., |(of, ..)| *of == room) {
            // What was given up meanwhile is not asked.
            if by_ticket.contains_key(&ticket) {
                actions.push_back(Action::Log(request));
            }
        }
    }

    /// The log has loaded a page, could not, or took too long. Of what comes later than that, nobody waits any more.
    pub(super) fn loaded(&mut self, ticket: Ticket, page: Result<log::Page, Unavailable>) {
        let Some(load) = self.take_load(ticket) else { return };
        match (page, load.asked.clone()) {
            (Ok(mut page), Asked::Page(span)) => {
                for record in page.records.iter_mut().filter(|record| load.is_gone(record)) {
                    record.remove();
                }
                self.log_worked(load.room, LogTask::Read);
                self.learn_first(load.room, page.first);
                let page = fitting(page, span, self.dialect(load.conn).unwrap_or(Dialect::Json));
                self.answer_page(&load, page);
            }
            (Ok(page), Asked::Remove { by, order, seq }) => {
                self.learn_first(load.room, page.first);
                let found = page.records.iter().find(|record| record.seq == seq && !load.is_gone(record));
                let done = match found {
                    Some(record) => self.remove_found(by, load.room, order, record),
                    None => Err(Refusal::NotFound(Missing::Message)),
                };
                if let Err(refusal) = done {
                    self.refuse(load.conn, load.re, refusal);
                }
            }
            _ => self.unread(&load),
        }
    }

    /// The log has answered, or nobody waits for it any more. Whoever asked goes on, if they are still there.
    pub(super) fn take_load(&mut self, ticket: Ticket) -> Option<Load> {
        let load = self.loads.by_ticket.remove(&ticket)?;
        self.timers.cancel(load.until, Timer::Load(ticket));
        self.conn(load.conn)?.wait.take_if(|wait| *wait == Wait::Page(ticket))?;
        self.wake.push_back(load.conn);
        Some(load)
    }

    /// The log said which message is its oldest. The room may have grown since the log read it.
    pub(super) fn learn_first(&mut self, room: u32, oldest: Seq) {
        if let Log::Open { first, .. } = &mut self.rooms[room as usize].log {
            *first = oldest.max(*first);
        }
    }

    /// The log could not read what was asked for.
    pub(super) fn unread(&mut self, load: &Load) {
        self.log_failed(load.room, LogTask::Read, 1);
        self.refuse(load.conn, load.re, Refusal::Unavailable);
    }

    /// The pages of a room will not be waited for any more.
    pub(super) fn refuse_pages(&mut self, room: u32) {
        let loads: Vec<_> = self.loads.by_ticket.extract_if(.., |_, load| load.room == room).collect();
        for (ticket, load) in loads {
            self.timers.cancel(load.until, Timer::Load(ticket));
            let waits = |wait: &mut Wait| *wait == Wait::Page(ticket);
            if self.conn(load.conn).and_then(|conn| conn.wait.take_if(waits)).is_some() {
                self.refuse(load.conn, load.re, Refusal::RoomClosed);
                self.wake.push_back(load.conn);
            }
        }
    }
}

impl Load {
    /// Whether what a message said was removed since it was asked for.
    pub(super) fn is_gone(&self, record: &log::Record) -> bool {
        self.gone.contains(&record.seq)
    }
}

/// As much of a page as a line of the server may hold, nearest to where the client reads from.
fn fitting(mut page: log::Page, span: Span, dialect: Dialect) -> log::Page {
    let mut fits = fits(dialect);
    let all = page.records.len();
    match span {
        Span::Before(_) => {
            let kept = page.records.iter().rev().take_while(|record| fits(record)).count();
            page.records.drain(..all - kept);
        }
        Span::After(_) => {
            let kept = page.records.iter().take_while(|record| fits(record)).count();
            page.records.truncate(kept);
        }
    }
    page.more |= page.records.len() < all;
    page
}

/// Says of one message after the other whether it still fits a line of the server.
pub(super) fn fits(dialect: Dialect) -> impl FnMut(&log::Record) -> bool {
    let cost = move |record: &log::Record| {
        let text = match dialect {
            // A character of a text takes two bytes of json where it is escaped.
            Dialect::Json => 2 * record.text.as_str().len(),
            // Every line of it is indented.
            Dialect::Plain => record.text.as_str().len() + record.text.lines().count() * INDENT,
        };
        let act = if let log::Kind::Act(act) = &record.kind { act.cost() } else { 0 };
        MESSAGE + text + act + record.name.as_str().len()
    };
    let mut left = SERVER_LINE - PAGE;
    move |record| {
        let rest = left.checked_sub(cost(record));
        left = rest.unwrap_or(0);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Style;
    use crate::id::MemberId;
    use crate::log::{Kind, Page, Record};
    use crate::plain;

    #[test]
    fn a_page_fits_a_line_in_every_dialect() {
        let record = |seq| Record {
            seq: Seq::new(seq),
            ts: u64::MAX,
            member: MemberId::from_bits(0),
            name: "小".repeat(21).parse().unwrap(),
            kind: Kind::Say,
            text: ["a"; 64].join("\n").parse().unwrap(),
            id: None,
        };
        let page = Page { first: Seq::new(1), more: false, records: (1..=200).map(record).collect() };
        let page = fitting(page, Span::Before(Seq::new(201)), Dialect::Plain);
        assert!(page.more && page.records.last().is_some_and(|record| record.seq == Seq::new(200)));
        let mut lines = alloc::vec::Vec::new();
        let style = Style { language: plain::Language::En, utc_offset_s: 0 };
        page.records.iter().for_each(|record| plain::message(record, style, &mut lines));
        assert!((SERVER_LINE / 2..=SERVER_LINE).contains(&lines.len()), "{}", lines.len());
    }
}
