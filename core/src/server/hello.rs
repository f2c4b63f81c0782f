//! Sessions begin, are taken up again, change their name.

use super::Server;
use super::conn::{Phase, Ping};
use super::io::{Note, Reason};
use super::login::What;
use super::membership::Memberships;
use super::pace::Pace;
use super::refusal::Refusal;
use super::session::Session;
use super::slab::Handle;
use crate::account::Password;
use crate::id::{ConnId, Id, Key, KeyHash, MemberId};
use crate::json::{self, Change, Frame, Welcome};
use crate::name::{Folded, Name};

/// What a hello asks for.
pub(super) struct Hello {
    pub(super) id: Option<Id>,
    pub(super) name: Option<Name>,
    pub(super) key: Option<Key>,
    /// Of the account that the name is.
    pub(super) password: Option<Password>,
}

impl Server {
    /// Gives a json connection its session: the one of its key, or a new one, of an account where its password is right.
    pub(super) fn hello(&mut self, conn: ConnId, hello: Hello) {
        let known = hello.key.and_then(|key| self.sessions.by_key(&key.hash()));
        match (known, hello.password, hello.name.as_ref()) {
            // The key is the proof: if everybody comes back at once, no password need be verified.
            (Some(session), password, name)
                if password.is_none() || self.account_of(session) == name.map(Name::folded).as_ref() =>
            {
                self.resume(conn, session, Hello { password: None, ..hello });
            }
            (_, Some(password), Some(name)) => {
                let what = What::Hello { re: hello.id, key: hello.key };
                if let Err(refusal) = self.verify(conn, name, password, what) {
                    self.refuse(conn, hello.id, refusal);
                }
            }
            _ if !self.takes_guests => self.refuse(conn, hello.id, Refusal::NoGuests),
            _ => {
                let session = self.begin(conn, hello.key, hello.name);
                self.welcome(conn, session, hello.id, false);
            }
        }
    }

    /// Takes the session of its key up again.
    pub(super) fn resume(&mut self, conn: ConnId, session: Handle, hello: Hello) {
        self.take_over(conn, session, hello.name);
        self.welcome(conn, session, hello.id, true);
    }

    /// A session moves to a new connection. Its memberships are held until they are joined again.
    fn take_over(&mut self, id: ConnId, handle: Handle, wanted: Option<Name>) {
        let until = self.now.mono + self.limits.grace;
        if let Some(old) = self.sessions.get(handle).and_then(|session| session.conn) {
            self.unbind(old, handle);
            self.flush_and_close(old, Reason::Replaced);
            self.start_grace(handle, until);
        }
        if let Some(wanted) = wanted.filter(|_| self.account_of(handle).is_none()) {
            let name = self.free_name(&wanted, Some(handle));
            let is_new = self.sessions.get(handle).is_some_and(|session| session.name != name);
            // Over its rate it keeps the name that it has, which the welcome tells.
            let is_banned = self.may_take(handle, &name).is_err();
            if is_new && !is_banned && self.act(handle).is_ok() {
                self.rename(handle, name);
            }
        }
        if let Some(session) = self.sessions.get_mut(handle) {
            session.conn = Some(id);
        }
    }

    /// A new session without an account.
    pub(super) fn begin(&mut self, conn: ConnId, key: Option<Key>, wanted: Option<Name>) -> Handle {
        let name = match wanted {
            Some(wanted) => self.free_name(&wanted, None),
            None => self.take_guest_name(),
        };
        let member = match &key {
            Some(key) => key.member(),
            None => MemberId::from_bits(self.entropy.bits()),
        };
        self.insert(conn, key, member, name, None)
    }

    /// A new session of an account.
    pub(super) fn begin_as(&mut self, conn: ConnId, key: Option<Key>, name: &Name) -> Handle {
        let account = name.folded();
        let member = MemberId::of_account(&account);
        let handle = self.insert(conn, key, member, name.clone(), Some(account.clone()));
        self.accounts.add(&account, handle);
        handle
    }

    fn insert(
        &mut self,
        conn: ConnId,
        key: Option<Key>,
        member: MemberId,
        name: Name,
        account: Option<Folded>,
    ) -> Handle {
        let hash = key.map_or_else(|| KeyHash(self.entropy.block()), |key| key.hash());
        self.sessions.insert(Session {
            member,
            account,
            key: hash,
            keyed: key.is_some(),
            name,
            conn: Some(conn),
            memberships: Memberships::default(),
            in_flight: 0,
            says: Pace::default(),
            acts: Pace::default(),
            grace: None,
        })
    }

    /// Whether somebody has a name, or an account does: `but` is a session whose own name it may be.
    fn is_taken(&self, name: &Name, but: Option<Handle>) -> bool {
        let name = name.folded();
        self.sessions.is_taken(&name, but) || self.accounts.protects(&name)
    }

    /// `name`, with a suffix where it is taken: the smallest that is free, or a random one where many share a name.
    pub(super) fn free_name(&mut self, name: &Name, me: Option<Handle>) -> Name {
        if !self.is_taken(name, me) {
            return name.clone();
        }
        for number in 2..10 {
            let name = name.with_suffix(number);
            if !self.is_taken(&name, me) {
                return name;
            }
        }
        loop {
            let name = name.with_suffix(10 + self.entropy.below(1_000_000_000));
            if !self.is_taken(&name, me) {
                return name;
            }
        }
    }

