//! `qun serve`: a configuration, sockets, a log, and the loop that joins them.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use qun_core::{Code, RoomId};
use qun_transports::readiness::{Handle, Options, PollerKind, Server, raise_descriptor_limit};
use qun_transports::sqlite::{self, Keeper, Retention, SqliteLog};
use qun_transports::{Log, MemoryLog, smol};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::args;
use crate::config::{self, Settings, Storage};
use crate::exit::{Exit, Failure};
use crate::journal::{Entry, Journal, Writer};
use crate::{banner, entropy, seed};

/// Runs `qun serve` until a signal ends it.
///
/// # Errors
/// A configuration that is wrong, a database that can't be served, an address that can't be listened on, a loop that
/// fails.
pub(crate) fn run(args: args::Serve) -> Result<Exit, Failure> {
    let Plan { mut settings, warnings, rooms } = Plan::make(args.config.as_deref())?;
    let mut file = args.config.map(|file| Watched {
        file,
        listen: settings.listen.clone(),
        poller: settings.poller,
        storage: settings.storage.clone(),
        keeper: None,
    });
    if !args.listen.is_empty() {
        settings.listen = args.listen;
    }
    if let Some(poller) = args.poller {
        settings.poller = poller;
    }
    // Where the system refuses, fewer people get in, and the operator is told when that is so.
    let _ = raise_descriptor_limit();
    let (listeners, addresses) = listen(&settings.listen)?;
    let history = settings.storage.take().map(History::open).transpose()?;
    if let Some(file) = &mut file {
        file.keeper = history.as_ref().map(|history| history.log.keeper());
    }
    // Codes are shown here, on stdout, and never logged.
    let greeting = match &rooms {
        Rooms::Temporary(code) => Some(banner::temporary(code, &addresses)),
        Rooms::Configured if io::stdout().is_terminal() => Some({
            let file = history.as_ref().map(|history| &*history.storage.path);
            banner::configured(&settings.core.rooms, &addresses, file)
        }),
        Rooms::Configured => None,
    };
    if let Some(greeting) = greeting {
        let mut out = io::stdout().lock();
        // Nobody reads it: that is no reason not to serve.
        let _ = out.write_all(greeting.as_bytes()).and_then(|()| out.flush());
    }

    // Before it is told that we listen: from then on a signal means what it means to a server.
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|error| Failure::usage(format!("can't watch for signals: {error}")))?;
    let journal = Journal::start(io::stderr().is_terminal());
    for address in &addresses {
        journal.write(Entry::listening(*address, settings.core.rooms.len()));
    }
    journal.write(Entry::history(history.as_ref().map(|history| &history.storage)));
    for warning in warnings {
        journal.write(Entry::warning(warning));
    }
    let result = match history {
        None => drive(args.runtime, listeners, settings, signals, file, MemoryLog::new(seed()?), journal.writer())?,
        Some(History { log, events, .. }) => {
            let writer = journal.writer();
            let telling = thread::spawn(move || events.into_iter().for_each(|e| writer.write(Entry::storage(&e))));
            let result = drive(args.runtime, listeners, settings, signals, file, log, journal.writer());
            // The log is closed by now, and has told everything.
            let _ = telling.join();
            result?
        }
    };
    journal.write(Entry::stopped());
    journal.finish();
    match result {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => Err(Failure { exit: Exit::Network, text: format!("the server failed: {error}") }),
    }
}

/// Runs the server; says how it ended.
fn drive(
    runtime: args::Runtime,
    listeners: Vec<TcpListener>,
    settings: Settings,
    signals: Signals,
    file: Option<Watched>,
    log: impl Log,
    journal: Writer,
) -> Result<io::Result<()>, Failure> {
    let cant = |error: io::Error| Failure::usage(format!("can't start the server: {error}"));
    let to = journal.clone();
    let on_event = move |event| journal.event(event);
    Ok(match runtime {
        args::Runtime::Readiness => {
            let options = Options { poller: settings.poller };
            let server = Server::new(listeners, settings.core, log, seed()?, options).map_err(cant)?;
            let _watch = Watch::start(signals, server.handle(), file, to).map_err(cant)?;
            server.run(on_event)
        }
        args::Runtime::Smol => {
            let server = smol::serve(listeners, settings.core, log).map_err(cant)?.on_event(on_event);
            let _watch = Watch::start(signals, server.handle(), file, to).map_err(cant)?;
            smol::block_on(server)
        }
    })
}

/// A log on a disk, and what it tells from the start on.
struct History {
    storage: Storage,
    log: SqliteLog,
    events: Receiver<sqlite::Event>,
}

impl History {
    fn open(storage: Storage) -> Result<Self, Failure> {
        // A file that may not grow any further is a full disk, and no reason to be killed.
        let over = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
        over.map_err(|error| Failure::usage(format!("can't watch signals: {error}")))?;
        let (tell, events) = mpsc::channel();
        let on_event = move |event| drop(tell.send(event));
        let log = SqliteLog::open(&storage.path, seed()?, storage.options.clone(), on_event)
            .map_err(|error| Failure::usage(error.to_string()))?;
        Ok(Self { storage, log, events })
    }
}

