//! What is written of an order: the act, and the facts that it leaves.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use super::Server;
use super::order::Author;
use super::refusal::Refusal;
use super::rules::{Entrance, Gift, Made, Mark, Rules, Sentence, forget, hold, plainly};
use crate::act::{Act, Deed, Subject};
use crate::code::Code;
use crate::json::ShownCode;
use crate::log::Fact;
use crate::order::{By, CodeOrder, Missing, Order, Unfit};
use crate::role::Role;

/// The largest time of the wire.
const LAST: u64 = (1 << 53) - 1;
/// How long somebody without a key is known by their session at most.
const KEYLESS_MS: u64 = 24 * 60 * 60 * 1000;

/// What is written of an order.
pub(super) struct Plan {
    pub(super) act: Act,
    pub(super) facts: Vec<Fact>,
    /// A code that was made, for the one who asked.
    pub(super) made: Option<(Box<str>, ShownCode)>,
    /// Those who are in by this code go.
    pub(super) shut: Option<Code>,
}

impl From<Act> for Plan {
    fn from(act: Act) -> Self {
        Self { act, facts: Vec::new(), made: None, shut: None }
    }
}

impl Server {
    /// What is to be written of an order, if it is still allowed. `known`: by what those whom a ban is about were known as it
    /// was asked for.
    pub(super) fn plan(
        &mut self,
        by: Author,
        room: u32,
        order: Order,
        on: Option<Subject>,
        known: Vec<Mark>,
    ) -> Result<Plan, Refusal> {
        let role = self.check(by.session, room, &order, on.as_ref())?;
        let now = self.now.unix_ms;
        let until = |for_s: Option<u64>| for_s.map(|s| now.saturating_add(s.saturating_mul(1_000)).min(LAST));
        let somebody = || on.clone().ok_or(Refusal::NotFound(Missing::Member));
        let mut plan: Plan = match order {
            Order::Kick { why, .. } => {
                let on = somebody()?;
                let facts = self.forgotten(&on).into_iter().collect();
                Plan { facts, ..Act::Kick { on, why }.into() }
            }
            Order::Ban { by: marks, for_s, why, .. } => {
                let (on, until) = (somebody()?, until(for_s));
                let sentence = Sentence { name: on.name.clone(), m: on.m, by: role, until };
                let now = self.ban_marks(room, &on, &marks).unwrap_or_default();
                let is_here = on.m.is_some_and(|member| !self.in_room(room, member).is_empty());
                let marks: BTreeSet<_> = known.into_iter().chain(now.into_iter().filter(|_| is_here)).collect();
                let bans = marks.into_iter().map(|mark| hold(mark.under("ban"), &sentence));
                let facts = bans.chain(self.forgotten(&on)).collect();
                Plan { facts, ..Act::Ban { on, until, why }.into() }
            }
            Order::Mute { for_s, why, .. } => {
                let (on, until) = (somebody()?, until(for_s));
                let facts = self.mute_facts(room, &on, role, until)?;
                Plan { facts, ..Act::Mute { on, until, why }.into() }
            }
            Order::Unban { .. } => {
                let on = somebody()?;
                let facts = self.taken_back(room, "ban", |rules| &rules.bans, &on);
                Plan { facts, ..Act::Unban { on }.into() }
            }
            Order::Unmute { .. } => {
                let on = somebody()?;
                let facts = self.taken_back(room, "mute", |rules| &rules.mutes, &on);
                Plan { facts, ..Act::Unmute { on }.into() }
            }
            Order::Topic { topic } => {
                let fact = topic.as_ref().map_or_else(|| forget("topic"), |topic| plainly("topic", topic));
                Plan { facts: [fact].into(), ..Act::Topic { topic }.into() }
            }
            Order::Remove { which, why } => Act::Remove { of: self.which(room, &which)?, on: somebody()?, why }.into(),
            Order::Close { why } => Plan { facts: [plainly("closed", 1)].into(), ..Act::Close { why }.into() },
            Order::Open => Plan { facts: [forget("closed")].into(), ..Act::Open.into() },
            Order::Role { role: given, .. } => {
                let on = somebody()?;
                let facts = self.gift_facts(room, &on, given)?;
                Plan { facts, ..Act::Role { on, role: given }.into() }
            }
            Order::Code(order) => self.plan_code(room, role, order)?,
        };
        let stale = self.rooms[room as usize].rules.as_ref().map(|rules| rules.stale(now)).unwrap_or_default();
        let is_new = |fact: &Fact| plan.facts.iter().all(|new| new.key != fact.key);
        let stale: Vec<_> = stale.into_iter().filter(is_new).collect();
        plan.facts.extend(stale);
        let none = Rules::default();
        let rules = self.rooms[room as usize].rules.as_deref().unwrap_or(&none);
        if !rules.has_room_for(&plan.facts) {
            return Err(Refusal::Unfit(Unfit::TooMany));
        }
        Ok(plan)
    }

