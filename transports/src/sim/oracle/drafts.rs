//! What is on its way to the log: each line with something said in it, as it reached the server, and each draft that the
//! server hands to its log.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use qun_core::Instant;
use qun_core::log::{Draft, Request};

use super::model::{Model, Trouble, token};
use super::pace::{Pace, Rate};
use super::wire::Trust;
use super::{Violation, accounts};
use crate::sim::court::COURT;

/// The longest that one append takes.
const LOG: Duration = Duration::from_secs(20);

/// What the server has got, and what it has handed on, since its start.
#[derive(Clone, Debug, Default)]
pub(super) struct Drafts {
    /// When the server got what bears a token.
    receipts: BTreeMap<u64, Vec<Receipt>>,
    /// Into which history what bears a token was sent, unless it was refused.
    sent_into: BTreeMap<u64, String>,
    lines: u64,
    /// How often the server has asked the log to take it, or has refused it.
    drafted: BTreeMap<u64, usize>,
    /// The receipt of what was drafted last of a person in a room.
    drafted_last: BTreeMap<(usize, String), u64>,
    /// What somebody typed in a room and was not handed to the log yet, with how often it had failed until then, and which
    /// configuration it was.
    typed: BTreeMap<(usize, String), VecDeque<Typed>>,
    /// Whose says the appends hold that are not settled.
    appending: BTreeMap<String, Vec<usize>>,
    /// When each room's last append was.
    appended: BTreeMap<String, Instant>,
    /// How fast each member says something, and those who have a key of their own to come back by.
    paces: BTreeMap<String, Pace>,
    /// What those say who send what they like, by its id: whether they may be in any room by then.
    rude: BTreeMap<String, bool>,
    /// What was read to the end of somebody's input, and must be handed on: since when, and how often the log had failed by
    /// then.
    owed: VecDeque<(Instant, Typed)>,
}

/// What somebody typed: its token, how often the log had failed by then, and which configuration it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Typed {
    pub(super) token: u64,
    pub(super) troubles: u64,
    pub(super) version: usize,
}

/// A line with a token, as it reached the server.
#[derive(Clone, Debug)]
struct Receipt {
    at: Instant,
    /// Its number among all such lines.
    line: u64,
    /// What its sender may have been called then; what ends in `-` has a number behind it.
    names: Vec<String>,
    /// Whether its sender may only read there.
    read_only: bool,
}

impl Drafts {
    pub(super) fn booted(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_idle(&self) -> bool {
        self.appending.is_empty()
    }

    pub(super) fn is_appending(&self, room: &str) -> bool {
        self.appending.contains_key(room)
    }

    pub(super) fn settled(&mut self, room: &str) {
        self.appending.remove(room);
    }

    /// When the server got this last.
    pub(super) fn received_at(&self, token: u64) -> Option<Instant> {
        Some(self.receipts.get(&token)?.last()?.at)
    }

    pub(super) fn came_twice(&self, token: u64) -> bool {
        self.receipts.get(&token).is_some_and(|receipts| receipts.len() > 1)
    }

    /// How many of a person's says the appends hold that are not settled.
    pub(super) fn in_appends(&self, person: usize) -> usize {
        self.appending.values().flatten().filter(|sayer| **sayer == person).count()
    }

    /// The server has refused what bears this token: it may be sent anywhere again.
    pub(super) fn refused(&mut self, token: u64) {
        self.sent_into.remove(&token);
    }

    /// What waited behind something that was refused is refused with it: as often as it has come, it can't be handed on.
    pub(super) fn dooms(&mut self, token: u64) {
        let came = self.receipts.get(&token).map_or(0, Vec::len);
        let drafted = self.drafted.entry(token).or_default();
        *drafted = came.max(*drafted);
    }

    /// Somebody who has this key may have a new session from now on.
    pub(super) fn begins(&mut self, now: Instant, member: &str) {
        self.paces.entry(member.into()).or_default().begins(now);
    }

    /// Whoever could only read may speak by now: what they said before may have waited until then.
    pub(super) fn all_may_speak(&mut self) {
        self.receipts.values_mut().flatten().for_each(|receipt| receipt.read_only = false);
    }

    /// The rate is another one: as much as it allows at once may be said once more.
    pub(super) fn all_begin(&mut self, now: Instant) {
        self.paces.values_mut().for_each(|pace| pace.begins(now));
    }

    /// Somebody who sends what they like says something under this id.
    pub(super) fn rude(&mut self, id: &str, may_be_in: bool) {
        *self.rude.entry(id.into()).or_default() |= may_be_in;
    }

    /// A script's input was read to its end: nothing of it is lost.
    pub(super) fn owes(&mut self, now: Instant, said: &[Typed]) {
        self.owed.extend(said.iter().map(|said| (now, *said)));
    }

    fn is_right_by_key(&self, draft: &Draft) -> bool {
        let id = draft.once.map(|(_, id)| id.to_string());
        id.is_none_or(|id| self.rude.get(&id).copied().unwrap_or(true))
    }
}

impl Model {
    /// A line with a token reaches the server: what its sender may be called, whether they may only read, and which
    /// history of the room they are in.
    pub(super) fn received(
        &mut self,
        at: Instant,
        token: u64,
        names: Vec<String>,
        read_only: bool,
        epoch: Option<&str>,
    ) -> Result<(), Violation> {
        let drafts = &mut self.drafts;
        drafts.lines += 1;
        drafts.receipts.entry(token).or_default().push(Receipt { at, line: drafts.lines, names, read_only });
        match epoch.and_then(|epoch| Some((drafts.sent_into.insert(token, epoch.into())?, epoch))) {
            Some((before, now)) if before != now => {
                Err(Violation::new(3, format!("#{token} was sent into {before}, and is sent again into {now}")))
            }
            _ => Ok(()),
        }
    }

