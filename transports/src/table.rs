//! Connections by their ids.

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

/// What a driver keeps of each connection.
#[derive(Debug)]
pub(crate) struct Table<T> {
    rows: Vec<Option<(u32, T)>>,
}

impl<T> Table<T> {
    pub(crate) fn new() -> Self {
        Self { rows: Vec::new() }
    }

    pub(crate) fn insert(&mut self, conn: ConnId, row: T) {
        let index = conn.index as usize;
        if index >= self.rows.len() {
            self.rows.resize_with(index + 1, || None);
        }
        self.rows[index] = Some((conn.generation, row));
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut T> {
        match self.rows.get_mut(conn.index as usize)? {
            Some((generation, row)) if *generation == conn.generation => Some(row),
            _ => None,
        }
    }

    /// Whoever has this index now.
    pub(crate) fn at_mut(&mut self, index: u32) -> Option<(ConnId, &mut T)> {
        let (generation, row) = self.rows.get_mut(index as usize)?.as_mut()?;
        Some((ConnId { index, generation: *generation }, row))
    }

    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<T> {
        self.get_mut(conn)?;
        self.rows[conn.index as usize].take().map(|(_, row)| row)
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

    #[test]
    fn an_old_id_finds_nothing() {
        let mut table = Table::new();
        table.insert(id(1, 0), 'a');
        assert_eq!(table.remove(id(1, 0)), Some('a'));
        table.insert(id(1, 1), 'b');
        assert_eq!(table.get_mut(id(1, 0)), None);
        assert_eq!(table.remove(id(1, 0)), None);
        assert_eq!(table.get_mut(id(1, 1)), Some(&mut 'b'));
    }
}
