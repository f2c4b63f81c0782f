//! The example answers what it is asked, and says why it can't get in.

use std::net::TcpListener;
use std::time::Duration;

use qun_core::client::{Config, Event};
use qun_core::server::{self, Access, Presence, RoomConfig};
use qun_core::{Entropy, Key, Role};
use qun_transports::MemoryLog;
use qun_transports::smol::{connect, seed, serve};
use smol::future::or;

const CODE: &str = "K7QM-2XD4";

#[test]
fn it_says_what_it_is_asked_to_say() {
    let access =
        Access { code: CODE.parse().unwrap(), label: "a".into(), role: Role::Talk, expires: None, max_members: None };
    let room = RoomConfig {
        id: "ops".parse().unwrap(),
        title: "Ops".into(),
        presence: Presence::Full,
        codes: vec![access],
        accounts: Vec::new(),
        guests: true,
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let config = server::Config { rooms: vec![room], ..server::Config::default() };
    let server = serve([listener], config, MemoryLog::new([1; 32])).unwrap();

    let asking = async {
        let key = Key::generate(&mut Entropy::new(seed().unwrap()));
        let backoff = Duration::from_secs(1);
        let config = Config { agent: "test".into(), name: None, key, password: None, tail: 0, timeline: 10, backoff };
        let mut ann = connect(addr.as_str(), config).unwrap();
        ann.join(CODE.parse().unwrap());
        loop {
            match ann.next().await.unwrap() {
                // Ask once the bot is there.
                Event::Joined { room, here: 2, .. } | Event::Presence { room, .. } => {
                    let _ = ann.say(&room, "!echo 好 two".parse().unwrap());
                }
                Event::Message { message, mine: false, .. } => {
                    assert_eq!((message.name.as_str(), message.text.as_str()), ("echo", "好 two"));
                    return;
                }
                _ => {}
            }
        }
    };
    let bot = async { panic!("{:?}", super::answer(&addr, CODE.parse().unwrap()).await) };
    let refused = async {
        let error = super::answer(&addr, "WRONG-C0DE".parse().unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("code"), "{error}");
    };
    smol::block_on(or(async { panic!("{:?}", server.await) }, async {
        or(asking, bot).await;
        refused.await;
    }));
}
