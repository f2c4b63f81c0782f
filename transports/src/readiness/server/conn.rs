//! What the loop knows of a connection, and which of them have something to do.

use std::net::{SocketAddr, TcpStream};

use qun_core::ConnId;

use crate::readiness::poller::{Interest, Trigger};

/// A connection's socket.
pub(super) struct Conn {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) input: Input,
    pub(super) output: Output,
    /// What the poller was last told.
    pub(super) interest: Interest,
}

/// Where a connection stands with what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The poller tells when there is something.
    Waiting,
    /// It stands in [`Work::reads`].
    Queued {
        /// There may be more behind a read that does not fill the buffer.
        rest: bool,
    },
    /// The machine wants nothing now. A reset is noticed all the same.
    Paused {
        /// It stands in [`Work::reads`] still, and is passed over there unless it goes on before.
        listed: bool,
    },
    /// The other side said that there is no more. The socket stays readable for ever, so it is not watched for that.
    Ended,
}

/// Where a connection stands with what goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// There is nothing to send.
    Idle,
    /// It stands in [`Work::writes`].
    Queued,
    /// The socket took no more; the poller tells when it does.
    Blocked,
}

impl Conn {
    /// A connection that the poller watches by what [`watched`](Self::watched) says of a new one.
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, trigger: Trigger) -> Self {
        let interest = Self::watched(trigger, Input::Waiting, Output::Idle);
        Self { stream, peer, input: Input::Waiting, output: Output::Idle, interest }
    }

    /// What the poller is to watch.
    pub(super) fn wanted(&self, trigger: Trigger) -> Interest {
        Self::watched(trigger, self.input, self.output)
    }

    /// Level-triggered, whatever is watched and not acted upon is told again at every wait, and the loop would spin:
    /// so only what is waited for is watched. Edge-triggered, each change is told once, whether anybody waits for it or not,
    /// and what is not acted upon is remembered here: everything is watched from the first to the last, and changing it
    /// would be a system call for nothing.
    fn watched(trigger: Trigger, input: Input, output: Output) -> Interest {
        match trigger {
            Trigger::Level => Interest {
                read: matches!(input, Input::Waiting | Input::Queued { .. }),
                write: matches!(output, Output::Blocked),
            },
            Trigger::Edge => Interest::BOTH,
        }
    }
}

/// What there is to do, in this turn or, where a turn's share was used up, in the next. An id stands at most once in a
/// list, while its state says so; one that is gone or says otherwise by now is passed over.
#[derive(Default)]
pub(super) struct Work {
    /// Listeners at which somebody waits.
    pub(super) accepts: Vec<usize>,
    /// Those of them at which somebody may wait still when each had its turn.
    pub(super) more_accepts: Vec<usize>,
    pub(super) reads: Vec<ConnId>,
    pub(super) writes: Vec<ConnId>,
    /// Connections whose interest may have changed. It is looked at once a turn, so that what changes back within a
    /// turn, as most does, costs no system call.
    pub(super) changed: Vec<ConnId>,
}

impl Work {
    /// Whether there is nothing to do before something happens.
    pub(super) fn is_done(&self) -> bool {
        self.accepts.is_empty() && self.reads.is_empty() && self.writes.is_empty()
    }

    /// Somebody waits at this listener, or may.
    pub(super) fn accept(&mut self, index: usize) {
        if !self.accepts.contains(&index) {
            self.accepts.push(index);
        }
    }
}
