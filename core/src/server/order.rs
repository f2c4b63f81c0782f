//! Orders of those who keep a room: who may give which, and what is written of them to the log.
//!
//! An order waits among the says of its room and becomes the last draft of an append. Whether it is allowed is asked twice:
//! when it comes, for a quick answer, and when it is written, because the acts before it may have changed that. From then on
//! it is as good as done, and `act` does it when its record comes.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Server;
use super::refusal::Refusal;
use super::room::Log;
use super::rules::{Gift, Made, Mark, Rules, Sentence, forget, hold, plainly};
use super::say::Says;
use super::slab::Handle;
use crate::act::{Act, Deed, Subject};
use crate::code::Code;
use crate::id::{ConnId, Id, MemberId, Seq};
use crate::json::ShownCode;
use crate::log::{Draft, Fact};
use crate::order::{By, CodeOrder, Forbidden, Missing, Order, Unfit, Which, Whom};
use crate::role::Role;

/// The largest time of the wire.
const LAST: u64 = (1 << 53) - 1;
/// How long somebody without a key is known by their session at most.
const KEYLESS_MS: u64 = 24 * 60 * 60 * 1000;

/// An order that waits to be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) by: Author,
    pub(super) order: Order,
    /// Whom it is about: who that was when it was given.
    pub(super) on: Option<Subject>,
    /// What was said behind it.
    pub(super) then: Says,
}

/// Who gave an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Author {
    pub(super) session: Handle,
    /// Where the answer goes, if it is still this session's.
    pub(super) conn: ConnId,
    pub(super) re: Option<Id>,
}

/// An act on its way to the log and back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Acting {
    pub(super) by: Author,
    pub(super) act: Act,
    pub(super) facts: Vec<Fact>,
    /// A code that was made, for the one who asked.
    pub(super) made: Option<(Box<str>, ShownCode)>,
    /// Those who are in by this code go.
    pub(super) shut: Option<Code>,
    /// Where it is in the log, once that is known.
    pub(super) seq: Option<Seq>,
}

/// What is written of an order.
struct Plan {
    act: Act,
    facts: Vec<Fact>,
    made: Option<(Box<str>, ShownCode)>,
    shut: Option<Code>,
}

impl From<Act> for Plan {
    fn from(act: Act) -> Self {
        Self { act, facts: Vec::new(), made: None, shut: None }
    }
}

impl Server {
    /// Takes an order.
    pub(super) fn order(&mut self, by: Author, room: u32, order: Order) -> Result<(), Refusal> {
        let session = self.sessions.get(by.session).ok_or(Refusal::NotMember)?;
        let membership = session.memberships.get(&room).filter(|membership| membership.slot.is_some());
        membership.ok_or(Refusal::NotMember)?;
        if !self.rooms[room as usize].is_serving() {
            return Err(Refusal::RoomClosed);
        }
        self.has_right(by.session, room, &order)?;
        if let Order::Remove { which, .. } = &order {
            let seq = self.which(room, which)?;
            let Log::Open { first, .. } = self.rooms[room as usize].log else { return Err(Refusal::NotMember) };
            let (is_there, held) = (seq >= first, self.rooms[room as usize].held.record(seq));
            return match held {
                _ if !is_there || seq > self.rooms[room as usize].head() => Err(Refusal::NotFound(Missing::Message)),
                Some(record) => {
                    let record = record.clone();
                    self.remove_found(by, room, order, &record)
                }
                None => self.load_to_remove(by, room, order, seq),
            };
        }
        let on = self.subject(room, &order)?;
        self.queue(by, room, order, on)
    }

    /// Goes on with an order to remove a message, which is this.
    pub(super) fn remove_found(
        &mut self,
        by: Author,
        room: u32,
        order: Order,
        record: &crate::log::Record,
    ) -> Result<(), Refusal> {
        match record.kind {
            crate::log::Kind::Removed => Err(Refusal::NotFound(Missing::Message)),
            crate::log::Kind::Act(_) => Err(Refusal::Forbidden(Forbidden::Act)),
            crate::log::Kind::Say | crate::log::Kind::Me => {
                let Order::Remove { why, .. } = order else { return Ok(()) };
                let order = Order::Remove { which: Which::Message(record.seq), why };
                let on = Subject { m: Some(record.member), name: record.name.clone() };
                self.queue(by, room, order, Some(on))
            }
        }
    }

