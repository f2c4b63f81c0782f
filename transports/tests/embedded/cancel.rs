//! Futures that are dropped at any await.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::Thread;
use std::time::Duration;

use qun_core::Entropy;
use qun_core::client::Event;
use smol::Timer;
use smol::future::FutureExt;

use crate::rig::{hears, in_time, member, room, say, server};

/// Polls `future` once and drops it.
async fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[test]
fn nothing_is_lost_or_doubled_where_every_await_is_dropped() {
    const SAYS: usize = 400;
    for seed in 0..4 {
        let mut entropy = Entropy::new([seed; 32]);
        let (mut server, addr) = server();
        let joined = smol::future::or(async { Some((member(addr).await, member(addr).await)) }, async {
            (&mut server).await.map(|()| None).unwrap()
        });
        let (mut ann, mut bob) = smol::block_on(in_time(joined)).unwrap();
        let mut heard = [Vec::new(), Vec::new()];
        let mut said = 0;
        smol::block_on(in_time(async {
            while heard.iter().any(|heard| heard.len() < SAYS) {
                match entropy.below(4) {
                    0 => assert!(once(&mut server).await.is_none(), "the server ended"),
                    1 if said < SAYS => {
                        said += 1;
                        ann.say(&room(), said.to_string().parse().unwrap()).unwrap();
                    }
                    number => {
                        let (who, heard) = match number {
                            2 => (&mut ann, &mut heard[0]),
                            _ => (&mut bob, &mut heard[1]),
                        };
                        if let Some(event) = once(who.next()).await
                            && let Event::Message { message, .. } = event.expect("nobody said goodbye")
                        {
                            heard.push(message.text.as_str().parse::<usize>().unwrap());
                        }
                    }
                }
                // Else this task would never be pending, and the executor would not look what is ready.
                smol::future::yield_now().await;
            }
        }));
        for heard in heard {
            assert!(heard.iter().copied().eq(1..=SAYS), "{heard:?}");
        }
    }
}

#[test]
fn a_server_that_is_left_alone_goes_on_where_it_stopped() {
    let (mut server, addr) = server();
    let mut ann = crate::rig::with(&mut server, member(addr));
    ann.say(&room(), "while you were out".parse().unwrap()).unwrap();
    // Nobody serves now; another executor, on another thread, takes over.
    std::thread::spawn(move || {
        crate::rig::with(&mut server, crate::rig::hears(&mut ann, "while you were out"));
    })
    .join()
    .unwrap();
}

/// Two servers, two people at each, and in every step one of the servers, one of the people and a clock race: whoever
/// loses is dropped wherever it was.
#[test]
fn nothing_is_lost_or_doubled_in_races_and_timeouts() {
    const SAYS: usize = 120;
    for seed in 0..12 {
        let mut entropy = Entropy::new([seed; 32]);
        let (mut servers, mut people) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let (mut server, addr) = server();
            let joined = smol::future::or(async { Some([member(addr).await, member(addr).await]) }, async {
                (&mut server).await.map(|()| None).unwrap()
            });
            people.push(smol::block_on(in_time(joined)).unwrap());
            servers.push(server);
        }
        let mut said = [0; 2];
        let mut heard: [[Vec<usize>; 2]; 2] = Default::default();
        smol::block_on(in_time(async {
            while heard.iter().flatten().any(|heard| heard.len() < SAYS) {
                let (at, who) = (entropy.below(2) as usize, entropy.below(2) as usize);
                // At the server where more is to be said, by whoever it is.
                if said[at] < SAYS && entropy.below(3) == 0 {
                    said[at] += 1;
                    people[at][0].say(&room(), said[at].to_string().parse().unwrap()).unwrap();
                }
                let served = async {
                    let end = (&mut servers[at]).await;
                    panic!("the server ended: {end:?}")
                };
                let event = async { people[at][who].next().await };
                let late = async {
                    Timer::after(Duration::from_micros(entropy.below(300))).await;
                    None
                };
                let event = match seed % 3 {
                    0 => served.or(event).or(late).await,
                    1 => event.or(late).or(served).await,
                    _ => late.or(served).or(event).await,
                };
                if let Some(Event::Message { message, .. }) = event {
                    heard[at][who].push(message.text.as_str().parse().unwrap());
                }
            }
        }));
        for heard in heard.iter().flatten() {
            assert!(heard.iter().copied().eq(1..=SAYS), "seed {seed}: {heard:?}");
        }
    }
}

/// A conversation that any executor can run; it drives its server itself.
async fn conversation() {
    let (mut server, addr) = server();
    let talk = async {
        let (mut ann, mut bob) = (member(addr).await, member(addr).await);
        for number in 0..50 {
            say(&mut ann, &format!("number {number}")).await;
            hears(&mut bob, &format!("number {number}")).await;
        }
    };
    let serve = async {
        let end = (&mut server).await;
        panic!("the server ended: {end:?}")
    };
    in_time(talk.or(serve)).await;
}

#[test]
fn another_runtime_that_knows_nothing_of_ours_runs_both_sides() {
    // Without its own timers and sockets, which nobody needs.
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(conversation());
}

#[test]
fn a_thread_that_only_parks_runs_both_sides() {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut conversation = pin!(conversation());
    while conversation.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        std::thread::park();
    }
}
