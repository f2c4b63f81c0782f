//! English.

use core::fmt;
use core::time::Duration;

use super::{HEADER_NAMES, Here, List, Phrase, Quote, Refusal, Span, Voice, WHO_NAMES, seconds};
use crate::account::PasswordError;
use crate::act::Act;
use crate::json::{ByeCode, Person};
use crate::name::NameError;
use crate::plain::command::Usage;
use crate::plain::render::Day;
use crate::role::Role;
use crate::search::{Words, WordsError};
use crate::text::TextError;

const COMMANDS: &str = "/who /name /me /history /search /join /leave /help /quit";

const HELP: [&str; 13] = [
    "What you type is said to everyone in the room.",
    "/who            who is here",
    "/name NAME      change your name",
    "/me WAVES       say what you do",
    "/history [N]    the newest messages",
    "/search WORDS   the newest messages that have them",
    "/join CODE      go to another room",
    "/login NAME     log in to your account",
    "/leave          leave the room",
    "/echo on|off    whether your own lines come back to you",
    "/help           this",
    "/quit           goodbye",
    "//TEXT          say /TEXT",
];

/// What a moderator may, too.
const KEEPING: [&str; 7] = [
    "/kick NAME [WHY]           put somebody out; they may come back",
    "/ban NAME [1h] [WHY]       put somebody out, and keep them out; +source behind NAME: their address, too",
    "/unban NAME                let them in again",
    "/mute NAME [10m] [WHY]     silence somebody; /unmute NAME",
    "/topic [TEXT]              say what the room is about",
    "/remove NAME [WHY]         take back the newest message of somebody",
    "/remove NUMBER [WHY]       take back this message; /history says the numbers",
];

/// What an owner may, too.
const OWNING: [&str; 6] = [
    "/role NAME ROLE            give somebody a role: read, talk, moderator, or none",
    "/close [WHY]               close the room to all but those who keep order; /open",
    "/code add [LABEL] [ROLE] [for=1d] [uses=5]",
    "/code rotate [LABEL] [after=10m]",
    "                           another code takes the place of one",
    "/code retire LABEL [after=10m|kick]",
];

