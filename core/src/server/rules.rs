//! What acts have left of a room: who is kept out, silenced or given a role, what it is about, by which codes it is
//! entered. It is read from the facts that the room's log holds, so it is the same after a restart.
//!
//! A fact is a key and a value: `topic` (a text), `closed`, `ban/MARK` and `mute/MARK` (a [`Sentence`]), `role/MARK` (a
//! [`Gift`]), `code/MARK` (a [`Made`]), `retired/MARK` (when, in milliseconds since 1970), `member/MARK` (an account that came by a
//! code: a [`Came`]). What can't be read is left alone and means nothing.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Source;
use super::config;
use super::session::Session;
use crate::code::Code;
use crate::id::{KeyHash, MemberId};
use crate::log::{Fact, Facts};
use crate::name::{Folded, Name};
use crate::role::Role;
use crate::text::Text;

/// Codes that were made and are over, of which a room still knows that they once opened it.
const OVER: usize = 64;

/// By what somebody, or a code, is known again: a hash, so that the log holds no address and no key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Mark([u8; 16]);

impl Mark {
    pub(super) fn key(key: &KeyHash) -> Self {
        Self::of("key", &key.0)
    }

    pub(super) fn name(name: &Folded) -> Self {
        Self::of("name", name.as_str().as_bytes())
    }

    pub(super) fn source(source: Source) -> Self {
        Self::of("source", &source.0.to_be_bytes())
    }

    pub(super) fn code(code: &Code) -> Self {
        Self::of("code", code.canonical().as_bytes())
    }

    pub(super) fn account(account: &Folded) -> Self {
        Self::of("account", account.as_str().as_bytes())
    }

    /// By what a session is known for as long as it is kept: its account, or else its key.
    pub(super) fn session(session: &Session) -> Self {
        session.account.as_ref().map_or_else(|| Self::key(&session.key), Self::account)
    }

    fn of(what: &str, bytes: &[u8]) -> Self {
        let hash: [u8; 32] = Sha256::new().chain_update(what).chain_update([0]).chain_update(bytes).finalize().into();
        Self(core::array::from_fn(|at| hash[at]))
    }

    /// The key of the fact of this kind about it.
    pub(super) fn under(self, kind: &str) -> Box<str> {
        format!("{kind}/{}", self.hex()).into()
    }

    fn hex(self) -> String {
        let mut hex = String::new();
        for byte in self.0 {
            // Writing to a string can't fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }

    fn read(hex: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        if hex.len() != 32 || !hex.is_ascii() {
            return None;
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// Says nothing: what is short can be found again by trying.
impl core::fmt::Debug for Mark {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Mark(..)")
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> Self {
        mark.hex()
    }
}

impl TryFrom<String> for Mark {
    type Error = &'static str;

    fn try_from(hex: String) -> Result<Self, Self::Error> {
        Self::read(&hex).ok_or("no mark")
    }
}

/// A ban or a mute.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Sentence {
    /// Whose it is, as they were called.
    pub(super) name: Name,
    /// Who that was, if they were there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) m: Option<MemberId>,
    /// The role of who gave it: it says nothing to somebody whose role is not lower.
    pub(super) by: Role,
    /// Until when, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<u64>,
}

/// A role that somebody was given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Gift {
    pub(super) name: Name,
    pub(super) m: MemberId,
    pub(super) role: Role,
}

/// An account that came by a code once, and needs none again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Came {
    pub(super) name: Name,
    /// By which code.
    pub(super) code: Mark,
    /// The role that the code had last; but none above [`Role::Talk`], which nothing but the code itself gives.
    pub(super) role: Role,
}

/// A code that an owner made.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Made {
    /// In plain text, as the configuration has its codes.
    pub(super) code: String,
    pub(super) label: Box<str>,
    pub(super) role: Role,
    /// Until when it is good, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<u64>,
    /// How many may still come in by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) uses: Option<u64>,
    /// Whether it was retired, whatever the clock says.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) retired: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Says nothing of the code.
impl core::fmt::Debug for Made {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Made").field("label", &self.label).field("role", &self.role).finish_non_exhaustive()
    }
}

/// A code of a room, wherever it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entrance {
    pub(super) code: Code,
    pub(super) label: Box<str>,
    pub(super) role: Role,
    pub(super) expires: Option<u64>,
    pub(super) max_members: Option<u32>,
    pub(super) uses: Option<u64>,
}

impl Entrance {
    /// Whether it still lets people in who come for the first time.
    pub(super) fn is_open(&self, unix_ms: u64) -> bool {
        self.expires.is_none_or(|expires| expires > unix_ms)
    }
}

/// All that acts have left of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Rules {
    facts: Facts,
    pub(super) topic: Option<Text>,
    pub(super) closed: bool,
    pub(super) bans: BTreeMap<Mark, Sentence>,
    pub(super) mutes: BTreeMap<Mark, Sentence>,
    pub(super) gifts: BTreeMap<Mark, Gift>,
    pub(super) made: BTreeMap<Mark, Made>,
    retired: BTreeMap<Mark, u64>,
    pub(super) came: BTreeMap<Mark, Came>,
}

