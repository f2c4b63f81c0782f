//! The world as a value, and its steps.

use std::time::Duration;

use qun_core::client::{self, Client, Event, Status};
use qun_core::json::PageMessage;
use qun_core::log::{Answer, Kind, Request};
use qun_core::server::{self, Access, Action, Hangup, Input, Peer, Server, Verdict};
use qun_core::{By, ConnId, Entropy, Id, Key, Now, Order, PasswordHash, Role, RoomId, Whom};

use crate::log::Log;

const CODE: &str = "K7QM-2XD4";
const OWNER: &str = "0WNE-RC0D";
const NOW: Now = Now { mono: qun_core::Instant::from_micros(1), unix_ms: 1_767_225_600_000 };

/// What may still happen that need not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) says: [u8; 2],
    pub(crate) cuts: u8,
    pub(crate) crashes: u8,
    /// The first bans the second, by this.
    pub(crate) ban: Option<Known>,
}

/// By what somebody is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Known {
    Name,
    Key,
    /// They have one.
    Account,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Say(usize),
    /// The first asks for the second to be banned.
    Ban,
    /// What a client has sent arrives.
    Up(usize),
    /// What the server has sent arrives.
    Down(usize),
    /// The log takes what was asked first.
    Commit,
    /// The log's first answer arrives.
    Answer,
    /// The tail arrives before the acknowledgement that was given first: they come by different ways.
    Tail,
    /// A client loses its connection; the server does not know of it yet.
    Cut(usize),
    /// The server hears that a connection is no more.
    Notice(ConnId),
    /// A client connects.
    Dial(usize),
    /// The server crashes and starts again, with what the log had taken.
    Crash,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    server: Server,
    log: Log,
    people: [Person; 2],
    /// Connections whose clients are gone, of which the server has not heard.
    orphans: Vec<ConnId>,
    generation: u32,
    budget: Budget,
    /// By what the second is banned in this world, asked for already or not.
    known: Option<Known>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Person {
    client: Client,
    link: Option<Link>,
    said: Vec<(Id, Fate)>,
    shown: u64,
    /// What was asked for.
    order: Option<Id>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Link {
    conn: ConnId,
    up: Vec<u8>,
    down: Vec<u8>,
    /// The server has closed it, behind `down`.
    is_closed: bool,
    is_read: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Fate {
    Pending,
    Delivered,
    /// It is in no log, and the person was told so.
    Refused,
    /// Nobody can say.
    Unconfirmed,
}

impl World {
    /// A world in which both are in the room.
    pub(crate) fn new(budget: Budget) -> Self {
        let people = [0, 1].map(|index| person(index, budget.ban));
        let (server, log) = (server(budget.ban), Log::default());
        let none = Budget { says: [0, 0], cuts: 0, crashes: 0, ban: None };
        let mut world =
            Self { server, log, people, orphans: Vec::new(), generation: 0, budget: none, known: budget.ban };
        while let Some(step) = world.steps().first().copied() {
            world.take(step).unwrap();
        }
        world.check_quiet().unwrap();
        world.budget = budget;
        world
    }

    /// Everything that can happen next.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps = self.progress();
        for (index, person) in self.people.iter().enumerate() {
            if self.budget.says[index] > 0 {
                steps.push(Step::Say(index));
            }
            if self.budget.cuts > 0 && person.link.is_some() {
                steps.push(Step::Cut(index));
            }
        }
        if self.budget.crashes > 0 {
            steps.push(Step::Crash);
        }
        if self.budget.ban.is_some() {
            steps.push(Step::Ban);
        }
        steps
    }

    /// What can't fail to happen, sooner or later.
    fn progress(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (index, person) in self.people.iter().enumerate() {
            match &person.link {
                Some(link) => {
                    if link.is_read && !link.up.is_empty() && !link.is_closed {
                        steps.push(Step::Up(index));
                    }
                    if !link.down.is_empty() || link.is_closed {
                        steps.push(Step::Down(index));
                    }
                }
                None => steps.push(Step::Dial(index)),
            }
        }
        if !self.log.asked.is_empty() {
            steps.push(Step::Commit);
        }
        if !self.log.answers.is_empty() {
            steps.push(Step::Answer);
        }
        if self.log.has_tail_behind() {
            steps.push(Step::Tail);
        }
        steps.extend(self.orphans.iter().map(|conn| Step::Notice(*conn)));
        steps
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.progress().is_empty()
    }

    pub(crate) fn take(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Say(index) => self.say(index),
            Step::Ban => self.ban(),
            Step::Up(index) => {
                let Some(link) = &mut self.people[index].link else { return Ok(()) };
                let (conn, bytes) = (link.conn, std::mem::take(&mut link.up));
                self.server.handle(NOW, Input::Received { conn, bytes: &bytes });
            }
            Step::Down(index) => {
                let person = &mut self.people[index];
                let Some(link) = &mut person.link else { return Ok(()) };
                if link.down.is_empty() {
                    person.link = None;
                    person.client.handle(NOW, client::Input::Disconnected);
                } else {
                    let bytes = std::mem::take(&mut link.down);
                    person.client.handle(NOW, client::Input::Received(&bytes));
                }
            }
            Step::Commit => self.log.commit(),
            Step::Answer => {
                if let Some(answer) = self.log.answers.pop_front() {
                    self.server.handle(NOW, Input::Log(answer));
                }
            }
            Step::Tail => {
                if let Some(answer) = self.log.answers.remove(1) {
                    self.server.handle(NOW, Input::Log(answer));
                }
            }
            Step::Cut(index) => {
                self.budget.cuts -= 1;
                self.drop_link(index);
                self.people[index].client.handle(NOW, client::Input::Disconnected);
            }
            Step::Notice(conn) => {
                self.orphans.retain(|orphan| *orphan != conn);
                self.server.handle(NOW, Input::Closed { conn, why: Hangup::Reset });
            }
            Step::Dial(index) => self.dial(index),
            Step::Crash => {
                self.budget.crashes -= 1;
                self.log.crash();
                self.orphans.clear();
                self.server = server(self.known);
                for person in &mut self.people {
                    if person.link.take().is_some() {
                        person.client.handle(NOW, client::Input::Disconnected);
                    }
                }
            }
        }
        self.settle()
    }

    fn say(&mut self, index: usize) {
        self.budget.says[index] -= 1;
        let person = &mut self.people[index];
        let text = format!("{index}.{}", person.said.len()).parse().unwrap();
        // Who is out says nothing.
        if let Ok(id) = person.client.say(NOW, &room(), Kind::Say, text) {
            person.said.push((id, Fate::Pending));
        }
    }

    fn ban(&mut self) {
        let Some(known) = self.budget.ban.take() else { return };
        let by = match known {
            Known::Name => vec![By::Name],
            Known::Key => vec![By::Key],
            Known::Account => Vec::new(),
        };
        let order = Order::Ban { whom: Whom::Name("bob".parse().unwrap()), by, for_s: None, why: None };
        self.people[0].order = self.people[0].client.order(NOW, &room(), order).ok();
    }

    fn dial(&mut self, index: usize) {
        self.generation += 1;
        let conn = ConnId { index: self.generation, generation: 0 };
        let person = &mut self.people[index];
        if let Status::Waiting { .. } = person.client.status() {
            person.client.reconnect(NOW);
            while person.client.poll().is_some_and(|action| action != client::Action::Connect) {}
        }
        person.link = Some(Link { conn, up: Vec::new(), down: Vec::new(), is_closed: false, is_read: true });
        person.client.handle(NOW, client::Input::Connected);
        self.server.handle(NOW, Input::Opened { conn, peer: Peer::Local });
    }

    fn drop_link(&mut self, index: usize) {
        if let Some(link) = self.people[index].link.take().filter(|link| !link.is_closed) {
            self.orphans.push(link.conn);
        }
    }

    /// The machines do what they want to.
    fn settle(&mut self) -> Result<(), String> {
        while let Some(action) = self.server.poll() {
            match action {
                // What a room was left with is known before anything else.
                Action::Log(Request::Recall { room }) => {
                    let recalled = Answer::Recalled { room, facts: Ok(self.log.facts.clone()) };
                    self.server.handle(NOW, Input::Log(recalled));
                }
                Action::Log(request) => self.log.asked.push_back(request),
                Action::Verify { request, .. } => {
                    self.server.handle(NOW, Input::Verified { request, verdict: Verdict::Right });
                }
                Action::Note(_) => {}
                Action::Close(conn, _) => {
                    self.orphans.retain(|orphan| *orphan != conn);
                    if let Some(link) = self.link_of(conn) {
                        link.is_closed = true;
                    }
                }
                Action::Read(conn, on) => {
                    if let Some(link) = self.link_of(conn) {
                        link.is_read = on;
                    }
                }
                Action::Transmit(conn) => {
                    let mut sent = Vec::new();
                    while let Some(mut transmit) = self.server.transmit(conn) {
                        let mut slices = [&[][..]; 8];
                        let count = transmit.gather(&mut slices, |slice| slice);
                        let bytes = slices[..count].concat();
                        transmit.advance(bytes.len()).map_err(|error| error.to_string())?;
                        sent.extend(bytes);
                    }
                    if let Some(link) = self.link_of(conn) {
                        link.down.extend(sent);
                    }
                }
            }
        }
        (0..2).try_for_each(|index| self.settle_person(index))?;
        if let Some(ban) = self.log.ban()
            && let Some(behind) =
                self.log.records.iter().find(|record| record.seq > ban && record.name.as_str() == "bob")
        {
            return Err(format!("{behind:?} lies behind the ban"));
        }
        Ok(())
    }

    fn link_of(&mut self, conn: ConnId) -> Option<&mut Link> {
        self.people.iter_mut().filter_map(|person| person.link.as_mut()).find(|link| link.conn == conn)
    }

    fn settle_person(&mut self, index: usize) -> Result<(), String> {
        while let Some(action) = self.people[index].client.poll() {
            match action {
                client::Action::Connect => {}
                client::Action::Close => self.drop_link(index),
                client::Action::Transmit => {
                    let Person { client, link, .. } = &mut self.people[index];
                    while let Some(mut transmit) = client.transmit() {
                        let mut slices = [&[][..]; 8];
                        let count = transmit.gather(&mut slices, |slice| slice);
                        let bytes = slices[..count].concat();
                        transmit.advance(bytes.len()).map_err(|error| error.to_string())?;
                        if let Some(link) = link {
                            link.up.extend(bytes);
                        }
                    }
                }
                client::Action::Show(event) => {
                    let log = &self.log;
                    let may_go = index == 1 && log.ban().is_some();
                    self.people[index].see(&event, log, may_go).map_err(|wrong| format!("person {index}: {wrong}"))?;
                }
            }
        }
        Ok(())
    }

    /// Nothing is on its way: both have everything, and everything that was said is delivered.
    pub(crate) fn check_quiet(&self) -> Result<(), String> {
        let head = self.log.records.len() as u64;
        for (index, person) in self.people.iter().enumerate() {
            let is_banned = self.log.ban().is_some();
            match person.client.room(&room()) {
                None if index == 1 && is_banned => {}
                None => return Err(format!("person {index} is not in the room")),
                Some(_) if index == 1 && is_banned => return Err("who is banned is in the room".into()),
                Some(seen) => {
                    let here = if is_banned { 1 } else { 2 };
                    if seen.position().seq.get() != head || seen.roster().map(|roster| roster.len()) != Some(here) {
                        return Err(format!(
                            "person {index} is at {:?} of {head}, with {:?}",
                            seen.position(),
                            seen.here()
                        ));
                    }
                }
            }
            if let Some((id, _)) = person.said.iter().find(|(_, fate)| *fate == Fate::Pending) {
                return Err(format!("person {index}: nothing has become of {id}"));
            }
            let in_log = self.log.records.iter().filter_map(|record| record.id);
            let own: Vec<_> = in_log.filter(|id| person.said.iter().any(|(said, _)| said == id)).collect();
            let is_in_log = |fate: Fate, id: &Id| match fate {
                Fate::Delivered => true,
                Fate::Pending | Fate::Refused => false,
                Fate::Unconfirmed => own.contains(id),
            };
            let said = person.said.iter().filter(|(id, fate)| is_in_log(*fate, id));
            if own != said.map(|(id, _)| *id).collect::<Vec<_>>() {
                return Err(format!("person {index} said {:?}, and the log has {own:?}", person.said));
            }
        }
        Ok(())
    }
}

