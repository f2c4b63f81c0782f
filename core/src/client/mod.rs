//! The client machine.
//!
//! [`Client`] is the front page. Behind it: `link`, the life of a connection; `room`, a room as a member sees it;
//! `stream`, its messages in order; `outbox` and `pacer`, what we say until its fate is known, and how fast; `frames`,
//! what the server's lines do; `errands`, what is asked of the server and when; `door`, what opens a room; `login`, how one
//! becomes somebody else; `connection`, how connections are made and lost; `transmit`, the bytes to send.

mod connection;
mod door;
mod errands;
mod frames;
mod io;
mod link;
mod login;
mod outbox;
mod pacer;
mod room;
mod stream;
mod transmit;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use crate::account::Password;
use crate::entropy::Entropy;
use crate::id::{Id, MemberId, RoomId, Seq};
use crate::json::{self, Limits, Request, VERSION};
use crate::limits::SERVER_LINE;
use crate::lines::Lines;
use crate::log::Kind;
use crate::name::Name;
use crate::order::Order;
use crate::search::Words;
use crate::text::Text;
use crate::time::{Instant, Now};
use errands::{Ask, Course, Knock, Question};
use link::{Beat, Clock, Link, Told};
use login::Login;
use pacer::Pacer;
use transmit::Outgoing;

pub use crate::server::Overrun;
pub use door::Door;
pub use io::{Action, Bye, Config, Event, Input, NotMember, Pending, Status};
pub use room::Room;
pub use stream::Entry;
pub use transmit::Transmit;

/// The client: one person on one server, in any number of rooms, without the socket.
///
/// It owns what a user interface must not have to think of: reconnecting with backoff, resuming every room where it
/// stood, what was said and not acknowledged yet, the roster and the timeline of each room.
///
/// Its methods are of four kinds. *Input*: [`handle`](Self::handle). *Commands*, which work offline too:
/// [`join`](Self::join), [`login`](Self::login), [`say`](Self::say), [`history`](Self::history), [`search`](Self::search), [`order`](Self::order),
/// [`leave`](Self::leave), [`rename`](Self::rename), [`reconnect`](Self::reconnect), [`bye`](Self::bye); each that is answered gives the id that
/// its answer's event names. *Polls*: [`poll`](Self::poll), [`deadline`](Self::deadline), and
/// [`transmit`](Self::transmit). *Getters*: the rest.
///
/// After every input and every command, poll until there is nothing. There is no order in which calling it is wrong.
///
/// ```
/// use qun_core::client::{Action, Client, Config, Event, Input};
/// use qun_core::{Entropy, Key, Now};
///
/// let mut entropy = Entropy::new([7; 32]);
/// let config = Config {
///     agent: "example/1".into(),
///     name: "ann".parse().ok(),
///     key: Key::generate(&mut entropy),
///     password: None,
///     tail: 50,
///     timeline: 1_000,
///     backoff: core::time::Duration::from_secs(20),
/// };
/// let mut client = Client::new(config, entropy.block());
/// assert_eq!(client.poll(), Some(Action::Connect));
/// // The driver connects, and says so.
/// let now = Now::default();
/// client.handle(now, Input::Connected);
/// assert_eq!(client.poll(), Some(Action::Transmit));
/// let mut transmit = client.transmit().expect("a hello");
/// let mut slices = [&b""[..]; 4];
/// let n = transmit.gather(&mut slices, |bytes| bytes);
/// let written = slices[..n].iter().map(|slice| slice.len()).sum();
/// assert!(slices[0].starts_with(b"{\"t\":\"hello\""));
/// transmit.advance(written)?;
/// # let server = br#"{"t":"welcome","v":1,"server":"s","m":"Xk3pQ9aLw2","name":"ann","resumed":false,"now":0,"ping_s":25,"grace_s":60,"limits":{"line":16384,"text":4000,"lines":64,"name":32,"replay":200,"burst":10,"per_s":2}}
/// # "#;
/// // What the server answers goes in as it comes, split anywhere.
/// client.handle(now, Input::Received(server));
/// assert!(matches!(client.poll(), Some(Action::Show(Event::Online { .. }))));
/// # Ok::<(), qun_core::client::Overrun>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    config: Config,
    entropy: Entropy,
    clock: Clock,
    link: Link,
    /// Connections and attempts in a row that failed.
    failures: u32,
    /// Connections that were given up with a hello on its way, which may reach the server yet, and replace a later one.
    ghosts: u32,
    course: Course,
    lines: Lines,
    unsent: Outgoing,
    actions: Actions,
    member: MemberId,
    /// What the next hello asks to be called.
    wanted: Option<Name>,
    /// What the server calls us.
    name: Option<Name>,
    /// Who we are to be from the next hello on.
    login: Option<Login>,
    /// The rooms that our account may enter without a code.
    open: Vec<json::Room>,
    limits: Option<Limits>,
    pacer: Pacer,
    /// In the order of joining.
    rooms: Vec<Room>,
    /// Doors that we knocked at, and no room was told for yet.
    knocks: Vec<Knock>,
    /// Commands that are neither messages nor joins nor leaves, until they are answered.
    asks: Vec<Ask>,
    /// How many messages were ever said: their numbers.
    said: u64,
    /// How many pings were ever sent: their numbers.
    pings: u64,
}