impl Rules {
    pub(super) fn read(facts: Facts) -> Self {
        let mut rules = Self::default();
        for (key, value) in facts.iter() {
            rules.note(key, value);
        }
        rules.facts = facts;
        rules
    }

    fn note(&mut self, key: &str, value: &str) -> Option<()> {
        match key.split_once('/') {
            None if key == "topic" => self.topic = Some(value.parse().ok()?),
            None if key == "closed" => self.closed = true,
            Some(("ban", mark)) => drop(self.bans.insert(Mark::read(mark)?, serde_json::from_str(value).ok()?)),
            Some(("mute", mark)) => drop(self.mutes.insert(Mark::read(mark)?, serde_json::from_str(value).ok()?)),
            Some(("role", mark)) => drop(self.gifts.insert(Mark::read(mark)?, serde_json::from_str(value).ok()?)),
            Some(("code", mark)) => drop(self.made.insert(Mark::read(mark)?, serde_json::from_str(value).ok()?)),
            Some(("member", mark)) => drop(self.came.insert(Mark::read(mark)?, serde_json::from_str(value).ok()?)),
            Some(("retired", mark)) => drop(self.retired.insert(Mark::read(mark)?, value.parse().ok()?)),
            _ => {}
        }
        Some(())
    }

    /// What the log holds from here on.
    pub(super) fn change(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            self.forget(&fact.key);
            if let Some(value) = &fact.value {
                self.note(&fact.key, value);
            }
            self.facts.set(fact);
        }
    }

    /// What stood under a key means nothing any more.
    fn forget(&mut self, key: &str) {
        match key.split_once('/') {
            None if key == "topic" => self.topic = None,
            None if key == "closed" => self.closed = false,
            Some((kind, mark)) => {
                let Some(mark) = Mark::read(mark) else { return };
                match kind {
                    "ban" => drop(self.bans.remove(&mark)),
                    "mute" => drop(self.mutes.remove(&mark)),
                    "role" => drop(self.gifts.remove(&mark)),
                    "code" => drop(self.made.remove(&mark)),
                    "retired" => drop(self.retired.remove(&mark)),
                    "member" => drop(self.came.remove(&mark)),
                    _ => {}
                }
            }
            None => {}
        }
    }

    /// Whether there would be no more facts than a room may have, beside those of who came, which have a number of their own.
    pub(super) fn has_room_for(&self, facts: &[Fact]) -> bool {
        let before = self.facts.len() - self.came.len();
        let mut after = before;
        for fact in facts.iter().filter(|fact| !fact.key.starts_with("member/")) {
            match (self.facts.get(&fact.key).is_some(), fact.value.is_some()) {
                (false, true) => after += 1,
                (true, false) => after -= 1,
                _ => {}
            }
        }
        after <= Facts::MOST.max(before)
    }

    /// Whether one more account can be remembered to have come.
    pub(super) fn has_room_for_one(&self) -> bool {
        self.came.len() < Facts::MOST
    }

    /// By which code an account came.
    pub(super) fn came(&self, account: &Folded) -> Option<&Came> {
        if self.came.is_empty() { None } else { self.came.get(&Mark::account(account)) }
    }

    /// Forgets that those came of whom this is so.
    pub(super) fn forget_who_came(&self, is_so: impl Fn(&Came) -> bool) -> Vec<Fact> {
        let came = self.came.iter().filter(|(_, came)| is_so(came));
        came.map(|(mark, _)| forget(mark.under("member"))).collect()
    }

    /// What is over and need not be held any more.
    pub(super) fn stale(&self, unix_ms: u64) -> Vec<Fact> {
        let over = |until: Option<u64>| until.is_some_and(|until| until <= unix_ms);
        let of = |kind: &'static str, mark: &Mark| forget(mark.under(kind));
        let bans = self.bans.iter().filter(|(_, ban)| over(ban.until)).map(|(mark, _)| of("ban", mark));
        let mutes = self.mutes.iter().filter(|(_, mute)| over(mute.until)).map(|(mark, _)| of("mute", mark));
        // Whoever types a code that is over is told so, and has not guessed: for as long as it is among the newest of them.
        let mut made: Vec<_> = self.made.iter().filter(|(_, made)| made.retired || over(made.expires)).collect();
        made.sort_by_key(|(mark, made)| (core::cmp::Reverse(made.expires), **mark));
        let made = made.into_iter().skip(OVER).map(|(mark, _)| of("code", mark));
        bans.chain(mutes).chain(made).collect()
    }

    /// The role that somebody was given here; never that of an owner.
    pub(super) fn role(&self, session: &Session) -> Option<Role> {
        if self.gifts.is_empty() {
            return None;
        }
        self.gifts.get(&Mark::session(session)).map(|gift| gift.role.min(Role::Moderator))
    }

    /// The role that a member who is not there was given.
    pub(super) fn role_of(&self, member: MemberId) -> Option<Role> {
        self.gifts.values().filter(|gift| gift.m == member).map(|gift| gift.role.min(Role::Moderator)).max()
    }

    /// Until when somebody of this role is not to speak.
    pub(super) fn muted(&self, session: &Session, role: Role, unix_ms: u64) -> Option<Until> {
        let marks = || [Mark::session(session), Mark::name(&session.name.folded())];
        if self.mutes.is_empty() { None } else { counting(&self.mutes, &marks(), role, unix_ms) }
    }

    /// Until when somebody of this role is kept out.
    pub(super) fn banned(&self, who: &Marks, role: Role, unix_ms: u64) -> Option<Until> {
        if self.bans.is_empty() { None } else { counting(&self.bans, &who.all(), role, unix_ms) }
    }

    /// The codes of the room: those of the configuration and those that were made, with the ones that have expired or were
    /// retired.
    pub(super) fn codes(&self, configured: &[config::Access]) -> Vec<Entrance> {
        let configured = configured.iter().map(|access| {
            let config::Access { code, label, role, expires, max_members } = access.clone();
            let retired = self.retired.get(&Mark::code(&code)).copied();
            // One that goes has no name of its own any more: that is its successor's.
            let label = if retired.is_some() { format!("{label}~").into() } else { label };
            let expires = expires.into_iter().chain(retired).min();
            Entrance { code, label, role, expires, max_members, uses: None }
        });
        let made = self.made.values().filter_map(|made| {
            let Made { code, label, role, expires, uses, retired } = made.clone();
            let (role, expires) = (role.min(Role::Moderator), if retired { Some(0) } else { expires });
            Some(Entrance { code: code.parse().ok()?, label, role, expires, max_members: None, uses })
        });
        configured.chain(made).collect()
    }
}

