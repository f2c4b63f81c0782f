//! The file of accounts: read by `qun serve`, written by `qun account`.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use qun_core::Entropy;
use qun_core::server::Account;
use qun_transports::parse_hash;
use toml::de::DeTable;

use super::Error;
use super::document::{Found, Problems, Section};

/// Where the accounts are whose configuration does not say it, beside that.
pub(super) const DEFAULT: &str = "accounts.toml";

const HEAD: &str = "\
# The accounts of a qun server. `qun account` writes this file; keep it to yourself (mode 0600).
# A server reads it at its start, and again on SIGHUP.
";

/// Reads the accounts; none where there is no file.
///
/// # Errors
/// Names every wrong place at once, with line and column.
pub(super) fn read(path: &Path) -> Result<Vec<Account>, Error> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|error| Error::Read { path: path.into(), error })?,
    };
    let problems = Problems::new(&text);
    let wrong = |problems| Error::Wrong { path: path.into(), problems };
    let document = match DeTable::parse(&text) {
        Ok(document) => document,
        Err(error) => {
            problems.add(error.span().map_or(text.len(), |span| span.start), error.message());
            return Err(wrong(problems.finish()));
        }
    };
    let mut root = Section::root(&document, &problems);
    let mut accounts: Vec<Account> = Vec::new();
    let mut names = HashSet::new();
    for section in root.tables("account", "[[account]]").map(|tables| tables.value).unwrap_or_default() {
        if let Some((account, at)) = self::account(section, &problems) {
            if !names.insert(account.name.folded()) {
                problems.add(at, format!("there is an account {} already", account.name));
            }
            accounts.push(account);
        }
    }
    root.finish();
    match problems.finish() {
        found if found.is_empty() => Ok(accounts),
        found => Err(wrong(found)),
    }
}

fn account(mut section: Section<'_, '_>, problems: &Problems<'_>) -> Option<(Account, usize)> {
    let at = section.at;
    let (name, hash) = (section.text("name"), section.text("hash"));
    for (key, is_missing) in [("name", name.is_none()), ("hash", hash.is_none())] {
        if is_missing {
            section.refuse(at, format!("the account has no {key}: `qun account add` writes one"));
        }
    }
    section.finish();
    let (Found { value: name, at }, hash) = (name?, hash?);
    let name = name.parse().map_err(|error| problems.add(at, format!("{error}"))).ok()?;
    // A hash can be guessed against: it is not shown.
    let Some(parsed) = parse_hash(hash.value) else {
        problems.add(hash.at, format!("the hash of {name} is no Argon2id: `qun account passwd {name}` makes one"));
        return None;
    };
    Some((Account { name, hash: parsed }, at))
}

/// An account file that nobody else changes meanwhile.
pub(crate) struct Accounts {
    path: PathBuf,
    pub(crate) accounts: Vec<Account>,
    /// Held until this is dropped.
    _lock: File,
}

impl Accounts {
    /// Opens the accounts at `path` to change them; another `qun account` waits until this is dropped.
    ///
    /// # Errors
    /// Where they can't be read, or their directory can't be locked.
    pub(crate) fn open(path: PathBuf) -> Result<Self, Error> {
        let failed = |error| Error::Read { path: path.clone(), error };
        let lock = File::open(directory(&path)).and_then(|dir| dir.lock().map(|()| dir)).map_err(failed)?;
        let accounts = read(&path)?;
        Ok(Self { path, accounts, _lock: lock })
    }

    /// Puts what is here in the place of the file, whole or not at all, readable by nobody else.
    ///
    /// # Errors
    /// Where it can't be written.
    pub(crate) fn save(&self, entropy: &mut Entropy) -> Result<(), Error> {
        let mut text = HEAD.to_string();
        for Account { name, hash } in &self.accounts {
            // Neither can hold a quote. Writing to a string can't fail.
            let _ = write!(text, "\n[[account]]\nname = \"{name}\"\nhash = \"{}\"\n", hash.expose());
        }
        let draft = directory(&self.path).join(format!(".accounts.{:016x}", entropy.bits()));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&draft, &self.path))
            .and_then(|()| self._lock.sync_all());
        written.map_err(|error| {
            let _ = std::fs::remove_file(&draft);
            Error::Write { path: self.path.clone(), error }
        })
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
