//! What the server's lines do.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use super::Client;
use super::door::Door;
use super::errands::{Ask, Knock, Question, give_back};
use super::io::{Bye, Event};
use super::link::{Link, Session};
use super::outbox::Refused;
use super::room::{Fetch, Room, Show, Stage};
use crate::id::{Id, RoomId, Seq};
use crate::json::{
    ByeCode, Change, ErrorCode, Found, Frame, Joined, Page, Request, Retry, ShownCode, VERSION, Welcome,
};
use crate::time::Instant;

/// The shortest wait before something is asked again that the server could not do.
const AGAIN: Duration = Duration::from_secs(1);

/// An error, as far as it is for a person or for the one who tries again.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) code: ErrorCode,
    pub(super) retry: Retry,
    wait_ms: Option<u64>,
    left: Option<u64>,
    text: String,
}

impl Client {
    /// Takes one line. What begins with no `{` was meant for a person: a prompt that the server printed before it knew
    /// us. What does and makes no sense comes from no server that we could go on with.
    pub(super) fn line(&mut self, line: &[u8]) {
        match Frame::decode(line) {
            None => {}
            Some(Ok(frame)) => self.frame(frame),
            Some(Err(_)) => self.fail(None, Duration::ZERO),
        }
    }

    fn frame(&mut self, frame: Frame) {
        match (&self.link, frame) {
            (_, Frame::Bye { code, retry, wait_ms, text }) => self.dismissed(Bye { code, retry, text }, wait_ms),
            (Link::Greeting { hello, .. }, Frame::Welcome(welcome)) if welcome.re.is_none_or(|re| re == *hello) => {
                self.welcomed(welcome);
            }
            (Link::Greeting { hello, .. }, Frame::Error { re, code, retry, wait_ms, left, text })
                if re.is_none_or(|re| re == *hello) =>
            {
                let hello = *hello;
                let failure = Failure { code, retry, wait_ms, left, text };
                let Some(failure) = self.login_refused(hello, failure) else { return };
                let Failure { code, retry, wait_ms, text, .. } = failure;
                self.dismissed(Bye { code: String::from(code).into(), retry, text }, wait_ms);
            }
            (Link::Online(_) | Link::Closing { .. }, frame) => self.member_frame(frame),
            _ => {}
        }
    }

    fn member_frame(&mut self, frame: Frame) {
        match frame {
            Frame::Joined(joined) => self.joined(joined),
            Frame::Msg(message) => self.in_room(&message.room.clone(), |room, to| room.message(message, to)),
            Frame::Presence { room, change } => {
                if let Change::Name { m, name, .. } = &change
                    && *m == self.member
                {
                    self.name = Some(name.clone());
                }
                self.in_room(&room, |room, to| room.presence(change, to));
            }
            Frame::Here { room, n } => self.in_room(&room, |room, to| room.count(n, to)),
            Frame::Gap { room, to: last, here, members, .. } => {
                self.in_room(&room, |room, to| room.gap(last, here, members, to));
            }
            Frame::Left { room, code, retry, text, .. } => {
                let bye = code.map(|code| {
                    let retry = retry.unwrap_or_else(|| code.retry());
                    Bye { code, retry, text: text.unwrap_or_default() }
                });
                self.left(&room, bye);
            }
            Frame::Room { room } => self.in_room(&room.id.clone(), |told, to| told.set(room, to)),
            Frame::Page(page) => self.page(page),
            Frame::Found(found) => self.found(found),
            Frame::Notice { level, text } => self.actions.show(Event::Notice { level, text }),
            Frame::Ok { re: Some(re), seq } => self.done(re, seq),
            Frame::Error { re, code, retry, wait_ms, left, text } => {
                let failure = Failure { code, retry, wait_ms, left, text };
                match re {
                    Some(re) => self.refused(re, failure),
                    None => self.show_refused(None, failure),
                }
            }
            Frame::Code { re, room, label, code } => self.made(re, room, label, code),
            Frame::Ping { n } if self.link.is_online() => self.send(&Request::Pong { n }),
            Frame::Welcome(_)
            | Frame::Ok { re: None, .. }
            | Frame::Bye { .. }
            | Frame::Ping { .. }
            | Frame::Pong { .. }
            | Frame::Unknown => {}
        }
    }

    fn welcomed(&mut self, welcome: Welcome) {
        if welcome.v != VERSION {
            return self.fail(None, Duration::ZERO);
        }
        let now = self.clock.now();
        let Welcome { m: member, name, resumed, ping_s, limits, account, rooms, .. } = welcome;
        let re = self.logged_in();
        self.link = Link::Online(Session::new(now, ping_s));
        self.pacer.configure(now, &limits, !resumed);
        self.limits = Some(limits);
        self.member = member;
        self.wanted.get_or_insert_with(|| name.clone());
        self.name = Some(name.clone());
        self.open = rooms.clone();
        self.actions.show(Event::Online { re, member, name, resumed, account, rooms });
    }

