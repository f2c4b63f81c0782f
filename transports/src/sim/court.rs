//! The court: a room in which people keep order, and others would like to.
//!
//! Everybody there gives any order, whatever their role, by a client or at netcat. What they say and why they do it has a
//! token (`§7 …`), by which the oracle knows whose it is. Of their connections the oracle demands what `oracle/order.rs`
//! has, and no more: so all other rooms go on as if there were no orders.

use qun_core::client::{Client, Event};
use qun_core::server::{Access, Account, Listed, Presence, RoomConfig};
use qun_core::{By, Code, CodeOrder, Entropy, Key, Name, Order, Role, RoomId, Seq, Text, Which, Whom};

use super::dice::Dice;
use super::person::{Mind, Person};
use super::raw::{Raw, RawKind, Stage};
use super::verdicts::secret;
use super::world::{NAMES, World};

/// What the room is called.
pub(super) const COURT: &str = "court";

/// And one more beside it, which takes no guests and is about nothing.
pub(super) const LODGE: &str = "lodge";

/// Who is there: by what they speak, and by which code they come in.
const COURTIERS: [(bool, usize); 6] = [(true, 0), (true, 1), (true, 2), (true, 2), (false, 0), (false, 2)];

/// The codes of the room: of owners, of moderators, and of those who talk; that of the other room; and those that were made
/// and told, newest last.
#[derive(Clone, Debug)]
pub(super) struct Court {
    pub(super) codes: [Code; 3],
    pub(super) lodge: Code,
    made: Vec<Code>,
}

/// The codes that people remember.
const MADE: usize = 4;

impl Court {
    const ROLES: [Role; 3] = [Role::Owner, Role::Moderator, Role::Talk];

    pub(super) fn new(entropy: &mut Entropy) -> Self {
        let codes = std::array::from_fn(|_| Code::generate(entropy));
        Self { codes, lodge: Code::generate(entropy), made: Vec::new() }
    }

    pub(super) fn id() -> RoomId {
        COURT.parse().unwrap_or_else(|_| unreachable!("a room's id may look like this"))
    }

    fn lodge_id() -> RoomId {
        LODGE.parse().unwrap_or_else(|_| unreachable!("a room's id may look like this"))
    }

    /// Each code as it is typed, with its role.
    pub(super) fn roles(&self) -> impl Iterator<Item = (&Code, Role)> {
        self.codes.iter().zip(Self::ROLES)
    }

    /// As it is configured: the first account moderates, whatever its code.
    pub(super) fn config(&self, accounts: &[Account]) -> [RoomConfig; 2] {
        let access = |(code, role): (&Code, Role)| Access {
            code: code.clone(),
            label: role.as_str().into(),
            role,
            expires: None,
            max_members: None,
        };
        let listed = |account: &Account| Listed { name: account.name.clone(), role: Role::Moderator };
        let court = RoomConfig {
            id: Self::id(),
            title: "Court".into(),
            presence: Presence::Full,
            codes: self.roles().map(access).collect(),
            accounts: accounts.first().map(listed).into_iter().collect(),
            guests: true,
        };
        let lodge = RoomConfig {
            id: Self::lodge_id(),
            title: "Lodge".into(),
            presence: Presence::Full,
            codes: vec![access((&self.lodge, Role::Talk))],
            accounts: Vec::new(),
            guests: false,
        };
        [court, lodge]
    }
}

impl World {
    /// Those who go to court.
    pub(super) fn populate_court(&mut self, entropy: &mut Entropy) {
        if self.court.is_none() {
            return;
        }
        for (has_client, code) in COURTIERS {
            let mind = match has_client {
                true => Mind::Client(Box::new(self.courtier(code, Key::generate(entropy)))),
                false => Mind::Raw(Raw::new(RawKind::Plain)),
            };
            let mut person = Person::new(self.people.len(), mind);
            person.court = Some(code);
            self.people.push(person);
        }
    }

