//! What a server is told at its start.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::account::PasswordHash;
use crate::code::Code;
use crate::id::RoomId;
use crate::limits::Limits;
use crate::name::Name;
use crate::plain::Language;
use crate::role::Role;

/// What a [`Server`](super::Server) serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Its name and version, told in `welcome`.
    pub agent: String,
    /// The rooms; ids and codes are unique (of two that are equal, the first counts).
    pub rooms: Vec<Room>,
    /// The accounts. Their names are unique as names are compared (of two that are equal, the first counts), and nobody
    /// else can have them.
    pub accounts: Vec<Account>,
    /// Whether people without an account may come in; else no room takes them, and no hello.
    pub guests: bool,
    /// What is allowed.
    pub limits: Limits,
    /// What the plain dialect speaks.
    pub language: Language,
    /// What the plain dialect adds to UTC when it shows a time, in seconds.
    pub utc_offset_s: i32,
}

/// A room.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Room {
    /// Its id on the wire and in the log.
    pub id: RoomId,
    /// What people call it.
    pub title: String,
    /// How it tells who is in it.
    pub presence: Presence,
    /// Its codes.
    pub codes: Vec<Access>,
    /// The accounts that need no code. Who is no account of the server is nobody.
    pub accounts: Vec<Listed>,
    /// Whether a code lets people in who have no account.
    pub guests: bool,
}

/// Somebody who may log in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    /// What they are called, always.
    pub name: Name,
    /// What their password is verified against.
    pub hash: PasswordHash,
}

/// An account that may enter a room without a code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listed {
    /// Whose.
    pub name: Name,
    /// What it may do there, at least: a code may give it more.
    pub role: Role,
}

/// How a room tells who is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Presence {
    /// By name; at most `Limits::full_members` members.
    #[default]
    Full,
    /// By number, now and then.
    Count,
}

/// A code and what it gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// What a person types.
    pub code: Code,
    /// What the operator calls it, in place of the code.
    pub label: Box<str>,
    /// What it lets its holder do.
    pub role: Role,
    /// Until when it opens the room, milliseconds since 1970.
    pub expires: Option<u64>,
    /// How many may be in the room by it at once.
    pub max_members: Option<u32>,
}

impl Default for Config {
    /// A server without rooms, and with every limit as PROTOCOL.md has it.
    fn default() -> Self {
        Self {
            agent: concat!("qun/", env!("CARGO_PKG_VERSION")).into(),
            rooms: Vec::new(),
            accounts: Vec::new(),
            guests: true,
            limits: Limits::default(),
            language: Language::default(),
            utc_offset_s: 0,
        }
    }
}
