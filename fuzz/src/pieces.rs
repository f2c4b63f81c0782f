//! How a stream of bytes is cut.

use std::hash::Hasher as _;

use fastrand::Rng;
use fnv::FnvHasher;

/// Where a stream is cut: nowhere, or anywhere.
#[derive(Clone, Debug)]
pub(crate) enum Pieces {
    /// All there is goes at once.
    Whole,
    /// Byte by byte here and in long pieces there.
    Any(Rng),
}

impl Pieces {
    /// Cuts that these bytes decide, each other byte in another way.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut hasher = FnvHasher::default();
        hasher.write(bytes);
        Self::Any(Rng::with_seed(hasher.finish()))
    }

    /// How many of so many bytes go next: at least one where there are any.
    pub(crate) fn next(&mut self, of: usize) -> usize {
        let Self::Any(rng) = self else { return of };
        let most = match rng.u8(0..3) {
            0 => 1,
            1 => 16,
            _ => of,
        };
        rng.usize(1..=most.max(1)).min(of)
    }

    /// These bytes, cut.
    pub(crate) fn cut<'b>(&mut self, bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let mut rest = bytes;
        std::iter::from_fn(|| {
            let (piece, later) = rest.split_at(self.next(rest.len()));
            rest = later;
            (!piece.is_empty()).then_some(piece)
        })
        .collect()
    }

    /// As many slices as a write asks for at once.
    pub(crate) fn slices<'b>(&mut self) -> Vec<&'b [u8]> {
        vec![
            &[][..];
            match self {
                Self::Whole => 8,
                Self::Any(rng) => rng.usize(1..=8),
            }
        ]
    }
}

/// Runs the same with bytes whole and cut, and compares what comes of it.
pub(crate) fn same_however_cut<T: PartialEq + std::fmt::Debug>(bytes: &[u8], mut of: impl FnMut(&mut Pieces) -> T) {
    let whole = of(&mut Pieces::Whole);
    let cut = of(&mut Pieces::of(bytes));
    assert_eq!(whole, cut);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_all_there() {
        for length in 0..200_u8 {
            let bytes: Vec<u8> = (0..length).collect();
            assert_eq!(Pieces::of(&bytes).cut(&bytes).concat(), bytes);
            assert_eq!(Pieces::Whole.cut(&bytes).len(), usize::from(length > 0));
        }
    }
}
