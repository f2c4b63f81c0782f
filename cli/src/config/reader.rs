//! From text to settings.

use std::net::SocketAddr;

use jiff::Timestamp;
use qun_core::plain::Language;
use qun_transports::readiness::PollerKind;
use toml::de::DeTable;

use super::document::{Found, Problem, Problems, Section};
use super::{DEFAULT_LISTEN, Settings, limits, local_offset, room, storage};

/// Reads a configuration as it holds at `now`; the settings come with warnings.
///
/// # Errors
/// All that is wrong with it, in the order of the text. Where it is no TOML at all, the first thing only.
pub(super) fn parse(text: &str, now: Timestamp) -> Result<(Settings, Vec<String>), Vec<Problem>> {
    let problems = Problems::new(text);
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            problems.add(error.span().map_or(text.len(), |span| span.start), error.message());
            return Err(problems.finish());
        }
    };
    let mut warnings = Vec::new();
    let mut root = Section::root(&document, &problems);
    let (listen, poller) = (listen(&mut root), poller(&mut root));
    let mut storage = storage::read(&mut root);
    let accounts = root.text("accounts").map_or(super::accounts::DEFAULT, |path| path.value).into();
    let settings = Settings {
        listen,
        accounts: Some(accounts),
        poller,
        core: qun_core::server::Config {
            agent: crate::AGENT.into(),
            accounts: Vec::new(),
            guests: root.flag("guests").is_none_or(|guests| guests.value),
            language: language(&mut root),
            utc_offset_s: utc_offset(&mut root).unwrap_or_else(|| local_offset(now)),
            limits: root.table("limits", "[limits]").map(limits::read).unwrap_or_default(),
            rooms: room::read(&mut root, now, storage.as_mut(), &mut warnings),
        },
        storage,
    };
    root.finish();
    match problems.finish() {
        found if found.is_empty() => Ok((settings, warnings)),
        found => Err(found),
    }
}

fn listen(root: &mut Section<'_, '_>) -> Vec<SocketAddr> {
    let Some(listen) = root.texts("listen") else { return vec![DEFAULT_LISTEN] };
    if listen.value.is_empty() {
        root.refuse(listen.at, format!("listen is empty: name an address, or leave it out for {DEFAULT_LISTEN}"));
    }
    let mut addresses = Vec::new();
    for text in listen.value {
        match parse_listen(text.value) {
            Ok(address) => addresses.push(address),
            Err(what) => root.refuse(text.at, what),
        }
    }
    addresses
}

/// Reads an address to listen on, of the configuration or the command line.
pub(crate) fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is no address to listen on: write IP:PORT, as in 127.0.0.1:7777, [::1]:7777 or 0.0.0.0:7777")
    })
}

fn poller(root: &mut Section<'_, '_>) -> PollerKind {
    let Some(Found { value, at }) = root.text("poller") else { return PollerKind::default() };
    value.parse().unwrap_or_else(|_| {
        let choices: Vec<_> = PollerKind::ALL.iter().map(|poller| format!("{:?}", poller.as_str())).collect();
        root.refuse(at, format!("this system has no poller {value:?}: it is {}", choices.join(" or ")));
        PollerKind::default()
    })
}

fn language(root: &mut Section<'_, '_>) -> Language {
    match root.text("language") {
        None | Some(Found { value: "en", .. }) => Language::En,
        Some(Found { value: "zh-CN", .. }) => Language::ZhCn,
        Some(Found { value, at }) => {
            root.refuse(at, format!("there are no prompts in {value:?}: language is \"en\" or \"zh-CN\""));
            Language::En
        }
    }
}

/// What the configuration sets for `utc_offset`, in seconds.
fn utc_offset(root: &mut Section<'_, '_>) -> Option<i32> {
    let Found { value, at } = root.text("utc_offset")?;
    let offset = parse_offset(value);
    if offset.is_none() {
        root.refuse(at, format!("utc_offset wants hours and minutes, \"+08:00\" or \"-03:30\", not {value:?}"));
    }
    offset
}

fn parse_offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':')?;
    let number = |text: &str, most: i32| {
        let number: i32 =
            (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())??;
        (number <= most).then_some(number)
    };
    Some(sign * (number(hours, 23)? * 3_600 + number(minutes, 59)? * 60))
}

#[cfg(test)]
mod tests {
    use qun_core::Role;
    use qun_core::server::Presence;

    use super::*;

    const ROOM: &str = "[[room]]\nid = \"ops\"\ncodes = [{ code = \"K7QM-2XD4\" }]\n";

