//! The plain dialect: prompts and text, for a person at netcat or telnet.
//!
//! What comes in passes `telnet` and is then a line: at the prompt an `Entry`, later a `Command`. What goes out is a
//! message, by `render`, or a `Phrase` of the server's own. Messages begin with the time or are indented, and the
//! server's own lines begin with `-- `: whatever a person says, it can't be taken for somebody else's words or for the
//! server's.

mod command;
mod order;
mod render;
mod telnet;
mod words;

pub(crate) use command::{Command, Entry, Usage};
pub use order::order;
pub(crate) use render::{Day, message, messages};
pub(crate) use telnet::Telnet;
pub(crate) use words::{Here, Phrase, Refusal};

/// What the server's own lines of the plain dialect are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    ZhCn,
}
