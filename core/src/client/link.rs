//! The life of a connection: the attempt, the hello, the heartbeat, the goodbye, and the wait before the next attempt.

use core::time::Duration;

use crate::entropy::Entropy;
use crate::id::Id;
use crate::time::{Instant, Now};

/// How long an attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(30);
/// How long the server may take to answer the hello.
const HELLO: Duration = Duration::from_secs(20);
/// How much longer than the server a client waits in silence before it pings.
const MARGIN: Duration = Duration::from_secs(10);
/// How long the answer to a ping may take.
const PONG: Duration = Duration::from_secs(10);
/// How long the server may take to see us off.
const GOODBYE: Duration = Duration::from_secs(5);
/// A connection that was online for this long ends a row of failures.
const LIVE: Duration = Duration::from_secs(10);
/// The first upper bound of the wait between two attempts; it doubles with every failure.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
/// A clock that is off by more than this has leapt: the machine slept, or somebody set it.
const LEAP: Duration = Duration::from_secs(5);

/// Where the machine is with its connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Link {
    /// There is none; the next attempt is due.
    Waiting { until: Instant },
    /// An attempt is under way.
    Connecting { give_up: Instant },
    /// Connected, and the hello said.
    Greeting { hello: Id, give_up: Instant },
    /// The server knows us.
    Online(Session),
    /// Our `bye` is said. What the server still has to say is heard; nothing more is sent.
    Closing { give_up: Instant },
    /// There will be no other.
    Ended,
}

impl Link {
    pub(super) fn connecting(now: Instant) -> Self {
        Self::Connecting { give_up: now + CONNECT }
    }

    pub(super) fn greeting(now: Instant, hello: Id) -> Self {
        Self::Greeting { hello, give_up: now + HELLO }
    }

    pub(super) fn closing(now: Instant) -> Self {
        Self::Closing { give_up: now + GOODBYE }
    }

    /// Whether there is a connection that bytes can come from.
    pub(super) fn is_connected(&self) -> bool {
        matches!(self, Self::Greeting { .. } | Self::Online(_) | Self::Closing { .. })
    }

    pub(super) fn is_online(&self) -> bool {
        matches!(self, Self::Online(_))
    }

    /// Bytes came, whatever they are. What comes at the moment of a ping was on its way before, and answers nothing.
    pub(super) fn heard(&mut self, now: Instant) {
        if let Self::Online(session) = self
            && session.beat != (Beat::Pinged { until: now + PONG })
        {
            session.beat = Beat::Listening { until: now + session.patience };
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Waiting { until } => Some(*until),
            Self::Connecting { give_up } | Self::Greeting { give_up, .. } | Self::Closing { give_up } => Some(*give_up),
            Self::Online(session) => Some(match session.beat {
                Beat::Listening { until } | Beat::Pinged { until } => until,
            }),
            Self::Ended => None,
        }
    }
}

/// What only a connection has that is online.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Session {
    since: Instant,
    /// How much silence is none to worry about.
    patience: Duration,
    beat: Beat,
}

/// Whether the other side lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Beat {
    /// It was heard; silent until then, it is asked.
    Listening { until: Instant },
    /// It was asked; silent until then, it is dead.
    Pinged { until: Instant },
}

impl Session {
    /// `ping_s` is the server's: the silence, in seconds, after which it pings by itself.
    pub(super) fn new(now: Instant, ping_s: u64) -> Self {
        let patience = Duration::from_secs(ping_s).saturating_add(MARGIN);
        Self { since: now, patience, beat: Beat::Listening { until: now + patience } }
    }

    pub(super) fn beat(&self) -> Beat {
        self.beat
    }

    pub(super) fn pinged(&mut self, now: Instant) {
        self.beat = Beat::Pinged { until: now + PONG };
    }

    /// Whether it lasted long enough for the failures before it to be forgotten.
    pub(super) fn was_live(&self, now: Instant) -> bool {
        now.since(self.since) >= LIVE
    }
}

/// How long to wait after `failures` others in a row: anything up to `most`, or up to 0.5 s · 2^failures where that is
/// less.
pub(super) fn backoff(failures: u32, most: Duration, entropy: &mut Entropy) -> Duration {
    let bound = FIRST_BACKOFF.saturating_mul(1 << failures.min(20)).min(most);
    let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(entropy.below(micros.saturating_add(1)))
}

/// The time as it was last told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Clock {
    now: Instant,
    /// What the clock for people is ahead of the other, in microseconds; `None` before the first input.
    ahead: Option<i128>,
}

/// What an input said of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// What time it is at all.
    First,
    /// That time went by.
    Passed,
    /// That much more of it went by than anybody waited for, or that the two clocks disagree about how much.
    Leapt,
}

impl Clock {
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// `deadline` is when an input was due at the latest.
    pub(super) fn tell(&mut self, now: Now, deadline: Option<Instant>) -> Told {
        let mono = now.mono.max(self.now);
        let ahead = i128::from(now.unix_ms) * 1_000 - i128::from(mono.as_micros());
        let told = match self.ahead {
            None => Told::First,
            Some(before) if before.abs_diff(ahead) > LEAP.as_micros() => Told::Leapt,
            Some(_) if deadline.is_some_and(|due| mono.since(due.max(self.now)) > LEAP) => Told::Leapt,
            Some(_) => Told::Passed,
        };
        *self = Self { now: mono, ahead: Some(ahead) };
        told
    }
}
