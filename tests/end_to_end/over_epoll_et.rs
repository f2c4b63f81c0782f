//! The same, over edge-triggered epoll.

#[path = "main.rs"]
mod end_to_end;
#[cfg(test)]
use end_to_end::world;