    /// Which message that is.
    fn which(&self, room: u32, which: &Which) -> Result<Seq, Refusal> {
        let whom = match which {
            Which::Message(seq) => return Ok(*seq),
            Which::Newest(whom) => whom,
        };
        let is_theirs = |record: &crate::log::Record| match whom {
            Whom::Member(m) => record.member == *m,
            Whom::Name(name) => record.name.folded() == name.folded(),
        };
        let said = |record: &&crate::log::Record| {
            matches!(record.kind, crate::log::Kind::Say | crate::log::Kind::Me) && is_theirs(record)
        };
        let newest = self.rooms[room as usize].held.newest().find(said);
        newest.map(|record| record.seq).ok_or(Refusal::NotFound(Missing::Message))
    }

    /// Lets an order wait for its turn, among what was said.
    fn queue(&mut self, by: Author, room: u32, order: Order, on: Option<Subject>) -> Result<(), Refusal> {
        self.check(by.session, room, &order, on.as_ref())?;
        let Some(session) = self.sessions.get_mut(by.session) else { return Err(Refusal::NotMember) };
        session.in_flight += 1;
        self.rooms[room as usize].asked.push_back(Asked { by, order, on, then: Says::default() });
        self.appends.push_back(room);
        Ok(())
    }

    /// Turns an order whose turn it is into the last draft of an append. What was said behind it waits on.
    pub(super) fn draft_act(&mut self, room: u32, asked: Asked, drafts: &mut Vec<Draft>) {
        let Asked { by, order, on, then } = asked;
        self.rooms[room as usize].waiting = then;
        match self.plan(by, room, order, on) {
            Ok(Plan { act, facts, made, shut }) => {
                let Some(session) = self.sessions.get(by.session) else { return };
                drafts.push(Draft {
                    once: None,
                    member: session.member,
                    name: session.name.clone(),
                    text: act.text(),
                    kind: act.clone().into(),
                    facts: facts.clone(),
                });
                let acting = Acting { by, act, facts, made, shut, seq: None };
                self.rooms[room as usize].acting = Some(Box::new(acting));
            }
            Err(refusal) => self.not_done(by, refusal),
        }
    }

    /// Says that an order is not followed.
    pub(super) fn not_done(&mut self, by: Author, refusal: Refusal) {
        if self.is_of(by.conn, by.session) {
            self.refuse(by.conn, by.re, refusal);
        }
        self.landed(by.session);
    }

    /// Whether somebody's role does for an order.
    fn has_right(&self, actor: Handle, room: u32, order: &Order) -> Result<Role, Refusal> {
        let role = self.role_of(actor, room).ok_or(Refusal::NotMember)?;
        if role < order.needs() {
            return Err(Refusal::Forbidden(Forbidden::Needs(order.needs())));
        }
        Ok(role)
    }

    /// Whether an order is allowed, as things are; and by which role. This is the one place that says so.
    fn check(&self, actor: Handle, room: u32, order: &Order, on: Option<&Subject>) -> Result<Role, Refusal> {
        let role = self.has_right(actor, room, order)?;
        let member = on.and_then(|on| on.m);
        let is_own = member.is_some() && member == self.sessions.get(actor).map(|session| session.member);
        let takes_back = matches!(order, Order::Unban { .. } | Order::Unmute { .. });
        if let Some(member) = member
            && !takes_back
            && !(is_own && matches!(order, Order::Remove { .. }))
            && self.member_role(room, member) >= role
        {
            return Err(Refusal::Forbidden(Forbidden::NotBelow));
        }
        let below = |given: Role| if given < role { Ok(()) } else { Err(Refusal::Forbidden(Forbidden::Gift)) };
        match order {
            Order::Kick { .. } | Order::Mute { .. } | Order::Role { role: Some(_), .. } => {
                let is_here = member.is_some_and(|member| !self.in_room(room, member).is_empty());
                is_here.then_some(()).ok_or(Refusal::NotFound(Missing::Member))?;
            }
            Order::Unban { .. } => self.may_take_back(room, role, on, true)?,
            Order::Unmute { .. } => self.may_take_back(room, role, on, false)?,
            _ => {}
        }
        match order {
            Order::Role { role: Some(given), .. } => below(*given)?,
            Order::Code(CodeOrder::Add { role: given, label, .. }) => {
                below(*given)?;
                let taken = |label: &str| self.entrance(room, label).is_some();
                if label.as_ref().is_some_and(|label| taken(label)) {
                    return Err(Refusal::Unfit(Unfit::Label));
                }
            }
            Order::Code(CodeOrder::Rotate { label, .. }) => {
                below(self.entrance_of(room, label.as_deref(), role)?.role)?;
            }
            Order::Code(CodeOrder::Retire { label, .. }) => below(self.entrance_of(room, Some(label), role)?.role)?,
            _ => {}
        }
        Ok(role)
    }

