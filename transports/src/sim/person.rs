//! People: what they hold in their hands, and what they were shown.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use qun_core::client::{Client, Entry, Event};
use qun_core::json::{ErrorCode, PageMessage, Retry};
use qun_core::{Id, Instant, Role, RoomId};

use super::link::LinkId;
use super::oracle::{Hands, Model, Spread, Violation, Witness};
use super::raw::Raw;

/// Entries that a client keeps of each room.
pub(super) const TIMELINE: usize = 50;

/// A connection that was online for this long ends a row of failures; then the next attempt comes within that.
const LIVE: Duration = Duration::from_secs(10);
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
/// How often the wait doubles before it is as long as it gets; and as the how many-th power of two it may be unlikely that it
/// ever has.
const GROWS: u32 = 5;
const MOST_DOUBTS: u32 = 36;

/// Somebody.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// Whom the oracle takes them for; a client with another key is somebody else.
    pub(super) identity: usize,
    pub(super) mind: Mind,
    /// By which code they come to court, if they do: of them everything else is demanded than of others.
    pub(super) court: Option<usize>,
    pub(super) link: Option<LinkId>,
    /// What leaves their client; and what it was told, at court.
    pub(super) hands: Hands,
    pub(super) witness: Witness,
    /// Their machine sleeps until then.
    pub(super) asleep: Instant,
    /// What their clock is ahead of the world's, in milliseconds.
    pub(super) ahead: i64,
    /// What they were shown of each room.
    shown: BTreeMap<RoomId, Shown>,
    /// What they said by their client.
    said: BTreeMap<Id, Word>,
    /// What they asked for, until it is answered.
    asked: BTreeMap<Id, Command>,
    /// How often something of a room was lost, so that what was said there before may be unconfirmed.
    excuses: BTreeMap<RoomId, u64>,
    /// What is unconfirmed although nothing was lost, or was not sent: they must be out of that room before long, or have
    /// been seen off.
    unexcused: Option<(Id, Option<RoomId>)>,
    /// Before this their client must not try again, unless it is told to.
    pub(super) not_before: Instant,
    /// How long the first attempts were put off that the server had not put off.
    waits: Spread,
    /// The last attempt's number, and how unlikely it is by now that the waits grow.
    attempt: u32,
    doubts: u32,
    /// Since when they are online, where they are.
    online: Option<Instant>,
    pub(super) has_ended: bool,
    /// Whether they have said goodbye.
    pub(super) is_done: bool,
}

/// What they speak by.
#[derive(Clone, Debug)]
pub(super) enum Mind {
    Client(Box<Client>),
    Raw(Raw),
}

/// What a person was shown of a room.
#[derive(Clone, Debug, Default)]
struct Shown {
    /// Up to which seq; `None`: something else begins.
    upto: Option<u64>,
    /// Up to which seq it was said before they came.
    backlog: u64,
    /// Newest last, as much as a client keeps.
    timeline: VecDeque<Entry>,
}

/// Something that they said.
#[derive(Clone, Copy, Debug)]
struct Word {
    token: u64,
    fate: Said,
    /// How often something of the room had been lost before it was said.
    excuses: u64,
}

/// Something that they asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Join,
    Leave,
    Rename,
    /// A page before this message, of so many.
    History(u64, u64),
    /// What is found before this message, so many at most.
    Search(u64, u64),
}

/// What became of something that a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Pending,
    Delivered,
    Refused,
    Unconfirmed,
}

impl Person {
    pub(super) fn new(identity: usize, mind: Mind) -> Self {
        Self {
            identity,
            mind,
            court: None,
            link: None,
            hands: Hands::default(),
            witness: Witness::default(),
            asleep: Instant::default(),
            ahead: 0,
            shown: BTreeMap::new(),
            said: BTreeMap::new(),
            asked: BTreeMap::new(),
            excuses: BTreeMap::new(),
            unexcused: None,
            not_before: Instant::default(),
            waits: Spread::default(),
            attempt: 0,
            doubts: 0,
            online: None,
            has_ended: false,
            is_done: false,
        }
    }

    pub(super) fn client(&self) -> Option<&Client> {
        match &self.mind {
            Mind::Client(client) => Some(client),
            Mind::Raw(_) => None,
        }
    }

    pub(super) fn client_mut(&mut self) -> Option<&mut Client> {
        match &mut self.mind {
            Mind::Client(client) => Some(client),
            Mind::Raw(_) => None,
        }
    }

    pub(super) fn raw_mut(&mut self) -> Option<&mut Raw> {
        match &mut self.mind {
            Mind::Client(_) => None,
            Mind::Raw(raw) => Some(raw),
        }
    }

