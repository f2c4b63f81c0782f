//! What we say in one room, until its fate is known.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::io::Pending;
use crate::id::{Epoch, Id, Position, Seq};
use crate::time::Instant;

/// How often a message is sent again that the server could not take, before that is an answer. Being too fast is none.
const TRIES: u8 = 5;

/// The messages of one room that are not acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Outbox {
    /// Not on the wire; in the order of their numbers, which is the order in which they were said.
    queue: VecDeque<Say>,
    /// On the wire of this connection; in the order of their numbers too.
    sent: Vec<Sent>,
    /// Nothing is sent before this.
    hold: Instant,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Say {
    /// Which of all that this machine ever said.
    number: u64,
    what: Pending,
    tries: u8,
    trace: Trace,
}

/// Where a message may be that was sent on an earlier connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Trace {
    /// In no log: it was never sent, or refused each time.
    Nowhere,
    /// In this history behind this seq, or in none. There it can be found, and there it is safe to send it again.
    Behind(Position),
    /// In the log or not; where it would be, nobody can look any more.
    Lost,
}

/// A message on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Sent {
    say: Say,
    /// The newest message that the server had shown us: the echo comes behind it.
    after: Position,
    /// Whether messages behind `after` are lost, so that the echo may be among them.
    missed: bool,
}

/// What becomes of a message that the server refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It will be sent again.
    Again,
    /// It is in no log.
    Never,
    /// An earlier attempt may be in the log.
    Unconfirmed(Pending),
}

impl Outbox {
    pub(super) fn push(&mut self, number: u64, what: Pending) {
        self.queue.push_back(Say { number, what, tries: 0, trace: Trace::Nowhere });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.sent.is_empty()
    }

    /// How many are on the wire.
    pub(super) fn in_flight(&self) -> usize {
        self.sent.len()
    }

    /// All of them, with their numbers.
    pub(super) fn pending(&self) -> impl Iterator<Item = (u64, &Pending)> {
        self.sent.iter().map(|sent| &sent.say).chain(&self.queue).map(|say| (say.number, &say.what))
    }

    /// The number of the next one to send, and from when on it may be, as far as this room goes.
    ///
    /// One that may be in the log is sent again only where that is known to be wrong: `caught_up`. One that was refused
    /// for now is sent again only when those that were sent behind it have their answers, so that none behind these
    /// comes before them.
    pub(super) fn next(&self, caught_up: bool) -> Option<(u64, Instant)> {
        let next = self.queue.front()?;
        let in_order = self.sent.last().is_none_or(|sent| sent.say.number < next.number);
        (in_order && (caught_up || next.trace == Trace::Nowhere)).then_some((next.number, self.hold))
    }

    /// The next one goes on the wire.
    pub(super) fn send(&mut self, after: Position) -> Option<&Pending> {
        let say = self.queue.pop_front()?;
        self.sent.push(Sent { say, after, missed: false });
        self.sent.last().map(|sent| &sent.say.what)
    }

    /// The server has it. False where there is no such message.
    pub(super) fn acknowledge(&mut self, id: Id) -> bool {
        if let Some(at) = self.sent.iter().position(|sent| sent.say.what.id == id) {
            self.sent.remove(at);
            return true;
        }
        let Some(at) = self.queue.iter().position(|say| say.what.id == id) else {
            return false;
        };
        self.queue.remove(at);
        true
    }

    pub(super) fn is_sent(&self, id: Id) -> bool {
        self.sent.iter().any(|sent| sent.say.what.id == id)
    }

    /// The server could not take it now: it is to be sent again, not before `hold`. `counts`: this many times only.
    pub(super) fn put_back(&mut self, id: Id, hold: Instant, counts: bool) -> Refused {
        let Some(at) = self.sent.iter().position(|sent| sent.say.what.id == id) else {
            return Refused::Again;
        };
        if counts && self.sent[at].say.tries >= TRIES {
            return self.refuse(id);
        }
        let Sent { mut say, .. } = self.sent.remove(at);
        say.tries = say.tries.saturating_add(u8::from(counts));
        self.insert(say);
        self.hold = self.hold.max(hold);
        Refused::Again
    }

    /// The server will not take it.
    pub(super) fn refuse(&mut self, id: Id) -> Refused {
        let Some(at) = self.sent.iter().position(|sent| sent.say.what.id == id) else {
            return Refused::Never;
        };
        let Sent { say, .. } = self.sent.remove(at);
        match say.trace {
            Trace::Nowhere => Refused::Never,
            Trace::Behind(_) | Trace::Lost => Refused::Unconfirmed(say.what),
        }
    }

    /// The connection is gone: what was on its wire may be in the log.
    pub(super) fn cut(&mut self) {
        for Sent { mut say, after, missed } in core::mem::take(&mut self.sent) {
            say.trace = match say.trace {
                _ if missed => Trace::Lost,
                Trace::Nowhere => Trace::Behind(after),
                known => known,
            };
            self.insert(say);
        }
        self.hold = Instant::default();
    }

    /// Messages up to `to` are lost, ours perhaps among them.
    pub(super) fn lost(&mut self, to: Seq) {
        for sent in &mut self.sent {
            sent.missed |= sent.after.seq < to;
        }
        for say in &mut self.queue {
            if let Trace::Behind(position) = say.trace
                && position.seq < to
            {
                say.trace = Trace::Lost;
            }
        }
    }

    /// The log went back behind what it had: whatever was sent and not seen since, nobody can tell.
    pub(super) fn forget(&mut self) {
        self.lost(Seq::MAX);
    }

    /// Takes out what nothing can confirm any more. To be asked when everything is shown that the log of this `epoch`
    /// had when we came, and in the gaps since.
    pub(super) fn unconfirmed(&mut self, epoch: Epoch) -> Vec<Pending> {
        let mut found: Vec<Pending> = self.sent.extract_if(.., |sent| sent.missed).map(|sent| sent.say.what).collect();
        while let Some(say) = self.queue.pop_front_if(|say| match say.trace {
            Trace::Nowhere => false,
            Trace::Behind(position) => position.epoch != epoch,
            Trace::Lost => true,
        }) {
            found.push(say.what);
        }
        found
    }

    /// Takes out everything: what may be in the log, and what can't be.
    pub(super) fn abandon(&mut self) -> (Vec<Pending>, Vec<Pending>) {
        self.cut();
        let (unsent, sent): (Vec<Say>, Vec<Say>) =
            core::mem::take(&mut self.queue).into_iter().partition(|say| say.trace == Trace::Nowhere);
        let whats = |says: Vec<Say>| says.into_iter().map(|say| say.what).collect();
        (whats(sent), whats(unsent))
    }

    fn insert(&mut self, say: Say) {
        let at = self.queue.partition_point(|queued| queued.number < say.number);
        self.queue.insert(at, say);
    }
}
