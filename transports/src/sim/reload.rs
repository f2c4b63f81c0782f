//! Another configuration, while people are in: when it comes, and what it changes.

use std::fmt;
use std::time::Duration;

use qun_core::server::{Access, Config, Listed, Presence, RoomConfig};
use qun_core::{Code, Entropy, Limits, Role};

use super::court::{COURT, LODGE};
use super::person::Command;
use super::plan::limits;
use super::rule::up_to;
use super::site::{facts, room, room_id};
use super::stale;
use super::verdicts::{accounts, seal, sealed};
use super::world::{Happening, Host, World};

/// Declares what a reload may be counted as, each with its name in the report and what it means.
macro_rules! counted {
    ($(#[doc = $about:literal])* $kind:ident: $($(#[doc = $doc:literal])* $which:ident $name:literal,)*) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $kind {
            $($(#[doc = $doc])* $which,)*
        }

        impl $kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$which),*];

            /// What the report calls it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$which => $name,)*
                }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

counted! {
    /// Something that another configuration changes.
    Change:
    /// There is one more room.
    RoomAdded "room-added",
    /// A room is gone.
    RoomRemoved "room-removed",
    /// A room that was gone is back.
    RoomBack "room-back",
    /// A room is called something else.
    Retitled "retitled",
    /// A room has another code in the place of one.
    CodeRotated "code-rotated",
    /// A code that was gone opens its room again.
    CodeBack "code-back",
    /// A code opens another room.
    CodeMoved "code-moved",
    /// A code lets do something else.
    CodeRole "code-role",
    /// A code is for more or for fewer, or expires at another time.
    CodeTerms "code-terms",
    /// A room says who is in it, or does not any more.
    Presence "presence",
    /// There is one more account.
    AccountAdded "account-added",
    /// An account is gone.
    AccountRemoved "account-removed",
    /// An account has another password.
    Password "password",
    /// A room lists an account, or does not any more.
    Listed "listed",
    /// A room, or the server, takes people without an account, or does not any more.
    Guests "guests",
    /// The limits are others.
    Limits "limits",
    /// Nothing is changed.
    Nothing "nothing",
}

counted! {
    /// What is going on as another configuration comes.
    Moment:
    /// Whatever it may be.
    Any "any-time",
    /// Somebody asks to be let into a room.
    Joining "while-joining",
    /// A password waits for its verdict.
    LoggingIn "while-logging-in",
    /// The log owes an answer.
    Appending "while-appending",
    /// Somebody has been cut off.
    CutOff "while-cut-off",
    /// The server is about to crash.
    BeforeCrash "before-crash",
    /// The server is down, and starts with it.
    Down "while-down",
    /// The server has just started.
    AfterBoot "after-boot",
}

/// How often it is looked whether the moment has come that is waited for, and how far apart.
const LOOKS: u32 = 400;
const APART: Duration = Duration::from_millis(50);
/// The most that a reload changes.
const MOST: usize = 4;
/// As many rooms as there may be: their numbers have one digit.
const ROOMS: usize = 8;

/// A code that opened a room once.
#[derive(Clone, Debug)]
pub(super) struct Former {
    room: usize,
    access: Access,
}

impl Former {
    pub(super) fn code(&self) -> &Code {
        &self.access.code
    }
}

impl World {
    /// The reloads that the plan has, each at some time and some moment.
    pub(super) fn plan_reloads(&mut self) {
        for _ in 0..self.plan.reloads {
            let at = self.now.mono + up_to(&mut self.reloads, self.plan.storm);
            let moment = self.reloads.choice(Moment::ALL).copied().unwrap_or(Moment::Any);
            self.schedule.push(at, Happening::Reload(moment, None, LOOKS));
        }
    }

    /// Another configuration comes, as soon as the moment is there, or it was waited for long enough.
    pub(super) fn reload(&mut self, moment: Moment, change: Option<Change>, looks: u32) {
        if !self.is_stormy {
            return;
        }
        if self.is_frozen() {
            return self.schedule.push(self.frozen, Happening::Reload(moment, change, looks));
        }
        let is_there = self.is_the_moment(moment);
        if !is_there && looks > 0 {
            return self.schedule.push(self.now.mono + APART, Happening::Reload(moment, change, looks - 1));
        }
        if is_there {
            self.counters.count_reload(moment.name());
        }
        self.change(change);
        self.serve();
        if moment == Moment::BeforeCrash && is_there {
            self.crash();
        }
    }

    fn is_the_moment(&self, moment: Moment) -> bool {
        let is_up = matches!(self.host, Host::Up(_)) && !self.is_draining;
        match moment {
            Moment::Any => is_up,
            Moment::Joining => {
                is_up && self.people.iter().any(|person| person.link.is_some() && person.waits_for(&Command::Join))
            }
            Moment::LoggingIn => is_up && !self.verdicts.is_empty(),
            Moment::Appending => is_up && self.oracle.is_appending(),
            Moment::CutOff => is_up && self.links.values().any(|link| link.cut),
            Moment::BeforeCrash => is_up && self.plan.has(super::fault::Fault::Crash),
            Moment::Down => matches!(self.host, Host::Down(_)),
            Moment::AfterBoot => is_up && self.now.mono.since(self.booted) < 2 * APART && self.boots > 1,
        }
    }

    /// Writes another configuration.
    fn change(&mut self, change: Option<Change>) {
        let mut config = self.config.clone();
        let mut done = Vec::new();
        for _ in 0..self.reloads.usize(1..=MOST) {
            let some = self.reloads.choice(Change::ALL).copied().unwrap_or(Change::Nothing);
            let some = change.filter(|_| done.is_empty()).unwrap_or(some);
            if self.makes(some, &mut config) {
                self.counters.count_reload(some.name());
                done.push(some);
            }
        }
        // A room that has more members than one may have that says who they are goes on counting: which, nobody sees.
        let is_told = |room: &RoomConfig| {
            let before = self.config.rooms.iter().find(|before| before.id == room.id);
            room.presence == Presence::Full && before.is_some_and(|before| before.presence != room.presence)
        };
        if config.rooms.iter().any(is_told) {
            config.limits.full_members = Limits::default().full_members;
        }
        self.config = config;
        let config = self.config.clone();
        self.journal(|| format!("another configuration: {done:?}, so that there are {}", told(&config)));
    }

    /// Serves what is configured by now, if the server is up. One that goes down goes down with the one that it has.
    fn serve(&mut self) {
        let facts = facts(&self.config);
        let limits = self.breaks.limits(&self.config.limits);
        let config = Config { limits, ..self.config.clone() };
        let Host::Up(driver) = &mut self.host else { return };
        if !self.is_draining {
            self.oracle.reloaded(self.now.mono, facts);
        }
        let misread = stale::misread(self.which, &self.served, config.clone());
        if let Some(config) = misread {
            driver.reload(self.server_now, config);
        }
        self.served = config;
        self.settle_server();
        if stale::cuts(self.which) {
            self.cut_by_reload();
        }
    }

    /// Makes a change in a configuration, if it can be made in it.
    fn makes(&mut self, change: Change, config: &mut Config) -> bool {
        let dice = &mut self.reloads;
        let some_room = |dice: &mut super::dice::Dice, config: &Config| {
            let rooms: Vec<usize> = (0..config.rooms.len()).filter(|at| is_changed(&config.rooms[*at])).collect();
            dice.choice(&rooms).copied()
        };
        match change {
            Change::Nothing => true,
            Change::RoomAdded => {
                let index = self.codes.len();
                if index >= ROOMS {
                    return false;
                }
                let mut entropy = Entropy::new(dice.seed());
                let [talk, read, guest] = std::array::from_fn(|_| Code::generate(&mut entropy));
                let codes = (room_id(index), talk, read);
                config.rooms.push(room(index, &codes, &guest, &config.accounts));
                self.codes.push(codes);
                self.guests.push(guest);
                true
            }
            Change::RoomRemoved => {
                let served = config.rooms.iter().filter(|room| is_changed(room)).count();
                let Some(at) = some_room(dice, config).filter(|_| served > 1) else { return false };
                self.gone.push(config.rooms.remove(at));
                // Mostly it is not for good: sometimes it is back before its end.
                if dice.u32(0..4) > 0 {
                    let again = Duration::from_millis(if dice.bool() { 6_000 } else { 30_000 });
                    let at = self.now.mono + up_to(dice, again);
                    self.schedule.push(at, Happening::Reload(Moment::Any, Some(Change::RoomBack), LOOKS));
                }
                true
            }
            Change::RoomBack => {
                if self.gone.is_empty() {
                    return false;
                }
                let at = dice.usize(0..self.gone.len());
                config.rooms.push(self.gone.remove(at));
                true
            }
            Change::Retitled => {
                let Some(at) = some_room(dice, config) else { return false };
                let room = &mut config.rooms[at];
                let id = room.id.as_str().trim_start_matches("room-").to_string();
                let title =
                    if dice.u32(0..3) == 0 { format!("Room {id}") } else { format!("Room {id}, {}", dice.u32(0..90)) };
                let is_other = title != room.title;
                room.title = title;
                is_other
            }
            Change::CodeRotated => {
                let Some(at) = some_room(dice, config) else { return false };
                let access = dice.usize(0..2);
                let Some(index) = self.codes.iter().position(|(id, ..)| *id == config.rooms[at].id) else {
                    return false;
                };
                let new = Code::generate(&mut Entropy::new(dice.seed()));
                let (_, talk, read) = &mut self.codes[index];
                let old = std::mem::replace(if access == 0 { talk } else { read }, new.clone());
                let accesses = &mut config.rooms[at].codes;
                let Some(access) = accesses.iter_mut().find(|access| access.code == old) else { return false };
                self.former.push(Former { room: index, access: access.clone() });
                access.code = new;
                true
            }
            Change::CodeBack => {
                if self.former.is_empty() {
                    return false;
                }
                let at = dice.usize(0..self.former.len());
                let Former { room, access } = self.former[at].clone();
                let id = &self.codes[room].0;
                let Some(room) = config.rooms.iter_mut().find(|room| room.id == *id) else { return false };
                self.former.remove(at);
                room.codes.push(access);
                true
            }
            Change::CodeMoved => {
                let (Some(from), Some(to)) = (some_room(dice, config), some_room(dice, config)) else { return false };
                let is_guests = |access: &Access| self.guests.contains(&access.code);
                let Some(at) = config.rooms[from].codes.iter().position(is_guests).filter(|_| from != to) else {
                    return false;
                };
                let access = config.rooms[from].codes.remove(at);
                config.rooms[to].codes.push(access);
                true
            }
            Change::CodeRole => {
                let Some(at) = some_room(dice, config) else { return false };
                let codes = config.rooms[at].codes.len();
                if codes == 0 {
                    return false;
                }
                let access = &mut config.rooms[at].codes[dice.usize(0..codes)];
                access.role = if access.role == Role::Talk { Role::Read } else { Role::Talk };
                true
            }
            Change::CodeTerms => {
                let Some(at) = some_room(dice, config) else { return false };
                let codes = config.rooms[at].codes.len();
                if codes == 0 {
                    return false;
                }
                let access = &mut config.rooms[at].codes[dice.usize(0..codes)];
                let before = access.clone();
                access.max_members = [None, Some(1), Some(2), Some(4)][dice.usize(0..4)];
                let in_a_while = self.now.unix_ms + dice.u64(0..120_000);
                access.expires = [None, None, Some(in_a_while), Some(self.now.unix_ms - 1_000)][dice.usize(0..4)];
                *access != before
            }
            Change::Presence => {
                let Some(at) = some_room(dice, config) else { return false };
                let presence = &mut config.rooms[at].presence;
                *presence = if *presence == Presence::Full { Presence::Count } else { Presence::Full };
                true
            }
            Change::AccountAdded => {
                let new: Vec<_> =
                    accounts().filter(|new| config.accounts.iter().all(|has| has.name != new.name)).collect();
                let Some(new) = dice.choice(&new) else { return false };
                config.accounts.push(new.clone());
                true
            }
            Change::AccountRemoved => {
                if config.accounts.is_empty() {
                    return false;
                }
                config.accounts.remove(dice.usize(0..config.accounts.len()));
                true
            }
            Change::Password => {
                if config.accounts.is_empty() {
                    return false;
                }
                let at = dice.usize(0..config.accounts.len());
                let account = &mut config.accounts[at];
                let is = sealed(account).trim_end_matches(|c: char| c.is_ascii_digit()).to_string();
                self.next_password += 1;
                account.hash = seal(&format!("{is}{}", self.next_password));
                true
            }
            Change::Listed => {
                let (Some(at), Some(account)) = (some_room(dice, config), dice.choice(&config.accounts).cloned())
                else {
                    return false;
                };
                let listed = &mut config.rooms[at].accounts;
                match listed.iter().position(|listed| listed.name == account.name) {
                    Some(at) => drop(listed.remove(at)),
                    None => {
                        let role = if dice.bool() { Role::Moderator } else { Role::Talk };
                        listed.push(Listed { name: account.name, role });
                    }
                }
                true
            }
            Change::Guests => {
                let takes_guests = match some_room(dice, config) {
                    Some(at) if dice.u32(0..4) > 0 => &mut config.rooms[at].guests,
                    _ => &mut config.guests,
                };
                *takes_guests = !*takes_guests;
                let is_closed = !config.guests || config.rooms.iter().any(|room| !room.guests && is_changed(room));
                if is_closed {
                    // Not for long, or there is nobody.
                    let at = self.now.mono + up_to(dice, Duration::from_secs(20));
                    self.schedule.push(at, Happening::Open);
                }
                true
            }
            Change::Limits => {
                let new = limits(dice);
                let before = config.limits.clone();
                redrawn(dice, &mut config.limits, new);
                config.limits != before
            }
        }
    }

    /// The server, and every room, takes people without an account again.
    pub(super) fn open_to_guests(&mut self) {
        if self.is_frozen() {
            return self.schedule.push(self.frozen, Happening::Open);
        }
        self.config.guests = true;
        self.config.rooms.iter_mut().filter(|room| is_changed(room)).for_each(|room| room.guests = true);
        self.journal(|| "another configuration: all are open to guests".into());
        self.serve();
    }
}

/// What there is to say of a configuration.
fn told(config: &Config) -> String {
    let code = |access: &Access| format!("{} to {}", access.code, access.role);
    let room = |room: &RoomConfig| {
        let codes: Vec<_> = room.codes.iter().map(code).collect();
        format!("{} ({:?}, {:?}: {})", room.id, room.title, room.presence, codes.join(", "))
    };
    let rooms: Vec<_> = config.rooms.iter().map(room).collect();
    let accounts: Vec<_> = config.accounts.iter().map(|account| account.name.as_str()).collect();
    format!("{}; {}", rooms.join(", "), accounts.join(", "))
}

/// Some of the limits are those that were drawn.
fn redrawn(dice: &mut super::dice::Dice, limits: &mut Limits, new: Limits) {
    for _ in 0..dice.usize(1..=3) {
        match dice.u32(0..12) {
            0 => limits.replay = new.replay,
            1 => limits.page = new.page,
            2 => limits.burst = new.burst,
            3 => limits.acts_burst = new.acts_burst,
            4 => limits.in_flight = new.in_flight,
            5 => limits.rooms = new.rooms,
            6 => limits.full_members = new.full_members,
            7 => limits.connections_per_source = new.connections_per_source,
            8 => limits.ping = new.ping,
            9 => limits.grace = new.grace,
            10 => limits.stall = new.stall,
            _ => limits.load = new.load,
        }
    }
}

/// Whether another configuration may have a room otherwise: those in which order is kept stay as they are.
fn is_changed(room: &RoomConfig) -> bool {
    ![COURT, LODGE].contains(&room.id.as_str())
}
