//! The file that `qun init` writes.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use qun_core::{Code, Entropy};
use qun_transports::readiness::PollerKind;

use super::{Error, limits};

/// Writes a configuration with fresh codes to `path`, readable by its owner only.
///
/// # Errors
/// Overwrites nothing: a file that is there is an error.
pub(crate) fn init(path: &Path, entropy: &mut Entropy) -> Result<(), Error> {
    let write_failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists(path.into()),
        _ => Error::Write { path: path.into(), error },
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(write_failed)?;
    file.write_all(render(entropy).as_bytes()).and_then(|()| file.sync_all()).map_err(write_failed)
}

fn render(entropy: &mut Entropy) -> String {
    let mut code = || Code::generate(entropy).to_string();
    let pollers = PollerKind::ALL.map(|poller| format!("{:?}", poller.as_str())).join(", ");
    let mut text = HEAD.replace("POLLERS", &pollers).replace("POLLER", PollerKind::default().as_str());
    for key in limits::KEYS {
        let setting = format!("{} = {}", key.name, key.default());
        // Writing to a string can't fail.
        let _ = writeln!(text, "# {setting:<28} # {}", key.doc);
    }
    text.push_str(&ROOMS.replace("CODE-TEAM", &code()).replace("CODE-GUESTS", &code()).replace("CODE-HALL", &code()));
    text
}

const HEAD: &str = r#"# The configuration of a qun server. `qun check` reads it without serving; `qun serve --config FILE` serves it.
# What stands behind a # is the default. Keep this file to yourself (mode 0600): whoever has a code is in the room.

# Where to listen. 127.0.0.1 is this machine only; "0.0.0.0:7777" is everybody who can reach it.
# listen = ["127.0.0.1:7777"]

# What people at netcat or telnet are asked in: "en" or "zh-CN".
# language = "en"

# What is added to UTC in the times that they see; left out, what this machine adds.
# utc_offset = "+08:00"

# How the server waits for its sockets: POLLERS.
# poller = "POLLER"

# Who may log in, beside this file: `qun account add NAME` writes it.
# accounts = "accounts.toml"

# Whether people without an account may come in; a room may say so for itself.
# guests = true

# Where what is said is kept, beside this file. Without this section: in memory, for as long as the server runs.
# durability: "full" survives a power cut, too; "normal" is faster, and after a power cut rooms begin a new history.
[storage]
path = "qun.db"
# durability = "full"

# Everything that one person, address or room may use at most. Times end in _s (seconds) or _ms (milliseconds).
[limits]
"#;

const ROOMS: &str = r#"
# A room. id: 1 to 32 of a-z 0-9 _ -; it names the room for programs. title is for people.
# presence: "full" tells who is here, "count" only how many, for large rooms.
# A code opens its room. Case, spaces and hyphens don't count. `qun code new` makes more of them.
#   label        what the log calls it, in place of the code
#   role         "talk", or "read" for people who may only listen; "moderator" or "owner" for those who keep order
#   expires      until when it opens the room, as "2027-01-31T00:00:00Z"
#   max_members  how many may be in the room by this code at once
#   weak         true allows a code of fewer than 8 characters, which needs an expiry
# Who needs no code is listed, with what they may do at least: accounts = [{ name = "ann", role = "owner" }]
# A room keeps everything, or the newest of it, with keep_messages, keep_days or keep_bytes as a limit, or several.
[[room]]
id = "ops"
title = "On-call"
# presence = "full"
codes = [
  { code = "CODE-TEAM", label = "team" },
  { code = "CODE-GUESTS", label = "guests", role = "read" },
]

[[room]]
id = "hall"
title = "Hall"
presence = "count"
codes = [
  { code = "CODE-HALL", label = "everybody" },
]
"#;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use jiff::Timestamp;
    use qun_core::Limits;

    use super::super::{Error, read, reader};
    use super::*;

    fn entropy() -> Entropy {
        Entropy::new([7; 32])
    }

    #[test]
    fn what_init_writes_is_served_without_a_word() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("qun.toml");
        init(&path, &mut entropy()).unwrap();
        let reading = read(&path).unwrap();
        assert_eq!(reading.settings.storage.unwrap().path, dir.path().join("qun.db"));
        assert_eq!(reading.warnings, Vec::<String>::new());
        let codes: Vec<_> = reading.settings.core.rooms.iter().flat_map(|room| &room.codes).collect();
        assert_eq!((reading.settings.core.rooms.len(), codes.len()), (2, 3));
        assert_eq!(reading.settings.core.limits, Limits::default());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn every_default_that_it_names_is_the_default() {
        let text = render(&mut entropy());
        let shown: String = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(setting) if setting.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => setting,
                _ => line,
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        assert_ne!(text, shown);
        let now = Timestamp::UNIX_EPOCH;
        let (plain, _) = reader::parse(&text, now).unwrap();
        let (mut set, _) = reader::parse(&shown, now).unwrap();
        assert_eq!(set.core.utc_offset_s, 8 * 3_600, "the one line that is an example");
        set.core.utc_offset_s = plain.core.utc_offset_s;
        assert_eq!(plain, set);
    }

    #[test]
    fn it_overwrites_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("qun.toml");
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(init(&path, &mut entropy()), Err(Error::Exists(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_file_that_others_may_read_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("qun.toml");
        init(&path, &mut entropy()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let [warning] = &read(&path).unwrap().warnings[..] else { panic!("one warning") };
        assert!(warning.contains("mode 0644") && warning.contains("chmod 600"), "{warning}");
    }

    #[test]
    fn the_guide_has_every_limit_and_an_example_that_is_right() {
        let guide = include_str!("../../../docs/running.md");
        for key in limits::KEYS {
            let row = guide.lines().find(|line| line.starts_with(&format!("| `{}` |", key.name)));
            let default = row.and_then(|row| row.split('|').nth(2)).map(|cell| cell.trim().replace(',', ""));
            assert_eq!(default, Some(key.default().to_string()), "{}", key.name);
        }
        let (_, example) = guide.split_once("```toml\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let now = "2026-02-17T12:00:00Z".parse().unwrap();
        let (settings, warnings) = reader::parse(example, now).unwrap();
        assert_eq!((settings.core.rooms.len(), settings.core.limits, warnings.len()), (1, Limits::default(), 0));
    }
}
