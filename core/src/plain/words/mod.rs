//! What the server says of its own, in every language.

mod en;
mod zh;

use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::time::Duration;

use super::Language;
use super::command::Usage;
use super::render::Day;
use crate::account::PasswordError;
use crate::act::Act;
use crate::id::{RoomId, Seq};
use crate::json::{ByeCode, Person};
use crate::name::{Name, NameError};
use crate::order::{Forbidden, Missing, Unfit};
use crate::role::Role;
use crate::search::WordsError;
use crate::text::{Text, TextError};

/// Names that a room's header shows; [`Phrase::Who`] shows more.
const HEADER_NAMES: usize = 20;
/// Names that [`Phrase::Who`] shows: with the longest of them still far below what may lie unsent.
const WHO_NAMES: usize = 200;
/// Characters of somebody's own line that are shown back to them.
const QUOTED: usize = 40;

/// Something that the server says.
///
/// Each language is one `match`, so that none can lack a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phrase<'a> {
    /// Asks for a code; leaves the line open.
    CodePrompt,
    /// Asks for a name, with the one that an empty line takes; leaves the line open.
    NamePrompt(&'a Name),
    /// Asks for a password; leaves the line open.
    PasswordPrompt {
        /// Whether what is typed will not be seen.
        hidden: bool,
    },
    /// You are logged in.
    LoggedIn {
        /// Your account.
        name: &'a Name,
        /// The rooms that you may enter without a code.
        rooms: &'a [RoomId],
        /// Whether you are in a room.
        is_in: bool,
    },
    /// You are logged in already.
    LoggedInAlready(&'a Name),
    /// Your name is your account's.
    NameIsFixed(&'a Name),
    /// The answer to a prompt did not do. The prompt comes again.
    TryAgain(Refusal<'a>),
    /// A command failed.
    Refused(Refusal<'a>),
    /// The name asked for was somebody's: another was given.
    NameGiven {
        /// The one asked for.
        wanted: &'a Name,
        /// The one given.
        given: &'a Name,
    },
    /// You have the name that you asked for.
    YouAre(&'a Name),
    /// The room that you have entered. Its backlog follows.
    Room {
        /// What people call it.
        title: &'a str,
        /// Who is in it.
        here: Here<'a>,
        /// How many messages follow.
        backlog: u64,
        /// The newest message.
        head: Seq,
    },
    /// What the room is about.
    Topic(&'a Text),
    /// The end of the backlog: what you may do from here on.
    In(Role),
    /// The room is the one that you are in.
    AlreadyIn {
        /// What people call it.
        title: &'a str,
    },
    /// You left a room.
    YouLeft {
        /// What people call it.
        title: &'a str,
    },
    /// The room that you are in is about to be closed, and takes no more words.
    RoomCloses {
        /// What people call it.
        title: &'a str,
    },
    /// The room that you were in is no more.
    RoomClosed {
        /// What people called it.
        title: &'a str,
    },
    /// The room that you are in has another title.
    Titled {
        /// What people call it from here on.
        title: &'a str,
    },
    /// You were put out of the room that you were in.
    PutOut {
        /// What people call it.
        title: &'a str,
        /// By what.
        why: &'a ByeCode,
    },
    /// The code that you made.
    NewCode {
        /// What it is called.
        label: &'a str,
        /// What is typed.
        code: &'a str,
    },
    /// Somebody who keeps order did something.
    Acted {
        /// When, as hours and minutes.
        time: (i64, i64),
        /// The same, in milliseconds since 1970.
        ts: u64,
        /// Who.
        name: &'a Name,
        /// What.
        act: &'a Act,
    },
    /// You have another role in the room that you are in.
    NewRole(Role),
    /// You are in no room, where the command or the text needs one.
    NoRoom,
    /// Who is in the room.
    Who(Here<'a>),
    /// The commands that you may give.
    Help(Role),
    /// Some messages of history follow.
    History {
        /// The first of them.
        from: Seq,
        /// The last of them.
        to: Seq,
    },
    /// Those were they; what follows is live.
    HistoryEnd,
    /// There is no history.
    NoHistory,
    /// Some messages follow that were found.
    Found {
        /// How many.
        count: u64,
        /// Whether they are the newest of those that there are.
        more: bool,
    },
    /// The messages that follow are of this day.
    Day(Day),
    /// Those were they; what follows is live.
    FoundEnd,
    /// No message has what was looked for.
    NothingFound {
        /// Only from this one on were they looked at.
        from: Option<Seq>,
    },
    /// What nothing can be found by.
    BadWords(WordsError),
    /// Somebody came.
    Came(&'a Name),
    /// Somebody went.
    Went(&'a Name),
    /// Somebody has another name.
    Renamed {
        /// The old one.
        was: &'a Name,
        /// The new one.
        name: &'a Name,
    },
    /// You fell behind: messages were left out, or presence alone where `to` is before `from`.
    Gap {
        /// The first message left out.
        from: Seq,
        /// The last one.
        to: Seq,
    },
    /// You are faster than the rate; nothing is lost.
    SlowDown {
        /// Lines a second that are read.
        per_s: u32,
    },
    /// You may not speak here.
    ReadOnly,
    /// A line that can't be said.
    BadText(TextError),
    /// A line that is no text at all.
    NotUtf8,
    /// The log refused what you said.
    NotSent(&'a Text),
    /// A command that there is not, without its slash.
    Unknown(&'a str),
    /// How a command is used.
    Usage(Usage),
    /// Whether your own lines come back to you.
    Echo(bool),
    /// The last line of a connection.
    Bye {
        /// Why it ends.
        code: &'a ByeCode,
        /// How long to stay away.
        wait: Option<Duration>,
    },
}

/// Why you can't have what you asked for, by a command or at a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal<'a> {
    /// The code opens no room.
    WrongCode {
        /// How many more may be tried.
        left: u64,
    },
    /// The code once opened a room.
    CodeExpired,
    /// Too many wrong codes.
    Locked {
        /// Until the next one is looked at.
        wait: Duration,
    },
    /// There is no account of that name and password.
    WrongPassword {
        /// How many more may be tried.
        left: u64,
    },
    /// Too many wrong passwords.
    PasswordsLocked {
        /// Until the next one is looked at.
        wait: Duration,
    },
    /// Nothing that could be a password.
    BadPassword(PasswordError),
    /// The password could not be verified.
    NoVerdict,
    /// Only people with an account come in.
    NoGuests,
    /// Too many joins and changes of name.
    TooFast {
        /// Until the next one is allowed.
        wait: Duration,
    },
    /// No more people fit.
    RoomFull,
    /// The log can't be reached.
    Unavailable,
    /// No name looks like this.
    BadName(NameError),
    /// The name is somebody's.
    NameTaken(&'a Name),
    /// Your role does not do.
    Forbidden(Forbidden),
    /// What an order is about is not there.
    NotFound(Missing),
    /// What an order asks for can't be.
    Unfit(Unfit),
    /// You may not speak.
    Muted {
        /// For so long, if that is known.
        wait: Option<Duration>,
    },
    /// You may not come in.
    Banned {
        /// For so long, if that is known.
        wait: Option<Duration>,
    },
    /// You were put out while you were away.
    Kicked,
    /// The room is closed to all but those who keep order.
    Closed,
}

/// Who is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Here<'a> {
    /// The room says who.
    Named {
        /// How many, you too.
        count: u64,
        /// The others, as many of them as are at hand.
        others: &'a [Person],
        /// You.
        you: &'a Person,
    },
    /// The room only counts.
    Counted(u64),
}

impl Phrase<'_> {
    /// Appends it as whole lines; a prompt without a line's end.
    pub(crate) fn write(&self, language: Language, out: &mut Vec<u8>) {
        let mark = match self {
            Self::CodePrompt | Self::NamePrompt(_) | Self::PasswordPrompt { .. } | Self::TryAgain(_) => "",
            _ => "-- ",
        };
        let mut voice = Voice::new(mark, out);
        match language {
            Language::En => en::say(self, &mut voice),
            Language::ZhCn => zh::say(self, &mut voice),
        }
    }
}

/// Writes lines that begin with one mark, and into which no argument can bring a line's end or another control
/// character but tabs.
pub(super) struct Voice<'a> {
    mark: &'static str,
    out: &'a mut Vec<u8>,
}

impl<'a> Voice<'a> {
    pub(super) fn new(mark: &'static str, out: &'a mut Vec<u8>) -> Self {
        Self { mark, out }
    }

    /// A whole line.
    pub(super) fn line(&mut self, words: fmt::Arguments<'_>) {
        self.ask(words);
        self.out.extend_from_slice(b"\r\n");
    }

    /// A line that stays open for the answer.
    fn ask(&mut self, words: fmt::Arguments<'_>) {
        self.out.extend_from_slice(self.mark.as_bytes());
        // Fails only where an argument's Display does, and none of ours can.
        let written = self.write_fmt(words);
        debug_assert!(written.is_ok());
    }
}

impl Write for Voice<'_> {
    fn write_str(&mut self, words: &str) -> fmt::Result {
        let breaks = |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}');
        for (i, clean) in words.split(breaks).enumerate() {
            if i > 0 {
                self.out.extend_from_slice("\u{FFFD}".as_bytes());
            }
            self.out.extend_from_slice(clean.as_bytes());
        }
        Ok(())
    }
}

/// Rooms, one after the other.
struct List<'a>(&'a [RoomId]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, room) in self.0.iter().enumerate() {
            f.write_str(if i > 0 { ", " } else { "" })?;
            room.fmt(f)?;
        }
        Ok(())
    }
}

/// The beginning of somebody's own words, by which they know them again.
struct Quote<'a>(&'a str);

impl fmt::Display for Quote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.0.trim_start().lines().next().unwrap_or_default();
        let end = first.char_indices().nth(QUOTED).map_or(first.len(), |(end, _)| end);
        f.write_str(&first[..end])?;
        f.write_str(if end < self.0.trim().len() { "…" } else { "" })
    }
}

/// How long something lasts, in the largest unit that it is a whole number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Days(u64),
    Hours(u64),
    Minutes(u64),
    Seconds(u64),
}

impl Span {
    fn new(seconds: u64) -> Self {
        match seconds {
            s if s > 0 && s.is_multiple_of(86_400) => Self::Days(s / 86_400),
            s if s > 0 && s.is_multiple_of(3_600) => Self::Hours(s / 3_600),
            s if s > 0 && s.is_multiple_of(60) => Self::Minutes(s / 60),
            s => Self::Seconds(s),
        }
    }

    /// From a record's time to another one.
    pub(super) fn between(ts: u64, until: u64) -> Self {
        Self::new(until.saturating_sub(ts).div_ceil(1_000))
    }

    /// What is left of a time: whole minutes, where it is long, or nobody could read it.
    pub(super) fn left(wait: Duration) -> Self {
        let seconds = seconds(wait);
        Self::new(match seconds {
            0..=120 => seconds,
            121..=7_200 => seconds.div_ceil(60) * 60,
            _ => seconds.div_ceil(3_600) * 3_600,
        })
    }
}

/// Whole seconds, rounded up: who waits that long is never early.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;
