//! Messages on stdout, for programs and for people.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _, Write as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use qun_core::Words;
use qun_core::json::PageMessage;
use qun_core::log::Kind;

use crate::exit::{Exit, Failure};

/// How messages are shown.
pub(crate) struct Printer<'a> {
    json: bool,
    /// What was looked for: then each message has its number.
    words: Option<&'a Words>,
    /// Whether what was looked for stands out.
    marks: bool,
    zone: TimeZone,
}

impl<'a> Printer<'a> {
    /// For programs with `json`, else for people; where something was looked for, that stands out on a terminal.
    pub(crate) fn new(json: bool, words: Option<&'a Words>) -> Self {
        let is_colourful = std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
        let marks = words.is_some() && is_colourful && io::stdout().is_terminal();
        Self { json, words, marks, zone: TimeZone::system() }
    }

    fn line(&self, message: &PageMessage) -> io::Result<String> {
        if self.json { serde_json::to_string(message).map_err(io::Error::other) } else { Ok(self.shown(message)) }
    }

    /// A message for a person. Every line but its first is indented, so that no text looks like another message.
    fn shown(&self, message: &PageMessage) -> String {
        let at = i64::try_from(message.ts).ok().and_then(|ts| Timestamp::from_millisecond(ts).ok()).unwrap_or_default();
        let time = at.to_zoned_datetime(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
        let seq = self.words.map(|_| format!(" #{}", message.seq)).unwrap_or_default();
        let text = self.marked(message.text.as_str());
        let text = text.replace(BREAKS, "\n                 | ");
        match message.kind {
            Kind::Me => format!("{time}{seq} * {} {text}", message.name),
            // Nobody says what begins so.
            Kind::Act(_) => format!("{time}{seq} -- {} {text}", message.name),
            Kind::Say | Kind::Removed => format!("{time}{seq} <{}> {text}", message.name),
        }
    }

    /// The text, with what was looked for in bold.
    fn marked(&self, text: &str) -> String {
        let Some(words) = self.words.filter(|_| self.marks) else { return text.into() };
        let (mut marked, mut from) = (String::new(), 0);
        for place in words.places(text) {
            marked.push_str(&text[from..place.start]);
            from = place.end;
            // Nothing that is only there to be seen goes over the end of a line.
            for part in text[place].split_inclusive(BREAKS) {
                let word = part.trim_end_matches(BREAKS);
                marked.extend(["\x1b[1m", word, "\x1b[22m", &part[word.len()..]]);
            }
        }
        marked + &text[from..]
    }
}

/// Where a line of a text ends.
const BREAKS: [char; 3] = ['\n', '\u{2028}', '\u{2029}'];

/// Prints messages; where there are none, a person is told so.
///
/// # Errors
/// Where stdout can't be written; that nobody reads it is no failure.
pub(crate) fn print(messages: &VecDeque<PageMessage>, printer: &Printer<'_>, none: &str) -> Result<Exit, Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = messages.iter().try_for_each(|message| writeln!(out, "{}", printer.line(message)?));
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::usage(format!("can't write to stdout: {error}")))
        }
        _ => {
            if messages.is_empty() && io::stderr().is_terminal() {
                eprintln!("qun: {none}");
            }
            Ok(Exit::Ok)
        }
    }
}

#[cfg(test)]
mod tests {
    use qun_core::Seq;

    use super::*;

    fn message(text: &str) -> PageMessage {
        PageMessage {
            seq: Seq::new(612),
            ts: 1_771_329_600_000,
            m: "Xk3pQ9aLw2".parse().unwrap(),
            name: "ann".parse().unwrap(),
            kind: Kind::Say,
            text: text.parse().unwrap(),
            id: None,
        }
    }

    fn printer(words: Option<&Words>, marks: bool) -> Printer<'_> {
        Printer { json: false, words, marks, zone: TimeZone::UTC }
    }

    #[test]
    fn no_text_forges_a_line() {
        assert_eq!(
            printer(None, false).shown(&message("one\n2026-02-17 12:00 <bob> two")),
            "2026-02-17 12:00 <ann> one\n                 | 2026-02-17 12:00 <bob> two"
        );
    }

    #[test]
    fn what_was_looked_for_stands_out_on_a_terminal_only() {
        let words: Words = "部署 v1.2 gree".parse().unwrap();
        let text = message("v1.2: 部署, Greens");
        assert_eq!(printer(Some(&words), false).shown(&text), "2026-02-17 12:00 #612 <ann> v1.2: 部署, Greens");
        assert_eq!(
            printer(Some(&words), true).shown(&text),
            "2026-02-17 12:00 #612 <ann> \x1b[1mv1.2\x1b[22m: \x1b[1m部署\x1b[22m, \x1b[1mGreens\x1b[22m"
        );
        assert_eq!(
            printer(Some(&words), true).shown(&message("v1\n2")),
            "2026-02-17 12:00 #612 <ann> \x1b[1mv1\x1b[22m\n                 | \x1b[1m2\x1b[22m"
        );
    }
}
