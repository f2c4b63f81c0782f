//! How a connection is made, kept alive and lost, and what is lost with it.

use alloc::vec::Vec;
use core::time::Duration;

use super::Client;
use super::errands::{Ask, Question, give_back, refuse};
use super::io::{Action, Bye, Event};
use super::link::{Beat, Link, backoff};
use super::room::Room;
use super::transmit::Outgoing;
use crate::json::{ErrorCode, Request};

impl Client {
    pub(super) fn dial(&mut self) {
        self.link = Link::connecting(self.clock.now());
        self.actions.0.push_back(Action::Connect);
    }

    /// Drops the connection or the attempt, and tries again after `wait` at the earliest.
    pub(super) fn fail(&mut self, bye: Option<Bye>, wait: Duration) {
        self.hang_up();
        self.lose(bye, wait);
    }

    /// The connection or the attempt is no more; tries again after `wait` at the earliest.
    pub(super) fn lose(&mut self, bye: Option<Bye>, wait: Duration) {
        let now = self.clock.now();
        match &self.link {
            Link::Closing { .. } => return self.be_over(None),
            Link::Online(session) if session.was_live(now) => self.failures = 0,
            Link::Greeting { .. } => self.ghosts = self.ghosts.saturating_add(1),
            _ => {}
        }
        self.cut();
        let retry_at = now + wait.max(backoff(self.failures, self.config.backoff, &mut self.entropy));
        self.failures = self.failures.saturating_add(1);
        self.link = Link::Waiting { until: retry_at };
        self.actions.show(Event::Offline { attempt: self.failures, retry_at, bye });
    }

    /// Drops the connection or the attempt, for good.
    pub(super) fn end(&mut self, bye: Option<Bye>) {
        self.hang_up();
        self.be_over(bye);
    }

    pub(super) fn is_over(&self) -> bool {
        self.link == Link::Ended
    }

    fn be_over(&mut self, bye: Option<Bye>) {
        self.cut();
        for room in &mut self.rooms {
            let (sent, unsent) = room.outbox.abandon();
            give_back(sent, &mut self.actions);
            let text = "It was not sent.";
            unsent.iter().for_each(|say| refuse(say.id, ErrorCode::Unavailable, text, &mut self.actions));
            room.leave = None;
        }
        self.knocks.clear();
        self.asks.clear();
        self.login = None;
        self.link = Link::Ended;
        self.actions.show(Event::Ended { bye });
    }

    pub(super) fn hang_up(&mut self) {
        if self.link.is_connected() || self.is_dialled() {
            self.actions.0.push_back(Action::Close);
        } else {
            self.actions.0.retain(|action| *action != Action::Connect);
        }
    }

    /// Forgets what only meant something on the connection. What was read of a line is no line, and what was not sent
    /// of one is sent again from its beginning.
    pub(super) fn cut(&mut self) {
        self.lines.clear();
        self.unsent = Outgoing::default();
        self.rooms.iter_mut().for_each(Room::cut);
        self.knocks.iter_mut().for_each(|knock| knock.asked = false);
        // Whether an order was followed, the room shows; given twice, it may be followed twice.
        let is_given = |ask: &mut Ask| ask.asked && matches!(ask.question, Question::Order { .. });
        for ask in self.asks.extract_if(.., is_given) {
            let text = "The connection broke before the answer. What was done is shown in the room.";
            refuse(ask.re, ErrorCode::Unavailable, text, &mut self.actions);
        }
        self.asks.iter_mut().for_each(|ask| ask.asked = false);
    }

    pub(super) fn ping_unless_pinged(&mut self) {
        let Link::Online(session) = &mut self.link else { return };
        if let Beat::Listening { .. } = session.beat() {
            session.pinged(self.clock.now());
            self.pings += 1;
            self.send(&Request::Ping { n: self.pings });
        }
    }

    pub(super) fn send(&mut self, request: &Request) {
        let mut line = Vec::new();
        request.encode(&mut line);
        self.send_line(&line);
    }

    pub(super) fn send_line(&mut self, line: &[u8]) {
        if self.unsent.is_empty() {
            self.actions.0.push_back(Action::Transmit);
        }
        self.unsent.push(line);
    }
}
