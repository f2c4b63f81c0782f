//! Acts are done: when their record stands in the room's stream, and not before.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Server;
use super::conn::Wait;
use super::io::{LogTask, Note};
use super::order::Acting;
use super::refusal::Refusal;
use super::room::Log;
use super::rules::{Mark, Marks, Rules};
use super::say::Says;
use super::session::Session;
use super::slab::Handle;
use crate::act::{Act, Subject};
use crate::code::Code;
use crate::dialect::Dialect;
use crate::id::{ConnId, RoomId, Seq};
use crate::json::{ByeCode, Frame};
use crate::log::{Facts, Unavailable};
use crate::plain::Phrase;

impl Server {
    /// The log says what it holds of a room beside its messages.
    pub(super) fn recalled(&mut self, id: &RoomId, facts: Result<Facts, Unavailable>) {
        if let Some((index, room)) = self.room(id) {
            if !core::mem::take(&mut room.is_recalled) && !room.counting.is_empty() {
                return self.counted(index, facts);
            }
            // A room that is open has them from its tail, and what has changed since.
            let is_open = matches!(room.log, Log::Open { .. });
            match facts {
                Ok(facts) if !is_open => self.set_facts(index, facts),
                Ok(_) => {}
                // The tail has them, too; until then the codes that were made are not known.
                Err(Unavailable) => self.log_failed(index, LogTask::Read, 1),
            }
        }
        if self.recalling.remove(id) && self.recalling.is_empty() {
            self.wake.extend(self.conns.ids());
        }
    }

    pub(super) fn set_facts(&mut self, index: u32, facts: Facts) {
        let room = &mut self.rooms[index as usize];
        if facts.is_empty() && room.rules.is_none() {
            return;
        }
        room.rules = (!facts.is_empty()).then(|| Box::new(Rules::read(facts)));
        self.refresh_who_came(index);
        self.refresh_codes(index);
    }

    /// A room's codes are what the configuration and its rules say now.
    fn refresh_codes(&mut self, index: u32) {
        let doors = self.doors();
        let grants = self.grants(index);
        let set = self.rooms[index as usize].set_codes(grants);
        self.codes.set(index, set.iter().map(|set| (set.code, set.access)));
        for (id, code) in doors {
            self.recheck(id, code);
        }
    }

    /// An act's record is there, if it is: what it does is done.
    pub(super) fn act_if_there(&mut self, index: u32) {
        let room = &mut self.rooms[index as usize];
        let head = room.head();
        let is_there = |acting: &mut Box<Acting>| acting.seq.is_some_and(|seq| seq <= head);
        if let Some(acting) = room.acting.take_if(is_there) {
            self.perform(index, *acting);
            self.append(index);
            self.ask_log(index);
        }
    }

    fn perform(&mut self, index: u32, acting: Acting) {
        let Acting { by, act, facts, made, shut, seq } = acting;
        let roles = if let Act::Role { .. } = act { self.roles_in(index) } else { Vec::new() };
        let room = &mut self.rooms[index as usize];
        if !facts.is_empty() {
            let rules = room.rules.get_or_insert_default();
            rules.change(facts);
            room.rules.take_if(|rules| **rules == Rules::default());
        }
        match &act {
            Act::Kick { on, .. } => self.kick(index, on),
            Act::Ban { .. } => self.put_out_banned(index),
            Act::Remove { of, .. } => self.blank(index, *of),
            Act::Code { .. } => self.refresh_codes(index),
            _ => {}
        }
        if let Some(code) = shut {
            // Somebody may have come by it since this was written.
            let (mark, rules) = (Mark::code(&code), self.rooms[index as usize].rules.as_deref());
            let came = rules.map(|rules| rules.forget_who_came(|came| came.code == mark));
            self.keep(index, came.unwrap_or_default());
            self.put_out_by(index, &code);
        }
        self.tell_members(index, false, &roles);
        self.recheck_says(index);
        let (id, member) = (self.rooms[index as usize].id.clone(), self.sessions.get(by.session));
        let who = member.map(|session| (session.member, session.name.clone()));
        if let Some((member, name)) = who {
            self.note(Note::Acted { room: id.clone(), member, name, act: Box::new(act) });
        }
        if self.is_of(by.conn, by.session) {
            match (self.dialect(by.conn), made) {
                (Some(Dialect::Json), None) => self.frame(by.conn, &Frame::Ok { re: by.re, seq }),
                (Some(Dialect::Json), Some((label, code))) => {
                    self.frame(by.conn, &Frame::Code { re: by.re, room: id, label, code });
                }
                (Some(Dialect::Plain), Some((label, code))) => {
                    self.phrase(by.conn, Phrase::NewCode { label: &label, code: &code.0 });
                }
                (Some(Dialect::Plain), None) | (None, _) => {}
            }
        }
        self.landed(by.session);
    }

    fn kick(&mut self, index: u32, on: &Subject) {
        let sessions = on.m.map(|member| self.in_room(index, member)).unwrap_or_default();
        sessions.into_iter().for_each(|handle| self.expel(handle, index, &ByeCode::Kicked));
    }

    /// Everybody goes whom a ban is about.
    fn put_out_banned(&mut self, index: u32) {
        self.members_of(index).into_iter().for_each(|handle| self.put_out_if_banned(handle, index));
    }

    /// Somebody goes if a ban is about them, whoever they were when they came.
    pub(super) fn put_out_if_banned(&mut self, handle: Handle, index: u32) {
        let Some((session, role)) = self.sessions.get(handle).zip(self.role_of(handle, index)) else { return };
        let marks = self.marks(session);
        let rules = self.rooms[index as usize].rules.as_ref();
        if rules.is_some_and(|rules| rules.banned(&marks, role, self.now.unix_ms).is_some()) {
            self.expel(handle, index, &ByeCode::Banned);
        }
    }

