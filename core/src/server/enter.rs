//! Entering rooms and leaving them.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Server;
use super::codebook::Opens;
use super::conn::{Join, Wait};
use super::io::{Action, LogTask, Note};
use super::membership::Membership;
use super::out::{End, List, Sub};
use super::refusal::Refusal;
use super::room::Log;
use super::slab::Handle;
use crate::id::{ConnId, Id, RoomId, Seq};
use crate::json::Change;
use crate::log::{Request, Tail, Unavailable};

impl Server {
    /// Joins a room, as soon as it is open.
    pub(super) fn join(&mut self, id: ConnId, join: Join) {
        let room = &mut self.rooms[join.opens.room as usize];
        match &mut room.log {
            Log::Open { .. } => return self.enter(id, join),
            Log::Opening(waiting) => waiting.push(id),
            Log::Shut => {
                room.log = Log::Opening([id].into());
                let request = Request::Open { room: room.id.clone(), bytes: self.limits.room_bytes };
                self.actions.push_back(Action::Log(request));
            }
        }
        if let Some(conn) = self.conn(id) {
            conn.wait = Some(Wait::Opening(Box::new(join)));
        }
    }

    /// The log has opened a room: those who wait for it come in.
    pub(super) fn ready(&mut self, room: &RoomId, tail: Result<Tail, Unavailable>) {
        let Some((index, room)) = self.room(room) else { return };
        let Log::Opening(waiting) = core::mem::replace(&mut room.log, Log::Shut) else {
            debug_assert!(false, "a room is ready that nobody opened");
            return;
        };
        let opened = tail.is_ok();
        match tail {
            Ok(Tail { epoch, first, head, records, facts }) => {
                self.set_facts(index, facts);
                let room = &mut self.rooms[index as usize];
                room.log = Log::Open { epoch, first };
                room.held.start_at(head.next().minus(records.len() as u64));
                self.append_messages(index, records.into());
                self.log_worked(index, LogTask::Read);
            }
            Err(Unavailable) => self.log_failed(index, LogTask::Read, 1),
        }
        for id in waiting {
            // One that closes goes nowhere any more.
            let Some(conn) = self.conn(id).filter(|conn| !conn.is_closing()) else { continue };
            let Some(Wait::Opening(join)) = conn.wait.take_if(|wait| matches!(wait, Wait::Opening(_))) else {
                continue;
            };
            if opened {
                self.enter(id, *join);
            } else {
                self.refuse(id, join.re, Refusal::Unavailable);
            }
            self.wake.push_back(id);
        }
    }

    /// Enters a room that is open, or takes its place there up again.
    pub(super) fn enter(&mut self, id: ConnId, join: Join) {
        let Some(handle) = self.conns.get(id).and_then(super::conn::Conn::session) else { return };
        if self.was_put_out(handle, join.opens.room) {
            return self.refuse(id, join.re, Refusal::Kicked);
        }
        if let Err(refusal) = self.admit(handle, &join) {
            return self.refuse(id, join.re, refusal);
        }
        let room = join.opens.room;
        let old = self.end_old(id, handle, room);
        let Some(session) = self.sessions.get(handle) else { return };
        let is_known = self.came_by(Some(session), join.opens);
        let is_first = !is_known && session.memberships.get(room).is_none();
        if is_first && !join.is_counted {
            match self.count_use(id, join) {
                Ok(true) => return,
                Ok(false) => {}
                Err(refusal) => return self.refuse(id, join.re, refusal),
            }
        }
        let Some(session) = self.sessions.get(handle) else { return };
        match session.memberships.get(room).copied() {
            None => {
                let (member, name) = (session.member, session.name.clone());
                let place = self.rooms[room as usize].enter(handle, join.opens.access);
                self.hold(handle, join.opens, place);
                if !is_known {
                    self.remember(handle, room);
                }
                let label = self.rooms[room as usize].access[join.opens.access as usize].label.clone();
                self.announce_entry(handle, room);
                self.note(Note::Entered { room: self.rooms[room as usize].id.clone(), member, name, label });
            }
            Some(held) if held.access != join.opens.access => {
                let (m, name) = (session.member, session.name.clone());
                let before = self.shown_role(handle, room);
                self.rooms[room as usize].change_access(held.access, join.opens.access);
                self.hold(handle, join.opens, held.place);
                self.remember(handle, room);
                if let Some(role) = self.shown_role(handle, room).filter(|role| Some(*role) != before) {
                    self.announce(room, &Change::Role { m, name, role });
                }
            }
            Some(_) => {}
        }
        self.attach(id, handle, join, old);
    }

