//! Everybody who is connected, on one thread.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use socket2::{Domain, Protocol as Transport, Socket, Type};

use super::metronome::Metronome;
use super::protocol::{Frame, Me, Protocol};
use crate::readiness::PollerKind;
use crate::readiness::poller::{Interest, Poller, Ready};

/// Bytes read at once.
const READ: usize = 64 << 10;

/// Edge-triggered where there is that: the kernel does not look again at whom it has told of.
#[cfg(any(target_os = "linux", target_os = "android"))]
const POLLER: PollerKind = PollerKind::EpollEt;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const POLLER: PollerKind = PollerKind::Kqueue;

/// The poller's key of the metronome; members have their own numbers.
const METRONOME: u64 = u64::MAX - 1;

/// Connections by their members' numbers, each of which may be there or not.
pub(super) struct Crowd {
    protocol: Protocol,
    server: SocketAddr,
    poller: Box<dyn Poller>,
    metronome: Metronome,
    members: Vec<Option<Member>>,
    ready: Vec<Ready>,
    buffer: Box<[u8]>,
    start: Instant,
}

struct Member {
    stream: TcpStream,
    interest: Interest,
    door: Arc<str>,
    /// The room's id, where it is not what `door` says.
    room: Option<Box<str>>,
    number: u32,
    said: u32,
    /// The beginning of a frame whose end has not come.
    carry: Vec<u8>,
    /// What the socket has not taken.
    out: Vec<u8>,
    /// Why it takes no more: a socket says so once, and then only that it has ended.
    failed: Option<io::Error>,
}

/// What happened to a member.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// It is in its room.
    Entered,
    /// It heard somebody's text, within this frame, which was read at this microsecond.
    Message(&'a [u8], u64),
    /// The server does not let it, in these words.
    Refused(&'a [u8]),
    /// The connection ended; of itself where there is no error. The member is there no more.
    Closed(Option<io::Error>),
}

/// How exactly a wait is to end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    /// To the millisecond, which costs nothing.
    Roughly(Duration),
    /// To the microsecond.
    Exactly(Duration),
}

impl Crowd {
    /// Room for so many members.
    pub(super) fn new(protocol: Protocol, server: SocketAddr, members: usize) -> io::Result<Self> {
        let mut poller = POLLER.open()?;
        let metronome = Metronome::new(&mut *poller, METRONOME)?;
        let mut none = Vec::new();
        none.resize_with(members, || None);
        let (ready, buffer) = (Vec::new(), vec![0; 2 * READ].into());
        Ok(Self { protocol, server, poller, metronome, members: none, ready, buffer, start: Instant::now() })
    }

