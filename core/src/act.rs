//! Acts: what those who keep order have done, as a room's log has it.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{MemberId, Seq};
use crate::name::Name;
use crate::role::Role;
use crate::text::Text;
use crate::verb::Verb;

/// An act of a moderator or an owner. Its record stands among the messages, so that everyone sees it at the same place, and
/// it counts from that place on. It never holds a code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Put somebody out, who may come back.
    Kick {
        /// Whom.
        on: Subject,
        /// Why.
        why: Option<Text>,
    },
    /// Put somebody out, and keep them out.
    Ban {
        /// Whom.
        on: Subject,
        /// Until when, milliseconds since 1970; `None`: until it is taken back.
        until: Option<u64>,
        /// Why.
        why: Option<Text>,
    },
    /// Took a ban back.
    Unban {
        /// Whose.
        on: Subject,
    },
    /// Silenced somebody.
    Mute {
        /// Whom.
        on: Subject,
        /// Until when, milliseconds since 1970; `None`: until it is taken back.
        until: Option<u64>,
        /// Why.
        why: Option<Text>,
    },
    /// Lets somebody speak again.
    Unmute {
        /// Whom.
        on: Subject,
    },
    /// Said what the room is about.
    Topic {
        /// That; `None`: nothing in particular any more.
        topic: Option<Text>,
    },
    /// Took back what somebody said. The log has it no more.
    Remove {
        /// Which message.
        of: Seq,
        /// Whose it was.
        on: Subject,
        /// Why.
        why: Option<Text>,
    },
    /// Closed the room to all but those who keep order.
    Close {
        /// Why.
        why: Option<Text>,
    },
    /// Opened it again.
    Open,
    /// Gave somebody a role, beside the one that their code has.
    Role {
        /// Whom.
        on: Subject,
        /// Which; `None`: took back what was given.
        role: Option<Role>,
    },
    /// Changed by which codes the room is entered.
    Code {
        /// What the code is called.
        label: Box<str>,
        /// What became of it.
        deed: Deed,
    },
}

/// Whom an act is about, as they were called then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// Who; `None` for somebody who was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m: Option<MemberId>,
    /// What they were called.
    pub name: Name,
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// It is new.
    Added,
    /// Another code has its place.
    Rotated,
    /// It lets nobody in any more.
    Retired,
}

impl Act {
    /// Bytes of a reason or a topic at most.
    pub const WHY: usize = 300;

