//! Answers: the same ones in every dialect.

use alloc::vec::Vec;

use super::Server;
use super::conn::Join;
use super::history::Load;
use super::out::PrivateKind;
use super::refusal::Refusal;
use super::room::{Log, Said};
use super::slab::Handle;
use crate::dialect::Dialect;
use crate::id::{ConnId, Id, Seq};
use crate::json::{ByeCode, Found, Frame, Joined, Page, PageMessage, Person};
use crate::log;
use crate::plain::{self, Day, Here, Phrase};
use crate::time::ceil_ms;

/// What is to be told of a room.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    pub(super) is_retitled: bool,
    pub(super) has_new_role: bool,
}

/// Names that a person is shown at most.
const NAMES: usize = 200;

impl Server {
    /// Answers with a json frame.
    pub(super) fn frame(&mut self, id: ConnId, frame: &Frame) {
        self.send_frame(id, frame, PrivateKind::Reply);
    }

    fn send_frame(&mut self, id: ConnId, frame: &Frame, kind: PrivateKind) -> u64 {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.send(id, bytes, kind)
    }

    pub(super) fn dialect(&self, id: ConnId) -> Option<Dialect> {
        self.conns.get(id)?.dialect()
    }

    /// Says why a request is not granted.
    pub(super) fn refuse(&mut self, id: ConnId, re: Option<Id>, refusal: Refusal) {
        match self.dialect(id) {
            Some(Dialect::Json) => self.frame(id, &refusal.frame(re)),
            Some(Dialect::Plain) => self.refuse_person(id, refusal),
            None => {}
        }
    }

    /// What a session may do in a room that it is in.
    pub(super) fn role_of(&self, handle: Handle, room: u32) -> Option<crate::role::Role> {
        let session = self.sessions.get(handle)?;
        Some(self.rooms[room as usize].role(session, session.memberships.get(room)?))
    }

    /// Says that a room is entered; its backlog follows. Nothing of the room goes out before.
    pub(super) fn answer_joined(
        &mut self,
        id: ConnId,
        handle: Handle,
        join: &Join,
        old: Option<u16>,
        slot: u16,
        from: Seq,
    ) {
        let kind = old.map_or(PrivateKind::Reply, PrivateKind::Left);
        let state = &self.rooms[join.opens.room as usize];
        let Log::Open { epoch, first } = state.log else { return };
        let head = state.head();
        let Some(role) = self.role_of(handle, join.opens.room) else { return };
        let place = match self.dialect(id) {
            Some(Dialect::Json) => {
                let room = state.frame(role);
                let (here, members) = (state.here(), state.roster(join.opens.room, &self.sessions));
                // A log may have let go of more than the room has heard of.
                let first = first.min(head.next());
                let joined = Joined { re: join.re, room, here, members, epoch, first, from, head };
                self.send_frame(id, &Frame::Joined(joined), kind)
            }
            Some(Dialect::Plain) => {
                let mut bytes = Vec::new();
                self.with_here(handle, join.opens.room, |title, here| {
                    let backlog = head.next().get().saturating_sub(from.get());
                    Phrase::Room { title, here, backlog, head }.write(self.style.language, &mut bytes);
                });
                self.send(id, bytes, kind)
            }
            None => return,
        };
        if let Some(conn) = self.conns.get_mut(id) {
            if let Some(sub) = conn.out.sub_mut(slot) {
                sub.after = place;
            }
            if let Some(plain) = conn.plain() {
                plain.room = Some(join.opens.room);
                let topic = self.rooms[join.opens.room as usize].rules.as_ref().and_then(|rules| rules.topic.clone());
                if let Some(topic) = topic {
                    self.phrase(id, Phrase::Topic(&topic));
                }
                self.phrase(id, Phrase::In(role));
            }
        }
    }