    /// Microseconds since this crowd was made.
    pub(super) fn now(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    /// Connects member `at`, which goes by `number` and has its room's `door`: [`Event::Entered`], or how it failed.
    pub(super) fn open(&mut self, at: usize, number: u32, door: Arc<str>) -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(self.server), Type::STREAM, Some(Transport::TCP))?;
        socket.set_nonblocking(true)?;
        let _ = socket.set_tcp_nodelay(true);
        match socket.connect(&self.server.into()) {
            Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => return Err(error),
            _ => {}
        }
        let stream = TcpStream::from(socket);
        self.poller.add(stream.as_fd(), at as u64, Interest::BOTH)?;
        let (carry, mut out) = (Vec::new(), Vec::new());
        self.protocol.enter(Me { number, door: &door, room: &door, said: 0 }, &mut out);
        let interest = Interest::BOTH;
        self.members[at] =
            Some(Member { stream, interest, door, room: None, number, said: 0, carry, out, failed: None });
        Ok(())
    }

    /// Has a member say something; it is sent by [`flush`](Self::flush).
    pub(super) fn say(&mut self, at: usize, text: &[u8]) {
        if let Some(member) = &mut self.members[at] {
            let mut out = std::mem::take(&mut member.out);
            self.protocol.say(member.me(), text, &mut out);
            member.out = out;
            member.said += 1;
        }
    }

    /// Has a member leave its room and say goodbye, sent by [`flush`](Self::flush).
    pub(super) fn leave(&mut self, at: usize) {
        if let Some(member) = &mut self.members[at] {
            let mut out = std::mem::take(&mut member.out);
            self.protocol.leave(member.me(), &mut out);
            member.out = out;
        }
    }

    /// Sends what a member has to send, as far as its socket takes it; the rest goes out by itself. A connection that
    /// fails is heard of when it is read, which it is then ready for.
    pub(super) fn flush(&mut self, at: usize) {
        let Some(member) = &mut self.members[at] else { return };
        member.flush();
        let wanted = Interest { write: !member.out.is_empty(), ..member.interest };
        self.watch(at, wanted);
    }

    /// Reads a member no more.
    pub(super) fn stall(&mut self, at: usize) {
        self.watch(at, Interest::NONE);
    }

    /// Drops a connection.
    pub(super) fn close(&mut self, at: usize) {
        if let Some(member) = self.members[at].take() {
            let _ = self.poller.delete(member.stream.as_fd());
        }
    }

    fn watch(&mut self, at: usize, wanted: Interest) {
        let Some(member) = &mut self.members[at] else { return };
        if member.interest != wanted {
            member.interest = wanted;
            // A member that can't be watched is waited for in vain, and its run says so.
            let _ = self.poller.modify(member.stream.as_fd(), at as u64, wanted);
        }
    }

    /// Waits until something comes or `wait` is over, and tells what came.
    pub(super) fn turn(&mut self, wait: Wait, mut tell: impl FnMut(usize, Event<'_>)) -> io::Result<()> {
        let timeout = match wait {
            Wait::Roughly(wait) => Some(wait),
            Wait::Exactly(wait) => self.metronome.set(wait)?,
        };
        let mut ready = std::mem::take(&mut self.ready);
        self.poller.wait(timeout, &mut ready)?;
        for ready in ready.drain(..) {
            if ready.key == METRONOME {
                self.metronome.hear();
                continue;
            }
            let at = ready.key as usize;
            if ready.write {
                self.flush(at);
            }
            // A short read was the last one, unless something stands behind the bytes.
            let mut more = ready.read || ready.hangup;
            while more {
                match self.read(at, &mut tell) {
                    Ok(Some(n)) => more = n == READ || ready.rest || ready.hangup,
                    Ok(None) => more = false,
                    Err(end) => {
                        more = false;
                        self.close(at);
                        tell(at, Event::Closed(end));
                    }
                }
            }
        }
        self.ready = ready;
        Ok(())
    }

    /// Reads once; says how many bytes came, `None` where there are none.
    fn read(&mut self, at: usize, tell: &mut impl FnMut(usize, Event<'_>)) -> Result<Option<usize>, Option<io::Error>> {
        let Self { members, buffer, protocol, start, .. } = self;
        let Some(member) = &mut members[at] else { return Ok(None) };
        let carried = member.carry.len();
        if carried >= READ {
            return Err(Some(io::Error::other("a frame of more than 64 KiB")));
        }
        buffer[..carried].copy_from_slice(&member.carry);
        let n = loop {
            match member.stream.read(&mut buffer[carried..carried + READ]) {
                Ok(0) => return Err(member.failed.take()),
                Ok(n) => break n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(Some(error)),
            }
        };
        let now = start.elapsed().as_micros() as u64;
        let mut bytes = &buffer[..carried + n];
        let mut answered = false;
        loop {
            let frame = protocol.frame(member.me(), bytes);
            let Some((length, frame)) =
                frame.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "what came is not the protocol's"))?
            else {
                break;
            };
            match frame {
                Frame::Message => tell(at, Event::Message(&bytes[..length], now)),
                Frame::Entered(room) => {
                    member.room = room.map(Into::into);
                    tell(at, Event::Entered);
                }
                Frame::Answer(answer) => {
                    member.out.extend(answer);
                    answered = true;
                }
                Frame::Refused => tell(at, Event::Refused(&bytes[..length])),
                Frame::Other => {}
            }
            bytes = &bytes[length..];
        }
        member.carry.clear();
        member.carry.extend_from_slice(bytes);
        if answered {
            self.flush(at);
        }
        Ok(Some(n))
    }
}

impl Member {
    fn me(&self) -> Me<'_> {
        let room = self.room.as_deref().unwrap_or(&self.door);
        Me { number: self.number, door: &self.door, room, said: self.said }
    }

    fn flush(&mut self) {
        let mut sent = 0;
        while sent < self.out.len() {
            match self.stream.write(&self.out[sent..]) {
                Ok(n) => sent += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.failed = Some(error);
                    sent = self.out.len();
                }
            }
        }
        self.out.drain(..sent);
    }
}
