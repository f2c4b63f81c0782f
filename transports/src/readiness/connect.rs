//! A client's loop.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use qun_core::client::{Action, Client, Config, Event, Input};
use qun_core::{Instant, Now};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::alarm::{Alarm, Bell, alarm};
use super::kind::PollerKind;
use super::poller::{Interest, Poller, Ready};
use super::resolve::Resolver;
use super::socket::{self, Got};
use crate::clock::Clock;

/// How long one address may take where there is another to try.
pub(crate) const ADDRESS: Duration = Duration::from_secs(3);

const BELL: u64 = 0;
const SOCKET: u64 = 1;

/// A client on TCP: a machine and its connection, on the thread that calls [`run`](Self::run).
///
/// When to connect, how long to wait for it and when to try again the machine decides.
///
/// ```no_run
/// use qun_core::client::{Config, Event};
/// use qun_transports::readiness::Connection;
///
/// # fn listen(config: Config, random: [u8; 32], code: qun_core::Code) -> std::io::Result<()> {
/// let connection = Connection::new("chat.example.org:7777".into(), config, random)?;
/// let handle = connection.handle();
/// handle.with(move |client, now| {
///     client.join(now, code);
/// });
/// connection.run(|_, event| {
///     if let Event::Message { message, .. } = event {
///         println!("<{}> {}", message.name, message.text);
///     }
/// })
/// # }
/// ```
pub struct Connection {
    client: Client,
    link: Link,
    resolver: Resolver,
    poller: Box<dyn Poller>,
    bell: Bell,
    commands: Receiver<Command>,
    handle: ClientHandle,
    clock: Clock,
    buffer: Box<[u8]>,
}

/// Gives a [`Connection`] commands, from any thread. After its end they do nothing.
#[derive(Clone)]
pub struct ClientHandle {
    alarm: Arc<Alarm>,
    commands: Sender<Command>,
    trouble: Arc<Mutex<Option<String>>>,
}

enum Command {
    With(Task),
    Stop,
}

type Task = Box<dyn FnOnce(&mut Client, Now) + Send>;

impl ClientHandle {
    /// Calls `command` with the machine, on the loop's thread and soon. Commands run in the order in which they were
    /// given.
    pub fn with(&self, command: impl FnOnce(&mut Client, Now) + Send + 'static) {
        self.give(Command::With(Box::new(command)));
    }

    /// Ends the loop without a goodbye, once the commands given before have run.
    pub fn stop(&self) {
        self.give(Command::Stop);
    }

    /// What was wrong with the latest attempt to connect, or with the latest connection: for a person, beside the
    /// machine's [`Event::Offline`], which does not know. `None` where nothing was, and from the next success on.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn give(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            self.alarm.ring();
        }
    }

    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// Where the socket is.
enum Link {
    /// There is none, and none is wanted.
    None,
    /// The server's name is being looked up.
    Resolving,
    /// An address is being tried.
    Connecting { stream: TcpStream, addr: SocketAddr, others: VecDeque<SocketAddr>, until: Instant },
    /// It stands.
    Open { stream: TcpStream, output: Output },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    /// It takes bytes, as far as is known.
    Free,
    /// It took no more; the poller tells when it does.
    Blocked,
}

/// What a look at the commands says.
enum Next {
    GoOn,
    Stop,
}

impl Connection {
    /// A client of `server`, which is `host:port`; the name is looked up anew at each attempt. `seed` is 32 bytes of the
    /// best randomness there is.
    ///
    /// # Errors
    /// Where `server` is no such thing, or the system has no poller for it.
    pub fn new(server: String, config: Config, seed: [u8; 32]) -> io::Result<Self> {
        // The default is level-triggered everywhere, and this loop relies on that: it reads once and waits.
        let mut poller = PollerKind::default().open()?;
        let (alarm, bell) = alarm()?;
        poller.add(bell.as_fd(), BELL, Interest::READ)?;
        let (sender, commands) = mpsc::channel();
        Ok(Self {
            client: Client::new(config, seed),
            link: Link::None,
            resolver: Resolver::new(server, alarm.clone().into())?,
            poller,
            bell,
            commands,
            handle: ClientHandle { alarm, commands: sender, trouble: Arc::default() },
            clock: Clock::start(),
            buffer: vec![0; socket::READ].into(),
        })
    }