    /// The role of somebody who may not be there: what they were given, or what most have.
    fn member_role(&self, room: u32, member: MemberId) -> Role {
        let here = self.in_room(room, member).into_iter().filter_map(|handle| self.role_of(handle, room)).max();
        let given = || self.rooms[room as usize].rules.as_ref()?.role_of(member);
        here.or_else(given).unwrap_or_default()
    }

    /// The sessions of a member that are in a room: one, or several of an account.
    pub(super) fn in_room(&self, room: u32, member: MemberId) -> Vec<Handle> {
        let guest = self.sessions.by_member(member).into_iter();
        let all = guest.chain(self.accounts.sessions_of(member).iter().copied());
        let is_in = |handle: &Handle| {
            let session = self.sessions.get(*handle);
            session.is_some_and(|session| session.memberships.contains_key(&room))
        };
        all.filter(is_in).collect()
    }

    /// Whom an order is about.
    fn subject(&self, room: u32, order: &Order) -> Result<Option<Subject>, Refusal> {
        let (whom, missing) = match order {
            Order::Kick { whom, .. } | Order::Ban { whom, .. } | Order::Mute { whom, .. } => (whom, Missing::Member),
            Order::Role { whom, role: Some(_) } => (whom, Missing::Member),
            Order::Role { whom, role: None } => (whom, Missing::Gift),
            Order::Unban { whom } => (whom, Missing::Ban),
            Order::Unmute { whom } => (whom, Missing::Mute),
            _ => return Ok(None),
        };
        let handle = match whom {
            Whom::Member(m) => self.in_room(room, *m),
            Whom::Name(name) => match self.sessions.by_name(name).and_then(|guest| self.sessions.get(guest)) {
                Some(guest) => self.in_room(room, guest.member),
                None => self.in_room(room, MemberId::of_account(&name.folded())),
            },
        };
        let session = handle.first().and_then(|&handle| self.sessions.get(handle));
        if let Some(session) = session.filter(|_| !matches!(order, Order::Unban { .. })) {
            return Ok(Some(Subject { m: Some(session.member), name: session.name.clone() }));
        }
        // Somebody who is not there is known by what was done to them, or banned by a name.
        let rules = self.rooms[room as usize].rules.as_deref();
        let sentences = rules.into_iter().flat_map(|rules| match order {
            Order::Unban { .. } => rules.bans.values(),
            _ => rules.mutes.values(),
        });
        let sentenced = sentences.map(|sentence| (sentence.m, &sentence.name));
        let gifts = rules.into_iter().flat_map(|rules| rules.gifts.values()).map(|gift| (Some(gift.m), &gift.name));
        let is_whom = |(m, name): &(Option<MemberId>, &crate::name::Name)| match whom {
            Whom::Member(whom) => *m == Some(*whom),
            Whom::Name(whom) => name.folded() == whom.folded(),
        };
        let known = match order {
            Order::Unban { .. } | Order::Unmute { .. } => sentenced.into_iter().find(is_whom),
            Order::Role { role: None, .. } => gifts.into_iter().find(is_whom),
            _ => None,
        };
        match (known, order, whom) {
            (Some((m, name)), ..) => Ok(Some(Subject { m, name: name.clone() })),
            (None, Order::Ban { by, .. }, Whom::Name(name)) if by[..] == [By::Name] => {
                Ok(Some(Subject { m: None, name: name.clone() }))
            }
            _ => Err(Refusal::NotFound(missing)),
        }
    }

    /// Whether there is something to take back, and nobody higher did it.
    fn may_take_back(&self, room: u32, role: Role, on: Option<&Subject>, bans: bool) -> Result<(), Refusal> {
        let missing = Refusal::NotFound(if bans { Missing::Ban } else { Missing::Mute });
        let (Some(rules), Some(on)) = (self.rooms[room as usize].rules.as_deref(), on) else { return Err(missing) };
        let sentences = if bans { &rules.bans } else { &rules.mutes };
        let mut theirs = sentences.values().filter(|sentence| sentence.is_of(on)).peekable();
        theirs.peek().ok_or(missing)?;
        if theirs.any(|sentence| sentence.by > role) {
            return Err(Refusal::Forbidden(Forbidden::Higher));
        }
        Ok(())
    }

    fn entrance(&self, room: u32, label: &str) -> Option<super::rules::Entrance> {
        let mut codes = self.rooms[room as usize].codes(self.now.unix_ms).into_iter();
        codes.find(|entrance| &*entrance.label == label)
    }

