//! One connection, as its client has it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use socket2::SockRef;

/// A connection's other end: blocking reads and writes, with a limit.
pub trait Wire: Read + Write + Send + Sized + 'static {
    /// The same connection once more, to write while another thread reads.
    ///
    /// # Errors
    /// Where there is no other.
    fn another(&self) -> io::Result<Self>;

    /// How long a read or a write may take before it fails with [`WouldBlock`](io::ErrorKind::WouldBlock) or
    /// [`TimedOut`](io::ErrorKind::TimedOut).
    ///
    /// # Errors
    /// Where it can't be limited.
    fn limit(&self, time: Duration) -> io::Result<()>;

    /// Sends no more; still reads.
    ///
    /// # Errors
    /// Where the connection is gone already.
    fn half_close(&self) -> io::Result<()>;

    /// Hangs up without a goodbye, as a crash or a lost network does.
    ///
    /// # Errors
    /// Where that can't be done.
    fn reset(self) -> io::Result<()>;
}

impl Wire for TcpStream {
    fn another(&self) -> io::Result<Self> {
        self.try_clone()
    }

    fn limit(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }

    fn half_close(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn reset(self) -> io::Result<()> {
        SockRef::from(&self).set_linger(Some(Duration::ZERO))
    }
}
