//! What must not come for all at once: how long each is to wait is drawn.

use std::time::Duration;

/// How often in a row the same may be drawn: of ten thousand numbers one is not drawn four times in a row in any world that
/// anybody will see.
const MOST: u32 = 3;

/// Something that is drawn anew each time.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::sim) struct Spread {
    last: Duration,
    times: u32,
}

impl Spread {
    /// It is drawn once more; says whether it surely was not.
    pub(in crate::sim) fn is_fixed(&mut self, drawn: Duration) -> bool {
        self.times = if drawn == self.last { self.times + 1 } else { 1 };
        self.last = drawn;
        self.times > MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_four_times_in_a_row_was_not_drawn() {
        let mut spread = Spread::default();
        let fixed: Vec<bool> =
            [5, 5, 5, 6, 5, 5, 5, 5].map(|ms| spread.is_fixed(Duration::from_millis(ms))).into_iter().collect();
        assert_eq!(fixed, [false, false, false, false, false, false, false, true]);
    }
}
