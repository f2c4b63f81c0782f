//! One script, done to sockets of the kernel's loopback under each of the three ways to watch them.
//!
//! Nothing here sleeps, and nothing is told too early: before a wait the script makes sure that what it did has arrived, by
//! means that leave the watching alone. A wait that tells nothing has waited for [`QUIET`].

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{self, FdSetElement, FdSetIter, Timespec, fd_set_insert, fd_set_num_elements};
use socket2::SockRef;

/// How long a wait that tells nothing is given.
const QUIET: Duration = Duration::from_millis(40);
/// How long anything that must happen may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One line of the table.
pub(crate) struct Observation {
    /// Of what kind the socket is.
    pub(crate) scene: &'static str,
    /// What was done before the wait.
    pub(crate) done: &'static str,
    /// What the wait told: `select`, level-triggered, edge-triggered. Empty: nothing.
    pub(crate) told: [String; 3],
    /// What follows from it.
    pub(crate) remark: &'static str,
}

/// Does it all, three times.
///
/// # Errors
/// Where a socket does something unheard of.
pub(crate) fn observe() -> io::Result<Vec<Observation>> {
    let select = script(Way::Select)?;
    let level = script(Way::Level)?;
    let edge = script(Way::Edge)?;
    let same = select.into_iter().zip(level).zip(edge);
    Ok(same
        .map(|((select, level), edge)| {
            let Step { scene, done, remark, .. } = select;
            Observation { scene, done, told: [select.told, level.told, edge.told], remark }
        })
        .collect())
}

/// The lines as they are printed.
pub(crate) fn table(observations: &[Observation]) -> String {
    let mut table = String::new();
    let mut scene = "";
    for Observation { scene: of, done, told, remark } in observations {
        if *of != scene {
            table += if scene.is_empty() { "" } else { "\n" };
            table += &line(of, ["select", "epoll LT", "epoll ET"], "");
            scene = of;
        }
        let told = told.each_ref().map(|told| if told.is_empty() { "-" } else { told });
        table += &line(&format!("  {done}"), told, remark);
    }
    table
}

fn line(done: &str, [select, level, edge]: [&str; 3], remark: &str) -> String {
    let line = format!("{done:<42} {select:<11} {level:<11} {edge:<11} {remark}");
    format!("{}\n", line.trim_end())
}

/// What one script notes at one wait.
struct Step {
    scene: &'static str,
    done: &'static str,
    told: String,
    remark: &'static str,
}

/// One way of watching, and what it told so far.
struct Witness {
    way: Way,
    scene: &'static str,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Select,
    Level,
    Edge,
}

fn script(way: Way) -> io::Result<Vec<Step>> {
    let mut witness = Witness { way, scene: "", steps: Vec::new() };
    reading(&mut witness)?;
    ending(&mut witness)?;
    writing(&mut witness)?;
    accepting(&mut witness)?;
    reset(&mut witness)?;
    Ok(witness.steps)
}

const IN: EventFlags = EventFlags::IN;
const OUT: EventFlags = EventFlags::OUT;

fn reading(witness: &mut Witness) -> io::Result<()> {
    witness.scene = "reading, interest: IN";
    let (ours, mut theirs) = pair()?;
    theirs.write_all(b"1234")?;
    arrived(&ours, 4)?;
    let mut watch = witness.watch(ours.as_fd(), IN)?;
    witness.note(&watch, "4 bytes came before it was watched", "adding tells what is there")?;
    witness.note(&watch, "nothing", "ET tells once")?;
    read(&ours, 2)?;
    witness.note(&watch, "2 of the 4 are read", "ET: the other 2 are lost from sight")?;
    theirs.write_all(b"5678")?;
    arrived(&ours, 6)?;
    witness.note(&watch, "4 new bytes come", "ET tells of arrivals, not of emptiness")?;
    read(&ours, 2)?;
    witness.note(&watch, "2 of the 6 are read", "")?;
    watch.change(IN)?;
    witness.note(&watch, "EPOLL_CTL_MOD, the interest as it was", "re-arming looks again")?;
    read_until_would_block(&ours)?;
    witness.note(&watch, "read until EAGAIN", "now nothing can be lost from sight")
}

