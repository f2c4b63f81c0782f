//! A connected socket: its options, and reading and writing without the cases that mean nothing.

use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// Bytes that the kernel takes beyond those that it has sent. Without this it takes some 3 MB for a reader who takes none
/// (the test below prints it), and no limit of ours ever meets them.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 16 << 10;

/// Bytes that the kernel keeps in all, those on their way to the other side included. Linux doubles the number for its
/// own bookkeeping.
const SEND_BUFFER: usize = 128 << 10;

/// Bytes that the kernel takes in for us before it makes the other side wait. By itself it would take up to 6 MB from one
/// whom we don't read, and nobody here says so much at once.
const RECEIVE_BUFFER: usize = 64 << 10;

/// Silence after which the kernel asks whether the other side still exists.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// The slices of one vectored write.
pub(crate) const SLICES: usize = 64;

/// As many as are tried first: nearly always there is one, and to clear the place of all takes longer than to fill one.
pub(crate) const FEW: usize = 4;

/// Bytes read at once, and so the most that a connection gets read in a turn.
pub(crate) const READ: usize = 32 << 10;

/// Bytes read of all connections after which what was said is sent, before more is read: about as much as a connection is
/// sent at once.
pub(crate) const SHARE: usize = WRITE;

/// Bytes after which a connection that takes whatever it is given waits for its next turn.
pub(crate) const WRITE: usize = 64 << 10;

/// Makes a connected socket fit for an event loop.
///
/// # Errors
/// Where it can't be made non-blocking. What else it refuses (an option that this system has not, a connection that is
/// reset already) makes it worse and not unfit.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    set_options(SockRef::from(stream));
    Ok(())
}

/// Makes a listener fit for an event loop, and those whom it will [accept](accept) with it.
///
/// # Errors
/// Where it can't be made non-blocking.
pub(crate) fn prepare_listener(listener: &TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    set_options(SockRef::from(listener));
    Ok(())
}

/// Accepts a connection that is fit for an event loop. The kernel gives it the listener's options: seven system calls less
/// for each.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    use rustix::net::{SocketFlags, acceptfrom_with};
    let (socket, peer) = acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    let peer = peer.ok_or(rustix::io::Errno::CONNABORTED)?.try_into()?;
    Ok((socket.into(), peer))
}

/// Accepts a connection and makes it fit for an event loop.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    // One that can't be made fit is closed before anybody has heard of it.
    prepare(&stream).map_err(|_| rustix::io::Errno::CONNABORTED)?;
    Ok((stream, peer))
}

fn set_options(socket: SockRef<'_>) {
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.set_tcp_notsent_lowat(UNSENT);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
}

/// What a read came to.
pub(crate) enum Got {
    /// This many bytes.
    Bytes(usize),
    /// None, and none will come.
    End,
    /// None now.
    Nothing,
}

/// Reads once.
pub(crate) fn read(mut stream: &TcpStream, buffer: &mut [u8]) -> io::Result<Got> {
    loop {
        match stream.read(buffer) {
            Ok(0) => return Ok(Got::End),
            Ok(n) => return Ok(Got::Bytes(n)),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => return Ok(Got::Nothing),
                _ => return Err(error),
            },
        }
    }
}

/// Writes once; `None`: the socket takes nothing now.
pub(crate) fn write(mut stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
    loop {
        // One slice is the usual case, and a plain send costs the kernel less than a vectored write.
        let written = match slices {
            [slice] => send(stream, slice),
            slices => stream.write_vectored(slices),
        };
        match written {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => return Ok(Some(n)),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => return Ok(None),
                _ => return Err(error),
            },
        }
    }
}

/// Sends once, and asks the kernel itself: in a program with threads the C library makes each call one in which a thread
/// could be cancelled, which takes two locked instructions.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn send(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(stream, bytes, rustix::net::SendFlags::NOSIGNAL)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn send(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    stream.write(bytes)
}

/// Whether a socket that was connected is so no longer, in either direction. Takes nothing from it, not its error either.
pub(crate) fn is_gone(stream: &TcpStream) -> bool {
    // BSD says EINVAL for what POSIX calls ENOTCONN.
    let gone = [io::ErrorKind::NotConnected, io::ErrorKind::InvalidInput];
    stream.peer_addr().is_err_and(|error| gone.contains(&error.kind()))
}

/// Why a socket hung up that nobody was reading or writing.
pub(crate) fn failure(stream: &TcpStream) -> io::Error {
    match stream.take_error() {
        Ok(Some(error)) | Err(error) => error,
        Ok(None) => io::ErrorKind::ConnectionReset.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_accepted_is_fit_as_who_is_prepared() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        prepare_listener(&listener).unwrap();
        let address = listener.local_addr().unwrap();
        let prepared = TcpStream::connect(address).unwrap();
        prepare(&prepared).unwrap();
        let accepted = loop {
            match accept(&listener) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                accepted => break accepted.unwrap(),
            }
        };
        assert_eq!(accepted.1, prepared.local_addr().unwrap());
        let options = |stream: &TcpStream| {
            let socket = SockRef::from(stream);
            let time = socket.tcp_keepalive_time().unwrap();
            let buffers = (socket.send_buffer_size().unwrap(), socket.recv_buffer_size().unwrap());
            #[cfg(any(target_os = "linux", target_os = "android"))]
            let buffers = (buffers, socket.tcp_notsent_lowat().unwrap(), rustix::io::fcntl_getfd(stream).unwrap());
            (socket.nonblocking().unwrap(), socket.tcp_nodelay().unwrap(), socket.keepalive().unwrap(), time, buffers)
        };
        let [ours, theirs] = [&accepted.0, &prepared].map(options);
        assert_eq!(ours, theirs);
        assert!(ours.0 && ours.1 && ours.2, "{ours:?}");
    }

    /// Writes until the kernel takes no more, to a reader who takes nothing, and says how many bytes that were beyond
    /// those that fit the reader's own buffer.
    fn hidden(prepare: impl Fn(&TcpStream)) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        SockRef::from(&listener).set_recv_buffer_size(8 << 10).unwrap();
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(8 << 10).unwrap();
        socket.connect(&listener.local_addr().unwrap().into()).unwrap();
        let (ours, _) = listener.accept().unwrap();
        ours.set_nonblocking(true).unwrap();
        prepare(&ours);
        let frame = [b'x'; 200];
        let mut taken = 0;
        while let Some(n) = write(&ours, &[IoSlice::new(&frame); SLICES]).unwrap() {
            taken += n;
        }
        drop(socket);
        taken
    }

    #[test]
    fn a_reader_who_takes_nothing_hides_few_bytes_in_the_kernel() {
        let bare = hidden(|_| {});
        let prepared = hidden(|stream| super::prepare(stream).unwrap());
        println!("taken for a stalled reader: {bare} bytes bare, {prepared} bytes prepared");
        assert!(prepared <= 96 << 10, "{prepared} bytes");
        assert!(prepared < bare, "the options change nothing: {prepared} bytes against {bare}");
    }
}
