//! What is served: the rooms of a world with the codes that open them, and the accounts with their passwords.

use qun_core::server::{Access, Account, Config, Listed, Presence, RoomConfig};
use qun_core::{Code, Entropy, Name, Password, Role, RoomId};

use super::court::{COURT, Court, LODGE};
use super::oracle::{AccountFacts, CodeFacts, Facts, RoomFacts, canonical};
use super::plan::Plan;
use super::verdicts::sealed;
use super::world::{BEGIN_MS, World};

/// What a world begins with.
pub(super) struct Site {
    pub(super) config: Config,
    /// The codes of the rooms: to talk, and to read.
    pub(super) codes: Vec<(RoomId, Code, Code)>,
    /// One more for each room, to talk for a while or for few.
    pub(super) guests: Vec<Code>,
    pub(super) court: Option<Court>,
}

impl Site {
    pub(super) fn new(plan: &Plan, entropy: &mut Entropy) -> Self {
        let codes: Vec<_> =
            (0..plan.rooms).map(|index| (room_id(index), Code::generate(entropy), Code::generate(entropy))).collect();
        let guests: Vec<_> = codes.iter().map(|_| Code::generate(entropy)).collect();
        let accounts = plan.account_list();
        let all = codes.iter().zip(&guests).enumerate();
        let mut rooms: Vec<_> = all.map(|(index, (codes, guest))| room(index, codes, guest, &accounts)).collect();
        let court = plan.court.then(|| Court::new(entropy));
        rooms.extend(court.iter().flat_map(|court| court.config(&accounts)));
        let config = Config { rooms, accounts, limits: plan.limits.clone(), ..Config::default() };
        Self { config, codes, guests, court }
    }
}

impl World {
    /// Somebody may have an account, on one of several machines: its name and a password, which now and then is wrong, or
    /// is right and another's.
    pub(super) fn some_account(&mut self) -> Option<(Name, Password)> {
        if self.config.accounts.is_empty() || self.acts.bool() {
            return None;
        }
        let account = self.acts.choice(&self.config.accounts)?;
        self.next_password += 1;
        let (name, secret, tag) = (account.name.clone(), sealed(account), self.next_password);
        let (name, password) = match self.acts.u32(0..16) {
            0 => (name, format!("{secret}?/{tag}")),
            1 => ("nobody".parse().ok()?, format!("{secret}/{tag}")),
            _ => (name, format!("{secret}/{tag}")),
        };
        Some((name, password.parse().ok()?))
    }
}

/// What a room with this number is called.
pub(super) fn room_id(index: usize) -> RoomId {
    format!("room-{index}").parse().unwrap_or_else(|_| unreachable!("a room's id may look like this"))
}

/// A room as it is at first.
pub(super) fn room(
    index: usize,
    (id, talk, read): &(RoomId, Code, Code),
    guest: &Code,
    accounts: &[Account],
) -> RoomConfig {
    let access =
        |code: &Code, role| Access { code: code.clone(), label: "all".into(), role, expires: None, max_members: None };
    let presence = if index % 3 == 2 { Presence::Count } else { Presence::Full };
    let guest = Access {
        expires: (index % 2 == 1).then_some(BEGIN_MS + 60_000),
        max_members: index.is_multiple_of(2).then_some(1),
        ..access(guest, Role::Talk)
    };
    let codes = vec![access(talk, Role::Talk), access(read, Role::Read), guest];
    RoomConfig {
        id: id.clone(),
        title: format!("Room {index}"),
        presence,
        codes,
        accounts: accounts.iter().enumerate().filter_map(|(of, account)| listed(index, of, account)).collect(),
        guests: true,
    }
}

/// Each account is listed in every other room; the first of them moderates where it is.
fn listed(room: usize, of: usize, account: &Account) -> Option<Listed> {
    let role = if of == 0 { Role::Moderator } else { Role::Talk };
    (room % 2 == of % 2).then(|| Listed { name: account.name.clone(), role })
}

/// What the oracle is told of a configuration. Of the court's codes it knows by itself.
pub(super) fn facts(config: &Config) -> Facts {
    let rooms = config.rooms.iter().filter(|room| ![COURT, LODGE].contains(&room.id.as_str()));
    let accounts = config.accounts.iter().map(|account| account_facts(account, &config.rooms));
    Facts {
        rooms: rooms.map(room_facts).collect(),
        accounts: accounts.collect(),
        guests: config.guests,
        limits: config.limits.clone(),
    }
}

fn account_facts(account: &Account, rooms: &[RoomConfig]) -> (String, AccountFacts) {
    let listed = |room: &RoomConfig| {
        let listed = room.accounts.iter().find(|listed| listed.name == account.name)?;
        Some((room.id.to_string(), listed.role))
    };
    let rooms = rooms.iter().filter_map(listed).collect();
    let facts = AccountFacts { name: account.name.to_string(), secret: sealed(account).into(), rooms };
    (facts.name.to_lowercase(), facts)
}

fn room_facts(room: &RoomConfig) -> (String, RoomFacts) {
    let facts = |access: &Access| CodeFacts {
        role: access.role,
        expires: access.expires,
        most: access.max_members.map(|most| most as usize),
    };
    let codes = room.codes.iter().map(|access| (canonical(access.code.canonical()), facts(access))).collect();
    let full = room.presence == Presence::Full;
    (room.id.to_string(), RoomFacts { title: room.title.clone(), codes, full, guests: room.guests })
}
