//! Every limit of PROTOCOL.md, with its default.

use core::time::Duration;

use crate::text::TextLimits;

/// What a server allows. Zero lifts a rate or a number of connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Bytes of one line from a client, its end included. A first line that is not json may have 1,024.
    pub line: usize,
    /// One text.
    pub text: TextLimits,
    /// Messages that a join replays, whatever `tail` it asks for.
    pub replay: u64,
    /// Messages on one page of history.
    pub page: u64,
    /// Says that a session may send at once, before its rate counts.
    pub burst: u32,
    /// Says a second and session, in the long run.
    pub per_s: u32,
    /// Joins and changes of name of one session at once, each of which a whole room is told of.
    pub acts_burst: u32,
    /// The same a second, in the long run.
    pub acts_per_s: u32,
    /// Says of one session on their way to the log; what is behind them waits.
    pub in_flight: usize,
    /// Unsent private bytes (replies, pages, errors) from which on a connection's later lines wait.
    pub private: usize,
    /// Bytes that a connection may send while its lines wait; a driver that obeys `Read` never comes near.
    pub unread: usize,
    /// Rooms that one session may be in.
    pub rooms: usize,
    /// Bytes of the newest records that a room holds, and of each of their encodings.
    pub room_bytes: usize,
    /// Members of a room whose presence is told in full.
    pub full_members: usize,
    /// Connections of one source (IPv4 address, IPv6 /64); loopback is not counted.
    pub connections_per_source: u32,
    /// Wrong guesses of one source before it is locked.
    pub guess_burst: u32,
    /// How long a source waits for one more guess.
    pub guess_every: Duration,
    /// Wrong guesses a second of all sources together.
    pub guess_per_s: u32,
    /// Sources whose guesses are remembered.
    pub guess_sources: usize,
    /// Wrong codes after which a plain connection is closed.
    pub plain_guesses: u32,
    /// Silence after which a new connection is asked for its code.
    pub prompt: Duration,
    /// How long a connection may take to get in.
    pub handshake: Duration,
    /// Silence after which a json client is pinged, give or take a tenth; the client likewise.
    pub ping: Duration,
    /// How long the answer to a ping may take.
    pub pong: Duration,
    /// How long a session with a key outlives its connection.
    pub grace: Duration,
    /// How long a connection may take no byte while there is something to send.
    pub stall: Duration,
    /// How long a closing connection may take to settle and to flush.
    pub drain: Duration,
    /// How long the log may take to load a page.
    pub load: Duration,
    /// How long it may take to verify a password.
    pub verify: Duration,
    /// The least time between two `here` frames of a room.
    pub here: Duration,
    /// The range over which a shutdown spreads the return of its clients.
    pub spread: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 16_384,
            text: TextLimits { bytes: 4_000, lines: 64 },
            replay: 200,
            page: 200,
            burst: 10,
            per_s: 2,
            acts_burst: 128,
            acts_per_s: 2,
            in_flight: 64,
            private: 64 << 10,
            unread: 64 << 10,
            rooms: 64,
            room_bytes: 512 << 10,
            full_members: 1_000,
            connections_per_source: 64,
            guess_burst: 10,
            guess_every: Duration::from_secs(10),
            guess_per_s: 20,
            guess_sources: 65_536,
            plain_guesses: 5,
            prompt: Duration::from_millis(400),
            handshake: Duration::from_secs(60),
            ping: Duration::from_secs(25),
            pong: Duration::from_secs(10),
            grace: Duration::from_secs(60),
            stall: Duration::from_secs(10),
            drain: Duration::from_secs(5),
            load: Duration::from_secs(5),
            verify: Duration::from_secs(10),
            here: Duration::from_secs(5),
            spread: Duration::from_secs(10),
        }
    }
}

/// A line from the server is at most this long, its end included; a client may rely on it.
pub const SERVER_LINE: usize = 256 << 10;

/// A first line that is not json is at most this long.
pub const FIRST_LINE: usize = 1_024;
