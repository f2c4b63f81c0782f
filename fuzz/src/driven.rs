//! A client, and all that its driver and its user do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use qun_core::client::{Action, Client, Config, Event, Input};
use qun_core::json::Request;
use qun_core::log::Kind;
use qun_core::{Entropy, Id, Key, Now, Password, RoomId, Seq};

use crate::pieces::Pieces;

/// Drives a client by its contracts and sees to it that it keeps its own.
pub(crate) struct Driven {
    pub(crate) client: Client,
    pub(crate) now: Now,
    /// All that it has shown.
    pub(crate) shown: Vec<Event>,
    /// All that it has sent, on all connections.
    pub(crate) sent: Vec<u8>,
    /// What it has sent on this connection and nobody has read.
    pub(crate) requests: Vec<Request>,
    pub(crate) link: Link,
    /// What was said, until its fate is known.
    open: BTreeMap<Id, RoomId>,
    /// What else was asked for, until it is answered.
    asked: BTreeSet<Id>,
    /// Up to where each room was shown; `None` where that begins anew.
    upto: BTreeMap<RoomId, Option<Seq>>,
    unread: Vec<u8>,
    takes: Pieces,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// There is none, and none is asked for.
    Down,
    /// The client has asked for one.
    Wanted,
    Up,
}

impl Driven {
    pub(crate) fn new(takes: Pieces, password: Option<Password>) -> Self {
        let config = Config {
            agent: "fuzz/0".into(),
            name: "ann".parse().ok(),
            key: Key::generate(&mut Entropy::new([1; 32])),
            tail: 10,
            timeline: 50,
            password,
            backoff: Duration::from_secs(20),
        };
        let mut driven = Self {
            client: Client::new(config, [2; 32]),
            now: Now::default(),
            shown: Vec::new(),
            sent: Vec::new(),
            requests: Vec::new(),
            link: Link::Down,
            open: BTreeMap::new(),
            asked: BTreeSet::new(),
            upto: BTreeMap::new(),
            unread: Vec::new(),
            takes,
        };
        driven.settle();
        driven
    }

    /// Connects as soon as the client wants it; `false` where it never does again.
    pub(crate) fn connect(&mut self) -> bool {
        for _ in 0..100 {
            if self.link != Link::Down {
                break;
            }
            let Some(at) = self.client.deadline() else { return false };
            self.now.mono = self.now.mono.max(at);
            self.client.handle(self.now, Input::Tick);
            self.settle();
        }
        if self.link == Link::Wanted {
            self.link = Link::Up;
            self.client.handle(self.now, Input::Connected);
            self.settle();
        }
        self.link == Link::Up
    }

    pub(crate) fn disconnect(&mut self) {
        if self.link != Link::Down {
            self.hang_up();
            self.client.handle(self.now, Input::Disconnected);
            self.settle();
        }
    }

    pub(crate) fn receive(&mut self, bytes: &[u8], pieces: &mut Pieces) {
        if self.link == Link::Up {
            for piece in pieces.cut(bytes) {
                self.client.handle(self.now, Input::Received(piece));
            }
            self.settle();
        }
    }

    pub(crate) fn say(&mut self, room: &RoomId, kind: Kind, text: qun_core::Text) {
        if let Ok(id) = self.client.say(self.now, room, kind, text) {
            self.open.insert(id, room.clone());
        }
        self.settle();
    }

    /// A command that has one answer.
    pub(crate) fn ask<E>(&mut self, command: impl FnOnce(&mut Client, Now) -> Result<Id, E>) {
        if let Ok(id) = command(&mut self.client, self.now) {
            self.asked.insert(id);
        }
        self.settle();
    }

    /// Lets time pass, by the client's own deadlines.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while let Some(at) = self.client.deadline().filter(|&at| at < end) {
            self.now.mono = at;
            self.client.handle(self.now, Input::Tick);
            self.settle();
        }
        self.now.mono = end;
        self.client.handle(self.now, Input::Tick);
        self.settle();
    }

    pub(crate) fn settle(&mut self) {
        while let Some(action) = self.client.poll() {
            match action {
                Action::Connect => self.link = Link::Wanted,
                Action::Close => self.hang_up(),
                Action::Transmit => self.flush(),
                Action::Show(event) => {
                    self.see(&event);
                    self.shown.push(event);
                }
            }
        }
        assert!(self.client.deadline().is_none_or(|at| at > self.now.mono), "drained, and yet due");
        assert!(self.client.pending().map(|pending| pending.id).all(|id| self.open.contains_key(&id)));
        for room in self.client.rooms() {
            assert!(room.timeline().len() <= 50 && room.position().seq <= room.head().max(room.position().seq));
            let _ = (room.roster().map(Iterator::count), room.here(), room.role(), room.title().len());
        }
    }

    fn hang_up(&mut self) {
        self.link = Link::Down;
        self.requests.clear();
        self.unread.clear();
    }

    /// Takes what the client has to send: whole requests, each of which is written as it was read.
    fn flush(&mut self) {
        while let Some(mut transmit) = self.client.transmit() {
            let mut slices = self.takes.slices();
            let filled = transmit.gather(&mut slices, |slice| slice);
            assert!(
                filled > 0 && slices[..filled].iter().all(|slice| slice.ends_with(b"\n")),
                "a slice ends with a line"
            );
            let bytes = slices[..filled].concat();
            let taken = self.takes.next(bytes.len());
            transmit.advance(taken).expect("no more was sent than there was");
            self.sent.extend_from_slice(&bytes[..taken]);
            self.unread.extend_from_slice(&bytes[..taken]);
        }
        while let Some(end) = self.unread.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            let request = Request::decode(&line[..end]).expect("a line is a request");
            let mut again = Vec::new();
            request.encode(&mut again);
            assert_eq!(again, line, "a request reads as another one");
            self.requests.push(request);
        }
        assert!(self.unread.is_empty(), "half a line");
    }

    /// Each message of a room is shown once and in order, and everything that was said has one fate.
    fn see(&mut self, event: &Event) {
        match event {
            Event::Message { room, message, mine, .. } => {
                self.follow(room, message.seq, message.seq);
                if *mine {
                    self.close(message.id);
                }
            }
            Event::Lost { room, from, to } => self.follow(room, *from, *to),
            Event::Restarted { room } | Event::Left { room, .. } => {
                self.upto.remove(room);
            }
            Event::Delivered { id, .. } | Event::Unconfirmed { id, .. } => self.close(Some(*id)),
            Event::Refused { re: Some(re), .. } => {
                self.open.remove(re);
                self.asked.remove(re);
            }
            Event::Page { re, .. }
            | Event::Found { re, .. }
            | Event::Done { re, .. }
            | Event::Code { re, .. }
            | Event::Renamed { re, .. } => assert!(self.asked.remove(re), "{re} has an answer, and another one"),
            Event::Ended { .. } => {
                let told: Vec<&Id> = self.open.keys().collect();
                assert!(told.is_empty(), "{told:?} have no fate, and it is over");
                assert_eq!(self.client.pending().count(), 0);
            }
            _ => {}
        }
    }

    fn close(&mut self, id: Option<Id>) {
        assert!(id.is_some_and(|id| self.open.remove(&id).is_some()), "{id:?} has a fate, and another one");
    }

    fn follow(&mut self, room: &RoomId, from: Seq, to: Seq) {
        assert!(from <= to, "in {room}: {from} to {to}");
        let upto = self.upto.entry(room.clone()).or_default();
        assert!(upto.is_none_or(|upto| from == upto.next()), "in {room}: {from} after {upto:?}");
        *upto = Some(to);
    }
}
