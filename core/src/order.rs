//! Orders: what somebody who keeps order in a room asks for. What comes of one is an [`Act`](crate::Act).

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::id::{MemberId, Seq};
use crate::name::Name;
use crate::role::Role;
use crate::text::Text;
use crate::verb::Verb;

/// Something that a moderator or an owner asks for. A reason has at most [`Act::WHY`](crate::Act::WHY) bytes and one line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Put somebody out. They may come back by their code.
    Kick {
        /// Whom.
        whom: Whom,
        /// Why.
        why: Option<Text>,
    },
    /// Put somebody out, and keep them out.
    Ban {
        /// Whom; somebody who is not there by their name alone.
        whom: Whom,
        /// By what they are known again; none: by their key and name.
        by: Vec<By>,
        /// For so many seconds; `None`: until it is taken back.
        for_s: Option<u64>,
        /// Why.
        why: Option<Text>,
    },
    /// Take a ban back.
    Unban {
        /// Whose.
        whom: Whom,
    },
    /// Silence somebody.
    Mute {
        /// Whom.
        whom: Whom,
        /// For so many seconds; `None`: until it is taken back.
        for_s: Option<u64>,
        /// Why.
        why: Option<Text>,
    },
    /// Let somebody speak again.
    Unmute {
        /// Whom.
        whom: Whom,
    },
    /// Say what the room is about.
    Topic {
        /// That, of at most [`Act::WHY`](crate::Act::WHY) bytes and one line; `None`: nothing in particular.
        topic: Option<Text>,
    },
    /// Take back what somebody said.
    Remove {
        /// Which message.
        which: Which,
        /// Why.
        why: Option<Text>,
    },
    /// Close the room to all but those who keep order.
    Close {
        /// Why.
        why: Option<Text>,
    },
    /// Open it again.
    Open,
    /// Give somebody a role, beside the one that their code has.
    Role {
        /// Whom.
        whom: Whom,
        /// Which; `None`: take back what was given.
        role: Option<Role>,
    },
    /// Change by which codes the room is entered.
    Code(CodeOrder),
}

/// What is asked for about a room's codes. A new code is random, and told to the one who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CodeOrder {
    /// Another code takes the place of one.
    Rotate {
        /// What the code is called; `None` where the room has but one.
        label: Option<Box<str>>,
        /// After so many seconds the old one lets nobody in any more; `None`: at once.
        after_s: Option<u64>,
    },
    /// One more code.
    Add {
        /// What it is to be called; `None`: the server says.
        label: Option<Box<str>>,
        /// The role that it gives.
        role: Role,
        /// It is good for so many seconds; `None`: until it is retired.
        for_s: Option<u64>,
        /// So many may come in by it; `None`: as many as like.
        uses: Option<u64>,
    },
    /// A code is to let nobody in any more.
    Retire {
        /// What the code is called.
        label: Box<str>,
        /// After so many seconds; `None`: at once.
        after_s: Option<u64>,
        /// Whether those who are in by it go: only where it is at once.
        kick: bool,
    },
}

/// Whom an order is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Whom {
    /// The member with this id.
    Member(MemberId),
    /// The one who is called so now.
    Name(Name),
}

/// Which message an order is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    /// The one of this number.
    Message(Seq),
    /// The newest one of somebody, where the room still holds it.
    Newest(Whom),
}

/// By what somebody who is banned is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// The key of their session.
    Key,
    /// Their name.
    Name,
    /// Where they connect from: an IPv4 address, an IPv6 /64.
    Source,
}

impl Order {
    /// What it asks for.
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
            Self::Code(_) => Verb::Code,
        }
    }
}

impl By {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Key, Self::Name, Self::Source];

    /// What the wire calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Name => "name",
            Self::Source => "source",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == name)
    }
}

/// Why somebody's role does not do for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Forbidden {
    #[error("That takes the role {0}.")]
    Needs(Role),
    #[error("Their role is not below yours.")]
    NotBelow,
    #[error("Nobody gives a role, or a code, that is not below their own.")]
    Gift,
    #[error("Somebody whose role is above yours did that.")]
    Higher,
    #[error("An act can't be taken back.")]
    Act,
}

/// What an order is about and is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Missing {
    #[error("Nobody in this room is called that.")]
    Member,
    #[error("There is no such message.")]
    Message,
    #[error("Nobody of that name is banned here.")]
    Ban,
    #[error("Nobody of that name is muted here.")]
    Mute,
    #[error("They were given no role here.")]
    Gift,
    #[error("No code of this room is called that.")]
    Code,
}

/// What an order asks for and can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("There is nothing of that kind by which they could be known again.")]
    Mark,
    #[error("They have no key by which they would be known again: give them a code of that role.")]
    Key,
    #[error("A code of this room is called that already.")]
    Label,
    #[error("The room holds as many bans, mutes, roles and codes as it can. Take some back first.")]
    TooMany,
}

/// Bytes of a code's label at most.
pub(crate) const LABEL: usize = 32;

/// Whether a code that somebody adds may be called so.
pub(crate) fn is_label(label: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=LABEL).contains(&label.len()) && label.chars().all(fits)
}
