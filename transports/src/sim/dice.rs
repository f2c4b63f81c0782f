//! Where choices come from: a script, as far as it goes, and then a generator.

use std::ops::{Bound, RangeBounds};

use fastrand::Rng;

/// Makes the choices of one kind (see [`Script`]): the first ones are given, all others follow from a seed.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    script: std::vec::IntoIter<u8>,
    rng: Rng,
}

/// The first choices of a world, given instead of drawn, so that a fuzzer can steer each by itself. Those of the network,
/// of people, of fate and of the log are apart, so that another choice of one leaves the others as they are.
///
/// A choice among up to 256 takes a byte, any other takes two, and of a longer range they hit every so many. The lowest
/// byte is the lowest choice: of chances, the one that something happens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// How long what is sent takes, whether it is lost, how it is split.
    pub net: Vec<u8>,
    /// Who does what.
    pub acts: Vec<u8>,
    /// What strikes, when, and whom.
    pub chaos: Vec<u8>,
    /// When the log answers, and how.
    pub log: Vec<u8>,
}

/// Integers in a range: every number of it is possible by the generator, and about as likely by either.
macro_rules! integers {
    ($($integer:ident)*) => {$(
        pub(super) fn $integer(&mut self, range: impl RangeBounds<$integer>) -> $integer {
            if self.script.as_slice().is_empty() {
                return self.rng.$integer(range);
            }
            let low = match range.start_bound() {
                Bound::Included(low) | Bound::Excluded(low) => *low,
                Bound::Unbounded => $integer::MIN,
            };
            let high = match range.end_bound() {
                Bound::Included(high) => *high,
                Bound::Excluded(high) => high - 1,
                Bound::Unbounded => $integer::MAX,
            };
            low.wrapping_add(self.given(high.wrapping_sub(low) as u64) as $integer)
        }
    )*};
}

impl Dice {
    pub(super) fn new(script: Vec<u8>, rng: Rng) -> Self {
        Self { script: script.into_iter(), rng }
    }

    pub(super) fn from_seed(seed: u64) -> Self {
        Self::new(Vec::new(), Rng::with_seed(seed))
    }

    integers! { u8 u32 u64 usize i64 }

    pub(super) fn bool(&mut self) -> bool {
        self.u8(..).is_multiple_of(2)
    }

    pub(super) fn choice<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() { None } else { of.get(self.usize(0..of.len())) }
    }

    /// A seed for something else. It decides nothing by itself, so no script gives it.
    pub(super) fn seed(&mut self) -> [u8; 32] {
        std::array::from_fn(|_| self.rng.u8(..))
    }

    /// A generator for something else; of that, too.
    pub(super) fn fork(&mut self) -> Rng {
        self.rng.fork()
    }

    /// The next choice of the script, in `0..=most`. What is missing of its bytes is 0.
    fn given(&mut self, most: u64) -> u64 {
        let (number, of) = match most {
            0..=0xFF => (self.byte(), 1 << 8),
            _ => (self.byte() << 8 | self.byte(), 1 << 16),
        };
        (number * (u128::from(most) + 1) / of) as u64
    }

    fn byte(&mut self) -> u128 {
        self.script.next().unwrap_or_default().into()
    }
}

impl Script {
    /// How many bytes of each kind stand together.
    const BLOCK: [usize; 4] = [8, 4, 2, 2];

    /// Deals bytes out in blocks of 8 for the network, 4 for people, 2 for fate and 2 for the log: what stands earlier is
    /// chosen earlier, and bytes that are put in change nothing of what was chosen before.
    pub fn deal(bytes: &[u8]) -> Self {
        let mut dealt = [const { Vec::new() }; 4];
        let mut rest = bytes;
        for (to, count) in (0..4).zip(Self::BLOCK).cycle() {
            let (some, later) = rest.split_at(count.min(rest.len()));
            dealt[to].extend_from_slice(some);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        let [net, acts, chaos, log] = dealt;
        Self { net, acts, chaos, log }
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        [&self.net, &self.acts, &self.chaos, &self.log].into_iter().map(Vec::len).sum()
    }

    /// Whether all is left to the seed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_comes_first_and_then_what_the_seed_says() {
        let mut dice = Dice::new(vec![0, 255, 128, 0, 1, 0xFF, 0xFF], Rng::with_seed(5));
        assert_eq!([dice.u32(3..7), dice.u32(3..7), dice.u32(3..7)], [3, 6, 5]);
        assert_eq!(dice.u64(0..=65_535), 1);
        assert_eq!(dice.i64(-1_000_000..1_000_000), 999_969);
        let mut rng = Rng::with_seed(5);
        assert_eq!([dice.u32(0..9), dice.u32(0..9)], [rng.u32(0..9), rng.u32(0..9)]);
        assert_eq!(dice.usize(..), rng.usize(..));
    }

    #[test]
    fn every_range_is_kept() {
        for byte in [0, 1, 127, 128, 254, 255] {
            let mut dice = Dice::new(vec![byte; 40], Rng::with_seed(5));
            assert!((5..6).contains(&dice.u8(5..6)));
            assert!((-3..=3).contains(&dice.i64(-3..=3)));
            assert!((7..=u64::MAX - 1).contains(&dice.u64(7..=u64::MAX - 1)));
            assert!(dice.choice(&[1, 2, 3]).is_some() && dice.choice::<u8>(&[]).is_none());
            let _ = (dice.u64(..), dice.i64(..), dice.u8(..));
        }
    }

    #[test]
    fn a_seed_takes_nothing_of_the_script() {
        let mut dice = Dice::new(vec![9], Rng::with_seed(5));
        let _ = (dice.seed(), dice.fork());
        assert_eq!(dice.u8(..), 9);
    }

    #[test]
    fn what_is_appended_changes_no_earlier_choice() {
        let bytes: Vec<u8> = (0..40).collect();
        let script = Script::deal(&bytes);
        assert_eq!(script.net[..9], [0, 1, 2, 3, 4, 5, 6, 7, 16]);
        assert_eq!(
            (&script.acts[..5], &script.chaos[..3], &script.log[..3]),
            (&[8, 9, 10, 11, 24][..], &[12, 13, 28][..], &[14, 15, 30][..])
        );
        assert_eq!(script.len(), 40);
        for end in 0..40 {
            let shorter = Script::deal(&bytes[..end]);
            assert!(script.net.starts_with(&shorter.net) && script.acts.starts_with(&shorter.acts));
            assert!(script.chaos.starts_with(&shorter.chaos) && script.log.starts_with(&shorter.log));
            assert_eq!(shorter.len(), end);
        }
    }
}
