//! Which says a room has, by what makes them idempotent.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::mem;

use hashbrown::HashTable;
use qun_core::{Id, KeyHash, Seq};

/// What makes a say idempotent.
pub(super) type Once = (KeyHash, Id);

/// An index of the says among messages without a hole. Of each it has only the lower half of its seq, and its hash, so
/// that those of a hundred rooms stay in the processor's caches, where messages do not: ids are random, so it is looked
/// into at places that nobody foresees. It is asked and never walked, so its order shows nowhere.
///
/// A say that is held no more is not looked up to be taken out. What came is added to the younger half; when all that
/// the older half knows has gone, the younger one takes its place, and what was the older one is begun anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    younger: HashTable<Entry>,
    older: HashTable<Entry>,
    /// Behind the last say of the older half.
    behind_older: Seq,
    /// Behind the last say of all.
    behind: Seq,
    hasher: RandomState,
}

/// A say. No two are alike in this half of their seqs of all that are held at once, nor of twice as many.
#[derive(Clone, Copy, Debug)]
struct Entry {
    seq: u32,
    hash: u32,
}

impl Known {
    /// What a say takes at most: there are as many again that are held no more, and a table doubles when seven eighths of
    /// it are full.
    pub(super) const COST: usize = 2 * 16 * (size_of::<Entry>() + 1) / 7;

    pub(super) fn hash(&self, (KeyHash(key), id): &Once) -> u32 {
        let (mut state, mut bytes) = (self.hasher.build_hasher(), [0; 8 + Id::MAX]);
        let (part, id) = (&key[..8], id.as_str().as_bytes());
        // In one piece, which takes half of what two take. The key is a hash already, of which a part will do.
        bytes[..8].copy_from_slice(part);
        bytes[8..8 + id.len()].copy_from_slice(id);
        state.write(&bytes[..8 + id.len()]);
        state.finish() as u32
    }

    /// The seq of a say among messages of which the first is `first`. `is_it` says of such with the same hash whether one is
    /// the one that is meant; it may be asked of messages that are not held.
    pub(super) fn get(&self, hash: u32, first: Seq, is_it: impl Fn(Seq) -> bool) -> Option<Seq> {
        let seq = |entry: &Entry| first.plus(entry.seq.wrapping_sub(low(first)).into());
        let find =
            |half: &HashTable<Entry>| half.find(spread(hash), |entry| entry.hash == hash && is_it(seq(entry))).map(seq);
        find(&self.younger).or_else(|| find(&self.older))
    }

    /// Adds a say that is not there, behind all others.
    pub(super) fn insert(&mut self, hash: u32, seq: Seq) {
        self.behind = seq.next();
        self.younger.insert_unique(spread(hash), Entry { seq: low(seq), hash }, |entry| spread(entry.hash));
    }

    /// What is held begins at `first` now.
    pub(super) fn forget(&mut self, first: Seq) {
        if self.behind_older <= first {
            self.older.clear();
            mem::swap(&mut self.younger, &mut self.older);
            self.behind_older = self.behind;
        }
    }
}

/// The table wants something of a hash in its upper bits, too.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn low(seq: Seq) -> u32 {
    seq.get() as u32
}