impl Person {
    /// Sees something; `may_go`: where it is right that they are put out.
    fn see(&mut self, event: &Event, log: &Log, may_go: bool) -> Result<(), String> {
        match event {
            Event::Message { message, .. } if may_go && log.ban().is_some_and(|ban| message.seq > ban) => {
                Err(format!("{message:?} is shown to one who is banned before it"))
            }
            Event::Left { .. } | Event::Refused { re: None, .. } if may_go => Ok(()),
            Event::Refused { re: Some(re), .. } if may_go => self.fate(*re, Fate::Refused),
            Event::Unconfirmed { id, .. } if may_go => self.fate(*id, Fate::Unconfirmed),
            // An order is not sent again where the connection broke.
            Event::Refused { re, .. } if re.is_some() && *re == self.order => Ok(()),
            Event::Message { message, mine, .. } => {
                self.shown += 1;
                let record = log.records.get(self.shown as usize - 1);
                if record.is_none_or(|record| PageMessage::from(record) != *message) {
                    return Err(format!("{message:?} is shown, and the log has {record:?}"));
                }
                let own = message.id.and_then(|id| self.said.iter_mut().find(|(said, _)| *said == id));
                match own {
                    Some((_, fate)) => *fate = Fate::Delivered,
                    None if *mine => return Err(format!("{message:?} is called theirs")),
                    None => {}
                }
                Ok(())
            }
            Event::Lost { .. }
            | Event::Restarted { .. }
            | Event::Unconfirmed { .. }
            | Event::Refused { .. }
            | Event::Ended { .. }
            | Event::Left { .. } => Err(format!("{event:?}, where nothing was lost")),
            _ => Ok(()),
        }
    }
}

