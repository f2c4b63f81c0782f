//! Logging in: a name, a password, and the verdict that somebody else gives.
//!
//! Passwords are hashed by slow functions, so the machine does not verify them: it asks by [`Action::Verify`], and goes on
//! when [`Input::Verified`](super::Input::Verified) comes. Meanwhile the connection's later lines wait inside. A verdict
//! counts only for the connection that asked, while it still waits, and only where the account is still the one that was
//! asked about.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Server;
use super::accounts::Changed;
use super::config;
use super::conn::{Conn, Wait};
use super::hello::Hello;
use super::io::{Action, Note, Reason, Source, Verdict, Verification};
use super::refusal::Refusal;
use super::slab::Handle;
use super::timers::Timer;
use crate::account::{Password, PasswordHash};
use crate::id::{ConnId, Id, Key, MemberId};
use crate::json::{Change, Room as RoomFrame};
use crate::name::{Folded, Name};

/// What is being verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Logins {
    next: u64,
    by_request: BTreeMap<Verification, Login>,
}

/// Somebody who waits for a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Login {
    conn: ConnId,
    source: Option<Source>,
    name: Folded,
    /// The account's hash; `None`: there is no such account, and the verdict is about a decoy.
    against: Option<PasswordHash>,
    what: What,
    /// When it is given up.
    until: crate::time::Instant,
}

/// What somebody logs in for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// A hello of json.
    Hello { re: Option<Id>, key: Option<Key> },
    /// `/login` of plain.
    Person,
}

impl Server {
    /// Asks for a verdict on a password. Every one counts as wrong until it is known to be right: so that no source has more
    /// of them on their way than it may have wrong.
    pub(super) fn verify(&mut self, id: ConnId, name: &Name, password: Password, what: What) -> Result<(), Refusal> {
        let now = self.now.mono;
        let peer = self.conns.get(id).ok_or(Refusal::NoHello)?.peer;
        let (source, name) = (peer.source(), name.folded());
        let who = MemberId::of_account(&name);
        let wait = self.passwords.wait(source, now).max(self.logins_by_name.wait(Some(who), now));
        if !wait.is_zero() {
            self.note(Note::Locked { peer });
            return Err(Refusal::PasswordsLocked { wait });
        }
        let left = self.passwords.wrong(source, now);
        self.logins_by_name.wrong(Some(who), now);
        let against = self.accounts.get(&name).map(|(_, hash)| hash.clone());
        let Some(hash) = against.clone().or_else(|| self.accounts.decoy(who).cloned()) else {
            self.note(Note::WrongPassword { peer, account: None, left });
            return Err(Refusal::WrongPassword { left });
        };
        let request = Verification(self.logins.next);
        self.logins.next += 1;
        let until = now + self.limits.verify;
        self.logins.by_request.insert(request, Login { conn: id, source, name, against, what, until });
        self.timers.set(until, Timer::Login(request));
        if let Some(conn) = self.conn(id) {
            conn.wait = Some(Wait::Verifying(request));
        }
        self.actions.push_back(Action::Verify { request, hash, password });
        Ok(())
    }

    /// A verdict has come; `None`: none will.
    pub(super) fn verified(&mut self, request: Verification, verdict: Option<Verdict>) {
        let now = self.now.mono;
        let Some(login) = self.logins.by_request.remove(&request) else { return };
        self.timers.cancel(login.until, Timer::Login(request));
        let Login { conn: id, source, name, against, what, .. } = login;
        let account = self.accounts.get(&name).map(|(name, hash)| (name.clone(), hash.clone()));
        // Of an account that has another password by now, the verdict says nothing.
        let is_stale = account.as_ref().map(|(_, hash)| hash) != against.as_ref();
        let result = match (verdict, account) {
            (Some(Verdict::Right), Some((name, _))) if !is_stale => Ok(name),
            (Some(Verdict::Right | Verdict::Wrong), None) => Err(true),
            (Some(Verdict::Wrong), Some(_)) if !is_stale => Err(true),
            _ => Err(false),
        };
        if result != Err(true) {
            self.passwords.forgive(source);
            self.logins_by_name.forgive(Some(MemberId::of_account(&name)));
        }
        let left = self.passwords.left(source, now);
        let waits = |wait: &mut Wait| *wait == Wait::Verifying(request);
        let is_waited_for = self.conn(id).and_then(|conn| conn.wait.take_if(waits)).is_some();
        if result == Err(true)
            && let Some(peer) = self.conns.get(id).map(|conn| conn.peer)
        {
            let account = self.accounts.get(&name).map(|(name, _)| name.clone());
            self.note(Note::WrongPassword { peer, account, left });
        }
        if !is_waited_for {
            return;
        }
        let result =
            result.map_err(|is_wrong| if is_wrong { Refusal::WrongPassword { left } } else { Refusal::NoVerdict });
        match (what, result) {
            (What::Hello { re, key }, Ok(name)) => self.hello_as(id, re, key, &name),
            (What::Hello { re, .. }, Err(refusal)) => self.refuse(id, re, refusal),
            (What::Person, Ok(name)) => self.person_is(id, &name),
            (What::Person, Err(refusal)) => self.person_is_not(id, refusal),
        }
        self.wake.push_back(id);
    }

