//! What people do.

use std::time::Duration;

use qun_core::log::Kind;
use qun_core::{Key, RoomId, Seq};

use super::fault::Fault;
use super::link::End;
use super::oracle::Sentence;
use super::person::{Command, Mind};
use super::raw::{RawKind, Stage, corrupted, rude};
use super::rule::{chance, up_to};
use super::world::{Happening, NAMES, World};

impl World {
    /// Somebody does something.
    pub(super) fn act(&mut self) {
        if !self.is_stormy {
            return;
        }
        // Those at court are as talkative as the others, and come on top of them.
        let all = self.people.len().max(1) as u32;
        let others = self.people.iter().filter(|person| person.court.is_none()).count().max(1) as u32;
        let next = self.now.mono + up_to(&mut self.acts, 2 * self.plan.chatter * others / all);
        self.schedule.push(next, Happening::Act);
        if self.people.is_empty() {
            return;
        }
        let index = self.acts.usize(0..self.people.len());
        if self.is_asleep(index) {
            return;
        }
        match &self.people[index].mind {
            _ if let Some(code) = self.people[index].court => self.act_at_court(index, code),
            Mind::Client(_) => self.act_by_client(index),
            Mind::Raw(raw) if raw.kind == RawKind::Plain => self.act_at_netcat(index),
            Mind::Raw(_) => self.act_hostile(index),
        }
        self.settle_person(index);
    }

    fn act_by_client(&mut self, index: usize) {
        let now = self.clock_of(index);
        if self.people[index].has_ended {
            // A new program, in the same hands.
            let key = Key::generate(&mut qun_core::Entropy::new(self.acts.seed()));
            let (client, joins) = self.new_client(index, key);
            self.next_identity += 1;
            let person = &mut self.people[index];
            person.begin_anew(self.next_identity - 1, client);
            return joins.into_iter().for_each(|id| person.asks(id, Command::Join));
        }
        let dice = self.acts.u32(0..1_000);
        let room = self.some_room_of(index);
        let any = self.acts.usize(0..self.codes.len());
        let (talk, read) = (self.codes[any].1.clone(), self.codes[any].2.clone());
        let guest = self.guests[any].clone();
        let wrong = self.acts.u32(..);
        let name = format!("{}{}", NAMES[self.acts.usize(0..NAMES.len())], self.acts.u32(0..20));
        let before = Seq::new(self.acts.u64(1..200));
        let limit = self.acts.u64(1..60);
        let person = &mut self.people[index];
        let Some(client) = person.client_mut() else { return };
        let asked = match (dice, room) {
            (0..20, _) => {
                client.reconnect(now);
                person.not_before = now.mono;
                None
            }
            (20..33, _) => Some((client.join(now, talk), Command::Join)),
            (33..40, _) => Some((client.join(now, guest), Command::Join)),
            (40..43, _) => Some((client.join(now, read), Command::Join)),
            (43..50, _) => {
                // One that was right once is no better.
                let former = self.former.get(wrong as usize % 8).map(|former| former.code().clone());
                let code = former.or_else(|| format!("WRONG{wrong}").parse::<qun_core::Code>().ok());
                code.map(|code| (client.join(now, code), Command::Join))
            }
            (50..65, _) => name.parse().ok().map(|name| (client.rename(now, name), Command::Rename)),
            (65..67, _) => {
                client.bye(now);
                person.is_done = true;
                person.hands.says_bye(now.mono);
                None
            }
            (67..85, Some(room)) => client.leave(now, &room).ok().map(|id| (id, Command::Leave)),
            (85..120, Some(room)) => {
                let asked = client.history(now, &room, before, limit);
                asked.ok().map(|id| (id, Command::History(before.get(), limit)))
            }
            (120..140, Some(room)) => {
                // What all say, what one says, and what nobody does.
                let number = format!("{} word", before.get());
                let words = ["word", "wor", "far away", &number, "nothing"][wrong as usize % 5].parse();
                let before = (wrong & 1 == 1).then_some(before);
                let most = before.map_or(u64::MAX, Seq::get);
                let asked = words.ok().and_then(|words| client.search(now, &room, words, before, limit).ok());
                asked.map(|id| (id, Command::Search(most, limit)))
            }
            (_, Some(room)) => return self.say(index, &room),
            // Whoever was put out of all rooms goes to another one.
            (_, None) if self.plan.reloads > 0 && client.rooms().next().is_none() => {
                Some((client.join(now, talk), Command::Join))
            }
            (_, None) => None,
        };
        if let Some((id, command)) = asked {
            person.asks(id, command);
        }
    }