    /// What was done.
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Kick { .. } => Verb::Kick,
            Self::Ban { .. } => Verb::Ban,
            Self::Unban { .. } => Verb::Unban,
            Self::Mute { .. } => Verb::Mute,
            Self::Unmute { .. } => Verb::Unmute,
            Self::Topic { .. } => Verb::Topic,
            Self::Remove { .. } => Verb::Remove,
            Self::Close { .. } => Verb::Close,
            Self::Open => Verb::Open,
            Self::Role { .. } => Verb::Role,
            Self::Code { .. } => Verb::Code,
        }
    }

    /// What the wire and the log call it.
    pub const fn name(&self) -> &'static str {
        self.verb().as_str()
    }

    /// What is to be known of it beside its name, as one json object.
    pub fn details(&self) -> String {
        // It holds nothing that json can't.
        serde_json::to_string(&Details::from(self)).unwrap_or_default()
    }

    /// The act of this name with these details; `None` where there is no such act, or its details lack something.
    pub fn read(name: &str, details: &str) -> Option<Self> {
        serde_json::from_str::<Details>(details).ok()?.act(name)
    }

    /// As its author would have said it: what is shown by whoever knows no acts.
    pub fn text(&self) -> Text {
        #[expect(clippy::unwrap_used, reason = "it begins with a word, and a reason is a text already")]
        format!("{self}").parse().unwrap()
    }

    /// Bytes that it takes on the wire at most, beside its text: every character of a reason may be escaped.
    pub(crate) fn cost(&self) -> usize {
        2 * self.details().len()
    }

    /// What the machine holds of it, in bytes.
    pub(crate) fn held(&self) -> usize {
        let text = |text: &Option<Text>| text.as_ref().map_or(0, |text| text.as_str().len());
        size_of::<Self>()
            + match self {
                Self::Kick { on, why }
                | Self::Ban { on, why, .. }
                | Self::Mute { on, why, .. }
                | Self::Remove { on, why, .. } => on.name.as_str().len() + text(why),
                Self::Unban { on } | Self::Unmute { on } | Self::Role { on, .. } => on.name.as_str().len(),
                Self::Topic { topic: why } | Self::Close { why } => text(why),
                Self::Code { label, .. } => label.len(),
                Self::Open => 0,
            }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kick { on, .. } => write!(f, "put {on} out")?,
            Self::Ban { on, .. } => write!(f, "banned {on}")?,
            Self::Unban { on } => write!(f, "lets {on} in again")?,
            Self::Mute { on, .. } => write!(f, "muted {on}")?,
            Self::Unmute { on } => write!(f, "lets {on} speak again")?,
            Self::Topic { topic: Some(topic) } => write!(f, "set the topic: {topic}")?,
            Self::Topic { topic: None } => f.write_str("took the topic away")?,
            Self::Remove { of, on, .. } => write!(f, "removed message {of}, of {on}")?,
            Self::Close { .. } => f.write_str("closed the room")?,
            Self::Open => f.write_str("opened the room")?,
            Self::Role { on, role: Some(role) } => write!(f, "gave {on} the role {role}")?,
            Self::Role { on, role: None } => write!(f, "took back what {on} was given")?,
            Self::Code { label, deed: Deed::Added } => write!(f, "added the code {label}")?,
            Self::Code { label, deed: Deed::Rotated } => write!(f, "replaced the code {label}")?,
            Self::Code { label, deed: Deed::Retired } => write!(f, "retired the code {label}")?,
        }
        match self {
            Self::Kick { why: Some(why), .. }
            | Self::Ban { why: Some(why), .. }
            | Self::Mute { why: Some(why), .. }
            | Self::Remove { why: Some(why), .. }
            | Self::Close { why: Some(why) } => write!(f, ": {why}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// What the wire and the log have of an act beside its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<Subject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deed: Option<Deed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Text>,
}

impl Details {
    pub(crate) fn act(self, name: &str) -> Option<Act> {
        let Self { of, on, until, role, label, deed, topic, why } = self;
        Some(match Verb::named(name)? {
            Verb::Kick => Act::Kick { on: on?, why },
            Verb::Ban => Act::Ban { on: on?, until, why },
            Verb::Unban => Act::Unban { on: on? },
            Verb::Mute => Act::Mute { on: on?, until, why },
            Verb::Unmute => Act::Unmute { on: on? },
            Verb::Topic => Act::Topic { topic },
            Verb::Remove => Act::Remove { of: of?, on: on?, why },
            Verb::Close => Act::Close { why },
            Verb::Open => Act::Open,
            Verb::Role => Act::Role { on: on?, role },
            Verb::Code => Act::Code { label: label?, deed: deed? },
        })
    }
}

impl From<&Act> for Details {
    fn from(act: &Act) -> Self {
        let none = Self::default();
        match act.clone() {
            Act::Kick { on, why } => Self { on: Some(on), why, ..none },
            Act::Ban { on, until, why } | Act::Mute { on, until, why } => Self { on: Some(on), until, why, ..none },
            Act::Unban { on } | Act::Unmute { on } => Self { on: Some(on), ..none },
            Act::Topic { topic } => Self { topic, ..none },
            Act::Remove { of, on, why } => Self { of: Some(of), on: Some(on), why, ..none },
            Act::Close { why } => Self { why, ..none },
            Act::Open => none,
            Act::Role { on, role } => Self { on: Some(on), role, ..none },
            Act::Code { label, deed } => Self { label: Some(label), deed: Some(deed), ..none },
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn an_act_is_read_as_it_was_written_and_says_what_was_done() {
        let on = || Subject { m: Some(MemberId::from_bits(1 << 40)), name: "bob".parse().unwrap() };
        let why = || Some("spam".parse().unwrap());
        let label = || "team".into();
        for (act, text) in vec![
            (Act::Kick { on: on(), why: why() }, "put bob out: spam"),
            (Act::Kick { on: on(), why: None }, "put bob out"),
            (Act::Ban { on: on(), until: Some(7), why: why() }, "banned bob: spam"),
            (Act::Unban { on: Subject { m: None, ..on() } }, "lets bob in again"),
            (Act::Mute { on: on(), until: None, why: None }, "muted bob"),
            (Act::Unmute { on: on() }, "lets bob speak again"),
            (Act::Topic { topic: why() }, "set the topic: spam"),
            (Act::Topic { topic: None }, "took the topic away"),
            (Act::Remove { of: Seq::new(612), on: on(), why: why() }, "removed message 612, of bob: spam"),
            (Act::Close { why: why() }, "closed the room: spam"),
            (Act::Open, "opened the room"),
            (Act::Role { on: on(), role: Some(Role::Moderator) }, "gave bob the role moderator"),
            (Act::Role { on: on(), role: None }, "took back what bob was given"),
            (Act::Code { label: label(), deed: Deed::Added }, "added the code team"),
            (Act::Code { label: label(), deed: Deed::Rotated }, "replaced the code team"),
            (Act::Code { label: label(), deed: Deed::Retired }, "retired the code team"),
        ] {
            assert_eq!(Act::read(act.name(), &act.details()), Some(act.clone()), "{}", act.details());
            assert_eq!(act.text().as_str(), text);
        }
    }

    #[test]
    fn what_lacks_something_or_is_of_a_later_version_is_no_act() {
        for (name, details) in
            [("kick", "{}"), ("remove", r#"{"of":1}"#), ("dance", "{}"), ("kick", "no json"), ("say", "{}")]
        {
            assert_eq!(Act::read(name, details), None, "{name} {details}");
        }
    }
}
