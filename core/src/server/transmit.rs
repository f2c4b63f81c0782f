//! Sending: the cursors move.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use super::config::Presence;
use super::conn::Conn;
use super::held::Piece;
use super::out::{List, Out, Private, PrivateKind};
use super::room::Room;
use super::session::Sessions;
use crate::dialect::{Dialect, Style};
use crate::id::{ConnId, Seq};
use crate::json::{Frame, Person};
use crate::plain::Phrase;

/// The unsent bytes of one connection: peek, then consume; a write may take any part of them.
#[derive(Debug)]
pub struct Transmit<'a> {
    pub(super) conn: &'a mut Conn,
    pub(super) rooms: &'a mut [Room],
    pub(super) sessions: &'a Sessions,
    pub(super) wake: &'a mut VecDeque<ConnId>,
    pub(super) undated: &'a mut Vec<ConnId>,
    pub(super) style: Style,
    /// Unsent private bytes from which on the connection's lines wait.
    pub(super) private: usize,
    /// All there is to send, where it is as simple as it nearly always is.
    pub(super) newest: Option<Newest>,
}

/// All that a connection has to send, where that lies in the newest batch of one room, with nothing before it and nothing
/// between: one look tells what it is, and one step that it is sent. What is not so simple is walked
/// ([`Transmit::runs`]).
#[derive(Clone, Copy, Debug)]
pub(super) struct Newest {
    slot: u16,
    /// From this offset of the room's encoding to its end.
    at: u64,
}

/// More bytes were called sent than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more bytes were called sent than there are")]
pub struct Overrun;