    /// Somebody types a line with a token, in a room: lines are lost by no rate, so none is missing before the next.
    pub(super) fn typed(&mut self, token: u64, room: &str, troubles: u64) {
        if let Some(said) = self.said.get(&token) {
            let version = self.version();
            self.drafts.typed.entry((said.person, room.into())).or_default().push_back(Typed {
                token,
                troubles,
                version,
            });
        }
    }

    /// What was read to the end of somebody's input is handed on before long, or the log has refused something there.
    pub(super) fn hands_on(&mut self, now: Instant) -> Result<(), Violation> {
        let thawed = self.thawed;
        while let Some((_, Typed { token, troubles, version })) =
            self.drafts.owed.pop_front_if(|(since, ..)| now > (*since).max(thawed) + LOG)
        {
            let is_drafted = self.drafts.drafted.get(&token).is_some_and(|times| *times > 0);
            let is_taken =
                self.said.get(&token).is_some_and(|said| self.has_let_speak(said.person, &said.room, version));
            if !is_drafted && is_taken && self.troubles_of(token) == troubles {
                return Err(Violation::new(3, format!("#{token} was typed before the end, and is lost")));
            }
        }
        Ok(())
    }

    /// How often the log could not append anything where this was said.
    pub(super) fn troubles_of(&self, token: u64) -> u64 {
        self.said.get(&token).map_or(0, |said| self.troubles(&said.room, Trouble::Append))
    }

    /// What somebody typed is handed to the log: all that they typed before was, too, or the log had failed.
    fn is_next_typed(&mut self, person: usize, room: &str, token: u64) -> Result<(), Violation> {
        let troubles = self.troubles(room, Trouble::Append);
        let Some(typed) = self.drafts.typed.get_mut(&(person, room.into())) else { return Ok(()) };
        if !typed.iter().any(|typed| typed.token == token) {
            return Ok(());
        }
        let mut passed = Vec::new();
        passed.extend(std::iter::from_fn(|| typed.pop_front().filter(|typed| typed.token != token)));
        for Typed { token: other, troubles: before, version } in passed {
            if before == troubles && self.has_let_speak(person, room, version) {
                return Err(Violation::new(3, format!("#{other} was typed before #{token}, and is lost")));
            }
        }
        Ok(())
    }

    /// Nobody says anything that the limits don't allow, nor faster; nor where they are not.
    fn is_allowed(&mut self, now: Instant, since: Instant, draft: &Draft) -> Result<(), Violation> {
        let limits = self.wide();
        let text = draft.text.as_str();
        if text.len() > limits.text.bytes || text.split('\n').count() > limits.text.lines {
            return Err(Violation::new(7, format!("a text of {} bytes is to be appended", text.len())));
        }
        if !self.drafts.is_right_by_key(draft) {
            return Err(Violation::new(1, format!("{text:?} was said by somebody who has come into no room yet")));
        }
        // Each session of an account has a rate of its own.
        if self.logins.is_account(&draft.member.to_string()) {
            return Ok(());
        }
        let rate = Rate { burst: limits.burst, per_s: limits.per_s };
        let pace = self.drafts.paces.entry(draft.member.to_string()).or_default();
        match pace.does(since, now, rate) {
            Some((times, time)) => {
                let text = format!("{} has said something {times} times within {time:?}", draft.name);
                Err(Violation::new(7, text))
            }
            None => Ok(()),
        }
    }

