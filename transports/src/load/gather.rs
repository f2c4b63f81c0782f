//! Getting everybody into their rooms.

use std::sync::Arc;
use std::time::Duration;

use super::crowd::{Crowd, Event, Wait};
use super::report::{Entered, Meter};
use super::{Failure, Plan, Progress};

/// How many are on their way in at once, to begin with: there are servers that have no place for more than ten.
const AT_ONCE: usize = 8;

/// And at most. There are servers that let people in once a second, however many wait.
const MOST_AT_ONCE: usize = 4_096;

/// After so long without anybody more people come at once.
const PAUSE: Duration = Duration::from_millis(200);

/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connects all members and waits until each is in its room, room by room: member `i` of room `r` has the number
/// `r × members + i`.
pub(super) fn gather(
    plan: &Plan,
    meter: &mut Meter,
    observe: &mut dyn FnMut(Progress),
) -> Result<(Crowd, Entered), Failure> {
    let all = plan.connections();
    let doors: Vec<Arc<str>> = plan.doors.iter().map(|door| door.as_str().into()).collect();
    let mut crowd = Crowd::new(plan.protocol, plan.server, all)?;
    let start = meter.read(crowd.now());
    let (mut opened, mut entered, mut told, mut moved) = (0, 0, crowd.now(), crowd.now());
    let (mut at_once, mut paused) = (AT_ONCE, crowd.now());
    while entered < all {
        while opened < all && opened < entered + at_once {
            crowd.open(opened, opened as u32, doors[opened / plan.members as usize].clone())?;
            opened += 1;
        }
        let before = entered;
        let mut failure = None;
        crowd.turn(Wait::Roughly(Duration::from_millis(100)), |member, event| match event {
            Event::Entered => entered += 1,
            event => failure = failure.take().or_else(|| self::failure(member, event)),
        })?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let now = crowd.now();
        if entered > before {
            (moved, paused) = (now, now);
        }
        if now - paused > PAUSE.as_micros() as u64 {
            (at_once, paused) = ((2 * at_once).min(MOST_AT_ONCE), now);
        }
        if now - moved > PATIENCE.as_micros() as u64 {
            return Err(Failure::Stuck { entered, all, patience: PATIENCE });
        }
        if now - told >= 1_000_000 {
            told = now;
            observe(Progress::Entering(entered, all));
        }
    }
    let spent = start.until(meter.read(crowd.now()));
    Ok((crowd, Entered { members: all, spent }))
}

/// What an event that must not be means.
pub(super) fn failure(member: usize, event: Event<'_>) -> Option<Failure> {
    match event {
        Event::Refused(words) => {
            Some(Failure::Refused { member, words: String::from_utf8_lossy(words).trim_end().to_owned() })
        }
        Event::Closed(error) => Some(Failure::Closed { member, error }),
        Event::Entered | Event::Message(..) => None,
    }
}
