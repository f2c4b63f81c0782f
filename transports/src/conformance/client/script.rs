//! A server that does what a check has written, and a client that comes to it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use qun_core::client::{Client, Config, Event};
use qun_core::json::Request;
use qun_core::{Entropy, Id, Key, Now};

use super::Subject;
use crate::conformance::Violation;
use crate::conformance::line::{Line, PATIENCE, demand};

/// The longest wait between two attempts that the client is told to have.
pub(super) const BACKOFF: Duration = Duration::from_millis(100);
/// The member that the script says it is.
const MEMBER: &str = "Xk3pQ9aLw2";

/// The place where a client comes to.
pub(super) struct Host {
    listener: TcpListener,
    pub(super) addr: SocketAddr,
}

impl Host {
    pub(super) fn open() -> Result<Self, Violation> {
        Self::at(([127, 0, 0, 1], 0).into())
    }

    pub(super) fn at(addr: SocketAddr) -> Result<Self, Violation> {
        let listener = TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        Ok(Self { listener, addr })
    }

    /// Takes little from whoever comes before it is read.
    pub(super) fn narrow(self) -> Result<Self, Violation> {
        socket2::SockRef::from(&self.listener).set_recv_buffer_size(4 << 10)?;
        Ok(self)
    }

    /// The next connection.
    pub(super) fn accept(&self) -> Result<Line<TcpStream>, Violation> {
        match self.accept_within(PATIENCE)? {
            Some(line) => Ok(line),
            None => Err(Violation(format!("nobody connected for {PATIENCE:?}"))),
        }
    }

    pub(super) fn accept_within(&self, time: Duration) -> Result<Option<Line<TcpStream>>, Violation> {
        let end = Instant::now() + time;
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    stream.set_nodelay(true)?;
                    return Line::new(stream).map(Some);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// The next connection, whose hello is answered.
    pub(super) fn welcome(&self) -> Result<Line<TcpStream>, Violation> {
        let mut line = self.accept()?;
        hello(&mut line)?;
        line.send(&welcome())?;
        Ok(line)
    }

    /// The next connection, which is in the room, at its message 1.
    pub(super) fn member(&self) -> Result<Line<TcpStream>, Violation> {
        let mut line = self.welcome()?;
        let join = line.until(r#""t":"join""#)?;
        let re = id(&join)?;
        line.send(&format!(
            "{{\"t\":\"joined\",\"re\":\"{re}\",\"room\":{{\"id\":\"ops\",\"title\":\"On-call\",\"role\":\"talk\"}},\"here\":1,\
             \"epoch\":\"e\",\"first\":1,\"from\":1,\"head\":0}}\n"
        ))?;
        Ok(line)
    }
}

/// The first line, which must be a hello.
pub(super) fn hello(line: &mut Line<TcpStream>) -> Result<(), Violation> {
    let first = line.next()?.unwrap_or_default();
    demand(first.starts_with(r#"{"t":"hello""#), || {
        format!("a connection began with {:?}", first.chars().take(80).collect::<String>())
    })
}

pub(super) fn welcome() -> String {
    format!(
        "{{\"t\":\"welcome\",\"v\":1,\"server\":\"check\",\"m\":\"{MEMBER}\",\"name\":\"ann\",\"resumed\":false,\"now\":0,\
         \"ping_s\":25,\"grace_s\":60,\"limits\":{{\"line\":16384,\"text\":4000,\"lines\":64,\"name\":32,\"replay\":200,\
         \"burst\":0,\"per_s\":0}}}}\n"
    )
}

/// A message of somebody else's.
pub(super) fn msg(seq: usize, text: &str) -> String {
    format!(
        "{{\"t\":\"msg\",\"room\":\"ops\",\"seq\":{seq},\"ts\":1,\"m\":\"bbbbbbbbbb\",\"name\":\"bob\",\"text\":\"{text}\"}}\n"
    )
}

/// The id of a request.
fn id(line: &str) -> Result<Id, Violation> {
    match Request::decode(line.trim_end().as_bytes()) {
        Ok(Request::Join { id: Some(id), .. }) => Ok(id),
        other => Err(Violation(format!("in place of a join came {other:?}"))),
    }
}

/// A client under test, and what it tells.
pub(super) struct Guest<S> {
    subject: S,
    events: Receiver<Event>,
}

impl<S: Subject> Guest<S> {
    pub(super) fn start(host: &Host) -> Self {
        let (tell, events) = mpsc::channel();
        // It fails where the check is over.
        let subject = S::start(host.addr, config(), Box::new(move |event| drop(tell.send(event))));
        Self { subject, events }
    }

    /// One whose events are taken at the check's pace, one at a time.
    pub(super) fn slow(host: &Host) -> Self {
        let (tell, events) = mpsc::sync_channel(0);
        let subject = S::start(host.addr, config(), Box::new(move |event| drop(tell.send(event))));
        Self { subject, events }
    }

    pub(super) fn command(&self, command: impl FnOnce(&mut Client, Now) + Send + 'static) {
        self.subject.command(Box::new(command));
    }

    /// Has it join the room of the script.
    pub(super) fn join(&self) {
        self.command(|client, now| {
            if let Ok(code) = "K7QM-2XD4".parse::<qun_core::Code>() {
                client.join(now, code);
            }
        });
    }

    /// The next event of which `find` makes something.
    pub(super) fn until<T>(&self, what: &str, find: impl Fn(Event) -> Option<T>) -> Result<T, Violation> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    if let Some(found) = find(event) {
                        return Ok(found);
                    }
                }
                Err(_) => return Err(Violation(format!("{what} was not told for {PATIENCE:?}"))),
            }
        }
    }

    pub(super) fn online(&self) -> Result<(), Violation> {
        self.until("that it is online", |event| matches!(event, Event::Online { .. }).then_some(()))
    }

    /// The next news of the connection is that it is lost, for this time in a row.
    pub(super) fn offline(&self, nth: u32) -> Result<(), Violation> {
        let news = self.until("that the connection is lost", |event| match event {
            Event::Offline { attempt, .. } => Some(Some(attempt)),
            Event::Online { .. } => Some(None),
            _ => None,
        })?;
        demand(news == Some(nth), || match news {
            Some(attempt) => format!("loss number {nth} was told as number {attempt}"),
            None => format!("loss number {nth} was not told before the next success"),
        })
    }

    /// Demands that nothing more is told of the connection for a while.
    pub(super) fn quiet(&self, time: Duration) -> Result<(), Violation> {
        match self.events.recv_timeout(time) {
            Ok(event) => Err(Violation(format!("it told of {event:?}, where nothing was to tell"))),
            Err(_) => Ok(()),
        }
    }
}

fn config() -> Config {
    Config {
        agent: "check/1".into(),
        name: "ann".parse().ok(),
        key: Key::generate(&mut Entropy::new([7; 32])),
        tail: 50,
        timeline: 10,
        password: None,
        backoff: BACKOFF,
    }
}
