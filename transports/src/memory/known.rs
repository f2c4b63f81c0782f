//! Which says a room has, by what makes them idempotent.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use hashbrown::HashTable;
use qun_core::{Id, KeyHash, Seq};

/// What makes a say idempotent.
pub(super) type Once = (KeyHash, Id);

/// A say's [`Once`] and its hash, which is the most that an index costs: it is made once for each say.
#[derive(Clone, Copy)]
pub(super) struct Hashed {
    pub(super) once: Once,
    pub(super) hash: u32,
}

/// An index of the says among messages without a hole. Of each it has only the lower half of its seq, and its hash, so
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
        let (mut state, mut bytes) = (self.hasher.build_hasher(), [0; 8 + Id::MAX]);
        let (part, id) = (&key[..8], id.as_str().as_bytes());
        // In one piece, which takes half of what two take. The key is a hash already, of which a part will do.
        bytes[..8].copy_from_slice(part);
        bytes[8..8 + id.len()].copy_from_slice(id);
        state.write(&bytes[..8 + id.len()]);
        let hash = state.finish() as u32;
        Hashed { once, hash }
    }

    /// The seq of a say among messages of which the first is `first`. `is_at` says whether it is the one at a place behind that.
    pub(super) fn get(&self, hash: u32, first: Seq, is_at: impl Fn(usize) -> bool) -> Option<Seq> {
        let place = |entry: &Entry| entry.seq.wrapping_sub(low(first)) as usize;
        let found = self.says.find(spread(hash), |entry| entry.hash == hash && is_at(place(entry)))?;
        Some(first.plus(place(found) as u64))
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
