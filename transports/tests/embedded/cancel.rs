//! Futures that are dropped at any await.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use qun_core::Entropy;
use qun_core::client::Event;

use crate::rig::{in_time, member, room, server};

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
