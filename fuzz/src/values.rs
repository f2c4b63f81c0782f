//! Everything that stands on the wire, drawn from a fuzzer's bytes. Where they end, the simplest that there is.

use arbitrary::{Arbitrary, Result, Unstructured};
use qun_core::json::{
    ByeCode, Change, Door, ErrorCode, Found, Frame, Joined, Limits, Message, Page, PageMessage, Person, Request, Retry,
    Room, ShownCode, Welcome,
};
use qun_core::log::{Kind, Span};
use qun_core::{
    Act, By, Code, CodeOrder, Deed, Epoch, Id, Key, MemberId, Name, Order, Password, Position, Role, RoomId, Seq,
    Subject, Text, Which, Whom, Words,
};

type Given<'a, 'b> = &'a mut Unstructured<'b>;

pub(crate) fn request(given: Given<'_, '_>) -> Result<Request> {
    let id = option(given, id)?;
    Ok(match given.int_in_range(0..=10)? {
        0 => Request::Bye,
        1 => {
            let v = (0..given.int_in_range(0..=3)?).map(|_| integer(given)).collect::<Result<_>>()?;
            let (agent, name, key) = (option(given, string)?, option(given, name)?, option(given, key)?);
            // A password is an account's, and so comes with a name.
            let password = if name.is_some() { option(given, password)? } else { None };
            Request::Hello { id, v, agent, name, key, password }
        }
        2 => {
            let door = if given.arbitrary()? { Door::Held(room(given)?) } else { Door::Code(string(given)?) };
            Request::Join { id, door, resume: option(given, position)?, tail: option(given, integer)? }
        }
        3 => {
            let kind = if given.ratio(1, 4)? { Kind::Me } else { Kind::Say };
            Request::Say { id, room: room(given)?, text: text(given)?, kind }
        }
        4 => {
            let span = if given.arbitrary()? { Span::Before(seq(given)?) } else { Span::After(seq(given)?) };
            Request::History { id, room: room(given)?, span, limit: option(given, integer)? }
        }
        5 => Request::Leave { id, room: room(given)? },
        6 => Request::Name { id, name: name(given)? },
        7 => Request::Ping { n: integer(given)? },
        8 => {
            let words = words(given)?;
            Request::Search {
                id,
                room: room(given)?,
                words,
                before: option(given, seq)?,
                limit: option(given, integer)?,
            }
        }
        9 => Request::Act { id, room: room(given)?, order: order(given)? },
        _ => Request::Pong { n: integer(given)? },
    })
}

pub(crate) fn frame(given: Given<'_, '_>) -> Result<Frame> {
    let re = option(given, id)?;
    Ok(match given.int_in_range(0..=16)? {
        0 => Frame::Ok { re, seq: option(given, seq)? },
        1 => Frame::Welcome(welcome(given, re)?),
        2 => Frame::Joined(joined(given, re)?),
        3 | 4 => Frame::Msg(Message { room: room(given)?, body: message(given)? }),
        5 => Frame::Presence { room: room(given)?, change: change(given)? },
        6 => Frame::Here { room: room(given)?, n: integer(given)? },
        7 => left(given, re)?,
        8 => Frame::Page(page(given, re)?),
        9 => {
            let (from, to) = (seq(given)?, seq(given)?);
            Frame::Gap { room: room(given)?, from, to, here: integer(given)?, members: option(given, people)? }
        }
        10 => Frame::Notice { level: string(given)?, text: text(given)? },
        11 => error(given, re)?,
        12 => {
            let code = ByeCode::from(choice(given, &["done", "slow", "shutdown", "replaced", "kicked", "later"])?);
            Frame::Bye { code, retry: retry(given)?, wait_ms: option(given, small)?, text: string(given)? }
        }
        13 => Frame::Ping { n: integer(given)? },
        15 => Frame::Found(found(given, re)?),
        14 if given.ratio(1, 4)? => {
            Frame::Code { re, room: room(given)?, label: string(given)?.into(), code: ShownCode(string(given)?) }
        }
        14 => Frame::Room { room: joined(given, None)?.room },
        _ => Frame::Pong { n: integer(given)? },
    })
}

/// The end of a membership, asked for or not.
fn left(given: Given<'_, '_>, re: Option<Id>) -> Result<Frame> {
    let room = room(given)?;
    if given.arbitrary()? {
        return Ok(Frame::Left { re, room, code: None, retry: None, text: None });
    }
    let code = ByeCode::from(choice(given, &["room_closed", "kicked", "later"])?);
    Ok(Frame::Left { re, room, code: Some(code), retry: Some(retry(given)?), text: Some(string(given)?) })
}