    /// Shows who is in a room, for a person who is.
    pub(super) fn with_here(&self, handle: Handle, index: u32, show: impl FnOnce(&str, Here<'_>)) {
        let room = &self.rooms[index as usize];
        let person = |handle: Handle| {
            let session = self.sessions.get(handle)?;
            Some(session.person(self.shown_role(handle, index).unwrap_or_default()))
        };
        let Some(you) = person(handle) else { return };
        let is_shown = |member: &Handle| match self.sessions.get(*member) {
            Some(other) if other.account.is_none() => *member != handle,
            // Of several sessions of one account, the first.
            Some(other) if other.member != you.m => self.is_first(*member, index),
            _ => false,
        };
        let others = room.members.values().filter(|member| is_shown(member));
        let others: Vec<Person> = others.filter_map(|&member| person(member)).take(NAMES).collect();
        let here = match room.presence {
            super::Presence::Full => Here::Named { count: room.here(), others: &others, you: &you },
            super::Presence::Count => Here::Counted(room.here()),
        };
        show(&room.title, here);
    }

    /// Says that a room is left: its last frame, if it had a cursor.
    pub(super) fn answer_left(&mut self, id: ConnId, re: Option<Id>, room: u32, slot: Option<u16>) {
        let kind = slot.map_or(PrivateKind::Reply, PrivateKind::Left);
        let state = &self.rooms[room as usize];
        match self.dialect(id) {
            Some(Dialect::Json) => {
                let room = state.id.clone();
                self.send_frame(id, &Frame::Left { re, room, code: None, retry: None, text: None }, kind);
            }
            Some(Dialect::Plain) => {
                let mut bytes = Vec::new();
                Phrase::YouLeft { title: &state.title }.write(self.style.language, &mut bytes);
                self.send(id, bytes, kind);
                if let Some(plain) = self.conn(id).and_then(super::conn::Conn::plain) {
                    plain.room = None;
                }
            }
            None => {}
        }
    }

    /// Says that a membership was ended, and why: its last frame.
    pub(super) fn tell_out(&mut self, id: ConnId, re: Option<Id>, room: u32, slot: u16, code: &ByeCode) {
        let kind = PrivateKind::Left(slot);
        let state = &self.rooms[room as usize];
        match self.dialect(id) {
            Some(Dialect::Json) => {
                let text = match code {
                    ByeCode::Kicked => "You were put out of the room.",
                    ByeCode::Banned => "You were banned from the room.",
                    ByeCode::CodeChanged => "The code that you came by lets nobody in any more.",
                    _ => "The room is closed.",
                };
                let (room, retry, text) = (state.id.clone(), Some(code.retry()), Some(text.into()));
                self.send_frame(id, &Frame::Left { re, room, code: Some(code.clone()), retry, text }, kind);
            }
            Some(Dialect::Plain) => {
                let mut bytes = Vec::new();
                let title = &state.title;
                let phrase = match code {
                    ByeCode::RoomClosed => Phrase::RoomClosed { title },
                    why => Phrase::PutOut { title, why },
                };
                phrase.write(self.style.language, &mut bytes);
                self.send(id, bytes, kind);
                if let Some(plain) = self.conn(id).and_then(super::conn::Conn::plain) {
                    plain.room = None;
                }
            }
            None => {}
        }
    }

    /// Tells a member what is new about a room, or about what may be done there.
    pub(super) fn tell_room(&mut self, id: ConnId, slot: u16, handle: Handle, room: u32, news: News) {
        let News { is_retitled, has_new_role } = news;
        let Some(role) = self.role_of(handle, room) else { return };
        let state = &self.rooms[room as usize];
        let title = state.title.clone();
        match self.dialect(id) {
            Some(Dialect::Json) => {
                let room = state.frame(role);
                let mut bytes = Vec::new();
                Frame::Room { room }.encode(&mut bytes);
                let replaced = self.conn(id).is_some_and(|conn| conn.out.replace_room(slot, &bytes));
                if !replaced {
                    self.send(id, bytes, PrivateKind::Room(slot));
                }
            }
            // Whoever reads no answers gets none of these: /who says the title, and a line that is not said why not.
            Some(Dialect::Plain) if self.is_full(id) => {}
            Some(Dialect::Plain) => {
                if is_retitled {
                    self.phrase(id, Phrase::Titled { title: &title });
                }
                if has_new_role {
                    self.phrase(id, Phrase::NewRole(role));
                }
            }
            None => {}
        }
    }

    fn is_full(&self, id: ConnId) -> bool {
        self.conns.get(id).is_none_or(|conn| conn.out.private_bytes > self.limits.private)
    }

    /// Says that the log had a say already.
    pub(super) fn answer_known(&mut self, said: &Said, seq: Seq) {
        if self.is_sayer(said) {
            self.frame(said.conn, &Frame::Ok { re: said.re, seq: Some(seq) });
        }
    }

    /// Says that the log refused a say.
    pub(super) fn answer_not_said(&mut self, said: &Said) {
        if !self.is_sayer(said) {
            return;
        }
        match self.dialect(said.conn) {
            Some(Dialect::Plain) => self.phrase(said.conn, Phrase::NotSent(&said.text)),
            _ => self.refuse(said.conn, said.re, Refusal::Unavailable),
        }
    }

    /// Whether the connection that said it still is its session's.
    fn is_sayer(&self, said: &Said) -> bool {
        self.is_of(said.conn, said.session)
    }

    /// Hands out a page of history.
    pub(super) fn answer_page(&mut self, load: &Load, page: log::Page) {
        let state = &self.rooms[load.room as usize];
        let Log::Open { epoch, .. } = state.log else { return };
        match self.dialect(load.conn) {
            Some(Dialect::Json) => {
                let log::Page { first, more, records } = page;
                let msgs = records.iter().map(PageMessage::from).collect();
                let page = Page { re: load.re, room: state.id.clone(), epoch, first, more, msgs };
                self.frame(load.conn, &Frame::Page(page));
            }
            Some(Dialect::Plain) => match &page.records[..] {
                [] => self.phrase(load.conn, Phrase::NoHistory),
                [first, ..] => {
                    let last = page.records.last().unwrap_or(first);
                    let mut lines = Vec::new();
                    Phrase::History { from: first.seq, to: last.seq }.write(self.style.language, &mut lines);
                    for record in &page.records {
                        plain::message(record, self.style, &mut lines);
                    }
                    Phrase::HistoryEnd.write(self.style.language, &mut lines);
                    self.send(load.conn, lines, PrivateKind::Reply);
                }
            },
            None => {}
        }
    }

    /// Shows what was found.
    pub(super) fn answer_found(&mut self, load: &Load, found: log::Found) {
        let state = &self.rooms[load.room as usize];
        let Log::Open { epoch, .. } = state.log else { return };
        let log::Found { first, from, more, records } = found;
        match self.dialect(load.conn) {
            Some(Dialect::Json) => {
                let msgs = records.iter().map(PageMessage::from).collect();
                let found = Found { re: load.re, room: state.id.clone(), epoch, first, from, more, msgs };
                self.frame(load.conn, &Frame::Found(found));
            }
            Some(Dialect::Plain) if records.is_empty() => {
                self.phrase(load.conn, Phrase::NothingFound { from: more.then_some(from) });
            }
            Some(Dialect::Plain) => {
                let (language, offset) = (self.style.language, self.style.utc_offset_s);
                let mut lines = Vec::new();
                Phrase::Found { count: records.len() as u64, more }.write(language, &mut lines);
                let mut day = None;
                for record in &records {
                    let its = Day::of(record.ts, offset);
                    if day.replace(its) != Some(its) {
                        Phrase::Day(its).write(language, &mut lines);
                    }
                    plain::message(record, self.style, &mut lines);
                }
                Phrase::FoundEnd.write(language, &mut lines);
                self.send(load.conn, lines, PrivateKind::Reply);
            }
            None => {}
        }
    }

    /// Says why a connection ends.
    pub(super) fn say_bye(&mut self, id: ConnId, reason: super::Reason, prompted: bool) {
        let Some((code, words)) = reason.bye() else { return };
        let wait = self.wait_after(reason);
        match self.dialect(id) {
            Some(Dialect::Json) => {
                let (retry, wait_ms) = (code.retry(), wait.map(ceil_ms));
                let bye = Frame::Bye { code, retry, wait_ms, text: words.into() };
                self.frame(id, &bye);
            }
            // Nobody who has not said what they speak is spoken to, but for one who was asked.
            Some(Dialect::Plain) => self.bye_phrase(id, &code, wait, prompted),
            None if prompted => self.bye_phrase(id, &code, wait, prompted),
            None => {}
        }
    }

    fn bye_phrase(
        &mut self,
        id: ConnId,
        code: &crate::json::ByeCode,
        wait: Option<core::time::Duration>,
        prompted: bool,
    ) {
        let mut bytes = if prompted { b"\r\n".to_vec() } else { Vec::new() };
        Phrase::Bye { code, wait }.write(self.style.language, &mut bytes);
        self.send(id, bytes, PrivateKind::Reply);
    }
}