    /// The server won't have us, for now or for good.
    fn dismissed(&mut self, bye: Bye, wait_ms: Option<u64>) {
        match (&self.link, bye.retry) {
            (Link::Closing { .. }, _) => self.end(None),
            // Not by somebody else, perhaps, but by a hello of ours that was long on its way: once for each of these.
            _ if bye.code == ByeCode::Replaced && self.ghosts > 0 => {
                self.ghosts -= 1;
                self.fail(Some(bye), Duration::ZERO);
            }
            (_, Retry::Fix | Retry::No) => self.end(Some(bye)),
            (_, Retry::Now | Retry::Later) => {
                self.fail(Some(bye), Duration::from_millis(wait_ms.unwrap_or_default()));
            }
        }
    }

    fn joined(&mut self, joined: Joined) {
        let Some(re) = joined.re else { return };
        let id = joined.room.id.clone();
        let event = |re| Event::Joined {
            re,
            room: joined.room.id.clone(),
            title: joined.room.title.clone(),
            role: joined.room.role,
            topic: joined.room.topic.clone(),
            here: joined.here,
            head: joined.head,
        };
        let (re, door) = if let Some(at) = self.knocks.iter().position(|knock| knock.asked && knock.re == re) {
            let Knock { re, door, .. } = self.knocks.remove(at);
            (Some(re), door)
        } else if let Some(at) = self.rooms.iter().position(|room| room.stage == (Stage::Joining { re })) {
            let door = self.rooms[at].door.clone();
            if *self.rooms[at].id() != id {
                // The operator gave the code to another room, and this one is closed to us.
                self.part(at, None);
            }
            (None, door)
        } else if let Some(room) = self.room(&id).filter(|room| room.is_told()) {
            // We asked to be back in it, and for it by a code as well, which was answered first. What the server says last counts.
            (None, room.door.clone())
        } else {
            return;
        };
        self.actions.show(event(re));
        match self.rooms.iter().position(|room| *room.id() == id) {
            Some(at) => {
                self.rooms[at].door = door;
                self.rooms[at].enter_again(joined);
            }
            None => self.rooms.push(Room::enter(joined, door)),
        }
        self.in_room(&id, Room::show);
    }

    /// We are out, asked or not; if we wanted to be, that is our answer.
    fn left(&mut self, room: &RoomId, bye: Option<Bye>) {
        if let Some(index) = self.rooms.iter().position(|r| r.id() == room && r.is_told()) {
            self.part(index, bye);
        }
    }

    fn page(&mut self, page: Page) {
        let Some(re) = page.re else { return };
        if let Some(room) = self.rooms.iter().find(|room| room.has_asked(re)) {
            // A history that changed is told by `joined`: this one changed without, so only a new connection helps.
            if page.epoch != room.epoch() {
                return self.fail(None, Duration::ZERO);
            }
            let id = room.id().clone();
            return self.in_room(&id, |room, to| room.page(page, to));
        }
        let is_asked = |question: &Question| matches!(question, Question::History { .. });
        if let Some(at) = self.asks.iter().position(|ask| ask.asked && ask.re == re && is_asked(&ask.question)) {
            self.asks.remove(at);
            let Page { room, msgs: messages, more, .. } = page;
            self.actions.show(Event::Page { re, room, messages, more });
        }
    }

    fn found(&mut self, found: Found) {
        let Some(re) = found.re else { return };
        let is_asked = |ask: &Ask| ask.asked && ask.re == re && matches!(ask.question, Question::Search { .. });
        if let Some(at) = self.asks.iter().position(is_asked) {
            self.asks.remove(at);
            let Found { room, msgs: messages, from, more, .. } = found;
            self.actions.show(Event::Found { re, room, messages, from, more });
        }
    }

    /// A rename is done, or a message was in the log already.
    fn done(&mut self, re: Id, seq: Option<Seq>) {
        if let Some(at) = self.asks.iter().position(|ask| ask.asked && ask.re == re) {
            match self.asks[at].question.clone() {
                Question::Rename { name } => {
                    self.asks.remove(at);
                    (self.name, self.wanted) = (Some(name.clone()), Some(name.clone()));
                    self.actions.show(Event::Renamed { re, name });
                }
                Question::Order { room, .. } => {
                    self.asks.remove(at);
                    self.actions.show(Event::Done { re, room });
                }
                Question::History { .. } | Question::Search { .. } => {}
            }
            return;
        }
        let Some(room) = self.rooms.iter_mut().find(|room| room.outbox.is_sent(re)) else { return };
        // What is still to be shown is acknowledged when it is.
        if seq.is_some_and(|seq| seq > room.position().seq) {
            return;
        }
        room.outbox.acknowledge(re);
        let room = room.id().clone();
        self.actions.show(Event::Delivered { id: re, room });
    }