    /// A client that wants to be at court; a moderator's may have an account.
    fn courtier(&mut self, code: usize, key: Key) -> Client {
        let account = self.config.accounts.first().map(|account| account.name.clone()).filter(|_| code == 1);
        let account = account.filter(|_| self.acts.bool());
        let password = account.as_ref().and_then(|name| {
            self.next_password += 1;
            format!("{}/{}", secret(name), self.next_password).parse().ok()
        });
        let name = NAMES[self.acts.usize(0..NAMES.len())].parse().ok();
        let mut client = self.client(key, account.or(name), password);
        if let Some(court) = &self.court {
            client.join(self.now, court.codes[code].clone());
        }
        client
    }

    /// Somebody at court does something.
    pub(super) fn act_at_court(&mut self, index: usize, code: usize) {
        let Some(court) = self.court.clone() else { return };
        match &self.people[index].mind {
            Mind::Client(_) => self.act_at_court_by_client(index, code, &court),
            Mind::Raw(_) => self.act_at_court_at_netcat(index, code, &court),
        }
    }

    fn act_at_court_by_client(&mut self, index: usize, code: usize, court: &Court) {
        let now = self.clock_of(index);
        if self.people[index].has_ended {
            let key = Key::generate(&mut Entropy::new(self.acts.seed()));
            let client = self.courtier(code, key);
            self.next_identity += 1;
            return self.people[index].begin_anew(self.next_identity - 1, client);
        }
        let (dice, token) = (self.acts.u32(0..100), self.court_token());
        let id = Court::id();
        let made = self.acts.choice(&court.made).cloned();
        let Some(client) = self.people[index].client_mut() else { return };
        let Some(room) = client.room(&id) else {
            match (dice, made) {
                (0..12, _) => client.join(now, id),
                (12..16, _) => client.join(now, court.lodge.clone()),
                (16..30, Some(made)) => client.join(now, made),
                _ => client.join(now, court.codes[code].clone()),
            };
            return;
        };
        let head = room.position().seq;
        let names: Vec<Name> = room.roster().into_iter().flatten().map(|person| person.name.clone()).collect();
        match dice {
            0..4 => client.reconnect(now),
            4..6 => _ = client.leave(now, &id),
            6..12 => _ = client.history(now, &id, head.next(), 20),
            12..14 => _ = client.join(now, court.lodge.clone()),
            14..17 => _ = client.join(now, Court::lodge_id()),
            17..18 => _ = client.leave(now, &Court::lodge_id()),
            18..24 => _ = client.join(now, made.unwrap_or_else(|| court.codes[code].clone())),
            24..26 => _ = client.join(now, id),
            26..55 => {
                if let Ok(text) = format!("§{token} word").parse() {
                    _ = client.say(now, &id, qun_core::log::Kind::Say, text);
                }
            }
            _ => {
                let order = some_order(&mut self.acts, token, &names, head);
                let person = &mut self.people[index];
                let ordered = person.client_mut().and_then(|client| client.order(now, &id, order).ok());
                if let Some(id) = ordered {
                    person.witness.orders(id.to_string());
                }
            }
        }
    }

    fn act_at_court_at_netcat(&mut self, index: usize, code: usize, court: &Court) {
        let (dice, token) = (self.acts.u32(0..100), self.court_token());
        let name = NAMES[self.acts.usize(0..NAMES.len())];
        let other = NAMES[self.acts.usize(0..NAMES.len())];
        let seconds = self.acts.u32(1..40);
        let seq = self.acts.u32(1..100);
        let login = self.config.accounts.first().map(|account| account.name.clone()).filter(|_| code == 2 && dice < 40);
        self.next_password += 1;
        let number = self.next_password;
        let has_link = self.people[index].link.is_some();
        let Some(raw) = self.people[index].raw_mut() else { return };
        if raw.stage == Stage::Away {
            if !has_link {
                self.connect(index);
            }
            return;
        }
        if !raw.outgoing.is_empty() {
            return;
        }
        if !raw.has_typed {
            // At the prompt what follows is always taken for a password; elsewhere it might be said.
            let name = match login {
                Some(name) => {
                    let wrong = if dice % 4 == 0 { "?" } else { "" };
                    raw.types(&format!("/login {name}\n{}{wrong}/{number}", secret(&name)));
                    String::new()
                }
                None => format!(" {name}"),
            };
            return raw.types(&format!("{}{name}\n§{token} word", court.codes[code]));
        }
        let line = match dice {
            0..3 => return self.hang_up_raw(index),
            3..5 => format!("/join {}", court.codes[code]),
            5..6 => format!("/join {}", court.lodge),
            6..50 => format!("§{token} word"),
            50..58 => format!("/kick {other} §{token} why"),
            58..64 => format!("/ban {other} {seconds}s §{token} why"),
            64..68 => format!("/unban {other}"),
            68..76 => format!("/mute {other} {seconds}s §{token} why"),
            76..79 => format!("/unmute {other}"),
            79..83 => format!("/topic §{token} what"),
            83..87 => format!("/remove {other} §{token} why"),
            87..90 => format!("/remove {seq} §{token} why"),
            90..92 => format!("/close §{token} why"),
            92..96 => "/open".into(),
            96..98 => format!("/role {other} moderator"),
            _ => format!("/role {other} none"),
        };
        raw.types(&line);
    }

