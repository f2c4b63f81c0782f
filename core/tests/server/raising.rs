//! Nobody raises himself: whatever is asked for, by whom, in whatever order, each act in the log was its author's to do.

use std::collections::BTreeMap;

use proptest::prelude::*;
use qun_core::log::Kind;
use qun_core::server::Presence;
use qun_core::{Act, ConnId, MemberId, Role};
use serde_json::{Value, json};

use crate::accounts::{account, listed};
use crate::world::{World, room};

/// Who there is, two of each role, and by which code and key they come; behind them accounts, one of them by two sessions, and
/// one that the room lists.
const PEOPLE: [(&str, &str, Role); 11] = [
    ("read1", "READ-READ", Role::Read),
    ("read2", "READ-READ", Role::Read),
    ("talk1", "TALK-TALK", Role::Talk),
    ("talk2", "TALK-TALK", Role::Talk),
    ("keep1", "KEEP-KEEP", Role::Moderator),
    ("keep2", "KEEP-KEEP", Role::Moderator),
    ("owner1", "0WNE-0WNE", Role::Owner),
    ("owner2", "0WNE-0WNE", Role::Owner),
    ("eve", "TALK-TALK", Role::Talk),
    ("eve", "READ-READ", Role::Read),
    ("mallory", "KEEP-KEEP", Role::Moderator),
];

/// Where the accounts begin.
const ACCOUNTS: usize = 8;

/// What the room gives mallory without a code.
const LISTED: Role = Role::Talk;

#[derive(Clone, Debug)]
enum Step {
    /// Somebody asks for something.
    Order(usize, Value),
    /// Somebody says something.
    Say(usize),
    /// Somebody comes again, by their own code, by one that everybody knows, or by one that was made.
    Join(usize, usize),
    /// Somebody names the room, and tells no code.
    ByRoom(usize),
    /// Somebody leaves.
    Leave(usize),
    /// Somebody loses the connection, and takes their session up again.
    Cut(usize),
    /// Somebody wants another's name.
    Name(usize, usize),
    /// The log answers what it holds, and from then on later, or at once.
    Hold(bool),
    /// The log fails, or works.
    Broken(bool),
}

