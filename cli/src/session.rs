//! A client on its own thread, and the inbox of whoever drives it.
//!
//! The [`Client`] machine and its connection live on a thread that only moves bytes. Commands go there as [`Doing`];
//! what happens comes back as [`Msg`], through the one inbox that keys, stdin and signals use too. The inbox is bounded: a
//! reader that stalls stops the connection's thread, the server then treats it as the slow reader that it is, and
//! nothing is lost but time.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use std::{io, thread};

use async_channel::Receiver as Commands;
use futures_lite::future;
use qun_core::client::{Client, Config, Door, Event, Status};
use qun_core::json::Person;
use qun_core::log::Kind;
use qun_core::{Id, MemberId, Name, Now, Order, Password, RoomId, Seq, Text, TextLimits, Words};
use qun_transports::smol::{self, Connection};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Failure;
use crate::keys::{self, HeldKey};
use crate::text::LIMITS;
use crate::{AGENT, entropy};

/// What arrives while a client runs.
#[derive(Debug)]
pub(crate) enum Msg {
    /// Something happened that a person may want to see.
    Client {
        /// What.
        event: Event,
        /// Who is in the room, where the event is about that and the room says who.
        members: Option<Vec<Person>>,
        /// How the client is then.
        state: State,
    },
    /// A command was taken; what answers it names this id.
    Given {
        /// Its id.
        id: Id,
        /// The command.
        doing: Doing,
        /// How the client is then.
        state: State,
    },
    /// A command was not taken: we are not in that room.
    NotMember(Doing),
    /// How many are in a room, and who where the room says that, as it was asked.
    Who(RoomId, u64, Option<Vec<Person>>),
    /// How the machine's clock goes.
    Clock(Clock),
    /// A line of stdin, without its end, or why it is none.
    Line(Result<String, Unreadable>),
    /// Stdin is at its end.
    EndOfInput,
    /// A key, a paste, another size.
    Terminal(crossterm::event::Event),
    /// Ctrl-C or SIGTERM.
    Signal,
}

/// What the machine's clock said at one moment, by which its instants can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    mono: qun_core::Instant,
    at: Instant,
}

impl Clock {
    /// How long it is until `then`; nothing where it is past.
    pub(crate) fn until(&self, then: qun_core::Instant) -> Duration {
        then.since(self.mono).saturating_sub(self.at.elapsed())
    }
}

/// A line of stdin that is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not UTF-8")]
pub(crate) struct Unreadable;

/// A command to the client.
#[derive(Clone, Debug)]
pub(crate) enum Doing {
    /// Get into a room.
    Join(Door),
    /// Say something.
    Say {
        /// Where.
        room: RoomId,
        /// How it is meant.
        kind: Kind,
        /// What.
        text: Text,
    },
    /// Load older messages.
    History {
        /// Where.
        room: RoomId,
        /// Older than which.
        before: Seq,
        /// How many.
        limit: u64,
    },
    /// Look for words.
    Search {
        /// Where.
        room: RoomId,
        /// What.
        words: Words,
        /// Older than which.
        before: Option<Seq>,
        /// How many.
        limit: u64,
    },
    /// Leave a room.
    Leave(RoomId),
    /// Take another name.
    Rename(Name),
    /// Log in to an account.
    Login(Name, Password),
    /// Keep order in a room.
    Order(RoomId, Order),
}

/// How the client is at a moment.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Its connection.
    pub(crate) status: Status,
    /// How much that we said is not acknowledged.
    pub(crate) pending: usize,
    /// How long a text may be.
    pub(crate) text: TextLimits,
}

impl State {
    fn of(client: &Client) -> Self {
        let text = client.limits().map_or(LIMITS, |limits| TextLimits {
            bytes: usize::try_from(limits.text).unwrap_or(usize::MAX),
            lines: usize::try_from(limits.lines).unwrap_or(usize::MAX),
        });
        Self { status: client.status(), pending: client.pending().count(), text }
    }
}

/// What a client is like.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// Where its server is.
    pub(crate) server: String,
    /// What it wants to be called.
    pub(crate) name: Option<Name>,
    /// The password of the account that the name is.
    pub(crate) password: Option<Password>,
    /// How much backlog it wants.
    pub(crate) tail: u64,
}

/// A running client.
pub(crate) struct Session {
    commands: async_channel::Sender<Command>,
    to: SyncSender<Msg>,
    /// Who we are there.
    pub(crate) member: MemberId,
    /// Held for as long as we are.
    _key: HeldKey,
}

/// Messages of one room that the machine keeps; this program shows each once and never looks back.
const TIMELINE: usize = 200;

/// The longest wait between two attempts to connect.
const BACKOFF: Duration = Duration::from_secs(20);

/// How much may wait in the inbox.
const INBOX: usize = 1_024;