impl Client {
    /// A client that wants to connect. All its randomness follows from `seed`, 32 bytes of the driver's best.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let clock = Clock::default();
        Self {
            entropy: Entropy::new(seed),
            link: Link::connecting(clock.now()),
            clock,
            failures: 0,
            ghosts: 0,
            course: Course::Staying,
            lines: Lines::default(),
            unsent: Outgoing::default(),
            actions: Actions(VecDeque::from([Action::Connect])),
            member: config.key.member(),
            wanted: config.name.clone(),
            name: None,
            login: None,
            open: Vec::new(),
            limits: None,
            pacer: Pacer::default(),
            rooms: Vec::new(),
            knocks: Vec::new(),
            asks: Vec::new(),
            said: 0,
            pings: 0,
            config,
        }
    }

    /// Takes an input. Infallible: a server that makes no sense is hung up on, and tried again later.
    ///
    /// An input of a connection that the machine has closed, or has not asked for, is ignored.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        self.begin(now, matches!(input, Input::Received(_)));
        self.settle();
        match input {
            Input::Connected => self.connected(),
            Input::Received(bytes) => self.received(bytes),
            Input::Disconnected => self.disconnected(),
            Input::Tick => {}
        }
        self.settle();
    }

    /// Gets into the room that this opens: [`Event::Joined`] or [`Event::Refused`].
    ///
    /// Once in it, the machine stays in it: after every reconnect it joins again, by the same door.
    pub fn join(&mut self, now: Now, door: impl Into<Door>) -> Id {
        self.begin(now, false);
        let re = Id::generate(&mut self.entropy);
        if self.is_over() {
            self.refuse_over(re);
        } else {
            self.knocks.push(Knock { re, door: door.into(), asked: false });
        }
        self.settle();
        re
    }

    /// Logs in to an account: [`Event::Online`] that names this command, or [`Event::Refused`], and then we are who we were.
    ///
    /// What was said before is said as who we were, and what is said from here on waits, and is said as the account. The
    /// machine joins its rooms again, and stays logged in for as long as it is.
    pub fn login(&mut self, now: Now, name: Name, password: Password) -> Id {
        self.begin(now, false);
        let re = Id::generate(&mut self.entropy);
        if self.is_over() {
            self.refuse_over(re);
        } else if self.login.is_some() {
            errands::refuse(re, json::ErrorCode::BadState, "A login is on its way already.", &mut self.actions);
        } else {
            self.login = Some(Login::new(re, name, password, self.said));
        }
        self.settle();
        re
    }

    /// Says something: an [`Event::Message`] that is ours, [`Event::Delivered`], [`Event::Refused`] or
    /// [`Event::Unconfirmed`]. Until then it is [pending](Self::pending).
    ///
    /// What is said offline, or faster than the server allows, is sent when it can be, in order.
    ///
    /// # Errors
    /// [`NotMember`] where we are not in that room, or are leaving it.
    pub fn say(&mut self, now: Now, room: &RoomId, kind: Kind, text: Text) -> Result<Id, NotMember> {
        self.begin(now, false);
        let id = Id::generate(&mut self.entropy);
        let over = self.is_over();
        let found = self.rooms.iter_mut().find(|r| r.id() == room && r.leave.is_none()).ok_or(NotMember)?;
        if over {
            self.refuse_over(id);
        } else {
            self.said += 1;
            found.outbox.push(self.said, Pending { id, room: room.clone(), text, kind });
        }
        self.settle();
        Ok(id)
    }

    /// Loads up to `limit` messages before `before`: [`Event::Page`] or [`Event::Refused`].
    ///
    /// # Errors
    /// [`NotMember`] where we are not in that room, or are leaving it.
    pub fn history(&mut self, now: Now, room: &RoomId, before: Seq, limit: u64) -> Result<Id, NotMember> {
        self.begin(now, false);
        self.rooms.iter().find(|r| r.id() == room && r.leave.is_none()).ok_or(NotMember)?;
        let re = self.ask(Question::History { room: room.clone(), before, limit });
        self.settle();
        Ok(re)
    }

    /// Looks for the newest messages that have these words, below `before` where that is said, and for `limit` at most:
    /// [`Event::Found`] or [`Event::Refused`].
    ///
    /// A search costs what a message costs, and is sent when the server allows it.
    ///
    /// # Errors
    /// [`NotMember`] where we are not in that room, or are leaving it.
    pub fn search(
        &mut self,
        now: Now,
        room: &RoomId,
        words: Words,
        before: Option<Seq>,
        limit: u64,
    ) -> Result<Id, NotMember> {
        self.begin(now, false);
        self.rooms.iter().find(|r| r.id() == room && r.leave.is_none()).ok_or(NotMember)?;
        let re = self.ask(Question::Search { room: room.clone(), words, before, limit });
        self.settle();
        Ok(re)
    }

    /// Keeps order in a room: [`Event::Done`], [`Event::Code`] where a code was asked for, or [`Event::Refused`].
    ///
    /// What is asked for offline is asked once we are in the room again. Where the connection breaks before the answer, it is
    /// refused as `unavailable`, and the room shows whether it was done.
    ///
    /// # Errors
    /// [`NotMember`] where we are not in that room, or are leaving it.
    pub fn order(&mut self, now: Now, room: &RoomId, order: Order) -> Result<Id, NotMember> {
        self.begin(now, false);
        self.rooms.iter().find(|r| r.id() == room && r.leave.is_none()).ok_or(NotMember)?;
        let re = self.ask(Question::Order { room: room.clone(), order });
        self.settle();
        Ok(re)
    }

    /// Leaves a room, once everything that was said there has its answer: [`Event::Left`]. Where there is no
    /// connection, we are out at once; the server learns it by our not coming back.
    ///
    /// # Errors
    /// [`NotMember`] where we are not in that room.
    pub fn leave(&mut self, now: Now, room: &RoomId) -> Result<Id, NotMember> {
        self.begin(now, false);
        let re = Id::generate(&mut self.entropy);
        let found = self.rooms.iter_mut().find(|r| r.id() == room).ok_or(NotMember)?;
        let re = *found.leave.get_or_insert(re);
        self.settle();
        Ok(re)
    }

    /// Takes another name: [`Event::Renamed`] or [`Event::Refused`].
    pub fn rename(&mut self, now: Now, name: Name) -> Id {
        self.begin(now, false);
        let re = self.ask(Question::Rename { name });
        self.settle();
        re
    }

    /// Doesn't wait for the next attempt.
    pub fn reconnect(&mut self, now: Now) {
        self.begin(now, false);
        if matches!(self.link, Link::Waiting { .. }) {
            self.dial();
        }
        self.settle();
    }

    /// Says goodbye once what was said is acknowledged or refused, or 5 s have passed: [`Event::Ended`].
    pub fn bye(&mut self, now: Now) {
        self.begin(now, false);
        if self.course == Course::Staying {
            self.course = Course::draining(self.clock.now());
        }
        self.settle();
    }

    /// The next action, until there is none.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.0.pop_front()
    }

    /// When the machine wants an [`Input::Tick`] at the latest: not after now while actions wait; `None`: never.
    pub fn deadline(&self) -> Option<Instant> {
        if !self.actions.0.is_empty() {
            return Some(self.clock.now());
        }
        [self.link.deadline(), self.course_deadline(), self.errand_deadline()].into_iter().flatten().min()
    }

    /// What is to be sent next, or `None` where there is nothing.
    pub fn transmit(&mut self) -> Option<Transmit<'_>> {
        (!self.unsent.is_empty()).then_some(Transmit(&mut self.unsent))
    }

    /// Where the machine is with its connection.
    pub fn status(&self) -> Status {
        match self.link {
            Link::Waiting { until } => Status::Waiting { until },
            Link::Connecting { .. } | Link::Greeting { .. } => Status::Connecting,
            Link::Online(_) | Link::Closing { .. } => Status::Online,
            Link::Ended => Status::Ended,
        }
    }

    /// Our member id: our key's, or what the server last said.
    pub fn member(&self) -> MemberId {
        self.member
    }

    /// What the server calls us; `None` before it said so.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// What the server allows; `None` before it said so.
    pub fn limits(&self) -> Option<&Limits> {
        self.limits.as_ref()
    }

    /// The rooms that we are in or want to be in again, in the order of joining.
    pub fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.rooms.iter()
    }

    /// One of them.
    pub fn room(&self, id: &RoomId) -> Option<&Room> {
        self.rooms.iter().find(|room| room.id() == id)
    }

    /// What we said and is not acknowledged, oldest first.
    pub fn pending(&self) -> impl Iterator<Item = &Pending> {
        let mut pending: Vec<_> = self.rooms.iter().flat_map(|room| room.outbox.pending()).collect();
        pending.sort_unstable_by_key(|(number, _)| *number);
        pending.into_iter().map(|(_, what)| what)
    }
}

