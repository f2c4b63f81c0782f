//! Why those at court are refused, and that they are not where there is no reason.
//!
//! What is answered to a request was decided at some moment between its arrival and the answer: so it is held against all that
//! has counted meanwhile ([`Rules`]), and against all that the connection was told meanwhile of who is there and as what
//! ([`View`]). An answer is wrong if it was right at none of these moments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use qun_core::log::Kind;
use qun_core::{Instant, Role};

use super::Violation;
use super::json::Json;
use super::model::{Model, Trouble};
use super::order::needs;
use super::rules::{Mark, Rules, Sentence, folded};
use crate::sim::court::COURT;

/// What somebody was told of the court: their role, and who is there, called what, as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) me: String,
    pub(super) role: Role,
    pub(super) roster: BTreeMap<String, (String, Role)>,
}

/// Something that was asked for and has no answer.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) want: Want,
    pub(super) at: Instant,
    /// What the server's clock for people showed.
    clock: u64,
    /// The history, and up to where it was surely done.
    pub(super) done: Option<(String, u64)>,
    /// Whether the room was open that it is about.
    pub(super) is_open: bool,
    /// How often the log could not append, load or open.
    troubles: [u64; 3],
    /// What they were told since.
    pub(super) views: Vec<Arc<View>>,
    /// Whether they missed who came and went since.
    pub(super) is_vague: bool,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) enum Want {
    Say,
    Order(Order),
    /// To be in a room: by a code, or by its name.
    Join {
        room: String,
        code: Option<String>,
    },
}

/// An order, as it was sent.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) what: String,
    whom: Option<String>,
    by: Vec<String>,
    pub(super) role: Option<Role>,
    seq: Option<u64>,
    pub(super) label: Option<String>,
    pub(super) deed: Option<String>,
    pub(super) for_s: Option<u64>,
    pub(super) uses: Option<u64>,
}

impl Order {
    /// Reads one; `None`: it is none, or names somebody in a way that nobody here does.
    pub(super) fn read(request: &Json) -> Option<Self> {
        let text = |key| request.text(key).map(String::from);
        let what = text("t").filter(|what| super::order::is_order(what) && request.get("m").is_none())?;
        let by = request.list("by").unwrap_or_default().iter();
        let by = by.filter_map(|by| if let Json::Text(by) = by { Some(by.to_string()) } else { None }).collect();
        Some(Self {
            what,
            whom: request.text("name").map(folded),
            by,
            role: request.text("role").and_then(Role::named),
            seq: request.number("seq"),
            label: text("label"),
            deed: text("do"),
            for_s: request.number("for_s"),
            uses: request.number("uses"),
        })
    }
}

/// Somebody, by what they may be known.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) person: usize,
    pub(super) m: String,
    pub(super) name: String,
    pub(super) source: usize,
    pub(super) is_account: bool,
}

/// What the server may answer to an order.
type Answers = BTreeSet<&'static str>;

impl Model {
    /// Something is asked for.
    pub(super) fn court_asks(&self, now: Instant, want: Want, view: Option<&Arc<View>>) -> Asked {
        let (epoch, done) = &self.court.done;
        let done = self.told(COURT).map(|(told, _)| match told == epoch {
            true => (told.into(), *done),
            false => (told.into(), self.opened_at(COURT)),
        });
        let room = if let Want::Join { room, .. } = &want { room.as_str() } else { COURT };
        let (troubles, is_open) = (self.court_troubles(room), self.told(room).is_some());
        let views = view.cloned().into_iter().collect();
        Asked { want, at: now, clock: self.clock, done, troubles, views, is_open, is_vague: false }
    }

    /// Whether a room may have been out of reach since.
    pub(super) fn is_unavailable(&self, room: &str, asked: &Asked) -> bool {
        self.court_troubles(room)[2] > asked.troubles[2]
    }

    fn court_troubles(&self, room: &str) -> [u64; 3] {
        [Trouble::Append, Trouble::Load, Trouble::Open].map(|trouble| self.troubles(room, trouble))
    }

    /// All that has counted since something was asked for.
    pub(super) fn has_counted(&self, asked: &Asked) -> Vec<Arc<Rules>> {
        let told = self.told(COURT);
        let histories = &self.court.rules;
        let (epoch, from) = match (&asked.done, told) {
            (Some((epoch, from)), Some((told, _))) if epoch == told => (told, *from),
            (_, Some((told, _))) => (told, self.opened_at(COURT)),
            // What the log has is known before the room is open, if the log says so.
            (_, None) => {
                let all = histories.values().flat_map(|history| history.since(0)).cloned();
                return all.chain([Arc::default()]).collect();
            }
        };
        histories.get(epoch).map_or_else(|| vec![Arc::default()], |history| history.since(from).to_vec())
    }