    /// A code was made, as we asked.
    fn made(&mut self, re: Option<Id>, room: RoomId, label: Box<str>, code: ShownCode) {
        let is_ours = |ask: &Ask| ask.asked && Some(ask.re) == re && matches!(ask.question, Question::Order { .. });
        if let Some(at) = self.asks.iter().position(is_ours) {
            let re = self.asks.remove(at).re;
            self.actions.show(Event::Code { re, room, label, code });
        }
    }

    /// A request failed. One whose answer is not waited for any more is none of ours.
    fn refused(&mut self, re: Id, failure: Failure) {
        let again = self.clock.now() + Duration::from_millis(failure.wait_ms.unwrap_or_default()).max(AGAIN);
        let lasts = matches!(failure.retry, Retry::Fix | Retry::No);
        if let Some(at) = self.knocks.iter().position(|knock| knock.asked && knock.re == re) {
            self.knocks.remove(at);
            self.show_refused(Some(re), failure);
        } else if let Some(at) = self.asks.iter().position(|ask| ask.asked && ask.re == re) {
            if self.asks[at].question.is_paced() && failure.code == ErrorCode::SlowDown {
                self.slow_down(&failure);
                self.asks[at].asked = false;
            } else {
                self.asks.remove(at);
                self.show_refused(Some(re), failure);
            }
        } else if let Some(at) = self.rooms.iter().position(|room| room.stage == (Stage::Joining { re })) {
            let room = &mut self.rooms[at];
            let is_stale = matches!(failure.code, ErrorCode::BadCode | ErrorCode::CodeExpired);
            if is_stale && matches!(room.door, Door::Code(_)) && self.open.iter().any(|open| open.id == *room.id()) {
                // Our account needs none there.
                room.door = Door::Room(room.id().clone());
                room.stage = Stage::Away { not_before: self.clock.now() };
            } else if lasts {
                self.part(at, None);
                self.show_refused(None, failure);
            } else {
                self.rooms[at].stage = Stage::Away { not_before: again };
            }
        } else if let Some(at) = self.rooms.iter().position(|room| room.stage == (Stage::Leaving { re })) {
            // Whatever is wrong, we are not coming back.
            self.part(at, None);
        } else if let Some(at) = self.rooms.iter().position(|room| room.has_asked(re)) {
            if lasts {
                let id = self.rooms[at].id().clone();
                self.in_room(&id, Room::give_up);
            } else {
                self.rooms[at].fetch = Fetch::Due(again);
            }
        } else if let Some(at) = self.rooms.iter().position(|room| room.outbox.is_sent(re)) {
            self.say_refused(at, re, failure, again);
        }
    }

    /// A message was not taken. Too fast: it waits, as often as need be. Not now: it waits, a few times. Else it is over.
    fn say_refused(&mut self, at: usize, id: Id, failure: Failure, again: Instant) {
        let fate = match (&failure.code, failure.retry) {
            (ErrorCode::SlowDown, _) => {
                let until = self.slow_down(&failure);
                self.rooms[at].outbox.put_back(id, until, false)
            }
            (_, Retry::Now | Retry::Later) => self.rooms[at].outbox.put_back(id, again, true),
            (_, Retry::Fix | Retry::No) => self.rooms[at].outbox.refuse(id),
        };
        match fate {
            Refused::Again => {}
            Refused::Never => self.show_refused(Some(id), failure),
            Refused::Unconfirmed(what) => give_back([what], &mut self.actions),
        }
    }

    /// The server found us too fast; says until when nothing is sent that it counts.
    fn slow_down(&mut self, failure: &Failure) -> Instant {
        let until = self.clock.now() + Duration::from_millis(failure.wait_ms.unwrap_or(1_000));
        self.pacer.slow_down(until);
        until
    }

    pub(super) fn show_refused(&mut self, re: Option<Id>, failure: Failure) {
        let Failure { code, retry, wait_ms, left, text } = failure;
        self.actions.show(Event::Refused { re, code, retry, wait_ms, left, text });
    }

    /// Does something in a room whose frames count.
    fn in_room(&mut self, id: &RoomId, act: impl FnOnce(&mut Room, &mut Show<'_>)) {
        let mut to = Show { me: self.member, timeline: self.config.timeline, actions: &mut self.actions };
        if let Some(room) = self.rooms.iter_mut().find(|room| room.id() == id && room.is_told()) {
            act(room, &mut to);
        }
    }
}
