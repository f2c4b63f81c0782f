//! What a poller's keys stand for.

use qun_core::ConnId;

/// A source of the server's. A connection's index is not used again before all that was ready is looked at, so it needs
/// no generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Bell,
    Listener(usize),
    Conn(u32),
    Lingering,
}

impl Key {
    const SHIFT: u32 = 62;

    pub(super) fn of(key: u64) -> Self {
        match key >> Self::SHIFT {
            0 => Self::Conn(key as u32),
            1 => Self::Listener((key & !(3 << Self::SHIFT)) as usize),
            2 => Self::Lingering,
            _ => Self::Bell,
        }
    }

    pub(super) fn bell() -> u64 {
        3 << Self::SHIFT
    }

    pub(super) fn listener(index: usize) -> u64 {
        1 << Self::SHIFT | index as u64
    }

    pub(super) fn conn(conn: ConnId) -> u64 {
        u64::from(conn.index)
    }

    pub(super) fn lingering(number: u64) -> u64 {
        2 << Self::SHIFT | number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_what_it_was_made_of() {
        assert_eq!(Key::of(Key::bell()), Key::Bell);
        assert_eq!(Key::of(Key::listener(3)), Key::Listener(3));
        assert_eq!(Key::of(Key::conn(ConnId { index: u32::MAX, generation: 7 })), Key::Conn(u32::MAX));
        assert_eq!(Key::of(Key::lingering(1 << 40)), Key::Lingering);
    }
}