    /// What the server's clock has shown since, at least and at most.
    pub(super) fn clocks(&self, asked: &Asked) -> (u64, u64) {
        if self.set_back >= asked.at { (0, self.latest) } else { (asked.clock, self.clock) }
    }

    /// Whether what somebody says may be refused so.
    pub(super) fn may_refuse_say(&self, asked: &Asked, who: &Who, code: &str, is_in: bool) -> bool {
        let counted = self.has_counted(asked);
        let clocks = self.clocks(asked);
        let at_any = |is: &dyn Fn(&Rules, &View) -> bool| {
            counted.iter().any(|rules| asked.views.iter().any(|view| is(rules, view)))
        };
        match code {
            "muted" => at_any(&|rules, view| {
                let marks = [Mark::Member(who.m.clone()), Mark::Name(view.name())];
                may_count(&rules.mutes, &marks, view.role, clocks.0)
            }),
            "closed" => at_any(&|rules, view| rules.is_closed && view.role < Role::Moderator),
            "banned" => at_any(&|rules, view| {
                let of = |(mark, ban): (&Mark, &Sentence)| matches!(mark, Mark::Name(_)) && ban.until > clocks.0;
                rules.bans.iter().any(of) && view.role < Role::Owner
            }),
            "read_only" => asked.views.iter().any(|view| view.role < Role::Talk),
            "not_member" => !is_in,
            "unavailable" => self.court_troubles(COURT)[0] > asked.troubles[0],
            "slow_down" => self.facts.limits.burst > 0,
            _ => false,
        }
    }

    /// Whether an order may be answered so.
    pub(super) fn may_answer_order(&self, asked: &Asked, order: &Order, answer: &str, is_in: bool) -> bool {
        match answer {
            "not_member" => !is_in,
            "slow_down" => self.facts.limits.burst > 0,
            "unavailable" => {
                let now = self.court_troubles(COURT);
                let is_loaded = order.what == "remove";
                now[0] > asked.troubles[0] || is_loaded && now[1] >= asked.troubles[1]
            }
            _ if asked.is_vague => true,
            _ => {
                let (counted, clocks) = (self.has_counted(asked), self.clocks(asked));
                let each = counted.iter().flat_map(|rules| asked.views.iter().map(move |view| (rules, view)));
                let done = asked.done.as_ref().map_or(0, |(_, done)| *done);
                each.into_iter().any(|(rules, view)| self.answers(order, rules, view, clocks, done).contains(answer))
            }
        }
    }

    /// What the server may answer to an order where these rules count and this is who is there, and what was said up to
    /// `done` surely was.
    fn answers(&self, order: &Order, rules: &Rules, view: &View, clocks: (u64, u64), done: u64) -> Answers {
        if view.role < needs(&order.what) {
            return ["forbidden"].into();
        }
        let whom = order.whom.as_deref();
        let there = whom.and_then(|whom| view.roster.iter().find(|(_, (name, _))| name == whom));
        let is_account = whom.is_some_and(|whom| self.is_protected(whom, 0));
        let verdict = |role: Role| if role < view.role { "ok" } else { "forbidden" };
        match (order.what.as_str(), there) {
            ("topic" | "close" | "open", _) => ["ok"].into(),
            ("kick" | "mute", Some((_, (_, role)))) => [verdict(*role)].into(),
            ("ban", Some((_, (_, role)))) if *role >= view.role => ["forbidden"].into(),
            // Who has no key, or is away, is known by no key, or from nowhere.
            ("ban", Some(_)) if order.by.iter().any(|by| by != "name") => ["ok", "bad_field"].into(),
            ("ban", Some(_)) => ["ok"].into(),
            ("ban", None) if order.by == ["name"] && !is_account => ["ok"].into(),
            ("role", Some((_, (_, role)))) if *role >= view.role => ["forbidden"].into(),
            ("role", Some((m, _))) if order.role.is_none() => match rules.gift(m) {
                Some(_) => ["ok"].into(),
                None => ["not_found"].into(),
            },
            ("role", _) if order.role.is_some_and(|role| role >= view.role) => ["forbidden", "not_found"].into(),
            // Whoever has an account may have said so where nobody hears which.
            ("role", Some((m, _))) if is_account && !self.court.keyed.contains(m) => ["ok", "bad_field"].into(),
            ("role", Some((m, _))) => match self.court.keyed.contains(m) || self.logins.is_account(m) {
                true => ["ok"].into(),
                false => ["bad_field"].into(),
            },
            // An account may be remembered, and then it is dealt with as if it were there.
            ("kick" | "ban" | "role", None) if is_account => ["ok", "forbidden", "not_found", "bad_field"].into(),
            ("kick" | "ban" | "mute", None) => ["not_found"].into(),
            ("role", None) => match order.role.is_none() && rules.gifts.values().any(|(name, _)| Some(&**name) == whom)
            {
                true => ["ok"].into(),
                false => ["not_found"].into(),
            },
            ("unban", _) => self.takes_back(&rules.bans, None, whom, view.role),
            ("unmute", there) => self.takes_back(&rules.mutes, there.map(|(m, _)| m), whom, view.role),
            ("remove", _) => self.removes(order, rules, view, done),
            ("code", _) => self.codes(order, rules, clocks),
            _ => Answers::new(),
        }
    }

