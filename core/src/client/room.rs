//! A room as one of its members sees it.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use super::Actions;
use super::door::Door;
use super::io::Event;
use super::outbox::Outbox;
use super::stream::{Entry, Stream};
use crate::act::Act;
use crate::id::{Epoch, Id, MemberId, Position, RoomId, Seq};
use crate::json::{self, Change, Joined, Message, Page, PageMessage, Person};
use crate::log::Kind;
use crate::role::Role;
use crate::text::Text;
use crate::time::Instant;

/// A room that we are in, or want to be in again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Room {
    id: RoomId,
    title: String,
    role: Role,
    topic: Option<Text>,
    closed: bool,
    epoch: Epoch,
    /// What opened it, and opens it again.
    pub(super) door: Door,
    here: u64,
    roster: Option<BTreeMap<MemberId, Person>>,
    timeline: VecDeque<Entry>,
    /// The newest message of which we know.
    head: Seq,
    /// Up to here messages were said while we were not here.
    backlog: Seq,
    pub(super) stage: Stage,
    /// The command to leave, which waits for what was said before it.
    pub(super) leave: Option<Id>,
    pub(super) stream: Stream,
    pub(super) fetch: Fetch,
    pub(super) outbox: Outbox,
}

/// Where we are with a room, on this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// Not in it. It may be asked for from `not_before` on.
    Away { not_before: Instant },
    /// Asked to be let in again.
    Joining { re: Id },
    /// In it.
    Here,
    /// Asked to be let out.
    Leaving { re: Id },
}

/// Where we are with the first hole of a room's stream, if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fetch {
    /// It is to be asked for, not before this.
    Due(Instant),
    /// It is asked for, up to here: it may have grown since.
    Asked { re: Id, to: Seq },
}

impl Room {
    /// What the configuration of the server calls it.
    pub fn id(&self) -> &RoomId {
        &self.id
    }

    /// What people call it.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What we may do there.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What it is about, where somebody said so.
    pub fn topic(&self) -> Option<&Text> {
        self.topic.as_ref()
    }

