//! Orders of those who keep a room: how they come to be written to the log.
//!
//! An order waits among the says of its room and becomes the last draft of an append. Whether it is allowed is asked twice:
//! when it comes, for a quick answer, and when it is written, because the acts before it may have changed that. From then on
//! it is as good as done, and `act` does it when its record comes.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Server;
use super::plan::Plan;
use super::refusal::Refusal;
use super::room::Log;
use super::rules::Mark;
use super::say::Says;
use super::slab::Handle;
use crate::act::{Act, Subject};
use crate::code::Code;
use crate::id::{ConnId, Id, Seq};
use crate::json::ShownCode;
use crate::log::{Draft, Fact, Kind, Record};
use crate::order::{Forbidden, Missing, Order, Which};

/// An order that waits to be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) by: Author,
    pub(super) order: Order,
    /// Whom it is about: who that was when it was given.
    pub(super) on: Option<Subject>,
    /// By what they were known then, where it is a ban: they may be gone as it is written.
    pub(super) marks: Vec<Mark>,
    /// What was said behind it.
    pub(super) then: Says,
}

/// Who gave an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Author {
    pub(super) session: Handle,
    /// Where the answer goes, if it is still this session's.
    pub(super) conn: ConnId,
    pub(super) re: Option<Id>,
}

/// An act on its way to the log and back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Acting {
    pub(super) by: Author,
    pub(super) act: Act,
    pub(super) facts: Vec<Fact>,
    /// A code that was made, for the one who asked.
    pub(super) made: Option<(Box<str>, ShownCode)>,
    /// Those who are in by this code go.
    pub(super) shut: Option<Code>,
    /// Where it is in the log, once that is known.
    pub(super) seq: Option<Seq>,
}

impl Server {
    /// Takes an order.
    pub(super) fn order(&mut self, by: Author, room: u32, order: Order) -> Result<(), Refusal> {
        let session = self.sessions.get(by.session).ok_or(Refusal::NotMember)?;
        let membership = session.memberships.get(room).filter(|membership| membership.slot.is_some());
        membership.ok_or(Refusal::NotMember)?;
        if !self.rooms[room as usize].is_serving() {
            return Err(Refusal::RoomClosed);
        }
        self.has_right(by.session, room, &order)?;
        if let Order::Remove { which, .. } = &order {
            let seq = self.which(room, which)?;
            let Log::Open { first, .. } = self.rooms[room as usize].log else { return Err(Refusal::NotMember) };
            let (is_there, held) = (seq >= first, self.rooms[room as usize].held.record(seq));
            return match held {
                _ if !is_there || seq > self.rooms[room as usize].head() => Err(Refusal::NotFound(Missing::Message)),
                Some(record) => {
                    let record = record.clone();
                    self.remove_found(by, room, order, &record)
                }
                None => self.load_to_remove(by, room, order, seq),
            };
        }
        let on = self.subject(room, &order)?;
        self.queue(by, room, order, on)
    }

    /// Goes on with an order to remove a message, which is this.
    pub(super) fn remove_found(&mut self, by: Author, room: u32, order: Order, record: &Record) -> Result<(), Refusal> {
        match record.kind {
            Kind::Removed => Err(Refusal::NotFound(Missing::Message)),
            Kind::Act(_) => Err(Refusal::Forbidden(Forbidden::Act)),
            Kind::Say | Kind::Me => {
                let Order::Remove { why, .. } = order else { return Ok(()) };
                let order = Order::Remove { which: Which::Message(record.seq), why };
                let on = Subject { m: Some(record.member), name: record.name.clone() };
                self.queue(by, room, order, Some(on))
            }
        }
    }

    /// Lets an order wait for its turn, among what was said.
    fn queue(&mut self, by: Author, room: u32, order: Order, on: Option<Subject>) -> Result<(), Refusal> {
        self.check(by.session, room, &order, on.as_ref())?;
        let marks = match (&order, &on) {
            (Order::Ban { by, .. }, Some(on)) => self.ban_marks(room, on, by)?,
            _ => Vec::new(),
        };
        let Some(session) = self.sessions.get_mut(by.session) else { return Err(Refusal::NotMember) };
        session.in_flight += 1;
        self.rooms[room as usize].asked.push_back(Asked { by, order, on, marks, then: Says::default() });
        self.appends.push_back(room);
        Ok(())
    }

    /// Turns an order whose turn it is into the last draft of an append. What was said behind it waits on.
    pub(super) fn draft_act(&mut self, room: u32, asked: Asked, drafts: &mut Vec<Draft>) {
        let Asked { by, order, on, marks, then } = asked;
        self.rooms[room as usize].waiting = then;
        match self.plan(by, room, order, on, marks) {
            Ok(Plan { act, facts, made, shut }) => {
                let Some(session) = self.sessions.get(by.session) else { return };
                drafts.push(Draft {
                    once: None,
                    member: session.member,
                    name: session.name.clone(),
                    text: act.text(),
                    kind: act.clone().into(),
                    facts: facts.clone(),
                });
                let acting = Acting { by, act, facts, made, shut, seq: None };
                self.rooms[room as usize].acting = Some(Box::new(acting));
            }
            Err(refusal) => self.not_done(by, refusal),
        }
    }

    /// Says that an order is not followed.
    pub(super) fn not_done(&mut self, by: Author, refusal: Refusal) {
        if self.is_of(by.conn, by.session) {
            self.refuse(by.conn, by.re, refusal);
        }
        self.landed(by.session);
    }
}
