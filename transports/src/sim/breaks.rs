//! Deliberate breaks, each of which the oracle must see.
//!
//! The machines have no switch for any of them: a break is a wrapper around a machine or its wire that corrupts what goes
//! through. So the machine under test is the real one, and what the oracle sees is a server, a log or a client that is
//! wrong in just one way.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fastrand::Rng;
use qun_core::server::Reason;
use qun_core::{Code, ConnId, Instant, Limits, client};

use crate::driver::Event;

/// Declares the breaks, each with its name and what it does.
macro_rules! breaks {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// One way of being wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Break {
            $($(#[doc = $doc])* $name,)*
        }

        impl Break {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What it does.
            pub fn doc(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),*).trim(),)*
                }
            }
        }
    };
}

breaks! {
    /// A message is sent as one of another room.
    WrongRoom,
    /// A message is not sent to one member.
    LostMessage,
    /// A message is sent twice.
    DoubledMessage,
    /// Two messages change places.
    SwappedMessages,
    /// One member gets another text.
    WrongText,
    /// A gap begins one message too late.
    GapTooLate,
    /// A gap reaches one message too far.
    GapTooFar,
    /// After a gap the roster is an old one.
    StaleGapRoster,
    /// On joining the roster is an old one.
    StaleRoster,
    /// Somebody's coming or going is not told.
    LostPresence,
    /// It is told twice.
    DoubledPresence,
    /// A room's first frame comes before its `joined`.
    JoinedTooLate,
    /// A room's last message comes behind its `left`.
    LeftTooEarly,
    /// `joined` promises one message too few.
    WrongFrom,
    /// A request is not answered.
    LostAnswer,
    /// A request is answered twice.
    DoubledAnswer,
    /// A page of history has a hole.
    HoleInPage,
    /// A search misses a message.
    HoleInFound,
    /// A page is wrong about whether there is more.
    WrongMore,
    /// A partial write forgets a byte.
    LostByte,
    /// The driver is not told that there is something to send.
    LostWakeup,
    /// The driver is not told to read on.
    ReadNeverResumes,
    /// A deadline is later than what is due.
    LateDeadline,
    /// A say that is sent again is appended again.
    AppendedTwice,
    /// An append has its messages in another order.
    ReorderedAppend,
    /// An append goes to another room.
    MisplacedAppend,
    /// A message is acknowledged, and the log never had it.
    AcknowledgedUnwritten,
    /// A message is refused, and the log has it.
    RefusedWritten,
    /// A message that was acknowledged is missing after a crash.
    LostInCrash,
    /// A client shows a message twice.
    ShownTwice,
    /// A client does not show a message.
    NotShown,
    /// A client does not say what became of a command.
    ForgottenAnswer,
    /// A page is refused for no reason.
    NeedlessRefusal,
    /// A refusal is of another class.
    WrongClass,
    /// A goodbye comes for no reason.
    NeedlessBye,
    /// Who takes nothing is not closed.
    NeverSlow,
    /// `welcome` is wrong about whether the session was still there.
    WrongResumed,
    /// `welcome` tells another rate.
    WrongLimits,
    /// `joined` says that one message less was said before.
    WrongHead,
    /// `joined` says that the log begins later than it does.
    WrongFirst,
    /// An answer overtakes a message from before it.
    OvertakingAnswer,
    /// Why somebody went is told wrong.
    WrongWhy,
    /// How many are in a room is told twice at once.
    DoubledCount,
    /// A message bears another name than its sender's.
    WrongName,
    /// At netcat the time of a message is wrong.
    WrongClock,
    /// At netcat a message is not sent.
    LostAtNetcat,
    /// People may say three times as much at once.
    TooFast,
    /// They may change their names four times as often.
    TooManyNames,
    /// A source may have one connection more.
    TooManyConnections,
    /// Who does not get in is closed three times as late.
    LateHandshake,
    /// A text may be twice as long.
    LongTexts,
    /// A room that says who is in it may have one member more.
    Crowded,
    /// A session may be in one room more.
    TooManyRooms,
    /// A source may guess three times as often.
    TooManyGuesses,
    /// A page that the log does not load is waited for three times as long.
    LatePages,
    /// What came behind a wrong code is read.
    KeptLines,
    /// A last line without its end is not read.
    LostLastLine,
    /// A wrong password is taken for the right one.
    WrongIsRight,
    /// A verdict is lost.
    LostVerdict,
    /// The driver is not told to stop reading.
    ReadOn,
    /// After a shutdown all are to come back at once.
    SameReturn,
    /// A client does not wait for as long as it is told.
    Impatient,
    /// A client does not hear of a gap.
    ForgottenGap,
    /// A guest is called what an account is called.
    BorrowedName,
    /// A password is told.
    ToldPassword,
    /// Whoever gives an order is taken for an owner.
    Pretender,
    /// A room's log does not hold who is banned or muted, and that it is closed.
    ForgottenFacts,
    /// Whoever was banned or muted says something once more.
    OneMoreSay,
    /// What was taken back is shown to those who come.
    ShownRemoved,
    /// Whoever was put out hears one message more.
    OneMoreHeard,
    /// An order is not answered.
    LostOrder,
    /// A client believes that it may say ten times as much.
    Unpaced,
    /// What was said is waited for twice as long, at the end of a connection and of the server.
    LateDrain,
    /// Who takes nothing is given up twice as late.
    LateSlow,
    /// Who has said goodbye, or sends no more, is not closed.
    NeverClosed,
    /// People may say half as much at once as they are told.
    TooStrict,
    /// A page holds one message less than there are and were asked for.
    ShortPage,
    /// Whoever is too fast is told to wait a thousand times as long.
    LongWait,
    /// `welcome` is wrong about what time it is.
    WrongNow,
    /// Another configuration is not read.
    ReloadIgnored,
    /// A room that is gone lets nobody in, and keeps its members.
    RoomNeverGone,
    /// A code that is gone still opens its room.
    OldCodeOpens,
    /// A code that is new opens nothing.
    NewCodeShut,
    /// How many a code lets in, and until when, stays as it was.
    OldTerms,
    /// What a code lets do stays as it was.
    OldRole,
    /// An account's old password stays the right one.
    OldPassword,
    /// Another configuration's limits do not count.
    OldLimits,
    /// Another configuration ends every connection.
    ReloadCuts,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}

