//! The rooms of a configuration, and their codes.

use std::collections::HashMap;

use jiff::Timestamp;
use qun_core::server::{Access, Listed, Presence, RoomConfig};
use qun_core::{Code, Name, Role, RoomId, Text};

use super::document::{Found, Section};
use super::room_id;
use super::storage::{self, Storage};

/// A title is one line of at most this many bytes.
const TITLE_BYTES: usize = 100;

/// Reads every `[[room]]`; what they keep goes to `storage`.
pub(super) fn read(
    root: &mut Section<'_, '_>,
    now: Timestamp,
    mut storage: Option<&mut Storage>,
    warnings: &mut Vec<String>,
) -> Vec<RoomConfig> {
    let rooms = root.tables("room", "[[room]]");
    if rooms.as_ref().is_none_or(|rooms| rooms.value.is_empty()) {
        let at = rooms.map_or(0, |rooms| rooms.at);
        root.refuse(at, "there is no room: add [[room]] with an id and codes (`qun init` shows how)");
        return Vec::new();
    }
    let mut seen = Seen::default();
    let rooms = rooms.map(|rooms| rooms.value).unwrap_or_default();
    rooms.into_iter().map(|section| room(section, now, storage.as_deref_mut(), &mut seen, warnings)).collect()
}

/// The ids and codes that are taken, and the lines where they stand.
#[derive(Default)]
struct Seen {
    ids: HashMap<RoomId, usize>,
    codes: HashMap<Code, usize>,
}

fn room(
    mut section: Section<'_, '_>,
    now: Timestamp,
    storage: Option<&mut Storage>,
    seen: &mut Seen,
    warnings: &mut Vec<String>,
) -> RoomConfig {
    let id = id(&mut section, seen);
    let title = title(&mut section).unwrap_or_else(|| id.to_string());
    let presence = match section.text("presence") {
        None | Some(Found { value: "full", .. }) => Presence::Full,
        Some(Found { value: "count", .. }) => Presence::Count,
        Some(Found { value, at }) => {
            section.refuse(at, format!("presence is \"full\" (who is here) or \"count\" (how many), not {value:?}"));
            Presence::Full
        }
    };
    let mut codes = Vec::new();
    let accounts = accounts(&mut section);
    let guests = section.flag("guests").is_none_or(|guests| guests.value);
    match section.tables("codes", "a code") {
        None if !accounts.is_empty() => {}
        None => section.refuse(section.at, "the room has no codes and no accounts: nobody could get in"),
        Some(tables) if tables.value.is_empty() => {
            section.refuse(tables.at, "codes is empty: nobody could get in (`qun code new` makes a code)");
        }
        Some(tables) => {
            for (number, table) in tables.value.into_iter().enumerate() {
                codes.extend(access(table, number + 1, now, seen, warnings));
            }
        }
    }
    match (storage::retention(&mut section), storage) {
        (Some(Found { value, .. }), Some(storage)) => drop(storage.options.keep.insert(id.clone(), value)),
        (Some(Found { at, .. }), None) => {
            section.refuse(at, "what a room keeps is for rooms on a disk: add [storage] with a path, or leave it out");
        }
        (None, _) => {}
    }
    section.finish();
    RoomConfig { id, title, presence, codes, accounts, guests }
}

/// Reads who needs no code.
fn accounts(section: &mut Section<'_, '_>) -> Vec<Listed> {
    let mut listed: Vec<Listed> = Vec::new();
    for mut section in section.tables("accounts", "an account").map(|tables| tables.value).unwrap_or_default() {
        let role = role(&mut section);
        let at = section.at;
        match section.text("name").map(|name| (name.at, name.value.parse::<Name>())) {
            None => section.refuse(at, "the account has no name, as in { name = \"ann\", role = \"talk\" }"),
            Some((at, Err(error))) => section.refuse(at, error.to_string()),
            Some((at, Ok(name))) if listed.iter().any(|other| other.name.folded() == name.folded()) => {
                section.refuse(at, format!("{name} is listed already"));
            }
            Some((_, Ok(name))) => listed.push(Listed { name, role }),
        }
        section.finish();
    }
    listed
}