fn order() -> impl Strategy<Value = Value> {
    let whom = 0..PEOPLE.len();
    let role = prop_oneof![Just("read"), Just("talk"), Just("moderator"), Just("owner")];
    let about = |t: &'static str| move |at: usize| json!({"t": t, "name": PEOPLE[at].0});
    prop_oneof![
        whom.clone().prop_map(about("kick")),
        whom.clone().prop_map(about("ban")),
        whom.clone().prop_map(|at| json!({"t": "ban", "name": PEOPLE[at].0, "by": ["source", "name"]})),
        whom.clone().prop_map(about("unban")),
        whom.clone().prop_map(about("mute")),
        whom.clone().prop_map(about("unmute")),
        whom.clone().prop_map(about("role")),
        (whom.clone(), role.clone()).prop_map(|(at, role)| json!({"t": "role", "name": PEOPLE[at].0, "role": role})),
        (whom.clone(), role.clone()).prop_map(|(at, role)| json!({"t": "role", "name": PEOPLE[at].0, "role": role})),
        whom.prop_map(about("remove")),
        (0_u64..20).prop_map(|seq| json!({"t": "remove", "seq": seq})),
        Just(json!({"t": "topic", "text": "raised"})),
        Just(json!({"t": "close"})),
        Just(json!({"t": "open"})),
        role.clone().prop_map(|role| json!({"t": "code", "do": "add", "role": role})),
        prop_oneof![Just("read"), Just("talk"), Just("keep"), Just("owner")]
            .prop_map(|label| json!({"t": "code", "do": "rotate", "label": label})),
        Just(json!({"t": "code", "do": "retire", "label": "keep"})),
        Just(json!({"t": "code", "do": "retire", "label": "keep~", "kick": true})),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..PEOPLE.len();
    prop_oneof![
        12 => (who.clone(), order()).prop_map(|(who, order)| Step::Order(who, order)),
        3 => who.clone().prop_map(Step::Say),
        4 => (who.clone(), who.clone()).prop_map(|(who, code)| Step::Join(who, code)),
        3 => who.clone().prop_map(Step::ByRoom),
        1 => who.clone().prop_map(Step::Leave),
        2 => who.clone().prop_map(Step::Cut),
        1 => (who.clone(), who).prop_map(|(who, name)| Step::Name(who, name)),
        1 => any::<bool>().prop_map(Step::Hold),
        1 => any::<bool>().prop_map(Step::Broken),
    ]
}

/// All that anybody may rely on.
struct Roles {
    member: Vec<MemberId>,
    /// By which code's role each session was let in last.
    by_code: Vec<Option<Role>>,
    /// By which an account was.
    came: BTreeMap<MemberId, Role>,
    given: BTreeMap<MemberId, Role>,
}

impl Roles {
    /// What a session has beside its code.
    fn beside(&self, at: usize) -> Role {
        let listed = if PEOPLE[at].0 == "mallory" { LISTED } else { Role::Read };
        listed.max(self.given.get(&self.member[at]).copied().unwrap_or(Role::Read))
    }

    /// The highest role that a member has here, or had when they were here last.
    fn of(&self, m: MemberId) -> Role {
        let sessions = (0..PEOPLE.len()).filter(|&at| self.member[at] == m);
        let roles = sessions.map(|at| self.by_code[at].unwrap_or(Role::Read).max(self.beside(at)));
        roles.max().unwrap_or_default()
    }

    /// They are put out: nothing is left of the code that they came by.
    fn put_out(&mut self, m: MemberId) {
        self.came.remove(&m);
        (0..PEOPLE.len()).filter(|&at| self.member[at] == m).for_each(|at| self.by_code[at] = None);
    }
}

fn key(at: usize) -> String {
    format!("{:->21}{}", PEOPLE[at].0, at % 10)
}

/// Somebody connects, and says who they are.
fn hello(world: &mut World, at: usize) -> (ConnId, MemberId) {
    let conn = world.connect();
    let mut hello = json!({"t": "hello", "id": "h0", "v": [1], "name": PEOPLE[at].0, "key": key(at)});
    if at >= ACCOUNTS {
        hello["password"] = json!("sesame");
    }
    let welcome = world.call(conn, hello);
    (conn, welcome["m"].as_str().expect("a member").parse().expect("an id"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn each_act_was_its_authors_to_do(steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = World::with(|config| {
            let codes = [("READ-READ", Role::Read), ("TALK-TALK", Role::Talk), ("KEEP-KEEP", Role::Moderator), ("0WNE-0WNE", Role::Owner)];
            config.rooms[0] = room("ops", "On-call", Presence::Full, &codes);
            for (access, label) in config.rooms[0].codes.iter_mut().zip(["read", "talk", "keep", "owner"]) {
                access.label = label.into();
            }
            config.accounts = vec![account("eve", "sesame"), account("mallory", "sesame")];
            config.rooms[0].accounts = vec![listed("mallory", LISTED)];
            (config.limits.burst, config.limits.per_s) = (0, 0);
            (config.limits.acts_burst, config.limits.acts_per_s) = (0, 0);
        });
        world.thorough = false;
        let mut roles = Roles {
            member: Vec::new(),
            by_code: PEOPLE.iter().map(|(_, _, role)| Some(*role)).collect(),
            came: BTreeMap::new(),
            given: BTreeMap::new(),
        };
        // Codes that were made, and the role that each request is about; `None`: it told no code.
        let mut made: Vec<(String, Role)> = Vec::new();
        let mut asked: Vec<Option<Role>> = Vec::new();
        let mut seen = 0;
        let mut conns: Vec<ConnId> = Vec::new();
        for (at, (_, code, role)) in PEOPLE.iter().enumerate() {
            let (conn, m) = hello(&mut world, at);
            prop_assert_eq!(&world.join(conn, code)["t"], "joined");
            conns.push(conn);
            roles.member.push(m);
            if at >= ACCOUNTS {
                roles.came.insert(m, *role);
            }
        }
        for step in steps {
            match step {
                Step::Order(who, mut order) => {
                    let about = order["role"].as_str().or(order["label"].as_str()).unwrap_or_default().to_owned();
                    let about = if about == "keep" { "moderator" } else { &about };
                    order["id"] = json!(asked.len().to_string());
                    asked.push(Some(Role::named(about).unwrap_or_default()));
                    order["room"] = json!("ops");
                    world.ask(conns[who], order);
                }
                Step::Say(who) => world.ask(conns[who], json!({"t": "say", "room": "ops", "text": "hi"})),
                // What is on its way to the log was allowed by the role that its author had then.
                Step::Join(..) if world.log.hold => {}
                Step::Join(who, code) => {
                    let own = (PEOPLE[who].1.to_owned(), PEOPLE[who].2);
                    let known = if code % 2 == 0 { own } else { ("READ-READ".into(), Role::Read) };
                    let (code, role) = made.get(code).unwrap_or(&known);
                    let id = asked.len().to_string();
                    asked.push(Some(*role));
                    world.ask(conns[who], json!({"t": "join", "id": id, "code": code, "tail": 0}));
                }
                Step::ByRoom(_) | Step::Cut(_) | Step::Leave(_) if world.log.hold => {}
                Step::ByRoom(who) => {
                    let id = asked.len().to_string();
                    asked.push(None);
                    world.ask(conns[who], json!({"t": "join", "id": id, "room": "ops", "tail": 0}));
                }
                Step::Leave(who) => {
                    world.ask(conns[who], json!({"t": "leave", "room": "ops"}));
                    if roles.by_code[who].is_some() {
                        // Whoever needs no code may be back as what they were.
                        roles.by_code[who] = None;
                    }
                }
                Step::Cut(who) => {
                    world.reset(conns[who]);
                    let (conn, m) = hello(&mut world, who);
                    prop_assert_eq!(m, roles.member[who]);
                    conns[who] = conn;
                }
                Step::Name(who, name) => world.ask(conns[who], json!({"t": "name", "id": "n", "name": PEOPLE[name].0})),
                Step::Hold(true) => world.log.hold = true,
                Step::Hold(false) => world.release_all(),
                Step::Broken(broken) => world.log.broken = broken,
            }
            // What came of it, in the order of the log.
            for record in world.log.records("ops")[seen..].iter().cloned() {
                seen += 1;
                let Kind::Act(act) = &record.kind else { continue };
                let author = roles.of(record.member);
                let (needs, on) = match &**act {
                    Act::Kick { on, .. } | Act::Ban { on, .. } | Act::Mute { on, .. } => (Role::Moderator, Some(on)),
                    Act::Remove { on, .. } => (Role::Moderator, Some(on).filter(|on| on.m != Some(record.member))),
                    Act::Unban { .. } | Act::Unmute { .. } | Act::Topic { .. } => (Role::Moderator, None),
                    Act::Role { on, .. } => (Role::Owner, Some(on)),
                    Act::Close { .. } | Act::Open | Act::Code { .. } => (Role::Owner, None),
                };
                prop_assert!(author >= needs, "{} of {} did {:?}", record.name, author, act);
                if let Some(m) = on.and_then(|on| on.m) {
                    prop_assert!(roles.of(m) < author, "{} of {} did {:?}", record.name, author, act);
                }
                match &**act {
                    Act::Role { on, role: Some(role) } => {
                        prop_assert!(*role < author);
                        roles.given.insert(on.m.unwrap(), *role);
                    }
                    Act::Role { on, role: None } => drop(roles.given.remove(&on.m.unwrap())),
                    Act::Kick { on, .. } | Act::Ban { on, .. } => on.m.into_iter().for_each(|m| roles.put_out(m)),
                    _ => {}
                }
            }
            for (at, conn) in conns.iter().enumerate() {
                for line in world.lines(*conn) {
                    let about = line["re"].as_str().and_then(|re| asked.get(re.parse::<usize>().ok()?)).copied();
                    if line["t"] == "joined" {
                        let told: Role = serde_json::from_value(line["room"]["role"].clone()).unwrap();
                        let m = roles.member[at];
                        match about.unwrap() {
                            Some(role) => {
                                roles.by_code[at] = Some(role);
                                if at >= ACCOUNTS {
                                    roles.came.insert(m, role);
                                }
                                prop_assert_eq!(told, role.max(roles.beside(at)), "{}", line);
                            }
                            // Who is still in comes by the code that they came by; an account by the last one that it came by.
                            None => {
                                let before = roles.by_code[at].or(roles.came.get(&m).copied());
                                let before = before.or((PEOPLE[at].0 == "mallory").then_some(LISTED));
                                prop_assert!(before.is_some(), "in by nothing: {}", line);
                                roles.by_code[at] = before;
                                prop_assert!(told <= before.unwrap().max(roles.beside(at)), "{} by {:?}", line, before);
                            }
                        }
                    }
                    if line["t"] == "code" {
                        prop_assert_eq!(PEOPLE[at].2, Role::Owner, "only an owner is told a code");
                        let about = about.flatten().unwrap();
                        prop_assert!(about < Role::Owner);
                        made.push((line["code"].as_str().unwrap().into(), about));
                    }
                }
            }
        }
    }
}