/// What comes next, as one slice.
enum Run<'s> {
    Half(&'s [u8]),
    Private(&'s Private),
    /// From one offset of a membership's room to another.
    Room {
        slot: u16,
        at: u64,
        to: u64,
        piece: Piece<'s>,
    },
}

/// What it changes that some bytes of a run are sent, without the run's own bytes: they would keep the cursors borrowed.
enum Step {
    Private,
    Room {
        slot: u16,
        /// Where the cursor stands then.
        at: u64,
        next: Seq,
        /// How many bytes that were.
        sent: usize,
        /// What is left of a frame that they cut in two.
        rest: Option<Bytes>,
    },
}

impl Transmit<'_> {
    /// Fills `out` from its start with the next bytes to send, in order, and says how many slices it filled: at least
    /// one where `out` has room. `wrap` makes what a vectored write wants of a slice, `IoSlice::new` for one.
    ///
    /// Every slice but the first begins with a whole frame, and every one ends with one.
    pub fn gather<'s, T>(&'s self, out: &mut [T], wrap: impl Fn(&'s [u8]) -> T) -> usize {
        if let (Some(bytes), Some(slot)) = (self.newest.and_then(|newest| self.newest_bytes(newest)), out.first_mut()) {
            *slot = wrap(bytes);
            return 1;
        }
        let mut slots = out.iter_mut();
        let mut filled = 0;
        self.runs(|run| {
            let Some(slot) = slots.next() else { return false };
            *slot = wrap(match run {
                Run::Half(bytes) => bytes,
                Run::Private(private) => &private.bytes,
                Run::Room { at, to, piece, .. } => piece.bytes(at, to),
            });
            filled += 1;
            true
        });
        filled
    }

    /// The first `n` bytes of what [`gather`](Self::gather) showed are sent.
    ///
    /// # Errors
    /// [`Overrun`] where there are fewer; then all there are count as sent.
    pub fn advance(&mut self, mut n: usize) -> Result<(), Overrun> {
        if n == 0 {
            return Ok(());
        }
        if let Some(newest) = self.newest.take()
            && self.advance_newest(newest, n)
        {
            return Ok(());
        }
        if !core::mem::replace(&mut self.conn.out.undated, true) {
            self.undated.push(self.conn.id);
        }
        let half = &mut self.conn.out.half;
        if n < half.len() {
            half.advance(n);
            return Ok(());
        }
        if !half.is_empty() {
            n -= half.len();
            *half = Bytes::new();
        }
        while n > 0 {
            let mut step = None;
            self.runs(|run| {
                step = run.step(n);
                false
            });
            n -= match step.ok_or(Overrun)? {
                Step::Private => self.advance_private(n),
                Step::Room { slot, at, next, sent, rest } => {
                    let out = &mut self.conn.out;
                    if let Some(sub) = out.sub_mut(slot) {
                        (sub.at, sub.next) = (at, next);
                    }
                    if let Some(rest) = rest {
                        out.half = rest;
                    }
                    sent
                }
            };
        }
        Ok(())
    }

    /// What is to be sent, where it is simple, to be asked before anything is settled: where it is, nothing need be.
    #[inline]
    pub(super) fn find_newest(&self) -> Option<Newest> {
        let out = &self.conn.out;
        let &[slot] = &out.dirty[..] else { return None };
        let sub = out.sub(slot).filter(|sub| out.is_all(sub))?;
        let (start, bytes) = self.rooms[sub.room as usize].held.newest_batch(out.dialect)?;
        let is_in_it = start <= sub.at && sub.at < start + bytes.len() as u64;
        is_in_it.then_some(Newest { slot, at: sub.at })
    }

    fn newest_bytes(&self, Newest { slot, at }: Newest) -> Option<&[u8]> {
        let out = &self.conn.out;
        let (start, bytes) = self.rooms[out.sub(slot)?.room as usize].held.newest_batch(out.dialect)?;
        bytes.get((at - start) as usize..)
    }

    /// `n` bytes of the simple case are sent. Where that is all, the connection has nothing more to send and its cursor goes
    /// back to its room's list; where it is not, nothing is done.
    fn advance_newest(&mut self, newest: Newest, n: usize) -> bool {
        if self.newest_bytes(newest).is_none_or(|bytes| bytes.len() != n) {
            return false;
        }
        let Conn { id, out, .. } = &mut *self.conn;
        let dialect = out.dialect;
        let Some(sub) = out.sub_mut(newest.slot) else { return false };
        let Room { held, idle, .. } = &mut self.rooms[sub.room as usize];
        (sub.at, sub.next) = (held.end(dialect), held.next());
        sub.list = List::Idle(idle.len() as u32);
        idle.push((*id, newest.slot));
        out.dirty.clear();
        out.armed = false;
        true
    }

    fn advance_private(&mut self, n: usize) -> usize {
        let out = &mut self.conn.out;
        let was_full = out.private_bytes > self.private;
        let Some(private) = out.pop_private() else { return n };
        if was_full && out.private_bytes <= self.private {
            self.wake.push_back(self.conn.id);
        }
        if let PrivateKind::Left(slot) = private.kind
            && let Some(sub) = out.remove(slot)
        {
            self.rooms[sub.room as usize].held.detach(out.dialect);
        }
        let sent = n.min(private.bytes.len());
        out.half = private.bytes.slice(sent..);
        sent
    }

    /// Whether there is anything to send, once all is settled: then a private frame can always go next, and what is left of
    /// the cursors are those with something behind them.
    pub(super) fn has_any(&self) -> bool {
        let Out { half, private, dirty, .. } = &self.conn.out;
        let is_behind = |&slot: &u16| self.conn.out.sub(slot).is_some_and(|sub| sub.at < sub.end(u64::MAX));
        !half.is_empty() || !private.is_empty() || dirty.iter().any(is_behind)
    }

    /// Before anything is borrowed: cursors that fell off their log get their gap, what must not be seen is skipped, and
    /// those that have caught up go back to their room's list.
    pub(super) fn settle(&mut self) {
        let was_full = self.conn.out.private_bytes > self.private;
        let mut kept = 0;
        for at in 0..self.conn.out.dirty.len() {
            let slot = self.conn.out.dirty[at];
            if self.settle_one(slot) {
                self.conn.out.dirty[kept] = slot;
                kept += 1;
            }
        }
        self.conn.out.dirty.truncate(kept);
        // A gap that was written anew may be smaller than it was.
        if was_full && self.conn.out.private_bytes <= self.private {
            self.wake.push_back(self.conn.id);
        }
    }

    /// Settles one cursor; says whether it stays where its connection looks.
    fn settle_one(&mut self, slot: u16) -> bool {
        let Conn { id, out, .. } = &mut *self.conn;
        let dialect = out.dialect;
        let Some(sub) = out.sub(slot) else { return false };
        if !out.is_visible(sub) {
            return true;
        }
        let room = &mut self.rooms[sub.room as usize];
        if sub.has_fallen_off(&room.held, dialect) {
            if out.gap().is_some_and(|other| other != slot) {
                return true;
            }
            room.gap(out, slot, self.sessions, self.style);
        }
        let Some(sub) = out.sub_mut(slot) else { return false };
        let at = sub.skip(&room.held, dialect, sub.at);
        if at != sub.at {
            sub.at = at;
            sub.next = room.held.piece(dialect, at).map_or(room.held.next(), |piece| piece.next_seq(at));
        }
        while dialect.skips_own() && sub.own.front().is_some_and(|own| own.1 <= sub.at) {
            sub.own.pop_front();
        }
        if sub.end.is_some() || sub.at < room.held.end(dialect) {
            return true;
        }
        sub.list = List::Idle(room.idle.len() as u32);
        room.idle.push((*id, slot));
        false
    }

    /// What goes out, in order, until `take` says no. [`gather`](Self::gather) and [`advance`](Self::advance) walk the
    /// same runs, so they can't disagree.
    ///
    /// Between two private frames go, room by room, the batches up to the second one's stamp. Where a membership fell off
    /// its log and its gap is still to be written, the walk ends before the next frame that is no gap.
    fn runs<'s>(&'s self, mut take: impl FnMut(Run<'s>) -> bool) {
        let out = &self.conn.out;
        if !out.half.is_empty() && !take(Run::Half(&out.half)) {
            return;
        }
        let mut floor = 0;
        for index in 0..=out.private.len() {
            let private = out.private.get(index);
            let place = out.first_place + index as u64;
            let stamp = private.map_or(u64::MAX, |private| private.stamp);
            let mut fallen = false;
            for &slot in &out.dirty {
                let Some(sub) = out.sub(slot).filter(|sub| sub.after < place) else { continue };
                let held = &self.rooms[sub.room as usize].held;
                if sub.at < held.start(out.dialect) {
                    fallen |= sub.has_fallen_off(held, out.dialect);
                    continue;
                }
                // What earlier frames of this walk let pass is not shown again.
                let shown = if index > 0 && sub.after + 1 < place { held.upto(out.dialect, floor) } else { 0 };
                let to = held.upto(out.dialect, stamp).min(sub.end(u64::MAX));
                let mut at = sub.at.max(shown);
                loop {
                    at = sub.skip(held, out.dialect, at);
                    if at >= to {
                        break;
                    }
                    let Some(piece) = held.piece(out.dialect, at) else { break };
                    let end = piece.end().min(to).min(sub.next_own(out.dialect, at));
                    if !take(Run::Room { slot, at, to: end, piece }) {
                        return;
                    }
                    at = end;
                }
            }
            if let Some(private) = private {
                // What a membership missed is told before what comes behind it, so the next `settle` has its turn first.
                if fallen && !matches!(private.kind, PrivateKind::Gap(..)) {
                    return;
                }
                floor = floor.max(private.stamp);
                if !take(Run::Private(private)) {
                    return;
                }
            }
        }
    }
}

