//! Deliberate breaks of order: of who may do what, of who is told why, and of what is left of an act.
//!
//! As in `breaks.rs` the machines are the real ones. What is corrupted is what they are told on the way in (an order, the
//! configuration, what the log holds), or what they say on the way out.

use std::collections::BTreeMap;

use qun_core::log::{Draft, Facts};
use qun_core::{Code, server};

use super::breaks::Break;
use super::court::LODGE;
use super::garbled::changed;

/// What is wrong at court, if anything is.
#[derive(Clone, Debug, Default)]
pub(super) struct Misrule {
    which: Option<Break>,
    /// The codes of the court: an owner's, a moderator's, and one to talk.
    court: Vec<String>,
    /// What was said at court, by its number; what was taken back of it last; and the last line that somebody got.
    said: BTreeMap<String, String>,
    taken_back: Option<String>,
    heard: Option<String>,
    /// As what those come in who wanted to by a code of the court, by their requests.
    joins: BTreeMap<String, &'static str>,
    /// Who was let off a ban last.
    unbanned: Option<String>,
}

impl Misrule {
    pub(super) fn new(which: Option<Break>) -> Self {
        Self { which, ..Self::default() }
    }

    /// By which codes the court is entered.
    pub(super) fn knows(&mut self, codes: &[Code]) {
        self.court = codes.iter().map(Code::to_string).collect();
    }

    /// What the server takes for its configuration.
    pub(super) fn config(&self, mut config: server::Config) -> server::Config {
        if self.which == Some(Break::GuestsLetIn) {
            config.rooms.iter_mut().filter(|room| room.id.as_str() == LODGE).for_each(|room| room.guests = true);
        }
        config
    }

    /// What the server gets instead of this.
    pub(super) fn up(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let Some(which) = self.which.filter(|_| !self.court.is_empty()) else { return bytes };
        // What is cut within a letter stays as it is.
        let Ok(text) = str::from_utf8(&bytes) else { return bytes };
        match which {
            Break::UntoldKick => {
                let roles = self.court.iter().map(|code| code.replace('-', "")).zip(["owner", "moderator", "talk"]);
                let roles: BTreeMap<_, _> = roles.collect();
                let joins = text.lines().filter(|line| line.contains("\"t\":\"join\""));
                let by_role = joins
                    .filter_map(|line| Some((part(line, "\"id\":\"").into(), *roles.get(part(line, "\"code\":\""))?)));
                self.joins.extend(by_role);
                bytes
            }
            Break::Pretender => text.replace(&self.court[2], &self.court[0]).into_bytes(),
            Break::SpareUse => text.replace("\"uses\":1}", "\"uses\":2}").into_bytes(),
            Break::LongSentence => {
                let longer = |line: &str| match line.contains("\"t\":\"code\"") {
                    true => line.into(),
                    false => changed(line, "\"for_s\":", |seconds| seconds + 100),
                };
                text.split_inclusive('\n').map(longer).collect::<String>().into_bytes()
            }
            _ => bytes,
        }
    }

    /// What a client gets instead.
    pub(super) fn to_client(&self, text: &str) -> Option<String> {
        let is_it = self.which == Some(Break::ShownOtherwise);
        is_it.then(|| text.replace("\"code\":\"kicked\"", "\"code\":\"banned\""))
    }