impl Session {
    /// Starts a client, and watches for signals; both report to the inbox.
    ///
    /// # Errors
    /// Where the key can't be used, or this machine gives no thread and no socket.
    pub(crate) fn start(manner: Manner) -> Result<(Self, Receiver<Msg>), Failure> {
        let (to, inbox) = sync_channel(INBOX);
        let key = keys::hold(keys::state_dir().as_deref(), &manner.server, &mut entropy()?)?;
        let account = manner.password.as_ref().and(manner.name.as_ref());
        let member = account.map_or_else(|| key.key.member(), |name| MemberId::of_account(&name.folded()));
        let config = Config {
            agent: AGENT.into(),
            name: manner.name,
            key: key.key,
            tail: manner.tail,
            timeline: TIMELINE,
            password: manner.password,
            backoff: BACKOFF,
        };
        let cant = |what: &'static str| move |error: io::Error| Failure::usage(format!("can't {what}: {error}"));
        let connection = smol::connect(manner.server, config).map_err(cant("start a connection"))?;
        let (commands, commanded) = async_channel::unbounded();
        let told = to.clone();
        let run = move || smol::block_on(drive(connection, commanded, told));
        thread::Builder::new().name("connection".into()).spawn(run).map_err(cant("start a thread"))?;
        watch_signals(to.clone()).map_err(cant("watch for signals"))?;
        let session = Self { commands, to, member, _key: key };
        session.with(|_, now, to| drop(to.send(Msg::Clock(Clock { mono: now.mono, at: Instant::now() }))));
        Ok((session, inbox))
    }

    /// The way into the inbox, for those who read keys and lines.
    pub(crate) fn inbox(&self) -> SyncSender<Msg> {
        self.to.clone()
    }

    /// Gives a command, which is answered by [`Msg::Given`] or [`Msg::NotMember`].
    pub(crate) fn give(&self, doing: Doing) {
        self.with(|client, now, to| {
            let given = match &doing {
                Doing::Join(door) => Ok(client.join(now, door.clone())),
                Doing::Login(name, password) => Ok(client.login(now, name.clone(), password.clone())),
                Doing::Say { room, kind, text } => client.say(now, room, kind.clone(), text.clone()),
                Doing::History { room, before, limit } => client.history(now, room, *before, *limit),
                Doing::Search { room, words, before, limit } => {
                    client.search(now, room, words.clone(), *before, *limit)
                }
                Doing::Leave(room) => client.leave(now, room),
                Doing::Rename(name) => Ok(client.rename(now, name.clone())),
                Doing::Order(room, order) => client.order(now, room, order.clone()),
            };
            let _ = to.send(match given {
                Ok(id) => Msg::Given { id, doing, state: State::of(client) },
                Err(_) => Msg::NotMember(doing),
            });
        });
    }

    /// Asks who is in a room: [`Msg::Who`].
    pub(crate) fn ask_who(&self, room: RoomId) {
        self.with(|client, _, to| {
            let here = client.room(&room).map_or(0, qun_core::client::Room::here);
            let members = members(client, &room);
            let _ = to.send(Msg::Who(room, here, members));
        });
    }

    /// Doesn't wait for the next attempt to connect.
    pub(crate) fn reconnect(&self) {
        self.with(|client, now, _| client.reconnect(now));
    }

    /// Says goodbye once what was said is acknowledged: [`Event::Ended`].
    pub(crate) fn bye(&self) {
        self.with(|client, now, _| client.bye(now));
    }

    fn with(&self, command: impl FnOnce(&mut Client, Now, &SyncSender<Msg>) + Send + 'static) {
        // It fails where the client is over, and then there is nobody to command.
        let _ = self.commands.try_send(Box::new(command));
    }
}

/// Something to be done with the client, on its thread.
type Command = Box<dyn FnOnce(&mut Client, Now, &SyncSender<Msg>) + Send>;

/// Does what is commanded and tells what happens, until the client is over or nobody commands it any more.
///
/// Telling waits while the inbox is full, and with it this whole thread: that is how a reader who stalls holds up what is
/// read from the network.
async fn drive(mut connection: Connection, commands: Commands<Command>, to: SyncSender<Msg>) {
    enum Next {
        Command(Option<Command>),
        Event(Option<Event>),
    }
    loop {
        // Either may be dropped: what it would have brought is brought by the next.
        let command = async { Next::Command(commands.recv().await.ok()) };
        match future::or(command, async { Next::Event(connection.next().await) }).await {
            Next::Command(Some(command)) => connection.with(|client, now| command(client, now, &to)),
            Next::Event(Some(event)) => {
                let client = connection.client();
                let members = match &event {
                    Event::Joined { room, .. } | Event::Roster { room } => members(client, room),
                    _ => None,
                };
                let state = State::of(client);
                if to.send(Msg::Client { event, members, state }).is_err() {
                    return;
                }
            }
            Next::Command(None) | Next::Event(None) => return,
        }
    }
}

/// Who is in a room, by name; `None` where the room doesn't say.
fn members(client: &Client, room: &RoomId) -> Option<Vec<Person>> {
    let roster = client.room(room)?.roster()?;
    let mut members: Vec<_> = roster.cloned().collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Some(members)
}

fn watch_signals(to: SyncSender<Msg>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let watch = move || {
        for _ in signals.forever() {
            if to.send(Msg::Signal).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(watch).map(drop)
}
