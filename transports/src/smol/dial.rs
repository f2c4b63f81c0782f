//! An attempt to connect.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use async_io::{Async, Timer};

use super::relay::Relay;
use crate::readiness::connect::ADDRESS;
use crate::readiness::resolve::Resolver;
use crate::readiness::socket;

/// The way to one server: looks its name up anew at each attempt, and tries each of its addresses.
pub(super) struct Dialer {
    resolver: Resolver,
    relay: Arc<Relay>,
    attempt: Option<Attempt>,
}

/// Fails with words for a person.
type Attempt = Pin<Box<dyn Future<Output = Result<Async<TcpStream>, String>> + Send>>;

impl Dialer {
    /// # Errors
    /// Where `server` does not look like `host:port`.
    pub(super) fn new(server: String) -> io::Result<Self> {
        let relay = Arc::<Relay>::default();
        Ok(Self { resolver: Resolver::new(server, relay.clone().into())?, relay, attempt: None })
    }

    /// Begins anew.
    pub(super) fn start(&mut self) {
        self.attempt = None;
        self.resolver.start();
    }

    /// Gives the attempt up.
    pub(super) fn stop(&mut self) {
        self.attempt = None;
    }

    /// What became of the attempt.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Async<TcpStream>, String>> {
        let attempt = match &mut self.attempt {
            Some(attempt) => attempt,
            None => {
                self.relay.look(cx);
                match self.resolver.poll() {
                    Some(Ok(addrs)) => self.attempt.insert(Box::pin(try_each(addrs))),
                    Some(Err(error)) => return Poll::Ready(Err(error.to_string())),
                    None => return Poll::Pending,
                }
            }
        };
        let result = attempt.as_mut().poll(cx);
        if result.is_ready() {
            self.attempt = None;
        }
        result
    }
}

/// Tries one address after the other. Where there is another to try, one has only so long; the last has as long as
/// whoever asked for it waits.
async fn try_each(addrs: Vec<SocketAddr>) -> Result<Async<TcpStream>, String> {
    let mut trouble = String::new();
    let mut addrs = addrs.into_iter().peekable();
    while let Some(addr) = addrs.next() {
        let connecting = Async::<TcpStream>::connect(addr);
        let result = if addrs.peek().is_some() { in_time(connecting).await } else { connecting.await };
        match result.and_then(|stream| socket::prepare(stream.get_ref()).map(|()| stream)) {
            Ok(stream) => return Ok(stream),
            Err(error) => trouble = format!("{addr}: {error}"),
        }
    }
    Err(trouble)
}

async fn in_time<T>(future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let mut future = pin!(future);
    let mut timer = Timer::after(ADDRESS);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => Pin::new(&mut timer).poll(cx).map(|_| Err(io::ErrorKind::TimedOut.into())),
    })
    .await
}
