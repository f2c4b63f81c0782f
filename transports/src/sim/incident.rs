//! What those at court do and are told, and how often.

use std::collections::BTreeSet;
use std::fmt;

/// Declares what is counted, each with its name and what it is.
macro_rules! incidents {
    ($($(#[doc = $doc:literal])* $incident:ident $name:literal,)*) => {
        /// Something that happens where order is kept.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Incident {
            $($(#[doc = $doc])* $incident,)*
        }

        impl Incident {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$incident),*];

            /// What it is called in a report.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$incident => $name,)*
                }
            }
        }
    };
}

incidents! {
    /// An order is done.
    Done "done",
    /// An order takes a higher role, or is about somebody who is as high.
    Forbidden "forbidden",
    /// What an order is about is not there.
    NotFound "not-found",
    /// What an order asks for can't be.
    Unfit "unfit",
    /// Somebody who is muted may not speak.
    Muted "muted",
    /// Nobody speaks in a closed room, or comes in.
    Closed "closed",
    /// Somebody who is banned does not come in.
    Banned "banned",
    /// Somebody hears as they come back that they were kicked.
    Kicked "kicked",
    /// Somebody who is there is put out by a kick.
    PutOut "put-out",
    /// And by a ban.
    BannedOut "banned-out",
    /// And because their code was retired.
    CodeChanged "code-changed",
    /// A code is made.
    CodeMade "code-made",
    /// Somebody comes by it.
    ByMade "by-made",
    /// It has expired, was retired or is used up.
    CodeOver "code-over",
    /// Somebody comes by the room's name.
    ByName "by-name",
    /// Somebody may not, who has no account that came before.
    NotByName "not-by-name",
    /// A guest does not come into a room without guests.
    NoGuests "no-guests",
    /// An account does.
    Lodged "lodged",
    /// It does so by the room's name.
    LodgedByName "lodged-by-name",
    /// Somebody at netcat hears why they may not speak or come in.
    ToldAtNetcat "told-at-netcat",
}

/// How often each has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Incidents([u64; Incident::ALL.len()]);

impl Default for Incidents {
    fn default() -> Self {
        Self([0; Incident::ALL.len()])
    }
}

impl Incidents {
    pub(super) fn count(&mut self, event: Incident) {
        self.0[event as usize] += 1;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(to, from)| *to += from);
    }

    pub(super) fn of(&self, event: Incident) -> u64 {
        self.0[event as usize]
    }

    /// Those that never have.
    pub(super) fn missing(&self) -> BTreeSet<Incident> {
        Incident::ALL.iter().copied().filter(|event| self.of(*event) == 0).collect()
    }
}

impl fmt::Display for Incidents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let some = Incident::ALL.iter().filter(|event| self.of(**event) > 0);
        some.enumerate().try_for_each(|(index, event)| {
            let space = if index == 0 { "" } else { ", " };
            write!(f, "{space}{} {}", event.name(), self.of(*event))
        })
    }
}
