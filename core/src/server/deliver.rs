//! Delivery: what a room's log gains reaches its members.

use alloc::vec::Vec;

use bytes::Bytes;

use super::Server;
use super::config::Presence;
use super::io::Action;
use super::out::{List, Private, PrivateKind};
use super::room::Room;
use super::slab::Handle;
use super::timers::Timer;
use crate::dialect::Dialect;
use crate::id::{ConnId, Seq};
use crate::json::Change;
use crate::log::{Kind, Record};

impl Server {
    /// Appends messages to what a room holds, and wakes those of its members who had caught up.
    pub(super) fn append_messages(&mut self, room: u32, records: Vec<Record>) {
        self.stamp += 1;
        let style = self.style;
        let held = &self.rooms[room as usize].held;
        let skipping = Dialect::all().into_iter().find(|dialect| dialect.skips_own() && held.has(*dialect));
        let senders: Vec<_> = match skipping {
            // What an act says, its author did not type.
            Some(_) => {
                let said = records.iter().filter(|record| !matches!(record.kind, Kind::Act(_)));
                said.filter_map(|record| Some((record.seq, self.sender(room, record)?))).collect()
            }
            None => Vec::new(),
        };
        let Room { id, held, .. } = &mut self.rooms[room as usize];
        held.push_messages(self.stamp, records, &mut self.scratch, |dialect, record, out| {
            dialect.message(style, id, record, out);
        });
        for (seq, sender) in senders {
            self.skip_own(room, seq, sender);
        }
        self.wake_idle(room);
    }

    /// The session that said something, where it is still there. Of an account's it is the one whose say is settled at this
    /// place, or that has said these words and waits for the log: what one has said, the others are to hear.
    fn sender(&self, room: u32, record: &Record) -> Option<Handle> {
        if let Some(guest) = self.sessions.by_member(record.member) {
            return Some(guest);
        }
        let sessions = self.accounts.sessions_of(record.member);
        let room = &self.rooms[room as usize];
        let settled = room.unseen.iter().find(|(seq, _)| *seq == record.seq).map(|(_, session)| *session);
        let said = || room.appending.iter().find(|said| sessions.contains(&said.session) && said.text == record.text);
        settled.or_else(|| said().map(|said| said.session)).filter(|session| sessions.contains(session))
    }

    /// Hides a message from its sender, whose dialect does not echo.
    fn skip_own(&mut self, room: u32, seq: Seq, sender: Handle) {
        let Some(session) = self.sessions.get(sender) else { return };
        let Some(slot) = session.memberships.get(&room).and_then(|membership| membership.slot) else { return };
        let Some(conn) = session.conn.and_then(|conn| self.conns.get_mut(conn)) else { return };
        let dialect = conn.out.dialect;
        if !dialect.skips_own() || conn.plain().is_some_and(|plain| plain.echo) {
            return;
        }
        let held = &self.rooms[room as usize].held;
        let (start, end) = (held.offset_of(dialect, seq), held.offset_of(dialect, seq.next()));
        if let Some(sub) = conn.out.sub_mut(slot) {
            sub.skip_own(start, end, held.start(dialect));
        }
    }

    /// Tells a room that its roster changed.
    pub(super) fn announce(&mut self, room: u32, change: &Change) {
        let index = room as usize;
        match self.rooms[index].presence {
            Presence::Full => {
                self.stamp += 1;
                let (style, id) = (self.style, self.rooms[index].id.clone());
                let write = |dialect: Dialect, out: &mut Vec<u8>| dialect.change(style, &id, change, out);
                self.rooms[index].held.push_presence(self.stamp, &mut self.scratch, write);
                self.wake_idle(room);
            }
            // A changed name or role does not change the number.
            Presence::Count if matches!(change, Change::Name { .. } | Change::Role { .. }) => {}
            Presence::Count => {
                let room_state = &mut self.rooms[index];
                let due = room_state.here_told.map(|told| told + self.limits.here).filter(|&at| at > self.now.mono);
                match due {
                    None => self.tell_here(room),
                    Some(at) => {
                        room_state.here_due = Some(at);
                        self.timers.set(at, Timer::Here(room));
                    }
                }
            }
        }
    }

    /// Tells a room how many are in it.
    pub(super) fn tell_here(&mut self, room: u32) {
        let now = self.now.mono;
        let state = &mut self.rooms[room as usize];
        state.here_due = None;
        state.here_told = Some(now);
        self.stamp += 1;
        let (id, n) = (state.id.clone(), state.here());
        state.held.push_presence(self.stamp, &mut self.scratch, |dialect, out| dialect.here(&id, n, out));
        self.wake_idle(room);
    }

    /// Touches each caught-up membership once, and none that is blocked.
    pub(super) fn wake_idle(&mut self, room: u32) {
        let mut idle = core::mem::take(&mut self.rooms[room as usize].idle);
        for (id, slot) in idle.drain(..) {
            let Some(conn) = self.conns.get_mut(id) else { continue };
            let Some(sub) = conn.out.sub_mut(slot) else { continue };
            sub.list = List::Dirty;
            conn.out.dirty.push(slot);
            if !conn.out.armed {
                self.arm(id);
            }
        }
        // The list keeps its memory for the next time.
        self.rooms[room as usize].idle = idle;
    }

    /// Queues a private frame for one connection and says its place.
    pub(super) fn send(&mut self, id: ConnId, bytes: impl Into<Bytes>, kind: PrivateKind) -> u64 {
        let (bytes, stamp) = (bytes.into(), self.stamp);
        let Some(conn) = self.conns.get_mut(id) else { return 0 };
        if bytes.is_empty() || matches!(conn.phase, super::conn::Phase::Closed(_)) {
            return 0;
        }
        let place = conn.out.push_private(Private { stamp, bytes, kind });
        self.arm(id);
        place
    }

    /// Has the driver flush `conn`, unless it owes that already.
    pub(super) fn arm(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.out.armed {
            return;
        }
        conn.out.armed = true;
        conn.out.progress = self.now.mono;
        self.actions.push_back(Action::Transmit(id));
        let stall = self.now.mono + self.limits.stall;
        if conn.check.is_none_or(|check| check > stall) {
            self.schedule(id);
        }
    }

    /// Takes a cursor out of its room's idle list, to where its connection looks.
    pub(super) fn rouse(&mut self, id: ConnId, slot: u16) {
        let Some(sub) = self.conns.get_mut(id).and_then(|conn| conn.out.sub_mut(slot)) else { return };
        let (room, List::Idle(place)) = (sub.room as usize, sub.list) else { return };
        sub.list = List::Dirty;
        if let Some(conn) = self.conns.get_mut(id) {
            conn.out.dirty.push(slot);
        }
        let idle = &mut self.rooms[room].idle;
        idle.swap_remove(place as usize);
        if let Some(&(other, slot)) = idle.get(place as usize)
            && let Some(sub) = self.conns.get_mut(other).and_then(|conn| conn.out.sub_mut(slot))
        {
            sub.list = List::Idle(place);
        }
    }
}
