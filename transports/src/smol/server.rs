//! The server as a future.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_io::Async;
use qun_core::server::Config;

use super::timer::Timer;
use crate::log::Log;
use crate::readiness::kind;
use crate::readiness::server::Flow;
use crate::readiness::{self, Event, Handle};

/// Turns at one poll while there is more to do: after so many the executor's other tasks have theirs.
const TURNS: u32 = 8;

/// A server that takes connections from all these listeners while it is awaited.
///
/// ```no_run
/// use qun_core::server::Config;
/// use qun_transports::MemoryLog;
///
/// # async fn go(config: Config) -> std::io::Result<()> {
/// let listener = std::net::TcpListener::bind("127.0.0.1:7777")?;
/// let log = MemoryLog::new(qun_transports::smol::seed()?);
/// let server = qun_transports::smol::serve([listener], config, log)?;
/// let handle = server.handle(); // drains it from another task, say
/// server.await
/// # }
/// ```
///
/// # Errors
/// Where the system has no randomness, no poller for it, or a listener can't be watched.
pub fn serve<L: Log>(
    listeners: impl IntoIterator<Item = TcpListener>,
    config: Config,
    log: L,
) -> io::Result<Server<L>> {
    let (poller, watched) = kind::nested()?;
    let ready = Async::new_nonblocking(watched)?;
    let listeners = listeners.into_iter().collect();
    let inner = readiness::Server::over(poller, listeners, config, log, super::seed()?)?;
    let handle = inner.handle();
    let clock = inner.clock();
    let running = Running { inner, ready, timer: Timer::new(clock) };
    Ok(Server { running: Some(Box::new(running)), handle, on_event: Box::new(|_| {}) })
}

/// A server on TCP: a future that serves while it is polled and ends when a [`Handle`] ends it.
///
/// It may be awaited as `&mut server`, left alone, and awaited again; meanwhile nobody is served and nothing is lost.
/// Dropping it drops its connections without a goodbye.
///
/// # Errors
/// It ends with an error where its poller or a listener breaks. No failure of a connection ends it.
#[must_use = "a server serves only while it is awaited"]
pub struct Server<L> {
    /// `None` once it has ended.
    running: Option<Box<Running<L>>>,
    handle: Handle,
    on_event: Box<dyn FnMut(Event) + Send>,
}

struct Running<L> {
    inner: readiness::Server<L>,
    /// Readable while one of the server's sources is ready.
    ready: Async<OwnedFd>,
    timer: Timer,
}

impl<L: Log> Server<L> {
    /// What stops, reloads and observes the server from elsewhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Shows `on_event` what an operator may want to know. It is called while the server is polled, and holds it up.
    pub fn on_event(mut self, on_event: impl FnMut(Event) + Send + 'static) -> Self {
        self.on_event = Box::new(on_event);
        self
    }
}

impl<L: Log> Future for Server<L> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { running, on_event, .. } = self.get_mut();
        let Some(server) = running else { return Poll::Ready(Ok(())) };
        let polled = server.poll(cx, &mut **on_event);
        if polled.is_ready() {
            *running = None;
        }
        polled
    }
}

impl<L: Log> Running<L> {
    fn poll(&mut self, cx: &mut Context<'_>, on_event: &mut dyn FnMut(Event)) -> Poll<io::Result<()>> {
        // What woke us is taken before the turns that deal with it, or it would cost another turn after them.
        let _ = self.ready.poll_readable(cx)?;
        for _ in 0..TURNS {
            match self.inner.turn(Some(Duration::ZERO), on_event)? {
                Flow::Ends => return Poll::Ready(Ok(())),
                // Looking again is cheaper than sleeping where others have come meanwhile.
                Flow::Busy => continue,
                Flow::Idle => {}
            }
            if self.sleeps(cx)? {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Arranges to be woken; says whether that is to be waited for.
    fn sleeps(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        if self.timer.poll(cx, self.inner.deadline()).is_ready() {
            return Ok(false);
        }
        Ok(self.ready.poll_readable(cx)?.is_pending())
    }
}

impl<L> fmt::Debug for Server<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("connections", &self.handle.connections()).finish_non_exhaustive()
    }
}
