//! The page of code keeps every contract.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use qun_core::server::Config;
use qun_transports::conformance::{CheckedLog, Subject, check};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::LocalSet;

use super::hub::Hub;

struct Tokio {
    addr: SocketAddr,
    drain: Arc<Notify>,
    stop: Arc<Notify>,
    thread: JoinHandle<()>,
}

impl Subject for Tokio {
    type Wire = TcpStream;

    fn start(config: Config, log: CheckedLog) -> Self {
        let (drain, stop) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, addr) = mpsc::channel();
        let (drained, stopped) = (drain.clone(), stop.clone());
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(LocalSet::new().run_until(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let hub = Hub::new(config, [1; 32], log);
                tokio::select! {
                    () = hub.clone().serve(listener) => {}
                    () = stopped.notified() => return,
                    () = drained.notified() => {}
                }
                hub.step(|driver| driver.drain(hub.clock.now()));
                while hub.driver.borrow().connections() > 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                // Time for the last bytes, which are on their way.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }));
        });
        Self { addr: addr.recv().unwrap(), drain, stop, thread }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.addr)
    }

    fn drain(&self) {
        self.drain.notify_one();
    }

    fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
}

impl Drop for Tokio {
    fn drop(&mut self) {
        self.stop.notify_one();
    }
}

#[test]
fn a_page_of_code_keeps_the_contracts() {
    check::<Tokio>().unwrap();
}
