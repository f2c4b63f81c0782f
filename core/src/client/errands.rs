//! What is asked of the server, and when: joining, fetching, saying, leaving, goodbye.

use alloc::vec::Vec;
use core::time::Duration;

use super::door::Door;
use super::io::{Bye, Event, Pending};
use super::link::Link;
use super::outbox::Refused;
use super::room::{Fetch, Stage};
use super::{Actions, Client};
use crate::id::{Id, RoomId, Seq};
use crate::json::{ErrorCode, Request, Retry};
use crate::log::Span;
use crate::name::Name;
use crate::order::Order;
use crate::search::Words;
use crate::time::Instant;

/// Says on their way to the log (PROTOCOL.md, limits).
const IN_FLIGHT: usize = 64;
/// Messages on a page of history where the server does not say how many it replays.
const PAGE: u64 = 200;
/// How long a goodbye waits for what was said before it.
const DRAIN: Duration = Duration::from_secs(5);

/// Where all this is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Course {
    /// On and on.
    Staying,
    /// To its end, once nothing is pending, or then.
    Draining { until: Instant },
}

impl Course {
    pub(super) fn draining(now: Instant) -> Self {
        Self::Draining { until: now + DRAIN }
    }
}

/// A door that a person knocked at, until the server says where it leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Knock {
    pub(super) re: Id,
    pub(super) door: Door,
    /// Whether it is asked on this connection.
    pub(super) asked: bool,
}

/// A question, until it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ask {
    pub(super) re: Id,
    pub(super) question: Question,
    /// Whether it is asked on this connection.
    pub(super) asked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Question {
    History { room: RoomId, before: Seq, limit: u64 },
    Search { room: RoomId, words: Words, before: Option<Seq>, limit: u64 },
    Rename { name: Name },
    Order { room: RoomId, order: Order },
}

impl Question {
    /// The room that it is about.
    pub(super) fn room(&self) -> Option<&RoomId> {
        match self {
            Self::History { room, .. } | Self::Search { room, .. } | Self::Order { room, .. } => Some(room),
            Self::Rename { .. } => None,
        }
    }

    /// Whether the server's rate counts it.
    pub(super) fn is_paced(&self) -> bool {
        matches!(self, Self::Search { .. } | Self::Order { .. })
    }
}

impl Client {
    pub(super) fn ask(&mut self, question: Question) -> Id {
        let re = Id::generate(&mut self.entropy);
        if self.is_over() {
            self.refuse_over(re);
        } else {
            self.asks.push(Ask { re, question, asked: false });
        }
        re
    }

    /// Answers a command that came too late.
    pub(super) fn refuse_over(&mut self, re: Id) {
        refuse(re, ErrorCode::BadState, "The client has ended.", &mut self.actions);
    }

    /// Does what has become possible.
    pub(super) fn run_errands(&mut self) {
        self.begin_login();
        if self.link.is_online() {
            self.join_rooms();
            self.fetch_holes();
            self.ask_questions();
            self.say_pending();
        }
        self.leave_rooms();
    }

    /// When one of them becomes possible by time alone.
    pub(super) fn errand_deadline(&self) -> Option<Instant> {
        if !self.link.is_online() {
            return None;
        }
        let say_room = self.in_flight() < IN_FLIGHT;
        let room_deadline = |room: &super::Room| {
            let again = match room.stage {
                Stage::Away { not_before } => Some(not_before),
                _ => None,
            };
            let say = room
                .next_say()
                .filter(|&(number, _)| say_room && self.may_say(number))
                .map(|(_, hold)| hold.max(self.pacer.ready()));
            [again, room.fetch_due(), say].into_iter().flatten().min()
        };
        let can_be_asked =
            |ask: &&Ask| self.login.is_none() && !ask.asked && ask.question.is_paced() && self.is_in(&ask.question);
        let search = self.asks.iter().find(can_be_asked).map(|_| self.pacer.ready());
        self.rooms.iter().filter_map(room_deadline).chain(search).min()
    }

