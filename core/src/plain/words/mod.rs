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
use crate::json::ByeCode;
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
        others: &'a [Name],
        /// You.
        you: &'a Name,
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
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use super::*;
    use crate::act::Deed;
    use crate::plain::OrderUsage;

    fn written(phrase: Phrase<'_>, language: Language) -> String {
        let mut out = Vec::new();
        phrase.write(language, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn en(phrase: Phrase<'_>) -> String {
        written(phrase, Language::En)
    }

    fn zh(phrase: Phrase<'_>) -> String {
        written(phrase, Language::ZhCn)
    }

    fn name(name: &str) -> Name {
        name.parse().unwrap()
    }

    #[test]
    fn the_prompts_are_the_protocols() {
        assert_eq!(en(Phrase::CodePrompt), "Room code: ");
        assert_eq!(zh(Phrase::CodePrompt), "请输入群口令：");
        assert_eq!(en(Phrase::NamePrompt(&name("guest-3"))), "Your name [guest-3]: ");
        let wrong = |left| en(Phrase::TryAgain(Refusal::WrongCode { left }));
        assert_eq!(wrong(4), "That code does not open a room. 4 tries left.\r\n");
        assert_eq!(wrong(1), "That code does not open a room. 1 try left.\r\n");
        assert_eq!(wrong(0), "That code does not open a room. No tries left.\r\n");
    }

    #[test]
    fn a_room_is_headed_as_the_protocol_heads_it() {
        let (others, you) = ([name("bob"), name("mei")], name("ann"));
        let here = Here::Named { count: 3, others: &others, you: &you };
        let room = |here, backlog, head| en(Phrase::Room { title: "On-call", here, backlog, head: Seq::new(head) });
        assert_eq!(room(here, 2, 815), "-- On-call. 3 here: bob, mei, ann (you). Last 2 of 815 messages:\r\n");
        assert_eq!(room(here, 0, 0), "-- On-call. 3 here: bob, mei, ann (you).\r\n");
        assert_eq!(room(Here::Counted(4211), 0, 9), "-- On-call. 4211 here.\r\n");
        let alone = Here::Named { count: 1, others: &[], you: &you };
        assert_eq!(room(alone, 1, 1), "-- On-call. 1 here: ann (you). Last 1 of 1 message:\r\n");
        assert_eq!(
            en(Phrase::In(Role::Talk)),
            "-- You are in. /who /name /me /history /search /join /leave /help /quit\r\n"
        );
        assert_eq!(
            zh(Phrase::Room { title: "值班", here, backlog: 2, head: Seq::new(815) }),
            "-- 值班。3 人在线：bob、mei、ann（你）。共 815 条消息，最近 2 条：\r\n"
        );
    }

    #[test]
    fn a_long_roster_is_cut_short() {
        let (others, you) = (vec![name("bob"); 56], name("ann"));
        let here = Here::Named { count: 57, others: &others, you: &you };
        let header = en(Phrase::Room { title: "Hall", here, backlog: 0, head: Seq::ZERO });
        assert_eq!(header.matches("bob").count(), HEADER_NAMES - 1);
        assert!(header.ends_with(", ann (you) … and 37 more.\r\n"), "{header}");
        let who = en(Phrase::Who(here));
        assert_eq!(who.matches("bob").count(), 56);
        assert!(who.ends_with(", ann (you).\r\n"), "{who}");
    }

    #[test]
    fn a_gap_is_exact() {
        let gap = |from, to| en(Phrase::Gap { from: Seq::new(from), to: Seq::new(to) });
        assert_eq!(gap(816, 852), "-- You missed 37 messages (816 to 852). /history shows the newest.\r\n");
        assert_eq!(gap(816, 816), "-- You missed 1 message (816). /history shows the newest.\r\n");
        assert_eq!(gap(816, 815), "-- You missed who came and went. /who shows who is here.\r\n");
    }

    #[test]
    fn numbers_are_the_same_in_chinese() {
        let (from, to) = (Seq::new(816), Seq::new(852));
        assert_eq!(
            zh(Phrase::Gap { from, to }),
            "-- 你错过了 37 条消息（第 816 至 852 条）。/history 查看最近的消息。\r\n"
        );
        assert_eq!(
            zh(Phrase::Gap { from, to: from }),
            "-- 你错过了 1 条消息（第 816 条）。/history 查看最近的消息。\r\n"
        );
        assert_eq!(zh(Phrase::Gap { from: to, to: from }), "-- 你错过了一些人的进出。/who 查看谁在线。\r\n");
        assert_eq!(zh(Phrase::History { from, to: from }), "-- 第 816 条消息：\r\n");
        assert_eq!(zh(Phrase::History { from, to }), "-- 第 816 至 852 条消息：\r\n");
        let (others, you) = (vec![name("bob"); 56], name("ann"));
        let header = |count, others| {
            zh(Phrase::Room {
                title: "群",
                here: Here::Named { count, others, you: &you },
                backlog: 0,
                head: Seq::ZERO,
            })
        };
        let many = header(57, &others[..]);
        assert_eq!(many.matches("bob").count(), HEADER_NAMES - 1);
        assert!(many.ends_with("、ann（你） … 还有 37 人。\r\n"), "{many}");
        assert!(header(2, &others[..1]).ends_with("2 人在线：bob、ann（你）。\r\n"));
    }

    #[test]
    fn a_page_is_headed_by_what_it_holds() {
        let (from, to) = (Seq::new(816), Seq::new(852));
        assert_eq!(en(Phrase::History { from, to: from }), "-- Message 816:\r\n");
        assert_eq!(en(Phrase::History { from, to }), "-- Messages 816 to 852:\r\n");
    }

    #[test]
    fn waits_are_rounded_up() {
        let locked = |ms| en(Phrase::TryAgain(Refusal::Locked { wait: Duration::from_millis(ms) }));
        assert_eq!(locked(8_001), "Too many wrong codes. Try again in 9 seconds.\r\n");
        assert_eq!(locked(1_000), "Too many wrong codes. Try again in 1 second.\r\n");
        let bye = Phrase::Bye { code: &ByeCode::Shutdown, wait: Some(Duration::from_millis(7_200)) };
        assert_eq!(en(bye), "-- The server goes down. Come back in 8 seconds.\r\n");
    }

    #[test]
    fn what_was_not_sent_is_named() {
        let not_sent = |text: &str| en(Phrase::NotSent(&text.parse().unwrap()));
        assert!(not_sent("deploy").contains(": deploy\r\n"));
        assert!(not_sent("one\ntwo").contains(": one…\r\n"));
        let long = "字".repeat(QUOTED + 1);
        assert!(not_sent(&long).contains(&alloc::format!(": {}…\r\n", "字".repeat(QUOTED))));
    }

    #[test]
    fn nobody_forges_a_line_by_what_is_shown_back() {
        let forged = en(Phrase::Unknown("x\r\n14:03 <ann> yes\x1b[2J"));
        assert_eq!(forged.matches("\r\n").count(), 1);
        assert!(!forged.contains('\x1b'));
        assert_eq!(zh(Phrase::YouLeft { title: "a\nb" }), "-- 你已离开 a\u{FFFD}b。\r\n");
    }

    #[test]
    fn every_phrase_is_whole_marked_lines_in_every_language() {
        let (others, you) = ([name("bob"), name("小明")], name("ann"));
        let text: Text = "Restarting\nin 60 s.".parse().unwrap();
        let named = Here::Named { count: 3, others: &others, you: &you };
        let (one, nine) = (Seq::new(1), Seq::new(9));
        let second = Duration::from_secs(1);
        let ids: Vec<RoomId> = vec!["ops".parse().unwrap(), "dev".parse().unwrap()];
        let refusals = [
            Refusal::WrongCode { left: 0 },
            Refusal::WrongCode { left: 4 },
            Refusal::CodeExpired,
            Refusal::WrongPassword { left: 0 },
            Refusal::WrongPassword { left: 1 },
            Refusal::WrongPassword { left: u64::MAX },
            Refusal::PasswordsLocked { wait: second },
            Refusal::BadPassword(PasswordError::Empty),
            Refusal::BadPassword(PasswordError::TooLong),
            Refusal::BadPassword(PasswordError::Control),
            Refusal::NoVerdict,
            Refusal::NoGuests,
            Refusal::Locked { wait: second },
            Refusal::TooFast { wait: second },
            Refusal::RoomFull,
            Refusal::Unavailable,
            Refusal::BadName(NameError::Empty),
            Refusal::BadName(NameError::TooLong),
            Refusal::BadName(NameError::Character(' ')),
            Refusal::NameTaken(&you),
            Refusal::Muted { wait: None },
            Refusal::Muted { wait: Some(second) },
            Refusal::Banned { wait: None },
            Refusal::Banned { wait: Some(second) },
            Refusal::Kicked,
            Refusal::Closed,
        ];
        let forbidden =
            [Forbidden::Needs(Role::Owner), Forbidden::NotBelow, Forbidden::Gift, Forbidden::Higher, Forbidden::Act];
        let missing = [Missing::Member, Missing::Message, Missing::Ban, Missing::Mute, Missing::Gift, Missing::Code];
        let unfit = [Unfit::Mark, Unfit::Key, Unfit::Label, Unfit::TooMany];
        let mut refusals = refusals.to_vec();
        refusals.extend(forbidden.map(Refusal::Forbidden));
        refusals.extend(missing.map(Refusal::NotFound));
        refusals.extend(unfit.map(Refusal::Unfit));
        let on = crate::act::Subject { m: None, name: you.clone() };
        let why: Option<Text> = Some("spam".parse().unwrap());
        let deed = |deed| Act::Code { label: "team".into(), deed };
        let role = |role| Act::Role { on: on.clone(), role };
        let acts = [
            Act::Kick { on: on.clone(), why: None },
            Act::Kick { on: on.clone(), why: why.clone() },
            Act::Ban { on: on.clone(), until: None, why: why.clone() },
            Act::Ban { on: on.clone(), until: Some(90_061_000), why: None },
            Act::Unban { on: on.clone() },
            Act::Mute { on: on.clone(), until: Some(7_200_000), why: why.clone() },
            Act::Unmute { on: on.clone() },
            Act::Topic { topic: None },
            Act::Topic { topic: why.clone() },
            Act::Remove { of: nine, on: on.clone(), why: why.clone() },
            Act::Close { why },
            Act::Open,
            role(None),
            role(Some(Role::Moderator)),
            deed(Deed::Added),
            deed(Deed::Rotated),
            deed(Deed::Retired),
        ];
        let byes = [
            ByeCode::Done,
            ByeCode::Version,
            ByeCode::Protocol,
            ByeCode::TooBig,
            ByeCode::Replaced,
            ByeCode::Kicked,
            ByeCode::Banned,
            ByeCode::RoomClosed,
            ByeCode::CodeChanged,
            ByeCode::AccountChanged,
            ByeCode::Slow,
            ByeCode::Dead,
            ByeCode::Handshake,
            ByeCode::Flood,
            ByeCode::Shutdown,
            ByeCode::Internal,
            ByeCode::Other("later".into()),
        ];
        let mut phrases = vec![
            Phrase::NameGiven { wanted: &you, given: &others[0] },
            Phrase::YouAre(&you),
            Phrase::LoggedIn { name: &you, rooms: &[], is_in: false },
            Phrase::LoggedIn { name: &you, rooms: &ids, is_in: false },
            Phrase::LoggedIn { name: &you, rooms: &ids, is_in: true },
            Phrase::LoggedInAlready(&you),
            Phrase::NameIsFixed(&you),
            Phrase::Room { title: "On-call", here: named, backlog: 2, head: nine },
            Phrase::Room { title: "On-call", here: Here::Counted(1), backlog: 0, head: nine },
            Phrase::AlreadyIn { title: "On-call" },
            Phrase::YouLeft { title: "On-call" },
            Phrase::RoomCloses { title: "On-call" },
            Phrase::RoomClosed { title: "On-call" },
            Phrase::Titled { title: "On-call" },
            Phrase::NoRoom,
            Phrase::Who(named),
            Phrase::Who(Here::Counted(7)),
            Phrase::History { from: one, to: nine },
            Phrase::History { from: one, to: one },
            Phrase::HistoryEnd,
            Phrase::NoHistory,
            Phrase::Found { count: 1, more: false },
            Phrase::Found { count: 20, more: true },
            Phrase::Day(Day { year: 2026, month: 2, day: 7 }),
            Phrase::FoundEnd,
            Phrase::NothingFound { from: None },
            Phrase::NothingFound { from: Some(nine) },
            Phrase::BadWords(WordsError::Empty),
            Phrase::BadWords(WordsError::TooLong),
            Phrase::Came(&you),
            Phrase::Went(&you),
            Phrase::Renamed { was: &you, name: &others[0] },
            Phrase::Gap { from: one, to: nine },
            Phrase::Gap { from: one, to: Seq::ZERO },
            Phrase::SlowDown { per_s: 2 },
            Phrase::ReadOnly,
            Phrase::BadText(TextError::Blank),
            Phrase::BadText(TextError::TooLong(4000)),
            Phrase::BadText(TextError::TooManyLines(64)),
            Phrase::BadText(TextError::Control('\x1b')),
            Phrase::NotUtf8,
            Phrase::NotSent(&text),
            Phrase::Unknown("nick"),
            Phrase::Unknown(""),
            Phrase::Echo(true),
            Phrase::Echo(false),
        ];
        phrases.extend(
            Role::ALL.into_iter().flat_map(|role| [Phrase::In(role), Phrase::NewRole(role), Phrase::Help(role)]),
        );
        phrases.extend(refusals.iter().copied().map(Phrase::Refused));
        phrases.extend(acts.iter().map(|act| Phrase::Acted { time: (9, 5), ts: 0, name: &you, act }));
        phrases.extend(OrderUsage::ALL.map(|usage| Phrase::Usage(Usage::Order(usage))));
        let why = [ByeCode::Kicked, ByeCode::Banned, ByeCode::CodeChanged];
        phrases.extend(why.iter().map(|why| Phrase::PutOut { title: "On-call", why }));
        phrases.push(Phrase::NewCode { label: "team", code: "K7QM-2XD4" });
        phrases.extend(
            [Usage::Me, Usage::Name, Usage::History, Usage::Search, Usage::Join, Usage::Login, Usage::Echo]
                .map(Phrase::Usage),
        );
        phrases.extend(byes.iter().flat_map(|code| [None, Some(second)].map(|wait| Phrase::Bye { code, wait })));
        for phrase in phrases {
            for language in [Language::En, Language::ZhCn] {
                let said = written(phrase, language);
                let lines = said.strip_suffix("\r\n").unwrap_or_else(|| panic!("{phrase:?}: {said:?}"));
                for line in lines.split("\r\n") {
                    assert!(line.starts_with("-- ") && line.len() > 5, "{phrase:?}: {line:?}");
                    assert!(!line.contains(['\r', '\n', '\u{FFFD}']), "{phrase:?}: {line:?}");
                }
            }
            assert_ne!(en(phrase), zh(phrase), "{phrase:?}");
        }
        for refusal in refusals {
            for language in [Language::En, Language::ZhCn] {
                let (at_prompt, by_command) =
                    (written(Phrase::TryAgain(refusal), language), written(Phrase::Refused(refusal), language));
                assert_eq!(by_command, alloc::format!("-- {at_prompt}"));
            }
        }
    }
}
