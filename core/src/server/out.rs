//! What one connection has still to send: its cursors into the rooms, and its private frames between them.

use alloc::collections::VecDeque;

use bytes::Bytes;
use smallvec::SmallVec;

use super::held::{Held, Shift};
use crate::dialect::Dialect;
use crate::id::Seq;
use crate::time::Instant;

/// The output of one connection. What every delivery looks at stands first and together, because with many connections
/// each has left the processor's caches when its turn comes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub(super) struct Out {
    /// When it was armed, or last took a byte.
    pub(super) progress: Instant,
    /// Whether the driver was told that there is something to send and has not been told that there is nothing.
    pub(super) armed: bool,
    /// Whether it took a byte since the machine was last told the time: then `progress` is still to be dated.
    pub(super) undated: bool,
    /// Which encoding its cursors move along.
    pub(super) dialect: Dialect,
    /// The slots of the cursors that are not idle: they have something to send, or may.
    pub(super) dirty: SmallVec<[u16; 8]>,
    /// Its memberships' cursors; a slot keeps its number for as long as its cursor lives. Most are in one room.
    pub(super) subs: SmallVec<[Option<Sub>; 1]>,
    /// Replies, pages, errors: what only this connection gets.
    pub(super) private: VecDeque<Private>,
    /// The unsent rest of a frame that a write cut in two: it goes first.
    pub(super) half: Bytes,
    /// The place of the first private frame. Places grow by one from frame to frame, so that a place names a frame.
    pub(super) first_place: u64,
    /// Bytes that all private frames take.
    pub(super) private_bytes: usize,
}

/// A cursor into a room's encoding: one membership, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub(super) struct Sub {
    pub(super) list: List,
    pub(super) room: u32,
    /// The next byte to send.
    pub(super) at: u64,
    /// The next message to send: what a gap begins with.
    pub(super) next: Seq,
    /// Presence before this offset is older than the membership.
    pub(super) since: u64,
    /// The place of its `joined`: nothing of the room goes out before it.
    pub(super) after: u64,
    /// Where it ends, once it was left.
    pub(super) end: Option<End>,
    /// The frames of its own messages, where the dialect does not echo them.
    pub(super) own: VecDeque<(u64, u64)>,
}

/// Where a membership that was left ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct End {
    pub(super) at: u64,
    pub(super) next: Seq,
}

/// In which one list a cursor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum List {
    /// Caught up, at this place of its room's list: the next append wakes it.
    Idle(u32),
    /// In its connection's list.
    Dirty,
}

/// A private frame.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Private {
    /// It goes out after every batch stamped this or less.
    pub(super) stamp: u64,
    pub(super) bytes: Bytes,
    pub(super) kind: PrivateKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum PrivateKind {
    Reply,
    /// How the room of the membership in this slot is now. There is at most one of each slot.
    Room(u16),
    /// The membership in this slot ends with it.
    Left(u16),
    /// The membership in this slot missed what begins with this seq.
    Gap(u16, Seq),
}

impl Out {
    /// Places begin here, so that there is room for gaps, which go before the first one.
    const FIRST_PLACE: u64 = 1 << 63;

    pub(super) fn new(now: Instant) -> Self {
        Self {
            progress: now,
            armed: false,
            undated: false,
            dialect: Dialect::Plain,
            dirty: SmallVec::new(),
            subs: SmallVec::new(),
            private: VecDeque::new(),
            half: Bytes::new(),
            first_place: Self::FIRST_PLACE,
            private_bytes: 0,
        }
    }

    /// Queues a private frame and says its place.
    pub(super) fn push_private(&mut self, private: Private) -> u64 {
        self.private_bytes += private.cost();
        self.private.push_back(private);
        self.first_place + self.private.len() as u64 - 1
    }

    /// Puts a gap before everything else; one of the same membership that is still unsent grows instead.
    pub(super) fn push_gap(&mut self, slot: u16, from: Seq, write: impl FnOnce(Seq) -> Bytes) {
        let from = match self.private.front() {
            Some(Private { kind: PrivateKind::Gap(_, from), .. }) => {
                let from = *from;
                self.pop_private();
                from
            }
            _ => from,
        };
        let bytes = write(from);
        let gap = Private { stamp: 0, bytes, kind: PrivateKind::Gap(slot, from) };
        self.private_bytes += gap.cost();
        self.first_place -= 1;
        self.private.push_front(gap);
    }

    /// Writes anew what waits to say how a room is now; says whether anything does.
    pub(super) fn replace_room(&mut self, slot: u16, bytes: &[u8]) -> bool {
        let Some(waits) = self.private.iter_mut().find(|private| private.kind == PrivateKind::Room(slot)) else {
            return false;
        };
        self.private_bytes -= waits.cost();
        waits.bytes = Bytes::copy_from_slice(bytes);
        self.private_bytes += waits.cost();
        true
    }

