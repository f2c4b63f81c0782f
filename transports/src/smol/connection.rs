//! The client as a stream of events.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_io::Async;
use futures_core::Stream;
use qun_core::client::{Action, Client, Config, Event, Input, NotMember};
use qun_core::log::Kind;
use qun_core::{Code, Id, Now, RoomId, Text};

use super::dial::Dialer;
use super::timer::Timer;
use crate::clock::Clock;
use crate::readiness::socket::{self, Got};

/// Reads at one poll, so that a server that sends without end leaves time to the executor's other tasks.
const READS: u32 = 8;

/// A client of `server`, which is `host:port`; the name is looked up anew at each attempt.
///
/// ```no_run
/// use qun_core::client::{Config, Event};
///
/// # async fn go(config: Config, code: qun_core::Code) -> std::io::Result<()> {
/// let mut chat = qun_transports::smol::connect("chat.example.org:7777", config)?;
/// chat.join(code);
/// while let Some(event) = chat.next().await {
///     if let Event::Message { message, .. } = event {
///         println!("<{}> {}", message.name, message.text);
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Where `server` is no such thing, or the system has no randomness.
pub fn connect(server: impl Into<String>, config: Config) -> io::Result<Connection> {
    let clock = Clock::start();
    Ok(Connection {
        client: Client::new(config, super::seed()?),
        dialer: Dialer::new(server.into())?,
        link: Link::None,
        timer: Timer::new(clock),
        clock,
        events: VecDeque::new(),
        trouble: None,
        stage: Stage::Running,
        buffer: vec![0; socket::READ].into(),
    })
}

/// A client on TCP: a machine, its connection, and the stream of its events.
///
/// Commands are obeyed at once, and sent at once where there is a connection that takes them. All else, connecting and
/// connecting again, reading and heartbeats, happens while the stream is polled; so it wants to be polled always. It is
/// read from the network no faster than its events are taken.
///
/// When to connect, how long to wait for it and when to try again the machine decides. The stream ends after
/// [`Event::Ended`].
#[must_use = "a connection does nothing unless its events are awaited"]
pub struct Connection {
    client: Client,
    dialer: Dialer,
    link: Link,
    clock: Clock,
    timer: Timer,
    /// What happened and is not told yet.
    events: VecDeque<Event>,
    trouble: Option<String>,
    stage: Stage,
    buffer: Box<[u8]>,
}

/// Where the socket is.
enum Link {
    /// There is none, and none is wanted.
    None,
    /// The dialer makes one.
    Dialing,
    /// It stands.
    Open { stream: Async<TcpStream>, output: Output },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    /// It takes bytes, as far as is known.
    Free,
    /// It took no more.
    Blocked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    /// [`Event::Ended`] is among the events, or was told.
    Ended,
}

impl Connection {
    /// The next event; `None` after the end. May be dropped at any time: nothing is lost by it.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Joins the room that a code opens: [`Event::Joined`], or [`Event::Refused`].
    pub fn join(&mut self, code: Code) -> Id {
        self.with(|client, now| client.join(now, code))
    }

    /// Says something in a room. [`Event::Message`] with `mine` is the acknowledgement; until then the message is sent
    /// again on each new connection, and never twice into the room.
    ///
    /// # Errors
    /// Where the client is not in that room.
    pub fn say(&mut self, room: &RoomId, text: Text) -> Result<Id, NotMember> {
        self.with(|client, now| client.say(now, room, Kind::Say, text))
    }

    /// Says goodbye once what was said is acknowledged: [`Event::Ended`].
    pub fn bye(&mut self) {
        self.with(|client, now| client.bye(now));
    }

    /// Gives the machine any command, and sends what follows from it.
    pub fn with<T>(&mut self, command: impl FnOnce(&mut Client, Now) -> T) -> T {
        let now = self.clock.now();
        let result = command(&mut self.client, now);
        self.obey(now);
        result
    }