    /// A client at court shows something. Codes get around.
    pub(super) fn see_at_court(&mut self, index: usize, event: &Event) {
        if let (Event::Code { code, .. }, Some(court)) = (event, &mut self.court)
            && let Ok(code) = code.0.parse()
        {
            court.made.push(code);
            let old = court.made.len().saturating_sub(MADE);
            court.made.drain(..old);
        }
        let person = &mut self.people[index];
        person.has_ended |= matches!(event, Event::Ended { .. });
        let shown = person.witness.shows(event);
        self.oracle.note(shown.map_err(|violation| violation.of(index)));
    }

    /// And has shown all that it wants to.
    pub(super) fn judge_at_court(&mut self, index: usize) {
        let Person { mind: Mind::Client(client), witness, .. } = &mut self.people[index] else { return };
        let judged = witness.judge(client);
        self.oracle.note(judged.map_err(|violation| violation.of(index)));
    }

    fn court_token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }
}

/// Some order about some of these people.
fn some_order(dice: &mut Dice, token: u64, names: &[Name], head: Seq) -> Order {
    let why: Option<Text> = format!("§{token} why").parse().ok();
    let name = dice.choice(names).cloned();
    let whom = || Whom::Name(name.clone().unwrap_or_else(|| NAMES[0].parse().unwrap_or_else(|_| unreachable!())));
    let for_s = Some(dice.u64(1..40));
    let label: Box<str> = if dice.bool() { "extra".into() } else { "spare".into() };
    match dice.u32(0..43) {
        0..6 => Order::Kick { whom: whom(), why },
        6..9 => Order::Ban { whom: whom(), by: Vec::new(), for_s, why },
        9..11 => Order::Ban { whom: whom(), by: vec![By::Name], for_s, why },
        11..13 => Order::Ban { whom: whom(), by: vec![By::Key, By::Source], for_s, why },
        13..15 => Order::Unban { whom: whom() },
        15..19 => Order::Mute { whom: whom(), for_s, why },
        19..21 => Order::Unmute { whom: whom() },
        21..23 => Order::Topic { topic: why },
        23..26 => Order::Remove { which: Which::Newest(whom()), why },
        26..29 => Order::Remove { which: Which::Message(Seq::new(dice.u64(0..=head.get()).max(1))), why },
        29..30 => Order::Close { why },
        30..33 => Order::Open,
        33..35 => Order::Role { whom: whom(), role: Some(Role::Moderator) },
        35..36 => Order::Role { whom: whom(), role: None },
        36..37 => Order::Role { whom: whom(), role: Some(Role::Owner) },
        37..40 => {
            let role = [Role::Talk, Role::Talk, Role::Read, Role::Moderator][dice.usize(0..4)];
            let for_s = for_s.filter(|_| dice.bool());
            let uses = [None, Some(1), Some(2)][dice.usize(0..3)];
            Order::Code(CodeOrder::Add { label: Some(label), role, for_s, uses })
        }
        40..41 => Order::Code(CodeOrder::Rotate { label: Some(label), after_s: None }),
        _ => Order::Code(CodeOrder::Retire { label, after_s: None, kick: true }),
    }
}
