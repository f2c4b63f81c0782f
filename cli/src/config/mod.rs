//! The configuration of a server: read from TOML, checked whole, written by `qun init`.
//!
//! `qun serve` and `qun check` read it by the same [`read`], so that what the one calls right the other serves.

mod accounts;
mod document;
mod limits;
mod reader;
mod room;
mod storage;
mod template;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use qun_core::plain::Language;
use qun_core::server::{Access, Presence, RoomConfig};
use qun_core::{Code, Entropy, Limits, Role, RoomId};
use qun_transports::readiness::PollerKind;

pub(crate) use accounts::Accounts;
pub(crate) use document::Problem;
pub(crate) use reader::parse_listen;
pub(crate) use storage::Storage;
pub(crate) use template::init;

/// Where a server listens that is not told otherwise: on this machine only.
pub(crate) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7777);

/// The file that `init` and `check` mean where none is named.
pub(crate) const DEFAULT_FILE: &str = "qun.toml";

/// All that `qun serve` needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Where to listen; not empty.
    pub(crate) listen: Vec<SocketAddr>,
    /// How to wait for sockets.
    pub(crate) poller: PollerKind,
    /// Where what is said is kept; `None`: in memory.
    pub(crate) storage: Option<Storage>,
    /// Where the accounts are, whether there are any or not; `None`: the server has no configuration, and so none.
    pub(crate) accounts: Option<PathBuf>,
    /// What the core serves.
    pub(crate) core: qun_core::server::Config,
}

/// What a configuration says, and what is unwise about it.
#[derive(Debug)]
pub(crate) struct Reading {
    /// What it says.
    pub(crate) settings: Settings,
    /// What deserves a word although it works.
    pub(crate) warnings: Vec<String>,
}

/// Why a configuration can't be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is none.
    #[error("there is no {0}: `qun init {0}` writes one")]
    Missing(PathBuf),
    /// It can't be read.
    #[error("can't read {path}: {error}")]
    Read { path: PathBuf, error: io::Error },
    /// It is wrong at these places.
    #[error("{}", list(.path, .problems))]
    Wrong { path: PathBuf, problems: Vec<Problem> },
    /// `init` would overwrite something.
    #[error("{0} exists: name another file, or move it away (its codes would be lost)")]
    Exists(PathBuf),
    /// It can't be written.
    #[error("can't write {path}: {error}")]
    Write { path: PathBuf, error: io::Error },
}

/// Reads and checks the configuration in `path`.
///
/// # Errors
/// Names every wrong place at once, with line and column.
pub(crate) fn read(path: &Path) -> Result<Reading, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Missing(path.into()),
        _ => Error::Read { path: path.into(), error },
    })?;
    let now = jiff::Timestamp::now();
    let (mut settings, mut warnings) =
        reader::parse(&text, now).map_err(|problems| Error::Wrong { path: path.into(), problems })?;
    warnings.extend(too_open(path, "codes"));
    if let Some(storage) = &mut settings.storage {
        // Beside the file that names it, wherever the program was started.
        storage.path = path.parent().unwrap_or(Path::new("")).join(&storage.path);
    }
    if let Some(accounts) = &mut settings.accounts {
        *accounts = path.parent().unwrap_or(Path::new("")).join(&*accounts);
        settings.core.accounts = accounts::read(accounts)?;
        warnings.extend(too_open(accounts, "hashes of passwords"));
        warnings.extend(strangers(&settings.core));
    }
    Ok(Reading { settings, warnings })
}

/// A word about every account that a room lists and that there is not. It is no error: an account that is removed is to be
/// gone at once.
fn strangers(core: &qun_core::server::Config) -> Vec<String> {
    let known: Vec<_> = core.accounts.iter().map(|account| account.name.folded()).collect();
    let listed = core.rooms.iter().flat_map(|room| room.accounts.iter().map(|listed| (&room.id, &listed.name)));
    let strangers = listed.filter(|(_, name)| !known.contains(&name.folded()));
    let word = |(room, name)| format!("{room} lists {name}, and there is no such account: `qun account add {name}`");
    strangers.map(word).collect()
}

/// What a server without a configuration serves: one room that lasts as long as the process.
pub(crate) fn temporary(entropy: &mut Entropy) -> (Settings, Code) {
    let code = Code::generate(entropy);
    let room = RoomConfig {
        id: room_id("room"),
        title: "Room".into(),
        presence: Presence::Full,
        codes: vec![Access {
            code: code.clone(),
            label: "temporary".into(),
            role: Role::Talk,
            expires: None,
            max_members: None,
        }],
        accounts: Vec::new(),
        guests: true,
    };
    let core = qun_core::server::Config {
        agent: crate::AGENT.into(),
        rooms: vec![room],
        accounts: Vec::new(),
        guests: true,
        limits: Limits::default(),
        language: Language::En,
        utc_offset_s: local_offset(jiff::Timestamp::now()),
    };
    let poller = PollerKind::default();
    (Settings { listen: vec![DEFAULT_LISTEN], poller, storage: None, accounts: None, core }, code)
}

/// What this machine adds to UTC at `now`, in seconds.
fn local_offset(now: jiff::Timestamp) -> i32 {
    jiff::tz::TimeZone::system().to_offset(now).seconds()
}

/// A room id that stands in this program's text.
#[allow(clippy::expect_used)]
fn room_id(id: &'static str) -> RoomId {
    id.parse().expect("a literal that is a room id")
}

/// A word about a file that others on this machine may read: secrets stand in it. It is no error, because a file that
/// comes out of a container's image or a secret store often can't be otherwise.
fn too_open(path: &Path, secrets: &str) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        let path = path.display();
        format!("{path} has mode {mode:04o}, and {secrets} stand in it: `chmod 600 {path}` keeps them to you")
    })
}

fn list(path: &Path, problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(|problem| format!("{}:{problem}", path.display())).collect();
    lines.join("\n")
}
