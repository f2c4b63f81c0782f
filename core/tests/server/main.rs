//! The server machine, from outside: bytes, time and the log go in, and what comes out is held against PROTOCOL.md.
#![cfg(test)]

mod world;

mod accounts;
mod away;
mod closing;
mod codes;
mod held;
mod keep;
mod logins;
mod order;
mod plain;
mod presence;
mod properties;
mod raising;
mod reload;
mod resume;
mod roles;
mod says;
mod script;
mod search;
mod sessions;
mod slow;
mod sniffing;
mod strict;
mod table;
mod taken_back;
mod waiting;