    /// A hello whose password was right. A session that has its key and is somebody else's ends.
    fn hello_as(&mut self, id: ConnId, re: Option<Id>, key: Option<Key>, name: &Name) {
        let account = name.folded();
        let known = key.and_then(|key| self.sessions.by_key(&key.hash()));
        let is_theirs = |server: &Self, handle| server.account_of(handle) == Some(&account);
        let hello = Hello { id: re, name: None, key, password: None };
        if let Some(session) = known {
            if is_theirs(self, session) {
                return self.resume(id, session, hello);
            }
            self.replace_session(session);
        }
        let session = self.begin_as(id, key, name);
        self.welcome(id, session, re, false);
    }

    /// Ends a session whose key somebody else has proved to be theirs by now. Its rooms have its says first.
    fn replace_session(&mut self, handle: Handle) {
        if let Some(old) = self.sessions.get(handle).and_then(|session| session.conn) {
            self.unbind(old, handle);
            self.flush_and_close(old, Reason::Replaced);
        }
        self.sessions.forget_key(handle);
        match self.sessions.get(handle) {
            Some(session) if session.lingers() => self.start_grace(handle, self.now.mono + self.limits.drain),
            _ => self.end_session(handle, "left"),
        }
    }

    /// The account that a session is of.
    pub(super) fn account_of(&self, handle: Handle) -> Option<&Folded> {
        self.sessions.get(handle)?.account.as_ref()
    }

    /// The session of the same account that came into a room first, of the others: to others, all of them are one
    /// member.
    pub(super) fn twin(&self, handle: Handle, room: u32) -> Option<Handle> {
        let others = self.accounts.sessions(self.account_of(handle)?).iter().copied();
        let place = |handle| Some(self.sessions.get(handle)?.memberships.get(room)?.place);
        others
            .filter(|&other| other != handle)
            .filter_map(|other| Some((place(other)?, other)))
            .min()
            .map(|(_, twin)| twin)
    }

    /// Whether others are told of a session in a room where its account may have several: of the first.
    pub(super) fn is_first(&self, handle: Handle, room: u32) -> bool {
        let place = |handle| Some(self.sessions.get(handle)?.memberships.get(room)?.place);
        self.twin(handle, room).is_none_or(|twin| place(handle) < place(twin))
    }

    /// What others are told that a member may do in a room: the highest of what the sessions may that it has there.
    pub(super) fn shown_role(&self, handle: Handle, room: u32) -> Option<crate::role::Role> {
        let twins = self.account_of(handle).map(|account| self.accounts.sessions(account)).unwrap_or_default();
        let all = twins.iter().copied().chain([handle]);
        all.filter_map(|session| self.role_of(session, room)).max()
    }

    /// The rooms that a session may enter without a code, because of its account.
    pub(super) fn open_to(&self, handle: Handle) -> Vec<RoomFrame> {
        let Some(session) = self.sessions.get(handle) else { return Vec::new() };
        let Some(account) = &session.account else { return Vec::new() };
        let rooms = self.room_index.places().map(|index| &self.rooms[index as usize]);
        let frame = |room: &super::Room| {
            let access = room.open_access(account).filter(|_| room.is_serving())?;
            Some(room.frame(room.role_by(Some(session), access)))
        };
        rooms.filter_map(frame).collect()
    }