    fn now() -> Timestamp {
        "2026-02-17T12:00:00Z".parse().unwrap()
    }

    fn errors(text: &str) -> Vec<String> {
        parse(text, now()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_wire_documents_example_is_read() {
        let (settings, warnings) = parse(
            r#"
            listen = ["127.0.0.1:7777", "[::1]:0"]
            language = "zh-CN"
            poller = "select"
            utc_offset = "+08:00"

            [limits]
            burst = 0
            guess_every_s = 1
            prompt_ms = 5

            [[room]]
            id = "ops"
            title = "On-call"
            presence = "count"
            codes = [
              { code = "K7QM-2XD4", label = "team", role = "talk" },
              { code = "R3AD-0N1Y", label = "guests", role = "read", expires = "2027-01-31T00:00:00Z", max_members = 20 },
            ]
            "#,
            now(),
        )
        .unwrap();
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(settings.poller, PollerKind::Select);
        assert_eq!(settings.listen, ["127.0.0.1:7777".parse().unwrap(), "[::1]:0".parse().unwrap()]);
        let core = settings.core;
        assert_eq!((core.language, core.utc_offset_s), (Language::ZhCn, 8 * 3_600));
        assert_eq!((core.limits.burst, core.limits.guess_every.as_secs(), core.limits.prompt.as_millis()), (0, 1, 5));
        let [room] = &core.rooms[..] else { panic!("one room") };
        assert_eq!((room.id.as_str(), room.title.as_str(), room.presence), ("ops", "On-call", Presence::Count));
        let [team, guests] = &room.codes[..] else { panic!("two codes") };
        assert_eq!((&*team.label, team.role, team.expires, team.max_members), ("team", Role::Talk, None, None));
        assert_eq!((&*guests.label, guests.role), ("guests", Role::Read));
        assert_eq!((guests.expires, guests.max_members), (Some(1_801_353_600_000), Some(20)));
    }

    #[test]
    fn an_unknown_key_is_answered_with_its_place_and_the_keys_that_exist() {
        assert_eq!(
            errors(&format!("lisen = []\n{ROOM}titel = \"x\"\n")),
            [
                "1:1: the configuration has no key \"lisen\": did you mean \"listen\"? \
                 The keys are listen, poller, storage, accounts, guests, language, utc_offset, limits, room",
                "5:1: [[room]] has no key \"titel\": did you mean \"title\"? The keys are id, title, presence, accounts, guests, codes, keep_messages, keep_days, keep_bytes",
            ]
        );
        assert_eq!(
            errors("[[room]]\nid = \"ops\"\ncodes = [\n  { code = \"K7QM-2XD4\", pin = 4 },\n]\n"),
            ["4:25: a code has no key \"pin\". The keys are code, label, role, weak, expires, max_members"]
        );
    }

    #[test]
    fn a_wrong_value_is_answered_with_what_would_be_right() {
        assert_eq!(
            errors(&format!("listen = [\"7777\"]\npoller = \"poll\"\nutc_offset = \"8\"\nlanguage = 4\n{ROOM}")),
            [
                "1:11: \"7777\" is no address to listen on: write IP:PORT, as in 127.0.0.1:7777, [::1]:7777 or 0.0.0.0:7777",
                "2:10: this system has no poller \"poll\": it is \"select\" or \"epoll\" or \"epoll-et\"",
                "3:14: utc_offset wants hours and minutes, \"+08:00\" or \"-03:30\", not \"8\"",
                "4:12: language wants a string in quotes, not 4",
            ]
        );
        assert_eq!(
            errors(&format!("[limits]\nburst = -1\nping_s = 2.5\n\n{ROOM}")),
            [
                "2:9: burst wants a whole number from 0 to 1000000, not -1",
                "3:10: ping_s wants a whole number from 1 to 3600, not 2.5",
            ]
        );
    }

    #[test]
    fn limits_that_contradict_each_other_are_refused() {
        assert_eq!(
            errors(&format!("[limits]\ntext = 10000\n\n{ROOM}")),
            ["1:1: line is 16384 bytes: a text of 10000 bytes, all of it written as \\uXXXX, needs 30512"]
        );
        assert_eq!(
            errors(&format!("[limits]\nroom_bytes = 100000\n\n{ROOM}")),
            ["1:1: room_bytes is 100000: a room holds at least 16 of the largest messages that text and lines allow, \
              218112 bytes"]
        );
    }

    #[test]
    fn what_is_no_toml_is_refused_at_its_place() {
        assert_eq!(errors("listen = [\n\"127.0.0.1:1\"\n"), ["2:14: unclosed array, expected `]`"]);
    }
}