    fn admit(&mut self, handle: Handle, join: &Join) -> Result<(), Refusal> {
        let opens = join.opens;
        let session = self.sessions.get(handle).ok_or(Refusal::NoHello)?;
        let held = session.memberships.get(opens.room);
        self.admits(Some(session), opens, held, join.is_counted)?;
        match held {
            // Back after a cut: as many rooms as it has, at once.
            Some(held) if held.slot.is_none() => Ok(()),
            None if session.memberships.len() >= self.limits.rooms => Err(Refusal::TooManyRooms),
            // It was asked before.
            _ if join.is_counted => Ok(()),
            _ => self.act(handle),
        }
    }

    fn hold(&mut self, handle: Handle, opens: Opens, place: u64) {
        let membership = Membership { access: opens.access, place, slot: None };
        if let Some(session) = self.sessions.get_mut(handle) {
            session.memberships.insert(opens.room, membership);
        }
    }

    /// Gives a membership its cursor: from where the client stands, or as far back as it wants and the room holds. The
    /// `old` one ends where the new one begins, at `joined`.
    fn attach(&mut self, id: ConnId, handle: Handle, join: Join, old: Option<u16>) {
        let index = join.opens.room;
        let style = self.style;
        let Some(conn) = self.conns.get_mut(id) else { return };
        let room = &mut self.rooms[index as usize];
        let Log::Open { epoch, first } = room.log else { return };
        let dialect = conn.out.dialect;
        let room_id = room.id.clone();
        room.held.attach(dialect, &mut self.scratch, |dialect, records, out, ends| {
            dialect.messages(style, &room_id, records, out, ends);
        });
        // What the log let go of may still be held, and is gone all the same. It may have let go of more than the room has
        // heard of.
        let oldest = room.held.oldest().max(first.min(room.head().next()));
        let from = first_of_backlog(&join, epoch, room.head(), oldest, self.limits.replay);
        let sub = Sub {
            room: index,
            at: room.held.offset_of(dialect, from),
            next: from,
            since: room.held.end(dialect),
            end: None,
            after: 0,
            own: VecDeque::new(),
            list: List::Dirty,
        };
        let slot = conn.out.insert(sub);
        if let Some(session) = self.sessions.get_mut(handle)
            && let Some(membership) = session.memberships.get_mut(index)
        {
            membership.slot = Some(slot);
        }
        self.answer_joined(id, handle, &join, old, slot, from);
    }

    /// Leaves a room once the session's says are settled, and joins another after it.
    pub(super) fn leave(
        &mut self,
        id: ConnId,
        handle: Handle,
        re: Option<Id>,
        room: u32,
        then: Option<Box<Join>>,
    ) -> Result<(), Refusal> {
        let session = self.sessions.get(handle).ok_or(Refusal::NotMember)?;
        if session.memberships.get(room).is_none() {
            return Err(Refusal::NotMember);
        }
        if session.in_flight > 0 {
            let until = self.now.mono + self.limits.drain;
            if let Some(conn) = self.conn(id) {
                conn.wait = Some(Wait::Leaving { re, room, until, then });
            }
            return Ok(());
        }
        self.leave_now(id, handle, re, room, then);
        Ok(())
    }

