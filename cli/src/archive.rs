//! `qun backup`, `qun export` and `qun import`: the database of a configuration, beside its server or without it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal as _, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use qun_core::json::PageMessage;
use qun_core::log::{Record, Span};
use qun_core::{RoomId, Seq};
use qun_transports::sqlite::{self, Archive, ArchiveError, Imported};

use crate::config::{self, Settings, Storage};
use crate::exit::{Exit, Failure};
use crate::{args, entropy, seed};

/// Messages that are read, or taken, at once.
const PAGE: u64 = 1_000;

/// The longest line that can be a message: a text of the largest limit, all of it escaped.
const LINE: u64 = 1 << 20;

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(200);

/// Copies the database.
///
/// # Errors
/// Where there is none, or the copy can't be written.
pub(crate) fn backup(to: &Path, config: &args::Config) -> Result<Exit, Failure> {
    let (_, storage) = storage(config)?;
    let size = open(&storage)?.backup(to).map_err(failure)?;
    crate::say(&format!("{} is written: {size} bytes\n", to.display()))
}

/// Reads the whole database.
///
/// # Errors
/// Where something in it is wrong, or it can't be read.
pub(crate) fn check(storage: &Storage) -> Result<Exit, Failure> {
    let file = storage.path.display();
    match open(storage)?.check().map_err(failure)?.as_slice() {
        [] => crate::say(&format!("{file} is sound\n")),
        wrong => Err(Failure::usage(format!(
            "{file} is damaged:\n  {}\nRestore a backup in its place, or save what can be read (docs/storage.md)",
            wrong.join("\n  ")
        ))),
    }
}

/// Writes a room's messages, one a line.
///
/// # Errors
/// Where there is no such room, or it can't be written.
pub(crate) fn export(args: &args::Export) -> Result<Exit, Failure> {
    let (_, storage) = storage(&args.config)?;
    let mut archive = open(&storage)?;
    let bounds = archive.bounds(&args.room).map_err(failure)?;
    let (first, head) = bounds.ok_or_else(|| Failure::usage(format!("nothing was ever said in {}", args.room)))?;
    let cant = |error: io::Error| match &args.output {
        Some(file) => Failure::usage(format!("can't write {}: {error}", file.display())),
        None => Failure::usage(format!("can't write to stdout: {error}")),
    };
    let (mut out, after): (Box<dyn Write>, _) = match &args.output {
        None => (Box::new(io::stdout().lock()), Seq::new(args.after)),
        Some(file) => {
            let (file, after) = go_on(file).map_err(cant)?;
            (Box::new(file), after)
        }
    };
    if after.next() < first {
        let _ = writeln!(io::stderr(), "qun: what was said before message {first} is not kept any more");
    }
    let mut out = BufWriter::new(&mut out);
    let mut progress = Progress::new(head.get());
    let mut at = after;
    loop {
        let page = archive.page(&args.room, Span::After(at), PAGE).map_err(failure)?;
        let Some(page) = page.filter(|page| !page.records.is_empty()) else { break };
        for record in &page.records {
            at = record.seq;
            let line = serde_json::to_string(&PageMessage::from(record)).map_err(io::Error::other).map_err(cant)?;
            match out.write_all((line + "\n").as_bytes()) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Ok),
                written => written.map_err(cant)?,
            }
        }
        progress.show(at.get());
        if !page.more {
            break;
        }
    }
    match out.flush() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(cant(error)),
        _ => {}
    }
    progress.end();
    Ok(Exit::Ok)
}

/// Opens a file to add to it, behind its last whole line; the number of the message on that.
fn go_on(path: &Path) -> io::Result<(File, Seq)> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let (mut whole, mut last) = (0, Vec::new());
    let mut lines = BufReader::new(&mut file);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        whole += line.len() as u64;
        std::mem::swap(&mut last, &mut line);
        line.clear();
    }
    let seq = match last.is_empty() {
        true => Seq::ZERO,
        false => serde_json::from_slice::<PageMessage>(&last).map_err(io::Error::other)?.seq,
    };
    file.set_len(whole)?;
    file.seek(SeekFrom::End(0))?;
    Ok((file, seq))
}

