//! Which says a room has, by what makes them idempotent.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};

use hashbrown::HashTable;
use qun_core::{Id, KeyHash, Seq};

use super::Held;

/// What makes a say idempotent.
pub(super) type Once = (KeyHash, Id);

/// A say's [`Once`] and its hash, which is the most that an index costs: it is made once for each say.
#[derive(Clone, Copy)]
pub(super) struct Hashed {
    pub(super) once: Once,
    pub(super) hash: u32,
}

/// An index of the says in a deque of messages without a hole. Of each it has only the lower half of its seq, and its hash, so
/// that those of a hundred rooms stay in the processor's caches, where messages do not: it is looked into thrice for each
/// message, at places that nobody foresees. It is asked and never walked, so its order shows nowhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    says: HashTable<Entry>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    seq: u32,
    hash: u32,
}

impl Known {
    pub(super) fn hash(&self, once: Once) -> Hashed {
        let (KeyHash(key), id) = once;
        let mut state = self.hasher.build_hasher();
        // It is a hash already, of which a part will do.
        state.write(&key[..8]);
        id.hash(&mut state);
        let hash = state.finish() as u32;
        Hashed { once, hash }
    }

    /// The seq of a say among the messages that are held, the first of which is `first`.
    pub(super) fn get(&self, Hashed { once, hash }: Hashed, held: &VecDeque<Held>, first: Seq) -> Option<Seq> {
        let message = |entry: &Entry| held.get(entry.seq.wrapping_sub(low(first)) as usize);
        let is_it = |entry: &Entry| entry.hash == hash && message(entry).is_some_and(|it| it.once() == Some(once));
        self.says.find(spread(hash), is_it).and_then(message).map(|held| held.record().seq)
    }

    /// Adds a say that is not there.
    pub(super) fn insert(&mut self, hash: u32, seq: Seq) {
        self.says.insert_unique(spread(hash), Entry { seq: low(seq), hash }, |entry| spread(entry.hash));
    }

    /// Takes a say away that is held no more.
    pub(super) fn remove(&mut self, hash: u32, seq: Seq) {
        if let Ok(entry) = self.says.find_entry(spread(hash), |entry| entry.seq == low(seq)) {
            entry.remove();
        }
    }
}

/// The table wants something of a hash in its upper bits, too.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Of all that are held at once no two are alike in it.
fn low(seq: Seq) -> u32 {
    seq.get() as u32
}
