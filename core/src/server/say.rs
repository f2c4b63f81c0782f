//! Says, to the log and back. The log assigns the order: a say is delivered when the log has it, and not before.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Server;
use super::io::{Action, LogTask};
use super::refusal::Refusal;
use super::room::{Log, Said};
use super::slab::Handle;
use crate::id::{ConnId, Id, RoomId, Seq};
use crate::log::{Draft, Kind, Outcome, Record, Request};
use crate::text::Text;

/// Says that wait for the log, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Says {
    /// Whose each is.
    said: Vec<Said>,
    /// What of each is for the log. Beside, and not together with the above, so that the log is handed it as it lies here.
    drafts: Vec<Draft>,
}

impl Says {
    pub(super) fn push(&mut self, said: Said, draft: Draft) {
        self.said.push(said);
        self.drafts.push(draft);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.said.is_empty()
    }
}

impl IntoIterator for Says {
    type Item = (Said, Draft);
    type IntoIter = core::iter::Zip<alloc::vec::IntoIter<Said>, alloc::vec::IntoIter<Draft>>;

    fn into_iter(self) -> Self::IntoIter {
        self.said.into_iter().zip(self.drafts)
    }
}

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
        let membership = session.memberships.get(room).filter(|membership| membership.slot.is_some());
        let membership = *membership.ok_or(Refusal::NotMember)?;
        let state = &mut self.rooms[room as usize];
        if !state.is_serving() {
            return Err(Refusal::RoomClosed);
        }
        state.may_speak(session, &membership, self.now.unix_ms)?;
        text.check(&self.limits.text).map_err(Refusal::BadText)?;
        session.in_flight += 1;
        let draft = Draft {
            once: id.map(|id| (session.key, id)),
            member: session.member,
            name: session.name.clone(),
            kind,
            text: text.clone(),
            facts: Vec::new(),
        };
        if state.waiting.is_empty() && state.appending.is_empty() {
            self.appends.push_back(room);
        }
        // Nothing overtakes what those who keep order asked for before it.
        let queue = match state.asked.back_mut() {
            Some(asked) => &mut asked.then,
            None => &mut state.waiting,
        };
        queue.push(Said { session: handle, conn, re: id, text }, draft);
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

    /// Hands what waits to the log, unless an append is outstanding, or an act is still to be done.
    pub(super) fn append(&mut self, room: u32) {
        loop {
            let state = &mut self.rooms[room as usize];
            if !state.appending.is_empty() || state.acting.is_some() {
                return;
            }
            let asked = state.asked.pop_front();
            if state.waiting.is_empty() && asked.is_none() {
                // An order that was not followed leaves nothing to wait for.
                return self.ask_log(room);
            }
            let Says { said, mut drafts } = core::mem::take(&mut state.waiting);
            state.appending = said;
            if let Some(asked) = asked {
                self.draft_act(room, asked, &mut drafts);
            }
            // An order that is not followed leaves what was said behind it.
            if !drafts.is_empty() {
                let room = self.rooms[room as usize].id.clone();
                self.actions.push_back(Action::Log(Request::Append { room, drafts }));
                return;
            }
        }
    }

    /// The log says what became of the outstanding append.
    pub(super) fn settled(&mut self, room: &RoomId, outcomes: Vec<Outcome>) {
        let Some((index, room)) = self.room(room) else { return };
        let said = core::mem::take(&mut room.appending);
        let acts = room.acting.as_ref().is_some_and(|acting| acting.seq.is_none());
        let count = said.len() + usize::from(acts);
        debug_assert_eq!(count, outcomes.len(), "the log answers an append that there was not");
        let mut outcomes = outcomes.into_iter().chain(core::iter::repeat(Outcome::Refused));
        let (mut refused, mut is_new) = (0, false);
        for (said, outcome) in said.into_iter().zip(&mut outcomes) {
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
        if acts {
            let acting = &mut self.rooms[index as usize].acting;
            match (outcomes.next(), acting.as_mut()) {
                (Some(Outcome::New(seq) | Outcome::Known(seq)), Some(acting)) => {
                    acting.seq = Some(seq);
                    is_new = true;
                }
                _ => {
                    refused += 1;
                    if let Some(acting) = acting.take() {
                        self.not_done(acting.by, Refusal::Unavailable);
                    }
                }
            }
        }
        if refused > 0 {
            // What came behind a refused message must not overtake it when it is said again.
            let room = &mut self.rooms[index as usize];
            let waiting = core::mem::take(&mut room.waiting);
            let asked = core::mem::take(&mut room.asked);
            refused += waiting.said.len() as u64;
            waiting.said.into_iter().for_each(|said| self.not_said(said));
            for super::order::Asked { by, then, .. } in asked {
                refused += 1 + then.said.len() as u64;
                self.not_done(by, Refusal::Unavailable);
                then.said.into_iter().for_each(|said| self.not_said(said));
            }
            self.log_failed(index, LogTask::Keep, refused);
        } else if is_new {
            self.log_worked(index, LogTask::Keep);
        }
        self.act_if_there(index);
        self.append(index);
        self.ask_log(index);
        self.close_if_settled(index);
    }

    /// The log has grown.
    pub(super) fn grew(&mut self, room: &RoomId, oldest: Seq, mut records: Arc<[Record]>) {
        let Some((index, room)) = self.room(room) else { return };
        let Log::Open { first, .. } = &mut room.log else { return };
        *first = oldest.max(*first);
        // A log that brings its tail again, after a fault of its own, does not deliver twice.
        let head = room.head();
        if records.first().is_some_and(|record| record.seq <= head) {
            records = records.iter().filter(|record| record.seq > head).cloned().collect();
        }
        let Some(newest) = records.last().map(|record| record.seq) else { return };
        debug_assert_eq!(records.first().map(|record| record.seq), Some(head.next()), "the log grew with a hole");
        self.append_messages(index, records);
        while let Some((_, session)) = self.rooms[index as usize].unseen.pop_front_if(|(seq, _)| *seq <= newest) {
            self.landed(session);
        }
        self.act_if_there(index);
        self.close_if_settled(index);
    }

    /// One of the session's says is settled, and in the stream if it was accepted.
    pub(super) fn landed(&mut self, handle: Handle) {
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
