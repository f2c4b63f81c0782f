//! Accounts: who is let in as one, what they are called, and whether a password is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use qun_core::{Instant, Role};

use super::Violation;
use super::ask::Asked;
use super::facts::Facts;
use super::json::Json;
use super::model::Model;
use super::wire::Wire;
use crate::sim::court::{COURT, LODGE};
use crate::sim::verdicts::HUSH;

/// The longest that a line may wait inside the server before it is handled, and an answer before it goes out.
const PATIENCE: Duration = Duration::from_secs(60);

/// An account, as the configuration has it.
#[derive(Clone, Debug)]
pub(in crate::sim) struct AccountFacts {
    /// As it is written.
    pub(in crate::sim) name: String,
    /// What its password begins with, up to a `/`.
    pub(in crate::sim) secret: String,
    /// The rooms that list it, and what it may do there at least.
    pub(in crate::sim) rooms: BTreeMap<String, Role>,
}

/// Who has logged in, and what was asked of whoever verifies.
#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct Logins {
    /// Who has given the right password of an account, and of which.
    people: BTreeMap<usize, String>,
    /// The codes that somebody has ever sent, as they are compared: by one of them their account may be remembered.
    sent: BTreeMap<usize, BTreeSet<String>>,
    /// The code by which somebody last wanted to be in a room.
    last: BTreeMap<(usize, String), String>,
    /// Where somebody of an account ever wanted to be.
    came: BTreeSet<(String, String)>,
    /// Who an account is on the wire.
    members: BTreeMap<String, String>,
    /// What was asked since the server's start.
    questions: Vec<Question>,
    /// When a password came from a source, for which name.
    tries: VecDeque<(Instant, usize, String)>,
    /// When each source sent those that were told to be wrong.
    wrong: VecDeque<(Instant, usize)>,
}

/// A password that is to be verified.
#[derive(Clone, Debug)]
struct Question {
    password: String,
    asked: Instant,
    /// When the server was given the verdict.
    heard: Option<Instant>,
}

impl Logins {
    pub(super) fn booted(&mut self) {
        self.questions.clear();
        self.tries.clear();
        self.wrong.clear();
    }

    /// The server wants to know whether a password is right.
    pub(in crate::sim) fn asks(&mut self, now: Instant, password: &str) {
        self.questions.push(Question { password: password.into(), asked: now, heard: None });
    }

    /// It hears whether it is.
    pub(in crate::sim) fn hears(&mut self, now: Instant, password: &str) {
        let mut open = self.questions.iter_mut().filter(|question| question.password == password);
        if let Some(question) = open.find(|question| question.heard.is_none()) {
            question.heard = Some(now);
        }
    }

    /// Somebody sends a code.
    pub(super) fn sends(&mut self, person: usize, code: &str) {
        self.sent.entry(person).or_default().insert(code.into());
    }

    /// The codes that somebody has ever sent.
    pub(super) fn sent_by(&self, person: usize) -> impl Iterator<Item = &String> {
        self.sent.get(&person).into_iter().flatten()
    }

    /// Somebody is let in as an account.
    pub(super) fn is_welcome(&mut self, frame: &Json) {
        if let (Some(account), Some(m)) = (frame.text("account"), frame.text("m")) {
            self.members.insert(account.to_lowercase(), m.into());
        }
    }

    /// Somebody wants to be in a room by a code; says whether nobody of their account ever did.
    pub(super) fn joins(&mut self, person: usize, room: &str, code: &str) -> bool {
        self.sends(person, code);
        self.last.insert((person, room.into()), code.into());
        let account = self.people.get(&person);
        account.is_none_or(|account| self.came.insert((account.clone(), room.into())))
    }

    /// The code by which somebody with an account last wanted to be in a room.
    pub(super) fn last(&self, person: usize, room: &str) -> Option<String> {
        self.account_of(person)?;
        self.last.get(&(person, room.into())).cloned()
    }

    /// The account whose password a person has given.
    pub(super) fn account_of(&self, person: usize) -> Option<&String> {
        self.people.get(&person)
    }

    /// Whether a member is an account.
    pub(super) fn is_account(&self, m: &str) -> bool {
        self.members.values().any(|member| member == m)
    }

    /// Whether a question about this password has waited as long as the server waits.
    fn is_unanswered(&self, password: &str, now: Instant, verify: Duration) -> bool {
        let is_late = |question: &Question| question.heard.is_none_or(|heard| heard >= question.asked + verify);
        self.questions.iter().any(|question| {
            // One that says nothing may have come at once.
            let is_over = question.heard.is_none() || now >= question.asked + verify;
            question.password == password && is_over && is_late(question)
        })
    }
}