    /// What gives commands from elsewhere.
    pub fn handle(&self) -> ClientHandle {
        self.handle.clone()
    }

    /// The clock by which the machine's instants are to be read.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Runs the client, and shows `on_event` each event with the machine as it is then, until [`Event::Ended`] was
    /// shown or a handle stopped it.
    ///
    /// # Errors
    /// Where the poller breaks. No failure of a connection ends the client.
    pub fn run(mut self, mut on_event: impl FnMut(&Client, Event)) -> io::Result<()> {
        let mut ready = Vec::new();
        loop {
            let now = self.clock.now();
            for ready in ready.drain(..) {
                self.look(now, ready);
            }
            if let Next::Stop = self.commands(now) {
                return Ok(());
            }
            self.go_on_connecting(now);
            if self.client.deadline().is_some_and(|deadline| deadline <= now.mono) {
                self.client.handle(now, Input::Tick);
            }
            loop {
                while let Some(action) = self.client.poll() {
                    match action {
                        Action::Connect => self.connect(),
                        Action::Close => self.close(),
                        Action::Transmit => {}
                        Action::Show(event) => {
                            let ended = matches!(event, Event::Ended { .. });
                            on_event(&self.client, event);
                            if ended {
                                return Ok(());
                            }
                        }
                    }
                }
                if !self.write(now) {
                    break;
                }
            }
            // An address needs no look-up, so that what `connect` began may have its answer.
            let timeout = if self.go_on_connecting(now) { Some(Duration::ZERO) } else { self.timeout() };
            self.poller.wait(timeout, &mut ready)?;
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let address = match &self.link {
            Link::Connecting { until, others, .. } if !others.is_empty() => Some(*until),
            _ => None,
        };
        let deadline = [self.client.deadline(), address].into_iter().flatten().min()?;
        Some(deadline.since(self.clock.now().mono))
    }

    fn commands(&mut self, now: Now) -> Next {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::With(command) => command(&mut self.client, now),
                Command::Stop => return Next::Stop,
            }
        }
        Next::GoOn
    }

    fn look(&mut self, now: Now, ready: Ready) {
        if ready.key == BELL {
            return self.bell.hear();
        }
        match &mut self.link {
            Link::None | Link::Resolving => {}
            Link::Connecting { stream, .. } => match stream.take_error() {
                Ok(Some(error)) | Err(error) => self.try_next(now, error),
                // Writable without a peer is what a socket is that has not begun: not yet.
                Ok(None) if stream.peer_addr().is_ok() => self.connected(now),
                Ok(None) => {}
            },
            Link::Open { output, .. } => {
                if ready.write {
                    *output = Output::Free;
                    self.tell_poller(Interest::READ);
                }
                if ready.read || ready.hangup {
                    self.read(now);
                }
            }
        }
    }

    fn connect(&mut self) {
        self.close();
        self.link = Link::Resolving;
        self.resolver.start();
    }

    /// Looks after an attempt that is under way; says whether something came of it.
    fn go_on_connecting(&mut self, now: Now) -> bool {
        match &self.link {
            Link::Resolving => match self.resolver.poll() {
                Some(Ok(addrs)) => self.try_addrs(now, addrs.into(), None),
                Some(Err(error)) => self.disconnected(now, Some(error.to_string())),
                None => return false,
            },
            Link::Connecting { until, others, .. } if *until <= now.mono && !others.is_empty() => {
                self.try_next(now, io::ErrorKind::TimedOut.into());
            }
            _ => return false,
        }
        true
    }

    /// The address that was tried is no good.
    fn try_next(&mut self, now: Now, error: io::Error) {
        let Link::Connecting { addr, others, .. } = &mut self.link else { return };
        let trouble = format!("{addr}: {error}");
        let others = std::mem::take(others);
        self.try_addrs(now, others, Some(trouble));
    }

    fn try_addrs(&mut self, now: Now, mut addrs: VecDeque<SocketAddr>, mut trouble: Option<String>) {
        self.close();
        while let Some(addr) = addrs.pop_front() {
            match begin(addr, &mut *self.poller) {
                Ok(stream) => {
                    self.link = Link::Connecting { stream, addr, others: addrs, until: now.mono + ADDRESS };
                    return;
                }
                Err(error) => trouble = Some(format!("{addr}: {error}")),
            }
        }
        self.disconnected(now, trouble);
    }

    fn connected(&mut self, now: Now) {
        let Link::Connecting { stream, .. } = std::mem::replace(&mut self.link, Link::None) else { return };
        self.link = Link::Open { stream, output: Output::Free };
        self.handle.set_trouble(None);
        self.tell_poller(Interest::READ);
        self.client.handle(now, Input::Connected);
    }

    fn read(&mut self, now: Now) {
        let Link::Open { stream, .. } = &self.link else { return };
        match socket::read(stream, &mut self.buffer) {
            Ok(Got::Bytes(n)) => self.client.handle(now, Input::Received(&self.buffer[..n])),
            Ok(Got::Nothing) => {}
            Ok(Got::End) => self.disconnected(now, Some("the server closed the connection".into())),
            Err(error) => self.disconnected(now, Some(error.to_string())),
        }
    }

    /// Sends what the machine has, as much as the socket takes; says whether the machine heard of anything new.
    fn write(&mut self, now: Now) -> bool {
        let Link::Open { stream, output: output @ Output::Free } = &mut self.link else { return false };
        let mut sent = false;
        let error = loop {
            let Some(mut transmit) = self.client.transmit() else { return sent };
            let mut slices = [IoSlice::new(&[]); socket::SLICES];
            let count = transmit.gather(&mut slices, IoSlice::new);
            match socket::write(stream, &slices[..count]) {
                Ok(Some(n)) => {
                    sent = true;
                    let within = transmit.advance(n);
                    debug_assert!(within.is_ok(), "the kernel took more than it was given");
                }
                Ok(None) => {
                    *output = Output::Blocked;
                    self.tell_poller(Interest { read: true, write: true });
                    return sent;
                }
                Err(error) => break error,
            }
        };
        self.disconnected(now, Some(error.to_string()));
        true
    }

    fn disconnected(&mut self, now: Now, trouble: Option<String>) {
        self.close();
        self.handle.set_trouble(trouble);
        self.client.handle(now, Input::Disconnected);
    }

    fn close(&mut self) {
        if let Link::Connecting { stream, .. } | Link::Open { stream, .. } =
            std::mem::replace(&mut self.link, Link::None)
        {
            let _ = self.poller.delete(stream.as_fd());
        }
    }

    /// Changes what the poller watches of the socket. Where it can't, the socket is as good as dead, and the machine's
    /// own timeouts find that out.
    fn tell_poller(&mut self, interest: Interest) {
        if let Link::Connecting { stream, .. } | Link::Open { stream, .. } = &self.link {
            let _ = self.poller.modify(stream.as_fd(), SOCKET, interest);
        }
    }
}

/// Begins to connect; the poller tells when that is done, by writability.
fn begin(addr: SocketAddr, poller: &mut dyn Poller) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    let stream = TcpStream::from(socket);
    socket::prepare(&stream)?;
    match socket2::SockRef::from(&stream).connect(&addr.into()) {
        Ok(()) => {}
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::INPROGRESS | Errno::INTR)) => {}
        Err(error) => return Err(error),
    }
    poller.add(stream.as_fd(), SOCKET, Interest::WRITE)?;
    Ok(stream)
}
