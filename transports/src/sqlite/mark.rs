//! The mark beside the database: what a file can't say of itself.
//!
//! A database that was restored from a backup is sound, and knows nothing of what was said since. If its rooms went on
//! numbering in the same epoch, a client that has seen the lost messages would be given others under their numbers, and
//! never notice. So a small file beside the database remembers how far that was, and which one it was. Where the two
//! disagree, the rooms begin a new epoch, and clients say that history restarted.
//!
//! The mark is written after every commit and never waited for: it may lag behind the database, which means nothing, and
//! is ahead of it only where the database lost something. What else it tells:
//!
//! - A copy of database *and* mark is recognised by the mark's time of change, which the system sets and no copy keeps.
//! - The lock on it is what keeps a second server away.
//! - Whether the machine went down with a log that does not sync each commit.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Break, Durability};

/// Bytes of the file: one sector, so that a write is whole or not at all.
const SIZE: usize = 512;

/// How far the time in the mark may be from the time of the file: between reading the clock and writing lies next to
/// nothing, and the clock of the file system may lag by a tick.
const TOLERANCE_NS: i128 = 50_000_000;

/// The mark, which is locked for as long as this lives.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    path: PathBuf,
    pub(super) state: State,
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// That of the database.
    pub(super) stamp: String,
    /// That which the database is about to have.
    pub(super) next: Option<String>,
    /// How many messages were ever numbered in it, of all rooms.
    pub(super) messages: u64,
    pub(super) durability: Durability,
    /// Which run of the machine this was; empty where the system does not tell.
    pub(super) boot: String,
    /// Whether the server has gone down by itself.
    pub(super) closed: bool,
    /// Whether the file system notes times so exactly that a copy can be told by them.
    exact: bool,
    /// The database file, since it was written last; `None` while it is being written.
    pub(super) base: Option<Base>,
    /// Nanoseconds since 1970.
    written: i128,
    pid: u32,
}

/// How a database file is recognised that nobody has written meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) size: u64,
    /// Nanoseconds since 1970.
    pub(super) changed: i128,
}

/// What the last server left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// No mark.
    Nothing,
    /// A file that is no mark.
    Rubbish,
    /// A mark, and when the system says that it was changed.
    State(State, i128),
}

/// Why there is no mark to be had.
#[derive(Debug)]
pub(super) enum Taken {
    /// A server has it; its process id, where it is known.
    By(Option<u32>),
    Failed(io::Error),
}

