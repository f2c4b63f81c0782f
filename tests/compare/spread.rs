//! Repeated measurements of one thing.

/// The middle one, the least and the most of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// `None` where nothing was measured.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() {
            0 => return None,
            n if n.is_multiple_of(2) => (values[middle - 1] + values[middle]) / 2.0,
            _ => values[middle],
        };
        Some(Self { median, least: values[0], most: values[values.len() - 1] })
    }

    /// `0.33 (0.31–0.36)`, or without the spread where there is none.
    pub(crate) fn show(self) -> String {
        let Self { median, least, most } = self;
        if number(least) == number(most) {
            return number(median);
        }
        format!("{} ({}–{})", number(median), number(least), number(most))
    }
}

/// With two significant digits or more.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one_counts() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(Spread::of([1.0, 2.0]).map(|spread| spread.median), Some(1.5));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn a_spread_is_shown_where_there_is_one() {
        assert_eq!(Spread { median: 0.33, least: 0.31, most: 0.36 }.show(), "0.330 (0.310–0.360)");
        assert_eq!(Spread { median: 12.34, least: 12.34, most: 12.34 }.show(), "12.3");
    }
}
