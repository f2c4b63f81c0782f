//! Delivery: what a room's log gains reaches its members.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::Server;
use super::config::Presence;
use super::io::Action;
use super::out::{List, Private, PrivateKind};
use super::room::{Room, Said};
use super::slab::Handle;
use super::timers::Timer;
use crate::dialect::Dialect;
use crate::id::{ConnId, Seq};
use crate::json::Change;
use crate::log::{Kind, Record};

/// Messages that one session has said in a row.
struct Own {
    sender: Handle,
    first: Seq,
    /// Behind the last.
    next: Seq,
}

impl Server {
    /// Appends messages to what a room holds, and wakes those of its members who had caught up.
    pub(super) fn append_messages(&mut self, room: u32, records: Arc<[Record]>) {
        self.stamp += 1;
        let style = self.style;
        let held = &self.rooms[room as usize].held;
        let is_skipped = Dialect::all().into_iter().any(|dialect| dialect.skips_own() && held.has(dialect));
        let own = if is_skipped { self.own(room, &records) } else { Vec::new() };
        let Room { id, held, .. } = &mut self.rooms[room as usize];
        held.push_messages(self.stamp, records, &mut self.scratch, |dialect, records, out, ends| {
            dialect.messages(style, id, records, out, ends);
        });
        for Own { sender, first, next } in own {
            self.skip_own(room, sender, first, next);
        }
        self.wake_idle(room);
    }

    /// Which messages are whose. What an act says, its author did not type.
    fn own(&self, room: u32, records: &[Record]) -> Vec<Own> {
        let mut all: Vec<Own> = Vec::new();
        for record in records.iter().filter(|record| !matches!(record.kind, Kind::Act(_))) {
            let Some(sender) = self.sender(room, record) else { continue };
            match all.last_mut() {
                Some(own) if own.sender == sender && own.next == record.seq => own.next = record.seq.next(),
                _ => all.push(Own { sender, first: record.seq, next: record.seq.next() }),
            }
        }
        all
    }

    /// The session that said something, where it is still there. Of an account's it is the one whose say is settled at this
    /// place, or that has said these words and waits for the log: what one has said, the others are to hear.
    fn sender(&self, room: u32, record: &Record) -> Option<Handle> {
        let room = &self.rooms[room as usize];
        let settled = room.unseen.binary_search_by_key(&record.seq, |(seq, _)| *seq).ok();
        let settled = settled.map(|at| room.unseen[at].1);
        let is_theirs = |handle: &Handle| self.sessions.get(*handle).is_some_and(|it| it.member == record.member);
        // Nearly always it is known so, and nobody is looked for among all.
        settled.filter(is_theirs).or_else(|| self.sessions.by_member(record.member)).or_else(|| {
            let sessions = self.accounts.sessions_of(record.member);
            let is_it = |said: &&Said| sessions.contains(&said.session) && said.text == record.text;
            room.appending.iter().filter(|_| settled.is_none()).find(is_it).map(|said| said.session)
        })
    }

    /// Hides messages from their sender, whose dialect does not echo.
    fn skip_own(&mut self, room: u32, sender: Handle, first: Seq, next: Seq) {
        let Some(session) = self.sessions.get(sender) else { return };
        let Some(slot) = session.memberships.get(room).and_then(|membership| membership.slot) else { return };
        let Some(conn) = session.conn.and_then(|conn| self.conns.get_mut(conn)) else { return };
        let dialect = conn.out.dialect;
        if !dialect.skips_own() || conn.plain().is_some_and(|plain| plain.echo) {
            return;
        }
        let held = &self.rooms[room as usize].held;
        let first = first.max(held.oldest());
        if first >= next {
            return;
        }
        let (start, end) = (held.offset_of(dialect, first), held.offset_of(dialect, next));
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
            self.arm(id);
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
