//! What those who keep order do, by its one name: the order on the wire, the act in the log, the command at a terminal.

use crate::role::Role;

/// What somebody who keeps order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Puts somebody out.
    Kick,
    /// Puts somebody out, and keeps them out.
    Ban,
    /// Takes a ban back.
    Unban,
    /// Silences somebody.
    Mute,
    /// Lets somebody speak again.
    Unmute,
    /// Says what the room is about.
    Topic,
    /// Takes a message back.
    Remove,
    /// Closes the room to all but those who keep order.
    Close,
    /// Opens it again.
    Open,
    /// Gives a role, or takes it back.
    Role,
    /// Changes by which codes the room is entered.
    Code,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Kick,
        Self::Ban,
        Self::Unban,
        Self::Mute,
        Self::Unmute,
        Self::Topic,
        Self::Remove,
        Self::Close,
        Self::Open,
        Self::Role,
        Self::Code,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kick => "kick",
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::Topic => "topic",
            Self::Remove => "remove",
            Self::Close => "close",
            Self::Open => "open",
            Self::Role => "role",
            Self::Code => "code",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == name)
    }

    /// The role that it takes.
    pub const fn needs(self) -> Role {
        match self {
            Self::Close | Self::Open | Self::Role | Self::Code => Role::Owner,
            Self::Kick | Self::Ban | Self::Unban | Self::Mute | Self::Unmute | Self::Topic | Self::Remove => {
                Role::Moderator
            }
        }
    }

    /// How the command is typed.
    pub const fn usage(self) -> &'static str {
        match self {
            Self::Kick => "/kick NAME [WHY]",
            Self::Ban => "/ban NAME [+source] [1h] [WHY]",
            Self::Unban => "/unban NAME",
            Self::Mute => "/mute NAME [10m] [WHY]",
            Self::Unmute => "/unmute NAME",
            Self::Topic => "/topic [TEXT]",
            Self::Remove => "/remove NAME|NUMBER [WHY]",
            Self::Close => "/close [WHY]",
            Self::Open => "/open",
            Self::Role => "/role NAME read|talk|moderator|none",
            Self::Code => {
                "/code add [LABEL] [ROLE] [for=1d] [uses=5], /code rotate [LABEL] [after=10m], /code retire LABEL [after=10m|kick]"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verb;

    #[test]
    fn each_has_a_name_of_its_own_and_is_typed_by_it() {
        for verb in Verb::ALL {
            assert_eq!(Verb::named(verb.as_str()), Some(verb));
            assert!(verb.usage().strip_prefix('/').is_some_and(|usage| usage.starts_with(verb.as_str())));
        }
        assert_eq!(Verb::named("dance"), None);
    }
}
