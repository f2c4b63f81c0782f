//! Rooms: who is in, what is held, what is on its way to the log.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use super::codebook::CodeHash;
use super::config::{self, Presence};
use super::counted::Counting;
use super::held::Held;
use super::membership::Membership;
use super::order::{Acting, Asked};
use super::refusal::Refusal;
use super::rules::{Entrance, Mark, Rules};
use super::say::Says;
use super::session::{Session, Sessions};
use super::slab::Handle;
use super::trouble::Troubles;
use crate::id::{ConnId, Epoch, Id, KeyHash, MemberId, RoomId, Seq};
use crate::json::{self, Person};
use crate::name::Folded;
use crate::role::Role;
use crate::text::Text;
use crate::time::Instant;

/// A room. What every message looks at stands first, because with many rooms each has left the processor's caches when its
/// turn comes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub(super) struct Room {
    pub(super) life: Life,
    pub(super) id: RoomId,
    /// What came meanwhile: the next append.
    pub(super) waiting: Says,
    /// The says of the append that is outstanding, in order; none: no append is.
    pub(super) appending: Vec<Said>,
    /// Settled, and not in the stream yet.
    pub(super) unseen: VecDeque<(Seq, Handle)>,
    /// What those who keep order asked for behind that: each is the last of its append.
    pub(super) asked: VecDeque<Asked>,
    /// The act of the append that is outstanding, or whose record is still to come. Nothing is appended behind it before.
    pub(super) acting: Option<Box<Acting>>,
    /// What acts have left of the room; `None`: nothing.
    pub(super) rules: Option<Box<Rules>>,
    /// The memberships that have caught up. An append drains it, so that it costs nothing per blocked member.
    pub(super) idle: Vec<(ConnId, u16)>,
    pub(super) log: Log,
    pub(super) held: Held,
    /// By whose index a membership names its code; one keeps its place for as long as anybody is in by it.
    pub(super) access: Vec<Access>,
    pub(super) title: String,
    pub(super) presence: Presence,
    /// By their place, which is the order of entering.
    pub(super) members: BTreeMap<u64, Handle>,
    /// How many of them are not counted, because another session of their account is in.
    pub(super) doubles: u64,
    /// The accounts that need no code, and the place of what lets each of them in.
    listed: BTreeMap<Folded, u32>,
    /// Whether a code lets people in who have no account.
    pub(super) takes_guests: bool,
    next_place: u64,
    /// When the number of members was told, in a room that only counts.
    pub(super) here_told: Option<Instant>,
    /// When it will be told again, where it will.
    pub(super) here_due: Option<Instant>,
    /// The codes that the configuration has.
    pub(super) configured: Vec<config::Access>,
    /// The accounts that need no code, by what stands for it among the codes, and what they are given.
    pub(super) by_account: Vec<(Folded, CodeHash, Grant)>,
    /// Whether the log was asked what it holds beside the messages, and has not said so.
    pub(super) is_recalled: bool,
    /// Uses of codes that the log is to have before they let anybody in, in the order in which it was asked.
    pub(super) counting: VecDeque<Counting>,
    /// Whom an act put out while they were away, until when they are to be told.
    pub(super) put_out: Vec<(KeyHash, Instant)>,
    /// What its log can't do.
    pub(super) trouble: Troubles,
}

/// A code of the room, without the code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Access {
    pub(super) code: CodeHash,
    pub(super) pass: Pass,
    /// Whether it lets anybody in; else it only says how those are in who came by it.
    pub(super) is_current: bool,
    pub(super) label: Box<str>,
    pub(super) role: Role,
    pub(super) expires: Option<u64>,
    pub(super) max_members: Option<u32>,
    /// How many may still come in by it.
    pub(super) uses: Option<u64>,
    /// How many are in by it.
    pub(super) members: u32,
}

/// What lets somebody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Pass {
    /// A code.
    Code(Mark),
    /// That the room lists the account.
    Listed,
    /// That the account came once, by a code that is the room's no more.
    Former,
}

/// What a code, or an account that needs none, is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Grant {
    pub(super) pass: Pass,
    pub(super) label: Box<str>,
    pub(super) role: Role,
    pub(super) expires: Option<u64>,
    pub(super) max_members: Option<u32>,
    pub(super) uses: Option<u64>,
}

impl From<Entrance> for Grant {
    fn from(Entrance { code, label, role, expires, max_members, uses }: Entrance) -> Self {
        Self { pass: Pass::Code(Mark::code(&code)), label, role, expires, max_members, uses }
    }
}

impl From<&config::Listed> for Grant {
    fn from(listed: &config::Listed) -> Self {
        let label = alloc::format!("account {}", listed.name).into();
        Self { pass: Pass::Listed, label, role: listed.role, expires: None, max_members: None, uses: None }
    }
}

