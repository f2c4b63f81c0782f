//! What is between the server and its people, from the first packet to the last.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use qun_core::ConnId;
use qun_core::client;
use qun_core::server::{Hangup, Peer};

use super::fault::Fault;
use super::link::{End, Link, LinkId, Parcel};
use super::oracle::Violation;
use super::person::{Mind, Person};
use super::rule::{Carried, Fate, Word, chance, up_to};
use super::verdicts::hushed;
use super::world::{Happening, Host, World};

/// The slices asked for at once.
const SLICES: usize = 8;

impl World {
    /// Somebody wants a connection.
    pub(super) fn connect(&mut self, person: usize) {
        self.hang_up(person);
        self.next_link += 1;
        let link = LinkId(self.next_link);
        let capacity = 1 << if self.plan.has(Fault::SmallRooms) { self.net.u32(8..12) } else { self.net.u32(10..17) };
        self.links.insert(link, Link::new(person, capacity));
        self.people[person].link = Some(link);
        self.people[person].hands.connects(self.now.mono);
        self.people[person].witness.connects();
        if self.people[person].client().is_none() {
            // Without a key, everyone is somebody else each time.
            self.people[person].identity = self.next_identity;
            self.next_identity += 1;
        }
        let fate = self.fate(Carried::Attempt);
        let at = self.now.mono + fate.time;
        match fate.word {
            Word::Pass | Word::After(_) => self.schedule.push(at, Happening::Knock(link)),
            // Nobody answers, and the client has to give up by itself; a person at netcat does so sooner or later.
            Word::Hold => self.schedule.push(at + Duration::from_secs(40), Happening::Answer(link, false)),
            Word::Drop => self.schedule.push(at, Happening::Answer(link, false)),
        }
    }