/// There is no break of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoBreak(String);

impl fmt::Display for NoBreak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no break {:?}; `qun sim --breaks` lists them", self.0)
    }
}

impl std::error::Error for NoBreak {}

impl FromStr for Break {
    type Err = NoBreak;

    fn from_str(name: &str) -> Result<Self, NoBreak> {
        Self::ALL.iter().find(|which| which.to_string() == name).copied().ok_or_else(|| NoBreak(name.into()))
    }
}

/// The wrapper around the wire, the server's actions and the client's.
#[derive(Clone, Debug)]
pub(super) struct Breaks {
    which: Option<Break>,
    rng: Rng,
    /// Lines that are not whole yet; only where something is to be changed in them.
    partial: BTreeMap<ConnId, Vec<u8>>,
    /// What the server was not given of a line yet, where that matters.
    tails: BTreeMap<ConnId, Vec<u8>>,
    /// A roster that was told of a room once.
    rosters: BTreeMap<String, String>,
    /// The codes of the court: an owner's, a moderator's, and one to talk.
    court: Vec<String>,
    /// What was said at court, by its number; what was taken back of it last; and the last line that somebody got.
    said: BTreeMap<String, String>,
    taken_back: Option<String>,
    heard: Option<String>,
}

impl Breaks {
    pub(super) fn new(which: Option<Break>, rng: Rng) -> Self {
        Self {
            which,
            rng,
            partial: BTreeMap::new(),
            tails: BTreeMap::new(),
            rosters: BTreeMap::new(),
            court: Vec::new(),
            said: BTreeMap::new(),
            taken_back: None,
            heard: None,
        }
    }

    /// By which codes the court is entered.
    pub(super) fn knows(&mut self, codes: &[Code]) {
        self.court = codes.iter().map(Code::to_string).collect();
    }

    /// The server starts, and names its connections anew.
    pub(super) fn booted(&mut self) {
        self.partial.clear();
        self.tails.clear();
    }

    /// What the server takes for its limits.
    pub(super) fn limits(&self, limits: &Limits) -> Limits {
        let mut limits = limits.clone();
        match self.which {
            Some(Break::TooFast) => limits.burst *= 3,
            Some(Break::TooManyNames) => limits.acts_burst *= 4,
            Some(Break::TooManyConnections) => limits.connections_per_source += 1,
            Some(Break::LateHandshake) => limits.handshake *= 3,
            Some(Break::LongTexts) => limits.text.bytes *= 2,
            Some(Break::Crowded) => limits.full_members += 1,
            Some(Break::TooManyRooms) => limits.rooms += 1,
            Some(Break::TooManyGuesses) => limits.guess_burst *= 3,
            Some(Break::LatePages) => limits.load *= 3,
            Some(Break::LateDrain) => limits.drain *= 2,
            Some(Break::LateSlow) => limits.stall *= 2,
            Some(Break::TooStrict) => limits.burst /= 2,
            _ => {}
        }
        limits
    }

