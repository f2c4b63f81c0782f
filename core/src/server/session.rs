//! Sessions: who is here, with or without a connection.

use alloc::collections::BTreeMap;

use super::pace::Pace;
use super::slab::{Handle, Slab};
use crate::entropy::Entropy;
use crate::id::{ConnId, KeyHash, MemberId};
use crate::json::Person;
use crate::name::{Folded, Name};
use crate::role::Role;
use crate::time::Instant;

/// One person's presence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Session {
    pub(super) member: MemberId,
    /// The first half of what makes a say idempotent: the hash of the session's key, or of a random one.
    pub(super) key: KeyHash,
    /// Whether it has a key, by which it outlives its connection.
    pub(super) keyed: bool,
    pub(super) name: Name,
    /// `None`: detached, and gone when its grace ends.
    pub(super) conn: Option<ConnId>,
    /// By room.
    pub(super) memberships: BTreeMap<u32, Membership>,
    /// Says that the log has not settled, or that are not in the stream yet.
    pub(super) in_flight: usize,
    pub(super) says: Pace,
    /// Joins and changes of name: each is told to a whole room.
    pub(super) acts: Pace,
    /// When the memberships end that are held and not joined again.
    pub(super) grace: Option<Instant>,
}

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

/// All sessions, and by what they are found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sessions {
    slab: Slab<Session>,
    by_key: BTreeMap<KeyHash, Handle>,
    by_member: BTreeMap<MemberId, Handle>,
    by_name: BTreeMap<Folded, Handle>,
}

impl Session {
    /// As a roster has them, with what they may do in its room.
    pub(super) fn person(&self, role: Role) -> Person {
        Person { m: self.member, name: self.name.clone(), role }
    }

    /// Whether it is still there only because its rooms are to have its says before they hear that it is gone.
    pub(super) fn lingers(&self) -> bool {
        self.conn.is_none() && !self.keyed && self.in_flight > 0
    }
}

impl Sessions {
    pub(super) const fn new() -> Self {
        Self { slab: Slab::new(), by_key: BTreeMap::new(), by_member: BTreeMap::new(), by_name: BTreeMap::new() }
    }

    /// Adds a session whose key, member and name are free.
    pub(super) fn insert(&mut self, session: Session) -> Handle {
        let (key, member, name) = (session.key, session.member, session.name.folded());
        let handle = self.slab.insert(session);
        self.by_key.insert(key, handle);
        self.by_member.insert(member, handle);
        self.by_name.insert(name, handle);
        handle
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<Session> {
        let session = self.slab.remove(handle)?;
        self.by_key.remove(&session.key);
        self.by_member.remove(&session.member);
        self.by_name.remove(&session.name.folded());
        Some(session)
    }

    pub(super) fn get(&self, handle: Handle) -> Option<&Session> {
        self.slab.get(handle)
    }

    pub(super) fn get_mut(&mut self, handle: Handle) -> Option<&mut Session> {
        self.slab.get_mut(handle)
    }

    pub(super) fn by_key(&self, key: &KeyHash) -> Option<Handle> {
        self.by_key.get(key).copied()
    }

    pub(super) fn by_member(&self, member: MemberId) -> Option<Handle> {
        self.by_member.get(&member).copied()
    }

    /// All of them, in the order of the table.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.slab.iter_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.by_member.len()
    }

    /// Whether a session other than `but` has this name.
    pub(super) fn is_taken(&self, name: &Name, but: Option<Handle>) -> bool {
        self.by_name.get(&name.folded()).is_some_and(|&holder| Some(holder) != but)
    }

    /// `name`, with a suffix where it is taken: the smallest that is free, or a random one where many share a name.
    pub(super) fn free_name(&self, name: &Name, me: Option<Handle>, entropy: &mut Entropy) -> Name {
        if !self.is_taken(name, me) {
            return name.clone();
        }
        let small = (2..10).map(|number| name.with_suffix(number));
        let random = core::iter::repeat_with(|| name.with_suffix(10 + entropy.below(1_000_000_000)));
        let mut candidates = small.chain(random);
        loop {
            if let Some(name) = candidates.next()
                && !self.is_taken(&name, me)
            {
                return name;
            }
        }
    }

    /// Gives a session a name that is free; returns the one that it had.
    pub(super) fn rename(&mut self, handle: Handle, name: Name) -> Option<Name> {
        let session = self.slab.get_mut(handle)?;
        self.by_name.remove(&session.name.folded());
        self.by_name.insert(name.folded(), handle);
        Some(core::mem::replace(&mut session.name, name))
    }
}