    /// Whether it is closed to all but those who keep order.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Which of its histories this is.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Up to which message everything was shown, or told to be lost.
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, seq: self.stream.shown() }
    }

    /// The newest message that we know to exist. Beyond [`position`](Self::position), messages are on their way or
    /// being fetched.
    pub fn head(&self) -> Seq {
        self.head
    }

    /// How many are in it, we too.
    pub fn here(&self) -> u64 {
        self.here
    }

    /// Who is in it, by member id; `None` where the room only counts. While we are away, who was.
    pub fn roster(&self) -> Option<impl ExactSizeIterator<Item = &Person>> {
        self.roster.as_ref().map(BTreeMap::values)
    }

    /// What happened, oldest first: the newest `Config::timeline` entries.
    pub fn timeline(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.timeline.iter()
    }

    /// Whether we are in it now; else the machine tries to be again, or is leaving.
    pub fn is_joined(&self) -> bool {
        self.stage == Stage::Here
    }

    /// The room that this answer lets us into for the first time.
    pub(super) fn enter(joined: Joined, door: Door) -> Self {
        let roster = joined.members.map(roster);
        Self {
            id: joined.room.id,
            title: joined.room.title,
            role: joined.room.role,
            topic: joined.room.topic,
            closed: joined.room.closed,
            epoch: joined.epoch,
            door,
            here: count(joined.here, roster.as_ref()),
            roster,
            timeline: VecDeque::new(),
            head: joined.head,
            backlog: joined.head,
            stage: Stage::Here,
            leave: None,
            stream: Stream::starting(joined.from),
            fetch: Fetch::Due(Instant::default()),
            outbox: Outbox::default(),
        }
    }

    /// This answer lets us in again (PROTOCOL.md, resume).
    pub(super) fn enter_again(&mut self, joined: Joined) {
        let anew = joined.epoch != self.epoch;
        let shrunk = joined.head < self.stream.shown();
        // On the connection that it was sent on, what is on its way is still to be answered; after a cut nothing is.
        if anew || shrunk {
            self.outbox.cut();
            if shrunk {
                self.outbox.forget();
            }
            self.epoch = joined.epoch;
            self.stream = Stream::restarting(joined.from);
        } else {
            self.stream.resume(joined.first, joined.from);
        }
        self.title = joined.room.title;
        self.role = joined.room.role;
        (self.topic, self.closed) = (joined.room.topic, joined.room.closed);
        self.roster = joined.members.map(roster);
        self.here = count(joined.here, self.roster.as_ref());
        (self.head, self.backlog) = (joined.head, joined.head);
        // A leave that is asked for already was so behind this join: it is still to be answered.
        if !matches!(self.stage, Stage::Leaving { .. }) {
            self.stage = Stage::Here;
        }
        self.fetch = Fetch::Due(Instant::default());
    }

    /// The connection is gone.
    pub(super) fn cut(&mut self) {
        self.stage = Stage::Away { not_before: Instant::default() };
        self.stream.cut();
        self.outbox.cut();
    }

    /// Whether the server takes us for a member, so that its frames count.
    pub(super) fn is_told(&self) -> bool {
        matches!(self.stage, Stage::Here | Stage::Leaving { .. })
    }

    /// Whether everything is shown that was said before we came, and in the gaps since.
    pub(super) fn is_caught_up(&self) -> bool {
        self.is_joined() && self.stream.hole().is_none() && self.stream.shown() >= self.backlog
    }

    /// When the first hole is to be asked for; `None` where there is none, or it is.
    pub(super) fn fetch_due(&self) -> Option<Instant> {
        let Fetch::Due(due) = self.fetch else { return None };
        self.stream.hole().filter(|_| self.is_joined()).map(|_| due)
    }

    /// The number of the next message of ours, and from when on it may be sent.
    pub(super) fn next_say(&self) -> Option<(u64, Instant)> {
        if self.is_joined() { self.outbox.next(self.is_caught_up()) } else { None }
    }

    pub(super) fn message(&mut self, message: Message, to: &mut Show<'_>) {
        self.head = self.head.max(message.body.seq);
        if let Kind::Act(act) = &message.body.kind
            && let Act::Remove { of, .. } = **act
        {
            self.stream.remove(of);
        }
        self.stream.message(message.body);
        self.show(to);
    }

    pub(super) fn page(&mut self, page: Page, to: &mut Show<'_>) {
        let Fetch::Asked { to: asked, .. } = core::mem::replace(&mut self.fetch, Fetch::Due(Instant::default())) else {
            return;
        };
        self.stream.page(page.first, page.more, asked, page.msgs);
        self.show(to);
    }

    /// Whether this answers what was asked of the first hole.
    pub(super) fn has_asked(&self, answer: Id) -> bool {
        matches!(self.fetch, Fetch::Asked { re, .. } if re == answer)
    }

    /// The first hole can't be had.
    pub(super) fn give_up(&mut self, to: &mut Show<'_>) {
        self.fetch = Fetch::Due(Instant::default());
        self.stream.give_up();
        self.show(to);
    }

    /// The server left out everything up to `last`.
    pub(super) fn gap(&mut self, last: Seq, here: u64, members: Option<Vec<Person>>, to: &mut Show<'_>) {
        self.head = self.head.max(last);
        self.stream.missed(Seq::ZERO, last);
        self.roster = members.map(roster);
        self.here = count(here, self.roster.as_ref());
        to.actions.show(match self.roster {
            Some(_) => Event::Roster { room: self.id.clone() },
            None => Event::Here { room: self.id.clone(), n: self.here },
        });
        self.show(to);
    }

    pub(super) fn presence(&mut self, change: Change, to: &mut Show<'_>) {
        if let Some(roster) = &mut self.roster {
            match &change {
                Change::In { m, name, role } | Change::Role { m, name, role } => {
                    roster.insert(*m, Person { m: *m, name: name.clone(), role: *role });
                }
                Change::Name { m, name, .. } => {
                    let role = roster.get(m).map_or_else(Role::default, |person| person.role);
                    roster.insert(*m, Person { m: *m, name: name.clone(), role });
                }
                Change::Out { m, .. } => {
                    roster.remove(m);
                }
                Change::Unknown => {}
            }
            self.here = roster.len() as u64;
        }
        if change != Change::Unknown {
            to.actions.show(Event::Presence { room: self.id.clone(), change });
        }
    }

    pub(super) fn count(&mut self, n: u64, to: &mut Show<'_>) {
        self.here = n;
        to.actions.show(Event::Here { room: self.id.clone(), n });
    }

    /// What is told of it is new.
    pub(super) fn set(&mut self, told: json::Room, to: &mut Show<'_>) {
        if told.title != self.title || told.role != self.role {
            (self.title, self.role) = (told.title.clone(), told.role);
            (self.topic, self.closed) = (told.topic, told.closed);
            to.actions.show(Event::Room { room: told.id, title: told.title, role: told.role });
        }
    }

    /// Shows what no hole holds back.
    pub(super) fn show(&mut self, to: &mut Show<'_>) {
        while let Some(entry) = self.stream.next() {
            self.heed(&entry);
            let room = self.id.clone();
            to.actions.show(match &entry {
                Entry::Message(message) => {
                    let live = message.seq > self.backlog;
                    let mine = message.m == to.me && message.id.is_some_and(|id| self.outbox.acknowledge(id));
                    Event::Message { room, message: message.clone(), live, mine }
                }
                Entry::Lost { from, to } => {
                    self.outbox.lost(*to);
                    Event::Lost { room, from: *from, to: *to }
                }
                Entry::Restarted => Event::Restarted { room },
            });
            self.timeline.push_back(entry);
            while self.timeline.len() > to.timeline {
                self.timeline.pop_front();
            }
        }
    }
}

impl Room {
    /// An act changes what the room is, and what was said before it.
    fn heed(&mut self, entry: &Entry) {
        let Entry::Message(PageMessage { seq, kind: Kind::Act(act), .. }) = entry else { return };
        // How it is since we came, the answer to our join has said.
        let is_live = *seq > self.backlog;
        match &**act {
            Act::Topic { topic } if is_live => self.topic = topic.clone(),
            Act::Close { .. } if is_live => self.closed = true,
            Act::Open if is_live => self.closed = false,
            Act::Remove { of, .. } => {
                let shown = self.timeline.iter_mut().rev();
                let mut messages = shown.filter_map(|entry| match entry {
                    Entry::Message(message) => Some(message),
                    Entry::Lost { .. } | Entry::Restarted => None,
                });
                if let Some(message) = messages.find(|message| message.seq == *of) {
                    message.remove();
                }
            }
            _ => {}
        }
    }
}

/// Where a room shows what happens, and what it needs to know for it.
#[derive(Debug)]
pub(super) struct Show<'a> {
    pub(super) me: MemberId,
    /// The entries that a timeline keeps.
    pub(super) timeline: usize,
    pub(super) actions: &'a mut Actions,
}

fn roster(members: Vec<Person>) -> BTreeMap<MemberId, Person> {
    members.into_iter().map(|person| (person.m, person)).collect()
}

/// A roster that is told can be counted.
fn count(here: u64, roster: Option<&BTreeMap<MemberId, Person>>) -> u64 {
    roster.map_or(here, |roster| roster.len() as u64)
}
