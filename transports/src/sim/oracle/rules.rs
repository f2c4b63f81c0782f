//! What the acts of a history have left behind each of them: who is banned or muted, who was given a role, which codes were made.
//!
//! An act is done some time between its place in the log and the moment at which the server is told of it, and whoever asks for
//! something is answered by what counts then. So what stood behind every act is kept, and a reason is right if it was at any
//! place between what was done as somebody asked and what the log had as they were answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use qun_core::{Act, Deed, Role, Subject};

/// By what somebody is known again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// A key, or an account: each is one member.
    Member(String),
    Name(String),
    Source(usize),
}

/// A ban or a mute.
#[derive(Clone, Debug)]
pub(super) struct Sentence {
    pub(super) m: Option<String>,
    /// As it is compared.
    pub(super) name: String,
    pub(super) until: u64,
    /// The highest role that its author may have had: it says nothing to somebody who has that.
    pub(super) by: Role,
}

/// A code that was made.
#[derive(Clone, Debug)]
pub(super) struct Made {
    /// By the act at this place.
    pub(super) seq: u64,
    /// Its name, as long as that is its own.
    pub(super) label: Option<String>,
    pub(super) is_retired: bool,
    /// Whose place it has taken.
    pub(super) after: Option<u64>,
}

/// What counts behind an act.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) seq: u64,
    pub(super) is_closed: bool,
    pub(super) topic: Option<String>,
    pub(super) bans: BTreeMap<Mark, Sentence>,
    /// Until when somebody is banned where they are, of whom nobody knows where that is.
    pub(super) hidden: u64,
    pub(super) mutes: BTreeMap<Mark, Sentence>,
    pub(super) gifts: BTreeMap<String, (String, Role)>,
    pub(super) codes: Vec<Made>,
    pub(super) removed: BTreeSet<u64>,
}

/// An act, and what is to be known of it.
#[derive(Clone, Debug)]
pub(super) struct Done<'a> {
    pub(super) seq: u64,
    pub(super) act: &'a Act,
    /// By what somebody is to be known again, as it was asked for.
    pub(super) by: &'a [String],
    /// The highest role that the author may have.
    pub(super) most: Role,
    /// Whether the one it is about has an account, or a key, and where they are.
    pub(super) is_account: bool,
    pub(super) is_keyed: bool,
    pub(super) source: Option<usize>,
}

impl Rules {
    /// What counts behind one act more.
    pub(super) fn after(&self, done: &Done<'_>) -> Self {
        let mut rules = Self { seq: done.seq, ..self.clone() };
        let m = |on: &Subject| on.m.map(|m| m.to_string());
        let sentence = |on: &Subject, until: &Option<u64>| Sentence {
            m: m(on),
            name: folded(on.name.as_str()),
            until: until.unwrap_or(u64::MAX),
            by: done.most,
        };
        match done.act {
            Act::Ban { on, until, .. } => {
                let marks = done.ban_marks(m(on), on.name.as_str());
                if done.source.is_none() && done.by.iter().any(|by| by == "source") {
                    rules.hidden = rules.hidden.max(until.unwrap_or(u64::MAX));
                }
                rules.bans.extend(marks.into_iter().map(|mark| (mark, sentence(on, until))));
            }
            Act::Unban { on } => rules.bans.retain(|_, ban| !ban.is_of(on)),
            Act::Mute { on, until, .. } => {
                let name = (!done.is_account && !done.is_keyed).then(|| Mark::Name(folded(on.name.as_str())));
                let marks = m(on).map(Mark::Member).into_iter().chain(name);
                rules.mutes.extend(marks.map(|mark| (mark, sentence(on, until))));
            }
            Act::Unmute { on } => rules.mutes.retain(|_, mute| !mute.is_of(on)),
            Act::Close { .. } => rules.is_closed = true,
            Act::Open => rules.is_closed = false,
            Act::Role { on, role: Some(role) } => {
                rules.gifts.extend(m(on).map(|m| (m, (folded(on.name.as_str()), *role))));
            }
            Act::Role { on, role: None } => rules.gifts.retain(|gifted, _| Some(gifted) != m(on).as_ref()),
            Act::Remove { of, .. } => _ = rules.removed.insert(of.get()),
            Act::Code { label, deed } => rules.code(done.seq, label, *deed),
            Act::Topic { topic } => rules.topic = topic.as_ref().map(|topic| topic.as_str().into()),
            Act::Kick { .. } => {}
        }
        rules
    }

    fn code(&mut self, seq: u64, label: &str, deed: Deed) {
        let mut old = None;
        if deed != Deed::Added {
            let is_it = |made: &&mut Made| made.label.as_deref() == Some(label);
            if let Some(made) = self.codes.iter_mut().find(is_it) {
                (made.label, made.is_retired) = (None, true);
                old = Some(made.seq);
            }
        }
        if deed != Deed::Retired {
            self.codes.push(Made { seq, label: Some(label.into()), is_retired: false, after: old });
        }
    }

    /// The code that is called so.
    pub(super) fn called(&self, label: &str) -> Option<&Made> {
        self.codes.iter().find(|made| made.label.as_deref() == Some(label))
    }

