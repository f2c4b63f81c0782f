//! `[storage]`, and what each room keeps.

use std::path::PathBuf;
use std::time::Duration;

use qun_transports::sqlite::{Durability, Options, Retention};

use super::document::{Found, Section};

/// Where what is said is kept, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Storage {
    /// The database.
    pub(crate) path: PathBuf,
    /// How safely, and how much of it.
    pub(crate) options: Options,
}

/// Reads `[storage]`; `None` where there is none.
pub(super) fn read(root: &mut Section<'_, '_>) -> Option<Storage> {
    let mut section = root.table("storage", "[storage]")?;
    let path = section.text("path");
    match path {
        None => section.refuse(section.at, "storage has no path, as in path = \"qun.db\""),
        Some(Found { value: "", at }) => section.refuse(at, "path is empty: name a file, as in path = \"qun.db\""),
        Some(_) => {}
    }
    let durability = section.text("durability").map(|Found { value, at }| {
        value.parse().unwrap_or_else(|error| {
            section.refuse(at, format!("{error}, not {value:?}"));
            Durability::default()
        })
    });
    section.finish();
    let options = Options { durability: durability.unwrap_or_default(), ..Options::default() };
    Some(Storage { path: path?.value.into(), options })
}

/// Reads what a room keeps, and where that stands; `None` where it keeps everything.
pub(super) fn retention(section: &mut Section<'_, '_>) -> Option<Found<Retention>> {
    const MOST: u64 = (1 << 53) - 1;
    let messages = section.whole("keep_messages", 1..=MOST);
    let days = section.whole("keep_days", 1..=36_500);
    let bytes = section.whole("keep_bytes", 1..=MOST);
    let at = [messages, days, bytes].into_iter().flatten().map(|found| found.at).min()?;
    let value = Retention {
        messages: messages.map(|found| found.value),
        age: days.map(|found| Duration::from_secs(found.value * 86_400)),
        bytes: bytes.map(|found| found.value),
    };
    Some(Found { value, at })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::reader;
    use super::*;

    const ROOM: &str = "[[room]]\nid = \"ops\"\ncodes = [{ code = \"K7QM-2XD4\" }]\n";

    fn parse(text: &str) -> Result<Option<Storage>, Vec<String>> {
        let problems = |problems: Vec<super::super::Problem>| problems.iter().map(ToString::to_string).collect();
        reader::parse(text, Timestamp::UNIX_EPOCH).map(|(settings, _)| settings.storage).map_err(problems)
    }

    #[test]
    fn it_says_where_and_what_each_room_keeps() {
        let text = format!(
            "{ROOM}keep_messages = 1000\nkeep_days = 30\n\n[storage]\npath = \"qun.db\"\ndurability = \"normal\"\n"
        );
        let Storage { path, options } = parse(&text).unwrap().unwrap();
        assert_eq!((path, options.durability), ("qun.db".into(), Durability::Normal));
        let keep = Retention { messages: Some(1_000), age: Some(Duration::from_secs(30 * 86_400)), bytes: None };
        assert_eq!(options.keep.into_iter().collect::<Vec<_>>(), [("ops".parse().unwrap(), keep)]);
        assert_eq!(parse(ROOM).unwrap(), None);
    }

    #[test]
    fn what_is_wrong_is_answered_with_its_place() {
        let errors = |text: &str| parse(text).unwrap_err();
        assert_eq!(
            errors(&format!("{ROOM}[storage]\npath = \"qun.db\"\ndurability = \"fast\"\nsync = 1\n")),
            [
                "6:14: durability is \"full\" or \"normal\", not \"fast\"",
                "7:1: [storage] has no key \"sync\". The keys are path, durability",
            ]
        );
        assert_eq!(errors(&format!("{ROOM}[storage]\n")), ["4:1: storage has no path, as in path = \"qun.db\""]);
        assert_eq!(
            errors(&format!("{ROOM}keep_messages = 0\n\n[storage]\npath = \"qun.db\"\n")),
            ["4:17: keep_messages wants a whole number from 1 to 9007199254740991, not 0"]
        );
        assert_eq!(
            errors(&format!("{ROOM}keep_days = 30\n")),
            ["4:13: what a room keeps is for rooms on a disk: add [storage] with a path, or leave it out"]
        );
    }
}
