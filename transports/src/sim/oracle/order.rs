//! Order: nobody acts beyond their role, and every act holds from its place in the log on.
//!
//! The model is a fold of what the log has committed. Of somebody's role only bounds are known from outside: the codes that
//! they have ever sent, what lists their account, and what they were given. So of who is known to talk at most is demanded
//! that they give no order and obey all that count for them.

use std::collections::{BTreeMap, BTreeSet};

use qun_core::log::{Kind, Record};
use qun_core::{Act, Deed, Instant, Role, Subject};

use super::Violation;
use super::codes::{Heard, Making};
use super::json::Json;
use super::model::{Model, canonical};
use super::reasons::{Asked, Who};
use super::rules::{Done, History, folded};
use crate::sim::court::COURT;
use crate::sim::incident::{Incident, Incidents};
use crate::sim::log::Committed;

/// What is known of the court.
#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct Court {
    /// Its codes as they are compared, and the role of each: at least and at most, where it is of one that was made.
    pub(in crate::sim) codes: BTreeMap<String, (Role, Role)>,
    /// The code of the room that takes no guests.
    pub(in crate::sim) lodge: String,
    /// The codes that were made and told.
    pub(super) heard: BTreeMap<String, Heard>,
    /// The acts that made a code which nobody is known to have been told.
    pub(super) making: Vec<Making>,
    /// The lowest and the highest role of the codes that somebody has ever sent.
    ranks: BTreeMap<usize, (Role, Role)>,
    /// Who a member is; who of them has a key; and where each was last.
    pub(super) members: BTreeMap<String, usize>,
    pub(super) keyed: BTreeSet<String>,
    pub(super) sources: BTreeMap<String, usize>,
    /// What they were ever called.
    pub(super) names: BTreeMap<String, BTreeSet<String>>,
    /// What bears a token: who sent it, as what, and by what somebody is to be known again.
    told: BTreeMap<u64, Told>,
    /// What each history of the room comes to.
    histories: BTreeMap<String, Fold>,
    /// What the room was told to forget, with the place of the act, and the history.
    removed: BTreeMap<u64, (String, u64)>,
    /// The highest role that a member was ever given.
    gifts: BTreeMap<String, Role>,
    /// Up to here the server has done what the acts say, in this history.
    pub(super) done: (String, u64),
    /// What counts behind each act of a history.
    pub(super) rules: BTreeMap<String, History>,
    /// What put somebody out, in its order; and who was told so as they came back, up to which of it.
    expulsions: Vec<Expulsion>,
    told_so: BTreeMap<String, usize>,
    /// When the connection was cut of those who were in, and have not come in or heard why they do not since.
    pub(super) away: BTreeMap<String, Instant>,
    /// What time it is.
    pub(super) now: Instant,
    /// The accounts that may have come to the room without guests, and those that have, in which history.
    pub(super) lodgers: BTreeMap<String, Option<String>>,
    pub(in crate::sim) incidents: Incidents,
}

/// An act that put somebody out.
#[derive(Clone, Debug)]
pub(super) struct Expulsion {
    pub(super) epoch: String,
    pub(super) seq: u64,
    pub(super) why: &'static str,
    m: Option<String>,
    name: String,
    /// By which act the code was made whose people went.
    code: Option<u64>,
    /// When the log had it, and when it was surely done.
    at: Instant,
    done: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Told {
    person: usize,
    what: String,
    by: Vec<String>,
}

/// What the acts of a history have left.
#[derive(Clone, Debug, Default)]
struct Fold {
    bans: Vec<Sentence>,
    mutes: Vec<Sentence>,
    is_closed: bool,
    /// Which token each message bears.
    tokens: BTreeMap<u64, u64>,
    /// Who was put out, where; by a ban that is over before the log has it nobody is, so with until when it counts, and
    /// whether it is one.
    put_out: Vec<(u64, String, u64, bool)>,
}

#[derive(Clone, Debug)]
struct Sentence {
    m: Option<String>,
    name: String,
    until: u64,
    /// Whether the member is meant, whatever they are called; and whether the name is, whoever bears it.
    by_member: bool,
    by_name: bool,
}

impl Model {
    /// Somebody at court sends a line.
    pub(super) fn court_hears(&mut self, person: usize, line: &str, request: Option<&Json>) {
        let letters = canonical(line);
        for (_, (least, most)) in self.court.codes.iter().filter(|(code, _)| letters.contains(*code)) {
            let rank = self.court.ranks.entry(person).or_insert((*least, *most));
            *rank = (rank.0.min(*least), rank.1.max(*most));
        }
        let codes = self.court.codes.keys().chain([&self.court.lodge]);
        let sent: Vec<_> = codes.filter(|code| !code.is_empty() && letters.contains(*code)).cloned().collect();
        sent.iter().for_each(|code| self.logins.sends(person, code));
        let Some(token) = token(line) else { return };
        let text = |key| request.and_then(|request| request.text(key)).map(String::from);
        let command = line.strip_prefix('/').and_then(|line| line.split(' ').next());
        let what = text("t").or(command.map(String::from)).unwrap_or_else(|| "say".into());
        let by = request.and_then(|request| request.list("by")).unwrap_or_default();
        let by = by.iter().filter_map(|by| if let Json::Text(by) = by { Some(by.to_string()) } else { None }).collect();
        self.court.told.insert(token, Told { person, what, by });
    }

