//! Looking up a host's addresses without holding up the loop.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::task::Waker;
use std::thread;

/// The resolver of one server's name: a thread for each look-up, since the system's resolver blocks and can't be given
/// up, and never more than one at a time.
pub(crate) struct Resolver {
    server: String,
    waker: Waker,
    answer: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
}

impl Resolver {
    /// A resolver of `server`, `host:port`, that wakes when it has an answer.
    ///
    /// # Errors
    /// Where `server` does not look like that.
    pub(crate) fn new(server: String, waker: Waker) -> io::Result<Self> {
        let looks_right = server.parse::<SocketAddr>().is_ok()
            || server.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !looks_right {
            let message = format!("{server:?} is no server's address; one looks like chat.example.org:7777");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(Self { server, waker, answer: None })
    }

    /// Looks the name up; [`poll`](Self::poll) has the answer. Where a look-up is still under way, its answer will do.
    pub(crate) fn start(&mut self) {
        if self.answer.is_some() {
            return;
        }
        let (tell, answer) = mpsc::channel();
        self.answer = Some(answer);
        if let Ok(addr) = self.server.parse::<SocketAddr>() {
            let _ = tell.send(Ok(vec![addr]));
            return;
        }
        let (server, waker) = (self.server.clone(), self.waker.clone());
        // Where no thread can be had, `tell` is dropped, and that is an answer too.
        let _ = thread::Builder::new().name("qun-resolve".into()).spawn(move || {
            let _ = tell.send(server.to_socket_addrs().map(Iterator::collect));
            waker.wake();
        });
    }

    /// The answer, once. At least one address.
    pub(crate) fn poll(&mut self) -> Option<io::Result<Vec<SocketAddr>>> {
        let answer = match self.answer.as_ref()?.try_recv() {
            Ok(Ok(addrs)) if addrs.is_empty() => {
                Err(io::Error::new(io::ErrorKind::NotFound, format!("{} has no address", self.server)))
            }
            Ok(answer) => answer,
            Err(TryRecvError::Disconnected) => Err(io::Error::other("no thread could be had to look up the server")),
            Err(TryRecvError::Empty) => return None,
        };
        self.answer = None;
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_no_thread_and_a_wrong_one_is_refused_at_once() {
        let waker = Waker::noop();
        let mut resolver = Resolver::new("[::1]:7777".into(), waker.clone()).unwrap();
        assert!(resolver.poll().is_none());
        resolver.start();
        assert_eq!(resolver.poll().unwrap().unwrap(), ["[::1]:7777".parse().unwrap()]);
        assert!(resolver.poll().is_none());
        for wrong in ["", "host", "host:", ":1", "host:70000"] {
            assert!(Resolver::new(wrong.into(), waker.clone()).is_err(), "{wrong:?}");
        }
    }
}