    /// What is answered to somebody who takes a sentence back: it is there, or it is not, or it has ended and may be either.
    fn takes_back(
        &self,
        sentences: &BTreeMap<Mark, Sentence>,
        m: Option<&String>,
        whom: Option<&str>,
        role: Role,
    ) -> Answers {
        let named = |sentence: &&Sentence| Some(sentence.name.as_str()) == whom;
        let of_them: Vec<_> = sentences.values().filter(named).filter_map(|sentence| sentence.m.as_ref()).collect();
        let is_theirs = |sentence: &&Sentence| {
            named(sentence) || sentence.m.as_ref().is_some_and(|of| Some(of) == m || of_them.contains(&of))
        };
        let theirs: Vec<_> = sentences.values().filter(is_theirs).collect();
        let mut answers = Answers::new();
        // By one that is over they may not be found.
        let finds = |sentence: &&&Sentence| named(sentence) || m.is_some() && sentence.m.as_ref() == m;
        if theirs.iter().filter(finds).all(|sentence| sentence.until <= self.latest) {
            answers.insert("not_found");
        }
        if !theirs.is_empty() {
            answers.insert("ok");
        }
        if theirs.iter().any(|sentence| sentence.by > role) {
            answers.insert("forbidden");
        }
        answers
    }

    fn removes(&self, order: &Order, rules: &Rules, view: &View, done: u64) -> Answers {
        let (epoch, head) = self.told(COURT).unwrap_or_default();
        let first = self.first(COURT, epoch);
        let book = self.book(COURT, epoch);
        let is_said = |seq: u64| !rules.removed.contains(&seq);
        let by_role = |record: &qun_core::log::Record| -> Answers {
            let m = record.member.to_string();
            let is_own = m == view.me;
            match view.roster.get(&m) {
                _ if is_own => ["ok"].into(),
                Some((_, role)) if *role >= view.role => ["forbidden"].into(),
                Some(_) => ["ok"].into(),
                None if self.logins.is_account(&m) => ["ok", "forbidden"].into(),
                None if rules.gift(&m).is_some_and(|role| role >= view.role) => ["forbidden"].into(),
                None => ["ok"].into(),
            }
        };
        let mut answers = match (order.seq, &order.whom) {
            (Some(seq), _) => match usize::try_from(seq).ok().and_then(|seq| book.get(seq.checked_sub(1)?)) {
                None => ["not_found"].into(),
                Some(record) => match record.kind {
                    Kind::Act(_) => ["forbidden"].into(),
                    Kind::Removed => ["not_found"].into(),
                    Kind::Say | Kind::Me if is_said(seq) => by_role(record),
                    Kind::Say | Kind::Me => ["not_found"].into(),
                },
            },
            (None, Some(whom)) => {
                let is_theirs = |record: &&qun_core::log::Record| {
                    let is_said = matches!(record.kind, Kind::Say | Kind::Me) && is_said(record.seq.get());
                    is_said && folded(record.name.as_str()) == *whom
                };
                // Which was their newest then is not known of those that have come since.
                let theirs: Vec<_> = book.iter().filter(is_theirs).collect();
                let new = theirs.iter().rev().take_while(|record| record.seq.get() > done).count();
                let mut answers: Answers =
                    theirs.iter().rev().take(new + 1).flat_map(|record| by_role(record)).collect();
                let newest = theirs.iter().rev().map(|record| record.seq.get()).find(|seq| *seq <= done);
                if newest.is_none_or(|newest| newest < first || !self.are_surely_held(COURT, epoch, newest, head)) {
                    answers.insert("not_found");
                }
                answers
            }
            (None, None) => Answers::new(),
        };
        if order.seq.is_some_and(|seq| seq < first || seq > done) {
            answers.insert("not_found");
        }
        answers
    }

