//! Whether everyone got everything, once, in its order, and nothing else.

use std::collections::{BTreeSet, VecDeque};

use super::stamp::Stamp;

/// What was wrong with what arrived. Each is to be 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Deliveries that never came.
    pub lost: u64,
    /// Deliveries that came again.
    pub duplicated: u64,
    /// Deliveries that came after a later message of the same sender.
    pub disordered: u64,
    /// Deliveries to somebody in another room.
    pub leaked: u64,
}

impl Faults {
    /// Whether nothing was wrong.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What is on its way, and what arrived of it.
#[derive(Debug)]
pub(super) struct Tally {
    /// Senders of each room.
    senders: u32,
    /// For each member and sender of its room, the number that comes next.
    next: Vec<u32>,
    /// What came too early left these out: member, and what is missing.
    skipped: BTreeSet<(u32, Stamp)>,
    flights: Vec<Flights>,
    faults: Faults,
}

/// What one sender has under way.
#[derive(Debug, Default)]
struct Flights {
    /// The number of the first.
    first: u32,
    list: VecDeque<Flight>,
    /// Those that somebody still waits for.
    open: u32,
}

#[derive(Debug)]
struct Flight {
    /// When it was said, or was to be said, in microseconds.
    at: u64,
    /// How many have not heard it.
    missing: u32,
}

/// What a delivery was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// One that was waited for: it was said at this microsecond, and `last` says whether all have it now.
    Wanted { at: u64, last: bool },
    /// A fault, which is counted.
    Wrong,
}

impl Tally {
    pub(super) fn new(rooms: u32, members: u32, senders: u32) -> Self {
        let mut flights = Vec::new();
        flights.resize_with((rooms * senders) as usize, Flights::default);
        let next = vec![0; rooms as usize * members as usize * senders as usize];
        Self { senders, next, skipped: BTreeSet::new(), flights, faults: Faults::default() }
    }

    /// `sender` says its next message at microsecond `at`, to so many.
    pub(super) fn say(&mut self, sender: u32, at: u64, to: u32) -> Stamp {
        let flights = &mut self.flights[sender as usize];
        let number = flights.first + flights.list.len() as u32;
        flights.list.push_back(Flight { at, missing: to });
        flights.open += u32::from(to > 0);
        Stamp { sender, number }
    }

    /// How many messages of a sender are under way.
    pub(super) fn open(&self, sender: u32) -> u32 {
        self.flights[sender as usize].open
    }

    /// A member, counted over all rooms, of this room heard something.
    pub(super) fn hear(&mut self, member: u32, room: u32, stamp: Stamp) -> Heard {
        let Some(flights) = self.flights.get_mut(stamp.sender as usize) else { return self.leak() };
        let said = flights.first + flights.list.len() as u32;
        if stamp.sender / self.senders != room || stamp.number >= said {
            return self.leak();
        }
        let next = &mut self.next[(member * self.senders + stamp.sender % self.senders) as usize];
        if stamp.number < *next {
            if !self.skipped.remove(&(member, stamp)) {
                self.faults.duplicated += 1;
                return Heard::Wrong;
            }
            self.faults.disordered += 1;
        } else {
            self.skipped.extend((*next..stamp.number).map(|number| (member, Stamp { number, ..stamp })));
            *next = stamp.number + 1;
        }
        flights.arrive(stamp.number).unwrap_or(Heard::Wrong)
    }

    fn leak(&mut self) -> Heard {
        self.faults.leaked += 1;
        Heard::Wrong
    }

    /// A member of this room stops reading: nobody waits for them any more. Says of which senders nothing is under way now.
    pub(super) fn excuse(&mut self, member: u32, room: u32) -> Vec<u32> {
        let mut freed = Vec::new();
        for index in 0..self.senders {
            let sender = room * self.senders + index;
            let flights = &mut self.flights[sender as usize];
            let said = flights.first + flights.list.len() as u32;
            for number in self.next[(member * self.senders + index) as usize]..said {
                flights.arrive(number);
            }
            if flights.open == 0 {
                freed.push(sender);
            }
        }
        freed
    }

    /// Whether nothing is under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.flights.iter().all(|flights| flights.open == 0)
    }

    /// What was wrong, once nothing more is waited for.
    pub(super) fn faults(&self) -> Faults {
        let missing = self.flights.iter().flat_map(|flights| &flights.list).map(|flight| u64::from(flight.missing));
        Faults { lost: missing.sum(), ..self.faults }
    }
}

impl Flights {
    /// One more has heard it; `None` where all had.
    fn arrive(&mut self, number: u32) -> Option<Heard> {
        let flight = self.list.get_mut(number.checked_sub(self.first)? as usize)?;
        flight.missing = flight.missing.checked_sub(1)?;
        let heard = Heard::Wanted { at: flight.at, last: flight.missing == 0 };
        if flight.missing == 0 {
            self.open -= 1;
            while self.list.front().is_some_and(|flight| flight.missing == 0) {
                self.list.pop_front();
                self.first += 1;
            }
        }
        Some(heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rooms of two, with a sender each; members 0 and 1 are in room 0.
    fn tally() -> Tally {
        Tally::new(2, 2, 1)
    }

    #[test]
    fn what_all_have_is_under_way_no_more() {
        let mut tally = tally();
        let (first, second) = (tally.say(0, 5, 2), tally.say(0, 6, 2));
        assert_eq!(tally.open(0), 2);
        assert_eq!(tally.hear(0, 0, first), Heard::Wanted { at: 5, last: false });
        assert_eq!(tally.hear(0, 0, second), Heard::Wanted { at: 6, last: false });
        assert_eq!(tally.hear(1, 0, first), Heard::Wanted { at: 5, last: true });
        assert_eq!(tally.open(0), 1);
        assert_eq!(tally.hear(1, 0, second), Heard::Wanted { at: 6, last: true });
        assert!(tally.is_quiet());
        assert!(tally.faults().is_none());
    }

    #[test]
    fn every_fault_is_counted_as_what_it_is() {
        let mut tally = tally();
        let stamps: Vec<_> = (0..3).map(|_| tally.say(0, 0, 2)).collect();
        for stamp in [0, 2, 1, 1] {
            tally.hear(0, 0, stamps[stamp]);
        }
        tally.hear(1, 0, stamps[0]);
        tally.hear(2, 1, stamps[0]);
        assert_eq!(tally.faults(), Faults { lost: 2, duplicated: 1, disordered: 1, leaked: 1 });
    }

    #[test]
    fn what_nobody_said_is_leaked() {
        let mut tally = tally();
        tally.hear(0, 0, Stamp { sender: 0, number: 0 });
        tally.hear(0, 0, Stamp { sender: 9, number: 0 });
        assert_eq!(tally.faults().leaked, 2);
    }

    #[test]
    fn who_stops_reading_is_waited_for_no_more() {
        let mut tally = tally();
        let stamp = tally.say(0, 0, 2);
        tally.say(0, 0, 2);
        tally.hear(1, 0, stamp);
        assert!(tally.excuse(0, 0).is_empty());
        assert_eq!(tally.open(0), 1);
        assert_eq!(tally.excuse(1, 0), [0]);
        assert!(tally.is_quiet() && tally.faults().is_none());
    }
}
