//! What a person types: an answer to the prompt for the code, or a line to a room.

use super::order::order;
use crate::order::Order;
use crate::verb::Verb;

/// The answer to the prompt for the code, in its two readings. It is one guess, whichever of them opens a room.
///
/// Has no `Debug`, so that no log ever shows a code.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Entry<'a> {
    /// The line as a code, which may have spaces in it (`k7qm 2xd4`). Empty where the line is blank: no guess.
    pub(crate) whole: &'a str,
    /// The line as `CODE NAME`: all but its last word, and that word.
    pub(crate) named: Option<(&'a str, &'a str)>,
}

impl<'a> Entry<'a> {
    pub(crate) fn parse(line: &'a str) -> Self {
        let whole = line.trim();
        let named = whole.rsplit_once(char::is_whitespace).map(|(code, name)| (code.trim_end(), name));
        Self { whole, named }
    }
}

/// A line from somebody who has a name.
///
/// Has no `Debug`, so that no log ever shows a code.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Command<'a> {
    /// A blank line: somebody leaned on Enter.
    Nothing,
    /// The line as it stands, or what `//` escapes.
    Say(&'a str),
    /// `/me waves`
    Me(&'a str),
    /// `/who`
    Who,
    /// `/name ann_w`, unchecked.
    Name(&'a str),
    /// `/history`, `/history 50`: the newest messages, at least one.
    History(Option<u64>),
    /// `/search deploy green`, unchecked.
    Search(&'a str),
    /// `/join K7QM-2XD4`, unchecked.
    Join(&'a str),
    /// `/login ann`, unchecked.
    Login(&'a str),
    /// `/leave`
    Leave,
    /// `/help`
    Help,
    /// `/quit`
    Quit,
    /// `/echo on`, `/echo off`
    Echo(bool),
    /// `/kick bob spam`, and what else keeps order.
    Order(Order),
    /// A command that there is not, without its slash.
    Unknown(&'a str),
    /// A command with what it can't take.
    Usage(Usage),
}

/// A command that needs to be told how it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// `/me`
    Me,
    /// `/name`
    Name,
    /// `/history`
    History,
    /// `/search`
    Search,
    /// `/join`
    Join,
    /// `/login`
    Login,
    /// `/echo`
    Echo,
    /// One of those that keep order.
    Order(Verb),
}

impl<'a> Command<'a> {
    /// Reads a line. What follows a command that takes nothing is ignored: people say `/quit good night`.
    pub(crate) fn parse(line: &'a str) -> Self {
        if line.trim().is_empty() {
            return Self::Nothing;
        }
        let Some(rest) = line.strip_prefix('/') else { return Self::Say(line) };
        if rest.starts_with('/') {
            return Self::Say(rest);
        }
        let (word, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let argument = argument.trim();
        let some = |command: fn(&'a str) -> Self, usage| {
            if argument.is_empty() { Self::Usage(usage) } else { command(argument) }
        };
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        match () {
            () if is("me") => some(Self::Me, Usage::Me),
            () if is("who") => Self::Who,
            () if is("name") => some(Self::Name, Usage::Name),
            () if is("history") => history(argument),
            () if is("search") => some(Self::Search, Usage::Search),
            () if is("join") => some(Self::Join, Usage::Join),
            () if is("login") => some(Self::Login, Usage::Login),
            () if is("leave") => Self::Leave,
            () if is("help") => Self::Help,
            () if is("quit") => Self::Quit,
            () if is("echo") => echo(argument),
            () => match order(word, argument) {
                Some(Ok(order)) => Self::Order(order),
                Some(Err(verb)) => Self::Usage(Usage::Order(verb)),
                None => Self::Unknown(word),
            },
        }
    }
}

fn history<'a>(argument: &str) -> Command<'a> {
    match argument.parse() {
        _ if argument.is_empty() => Command::History(None),
        Ok(count) if count > 0 => Command::History(Some(count)),
        _ => Command::Usage(Usage::History),
    }
}

fn echo<'a>(argument: &str) -> Command<'a> {
    match argument {
        _ if argument.eq_ignore_ascii_case("on") => Command::Echo(true),
        _ if argument.eq_ignore_ascii_case("off") => Command::Echo(false),
        _ => Command::Usage(Usage::Echo),
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_may_have_spaces_and_a_name_behind_it() {
        let entry = |whole, named| Entry { whole, named };
        assert_eq!(Entry::parse(" K7QM-2XD4 "), entry("K7QM-2XD4", None));
        assert_eq!(Entry::parse("k7qm 2xd4"), entry("k7qm 2xd4", Some(("k7qm", "2xd4"))));
        assert_eq!(Entry::parse("k7qm 2xd4 \t ann"), entry("k7qm 2xd4 \t ann", Some(("k7qm 2xd4", "ann"))));
        assert_eq!(Entry::parse(" \t"), entry("", None));
    }

    #[test]
    fn commands_are_known_in_any_case() {
        for (line, command) in [
            ("/me waves at all", Command::Me("waves at all")),
            ("/WHO", Command::Who),
            ("/Name  ann_w ", Command::Name("ann_w")),
            ("/history", Command::History(None)),
            ("/history 50", Command::History(Some(50))),
            ("/search deploy  green", Command::Search("deploy  green")),
            ("/join k7qm 2xd4", Command::Join("k7qm 2xd4")),
            ("/login ann", Command::Login("ann")),
            ("/leave", Command::Leave),
            ("/help me", Command::Help),
            ("/quit good night", Command::Quit),
            ("/echo ON", Command::Echo(true)),
            ("/echo off", Command::Echo(false)),
        ] {
            assert_eq!(Command::parse(line), command, "{line}");
        }
    }

    #[test]
    fn a_command_that_lacks_its_argument_is_explained() {
        for (line, usage) in [
            ("/me", Usage::Me),
            ("/me  ", Usage::Me),
            ("/name", Usage::Name),
            ("/search ", Usage::Search),
            ("/join\t", Usage::Join),
            ("/login", Usage::Login),
            ("/history 0", Usage::History),
            ("/history all", Usage::History),
            ("/history 99999999999999999999", Usage::History),
            ("/echo", Usage::Echo),
            ("/echo maybe", Usage::Echo),
        ] {
            assert_eq!(Command::parse(line), Command::Usage(usage), "{line}");
        }
    }

    #[test]
    fn what_is_no_command_is_never_said() {
        assert_eq!(Command::parse("/nick ann"), Command::Unknown("nick"));
        assert_eq!(Command::parse("/usr/bin/env sh"), Command::Unknown("usr/bin/env"));
        assert_eq!(Command::parse("/"), Command::Unknown(""));
        assert_eq!(Command::parse("/ me waves"), Command::Unknown(""));
    }

    #[test]
    fn a_blank_line_is_nothing() {
        assert_eq!(Command::parse(""), Command::Nothing);
        assert_eq!(Command::parse(" \t "), Command::Nothing);
    }

    proptest! {
        #[test]
        fn what_does_not_begin_with_a_slash_is_said_as_it_stands(text in "[^/\\s].*| +[^\\s].*") {
            prop_assert_eq!(Command::parse(&text), Command::Say(&text));
        }

        #[test]
        fn a_second_slash_says_whatever_begins_with_one(text in "/.*") {
            let escaped = format!("/{text}");
            prop_assert_eq!(Command::parse(&escaped), Command::Say(&text));
        }
    }
}