    /// In which pieces the server gets what arrives.
    pub(super) fn up(&mut self, conn: ConnId, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        match self.which {
            Some(Break::Pretender) if !self.court.is_empty() => {
                let text = String::from_utf8_lossy(&bytes);
                vec![text.replace(&self.court[2], &self.court[0]).into_bytes()]
            }
            Some(Break::KeptLines) => bytes.split_inclusive(|byte| *byte == b'\n').map(Vec::from).collect(),
            Some(Break::LostLastLine) => {
                let tail = self.tails.entry(conn).or_default();
                tail.extend(bytes);
                let end = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                vec![tail.drain(..end).collect()]
            }
            _ => vec![bytes],
        }
    }

    /// What a client gets instead.
    pub(super) fn to_client(&self, bytes: Vec<u8>) -> Vec<u8> {
        match self.which.and_then(|which| Some((which, str::from_utf8(&bytes).ok()?))) {
            Some((Break::Unpaced, text)) => changed(text, "\"burst\":", |burst| burst * 10).into_bytes(),
            Some((Break::Impatient, text)) => changed(text, "\"wait_ms\":", |_| 1).into_bytes(),
            Some((Break::ForgottenGap, text)) if text.contains("\"t\":\"gap\"") => {
                changed(text, "\"to\":", |_| 0).into_bytes()
            }
            _ => bytes,
        }
    }

    /// Whether this is the one, and now is the time.
    fn is(&mut self, which: Break) -> bool {
        self.which == Some(which) && self.rng.u32(0..6) == 0
    }

    pub(super) fn deadline(&self, deadline: Option<Instant>) -> Option<Instant> {
        match self.which {
            Some(Break::LateDeadline) => deadline.map(|at| at + Duration::from_secs(60)),
            _ => deadline,
        }
    }

    pub(super) fn swallows(&mut self, event: &Event) -> bool {
        match event {
            Event::Transmit(_) => self.is(Break::LostWakeup),
            Event::Read(_, true) => self.is(Break::ReadNeverResumes),
            Event::Read(_, false) => self.is(Break::ReadOn),
            Event::Close(_, Reason::Slow) => self.is(Break::NeverSlow),
            Event::Close(_, Reason::Done | Reason::EndOfInput) => self.is(Break::NeverClosed),
            _ => false,
        }
    }

    /// Whether a verdict gets lost.
    pub(super) fn loses_a_verdict(&mut self) -> bool {
        self.is(Break::LostVerdict)
    }

    /// How often a client shows this.
    pub(super) fn shows(&mut self, event: &client::Event) -> usize {
        match event {
            client::Event::Message { .. } if self.is(Break::ShownTwice) => 2,
            client::Event::Message { .. } if self.is(Break::NotShown) => 0,
            client::Event::Renamed { .. } | client::Event::Page { .. } | client::Event::Found { .. }
                if self.is(Break::ForgottenAnswer) =>
            {
                0
            }
            _ => 1,
        }
    }