    /// Everybody goes who is in by this code.
    fn put_out_by(&mut self, index: u32, code: &Code) {
        let hash = self.codes.hash(code);
        for handle in self.members_of(index) {
            let membership = self.sessions.get(handle).and_then(|session| session.memberships.get(index));
            let room = &self.rooms[index as usize];
            if membership.is_some_and(|membership| room.access[membership.access as usize].code == hash) {
                self.expel(handle, index, &ByeCode::CodeChanged);
            }
        }
    }

    /// By what a session is known.
    pub(super) fn marks(&self, session: &Session) -> Marks {
        let conn = session.conn.and_then(|conn| self.conns.get(conn));
        let source = conn.filter(|conn| !conn.peer.is_loopback()).and_then(|conn| conn.peer.source());
        let account = session.account.clone();
        Marks { account, key: session.keyed.then_some(session.key), name: Some(session.name.folded()), source }
    }

    /// Ends a membership, and tells everybody. Who is away is told when they come back.
    fn expel(&mut self, handle: Handle, index: u32, why: &ByeCode) {
        let until = self.now.mono + self.limits.grace;
        let Some(session) = self.sessions.get(handle) else { return };
        let Some(membership) = session.memberships.get(index).copied() else { return };
        let (conn, key) = (session.conn, session.key);
        let lingers = session.in_flight > 0;
        // Its own going is nothing for it to see.
        if let Some((id, slot)) = conn.zip(membership.slot) {
            self.end_slot(id, slot);
        }
        self.exit(handle, index, why.as_str());
        match (conn, membership.slot) {
            (Some(id), Some(slot)) => {
                // Who was about to leave has left by this.
                let leaving = |wait: &mut Wait| matches!(wait, Wait::Leaving { room, .. } if *room == index);
                let wait = self.conn(id).and_then(|conn| conn.wait.take_if(leaving));
                let (re, then) = match wait {
                    Some(Wait::Leaving { re, then, .. }) => (re, then),
                    _ => (None, None),
                };
                self.tell_out(id, re, index, slot, why);
                if let Some(join) = then {
                    self.join(id, *join);
                }
                self.wake.push_back(id);
            }
            _ => {
                self.rooms[index as usize].put_out.push((key, until));
                let is_roomless = self.sessions.get(handle).is_some_and(|session| session.memberships.is_empty());
                if conn.is_none() && is_roomless && !lingers {
                    self.end_session(handle, why.as_str());
                }
            }
        }
    }

    /// Whether somebody was put out while they were away, and is told so now.
    pub(super) fn was_put_out(&mut self, handle: Handle, index: u32) -> bool {
        let now = self.now.mono;
        let Some(key) = self.sessions.get(handle).map(|session| session.key) else { return false };
        let put_out = &mut self.rooms[index as usize].put_out;
        put_out.retain(|(_, until)| *until > now);
        let before = put_out.len();
        put_out.retain(|(out, _)| *out != key);
        put_out.len() < before
    }

    /// What a message said is gone: from what is held, and from what readers have still to read.
    fn blank(&mut self, index: u32, seq: Seq) {
        let style = self.style;
        let room = &mut self.rooms[index as usize];
        let id = room.id.clone();
        let shifts = room.held.remove(seq, &mut self.scratch, |dialect, records, out, ends| {
            dialect.messages(style, &id, records, out, ends);
        });
        for conn in self.conns.ids() {
            let Some(conn) = self.conns.get_mut(conn) else { continue };
            let Some(shift) = shifts[conn.out.dialect.index()] else { continue };
            conn.out.subs.iter_mut().flatten().filter(|sub| sub.room == index).for_each(|sub| sub.shift(shift));
        }
        self.blank_pages(index, seq);
    }

    /// What waits to be said is not said by those who may not say it any more.
    fn recheck_says(&mut self, index: u32) {
        let room = &mut self.rooms[index as usize];
        if room.waiting.is_empty() && room.asked.iter().all(|asked| asked.then.is_empty()) {
            return;
        }
        let waiting = core::mem::take(&mut room.waiting);
        let behind: Vec<_> = room.asked.iter_mut().map(|asked| core::mem::take(&mut asked.then)).collect();
        let waiting = self.still_said(index, waiting);
        self.rooms[index as usize].waiting = waiting;
        for (at, said) in behind.into_iter().enumerate() {
            let said = self.still_said(index, said);
            if let Some(asked) = self.rooms[index as usize].asked.get_mut(at) {
                asked.then = said;
            }
        }
    }

    fn still_said(&mut self, index: u32, waiting: Says) -> Says {
        let mut kept = Says::default();
        for (said, draft) in waiting {
            let may_speak = self.may_speak(said.session, index);
            // Who has another name by now said it under the one that they had.
            match may_speak.and_then(|()| self.may_be_called(said.session, index, &draft.name)) {
                Ok(()) => kept.push(said, draft),
                Err(refusal) => {
                    if self.is_of(said.conn, said.session) {
                        self.refuse(said.conn, said.re, refusal);
                    }
                    self.landed(said.session);
                }
            }
        }
        kept
    }

    /// Whether somebody may speak in a room that they are in.
    fn may_speak(&self, handle: Handle, index: u32) -> Result<(), Refusal> {
        let session = self.sessions.get(handle).ok_or(Refusal::NotMember)?;
        let membership = session.memberships.get(index).ok_or(Refusal::NotMember)?;
        self.rooms[index as usize].may_speak(session, membership, self.now.unix_ms)
    }

    /// Whether this connection is still that session's.
    pub(super) fn is_of(&self, conn: ConnId, session: Handle) -> bool {
        self.conns.get(conn).and_then(super::conn::Conn::session) == Some(session)
    }
}