/// Reads what `export` wrote.
///
/// # Errors
/// Where a line is no message, or one that does not fit; what stands before it is taken.
pub(crate) fn import(args: &args::Import) -> Result<Exit, Failure> {
    let (settings, storage) = storage(&args.config)?;
    let rooms: Vec<_> = settings.core.rooms.iter().map(|room| &room.id).collect();
    if !rooms.contains(&&args.room) {
        let rooms: Vec<_> = rooms.into_iter().map(RoomId::as_str).collect();
        let file = args.config.file.display();
        return Err(Failure::usage(format!("{file} has no room {}: its rooms are {}", args.room, rooms.join(", "))));
    }
    let (mut input, size): (Box<dyn BufRead>, _) = match &args.input {
        None => (Box::new(io::stdin().lock()), 0),
        Some(path) => {
            let file = File::open(path);
            let file = file.map_err(|error| Failure::usage(format!("can't read {}: {error}", path.display())))?;
            let size = file.metadata().map_or(0, |metadata| metadata.len());
            (Box::new(BufReader::new(file)), size)
        }
    };
    let on_event = |event: sqlite::Event| drop(writeln!(io::stderr(), "qun: {event}"));
    let import = sqlite::Import::open(&storage.path, seed()?, args.room.clone(), on_event);
    let mut import = import.map_err(|error| Failure::usage(error.to_string()))?;
    let mut entropy = entropy()?;
    let mut progress = Progress::new(size);
    let mut total = Imported::default();
    let (mut number, mut read) = (0_u64, 0);
    let result = loop {
        let (begin, mut records) = (number, Vec::new());
        let ended = loop {
            match message(&mut input) {
                Ok(None) => break Some(Ok(())),
                Ok(Some((record, bytes))) => {
                    (number, read) = (number + 1, read + bytes);
                    records.extend(record);
                }
                Err(what) => break Some(Err(format!("line {}: {what}", number + 1))),
            }
            if records.len() as u64 == PAGE {
                break None;
            }
        };
        match import.take(&records, &mut entropy) {
            Ok(Imported { new, known }) => (total.new, total.known) = (total.new + new, total.known + known),
            Err(error) => break Err(format!("lines {} to {number}: {error}", begin + 1)),
        }
        progress.show(read);
        if let Some(ended) = ended {
            break ended;
        }
    };
    progress.end();
    let finished = import.finish().map_err(|error| error.to_string());
    let Imported { new, known } = total;
    let _ = writeln!(io::stderr(), "qun: {new} messages are imported, {known} were there already");
    match result.and(finished) {
        Ok(()) => Ok(Exit::Ok),
        Err(what) => Err(Failure::usage(what)),
    }
}

/// The next line, as a message where it is not empty, and how long it was; `None` at the end.
fn message(input: &mut dyn BufRead) -> Result<Option<(Option<Record>, u64)>, String> {
    let mut line = Vec::new();
    let read = input.take(LINE).read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
    match line.trim_ascii() {
        _ if read == 0 => Ok(None),
        _ if read as u64 == LINE => Err("it is too long for a message".into()),
        [] => Ok(Some((None, read as u64))),
        line => {
            let message: PageMessage = serde_json::from_slice(line).map_err(|error| error.to_string())?;
            let PageMessage { seq, ts, m, name, kind, text, id } = message;
            if seq == Seq::ZERO {
                return Err("messages are numbered from 1".into());
            }
            Ok(Some((Some(Record { seq, ts, member: m, name, kind, text, id }), read as u64)))
        }
    }
}

/// What a configuration says, and where its database is.
fn storage(config: &args::Config) -> Result<(Settings, Storage), Failure> {
    let config::Reading { mut settings, .. } = config::read(&config.file)?;
    let file = config.file.display();
    let none = || Failure::usage(format!("{file} has no [storage]: its rooms are kept in memory"));
    let storage = settings.storage.take().ok_or_else(none)?;
    Ok((settings, storage))
}

fn open(storage: &Storage) -> Result<Archive, Failure> {
    Archive::open(&storage.path).map_err(failure)
}

fn failure(error: ArchiveError) -> Failure {
    Failure::usage(error.to_string())
}

/// How far it is, on a terminal.
struct Progress {
    most: u64,
    shown: Instant,
    on: bool,
}

impl Progress {
    fn new(most: u64) -> Self {
        Self { most, shown: Instant::now(), on: io::stderr().is_terminal() && most > 0 }
    }

    fn show(&mut self, done: u64) {
        if self.on && self.shown.elapsed() >= TICK {
            self.shown = Instant::now();
            let percent = done.min(self.most) * 100 / self.most;
            let _ = write!(io::stderr(), "\r\x1b[K{percent} %");
        }
    }

    fn end(&self) {
        if self.on {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