    pub(super) fn pop_private(&mut self) -> Option<Private> {
        let private = self.private.pop_front()?;
        self.private_bytes -= private.cost();
        self.first_place += 1;
        if self.private.is_empty() {
            // Whoever has got in is told little else in private.
            self.private = VecDeque::new();
        }
        Some(private)
    }

    /// The membership of the gap that waits to be sent. There is at most one, so that a stalled reader of many rooms costs
    /// one roster.
    pub(super) fn gap(&self) -> Option<u16> {
        match self.private.front()?.kind {
            PrivateKind::Gap(slot, _) => Some(slot),
            _ => None,
        }
    }

    pub(super) fn sub(&self, slot: u16) -> Option<&Sub> {
        self.subs.get(usize::from(slot))?.as_ref()
    }

    pub(super) fn sub_mut(&mut self, slot: u16) -> Option<&mut Sub> {
        self.subs.get_mut(usize::from(slot))?.as_mut()
    }

    /// Adds a cursor, among the dirty ones.
    pub(super) fn insert(&mut self, sub: Sub) -> u16 {
        let slot = self.subs.iter().position(Option::is_none).unwrap_or_else(|| {
            self.subs.push(None);
            self.subs.len() - 1
        });
        self.subs[slot] = Some(sub);
        self.dirty.push(slot as u16);
        slot as u16
    }

    /// Takes a cursor away; where it was idle, the caller mends the room's list.
    pub(super) fn remove(&mut self, slot: u16) -> Option<Sub> {
        let sub = self.subs.get_mut(usize::from(slot))?.take()?;
        self.dirty.retain(|dirty| *dirty != slot);
        Some(sub)
    }

    /// Whether all that there is to send is what this membership's room has behind its cursor, every byte of it. Where no
    /// private frame waits, its `joined` is sent.
    #[inline]
    pub(super) fn is_all(&self, sub: &Sub) -> bool {
        self.half.is_empty()
            && self.private.is_empty()
            && sub.since <= sub.at
            && sub.end.is_none()
            && sub.own.is_empty()
    }

    /// Whether the place of this membership's `joined` is behind us. A gap that waits has the place of a frame that is.
    pub(super) fn is_visible(&self, sub: &Sub) -> bool {
        sub.after < self.first_place + u64::from(self.gap().is_some())
    }
}

impl Private {
    /// What it takes in memory: many small answers take more than their bytes.
    fn cost(&self) -> usize {
        self.bytes.len() + 2 * core::mem::size_of::<Self>()
    }
}

impl Sub {
    /// The first offset from `at` on that this membership is to see: not presence from before it, not its own messages.
    #[inline]
    pub(super) fn skip(&self, held: &Held, dialect: Dialect, at: u64) -> u64 {
        let has_own = || dialect.skips_own() && !self.own.is_empty();
        if at >= self.since && !has_own() { at } else { self.skip_some(held, dialect, at) }
    }

    /// Where the next of its own messages begins behind `at`.
    #[inline]
    pub(super) fn next_own(&self, dialect: Dialect, at: u64) -> u64 {
        if !dialect.skips_own() {
            return u64::MAX;
        }
        self.own.iter().map(|own| own.0).find(|&start| start > at).unwrap_or(u64::MAX)
    }

    fn skip_some(&self, held: &Held, dialect: Dialect, mut at: u64) -> u64 {
        loop {
            let before = at;
            if at < self.since
                && let Some(piece) = held.piece(dialect, at)
                && piece.is_presence()
            {
                at = piece.end();
            }
            if let Some((_, end)) = self.own.iter().find(|(start, end)| (*start..*end).contains(&at)) {
                at = *end;
            }
            if at == before {
                return at;
            }
        }
    }

    /// What stands behind a frame has moved.
    pub(super) fn shift(&mut self, shift: Shift) {
        (self.at, self.since) = (shift.moved(self.at), shift.moved(self.since));
        if let Some(end) = &mut self.end {
            end.at = shift.moved(end.at);
        }
        for own in &mut self.own {
            *own = (shift.moved(own.0), shift.moved(own.1));
        }
    }

    /// Whether it has missed something that is held no more.
    pub(super) fn has_fallen_off(&self, held: &Held, dialect: Dialect) -> bool {
        self.at < held.start(dialect).min(self.end(u64::MAX))
    }

    /// Where it ends: at the newest end, or where it was left.
    pub(super) fn end(&self, newest: u64) -> u64 {
        self.end.map_or(newest, |end| end.at)
    }

    /// These bytes hold a message of its own, which it is not to see. They lie behind all that it was told of before.
    pub(super) fn skip_own(&mut self, start: u64, end: u64, oldest: u64) {
        while self.own.front().is_some_and(|own| own.1 <= oldest) {
            self.own.pop_front();
        }
        match self.own.back_mut() {
            Some(own) if own.1 == start => own.1 = end,
            _ => self.own.push_back((start, end)),
        }
    }
}
