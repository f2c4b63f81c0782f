//! What a member can know from the lines that it got, and what these lines must never be.

use std::collections::BTreeMap;

use serde_json::Value;

/// The fold of everything that one json connection received.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) rooms: BTreeMap<String, Seen>,
    /// Answers by the request's id, `msg` and `ok` to a say among them.
    pub(crate) answers: BTreeMap<String, Value>,
    /// Every message, in the order in which it came.
    pub(crate) messages: Vec<Value>,
    pub(crate) me: Option<String>,
    ended: bool,
}

/// A room as one member sees it.
pub(crate) struct Seen {
    /// Who is there, by member id; `None` in a room that only counts.
    pub(crate) roster: Option<BTreeMap<String, String>>,
    pub(crate) here: u64,
    /// The seq that comes next.
    pub(crate) next: u64,
}

impl Watch {
    pub(crate) fn feed(&mut self, lines: &[Value]) {
        for line in lines {
            self.line(line);
        }
    }

    fn line(&mut self, line: &Value) {
        assert!(!self.ended, "after bye: {line}");
        if let Some(re) = line["re"].as_str() {
            let before = self.answers.insert(re.into(), line.clone());
            // Of a say that is sent again, each is answered.
            assert!(before.is_none() || re.starts_with("again"), "a second answer to {re}: {line}");
        }
        let text = |field: &str| line[field].as_str().map(String::from).unwrap_or_else(|| panic!("{field}: {line}"));
        let number = |field: &str| line[field].as_u64().unwrap_or_else(|| panic!("{field}: {line}"));
        match line["t"].as_str().expect("a type") {
            "welcome" => self.me = Some(text("m")),
            "joined" => {
                let room = line["room"]["id"].as_str().expect("a room").into();
                let seen = Seen { roster: roster(line), here: number("here"), next: number("from") };
                assert!(number("from") <= number("head") + 1, "{line}");
                self.rooms.insert(room, seen);
                self.count(line, line["room"]["id"].as_str());
            }
            "msg" => {
                let room = self.room(line);
                assert_eq!(room.next, number("seq"), "a hole: {line}");
                room.next += 1;
                self.messages.push(line.clone());
                if let (Some(id), true) = (line["id"].as_str(), self.me == line["m"].as_str().map(String::from)) {
                    self.answers.insert(id.into(), line.clone());
                }
            }
            "gap" => {
                let room = self.room(line);
                assert_eq!(room.next, number("from"), "an inexact gap: {line}");
                assert!(number("to") + 1 >= number("from"), "{line}");
                room.next = number("to") + 1;
                room.here = number("here");
                room.roster = roster(line);
                self.count(line, line["room"].as_str());
            }
            "presence" => {
                let room = self.room(line);
                let roster = room.roster.as_mut().unwrap_or_else(|| panic!("presence where one only counts: {line}"));
                let before = match &*text("ev") {
                    "in" => roster.insert(text("m"), text("name")).is_none(),
                    "out" => roster.remove(&text("m")) == Some(text("name")),
                    "name" => roster.insert(text("m"), text("name")) == Some(text("was")),
                    "role" => roster.get(&text("m")) == Some(&text("name")),
                    ev => panic!("an unknown event {ev}: {line}"),
                };
                assert!(before, "presence that does not follow from what was there: {line}");
            }
            "here" => {
                let n = number("n");
                let room = self.room(line);
                assert!(room.roster.is_none(), "a count where one says who: {line}");
                room.here = n;
            }
            "room" => {
                let room = line["room"]["id"].as_str().expect("a room");
                assert!(self.rooms.contains_key(room), "not a member: {line}");
            }
            // A membership may be left that is held and was not joined again.
            "left" => drop(self.rooms.remove(&text("room"))),
            "bye" => self.ended = true,
            "page" | "notice" | "ok" | "code" | "error" | "ping" | "pong" => {}
            t => panic!("an unknown type {t}: {line}"),
        }
    }

    fn room(&mut self, line: &Value) -> &mut Seen {
        let room = line["room"].as_str().unwrap_or_else(|| panic!("a room: {line}"));
        self.rooms.get_mut(room).unwrap_or_else(|| panic!("not a member: {line}"))
    }

    fn count(&self, line: &Value, room: Option<&str>) {
        let seen = &self.rooms[room.expect("a room")];
        if let Some(roster) = &seen.roster {
            assert_eq!(roster.len() as u64, seen.here, "the roster is not what it counts: {line}");
            assert!(self.me.as_ref().is_none_or(|me| roster.contains_key(me)), "one is not there oneself: {line}");
        }
    }
}

fn roster(line: &Value) -> Option<BTreeMap<String, String>> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let members = line.get("members")?.as_array().expect("a roster");
    let roster: BTreeMap<_, _> = members.iter().map(|person| (text(&person["m"]), text(&person["name"]))).collect();
    assert_eq!(roster.len(), members.len(), "somebody is there twice: {line}");
    Some(roster)
}