impl Model {
    /// A client says hello, and may log in by that.
    pub(super) fn logs_in(
        &mut self,
        now: Instant,
        source: usize,
        person: usize,
        name: Option<&str>,
        password: Option<&str>,
    ) {
        let (Some(name), Some(password)) = (name.map(str::to_lowercase), password) else { return };
        if self.facts.is_right(&name, password) {
            self.logins.people.insert(person, name.clone());
        }
        self.logins.tries.push_back((now, source, name));
    }

    /// One who sends what they like may log in by it.
    pub(super) fn logs_in_rudely(&mut self, now: Instant, source: usize, line: &str) {
        if !line.contains("password") && !line.contains("/login") {
            return;
        }
        let name = Json::read(line.as_bytes()).and_then(|line| line.text("name").map(str::to_lowercase));
        self.logins.tries.push_back((now, source, name.unwrap_or_default()));
    }

    /// Whether a name is an account's, or was since this configuration.
    pub(super) fn is_protected(&self, name: &str, version: usize) -> bool {
        self.since(version).any(|facts| facts.accounts.contains_key(&name.to_lowercase()))
    }

    /// What the account of a person might always do in a room because it is listed there, whichever configuration counts.
    pub(super) fn listed_at_least(&self, person: usize, room: &str) -> Role {
        let account = self.logins.account_of(person);
        self.since(0).map(|facts| facts.listed(account, room).unwrap_or(Role::Read)).min().unwrap_or(Role::Read)
    }

    /// What the account of a person ever might do in a room because it was listed there.
    pub(super) fn listed_at_most(&self, person: usize, room: &str) -> Role {
        let account = self.logins.account_of(person);
        account.and_then(|name| self.highest_listed(name, room)).unwrap_or(Role::Read)
    }

