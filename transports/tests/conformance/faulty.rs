//! A loop with a fault of one's choice. Without one it is the simplest loop there is: it asks every socket, again and
//! again.

use std::collections::HashMap;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use qun_core::server::{Config, Hangup, Peer, Verification};
use qun_core::{ConnId, Password, PasswordHash};
use qun_transports::conformance::{CheckedLog, Subject, check, contracts};
use qun_transports::{Clock, Driver, Event, Log, Verifier};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// What a connection did not take is forgotten until there is something new.
    OwesNothing,
    /// A partial write counts as a whole one.
    TakesPartForWhole,
    NeverStopsReading,
    NeverGoesOnReading,
    /// The end of input counts as the end.
    HangsUpAtTheEnd,
    NeverTicks,
    /// The log's waker is ignored.
    DeafToTheLog,
    /// A connection is read to the end before others have their turn.
    Greedy,
    /// A lost connection is dropped, and nobody told.
    NeverBuries,
    /// The last bytes of a connection go to the next of its index.
    KeepsBytes,
    /// A socket is dropped with what it has unread.
    DropsUnread,
    UnboundedKernel,
    NeverEnds,
    /// Passwords are verified where connections wait.
    VerifiesOnTheLoop,
    /// Each password has a thread of its own.
    VerifiesAllAtOnce,
    /// A verdict is taken for the answer to what was asked last.
    MixesVerdicts,
    /// The loop ends with the last verdict.
    WaitsForVerdicts,
}

impl Fault {
    const ALL: [Self; 18] = [
        Self::None,
        Self::OwesNothing,
        Self::TakesPartForWhole,
        Self::NeverStopsReading,
        Self::NeverGoesOnReading,
        Self::HangsUpAtTheEnd,
        Self::NeverTicks,
        Self::DeafToTheLog,
        Self::Greedy,
        Self::NeverBuries,
        Self::KeepsBytes,
        Self::DropsUnread,
        Self::UnboundedKernel,
        Self::NeverEnds,
        Self::VerifiesOnTheLoop,
        Self::VerifiesAllAtOnce,
        Self::MixesVerdicts,
        Self::WaitsForVerdicts,
    ];
}

/// The loop with the fault of this number.
struct Polling<const FAULT: usize> {
    addr: SocketAddr,
    wishes: Arc<Wishes>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Wishes {
    drain: AtomicBool,
    stop: AtomicBool,
    woken: AtomicBool,
}

impl Wake for Wishes {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
    }
}

struct Conn {
    stream: TcpStream,
    reading: bool,
    owes: bool,
    ended: bool,
    last: Vec<u8>,
}

struct Loop {
    fault: Fault,
    driver: Driver<CheckedLog>,
    clock: Clock,
    conns: HashMap<ConnId, Conn>,
    lingering: Vec<(TcpStream, Instant)>,
    kept: HashMap<u32, Vec<u8>>,
    waker: Waker,
    verifiers: Vec<Verifier>,
    /// What was asked of them and is not answered.
    asked: Vec<Verification>,
    /// Whether the machine may want something.
    news: bool,
    draining: bool,
}

impl<const FAULT: usize> Subject for Polling<FAULT> {
    type Wire = TcpStream;

    fn start(config: Config, mut log: CheckedLog) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let wishes = Arc::<Wishes>::default();
        log.start(wishes.clone().into());
        let looping = Loop {
            fault: Fault::ALL[FAULT],
            driver: Driver::new(config, [1; 32], log),
            clock: Clock::start(),
            conns: HashMap::new(),
            lingering: Vec::new(),
            kept: HashMap::new(),
            waker: wishes.clone().into(),
            verifiers: Vec::new(),
            asked: Vec::new(),
            news: false,
            draining: false,
        };
        let thread = thread::spawn({
            let wishes = wishes.clone();
            move || looping.run(listener, &wishes)
        });
        Self { addr, wishes, thread: Some(thread) }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.addr)
    }

    fn drain(&self) {
        self.wishes.drain.store(true, Ordering::Release);
    }

    fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl<const FAULT: usize> Drop for Polling<FAULT> {
    fn drop(&mut self) {
        self.wishes.stop.store(true, Ordering::Release);
        let _ = self.thread.take().unwrap().join();
    }
}

impl Loop {
    fn run(mut self, listener: TcpListener, wishes: &Wishes) {
        listener.set_nonblocking(true).unwrap();
        let mut buffer = vec![0; 64 << 10];
        while !wishes.stop.load(Ordering::Acquire) {
            thread::sleep(Duration::from_micros(300));
            while let Ok((stream, peer)) = listener.accept() {
                self.open(stream, peer);
            }
            for id in self.conns.keys().copied().collect::<Vec<_>>() {
                self.read(id, &mut buffer, wishes);
            }
            let now = self.clock.now();
            if wishes.drain.swap(false, Ordering::AcqRel) {
                self.driver.drain(now);
                (self.news, self.draining) = (true, true);
            }
            if self.fault != Fault::NeverTicks && self.driver.deadline().is_some_and(|at| at <= now.mono) {
                self.driver.tick(now);
                self.news = true;
            }
            if wishes.woken.swap(false, Ordering::AcqRel) && self.fault != Fault::DeafToTheLog {
                self.hear_verdicts();
                self.news = true;
            }
            for id in self.conns.keys().copied().collect::<Vec<_>>() {
                self.flush(id);
            }
            while std::mem::take(&mut self.news) {
                self.obey();
            }
            self.lingering
                .retain_mut(|(stream, until)| Instant::now() < *until && !matches!(stream.read(&mut buffer), Ok(0)));
            let waits = self.fault == Fault::WaitsForVerdicts && !self.asked.is_empty();
            if self.draining && self.driver.connections() == 0 && self.fault != Fault::NeverEnds && !waits {
                return;
            }
        }
    }

