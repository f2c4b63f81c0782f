//! A server's bytes into a client.
#![cfg_attr(fuzzing, no_main, allow(unsafe_code))]

qun_fuzz::target!(client);