/// What answers this request, but that its numbers may be any.
pub(crate) fn answer(given: Given<'_, '_>, request: Request, me: MemberId) -> Result<Frame> {
    let re = id_of(&request);
    Ok(match request {
        Request::Hello { .. } => Frame::Welcome(Welcome { m: me, ..welcome(given, re)? }),
        Request::Join { door: Door::Held(id), .. } => {
            let joined = joined(given, re)?;
            Frame::Joined(Joined { room: Room { id, ..joined.room }, ..joined })
        }
        Request::Join { .. } => Frame::Joined(joined(given, re)?),
        Request::Say { id, room, text, kind } => {
            let body = PageMessage { m: me, kind, text, id, ..message(given)? };
            if given.ratio(1, 8)? {
                return Ok(Frame::Ok { re, seq: Some(body.seq) });
            }
            Frame::Msg(Message { room, body })
        }
        Request::History { room, .. } => Frame::Page(Page { room, ..page(given, re)? }),
        Request::Search { room, .. } => Frame::Found(Found { room, ..found(given, re)? }),
        Request::Leave { room, .. } => Frame::Left { re, room, code: None, retry: None, text: None },
        Request::Name { .. } => Frame::Ok { re, seq: None },
        Request::Act { room, order: Order::Code(_), .. } if given.arbitrary()? => {
            let code = ShownCode(string(given)?);
            Frame::Code { re, room, label: string(given)?.into(), code }
        }
        Request::Act { .. } => Frame::Ok { re, seq: Some(seq(given)?) },
        Request::Ping { n } => Frame::Pong { n },
        Request::Pong { .. } => Frame::Ping { n: small(given)? },
        Request::Bye => Frame::Bye { code: ByeCode::Done, retry: Retry::No, wait_ms: None, text: "Goodbye.".into() },
    })
}

pub(crate) fn error(given: Given<'_, '_>, re: Option<Id>) -> Result<Frame> {
    let codes = ["bad_code", "slow_down", "read_only", "not_member", "unavailable", "name_taken", "later"];
    let code = ErrorCode::from(choice(given, &codes)?);
    let (wait_ms, left) = (option(given, small)?, option(given, integer)?);
    Ok(Frame::Error { re, code, retry: retry(given)?, wait_ms, left, text: string(given)? })
}

pub(crate) fn id_of(request: &Request) -> Option<Id> {
    match request {
        Request::Hello { id, .. }
        | Request::Join { id, .. }
        | Request::Say { id, .. }
        | Request::History { id, .. }
        | Request::Search { id, .. }
        | Request::Leave { id, .. }
        | Request::Name { id, .. }
        | Request::Act { id, .. } => *id,
        Request::Ping { .. } | Request::Pong { .. } | Request::Bye => None,
    }
}

fn welcome(given: Given<'_, '_>, re: Option<Id>) -> Result<Welcome> {
    let mut number = || small(given);
    let limits = Limits {
        line: 16_384,
        text: 4_000,
        lines: 64,
        name: 32,
        replay: number()?,
        burst: number()?,
        per_s: number()?,
    };
    let (ping_s, grace_s) = (1 + small(given)?, integer(given)?);
    let (server, m, name) = (string(given)?, member(given)?, name(given)?);
    Ok(Welcome {
        re,
        v: 1,
        server,
        m,
        name,
        resumed: given.arbitrary()?,
        now: integer(given)?,
        ping_s,
        grace_s,
        limits,
        account: option(given, self::name)?,
        rooms: (0..given.int_in_range(0..=2)?).map(|_| room_frame(given)).collect::<Result<_>>()?,
    })
}

fn room_frame(given: Given<'_, '_>) -> Result<Room> {
    let (topic, closed) = (option(given, short)?, given.ratio(1, 8)?);
    Ok(Room { id: room(given)?, title: string(given)?, role: role(given)?, topic, closed })
}

fn password(given: Given<'_, '_>) -> Result<Password> {
    Ok(parsed(&choice(given, &["correct horse", "wrong", "caf\u{e9} \"\\"])?, "correct horse"))
}

fn joined(given: Given<'_, '_>, re: Option<Id>) -> Result<Joined> {
    let room = room_frame(given)?;
    let (first, from, head) = (seq(given)?, seq(given)?, seq(given)?);
    let (here, members) = (integer(given)?, option(given, people)?);
    Ok(Joined { re, room, here, members, epoch: epoch(given)?, first, from, head })
}

