//! Connections that would hang up unheard.
//!
//! epoll(7) tells of a reset without being asked. select(2) tells only of what stands in one of its sets, and kqueue(2) only of
//! what has a filter: a socket that is reset becomes readable and writable and nothing else (it is no *exceptional
//! condition*), so one that is watched for neither, because the machine wants no more of it now and has nothing
//! to send, is reset without a word. Leaving it in a set is no way out: with bytes that nobody reads yet, or with
//! a free send buffer, every wait would end at once. So who is watched for nothing is looked at now and then.

use std::collections::BTreeSet;
use std::time::Duration;

use qun_core::{ConnId, Instant};

/// The longest that a reset stays unnoticed.
const PERIOD: Duration = Duration::from_millis(250);

/// Who is to be looked at.
#[derive(Default)]
pub(super) struct Unheard {
    /// By index and generation.
    ids: BTreeSet<(u32, u32)>,
    next: Option<Instant>,
}

impl Unheard {
    /// From now on this connection is watched for nothing.
    pub(super) fn add(&mut self, now: Instant, id: ConnId) {
        self.ids.insert((id.index, id.generation));
        self.next.get_or_insert(now + PERIOD);
    }

    /// When it is time to [look](Self::take).
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next
    }

    /// Whom to look at now, if it is time. Who is still watched for nothing is to be added again; others may be among
    /// them that no longer are.
    pub(super) fn take(&mut self, now: Instant) -> impl Iterator<Item = ConnId> + use<> {
        let due = self.next.take_if(|next| *next <= now).is_some();
        let ids = if due { std::mem::take(&mut self.ids) } else { BTreeSet::new() };
        ids.into_iter().map(|(index, generation)| ConnId { index, generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_looked_at_once_a_period() {
        let (ann, bob) = (ConnId { index: 0, generation: 4 }, ConnId { index: 1, generation: 0 });
        let start = Instant::from_micros(0);
        let mut unheard = Unheard::default();
        assert_eq!(unheard.deadline(), None);
        unheard.add(start, bob);
        unheard.add(start + PERIOD / 2, ann);
        unheard.add(start + PERIOD / 2, bob);
        assert_eq!(unheard.deadline(), Some(start + PERIOD));
        assert_eq!(unheard.take(start + PERIOD / 2).count(), 0);
        assert_eq!(unheard.take(start + PERIOD).collect::<Vec<_>>(), [ann, bob]);
        assert_eq!((unheard.deadline(), unheard.take(start + PERIOD * 9).count()), (None, 0));
    }
}
