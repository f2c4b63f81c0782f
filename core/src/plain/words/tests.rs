//! What is said, in every language.

use alloc::string::String;
use alloc::vec;

use super::*;
use crate::act::Deed;
use crate::verb::Verb;

fn written(phrase: Phrase<'_>, language: Language) -> String {
    let mut out = Vec::new();
    phrase.write(language, &mut out);
    String::from_utf8(out).unwrap()
}

fn en(phrase: Phrase<'_>) -> String {
    written(phrase, Language::En)
}

fn zh(phrase: Phrase<'_>) -> String {
    written(phrase, Language::ZhCn)
}

fn name(name: &str) -> Name {
    name.parse().unwrap()
}

fn person(called: &str) -> Person {
    Person { m: crate::id::MemberId::from_bits(7), name: name(called), role: Role::Talk }
}

#[test]
fn who_says_whose_name_is_an_accounts_and_who_may_what_most_may_not() {
    let account = |called: &str, role| Person {
        m: crate::id::MemberId::of_account(&name(called).folded()),
        role,
        ..person(called)
    };
    let others = [person("bob"), account("mei", Role::Owner), Person { role: Role::Read, ..person("eve") }];
    let shown = |you: &Person, write: fn(Phrase<'_>) -> String| {
        write(Phrase::Who(Here::Named { count: 5, others: &others, you }))
    };
    let ann = account("ann", Role::Talk);
    assert_eq!(
        shown(&ann, en),
        "-- 5 here: bob, mei (account, owner), eve (read), ann (you, account) … and 1 more.\r\n"
    );
    let keeper = Person { role: Role::Moderator, ..person("ann") };
    assert_eq!(
        shown(&keeper, zh),
        "-- 5 人在线：bob、mei（账号，群主）、eve（只读）、ann（你，管理员） … 还有 1 人。\r\n"
    );
}

#[test]
fn the_prompts_are_the_protocols() {
    assert_eq!(en(Phrase::CodePrompt), "Room code: ");
    assert_eq!(zh(Phrase::CodePrompt), "请输入群口令：");
    assert_eq!(en(Phrase::NamePrompt(&name("guest-3"))), "Your name [guest-3]: ");
    let wrong = |left| en(Phrase::TryAgain(Refusal::WrongCode { left }));
    assert_eq!(wrong(4), "That code does not open a room. 4 tries left.\r\n");
    assert_eq!(wrong(1), "That code does not open a room. 1 try left.\r\n");
    assert_eq!(wrong(0), "That code does not open a room. No tries left.\r\n");
}

#[test]
fn a_room_is_headed_as_the_protocol_heads_it() {
    let (others, you) = ([person("bob"), person("mei")], person("ann"));
    let here = Here::Named { count: 3, others: &others, you: &you };
    let room = |here, backlog, head| en(Phrase::Room { title: "On-call", here, backlog, head: Seq::new(head) });
    assert_eq!(room(here, 2, 815), "-- On-call. 3 here: bob, mei, ann (you). Last 2 of 815 messages:\r\n");
    assert_eq!(room(here, 0, 0), "-- On-call. 3 here: bob, mei, ann (you).\r\n");
    assert_eq!(room(Here::Counted(4211), 0, 9), "-- On-call. 4211 here.\r\n");
    let alone = Here::Named { count: 1, others: &[], you: &you };
    assert_eq!(room(alone, 1, 1), "-- On-call. 1 here: ann (you). Last 1 of 1 message:\r\n");
    assert_eq!(
        en(Phrase::In(Role::Talk)),
        "-- You are in. /who /name /me /history /search /join /leave /help /quit\r\n"
    );
    assert_eq!(
        zh(Phrase::Room { title: "值班", here, backlog: 2, head: Seq::new(815) }),
        "-- 值班。3 人在线：bob、mei、ann（你）。共 815 条消息，最近 2 条：\r\n"
    );
}

#[test]
fn a_long_roster_is_cut_short() {
    let (others, you) = (vec![person("bob"); 56], person("ann"));
    let here = Here::Named { count: 57, others: &others, you: &you };
    let header = en(Phrase::Room { title: "Hall", here, backlog: 0, head: Seq::ZERO });
    assert_eq!(header.matches("bob").count(), HEADER_NAMES - 1);
    assert!(header.ends_with(", ann (you) … and 37 more.\r\n"), "{header}");
    let who = en(Phrase::Who(here));
    assert_eq!(who.matches("bob").count(), 56);
    assert!(who.ends_with(", ann (you).\r\n"), "{who}");
}

