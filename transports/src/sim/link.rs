//! A connection: two pipes, and who is at their ends.

use std::collections::VecDeque;

use qun_core::{ConnId, Instant};

/// Names a link; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinkId(pub(super) u64);

/// One end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Client,
    Server,
}

impl End {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What is between one person and the server.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// Whose it is; `None` once they let go of it.
    pub(super) person: Option<usize>,
    /// What the server calls it; `None` before it knows of it and after it let go.
    pub(super) conn: Option<ConnId>,
    /// Whether the person knows that they have a connection.
    pub(super) answered: bool,
    /// Whether the client has sent anything.
    pub(super) has_spoken: bool,
    /// Whether the server reads.
    pub(super) reading: bool,
    /// Cut: nothing that is sent arrives.
    pub(super) cut: bool,
    up: Pipe,
    down: Pipe,
}

impl Link {
    pub(super) fn new(person: usize, capacity: usize) -> Self {
        let pipe = Pipe::new(capacity);
        Self {
            person: Some(person),
            conn: None,
            answered: false,
            has_spoken: false,
            reading: true,
            cut: false,
            up: pipe.clone(),
            down: pipe,
        }
    }

    /// The pipe that ends here.
    pub(super) fn to(&mut self, end: End) -> &mut Pipe {
        match end {
            End::Client => &mut self.down,
            End::Server => &mut self.up,
        }
    }

    /// Whether the server has more to send here and found no room.
    pub(super) fn is_blocked(&self) -> bool {
        self.down.blocked
    }

    /// Whether something will never arrive.
    pub(super) fn is_broken(&self) -> bool {
        self.cut || self.up.held || self.down.held
    }

    /// Whether somebody is at this end, and reads.
    pub(super) fn takes(&self, end: End) -> bool {
        match end {
            End::Client => self.person.is_some() && self.answered,
            End::Server => self.conn.is_some() && self.reading,
        }
    }

    /// Whether nobody is at either end any more.
    pub(super) fn is_forgotten(&self) -> bool {
        self.person.is_none() && self.conn.is_none()
    }
}

/// One direction: what is on its way, in order, within a capacity that stands for all the buffers between.
#[derive(Clone, Debug)]
pub(super) struct Pipe {
    parcels: VecDeque<(Instant, Parcel)>,
    capacity: usize,
    bytes: usize,
    /// Nothing arrives before this, so that nothing overtakes.
    last: Instant,
    /// Nothing arrives.
    held: bool,
    /// Nothing more is sent.
    ended: bool,
    /// The receiver takes nothing before this: its window is zero.
    pub(super) shut: Instant,
    /// Its sender has more and found no room.
    pub(super) blocked: bool,
}

/// What arrives at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parcel {
    Bytes(Vec<u8>),
    /// No more will.
    End,
}

impl Pipe {
    fn new(capacity: usize) -> Self {
        Self {
            parcels: VecDeque::new(),
            capacity,
            bytes: 0,
            last: Instant::default(),
            held: false,
            ended: false,
            shut: Instant::default(),
            blocked: false,
        }
    }

    /// How many more bytes it takes.
    pub(super) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.bytes)
    }

    /// Sends a parcel to arrive at `at` or with its predecessor; says when. Behind the end there is nothing.
    pub(super) fn send(&mut self, at: Instant, parcel: Parcel) -> Instant {
        if self.is_ending() {
            return self.last;
        }
        if let Parcel::Bytes(bytes) = &parcel {
            self.bytes += bytes.len();
        }
        self.ended = parcel == Parcel::End;
        self.last = self.last.max(at);
        self.parcels.push_back((self.last, parcel));
        self.last
    }

    /// The next parcel that has arrived, where the receiver takes any.
    pub(super) fn receive(&mut self, now: Instant) -> Option<Parcel> {
        let arrived = !self.held && self.shut <= now && self.parcels.front().is_some_and(|(at, _)| *at <= now);
        let (_, parcel) = if arrived { self.parcels.pop_front() } else { None }?;
        if let Parcel::Bytes(bytes) = &parcel {
            self.bytes -= bytes.len();
        }
        Some(parcel)
    }

    /// Whether what comes next is the end of input, and is there.
    pub(super) fn is_at_end(&self, now: Instant) -> bool {
        let is_there = !self.held && self.shut <= now;
        is_there && matches!(self.parcels.front(), Some((at, Parcel::End)) if *at <= now)
    }

    /// From here on nothing arrives.
    pub(super) fn hold(&mut self) {
        self.held = true;
    }

    /// Whether an end of input was sent.
    pub(super) fn is_ending(&self) -> bool {
        self.ended
    }
}