    fn codes(&self, order: &Order, rules: &Rules, (clock, latest): (u64, u64)) -> Answers {
        let Some(label) = &order.label else { return Answers::new() };
        let made = rules.called(label);
        let heard = made.and_then(|made| self.court.heard.values().find(|heard| heard.is_of(self, made.seq)));
        match (order.deed.as_deref(), made) {
            (Some("add"), None) => ["ok"].into(),
            // So many are over that a room has forgotten some of them.
            (Some("add"), Some(_)) if rules.codes.len() > 64 => ["ok", "bad_field"].into(),
            (Some("add"), Some(_)) => ["bad_field"].into(),
            (Some("rotate" | "retire"), None) => ["not_found"].into(),
            (Some("retire"), Some(_)) if rules.codes.len() <= 64 => ["ok"].into(),
            (Some("rotate"), Some(_)) => {
                let (least, most) = heard.map_or((0, u64::MAX), |heard| heard.expires);
                let mut answers = Answers::new();
                answers.extend((most > clock).then_some("ok"));
                answers.extend((least <= latest).then_some("not_found"));
                answers
            }
            _ => ["ok", "not_found"].into(),
        }
    }

    /// Whether somebody is kept out: whether they may be, and whether they surely are.
    fn is_banned(&self, rules: &Rules, who: &Who, (least, most): (Role, Role), clocks: (u64, u64)) -> (bool, bool) {
        let marks = [Mark::Member(who.m.clone()), Mark::Name(folded(&who.name)), Mark::Source(who.source)];
        let by_number = |(mark, ban): (&Mark, &Sentence)| {
            let Mark::Name(name) = mark else { return false };
            self.may_be_called(&folded(&who.name), name) && ban.until > clocks.0 && least < ban.by
        };
        let may_be = may_count(&rules.bans, &marks, least, clocks.0)
            || rules.bans.iter().any(by_number)
            || rules.hidden > clocks.0;
        // Nor is it known what somebody is called whose name became an account's.
        let is_renamed = !who.is_account && self.is_protected(&who.name, 0);
        let sure = marks.iter().filter(|mark| !(is_renamed && matches!(mark, Mark::Name(_))));
        let mut bans = sure.filter_map(|mark| rules.bans.get(mark));
        // Whoever bans moderates at least. One that was over at any time may be forgotten, whatever the clock shows now.
        (may_be, bans.any(|ban| ban.until > self.latest) && most < Role::Moderator)
    }

    /// The roles that somebody may have who comes in so.
    fn roles_by(&self, rules: &Rules, who: &Who, code: Option<&String>) -> (Role, Role) {
        let (least, most) = match code {
            Some(code) => self.court.codes.get(code).copied().unwrap_or((Role::Read, Role::Owner)),
            None => (Role::Read, self.court.highest(who.person).unwrap_or(Role::Owner)),
        };
        let listed = [self.listed_at_least(who.person, COURT), self.listed_at_most(who.person, COURT)];
        let gift = rules.gift(&who.m).unwrap_or(Role::Read);
        (least.max(listed[0]).max(gift), most.max(listed[1]).max(gift))
    }

    /// Whether somebody may be let into the court as this. `is_in`: whether they surely are there already, or may be.
    pub(super) fn may_come_in(
        &self,
        asked: &Asked,
        who: &Who,
        code: Option<&String>,
        role: Role,
        (_, may_be_in): (bool, bool),
    ) -> Result<(), Violation> {
        let (counted, clocks) = (self.has_counted(asked), self.clocks(asked));
        let mut why = "their role is another one";
        for rules in &counted {
            let roles = self.roles_by(rules, who, code);
            if self.is_banned(rules, who, roles, clocks).1 {
                why = "they are banned";
            } else if rules.is_closed && roles.1 < Role::Moderator && !may_be_in {
                why = "the room is closed";
            } else if !may_be_in && !who.is_account && code.is_some_and(|code| !self.opens(rules, code, clocks).0) {
                why = "the code lets nobody in any more";
            } else if (roles.0..=roles.1).contains(&role) {
                return Ok(());
            }
        }
        Err(Violation::new(14, format!("{who:?} comes in as {role} by {code:?}, and {why}: {:?}", counted.last())))
    }

