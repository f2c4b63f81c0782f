//! A client, its user, and a server that does as it likes.
#![cfg_attr(fuzzing, no_main, allow(unsafe_code))]

qun_fuzz::target!(client_any);