    fn some_room_of(&mut self, index: usize) -> Option<RoomId> {
        let rooms: Vec<RoomId> = self.people[index].client()?.rooms().map(|room| room.id().clone()).collect();
        self.acts.choice(&rooms).cloned()
    }

    fn say(&mut self, index: usize, room: &RoomId) {
        let (token, text, kind) = self.sentence(true);
        let now = self.clock_of(index);
        let Some(client) = self.people[index].client_mut() else { return };
        let Ok(parsed) = text.parse() else { return };
        // Not so in a room that is being left.
        if let Ok(id) = client.say(now, room, kind.clone(), parsed) {
            self.people[index].says(id, token, room);
            let person = self.people[index].identity;
            let sentence = Sentence { person, room: room.to_string(), kind, text };
            self.oracle.model.said.insert(token, sentence);
        }
    }

    /// Something to say, which nobody has said before.
    fn sentence(&mut self, may_have_lines: bool) -> (u64, String, Kind) {
        self.next_token += 1;
        let token = self.next_token;
        let most = self.plan.limits.text.bytes - 20;
        let wanted = if chance(&mut self.acts, 20) { most } else { self.acts.usize(0..80).min(most) };
        let word = if may_have_lines && chance(&mut self.acts, 50) { "\nword" } else { " word" };
        // Few lines, however long it is.
        let words = if word.starts_with('\n') { (wanted / 5).min(3) } else { wanted / 5 };
        let text = format!("#{token}{}", word.repeat(words));
        let kind = if chance(&mut self.acts, 100) { Kind::Me } else { Kind::Say };
        (token, text, kind)
    }

    fn act_at_netcat(&mut self, index: usize) {
        let dice = self.acts.u32(0..100);
        let any = self.acts.usize(0..self.codes.len());
        let code = self.former.get(dice as usize).map_or(&self.codes[any].1, |former| former.code()).to_string();
        let name = NAMES[self.acts.usize(0..NAMES.len())];
        let has_link = self.people[index].link.is_some();
        let Some(raw) = self.people[index].raw_mut() else { return };
        match raw.stage {
            Stage::Away if has_link => {}
            Stage::Away => self.connect(index),
            Stage::Knocking if raw.is_asked_for_name() => raw.types(name),
            Stage::Knocking if !raw.outgoing.is_empty() => {}
            Stage::Knocking if dice < 12 => {
                raw.types(if dice < 6 { "WRONGCODE1 x" } else { "WRONGCODE1 x\nhello\nWRONGCODE3\nare you there?" });
            }
            Stage::Knocking if dice < 24 && !raw.has_typed => self.script(index, any, name),
            Stage::Knocking if dice < 30 => raw.types(&code),
            Stage::Knocking if dice < 70 => raw.types(&format!("{code} {name}")),
            Stage::Knocking => {}
            Stage::Lobby => {
                raw.types(&format!("/join {code}"));
                raw.stage = Stage::Waiting(None);
            }
            Stage::In(room) => match dice {
                0..4 => {
                    raw.types(if dice < 3 { "/join WRONGCODE2" } else { "/join" });
                    if dice < 3 {
                        raw.stage = Stage::Waiting(Some(room));
                    }
                }
                4..8 => {
                    raw.types(&format!("/join {code}"));
                    raw.stage = Stage::Waiting(Some(room));
                }
                8..10 => {
                    raw.types("/leave");
                    raw.stage = Stage::Waiting(Some(room));
                }
                10..14 => {
                    raw.types("/history 5");
                    raw.stage = Stage::Waiting(Some(room));
                }
                14..18 => raw.types("/who"),
                18..20 => {
                    raw.types(&format!("/name {name}{dice}"));
                    raw.stage = Stage::Waiting(Some(room));
                }
                20..22 => raw.types("/nonsense"),
                23..25 => raw.types(if dice == 23 { "/echo on" } else { "/echo off" }),
                22..23 => {
                    raw.types("/quit");
                    raw.stage = Stage::Waiting(None);
                }
                // A paste, faster than it is read.
                25..27 => (0..15).for_each(|_| self.type_sentence(index, room)),
                _ => self.type_sentence(index, room),
            },
            Stage::Script if dice >= 2 => {}
            Stage::Script => self.hang_up_raw(index),
            // Patience has an end: whatever was asked, it is forgotten.
            Stage::Waiting(_) if dice < 2 => self.hang_up_raw(index),
            Stage::Waiting(_) => {}
        }
    }

