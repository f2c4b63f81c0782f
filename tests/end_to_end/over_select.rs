//! The same, over `select(2)`.

#[path = "main.rs"]
mod end_to_end;
#[cfg(test)]
use end_to_end::world;