    pub(super) fn down(&mut self, conn: ConnId, mut bytes: Vec<u8>) -> Vec<u8> {
        let Some(which) = self.which else { return bytes };
        if which == Break::LostByte && bytes.len() > 20 && self.is(which) {
            bytes.remove(self.rng.usize(10..20));
            return bytes;
        }
        let partial = self.partial.entry(conn).or_default();
        partial.append(&mut bytes);
        // A person at netcat gets prompts, which are no lines.
        if !partial.starts_with(b"{") {
            let bytes = std::mem::take(partial);
            return self.at_netcat(which, bytes);
        }
        let end = partial.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = partial.drain(..end).collect();
        let lines: Vec<String> =
            whole.split_inclusive(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).into()).collect();
        self.lines(which, lines).concat().into_bytes()
    }

    /// What a person at netcat gets, where it is whole messages.
    fn at_netcat(&mut self, which: Break, bytes: Vec<u8>) -> Vec<u8> {
        let Ok(text) = String::from_utf8(bytes.clone()) else { return bytes };
        let is_message =
            |line: &str| line.get(2..3) == Some(":") && line.get(6..7) == Some("<") && line.ends_with('\n');
        let mut lines: Vec<String> = text.split_inclusive('\n').map(String::from).collect();
        match lines.iter().position(|line| is_message(line)) {
            Some(at) if which == Break::WrongClock && self.is(which) => lines[at].replace_range(0..2, "25"),
            Some(at) if which == Break::LostAtNetcat && self.is(which) => lines[at].clear(),
            _ => {}
        }
        lines.concat().into_bytes()
    }

    fn lines(&mut self, which: Break, mut lines: Vec<String>) -> Vec<String> {
        let kind = |line: &str| -> String { line.split('"').nth(3).unwrap_or_default().into() };
        let mut at = 0;
        while at < lines.len() {
            let (this, next) = (kind(&lines[at]), lines.get(at + 1).map(|line| kind(line)).unwrap_or_default());
            let line = &mut lines[at];
            match (which, this.as_str(), next.as_str()) {
                (Break::WrongRoom, "msg", _) if self.is(which) => {
                    *line = if line.contains("room-0") { line.replace("room-0", "room-1") } else { replace_room(line) };
                }
                (Break::LostMessage, "msg", _)
                | (Break::LostPresence, "presence", _)
                | (Break::LostAnswer, "page" | "found" | "pong" | "ok" | "error", _)
                    if self.is(which) =>
                {
                    lines.remove(at);
                    continue;
                }
                (Break::DoubledMessage, "msg", _)
                | (Break::DoubledPresence, "presence", _)
                | (Break::DoubledCount, "here", _)
                | (Break::DoubledAnswer, "page" | "found" | "pong" | "ok" | "error", _)
                    if self.is(which) =>
                {
                    let line = line.clone();
                    lines.insert(at, line);
                    at += 1;
                }
                (Break::SwappedMessages, "msg", "msg")
                | (Break::JoinedTooLate, "joined", "msg" | "presence" | "here")
                | (Break::LeftTooEarly, "msg" | "presence", "left")
                | (Break::OvertakingAnswer, "msg", "ok" | "page" | "found" | "pong" | "joined")
                    if self.is(which) =>
                {
                    lines.swap(at, at + 1);
                    at += 1;
                }
                (Break::WrongText, "msg", _) if self.is(which) => {
                    *line = line.replacen("\"text\":\"#", "\"text\":\"#1", 1)
                }
                (Break::GapTooLate, "gap", _) => *line = changed(line, "\"from\":", |from| from + 1),
                (Break::GapTooFar, "gap", _) => *line = changed(line, "\"to\":", |to| to + 1),
                (Break::WrongFrom, "joined", _) => *line = changed(line, "\"from\":", |from| from + 1),
                (Break::StaleGapRoster, "gap" | "joined", _) | (Break::StaleRoster, "joined", _) => {
                    let room = line.split("room-").nth(1).and_then(|rest| rest.get(..1)).unwrap_or_default();
                    if let Some((before, rest)) = line.split_once("\"members\":")
                        && let Some((members, after)) = rest.split_once(']')
                    {
                        let old = self.rosters.insert(room.into(), members.into());
                        if let Some(old) = old.filter(|_| which == Break::StaleRoster || this == "gap") {
                            *line = format!("{before}\"members\":{old}]{after}");
                        }
                    }
                }
                (Break::SameReturn, "bye", _) if line.contains("\"shutdown\"") => {
                    *line = changed(line, "\"wait_ms\":", |_| 2_000);
                }
                (Break::WrongHead, "joined", _) => *line = changed(line, "\"head\":", |head| head.saturating_sub(1)),
                (Break::WrongFirst, "joined", _) => *line = changed(line, "\"first\":", |first| first + 1),
                // Nobody is told of it.
                (Break::TooFast, "welcome", _) => *line = changed(line, "\"burst\":", |burst| burst / 3),
                (Break::TooStrict, "welcome", _) => *line = changed(line, "\"burst\":", |burst| burst * 2),
                (Break::WrongNow, "welcome", _) => *line = changed(line, "\"now\":", |now| now + 60_000),
                (Break::LongWait, "error", _) => *line = changed(line, "\"wait_ms\":", |wait| wait * 1_000),
                (Break::ShortPage, "page", _) => {
                    if let Some((before, rest)) = line.split_once("\"msgs\":[")
                        && let Some((_, after)) = rest.split_once("},{\"seq\"")
                    {
                        let before = before.replacen("\"more\":false", "\"more\":true", 1);
                        *line = format!("{before}\"msgs\":[{{\"seq\"{after}");
                    }
                }
                (Break::LongTexts, "welcome", _) => *line = changed(line, "\"text\":", |bytes| bytes / 2),
                (Break::WrongLimits, "welcome", _) => *line = changed(line, "\"burst\":", |burst| burst + 1),
                (Break::ShownRemoved | Break::OneMoreHeard, "msg", _) if line.contains("\"room\":\"court\"") => {
                    let number = |key| line.split(key).nth(1).and_then(|rest| rest.split([',', '}']).next());
                    let text = line.split("\"text\":\"").nth(1).and_then(|rest| rest.split('"').next());
                    if let (Some(seq), Some(text)) = (number("\"seq\":"), text.filter(|text| text.starts_with('§'))) {
                        self.said.insert(seq.into(), text.into());
                    }
                    if let Some(text) = number("\"of\":").and_then(|of| self.said.get(of)) {
                        self.taken_back = Some(text.clone());
                    }
                    if let Some(text) = self.taken_back.as_ref().filter(|_| which == Break::ShownRemoved) {
                        *line = line.replacen("(removed)", text, 1);
                    }
                    self.heard = Some(line.clone());
                }
                (Break::ShownRemoved, "page", _) => {
                    if let Some(text) = &self.taken_back {
                        *line = line.replacen("(removed)", text, 1);
                    }
                }
                (Break::OneMoreHeard, "left", _) if line.contains("ed\",\"retry\"") => {
                    lines.extend(self.heard.clone());
                    return lines;
                }
                (Break::LostOrder, "ok", _) if line.contains("\"seq\"") && self.is(which) => {
                    lines.remove(at);
                    continue;
                }
                (Break::BorrowedName, "welcome", _) if line.contains("-2\",\"resumed\":false") => {
                    *line = line.replacen("-2\"", "\"", 1);
                }
                (Break::ToldPassword, "welcome", _) => *line = line.replacen('{', "{\"why\":\"hush-ann\",", 1),
                (Break::WrongResumed, "welcome", _) => {
                    let (is, other) =
                        if line.contains("\"resumed\":true") { ("true", "false") } else { ("false", "true") };
                    *line = line.replacen(&format!("\"resumed\":{is}"), &format!("\"resumed\":{other}"), 1);
                }
                (Break::WrongWhy, "presence", _) => *line = line.replacen("\"why\":\"left\"", "\"why\":\"bye\"", 1),
                (Break::WrongClass, "error", _) => *line = line.replacen("\"retry\":\"fix\"", "\"retry\":\"no\"", 1),
                (Break::NeedlessBye, "pong", _) => {
                    *line = "{\"t\":\"bye\",\"code\":\"dead\",\"retry\":\"now\",\"text\":\"\"}\n".into();
                }
                (Break::NeedlessRefusal, "page", _) if self.is(which) => {
                    let re = line.split("\"re\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
                    let (code, wait) = ("unavailable", 5_000);
                    *line = format!(
                        "{{\"t\":\"error\",\"re\":\"{re}\",\"code\":\"{code}\",\"retry\":\"later\",\"wait_ms\":{wait},\"text\":\"\"}}\n"
                    );
                }
                (Break::HoleInPage, "page", _) | (Break::HoleInFound, "found", _) => {
                    if let Some((first, rest)) = line.split_once("},{\"seq\"")
                        && let Some((_, after)) = rest.split_once("},{\"seq\"")
                    {
                        *line = format!("{first}}},{{\"seq\"{after}");
                    }
                }
                (Break::WrongMore, "page" | "found", _) => {
                    let (is, other) =
                        if line.contains("\"more\":true") { ("true", "false") } else { ("false", "true") };
                    *line = line.replacen(&format!("\"more\":{is}"), &format!("\"more\":{other}"), 1);
                }
                _ => {}
            }
            at += 1;
        }
        lines
    }
}

fn replace_room(line: &str) -> String {
    let mut line = line.to_string();
    if let Some(at) = line.find("\"room-") {
        line.replace_range(at + 6..at + 7, "0");
    }
    line
}

/// The line with another number behind `key`.
fn changed(line: &str, key: &str, change: impl Fn(u64) -> u64) -> String {
    let Some((before, rest)) = line.split_once(key) else { return line.into() };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let number = rest[..digits].parse().map_or(0, change);
    format!("{before}{key}{number}{}", &rest[digits..])
}
