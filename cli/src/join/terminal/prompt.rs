//! The line at the bottom: where we are or what we wait for, and what is being typed.

use std::time::{Duration, Instant};

use qun_core::client::Status;

use super::{Stage, Terminal};
use crate::join::layout;
use crate::session::State;

impl Terminal {
    /// What stands before what is typed: where we are, or what we wait for.
    pub(super) fn label(&self, columns: usize) -> String {
        if let Some((name, _)) = &self.asking {
            return layout::shorten(&format!("Password of {name}"), columns * 2 / 3) + ": ";
        }
        let status = self.state.as_ref().map_or(Status::Connecting, |state| state.status);
        let tail = match self.pending() {
            0 => String::new(),
            n => format!(" · {n} unsent"),
        };
        // Less of what stands before it is shown rather than how much is unsent.
        let room = (columns * 2 / 3).saturating_sub(layout::width(&tail));
        let link = match (self.stage, status) {
            (Stage::Leaving { .. }, _) => Some("leaving…".into()),
            (_, Status::Waiting { until }) => match self.seconds_until(until) {
                0 => Some("connecting…".into()),
                s => Some(countdown(s, room)),
            },
            (_, Status::Connecting) => Some("connecting…".into()),
            (_, Status::Online | Status::Ended) => None,
        };
        let title = self.scribe.current.as_ref().map(|room| layout::shorten(self.scribe.title(room), columns / 4));
        let place = match (link, self.stage) {
            // Somebody who is asked for a code may type it before there is a connection.
            (None, Stage::Outside) => return "Room code: ".into(),
            (Some(link), Stage::Outside) => {
                return layout::shorten(&format!("{link} · Room code"), columns * 2 / 3) + ": ";
            }
            (Some(link), _) => link,
            (None, _) => title.unwrap_or_else(|| "knocking…".into()),
        };
        layout::shorten(&place, room) + &tail + "> "
    }

    fn seconds_until(&self, then: qun_core::Instant) -> u64 {
        self.clock.map_or(0, |clock| u64::try_from(clock.until(then).as_millis().div_ceil(1_000)).unwrap_or(0))
    }

    /// How long until the prompt would look different by itself.
    pub(super) fn wake(&self) -> Option<Duration> {
        if let Stage::Leaving { until, .. } = self.stage {
            return Some(until.saturating_duration_since(Instant::now()));
        }
        let Some(State { status: Status::Waiting { until }, .. }) = &self.state else { return None };
        let left = self.clock?.until(*until);
        let part = Duration::from_nanos(u64::from(left.subsec_nanos()));
        (!left.is_zero()).then(|| part + Duration::from_millis(1))
    }

    /// What stands behind the label, and where the cursor is in it.
    pub(super) fn typed_so_far(&self) -> (&str, usize) {
        match self.asking {
            Some(_) => ("", 0),
            None => (self.editor.text(), self.editor.cursor()),
        }
    }
}

/// When it is tried again, in the most words that fit.
fn countdown(seconds: u64, columns: usize) -> String {
    let mut words = [format!("reconnecting in {seconds} s"), format!("retry in {seconds} s")].into_iter();
    words.find(|words| layout::width(words) <= columns).unwrap_or_else(|| format!("{seconds} s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_countdown_says_what_fits() {
        let all = [40, 19, 15, 5].map(|columns| countdown(12, columns));
        assert_eq!(all, ["reconnecting in 12 s", "retry in 12 s", "retry in 12 s", "12 s"]);
    }
}