    /// By what somebody is known who is to be kept out.
    pub(super) fn ban_marks(&self, room: u32, on: &Subject, by: &[By]) -> Result<Vec<Mark>, Refusal> {
        let name = Mark::name(&on.name.folded());
        let sessions = on.m.map(|member| self.in_room(room, member)).unwrap_or_default();
        let sessions: Vec<_> = sessions.into_iter().filter_map(|handle| self.sessions.get(handle)).collect();
        let Some(session) = sessions.first() else {
            // They are not there: what is known of them is their account, or their name.
            if by == [By::Source] {
                return Err(Refusal::Unfit(Unfit::Mark));
            }
            let account = on.m.and_then(|member| self.accounts.called(member));
            return Ok([account.map_or(name, Mark::account)].into());
        };
        let sources = sessions.iter().filter_map(|session| self.marks(session).source).map(Mark::source);
        let sources: Vec<_> = sources.collect();
        let keys = sessions.iter().filter(|session| session.keyed).map(|session| Mark::key(&session.key));
        let keys: Vec<_> = keys.collect();
        if let Some(account) = session.account.as_ref().filter(|_| by.is_empty()) {
            return Ok([Mark::account(account)].into());
        }
        if by.is_empty() {
            let key = keys.first().copied();
            return Ok(key.into_iter().chain([name, Mark::name(&session.name.folded())]).collect());
        }
        let mut marks = Vec::new();
        for by in by {
            let new = match (by, &session.account) {
                // An account is known by itself, whatever its key and its name.
                (By::Key | By::Name, Some(account)) => [Mark::account(account)].into(),
                (By::Key, None) => keys.clone(),
                (By::Name, None) => [name].into(),
                (By::Source, _) => sources.clone(),
            };
            if new.is_empty() {
                return Err(Refusal::Unfit(Unfit::Mark));
            }
            marks.extend(new);
        }
        Ok(marks)
    }

    fn mute_facts(&self, room: u32, on: &Subject, by: Role, until: Option<u64>) -> Result<Vec<Fact>, Refusal> {
        let handles = on.m.map(|member| self.in_room(room, member)).unwrap_or_default();
        let session = handles.first().and_then(|&handle| self.sessions.get(handle));
        let session = session.ok_or(Refusal::NotFound(Missing::Member))?;
        let sentence = Sentence { name: on.name.clone(), m: on.m, by, until };
        let key = Mark::session(session).under("mute");
        if session.keyed || session.account.is_some() {
            return Ok([hold(key, &sentence)].into());
        }
        // By their session they are known under any name, and by their name in any session.
        let ends = self.now.unix_ms.saturating_add(KEYLESS_MS);
        let here = Sentence { until: Some(until.map_or(ends, |until| until.min(ends))), ..sentence.clone() };
        Ok([hold(key, &here), hold(Mark::name(&on.name.folded()).under("mute"), &sentence)].into())
    }

    /// Lets go of every sentence of this kind that somebody has.
    fn taken_back(
        &self,
        room: u32,
        kind: &str,
        of: impl Fn(&Rules) -> &BTreeMap<Mark, Sentence>,
        on: &Subject,
    ) -> Vec<Fact> {
        let rules = self.rooms[room as usize].rules.as_deref();
        let sentences = rules.into_iter().flat_map(|rules| of(rules).iter());
        sentences.filter(|(_, sentence)| sentence.is_of(on)).map(|(mark, _)| forget(mark.under(kind))).collect()
    }

