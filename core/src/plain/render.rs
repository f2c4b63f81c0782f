//! Messages as a person reads them.

use alloc::format;
use alloc::vec::Vec;

use unicode_width::UnicodeWidthStr;

use super::{Language, Phrase};
use crate::dialect::Style;
use crate::log::{Kind, Record};

/// Appends messages, and says where each ends.
pub(crate) fn messages(records: &[Record], style: Style, out: &mut Vec<u8>, ends: &mut Vec<u32>) {
    for record in records {
        message(record, style, out);
        ends.push(out.len() as u32);
    }
}

/// Appends a message as whole lines, with the time `utc_offset_s` seconds ahead of UTC:
///
/// ```text
/// 14:03 <bob> first line
///              | second line
/// 14:04 * bob waves
/// ```
///
/// Every line of it begins with the time or with spaces, so no text can forge a line. An act is a line of the server's own.
pub(crate) fn message(record: &Record, style: Style, out: &mut Vec<u8>) {
    let Record { ts, name, kind, text, .. } = record;
    let (hours, minutes) = clock(*ts, style.utc_offset_s);
    if let Kind::Act(act) = kind {
        return Phrase::Acted { time: (hours, minutes), ts: *ts, name, act }.write(style.language, out);
    }
    if *kind == Kind::Removed && style.language == Language::ZhCn {
        // The log has it in one language.
        for part in [format!("{hours:02}:{minutes:02} <{name}> ").as_bytes(), "（已删除）\r\n".as_bytes()] {
            out.extend_from_slice(part);
        }
        return;
    }
    // Lines hold no control character but tabs, and names none at all, so all goes out as it is.
    let mut lines = text.lines();
    out.reserve(FRAME + name.as_str().len() + text.as_str().len());
    push_two_digits(hours, out);
    out.push(b':');
    push_two_digits(minutes, out);
    let (before, behind): (&[u8], &[u8]) = match kind {
        Kind::Say | Kind::Removed => (b" <", b"> "),
        Kind::Me | Kind::Act(_) => (b" * ", b" "),
    };
    for part in [before, name.as_str().as_bytes(), behind, lines.next().unwrap_or_default().as_bytes(), b"\r\n"] {
        out.extend_from_slice(part);
    }
    for line in lines {
        let indent = "14:03 <> ".len() + name.as_str().width() + 1;
        out.resize(out.len() + indent, b' ');
        for part in [b"| ", line.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
}

/// Bytes of a message besides its name and text, where it is one line.
const FRAME: usize = 16;

fn push_two_digits(number: i64, out: &mut Vec<u8>) {
    let digit = |number: i64| b'0' + number.rem_euclid(10) as u8;
    out.extend_from_slice(&[digit(number / 10), digit(number)]);
}

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
}

impl Day {
    /// The day of a moment, where people are `utc_offset_s` seconds ahead of UTC.
    pub(crate) fn of(unix_ms: u64, utc_offset_s: i32) -> Self {
        let seconds = (unix_ms / 1000).cast_signed() + i64::from(utc_offset_s);
        // The proleptic Gregorian calendar repeats every 400 years of 146,097 days; counted from March on, a leap day is
        // its year's last (Howard Hinnant, chrono-compatible low-level date algorithms).
        let days = seconds.div_euclid(86_400) + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year + 400 * era + i64::from(month <= 2);
        Self { year, month, day: of_year - (153 * from_march + 2) / 5 + 1 }
    }
}

/// Hours and minutes of the day.
fn clock(unix_ms: u64, utc_offset_s: i32) -> (i64, i64) {
    let seconds = (unix_ms / 1000).cast_signed() + i64::from(utc_offset_s);
    let minutes = seconds.div_euclid(60).rem_euclid(24 * 60);
    (minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;
    use crate::act::{Act, Subject};
    use crate::id::{MemberId, Seq};
    use crate::text::Text;

    fn rendered(name: &str, kind: Kind, text: &str, ts: u64, utc_offset_s: i32) -> String {
        let member = MemberId::from_bits(0);
        let (name, text) = (name.parse().unwrap(), text.parse().unwrap());
        let mut out = Vec::new();
        let style = Style { language: Language::En, utc_offset_s };
        message(&Record { seq: Seq::new(1), ts, member, name, kind, text, id: None }, style, &mut out);
        String::from_utf8(out).unwrap()
    }

    const TS: u64 = 1_771_329_780_000;

    #[test]
    fn a_message_is_shown_as_the_protocol_shows_it() {
        let say = |name, text| rendered(name, Kind::Say, text, TS, 0);
        assert_eq!(say("bob", "hi"), "12:03 <bob> hi\r\n");
        assert_eq!(say("bob", "first line\nsecond line"), "12:03 <bob> first line\r\n             | second line\r\n");
        assert_eq!(say("bob", "a\u{2028}b\n"), "12:03 <bob> a\r\n             | b\r\n             | \r\n");
        assert_eq!(rendered("bob", Kind::Me, "waves", TS, 0), "12:03 * bob waves\r\n");
        assert_eq!(rendered("bob", Kind::Me, "a\nb", TS, 0), "12:03 * bob a\r\n             | b\r\n");
    }

    #[test]
    fn an_act_is_a_line_of_the_servers_own_and_what_was_removed_is_said_to_be() {
        let on = Subject { m: None, name: "bob".parse().unwrap() };
        let why = Some("spam".parse().unwrap());
        let act = Act::Mute { on, until: Some(TS + 600_000), why };
        let text = act.text();
        let record = |kind, text| Record {
            seq: Seq::new(1),
            ts: TS,
            member: MemberId::from_bits(0),
            name: "ann".parse().unwrap(),
            kind,
            text,
            id: None,
        };
        let shown = |record: &Record, language| {
            let mut out = Vec::new();
            message(record, Style { language, utc_offset_s: 0 }, &mut out);
            String::from_utf8(out).unwrap()
        };
        let act = record(act.into(), text);
        assert_eq!(shown(&act, Language::En), "-- 12:03 ann muted bob for 10 minutes: spam\r\n");
        assert_eq!(shown(&act, Language::ZhCn), "-- 12:03 ann 禁止 bob 发言 10 分钟：spam\r\n");
        let removed = record(Kind::Removed, Text::removed());
        assert_eq!(shown(&removed, Language::En), "12:03 <ann> (removed)\r\n");
        assert_eq!(shown(&removed, Language::ZhCn), "12:03 <ann> （已删除）\r\n");
    }

    #[test]
    fn continuations_are_aligned_under_wide_names_too() {
        let text = rendered("小明", Kind::Say, "a\nb", TS, 0);
        let bars: Vec<_> = text.lines().skip(1).map(|line| line.find('|')).collect();
        assert_eq!(bars, [Some("14:03 <xxxx> ".len() + 1)]);
    }

    #[test]
    fn the_time_is_local_whatever_the_clock_says() {
        let time = |ts, offset| String::from(&rendered("bob", Kind::Say, "hi", ts, offset)[..5]);
        assert_eq!(time(TS, 2 * 3600), "14:03");
        assert_eq!(time(TS, 12 * 3600), "00:03");
        assert_eq!(time(0, -60), "23:59");
        assert_eq!(time(59_999, 0), "00:00");
        assert_eq!(time(u64::MAX, i32::MAX).len(), 5);
        assert_eq!(time(u64::MAX, i32::MIN).len(), 5);
    }

    #[test]
    fn a_day_is_the_calendars() {
        let day = |unix_ms, offset| {
            let Day { year, month, day } = Day::of(unix_ms, offset);
            (year, month, day)
        };
        assert_eq!(day(0, 0), (1970, 1, 1));
        assert_eq!(day(0, -1), (1969, 12, 31));
        assert_eq!(day(TS, 0), (2026, 2, 17));
        assert_eq!(day(TS, 12 * 3600), (2026, 2, 18));
        assert_eq!(day(951_782_400_000, 0), (2000, 2, 29));
        assert_eq!(day(951_868_800_000, 0), (2000, 3, 1));
        assert_eq!(day(4_107_542_400_000, 0), (2100, 3, 1));
        assert_eq!(day(4_107_542_399_999, 0), (2100, 2, 28));
        let _ = (day(u64::MAX, i32::MAX), day(u64::MAX, i32::MIN));
    }

    /// Any text that can be said, and more often than by chance what ends or begins a line.
    const TEXT: &str = "([^\\p{Cc}\u{202A}-\u{202E}\u{2066}-\u{2069}]|[\n\t\u{2028}\u{2029}]|14:03 <ann> |-- ){1,40}";

    proptest! {
        #[test]
        fn no_text_can_forge_a_line(text in TEXT, me: bool) {
            prop_assume!(!text.trim().is_empty());
            let out = rendered("bob", if me { Kind::Me } else { Kind::Say }, &text, TS, 0);
            let breaks = |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}');
            let lines: Vec<_> = out.strip_suffix("\r\n").unwrap().split("\r\n").collect();
            let first = if me { "12:03 * bob " } else { "12:03 <bob> " };
            prop_assert!(lines[0].starts_with(first));
            prop_assert!(lines[1..].iter().all(|line| line.starts_with("             | ")));
            prop_assert!(!lines.concat().contains(breaks));
            prop_assert_eq!(lines.len(), text.split(breaks).count());
        }
    }
}
