//! The messages of one room, in the order of seq, each once, whatever way they come.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::id::Seq;
use crate::json::PageMessage;

/// Bytes of text that one room holds back behind a hole, each message counted with [`OVERHEAD`]. Beyond it they are let
/// go and become part of the hole: they are fetched like the rest of it, and nothing is lost.
const HELD: usize = 1 << 20;
/// What a message costs beside its text.
const OVERHEAD: usize = 256;

/// Something in a room's timeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// Somebody said something.
    Message(PageMessage),
    /// Messages are missing here, and nobody has them any more.
    Lost {
        /// The first one missing.
        from: Seq,
        /// The last one missing.
        to: Seq,
    },
    /// What follows is numbered anew.
    Restarted,
}

/// What is to be shown of a room: a queue that stops where messages are missing, until they are fetched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stream {
    /// Up to here everything is shown, or told to be lost.
    shown: Seq,
    /// Up to here everything is shown or in `items`.
    tail: Seq,
    /// From `shown` to `tail`. What stands before the first hole is taken at once: it is empty or begins with a hole.
    items: VecDeque<Item>,
    /// What the messages in `items` cost.
    held: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Item {
    Entry(Entry),
    /// Missed, and to be fetched; not empty.
    Hole {
        from: Seq,
        to: Seq,
    },
}

impl Stream {
    /// A stream that begins with the message `from`.
    pub(super) fn starting(from: Seq) -> Self {
        let before = from.minus(1);
        Self { shown: before, tail: before, items: VecDeque::new(), held: 0 }
    }

    /// A stream that begins anew with the message `from`, and says so.
    pub(super) fn restarting(from: Seq) -> Self {
        let mut stream = Self::starting(from);
        stream.items.push_back(Item::Entry(Entry::Restarted));
        stream
    }

    /// The server goes on with the message `from`; the log has none before `first`.
    pub(super) fn resume(&mut self, first: Seq, from: Seq) {
        self.cut();
        self.missed(first, from.minus(1));
    }

    /// The connection is gone: what is held back comes again with the next one.
    pub(super) fn cut(&mut self) {
        self.items.clear();
        self.held = 0;
        self.tail = self.shown;
    }

    pub(super) fn shown(&self) -> Seq {
        self.shown
    }

    pub(super) fn tail(&self) -> Seq {
        self.tail
    }

    /// A message came by itself. The protocol has no hole before it; where there is one, it is missed.
    pub(super) fn message(&mut self, message: PageMessage) {
        if message.seq <= self.tail {
            return;
        }
        self.missed(Seq::ZERO, message.seq.minus(1));
        self.tail = message.seq;
        self.held += cost(&message);
        self.items.push_back(Item::Entry(Entry::Message(message)));
        if let Some(Item::Hole { from, .. }) = self.items.front()
            && self.held > HELD
        {
            let hole = Item::Hole { from: *from, to: self.tail };
            self.items.clear();
            self.items.push_back(hole);
            self.held = 0;
        }
    }

    /// What was said there is taken back: where it still waits behind a hole, it is not shown any more.
    pub(super) fn remove(&mut self, of: Seq) {
        let waiting = self.items.iter_mut().filter_map(|item| match item {
            Item::Entry(Entry::Message(message)) if message.seq == of => Some(message),
            Item::Entry(_) | Item::Hole { .. } => None,
        });
        for message in waiting {
            self.held -= cost(message);
            message.remove();
            self.held += cost(message);
        }
    }

    /// Everything up to `to` that did not come by itself won't; what the log has of it begins at `first`.
    pub(super) fn missed(&mut self, first: Seq, to: Seq) {
        let from = self.tail.next();
        if to < from {
            return;
        }
        if first > from {
            self.items.push_back(Item::Entry(Entry::Lost { from, to: to.min(first.minus(1)) }));
        }
        if first <= to {
            match self.items.back_mut() {
                Some(Item::Hole { to: end, .. }) => *end = to,
                _ => self.items.push_back(Item::Hole { from: from.max(first), to }),
            }
        }
        self.tail = to;
    }

    /// What is to be fetched: the first hole.
    pub(super) fn hole(&self) -> Option<(Seq, Seq)> {
        match self.items.front()? {
            Item::Hole { from, to } => Some((*from, *to)),
            Item::Entry(_) => None,
        }
    }

    /// What the log has of the first hole up to `asked`: some messages from its beginning, and perhaps `more`. It has none
    /// before `first`. What the log skips or ends before is lost; of what the hole has grown by since it was asked, the
    /// page says nothing.
    pub(super) fn page(&mut self, first: Seq, more: bool, asked: Seq, messages: Vec<PageMessage>) {
        let Some((from, to)) = self.hole() else { return };
        self.items.pop_front();
        let mut found = Vec::new();
        let mut next = from;
        if first > next {
            found.push(Entry::Lost { from: next, to: to.min(first.minus(1)) });
            next = first;
        }
        for message in messages.into_iter().filter(|message| message.seq <= to) {
            if message.seq < next {
                continue;
            }
            if message.seq > next {
                found.push(Entry::Lost { from: next, to: message.seq.minus(1) });
            }
            next = message.seq.next();
            self.held += cost(&message);
            found.push(Entry::Message(message));
        }
        if next <= to {
            // A page that brings nothing would be asked for again for ever.
            if !(more && next > from) && next <= asked {
                let last = to.min(asked);
                found.push(Entry::Lost { from: next, to: last });
                next = last.next();
            }
            if next <= to {
                self.items.push_front(Item::Hole { from: next, to });
            }
        }
        found.into_iter().rev().for_each(|entry| self.items.push_front(Item::Entry(entry)));
    }

    /// The first hole can't be fetched, ever.
    pub(super) fn give_up(&mut self) {
        self.page(Seq::ZERO, false, Seq::MAX, Vec::new());
    }

    /// What is to be shown next.
    pub(super) fn next(&mut self) -> Option<Entry> {
        let Item::Entry(entry) = self.items.pop_front_if(|item| matches!(item, Item::Entry(_)))? else {
            return None;
        };
        match &entry {
            Entry::Message(message) => {
                self.shown = message.seq;
                self.held -= cost(message);
            }
            Entry::Lost { to, .. } => self.shown = *to,
            Entry::Restarted => {}
        }
        Some(entry)
    }
}

fn cost(message: &PageMessage) -> usize {
    message.text.as_str().len() + OVERHEAD
}