impl Grant {
    /// What those have who came by a code that is the room's no more.
    pub(super) fn former(role: Role) -> Self {
        Self { pass: Pass::Former, label: "former".into(), role, expires: None, max_members: None, uses: None }
    }
}

/// Whether the configuration has the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Life {
    /// It does.
    Serving,
    /// Not any more: nobody comes in and nothing is said. What was said before is settled, but for no longer than this.
    Closing { until: Instant },
    /// Everybody is out. What some have still to read of it, and what the log has still to answer, is waited for.
    Closed,
}

/// Where the room is with its log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Log {
    /// Nobody has asked for it yet, or it could not be opened.
    Shut,
    /// These connections wait for it, to join.
    Opening(Vec<ConnId>),
    /// It is there.
    Open {
        /// Which history it has.
        epoch: Epoch,
        /// The oldest message that can be loaded.
        first: Seq,
    },
}

/// A code that a room was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CodeSet {
    pub(super) code: CodeHash,
    pub(super) access: u32,
    /// Whether those who are in by it have another role now.
    pub(super) new_role: bool,
}

/// Whose say it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Said {
    pub(super) session: Handle,
    /// Where the answer goes, if it is still this session's.
    pub(super) conn: ConnId,
    pub(super) re: Option<Id>,
    pub(super) text: Text,
}

impl Room {
    /// A room that nobody has asked the log for. It has no codes yet.
    pub(super) fn new(id: RoomId, title: String, presence: Presence, budget: usize) -> Self {
        Self {
            id,
            title,
            presence,
            access: Vec::new(),
            life: Life::Serving,
            log: Log::Shut,
            held: Held::new(budget),
            idle: Vec::new(),
            members: BTreeMap::new(),
            doubles: 0,
            listed: BTreeMap::new(),
            takes_guests: true,
            next_place: 0,
            here_told: None,
            here_due: None,
            appending: Vec::new(),
            waiting: Says::default(),
            asked: VecDeque::new(),
            acting: None,
            rules: None,
            configured: Vec::new(),
            by_account: Vec::new(),
            is_recalled: false,
            counting: VecDeque::new(),
            put_out: Vec::new(),
            trouble: Troubles::default(),
            unseen: VecDeque::new(),
        }
    }

    /// The newest message.
    pub(super) fn head(&self) -> Seq {
        self.held.next().minus(1)
    }

    /// Gives it these codes and no others, among them those that stand for its accounts; says where each stands, and
    /// whether that changed what those may do who are in by it. Of two that are equal, the first counts.
    pub(super) fn set_codes(&mut self, codes: Vec<(CodeHash, Grant)>) -> Vec<CodeSet> {
        self.access.iter_mut().for_each(|access| access.is_current = false);
        let mut set = Vec::new();
        for (code, Grant { pass, label, role, expires, max_members, uses }) in codes {
            let known = self.access.iter().position(|access| access.code == code);
            if known.is_some_and(|at| self.access[at].is_current) {
                continue;
            }
            let at = known.or_else(|| self.access.iter().position(|access| !access.is_current && access.members == 0));
            let members = known.map_or(0, |at| self.access[at].members);
            let access = Access { code, pass, is_current: true, label, role, expires, max_members, uses, members };
            let new_role = known.is_some_and(|at| self.access[at].role != role);
            let at = match at {
                Some(at) => {
                    self.access[at] = access;
                    at
                }
                None => {
                    self.access.push(access);
                    self.access.len() - 1
                }
            };
            set.push(CodeSet { code, access: at as u32, new_role });
        }
        // Another code may have taken the place that an account had.
        let places = self.by_account.iter().filter_map(|(name, code, _)| {
            let at = set.iter().find(|set| set.code == *code)?.access;
            Some((name.clone(), at))
        });
        self.listed = places.collect();
        set
    }

    /// Whether it takes people and words.
    pub(super) fn is_serving(&self) -> bool {
        self.life == Life::Serving
    }

    /// Whether everything that was said has its answer and is in the stream.
    pub(super) fn is_settled(&self) -> bool {
        let has_acts = self.acting.is_some() || !self.asked.is_empty();
        self.appending.is_empty() && self.waiting.is_empty() && self.unseen.is_empty() && !has_acts
    }

    /// How many are in.
    pub(super) fn here(&self) -> u64 {
        self.members.len() as u64 - self.doubles
    }

    /// What lets an account in that came by a code once: that code, or what is left of it.
    pub(super) fn former_access(&self, account: &Folded) -> Option<u32> {
        let came = self.rules.as_ref()?.came(account)?;
        let at = |pass: Pass, role: Option<Role>| {
            let is_it = |access: &Access| {
                access.is_current && access.pass == pass && role.is_none_or(|role| role == access.role)
            };
            self.access.iter().position(is_it).map(|at| at as u32)
        };
        at(Pass::Code(came.code), None).or_else(|| at(Pass::Former, Some(came.role.min(Role::Talk))))
    }