    fn open(&mut self, stream: TcpStream, peer: SocketAddr) {
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        let socket = socket2::SockRef::from(&stream);
        if self.fault != Fault::UnboundedKernel {
            socket.set_tcp_notsent_lowat(16 << 10).unwrap();
            socket.set_send_buffer_size(128 << 10).unwrap();
        }
        let id = self.driver.open(self.clock.now(), Peer::Net(peer));
        if let Some(kept) = self.kept.remove(&id.index) {
            (&stream).write_all(&kept).unwrap();
        }
        self.conns.insert(id, Conn { stream, reading: true, owes: false, ended: false, last: Vec::new() });
        self.news = true;
    }

    fn read(&mut self, id: ConnId, buffer: &mut [u8], wishes: &Wishes) {
        while !wishes.stop.load(Ordering::Acquire) {
            let now = self.clock.now();
            let Some(conn) = self.conns.get_mut(&id) else { return };
            if !conn.reading || conn.ended {
                return;
            }
            match conn.stream.read(buffer) {
                Ok(0) if self.fault != Fault::HangsUpAtTheEnd => {
                    conn.ended = true;
                    self.driver.end_of_input(now, id);
                }
                Ok(0) => self.lose(id),
                Ok(n) => self.driver.received(now, id, &buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.lose(id),
            }
            self.news = true;
            if self.fault != Fault::Greedy {
                return;
            }
            self.obey();
        }
    }

    fn lose(&mut self, id: ConnId) {
        let Some(conn) = self.conns.remove(&id) else { return };
        if self.fault == Fault::KeepsBytes {
            self.kept.insert(id.index, conn.last);
        }
        if self.fault != Fault::NeverBuries {
            self.driver.closed(self.clock.now(), id, Hangup::Reset);
            self.news = true;
        }
    }

    fn obey(&mut self) {
        let now = self.clock.now();
        while let Some(event) = self.driver.poll(now) {
            match event {
                Event::Transmit(id) => {
                    if let Some(conn) = self.conns.get_mut(&id) {
                        conn.owes = true;
                    }
                    self.flush(id);
                }
                Event::Read(id, on) => {
                    let heeds = self.fault != if on { Fault::NeverGoesOnReading } else { Fault::NeverStopsReading };
                    if let Some(conn) = self.conns.get_mut(&id)
                        && heeds
                    {
                        conn.reading = on;
                    }
                }
                Event::Close(id, _) => {
                    let conn = self.conns.remove(&id).unwrap();
                    if self.fault != Fault::DropsUnread {
                        let _ = conn.stream.shutdown(Shutdown::Write);
                        self.lingering.push((conn.stream, Instant::now() + Duration::from_secs(2)));
                    }
                }
                Event::Verify { request, hash, password } => self.verify(request, hash, password),
                Event::Note(_) => {}
            }
        }
    }

    fn verify(&mut self, request: Verification, hash: PasswordHash, password: Password) {
        if self.verifiers.is_empty() || self.fault == Fault::VerifiesAllAtOnce {
            self.verifiers.push(Verifier::new(self.waker.clone()));
        }
        let verifier = self.verifiers.last_mut().unwrap();
        verifier.submit(request, hash, password);
        self.asked.push(request);
        while self.fault == Fault::VerifiesOnTheLoop && !self.asked.is_empty() {
            self.hear_verdicts();
        }
    }

    fn hear_verdicts(&mut self) {
        let now = self.clock.now();
        for verifier in &mut self.verifiers {
            while let Some((request, verdict)) = verifier.poll() {
                let asked = self.asked.iter().position(|asked| *asked == request).unwrap_or_default();
                let last = self.asked.len() - 1;
                let request = self.asked.remove(if self.fault == Fault::MixesVerdicts { last } else { asked });
                self.driver.verified(now, request, verdict);
            }
        }
    }

    fn flush(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        while conn.owes {
            let Some(mut transmit) = self.driver.transmit(id) else {
                conn.owes = false;
                break;
            };
            let mut slices = [IoSlice::new(&[]); 64];
            let count = transmit.gather(&mut slices, IoSlice::new);
            match conn.stream.write_vectored(&slices[..count]) {
                Ok(n) => {
                    conn.last = slices[0].to_vec();
                    let whole = slices[..count].iter().map(|slice| slice.len()).sum();
                    transmit.advance(if self.fault == Fault::TakesPartForWhole { whole } else { n }).unwrap();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    conn.owes = self.fault != Fault::OwesNothing;
                    break;
                }
                Err(_) => return self.lose(id),
            }
            self.news = true;
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
        NeverStopsReading by "3: ";
        NeverGoesOnReading by "3: ";
        HangsUpAtTheEnd by "4: ";
        NeverTicks by "6: ";
        DeafToTheLog by "1: an answer";
        Greedy by "8: whoever sends";
        NeverBuries by "5: a connection that is reset";
        KeepsBytes by "5: nothing of a buried";
        DropsUnread by "7: the last bytes";
        UnboundedKernel by "8: a stalled";
        NeverEnds by "7: a drain";
        VerifiesOnTheLoop by "10: nobody";
        VerifiesAllAtOnce by "10: few";
        MixesVerdicts by "10: each";
        MixesVerdicts by "10: a verdict about";
        WaitsForVerdicts by "10: a drain";
    }
}
