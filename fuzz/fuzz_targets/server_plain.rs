//! What a person at netcat types, into a server.
#![cfg_attr(fuzzing, no_main, allow(unsafe_code))]

qun_fuzz::target!(server_plain);