impl Person {
    fn fate(&mut self, id: Id, fate: Fate) -> Result<(), String> {
        let said = self.said.iter_mut().find(|(said, before)| *said == id && *before == Fate::Pending);
        said.map(|(_, before)| *before = fate).ok_or_else(|| format!("{id} was not waiting for anything"))
    }
}

fn room() -> RoomId {
    "ops".parse().unwrap()
}

fn person(index: u8, ban: Option<Known>) -> Person {
    let config = client::Config {
        agent: String::new(),
        name: ["ann", "bob"][usize::from(index)].parse().ok(),
        key: Key::generate(&mut Entropy::new([index; 32])),
        tail: 50,
        timeline: 0,
        password: (index == 1 && ban == Some(Known::Account)).then(|| "sesame".parse().unwrap()),
        backoff: Duration::ZERO,
    };
    let mut client = Client::new(config, [10 + index; 32]);
    while client.poll().is_some() {}
    let code = if index == 0 && ban.is_some() { OWNER } else { CODE };
    client.join(NOW, code.parse::<qun_core::Code>().unwrap());
    Person { client, link: None, said: Vec::new(), shown: 0, order: None }
}

fn server(ban: Option<Known>) -> Server {
    let access = |code: &str, role: Role| Access {
        code: code.parse().unwrap(),
        label: role.as_str().into(),
        role,
        expires: None,
        max_members: None,
    };
    let mut codes = vec![access(CODE, Role::Talk)];
    codes.extend(ban.map(|_| access(OWNER, Role::Owner)));
    let bob = server::Account { name: "bob".parse().unwrap(), hash: PasswordHash::new("hash") };
    let accounts = if ban == Some(Known::Account) { vec![bob] } else { Vec::new() };
    let room = server::RoomConfig {
        id: room(),
        title: String::new(),
        presence: server::Presence::Full,
        codes,
        accounts: Vec::new(),
        guests: true,
    };
    Server::new(server::Config { rooms: vec![room], accounts, ..server::Config::default() }, [7; 32])
}
