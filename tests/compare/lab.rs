//! Where servers are started and loaded.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tempfile::TempDir;

use crate::bench::{self, Load, Pace};
use crate::child::Running;
use crate::options::Options;
use crate::system::{Dialect, Loop, Peer, System};
use crate::{debian, peers, programs};

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// The programs, and what may be done with them.
pub(crate) struct Lab<'a> {
    pub(crate) options: &'a Options,
    pub(crate) systems: Vec<System>,
    pub(crate) missing: Vec<Peer>,
    /// Descriptors that one process may have.
    pub(crate) descriptors: u32,
    pub(crate) qun: PathBuf,
    relay: PathBuf,
    dir: TempDir,
    /// The bytes of qun's frames, by dialect and load.
    frames: RefCell<BTreeMap<String, usize>>,
    failures: RefCell<Vec<String>>,
    done: Cell<u32>,
}

impl<'a> Lab<'a> {
    /// Builds and installs what is needed.
    ///
    /// # Errors
    /// Where our own programs can't be built.
    pub(crate) fn open(options: &'a Options) -> Result<Self, Box<dyn std::error::Error>> {
        let [qun, relay] = programs::build()?;
        let mut systems = options.systems();
        if !options.no_install {
            let peers = systems.iter().filter_map(|system| match system {
                System::Peer(peer) => Some(peer.program()),
                _ => None,
            });
            debian::install(&peers.filter(|program| programs::which(program).is_none()).collect::<Vec<_>>());
        }
        let mut missing = Vec::new();
        systems.retain(|system| match *system {
            System::Peer(peer) if programs::which(peer.program()).is_none() => {
                eprintln!("left out, since it is not here: {}", peer.name());
                missing.push(peer);
                false
            }
            _ => true,
        });
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
        let descriptors = limit.maximum.map_or(u32::MAX, |maximum| u32::try_from(maximum).unwrap_or(u32::MAX));
        let dir = TempDir::new()?;
        // A server that gives up being root reads its configuration all the same.
        fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let (frames, failures, done) = (RefCell::default(), RefCell::default(), Cell::default());
        Ok(Self { options, systems, missing, descriptors, qun, relay, dir, frames, failures, done })
    }

    /// The systems that fit.
    pub(crate) fn systems(&self, fits: impl Fn(System) -> bool) -> Vec<System> {
        self.systems.iter().copied().filter(|system| fits(*system)).collect()
    }

    /// A temporary file.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Notes what could not be measured.
    pub(crate) fn note(&self, failure: String) {
        self.failures.borrow_mut().push(failure);
    }

    /// What could not be measured, and why.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.failures.borrow().clone()
    }

    /// Puts a load on a server that is started for it. `None` where that failed, which is noted.
    pub(crate) fn measure(&self, system: System, load: &Load) -> Option<Value> {
        self.done.set(self.done.get() + 1);
        let Load { kind, rooms, members, senders, bytes, pace, .. } = load;
        let what = format!("{:>4}  {kind} {rooms} × {members}, {senders} × {pace:?}, {bytes} B", self.done.get());
        let start = Instant::now();
        let outcome = match system {
            System::Floor(dialect) => self.frame(dialect, load).and_then(|bytes| {
                // The relay's line has nothing but the text and its end.
                self.foreign(system, &Load { bytes: bytes.saturating_sub(1).max(load.bytes), ..load.clone() })
            }),
            System::Ours(dialect, by) => self.own(dialect, by, load),
            System::Peer(_) => self.foreign(system, load),
        };
        match outcome {
            Ok(outcome) => {
                eprintln!("{what}: {}, {:.1} s", system.name(), start.elapsed().as_secs_f64());
                Some(outcome)
            }
            Err(why) => {
                eprintln!("{what}: {}: {why}", system.name());
                self.note(format!("{}, {kind} {rooms} × {members}: {why}", system.name()));
                None
            }
        }
    }

    fn own(&self, dialect: Dialect, by: Loop, load: &Load) -> Result<Value, String> {
        let driver = match by {
            Loop::Smol => ["--runtime", "smol"],
            poller => ["--poller", poller.name()],
        };
        let mut more = vec!["--protocol", dialect.name(), "--presence", load.presence];
        more.extend(driver);
        bench::run(&mut Command::new(&self.qun), load, &more.into_iter().map(str::to_owned).collect::<Vec<_>>())
    }

    fn foreign(&self, system: System, load: &Load) -> Result<Value, String> {
        let port = free_port().map_err(|error| format!("no free port: {error}"))?;
        let cant = |error: io::Error| format!("can't start it: {error}");
        let mut command = match system {
            System::Peer(peer) => {
                let program = programs::which(peer.program()).ok_or("it is gone")?;
                peers::command(peer, &program, port, self.dir.path()).map_err(cant)?
            }
            _ => {
                let mut relay = Command::new(&self.relay);
                relay.arg(port.to_string()).stdout(Stdio::null());
                relay
            }
        };
        let mut server = Running::start(&mut command).map_err(cant)?;
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if start.elapsed() > PATIENCE || server.ends_within(Duration::from_millis(20)) {
                return Err("it does not listen".into());
            }
        }
        let more = [
            "--server",
            &format!("127.0.0.1:{port}"),
            "--protocol",
            system.protocol(),
            "--pid",
            &server.child().id().to_string(),
        ];
        bench::run(&mut Command::new(&self.qun), load, &more.map(str::to_owned))
    }

    /// The bytes of one of qun's frames under this load, its end included: measured, once.
    fn frame(&self, dialect: Dialect, load: &Load) -> Result<usize, String> {
        let load =
            Load { kind: "talk", seconds: 0.1, pace: Pace::Window(1), rooms: load.rooms.min(10), ..load.clone() };
        let key = format!("{} {} {} {}", dialect.name(), load.bytes, load.members, load.senders);
        if let Some(bytes) = self.frames.borrow().get(&key) {
            return Ok(*bytes);
        }
        let result = self.own(dialect, Loop::Epoll, &load)?;
        let section = &result["sections"][0];
        let bytes = section["delivered_bytes"].as_f64().zip(section["delivered"].as_f64());
        let bytes = bytes.map(|(bytes, n)| (bytes / n).round() as usize).ok_or("no frame was measured")?;
        self.frames.borrow_mut().insert(key, bytes);
        Ok(bytes)
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
