//! Order: nobody acts beyond their role, and every act holds from its place in the log on.
//!
//! The model is a fold of what the log has committed. Of somebody's role only bounds are known from outside: the codes that
//! they have ever sent, what lists their account, and what they were given. So of who is known to talk at most is demanded
//! that they give no order and obey all that count for them.

use std::collections::BTreeMap;

use qun_core::log::{Kind, Record};
use qun_core::{Act, Instant, Role, Subject};

use super::Violation;
use super::json::Json;
use super::model::{Model, canonical};
use super::wire::Wire;
use crate::sim::court::COURT;

/// What is known of the court.
#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct Court {
    /// Its codes as they are compared, and the role of each.
    pub(in crate::sim) codes: BTreeMap<String, Role>,
    /// The lowest and the highest role of the codes that somebody has ever sent.
    ranks: BTreeMap<usize, (Role, Role)>,
    /// Who a member is.
    members: BTreeMap<String, usize>,
    /// What bears a token: who sent it, as what, and by what somebody is to be known again.
    told: BTreeMap<u64, Told>,
    /// What each history of the room comes to.
    histories: BTreeMap<String, Fold>,
    /// What the room was told to forget, with the place of the act, and the history.
    removed: BTreeMap<u64, (String, u64)>,
    /// The highest role that a member was ever given.
    gifts: BTreeMap<String, Role>,
    /// Up to here the server has done what the acts say, in this history.
    done: (String, u64),
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
    /// Who was put out, where; by a ban that is over before the log has it nobody is, so with until when it counts.
    put_out: Vec<(u64, String, u64)>,
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

/// A connection of somebody at court.
#[derive(Clone, Debug, Default)]
pub(super) struct Seat {
    me: Option<String>,
    /// The newest message as they came in, while they are in.
    since: Option<u64>,
    /// Orders that have no answer.
    asked: BTreeMap<String, String>,
    /// As whom, and with which password, it says hello.
    hello: (String, Option<String>),
    /// Whose password the next line at netcat is.
    login: Option<String>,
}