    /// By what an account comes in that tells no code: what gives it the higher role, where there is a place for it.
    pub(super) fn open_access(&self, account: &Folded) -> Option<u32> {
        let doors = [self.listed_access(account), self.former_access(account)];
        let access = |at: u32| &self.access[at as usize];
        let has_place = |at: &u32| access(*at).max_members.is_none_or(|most| access(*at).members < most);
        let free = doors.into_iter().flatten().filter(has_place).max_by_key(|at| access(*at).role);
        free.or(doors.into_iter().flatten().next_back())
    }

    /// What an account may do here without telling a code, whether there is a place for it or not.
    pub(super) fn role_without_code(&self, account: &Folded) -> Option<Role> {
        let doors = [self.listed_access(account), self.former_access(account)];
        doors.into_iter().flatten().map(|at| self.access[at as usize].role).max()
    }

    /// What lets an account in that the room lists.
    fn listed_access(&self, account: &Folded) -> Option<u32> {
        let access = *self.listed.get(account)?;
        self.access[access as usize].is_current.then_some(access)
    }

    /// What an account may do here at least, where it needs no code.
    pub(super) fn listed_role(&self, account: &Folded) -> Option<Role> {
        self.listed_access(account).map(|access| self.access[access as usize].role)
    }

    /// Who is in; `None` in a room that only counts. `index` is the room's own.
    pub(super) fn roster(&self, index: u32, sessions: &Sessions) -> Option<Vec<Person>> {
        let person = |&handle: &Handle| {
            let session = sessions.get(handle)?;
            Some(session.person(self.role(session, session.memberships.get(index)?)))
        };
        if self.presence != Presence::Full {
            return None;
        }
        if self.doubles == 0 {
            return Some(self.members.values().filter_map(person).collect());
        }
        // Several sessions of one account are one person, with the highest of their roles.
        let mut places: BTreeMap<MemberId, usize> = BTreeMap::new();
        let mut people: Vec<Person> = Vec::new();
        for person in self.members.values().filter_map(person) {
            match places.get(&person.m) {
                Some(&at) => people[at].role = people[at].role.max(person.role),
                None => {
                    places.insert(person.m, people.len());
                    people.push(person);
                }
            }
        }
        Some(people)
    }

    /// What a member may do here: the one place that says so.
    ///
    /// It is the highest of those that a member has: by the code that it came with, by its account, by an owner's act.
    pub(super) fn role(&self, session: &Session, membership: &Membership) -> Role {
        self.role_by(Some(session), membership.access)
    }

    /// The same of somebody who comes in by this code.
    pub(super) fn role_by(&self, session: Option<&Session>, access: u32) -> Role {
        let by_code = self.access[access as usize].role;
        let by_account = session.and_then(|session| self.listed_role(session.account.as_ref()?));
        let by_code = by_account.map_or(by_code, |role| role.max(by_code));
        let given = self.rules.as_ref().zip(session).and_then(|(rules, session)| rules.role(session));
        given.map_or(by_code, |given| by_code.max(given))
    }

    /// Whether a member may speak.
    pub(super) fn may_speak(&self, session: &Session, membership: &Membership, unix_ms: u64) -> Result<(), Refusal> {
        let role = self.role(session, membership);
        if role < Role::Talk {
            return Err(Refusal::ReadOnly);
        }
        let Some(rules) = &self.rules else { return Ok(()) };
        if rules.closed && role < Role::Moderator {
            return Err(Refusal::Closed);
        }
        match rules.muted(session, role, unix_ms) {
            Some(until) => Err(Refusal::Muted { wait: until.wait() }),
            None => Ok(()),
        }
    }

    /// Its codes, with those that have expired or were retired.
    pub(super) fn codes(&self) -> Vec<Entrance> {
        match &self.rules {
            Some(rules) => rules.codes(&self.configured),
            None => Rules::default().codes(&self.configured),
        }
    }

    /// As one of its members is told it.
    pub(super) fn frame(&self, role: Role) -> json::Room {
        let rules = self.rules.as_deref();
        let topic = rules.and_then(|rules| rules.topic.clone());
        let closed = rules.is_some_and(|rules| rules.closed);
        json::Room { id: self.id.clone(), title: self.title.clone(), role, topic, closed }
    }

    /// Lets a session in and says its place.
    pub(super) fn enter(&mut self, session: Handle, access: u32) -> u64 {
        let place = self.next_place;
        self.next_place += 1;
        self.members.insert(place, session);
        self.access[access as usize].members += 1;
        place
    }

    /// A member is in by another code now.
    pub(super) fn change_access(&mut self, from: u32, to: u32) {
        self.access[from as usize].members -= 1;
        self.access[to as usize].members += 1;
    }

    /// Lets a session out.
    pub(super) fn exit(&mut self, place: u64, access: u32) {
        self.members.remove(&place);
        self.access[access as usize].members -= 1;
    }
}
