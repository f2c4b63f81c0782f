//! Deliberate breaks, each of which the oracle must see.
//!
//! The machines have no switch for any of them: a break is a wrapper around a machine or its wire that corrupts what goes
//! through. So the machine under test is the real one, and what the oracle sees is a server, a log or a client that is
//! wrong in just one way. What a server sends is corrupted in `garbled.rs`, and what keeps order in `misrule.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fastrand::Rng;
use qun_core::server::Reason;
use qun_core::{ConnId, Instant, Limits, client};

use super::garbled::changed;
use super::misrule::Misrule;
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
    /// Whoever is banned is told that the room is closed.
    BannedAsClosed,
    /// Whoever is kept out of a closed room, or silent there, is told that they are muted.
    NeedlessMute,
    /// An order is done, and answered as forbidden.
    ForbiddenDone,
    /// An order is answered before its act is told.
    OkTooEarly,
    /// Whoever is kicked stays in the roster of the others.
    KickedStays,
    /// A server that starts does not know of bans.
    ForgottenBan,
    /// It takes codes that were retired for good ones.
    RetiredOpens,
    /// A code that is used up lets one more in behind a start.
    UsedUpOpens,
    /// Whoever was kicked while they were away comes in as if they had not been.
    UntoldKick,
    /// What the court is about is told wrong.
    WrongTopic,
    /// Whoever was let off a ban is told that it lasts.
    IgnoredUnban,
    /// A room without guests takes guests.
    GuestsLetIn,
    /// A code for one lets two in.
    SpareUse,
    /// A ban or a mute lasts longer than it was to.
    LongSentence,
    /// A client shows that it was banned where it was kicked.
    ShownOtherwise,
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
    pub(super) which: Option<Break>,
    pub(super) rng: Rng,
    /// Lines that are not whole yet; only where something is to be changed in them.
    pub(super) partial: BTreeMap<ConnId, Vec<u8>>,
    /// What the server was not given of a line yet, where that matters.
    tails: BTreeMap<ConnId, Vec<u8>>,
    /// A roster that was told of a room once.
    pub(super) rosters: BTreeMap<String, String>,
    /// What is wrong at court.
    pub(super) misrule: Misrule,
}

impl Breaks {
    pub(super) fn new(which: Option<Break>, rng: Rng) -> Self {
        Self {
            which,
            rng,
            partial: BTreeMap::new(),
            tails: BTreeMap::new(),
            rosters: BTreeMap::new(),
            misrule: Misrule::new(which),
        }
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
        let bytes = self.misrule.up(bytes);
        match self.which {
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
            Some((_, text)) => self.misrule.to_client(text).map_or(bytes, String::into_bytes),
            None => bytes,
        }
    }

    /// Whether this is the one, and now is the time.
    pub(super) fn is(&mut self, which: Break) -> bool {
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
}
