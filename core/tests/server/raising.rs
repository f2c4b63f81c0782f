//! Nobody raises himself: whatever is asked for, by whom, in whatever order, each act in the log was its author's to do.

use std::collections::BTreeMap;

use proptest::prelude::*;
use qun_core::log::Kind;
use qun_core::server::Presence;
use qun_core::{Act, ConnId, Key, MemberId, Role};
use serde_json::{Value, json};

use crate::world::{World, room};

/// Who there is, two of each role, and by which code and key they come.
const PEOPLE: [(&str, &str, Role); 8] = [
    ("read1", "READ-READ", Role::Read),
    ("read2", "READ-READ", Role::Read),
    ("talk1", "TALK-TALK", Role::Talk),
    ("talk2", "TALK-TALK", Role::Talk),
    ("keep1", "KEEP-KEEP", Role::Moderator),
    ("keep2", "KEEP-KEEP", Role::Moderator),
    ("owner1", "0WNE-0WNE", Role::Owner),
    ("owner2", "0WNE-0WNE", Role::Owner),
];

#[derive(Clone, Debug)]
enum Step {
    /// Somebody asks for something.
    Order(usize, Value),
    /// Somebody says something.
    Say(usize),
    /// Somebody comes again, by their own code, or by another's that they were told or a code that was made.
    Join(usize, usize),
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
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..PEOPLE.len();
    prop_oneof![
        12 => (who.clone(), order()).prop_map(|(who, order)| Step::Order(who, order)),
        3 => who.clone().prop_map(Step::Say),
        4 => (who.clone(), who).prop_map(|(who, code)| Step::Join(who, code)),
        1 => any::<bool>().prop_map(Step::Hold),
        1 => any::<bool>().prop_map(Step::Broken),
    ]
}

/// The role that a member was last let in with, and those that owners gave: all that anybody may rely on.
struct Roles {
    by_code: BTreeMap<MemberId, Role>,
    given: BTreeMap<MemberId, Role>,
}

impl Roles {
    fn of(&self, m: MemberId) -> Role {
        let by_code = self.by_code.get(&m).copied().unwrap_or_default();
        by_code.max(self.given.get(&m).copied().unwrap_or(Role::Read))
    }
}

fn key(at: usize) -> String {
    format!("{:->22}", PEOPLE[at].0)
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
            (config.limits.burst, config.limits.per_s) = (0, 0);
        });
        world.thorough = false;
        let mut roles = Roles { by_code: BTreeMap::new(), given: BTreeMap::new() };
        // Codes that were made, and the role that each request is about.
        let mut made: Vec<(String, Role)> = Vec::new();
        let mut asked: Vec<Role> = Vec::new();
        let mut seen = 0;
        let mut conns: Vec<ConnId> = Vec::new();
        for (at, (name, code, _)) in PEOPLE.iter().enumerate() {
            let conn = world.connect();
            world.hello(conn, name, Some(&key(at)));
            prop_assert_eq!(&world.join(conn, code)["t"], "joined");
            conns.push(conn);
        }
        let member = |at: usize| key(at).parse::<Key>().unwrap().member();
        for (at, (_, _, role)) in PEOPLE.iter().enumerate() {
            roles.by_code.insert(member(at), *role);
        }
        for step in steps {
            match step {
                Step::Order(who, mut order) => {
                    let about = order["role"].as_str().or(order["label"].as_str()).unwrap_or_default().to_owned();
                    let about = if about == "keep" { "moderator" } else { &about };
                    order["id"] = json!(asked.len().to_string());
                    asked.push(Role::named(about).unwrap_or_default());
                    order["room"] = json!("ops");
                    world.ask(conns[who], order);
                }
                Step::Say(who) => world.ask(conns[who], json!({"t": "say", "room": "ops", "text": "hi"})),
                // What is on its way to the log was allowed by the role that its author had then.
                Step::Join(..) if world.log.hold => {}
                Step::Join(who, code) => {
                    let own = (PEOPLE[who].1.to_owned(), PEOPLE[who].2);
                    let (code, role) = made.get(code).unwrap_or(&own);
                    let id = asked.len().to_string();
                    asked.push(*role);
                    world.ask(conns[who], json!({"t": "join", "id": id, "code": code, "tail": 0}));
                }
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
                    _ => {}
                }
            }
            for (at, conn) in conns.iter().enumerate() {
                for line in world.lines(*conn) {
                    let about = line["re"].as_str().and_then(|re| asked.get(re.parse::<usize>().ok()?)).copied();
                    if line["t"] == "joined" {
                        let told: Role = serde_json::from_value(line["room"]["role"].clone()).unwrap();
                        roles.by_code.insert(member(at), about.unwrap());
                        prop_assert_eq!(told, roles.of(member(at)), "{}", line);
                    }
                    if line["t"] == "code" {
                        prop_assert_eq!(PEOPLE[at].2, Role::Owner, "only an owner is told a code");
                        prop_assert!(about.unwrap() < Role::Owner);
                        made.push((line["code"].as_str().unwrap().into(), about.unwrap()));
                    }
                }
            }
        }
    }
}
