//! The loops of this crate.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use qun_core::server::Config;
use qun_transports::conformance::{CheckedLog, Subject, check, client};
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

/// The client's readiness loop.
struct ReadinessClient(readiness::ClientHandle);

impl client::Subject for ReadinessClient {
    fn start(addr: SocketAddr, config: client::Config, mut tell: client::Tell) -> Self {
        let (give, given) = mpsc::channel();
        thread::spawn(move || {
            let connection = readiness::Connection::new(addr.to_string(), config, [2; 32]).unwrap();
            give.send(connection.handle()).unwrap();
            connection.run(|_, event| tell(event)).unwrap();
        });
        Self(given.recv().unwrap())
    }

    fn command(&self, command: client::Command) {
        self.0.with(command);
    }
}

impl Drop for ReadinessClient {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The client as a stream, in a task that takes commands, too.
struct SmolClient(::smol::channel::Sender<client::Command>);

impl client::Subject for SmolClient {
    fn start(addr: SocketAddr, config: client::Config, mut tell: client::Tell) -> Self {
        let (give, given) = ::smol::channel::unbounded::<client::Command>();
        thread::spawn(move || {
            ::smol::block_on(async {
                let mut connection = smol::connect(addr.to_string(), config).unwrap();
                loop {
                    let command = async { given.recv().await.map(Err) };
                    let event = async { Ok(Ok(connection.next().await)) };
                    match ::smol::future::or(command, event).await {
                        Ok(Ok(Some(event))) => tell(event),
                        Ok(Err(command)) => connection.with(command),
                        // It is over, or the check is.
                        Ok(Ok(None)) | Err(_) => return,
                    }
                }
            });
        });
        Self(give)
    }

    fn command(&self, command: client::Command) {
        self.0.try_send(command).unwrap();
    }
}

#[test]
fn the_clients_readiness_loop_keeps_the_contracts() {
    client::check::<ReadinessClient>().unwrap();
}

#[test]
fn the_clients_smol_loop_keeps_the_contracts() {
    client::check::<SmolClient>().unwrap();
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
