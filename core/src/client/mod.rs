//! The client machine.

mod io;

use crate::code::Code;
use crate::id::{Id, MemberId, RoomId, Seq};
use crate::log::Kind;
use crate::name::Name;
use crate::server::Overrun;
use crate::text::Text;
use crate::time::{Instant, Now};
pub use io::{Action, Bye, Config, Event, Input, NotMember, Pending, Status};

/// The client: one person on one server, in any number of rooms, without the socket.
///
/// It owns what a user interface must not have to think of: reconnecting with backoff, resuming every room where it
/// stood, what was said and not acknowledged yet, the roster and the timeline of each room.
///
/// Its methods are of four kinds. *Input*: [`handle`](Self::handle). *Commands*, which work offline too:
/// [`join`](Self::join), [`say`](Self::say), [`history`](Self::history), [`leave`](Self::leave),
/// [`rename`](Self::rename), [`reconnect`](Self::reconnect), [`bye`](Self::bye); each that is answered gives the id that
/// its answer's event names. *Polls*: [`poll`](Self::poll), [`deadline`](Self::deadline), and
/// [`transmit`](Self::transmit). *Getters*: the rest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    config: Config,
}

#[allow(clippy::unused_self, clippy::todo, unused_variables, missing_docs)]
impl Client {
    /// A client that wants to connect. All its randomness follows from `seed`, 32 bytes of the driver's best.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self { config }
    }
    pub fn handle(&mut self, now: Now, input: Input<'_>) {}
    /// Get into the room that this code opens: [`Event::Joined`] or [`Event::Refused`].
    pub fn join(&mut self, now: Now, code: Code) -> Id {
        todo!()
    }
    pub fn say(&mut self, now: Now, room: &RoomId, kind: Kind, text: Text) -> Result<Id, NotMember> {
        todo!()
    }
    /// Load up to `limit` messages before `before`: [`Event::Page`] or [`Event::Refused`].
    pub fn history(&mut self, now: Now, room: &RoomId, before: Seq, limit: u64) -> Result<Id, NotMember> {
        todo!()
    }
    pub fn leave(&mut self, now: Now, room: &RoomId) -> Result<Id, NotMember> {
        todo!()
    }
    pub fn rename(&mut self, now: Now, name: Name) -> Id {
        todo!()
    }
    /// Don't wait for the next attempt.
    pub fn reconnect(&mut self, now: Now) {}
    /// Say goodbye once what was said is acknowledged or refused, or `Limits`' drain time has passed: [`Event::Ended`].
    pub fn bye(&mut self, now: Now) {}
    pub fn poll(&mut self) -> Option<Action> {
        None
    }
    pub fn deadline(&self) -> Option<Instant> {
        None
    }
    pub fn transmit(&mut self) -> Option<Transmit<'_>> {
        None
    }
    pub fn status(&self) -> Status {
        todo!()
    }
    pub fn member(&self) -> MemberId {
        self.config.key.member()
    }
    pub fn name(&self) -> Option<&Name> {
        todo!()
    }
    /// The rooms that we are in or want to be in again, in the order of joining.
    pub fn rooms(&self) -> impl Iterator<Item = &Room> {
        core::iter::empty()
    }
    pub fn room(&self, id: &RoomId) -> Option<&Room> {
        todo!()
    }
    /// What we said and is not acknowledged, oldest first.
    pub fn pending(&self) -> impl Iterator<Item = &Pending> {
        core::iter::empty()
    }
}

/// Stub.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Room;

/// The unsent bytes: peek, then consume; a write may take any part of them.
#[derive(Debug)]
pub struct Transmit<'a>(&'a mut Client);

#[allow(unused_variables, missing_docs)]
impl Transmit<'_> {
    pub fn gather<'s, T>(&'s self, out: &mut [T], wrap: impl Fn(&'s [u8]) -> T) -> usize {
        0
    }
    pub fn advance(&mut self, n: usize) -> Result<(), Overrun> {
        Ok(())
    }
}