    /// A new client, after the old one has ended: all that it had to say is told.
    pub(super) fn begin_anew(&mut self, identity: usize, client: Client) {
        self.identity = identity;
        self.mind = Mind::Client(Box::new(client));
        (self.hands, self.witness) = (Hands::default(), Witness::default());
        self.shown.clear();
        self.not_before = Instant::default();
        self.attempt = 0;
        (self.has_ended, self.is_done) = (false, false);
    }

    pub(super) fn says(&mut self, id: Id, token: u64, room: &RoomId) {
        let excuses = self.excuses.get(room).copied().unwrap_or_default();
        self.said.insert(id, Word { token, fate: Said::Pending, excuses });
    }

    pub(super) fn asks(&mut self, id: Id, command: Command) {
        self.asked.insert(id, command);
    }

    /// Whether they have asked for such a thing, and have no answer.
    pub(super) fn waits_for(&self, command: &Command) -> bool {
        self.asked.values().any(|asked| asked == command)
    }

    /// Sees an event: each message once, in order, as the log has it; every hole told; one fate for everything said, and
    /// one answer to everything asked.
    pub(super) fn see(
        &mut self,
        now: Instant,
        event: &Event,
        model: &Model,
        disk_may_be_full: bool,
    ) -> Result<(), Violation> {
        match event {
            Event::Message { room, message, mine, live } => {
                self.is_in_a_log(model, room, message)?;
                if let Some(word) = message.id.and_then(|id| self.said.get_mut(&id))
                    && (word.fate == Said::Pending || *mine)
                {
                    if !*mine {
                        return wrong(3, format!("{message:?} is not called theirs"));
                    }
                    word.fate = Said::Delivered;
                } else if *mine {
                    return wrong(3, format!("{message:?} is called theirs"));
                }
                let seq = message.seq.get();
                let shown = self.shown.entry(room.clone()).or_default();
                if *live != (seq > shown.backlog) {
                    return wrong(2, format!("{message:?} is live: {live}, after a backlog up to {}", shown.backlog));
                }
                shown.follows(Some((seq, seq)), Entry::Message(message.clone()))
            }
            Event::Lost { room, from, to } => {
                *self.excuses.entry(room.clone()).or_default() += 1;
                let is_lost = |epoch: &str| model.first(room.as_str(), epoch) > to.get();
                // Of a room that was to be closed no page is to be had.
                if !model.epochs(room.as_str()).any(is_lost) && !model.was_ever_gone(room.as_str()) {
                    return wrong(2, format!("{from} to {to} of {room} are called lost, and a log has them"));
                }
                let entry = Entry::Lost { from: *from, to: *to };
                self.shown.entry(room.clone()).or_default().follows(Some((from.get(), to.get())), entry)
            }
            Event::Restarted { room } => {
                *self.excuses.entry(room.clone()).or_default() += 1;
                self.shown.entry(room.clone()).or_default().follows(None, Entry::Restarted)
            }
            Event::Joined { re, room, role, head, .. } => {
                // What was said before one may only read is refused now, although it may have been taken then.
                if *role == Role::Read {
                    *self.excuses.entry(room.clone()).or_default() += 1;
                }
                self.shown.entry(room.clone()).or_default().backlog = head.get();
                self.answered(*re, |command| *command == Command::Join)
            }
            // As for whoever comes in to read.
            Event::Room { room, role: Role::Read, .. } => {
                *self.excuses.entry(room.clone()).or_default() += 1;
                Ok(())
            }
            Event::Left { re, room, .. } => {
                self.shown.remove(room);
                self.unexcused.take_if(|(_, of)| of.as_ref() == Some(room));
                self.answered(*re, |command| *command == Command::Leave)
            }
            Event::Renamed { re, .. } => self.answered(Some(*re), |command| *command == Command::Rename),
            Event::Page { re, room, messages, .. } => {
                messages.iter().try_for_each(|message| self.is_in_a_log(model, room, message))?;
                let seqs = messages.iter().map(|message| message.seq.get());
                let is_ascending = seqs.clone().zip(seqs.clone().skip(1)).all(|(one, next)| next == one + 1);
                let last = messages.last().map_or(0, |message| message.seq.get());
                let count = messages.len() as u64;
                self.answered(Some(*re), |command| match command {
                    Command::History(before, limit) => is_ascending && last < *before && count <= *limit,
                    _ => false,
                })
            }
            Event::Found { re, room, messages, from, .. } => {
                messages.iter().try_for_each(|message| self.is_in_a_log(model, room, message))?;
                let seqs = messages.iter().map(|message| message.seq.get());
                let is_ascending = seqs.clone().zip(seqs.clone().skip(1)).all(|(one, next)| one < next);
                let first = messages.first().map_or(u64::MAX, |message| message.seq.get());
                let last = messages.last().map_or(0, |message| message.seq.get());
                let count = messages.len() as u64;
                self.answered(Some(*re), |command| match command {
                    Command::Search(before, limit) => {
                        is_ascending && from.get() <= first && last < *before && count <= *limit
                    }
                    _ => false,
                })
            }
            Event::Delivered { id, .. } => self.settle(*id, Said::Delivered),
            Event::Refused { re: Some(re), code, .. } if self.said.contains_key(re) => {
                let is_so = match code {
                    ErrorCode::Unavailable => {
                        if !(disk_may_be_full || self.is_done) {
                            self.unexcused.get_or_insert((*re, None));
                        }
                        true
                    }
                    ErrorCode::ReadOnly | ErrorCode::NotMember | ErrorCode::BadState => true,
                    _ => false,
                };
                if !is_so {
                    return wrong(3, format!("{re} is refused by {code:?}, for no reason"));
                }
                self.settle(*re, Said::Refused)
            }
            Event::Refused { re, .. } => self.answered(*re, |_| true),
            Event::Unconfirmed { id, room, .. } => {
                self.settle(*id, Said::Unconfirmed)?;
                let before = self.said.get(id).map_or(0, |word| word.excuses);
                let is_excused = self.excuses.get(room).is_some_and(|excuses| *excuses > before);
                if !(is_excused || self.is_done || disk_may_be_full) {
                    self.unexcused.get_or_insert((*id, Some(room.clone())));
                }
                Ok(())
            }
            Event::Online { .. } => {
                self.online = Some(now);
                Ok(())
            }
            Event::Offline { attempt, retry_at, bye } => {
                let was_online = self.online.take().map(|since| now.since(since));
                let is_new_row = was_online.is_some_and(|time| time >= LIVE);
                let before = std::mem::replace(&mut self.attempt, *attempt);
                if *attempt != if is_new_row { 1 } else { before + 1 } {
                    let text =
                        format!("after {was_online:?} online and attempt {before}, attempt {attempt} is the next");
                    return wrong(11, text);
                }
                let wait = retry_at.since(now);
                let asks_to_wait = bye.as_ref().is_some_and(|bye| bye.retry == Retry::Later);
                // Where too many have tried a password it may be less.
                let is_locked = bye.as_ref().is_some_and(|bye| bye.code.as_str() == "locked");
                if asks_to_wait && !is_locked && wait < Duration::from_secs(1) || wait > Duration::from_secs(30) {
                    return wrong(11, format!("after {bye:?} the next attempt is in {wait:?}"));
                }
                let most = FIRST_BACKOFF * (1 << attempt.saturating_sub(1).min(20));
                let is_free = bye.as_ref().is_none_or(|bye| bye.retry == Retry::Now);
                if is_free && wait > most {
                    return wrong(11, format!("attempt {attempt} is in {wait:?}"));
                }
                if is_free && *attempt == 1 && self.waits.is_fixed(wait) {
                    return wrong(11, format!("a first attempt always is in {wait:?}"));
                }
                // Each wait is drawn up to a bound that doubles: of late ones few are as short as the first may be.
                match wait <= FIRST_BACKOFF {
                    true if is_free => self.doubts += (*attempt - 1).min(GROWS),
                    true => {}
                    false => self.doubts = 0,
                }
                if self.doubts > MOST_DOUBTS {
                    return wrong(11, format!("attempt {attempt} is in {wait:?}, as short as all before it"));
                }
                self.not_before = *retry_at;
                Ok(())
            }
            Event::Ended { bye } => {
                self.has_ended = true;
                // Nobody else has their key: a hello of their own came late.
                if bye.as_ref().is_some_and(|bye| bye.code.as_str() == "replaced") && !self.is_done {
                    return wrong(11, "a client ends because of its own hello".into());
                }
                // This one answers all that was not.
                self.asked.clear();
                if bye.is_some() {
                    self.unexcused = None;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Which of a room's histories a message is of, a client may know better by now than as it was shown.
    fn is_in_a_log(&self, model: &Model, room: &RoomId, message: &PageMessage) -> Result<(), Violation> {
        let mut records = model.records(room.as_str(), message.seq.get());
        if records.any(|record| PageMessage::from(record) == *message) {
            return Ok(());
        }
        wrong(2, format!("{message:?} is shown, and no log of {room} has it"))
    }

    /// What was asked is answered, once, and by what answers it.
    fn answered(&mut self, re: Option<Id>, fits: impl FnOnce(&Command) -> bool) -> Result<(), Violation> {
        let Some(re) = re else { return Ok(()) };
        match self.asked.remove(&re) {
            Some(command) if fits(&command) => Ok(()),
            other => wrong(9, format!("{re} is answered, and was {other:?}")),
        }
    }

    fn settle(&mut self, id: Id, fate: Said) -> Result<(), Violation> {
        match self.said.get_mut(&id) {
            Some(word) if word.fate == Said::Pending => {
                word.fate = fate;
                Ok(())
            }
            other => wrong(3, format!("{id} is {fate:?}, and was {other:?}")),
        }
    }

    /// What is still to become of what they said, and of what they asked. Who waits to be let in to a full room waits with
    /// what they said there, and with leaving it.
    pub(super) fn unsettled(&self, waits: bool, is_kept_out: impl Fn(u64) -> bool) -> Option<String> {
        let is_pending = |word: &Word| word.fate == Said::Pending && !is_kept_out(word.token);
        let pending = self.said.iter().find(|(_, word)| is_pending(word));
        let pending = pending.map(|(id, _)| format!("nothing has become of {id}"));
        let mut asked = self.asked.iter().filter(|(_, command)| {
            !(waits && matches!(command, Command::Leave | Command::History(..) | Command::Search(..)))
        });
        pending.or_else(|| asked.next().map(|(id, command)| format!("{command:?} ({id}) is not answered")))
    }

    /// What has left their client is what should have, and when.
    pub(super) fn judge(&mut self, now: Instant, model: &Model) -> Result<(), Violation> {
        let said = &self.said;
        let room = |token: &u64| model.said.get(token).map(|said| said.room.as_str());
        let pending = said.values().filter(|word| word.fate == Said::Pending).map(|word| word.token);
        self.hands.judge(now, || pending.clone().filter_map(|token| Some((token, room(&token)?))).collect())
    }

    /// What was called delivered is in the log, and what was called refused is not; and what a client holds is what it
    /// has shown.
    pub(super) fn check(&self, model: &Model) -> Result<(), Violation> {
        for (id, Word { token, fate, .. }) in &self.said {
            match (fate, model.has(*token)) {
                (Said::Delivered, false) => return wrong(4, format!("{id} (#{token}) is delivered, and in no log")),
                (Said::Refused, true) => return wrong(3, format!("{id} (#{token}) is refused, and in a log")),
                _ => {}
            }
        }
        // What comes again while a room is being closed is refused, whatever has become of it.
        let is_closed = |room: &RoomId| model.was_ever_gone(room.as_str());
        if let Some((id, room)) = self.unexcused.as_ref().filter(|(_, room)| !room.as_ref().is_some_and(is_closed)) {
            return wrong(3, format!("{id} is unconfirmed or not sent, and nothing of {room:?} was lost"));
        }
        let Some(client) = self.client().filter(|_| self.court.is_none()) else { return Ok(()) };
        for room in client.rooms() {
            let shown = self.shown.get(room.id());
            if shown.is_some_and(|shown| !room.timeline().eq(&shown.timeline)) {
                return wrong(2, format!("the timeline of {} is not what was shown of it", room.id()));
            }
        }
        let pending: BTreeMap<_, _> = client.pending().map(|pending| (pending.id, ())).collect();
        let said = self.said.iter().filter(|(_, word)| word.fate == Said::Pending);
        if !pending.keys().eq(said.map(|(id, _)| id)) {
            return wrong(3, format!("{:?} are pending", pending.keys()));
        }
        Ok(())
    }

    /// The newest message shown of a room.
    pub(super) fn has_seen(&self, room: &RoomId) -> Option<u64> {
        self.shown.get(room).and_then(|shown| shown.upto)
    }
}

impl Shown {
    fn follows(&mut self, range: Option<(u64, u64)>, entry: Entry) -> Result<(), Violation> {
        self.timeline.push_back(entry);
        if self.timeline.len() > TIMELINE {
            self.timeline.pop_front();
        }
        let after = std::mem::replace(&mut self.upto, range.map(|(_, to)| to));
        match (after, range) {
            (Some(after), Some((from, _))) if from != after + 1 => wrong(2, format!("{from} is shown after {after}")),
            _ => Ok(()),
        }
    }
}

fn wrong(invariant: u8, text: String) -> Result<(), Violation> {
    Err(Violation::new(invariant, text))
}
