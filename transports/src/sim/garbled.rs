//! What a server sends, line by line, where a break changes it.

use qun_core::ConnId;

use super::breaks::{Break, Breaks};

impl Breaks {
    /// What a connection gets instead of these bytes.
    pub(super) fn down(&mut self, conn: ConnId, mut bytes: Vec<u8>) -> Vec<u8> {
        let Some(which) = self.which else { return bytes };
        if which == Break::LostByte && bytes.len() > 20 && self.is(which) {
            bytes.remove(self.rng.usize(10..20));
            return bytes;
        }
        let partial = self.partial.entry(conn).or_default();
        partial.append(&mut bytes);
        // A person at netcat gets prompts, which are no lines.
        if !partial.starts_with(b"{") {
            let bytes = std::mem::take(partial);
            return self.at_netcat(which, bytes);
        }
        let end = partial.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = partial.drain(..end).collect();
        let lines: Vec<String> =
            whole.split_inclusive(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).into()).collect();
        self.lines(which, lines).concat().into_bytes()
    }

    /// What a person at netcat gets, where it is whole messages.
    fn at_netcat(&mut self, which: Break, bytes: Vec<u8>) -> Vec<u8> {
        let Ok(text) = String::from_utf8(bytes.clone()) else { return bytes };
        let is_message =
            |line: &str| line.get(2..3) == Some(":") && line.get(6..7) == Some("<") && line.ends_with('\n');
        let mut lines: Vec<String> = text.split_inclusive('\n').map(String::from).collect();
        match lines.iter().position(|line| is_message(line)) {
            Some(at) if which == Break::WrongClock && self.is(which) => lines[at].replace_range(0..2, "25"),
            Some(at) if which == Break::LostAtNetcat && self.is(which) => lines[at].clear(),
            _ => {}
        }
        lines.concat().into_bytes()
    }

    fn lines(&mut self, which: Break, mut lines: Vec<String>) -> Vec<String> {
        let kind = |line: &str| -> String { line.split('"').nth(3).unwrap_or_default().into() };
        let mut at = 0;
        while at < lines.len() {
            let (this, next) = (kind(&lines[at]), lines.get(at + 1).map(|line| kind(line)).unwrap_or_default());
            let line = &mut lines[at];
            match (which, this.as_str(), next.as_str()) {
                (Break::WrongRoom, "msg", _) if self.is(which) => {
                    *line = if line.contains("room-0") { line.replace("room-0", "room-1") } else { replace_room(line) };
                }
                (Break::LostMessage, "msg", _)
                | (Break::LostPresence, "presence", _)
                | (Break::LostAnswer, "page" | "found" | "pong" | "ok" | "error", _)
                    if self.is(which) =>
                {
                    lines.remove(at);
                    continue;
                }
                (Break::DoubledMessage, "msg", _)
                | (Break::DoubledPresence, "presence", _)
                | (Break::DoubledCount, "here", _)
                | (Break::DoubledAnswer, "page" | "found" | "pong" | "ok" | "error", _)
                    if self.is(which) =>
                {
                    let line = line.clone();
                    lines.insert(at, line);
                    at += 1;
                }
                (Break::SwappedMessages, "msg", "msg")
                | (Break::JoinedTooLate, "joined", "msg" | "presence" | "here")
                | (Break::LeftTooEarly, "msg" | "presence", "left")
                | (Break::OvertakingAnswer, "msg", "ok" | "page" | "found" | "pong" | "joined")
                | (Break::OkTooEarly, "msg", "ok")
                    if self.is(which) =>
                {
                    lines.swap(at, at + 1);
                    at += 1;
                }
                (Break::WrongText, "msg", _) if self.is(which) => {
                    *line = line.replacen("\"text\":\"#", "\"text\":\"#1", 1)
                }
                (Break::GapTooLate, "gap", _) => *line = changed(line, "\"from\":", |from| from + 1),
                (Break::GapTooFar, "gap", _) => *line = changed(line, "\"to\":", |to| to + 1),
                (Break::WrongFrom, "joined", _) => *line = changed(line, "\"from\":", |from| from + 1),
                (Break::StaleGapRoster, "gap" | "joined", _) | (Break::StaleRoster, "joined", _) => {
                    let room = line.split("room-").nth(1).and_then(|rest| rest.get(..1)).unwrap_or_default();
                    if let Some((before, rest)) = line.split_once("\"members\":")
                        && let Some((members, after)) = rest.split_once(']')
                    {
                        let old = self.rosters.insert(room.into(), members.into());
                        if let Some(old) = old.filter(|_| which == Break::StaleRoster || this == "gap") {
                            *line = format!("{before}\"members\":{old}]{after}");
                        }
                    }
                }
                (Break::SameReturn, "bye", _) if line.contains("\"shutdown\"") => {
                    *line = changed(line, "\"wait_ms\":", |_| 2_000);
                }
                (Break::WrongHead, "joined", _) => *line = changed(line, "\"head\":", |head| head.saturating_sub(1)),
                (Break::WrongFirst, "joined", _) => *line = changed(line, "\"first\":", |first| first + 1),
                // Nobody is told of it.
                (Break::TooFast, "welcome", _) => *line = changed(line, "\"burst\":", |burst| burst / 3),
                (Break::TooStrict, "welcome", _) => *line = changed(line, "\"burst\":", |burst| burst * 2),
                (Break::WrongNow, "welcome", _) => *line = changed(line, "\"now\":", |now| now + 60_000),
                (Break::LongWait, "error", _) => *line = changed(line, "\"wait_ms\":", |wait| wait * 1_000),
                (Break::ShortPage, "page", _) => {
                    if let Some((before, rest)) = line.split_once("\"msgs\":[")
                        && let Some((_, after)) = rest.split_once("},{\"seq\"")
                    {
                        let before = before.replacen("\"more\":false", "\"more\":true", 1);
                        *line = format!("{before}\"msgs\":[{{\"seq\"{after}");
                    }
                }
                (Break::LongTexts, "welcome", _) => *line = changed(line, "\"text\":", |bytes| bytes / 2),
                (Break::WrongLimits, "welcome", _) => *line = changed(line, "\"burst\":", |burst| burst + 1),
                _ if self.misrule.line(line, &this).is_none() => {
                    lines.remove(at);
                    continue;
                }
                (Break::OneMoreHeard, "left", _) => {
                    if let Some(more) = self.misrule.once_more(line, &this) {
                        lines.push(more);
                        return lines;
                    }
                }
                (Break::LostOrder, "ok", _) if line.contains("\"seq\"") && self.is(which) => {
                    lines.remove(at);
                    continue;
                }
                (Break::BorrowedName, "welcome", _) if line.contains("-2\",\"resumed\":false") => {
                    *line = line.replacen("-2\"", "\"", 1);
                }
                (Break::ToldPassword, "welcome", _) => *line = line.replacen('{', "{\"why\":\"hush-ann\",", 1),
                (Break::WrongResumed, "welcome", _) => {
                    let (is, other) =
                        if line.contains("\"resumed\":true") { ("true", "false") } else { ("false", "true") };
                    *line = line.replacen(&format!("\"resumed\":{is}"), &format!("\"resumed\":{other}"), 1);
                }
                (Break::WrongWhy, "presence", _) => *line = line.replacen("\"why\":\"left\"", "\"why\":\"bye\"", 1),
                (Break::WrongClass, "error", _) => *line = line.replacen("\"retry\":\"fix\"", "\"retry\":\"no\"", 1),
                (Break::NeedlessBye, "pong", _) => {
                    *line = "{\"t\":\"bye\",\"code\":\"dead\",\"retry\":\"now\",\"text\":\"\"}\n".into();
                }
                (Break::NeedlessRefusal, "page", _) if self.is(which) => {
                    let re = line.split("\"re\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
                    let (code, wait) = ("unavailable", 5_000);
                    *line = format!(
                        "{{\"t\":\"error\",\"re\":\"{re}\",\"code\":\"{code}\",\"retry\":\"later\",\"wait_ms\":{wait},\"text\":\"\"}}\n"
                    );
                }
                (Break::HoleInPage, "page", _) | (Break::HoleInFound, "found", _) => {
                    if let Some((first, rest)) = line.split_once("},{\"seq\"")
                        && let Some((_, after)) = rest.split_once("},{\"seq\"")
                    {
                        *line = format!("{first}}},{{\"seq\"{after}");
                    }
                }
                (Break::WrongMore, "page" | "found", _) => {
                    let (is, other) =
                        if line.contains("\"more\":true") { ("true", "false") } else { ("false", "true") };
                    *line = line.replacen(&format!("\"more\":{is}"), &format!("\"more\":{other}"), 1);
                }
                _ => {}
            }
            at += 1;
        }
        lines
    }
}

fn replace_room(line: &str) -> String {
    let mut line = line.to_string();
    if let Some(at) = line.find("\"room-") {
        line.replace_range(at + 6..at + 7, "0");
    }
    line
}

/// The line with another number behind `key`.
pub(super) fn changed(line: &str, key: &str, change: impl Fn(u64) -> u64) -> String {
    let Some((before, rest)) = line.split_once(key) else { return line.into() };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let number = rest[..digits].parse().map_or(0, change);
    format!("{before}{key}{number}{}", &rest[digits..])
}