    /// Says goodbye when it is time.
    pub(super) fn follow_course(&mut self) {
        let Course::Draining { until } = self.course else { return };
        let now = self.clock.now();
        let pending = self.rooms.iter().any(|room| !room.outbox.is_empty());
        if pending && now < until {
            return;
        }
        match self.link {
            Link::Online(_) => {
                self.send(&Request::Bye);
                self.link = Link::closing(now);
            }
            Link::Waiting { .. } | Link::Connecting { .. } | Link::Greeting { .. } => self.end(None),
            Link::Closing { .. } | Link::Ended => {}
        }
    }

    pub(super) fn course_deadline(&self) -> Option<Instant> {
        match (self.course, &self.link) {
            (Course::Staying, _) | (_, Link::Closing { .. } | Link::Ended) => None,
            (Course::Draining { until }, _) => Some(until),
        }
    }

    /// We are out of a room, by the server's wish where there is a `bye`. What was said there and is not acknowledged never will be.
    pub(super) fn part(&mut self, index: usize, bye: Option<Bye>) {
        let mut room = self.rooms.remove(index);
        let text = "It was not sent: you are not in that room any more.";
        let (sent, unsent) = room.outbox.abandon();
        give_back(sent, &mut self.actions);
        unsent.iter().for_each(|say| refuse(say.id, ErrorCode::NotMember, text, &mut self.actions));
        let of_room = |ask: &mut Ask| ask.question.room() == Some(room.id());
        for ask in self.asks.extract_if(.., of_room) {
            refuse(ask.re, ErrorCode::NotMember, "You are not in that room any more.", &mut self.actions);
        }
        self.actions.show(Event::Left { re: room.leave, room: room.id().clone(), bye });
    }

    fn join_rooms(&mut self) {
        let now = self.clock.now();
        let replay = self.limits.map(|limits| limits.replay);
        for index in 0..self.rooms.len() {
            let room = &self.rooms[index];
            let Stage::Away { not_before } = room.stage else { continue };
            // One that we only want to leave is not worth the way.
            if not_before > now || room.leave.is_some() && room.outbox.is_empty() {
                continue;
            }
            let door = room.door.ask();
            let resume = Some(room.position());
            let re = Id::generate(&mut self.entropy);
            self.rooms[index].stage = Stage::Joining { re };
            self.send(&Request::Join { id: Some(re), door, resume, tail: replay });
        }
        for index in 0..self.knocks.len() {
            let Knock { re, door, asked: asked @ false } = &mut self.knocks[index] else { continue };
            *asked = true;
            *door = door.clone().resolve(&self.open);
            let request = Request::Join { id: Some(*re), door: door.ask(), resume: None, tail: Some(self.config.tail) };
            self.send(&request);
        }
    }

    fn fetch_holes(&mut self) {
        let now = self.clock.now();
        let page = self.limits.map(|limits| limits.replay).filter(|replay| *replay > 0).unwrap_or(PAGE);
        for index in 0..self.rooms.len() {
            let room = &self.rooms[index];
            let Some((from, to)) = room.stream.hole().filter(|_| room.fetch_due().is_some_and(|due| due <= now)) else {
                continue;
            };
            let re = Id::generate(&mut self.entropy);
            let span = Span::After(from.minus(1));
            let limit = Some(page.min(to.get() - from.get() + 1));
            let request = Request::History { id: Some(re), room: room.id().clone(), span, limit };
            self.rooms[index].fetch = Fetch::Asked { re, to };
            self.send(&request);
        }
    }

    /// Whether the room that a question is about answers now.
    fn is_in(&self, question: &Question) -> bool {
        question.room().is_none_or(|room| self.room(room).is_some_and(super::Room::is_joined))
    }