/// Inputs and time.
impl Client {
    /// Takes note of the time, and of whether bytes came. After a leap of time, the other side is asked whether it is
    /// still there; bytes that come with the leap may have lain here since before.
    fn begin(&mut self, now: Now, heard: bool) {
        let deadline = self.deadline();
        let told = self.clock.tell(now, deadline);
        if heard {
            self.link.heard(self.clock.now());
        }
        match told {
            // Until now there was no time at which the attempt could have begun.
            Told::First => self.link = Link::connecting(self.clock.now()),
            Told::Leapt => self.ping_unless_pinged(),
            Told::Passed => {}
        }
    }

    /// Does everything that is due, and everything that has become possible.
    fn settle(&mut self) {
        let now = self.clock.now();
        while self.link.deadline().is_some_and(|due| due <= now) {
            match &self.link {
                Link::Waiting { .. } => self.dial(),
                Link::Connecting { .. } | Link::Greeting { .. } => self.fail(None, Duration::ZERO),
                Link::Online(session) => match session.beat() {
                    Beat::Listening { .. } => self.ping_unless_pinged(),
                    Beat::Pinged { .. } => self.fail(None, Duration::ZERO),
                },
                Link::Closing { .. } => self.end(None),
                Link::Ended => break,
            }
        }
        self.run_errands();
        self.follow_course();
    }