fn page(given: Given<'_, '_>, re: Option<Id>) -> Result<Page> {
    let msgs = (0..given.int_in_range(0..=4)?).map(|_| message(given)).collect::<Result<_>>()?;
    let (room, epoch, first) = (room(given)?, epoch(given)?, seq(given)?);
    Ok(Page { re, room, epoch, first, more: given.arbitrary()?, msgs })
}

fn found(given: Given<'_, '_>, re: Option<Id>) -> Result<Found> {
    let Page { room, epoch, first, more, msgs, .. } = page(given, re)?;
    Ok(Found { re, room, epoch, first, from: seq(given)?, more, msgs })
}

pub(crate) fn words(given: Given<'_, '_>) -> Result<Words> {
    Ok(parsed(&string(given)?, "deploy"))
}

fn message(given: Given<'_, '_>) -> Result<PageMessage> {
    let (seq, ts, m, name) = (seq(given)?, integer(given)?, member(given)?, name(given)?);
    Ok(PageMessage { seq, ts, m, name, kind: kind(given)?, text: text(given)?, id: option(given, id)? })
}

fn change(given: Given<'_, '_>) -> Result<Change> {
    let (m, name) = (member(given)?, name(given)?);
    Ok(match given.int_in_range(0..=3)? {
        0 => Change::In { m, name, role: role(given)? },
        1 => Change::Out { m, name, why: option(given, string)? },
        2 => Change::Name { m, name, was: self::name(given)? },
        _ => Change::Role { m, name, role: role(given)? },
    })
}

fn role(given: Given<'_, '_>) -> Result<Role> {
    if given.ratio(7, 8)? { Ok(Role::Talk) } else { Ok(*given.choose(&Role::ALL)?) }
}

fn people(given: Given<'_, '_>) -> Result<Vec<Person>> {
    (0..given.int_in_range(0..=3)?)
        .map(|_| Ok(Person { m: member(given)?, name: name(given)?, role: role(given)? }))
        .collect()
}

fn position(given: Given<'_, '_>) -> Result<Position> {
    Ok(Position { epoch: epoch(given)?, seq: seq(given)? })
}

fn option<T>(given: Given<'_, '_>, of: fn(Given<'_, '_>) -> Result<T>) -> Result<Option<T>> {
    if given.arbitrary()? { of(given).map(Some) } else { Ok(None) }
}

/// One of a few, or any other.
fn choice(given: Given<'_, '_>, few: &[&str]) -> Result<String> {
    let index = given.int_in_range(0..=few.len())?;
    few.get(index).map_or_else(|| string(given), |word| Ok((*word).into()))
}

fn string(given: Given<'_, '_>) -> Result<String> {
    let length = usize::from(given.arbitrary::<u8>()? % 32).min(given.len());
    Ok(String::from_utf8_lossy(given.bytes(length)?).into())
}

/// What is typed, where it is one; else what certainly is.
fn parsed<T: std::str::FromStr>(typed: &str, or: &str) -> T {
    let word = typed.parse().or_else(|_| or.parse()).ok();
    word.unwrap_or_else(|| unreachable!("{or} is one"))
}

pub(crate) fn code(given: Given<'_, '_>) -> Result<Code> {
    Ok(parsed(&choice(given, &["K7QM-2XD4", "HA11-HA11"])?, "K7QM-2XD4"))
}

pub(crate) fn name(given: Given<'_, '_>) -> Result<Name> {
    Ok(parsed(&choice(given, &["ann", "bob", "小明"])?, "mei"))
}

pub(crate) fn text(given: Given<'_, '_>) -> Result<Text> {
    Ok(parsed(&choice(given, &["hi", "a\nb", "\u{2028}é"])?, "ho"))
}

fn room(given: Given<'_, '_>) -> Result<RoomId> {
    Ok(parsed(&choice(given, &["ops", "ops", "hall"])?, "ops"))
}

fn epoch(given: Given<'_, '_>) -> Result<Epoch> {
    Ok(parsed(&choice(given, &["e", "e", "e", "f"])?, "g"))
}

fn id(given: Given<'_, '_>) -> Result<Id> {
    Ok(parsed(&string(given)?, "h0"))
}

fn key(given: Given<'_, '_>) -> Result<Key> {
    Ok(Key::generate(&mut qun_core::Entropy::new([given.arbitrary()?; 32])))
}