    /// Somebody without an account who is called as one is, of those whom a roster has.
    pub(super) fn is_called_as_an_account<'a>(&self, roster: &'a BTreeMap<String, String>) -> Option<&'a String> {
        let is_guest = |m: &String| self.people.whose(m).is_some_and(|person| self.logins.account_of(person).is_none());
        let mut called = roster.iter().filter(|(_, name)| self.facts.accounts.contains_key(&name.to_lowercase()));
        called.find(|(m, _)| is_guest(m)).map(|(_, name)| name)
    }

    /// Whoever is welcome with a password is so as the account that it opens, and in the rooms that list it: now or since this
    /// configuration.
    pub(super) fn is_let_in(
        &self,
        frame: &Json,
        name: &str,
        password: Option<&str>,
        version: usize,
    ) -> Result<(), Violation> {
        let mut all = self.since(version).map(|facts| self.is_let_in_by(facts, frame, name, password));
        let first = all.next().unwrap_or(Ok(()));
        if first.is_ok() || all.any(|result| result.is_ok()) { Ok(()) } else { first }
    }

    fn is_let_in_by(&self, facts: &Facts, frame: &Json, name: &str, password: Option<&str>) -> Result<(), Violation> {
        let account = frame.text("account");
        let Some(password) = password else {
            return match account {
                Some(account) => wrong(format!("{account} is let in without a password")),
                None => Ok(()),
            };
        };
        let Some(facts) = facts.accounts.get(&name.to_lowercase()).filter(|_| facts.is_right(name, password)) else {
            return wrong(format!("{name} is let in by a wrong password"));
        };
        if account != Some(&facts.name) {
            return wrong(format!("{} is let in as {account:?}", facts.name));
        }
        let room = |room: &Json| Some((room.text("id")?.to_string(), Role::named(room.text("role")?)?));
        let rooms: BTreeMap<_, _> = frame.list("rooms").unwrap_or_default().iter().filter_map(room).collect();
        let is_told = |(room, least): (&String, &Role)| rooms.get(room).is_some_and(|told| told >= least);
        let may = |(room, told): (&String, &Role)| self.may_enter(facts, room).is_some_and(|most| *told <= most);
        if !facts.rooms.iter().all(is_told) || !rooms.iter().all(may) {
            return wrong(format!("{} is told that it may enter {rooms:?}", facts.name));
        }
        Ok(())
    }

    /// As what an account may enter a room without a code, at most: as the room lists it, by what it was given, or by a code
    /// that somebody has sent who knows its password.
    fn may_enter(&self, account: &AccountFacts, room: &str) -> Option<Role> {
        let folded = account.name.to_lowercase();
        let people = self.logins.people.iter().filter(|(_, name)| **name == folded);
        let sent = people.filter_map(|(person, _)| self.logins.sent.get(person)).flatten();
        let role = |code: &String| {
            self.highest_by(room, code).or_else(|| match room {
                COURT => self.court.codes.get(code).map(|(_, most)| *most),
                LODGE => (*code == self.court.lodge).then_some(Role::Talk),
                _ => None,
            })
        };
        let by_code = sent.filter_map(role).max();
        let gift = self.logins.members.get(&folded).and_then(|m| self.given(m)).filter(|_| room == COURT);
        let role = by_code.max(account.rooms.get(room).copied());
        role.map(|role| gift.map_or(role, |gift| role.max(gift)))
    }

    /// Somebody is called something: an account as it is called, and nobody else so.
    pub(super) fn is_theirs(&mut self, name: &str, m: &str) -> Result<(), Violation> {
        let folded = name.to_lowercase();
        // Of one that came or went of late, some are still called so, or not yet.
        let is_one = self.facts.accounts.contains_key(&folded);
        if self.lately().any(|facts| facts.accounts.contains_key(&folded) != is_one) {
            return Ok(());
        }
        if let Some(account) = self.facts.accounts.get(&folded) {
            let known = self.logins.members.entry(folded).or_insert_with(|| m.into());
            if known != m || account.name != name {
                return wrong(format!("{m} is called {name}, as the account {known} is"));
            }
        } else if self.logins.members.iter().any(|(of, member)| member == m && self.facts.accounts.contains_key(of)) {
            return wrong(format!("the account {m} is called {name}"));
        }
        Ok(())
    }

    pub(super) fn are_theirs(&mut self, roster: Option<&BTreeMap<String, String>>) -> Result<(), Violation> {
        roster.into_iter().flatten().try_for_each(|(m, name)| self.is_theirs(name, m))
    }

    /// Whether so many passwords have come that no other is looked at: from this source, for this name, or at all.
    fn may_be_locked_out(&mut self, source: usize, name: &str, now: Instant) -> bool {
        let limits = &self.facts.limits;
        let long = limits.guess_every * limits.guess_burst + PATIENCE;
        let tries = &mut self.logins.tries;
        while tries.pop_front_if(|(at, ..)| *at + long < now).is_some() {}
        let count = |is: &dyn Fn(&(Instant, usize, String)) -> bool| tries.iter().filter(|tried| is(tried)).count();
        count(&|(_, by, _)| *by == source) >= limits.guess_burst as usize
            || count(&|(_, _, of)| of == name) >= limits.guess_burst as usize
            || count(&|(at, ..)| *at + PATIENCE > now) >= limits.guess_per_s as usize
    }

    /// A source is told that the password was wrong that it sent at this time: not too often.
    fn guessed_password(&mut self, source: usize, sent: Instant, now: Instant) -> Result<(), Violation> {
        let limits = &self.facts.limits;
        let wrongs = &mut self.logins.wrong;
        wrongs.push_back((sent, source));
        let long = limits.guess_every + limits.verify;
        while wrongs.pop_front_if(|(at, _)| *at + long < now).is_some() {}
        let count = wrongs.iter().filter(|(_, other)| *other == source).count();
        // What was sent at most that long ago, and one more for each time that one more is allowed.
        if count > limits.guess_burst as usize + 3 {
            return wrong(format!("source {source} may try {count} passwords"));
        }
        Ok(())
    }
}

impl Wire {
    /// A client is not let in with the password that it gives.
    pub(super) fn login_refused(
        &self,
        model: &mut Model,
        now: Instant,
        asked: &Asked,
        name: &str,
        password: &str,
        code: &str,
    ) -> Result<(), Violation> {
        let verify = model.facts.limits.verify;
        let folded = name.to_lowercase();
        let secret = |facts: &Facts| facts.accounts.get(&folded).map(|account| account.secret.clone());
        let was_changed = model.since(asked.version).any(|facts| secret(facts) != secret(&model.facts));
        let was_wrong = model.since(asked.version).any(|facts| !facts.is_right(name, password));
        let is_so = match code {
            "bad_password" if was_wrong => {
                return model.guessed_password(self.source, asked.at, now);
            }
            "locked" => model.may_be_locked_out(self.source, &name.to_lowercase(), now),
            "unavailable" => was_changed || model.logins.is_unanswered(password, now, verify),
            _ => false,
        };
        if is_so { Ok(()) } else { wrong(format!("there is no reason to refuse {name} as {code}")) }
    }

    /// What leaves the server has no password in it.
    pub(super) fn tells_no_password(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.last.extend_from_slice(bytes);
        let result = is_hushed("somebody", &self.last);
        self.last.drain(..self.last.len().saturating_sub(HUSH.len() - 1));
        result
    }
}