    /// Goes on with a leave that waited.
    pub(super) fn leave_if_settled(&mut self, id: ConnId, overdue: bool) {
        let Some(conn) = self.conns.get_mut(id).filter(|conn| conn.wait.is_some()) else { return };
        let Some(handle) = conn.session() else { return };
        let settled = self.sessions.get(handle).is_none_or(|session| session.in_flight == 0);
        let due = |wait: &mut Wait| matches!(wait, Wait::Leaving { .. }) && (settled || overdue);
        if let Some(Wait::Leaving { re, room, then, .. }) = conn.wait.take_if(due) {
            self.leave_now(id, handle, re, room, then);
        }
    }

    fn leave_now(&mut self, id: ConnId, handle: Handle, re: Option<Id>, room: u32, then: Option<Box<Join>>) {
        let slot = self.sessions.get(handle).and_then(|session| session.memberships.get(room)?.slot);
        if let Some(slot) = slot {
            self.end_slot(id, slot);
        }
        self.answer_left(id, re, room, slot);
        self.exit(handle, room, "left");
        if let Some(join) = then
            && self.conns.get(id).is_some_and(|conn| !conn.is_closing())
        {
            self.join(id, *join);
        }
    }

    /// Fixes where a cursor ends: at what is held now.
    pub(super) fn end_slot(&mut self, id: ConnId, slot: u16) {
        self.rouse(id, slot);
        let Some(conn) = self.conns.get_mut(id) else { return };
        let dialect = conn.out.dialect;
        let Some(sub) = conn.out.sub_mut(slot) else { return };
        let held = &self.rooms[sub.room as usize].held;
        sub.end.get_or_insert(End { at: held.end(dialect), next: held.next() });
    }

    /// Ends a membership's cursor, where it is to get another one. What is unsent of it still goes out: it may hold the
    /// echo of what the session said.
    fn end_old(&mut self, id: ConnId, handle: Handle, room: u32) -> Option<u16> {
        let slot = self.sessions.get_mut(handle)?.memberships.get_mut(room)?.slot.take()?;
        self.end_slot(id, slot);
        Some(slot)
    }

    /// A session is no longer in a room; those who are hear of it, unless another session of its account still is.
    pub(super) fn exit(&mut self, handle: Handle, room: u32, why: &str) {
        let shown = self.shown_role(handle, room);
        let Some(session) = self.sessions.get_mut(handle) else { return };
        let Some(membership) = session.memberships.remove(room) else { return };
        let (m, name) = (session.member, session.name.clone());
        let state = &mut self.rooms[room as usize];
        state.exit(membership.place, membership.access);
        let id = state.id.clone();
        match self.twin(handle, room) {
            None => self.announce(room, &Change::Out { m, name: name.clone(), why: Some(why.into()) }),
            Some(twin) => {
                self.rooms[room as usize].doubles -= 1;
                if let Some(role) = self.shown_role(twin, room).filter(|role| Some(*role) != shown) {
                    self.announce(room, &Change::Role { m, name: name.clone(), role });
                }
            }
        }
        self.note(Note::Left { room: id, member: m, name });
    }

    /// Lets all those memberships end that are held and were not joined again.
    pub(super) fn exit_held(&mut self, handle: Handle, why: &str) {
        let Some(session) = self.sessions.get(handle) else { return };
        let held = session.memberships.iter().filter(|(_, membership)| membership.slot.is_none());
        let held: Vec<u32> = held.map(|(room, _)| room).collect();
        for room in held {
            self.exit(handle, room, why);
        }
    }
}

/// The first message that a join is sent (PROTOCOL.md, resume).
fn first_of_backlog(join: &Join, epoch: crate::id::Epoch, head: Seq, oldest: Seq, replay: u64) -> Seq {
    let known = join.resume.filter(|position| position.epoch == epoch && position.seq <= head);
    let tail = join.tail.unwrap_or(replay).min(replay);
    let after_known = known.map_or(Seq::ZERO, |position| position.seq).next();
    after_known.max(oldest).max(head.next().minus(tail))
}