impl Mark {
    /// Locks the mark of the database `db`, which is created where it is missing; says what the last server left in it.
    pub(super) fn take(db: &Path) -> Result<(Self, Left), Taken> {
        let path = beside(db, "-mark");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(Taken::Failed)?;
        let locked = file.try_lock();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Taken::Failed)?;
        let state = State::parse(&bytes);
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Taken::By(state.map(|state| state.pid))),
            Err(TryLockError::Error(error)) => return Err(Taken::Failed(error)),
        }
        let changed = changed(&file.metadata().map_err(Taken::Failed)?);
        let left = match state {
            Some(state) => Left::State(state, changed),
            None if bytes.is_empty() => Left::Nothing,
            None => Left::Rubbish,
        };
        let state = match &left {
            Left::State(state, _) => state.clone(),
            Left::Nothing | Left::Rubbish => State::new(),
        };
        Ok((Self { file, path, state }, left))
    }

    /// Writes what has become of the state. That it lags behind where this fails does no harm.
    pub(super) fn write(&mut self) -> io::Result<()> {
        // Until the time that it holds is the time that it has: this thread may have been put aside in between.
        for _ in 0..4 {
            if is_close(self.write_once()?, self.state.written) {
                break;
            }
        }
        Ok(())
    }

    /// Writes it, and waits until the disk has it.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.write()?;
        self.file.sync_all()
    }

    /// Finds out how exactly the file system notes times: some count in whole seconds.
    pub(super) fn gauge(&mut self) -> io::Result<()> {
        self.write()?;
        let changed = self.write_once()?;
        self.state.exact = is_close(changed, self.state.written) && changed % 1_000_000_000 != 0;
        Ok(())
    }

    /// Writes it; the time of change that it has by that.
    fn write_once(&mut self) -> io::Result<i128> {
        self.state.written = now();
        self.file.write_all_at(&self.state.render(), 0)?;
        Ok(changed(&self.file.metadata()?))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Left {
    /// Whether a database of this stamp, in which so many messages were numbered, goes on with what clients have seen.
    pub(super) fn judge(&self, stamp: &str, messages: u64) -> Result<(), Break> {
        let (state, changed) = match self {
            Self::Nothing | Self::Rubbish if messages == 0 => return Ok(()),
            Self::Nothing => return Err(Break::Unmarked),
            Self::Rubbish => return Err(Break::Mark),
            Self::State(state, changed) => (state, *changed),
        };
        if stamp != state.stamp && Some(stamp) != state.next.as_deref() {
            return Err(Break::Another);
        }
        if messages < state.messages {
            return Err(Break::Older { had: state.messages, has: messages });
        }
        // After a power cut neither the mark nor its time need be what was written last.
        let powered = state.closed || state.runs_still();
        if powered && state.exact && !is_close(state.written, changed) {
            return Err(Break::Copied);
        }
        if !powered && state.durability == Durability::Normal {
            return Err(Break::PowerCut);
        }
        Ok(())
    }

    /// Whether `base` is another file than that which the last server was killed over, so that the journal that lies
    /// there still can't be its. A mark that was restored with them both says nothing of that.
    pub(super) fn denies(&self, base: Base) -> bool {
        match self {
            Self::State(state, changed) => {
                let original = !state.exact || is_close(state.written, *changed);
                let vouches = !state.closed && state.runs_still() && original;
                vouches && state.base.is_some_and(|known| known != base)
            }
            Self::Nothing | Self::Rubbish => false,
        }
    }
}

impl State {
    fn new() -> Self {
        Self {
            stamp: String::new(),
            next: None,
            messages: 0,
            durability: Durability::Full,
            boot: boot(),
            closed: false,
            exact: false,
            base: None,
            written: 0,
            pid: std::process::id(),
        }
    }

    /// A server begins.
    pub(super) fn begin(&mut self, durability: Durability) {
        let Self { pid, boot, .. } = Self::new();
        *self = Self { durability, closed: false, base: None, pid, boot, ..self.clone() };
    }

    /// Whether the machine has not gone down since.
    fn runs_still(&self) -> bool {
        !self.boot.is_empty() && self.boot == boot()
    }

    fn render(&self) -> [u8; SIZE] {
        let base = self.base.map_or("-".into(), |base| format!("{} {}", base.size, base.changed));
        let durability = self.durability.as_str();
        let text = format!(
            "qun: this belongs to the database beside it. Don't copy, restore or delete it.\n\
             stamp {}\nnext {}\nmessages {}\ndurability {durability}\nboot {}\nclosed {}\nexact {}\nbase {base}\n\
             written {}\npid {}\n",
            self.stamp,
            self.next.as_deref().unwrap_or("-"),
            self.messages,
            self.boot,
            self.closed,
            self.exact,
            self.written,
            self.pid,
        );
        let mut bytes = [b' '; SIZE];
        let end = text.len().min(SIZE - 1);
        bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
        bytes[SIZE - 1] = b'\n';
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok().filter(|text| text.len() == SIZE)?;
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::trim_end);
        let optional = |value: &str| (value != "-").then(|| value.to_string());
        Some(Self {
            stamp: field("stamp")?.into(),
            next: optional(field("next")?),
            messages: field("messages")?.parse().ok()?,
            durability: field("durability")?.parse().ok()?,
            boot: field("boot").unwrap_or_default().into(),
            closed: field("closed")?.parse().ok()?,
            exact: field("exact")?.parse().ok()?,
            base: match field("base")?.split_once(' ') {
                None => None,
                Some((size, changed)) => Some(Base { size: size.parse().ok()?, changed: changed.parse().ok()? }),
            },
            written: field("written")?.parse().ok()?,
            pid: field("pid")?.parse().ok()?,
        })
    }
}

impl Base {
    /// Of the database file itself, as it is now.
    pub(super) fn of(metadata: &Metadata) -> Self {
        let changed = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Self { size: metadata.len(), changed }
    }
}