    /// The highest role that a member may have; `None`: nobody knows who that is.
    pub(super) fn most(&self, m: &str) -> Option<Role> {
        let person = self.court.members.get(m)?;
        let rank = self.court.ranks.get(person)?.1;
        let gift = self.court.gifts.get(m).copied().unwrap_or(rank);
        Some(rank.max(gift).max(self.listed_at_most(*person, COURT)))
    }

    /// The highest role that a member was ever given.
    pub(super) fn given(&self, m: &str) -> Option<Role> {
        self.court.gifts.get(m).copied()
    }

    /// The lowest that they have while they are in the room.
    pub(super) fn least(&self, m: &str) -> Option<Role> {
        Some(self.court.ranks.get(self.court.members.get(m)?)?.0)
    }

    /// The log has taken a message of the court.
    pub(super) fn court_commits(&mut self, committed: &Committed) -> Result<(), Violation> {
        let Committed { epoch, record, is_old, .. } = committed;
        let epoch = epoch.as_str();
        let (m, seq) = (record.member.to_string(), record.seq.get());
        let told = token(record.text.as_str()).and_then(|token| Some((token, self.court.told.get(&token)?.clone())));
        if let Some((_, told)) = told.as_ref().filter(|_| !is_old) {
            let known = *self.court.members.entry(m.clone()).or_insert(told.person);
            let is_twin = self.logins.is_account(&m);
            if known != told.person && !is_twin {
                return wrong(format!("{record:?} is called another's than who sent it"));
            }
            if told.what != record.kind.name() {
                return wrong(format!("{record:?} was sent as {:?}", told.what));
            }
        }
        if let Some((token, _)) = &told {
            // A log that has let go of it takes it once more.
            self.court.removed.remove(token);
        }
        let by = told.as_ref().map(|(_, told)| told.by.clone()).unwrap_or_default();
        let most = self.most(&m);
        let fold = self.court.histories.entry(epoch.into()).or_default();
        fold.tokens.extend(told.as_ref().map(|(token, _)| (seq, *token)));
        match &record.kind {
            Kind::Say | Kind::Me => {
                let is_low = most.is_some_and(|most| most < Role::Moderator);
                match fold.forbids(&m, record.name.as_str(), self.latest).filter(|_| is_low) {
                    Some(why) => wrong(format!("{m} is {why}, and has said {record:?}")),
                    None => Ok(()),
                }
            }
            Kind::Removed => Ok(()),
            Kind::Act(act) => {
                let act = (**act).clone();
                self.may_act(&m, most, &act, record)?;
                self.does(epoch, seq, &act, &by);
                self.leaves(committed, &act, &by, most.unwrap_or(Role::Owner));
                Ok(())
            }
        }
    }