impl Run<'_> {
    /// Its first `n` bytes are sent, or all that it has. `None` for a half-sent frame, of which nothing but its bytes is left.
    fn step(self, n: usize) -> Option<Step> {
        match self {
            Self::Half(_) => None,
            Self::Private(_) => Some(Step::Private),
            Self::Room { slot, at, to, piece } => {
                let end = to.min(at.saturating_add(n as u64));
                let (at, sent) = (piece.frame_end(end), (end - at) as usize);
                // A copy, and of less than a frame: so that no reader, however slow, keeps a batch from being freed.
                let rest = (end < at).then(|| Bytes::copy_from_slice(piece.bytes(end, at)));
                Some(Step::Room { slot, at, next: piece.next_seq(at), sent, rest })
            }
        }
    }
}

/// How many are in a room and, where it tells that, who.
type Roster = (u64, Option<Vec<Person>>);

impl Room {
    /// Writes the gap of a cursor that fell off, and moves it to the newest end.
    fn gap(&mut self, out: &mut Out, slot: u16, sessions: &Sessions, style: Style) {
        let Out { dialect, .. } = *out;
        let (newest, next) = (self.held.end(dialect), self.held.next());
        let Some(sub) = out.sub_mut(slot) else { return };
        let index = sub.room;
        let (from, has_left) = (sub.next, sub.end.is_some());
        (sub.at, sub.next) = sub.end.map_or((newest, next), |end| (end.at.max(self.held.start(dialect)), end.next));
        sub.own.clear();
        let to = sub.next.minus(1);
        out.push_gap(slot, from, |from| {
            // Who came since then is nothing for one that has left.
            let roster = if has_left { self.nobody() } else { (self.here(), self.roster(index, sessions)) };
            self.write_gap(dialect, from, to, roster, style)
        });
    }

    fn nobody(&self) -> Roster {
        (0, (self.presence == Presence::Full).then(Vec::new))
    }

    fn write_gap(&self, dialect: Dialect, from: Seq, to: Seq, (here, members): Roster, style: Style) -> Bytes {
        let mut bytes = Vec::new();
        match dialect {
            Dialect::Json => {
                Frame::Gap { room: self.id.clone(), from, to, here, members }.encode(&mut bytes);
            }
            Dialect::Plain => Phrase::Gap { from, to }.write(style.language, &mut bytes),
        }
        bytes.into()
    }
}
