//! What a poller's keys stand for.

use qun_core::ConnId;

/// A source of the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Bell,
    Listener(usize),
    /// A connection, or what is left of one that lingers: of its generation only the lower [30 bits](Self::GENERATION) are
    /// told, of which nobody waits for the next who has the same.
    Conn(ConnId),
}

impl Key {
    const SHIFT: u32 = 62;
    const GENERATION: u32 = (1 << 30) - 1;

    pub(super) fn of(key: u64) -> Self {
        match key >> Self::SHIFT {
            0 => Self::Conn(ConnId { index: key as u32, generation: (key >> 32) as u32 }),
            1 => Self::Listener((key & !(3 << Self::SHIFT)) as usize),
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
        u64::from(conn.generation & Self::GENERATION) << 32 | u64::from(conn.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_what_it_was_made_of() {
        assert_eq!(Key::of(Key::bell()), Key::Bell);
        assert_eq!(Key::of(Key::listener(3)), Key::Listener(3));
        let conn = ConnId { index: u32::MAX, generation: Key::GENERATION };
        assert_eq!(Key::of(Key::conn(conn)), Key::Conn(conn));
        assert_eq!(Key::of(Key::conn(ConnId { generation: u32::MAX, ..conn })), Key::Conn(conn));
    }
}
