//! The world as a value, and its steps.

use std::time::Duration;

use qun_core::client::{self, Client, Event, Status};
use qun_core::json::PageMessage;
use qun_core::log::{Answer, Kind, Request};
use qun_core::server::{self, Access, Action, Hangup, Input, Peer, Server};
use qun_core::{ConnId, Entropy, Id, Key, Now, Role, RoomId};

use crate::log::Log;

const CODE: &str = "K7QM-2XD4";
const NOW: Now = Now { mono: qun_core::Instant::from_micros(1), unix_ms: 1_767_225_600_000 };

/// What may still happen that need not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) says: [u8; 2],
    pub(crate) cuts: u8,
    pub(crate) crashes: u8,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Say(usize),
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
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Person {
    client: Client,
    link: Option<Link>,
    said: Vec<(Id, Fate)>,
    shown: u64,
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
}

impl World {
    /// A world in which both are in the room.
    pub(crate) fn new(budget: Budget) -> Self {
        let people = [0, 1].map(person);
        let (server, log) = (server(), Log::default());
        let none = Budget { says: [0, 0], cuts: 0, crashes: 0 };
        let mut world = Self { server, log, people, orphans: Vec::new(), generation: 0, budget: none };
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
                self.server = server();
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
        let id = person.client.say(NOW, &room(), Kind::Say, text).unwrap();
        person.said.push((id, Fate::Pending));
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
                // Nobody has an account here.
                Action::Verify { .. } | Action::Note(_) => {}
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
        (0..2).try_for_each(|index| self.settle_person(index))
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
                    self.people[index].see(&event, log).map_err(|wrong| format!("person {index}: {wrong}"))?;
                }
            }
        }
        Ok(())
    }

    /// Nothing is on its way: both have everything, and everything that was said is delivered.
    pub(crate) fn check_quiet(&self) -> Result<(), String> {
        let head = self.log.records.len() as u64;
        for (index, person) in self.people.iter().enumerate() {
            let seen = person.client.room(&room()).ok_or("not in the room")?;
            if seen.position().seq.get() != head || seen.roster().map(|roster| roster.len()) != Some(2) {
                return Err(format!("person {index} is at {:?} of {head}, with {:?}", seen.position(), seen.here()));
            }
            if let Some((id, _)) = person.said.iter().find(|(_, fate)| *fate == Fate::Pending) {
                return Err(format!("person {index}: nothing has become of {id}"));
            }
            let in_log = self.log.records.iter().filter_map(|record| record.id);
            let own: Vec<_> = in_log.filter(|id| person.said.iter().any(|(said, _)| said == id)).collect();
            if own != person.said.iter().map(|(id, _)| *id).collect::<Vec<_>>() {
                return Err(format!("person {index} said {:?}, and the log has {own:?}", person.said));
            }
        }
        Ok(())
    }
}

impl Person {
    fn see(&mut self, event: &Event, log: &Log) -> Result<(), String> {
        match event {
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

fn room() -> RoomId {
    "ops".parse().unwrap()
}

fn person(index: u8) -> Person {
    let config = client::Config {
        agent: String::new(),
        name: ["ann", "bob"][usize::from(index)].parse().ok(),
        key: Key::generate(&mut Entropy::new([index; 32])),
        tail: 50,
        timeline: 0,
        password: None,
        backoff: Duration::ZERO,
    };
    let mut client = Client::new(config, [10 + index; 32]);
    while client.poll().is_some() {}
    client.join(NOW, CODE.parse::<qun_core::Code>().unwrap());
    Person { client, link: None, said: Vec::new(), shown: 0 }
}

fn server() -> Server {
    let access = Access {
        code: CODE.parse().unwrap(),
        label: "team".into(),
        role: Role::Talk,
        expires: None,
        max_members: None,
    };
    let room = server::RoomConfig {
        id: room(),
        title: String::new(),
        presence: server::Presence::Full,
        codes: vec![access],
        accounts: Vec::new(),
        guests: true,
    };
    Server::new(server::Config { rooms: vec![room], ..server::Config::default() }, [7; 32])
}