    pub(super) fn welcome(&mut self, id: ConnId, handle: Handle, re: Option<Id>, resumed: bool) {
        let ping = self.jittered_ping();
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.phase = Phase::Live(handle);
        conn.ping = Ping::After(ping);
        let line = conn.line as u64;
        let Some(session) = self.sessions.get(handle) else { return };
        let limits = &self.limits;
        let account = session.account.as_ref();
        let rooms = self.open_to(handle);
        let welcome = Welcome {
            re,
            v: json::VERSION,
            server: self.agent.clone(),
            m: session.member,
            name: session.name.clone(),
            resumed,
            now: self.now.unix_ms,
            ping_s: limits.ping.as_secs(),
            grace_s: if session.keyed { limits.grace.as_secs() } else { 0 },
            limits: json::Limits {
                line,
                text: limits.text.bytes as u64,
                lines: limits.text.lines as u64,
                name: Name::MAX_CHARS as u64,
                replay: limits.replay,
                burst: limits.burst.into(),
                per_s: limits.per_s.into(),
            },
            account: account.map(|_| session.name.clone()),
            rooms,
        };
        self.frame(id, &Frame::Welcome(welcome));
        self.note_welcome(id, handle, resumed);
    }

    pub(super) fn note_welcome(&mut self, id: ConnId, handle: Handle, resumed: bool) {
        let (Some(session), Some(conn)) = (self.sessions.get(handle), self.conns.get(id)) else { return };
        let (member, name) = (session.member, session.name.clone());
        let account = session.account.is_some();
        self.note(Note::Welcomed { conn: id, peer: conn.peer, member, name, resumed, account });
    }

    /// Answers a request for another name.
    pub(super) fn change_name(&mut self, handle: Handle, name: Name) -> Result<(), Refusal> {
        if self.account_of(handle).is_some() {
            let is_own = self.sessions.get(handle).is_some_and(|session| session.name == name);
            return if is_own { Ok(()) } else { Err(Refusal::NameIsFixed) };
        }
        if self.is_taken(&name, Some(handle)) {
            return Err(Refusal::NameTaken);
        }
        self.may_take(handle, &name)?;
        self.act(handle)?;
        self.rename(handle, name);
        Ok(())
    }

    /// Whether a session may have this name in all of its rooms.
    fn may_take(&self, handle: Handle, name: &Name) -> Result<(), Refusal> {
        let mut rooms = self.sessions.get(handle).into_iter().flat_map(|session| session.memberships.rooms());
        rooms.try_for_each(|room| self.may_be_called(handle, room, name))
    }

    /// Whether a member of a room may have this name there: nobody has one under which somebody is kept out.
    pub(super) fn may_be_called(&self, handle: Handle, room: u32, name: &Name) -> Result<(), Refusal> {
        let Some((rules, role)) = self.rooms[room as usize].rules.as_ref().zip(self.role_of(handle, room)) else {
            return Ok(());
        };
        let marks = super::rules::Marks { account: None, key: None, name: Some(name.folded()), source: None };
        match rules.banned(&marks, role, self.now.unix_ms) {
            Some(until) => Err(Refusal::Banned { wait: until.wait() }),
            None => Ok(()),
        }
    }

    /// Gives a session a name that is free, and tells its rooms.
    pub(super) fn rename(&mut self, handle: Handle, name: Name) {
        let Some(session) = self.sessions.get(handle).filter(|session| session.name != name) else { return };
        let (m, rooms): (_, alloc::vec::Vec<u32>) = (session.member, session.memberships.rooms().collect());
        let Some(was) = self.sessions.rename(handle, name.clone()) else { return };
        let change = Change::Name { m, name, was };
        for room in rooms {
            self.announce(room, &change);
        }
    }

    /// Spends one of the session's joins and changes of name.
    pub(super) fn act(&mut self, handle: Handle) -> Result<(), Refusal> {
        let (rate, now) = (self.acts, self.now.mono);
        let Some(session) = self.sessions.get_mut(handle) else { return Err(Refusal::NoHello) };
        let wait = session.acts.wait(rate, now);
        if !wait.is_zero() {
            return Err(Refusal::SlowDown { wait });
        }
        session.acts.spend(rate, now);
        Ok(())
    }

    /// The name of the next guest.
    pub(super) fn guest_name(&self) -> (u64, Name) {
        #[expect(clippy::unwrap_used, reason = "a constant that is a name")]
        let guest: Name = "guest".parse().unwrap();
        let mut number = self.guests + 1;
        loop {
            let name = guest.with_suffix(number);
            if !self.is_taken(&name, None) {
                return (number, name);
            }
            number += 1;
        }
    }

    fn take_guest_name(&mut self) -> Name {
        let (number, name) = self.guest_name();
        self.guests = number;
        name
    }

    /// The silence after which a client is pinged: give or take a tenth, so that not all are pinged at once.
    pub(super) fn jittered_ping(&mut self) -> core::time::Duration {
        let tenth = self.limits.ping / 10;
        let spread = self.entropy.below(u64::try_from(2 * tenth.as_micros()).unwrap_or(0));
        self.limits.ping - tenth + core::time::Duration::from_micros(spread)
    }
}