    /// The machine: who we are, where we are, who is there, what was said.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The clock by which the machine's instants are to be read.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// What was wrong with the latest attempt to connect, or with the latest connection: for a person, beside
    /// [`Event::Offline`], which does not know. `None` where nothing was, and from the next success on.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        for _ in 0..READS {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(Some(event));
            }
            if self.stage == Stage::Ended {
                return Poll::Ready(None);
            }
            let now = self.clock.now();
            let heard = self.poll_link(now, cx);
            let due = self.timer.poll(cx, self.client.deadline());
            if due.is_ready() {
                self.client.handle(now, Input::Tick);
            }
            // Where that led to nothing, what was looked at above is all that there is to wait for.
            if self.obey(now) == Done::Nothing && heard.is_pending() && due.is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Gives the machine what there is from the network; pending where there is nothing.
    fn poll_link(&mut self, now: Now, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.link {
            Link::None => Poll::Pending,
            Link::Dialing => {
                match ready!(self.dialer.poll(cx)) {
                    Ok(stream) => {
                        self.link = Link::Open { stream, output: Output::Free };
                        self.trouble = None;
                        self.client.handle(now, Input::Connected);
                    }
                    Err(trouble) => self.disconnected(now, trouble),
                }
                Poll::Ready(())
            }
            Link::Open { stream, output } => {
                if *output == Output::Blocked && stream.poll_writable(cx).is_ready() {
                    *output = Output::Free;
                }
                match socket::read(stream.get_ref(), &mut self.buffer) {
                    Ok(Got::Bytes(n)) => self.client.handle(now, Input::Received(&self.buffer[..n])),
                    Ok(Got::Nothing) => return stream.poll_readable(cx).map(drop),
                    Ok(Got::End) => self.disconnected(now, "the server closed the connection".into()),
                    Err(error) => self.disconnected(now, error.to_string()),
                }
                Poll::Ready(())
            }
        }
    }

    /// Does what the machine wants, until it wants nothing more.
    fn obey(&mut self, now: Now) -> Done {
        let mut done = Done::Nothing;
        loop {
            while let Some(action) = self.client.poll() {
                done = Done::Something;
                match action {
                    Action::Connect => {
                        self.link = Link::Dialing;
                        self.dialer.start();
                    }
                    Action::Close => self.close(),
                    Action::Transmit => {}
                    Action::Show(event) => {
                        if matches!(event, Event::Ended { .. }) {
                            self.stage = Stage::Ended;
                            self.close();
                        }
                        self.events.push_back(event);
                    }
                }
            }
            match self.write(now) {
                Done::Nothing => return done,
                Done::Something => done = Done::Something,
            }
        }
    }

    /// Sends what the machine has, as much as the socket takes.
    fn write(&mut self, now: Now) -> Done {
        let Link::Open { stream, output: output @ Output::Free } = &mut self.link else { return Done::Nothing };
        let mut done = Done::Nothing;
        let error = loop {
            let Some(mut transmit) = self.client.transmit() else { return done };
            done = Done::Something;
            let mut slices = [IoSlice::new(&[]); socket::SLICES];
            let count = transmit.gather(&mut slices, IoSlice::new);
            match socket::write(stream.get_ref(), &slices[..count]) {
                Ok(Some(n)) => {
                    let within = transmit.advance(n);
                    debug_assert!(within.is_ok(), "the kernel took more than it was given");
                }
                Ok(None) => {
                    *output = Output::Blocked;
                    return done;
                }
                Err(error) => break error,
            }
        };
        self.disconnected(now, error.to_string());
        done
    }

    fn disconnected(&mut self, now: Now, trouble: String) {
        self.close();
        self.trouble = Some(trouble);
        self.client.handle(now, Input::Disconnected);
    }

    fn close(&mut self) {
        self.link = Link::None;
        self.dialer.stop();
    }
}

/// Whether anything came of looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Something,
    Nothing,
}

impl Stream for Connection {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll_event(cx)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("status", &self.client.status()).finish_non_exhaustive()
    }
}
