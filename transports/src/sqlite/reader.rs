//! The thread that reads: rooms that are opened, pages of history. It waits for no commit.

use std::sync::mpsc::{Receiver, Sender};
use std::task::Waker;

use qun_core::RoomId;
use qun_core::log::{Answer, Facts, Page, Request, Span, Tail, Unavailable};
use rusqlite::{Connection, Result};

use super::open::Tell;
use super::writer::{Job, Task};
use super::{Event, fault, store};

/// A connection that only reads.
pub(super) struct Reader {
    conn: Connection,
    tell: Tell,
    /// What was told last, so that one damage is not told a thousand times.
    told: Option<Event>,
}

impl Reader {
    pub(super) fn new(conn: Connection, tell: Tell) -> Self {
        Self { conn, tell, told: None }
    }

    /// Answers until nobody can ask any more. What has to be written is handed on as a job.
    pub(super) fn run(
        mut self,
        requests: &Receiver<Request>,
        answers: &Sender<Answer>,
        jobs: &Sender<Job>,
        waker: &Waker,
    ) {
        for request in requests {
            let answer = match request {
                Request::Open { room, bytes } => match self.tail(&room, bytes) {
                    Ok(Some(tail)) => Answer::Ready { room, tail: Ok(tail) },
                    Ok(None) => {
                        drop(jobs.send(Job::Do(Task::Open { room, bytes })));
                        continue;
                    }
                    Err(error) => Answer::Ready { tail: Err(self.unreadable(&room, &error)), room },
                },
                Request::Load { ticket, room, span, limit } => {
                    let page = self.page(&room, span, limit);
                    let page = page.map_err(|error| self.unreadable(&room, &error));
                    Answer::Loaded { ticket, page: page.and_then(|page| page.ok_or(Unavailable)) }
                }
                Request::Recall { room } => {
                    let facts = self.facts(&room).map_err(|error| self.unreadable(&room, &error));
                    Answer::Recalled { room, facts }
                }
                Request::Search { .. } | Request::Append { .. } | Request::Keep { .. } | Request::Close { .. } => {
                    continue;
                }
            };
            // It fails where the loop is gone, and then nobody will hear the answer.
            drop(answers.send(answer));
            waker.wake_by_ref();
        }
    }

    /// `None` where there is no such room.
    fn tail(&mut self, id: &RoomId, bytes: usize) -> Result<Option<Tail>> {
        let tx = self.conn.transaction()?;
        store::room(&tx, id)?.map(|room| store::tail(&tx, &room, bytes)).transpose()
    }

    fn facts(&mut self, id: &RoomId) -> Result<Facts> {
        let tx = self.conn.transaction()?;
        Ok(store::room(&tx, id)?.map(|room| store::facts(&tx, &room)).transpose()?.unwrap_or_default())
    }

    /// `None` where there is no such room.
    fn page(&mut self, id: &RoomId, span: Span, limit: u64) -> Result<Option<Page>> {
        let tx = self.conn.transaction()?;
        store::room(&tx, id)?.map(|room| store::page(&tx, &room, span, limit)).transpose()
    }

    fn unreadable(&mut self, room: &RoomId, error: &rusqlite::Error) -> Unavailable {
        let event = Event::Unreadable { room: room.clone(), why: fault::describe(error) };
        if self.told.as_ref() != Some(&event) {
            self.told = Some(event.clone());
            (self.tell)(event);
        }
        Unavailable
    }
}