    /// `printf 'CODE NAME\nsomething\n' | nc`: all at once, and then the end, with the last line's or without.
    fn script(&mut self, index: usize, room: usize, name: &str) {
        let code = self.codes[room].1.to_string();
        let lines = self.acts.usize(1..25);
        let has_end = self.acts.bool();
        if let Some(raw) = self.people[index].raw_mut() {
            raw.types(&format!("{code} {name}"));
        }
        (0..lines).for_each(|_| self.type_sentence(index, room));
        if let Some(raw) = self.people[index].raw_mut() {
            raw.outgoing.truncate(raw.outgoing.len() - usize::from(!has_end));
            (raw.stage, raw.ends) = (Stage::Script, true);
        }
    }

    fn type_sentence(&mut self, index: usize, room: usize) {
        let (token, text, kind) = self.sentence(false);
        let id = self.codes[room].0.to_string();
        let person = self.people[index].identity;
        let sentence = Sentence { person, room: id, kind: kind.clone(), text: text.clone() };
        self.oracle.model.said.insert(token, sentence);
        let Some(raw) = self.people[index].raw_mut() else { return };
        match kind {
            Kind::Say => raw.types(&text),
            Kind::Me => raw.types(&format!("/me {text}")),
            Kind::Removed | Kind::Act(_) => unreachable!("nobody says that"),
        }
    }

    fn act_hostile(&mut self, index: usize) {
        let dice = self.acts.u32(0..100);
        if self.people[index].link.is_none() {
            return self.connect(index);
        }
        self.counters.count(Fault::Hostile);
        if dice < 4 {
            return self.hang_up_raw(index);
        }
        if dice < 7 {
            // Asks much, and listens to nothing.
            if let Some(link) = self.people[index].link.and_then(|id| self.links.get_mut(&id)) {
                link.to(End::Client).shut = self.now.mono + Duration::from_secs(20);
            }
            let pings = "{\"t\":\"ping\",\"n\":9007199254740991}\n".repeat(4_000);
            return self.types_hostile(index, pings.as_bytes());
        }
        if dice < 9 {
            return self.abandon(index);
        }
        let codes: Vec<String> = self.codes.iter().map(|(_, code, _)| code.to_string()).collect();
        let bytes = if dice < 25 {
            self.next_token += 1;
            let epoch = self.people[index].raw_mut().and_then(|raw| raw.epoch.clone());
            let account = self.acts.choice(&self.config.accounts).map(|account| account.name.to_string());
            let account = account.as_deref().unwrap_or("nobody");
            rude(&mut self.acts, index, &codes, account, epoch, self.next_token, &self.plan.limits)
        } else {
            corrupted(&mut self.acts, index, &codes)
        };
        self.types_hostile(index, &bytes);
    }

    /// One more connection; the server is not told that nobody is at the one before any more.
    fn abandon(&mut self, index: usize) {
        if let Some(id) = self.people[index].link.take() {
            if let Some(link) = self.links.get_mut(&id) {
                link.person = None;
            }
            self.abandoned.push(id);
            self.forget(id);
        }
        if let Some(raw) = self.people[index].raw_mut() {
            raw.disconnected();
        }
        self.connect(index);
    }

    fn types_hostile(&mut self, index: usize, bytes: &[u8]) {
        if let Some(raw) = self.people[index].raw_mut()
            && raw.outgoing.len() < 1 << 20
        {
            raw.outgoing.extend(bytes);
        }
    }

    pub(super) fn hang_up_raw(&mut self, index: usize) {
        self.hang_up(index);
        if let Some(raw) = self.people[index].raw_mut() {
            raw.disconnected();
        }
    }
}
