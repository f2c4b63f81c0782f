//! A client's loop with a fault of one's choice. Without one it is the simplest loop there is: it asks its socket, again
//! and again.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use qun_core::client::{Action, Client, Event, Input};
use qun_transports::Clock;
use qun_transports::conformance::client::{Command, Config, Subject, Tell, check, contracts};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// What the socket did not take is forgotten until there is something new.
    OwesNothing,
    /// A partial write counts as a whole one.
    TakesPartForWhole,
    /// Of what was read only whole lines count.
    DropsHalfLines,
    /// Commands are looked for when something has happened.
    DeafToCommands,
    /// What was half sent goes out on the next connection.
    KeepsBytes,
    /// The end of input is not the end.
    IgnoresTheEnd,
    /// A connection that fails is dropped, and the machine not told.
    IgnoresFailures,
    /// An attempt that fails is not told.
    IgnoresRefusals,
    /// A loss is told again once the next attempt is under way.
    TellsLossesTwice,
    NeverTicks,
    /// What the machine closes stays open.
    NeverCloses,
    /// A goodbye drops the connection before it is said.
    LeavesUnsaid,
    /// Events wait in a memory without bounds.
    ReadsAhead,
}

impl Fault {
    const ALL: [Self; 14] = [
        Self::None,
        Self::OwesNothing,
        Self::TakesPartForWhole,
        Self::DropsHalfLines,
        Self::DeafToCommands,
        Self::KeepsBytes,
        Self::IgnoresTheEnd,
        Self::IgnoresFailures,
        Self::IgnoresRefusals,
        Self::TellsLossesTwice,
        Self::NeverTicks,
        Self::NeverCloses,
        Self::LeavesUnsaid,
        Self::ReadsAhead,
    ];
}

/// The loop with the fault of this number.
struct Polling<const FAULT: usize> {
    commands: Sender<Command>,
    stop: Arc<AtomicBool>,
}

struct Loop {
    fault: Fault,
    addr: SocketAddr,
    client: Client,
    clock: Clock,
    stream: Option<TcpStream>,
    owes: bool,
    tell: Tell,
    /// What was left half sent.
    kept: Vec<u8>,
    /// A loss that is to be told once more.
    again: bool,
    open: Vec<TcpStream>,
}

impl<const FAULT: usize> Subject for Polling<FAULT> {
    fn start(addr: SocketAddr, config: Config, mut tell: Tell) -> Self {
        let fault = Fault::ALL[FAULT];
        let (commands, commanded) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        if fault == Fault::ReadsAhead {
            let (give, given) = mpsc::channel::<Event>();
            thread::spawn(move || given.into_iter().for_each(tell));
            tell = Box::new(move |event| drop(give.send(event)));
        }
        let looping = Loop {
            fault,
            addr,
            client: Client::new(config, [2; 32]),
            clock: Clock::start(),
            stream: None,
            owes: false,
            tell,
            kept: Vec::new(),
            again: false,
            open: Vec::new(),
        };
        let stopped = stop.clone();
        thread::spawn(move || looping.run(&commanded, &stopped));
        Self { commands, stop }
    }

    fn command(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

impl<const FAULT: usize> Drop for Polling<FAULT> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

impl Loop {
    fn run(mut self, commands: &Receiver<Command>, stop: &AtomicBool) {
        let mut buffer = vec![0; 64 << 10];
        self.obey();
        while !stop.load(Ordering::Acquire) {
            thread::sleep(Duration::from_micros(300));
            let mut news = self.read(&mut buffer);
            let now = self.clock.now();
            if self.fault != Fault::NeverTicks && self.client.deadline().is_some_and(|at| at <= now.mono) {
                self.client.handle(now, Input::Tick);
                news = true;
            }
            if news || self.fault != Fault::DeafToCommands {
                while let Ok(command) = commands.try_recv() {
                    command(&mut self.client, now);
                }
            }
            self.flush();
            self.obey();
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> bool {
        let now = self.clock.now();
        let Some(stream) = &mut self.stream else { return false };
        match stream.read(buffer) {
            Ok(0) if self.fault == Fault::IgnoresTheEnd => return false,
            Ok(0) => self.lose(),
            Ok(n) => {
                let whole = buffer[..n].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let taken = if self.fault == Fault::DropsHalfLines { whole } else { n };
                self.client.handle(now, Input::Received(&buffer[..taken]));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) if self.fault == Fault::IgnoresFailures => self.stream = None,
            Err(_) => self.lose(),
        }
        true
    }

    fn lose(&mut self) {
        self.stream = None;
        self.again = self.fault == Fault::TellsLossesTwice;
        self.client.handle(self.clock.now(), Input::Disconnected);
    }

    fn connect(&mut self) {
        let now = self.clock.now();
        if std::mem::take(&mut self.again) {
            return self.client.handle(now, Input::Disconnected);
        }
        match TcpStream::connect(self.addr) {
            Ok(stream) => {
                stream.set_nonblocking(true).unwrap();
                stream.set_nodelay(true).unwrap();
                socket2::SockRef::from(&stream).set_send_buffer_size(16 << 10).unwrap();
                let _ = (&stream).write(&std::mem::take(&mut self.kept));
                self.stream = Some(stream);
                self.client.handle(now, Input::Connected);
            }
            Err(_) if self.fault == Fault::IgnoresRefusals => {}
            Err(_) => self.client.handle(now, Input::Disconnected),
        }
    }

    fn obey(&mut self) {
        while let Some(action) = self.client.poll() {
            match action {
                Action::Connect => self.connect(),
                Action::Close => {
                    let stream = self.stream.take();
                    if self.fault == Fault::NeverCloses {
                        self.open.extend(stream);
                    }
                }
                Action::Transmit => {
                    self.owes = true;
                    self.flush();
                }
                Action::Show(event) => (self.tell)(event),
            }
        }
    }

    fn flush(&mut self) {
        while self.owes {
            let (Some(stream), Some(mut transmit)) = (&mut self.stream, self.client.transmit()) else {
                self.owes = false;
                return;
            };
            let mut slices = [IoSlice::new(&[]); 8];
            let count = transmit.gather(&mut slices, IoSlice::new);
            let whole: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            if self.fault == Fault::LeavesUnsaid && slices[0].ends_with(b"{\"t\":\"bye\"}\n") {
                return self.lose();
            }
            match stream.write_vectored(&slices[..count]) {
                Ok(n) => {
                    if self.fault == Fault::KeepsBytes && n < whole {
                        self.kept = slices[0][n..].to_vec();
                    }
                    transmit.advance(if self.fault == Fault::TakesPartForWhole { whole } else { n }).unwrap();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.owes = self.fault != Fault::OwesNothing;
                    return;
                }
                Err(_) => return self.lose(),
            }
        }
    }
}

#[test]
fn the_simplest_loop_keeps_the_contracts() {
    check::<Polling<{ Fault::None as usize }>>().unwrap();
}

#[test]
fn each_fault_is_found_by_the_contract_that_it_breaks() {
    finds! {
        OwesNothing by "2: a flush";
        TakesPartForWhole by "2: a flush";
        DropsHalfLines by "1: bytes";
        DeafToCommands by "1: a command";
        KeepsBytes by "5: nothing of an old";
        IgnoresTheEnd by "4: ";
        IgnoresFailures by "5: a reset";
        IgnoresRefusals by "5: an attempt";
        TellsLossesTwice by "5: a reset";
        NeverTicks by "6: ";
        NeverCloses by "7: a connection";
        LeavesUnsaid by "7: the goodbye";
        ReadsAhead by "3: ";
    }
}
