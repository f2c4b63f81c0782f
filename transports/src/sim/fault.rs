//! Everything that can go wrong, and how often it did.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::incident::{Incident, Incidents};
use super::reload::{Change, Moment};

/// Declares the faults, each with its name on the command line and what it means.
macro_rules! faults {
    ($($(#[doc = $doc:literal])* $fault:ident $name:literal,)*) => {
        /// Something that goes wrong in a world.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault {
            $($(#[doc = $doc])* $fault,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$fault),*];

            /// What the command line calls it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$fault => $name,)*
                }
            }
        }
    };
}

faults! {
    /// A write takes any part of what there is.
    Writes "writes",
    /// What arrives is handed over in pieces.
    Reads "reads",
    /// A segment is late, and what follows it too.
    Late "late",
    /// A segment is so late that somebody may give up.
    Stall "stall",
    /// A client's first words are so late that it may have given up, and come back before they arrive.
    LateHello "late-hello",
    /// A segment is lost, and the connection with it: both ends learn of it sooner or later.
    Lost "lost",
    /// The same, behind a part of a frame and with an end of input: EOF within a line.
    Torn "torn",
    /// From some segment on nothing arrives in one direction, and nobody is told.
    HalfOpen "half-open",
    /// An attempt to connect fails.
    Refused "refused",
    /// A receiver takes nothing for a while.
    Window "window",
    /// A connection is reset out of the blue.
    Reset "reset",
    /// All connections are reset, and everyone comes back at once.
    Storm "storm",
    /// Both sides close at once.
    BothClose "both-close",
    /// Wakeups and ticks that nobody asked for.
    Spurious "spurious",
    /// A person's machine sleeps.
    Nap "nap",
    /// The server's machine stands still.
    Freeze "freeze",
    /// A clock for people leaps, either way.
    Leap "leap",
    /// The server's monotonic clock goes back.
    StepBack "step-back",
    /// The server crashes, and starts again with what the log had committed.
    Crash "crash",
    /// The log does not survive a crash, or only its beginning does: the epoch is a new one.
    NewEpoch "new-epoch",
    /// The server goes down in good order, and starts again.
    Shutdown "shutdown",
    /// The log takes its time.
    SlowLog "slow-log",
    /// The log answers in bursts.
    Bursts "bursts",
    /// The log refuses what is appended: the disk is full.
    DiskFull "disk-full",
    /// The log can't open a room or load a page.
    Unavailable "unavailable",
    /// The log never answers a load.
    Unanswered "unanswered",
    /// The acknowledgement and the tail come by different ways.
    Apart "apart",
    /// Another server appends to the same log.
    Foreign "foreign",
    /// The room holds so little that slow readers miss messages.
    SmallRooms "small-rooms",
    /// The log keeps so little that history is lost.
    SmallLog "small-log",
    /// Whoever verifies passwords takes their time, and some longer than others.
    SlowVerdicts "slow-verdicts",
    /// Verdicts come in bursts.
    VerdictBursts "verdict-bursts",
    /// A verdict never comes, or says nothing.
    NoVerdict "no-verdict",
    /// Somebody sends corrupted bytes.
    Hostile "hostile",
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// There is no fault of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoFault(String);

impl fmt::Display for NoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Fault::ALL.iter().map(|fault| fault.name()).collect();
        write!(f, "there is no fault {:?}; there are: {}", self.0, names.join(", "))
    }
}

impl std::error::Error for NoFault {}

impl FromStr for Fault {
    type Err = NoFault;

    fn from_str(name: &str) -> Result<Self, NoFault> {
        Self::ALL.iter().find(|fault| fault.name() == name).copied().ok_or_else(|| NoFault(name.into()))
    }
}

/// How often each fault has occurred, what reloads have brought, and what those at court have done and were told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    faults: [u64; Fault::ALL.len()],
    reloads: BTreeMap<&'static str, u64>,
    incidents: Incidents,
}

impl Default for Counters {
    fn default() -> Self {
        Self { faults: [0; Fault::ALL.len()], reloads: BTreeMap::new(), incidents: Incidents::default() }
    }
}

impl Counters {
    pub(super) fn count(&mut self, fault: Fault) {
        self.faults[fault as usize] += 1;
    }

    pub(super) fn set(&mut self, fault: Fault, times: u64) {
        self.faults[fault as usize] = times;
    }

    /// A reload brought something, or came at some moment.
    pub(super) fn count_reload(&mut self, what: &'static str) {
        *self.reloads.entry(what).or_default() += 1;
    }

    /// Adds what has happened at court.
    pub(super) fn happened(&mut self, incidents: &Incidents) {
        self.incidents.add(incidents);
    }

    /// Adds those of another world.
    pub fn add(&mut self, other: &Self) {
        self.faults.iter_mut().zip(other.faults).for_each(|(to, from)| *to += from);
        other.reloads.iter().for_each(|(what, times)| *self.reloads.entry(what).or_default() += times);
        self.incidents.add(&other.incidents);
    }

    /// How often this one has occurred.
    pub fn of(&self, fault: Fault) -> u64 {
        self.faults[fault as usize]
    }

    /// How often any has.
    pub fn total(&self) -> u64 {
        self.faults.iter().sum()
    }

    /// What never was seen at court.
    pub fn unseen(&self) -> BTreeSet<Incident> {
        self.incidents.missing()
    }

    /// Those that never have.
    pub fn missing(&self) -> BTreeSet<Fault> {
        Fault::ALL.iter().copied().filter(|fault| self.of(*fault) == 0).collect()
    }

    /// What no reload has ever changed, and the moments at which none ever came.
    pub fn missing_of_reloads(&self) -> BTreeSet<&'static str> {
        let all = Change::ALL.iter().map(|change| change.name()).chain(Moment::ALL.iter().map(|moment| moment.name()));
        all.filter(|what| !self.reloads.contains_key(what)).collect()
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for fault in Fault::ALL.iter().filter(|fault| self.of(**fault) > 0) {
            write!(f, "{space}{fault} {}", self.of(*fault))?;
            space = ", ";
        }
        let mut space = "; reloads: ";
        for (what, times) in &self.reloads {
            write!(f, "{space}{what} {times}")?;
            space = ", ";
        }
        let incidents = self.incidents.to_string();
        if incidents.is_empty() { Ok(()) } else { write!(f, "; at court: {incidents}") }
    }
}
