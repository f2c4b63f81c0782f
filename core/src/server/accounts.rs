//! Accounts, and which sessions each has.
//!
//! A session of an account is a session like any other, with a key and a cursor of its own; but all of them are one
//! member to others: they share a name and a member id. Whoever has no account pays nothing for it: the table is only
//! looked at for a session that has one, and for a name that somebody wants.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::config;
use super::slab::Handle;
use crate::account::PasswordHash;
use crate::id::MemberId;
use crate::name::{Folded, Name};

/// All accounts, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Accounts {
    by_name: BTreeMap<Folded, Account>,
    by_member: BTreeMap<MemberId, Folded>,
    /// The hashes of those that one can log in to, in a row.
    hashes: Vec<PasswordHash>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Account {
    name: Name,
    /// `None`: it is configured no more, and remembered for as long as a session has still to end: until then nobody else
    /// has its name.
    hash: Option<PasswordHash>,
    /// In the order in which they began.
    sessions: Vec<Handle>,
}

/// What a configuration changed of an account that has sessions.
#[derive(Debug)]
pub(super) enum Changed {
    /// It is gone, or has another password: its sessions end.
    Over(Vec<Handle>),
    /// Its name is written in another way.
    Respelt(Vec<Handle>, Name),
}

impl Accounts {
    /// From here on there are these accounts and no others; says what that means for those that have sessions.
    pub(super) fn replace(&mut self, accounts: Vec<config::Account>) -> Vec<Changed> {
        let mut before = core::mem::take(&mut self.by_name);
        let mut changes = Vec::new();
        for config::Account { name, hash } in accounts {
            let folded = name.folded();
            if self.by_name.contains_key(&folded) {
                continue;
            }
            let old = before.remove(&folded);
            let sessions = old.as_ref().map(|old| old.sessions.clone()).unwrap_or_default();
            match old {
                Some(old) if old.hash.as_ref() != Some(&hash) => changes.push(Changed::Over(sessions.clone())),
                Some(old) if old.name != name => changes.push(Changed::Respelt(sessions.clone(), name.clone())),
                _ => {}
            }
            self.by_name.insert(folded, Account { name, hash: Some(hash), sessions });
        }
        for (folded, account) in before {
            if !account.sessions.is_empty() {
                changes.push(Changed::Over(account.sessions.clone()));
                self.by_name.insert(folded, Account { hash: None, ..account });
            }
        }
        self.hashes = self.by_name.values().filter_map(|account| account.hash.clone()).collect();
        self.by_member = self.by_name.keys().map(|folded| (MemberId::of_account(folded), folded.clone())).collect();
        changes
    }

    /// Whether a name is an account's, so that nobody else can have it.
    pub(super) fn protects(&self, name: &Folded) -> bool {
        self.by_name.contains_key(name)
    }

    /// The account's name, as it is written, and its hash; `None` where there is none that one could log in to.
    pub(super) fn get(&self, name: &Folded) -> Option<(&Name, &PasswordHash)> {
        let account = self.by_name.get(name)?;
        Some((&account.name, account.hash.as_ref()?))
    }

    /// What to verify a password for this name against where there is no such account, so that it takes as long as if
    /// there were; `None`: there are no accounts at all.
    ///
    /// It is another account's hash: which one follows from the name (`who` is its member id), so that the same name
    /// always takes the same time, even where one account's hash costs more than another's. Finding it takes as long however many
    /// accounts there are. Its verdict never counts.
    pub(super) fn decoy(&self, who: MemberId) -> Option<&PasswordHash> {
        self.hashes.get((who.bits() >> 4).checked_rem(self.hashes.len() as u64)? as usize)
    }

    /// The account's sessions.
    pub(super) fn sessions(&self, name: &Folded) -> &[Handle] {
        self.by_name.get(name).map_or(&[], |account| &account.sessions)
    }

    /// The sessions of the account that is this member.
    pub(super) fn sessions_of(&self, member: MemberId) -> &[Handle] {
        self.by_member.get(&member).map_or(&[], |name| self.sessions(name))
    }

    /// The account that is this member.
    pub(super) fn called(&self, member: MemberId) -> Option<&Folded> {
        self.by_member.get(&member)
    }

    /// An account has one more session.
    pub(super) fn add(&mut self, name: &Folded, session: Handle) {
        if let Some(account) = self.by_name.get_mut(name) {
            account.sessions.push(session);
        }
    }

    /// A session of an account is over.
    pub(super) fn remove(&mut self, name: &Folded, session: Handle) {
        let Some(account) = self.by_name.get_mut(name) else { return };
        account.sessions.retain(|&other| other != session);
        if account.hash.is_none() && account.sessions.is_empty() {
            self.by_name.remove(name);
            self.by_member.remove(&MemberId::of_account(name));
        }
    }
}
