//! The first bytes of a connection to a server.
#![cfg_attr(fuzzing, no_main, allow(unsafe_code))]

qun_fuzz::target!(server_sniff);
