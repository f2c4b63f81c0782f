//! A server on a thread, and somebody at a socket.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use qun_core::server::{Access, Config, Presence, RoomConfig};
use qun_core::{Limits, Role};
use qun_transports::MemoryLog;
use qun_transports::readiness::{Event, Handle, Options, PollerKind, Server};
#[cfg(feature = "smol")]
use qun_transports::smol;
use rustix::time::{ClockId, clock_gettime};

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The code of the one room, `ops`.
pub(crate) const CODE: &str = "K7QM-2XD4";

/// A loop to be tested.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loop {
    Select,
    Epoll,
    EpollEt,
    #[cfg(feature = "smol")]
    Smol,
}

impl Loop {
    /// The poller under the blocking loop; `None` where it is another.
    fn poller(self) -> Option<PollerKind> {
        match self {
            Self::Select => Some(PollerKind::Select),
            Self::Epoll => Some(PollerKind::Epoll),
            Self::EpollEt => Some(PollerKind::EpollEt),
            #[cfg(feature = "smol")]
            Self::Smol => None,
        }
    }
}

/// A server that runs until it is told to end, or dropped.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    pub(crate) handle: Handle,
    pub(crate) events: Receiver<Event>,
    thread: Option<JoinHandle<(io::Result<()>, Duration)>>,
}

/// A server with one room, without rates.
pub(crate) fn serve(kind: Loop) -> Running {
    serve_with(kind, "127.0.0.1:0", |_| {})
}

pub(crate) fn serve_with(kind: Loop, addr: &str, change: impl FnOnce(&mut Limits)) -> Running {
    serve_after(kind, addr, change, |_| {}).0
}

/// One room that counts, without rates.
pub(crate) fn config() -> Config {
    let limits = Limits { burst: 0, per_s: 0, connections_per_source: 0, ..Limits::default() };
    let code = Access {
        code: CODE.parse().unwrap(),
        label: "team".into(),
        role: Role::Talk,
        expires: None,
        max_members: None,
    };
    let room = RoomConfig {
        id: "ops".parse().unwrap(),
        title: "On-call".into(),
        presence: Presence::Count,
        codes: vec![code],
        accounts: Vec::new(),
        guests: true,
    };
    Config { rooms: vec![room], limits, ..Config::default() }
}

/// A server that listens, but runs only after `before` has done something at its address.
pub(crate) fn serve_after<T>(
    kind: Loop,
    addr: &str,
    change: impl FnOnce(&mut Limits),
    before: impl FnOnce(SocketAddr) -> T,
) -> (Running, T) {
    let mut config = config();
    change(&mut config.limits);
    let listener = TcpListener::bind(addr).unwrap();
    let addr = listener.local_addr().unwrap();
    // Every server has a history of its own.
    static SERVERS: AtomicU8 = AtomicU8::new(0);
    let seed = [SERVERS.fetch_add(1, Ordering::Relaxed); 32];
    let log = MemoryLog::new(seed);
    let (tell, events) = mpsc::channel();
    let on_event = move |event| drop(tell.send(event));
    let (handle, run): (Handle, Box<dyn FnOnce() -> io::Result<()> + Send>) = match kind.poller() {
        Some(poller) => {
            let server = Server::new(vec![listener], config, log, seed, Options { poller }).unwrap();
            (server.handle(), Box::new(|| server.run(on_event)))
        }
        #[cfg(feature = "smol")]
        None => {
            let server = smol::serve([listener], config, log).unwrap().on_event(on_event);
            (server.handle(), Box::new(|| smol::block_on(server)))
        }
        #[cfg(not(feature = "smol"))]
        None => unreachable!("every loop has a poller"),
    };
    let done = before(addr);
    let thread = thread::spawn(move || (run(), spent()));
    (Running { addr, handle, events, thread: Some(thread) }, done)
}

/// The processor time of this thread.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

impl Running {
    /// Waits for the end; says what processor time the loop took.
    pub(crate) fn join(mut self) -> Duration {
        let (outcome, spent) = self.thread.take().unwrap().join().unwrap();
        outcome.unwrap();
        spent
    }

    /// Waits for an event of which `find` makes something.
    pub(crate) fn event<T>(&self, find: impl Fn(Event) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).expect("the event never came");
            if let Some(found) = find(event) {
                return found;
            }
        }
    }

    /// Somebody who has just connected.
    pub(crate) fn connect(&self) -> Line {
        Line::new(TcpStream::connect(self.addr).unwrap())
    }

    /// Somebody who is in the room.
    pub(crate) fn member(&self, name: &str) -> Line {
        let mut line = self.connect();
        line.get_in(name);
        line
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

/// A connection, line by line.
pub(crate) struct Line {
    reader: BufReader<TcpStream>,
}

impl Line {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { reader: BufReader::new(stream) }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.stream().write_all(text.as_bytes()).unwrap();
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        let n = self.reader.read_line(&mut line).expect("a line, or the end");
        (n > 0).then_some(line)
    }

    /// The next line that has `part`.
    pub(crate) fn until(&mut self, part: &str) -> String {
        loop {
            let line = self.next().unwrap_or_else(|| panic!("the connection ended before {part}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    pub(crate) fn get_in(&mut self, name: &str) {
        self.send(&hello(name));
        self.until(r#""t":"joined""#);
    }

    /// Says something, and waits for the echo.
    pub(crate) fn say(&mut self, id: &str, text: &str) {
        self.send(&say(id, text));
        self.until(&format!(r#""id":"{id}""#));
    }

    /// Resets the connection instead of closing it.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(self.stream()).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

pub(crate) fn hello(name: &str) -> String {
    format!("{{\"t\":\"hello\",\"v\":[1],\"name\":\"{name}\"}}\n{{\"t\":\"join\",\"id\":\"j\",\"code\":\"{CODE}\"}}\n")
}

pub(crate) fn say(id: &str, text: &str) -> String {
    format!("{{\"t\":\"say\",\"id\":\"{id}\",\"room\":\"ops\",\"text\":\"{text}\"}}\n")
}
