//! A server machine with its log.

use qun_core::server::{
    Action, Config, Hangup, Input, Note, Overview, Peer, Reason, Server, Transmit, Verdict, Verification,
};
use qun_core::{ConnId, Instant, Now, Password, PasswordHash};

use crate::ids::Ids;
use crate::log::Log;

/// A [`Server`] joined to its [`Log`], with names for its connections.
///
/// This is what an event loop drives. The loop has the sockets and nothing else: it says what happened
/// ([`open`](Self::open), [`received`](Self::received), [`end_of_input`](Self::end_of_input), [`closed`](Self::closed),
/// [`tick`](Self::tick), [`drain`](Self::drain), [`reload`](Self::reload)), asks what to do ([`poll`](Self::poll), until there is nothing) and
/// takes the bytes to send ([`transmit`](Self::transmit)). Requests to the log and its answers are passed on inside.
///
/// The layers of bytes that may lie under the dialects (TLS, HTTP, WebSocket) belong here, between `received` and the
/// machine and between the machine and `transmit`, so that every loop has them. There are none yet: what comes in
/// here are the dialects' own bytes.
#[derive(Clone, Debug)]
pub struct Driver<L> {
    server: Server,
    log: L,
    ids: Ids,
}

/// Something for the event loop to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// There are bytes to send where there were none: take them by [`Driver::transmit`], until there are no more or the
    /// connection takes no more; in that case again when it does.
    Transmit(ConnId),
    /// Stop reading (`false`), or go on (`true`) without waiting to hear that there is something: what came meanwhile
    /// may not be announced again.
    Read(ConnId, bool),
    /// Everything is sent, or the time for it is over: close the connection. Its id is forgotten.
    Close(ConnId, Reason),
    /// Verify a password, where the loop does not wait for it, and answer by [`Driver::verified`]: a
    /// [`Verifier`](crate::Verifier) does.
    Verify {
        /// What the answer is to name.
        request: Verification,
        /// Against what.
        hash: PasswordHash,
        /// Which password.
        password: Password,
    },
    /// For the operator.
    Note(Note),
}

/// The most bytes that the machine takes at once.
const INPUT: usize = 64 << 10;

impl<L: Log> Driver<L> {
    /// A server without connections. `log` is started; `seed` is 32 bytes of the best randomness there is.
    pub fn new(config: Config, seed: [u8; 32], log: L) -> Self {
        Self { server: Server::new(config, seed), log, ids: Ids::default() }
    }

    /// Somebody connected. The id is the connection's name until `poll` says `Close`, or `closed` is called.
    pub fn open(&mut self, now: Now, peer: Peer) -> ConnId {
        let conn = self.ids.take();
        self.server.handle(now, Input::Opened { conn, peer });
        conn
    }

    /// Bytes arrived, split anywhere. Like the other inputs it is ignored for an id that is forgotten.
    pub fn received(&mut self, now: Now, conn: ConnId, bytes: &[u8]) {
        if self.ids.holds(conn) {
            for bytes in bytes.chunks(INPUT) {
                self.server.handle(now, Input::Received { conn, bytes });
            }
        }
    }

    /// No more bytes will arrive; the other direction still works. To be said once.
    pub fn end_of_input(&mut self, now: Now, conn: ConnId) {
        if self.ids.holds(conn) {
            self.server.handle(now, Input::EndOfInput { conn });
        }
    }

    /// The connection is gone, and its id forgotten.
    pub fn closed(&mut self, now: Now, conn: ConnId, why: Hangup) {
        if self.ids.release(conn) {
            self.server.handle(now, Input::Closed { conn, why });
        }
    }

    /// The verdict on a password; see [`Event::Verify`].
    pub fn verified(&mut self, now: Now, request: Verification, verdict: Verdict) {
        self.server.handle(now, Input::Verified { request, verdict });
    }

    /// Time passed. Needed at [`deadline`](Self::deadline), harmless at any time.
    pub fn tick(&mut self, now: Now) {
        self.server.handle(now, Input::Tick);
    }

    /// Send everyone away and take nobody new: done when [`connections`](Self::connections) is 0.
    pub fn drain(&mut self, now: Now) {
        self.server.handle(now, Input::Drain);
    }

    /// Serve another configuration from here on; see [`Input::Reload`].
    pub fn reload(&mut self, now: Now, config: Config) {
        self.server.handle(now, Input::Reload(Box::new(config)));
    }

