//! What is between the server and its people, from the first packet to the last.

use qun_core::client::{self, Action};
use qun_core::server::{Hangup, Peer};
use qun_core::{ConnId, Instant};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::link::{End, Link, LinkId, Parcel};
use super::weather::{Fate, chance, up_to};
use super::world::{Happening, Host, World};
use crate::driver::Event;

/// The slices asked for at once.
const SLICES: usize = 8;

impl World {
    /// Somebody wants a connection.
    fn connect(&mut self, client: usize) {
        self.hang_up(client);
        self.next_link += 1;
        let link = LinkId(self.next_link);
        let capacity = 1 << self.rng.u32(10..17);
        self.links.insert(link, Link::new(client, capacity));
        self.people[client].link = Some(link);
        let at = self.now.mono + self.weather.delay(&mut self.rng);
        self.schedule.push(at, Happening::Knock(link));
    }

    pub(super) fn knock(&mut self, id: LinkId) {
        let refused = chance(&mut self.rng, self.weather.refuse);
        let Some(link) = self.links.get_mut(&id).filter(|link| !link.cut) else { return };
        let taken = match &mut self.host {
            Host::Up(driver) if !refused => {
                let from = link.client.unwrap_or_default() as u32;
                let ip = Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() + from);
                let conn = driver.open(self.now, Peer::Net(SocketAddr::from((ip, 40_000))));
                link.conn = Some(conn);
                self.conns.insert(conn, id);
                true
            }
            Host::Up(_) | Host::Down(_) => false,
        };
        let at = self.now.mono + self.weather.delay(&mut self.rng);
        self.schedule.push(at, Happening::Answer(id, taken));
        self.settle_server();
        // The client may have given up by now.
        self.arrive(id, End::Server);
    }

    pub(super) fn answer(&mut self, id: LinkId, yes: bool) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.answered = true;
        let Some(client) = link.client else { return };
        if !yes {
            return self.lose(id, End::Client);
        }
        self.people[client].client.handle(self.now, client::Input::Connected);
        self.settle_client(client);
        self.flush(id, End::Client);
        self.arrive(id, End::Client);
    }

    /// Hands over what has arrived at an end, while it reads.
    pub(super) fn arrive(&mut self, id: LinkId, end: End) {
        while let Some(link) = self.links.get_mut(&id) {
            if !link.takes(end) {
                return;
            }
            let pipe = link.to(end);
            let Some(parcel) = pipe.receive(self.now.mono) else { return };
            if std::mem::take(&mut pipe.blocked) {
                let at = self.now.mono + self.weather.delay(&mut self.rng);
                self.schedule.push(at, Happening::Room(id, end.other()));
            }
            match (end, link.client, link.conn) {
                (End::Client, Some(client), _) => self.client_gets(id, client, parcel),
                (End::Server, _, Some(conn)) => self.server_gets(conn, parcel),
                (End::Client, None, _) | (End::Server, _, None) => return,
            }
        }
    }

    fn client_gets(&mut self, id: LinkId, client: usize, parcel: Parcel) {
        match parcel {
            Parcel::Bytes(bytes) => {
                self.trace.bytes(&bytes);
                for chunk in split(&bytes, &mut self.rng) {
                    self.people[client].client.handle(self.now, client::Input::Received(chunk));
                }
                self.settle_client(client);
            }
            Parcel::End => self.lose(id, End::Client),
        }
    }

    fn server_gets(&mut self, conn: ConnId, parcel: Parcel) {
        let Host::Up(driver) = &mut self.host else { return };
        match parcel {
            Parcel::Bytes(bytes) => {
                self.trace.bytes(&bytes);
                for chunk in split(&bytes, &mut self.rng) {
                    driver.received(self.now, conn, chunk);
                }
            }
            Parcel::End => driver.end_of_input(self.now, conn),
        }
        self.settle_server();
    }

    /// An end learns that the connection is no more.
    pub(super) fn lose(&mut self, id: LinkId, end: End) {
        let Some(link) = self.links.get_mut(&id) else { return };
        match end {
            End::Client => {
                if let Some(client) = link.client.take() {
                    self.people[client].link = None;
                    self.people[client].client.handle(self.now, client::Input::Disconnected);
                    self.settle_client(client);
                }
            }
            End::Server => {
                if let Some(conn) = link.conn.take() {
                    self.conns.remove(&conn);
                    if let Host::Up(driver) = &mut self.host {
                        driver.closed(self.now, conn, Hangup::Reset);
                    }
                    self.settle_server();
                }
            }
        }
        self.forget(id);
    }

    /// Every connection is lost, and the server knows of none.
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
    fn cut(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.cut = true;
        for end in [End::Client, End::Server] {
            link.to(end).hold();
            let at = self.now.mono + up_to(&mut self.rng, Duration::from_secs(2));
            self.schedule.push(at, Happening::Lost(id, end));
        }
    }

    fn forget(&mut self, id: LinkId) {
        if self.links.get(&id).is_some_and(Link::is_forgotten) {
            self.links.remove(&id);
        }
    }

    /// A client lets go of its connection: politely, or with a reset.
    fn hang_up(&mut self, client: usize) {
        let Some(id) = self.people[client].link.take() else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        link.client = None;
        let at = self.now.mono + self.weather.delay(&mut self.rng);
        if self.rng.bool() {
            let at = link.to(End::Server).send(at, Parcel::End);
            self.schedule.push(at, Happening::Arrive(id, End::Server));
        } else {
            self.schedule.push(at, Happening::Lost(id, End::Server));
        }
        self.forget(id);
    }

    /// Does what the server wants, until it wants nothing more.
    pub(super) fn settle_server(&mut self) {
        let mut ticked = false;
        loop {
            let Host::Up(driver) = &mut self.host else { return };
            let Some(event) = driver.poll(self.now) else {
                if driver.deadline().is_none_or(|at| at > self.now.mono) {
                    return;
                }
                assert!(!ticked, "the server wants a tick at once after one");
                driver.tick(self.now);
                ticked = true;
                continue;
            };
            match event {
                Event::Transmit(conn) => {
                    if let Some(&id) = self.conns.get(&conn) {
                        self.flush(id, End::Server);
                    }
                }
                Event::Read(conn, on) => self.set_reading(conn, on),
                Event::Close(conn, _) => self.close(conn),
                Event::Note(note) => self.trace.bytes(format!("{note:?}").as_bytes()),
            }
        }
    }

    fn set_reading(&mut self, conn: ConnId, on: bool) {
        let Some(&id) = self.conns.get(&conn) else { return };
        if let Some(link) = self.links.get_mut(&id) {
            link.reading = on;
        }
        if on {
            self.schedule.push(self.now.mono, Happening::Arrive(id, End::Server));
        }
    }

    /// The server is done with a connection; what it has sent still arrives.
    fn close(&mut self, conn: ConnId) {
        let Some(id) = self.conns.remove(&conn) else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        link.conn = None;
        let at = self.now.mono + self.weather.delay(&mut self.rng);
        let at = link.to(End::Client).send(at, Parcel::End);
        self.schedule.push(at, Happening::Arrive(id, End::Client));
        self.forget(id);
    }

    /// Does what a client wants, until it wants nothing more.
    pub(super) fn settle_client(&mut self, index: usize) {
        let mut ticked = false;
        loop {
            let client = &mut self.people[index].client;
            let Some(action) = client.poll() else {
                if client.deadline().is_none_or(|at| at > self.now.mono) {
                    return;
                }
                assert!(!ticked, "a client wants a tick at once after one");
                client.handle(self.now, client::Input::Tick);
                ticked = true;
                continue;
            };
            match action {
                Action::Connect => self.connect(index),
                Action::Close => self.hang_up(index),
                Action::Transmit => {
                    if let Some(id) = self.people[index].link {
                        self.flush(id, End::Client);
                    }
                }
                Action::Show(event) => {
                    self.trace.bytes(format!("{index} {event:?}").as_bytes());
                    let seen = self.people[index].see(event);
                    self.note(index, seen);
                }
            }
        }
    }

    /// Sends what an end has, as much as the pipe takes, in segments of any length.
    pub(super) fn flush(&mut self, id: LinkId, from: End) {
        loop {
            let Some(link) = self.links.get_mut(&id) else { return };
            let room = link.to(from.other()).room();
            let most = if self.rng.bool() { room } else { self.rng.usize(0..=room).max(1) };
            let mut bytes = match (from, link.client, link.conn) {
                (End::Client, Some(client), _) => {
                    let Some(transmit) = self.people[client].client.transmit() else { return };
                    let mut slices = [&[][..]; SLICES];
                    let count = transmit.gather(&mut slices, |slice| slice);
                    slices[..count].concat()
                }
                (End::Server, _, Some(conn)) => {
                    let Host::Up(driver) = &mut self.host else { return };
                    let Some(transmit) = driver.transmit(conn) else { return };
                    let mut slices = [&[][..]; SLICES];
                    let count = transmit.gather(&mut slices, |slice| slice);
                    slices[..count].concat()
                }
                (End::Client, None, _) | (End::Server, _, None) => return,
            };
            if room == 0 {
                link.to(from.other()).blocked = true;
                return;
            }
            assert!(!bytes.is_empty(), "there is something to send, but nothing to see of it");
            bytes.truncate(most);
            let (client, conn, sent) = (link.client, link.conn, bytes.len());
            self.send(id, from, bytes);
            let advanced = match (from, client, conn, &mut self.host) {
                (End::Client, Some(client), ..) => self.people[client].client.transmit().map(|mut t| t.advance(sent)),
                (End::Server, _, Some(conn), Host::Up(driver)) => driver.transmit(conn).map(|mut t| t.advance(sent)),
                _ => return,
            };
            assert_eq!(advanced, Some(Ok(())), "what was shown can be sent");
        }
    }

    fn send(&mut self, id: LinkId, from: End, bytes: Vec<u8>) {
        let fate = self.weather.fate(&mut self.rng);
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.cut {
            return;
        }
        let pipe = link.to(from.other());
        let at: Instant = match fate {
            Fate::After(time) => self.now.mono + time,
            Fate::Hold => {
                pipe.hold();
                self.now.mono
            }
            Fate::Drop => return self.cut(id),
        };
        let at = pipe.send(at, Parcel::Bytes(bytes));
        self.schedule.push(at, Happening::Arrive(id, from.other()));
    }
}

/// The bytes as they were, in two pieces, or one by one.
fn split<'a>(bytes: &'a [u8], rng: &mut fastrand::Rng) -> Vec<&'a [u8]> {
    match rng.u32(0..10) {
        0 => bytes.chunks(1).collect(),
        1..5 => <[_; 2]>::from(bytes.split_at(rng.usize(0..=bytes.len()))).into(),
        _ => vec![bytes],
    }
}