    fn gift_facts(&self, room: u32, on: &Subject, role: Option<Role>) -> Result<Vec<Fact>, Refusal> {
        let rules = self.rooms[room as usize].rules.as_deref();
        let Some(role) = role else {
            let gifts = rules.into_iter().flat_map(|rules| rules.gifts.iter());
            let facts: Vec<_> =
                gifts.filter(|(_, gift)| Some(gift.m) == on.m).map(|(mark, _)| forget(mark.under("role"))).collect();
            return if facts.is_empty() { Err(Refusal::NotFound(Missing::Gift)) } else { Ok(facts) };
        };
        let m = on.m.ok_or(Refusal::NotFound(Missing::Member))?;
        let session = self.in_room(room, m).first().and_then(|&handle| self.sessions.get(handle));
        let session = session.ok_or(Refusal::NotFound(Missing::Member))?;
        if !session.keyed && session.account.is_none() {
            return Err(Refusal::Unfit(Unfit::Key));
        }
        Ok([hold(Mark::session(session).under("role"), &Gift { name: on.name.clone(), m, role })].into())
    }

    fn plan_code(&mut self, room: u32, role: Role, order: CodeOrder) -> Result<Plan, Refusal> {
        let now = self.now.unix_ms;
        let later = |after_s: Option<u64>| match after_s {
            None | Some(0) => now,
            Some(after) => now.saturating_add(after.saturating_mul(1_000)).min(LAST),
        };
        match order {
            CodeOrder::Add { label, role, for_s, uses } => {
                let code = Code::generate(&mut self.entropy);
                let label = label.unwrap_or_else(|| self.free_label(room));
                let expires = for_s.map(|s| later(Some(s)));
                Ok(made(
                    &code,
                    Made { code: code.canonical().into(), label, role, expires, uses, retired: false },
                    Deed::Added,
                    Vec::new(),
                ))
            }
            CodeOrder::Rotate { label, after_s } => {
                let old = self.entrance_of(room, label.as_deref(), role, false)?;
                let code = Code::generate(&mut self.entropy);
                let facts = self.retire(room, &old.code, later(after_s));
                let Entrance { label, role, expires, uses, .. } = old;
                Ok(made(
                    &code,
                    Made { code: code.canonical().into(), label, role, expires, uses, retired: false },
                    Deed::Rotated,
                    facts,
                ))
            }
            CodeOrder::Retire { label, after_s, kick } => {
                let old = self.entrance_of(room, Some(&label), role, kick)?;
                let mut facts = self.retire(room, &old.code, later(after_s));
                let (mark, rules) = (Mark::code(&old.code), self.rooms[room as usize].rules.as_deref());
                if let Some(rules) = rules.filter(|_| kick) {
                    facts.extend(rules.forget_who_came(|came| came.code == mark));
                }
                let act = Act::Code { label: old.label, deed: Deed::Retired };
                Ok(Plan { facts, shut: kick.then_some(old.code), ..act.into() })
            }
        }
    }

    /// A code lets nobody in any more from `at` on. Those who came by it are still known by it.
    fn retire(&self, room: u32, code: &Code, at: u64) -> Vec<Fact> {
        let (mark, now) = (Mark::code(code), self.now.unix_ms);
        let Some(made) = self.rooms[room as usize].rules.as_deref().and_then(|rules| rules.made.get(&mark)) else {
            let at = if at <= now { 0 } else { at };
            return [plainly(&mark.under("retired"), at)].into();
        };
        if made.retired {
            return Vec::new();
        }
        let expires = Some(made.expires.map_or(at, |expires| expires.min(at)));
        // It has no name of its own any more: that is its successor's.
        let mut labels = (1_u32..).map(|n| match n {
            1 => format!("{}~", made.label),
            n => format!("{}~{n}", made.label),
        });
        let label = match made.label.contains('~') {
            true => made.label.clone(),
            false => labels.find(|label| self.entrance(room, label).is_none()).unwrap_or_default().into(),
        };
        [hold(mark.under("code"), &Made { expires, label, retired: at <= now, ..made.clone() })].into()
    }

    /// A name for a code that was given none.
    fn free_label(&self, room: u32) -> Box<str> {
        let mut labels = (1_u32..).map(|n| format!("code-{n}"));
        labels.find(|label| self.entrance(room, label).is_none()).unwrap_or_default().into()
    }
}

/// A code that is new.
fn made(code: &Code, made: Made, deed: Deed, mut facts: Vec<Fact>) -> Plan {
    let label = made.label.clone();
    facts.push(hold(Mark::code(code).under("code"), &made));
    let shown = ShownCode(format!("{code}"));
    Plan { facts, made: Some((label.clone(), shown)), ..Act::Code { label, deed }.into() }
}
