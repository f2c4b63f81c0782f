//! The plain dialect: prompts and text, for a person at netcat or telnet.

/// What the prompts of the plain dialect are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    ZhCn,
}
