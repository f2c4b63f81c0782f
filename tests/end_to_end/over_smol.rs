//! The same, under the smol runtime.

#[path = "main.rs"]
mod end_to_end;
#[cfg(test)]
use end_to_end::world;
