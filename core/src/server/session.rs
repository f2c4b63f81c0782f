//! Sessions: who is here, with or without a connection.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::membership::Memberships;
use super::pace::Pace;
use super::slab::{Handle, Slab};
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
    /// The account that it is of, which has its name and its member id.
    pub(super) account: Option<Folded>,
    /// `None`: detached, and gone when its grace ends.
    pub(super) conn: Option<ConnId>,
    pub(super) memberships: Memberships,
    /// Says that the log has not settled, or that are not in the stream yet.
    pub(super) in_flight: usize,
    pub(super) says: Pace,
    /// Joins and changes of name: each is told to a whole room.
    pub(super) acts: Pace,
    /// When the memberships end that are held and not joined again.
    pub(super) grace: Option<Instant>,
}

/// All sessions, and by what they are found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sessions {
    slab: Slab<Session>,
    by_key: BTreeMap<KeyHash, Handle>,
    /// Those without an account: several sessions of one are one member of one name.
    by_member: BTreeMap<MemberId, Handle>,
    /// Of those without an account.
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

    /// Adds a session whose key is free, and whose member and name are free or its account's.
    pub(super) fn insert(&mut self, session: Session) -> Handle {
        let (key, member, name) = (session.key, session.member, session.name.folded());
        let is_guest = session.account.is_none();
        let handle = self.slab.insert(session);
        self.by_key.insert(key, handle);
        if is_guest {
            self.by_member.insert(member, handle);
            self.by_name.insert(name, handle);
        }
        handle
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<Session> {
        let session = self.slab.remove(handle)?;
        // Another session may have its key by now.
        if self.by_key.get(&session.key) == Some(&handle) {
            self.by_key.remove(&session.key);
        }
        if session.account.is_none() {
            self.by_member.remove(&session.member);
            self.by_name.remove(&session.name.folded());
        }
        Some(session)
    }

    /// Nobody takes a session up by its key from here on: it ends with its connection.
    pub(super) fn forget_key(&mut self, handle: Handle) {
        let Some(session) = self.slab.get_mut(handle) else { return };
        session.keyed = false;
        if self.by_key.get(&session.key) == Some(&handle) {
            self.by_key.remove(&session.key);
        }
    }

    /// A session without an account is of one from here on.
    pub(super) fn set_account(&mut self, handle: Handle, account: Folded, name: Name) {
        let Some(session) = self.slab.get_mut(handle) else { return };
        self.by_member.remove(&session.member);
        self.by_name.remove(&session.name.folded());
        session.member = MemberId::of_account(&account);
        session.name = name;
        session.account = Some(account);
    }

    /// Those without an account whose name is such a one.
    pub(super) fn guests_called(&self, is_such: impl Fn(&Folded) -> bool) -> Vec<Handle> {
        self.by_name.iter().filter(|(name, _)| is_such(name)).map(|(_, &handle)| handle).collect()
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

    /// Who is called so.
    pub(super) fn by_name(&self, name: &Name) -> Option<Handle> {
        self.by_name.get(&name.folded()).copied()
    }

    /// All of them, in the order of the table.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.slab.iter_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether a session without an account, other than `but`, has this name.
    pub(super) fn is_taken(&self, name: &Folded, but: Option<Handle>) -> bool {
        self.by_name.get(name).is_some_and(|&holder| Some(holder) != but)
    }

    /// Gives a session a name that is free; returns the one that it had.
    pub(super) fn rename(&mut self, handle: Handle, name: Name) -> Option<Name> {
        let session = self.slab.get_mut(handle)?;
        self.by_name.remove(&session.name.folded());
        self.by_name.insert(name.folded(), handle);
        Some(core::mem::replace(&mut session.name, name))
    }
}