    /// The code that was made by this act.
    pub(super) fn made(&self, seq: u64) -> Option<&Made> {
        self.codes.iter().find(|made| made.seq == seq)
    }

    /// The role that a member was given.
    pub(super) fn gift(&self, m: &str) -> Option<Role> {
        self.gifts.get(m).map(|(_, role)| *role)
    }
}

impl Done<'_> {
    fn ban_marks(&self, m: Option<String>, name: &str) -> Vec<Mark> {
        let by = |what: &str| self.by.iter().any(|by| by == what);
        let member = || m.clone().map(Mark::Member);
        let mut marks = Vec::new();
        if self.is_account && (self.by.is_empty() || by("key") || by("name")) {
            marks.extend(member());
        }
        if !self.is_account {
            marks.extend(member().filter(|_| self.is_keyed && (self.by.is_empty() || by("key"))));
            marks.extend((self.by.is_empty() || by("name")).then(|| Mark::Name(folded(name))));
        }
        marks.extend(self.source.filter(|_| by("source")).map(Mark::Source));
        marks
    }
}

impl Sentence {
    pub(super) fn is_of(&self, on: &Subject) -> bool {
        on.m.is_some_and(|m| self.m == Some(m.to_string())) || self.name == folded(on.name.as_str())
    }
}

/// What counts behind each act of a history, in their order; at first nothing does.
#[derive(Clone, Debug)]
pub(super) struct History(Vec<Arc<Rules>>);

impl Default for History {
    fn default() -> Self {
        Self(vec![Arc::default()])
    }
}

impl History {
    pub(super) fn does(&mut self, done: &Done<'_>) {
        let next = self.now().after(done);
        self.0.push(Arc::new(next));
    }

    /// What counts behind all of it.
    pub(super) fn now(&self) -> &Rules {
        self.0.last().unwrap_or_else(|| unreachable!("at first nothing counts"))
    }

    /// All that has counted since everything up to `from` was done.
    pub(super) fn since(&self, from: u64) -> &[Arc<Rules>] {
        let done = self.0.partition_point(|rules| rules.seq <= from);
        &self.0[done.saturating_sub(1)..]
    }
}

/// A name as it is compared.
pub(super) fn folded(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod tests {
    use qun_core::MemberId;

    use super::*;

    const BOB: u64 = 7;

    fn bob() -> Subject {
        Subject { m: Some(MemberId::from_bits(BOB)), name: "Bob".parse().unwrap() }
    }

    /// What counts behind these acts, on somebody who has a key and no account.
    fn behind(acts: &[Act], by: &[&str]) -> Rules {
        let by: Vec<String> = by.iter().map(ToString::to_string).collect();
        let mut history = History::default();
        for (act, seq) in acts.iter().zip(1..) {
            let (most, source) = (Role::Owner, Some(3));
            history.does(&Done { seq, act, by: &by, most, is_account: false, is_keyed: true, source });
        }
        history.now().clone()
    }

    #[test]
    fn a_ban_is_on_what_it_was_asked_for_and_ends_with_all_of_it() {
        let ban = Act::Ban { on: bob(), until: Some(5), why: None };
        let member = Mark::Member(MemberId::from_bits(BOB).to_string());
        let marks = |by: &[&str]| behind(std::slice::from_ref(&ban), by).bans.into_keys().collect::<Vec<_>>();
        assert_eq!(marks(&[]), [member.clone(), Mark::Name("bob".into())]);
        assert_eq!(marks(&["name"]), [Mark::Name("bob".into())]);
        assert_eq!(marks(&["key", "source"]), [member, Mark::Source(3)]);
        assert!(behind(&[ban, Act::Unban { on: bob() }], &[]).bans.is_empty());
    }

    #[test]
    fn a_code_has_its_name_until_another_has_its_place_or_it_is_retired() {
        let act = |deed| Act::Code { label: "extra".into(), deed };
        let rules = behind(&[act(Deed::Added), act(Deed::Rotated)], &[]);
        assert!(rules.made(1).is_some_and(|made| made.is_retired && made.label.is_none()));
        assert_eq!(rules.called("extra").map(|made| (made.seq, made.after)), Some((2, Some(1))));
        let rules = behind(&[act(Deed::Added), act(Deed::Retired), act(Deed::Added)], &[]);
        assert_eq!(rules.called("extra").map(|made| (made.seq, made.after)), Some((3, None)));
    }

    #[test]
    fn what_counted_since_a_place_is_what_stood_there_and_all_behind_it() {
        let mut history = History::default();
        for (act, seq) in [(Act::Close { why: None }, 4), (Act::Open, 9)] {
            let (by, most) = (&[][..], Role::Owner);
            history.does(&Done { seq, act: &act, by, most, is_account: false, is_keyed: true, source: None });
        }
        let closed = |from| history.since(from).iter().map(|rules| rules.is_closed).collect::<Vec<_>>();
        assert_eq!(closed(0), [false, true, false]);
        assert_eq!(closed(4), [true, false]);
        assert_eq!(closed(8), [true, false]);
        assert_eq!(closed(9), [false]);
    }
}