    /// The next thing to do, until there is none: to be drained after inputs, and whenever the log wakes the loop.
    pub fn poll(&mut self, now: Now) -> Option<Event> {
        loop {
            match self.server.poll() {
                Some(Action::Transmit(conn)) if self.ids.holds(conn) => return Some(Event::Transmit(conn)),
                Some(Action::Read(conn, on)) if self.ids.holds(conn) => return Some(Event::Read(conn, on)),
                Some(Action::Close(conn, reason)) if self.ids.release(conn) => return Some(Event::Close(conn, reason)),
                // Such an action was on its way as the connection was lost.
                Some(Action::Transmit(_) | Action::Read(..) | Action::Close(..)) => {}
                Some(Action::Note(note)) => return Some(Event::Note(note)),
                Some(Action::Verify { request, hash, password }) => {
                    return Some(Event::Verify { request, hash, password });
                }
                Some(Action::Log(request)) => self.log.submit(now, request),
                // Answers come last, so that all that a turn says has become one append before the log is asked again.
                None => match self.log.poll() {
                    Some(answer) => self.server.handle(now, Input::Log(answer)),
                    None => return None,
                },
            }
        }
    }

    /// What `conn` is to send next, or `None` where there is nothing.
    pub fn transmit(&mut self, conn: ConnId) -> Option<Transmit<'_>> {
        if self.ids.holds(conn) { self.server.transmit(conn) } else { None }
    }

    /// When [`tick`](Self::tick) is wanted at the latest; `None`: never.
    pub fn deadline(&self) -> Option<Instant> {
        self.server.deadline()
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Bytes that the rooms hold; see [`Server::memory`].
    pub fn memory(&self) -> usize {
        self.server.memory()
    }

    /// How the server is, for whoever runs it.
    pub fn overview(&self) -> Overview {
        self.server.overview()
    }

    /// The log, for whoever has to tend it.
    pub fn log(&self) -> &L {
        &self.log
    }

    /// The log, for whoever has to tend it.
    pub fn log_mut(&mut self) -> &mut L {
        &mut self.log
    }

    /// The log, without the server.
    pub fn into_log(self) -> L {
        self.log
    }
}

#[cfg(test)]
mod tests {
    use qun_core::Role;
    use qun_core::server::{Access, RoomConfig};

    use super::*;
    use crate::memory::MemoryLog;

    const NOW: Now = Now { mono: Instant::from_micros(1), unix_ms: 1_767_225_600_000 };

    fn driver() -> Driver<MemoryLog> {
        let code = Access {
            code: "K7QM-2XD4".parse().unwrap(),
            label: "team".into(),
            role: Role::Talk,
            expires: None,
            max_members: None,
        };
        let room = RoomConfig {
            id: "ops".parse().unwrap(),
            title: "Ops".into(),
            presence: Default::default(),
            codes: vec![code],
            accounts: Vec::new(),
            guests: true,
        };
        Driver::new(Config { rooms: vec![room], ..Config::default() }, [1; 32], MemoryLog::new([2; 32]))
    }

    fn events(driver: &mut Driver<MemoryLog>) -> Vec<Event> {
        std::iter::from_fn(|| driver.poll(NOW)).filter(|event| !matches!(event, Event::Note(_))).collect()
    }

    fn sent(driver: &mut Driver<MemoryLog>, conn: ConnId) -> String {
        let mut sent = Vec::new();
        while let Some(mut transmit) = driver.transmit(conn) {
            let mut slices = [&[][..]; 3];
            let count = transmit.gather(&mut slices, |slice| slice);
            let bytes = slices[..count].concat();
            transmit.advance(bytes.len()).unwrap();
            sent.extend(bytes);
        }
        String::from_utf8(sent).unwrap()
    }

    const IN: &[u8] = b"{\"t\":\"hello\",\"v\":[1]}\n{\"t\":\"join\",\"code\":\"K7QM-2XD4\"}\n";

    #[test]
    fn the_log_is_asked_and_heard_inside() {
        let mut driver = driver();
        let conn = driver.open(NOW, Peer::Local);
        // What its rooms were left with is asked before anything else.
        assert_eq!(events(&mut driver), []);
        driver.received(NOW, conn, IN);
        assert_eq!(events(&mut driver), [Event::Transmit(conn)]);
        assert!(sent(&mut driver, conn).contains(r#""t":"joined""#));
        driver.received(NOW, conn, b"{\"t\":\"say\",\"id\":\"s\",\"room\":\"ops\",\"text\":\"hi\"}\n");
        assert_eq!(events(&mut driver), [Event::Transmit(conn)]);
        assert!(sent(&mut driver, conn).contains(r#""seq":1"#));
    }

    #[test]
    fn nothing_names_a_connection_that_is_forgotten() {
        let mut driver = driver();
        let conn = driver.open(NOW, Peer::Local);
        driver.received(NOW, conn, IN);
        driver.closed(NOW, conn, Hangup::Reset);
        assert_eq!(events(&mut driver), []);
        driver.received(NOW, conn, IN);
        driver.end_of_input(NOW, conn);
        driver.closed(NOW, conn, Hangup::Failed);
        assert_eq!(events(&mut driver), []);
        assert!(driver.transmit(conn).is_none());
        assert_eq!(driver.connections(), 0);
        let next = driver.open(NOW, Peer::Local);
        assert_eq!((next.index, next.generation), (conn.index, conn.generation + 1));
    }
}
