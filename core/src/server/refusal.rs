//! Why a request is not granted, and how that is said.

use alloc::string::ToString;
use core::time::Duration;

use crate::id::{Id, Seq};
use crate::json::{ErrorCode, Frame, Retry};
use crate::order::{Forbidden, Missing, Unfit};
use crate::text::TextError;
use crate::time::ceil_ms;

/// Why a request is not granted. What it displays is what a json client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("That code does not open a room.")]
    WrongCode { left: u64 },
    #[error("That code has expired.")]
    CodeExpired,
    #[error("Too many wrong codes.")]
    Locked { wait: Duration },
    #[error("The room is full.")]
    RoomFull,
    #[error("You are in as many rooms as one session may be.")]
    TooManyRooms,
    #[error("This code lets you read, not speak.")]
    ReadOnly,
    #[error("You are not in that room.")]
    NotMember,
    #[error("That room is closed.")]
    RoomClosed,
    #[error("Too fast.")]
    SlowDown { wait: Duration },
    #[error("The room can't be reached right now; nothing was sent.")]
    Unavailable,
    #[error("Somebody else has that name.")]
    NameTaken,
    #[error("{0}")]
    BadText(TextError),
    #[error("There is no account of that name and password.")]
    WrongPassword { left: u64 },
    #[error("Too many wrong passwords.")]
    PasswordsLocked { wait: Duration },
    #[error("The password could not be verified right now.")]
    NoVerdict,
    #[error("Only people with an account come in here.")]
    NoGuests,
    #[error("Your name is your account's.")]
    NameIsFixed,
    #[error("{0}")]
    Forbidden(Forbidden),
    #[error("{0}")]
    NotFound(Missing),
    #[error("{0}")]
    Unfit(Unfit),
    #[error("You may not speak here for now.")]
    Muted { wait: Option<Duration> },
    #[error("You are banned from that room.")]
    Banned { wait: Option<Duration> },
    #[error("You were put out of that room while you were away.")]
    Kicked,
    #[error("The room is closed to all but those who keep order there.")]
    Closed,
    #[error("Say hello first.")]
    NoHello,
    #[error("You have said hello already.")]
    SecondHello,
}

impl Refusal {
    pub(super) fn code(&self) -> ErrorCode {
        match self {
            Self::WrongCode { .. } => ErrorCode::BadCode,
            Self::CodeExpired => ErrorCode::CodeExpired,
            Self::Locked { .. } | Self::PasswordsLocked { .. } => ErrorCode::Locked,
            Self::WrongPassword { .. } => ErrorCode::BadPassword,
            Self::NoGuests => ErrorCode::NoGuests,
            Self::RoomFull | Self::TooManyRooms => ErrorCode::RoomFull,
            Self::ReadOnly => ErrorCode::ReadOnly,
            Self::NotMember | Self::RoomClosed => ErrorCode::NotMember,
            Self::SlowDown { .. } => ErrorCode::SlowDown,
            Self::Unavailable | Self::NoVerdict => ErrorCode::Unavailable,
            Self::NameTaken => ErrorCode::NameTaken,
            Self::BadText(_) => ErrorCode::BadText,
            Self::Forbidden(_) => ErrorCode::Forbidden,
            Self::NotFound(_) => ErrorCode::NotFound,
            Self::Unfit(Unfit::TooMany) => ErrorCode::TooMany,
            Self::Unfit(Unfit::Mark | Unfit::Key | Unfit::Label) => ErrorCode::BadField,
            Self::Muted { .. } => ErrorCode::Muted,
            Self::Banned { .. } => ErrorCode::Banned,
            Self::Kicked => ErrorCode::Kicked,
            Self::Closed => ErrorCode::Closed,
            Self::NoHello | Self::SecondHello | Self::NameIsFixed => ErrorCode::BadState,
        }
    }

    /// As a json client is told.
    pub(super) fn frame(&self, re: Option<Id>) -> Frame {
        let code = self.code();
        let retry = code.retry();
        let wait_ms = match self {
            Self::Locked { wait } | Self::PasswordsLocked { wait } | Self::SlowDown { wait } => Some(ceil_ms(*wait)),
            Self::Muted { wait } | Self::Banned { wait } => wait.map(ceil_ms),
            // A person who leaves, or a disk that recovers: nobody knows when. A client must wait for something.
            _ if retry == Retry::Later => Some(5_000),
            _ => None,
        };
        let left = match self {
            // Without a limit there is no number, and none that the wire could hold.
            Self::WrongCode { left } | Self::WrongPassword { left } => {
                Some(*left).filter(|left| *left <= Seq::MAX.get())
            }
            _ => None,
        };
        Frame::Error { re, code, retry, wait_ms, left, text: self.to_string() }
    }
}