pub(super) fn say(phrase: &Phrase<'_>, voice: &mut Voice<'_>) {
    match *phrase {
        Phrase::CodePrompt => voice.ask(format_args!("Room code: ")),
        Phrase::NamePrompt(name) => voice.ask(format_args!("Your name [{name}]: ")),
        Phrase::PasswordPrompt { hidden: true } => voice.ask(format_args!("Password: ")),
        Phrase::PasswordPrompt { hidden: false } => voice.ask(format_args!("Password (it will be seen as you type): ")),
        Phrase::LoggedIn { name, rooms: [], is_in: true } => voice.line(format_args!("You are logged in as {name}.")),
        Phrase::LoggedIn { name, rooms: [], is_in: false } => {
            voice.line(format_args!("You are logged in as {name}. To a room: /join CODE"));
        }
        Phrase::LoggedIn { name, rooms, .. } => {
            voice.line(format_args!(
                "You are logged in as {name}. Your rooms: {}. To one of them: /join ROOM",
                List(rooms)
            ));
        }
        Phrase::LoggedInAlready(name) => voice.line(format_args!("You are logged in as {name} already.")),
        Phrase::NameIsFixed(name) => voice.line(format_args!("Your name is your account's: {name}.")),
        Phrase::TryAgain(why) | Phrase::Refused(why) => refuse(why, voice),
        Phrase::NameGiven { wanted, given } => voice.line(format_args!("{wanted} is taken: you are {given}.")),
        Phrase::YouAre(name) => voice.line(format_args!("You are {name}.")),
        Phrase::Room { title, here, backlog: 0, .. } => {
            voice.line(format_args!("{title}. {}.", Roster(here, HEADER_NAMES, false)));
        }
        Phrase::Room { title, here, backlog, head } => voice.line(format_args!(
            "{title}. {}. Last {backlog} of {}:",
            Roster(here, HEADER_NAMES, false),
            Count(head.get(), "message", "messages"),
        )),
        Phrase::Topic(topic) => voice.line(format_args!("Topic: {}", topic.as_str())),
        Phrase::In(Role::Talk) => voice.line(format_args!("You are in. {COMMANDS}")),
        Phrase::In(Role::Read) => voice.line(format_args!("You are in, to read. {COMMANDS}")),
        Phrase::In(Role::Moderator) => voice.line(format_args!("You are in, as a moderator. {COMMANDS}")),
        Phrase::In(Role::Owner) => voice.line(format_args!("You are in, as an owner. {COMMANDS}")),
        Phrase::AlreadyIn { title } => voice.line(format_args!("You are in {title} already.")),
        Phrase::YouLeft { title } => voice.line(format_args!("You left {title}.")),
        Phrase::RoomCloses { title } => voice.line(format_args!("Not now: {title} is about to be closed.")),
        Phrase::RoomClosed { title } => voice.line(format_args!("{title} is closed. To another room: /join CODE")),
        Phrase::Titled { title } => voice.line(format_args!("The room is called {title} now.")),
        Phrase::NewRole(Role::Talk) => voice.line(format_args!("You may speak here now.")),
        Phrase::NewRole(Role::Read) => voice.line(format_args!("From now on you can read here, but not speak.")),
        Phrase::NewRole(Role::Moderator) => voice.line(format_args!("You are a moderator here now.")),
        Phrase::NewRole(Role::Owner) => voice.line(format_args!("You are an owner here now.")),
        Phrase::NoRoom => voice.line(format_args!("You are in no room. /join CODE")),
        Phrase::Who(here) => voice.line(format_args!("{}.", Roster(here, WHO_NAMES, true))),
        Phrase::Help(role) => {
            let keeping = KEEPING.iter().filter(|_| role >= Role::Moderator);
            let owning = OWNING.iter().filter(|_| role >= Role::Owner);
            HELP.iter().chain(keeping).chain(owning).for_each(|line| voice.line(format_args!("{line}")));
        }
        Phrase::PutOut { title, why: ByeCode::Banned } => voice.line(format_args!("You were banned from {title}.")),
        Phrase::PutOut { title, why: ByeCode::CodeChanged } => {
            voice.line(format_args!("The code that you came to {title} by was retired. /join CODE"));
        }
        Phrase::PutOut { title, .. } => voice.line(format_args!("You were put out of {title}. /join CODE")),
        Phrase::NewCode { label, code } => {
            voice.line(format_args!("The code {label} is {code} now. Only you see this."))
        }
        Phrase::Acted { time: (hours, minutes), ts, name, act } => {
            let act = Acted { act, ts };
            voice.line(format_args!("{hours:02}:{minutes:02} {name} {act}"));
        }
        Phrase::History { from, to } if from == to => voice.line(format_args!("Message {from}:")),
        Phrase::History { from, to } => voice.line(format_args!("Messages {from} to {to}:")),
        Phrase::HistoryEnd => voice.line(format_args!("End of history.")),
        Phrase::NoHistory => voice.line(format_args!("There is no history.")),
        Phrase::Found { count, more: false } => {
            voice.line(format_args!("Found {}:", Count(count, "message", "messages")));
        }
        Phrase::Found { count, more: true } => {
            let count = Count(count, "message", "messages");
            voice.line(format_args!("Found. The newest {count}, more words find fewer:"));
        }
        Phrase::Day(Day { year, month, day }) => voice.line(format_args!("{year:04}-{month:02}-{day:02}")),
        Phrase::FoundEnd => voice.line(format_args!("End of what was found.")),
        Phrase::NothingFound { from: None } => voice.line(format_args!("No message has that.")),
        Phrase::NothingFound { from: Some(from) } => {
            voice.line(format_args!(
                "No message from {from} on has that; older ones can't be looked at yet. Try again later."
            ));
        }
        Phrase::BadWords(WordsError::Empty) => {
            voice.line(format_args!("There is no letter and no digit in that to look for."));
        }
        Phrase::BadWords(WordsError::TooLong) => {
            voice.line(format_args!("That is too much to look for: at most {} bytes.", Words::MAX_BYTES));
        }
        Phrase::Came(name) => voice.line(format_args!("{name} came in.")),
        Phrase::Went(name) => voice.line(format_args!("{name} left.")),
        Phrase::Renamed { was, name } => voice.line(format_args!("{was} is now {name}.")),
        Phrase::Gap { from, to } if to < from => {
            voice.line(format_args!("You missed who came and went. /who shows who is here."));
        }
        Phrase::Gap { from, to } if to == from => {
            voice.line(format_args!("You missed 1 message ({from}). /history shows the newest."));
        }
        Phrase::Gap { from, to } => {
            let missed = to.get() - from.get() + 1;
            voice.line(format_args!("You missed {missed} messages ({from} to {to}). /history shows the newest."));
        }
        Phrase::SlowDown { per_s } => {
            let lines = Count(per_s.into(), "line", "lines");
            voice.line(format_args!("Slow down: what you sent is read at {lines} a second."));
        }
        Phrase::ReadOnly => voice.line(format_args!("You can read here, but not speak.")),
        Phrase::BadText(why) => bad_text(why, voice),
        Phrase::NotUtf8 => voice.line(format_args!("Not sent: that is not UTF-8.")),
        Phrase::NotSent(text) => {
            voice.line(format_args!("Not sent, try again later: {}", Quote(text.as_str())));
        }
        Phrase::Unknown(word) => {
            let word = Quote(word);
            voice.line(format_args!("There is no command /{word} here. /help shows them, //{word} says /{word}."));
        }
        Phrase::Usage(Usage::Me) => voice.line(format_args!("/me and what you do, for example: /me waves")),
        Phrase::Usage(Usage::Name) => voice.line(format_args!("/name and a name, for example: /name ann")),
        Phrase::Usage(Usage::History) => {
            voice.line(format_args!("/history, or with how many messages: /history 50"));
        }
        Phrase::Usage(Usage::Search) => {
            voice.line(format_args!("/search and words, for example: /search deploy green"));
        }
        Phrase::Usage(Usage::Join) => voice.line(format_args!("/join and a code, for example: /join K7QM-2XD4")),
        Phrase::Usage(Usage::Login) => {
            voice.line(format_args!("/login and the name of your account, for example: /login ann"))
        }
        Phrase::Usage(Usage::Order(verb)) => voice.line(format_args!("So it is used: {}", verb.usage())),
        Phrase::Usage(Usage::Echo) => voice.line(format_args!("/echo on, or /echo off")),
        Phrase::Echo(true) => voice.line(format_args!("Echo is on: your own lines come back to you.")),
        Phrase::Echo(false) => voice.line(format_args!("Echo is off: your own lines don't come back to you.")),
        Phrase::Bye { code, wait } => bye(code, wait, voice),
    }
}

