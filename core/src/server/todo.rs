//! What the driver is still to be told, in order.

use alloc::collections::VecDeque;

use super::io::Action;
use crate::id::ConnId;

/// Actions that wait. Nearly all of them say that a connection has something to send, a thousand in a turn of full rooms:
/// those take a few bytes each, where any action has to have room for the largest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Todo {
    /// Who has something to send; `None` stands for the next of `others`.
    order: VecDeque<Option<ConnId>>,
    others: VecDeque<Action>,
}

impl Todo {
    pub(super) fn push_back(&mut self, action: Action) {
        match action {
            Action::Transmit(conn) => self.order.push_back(Some(conn)),
            other => {
                self.order.push_back(None);
                self.others.push_back(other);
            }
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Action> {
        match self.order.pop_front()? {
            Some(conn) => Some(Action::Transmit(conn)),
            None => self.others.pop_front(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}
