//! The log as the server sees it: where a break may corrupt what they say to each other, and where that is heard.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use fastrand::Rng;
use qun_core::log::{Answer, Draft, Kind, Outcome, Record, Request};
use qun_core::{Act, Instant, MemberId, Name, Now, RoomId, Seq};

use super::breaks::Break;
use super::fault::Counters;
use super::log::{Committed, SimLog};
use super::misrule::Misrule;
use crate::log::Log;

/// What the server and its log say to each other.
#[derive(Clone, Debug)]
pub(super) enum Tap {
    Request(Request),
    Answer(Answer),
}

/// The wrapper around the log, where also is heard what it and the server say.
#[derive(Clone, Debug)]
pub(super) struct Tampered {
    log: SimLog,
    which: Option<Break>,
    rng: Rng,
    taps: Vec<Tap>,
    /// Answers of its own.
    answers: VecDeque<Answer>,
    /// Rooms whose next acknowledgement is a lie, and those of which something was opened.
    rooms: Vec<RoomId>,
    heads: BTreeMap<RoomId, Seq>,
    /// Whoever was banned or muted last.
    silenced: Option<(MemberId, Name)>,
}

impl Tampered {
    pub(super) fn new(log: SimLog, which: Option<Break>, rng: Rng) -> Self {
        Self {
            log,
            which,
            rng,
            taps: Vec::new(),
            answers: VecDeque::new(),
            rooms: Vec::new(),
            heads: BTreeMap::new(),
            silenced: None,
        }
    }

    pub(super) fn inner(&mut self) -> &mut SimLog {
        &mut self.log
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.log.deadline()
    }

    pub(super) fn counters(&self) -> Counters {
        self.log.counters.clone()
    }

    pub(super) fn take_taps(&mut self) -> Vec<Tap> {
        std::mem::take(&mut self.taps)
    }

    pub(super) fn take_committed(&mut self) -> Vec<Committed> {
        std::mem::take(&mut self.log.committed)
    }

    /// What survives a crash of the server.
    pub(super) fn crashed(mut self) -> SimLog {
        self.log.crash();
        if self.which == Some(Break::LostInCrash) {
            self.log.forget_newest();
        }
        self.log
    }

    fn is(&mut self, which: Break) -> bool {
        self.which == Some(which) && self.rng.u32(0..6) == 0
    }

    /// Somebody who may not speak any more does, once more.
    fn one_more(&mut self, drafts: &mut [Draft]) {
        if self.which != Some(Break::OneMoreSay) {
            return;
        }
        for draft in drafts {
            match (&draft.kind, &self.silenced) {
                (Kind::Act(act), _) => {
                    if let Act::Ban { on, .. } | Act::Mute { on, .. } = &**act {
                        self.silenced = on.m.map(|m| (m, on.name.clone()));
                    }
                }
                (_, Some((m, name))) if draft.once.is_none() => {
                    (draft.member, draft.name) = (*m, name.clone());
                    self.silenced = None;
                }
                _ => {}
            }
        }
    }

    fn append(&mut self, now: Now, room: RoomId, mut drafts: Vec<Draft>) -> Option<Request> {
        if self.which == Some(Break::AppendedTwice) {
            drafts.iter_mut().for_each(|draft| draft.once = None);
        }
        drafts.iter_mut().for_each(|draft| Misrule::writes(self.which, draft));
        self.one_more(&mut drafts);
        if self.is(Break::WrongName)
            && let (Some(draft), Ok(name)) = (drafts.first_mut(), "nobody".parse())
        {
            draft.name = name;
        }
        if drafts.len() > 1 && self.is(Break::ReorderedAppend) {
            drafts.reverse();
        }
        if self.is(Break::AcknowledgedUnwritten)
            && let Some(&head) = self.heads.get(&room)
        {
            let seqs = (1..).map(|n| head.plus(n));
            let records = drafts.into_iter().zip(seqs).map(|(draft, seq)| {
                let Draft { once, member, name, kind, text, facts: _ } = draft;
                Record { seq, ts: now.unix_ms, member, name, kind, text, id: once.map(|(_, id)| id) }
            });
            let records: Arc<[_]> = records.collect();
            let outcomes = records.iter().map(|record| Outcome::New(record.seq)).collect();
            self.answers.push_back(Answer::Settled { room: room.clone(), outcomes });
            self.answers.push_back(Answer::Grew { room, first: Seq::new(1), records });
            return None;
        }
        Some(Request::Append { room, drafts })
    }
}

impl Log for Tampered {
    fn submit(&mut self, now: Now, request: Request) {
        let request = match request {
            Request::Append { room, drafts } => {
                let other = self.rooms.iter().find(|other| **other != room).cloned();
                let room = other.filter(|_| self.is(Break::MisplacedAppend)).unwrap_or(room);
                let asked = self.append(now, room.clone(), drafts.clone());
                let seen = match &asked {
                    Some(request) => request.clone(),
                    None => Request::Append { room, drafts },
                };
                self.taps.push(Tap::Request(seen));
                asked
            }
            request => {
                if let Request::Open { room, .. } = &request {
                    self.rooms.push(room.clone());
                }
                self.taps.push(Tap::Request(request.clone()));
                Some(request)
            }
        };
        if let Some(request) = request {
            self.log.submit(now, request);
        }
    }

    fn poll(&mut self) -> Option<Answer> {
        let mut answer = self.answers.pop_front().or_else(|| self.log.poll())?;
        match &mut answer {
            Answer::Settled { outcomes, .. } if self.is(Break::RefusedWritten) => outcomes.fill(Outcome::Refused),
            Answer::Ready { room, tail: Ok(tail) } => {
                self.heads.insert(room.clone(), tail.head);
                tail.facts = Misrule::opens(self.which, &tail.facts);
            }
            Answer::Grew { room, records, .. } => {
                self.heads.insert(room.clone(), records.last().map_or(Seq::ZERO, |record| record.seq));
            }
            _ => {}
        }
        self.taps.push(Tap::Answer(answer.clone()));
        Some(answer)
    }
}