/// The file beside the database `db` whose name ends so.
pub(super) fn beside(db: &Path, end: &str) -> PathBuf {
    let mut path = db.as_os_str().to_owned();
    path.push(end);
    path.into()
}

/// Which run of the machine this is; empty where the system does not tell.
pub(super) fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().into()
}

/// When the system says that a file, or what is known of it, was changed: nanoseconds since 1970.
fn changed(metadata: &Metadata) -> i128 {
    i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec())
}

fn now() -> i128 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(0))
}

fn is_close(a: i128, b: i128) -> bool {
    (a - b).abs() <= TOLERANCE_NS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            stamp: "S1".into(),
            messages: 10,
            exact: true,
            base: Some(Base { size: 4_096, changed: 5 }),
            written: 1_000,
            ..State::new()
        }
    }

    fn judge(state: State, changed: i128, stamp: &str, messages: u64) -> Result<(), Break> {
        Left::State(state, changed).judge(stamp, messages)
    }

    #[test]
    fn what_is_written_is_read() {
        for state in [state(), State { next: Some("S2".into()), base: None, closed: true, ..state() }] {
            assert_eq!(State::parse(&state.render()), Some(state));
        }
        assert_eq!(State::parse(b""), None);
        assert_eq!(State::parse(&[b' '; SIZE]), None);
    }

    #[test]
    fn a_database_that_goes_on_is_known() {
        assert_eq!(judge(state(), 1_000, "S1", 10), Ok(()));
        assert_eq!(judge(state(), 1_000, "S1", 12), Ok(()), "killed before the mark was written");
        let next = State { next: Some("S2".into()), ..state() };
        assert_eq!(judge(next.clone(), 1_000, "S1", 10), Ok(()), "killed before the stamp was renewed");
        assert_eq!(judge(next, 1_000, "S2", 10), Ok(()), "killed after it");
        assert_eq!(Left::Nothing.judge("", 0), Ok(()));
    }

    #[test]
    fn one_that_lacks_something_is_not() {
        assert_eq!(judge(state(), 1_000, "S1", 9), Err(Break::Older { had: 10, has: 9 }));
        assert_eq!(judge(state(), 1_000, "S0", 99), Err(Break::Another));
        let copied = 1_000 + 2 * TOLERANCE_NS;
        assert_eq!(judge(state(), copied, "S1", 10), Err(Break::Copied));
        assert_eq!(judge(State { exact: false, ..state() }, copied, "S1", 10), Ok(()), "nobody can tell");
        assert_eq!(Left::Nothing.judge("S1", 1), Err(Break::Unmarked));
        assert_eq!(Left::Rubbish.judge("S1", 1), Err(Break::Mark));
    }

    #[test]
    fn after_a_power_cut_the_marks_time_says_nothing() {
        let cut = State { boot: "another".into(), ..state() };
        assert_eq!(judge(cut.clone(), 1_000 + 2 * TOLERANCE_NS, "S1", 10), Ok(()));
        assert_eq!(judge(cut.clone(), 1_000, "S1", 9), Err(Break::Older { had: 10, has: 9 }));
        let normal = State { durability: Durability::Normal, ..cut };
        assert_eq!(judge(normal.clone(), 1_000, "S1", 10), Err(Break::PowerCut));
        assert_eq!(judge(State { closed: true, ..normal }, 1_000, "S1", 10), Ok(()), "it had gone down before");
    }

    #[test]
    fn a_journal_belongs_to_the_file_that_it_was_written_over() {
        let other = Base { size: 4_096, changed: 6 };
        let left = |state| Left::State(state, 1_000);
        assert!(left(state()).denies(other));
        assert!(!left(state()).denies(state().base.unwrap()));
        assert!(!left(State { base: None, ..state() }).denies(other), "killed while it was being written");
        assert!(!left(State { closed: true, ..state() }).denies(other));
        assert!(!left(State { boot: "another".into(), ..state() }).denies(other));
        assert!(!Left::State(state(), 1_000 + 2 * TOLERANCE_NS).denies(other), "it was restored with the mark");
    }
}