    /// Whoever did this may have: their role does, those whom it is about are lower, and so is what they gave.
    fn may_act(&self, m: &str, most: Option<Role>, act: &Act, record: &Record) -> Result<(), Violation> {
        let Some(most) = most else { return Ok(()) };
        if most < needs(act.name()) {
            return wrong(format!("{m} is {most} at most, and has done {record:?}"));
        }
        let on = match act {
            Act::Kick { on, .. } | Act::Mute { on, .. } | Act::Role { on, .. } => on.m.map(|m| m.to_string()),
            _ => None,
        };
        if on.as_ref().and_then(|on| self.least(on)).is_some_and(|on| on >= most) {
            return wrong(format!("{m} is {most} at most, and has done {record:?} to one who is as high"));
        }
        match act {
            Act::Role { role: Some(role), .. } if *role >= most => {
                wrong(format!("{m} is {most} at most, and has given the role {role}"))
            }
            _ => Ok(()),
        }
    }

    fn does(&mut self, epoch: &str, seq: u64, act: &Act, by: &[String]) {
        let is_account = |on: &Subject| on.m.is_some_and(|m| self.logins.is_account(&m.to_string()));
        // A ban says nothing to whoever has come by a role meanwhile that is not lower than its author's.
        let most = |on: &Subject| on.m.and_then(|m| self.most(&m.to_string()));
        let is_put_out = matches!(act, Act::Ban { on, .. } if most(on).is_some_and(|most| most < Role::Moderator));
        let Some(fold) = self.court.histories.get_mut(epoch) else { return };
        let m = |on: &Subject| on.m.map(|m| m.to_string());
        let sentence = |on: &Subject, until: &Option<u64>, by_name| Sentence {
            m: m(on),
            name: on.name.as_str().to_lowercase(),
            until: until.unwrap_or(u64::MAX),
            by_member: by.is_empty() || by.iter().any(|by| by == "key") || is_account(on),
            by_name,
        };
        match act {
            Act::Kick { on, .. } => fold.put_out.extend(m(on).map(|m| (seq, m, u64::MAX, false))),
            Act::Ban { on, until, .. } => {
                // Whoever has no key is known by none.
                let is_known = is_account(on) || m(on).is_some_and(|m| self.court.keyed.contains(&m));
                let by_name = (by.is_empty() || by.iter().any(|by| by == "name")) && !is_account(on);
                let sentence = sentence(on, until, by_name);
                if let Some(m) = sentence.m.clone().filter(|_| sentence.by_member && is_put_out) {
                    fold.put_out.push((seq, m, sentence.until, true));
                }
                pass(&mut fold.bans, Sentence { by_member: sentence.by_member && is_known, ..sentence });
            }
            Act::Unban { on } => fold.bans.retain(|ban| !ban.is_of(on)),
            Act::Mute { on, until, .. } => {
                pass(&mut fold.mutes, Sentence { by_member: true, ..sentence(on, until, false) });
            }
            Act::Unmute { on } => fold.mutes.retain(|mute| !mute.is_of(on)),
            Act::Close { .. } => fold.is_closed = true,
            Act::Open => fold.is_closed = false,
            Act::Role { on, role } => {
                if let Some((m, role)) = m(on).zip(*role) {
                    let most = self.court.gifts.entry(m).or_insert(role);
                    *most = role.max(*most);
                }
            }
            Act::Remove { of, .. } => {
                // Unless it stands there once more, because the log had let go of this one when it was sent again.
                let again = |token: &u64| fold.tokens.range(of.get() + 1..).any(|(_, other)| other == token);
                if let Some(token) = fold.tokens.get(&of.get()).filter(|token| !again(token)) {
                    self.court.removed.insert(*token, (epoch.into(), seq));
                }
            }
            Act::Topic { .. } | Act::Code { .. } => {}
        }
    }