/// Nothing of a password is in what somebody is told.
pub(super) fn is_hushed(who: &str, bytes: &[u8]) -> Result<(), Violation> {
    let is_told = bytes.windows(HUSH.len()).any(|window| window == HUSH.as_bytes());
    if is_told { wrong(format!("{who} is told a password")) } else { Ok(()) }
}

fn wrong<T>(text: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::new(13, text))
}

#[cfg(test)]
mod tests {
    use qun_core::{ConnId, Limits};

    use super::super::{Facts, Oracle, Trust};
    use super::*;

    /// What an oracle finds wrong where ann has an account, and these lines come and go on connections of clients, each by
    /// its number: `↑` what the client says, `↓` what it is told.
    fn finds(lines: &[(u32, &str)]) -> Option<String> {
        let ann = AccountFacts { name: "ann".into(), secret: "hush-ann".into(), rooms: BTreeMap::new() };
        let accounts = BTreeMap::from([("ann".into(), ann)]);
        let mut oracle =
            Oracle::new(Facts { rooms: BTreeMap::new(), accounts, guests: true, limits: Limits::default() });
        let now = Instant::from_micros(5_000_000);
        let conn = |index| ConnId { index, generation: 0 };
        for index in 0..=lines.iter().map(|(of, _)| *of).max().unwrap_or_default() {
            oracle.opened(now, conn(index), Trust::Client(index as usize), index as usize);
        }
        for (of, line) in lines {
            match line.strip_prefix('↑') {
                Some(line) => oracle.up(now, conn(*of), format!("{line}\n").as_bytes()),
                None => oracle.down(now, conn(*of), format!("{}\n", line.trim_start_matches('↓')).as_bytes()),
            }
        }
        oracle.violation().map(|violation| violation.text.clone())
    }

    fn hello(name: &str, password: Option<&str>) -> String {
        let password = password.map(|password| format!(r#","password":"{password}""#)).unwrap_or_default();
        format!(r#"↑{{"t":"hello","id":"h","v":[1],"name":"{name}"{password}}}"#)
    }

    fn welcome(m: &str, name: &str, account: Option<&str>) -> String {
        let account = account.map(|name| format!(r#","account":"{name}","rooms":[]"#)).unwrap_or_default();
        let Limits { line, text, replay, burst, per_s, ping, grace, .. } = Limits::default();
        let (bytes, lines, ping, grace) = (text.bytes, text.lines, ping.as_secs(), grace.as_secs());
        let limits = format!(
            r#"{{"line":{line},"text":{bytes},"lines":{lines},"replay":{replay},"burst":{burst},"per_s":{per_s}}}"#
        );
        format!(
            r#"↓{{"t":"welcome","re":"h","m":"{m}","name":"{name}","resumed":false,"now":0,"ping_s":{ping},"grace_s":{grace},"limits":{limits}{account}}}"#
        )
    }

    #[test]
    fn a_right_password_lets_in_and_a_wrong_one_does_not() {
        let lets_in = |password: Option<&str>, account: Option<&str>| {
            finds(&[(0, &hello("ann", password)), (0, &welcome("A", "ann", account))])
        };
        assert_eq!(lets_in(Some("hush-ann/1"), Some("ann")), None);
        let is =
            |found: Option<String>, what: &str| assert!(found.as_ref().is_some_and(|f| f.contains(what)), "{found:?}");
        is(lets_in(Some("hush-ann?/1"), Some("ann")), "ann is let in by a wrong password");
        is(lets_in(None, Some("ann")), "ann is let in without a password");
        is(lets_in(Some("hush-ann/1"), None), "ann is let in as None");
    }

    #[test]
    fn nobody_else_is_called_as_an_account_is() {
        let account = [(0, hello("ann", Some("hush-ann/1"))), (0, welcome("A", "ann", Some("ann")))];
        let finds_with = |second: [(u32, String); 2]| {
            let lines: Vec<_> = account.iter().chain(&second).map(|(of, line)| (*of, line.as_str())).collect();
            finds(&lines)
        };
        assert_eq!(finds_with([(1, hello("ann", None)), (1, welcome("B", "ann-2", None))]), None);
        let found = finds_with([(1, hello("ann", None)), (1, welcome("B", "ann", None))]);
        assert!(
            found.as_ref().is_some_and(|found| found.contains("B is called ann, as the account A is")),
            "{found:?}"
        );
        let found = finds_with([(1, hello("Ann", None)), (1, welcome("B", "Ann", None))]);
        assert!(found.as_ref().is_some_and(|found| found.contains("B is called Ann")), "{found:?}");
    }
}
