//! Who may give which order, on whom.

use alloc::vec::Vec;

use super::Server;
use super::refusal::Refusal;
use super::rules::{Entrance, Sentence};
use super::slab::Handle;
use crate::act::Subject;
use crate::id::{MemberId, Seq};
use crate::log::{Kind, Record};
use crate::name::Name;
use crate::order::{By, CodeOrder, Forbidden, Missing, Order, Unfit, Which, Whom};
use crate::role::Role;

impl Server {
    /// Whether somebody's role does for an order.
    pub(super) fn has_right(&self, actor: Handle, room: u32, order: &Order) -> Result<Role, Refusal> {
        let role = self.role_of(actor, room).ok_or(Refusal::NotMember)?;
        if role < order.verb().needs() {
            return Err(Refusal::Forbidden(Forbidden::Needs(order.verb().needs())));
        }
        Ok(role)
    }

    /// Whether an order is allowed, as things are; and by which role. This is the one place that says so.
    pub(super) fn check(&self, actor: Handle, room: u32, order: &Order, on: Option<&Subject>) -> Result<Role, Refusal> {
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
                let came = || on.is_some_and(|on| self.has_come(room, &Whom::Name(on.name.clone())).is_some());
                let is_known = is_here || (matches!(order, Order::Kick { .. }) && came());
                is_known.then_some(()).ok_or(Refusal::NotFound(Missing::Member))?;
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
                below(self.entrance_of(room, label.as_deref(), role, false)?.role)?;
            }
            Order::Code(CodeOrder::Retire { label, kick, .. }) => {
                below(self.entrance_of(room, Some(label), role, *kick)?.role)?;
            }
            _ => {}
        }
        Ok(role)
    }

    /// The role of somebody who may not be there: what they were given, what their account has without a code, or else what
    /// most have.
    fn member_role(&self, room: u32, member: MemberId) -> Role {
        let here = self.in_room(room, member).into_iter().filter_map(|handle| self.role_of(handle, room)).max();
        let away = || {
            let given = self.rooms[room as usize].rules.as_ref().and_then(|rules| rules.role_of(member));
            given.max(
                self.accounts.called(member).and_then(|account| self.rooms[room as usize].role_without_code(account)),
            )
        };
        here.or_else(away).unwrap_or_default()
    }

    /// The sessions of a member that are in a room: one, or several of an account.
    pub(super) fn in_room(&self, room: u32, member: MemberId) -> Vec<Handle> {
        let guest = self.sessions.by_member(member).into_iter();
        let all = guest.chain(self.accounts.sessions_of(member).iter().copied());
        let is_in = |handle: &Handle| {
            let session = self.sessions.get(*handle);
            session.is_some_and(|session| session.memberships.get(room).is_some())
        };
        all.filter(is_in).collect()
    }

    /// Whom an order is about.
    pub(super) fn subject(&self, room: u32, order: &Order) -> Result<Option<Subject>, Refusal> {
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
        let is_whom = |(m, name): &(Option<MemberId>, &Name)| match whom {
            Whom::Member(whom) => *m == Some(*whom),
            Whom::Name(whom) => name.folded() == whom.folded(),
        };
        let known = match order {
            Order::Unban { .. } | Order::Unmute { .. } => sentenced.into_iter().find(is_whom),
            Order::Role { role: None, .. } => gifts.into_iter().find(is_whom),
            Order::Kick { .. } | Order::Ban { .. } => self.has_come(room, whom),
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

    /// An account that came by a code once, whether it is there or not.
    fn has_come(&self, room: u32, whom: &Whom) -> Option<(Option<MemberId>, &Name)> {
        let account = match whom {
            Whom::Member(m) => self.accounts.called(*m)?.clone(),
            Whom::Name(name) => name.folded(),
        };
        let came = self.rooms[room as usize].rules.as_ref()?.came(&account)?;
        Some((Some(MemberId::of_account(&account)), &came.name))
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

    pub(super) fn entrance(&self, room: u32, label: &str) -> Option<Entrance> {
        let mut codes = self.rooms[room as usize].codes().into_iter();
        codes.find(|entrance| &*entrance.label == label)
    }

    /// The code that an order is about: the one of this label, or the only one that is below the role. One that has expired or
    /// was retired is there for those only who came by it.
    pub(super) fn entrance_of(
        &self,
        room: u32,
        label: Option<&str>,
        role: Role,
        is_for_those_who_came: bool,
    ) -> Result<Entrance, Refusal> {
        let counts = |entrance: &Entrance| is_for_those_who_came || entrance.is_open(self.now.unix_ms);
        if let Some(label) = label {
            return self.entrance(room, label).filter(counts).ok_or(Refusal::NotFound(Missing::Code));
        }
        let codes = self.rooms[room as usize].codes();
        let mut codes = codes.into_iter().filter(|entrance| entrance.role < role && counts(entrance));
        match (codes.next(), codes.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(Refusal::NotFound(Missing::Code)),
        }
    }

    /// Which message that is.
    pub(super) fn which(&self, room: u32, which: &Which) -> Result<Seq, Refusal> {
        let whom = match which {
            Which::Message(seq) => return Ok(*seq),
            Which::Newest(whom) => whom,
        };
        let is_theirs = |record: &Record| match whom {
            Whom::Member(m) => record.member == *m,
            Whom::Name(name) => record.name.folded() == name.folded(),
        };
        let said = |record: &&Record| matches!(record.kind, Kind::Say | Kind::Me) && is_theirs(record);
        let newest = self.rooms[room as usize].held.newest().find(said);
        newest.map(|record| record.seq).ok_or(Refusal::NotFound(Missing::Message))
    }
}

impl Sentence {
    pub(super) fn is_of(&self, on: &Subject) -> bool {
        (on.m.is_some() && self.m == on.m) || self.name.folded() == on.name.folded()
    }
}
