//! A load on a server, and what the server makes of it.
//!
//! [`run`] fills rooms with members over real sockets, has some of them talk, and watches that everyone hears everything
//! once, in its order, and nothing of another room. It is one thread that only moves bytes, so that it costs much less
//! than the server it loads, and it speaks several [`Protocol`]s, so that servers can be compared.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use qun_transports::load::{Pace, Plan, Protocol, Traffic, run};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let plan = Plan {
//!     doors: vec!["K7QM-2XD4".into()],
//!     members: 100,
//!     pace: Pace::Window(16),
//!     ..Plan::new("127.0.0.1:7777".parse()?, Protocol::Json)
//! };
//! let outcome = run(&plan, &mut |progress| eprintln!("{progress:?}"))?;
//! println!("{outcome:?}");
//! # Ok(())
//! # }
//! ```
//!
//! A message counts as *in flight* until its last member has it. The latency of a delivery is counted from when its message was
//! said; at a [rate](Pace::Rate) from when it was due, so that a server that stands still is charged for all who would have
//! spoken meanwhile.

mod churn;
mod crowd;
mod gather;
mod idle;
mod metronome;
mod process;
mod protocol;
mod report;
mod stamp;
mod talk;
mod tally;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

pub use process::Usage;
pub use protocol::Protocol;
pub use report::{Churned, Entered, Idled, Latency, Outcome, Section, Spent, Talked};
pub use stamp::LEAST_BYTES;
pub use tally::Faults;

/// A load.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Where the server is.
    pub server: SocketAddr,
    /// What is spoken.
    pub protocol: Protocol,
    /// What happens in the rooms.
    pub traffic: Traffic,
    /// What opens each room: a code, or a name where there are no codes.
    pub doors: Vec<String>,
    /// Members of each room, at least 2.
    pub members: u32,
    /// How many of them talk, at least 1.
    pub senders: u32,
    /// Bytes of each text; [`LEAST_BYTES`] or more.
    pub bytes: usize,
    /// How they talk.
    pub pace: Pace,
    /// How long it goes on before anything is measured.
    pub warmup: Duration,
    /// How long it is measured.
    pub time: Duration,
    /// The server's process, where it is on this machine: what it uses is part of the outcome.
    pub process: Option<u32>,
}

/// What happens in the rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Traffic {
    /// Senders talk, everyone listens.
    #[default]
    Talk,
    /// The same for a while, and then again while one member reads nothing any more.
    Stalled,
    /// Everyone is in, nobody talks.
    Idle,
    /// As many as there are members connect, get in, leave and go, over and over.
    Churn,
}

/// How senders talk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Each has so many messages in flight, always: as fast as the server goes.
    Window(u32),
    /// All together say so many messages a second, however fast the server is.
    Rate(f64),
}

impl Plan {
    /// A load without rooms, to be completed: ten members in each, of which one talks in 64 bytes with one message in flight.
    pub fn new(server: SocketAddr, protocol: Protocol) -> Self {
        Self {
            server,
            protocol,
            traffic: Traffic::Talk,
            doors: Vec::new(),
            members: 10,
            senders: 1,
            bytes: 64,
            pace: Pace::Window(1),
            warmup: Duration::from_secs(1),
            time: Duration::from_secs(5),
            process: None,
        }
    }

    /// Members of all rooms.
    pub fn connections(&self) -> usize {
        self.doors.len() * self.members as usize
    }

    /// Who hears a message.
    fn hearers(&self) -> u32 {
        if self.protocol.echoes() { self.members } else { self.members - 1 }
    }

    fn check(&self) -> Result<(), Failure> {
        let talks = matches!(self.traffic, Traffic::Talk | Traffic::Stalled);
        let wrong = match () {
            () if self.doors.is_empty() => "there is no room",
            () if self.members < 2 => "a room has at least two members",
            () if self.senders == 0 || self.senders > self.members => "senders are members, and at least one",
            () if self.traffic == Traffic::Stalled && self.senders == self.members => "who stops reading is no sender",
            () if self.bytes < LEAST_BYTES => "a text has at least 18 bytes, which say whose it is",
            () if talks && matches!(self.pace, Pace::Window(0)) => "somebody has at least one message in flight",
            () if talks && matches!(self.pace, Pace::Rate(rate) if !(0.001..=1e7).contains(&rate)) => {
                "a rate is between 0.001 and 10,000,000 messages a second"
            }
            () => return Ok(()),
        };
        Err(Failure::Plan(wrong))
    }
}

/// How far a load is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many members are in their rooms, of so many.
    Entering(usize, usize),
    /// A section of the load is under way: since when, and deliveries since then.
    Talking(Duration, u64),
    /// Waiting for what is still under way.
    Settling,
    /// Nobody talks.
    Idling(Duration),
    /// So many came and went.
    Churning(Duration, u64),
}

/// Why a load could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The plan is none.
    #[error("{0}")]
    Plan(&'static str),
    /// This machine fails.
    #[error("can't go on: {0}")]
    Machine(#[from] io::Error),
    /// The process that was to be watched is not there.
    #[error("there is no process {0} to watch")]
    NoProcess(u32),
    /// A connection could not be made, or ended.
    #[error("member {member} lost its connection: {}", why(.error))]
    Closed {
        /// Which member, over all rooms.
        member: usize,
        /// The error; `None`: the server closed it.
        error: Option<io::Error>,
    },
    /// The server refused something.
    #[error("the server refused member {member}: {words}")]
    Refused {
        /// Which member, over all rooms.
        member: usize,
        /// What it said.
        words: String,
    },
    /// Not everybody got in.
    #[error("only {entered} of {all} got into their rooms, and nothing happened for {} s", .patience.as_secs())]
    Stuck {
        /// So many did.
        entered: usize,
        /// Of so many.
        all: usize,
        /// How long nothing happened.
        patience: Duration,
    },
}

fn why(error: &Option<io::Error>) -> String {
    error.as_ref().map_or("the server closed it".into(), io::Error::to_string)
}

/// Runs a load to its end; `observe` hears how far it is, about once a second.
///
/// # Errors
/// Where the plan makes no sense, somebody can't get in, or is refused or cut off.
pub fn run(plan: &Plan, observe: &mut dyn FnMut(Progress)) -> Result<Outcome, Failure> {
    plan.check()?;
    Ok(match plan.traffic {
        Traffic::Talk | Traffic::Stalled => Outcome::Talked(talk::run(plan, observe)?),
        Traffic::Idle => Outcome::Idled(idle::run(plan, observe)?),
        Traffic::Churn => Outcome::Churned(churn::run(plan, observe)?),
    })
}
