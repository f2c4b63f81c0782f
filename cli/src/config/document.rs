//! TOML with the place of every value, and errors that name it.

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong with a configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
    /// What is wrong, and what would be right.
    pub(crate) what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.what)
    }
}

/// Collects the problems of one text, so that a person can mend all of them at once.
pub(super) struct Problems<'a> {
    text: &'a str,
    found: RefCell<Vec<Problem>>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, found: RefCell::default() }
    }

    /// Notes that `what` is wrong at the byte `at`.
    pub(super) fn add(&self, at: usize, what: impl Into<String>) {
        let (line, column) = self.place(at);
        self.found.borrow_mut().push(Problem { line, column, what: what.into() });
    }

    /// Line and column of the byte `at`, both from 1.
    pub(super) fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// What was found, in the order of the text.
    pub(super) fn finish(self) -> Vec<Problem> {
        let mut found = self.found.into_inner();
        found.sort();
        found
    }
}

/// A value, and the byte at which it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

/// One table while it is read: who asks for a key makes it known; [`finish`](Self::finish) refuses all others.
pub(super) struct Section<'a, 'p> {
    /// How a person finds it: `[limits]`.
    name: &'static str,
    /// Where it begins.
    pub(super) at: usize,
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
    problems: &'p Problems<'a>,
}

impl<'a, 'p> Section<'a, 'p> {
    /// The whole document.
    pub(super) fn root(table: &'a Spanned<DeTable<'a>>, problems: &'p Problems<'a>) -> Self {
        Self { name: "the configuration", at: 0, table: table.get_ref(), known: Vec::new(), problems }
    }

    /// Notes that `what` is wrong at `at`.
    pub(super) fn refuse(&self, at: usize, what: impl Into<String>) {
        self.problems.add(at, what);
    }

    /// Line and column of `at`.
    pub(super) fn place(&self, at: usize) -> (usize, usize) {
        self.problems.place(at)
    }

    /// A string.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Found<&'a str>> {
        let value = self.get(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.mistyped(key, "a string in quotes", value);
        }
        Some(Found { value: text?, at: value.span().start })
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<Found<bool>> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.mistyped(key, "true or false", value);
        }
        Some(Found { value: flag?, at: value.span().start })
    }

    /// A whole number within `range`.
    pub(super) fn whole(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<Found<u64>> {
        let value = self.get(key)?;
        let number = value.get_ref().as_integer().and_then(|integer| {
            u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| range.contains(number))
        });
        if number.is_none() {
            self.mistyped(key, &format!("a whole number from {} to {}", range.start(), range.end()), value);
        }
        Some(Found { value: number?, at: value.span().start })
    }

    /// A date with time, in quotes or as TOML's own.
    pub(super) fn date(&mut self, key: &'static str) -> Option<Found<jiff::Timestamp>> {
        let value = self.get(key)?;
        let written = match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Datetime(date) => Some(date.to_string()),
            _ => None,
        };
        let date = written.and_then(|written| written.parse().ok());
        if date.is_none() {
            self.mistyped(key, "a time as in RFC 3339, \"2027-01-31T00:00:00Z\"", value);
        }
        Some(Found { value: date?, at: value.span().start })
    }

    /// A list of strings.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Found<Vec<Found<&'a str>>>> {
        let value = self.get(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.mistyped(key, "a list of strings", value);
            return None;
        };
        let mut texts = Vec::new();
        for item in array.iter() {
            match item.get_ref().as_str() {
                Some(text) => texts.push(Found { value: text, at: item.span().start }),
                None => self.mistyped(key, "strings in quotes", item),
            }
        }
        Some(Found { value: texts, at: value.span().start })
    }

    /// A table, called `name` in what is said about it.
    pub(super) fn table(&mut self, key: &'static str, name: &'static str) -> Option<Self> {
        let value = self.get(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.mistyped(key, &format!("a table, {name}"), value);
            return None;
        };
        Some(Self { name, at: value.span().start, table, known: Vec::new(), problems: self.problems })
    }

    /// A list of tables, each called `name`.
    pub(super) fn tables(&mut self, key: &'static str, name: &'static str) -> Option<Found<Vec<Self>>> {
        let value = self.get(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.mistyped(key, &format!("a list of tables, {name}"), value);
            return None;
        };
        let mut tables = Vec::new();
        for item in array.iter() {
            match item.get_ref().as_table() {
                Some(table) => {
                    tables.push(Self { name, at: item.span().start, table, known: Vec::new(), problems: self.problems })
                }
                None => self.mistyped(key, &format!("tables, {name}"), item),
            }
        }
        Some(Found { value: tables, at: value.span().start })
    }

    /// Refuses the keys that nobody asked for.
    pub(super) fn finish(self) {
        for (key, _) in self.table.iter() {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            let meant =
                nearest(name, &self.known).map(|known| format!(": did you mean {known:?}?")).unwrap_or_default();
            let known = self.known.join(", ");
            self.refuse(
                key.span().start,
                format!(
                    "{} has no key {name:?}{}{meant} The keys are {known}",
                    self.name,
                    if meant.is_empty() { "." } else { "" }
                ),
            );
        }
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(key);
        self.table.get(key)
    }

    fn mistyped(&self, key: &str, wanted: &str, value: &Spanned<DeValue<'_>>) {
        let given = match value.get_ref() {
            // Whatever stands there is meant as a secret, and those are never shown.
            _ if key == "code" || key == "hash" => "something else".to_string(),
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Integer(number) => number.as_str().to_string(),
            DeValue::Float(number) => number.as_str().to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Datetime(date) => date.to_string(),
            DeValue::Array(_) => "a list".to_string(),
            DeValue::Table(_) => "a table".to_string(),
        };
        self.refuse(value.span().start, format!("{key} wants {wanted}, not {given}"));
    }
}

/// The one of `known` that somebody who wrote `typed` most likely meant.
fn nearest<'k>(typed: &str, known: &[&'k str]) -> Option<&'k str> {
    let (distance, nearest) = known.iter().map(|known| (distance(typed, known), *known)).min()?;
    (distance <= 1 + nearest.len() / 4).then_some(nearest)
}

/// How many characters must be changed, added or left out to turn the one into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_the_key_and_a_stranger_finds_none() {
        let known = ["title", "codes", "presence"];
        assert_eq!(nearest("titel", &known), Some("title"));
        assert_eq!(nearest("code", &known), Some("codes"));
        assert_eq!(nearest("presense", &known), Some("presence"));
        assert_eq!(nearest("colour", &known), None);
    }
}