#[test]
fn a_gap_is_exact() {
    let gap = |from, to| en(Phrase::Gap { from: Seq::new(from), to: Seq::new(to) });
    assert_eq!(gap(816, 852), "-- You missed 37 messages (816 to 852). /history shows the newest.\r\n");
    assert_eq!(gap(816, 816), "-- You missed 1 message (816). /history shows the newest.\r\n");
    assert_eq!(gap(816, 815), "-- You missed who came and went. /who shows who is here.\r\n");
}

#[test]
fn numbers_are_the_same_in_chinese() {
    let (from, to) = (Seq::new(816), Seq::new(852));
    assert_eq!(
        zh(Phrase::Gap { from, to }),
        "-- 你错过了 37 条消息（第 816 至 852 条）。/history 查看最近的消息。\r\n"
    );
    assert_eq!(zh(Phrase::Gap { from, to: from }), "-- 你错过了 1 条消息（第 816 条）。/history 查看最近的消息。\r\n");
    assert_eq!(zh(Phrase::Gap { from: to, to: from }), "-- 你错过了一些人的进出。/who 查看谁在线。\r\n");
    assert_eq!(zh(Phrase::History { from, to: from }), "-- 第 816 条消息：\r\n");
    assert_eq!(zh(Phrase::History { from, to }), "-- 第 816 至 852 条消息：\r\n");
    let (others, you) = (vec![person("bob"); 56], person("ann"));
    let header = |count, others| {
        zh(Phrase::Room { title: "群", here: Here::Named { count, others, you: &you }, backlog: 0, head: Seq::ZERO })
    };
    let many = header(57, &others[..]);
    assert_eq!(many.matches("bob").count(), HEADER_NAMES - 1);
    assert!(many.ends_with("、ann（你） … 还有 37 人。\r\n"), "{many}");
    assert!(header(2, &others[..1]).ends_with("2 人在线：bob、ann（你）。\r\n"));
}

#[test]
fn a_page_is_headed_by_what_it_holds() {
    let (from, to) = (Seq::new(816), Seq::new(852));
    assert_eq!(en(Phrase::History { from, to: from }), "-- Message 816:\r\n");
    assert_eq!(en(Phrase::History { from, to }), "-- Messages 816 to 852:\r\n");
}

#[test]
fn waits_are_rounded_up() {
    let locked = |ms| en(Phrase::TryAgain(Refusal::Locked { wait: Duration::from_millis(ms) }));
    assert_eq!(locked(8_001), "Too many wrong codes. Try again in 9 seconds.\r\n");
    assert_eq!(locked(1_000), "Too many wrong codes. Try again in 1 second.\r\n");
    let bye = Phrase::Bye { code: &ByeCode::Shutdown, wait: Some(Duration::from_millis(7_200)) };
    assert_eq!(en(bye), "-- The server goes down. Come back in 8 seconds.\r\n");
}

#[test]
fn what_was_not_sent_is_named() {
    let not_sent = |text: &str| en(Phrase::NotSent(&text.parse().unwrap()));
    assert!(not_sent("deploy").contains(": deploy\r\n"));
    assert!(not_sent("one\ntwo").contains(": one…\r\n"));
    let long = "字".repeat(QUOTED + 1);
    assert!(not_sent(&long).contains(&alloc::format!(": {}…\r\n", "字".repeat(QUOTED))));
}

#[test]
fn nobody_forges_a_line_by_what_is_shown_back() {
    let forged = en(Phrase::Unknown("x\r\n14:03 <ann> yes\x1b[2J"));
    assert_eq!(forged.matches("\r\n").count(), 1);
    assert!(!forged.contains('\x1b'));
    assert_eq!(zh(Phrase::YouLeft { title: "a\nb" }), "-- 你已离开 a\u{FFFD}b。\r\n");
}

