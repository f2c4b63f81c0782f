//! The loops of this crate.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use qun_core::server::Config;
use qun_transports::conformance::{CheckedLog, Subject, check};
use qun_transports::{readiness, smol};

/// The readiness loop over the poller of this number.
struct Readiness<const POLLER: usize> {
    addr: SocketAddr,
    handle: readiness::Handle,
    thread: JoinHandle<io::Result<()>>,
}

impl<const POLLER: usize> Subject for Readiness<POLLER> {
    type Wire = TcpStream;

    fn start(config: Config, log: CheckedLog) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let options = readiness::Options { poller: readiness::PollerKind::ALL[POLLER] };
        let server = readiness::Server::new(vec![listener], config, log, [1; 32], options).unwrap();
        let handle = server.handle();
        Self { addr, handle, thread: thread::spawn(|| server.run(|_| {})) }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.addr)
    }

    fn drain(&self) {
        self.handle.drain();
    }

    fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
}

impl<const POLLER: usize> Drop for Readiness<POLLER> {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

struct Smol {
    addr: SocketAddr,
    handle: smol::Handle,
    thread: JoinHandle<io::Result<()>>,
}

impl Subject for Smol {
    type Wire = TcpStream;

    fn start(config: Config, log: CheckedLog) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let server = smol::serve([listener], config, log).unwrap();
        let handle = server.handle();
        Self { addr, handle, thread: thread::spawn(|| ::smol::block_on(server)) }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.addr)
    }

    fn drain(&self) {
        self.handle.drain();
    }

    fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
}

impl Drop for Smol {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

#[test]
fn the_readiness_loop_over_every_poller_keeps_the_contracts() {
    check::<Readiness<0>>().unwrap();
    check::<Readiness<1>>().unwrap();
    check::<Readiness<2>>().unwrap();
}

#[test]
fn the_smol_loop_keeps_the_contracts() {
    check::<Smol>().unwrap();
}
