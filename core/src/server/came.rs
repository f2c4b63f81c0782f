//! Who came by a code once: an account that did needs none again.
//!
//! What is remembered is a fact of the room's log: the account, the code, and the role that the code had last. By which code
//! somebody is in stays the one thing that says what they may there, so coming back by memory is coming by that code, as the code
//! is now; where it is the room's no more, by what is left of it ([`Pass::Former`]).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Server;
use super::io::Action;
use super::room::Pass;
use super::rules::{Came, Mark, Rules, forget, hold};
use super::slab::Handle;
use crate::act::Subject;
use crate::id::MemberId;
use crate::log::{Fact, Request};
use crate::role::Role;

impl Server {
    /// A session of an account is in by a code: the room remembers it.
    pub(super) fn remember(&mut self, handle: Handle, index: u32) {
        let Some(session) = self.sessions.get(handle) else { return };
        let Some((account, membership)) = session.account.as_ref().zip(session.memberships.get(index)) else { return };
        let room = &self.rooms[index as usize];
        let access = &room.access[membership.access as usize];
        let Pass::Code(code) = access.pass else { return };
        let came = Came { name: session.name.clone(), code, role: access.role.min(Role::Talk) };
        let known = room.rules.as_ref().and_then(|rules| rules.came(account));
        let is_full = room.rules.as_ref().is_some_and(|rules| !rules.has_room_for_one());
        if known == Some(&came) || (known.is_none() && is_full) {
            return;
        }
        let fact = hold(Mark::account(account).under("member"), &came);
        self.keep(index, [fact].into());
    }

    /// That an account came is forgotten, as part of an act about it; `None` where it is about a guest.
    pub(super) fn forgotten(&self, on: &Subject) -> Option<Fact> {
        let account = on.name.folded();
        let is_its = on.m.is_none_or(|m| m == MemberId::of_account(&account));
        (is_its && self.accounts.protects(&account)).then(|| forget(Mark::account(&account).under("member")))
    }

    /// What a room remembers is brought up to date with its codes and the server's accounts: another role of a code is another
    /// one of those who came by it, and of an account that is gone nothing is known.
    pub(super) fn refresh_who_came(&mut self, index: u32) {
        let room = &self.rooms[index as usize];
        let Some(rules) = room.rules.as_ref().filter(|rules| !rules.came.is_empty()) else { return };
        let roles: BTreeMap<Mark, Role> =
            room.codes().iter().map(|code| (Mark::code(&code.code), code.role.min(Role::Talk))).collect();
        let news = rules.came.iter().filter_map(|(mark, came)| {
            let key = mark.under("member");
            match roles.get(&came.code) {
                _ if self.accounts.get(&came.name.folded()).is_none() => Some(forget(key)),
                Some(&role) if role != came.role => Some(hold(key, &Came { role, ..came.clone() })),
                _ => None,
            }
        });
        let news: Vec<_> = news.collect();
        self.keep(index, news);
    }

    /// The roles of those who came by a code that is the room's no more.
    pub(super) fn former_roles(&self, index: u32, codes: &BTreeSet<Mark>) -> Vec<Role> {
        let came = self.rooms[index as usize].rules.iter().flat_map(|rules| rules.came.values());
        let roles: BTreeSet<Role> =
            came.filter(|came| !codes.contains(&came.code)).map(|came| came.role.min(Role::Talk)).collect();
        roles.into_iter().collect()
    }

    /// The log holds this of a room from here on, of which there is no record. What the act says that is on its way comes
    /// before, and stays so.
    pub(super) fn keep(&mut self, index: u32, mut facts: Vec<Fact>) {
        let room = &mut self.rooms[index as usize];
        if let Some(acting) = &room.acting {
            facts.retain(|fact| acting.facts.iter().all(|acts| acts.key != fact.key));
        }
        if facts.is_empty() {
            return;
        }
        let rules = room.rules.get_or_insert_default();
        rules.change(facts.clone());
        room.rules.take_if(|rules| **rules == Rules::default());
        self.actions.push_back(Action::Log(Request::Keep { room: room.id.clone(), facts }));
    }
}
