//! What was said.

use jiff::Timestamp;
use qun_core::json::PageMessage;
use qun_core::log::Kind;
use qun_core::{RoomId, Seq};

use super::{News, Scribe};
use crate::join::line::{Line, Tone};

impl Scribe {
    pub(super) fn message(&mut self, room: &RoomId, message: &PageMessage, live: bool, mine: bool) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some(told) = self.rooms.get_mut(room) {
            let is_news = match told.news {
                News::AtLive => live,
                News::AtAny => true,
                News::Told => false,
            };
            if is_news {
                // A line between nothing and something divides nothing, and who speaks has seen what came before.
                if told.oldest.is_some() && !mine {
                    lines.push(Line::room("new --"));
                }
                told.news = News::Told;
            }
            told.oldest = Some(told.oldest.map_or(message.seq, |oldest| oldest.min(message.seq)));
        }
        lines.extend(self.said(room, message));
        lines
    }

    pub(super) fn page(&mut self, room: &RoomId, messages: &[PageMessage], more: bool) -> Vec<Line> {
        let Some(first) = messages.first() else { return vec![Line::room("There is nothing older.")] };
        if let Some(told) = self.rooms.get_mut(room) {
            told.oldest = Some(told.oldest.map_or(first.seq, |oldest| oldest.min(first.seq)));
        }
        let mut lines = vec![Line::room(format!("Older messages of {}:", self.title(room)))];
        for message in messages {
            lines.extend(self.said(room, message));
        }
        lines.push(Line::room(if more { "That was older; /history shows more." } else { "That was all there is." }));
        lines
    }

    pub(super) fn found(&mut self, room: &RoomId, messages: &[PageMessage], from: Seq, more: bool) -> Vec<Line> {
        let (head, end) = match (messages, more) {
            ([], false) => return vec![Line::room("No message has that.")],
            ([], true) => {
                let text = format!("No message from {from} on has that; older ones can't be looked at yet.");
                return vec![Line::room(text)];
            }
            (_, false) => ("Found in", "That was all that has it."),
            (_, true) => ("The newest found in", "There may be more: more words find fewer."),
        };
        let mut lines = vec![Line::room(format!("{head} {}:", self.title(room)))];
        for message in messages {
            lines.extend(self.numbered(room, message, &format!("#{} ", message.seq)));
        }
        lines.push(Line::room(end));
        lines
    }

    /// A message, and the day where it is another one than before.
    fn said(&mut self, room: &RoomId, message: &PageMessage) -> Vec<Line> {
        self.numbered(room, message, "")
    }

    fn numbered(&mut self, room: &RoomId, message: &PageMessage, number: &str) -> Vec<Line> {
        let ts = i64::try_from(message.ts).ok().and_then(|ts| Timestamp::from_millisecond(ts).ok()).unwrap_or_default();
        let at = ts.to_zoned_datetime(self.zone.clone());
        let mut lines = Vec::new();
        if at.date() != self.day {
            self.day = at.date();
            lines.push(Line::room(format!("{} --", at.strftime("%A, %Y-%m-%d"))));
        }
        let name = &message.name;
        let name = match message.kind {
            Kind::Me => format!("* {name}"),
            // Nobody says what begins so.
            Kind::Act(_) => format!("-- {name}"),
            Kind::Say | Kind::Removed => format!("<{name}>"),
        };
        let mark = self.mark(room);
        let head = format!("{mark}{} {number}{name} ", at.strftime("%H:%M"));
        // A tab is as wide as the terminal likes, which is no width to wrap lines by.
        let text = message.text.as_str().replace('\t', "    ");
        lines.push(Line { tone: Tone::Message, head, text });
        lines
    }
}

#[cfg(test)]
mod tests {
    use qun_core::client::Event;
    use qun_core::{Entropy, Id};

    use super::super::tests::{joined, message, room, scribe, told};
    use super::*;

    #[test]
    fn a_line_divides_what_was_said_before_from_what_is_new() {
        let mut scribe = scribe();
        let events = [
            joined(true, 1),
            message(1, "2026-02-16T09:00:00Z", "before", false),
            message(2, "2026-02-17T14:01:00Z", "now", true),
            message(3, "2026-02-17T14:02:00Z", "and now", true),
            joined(false, 4),
            message(4, "2026-02-17T14:03:00Z", "missed", false),
        ];
        assert_eq!(
            told(&mut scribe, &events),
            [
                "-- On-call. 2 here.",
                "-- Monday, 2026-02-16 --",
                "09:00 <bob> before",
                "-- new --",
                "-- Tuesday, 2026-02-17 --",
                "14:01 <bob> now",
                "14:02 <bob> and now",
                "-- Back in On-call, 2 here.",
                "-- new --",
                "14:03 <bob> missed",
            ]
        );
    }

    #[test]
    fn the_first_words_of_a_room_are_not_divided_from_nothing() {
        let events = [joined(true, 0), message(1, "2026-02-17T14:01:00Z", "first", true)];
        assert_eq!(told(&mut scribe(), &events), ["-- On-call. 2 here.", "14:01 <bob> first"]);
    }

    #[test]
    fn what_was_found_has_its_day_its_time_and_its_number() {
        let found = |messages: Vec<PageMessage>, from, more| {
            let re = Id::generate(&mut Entropy::new([2; 32]));
            Event::Found { re, room: room(), messages, from: Seq::new(from), more }
        };
        let old = message(612, "2026-02-16T09:00:00Z", "deploy", false);
        let Event::Message { message: old, .. } = old else { unreachable!() };
        let events = [
            joined(true, 700),
            found(vec![old], 1, false),
            found(vec![], 1, false),
            found(vec![], 400, true),
            message(701, "2026-02-17T14:01:00Z", "now", true),
        ];
        assert_eq!(
            told(&mut scribe(), &events)[1..],
            [
                "-- Found in On-call:",
                "-- Monday, 2026-02-16 --",
                "09:00 #612 <bob> deploy",
                "-- That was all that has it.",
                "-- No message has that.",
                "-- No message from 400 on has that; older ones can't be looked at yet.",
                "-- Tuesday, 2026-02-17 --",
                "14:01 <bob> now",
            ]
        );
    }

    #[test]
    fn no_text_can_forge_a_line() {
        let events = [message(1, "2026-02-17T14:01:00Z", "one\n14:02 <ann> two", true)];
        assert_eq!(told(&mut scribe(), &events), ["14:01 <bob> one\n            | 14:02 <ann> two"]);
    }

    #[test]
    fn another_room_is_named() {
        let mut scribe = scribe();
        scribe.current = Some("hall".parse().unwrap());
        let events = [message(1, "2026-02-17T14:01:00Z", "hi", true)];
        assert_eq!(told(&mut scribe, &events), ["[ops] 14:01 <bob> hi"]);
    }
}
