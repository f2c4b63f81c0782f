//! What is compared.

use std::str::FromStr;

/// A server, in one of the ways in which it is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum System {
    /// The bare relay, with lines as long as qun's frames of this dialect.
    Floor(Dialect),
    /// qun, read in this dialect, driven by this loop.
    Ours(Dialect, Loop),
    /// Another server.
    Peer(Peer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dialect {
    Json,
    Plain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Loop {
    Epoll,
    EpollEt,
    Select,
    Smol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    Redis,
    Nats,
    Inspircd,
    Ngircd,
    Mosquitto,
}

impl System {
    /// All of them, in the order of the tables.
    pub(crate) const ALL: [Self; 12] = [
        Self::Floor(Dialect::Json),
        Self::JSON,
        Self::Floor(Dialect::Plain),
        Self::PLAIN,
        Self::Peer(Peer::Redis),
        Self::Peer(Peer::Nats),
        Self::Peer(Peer::Inspircd),
        Self::Peer(Peer::Ngircd),
        Self::Peer(Peer::Mosquitto),
        Self::Ours(Dialect::Json, Loop::EpollEt),
        Self::Ours(Dialect::Json, Loop::Select),
        Self::Ours(Dialect::Json, Loop::Smol),
    ];

    /// qun as it runs by default, for programs.
    pub(crate) const JSON: Self = Self::Ours(Dialect::Json, Loop::Epoll);
    /// And for people.
    pub(crate) const PLAIN: Self = Self::Ours(Dialect::Plain, Loop::Epoll);

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor(Dialect::Json) => "floor-json",
            Self::Floor(Dialect::Plain) => "floor-plain",
            Self::Ours(Dialect::Json, Loop::Epoll) => "json",
            Self::Ours(Dialect::Json, Loop::EpollEt) => "json-epoll-et",
            Self::Ours(Dialect::Json, Loop::Select) => "json-select",
            Self::Ours(Dialect::Json, Loop::Smol) => "json-smol",
            Self::Ours(Dialect::Plain, Loop::Epoll) => "plain",
            Self::Ours(Dialect::Plain, Loop::EpollEt) => "plain-epoll-et",
            Self::Ours(Dialect::Plain, Loop::Select) => "plain-select",
            Self::Ours(Dialect::Plain, Loop::Smol) => "plain-smol",
            Self::Peer(peer) => peer.name(),
        }
    }

    /// As the head of a column.
    pub(crate) fn title(self) -> String {
        match self {
            Self::Floor(dialect) => format!("floor, {} lines", dialect.name()),
            Self::Ours(dialect, Loop::Epoll) => format!("**qun, {}**", dialect.name()),
            Self::Ours(dialect, by) => format!("qun, {}, {}", dialect.name(), by.name()),
            Self::Peer(peer) => peer.name().into(),
        }
    }

    /// What `qun bench` speaks with it.
    pub(crate) fn protocol(self) -> &'static str {
        match self {
            Self::Floor(_) => "relay",
            Self::Ours(dialect, _) => dialect.name(),
            Self::Peer(Peer::Redis) => "redis",
            Self::Peer(Peer::Nats) => "nats",
            Self::Peer(Peer::Inspircd | Peer::Ngircd) => "irc",
            Self::Peer(Peer::Mosquitto) => "mqtt",
        }
    }

    /// Not one of our other loops, which have a table of their own.
    pub(crate) fn is_compared(self) -> bool {
        !matches!(self, Self::Ours(_, Loop::EpollEt | Loop::Select | Loop::Smol))
    }
}

impl Dialect {
    pub(crate) const ALL: [Self; 2] = [Self::Json, Self::Plain];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Plain => "plain",
        }
    }
}

impl Loop {
    /// As `--poller` or `--runtime` calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Epoll => "epoll",
            Self::EpollEt => "epoll-et",
            Self::Select => "select",
            Self::Smol => "smol",
        }
    }
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Nats => "nats-server",
            Self::Inspircd => "inspircd",
            Self::Ngircd => "ngircd",
            Self::Mosquitto => "mosquitto",
        }
    }

    /// Its program, which is also the name of its Debian package.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            other => other.name(),
        }
    }
}

impl FromStr for System {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|system| system.name() == name).ok_or_else(|| "no server has this name".into())
    }
}