    fn connected(&mut self) {
        if !self.is_dialled() {
            return;
        }
        self.greet();
    }

    /// Says who we are, or are to be.
    pub(super) fn greet(&mut self) {
        let hello = Id::generate(&mut self.entropy);
        self.link = Link::greeting(self.clock.now(), hello);
        let may_log_in = self.may_log_in();
        let (name, password) = match self.login.as_mut().filter(|_| may_log_in) {
            Some(login) => login.claim(hello),
            // With a password the name is the account's, whatever one was called meanwhile.
            None if self.config.password.is_some() => (self.config.name.clone(), self.config.password.clone()),
            None => (self.wanted.clone(), None),
        };
        self.send(&Request::Hello {
            id: Some(hello),
            v: alloc::vec![VERSION],
            agent: Some(self.config.agent.clone()),
            name,
            key: Some(self.config.key),
            password,
        });
    }

    /// Each line is settled by itself, so that how the bytes were split makes no difference.
    fn received(&mut self, bytes: &[u8]) {
        if !self.link.is_connected() {
            return;
        }
        self.lines.push(bytes);
        let mut line = Vec::new();
        while self.link.is_connected() {
            line.clear();
            match self.lines.next(SERVER_LINE, &mut line) {
                None => break,
                Some(Ok(())) => self.line(&line),
                Some(Err(_)) => self.fail(None, Duration::ZERO),
            }
            self.settle();
        }
        self.lines.tidy();
    }

    fn disconnected(&mut self) {
        if self.link.is_connected() || self.is_dialled() {
            self.lose(None, Duration::ZERO);
        }
    }

    /// Whether the driver has been told to connect. Before that, inputs come from a connection that is over.
    fn is_dialled(&self) -> bool {
        matches!(self.link, Link::Connecting { .. }) && !self.actions.0.contains(&Action::Connect)
    }
}

/// What the driver has not polled yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Actions(VecDeque<Action>);

impl Actions {
    fn show(&mut self, event: Event) {
        self.0.push_back(Action::Show(event));
    }
}