/// What to serve.
struct Plan {
    settings: Settings,
    warnings: Vec<String>,
    rooms: Rooms,
}

enum Rooms {
    /// One, by this code, until the process ends.
    Temporary(Code),
    /// Those of a file.
    Configured,
}

impl Plan {
    fn make(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(file) = file else {
            let (settings, code) = config::temporary(&mut entropy()?);
            return Ok(Self { settings, warnings: Vec::new(), rooms: Rooms::Temporary(code) });
        };
        let config::Reading { settings, warnings } = config::read(file)?;
        Ok(Self { settings, warnings, rooms: Rooms::Configured })
    }
}

/// Listens on every one of `wanted`; says where that is, with the ports that the system chose.
fn listen(wanted: &[SocketAddr]) -> Result<(Vec<TcpListener>, Vec<SocketAddr>), Failure> {
    let mut listeners = Vec::new();
    let mut addresses = Vec::new();
    for address in wanted {
        let listener = TcpListener::bind(address).map_err(|error| cannot_listen(*address, &error))?;
        addresses.push(listener.local_addr().map_err(|error| cannot_listen(*address, &error))?);
        listeners.push(listener);
    }
    Ok((listeners, addresses))
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let ip = address.ip();
    let free = SocketAddr::new(ip, 0);
    Failure::usage(match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "{address} is taken by another program (a second qun?): choose another with --listen IP:PORT, or a free port with --listen {free}"
        ),
        io::ErrorKind::PermissionDenied => {
            format!(
                "may not listen on {address}: ports below 1024 need a privilege; choose another with --listen IP:PORT"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            format!(
                "{ip} is no address of this machine: choose another with --listen IP:PORT, such as --listen 127.0.0.1:7777"
            )
        }
        _ => format!("can't listen on {address}: {error}; choose another with --listen IP:PORT"),
    })
}

/// The file of a server that has one, and what of it the server does not know.
struct Watched {
    file: PathBuf,
    listen: Vec<SocketAddr>,
    poller: PollerKind,
    storage: Option<Storage>,
    /// By which rooms keep what the file says.
    keeper: Option<Keeper>,
}

impl Watched {
    /// Reads it again and has it served, or says what is wrong with it: then nothing changes.
    fn reload(&mut self, handle: &Handle, journal: &Writer) {
        let config::Reading { settings, warnings } = match config::read(&self.file) {
            Ok(reading) => reading,
            Err(error) => return journal.write(Entry::not_reloaded(error.to_string())),
        };
        let later = [
            ("listen", settings.listen != self.listen),
            ("poller", settings.poller != self.poller),
            ("where history is kept, and how safely,", is_elsewhere(settings.storage.as_ref(), self.storage.as_ref())),
        ];
        let later = later.iter().filter(|(_, differs)| *differs);
        let later = later.map(|(key, _)| format!("{key} counts from the next start of the server on"));
        for warning in warnings.into_iter().chain(later) {
            journal.write(Entry::warning(warning));
        }
        // Where there are fewer rooms, those that are gone keep what they have. Rooms that come are told of first.
        self.keep(settings.storage.map(|storage| storage.options.keep).unwrap_or_default());
        handle.reload(settings.core);
    }

    /// Has every room keep so much from now on, and those that are not named everything.
    fn keep(&mut self, keep: BTreeMap<RoomId, Retention>) {
        let (Some(keeper), Some(storage)) = (&self.keeper, &mut self.storage) else { return };
        let before = std::mem::replace(&mut storage.options.keep, keep);
        let now = &storage.options.keep;
        let of = |kept: &BTreeMap<RoomId, Retention>, room: &RoomId| kept.get(room).copied().unwrap_or_default();
        for room in before.keys().chain(now.keys()).filter(|room| of(&before, room) != of(now, room)) {
            keeper.keep(room.clone(), of(now, room));
        }
    }
}

/// Whether these say something that only counts at the start.
fn is_elsewhere(one: Option<&Storage>, other: Option<&Storage>) -> bool {
    let fixed = |storage: &Storage| (storage.path.clone(), storage.options.durability);
    one.map(fixed) != other.map(fixed)
}

/// A thread that waits for signals, until this is dropped.
struct Watch {
    signals: signal_hook::iterator::Handle,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watch {
    /// The first SIGINT or SIGTERM drains, the second stops. SIGHUP reads the configuration again; where there is none, it
    /// is the terminal that went away, and drains.
    fn start(mut signals: Signals, server: Handle, mut file: Option<Watched>, journal: Writer) -> io::Result<Self> {
        let handle = signals.handle();
        let watch = move || {
            let mut drains = false;
            for signal in signals.forever() {
                match (&mut file, signal) {
                    (Some(file), SIGHUP) => file.reload(&server, &journal),
                    _ if drains => server.stop(),
                    _ => {
                        drains = true;
                        server.drain();
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("signals".into()).spawn(watch)?;
        Ok(Self { signals: handle, thread: Some(thread) })
    }
}

impl Drop for Watch {
    /// The journal's end waits for everyone who writes to it.
    fn drop(&mut self) {
        self.signals.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
