//! Rooms by their ids.

use alloc::collections::BTreeMap;
use core::hash::{Hash, Hasher};

use fnv::FnvHasher;
use hashbrown::HashTable;

use crate::id::RoomId;

/// The places of all rooms, by their ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    places: BTreeMap<RoomId, u32>,
    /// The same, to be asked and never walked. Each message asks more than once, and among ten thousand rooms every step of a
    /// search through the map above would find memory that has left the processor's caches.
    index: HashTable<(RoomId, u32)>,
}

impl Directory {
    /// The room that is called so, if any is.
    pub(super) fn get(&self, id: &[u8]) -> Option<u32> {
        self.index.find(hash(id), |(other, _)| other.as_bytes() == id).map(|(_, place)| *place)
    }

    /// Adds a room whose id is not there.
    pub(super) fn insert(&mut self, id: RoomId, place: u32) {
        self.index.insert_unique(hash_of(&id), (id.clone(), place), |(id, _)| hash_of(id));
        self.places.insert(id, place);
    }

    pub(super) fn remove(&mut self, id: &RoomId) {
        if let Ok(entry) = self.index.find_entry(hash_of(id), |(other, _)| other == id) {
            entry.remove();
        }
        self.places.remove(id);
    }

    /// The ids, in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = &RoomId> {
        self.places.keys()
    }

    /// The places, in the order of the ids.
    pub(super) fn places(&self) -> impl Iterator<Item = u32> {
        self.places.values().copied()
    }
}

impl PartialEq for Directory {
    fn eq(&self, other: &Self) -> bool {
        self.places == other.places
    }
}

impl Eq for Directory {}

impl Hash for Directory {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.places.hash(state);
    }
}

/// Without a secret: only who configures the server says which ids there are.
fn hash(id: &[u8]) -> u64 {
    let mut hasher = FnvHasher::default();
    hasher.write(id);
    hasher.finish()
}

fn hash_of(id: &RoomId) -> u64 {
    hash(id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_what_is_there() {
        let mut directory = Directory::default();
        let id = |number: u32| alloc::format!("room-{number}").parse::<RoomId>().unwrap();
        (0..1_000).for_each(|number| directory.insert(id(number), number));
        (0..1_000).step_by(2).for_each(|number| directory.remove(&id(number)));
        for number in 0..1_000 {
            assert_eq!(directory.get(id(number).as_bytes()), (number % 2 == 1).then_some(number));
        }
        assert_eq!(directory.get(b"room"), None);
        assert_eq!(directory.places().count(), 500);
        assert!(directory.ids().is_sorted());
    }
}
