//! Connections by their ids.

use qun_core::ConnId;

/// What the loop keeps of each connection. As long as the most connections that there ever were at once.
#[derive(Debug)]
pub(super) struct Table<T> {
    rows: Vec<Option<(u32, T)>>,
}

impl<T> Table<T> {
    pub(super) fn new() -> Self {
        Self { rows: Vec::new() }
    }

    pub(super) fn insert(&mut self, conn: ConnId, row: T) {
        let index = conn.index as usize;
        if index >= self.rows.len() {
            self.rows.resize_with(index + 1, || None);
        }
        self.rows[index] = Some((conn.generation, row));
    }

    pub(super) fn get_mut(&mut self, conn: ConnId) -> Option<&mut T> {
        match self.rows.get_mut(conn.index as usize)? {
            Some((generation, row)) if *generation == conn.generation => Some(row),
            _ => None,
        }
    }

    /// Whoever has this index now.
    pub(super) fn at_mut(&mut self, index: u32) -> Option<(ConnId, &mut T)> {
        let (generation, row) = self.rows.get_mut(index as usize)?.as_mut()?;
        Some((ConnId { index, generation: *generation }, row))
    }

    pub(super) fn remove(&mut self, conn: ConnId) -> Option<T> {
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
