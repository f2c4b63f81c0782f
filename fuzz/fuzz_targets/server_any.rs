//! Several connections to a server, which say what they speak.
#![cfg_attr(fuzzing, no_main, allow(unsafe_code))]

qun_fuzz::target!(server_any);