fn refuse(why: Refusal<'_>, voice: &mut Voice<'_>) {
    match why {
        Refusal::WrongCode { left: 0 } => voice.line(format_args!("That code does not open a room. No tries left.")),
        Refusal::WrongCode { left } => {
            voice.line(format_args!("That code does not open a room. {} left.", Count(left, "try", "tries")));
        }
        Refusal::WrongPassword { left: 0 } => {
            voice.line(format_args!("There is no account of that name and password. No tries left."));
        }
        Refusal::WrongPassword { left: u64::MAX } => {
            voice.line(format_args!("There is no account of that name and password."));
        }
        Refusal::WrongPassword { left } => {
            let left = Count(left, "try", "tries");
            voice.line(format_args!("There is no account of that name and password. {left} left."));
        }
        Refusal::PasswordsLocked { wait } => {
            voice.line(format_args!("Too many wrong passwords. Try again in {}.", in_seconds(wait)));
        }
        Refusal::BadPassword(PasswordError::Empty) => {
            voice.line(format_args!("A password has at least one character."))
        }
        Refusal::BadPassword(PasswordError::TooLong) => voice.line(format_args!("A password has at most 256 bytes.")),
        Refusal::BadPassword(PasswordError::Control) => {
            voice.line(format_args!("A password has no control characters."))
        }
        Refusal::NoVerdict => voice.line(format_args!("The password can't be verified right now. Try again later.")),
        Refusal::NoGuests => voice.line(format_args!("Only people with an account come in here: /login NAME")),
        Refusal::CodeExpired => voice.line(format_args!("That code has expired. Ask for a new one.")),
        Refusal::TooFast { wait } => voice.line(format_args!("Too fast. Try again in {}.", in_seconds(wait))),
        Refusal::Locked { wait } => {
            voice.line(format_args!("Too many wrong codes. Try again in {}.", in_seconds(wait)));
        }
        Refusal::RoomFull => voice.line(format_args!("The room is full. Try again later.")),
        Refusal::Unavailable => {
            voice.line(format_args!("The server can't reach its messages. Try again later."));
        }
        Refusal::BadName(NameError::Empty) => voice.line(format_args!("A name has at least one character.")),
        Refusal::BadName(NameError::TooLong) => {
            voice.line(format_args!("A name has at most 32 characters and 64 bytes."));
        }
        Refusal::BadName(NameError::Character(c)) => {
            voice.line(format_args!("A name has only letters, digits, '_', '-' and '.', not {c:?}."));
        }
        Refusal::NameTaken(name) => voice.line(format_args!("{name} is taken.")),
        Refusal::Forbidden(why) => voice.line(format_args!("{why}")),
        Refusal::NotFound(what) => voice.line(format_args!("{what}")),
        Refusal::Unfit(why) => voice.line(format_args!("{why}")),
        Refusal::Muted { wait: None } => voice.line(format_args!("You may not speak here for now.")),
        Refusal::Muted { wait: Some(wait) } => {
            voice.line(format_args!("You may not speak here for {}.", Lasts(Span::left(wait))));
        }
        Refusal::Banned { wait: None } => voice.line(format_args!("You are banned from that room.")),
        Refusal::Banned { wait: Some(wait) } => {
            voice.line(format_args!("You are banned from that room for {}.", Lasts(Span::left(wait))));
        }
        Refusal::Kicked => voice.line(format_args!("You were put out of that room while you were away.")),
        Refusal::Closed => voice.line(format_args!("The room is closed to all but those who keep order there.")),
    }
}