impl Model {
    /// Somebody at court sends a line.
    pub(super) fn court_hears(&mut self, person: usize, line: &str, request: Option<&Json>) {
        let letters = canonical(line);
        for (_, role) in self.court.codes.iter().filter(|(code, _)| letters.contains(*code)) {
            let rank = self.court.ranks.entry(person).or_insert((*role, *role));
            *rank = (rank.0.min(*role), rank.1.max(*role));
        }
        let sent: Vec<_> = self.court.codes.keys().filter(|code| letters.contains(*code)).cloned().collect();
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
    fn most(&self, m: &str) -> Option<Role> {
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
    fn least(&self, m: &str) -> Option<Role> {
        Some(self.court.ranks.get(self.court.members.get(m)?)?.0)
    }

    /// The log has taken a message of the court.
    pub(super) fn court_commits(&mut self, epoch: &str, record: &Record) -> Result<(), Violation> {
        let (m, seq) = (record.member.to_string(), record.seq.get());
        let told = token(record.text.as_str()).and_then(|token| Some((token, self.court.told.get(&token)?.clone())));
        if let Some((_, told)) = &told {
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
            Act::Kick { on, .. } => fold.put_out.extend(m(on).map(|m| (seq, m, u64::MAX))),
            Act::Ban { on, until, .. } => {
                let by_name = (by.is_empty() || by.iter().any(|by| by == "name")) && !is_account(on);
                let sentence = sentence(on, until, by_name);
                if let Some(m) = sentence.m.clone().filter(|_| sentence.by_member && is_put_out) {
                    fold.put_out.push((seq, m, sentence.until));
                }
                pass(&mut fold.bans, sentence);
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

    /// The server and its log have talked: what the log has, and owes no answer for, is done.
    pub(super) fn court_is_done(&mut self) {
        if let Some((epoch, head)) = self.told(COURT).filter(|_| !self.drafts.is_appending(COURT)) {
            self.court.done = (epoch.into(), head);
        }
    }

    /// Nothing that was taken back is shown.
    fn is_taken_back(&self, line: &str) -> Result<(), Violation> {
        let (epoch, done) = &self.court.done;
        let is_done = |(of, seq): &(String, u64)| of == epoch && seq <= done;
        let shown = line.split('§').skip(1).filter_map(number);
        match shown.into_iter().find(|token| self.court.removed.get(token).is_some_and(is_done)) {
            Some(token) => wrong(format!("§{token} was taken back, and is shown")),
            None => Ok(()),
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

impl Wire {
    /// Somebody at court sends a line.
    pub(super) fn court_says(&mut self, model: &mut Model, now: Instant, person: usize, line: &str) {
        let request = Json::read(line.as_bytes());
        self.stranger.counts_join(request.as_ref(), line);
        model.court_hears(person, line, request.as_ref());
        let Some(request) = request else {
            if let Some(name) = self.seat.login.take() {
                return model.logs_in(now, self.source, person, Some(&name), Some(line));
            }
            self.seat.login = line.strip_prefix("/login ").map(String::from);
            // What is typed by one who was put out is taken for a code.
            model.people.tries(now, self.source);
            return line.split_whitespace().for_each(|word| model.people.named(person, word));
        };
        if let (Some("hello"), Some(name)) = (request.text("t"), request.text("name")) {
            model.people.named(person, name);
            model.logs_in(now, self.source, person, Some(name), request.text("password"));
            self.seat.hello = (name.into(), request.text("password").map(String::from));
        }
        let (what, id) = (request.text("t").unwrap_or_default(), request.text("id"));
        if is_order(what) {
            self.seat.asked.extend(id.map(|id| (id.into(), what.into())));
        }
        if matches!(what, "bye") {
            self.is_leaving = true;
        }
    }

    /// And reads one.
    pub(super) fn court_reads(&mut self, model: &mut Model, person: usize, line: &str) -> Result<(), Violation> {
        // What has waited, or a part of it, may have been written before.
        if self.is_prompt {
            model.is_taken_back(line)?;
        }
        let Some(frame) = Json::read(line.as_bytes()).filter(|_| line.starts_with('{')) else { return Ok(()) };
        let re = frame.text("re").unwrap_or_default();
        match frame.text("t").unwrap_or_default() {
            "welcome" => {
                let (m, name) = (frame.text("m").unwrap_or_default(), frame.text("name").unwrap_or_default());
                let (wanted, password) = &self.seat.hello;
                model.is_let_in(&frame, wanted, password.as_deref(), 0)?;
                model.is_theirs(name, m)?;
                model.people.named(person, name);
                model.court.members.insert(m.into(), person);
                self.seat.me = Some(m.into());
            }
            "joined" => self.seat.since = frame.number("head"),
            "left" => self.seat.since = None,
            "msg" => {
                let Some(since) = self.seat.since else { return wrong("a message to somebody who is out") };
                let seq = frame.number("seq").unwrap_or_default();
                let epoch = model.told(COURT).map(|(epoch, _)| epoch.to_string()).unwrap_or_default();
                let fold = model.court.histories.get(&epoch);
                let mut put_out = fold.into_iter().flat_map(|fold| &fold.put_out);
                let is_it = |(at, m, until): &&(u64, String, u64)| {
                    (since + 1..seq).contains(at) && self.seat.me.as_ref() == Some(m) && model.latest < *until
                };
                if let Some((at, ..)) = put_out.find(is_it) {
                    return wrong(format!("{seq} reaches somebody who was put out at {at}"));
                }
            }
            "ok" | "code" => {
                let Some(what) = self.seat.asked.remove(re) else { return Ok(()) };
                let most = self.seat.me.as_ref().and_then(|me| model.most(me));
                if most.is_some_and(|most| most < needs(&what)) {
                    return wrong(format!("{what} is done for one who is {most:?} at most"));
                }
            }
            "error" => {
                let Some(what) = self.seat.asked.remove(re) else { return Ok(()) };
                let least = self.seat.me.as_ref().and_then(|me| model.least(me));
                let has_no_object = matches!(what.as_str(), "topic" | "close" | "open");
                if frame.text("code") == Some("forbidden")
                    && has_no_object
                    && least.is_some_and(|least| least >= needs(&what))
                {
                    return wrong(format!("{what} is forbidden to one who is {least:?}"));
                }
            }
            "bye" => self.is_over = true,
            _ => {}
        }
        Ok(())
    }

    /// An order that has no answer.
    pub(super) fn court_unsettled(&self) -> Option<String> {
        let (id, what) = self.seat.asked.first_key_value().filter(|_| !self.is_over && !self.is_leaving)?;
        Some(format!("the order {what} ({id}) has no answer"))
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
fn needs(what: &str) -> Role {
    if matches!(what, "close" | "open" | "role" | "code") { Role::Owner } else { Role::Moderator }
}

fn is_order(what: &str) -> bool {
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
