//! Which code opens what.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::code::Code;
use crate::id::RoomId;
use crate::name::Folded;
use crate::role::Role;

/// What a code opens: a room, by one of its codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Opens {
    pub(super) room: u32,
    pub(super) access: u32,
}

/// The codes of all rooms under a keyed hash: one guess costs one hash and one look-up whatever the number of rooms, and
/// how long it takes says nothing about any code, because nobody outside knows how the table is ordered.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Codebook {
    key: [u8; 32],
    /// By the code and then by the room. Of two rooms with an equal code, the first has it.
    codes: BTreeMap<(CodeHash, u32), u32>,
    /// The codes of each room.
    rooms: BTreeMap<u32, Vec<CodeHash>>,
    /// Those that were some room's and are no more, oldest first. One of them may be some room's again by now.
    retired: VecDeque<CodeHash>,
    /// The same, to be looked up.
    once: BTreeSet<CodeHash>,
}

/// A code under the table's key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CodeHash([u8; 32]);

/// What there is to say of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Standing {
    /// It opens this.
    Opens(Opens),
    /// It once opened something. Whoever has it was told it once: that is no guess.
    Retired,
}

/// How many codes that open nothing any more are remembered.
const RETIRED: usize = 4_096;

impl Codebook {
    pub(super) fn new(key: [u8; 32]) -> Self {
        let (codes, rooms) = (BTreeMap::new(), BTreeMap::new());
        Self { key, codes, rooms, retired: VecDeque::new(), once: BTreeSet::new() }
    }

    /// From here on these codes open a room, by these of its accesses, and no others do. It costs nothing for each code of
    /// another room.
    pub(super) fn set(&mut self, room: u32, codes: impl IntoIterator<Item = (CodeHash, u32)>) {
        let before = self.rooms.remove(&room).unwrap_or_default();
        for &hash in &before {
            self.codes.remove(&(hash, room));
        }
        let mut now = Vec::new();
        for (hash, access) in codes {
            self.codes.insert((hash, room), access);
            now.push(hash);
        }
        for hash in before {
            if !self.codes.contains_key(&(hash, room)) && self.once.insert(hash) {
                self.retired.push_back(hash);
            }
        }
        while self.retired.len() > RETIRED {
            if let Some(oldest) = self.retired.pop_front() {
                self.once.remove(&oldest);
            }
        }
        if !now.is_empty() {
            self.rooms.insert(room, now);
        }
    }

    /// What somebody typed, as the table has it; `None`: it can't be a code.
    pub(super) fn hash_typed(&self, typed: &str) -> Option<CodeHash> {
        Some(self.hash(&typed.parse().ok()?))
    }

    /// What a code is good for; `None`: it never opened anything that is remembered.
    pub(super) fn look_up(&self, hash: CodeHash) -> Option<Standing> {
        let mut rooms = self.codes.range((hash, 0)..=(hash, u32::MAX));
        match rooms.next() {
            Some((&(_, room), &access)) => Some(Standing::Opens(Opens { room, access })),
            None => self.once.contains(&hash).then_some(Standing::Retired),
        }
    }

    pub(super) fn hash(&self, code: &Code) -> CodeHash {
        self.hash_bytes(code.canonical().as_bytes())
    }

    /// What lets an account into the rooms that list it, as the table has it. No code has a space in it.
    pub(super) fn hash_account(&self, account: &Folded, room: &RoomId) -> CodeHash {
        self.hash_bytes(alloc::format!("account {room} {}", account.as_str()).as_bytes())
    }

    /// What lets those in who came by a code that is the room's no more, and have this role by it.
    pub(super) fn hash_former(&self, role: Role, room: &RoomId) -> CodeHash {
        self.hash_bytes(alloc::format!("former {room} {role}").as_bytes())
    }

    fn hash_bytes(&self, bytes: &[u8]) -> CodeHash {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.key);
        let mac: Hmac<Sha256> = Hmac::new(&block.into());
        CodeHash(mac.chain_update(bytes).finalize().into_bytes().into())
    }
}

/// Says nothing of the key.
impl core::fmt::Debug for Codebook {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Codebook").field("codes", &self.codes.len()).finish_non_exhaustive()
    }
}

/// Says nothing of the code.
impl core::fmt::Debug for CodeHash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CodeHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u8) -> CodeHash {
        CodeHash([n; 32])
    }

    #[test]
    fn a_code_of_two_rooms_is_the_firsts_and_then_the_others_and_then_nobodys() {
        let mut book = Codebook::new([7; 32]);
        book.set(1, [(hash(1), 0), (hash(2), 1)]);
        book.set(0, [(hash(1), 3)]);
        let opens = |book: &Codebook, n| book.look_up(hash(n));
        assert_eq!(opens(&book, 1), Some(Standing::Opens(Opens { room: 0, access: 3 })));
        book.set(0, []);
        assert_eq!(opens(&book, 1), Some(Standing::Opens(Opens { room: 1, access: 0 })));
        book.set(1, [(hash(2), 0)]);
        assert_eq!(opens(&book, 1), Some(Standing::Retired));
        assert_eq!(opens(&book, 2), Some(Standing::Opens(Opens { room: 1, access: 0 })));
        book.set(5, [(hash(1), 0)]);
        assert_eq!(opens(&book, 1), Some(Standing::Opens(Opens { room: 5, access: 0 })));
        assert_eq!(opens(&book, 9), None);
    }

    #[test]
    fn so_many_that_are_no_more_are_remembered_and_the_oldest_are_not() {
        let mut book = Codebook::new([7; 32]);
        let of = |n: u32| CodeHash(core::array::from_fn(|at| n.to_be_bytes()[at % 4]));
        for n in 0..=RETIRED as u32 + 1 {
            book.set(0, [(of(n), 0)]);
        }
        assert_eq!(book.look_up(of(0)), None);
        assert_eq!(book.look_up(of(1)), Some(Standing::Retired));
        assert_eq!(book.retired.len(), book.once.len());
    }
}
