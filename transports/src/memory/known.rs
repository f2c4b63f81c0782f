//! Which says a room has, by what makes them idempotent.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;
use qun_core::{Id, KeyHash, Seq};

use super::Held;

/// What makes a say idempotent.
pub(super) type Once = (KeyHash, Id);

/// A say's [`Once`] and its hash, which is the most that an index costs: it is made once for each say.
#[derive(Clone, Copy)]
pub(super) struct Hashed {
    pub(super) once: Once,
    pub(super) hash: u64,
}

/// An index of the says in a deque of messages without a hole. Of each it has only the lower half of its seq, so that those of
/// a hundred rooms stay in the processor's caches, where messages do not: it is looked into thrice for each message, at places
/// that nobody foresees. It is asked and never walked, so its order shows nowhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    says: HashTable<u32>,
    hasher: RandomState,
}

impl Known {
    pub(super) fn hash(&self, once: Once) -> Hashed {
        Hashed { once, hash: self.hasher.hash_one(once) }
    }

    /// The seq of a say among the messages that are held.
    pub(super) fn get(&self, Hashed { once, hash }: Hashed, held: &VecDeque<Held>) -> Option<Seq> {
        let is_it = |&say: &u32| at(held, say).is_some_and(|held| held.hash == hash && held.once() == Some(once));
        self.says.find(hash, is_it).and_then(|&say| at(held, say)).map(|held| held.record.seq)
    }

    /// Adds the newest message held, a say that is not there.
    pub(super) fn insert(&mut self, held: &VecDeque<Held>) {
        let Some(newest) = held.back() else { return };
        let hash = |&say: &u32| at(held, say).map_or(0, |held| held.hash);
        self.says.insert_unique(newest.hash, low(newest.record.seq), hash);
    }

    /// Takes a say away that is held no more.
    pub(super) fn remove(&mut self, held: &Held) {
        if let Ok(entry) = self.says.find_entry(held.hash, |&say| say == low(held.record.seq)) {
            entry.remove();
        }
    }
}

/// Of all that are held at once no two are alike in it.
fn low(seq: Seq) -> u32 {
    seq.get() as u32
}

fn at(held: &VecDeque<Held>, say: u32) -> Option<&Held> {
    held.get(say.wrapping_sub(low(held.front()?.record.seq)) as usize)
}