    /// What counts from here on.
    fn leaves(&mut self, committed: &Committed, act: &Act, by: &[String], most: Role) {
        let Committed { epoch, record, is_old, .. } = committed;
        let (epoch, seq) = (epoch.as_str(), record.seq.get());
        let on = match act {
            Act::Kick { on, .. } | Act::Ban { on, .. } | Act::Mute { on, .. } => Some(on),
            _ => None,
        };
        let m = on.and_then(|on| on.m).map(|m| m.to_string()).unwrap_or_default();
        let done = Done {
            seq,
            act,
            by,
            most,
            is_account: self.logins.is_account(&m),
            is_keyed: self.court.keyed.contains(&m),
            source: self.court.sources.get(&m).copied(),
        };
        let history = self.court.rules.entry(epoch.into()).or_default();
        let code = match act {
            Act::Code { label, deed: Deed::Retired } => history.now().called(label).map(|made| made.seq),
            _ => None,
        };
        history.does(&done);
        let why = match act {
            Act::Kick { .. } => "kicked",
            Act::Ban { .. } => "banned",
            Act::Code { deed: Deed::Retired, .. } => "code_changed",
            Act::Code { label, .. } => {
                let (author, label) = (record.member.to_string(), label.to_string());
                return self.court.making.push(Making { epoch: epoch.into(), seq, author, label, ts: record.ts });
            }
            _ => return,
        };
        let name = on.map(|on| folded(on.name.as_str())).unwrap_or_default();
        let m = Some(m).filter(|m| !m.is_empty());
        let at = self.court.now;
        // In another history nobody is there any more who could be put out.
        if !is_old {
            self.court.expulsions.push(Expulsion { epoch: epoch.into(), seq, why, m, name, code, at, done: None });
        }
    }

    /// The server and its log have talked: what the log has, and owes no answer for, is done.
    pub(super) fn court_is_done(&mut self) {
        if let Some((epoch, head)) = self.told(COURT).filter(|_| !self.drafts.is_appending(COURT)) {
            self.court.done = (epoch.into(), head);
            let (now, (epoch, done)) = (self.court.now, &self.court.done);
            let is_done = |expulsion: &&mut Expulsion| expulsion.epoch == *epoch && expulsion.seq <= *done;
            for expulsion in self.court.expulsions.iter_mut().rev().take_while(|expulsion| expulsion.done.is_none()) {
                expulsion.done = Some(now).filter(|_| is_done(&expulsion));
            }
        }
    }

    /// Whoever was kicked while they were away has heard of it before they come in again, for as long as that is remembered.
    pub(super) fn is_told_of_kick(&self, asked: &Asked, who: &Who) -> Result<(), Violation> {
        let Some(away) = self.court.away.get(&who.m) else { return Ok(()) };
        let grace = self.facts.limits.grace;
        let is_it = |kick: &&Expulsion| {
            let is_while_away =
                kick.at > *away && kick.done.is_some_and(|done| done < *away + grace && done < asked.at);
            kick.why == "kicked" && kick.m.as_ref() == Some(&who.m) && is_while_away && self.court.now < kick.at + grace
        };
        match self.court.expulsions.iter().find(is_it) {
            Some(kick) => wrong(format!("{who:?} was kicked at {} while they were away, and comes in", kick.seq)),
            None => Ok(()),
        }
    }

    /// Nothing behind an act reaches somebody whom it put out, who came in with the message `since`.
    pub(super) fn is_put_out(&self, me: Option<&String>, since: u64, seq: u64) -> Result<(), Violation> {
        let fold = self.told(COURT).and_then(|(epoch, _)| self.court.histories.get(epoch));
        // Nor does a ban put out who has come by a role meanwhile that is not lower than its author's.
        let may_stay = me.and_then(|me| self.most(me)).is_none_or(|most| most >= Role::Moderator);
        let is_it = |(at, m, until, is_ban): &&(u64, String, u64, bool)| {
            (since + 1..seq).contains(at) && me == Some(m) && self.latest < *until && !(*is_ban && may_stay)
        };
        match fold.and_then(|fold| fold.put_out.iter().find(is_it)) {
            Some((at, ..)) => wrong(format!("{seq} reaches somebody who was put out at {at}")),
            None => Ok(()),
        }
    }

    /// Nothing that was taken back is shown.
    pub(super) fn is_taken_back(&self, line: &str) -> Result<(), Violation> {
        let (epoch, done) = &self.court.done;
        let is_done = |(of, seq): &(String, u64)| of == epoch && seq <= done;
        let shown = line.split('§').skip(1).filter_map(number);
        match shown.into_iter().find(|token| self.court.removed.get(token).is_some_and(is_done)) {
            Some(token) => wrong(format!("§{token} was taken back, and is shown")),
            None => Ok(()),
        }
    }
}

impl Court {
    /// The highest role of the codes that somebody has ever sent.
    pub(super) fn highest(&self, person: usize) -> Option<Role> {
        self.ranks.get(&person).map(|(_, most)| *most)
    }

