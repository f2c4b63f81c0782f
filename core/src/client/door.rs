//! What lets us into a room.

use core::fmt;
use core::str::FromStr;

use crate::code::{Code, CodeError};
use crate::id::RoomId;
use crate::json;

/// What lets us into a room.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Door {
    /// Its code.
    Code(Code),
    /// Its id: our account needs no code there.
    Room(RoomId),
    /// What a person typed who may mean either: the id of a room that our account may enter as it is asked for, and else a
    /// code.
    Either(Code, RoomId),
}

impl Door {
    /// How the server is asked, where our account may enter these rooms.
    pub(super) fn resolve(self, open: &[json::Room]) -> Self {
        match self {
            Self::Either(_, room) if open.iter().any(|open| open.id == room) => Self::Room(room),
            Self::Either(code, _) => Self::Code(code),
            door => door,
        }
    }

    /// As it stands in a request.
    pub(super) fn ask(&self) -> json::Door {
        match self {
            Self::Code(code) | Self::Either(code, _) => json::Door::Code(code.canonical().into()),
            Self::Room(room) => json::Door::Held(room.clone()),
        }
    }
}

impl From<Code> for Door {
    fn from(code: Code) -> Self {
        Self::Code(code)
    }
}

impl From<RoomId> for Door {
    fn from(room: RoomId) -> Self {
        Self::Room(room)
    }
}

impl FromStr for Door {
    type Err = CodeError;

    /// Reads what a person typed.
    fn from_str(typed: &str) -> Result<Self, CodeError> {
        match (typed.parse::<Code>(), typed.trim().parse::<RoomId>()) {
            (Ok(code), Ok(room)) => Ok(Self::Either(code, room)),
            (Ok(code), Err(_)) => Ok(Self::Code(code)),
            (Err(_), Ok(room)) => Ok(Self::Room(room)),
            (Err(error), Err(_)) => Err(error),
        }
    }
}

/// Hides the code, and what may be one.
impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(_) => f.write_str("Code(…)"),
            Self::Room(room) => write!(f, "Room({room})"),
            Self::Either(..) => f.write_str("Either(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn what_is_typed_is_a_code_an_id_or_may_be_either() {
        let door = |typed: &str| typed.parse::<Door>();
        let (code, room) = ("ops12345".parse().unwrap(), "ops12345".parse().unwrap());
        assert_eq!(door(" ops12345 "), Ok(Door::Either(code, room)));
        assert_eq!(door("K7QM 2XD4"), Ok(Door::Code("K7QM-2XD4".parse().unwrap())));
        assert_eq!(door("on_call"), Ok(Door::Room("on_call".parse().unwrap())));
        assert!(door("!").is_err() && door("").is_err());
        assert_eq!(format!("{:?}", door("ops12345").unwrap()), "Either(…)", "it may be a code");
    }
}
