//! The names of connections.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use qun_core::ConnId;

/// Hands out ids: the lowest free index, each time with another generation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    /// The generation that each place is taken by.
    taken: Vec<Option<u32>>,
    /// The free places, each with its next generation. One whose generations are used up is free no more.
    free: BinaryHeap<Reverse<(u32, u32)>>,
}

impl Ids {
    pub(crate) fn take(&mut self) -> ConnId {
        let (index, generation) = match self.free.pop() {
            Some(Reverse(place)) => place,
            None => {
                self.taken.push(None);
                // Four thousand million connections at once fit on no machine.
                (self.taken.len() as u32 - 1, 0)
            }
        };
        self.taken[index as usize] = Some(generation);
        ConnId { index, generation }
    }

    pub(crate) fn holds(&self, conn: ConnId) -> bool {
        self.taken.get(conn.index as usize) == Some(&Some(conn.generation))
    }

    /// Frees the place of `conn`; says whether it was taken.
    pub(crate) fn release(&mut self, conn: ConnId) -> bool {
        let held = self.holds(conn);
        if held {
            self.taken[conn.index as usize] = None;
            self.free.extend(conn.generation.checked_add(1).map(|next| Reverse((conn.index, next))));
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(index: u32, generation: u32) -> ConnId {
        ConnId { index, generation }
    }

    #[test]
    fn the_lowest_free_index_comes_first_and_no_id_comes_twice() {
        let mut ids = Ids::default();
        assert_eq!([ids.take(), ids.take(), ids.take()], [id(0, 0), id(1, 0), id(2, 0)]);
        assert!(ids.release(id(2, 0)) && ids.release(id(0, 0)));
        assert!(!ids.release(id(0, 0)), "released once");
        assert_eq!([ids.take(), ids.take(), ids.take()], [id(0, 1), id(2, 1), id(3, 0)]);
        assert!(ids.holds(id(0, 1)) && !ids.holds(id(0, 0)) && !ids.holds(id(9, 0)));
    }

    #[test]
    fn a_place_whose_generations_are_used_up_is_never_taken_again() {
        let mut ids = Ids { taken: vec![None], free: [Reverse((0, u32::MAX))].into() };
        let last = ids.take();
        assert_eq!(last, id(0, u32::MAX));
        assert!(ids.release(last) && !ids.holds(last));
        assert_eq!(ids.take(), id(1, 0));
    }
}
