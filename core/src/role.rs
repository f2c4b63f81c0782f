//! Roles: what a member may do in a room.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// What a member may do in a room: each role all that the ones before it may, and more.
///
/// A member's role is the highest of those that it has, by the code that it came with or by an act of an owner; an owner
/// is one by the configuration alone. Nobody acts on somebody whose role is not strictly lower, and nobody gives a role,
/// or a code of a role, that is not strictly lower (PROTOCOL.md, moderation).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "&'static str")]
pub enum Role {
    /// Read.
    Read,
    /// Read and speak. A client takes a role that it does not know for this one: the server says what is allowed.
    #[default]
    Talk,
    /// Keep order, too: put people out, silence them, take back what they said, say what the room is about.
    Moderator,
    /// Say who may do that, too, and who may come in.
    Owner,
}

impl Role {
    /// All of them, from the lowest to the highest.
    pub const ALL: [Self; 4] = [Self::Read, Self::Talk, Self::Moderator, Self::Owner];

    /// The role as the wire and the configuration have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Talk => "talk",
            Self::Moderator => "moderator",
            Self::Owner => "owner",
        }
    }

    /// The role of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// Whether it is the one that is not worth telling: most have it.
    pub(crate) fn is_ordinary(&self) -> bool {
        *self == Self::default()
    }
}

impl From<String> for Role {
    fn from(name: String) -> Self {
        Self::named(&name).unwrap_or_default()
    }
}

impl From<Role> for &'static str {
    fn from(role: Role) -> Self {
        role.as_str()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned as _;

    use super::Role;

    #[test]
    fn each_role_may_what_the_one_before_it_may() {
        assert!(Role::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(Role::named(role.as_str()), Some(role));
        }
        assert_eq!(Role::from("emperor".to_owned()), Role::Talk, "whatever it is, it gives no right");
    }
}