    /// Whether this may be told of the court, in answer to this or since then: what it is about, and that it is closed.
    pub(super) fn may_be_about(&self, asked: &Asked, room: &Json) -> bool {
        let (topic, is_closed) = (room.text("topic"), room.get("closed") == Some(&Json::Bool(true)));
        self.has_counted(asked).iter().any(|rules| rules.topic.as_deref() == topic && rules.is_closed == is_closed)
    }

    /// Whether somebody who is in may be told that this is their role.
    pub(super) fn may_have_role(&self, asked: &Asked, who: &Who, code: Option<&String>, role: Role) -> bool {
        let counted = self.has_counted(asked);
        counted.iter().map(|rules| self.roles_by(rules, who, code)).any(|(least, most)| (least..=most).contains(&role))
    }

    /// Whether a code may let somebody in who comes for the first time, and whether it surely does.
    fn opens(&self, rules: &Rules, code: &String, (clock, latest): (u64, u64)) -> (bool, bool) {
        let Some(heard) = self.court.heard.get(code) else { return (true, self.court.codes.contains_key(code)) };
        let epoch = self.told(COURT).map(|(epoch, _)| epoch);
        let made = heard.seq.and_then(|seq| rules.made(seq));
        let is_there = epoch == Some(&heard.epoch) && made.is_some_and(|made| !made.is_retired);
        let (may, surely) = heard.lets_in();
        let may_be_good = heard.expires.1 > clock;
        let is_good = heard.expires.0 > latest;
        // Of one that was told and whose act is not known, nothing is known.
        let is_unknown = heard.seq.is_none() || epoch != Some(&heard.epoch);
        (is_unknown || is_there && may_be_good && may, is_there && is_good && surely)
    }

    /// Whether somebody may be refused so who wants to be in the court.
    pub(super) fn may_refuse_join(
        &self,
        asked: &Asked,
        who: &Who,
        code: Option<&String>,
        answer: &str,
        is_in: bool,
    ) -> bool {
        let (counted, clocks) = (self.has_counted(asked), self.clocks(asked));
        let limits = &self.facts.limits;
        let heard = code.and_then(|code| self.court.heard.get(code));
        match answer {
            "banned" => counted.iter().any(|rules| {
                let roles = self.roles_by(rules, who, code);
                self.is_banned(rules, who, roles, clocks).0
            }),
            "closed" => {
                let is_below = |rules: &Rules| self.roles_by(rules, who, code).0 < Role::Moderator;
                !is_in && counted.iter().any(|rules| rules.is_closed && is_below(rules))
            }
            "kicked" => self.court.was_put_out(who),
            "no_guests" => !who.is_account && self.since(0).any(|facts| !facts.guests),
            "not_member" => code.is_none() && !is_in && self.listed_at_least(who.person, COURT) < Role::Talk,
            "code_expired" => {
                heard.is_some() && counted.iter().any(|rules| !self.opens(rules, code.unwrap_or(&who.m), clocks).1)
            }
            // Of a code that is over a room knows for a while that it was one; before it is open it may know none.
            "bad_code" => heard.is_some_and(|heard| {
                let is_new = asked.done.is_none() || self.told(COURT).is_none_or(|(epoch, _)| epoch != heard.epoch);
                is_new || heard.seq.is_none() || counted.iter().any(|rules| rules.codes.len() > 64)
            }),
            "unavailable" => self.is_unavailable(COURT, asked) || heard.is_some_and(|heard| heard.is_counted()),
            "room_full" => limits.full_members < 20 || limits.rooms <= 2,
            "slow_down" => limits.acts_burst > 0,
            "locked" => true,
            _ => false,
        }
    }
}

impl View {
    /// What they are called.
    fn name(&self) -> String {
        self.roster.get(&self.me).map(|(name, _)| name.clone()).unwrap_or_default()
    }
}

/// Whether a sentence on one of these marks may count for somebody of this role.
fn may_count(sentences: &BTreeMap<Mark, Sentence>, marks: &[Mark], role: Role, clock: u64) -> bool {
    let mut theirs = marks.iter().filter_map(|mark| sentences.get(mark));
    theirs.any(|sentence| sentence.until > clock && role < sentence.by)
}
