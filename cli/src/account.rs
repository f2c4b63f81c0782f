//! `qun account`: who may log in.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::Path;

use qun_core::server::Account;
use qun_core::{Name, Password, PasswordHash};
use qun_transports::hash_password;
use zeroize::Zeroizing;

use crate::args;
use crate::config::{self, Accounts};
use crate::exit::Failure;
use crate::{entropy, secret, seed};

/// Runs `qun account`; says what to tell the person.
///
/// # Errors
/// A configuration or a file of accounts that is wrong, a name that is taken or that there is not, a password that is none.
pub(crate) fn run(args: &args::Account) -> Result<String, Failure> {
    match args {
        args::Account::Add { name, config } => add(name, &config.file),
        args::Account::Passwd { name, config } => passwd(name, &config.file),
        args::Account::Remove { name, config } => remove(name, &config.file),
        args::Account::List { config } => list(&config.file),
    }
}

const LATER: &str = "A server that runs reads it on SIGHUP";

fn add(name: &Name, config: &Path) -> Result<String, Failure> {
    let there_is =
        || Failure::usage(format!("there is an account {name} already: `qun account passwd {name}` changes it"));
    if find(&open(config)?, name).is_some() {
        return Err(there_is());
    }
    // Asked for before the file is locked: a person may take as long as it takes.
    let hash = ask(name)?;
    let mut accounts = open(config)?;
    if find(&accounts, name).is_some() {
        return Err(there_is());
    }
    accounts.accounts.push(Account { name: name.clone(), hash });
    accounts.save(&mut entropy()?)?;
    Ok(format!("{name} may log in. {LATER}.\n"))
}

fn passwd(name: &Name, config: &Path) -> Result<String, Failure> {
    find(&open(config)?, name).ok_or_else(|| nobody(name))?;
    let hash = ask(name)?;
    let mut accounts = open(config)?;
    let at = find(&accounts, name).ok_or_else(|| nobody(name))?;
    accounts.accounts[at].hash = hash;
    accounts.save(&mut entropy()?)?;
    Ok(format!("{name} has another password. {LATER}, and then ends the sessions that came by the old one.\n"))
}

fn remove(name: &Name, config: &Path) -> Result<String, Failure> {
    let mut accounts = open(config)?;
    let at = find(&accounts, name).ok_or_else(|| nobody(name))?;
    accounts.accounts.remove(at);
    accounts.save(&mut entropy()?)?;
    Ok(format!("{name} is no account any more. {LATER}, and then ends its sessions.\n"))
}

fn list(config: &Path) -> Result<String, Failure> {
    Ok(open(config)?.accounts.iter().map(|account| format!("{}\n", account.name)).collect())
}

/// Opens the accounts of a configuration, which is right or not served anyway.
fn open(config: &Path) -> Result<Accounts, Failure> {
    let settings = config::read(config)?.settings;
    let path = settings.accounts.ok_or_else(|| Failure::usage("there is no file of accounts"))?;
    Ok(Accounts::open(path)?)
}

fn find(accounts: &Accounts, name: &Name) -> Option<usize> {
    accounts.accounts.iter().position(|account| account.name.folded() == name.folded())
}

fn nobody(name: &Name) -> Failure {
    Failure::usage(format!("there is no account {name}"))
}

/// Takes a new password: at the terminal twice, without showing it, and else from the first line of stdin.
fn ask(name: &Name) -> Result<PasswordHash, Failure> {
    let password = if io::stdin().is_terminal() {
        let first = secret::ask(&format!("New password of {name}: "))?;
        if secret::ask("Once more: ")? != first {
            return Err(Failure::usage("these are two different passwords"));
        }
        first
    } else {
        let mut line = Zeroizing::new(String::new());
        let read = io::stdin().lock().read_line(&mut line);
        read.map_err(|error| Failure::usage(format!("can't read the password from stdin: {error}")))?;
        parse(&line)?
    };
    let salt = seed()?;
    let salt = std::array::from_fn(|at| salt[at]);
    hash_password(&password, salt).map_err(|error| Failure::usage(format!("can't hash the password: {error}")))
}

/// Reads a password from the first line of a file.
///
/// # Errors
/// Where it can't be read, or holds none, or others on this machine may read it.
pub(crate) fn from_file(path: &Path) -> Result<Password, Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let shown = path.display();
    let cant = |error: io::Error| Failure::usage(format!("can't read {shown}: {error}"));
    let mode = std::fs::metadata(path).map_err(cant)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::usage(format!(
            "{shown} has mode {mode:04o}, and a password stands in it: `chmod 600 {shown}` keeps it to you"
        )));
    }
    parse(&Zeroizing::new(std::fs::read_to_string(path).map_err(cant)?))
}

/// The password in the first line of a text.
fn parse(text: &str) -> Result<Password, Failure> {
    let line = text.split('\n').next().unwrap_or_default();
    line.strip_suffix('\r')
        .unwrap_or(line)
        .parse()
        .map_err(|error| Failure::usage(format!("that is no password: {error}")))
}
