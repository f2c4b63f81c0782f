//! Says, to the log and back. The log assigns the order: a say is delivered when the log has it, and not before.

use alloc::vec::Vec;

use super::Server;
use super::io::{Action, LogTask};
use super::refusal::Refusal;
use super::room::{Log, Said};
use super::slab::Handle;
use crate::id::{ConnId, Id, RoomId, Seq};
use crate::log::{Draft, Kind, Outcome, Record, Request};
use crate::role::Role;
use crate::text::Text;

impl Server {
    /// Sends a text on its way to a room's log.
    pub(super) fn say(
        &mut self,
        conn: ConnId,
        handle: Handle,
        room: u32,
        id: Option<Id>,
        kind: Kind,
        text: Text,
    ) -> Result<(), Refusal> {
        let session = self.sessions.get_mut(handle).ok_or(Refusal::NotMember)?;
        let membership = session.memberships.get(&room).filter(|membership| membership.slot.is_some());
        let membership = *membership.ok_or(Refusal::NotMember)?;
        let state = &mut self.rooms[room as usize];
        if !state.is_serving() {
            return Err(Refusal::RoomClosed);
        }
        if state.role(session, &membership) < Role::Talk {
            return Err(Refusal::ReadOnly);
        }
        text.check(&self.limits.text).map_err(Refusal::BadText)?;
        session.in_flight += 1;
        let draft = Draft {
            once: id.map(|id| (session.key, id)),
            member: session.member,
            name: session.name.clone(),
            kind,
            text: text.clone(),
        };
        if state.waiting.is_empty() && state.appending.is_empty() {
            self.appends.push_back(room);
        }
        state.waiting.push((Said { session: handle, conn, re: id, text }, draft));
        Ok(())
    }

    /// Spends one of the session's says.
    pub(super) fn pace_say(&mut self, handle: Handle) -> Result<(), Refusal> {
        let (rate, now) = (self.says, self.now.mono);
        let session = self.sessions.get_mut(handle).ok_or(Refusal::NoHello)?;
        let wait = session.says.wait(rate, now);
        if !wait.is_zero() {
            return Err(Refusal::SlowDown { wait });
        }
        session.says.spend(rate, now);
        Ok(())
    }

    /// Hands what waits to the log, unless an append is outstanding.
    pub(super) fn append(&mut self, room: u32) {
        let room = &mut self.rooms[room as usize];
        if !room.appending.is_empty() || room.waiting.is_empty() {
            return;
        }
        let (said, drafts) = room.waiting.drain(..).unzip();
        room.appending = said;
        self.actions.push_back(Action::Log(Request::Append { room: room.id.clone(), drafts }));
    }

    /// The log says what became of the outstanding append.
    pub(super) fn settled(&mut self, room: &RoomId, outcomes: Vec<Outcome>) {
        let Some((index, room)) = self.room(room) else { return };
        let said = core::mem::take(&mut room.appending);
        debug_assert_eq!(said.len(), outcomes.len(), "the log answers an append that there was not");
        let outcomes = outcomes.into_iter().chain(core::iter::repeat(Outcome::Refused));
        let (mut refused, mut is_new) = (0, false);
        for (said, outcome) in said.into_iter().zip(outcomes) {
            is_new |= matches!(outcome, Outcome::New(_));
            match outcome {
                Outcome::New(seq) if seq > self.rooms[index as usize].head() => {
                    self.rooms[index as usize].unseen.push_back((seq, said.session));
                }
                Outcome::New(_) => self.landed(said.session),
                Outcome::Known(seq) => {
                    self.answer_known(&said, seq);
                    self.landed(said.session);
                }
                Outcome::Refused => {
                    refused += 1;
                    self.not_said(said);
                }
            }
        }
        if refused > 0 {
            // What came behind a refused message must not overtake it when it is said again.
            let room = &mut self.rooms[index as usize];
            let waiting = core::mem::take(&mut room.waiting);
            refused += waiting.len() as u64;
            for (said, _) in waiting {
                self.not_said(said);
            }
            self.log_failed(index, LogTask::Keep, refused);
        } else if is_new {
            self.log_worked(index, LogTask::Keep);
        }
        self.append(index);
        self.ask_log(index);
        self.close_if_settled(index);
    }

    /// The log has grown.
    pub(super) fn grew(&mut self, room: &RoomId, oldest: Seq, mut records: Vec<Record>) {
        let Some((index, room)) = self.room(room) else { return };
        let Log::Open { first, .. } = &mut room.log else { return };
        *first = oldest.max(*first);
        // A log that brings its tail again, after a fault of its own, does not deliver twice.
        let head = room.head();
        records.retain(|record| record.seq > head);
        let Some(newest) = records.last().map(|record| record.seq) else { return };
        debug_assert_eq!(records.first().map(|record| record.seq), Some(head.next()), "the log grew with a hole");
        self.append_messages(index, records);
        while let Some((_, session)) = self.rooms[index as usize].unseen.pop_front_if(|(seq, _)| *seq <= newest) {
            self.landed(session);
        }
        self.close_if_settled(index);
    }

    /// One of the session's says is settled, and in the stream if it was accepted.
    fn landed(&mut self, handle: Handle) {
        let Some(session) = self.sessions.get_mut(handle) else { return };
        debug_assert!(session.in_flight > 0, "more says land than were in flight");
        let lingered = session.lingers();
        session.in_flight = session.in_flight.saturating_sub(1);
        if lingered && !session.lingers() {
            return self.end_session(handle, "lost");
        }
        if let Some(conn) = session.conn
            && self.conns.get(conn).is_some_and(|conn| conn.is_waiting_for_says())
        {
            self.wake.push_back(conn);
        }
    }

    fn not_said(&mut self, said: Said) {
        self.answer_not_said(&said);
        self.landed(said.session);
    }
}