    /// What the server asks the log to take is what people said, where they said it, in their order, as they were called,
    /// not more often than the server got it, and not too much at once.
    pub(super) fn request(&mut self, now: Instant, request: &Request) -> Result<(), Violation> {
        let (room, drafts) = match request {
            Request::Append { room, drafts } => (room, drafts),
            Request::Load { ticket, room, .. } | Request::Search { ticket, room, .. } => {
                self.loads.insert(*ticket, room.to_string());
                return Ok(());
            }
            Request::Recall { .. } | Request::Keep { .. } | Request::Open { .. } | Request::Close { .. } => {
                return Ok(());
            }
        };
        // What is in this one has come since the one before.
        let before = self.drafts.appended.insert(room.to_string(), now).unwrap_or_default();
        let mut sayers = Vec::new();
        let gone = self.history.gone.get(room.as_str()).copied();
        for draft in drafts {
            let receipts = token(draft.text.as_str()).and_then(|token| self.drafts.receipts.get(&token));
            let came = receipts.and_then(|receipts| Some(receipts.first()?.at));
            if came.zip(gone).is_some_and(|(came, gone)| came > gone) {
                let text = format!("{:?} is said in {room}, which is gone", draft.text.as_str());
                return Err(Violation::new(1, text));
            }
            if room.as_str() != COURT {
                self.is_allowed(now, came.unwrap_or_default().max(before), draft)?;
            }
            self.is_theirs(draft.name.as_str(), &draft.member.to_string())?;
            accounts::is_hushed("the log", format!("{draft:?}").as_bytes())?;
            sayers.extend(self.is_drafted_rightly(room.as_str(), draft)?);
        }
        if self.drafts.appending.insert(room.to_string(), sayers.clone()).is_some() {
            return Err(Violation::new(3, format!("two appends of {room} at once")));
        }
        let most = self.wide().in_flight;
        match sayers.into_iter().find(|person| self.drafts.in_appends(*person) > most) {
            Some(person) => Err(Violation::new(7, format!("more than {most} says of person {person} are in flight"))),
            None => Ok(()),
        }
    }

    /// Who has said it, where it has a token.
    fn is_drafted_rightly(&mut self, room: &str, draft: &Draft) -> Result<Option<usize>, Violation> {
        let text = draft.text.as_str();
        let Some(token) = token(text) else { return Ok(None) };
        let Some(sentence) = self.said.get(&token) else {
            return Err(Violation::new(3, format!("{text:?} is to be appended, and nobody said it")));
        };
        if sentence.room != room {
            return Err(Violation::new(1, format!("{text:?} was said in {}, not in {room}", sentence.room)));
        }
        if sentence.text != text || sentence.kind != draft.kind {
            return Err(Violation::new(3, format!("{:?} was said, not {text:?}", sentence.text)));
        }
        let person = sentence.person;
        self.people.is_called(person, &draft.member.to_string())?;
        let receipts = self.drafts.receipts.get(&token).map_or(&[][..], Vec::as_slice);
        let drafted = self.drafts.drafted.entry(token).or_default();
        *drafted += 1;
        if *drafted > receipts.len() {
            let text =
                format!("{text:?} came {} times, and is to be appended or refused {drafted} times", receipts.len());
            return Err(Violation::new(3, text));
        }
        let called = draft.name.as_str();
        let numberless = called.trim_end_matches(|c: char| c.is_ascii_digit());
        let called_as = numberless.strip_suffix('-').map(str::to_lowercase);
        // There is an account of their name by now.
        let is_accounts = called_as.is_some_and(|name| self.lately().any(|facts| facts.accounts.contains_key(&name)));
        let is_it = |name: &String| {
            let is_numbered = name.ends_with('-') && name == numberless;
            name == called || is_numbered || is_accounts && numberless.strip_suffix('-') == Some(name)
        };
        if !receipts.iter().any(|receipt| receipt.names.iter().any(is_it)) {
            return Err(Violation::new(3, format!("{text:?} was not said by anybody called {}", draft.name)));
        }
        if receipts.iter().all(|receipt| receipt.read_only) {
            return Err(Violation::new(1, format!("{text:?} was said by somebody who may only read")));
        }
        let last = self.drafts.drafted_last.entry((person, room.to_string())).or_default();
        match receipts.iter().find(|receipt| receipt.line > *last) {
            Some(receipt) => *last = receipt.line,
            None => return Err(Violation::new(3, format!("{text:?} is appended behind what was said after it"))),
        }
        self.is_next_typed(person, room, token)?;
        Ok(Some(person))
    }

    /// Somebody's client says hello: they may begin anew, with nothing used up and nothing on its way.
    pub(super) fn greets(&mut self, now: Instant, person: usize) {
        self.drafts.appending.values_mut().for_each(|sayers| sayers.retain(|sayer| *sayer != person));
        if let Some(member) = self.people.member(person).cloned() {
            self.drafts.begins(now, &member);
        }
    }

    /// Somebody connects: with a key they may begin anew, and who is at netcat is somebody new.
    pub(super) fn comes(&mut self, now: Instant, trust: Trust) {
        match trust {
            // They begin with their hello.
            Trust::Client(_) => {}
            Trust::Plain(person) => self.people.at_netcat(person, None),
            Trust::Court(_) => {}
            Trust::Hostile(person) => {
                if let Ok(key) = crate::sim::raw::key(person).parse::<qun_core::Key>() {
                    self.drafts.begins(now, &key.member().to_string());
                }
            }
        }
    }
}