    /// The code that an order is about: the one of this label, or the only one that is below the role.
    fn entrance_of(&self, room: u32, label: Option<&str>, role: Role) -> Result<super::rules::Entrance, Refusal> {
        if let Some(label) = label {
            return self.entrance(room, label).ok_or(Refusal::NotFound(Missing::Code));
        }
        let codes = self.rooms[room as usize].codes(self.now.unix_ms);
        let mut codes = codes.into_iter().filter(|entrance| entrance.role < role);
        match (codes.next(), codes.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(Refusal::NotFound(Missing::Code)),
        }
    }

    /// What is to be written of an order, if it is still allowed.
    fn plan(&mut self, by: Author, room: u32, order: Order, on: Option<Subject>) -> Result<Plan, Refusal> {
        let role = self.check(by.session, room, &order, on.as_ref())?;
        let now = self.now.unix_ms;
        let until = |for_s: Option<u64>| for_s.map(|s| now.saturating_add(s.saturating_mul(1_000)).min(LAST));
        let somebody = || on.clone().ok_or(Refusal::NotFound(Missing::Member));
        let mut plan: Plan = match order {
            Order::Kick { why, .. } => Act::Kick { on: somebody()?, why }.into(),
            Order::Ban { by: marks, for_s, why, .. } => {
                let (on, until) = (somebody()?, until(for_s));
                let sentence = Sentence { name: on.name.clone(), m: on.m, by: role, until };
                let marks = self.ban_marks(room, &on, &marks)?;
                let facts = marks.into_iter().map(|mark| hold(mark.under("ban"), &sentence)).collect();
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
    fn ban_marks(&self, room: u32, on: &Subject, by: &[By]) -> Result<Vec<Mark>, Refusal> {
        let name = Mark::name(&on.name.folded());
        let sessions = on.m.map(|member| self.in_room(room, member)).unwrap_or_default();
        let sessions: Vec<_> = sessions.into_iter().filter_map(|handle| self.sessions.get(handle)).collect();
        let Some(session) = sessions.first() else {
            // They have gone since, or were never there: what is known of them is their name.
            return Ok([name].into());
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
        of: impl Fn(&Rules) -> &alloc::collections::BTreeMap<Mark, Sentence>,
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
                    Made { code: code.canonical().into(), label, role, expires, uses },
                    Deed::Added,
                    Vec::new(),
                ))
            }
            CodeOrder::Rotate { label, after_s } => {
                let old = self.entrance_of(room, label.as_deref(), role)?;
                let code = Code::generate(&mut self.entropy);
                let facts = self.retire(room, &old.code, later(after_s));
                let super::rules::Entrance { label, role, expires, uses, .. } = old;
                Ok(made(
                    &code,
                    Made { code: code.canonical().into(), label, role, expires, uses },
                    Deed::Rotated,
                    facts,
                ))
            }
            CodeOrder::Retire { label, after_s, kick } => {
                let old = self.entrance_of(room, Some(&label), role)?;
                let facts = self.retire(room, &old.code, later(after_s));
                let act = Act::Code { label: old.label, deed: Deed::Retired };
                Ok(Plan { facts, shut: kick.then_some(old.code), ..act.into() })
            }
        }
    }

    /// A code lets nobody in any more from `at` on.
    fn retire(&self, room: u32, code: &Code, at: u64) -> Vec<Fact> {
        let mark = Mark::code(code);
        let rules = self.rooms[room as usize].rules.as_deref();
        match rules.and_then(|rules| rules.made.get(&mark)) {
            Some(_) if at <= self.now.unix_ms => [forget(mark.under("code"))].into(),
            Some(made) => {
                let expires = Some(made.expires.map_or(at, |expires| expires.min(at)));
                // It has no name of its own any more: that is its successor's.
                let label = alloc::format!("{}~", made.label).into();
                [hold(mark.under("code"), &Made { expires, label, ..made.clone() })].into()
            }
            None => [plainly(&mark.under("retired"), at)].into(),
        }
    }

    /// A name for a code that was given none.
    fn free_label(&self, room: u32) -> Box<str> {
        let mut labels = (1_u32..).map(|n| alloc::format!("code-{n}"));
        labels.find(|label| self.entrance(room, label).is_none()).unwrap_or_default().into()
    }
}

impl Sentence {
    fn is_of(&self, on: &Subject) -> bool {
        (on.m.is_some() && self.m == on.m) || self.name.folded() == on.name.folded()
    }
}

/// A code that is new.
fn made(code: &Code, made: Made, deed: Deed, mut facts: Vec<Fact>) -> Plan {
    let label = made.label.clone();
    facts.push(hold(Mark::code(code).under("code"), &made));
    let shown = ShownCode(alloc::format!("{code}"));
    Plan { facts, made: Some((label.clone(), shown)), ..Act::Code { label, deed }.into() }
}