#[test]
fn every_phrase_is_whole_marked_lines_in_every_language() {
    let (others, you) = ([name("bob"), name("小明")], name("ann"));
    let (people, me) = ([person("bob"), person("小明")], person("ann"));
    let text: Text = "Restarting\nin 60 s.".parse().unwrap();
    let named = Here::Named { count: 3, others: &people, you: &me };
    let (one, nine) = (Seq::new(1), Seq::new(9));
    let second = Duration::from_secs(1);
    let ids: Vec<RoomId> = vec!["ops".parse().unwrap(), "dev".parse().unwrap()];
    let refusals = [
        Refusal::WrongCode { left: 0 },
        Refusal::WrongCode { left: 4 },
        Refusal::CodeExpired,
        Refusal::WrongPassword { left: 0 },
        Refusal::WrongPassword { left: 1 },
        Refusal::WrongPassword { left: u64::MAX },
        Refusal::PasswordsLocked { wait: second },
        Refusal::BadPassword(PasswordError::Empty),
        Refusal::BadPassword(PasswordError::TooLong),
        Refusal::BadPassword(PasswordError::Control),
        Refusal::NoVerdict,
        Refusal::NoGuests,
        Refusal::Locked { wait: second },
        Refusal::TooFast { wait: second },
        Refusal::RoomFull,
        Refusal::Unavailable,
        Refusal::BadName(NameError::Empty),
        Refusal::BadName(NameError::TooLong),
        Refusal::BadName(NameError::Character(' ')),
        Refusal::NameTaken(&you),
        Refusal::Muted { wait: None },
        Refusal::Muted { wait: Some(second) },
        Refusal::Banned { wait: None },
        Refusal::Banned { wait: Some(second) },
        Refusal::Kicked,
        Refusal::Closed,
    ];
    let forbidden =
        [Forbidden::Needs(Role::Owner), Forbidden::NotBelow, Forbidden::Gift, Forbidden::Higher, Forbidden::Act];
    let missing = [Missing::Member, Missing::Message, Missing::Ban, Missing::Mute, Missing::Gift, Missing::Code];
    let unfit = [Unfit::Mark, Unfit::Key, Unfit::Label, Unfit::TooMany];
    let mut refusals = refusals.to_vec();
    refusals.extend(forbidden.map(Refusal::Forbidden));
    refusals.extend(missing.map(Refusal::NotFound));
    refusals.extend(unfit.map(Refusal::Unfit));
    let on = crate::act::Subject { m: None, name: you.clone() };
    let why: Option<Text> = Some("spam".parse().unwrap());
    let deed = |deed| Act::Code { label: "team".into(), deed };
    let role = |role| Act::Role { on: on.clone(), role };
    let acts = [
        Act::Kick { on: on.clone(), why: None },
        Act::Kick { on: on.clone(), why: why.clone() },
        Act::Ban { on: on.clone(), until: None, why: why.clone() },
        Act::Ban { on: on.clone(), until: Some(90_061_000), why: None },
        Act::Unban { on: on.clone() },
        Act::Mute { on: on.clone(), until: Some(7_200_000), why: why.clone() },
        Act::Unmute { on: on.clone() },
        Act::Topic { topic: None },
        Act::Topic { topic: why.clone() },
        Act::Remove { of: nine, on: on.clone(), why: why.clone() },
        Act::Close { why },
        Act::Open,
        role(None),
        role(Some(Role::Moderator)),
        deed(Deed::Added),
        deed(Deed::Rotated),
        deed(Deed::Retired),
    ];
    let byes = [
        ByeCode::Done,
        ByeCode::Version,
        ByeCode::Protocol,
        ByeCode::TooBig,
        ByeCode::Replaced,
        ByeCode::Kicked,
        ByeCode::Banned,
        ByeCode::RoomClosed,
        ByeCode::CodeChanged,
        ByeCode::AccountChanged,
        ByeCode::Slow,
        ByeCode::Dead,
        ByeCode::Handshake,
        ByeCode::Flood,
        ByeCode::Shutdown,
        ByeCode::Internal,
        ByeCode::Other("later".into()),
    ];
    let mut phrases = vec![
        Phrase::NameGiven { wanted: &you, given: &others[0] },
        Phrase::YouAre(&you),
        Phrase::LoggedIn { name: &you, rooms: &[], is_in: false },
        Phrase::LoggedIn { name: &you, rooms: &ids, is_in: false },
        Phrase::LoggedIn { name: &you, rooms: &ids, is_in: true },
        Phrase::LoggedInAlready(&you),
        Phrase::NameIsFixed(&you),
        Phrase::Room { title: "On-call", here: named, backlog: 2, head: nine },
        Phrase::Room { title: "On-call", here: Here::Counted(1), backlog: 0, head: nine },
        Phrase::AlreadyIn { title: "On-call" },
        Phrase::YouLeft { title: "On-call" },
        Phrase::RoomCloses { title: "On-call" },
        Phrase::RoomClosed { title: "On-call" },
        Phrase::Titled { title: "On-call" },
        Phrase::NoRoom,
        Phrase::Who(named),
        Phrase::Who(Here::Counted(7)),
        Phrase::History { from: one, to: nine },
        Phrase::History { from: one, to: one },
        Phrase::HistoryEnd,
        Phrase::NoHistory,
        Phrase::Found { count: 1, more: false },
        Phrase::Found { count: 20, more: true },
        Phrase::Day(Day { year: 2026, month: 2, day: 7 }),
        Phrase::FoundEnd,
        Phrase::NothingFound { from: None },
        Phrase::NothingFound { from: Some(nine) },
        Phrase::BadWords(WordsError::Empty),
        Phrase::BadWords(WordsError::TooLong),
        Phrase::Came(&you),
        Phrase::Went(&you),
        Phrase::Renamed { was: &you, name: &others[0] },
        Phrase::Gap { from: one, to: nine },
        Phrase::Gap { from: one, to: Seq::ZERO },
        Phrase::SlowDown { per_s: 2 },
        Phrase::ReadOnly,
        Phrase::BadText(TextError::Blank),
        Phrase::BadText(TextError::TooLong(4000)),
        Phrase::BadText(TextError::TooManyLines(64)),
        Phrase::BadText(TextError::Control('\x1b')),
        Phrase::NotUtf8,
        Phrase::NotSent(&text),
        Phrase::Unknown("nick"),
        Phrase::Unknown(""),
        Phrase::Echo(true),
        Phrase::Echo(false),
    ];
    phrases
        .extend(Role::ALL.into_iter().flat_map(|role| [Phrase::In(role), Phrase::NewRole(role), Phrase::Help(role)]));
    phrases.extend(refusals.iter().copied().map(Phrase::Refused));
    phrases.extend(acts.iter().map(|act| Phrase::Acted { time: (9, 5), ts: 0, name: &you, act }));
    phrases.extend(Verb::ALL.map(|verb| Phrase::Usage(Usage::Order(verb))));
    let why = [ByeCode::Kicked, ByeCode::Banned, ByeCode::CodeChanged];
    phrases.extend(why.iter().map(|why| Phrase::PutOut { title: "On-call", why }));
    phrases.push(Phrase::NewCode { label: "team", code: "K7QM-2XD4" });
    phrases.extend(
        [Usage::Me, Usage::Name, Usage::History, Usage::Search, Usage::Join, Usage::Login, Usage::Echo]
            .map(Phrase::Usage),
    );
    phrases.extend(byes.iter().flat_map(|code| [None, Some(second)].map(|wait| Phrase::Bye { code, wait })));
    for phrase in phrases {
        for language in [Language::En, Language::ZhCn] {
            let said = written(phrase, language);
            let lines = said.strip_suffix("\r\n").unwrap_or_else(|| panic!("{phrase:?}: {said:?}"));
            for line in lines.split("\r\n") {
                assert!(line.starts_with("-- ") && line.len() > 5, "{phrase:?}: {line:?}");
                assert!(!line.contains(['\r', '\n', '\u{FFFD}']), "{phrase:?}: {line:?}");
            }
        }
        assert_ne!(en(phrase), zh(phrase), "{phrase:?}");
    }
    for refusal in refusals {
        for language in [Language::En, Language::ZhCn] {
            let (at_prompt, by_command) =
                (written(Phrase::TryAgain(refusal), language), written(Phrase::Refused(refusal), language));
            assert_eq!(by_command, alloc::format!("-- {at_prompt}"));
        }
    }
}