    pub(super) fn knock(&mut self, id: LinkId) {
        if self.is_frozen() {
            return self.schedule.push(self.frozen, Happening::Knock(id));
        }
        let Some(link) = self.links.get_mut(&id).filter(|link| !link.cut) else { return };
        let taken = match &mut self.host {
            Host::Up(driver) => {
                let from = link.person.unwrap_or_default();
                let source = self.people[from].source(from);
                let ip = Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() + source as u32);
                let now = self.server_now;
                let conn = driver.open(now, Peer::Net(SocketAddr::from((ip, 40_000))));
                link.conn = Some(conn);
                self.conns.insert(conn, id);
                let trust = self.people[from].trust(from);
                self.oracle.opened(self.now.mono, conn, trust, source);
                true
            }
            Host::Down(_) => false,
        };
        let at = self.now.mono + up_to(&mut self.net, self.conditions.jitter) + self.conditions.latency;
        self.schedule.push(at, Happening::Answer(id, taken));
        self.settle_server();
        // The client may have given up by now.
        self.arrive(id, End::Server);
    }

    pub(super) fn answer(&mut self, id: LinkId, yes: bool) {
        let Some(person) = self.links.get(&id).and_then(|link| link.person) else { return };
        if self.is_asleep(person) {
            return self.schedule.push(self.people[person].asleep, Happening::Answer(id, yes));
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.answered = true;
        }
        if !yes {
            return self.lose(id, End::Client);
        }
        let now = self.clock_of(person);
        match &mut self.people[person].mind {
            Mind::Client(client) => client.handle(now, client::Input::Connected),
            Mind::Raw(raw) => raw.connected(),
        }
        self.settle_person(person);
        self.flush(id, End::Client);
        self.arrive(id, End::Client);
    }

    /// Hands over what has arrived at an end, while it reads.
    pub(super) fn arrive(&mut self, id: LinkId, end: End) {
        let mut has_read = false;
        while let Some(link) = self.links.get(&id) {
            let busy = match end {
                End::Client => link.person.is_some_and(|person| self.is_asleep(person)),
                End::Server => self.is_frozen(),
            };
            let now = self.now.mono;
            let Some(link) = self.links.get_mut(&id).filter(|_| !busy) else { return };
            // Whoever reads to the end finds the end with it, whatever they are told about reading meanwhile.
            let is_at_end = has_read && end == End::Server && link.conn.is_some() && link.to(end).is_at_end(now);
            if !link.takes(end) && !is_at_end {
                return;
            }
            let pipe = link.to(end);
            let Some(parcel) = pipe.receive(now) else { return };
            has_read = true;
            if std::mem::take(&mut pipe.blocked) {
                let at = self.now.mono + up_to(&mut self.net, self.conditions.jitter);
                // Until then its sender still has no room, as far as it knows.
                pipe.blocked = true;
                self.schedule.push(at, Happening::Room(id, end.other()));
            }
            match (end, link.person, link.conn) {
                (End::Client, Some(person), _) => self.person_gets(id, person, parcel),
                (End::Server, _, Some(conn)) => self.server_gets(conn, parcel),
                (End::Client, None, _) | (End::Server, _, None) => return,
            }
        }
    }

    fn person_gets(&mut self, id: LinkId, person: usize, parcel: Parcel) {
        let Parcel::Bytes(bytes) = parcel else { return self.lose(id, End::Client) };
        self.trace.bytes(&bytes);
        let now = self.clock_of(person);
        for chunk in self.split(bytes) {
            let Person { mind, hands, witness, court, .. } = &mut self.people[person];
            match mind {
                Mind::Client(client) => {
                    hands.down(now.mono, &chunk);
                    if court.is_some() {
                        witness.down(&chunk);
                    }
                    let chunk = self.breaks.to_client(chunk);
                    client.handle(now, client::Input::Received(&chunk));
                }
                Mind::Raw(raw) => raw.reads(&chunk),
            }
        }
        self.settle_person(person);
    }

    fn server_gets(&mut self, conn: ConnId, parcel: Parcel) {
        match parcel {
            Parcel::Bytes(bytes) => {
                self.trace.bytes(&bytes);
                self.journal(|| format!("{conn:?} → {}", printable(&bytes)));
                for chunk in self.split(bytes) {
                    let Host::Up(driver) = &mut self.host else { return };
                    self.oracle.up(self.now.mono, conn, &chunk);
                    for piece in self.breaks.up(conn, chunk) {
                        driver.received(self.server_now, conn, &piece);
                    }
                }
            }
            Parcel::End => {
                let Host::Up(driver) = &mut self.host else { return };
                self.oracle.ended(self.now.mono, conn);
                driver.end_of_input(self.server_now, conn);
            }
        }
        self.settle_server();
    }

    /// An end learns that the connection is no more.
    pub(super) fn lose(&mut self, id: LinkId, end: End) {
        match end {
            End::Client => {
                let Some(person) = self.links.get(&id).and_then(|link| link.person) else { return self.forget(id) };
                if self.is_asleep(person) {
                    return self.schedule.push(self.people[person].asleep, Happening::Lost(id, end));
                }
                if let Some(link) = self.links.get_mut(&id) {
                    link.person = None;
                }
                self.people[person].link = None;
                let now = self.clock_of(person);
                match &mut self.people[person].mind {
                    Mind::Client(client) => client.handle(now, client::Input::Disconnected),
                    Mind::Raw(raw) => raw.disconnected(),
                }
                self.settle_person(person);
            }
            End::Server if self.is_frozen() => return self.schedule.push(self.frozen, Happening::Lost(id, end)),
            End::Server => {
                if let Some(conn) = self.links.get_mut(&id).and_then(|link| link.conn.take()) {
                    self.conns.remove(&conn);
                    self.journal(|| format!("{conn:?} is lost"));
                    self.oracle.lost(self.now.mono, conn, true);
                    if let Host::Up(driver) = &mut self.host {
                        driver.closed(self.server_now, conn, Hangup::Reset);
                    }
                    self.settle_server();
                }
            }
        }
        self.forget(id);
    }

    /// The server knows of no connection any more.
    pub(super) fn cut_all(&mut self) {
        self.conns.clear();
        let ids: Vec<_> = self.links.keys().copied().collect();
        for id in ids {
            if let Some(link) = self.links.get_mut(&id) {
                link.conn = None;
            }
            self.cut(id);
            self.forget(id);
        }
    }

    /// What is on its way never arrives, and both ends learn of it sooner or later.
    pub(super) fn cut(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.cut = true;
        for end in [End::Client, End::Server] {
            link.to(end).hold();
            let at = self.now.mono + up_to(&mut self.net, Duration::from_secs(2));
            self.schedule.push(at, Happening::Lost(id, end));
        }
    }

    pub(super) fn forget(&mut self, id: LinkId) {
        if self.links.get(&id).is_some_and(Link::is_forgotten) {
            self.links.remove(&id);
        }
    }

    /// Somebody lets go of their connection: politely, or with a reset.
    pub(super) fn hang_up(&mut self, person: usize) {
        let Some(id) = self.people[person].link.take() else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        link.person = None;
        let at = self.now.mono + self.conditions.latency;
        // Half of what a person at netcat typed would be taken for the whole.
        let has_more = matches!(&self.people[person].mind, Mind::Raw(raw) if !raw.outgoing.is_empty());
        if self.net.bool() && !has_more {
            if link.to(End::Client).is_ending() {
                self.counters.count(Fault::BothClose);
            }
            let at = link.to(End::Server).send(at, Parcel::End);
            self.schedule.push(at, Happening::Arrive(id, End::Server));
            // The rest of the connection goes when both directions are done.
            self.schedule.push(at + Duration::from_secs(30), Happening::Lost(id, End::Server));
        } else {
            self.schedule.push(at, Happening::Lost(id, End::Server));
        }
        self.forget(id);
    }

    /// Sends what an end has, as much as the pipe takes, in segments of any length.
    pub(super) fn flush(&mut self, id: LinkId, from: End) {
        let busy = match from {
            End::Client => self.links.get(&id).and_then(|link| link.person).is_some_and(|p| self.is_asleep(p)),
            End::Server => self.is_frozen(),
        };
        if busy {
            return;
        }
        if let Some(link) = self.links.get_mut(&id) {
            link.to(from.other()).blocked = false;
        }
        while let Some(link) = self.links.get_mut(&id) {
            let room = link.to(from.other()).room();
            let (person, conn) = (link.person, link.conn);
            let answered = link.answered;
            let mut bytes = match (from, person, conn, &mut self.host) {
                (End::Client, Some(person), ..) => match &mut self.people[person].mind {
                    Mind::Client(client) => {
                        let Some(transmit) = client.transmit() else {
                            return self.people[person].hands.waits(None);
                        };
                        let mut slices = [&[][..]; SLICES];
                        let count = transmit.gather(&mut slices, |slice| slice);
                        front(&slices[..count], room)
                    }
                    Mind::Raw(raw) if answered && !raw.outgoing.is_empty() => front(&[&raw.outgoing], room),
                    Mind::Raw(raw) => {
                        let ends = answered && std::mem::take(&mut raw.ends);
                        if ends {
                            self.end(id);
                        }
                        return;
                    }
                },
                (End::Server, _, Some(conn), Host::Up(driver)) => {
                    let Some(transmit) = driver.transmit(conn) else { return };
                    let mut slices = [&[][..]; SLICES];
                    let count = transmit.gather(&mut slices, |slice| slice);
                    front(&slices[..count], room)
                }
                _ => return,
            };
            if room == 0 {
                link.to(from.other()).blocked = true;
                match (from, person, conn) {
                    (End::Server, _, Some(conn)) => self.oracle.blocked(self.now.mono, conn),
                    (End::Client, Some(person), _) => self.people[person].hands.waits(Some(self.now.mono)),
                    _ => {}
                }
                return;
            }
            if bytes.is_empty() {
                return self
                    .oracle
                    .note(Err(Violation::new(9, "there is something to send, but nothing to see of it")));
            }
            let most = if self.plan_has(Fault::Writes) && self.net.bool() {
                self.counters.count(Fault::Writes);
                self.net.usize(0..=room).max(1)
            } else {
                room
            };
            bytes.truncate(most);
            let sent = bytes.len();
            let is_advanced = match (from, person, conn, &mut self.host) {
                (End::Client, Some(person), ..) => match &mut self.people[person].mind {
                    Mind::Client(client) => client.transmit().is_some_and(|mut t| t.advance(sent).is_ok()),
                    Mind::Raw(raw) => {
                        raw.outgoing.drain(..sent);
                        true
                    }
                },
                (End::Server, _, Some(conn), Host::Up(driver)) => {
                    driver.transmit(conn).is_some_and(|mut t| t.advance(sent).is_ok())
                }
                _ => return,
            };
            if !is_advanced {
                return self.oracle.note(Err(Violation::new(9, "what was shown can't be sent")));
            }
            if let (End::Client, Some(person)) = (from, person)
                && self.people[person].client().is_some()
                && self.people[person].court.is_none()
            {
                let left = self.people[person].hands.up(self.now.mono, &bytes);
                self.oracle.note(left.map_err(|violation| violation.of(person)));
            }
            if let (End::Server, Some(conn)) = (from, conn) {
                bytes = self.breaks.down(conn, bytes);
                self.oracle.down(self.now.mono, conn, &bytes);
                self.journal(|| format!("{conn:?} ← {}", printable(&bytes)));
            }
            if !bytes.is_empty() {
                self.send(id, from, bytes);
            }
        }
    }

    /// Somebody's input ends; they still read.
    fn end(&mut self, id: LinkId) {
        let at = self.now.mono + self.conditions.latency;
        let Some(link) = self.links.get_mut(&id).filter(|link| !link.cut) else { return };
        let at = link.to(End::Server).send(at, Parcel::End);
        self.schedule.push(at, Happening::Arrive(id, End::Server));
    }

    fn send(&mut self, id: LinkId, from: End, mut bytes: Vec<u8>) {
        let mut fate = self.fate(Carried::Segment);
        if from == End::Client
            && self.links.get_mut(&id).is_some_and(|link| !std::mem::replace(&mut link.has_spoken, true))
        {
            fate.time += self.fate(Carried::Greeting).time;
        }
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.cut {
            return;
        }
        let is_typed = link.person.is_some_and(|person| self.people[person].client().is_none());
        let at = self.now.mono + fate.time;
        let pipe = link.to(from.other());
        match fate.word {
            Word::Pass | Word::After(_) => {}
            Word::Hold => pipe.hold(),
            Word::Drop if fate.by.contains(&Fault::Torn) && !(is_typed && from == End::Client) => {
                // A part of it arrives, then an end of input; the sender hears that nobody listens.
                bytes.truncate(self.net.usize(0..bytes.len()));
                pipe.send(at, Parcel::Bytes(bytes));
                pipe.send(at, Parcel::End);
                self.schedule.push(at, Happening::Arrive(id, from.other()));
                return self.schedule.push(at, Happening::Lost(id, from));
            }
            Word::Drop => return self.cut(id),
        }
        let at = pipe.send(at, Parcel::Bytes(bytes));
        self.schedule.push(at, Happening::Arrive(id, from.other()));
    }

    fn fate(&mut self, of: Carried) -> Fate {
        let fate = self.conditions.fate(of, &mut self.net);
        for fault in &fate.by {
            self.counters.count(*fault);
        }
        fate
    }

    /// The bytes as they were, in two pieces, or one by one.
    fn split(&mut self, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        if !self.plan_has(Fault::Reads) || !chance(&mut self.net, 500) {
            return vec![bytes];
        }
        self.counters.count(Fault::Reads);
        match self.net.u32(0..5) {
            0 if bytes.len() < 2_000 => bytes.chunks(1).map(Vec::from).collect(),
            _ => <[_; 2]>::from(bytes.split_at(self.net.usize(0..=bytes.len()))).map(Vec::from).into(),
        }
    }
}

/// The first of the bytes, as many as there is room for.
fn front(slices: &[&[u8]], room: usize) -> Vec<u8> {
    let whole: usize = slices.iter().map(|slice| slice.len()).sum();
    let mut bytes = Vec::with_capacity(whole.min(room));
    for slice in slices {
        bytes.extend_from_slice(&slice[..slice.len().min(room - bytes.len())]);
    }
    bytes
}

/// What is told of bytes: no password.
fn printable(bytes: &[u8]) -> String {
    let text = hushed(&String::from_utf8_lossy(bytes).trim_end().replace('\n', " ⏎ "));
    if text.len() > 400 { format!("{}…", &text[..text.floor_char_boundary(400)]) } else { text }
}
