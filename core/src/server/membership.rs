//! Memberships: the rooms that a session is in.

use core::mem;

use smallvec::SmallVec;

/// A session in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Membership {
    /// By which of the room's codes.
    pub(super) access: u32,
    /// Its place in the room's roster.
    pub(super) place: u64,
    /// Its cursor in the connection's output; `None`: held, until the session joins again or its grace ends.
    pub(super) slot: Option<u16>,
}

/// The memberships of a session, by the index of their room. Most sessions are in one room, and have it where they are
/// themselves: a message asks for it more than once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Memberships(SmallVec<[(u32, Membership); 1]>);

impl Memberships {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(super) fn get(&self, room: u32) -> Option<&Membership> {
        self.place(room).ok().map(|at| &self.0[at].1)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, room: u32) -> Option<&mut Membership> {
        self.place(room).ok().map(|at| &mut self.0[at].1)
    }

    /// Adds the membership in a room, in the place of the one that there was.
    pub(super) fn insert(&mut self, room: u32, membership: Membership) -> Option<Membership> {
        match self.place(room) {
            Ok(at) => Some(mem::replace(&mut self.0[at].1, membership)),
            Err(at) => {
                self.0.insert(at, (room, membership));
                None
            }
        }
    }

    pub(super) fn remove(&mut self, room: u32) -> Option<Membership> {
        self.place(room).ok().map(|at| self.0.remove(at).1)
    }

    /// In the order of the rooms' indices.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Membership)> {
        self.0.iter().map(|(room, membership)| (*room, membership))
    }

    /// The same, to be changed.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Membership> {
        self.0.iter_mut().map(|(_, membership)| membership)
    }

    /// The rooms, in order.
    pub(super) fn rooms(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|(room, _)| *room)
    }

    /// Where it is, or would be.
    fn place(&self, room: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&room, |(room, _)| *room)
    }
}
