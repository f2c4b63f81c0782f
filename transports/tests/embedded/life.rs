//! What servers and clients do from their beginning to their end.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use ::smol::{Executor, Timer, future};
use qun_core::client::Event;
use qun_transports::smol;

use crate::rig::{CODE, client, hears, in_time, member, say, server, server_at, until, with};

#[test]
fn one_task_drives_a_server_and_its_clients() {
    let (mut server, addr) = server();
    let handle = server.handle();
    with(&mut server, async {
        let (mut ann, mut bob) = (member(addr).await, member(addr).await);
        say(&mut ann, "hello").await;
        hears(&mut bob, "hello").await;
        assert_eq!(handle.connections(), 2);
        ann.bye();
        until(&mut ann, |event| matches!(event, Event::Ended { .. }).then_some(())).await;
        assert!(ann.next().await.is_none() && ann.next().await.is_none());
    });
}

#[test]
fn a_server_is_observed_and_reloaded_from_beside_it() {
    let (mut server, addr) = server();
    let handle = server.handle();
    with(&mut server, async {
        let mut ann = member(addr).await;
        say(&mut ann, "hello").await;
        let (tell, told) = ::smol::channel::bounded(1);
        handle.observe(move |overview| drop(tell.try_send(overview)));
        let overview = told.recv().await.unwrap();
        assert_eq!((overview.connections, overview.sessions, overview.rooms[0].head.get()), (1, 1, 1));
        let mut config = crate::rig::config();
        config.rooms.clear();
        handle.reload(config);
        let bye = until(&mut ann, |event| match event {
            Event::Left { bye, .. } => Some(bye),
            _ => None,
        });
        assert_eq!(bye.await.unwrap().code.as_str(), "room_closed");
    });
}

#[test]
fn several_servers_live_on_any_executor() {
    let executor = Executor::new();
    future::block_on(in_time(executor.run(async {
        let mut addrs = Vec::new();
        let mut ends = Vec::new();
        for _ in 0..3 {
            let (server, addr) = server();
            addrs.push((server.handle(), addr));
            ends.push(executor.spawn(server));
        }
        for (number, (handle, addr)) in addrs.into_iter().enumerate() {
            let mut ann = member(addr).await;
            say(&mut ann, &format!("only here: {number}")).await;
            assert_eq!(handle.connections(), 1);
            handle.drain();
            let bye = until(&mut ann, |event| match event {
                Event::Offline { bye, .. } => Some(bye),
                _ => None,
            });
            assert_eq!(bye.await.unwrap().code.as_str(), "shutdown");
        }
        for end in ends {
            end.await.unwrap();
        }
    })));
}

#[test]
fn a_client_comes_back_by_itself_and_says_what_waited() {
    ::smol::block_on(in_time(async {
        let (mut server, addr) = server();
        let mut ann =
            future::or(async { Some(member(addr).await) }, async { (&mut server).await.map(|()| None).unwrap() })
                .await
                .unwrap();
        server.handle().stop();
        server.await.unwrap();
        until(&mut ann, |event| matches!(event, Event::Offline { attempt: 2.., .. }).then_some(())).await;
        assert!(ann.trouble().unwrap().contains("refused"), "{:?}", ann.trouble());
        ann.say(&crate::rig::room(), "after all".parse().unwrap()).unwrap();

        let (server, _) = server_at(&addr.to_string());
        future::or(
            async {
                until(&mut ann, |event| matches!(event, Event::Restarted { .. }).then_some(())).await;
                assert_eq!(ann.trouble(), None);
                say(&mut ann, "again").await;
            },
            async { server.await.unwrap() },
        )
        .await;
    }));
}

#[test]
fn a_name_is_looked_up() {
    let (mut server, addr) = server();
    with(&mut server, async {
        let config = client_config();
        let mut ann = smol::connect(format!("localhost:{}", addr.port()), config).unwrap();
        ann.join(CODE.parse().unwrap());
        until(&mut ann, |event| matches!(event, Event::Joined { .. }).then_some(())).await;
    });
    assert!(smol::connect("no address", client_config()).is_err());
}

fn client_config() -> qun_core::client::Config {
    qun_core::client::Config {
        agent: "qun/test".into(),
        name: None,
        key: qun_core::Key::generate(&mut qun_core::Entropy::new(smol::seed().unwrap())),
        tail: 50,
        timeline: 100,
        password: None,
        backoff: Duration::from_millis(100),
    }
}

#[test]
fn a_handle_ends_a_server_that_sleeps_and_is_idle_after_it() {
    for drain in [false, true] {
        let (server, addr) = server();
        let (tell, told) = mpsc::channel();
        let server = server.on_event(move |event| drop(tell.send(event)));
        let handle = server.handle();
        let serving = std::thread::spawn(|| ::smol::block_on(in_time(server)));
        let idle = std::net::TcpStream::connect(addr).unwrap();
        while handle.connections() == 0 {
            std::thread::yield_now();
        }
        drop(idle);
        if drain {
            handle.drain()
        } else {
            handle.stop()
        }
        serving.join().unwrap().unwrap();
        assert_eq!(handle.connections(), 0);
        handle.stop();
        assert!(told.iter().count() < 9);
    }
}

#[test]
fn deadlines_wake_a_server_to_which_nothing_happens() {
    let (mut server, addr) = server();
    with(&mut server, async {
        let start = Instant::now();
        let mut silent = ::smol::Async::<std::net::TcpStream>::connect(addr).await.unwrap();
        // The prompt comes by a deadline of the machine's, and by nothing else.
        let mut prompt = [0; 4];
        ::smol::io::AsyncReadExt::read_exact(&mut silent, &mut prompt).await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
    });
}

#[test]
fn what_goes_on_beside_a_busy_server_goes_on() {
    let (mut server, addr) = server();
    with(&mut server, async {
        let mut ann = member(addr).await;
        let busy = async {
            for number in 0.. {
                say(&mut ann, &format!("number {number}")).await;
            }
        };
        let beside = async {
            let start = Instant::now();
            for _ in 0..20 {
                Timer::after(Duration::from_millis(5)).await;
            }
            assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        };
        future::or(beside, busy).await;
    });
    drop(client(addr));
}
