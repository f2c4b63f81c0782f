//! Who we are: one secret key per server, kept in the state directory.
//!
//! `$XDG_STATE_HOME/qun/keys/HOST:PORT.key`, or `~/.local/state/qun/keys/…`: a line of 22 characters in a file that only its
//! owner can read. Whoever holds a key holds its lock, because two connections with one key would take the session away
//! from each other: a second process gets a fresh key that lives as long as it does.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use qun_core::{Entropy, Key};

/// A key that is ours while this lives.
#[derive(Debug)]
pub(crate) struct HeldKey {
    /// The key.
    pub(crate) key: Key,
    /// Locked for as long as it is open; `None` where the key is kept nowhere.
    _lock: Option<File>,
}

/// Why there is no key although there is a place for it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file holds something else.
    #[error("{0} holds no key: delete it to be somebody new on that server")]
    Corrupt(PathBuf),
    /// Others can read it.
    #[error(
        "{path} has mode {mode:04o}, so others can read the key in it: `chmod 600 {path}`, or delete it to be somebody new"
    )]
    Open { path: PathBuf, mode: u32 },
    /// The file system says no.
    #[error("can't {what} {path}: {error}")]
    File { what: &'static str, path: PathBuf, error: io::Error },
}

/// The key for `server` below `state`, made on first use. Without a state directory, or while another process holds the
/// key, a fresh one.
///
/// # Errors
/// A key that is there and can't be used is never replaced behind its owner's back.
pub(crate) fn hold(state: Option<&Path>, server: &str, entropy: &mut Entropy) -> Result<HeldKey, Error> {
    let Some(state) = state else { return Ok(HeldKey { key: Key::generate(entropy), _lock: None }) };
    let path = state.join("keys").join(file_name(server));
    let failed = |what| {
        let path = path.clone();
        move |error| Error::File { what, path, error }
    };
    if !path.exists() {
        create(&path, &Key::generate(entropy), entropy).map_err(failed("write"))?;
    }
    let mut file = File::open(&path).map_err(failed("read"))?;
    let mode = file.metadata().map_err(failed("read"))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::Open { path, mode });
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(HeldKey { key: Key::generate(entropy), _lock: None }),
        Err(TryLockError::Error(error)) => return Err(failed("lock")(error)),
    }
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(Error::Corrupt(path)),
        Err(error) => return Err(failed("read")(error)),
    }
    match text.trim_end().parse() {
        Ok(key) => Ok(HeldKey { key, _lock: Some(file) }),
        Err(_) => Err(Error::Corrupt(path)),
    }
}

/// Where the state of this program is kept, where this person has a place for it.
pub(crate) fn state_dir() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state"))).map(|dir| dir.join("qun"))
}

/// Creates the file whole or not at all: written under another name, then linked. Where another process was faster, its
/// key counts.
fn create(path: &Path, key: &Key, entropy: &mut Entropy) -> io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let draft = dir.join(format!(".{:016x}", entropy.bits()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let linked = file
        .write_all(format!("{}\n", key.expose()).as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&draft, path));
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// A file name for a server: what could leave the directory or surprise a shell is escaped.
fn file_name(server: &str) -> String {
    let mut name = String::new();
    for byte in server.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b':' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name + ".key"
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SERVER: &str = "chat.example.org:7777";

    fn entropy(seed: u8) -> Entropy {
        Entropy::new([seed; 32])
    }

    #[test]
    fn the_same_key_comes_back_and_each_server_has_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let first = hold(Some(dir.path()), SERVER, &mut entropy(1)).unwrap();
        let other = hold(Some(dir.path()), "[::1]:7777", &mut entropy(2)).unwrap();
        assert_ne!(first.key, other.key);
        let key = first.key;
        drop(first);
        assert_eq!(hold(Some(dir.path()), SERVER, &mut entropy(3)).unwrap().key, key);
    }

    #[test]
    fn nobody_else_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("qun");
        hold(Some(&state), SERVER, &mut entropy(1)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&state), mode(&state.join("keys"))), (0o700, 0o700));
        let path = state.join("keys/chat.example.org:7777.key");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(state.join("keys")).unwrap().count(), 1, "the draft is gone");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(hold(Some(&state), SERVER, &mut entropy(2)), Err(Error::Open { mode: 0o644, .. })));
    }

    #[test]
    fn a_second_holder_gets_a_key_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let first = hold(Some(dir.path()), SERVER, &mut entropy(1)).unwrap();
        let second = hold(Some(dir.path()), SERVER, &mut entropy(2)).unwrap();
        assert_ne!(first.key, second.key);
        let key = first.key;
        drop((first, second));
        assert_eq!(hold(Some(dir.path()), SERVER, &mut entropy(3)).unwrap().key, key, "only the first was kept");
    }

    #[test]
    fn a_file_that_holds_no_key_is_told_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        drop(hold(Some(dir.path()), SERVER, &mut entropy(1)).unwrap());
        let path = dir.path().join("keys/chat.example.org:7777.key");
        for rubbish in [&b""[..], b"short\n", b"\xff\xfe"] {
            fs::write(&path, rubbish).unwrap();
            let error = hold(Some(dir.path()), SERVER, &mut entropy(2)).unwrap_err();
            assert!(matches!(error, Error::Corrupt(_)), "{error}");
            assert_eq!(fs::read(&path).unwrap(), rubbish);
        }
    }

    #[test]
    fn a_name_stays_in_its_directory() {
        assert_eq!(file_name("../a/b:1"), "..%2Fa%2Fb:1.key");
        assert_eq!(file_name("[::1]:7777"), "%5B::1%5D:7777.key");
    }
}