fn member(given: Given<'_, '_>) -> Result<MemberId> {
    Ok(MemberId::from_bits(if given.ratio(1, 4)? {
        given.arbitrary()?
    } else {
        u64::from(given.arbitrary::<u8>()?) << 4
    }))
}

fn kind(given: Given<'_, '_>) -> Result<Kind> {
    Ok(match given.int_in_range(0..=15)? {
        0..=10 => Kind::Say,
        11..=13 => Kind::Me,
        14 => Kind::Removed,
        _ => act(given)?.into(),
    })
}

fn act(given: Given<'_, '_>) -> Result<Act> {
    let (on, why) = (Subject { m: option(given, member)?, name: name(given)? }, option(given, short)?);
    let until = option(given, integer)?;
    Ok(match given.int_in_range(0..=10)? {
        0 => Act::Kick { on, why },
        1 => Act::Ban { on, until, why },
        2 => Act::Unban { on },
        3 => Act::Mute { on, until, why },
        4 => Act::Unmute { on },
        5 => Act::Topic { topic: why },
        6 => Act::Remove { of: Seq::new(small(given)?), on, why },
        7 => {
            let deed = *given.choose(&[Deed::Added, Deed::Rotated, Deed::Retired])?;
            Act::Code { label: string(given)?.into(), deed }
        }
        8 => Act::Close { why },
        9 => Act::Open,
        _ => Act::Role { on, role: option(given, role)? },
    })
}

/// A reason or a topic.
fn short(given: Given<'_, '_>) -> Result<Text> {
    Ok(parsed(&choice(given, &["spam", "the deploy"])?.replace(['\n', '\u{2028}', '\u{2029}'], " "), "spam"))
}

/// What somebody who keeps order asks for.
pub(crate) fn order(given: Given<'_, '_>) -> Result<Order> {
    let why = option(given, short)?;
    let whom = if given.arbitrary()? { Whom::Member(member(given)?) } else { Whom::Name(name(given)?) };
    let for_s = option(given, small)?.map(|s| s + 1);
    let label = option(given, |given| choice(given, &["team", "guests"]))?;
    let label = label.filter(|label| !label.is_empty() && label.chars().all(char::is_alphanumeric) && label.len() < 32);
    Ok(match given.int_in_range(0..=13)? {
        0 => Order::Kick { whom, why },
        1 => {
            let by = By::ALL.into_iter().filter(|_| given.arbitrary().unwrap_or_default()).collect();
            Order::Ban { whom, by, for_s, why }
        }
        2 => Order::Ban { whom, by: Vec::new(), for_s, why },
        3 => Order::Unban { whom },
        4 => Order::Mute { whom, for_s, why },
        5 => Order::Unmute { whom },
        6 => Order::Topic { topic: why },
        7 => Order::Remove { which: Which::Message(Seq::new(small(given)?)), why },
        8 => Order::Remove { which: Which::Newest(whom), why },
        9 => Order::Close { why },
        10 => Order::Open,
        11 => Order::Role { whom, role: option(given, role)? },
        12 => {
            let (role, uses) = (role(given)?, for_s);
            Order::Code(CodeOrder::Add { label: label.map(Into::into), role, for_s, uses })
        }
        _ => match label {
            Some(label) if given.arbitrary()? => {
                // Whoever goes goes at once.
                let kick = for_s.is_none() && given.arbitrary()?;
                Order::Code(CodeOrder::Retire { label: label.into(), after_s: for_s, kick })
            }
            label => Order::Code(CodeOrder::Rotate { label: label.map(Into::into), after_s: for_s }),
        },
    })
}

fn retry(given: Given<'_, '_>) -> Result<Retry> {
    given.choose(&[Retry::Now, Retry::Later, Retry::Fix, Retry::No]).copied()
}

/// Mostly one of those that may be the next, now and then any.
pub(crate) fn seq(given: Given<'_, '_>) -> Result<Seq> {
    Ok(Seq::new(if given.ratio(1, 16)? { u64::arbitrary(given)? } else { given.int_in_range(0..=15)? }))
}

pub(crate) fn small(given: Given<'_, '_>) -> Result<u64> {
    given.int_in_range(0..=31)
}

fn integer(given: Given<'_, '_>) -> Result<u64> {
    Ok(if given.ratio(1, 4)? { u64::arbitrary(given)? >> 11 } else { small(given)? })
}
