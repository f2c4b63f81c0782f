//! What others do with a running server.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use qun_core::server::{Config, Overview};

use crate::readiness::alarm::Alarm;

/// Stops, reloads and observes a server, from any task or thread. It never waits for the server, and outliving it does no
/// harm.
#[derive(Clone)]
pub struct Handle {
    alarm: Arc<Alarm>,
    desk: Arc<Desk>,
}

impl Handle {
    pub(super) fn new(alarm: Arc<Alarm>, desk: &Seat) -> Self {
        Self { alarm, desk: desk.0.clone() }
    }

    /// Go down politely: listen no longer, say goodbye to everyone, and end once all have it, within
    /// [`Limits::drain`](qun_core::Limits) and two seconds.
    pub fn drain(&self) {
        self.wish(Wish::Drain);
    }

    /// End now.
    pub fn stop(&self) {
        self.wish(Wish::Stop);
    }

    /// Serve another configuration from the next turn on, while people are in:
    /// [`Input::Reload`](qun_core::server::Input::Reload). What it comes to is told as a
    /// [`Note`](qun_core::server::Note). Of several that come before that turn the last counts.
    pub fn reload(&self, config: Config) {
        self.ask(|asked| asked.config = Some(config));
    }

    /// Has the server look at itself at the end of its next turn, and show what it sees: by `tell`, which is called where
    /// the server runs and holds it up. It is dropped where the server has ended, or ends before.
    ///
    /// ```no_run
    /// # fn at(handle: qun_transports::readiness::Handle) {
    /// let (tell, told) = std::sync::mpsc::channel();
    /// handle.observe(move |overview| drop(tell.send(overview)));
    /// if let Ok(overview) = told.recv() {
    ///     println!("{} people in {} rooms", overview.sessions, overview.rooms.len());
    /// }
    /// # }
    /// ```
    pub fn observe(&self, tell: impl FnOnce(Overview) + Send + 'static) {
        self.ask(|asked| asked.tell.push(Box::new(tell)));
    }

    /// How many connections the server had at the end of its latest turn; 0 after its end.
    pub fn connections(&self) -> usize {
        self.desk.connections.load(Ordering::Relaxed)
    }

    fn wish(&self, wish: Wish) {
        self.desk.wish.fetch_max(wish as u8, Ordering::AcqRel);
        self.alarm.ring();
    }

    fn ask(&self, ask: impl FnOnce(&mut Asked)) {
        {
            let mut asked = self.desk.asked();
            match &mut *asked {
                Some(asked) => ask(asked),
                None => return,
            }
        }
        self.desk.is_asked.store(true, Ordering::Release);
        self.alarm.ring();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("connections", &self.connections()).finish_non_exhaustive()
    }
}

/// The server's end; with it the handles have nobody to ask any more.
pub(super) struct Seat(Arc<Desk>);

impl Seat {
    pub(super) fn new() -> Self {
        Self(Arc::new(Desk {
            wish: AtomicU8::new(0),
            connections: AtomicUsize::new(0),
            is_asked: AtomicBool::new(false),
            asked: Mutex::new(Some(Asked::default())),
        }))
    }

    /// What was asked for since the last time.
    pub(super) fn take(&self) -> Asked {
        if !self.0.is_asked.swap(false, Ordering::Acquire) {
            return Asked::default();
        }
        self.0.asked().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// How the server is to end, if it is.
    pub(super) fn wish(&self) -> Option<Wish> {
        match self.0.wish.load(Ordering::Acquire) {
            0 => None,
            wish if wish == Wish::Drain as u8 => Some(Wish::Drain),
            _ => Some(Wish::Stop),
        }
    }

    pub(super) fn publish(&self, connections: usize) {
        self.0.connections.store(connections, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.publish(0);
        let left = self.0.asked().take();
        // Outside the lock: whoever asked may do anything as it is dropped.
        drop(left);
    }
}

/// What was asked for by a [`Handle`] about how to end; a greater wish overrules a smaller one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Drain = 1,
    Stop = 2,
}

/// What else was asked for.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) config: Option<Config>,
    pub(super) tell: Vec<Box<dyn FnOnce(Overview) + Send>>,
}

/// Where handles and the server meet. Nothing is done under its lock but to put something down or to take it.
struct Desk {
    wish: AtomicU8,
    connections: AtomicUsize,
    /// Whether anything lies in `asked`, so that a turn need not look.
    is_asked: AtomicBool,
    /// `None` once the server has ended.
    asked: Mutex<Option<Asked>>,
}

impl Desk {
    fn asked(&self) -> MutexGuard<'_, Option<Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