    /// The lowest.
    pub(super) fn lowest(&self, person: usize) -> Option<Role> {
        self.ranks.get(&person).map(|(least, _)| *least)
    }

    /// Whether somebody was put out of whom it was not told yet as they came back.
    pub(super) fn was_put_out(&self, who: &Who) -> bool {
        let told = self.told_so.get(&who.m).copied().unwrap_or_default();
        let new = if who.is_account { 0 } else { told };
        self.expulsions.iter().skip(new).any(|expulsion| expulsion.is_of(self, who, None))
    }

    /// It is told.
    pub(super) fn tells_of_put_out(&mut self, who: &Who) {
        let told = self.told_so.get(&who.m).copied().unwrap_or_default();
        let next = self.expulsions.iter().skip(told).position(|expulsion| expulsion.is_of(self, who, None));
        self.told_so.insert(who.m.clone(), told + next.map_or(0, |next| next + 1));
    }

    /// Whether something may have put somebody out, for this reason, since this place in a history; and with those of which
    /// code, if it is known by which they are in.
    pub(super) fn puts_out(&self, who: &Who, why: &str, epoch: &str, since: u64, code: Option<u64>) -> bool {
        let is_it = |expulsion: &Expulsion| expulsion.why == why && expulsion.epoch == epoch && expulsion.seq > since;
        self.expulsions.iter().any(|expulsion| is_it(expulsion) && expulsion.is_of(self, who, code))
    }

    pub(super) fn counts(&mut self, incident: Incident) {
        self.incidents.count(incident);
    }
}

impl Expulsion {
    /// Whether it may be about somebody.
    fn is_of(&self, court: &Court, who: &Who, code: Option<u64>) -> bool {
        match self.why {
            "code_changed" => code.is_none_or(|code| self.code == Some(code)),
            "banned" => {
                let is_near = self.m.as_ref().and_then(|m| court.sources.get(m)) == Some(&who.source);
                let was_called_so = court.names.get(&who.m).is_some_and(|names| names.contains(&self.name));
                self.m.as_ref() == Some(&who.m) || was_called_so || is_near
            }
            _ => self.m.as_ref() == Some(&who.m),
        }
    }
}

impl Fold {
    /// Why somebody who talks at most may not speak.
    fn forbids(&self, m: &str, name: &str, latest: u64) -> Option<&'static str> {
        let name = name.to_lowercase();
        let counts = |sentence: &Sentence| {
            let is_it =
                sentence.by_member && sentence.m.as_deref() == Some(m) || sentence.by_name && sentence.name == name;
            is_it && latest < sentence.until
        };
        if self.bans.iter().any(counts) {
            Some("banned")
        } else if self.mutes.iter().any(counts) {
            Some("muted")
        } else {
            self.is_closed.then_some("in a closed room")
        }
    }
}

impl Sentence {
    fn is_of(&self, on: &Subject) -> bool {
        on.m.is_some_and(|m| self.m == Some(m.to_string())) || self.name == on.name.as_str().to_lowercase()
    }
}

/// One more sentence: it counts in the place of those on the same member, or the same name.
fn pass(sentences: &mut Vec<Sentence>, new: Sentence) {
    for old in sentences.iter_mut() {
        old.by_member &= !(new.by_member && old.m == new.m);
        old.by_name &= !(new.by_name && old.name == new.name);
    }
    sentences.push(new);
}

/// The role that an order takes.
pub(super) fn needs(what: &str) -> Role {
    if matches!(what, "close" | "open" | "role" | "code") { Role::Owner } else { Role::Moderator }
}

pub(super) fn is_order(what: &str) -> bool {
    let moderators = ["kick", "ban", "unban", "mute", "unmute", "topic", "remove"];
    moderators.contains(&what) || needs(what) == Role::Owner
}

/// The number behind the first `§`.
fn token(text: &str) -> Option<u64> {
    number(text.split_once('§')?.1)
}

fn number(text: &str) -> Option<u64> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn wrong<T>(text: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::new(14, text))
}