fn ending(witness: &mut Witness) -> io::Result<()> {
    witness.scene = "half-close, interest: IN RDHUP";
    let (ours, mut theirs) = pair()?;
    let mut watch = witness.watch(ours.as_fd(), IN | EventFlags::RDHUP)?;
    theirs.write_all(b"1234")?;
    theirs.shutdown(Shutdown::Write)?;
    settled(ours.as_fd(), EventFlags::RDHUP)?;
    witness.note(&watch, "4 bytes and the end come", "RDHUP: they send no more; we still may")?;
    read(&ours, 4)?;
    witness.note(&watch, "the 4 bytes are read, the end is not", "ET: who ignored RDHUP never learns of it")?;
    read_until_would_block(&ours)?;
    witness.note(&watch, "the end is read", "LT, select: so for ever, a loop would spin")?;
    watch.change(EventFlags::empty())?;
    witness.note(&watch, "interest in nothing", "so what has ended must not be watched")
}

fn writing(witness: &mut Witness) -> io::Result<()> {
    witness.scene = "writing, interest: OUT";
    let (ours, mut theirs) = pair()?;
    let mut watch = witness.watch(ours.as_fd(), OUT)?;
    witness.note(&watch, "nothing", "there is room")?;
    witness.note(&watch, "nothing", "LT, select: without bytes a loop would spin")?;
    let sent = write_until_would_block(&ours)?;
    witness.note(&watch, "written until EAGAIN", "the buffer is full")?;
    theirs.read_exact(&mut vec![0; sent])?;
    settled(ours.as_fd(), OUT)?;
    witness.note(&watch, "they read it all", "there is room again")?;
    (&ours).write_all(b"1234")?;
    witness.note(&watch, "4 bytes are written, room is left", "ET: told only after a write was refused")?;
    theirs.write_all(b"1234")?;
    arrived(&ours, 4)?;
    watch.change(IN | OUT)?;
    witness.note(&watch, "interest in both, 4 bytes are there", "one event has the whole state")?;
    theirs.write_all(b"5678")?;
    arrived(&ours, 8)?;
    witness.note(&watch, "4 new bytes come", "ET: OUT is told anew, and means nothing new")
}

fn accepting(witness: &mut Witness) -> io::Result<()> {
    witness.scene = "a listener, interest: IN";
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let watch = witness.watch(listener.as_fd(), IN)?;
    let addr = listener.local_addr()?;
    let clients = [TcpStream::connect(addr)?, TcpStream::connect(addr)?, TcpStream::connect(addr)?];
    settled(listener.as_fd(), IN)?;
    witness.note(&watch, "3 connect", "one event for three")?;
    let first = listener.accept()?;
    witness.note(&watch, "1 is accepted", "ET: 2 wait until a fourth comes")?;
    let others = [listener.accept()?, listener.accept()?];
    witness.note(&watch, "all are accepted", "")?;
    drop((clients, first, others));
    Ok(())
}

fn reset(witness: &mut Witness) -> io::Result<()> {
    witness.scene = "a reset, interest: IN";
    let (ours, theirs) = pair()?;
    let mut watch = witness.watch(ours.as_fd(), IN)?;
    SockRef::from(&theirs).set_linger(Some(Duration::ZERO))?;
    drop(theirs);
    settled(ours.as_fd(), EventFlags::HUP)?;
    witness.note(&watch, "they reset it", "ERR and HUP come unasked")?;
    let error = (&ours).read(&mut [0; 8]).err().map(|error| error.kind());
    if error != Some(io::ErrorKind::ConnectionReset) {
        return Err(io::Error::other(format!("a read of a reset connection: {error:?}")));
    }
    witness.note(&watch, "a read fails with ECONNRESET", "the error is told once, HUP remains")?;
    watch.change(EventFlags::empty())?;
    witness.note(&watch, "interest in nothing", "epoll: HUP can't be declined; close it")
}

impl Witness {
    fn watch<'fd>(&self, source: BorrowedFd<'fd>, interest: EventFlags) -> io::Result<Watch<'fd>> {
        let mut watch = Watch { way: self.way, epoll: epoll::create(CreateFlags::CLOEXEC)?, source, interest };
        epoll::add(&watch.epoll, source, EventData::new_u64(0), watch.flags(interest))?;
        watch.interest = interest;
        Ok(watch)
    }

    /// Waits once, and notes what that told.
    fn note(&mut self, watch: &Watch<'_>, done: &'static str, remark: &'static str) -> io::Result<()> {
        let told = watch.wait()?;
        self.steps.push(Step { scene: self.scene, done, told, remark });
        Ok(())
    }
}

