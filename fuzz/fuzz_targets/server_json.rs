//! Json from a client into a server.
#![cfg_attr(fuzzing, no_main, allow(unsafe_code))]

qun_fuzz::target!(server_json);
