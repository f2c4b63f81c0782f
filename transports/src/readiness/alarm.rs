//! How other threads wake a loop.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

/// The end that any thread may ring. As a [`Wake`] it makes the waker that a log is started with.
pub(super) struct Alarm {
    line: UnixStream,
    /// Whether there is a byte on the line that the loop has not heard: another would tell it nothing new.
    rung: AtomicBool,
}

/// The loop's end.
pub(super) struct Bell {
    line: UnixStream,
    alarm: Arc<Alarm>,
}

/// A line between other threads and a loop.
pub(super) fn alarm() -> io::Result<(Arc<Alarm>, Bell)> {
    let (ring, hear) = UnixStream::pair()?;
    ring.set_nonblocking(true)?;
    hear.set_nonblocking(true)?;
    let alarm = Arc::new(Alarm { line: ring, rung: AtomicBool::new(false) });
    Ok((alarm.clone(), Bell { line: hear, alarm }))
}

impl Alarm {
    /// Makes the loop's current or next wait end. What the loop shall find must be in place before.
    pub(super) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // It fails where the loop is gone, and then there is nobody to wake.
            let _ = (&self.line).write(&[1]);
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

impl Bell {
    /// Hears the ring. Whatever was put in place before a ring is to be looked for after this.
    pub(super) fn hear(&mut self) {
        // One byte, sent before this, is all there can be: the next is sent only after the flag is lowered.
        let _ = self.line.read(&mut [0; 8]);
        self.alarm.rung.swap(false, Ordering::AcqRel);
        // A ring between those two lines sent nothing, but what it announced is in place and found all the same.
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rings_are_one_byte_and_the_next_ring_is_heard_again() {
        let (alarm, mut bell) = alarm().unwrap();
        for _ in 0..3 {
            alarm.ring();
            alarm.ring();
            assert_eq!(bell.line.read(&mut [0; 8]).unwrap(), 1);
            bell.hear();
        }
    }
}