fn id(section: &mut Section<'_, '_>, seen: &mut Seen) -> RoomId {
    let Some(Found { value, at }) = section.text("id") else {
        section.refuse(section.at, "the room has no id, as in id = \"ops\"");
        return room_id("room");
    };
    match value.parse::<RoomId>() {
        Ok(id) => {
            if let Some(line) = seen.ids.insert(id.clone(), section.place(at).0) {
                section
                    .refuse(at, format!("the room of line {line} has the id {value:?} already: an id names one room"));
            }
            id
        }
        Err(error) => {
            section.refuse(at, format!("{error}, not {value:?}"));
            room_id("room")
        }
    }
}

fn title(section: &mut Section<'_, '_>) -> Option<String> {
    let Found { value, at } = section.text("title")?;
    let fits = value.len() <= TITLE_BYTES && !value.contains(['\n', '\t']) && value.parse::<Text>().is_ok();
    if !fits {
        section.refuse(at, format!("title wants one line of 1 to {TITLE_BYTES} bytes that shows, not {value:?}"));
    }
    fits.then(|| value.into())
}

/// Reads the room's code of this `number`; `None` where it has no code that could be one.
fn access(
    mut section: Section<'_, '_>,
    number: usize,
    now: Timestamp,
    seen: &mut Seen,
    warnings: &mut Vec<String>,
) -> Option<Access> {
    let code = section.text("code");
    if code.is_none() {
        section.refuse(section.at, "the code is missing, as in code = \"K7QM-2XD4\" (`qun code new` makes one)");
    }
    let code = code.and_then(|Found { value, at }| parse_code(&section, value, at, seen));
    let label = section.text("label").map_or_else(|| format!("code-{number}"), |label| label.value.into());
    let role = role(&mut section);
    let weak = section.flag("weak").is_some_and(|weak| weak.value);
    let expires = section.date("expires");
    let max_members =
        section.whole("max_members", 1..=u64::from(u32::MAX)).and_then(|most| u32::try_from(most.value).ok());
    if let Some((code, at)) = &code
        && !code.is_strong()
        && !(weak && expires.is_some())
    {
        let least = Code::STRONG_CHARS;
        section.refuse(
            *at,
            format!("the code has fewer than {least} characters, so it can be guessed: take a longer one (`qun code new`), or say weak = true and expires = \"…\""),
        );
    }
    if let Some(expires) = &expires
        && expires.value <= now
    {
        let line = section.place(expires.at).0;
        warnings.push(format!("line {line}: the code {label:?} expired at {}: it opens nothing", expires.value));
    }
    section.finish();
    let (code, _) = code?;
    let expires = expires.map(|expires| u64::try_from(expires.value.as_millisecond()).unwrap_or(0));
    Some(Access { code, label: label.into(), role, expires, max_members })
}

fn role(section: &mut Section<'_, '_>) -> Role {
    let Some(Found { value, at }) = section.text("role") else { return Role::default() };
    Role::named(value).unwrap_or_else(|| {
        let choices = Role::ALL.map(|role| format!("{:?}", role.as_str())).join(", ");
        section.refuse(at, format!("role is one of {choices}, not {value:?}"));
        Role::Read
    })
}

