//! A log whose every step is a step of the world: taking a request, and answering it.

use std::collections::VecDeque;

use qun_core::log::{Answer, Facts, Found, Outcome, Page, Record, Request, Span, Tail};
use qun_core::{Epoch, Id, KeyHash, RoomId, Seq};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Log {
    pub(crate) records: Vec<Record>,
    once: Vec<Option<(KeyHash, Id)>>,
    pub(crate) asked: VecDeque<Request>,
    pub(crate) answers: VecDeque<Answer>,
    pub(crate) facts: Facts,
}

impl Log {
    /// Does what was asked first. From here on it survives a crash.
    pub(crate) fn commit(&mut self) {
        match self.asked.pop_front() {
            None | Some(Request::Close { .. } | Request::Keep { .. }) => {}
            Some(Request::Recall { .. }) => unreachable!("the world answers it"),
            Some(Request::Open { room, .. }) => self.answers.push_back(Answer::Ready { room, tail: Ok(self.tail()) }),
            Some(Request::Append { room, drafts }) => self.append(room, drafts),
            Some(Request::Search { ticket, words, before, limit, .. }) => {
                let found = Found::among(Seq::new(1), self.records.iter(), &words, before, limit);
                self.answers.push_back(Answer::Found { ticket, found: Ok(found) });
            }
            Some(Request::Load { ticket, span, .. }) => {
                let fits = |record: &&Record| match span {
                    Span::Before(seq) => record.seq < seq,
                    Span::After(seq) => record.seq > seq,
                };
                let records = self.records.iter().filter(fits).cloned().collect();
                self.answers
                    .push_back(Answer::Loaded { ticket, page: Ok(Page { first: Seq::new(1), more: false, records }) });
            }
        }
    }

    /// Where the ban stands, once it does.
    pub(crate) fn ban(&self) -> Option<Seq> {
        self.records.iter().find(|record| record.kind.name() == "ban").map(|record| record.seq)
    }

    /// The server is gone, and what was on its way to and from it.
    pub(crate) fn crash(&mut self) {
        self.asked.clear();
        self.answers.clear();
    }

    /// Whether a tail stands right behind an acknowledgement.
    pub(crate) fn has_tail_behind(&self) -> bool {
        matches!((self.answers.front(), self.answers.get(1)), (Some(Answer::Settled { .. }), Some(Answer::Grew { .. })))
    }

    fn tail(&self) -> Tail {
        let epoch: Epoch = "e".parse().unwrap();
        let head = Seq::new(self.records.len() as u64);
        Tail { epoch, first: Seq::new(1), head, records: self.records.clone(), facts: self.facts.clone() }
    }

    fn append(&mut self, room: RoomId, drafts: Vec<qun_core::log::Draft>) {
        let mut new = Vec::new();
        let mut outcomes = Vec::new();
        for draft in drafts {
            draft.facts.into_iter().for_each(|fact| self.facts.set(fact));
            let once = draft.once;
            if let Some(at) = self.once.iter().position(|earlier| once.is_some() && *earlier == once) {
                outcomes.push(Outcome::Known(Seq::new(at as u64 + 1)));
                continue;
            }
            let seq = Seq::new(self.records.len() as u64 + 1);
            let record = Record {
                seq,
                ts: 0,
                member: draft.member,
                name: draft.name,
                kind: draft.kind,
                text: draft.text,
                id: once.map(|(_, id)| id),
            };
            self.once.push(once);
            self.records.push(record.clone());
            new.push(record);
            outcomes.push(Outcome::New(seq));
        }
        self.answers.push_back(Answer::Settled { room: room.clone(), outcomes });
        if !new.is_empty() {
            self.answers.push_back(Answer::Grew { room, first: Seq::new(1), records: new.into() });
        }
    }
}
