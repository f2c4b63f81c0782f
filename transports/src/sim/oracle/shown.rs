//! What a client at court shows: of orders, and of what they do to it, just what its wire has told it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use qun_core::RoomId;
use qun_core::client::{Client, Event};

use super::json::Json;
use super::{Violation, lines};

/// What a client refuses by itself, where there is no connection, or it has left.
const OWN: [&str; 4] = ["unavailable", "not_member", "bad_state", "bad_text"];

/// What a client at court was told, and has not shown.
#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct Witness {
    down: Vec<u8>,
    /// Orders that it was given and has said nothing of.
    orders: BTreeSet<String>,
    done: BTreeSet<String>,
    codes: BTreeMap<String, (String, String)>,
    refused: BTreeMap<String, String>,
    /// Why anything was refused here.
    reasons: BTreeSet<String>,
    /// The rooms that it was put out of, and why.
    put_out: VecDeque<(String, String)>,
    /// The messages that it was told, each as its kind and its text; in a room that was numbered anew there may be two.
    told: BTreeMap<(String, u64), Vec<(String, String)>>,
    /// Those that were taken back.
    removed: BTreeSet<u64>,
}

impl Witness {
    /// A connection begins.
    pub(in crate::sim) fn connects(&mut self) {
        self.down.clear();
        self.reasons.clear();
    }

    /// An order is given.
    pub(in crate::sim) fn orders(&mut self, id: String) {
        self.orders.insert(id);
    }

    /// These bytes reach the client.
    pub(in crate::sim) fn down(&mut self, bytes: &[u8]) {
        for line in lines(&mut self.down, bytes) {
            let Some(frame) = Json::read(&line) else { continue };
            let text = |key| frame.text(key).unwrap_or_default().to_string();
            match frame.text("t").unwrap_or_default() {
                "ok" => _ = self.done.insert(text("re")),
                "code" => _ = self.codes.insert(text("re"), (text("label"), text("code"))),
                "error" => {
                    self.reasons.insert(text("code"));
                    self.refused.insert(text("re"), text("code"));
                }
                "left" if frame.get("code").is_some() => self.put_out.push_back((text("room"), text("code"))),
                "msg" => self.is_told(text("room"), &frame),
                "page" => frame.list("msgs").unwrap_or_default().iter().for_each(|of| self.is_told(text("room"), of)),
                _ => {}
            }
        }
    }

    fn is_told(&mut self, room: String, message: &Json) {
        let kind = message.text("kind").unwrap_or("say").to_string();
        let text = message.text("text").unwrap_or_default().to_string();
        self.removed.extend(message.get("act").and_then(|act| act.number("of")));
        let known = self.told.entry((room, message.number("seq").unwrap_or_default())).or_default();
        if !known.contains(&(kind.clone(), text.clone())) {
            known.push((kind, text));
        }
    }

    /// The client shows something.
    pub(in crate::sim) fn shows(&mut self, event: &Event) -> Result<(), Violation> {
        let is_so = match event {
            Event::Done { re, .. } => {
                self.orders.remove(re.as_str());
                self.done.remove(re.as_str())
            }
            Event::Code { re, label, code, .. } => {
                self.orders.remove(re.as_str());
                self.codes.remove(re.as_str()) == Some((label.to_string(), code.0.clone()))
            }
            Event::Refused { re: Some(re), code, .. } => {
                self.orders.remove(re.as_str());
                let code = String::from(code.clone());
                // What it is to ask again it may give up by itself.
                let told = self.refused.remove(re.as_str()).filter(|told| *told == code || !is_for_later(told));
                told.map_or(OWN.contains(&code.as_str()), |told| told == code)
            }
            Event::Refused { re: None, code, .. } => {
                let code = String::from(code.clone());
                self.reasons.contains(&code)
            }
            Event::Left { room, bye: Some(bye), .. } => {
                let is_it = |(of, why): &(String, String)| of == room.as_str() && why == bye.code.as_str();
                let at = self.put_out.iter().position(is_it);
                at.is_some_and(|at| self.put_out.remove(at).is_some())
            }
            Event::Message { room, message, .. } => {
                let told = self.told.get(&(room.to_string(), message.seq.get()));
                let shown = (message.kind.name().to_string(), message.text.as_str().to_string());
                // One that waits behind a hole may be taken back before it is shown.
                let is_blank = shown.0 == "removed" && self.removed.contains(&message.seq.get());
                is_blank || told.is_some_and(|told| told.contains(&shown))
            }
            _ => true,
        };
        if is_so { Ok(()) } else { wrong(format!("a client shows {event:?}, and was not told that")) }
    }

    /// The client has shown all that it wants to.
    pub(in crate::sim) fn judge(&mut self, client: &Client) -> Result<(), Violation> {
        let is_in = |room: &str| room.parse::<RoomId>().is_ok_and(|room| client.room(&room).is_some());
        if let Some((room, why)) = self.put_out.drain(..).find(|(room, _)| is_in(room)) {
            return wrong(format!("a client was put out of {room} as {why}, and shows nothing of it"));
        }
        let is_answered = |id: &&String| {
            let is_over = self.refused.get(*id).is_some_and(|code| code != "slow_down");
            self.done.contains(*id) || self.codes.contains_key(*id) || is_over
        };
        match self.orders.iter().find(is_answered) {
            Some(id) => wrong(format!("the order {id} is answered, and a client shows nothing of it")),
            None => Ok(()),
        }
    }
}

fn is_for_later(code: &str) -> bool {
    matches!(code, "slow_down" | "unavailable")
}

fn wrong(text: String) -> Result<(), Violation> {
    Err(Violation::new(14, text))
}