fn bad_text(why: TextError, voice: &mut Voice<'_>) {
    match why {
        TextError::Blank => voice.line(format_args!("Not sent: it is empty.")),
        TextError::TooLong(limit) => voice.line(format_args!("Not sent: it has more than {limit} bytes.")),
        TextError::TooManyLines(limit) => voice.line(format_args!("Not sent: it has more than {limit} lines.")),
        TextError::Control(c) => {
            voice.line(format_args!("Not sent: it has the control character U+{:04X}.", u32::from(c)));
        }
    }
}

fn bye(code: &ByeCode, wait: Option<Duration>, voice: &mut Voice<'_>) {
    let why = match code {
        ByeCode::Done => "Goodbye.",
        ByeCode::Version | ByeCode::Protocol => "The server can't read what you sent.",
        ByeCode::TooBig => "Your line was too long.",
        ByeCode::Replaced => "You are on another connection now.",
        ByeCode::Kicked => "You were put out.",
        ByeCode::Banned => "You were banned.",
        ByeCode::RoomClosed => "The room is closed.",
        ByeCode::AccountChanged => "Your account is gone, or has another password.",
        ByeCode::CodeChanged => "The room has a new code. Ask for it.",
        ByeCode::Slow => "You read too slowly.",
        ByeCode::Dead => "Nothing came from you for too long.",
        ByeCode::Handshake => "That took too long.",
        ByeCode::Flood => "Too much came from your address.",
        ByeCode::Shutdown => "The server goes down.",
        ByeCode::Internal => "The server made a mistake.",
        ByeCode::Other(_) => "The server ends the connection.",
    };
    match wait {
        Some(wait) => voice.line(format_args!("{why} Come back in {}.", in_seconds(wait))),
        None => voice.line(format_args!("{why}")),
    }
}

fn in_seconds(wait: Duration) -> Count {
    Count(seconds(wait), "second", "seconds")
}

/// What somebody did, and for how long from `ts` on.
struct Acted<'a> {
    act: &'a Act,
    ts: u64,
}

impl fmt::Display for Acted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, on, until, why) = match self.act {
            Act::Ban { on, until: Some(until), why } => ("banned", on, until, why),
            Act::Mute { on, until: Some(until), why } => ("muted", on, until, why),
            act => return act.fmt(f),
        };
        write!(f, "{verb} {on} for {}", Lasts(Span::between(self.ts, *until)))?;
        why.iter().try_for_each(|why| write!(f, ": {why}"))
    }
}

struct Lasts(Span);

impl fmt::Display for Lasts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Span::Days(n) => Count(n, "day", "days").fmt(f),
            Span::Hours(n) => Count(n, "hour", "hours").fmt(f),
            Span::Minutes(n) => Count(n, "minute", "minutes").fmt(f),
            Span::Seconds(n) => Count(n, "second", "seconds").fmt(f),
        }
    }
}

/// A number of things: one of them, or many.
struct Count(u64, &'static str, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(n, one, many) = self;
        write!(f, "{n} {}", if *n == 1 { one } else { many })
    }
}

/// Somebody, and whether that is you; with whether they have an account and their role, or without.
struct Tagged<'a>(&'a Person, Option<&'static str>, bool);

impl fmt::Display for Tagged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(person, you, more) = self;
        let account = (*more && person.has_account()).then_some("account");
        let role = (*more && person.role != Role::default()).then(|| person.role.as_str());
        write!(f, "{}", person.name)?;
        let mut tags = [*you, account, role].into_iter().flatten();
        let Some(first) = tags.next() else { return Ok(()) };
        write!(f, " ({first}")?;
        tags.try_for_each(|tag| write!(f, ", {tag}"))?;
        f.write_str(")")
    }
}

/// Who is here, with so many names at most, and with who has an account and who may what most may not, or without.
struct Roster<'a>(Here<'a>, usize, bool);

impl fmt::Display for Roster<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Here::Counted(count) => write!(f, "{count} here"),
            Here::Named { count, others, you } => {
                let shown = &others[..others.len().min(self.1 - 1)];
                write!(f, "{count} here: ")?;
                shown.iter().try_for_each(|person| write!(f, "{}, ", Tagged(person, None, self.2)))?;
                write!(f, "{}", Tagged(you, Some("you"), self.2))?;
                match count.saturating_sub(shown.len() as u64 + 1) {
                    0 => Ok(()),
                    more => write!(f, " … and {more} more"),
                }
            }
        }
    }
}