/// A socket that is watched.
struct Watch<'fd> {
    way: Way,
    epoll: OwnedFd,
    source: BorrowedFd<'fd>,
    interest: EventFlags,
}

impl Watch<'_> {
    fn flags(&self, interest: EventFlags) -> EventFlags {
        if self.way == Way::Edge { interest | EventFlags::ET } else { interest }
    }

    fn change(&mut self, interest: EventFlags) -> io::Result<()> {
        self.interest = interest;
        Ok(epoll::modify(&self.epoll, self.source, EventData::new_u64(0), self.flags(interest))?)
    }

    fn wait(&self) -> io::Result<String> {
        match self.way {
            Way::Select => select(self.source, self.interest),
            Way::Level | Way::Edge => Ok(names(epoll_wait(&self.epoll, QUIET)?)),
        }
    }
}

/// The kernel keeps nothing between two calls: the sets are made anew for each.
fn select(source: BorrowedFd<'_>, interest: EventFlags) -> io::Result<String> {
    let fd = source.as_raw_fd();
    let empty = vec![FdSetElement::default(); fd_set_num_elements(1, fd + 1)];
    let (mut read, mut write) = (empty.clone(), empty);
    if interest.contains(EventFlags::IN) {
        fd_set_insert(&mut read, fd);
    }
    if interest.contains(EventFlags::OUT) {
        fd_set_insert(&mut write, fd);
    }
    let timeout = Timespec::try_from(QUIET).map_err(io::Error::other)?;
    #[expect(unsafe_code, reason = "select(2) takes descriptors by number")]
    // SAFETY: the one descriptor in the sets is borrowed, and so open.
    unsafe {
        event::select(fd + 1, Some(&mut read), Some(&mut write), None, Some(&timeout))?;
    }
    let told = [(&read, "read"), (&write, "write")];
    let told = told.map(|(set, name)| FdSetIter::new(set).next().map(|_| name));
    Ok(told.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn epoll_wait(epoll: &OwnedFd, timeout: Duration) -> io::Result<EventFlags> {
    let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
    let mut space = [const { MaybeUninit::uninit() }; 1];
    let (events, _) = epoll::wait(epoll, &mut space, Some(&timeout))?;
    Ok(events.first().map_or(EventFlags::empty(), |&Event { flags, .. }| flags))
}

fn names(flags: EventFlags) -> String {
    let names = flags.iter_names().map(|(name, _)| name);
    names.collect::<Vec<_>>().join(" ")
}

/// Two ends of a connection; the first is non-blocking.
fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let theirs = TcpStream::connect(listener.local_addr()?)?;
    let (ours, _) = listener.accept()?;
    ours.set_nonblocking(true)?;
    ours.set_nodelay(true)?;
    theirs.set_nodelay(true)?;
    theirs.set_read_timeout(Some(PATIENCE))?;
    Ok((ours, theirs))
}

/// Waits until this many bytes can be read.
fn arrived(stream: &TcpStream, bytes: usize) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    while stream.peek(&mut [0; 64])? < bytes {
        if end < Instant::now() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::yield_now();
    }
    Ok(())
}

/// Waits, by a poller of its own, until a source is in this state.
fn settled(source: BorrowedFd<'_>, state: EventFlags) -> io::Result<()> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, source, EventData::new_u64(0), state)?;
    if epoll_wait(&epoll, PATIENCE)?.contains(state) { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
}

fn read(mut stream: &TcpStream, bytes: usize) -> io::Result<()> {
    stream.read_exact(&mut vec![0; bytes])
}

/// Reads until there is nothing, or the end.
fn read_until_would_block(mut stream: &TcpStream) -> io::Result<()> {
    loop {
        match stream.read(&mut [0; 64]) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Writes until the kernel takes no more; says how many bytes it took.
fn write_until_would_block(mut stream: &TcpStream) -> io::Result<usize> {
    let mut taken = 0;
    loop {
        match stream.write(&[b'x'; 4_096]) {
            Ok(n) => taken += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(taken),
            Err(error) => return Err(error),
        }
    }
}
