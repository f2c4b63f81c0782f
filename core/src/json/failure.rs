//! What the server calls a failure, and what a client does about it.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// What a client does about an error or a bye, known to it or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retry {
    /// Again, at once.
    Now,
    /// Again, after `wait_ms`.
    Later,
    /// Ask the person.
    Fix,
    /// Never; a class that this version does not know is obeyed as this one.
    #[serde(other)]
    No,
}

/// The wire's codes, their classes, and a place for those to come.
macro_rules! codes {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal, $retry:ident;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)*
            /// A code of a later version: its class says what to do.
            Other(String),
        }

        impl $type {
            /// The code as the wire has it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(code) => code,
                }
            }

            /// What a client does about it.
            pub fn retry(&self) -> Retry {
                match self {
                    $(Self::$variant => Retry::$retry,)*
                    Self::Other(_) => Retry::No,
                }
            }
        }

        impl From<String> for $type {
            fn from(code: String) -> Self {
                match code.as_str() {
                    $($text => Self::$variant,)*
                    _ => Self::Other(code),
                }
            }
        }

        impl From<$type> for String {
            fn from(code: $type) -> Self {
                code.as_str().into()
            }
        }
    };
}

codes! {
    /// What failed about a request.
    ErrorCode {
        /// The line is no json object that the wire allows.
        BadFrame = "bad_frame", No;
        /// The server knows no such request.
        UnknownType = "unknown_type", No;
        /// Not now: before the hello, or a second one.
        BadState = "bad_state", No;
        /// A field is missing or holds what it can't.
        BadField = "bad_field", Fix;
        /// No name looks like this.
        BadName = "bad_name", Fix;
        /// Somebody else has the name.
        NameTaken = "name_taken", Fix;
        /// No text looks like this.
        BadText = "bad_text", Fix;
        /// The code opens no room.
        BadCode = "bad_code", Fix;
        /// The code once opened a room.
        CodeExpired = "code_expired", Fix;
        /// There is no account of that name and password.
        BadPassword = "bad_password", Fix;
        /// Only people with an account come in.
        NoGuests = "no_guests", Fix;
        /// You may read here, not speak.
        ReadOnly = "read_only", No;
        /// You are not in that room.
        NotMember = "not_member", No;
        /// No more people fit, or no more rooms for this session.
        RoomFull = "room_full", Later;
        /// Your role does not allow it, or not with them.
        Forbidden = "forbidden", No;
        /// Nobody and nothing here is called so.
        NotFound = "not_found", Fix;
        /// The room remembers no more bans, roles and codes.
        TooMany = "too_many", Fix;
        /// You may not speak here for now.
        Muted = "muted", No;
        /// You may not come in.
        Banned = "banned", No;
        /// You were put out while you were away.
        Kicked = "kicked", No;
        /// The room is closed to all but those who keep order.
        Closed = "closed", No;
        /// Faster than the rate.
        SlowDown = "slow_down", Later;
        /// Too many wrong guesses, or passwords.
        Locked = "locked", Later;
        /// The log can't be reached.
        Unavailable = "unavailable", Later;
        /// The server's own fault.
        Internal = "internal", Later;
    }
}

codes! {
    /// Why a connection ends.
    ByeCode {
        /// The client said `bye`.
        Done = "done", No;
        /// No version in common.
        Version = "version", No;
        /// Not this protocol.
        Protocol = "protocol", No;
        /// A line over the limit.
        TooBig = "too_big", No;
        /// Another connection has the session now.
        Replaced = "replaced", No;
        /// A moderator's act.
        Kicked = "kicked", No;
        /// A moderator's act: you may not come back.
        Banned = "banned", No;
        /// The room is no more.
        RoomClosed = "room_closed", No;
        /// The account is gone, or has another password.
        AccountChanged = "account_changed", Fix;
        /// The code was changed.
        CodeChanged = "code_changed", Fix;
        /// Took no byte for too long.
        Slow = "slow", Now;
        /// Answered no ping.
        Dead = "dead", Now;
        /// Never got in.
        Handshake = "handshake", Later;
        /// Too many connections, guesses or bytes.
        Flood = "flood", Later;
        /// The server goes down.
        Shutdown = "shutdown", Later;
        /// The server's own fault.
        Internal = "internal", Later;
    }
}
