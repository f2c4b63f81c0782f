//! How a line reads that a person at netcat is shown.

use std::collections::{BTreeSet, VecDeque};

use qun_core::log::{Kind, Record};

/// `bob, mei (account, owner), ann (you)`.
pub(super) fn names(list: &str) -> BTreeSet<String> {
    let mut list = list.trim_end_matches('.').to_string();
    while let Some(tags) = list.find(" (")
        && let Some(end) = list[tags..].find(')')
    {
        list.replace_range(tags..=tags + end, "");
    }
    list.split(", ").map(String::from).collect()
}

/// The line without the prompts before it, which end no line.
pub(super) fn unprompted(mut line: &str) -> &str {
    loop {
        if let Some(rest) = line.strip_prefix("Room code: ") {
            line = rest;
        } else if let Some((_, rest)) = line.strip_prefix("Your name [").and_then(|line| line.split_once("]: ")) {
            line = rest;
        } else {
            return line;
        }
    }
}

/// `14:03 <ann> …` or `14:03 * ann …`.
pub(super) fn is_message(line: &str) -> bool {
    let rest = line.split_once(' ').filter(|(time, _)| time.len() == 5 && time.contains(':'));
    rest.is_some_and(|(_, rest)| rest.starts_with('<') || rest.starts_with("* "))
}

/// The further lines of a record, where this is its first one.
pub(super) fn rest_of(record: &Record, line: &str) -> Option<VecDeque<String>> {
    let mut lines = record.text.as_str().split(['\n', '\u{2028}', '\u{2029}']).map(String::from);
    let first = lines.next().unwrap_or_default();
    let minutes = record.ts / 60_000 % (24 * 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let expected = match record.kind {
        Kind::Say | Kind::Removed => format!("{hours:02}:{minutes:02} <{}> {first}", record.name),
        Kind::Me | Kind::Act(_) => format!("{hours:02}:{minutes:02} * {} {first}", record.name),
    };
    (line == expected).then(|| lines.collect())
}