    /// A session without an account gets one, in the rooms where it is: to others, one goes and another comes.
    pub(super) fn become_account(&mut self, handle: Handle, name: &Name) {
        let Some(session) = self.sessions.get(handle) else { return };
        debug_assert_eq!(session.in_flight, 0, "a password is read when the says before it are settled");
        let (m, was) = (session.member, session.name.clone());
        let rooms: Vec<u32> = session.memberships.rooms().collect();
        let before: Vec<_> = rooms.iter().map(|&room| self.role_of(handle, room)).collect();
        for &room in &rooms {
            self.announce(room, &Change::Out { m, name: was.clone(), why: Some("left".into()) });
        }
        let account = name.folded();
        self.sessions.set_account(handle, account.clone(), name.clone());
        self.accounts.add(&account, handle);
        for (room, before) in rooms.into_iter().zip(before) {
            self.announce_entry(handle, room);
            self.put_out_if_banned(handle, room);
            self.remember(handle, room);
            let told =
                self.sessions.get(handle).and_then(|session| session.conn.zip(session.memberships.get(room)?.slot));
            if let Some((conn, slot)) = told.filter(|_| self.role_of(handle, room) != before) {
                self.tell_room(
                    conn,
                    slot,
                    handle,
                    room,
                    super::answer::News { is_retitled: false, has_new_role: true },
                );
            }
        }
    }

    /// Tells a room that somebody is in it who was not; nothing where another session of the account is, but that the
    /// member has a higher role by this one.
    pub(super) fn announce_entry(&mut self, handle: Handle, room: u32) {
        let Some(session) = self.sessions.get(handle) else { return };
        let (m, name) = (session.member, session.name.clone());
        let role = self.shown_role(handle, room).unwrap_or_default();
        match self.twin(handle, room) {
            None => self.announce(room, &Change::In { m, name, role }),
            Some(twin) => {
                self.rooms[room as usize].doubles += 1;
                let others = self.accounts.sessions_of(m).iter().filter(|&&other| other != handle);
                let before = others.filter_map(|&other| self.role_of(other, room)).max();
                debug_assert!(before >= self.role_of(twin, room));
                if Some(role) != before {
                    self.announce(room, &Change::Role { m, name, role });
                }
            }
        }
    }

    /// There are these accounts from here on. Sessions of those that are gone, or have another password, end; guests whose
    /// name is somebody's by now get another one.
    pub(super) fn set_accounts(&mut self, accounts: Vec<config::Account>) {
        for change in self.accounts.replace(accounts) {
            match change {
                Changed::Over(sessions) => sessions.into_iter().for_each(|session| self.account_changed(session)),
                Changed::Respelt(sessions, name) => self.respell(&sessions, &name),
            }
        }
        for handle in self.sessions.guests_called(|name| self.accounts.protects(name)) {
            let Some(name) = self.sessions.get(handle).map(|session| session.name.clone()) else { continue };
            let given = self.free_name(&name, Some(handle));
            self.rename(handle, given.clone());
            let conn = self.sessions.get(handle).and_then(|session| session.conn);
            if let Some(id) = conn.filter(|&id| self.conns.get(id).is_some_and(Conn::is_person)) {
                self.phrase(id, crate::plain::Phrase::NameGiven { wanted: &name, given: &given });
            }
        }
    }

    /// A session's account is gone, or has another password: whoever has only the old one is out.
    fn account_changed(&mut self, handle: Handle) {
        self.sessions.forget_key(handle);
        match self.sessions.get(handle) {
            Some(session) if session.conn.is_some() => {
                if let Some(conn) = session.conn {
                    self.part(conn, Reason::AccountChanged);
                }
            }
            Some(session) if session.lingers() => self.start_grace(handle, self.now.mono + self.limits.drain),
            _ => self.end_session(handle, "lost"),
        }
    }

    fn respell(&mut self, sessions: &[Handle], name: &Name) {
        let mut told = alloc::collections::BTreeSet::new();
        for &handle in sessions {
            let Some(session) = self.sessions.get_mut(handle) else { continue };
            let was = core::mem::replace(&mut session.name, name.clone());
            let (m, rooms) = (session.member, session.memberships.rooms());
            let rooms: Vec<u32> = rooms.filter(|room| told.insert(*room)).collect();
            for room in rooms {
                self.announce(room, &Change::Name { m, name: name.clone(), was: was.clone() });
            }
        }
    }
}