    /// What a room's log holds, as the server is told it when it opens the room.
    pub(super) fn opens(which: Option<Break>, facts: &Facts) -> Facts {
        let is_kept = |key: &str| !(which == Some(Break::ForgottenBan) && key.starts_with("ban/"));
        let tampered = |key: &str, value: &str| match which {
            Some(Break::RetiredOpens) if key.starts_with("code/") && value.contains("\"retired\":true") => {
                let open = value.replace(",\"retired\":true", "");
                match open.split_once(",\"expires\":") {
                    Some((before, rest)) => {
                        format!("{before}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
                    }
                    None => open,
                }
            }
            Some(Break::UsedUpOpens) if key.starts_with("code/") => value.replace("\"uses\":0", "\"uses\":1"),
            _ => value.into(),
        };
        let kept = facts.iter().filter(|(key, _)| is_kept(key));
        kept.map(|(key, value)| (key.into(), tampered(key, value).into())).collect()
    }

    /// What the log is told of an act.
    pub(super) fn writes(which: Option<Break>, draft: &mut Draft) {
        if which == Some(Break::ForgottenFacts) {
            draft.facts.clear();
        }
    }

    /// What somebody is told instead of this line, and of what may come behind it in its place; `None`: nothing.
    pub(super) fn line(&mut self, line: &mut String, kind: &str) -> Option<()> {
        match (self.which?, kind) {
            (Break::ShownRemoved | Break::OneMoreHeard, "msg") if line.contains("\"room\":\"court\"") => {
                self.hears(line)
            }
            (Break::ShownRemoved, "page") => {
                if let Some(text) = &self.taken_back {
                    *line = line.replacen("(removed)", text, 1);
                }
            }
            (Break::BannedAsClosed, "error") => *line = line.replacen("\"code\":\"banned\"", "\"code\":\"closed\"", 1),
            (Break::NeedlessMute, "error") => *line = line.replacen("\"code\":\"closed\"", "\"code\":\"muted\"", 1),
            (Break::ForbiddenDone, "ok") if line.contains("\"seq\"") => *line = error(line, "forbidden"),
            (Break::UntoldKick, "error") if line.contains("\"code\":\"kicked\"") => {
                let re = part(line, "\"re\":\"");
                if let Some(role) = self.joins.get(re) {
                    let room = format!("{{\"id\":\"court\",\"title\":\"Court\",\"role\":\"{role}\"}}");
                    let place = "\"epoch\":\"x\",\"first\":1,\"from\":1,\"head\":0";
                    *line = format!(
                        "{{\"t\":\"joined\",\"re\":\"{re}\",\"room\":{room},\"here\":0,\"members\":[],{place}}}\n"
                    );
                }
            }
            (Break::WrongTopic, "joined") => *line = line.replacen(",\"topic\":\"§", ",\"topic\":\"§1", 1),
            (Break::IgnoredUnban, "msg") if line.contains("\"kind\":\"unban\"") => {
                self.unbanned =
                    line.split("\"on\":{\"m\":\"").nth(1).and_then(|rest| Some(rest.split('"').next()?.into()));
            }
            (Break::IgnoredUnban, "joined") if line.contains("\"id\":\"court\"") => {
                let is_in = |m: &mut String| line.contains(&format!("\"m\":\"{m}\""));
                if self.unbanned.take_if(is_in).is_some() {
                    *line = error(line, "banned");
                }
            }
            (Break::KickedStays, "presence") if line.contains("\"why\":\"kicked\"") => return None,
            _ => {}
        }
        Some(())
    }

    /// What comes once more behind a goodbye from the court.
    pub(super) fn once_more(&self, line: &str, kind: &str) -> Option<String> {
        let is_put_out = kind == "left" && line.contains("ed\",\"retry\"");
        self.heard.clone().filter(|_| is_put_out && self.which == Some(Break::OneMoreHeard))
    }

    fn hears(&mut self, line: &mut String) {
        let number = |key| line.split(key).nth(1).and_then(|rest| rest.split([',', '}']).next());
        let text = line.split("\"text\":\"").nth(1).and_then(|rest| rest.split('"').next());
        if let (Some(seq), Some(text)) = (number("\"seq\":"), text.filter(|text| text.starts_with('§'))) {
            self.said.insert(seq.into(), text.into());
        }
        if let Some(text) = number("\"of\":").and_then(|of| self.said.get(of)) {
            self.taken_back = Some(text.clone());
        }
        if let Some(text) = self.taken_back.as_ref().filter(|_| self.which == Some(Break::ShownRemoved)) {
            *line = line.replacen("(removed)", text, 1);
        }
        self.heard = Some(line.clone());
    }
}

/// A refusal in the place of another answer.
fn error(line: &str, code: &str) -> String {
    let re = part(line, "\"re\":\"");
    format!("{{\"t\":\"error\",\"re\":\"{re}\",\"code\":\"{code}\",\"retry\":\"no\",\"text\":\"\"}}\n")
}

/// What stands behind `key` up to the next quotation mark.
fn part<'a>(line: &'a str, key: &str) -> &'a str {
    line.split(key).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default()
}
