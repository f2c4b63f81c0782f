//! Which says a room has, by what makes them idempotent.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;
use qun_core::{Id, KeyHash, Seq};

/// What makes a say idempotent.
pub(super) type Once = (KeyHash, Id);

/// An index of says that are kept elsewhere: of each only its seq and a hash, so that a message costs few cache lines.
/// It is asked and never walked, so its order shows nowhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    says: HashTable<Say>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Say {
    hash: u64,
    seq: Seq,
}

impl Known {
    /// What a say is found by. It is the most that an index costs, and is asked for once for each say.
    pub(super) fn hash(&self, once: &Once) -> u64 {
        self.hasher.hash_one(once)
    }

    /// The seq of a say of this hash; `is` says whether a seq's message is the one that is looked for.
    pub(super) fn get(&self, hash: u64, is: impl Fn(Seq) -> bool) -> Option<Seq> {
        self.says.find(hash, |say| say.hash == hash && is(say.seq)).map(|say| say.seq)
    }

    /// Adds a say that is not there.
    pub(super) fn insert(&mut self, hash: u64, seq: Seq) {
        self.says.insert_unique(hash, Say { hash, seq }, |say| say.hash);
    }

    /// Takes a say away.
    pub(super) fn remove(&mut self, hash: u64, seq: Seq) {
        if let Ok(entry) = self.says.find_entry(hash, |say| say.seq == seq) {
            entry.remove();
        }
    }
}