    fn ask_questions(&mut self) {
        if self.login.is_some() {
            return;
        }
        let now = self.clock.now();
        for index in 0..self.asks.len() {
            let Ask { re, question, asked: false } = &self.asks[index] else { continue };
            if !self.is_in(question) || question.is_paced() && self.pacer.ready() > now {
                continue;
            }
            let id = Some(*re);
            let request = match question {
                Question::Rename { name } => Request::Name { id, name: name.clone() },
                Question::History { room, before, limit } => {
                    Request::History { id, room: room.clone(), span: Span::Before(*before), limit: Some(*limit) }
                }
                Question::Search { room, words, before, limit } => {
                    let (room, words) = (room.clone(), words.clone());
                    Request::Search { id, room, words, before: *before, limit: Some(*limit) }
                }
                Question::Order { room, order } => Request::Act { id, room: room.clone(), order: order.clone() },
            };
            if question.is_paced() {
                self.pacer.spend(now);
            }
            self.asks[index].asked = true;
            self.send(&request);
        }
    }

    /// Sends what may be sent, the oldest first of all rooms.
    fn say_pending(&mut self) {
        let now = self.clock.now();
        loop {
            for room in self.rooms.iter_mut().filter(|room| room.is_caught_up()) {
                let epoch = room.epoch();
                give_back(room.outbox.unconfirmed(epoch), &mut self.actions);
            }
            if self.in_flight() >= IN_FLIGHT || self.pacer.ready() > now {
                return;
            }
            let due = |&(number, hold): &(u64, Instant)| hold <= now && self.may_say(number);
            let next = self.rooms.iter().enumerate();
            let next = next.filter_map(|(index, room)| Some((room.next_say().filter(due)?.0, index))).min();
            let Some((_, index)) = next else { return };
            self.say_next(index);
        }
    }

    fn say_next(&mut self, index: usize) {
        let room = &mut self.rooms[index];
        let after = crate::id::Position { epoch: room.epoch(), seq: room.stream.tail() };
        let mut line = Vec::new();
        let Some(what) = room.outbox.send(after) else { return };
        let Pending { id, room: at, text, kind } = what.clone();
        Request::Say { id: Some(id), room: at, text, kind }.encode(&mut line);
        // The server would take a longer one for an attack, and end more than this message.
        if self.limits.is_some_and(|limits| line.len() as u64 > limits.line) {
            match room.outbox.refuse(id) {
                Refused::Unconfirmed(what) => give_back([what], &mut self.actions),
                Refused::Again | Refused::Never => {
                    refuse(id, ErrorCode::BadText, "The text is too long for this server.", &mut self.actions);
                }
            }
            return;
        }
        self.pacer.spend(self.clock.now());
        self.send_line(&line);
    }

    fn in_flight(&self) -> usize {
        self.rooms.iter().map(|room| room.outbox.in_flight()).sum()
    }

    /// Leaves, where nothing that was said keeps us.
    fn leave_rooms(&mut self) {
        let mut index = 0;
        while let Some(room) = self.rooms.get_mut(index) {
            match (room.leave, room.stage) {
                (Some(re), Stage::Here) if room.outbox.is_empty() && self.link.is_online() => {
                    room.stage = Stage::Leaving { re };
                    let request = Request::Leave { id: Some(re), room: room.id().clone() };
                    self.send(&request);
                }
                (Some(_), Stage::Away { .. }) if room.outbox.is_empty() => {
                    self.part(index, None);
                    continue;
                }
                _ => {}
            }
            index += 1;
        }
    }
}

/// Tells the person of messages whose fate nothing can tell any more.
pub(super) fn give_back(says: impl IntoIterator<Item = Pending>, actions: &mut Actions) {
    for Pending { id, room, text, .. } in says {
        actions.show(Event::Unconfirmed { id, room, text });
    }
}

/// Refuses a command as the server would.
pub(super) fn refuse(re: Id, code: ErrorCode, text: &str, actions: &mut Actions) {
    let retry: Retry = code.retry();
    actions.show(Event::Refused { re: Some(re), code, retry, wait_ms: None, left: None, text: text.into() });
}
