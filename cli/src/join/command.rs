//! What a person types in a room.

use qun_core::client::Door;
use qun_core::log::Kind;
use qun_core::{Name, Order, RoomId, Words, plain};

/// A line that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Nothing.
    Blank,
    /// Something to say.
    Say(Kind, String),
    /// `/who`
    Who,
    /// `/name NAME`
    Name(Name),
    /// `/history [N]`
    History(u64),
    /// `/search WORDS`
    Search(Words),
    /// `/join CODE`, `/join ROOM`
    Join(Door),
    /// `/login`, `/login NAME`
    Login(Option<Name>),
    /// `/leave`
    Leave,
    /// `/rooms`
    Rooms,
    /// `/room ID`
    Room(RoomId),
    /// `/kick bob spam`, and what else keeps order.
    Order(Order),
    /// `/help`
    Help,
    /// `/quit`
    Quit,
    /// A command that there is not, or not so; what to tell the person.
    Wrong(String),
}

/// The commands, for `/help`.
pub(super) const HELP: &[&str] = &[
    "/who             who is here",
    "/name NAME       take another name",
    "/me WAVES        * you waves",
    "/history [N]     older messages",
    "/search WORDS    the newest messages that have them",
    "/join CODE       into another room",
    "/login [NAME]    log in to your account; the password is asked for",
    "/leave           out of this room",
    "/rooms           the rooms you are in",
    "/room ID         talk in another of them",
    "/quit            leave (Ctrl-D, Ctrl-C)",
    "//x              say /x",
];

/// What a moderator may, too, and an owner more than that; for `/help`.
pub(super) const KEEPING: &[&str] = &[
    "/kick NAME [WHY]           put somebody out; they may come back",
    "/ban NAME [1h] [WHY]       put somebody out, and keep them out; /unban NAME",
    "/ban NAME +source          the same, with everybody from where they connect",
    "/mute NAME [10m] [WHY]     silence somebody; /unmute NAME",
    "/topic [TEXT]              say what the room is about",
    "/remove NAME|NUMBER [WHY]  take back a message, or the newest one of somebody",
];

/// What an owner may, too; for `/help`.
pub(super) const OWNING: &[&str] = &[
    "/role NAME ROLE            give somebody a role: read, talk, moderator, or none",
    "/close [WHY], /open        close the room to all but those who keep order",
    "/code add [LABEL] [ROLE] [for=1d] [uses=5], /code rotate [LABEL] [after=10m],",
    "/code retire LABEL [after=10m|kick]",
];

/// How many messages `/history` asks for.
const PAGE: u64 = 50;

impl Typed {
    /// Reads a line.
    pub(super) fn parse(line: &str) -> Self {
        let Some(command) = line.strip_prefix('/') else {
            return if line.trim().is_empty() { Self::Blank } else { Self::Say(Kind::Say, line.into()) };
        };
        if command.starts_with('/') {
            return Self::Say(Kind::Say, command.into());
        }
        let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let rest = rest.trim();
        let wrong = |what: String| Self::Wrong(what);
        match word {
            "who" => Self::Who,
            "me" if rest.is_empty() => wrong("/me needs what you do, as in /me waves".into()),
            "me" => Self::Say(Kind::Me, rest.into()),
            "name" => rest.parse().map_or_else(|error| wrong(format!("{error}, as in /name ann")), Self::Name),
            "history" if rest.is_empty() => Self::History(PAGE),
            "history" => match rest.parse() {
                Ok(n @ 1..=1_000) => Self::History(n),
                _ => wrong("/history takes a number of messages, from 1 to 1000".into()),
            },
            "search" => {
                rest.parse().map_or_else(|error| wrong(format!("{error}, as in /search deploy green")), Self::Search)
            }
            "join" => rest.parse().map_or_else(|error| wrong(format!("{error}, as in /join K7QM-2XD4")), Self::Join),
            "login" if rest.is_empty() => Self::Login(None),
            "login" => rest.parse().map_or_else(
                |error| wrong(format!("{error}, as in /login ann; the password is asked for")),
                |name| Self::Login(Some(name)),
            ),
            "leave" => Self::Leave,
            "rooms" => Self::Rooms,
            "room" => {
                rest.parse().map_or_else(|_| wrong("/room takes a room's id; /rooms lists them".into()), Self::Room)
            }
            "help" => Self::Help,
            "quit" => Self::Quit,
            _ => match plain::order(word, rest) {
                Some(Ok(order)) => Self::Order(order),
                Some(Err(verb)) => wrong(format!("so it is used: {}", verb.usage())),
                None => wrong(format!("there is no command /{word}: /help lists them, and //{word} says /{word}")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_with_no_slash_is_said() {
        assert_eq!(Typed::parse("  hi /who "), Typed::Say(Kind::Say, "  hi /who ".into()));
        assert_eq!(Typed::parse("//who"), Typed::Say(Kind::Say, "/who".into()));
        assert_eq!(Typed::parse(" \t"), Typed::Blank);
    }

    #[test]
    fn commands_take_what_they_need() {
        assert_eq!(Typed::parse("/me waves  "), Typed::Say(Kind::Me, "waves".into()));
        assert_eq!(Typed::parse("/name 安"), Typed::Name("安".parse().unwrap()));
        assert_eq!(Typed::parse("/join k7qm 2xd4"), Typed::Join("K7QM-2XD4".parse().unwrap()));
        assert_eq!(Typed::parse("/join on_call"), Typed::Join("on_call".parse().unwrap()));
        assert_eq!(Typed::parse("/login"), Typed::Login(None));
        assert_eq!(Typed::parse("/login 安"), Typed::Login("安".parse().ok()));
        assert_eq!(Typed::parse("/history"), Typed::History(PAGE));
        assert_eq!(Typed::parse("/history 7"), Typed::History(7));
        assert_eq!(Typed::parse("/search 部署 v1.2"), Typed::Search("部署 v1.2".parse().unwrap()));
        let Typed::Order(Order::Kick { why, .. }) = Typed::parse("/kick bob spam") else { panic!("an order") };
        assert_eq!(why.map(|why| why.to_string()).as_deref(), Some("spam"));
    }

    #[test]
    fn what_is_no_command_is_never_said() {
        for line in [
            "/",
            "/whois bob",
            "/name",
            "/name two words",
            "/join",
            "/join !",
            "/login ann secret",
            "/room",
            "/history x",
            "/search",
            "/search ?",
            "/me",
            "/QUIT",
            "/kick",
        ] {
            assert!(matches!(Typed::parse(line), Typed::Wrong(_)), "{line}");
        }
    }
}