/// Until when something counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// For so long.
    For(Duration),
    /// Until it is taken back.
    TakenBack,
}

impl Until {
    /// How long that is, if it is known.
    pub(super) fn wait(self) -> Option<Duration> {
        match self {
            Self::For(wait) => Some(wait),
            Self::TakenBack => None,
        }
    }
}

/// By what somebody who comes in is known.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    pub(super) account: Option<Folded>,
    pub(super) key: Option<KeyHash>,
    pub(super) name: Option<Folded>,
    pub(super) source: Option<Source>,
}

impl Marks {
    fn all(&self) -> Vec<Mark> {
        let key = self.key.as_ref().map(Mark::key);
        let name = self.name.as_ref().map(Mark::name);
        let account = self.account.as_ref().map(Mark::account);
        account.into_iter().chain(key).chain(name).chain(self.source.map(Mark::source)).collect()
    }
}

/// The sentence that counts longest of those on these marks.
fn counting(sentences: &BTreeMap<Mark, Sentence>, marks: &[Mark], role: Role, unix_ms: u64) -> Option<Until> {
    let found = marks.iter().filter_map(|mark| sentences.get(mark));
    let counts = |sentence: &&Sentence| role < sentence.by && sentence.until.is_none_or(|until| until > unix_ms);
    let longest = found.filter(counts).max_by_key(|sentence| sentence.until.unwrap_or(u64::MAX))?;
    Some(match longest.until {
        None => Until::TakenBack,
        Some(until) => Until::For(Duration::from_millis(until - unix_ms)),
    })
}

/// A fact that holds something.
pub(super) fn hold<T: Serialize>(key: Box<str>, value: &T) -> Fact {
    // Nothing of ours fails to be written: there are texts and numbers only.
    Fact { key, value: Some(serde_json::to_string(value).unwrap_or_default().into()) }
}

/// A fact that holds a text as it stands.
pub(super) fn plainly(key: &str, value: impl ToString) -> Fact {
    Fact { key: key.into(), value: Some(value.to_string().into()) }
}

/// A fact that holds nothing any more.
pub(super) fn forget(key: impl Into<Box<str>>) -> Fact {
    Fact { key: key.into(), value: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_shows_nothing() {
        let name: Name = "Ann".parse().unwrap();
        let key = Mark::name(&name.folded()).under("ban");
        assert_eq!(key.split_once('/').and_then(|(_, hex)| Mark::read(hex)), Some(Mark::name(&name.folded())));
        assert!(!key.contains("ann"));
        for wrong in ["", "00", "é0000000000000000000000000000000", &"g".repeat(32), &"0".repeat(33)] {
            assert_eq!(Mark::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_can_not_be_read_means_nothing_and_is_kept() {
        let facts = ["topic", "closed/x", "ban/zz", "ban/00", "dance", "code/00112233445566778899aabbccddeeff"];
        let facts: Facts = facts.into_iter().map(|key| (key.into(), "\n".into())).collect();
        let rules = Rules::read(facts.clone());
        assert_eq!(rules, Rules { facts, ..Rules::default() });
    }

    #[test]
    fn no_fact_makes_an_owner() {
        let made = Made {
            code: "AAAA-AAAA".into(),
            label: "x".into(),
            role: Role::Owner,
            expires: None,
            uses: None,
            retired: false,
        };
        let code: Code = made.code.parse().unwrap();
        let facts: Facts = [hold(Mark::code(&code).under("code"), &made)]
            .into_iter()
            .filter_map(|fact| Some((fact.key, fact.value?)))
            .collect();
        assert_eq!(Rules::read(facts).codes(&[])[0].role, Role::Moderator);
    }
}