/// A code is never shown in what is said about it: that ends up in logs and on screens.
fn parse_code(section: &Section<'_, '_>, value: &str, at: usize, seen: &mut Seen) -> Option<(Code, usize)> {
    match value.parse::<Code>() {
        Ok(code) => {
            let (line, _) = section.place(at);
            if let Some(line) = seen.codes.insert(code.clone(), line) {
                section.refuse(
                    at,
                    format!("this code stands in line {line} already (case, spaces and hyphens don't count, I and L are 1, O is 0): a code opens one room"),
                );
            }
            Some((code, at))
        }
        Err(error) => {
            section.refuse(at, error.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    fn now() -> Timestamp {
        "2026-02-17T12:00:00Z".parse().unwrap()
    }

    fn errors(text: &str) -> Vec<String> {
        super::super::reader::parse(text, now()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    fn with_code(code: &str) -> String {
        format!("[[room]]\nid = \"ops\"\ncodes = [{{ {code} }}]\n")
    }

    #[test]
    fn ids_and_codes_are_unique_in_their_canonical_form() {
        let text = "[[room]]\nid = \"ops\"\ncodes = [{ code = \"K7QM-2X0L\" }]\n\
                    [[room]]\nid = \"ops\"\ncodes = [{ code = \"k7qm 2xo1\" }]\n";
        assert_eq!(
            errors(text),
            [
                "5:6: the room of line 2 has the id \"ops\" already: an id names one room",
                "6:19: this code stands in line 3 already (case, spaces and hyphens don't count, I and L are 1, O is 0): \
                 a code opens one room",
            ]
        );
    }

    #[test]
    fn a_weak_code_needs_its_owners_word_and_an_expiry() {
        let refused = "3:19: the code has fewer than 8 characters, so it can be guessed: take a longer one \
                       (`qun code new`), or say weak = true and expires = \"…\"";
        assert_eq!(errors(&with_code("code = \"moon\"")), [refused]);
        assert_eq!(errors(&with_code("code = \"moon\", weak = true")), [refused]);
        assert_eq!(errors(&with_code("code = \"moon\", expires = \"2027-01-31T00:00:00Z\"")), [refused]);
        let told = with_code("code = \"moon\", weak = true, expires = 2027-01-31T00:00:00Z");
        assert!(super::super::reader::parse(&told, now()).is_ok());
    }

    #[test]
    fn what_no_code_can_be_is_refused_without_showing_it() {
        assert_eq!(
            errors(&with_code("code = \"QUIT now12345\"")),
            ["3:19: a code can't begin with QUIT, which is a word of another protocol"]
        );
        assert_eq!(
            errors(&with_code("code = \"K7QM_2XD4\"")),
            ["3:19: a code has only letters, digits, spaces and hyphens, not '_'"]
        );
    }

    #[test]
    fn an_expiry_is_a_time_and_one_that_is_past_is_told() {
        assert_eq!(
            errors(&with_code("code = \"K7QM-2XD4\", expires = \"tomorrow\"")),
            ["3:42: expires wants a time as in RFC 3339, \"2027-01-31T00:00:00Z\", not \"tomorrow\""]
        );
        let past = with_code("code = \"K7QM-2XD4\", label = \"team\", expires = \"2025-01-31T00:00:00Z\"");
        let (_, warnings) = super::super::reader::parse(&past, now()).unwrap();
        assert_eq!(warnings, ["line 3: the code \"team\" expired at 2025-01-31T00:00:00Z: it opens nothing"]);
    }

    #[test]
    fn a_room_needs_an_id_and_codes() {
        assert_eq!(errors(""), ["1:1: there is no room: add [[room]] with an id and codes (`qun init` shows how)"]);
        assert_eq!(
            errors("[[room]]\n"),
            [
                "1:1: the room has no codes and no accounts: nobody could get in",
                "1:1: the room has no id, as in id = \"ops\"",
            ]
        );
        assert_eq!(
            errors("[[room]]\nid = \"Ops!\"\ntitle = \"\"\ncodes = []\n"),
            [
                "2:6: a room's id is 1 to 32 of a-z 0-9 _ -, not \"Ops!\"",
                "3:9: title wants one line of 1 to 100 bytes that shows, not \"\"",
                "4:9: codes is empty: nobody could get in (`qun code new` makes a code)",
            ]
        );
    }
}
