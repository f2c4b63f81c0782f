//! Requests and frames, written and read back.
#![cfg_attr(fuzzing, no_main, allow(unsafe_code))]

qun_fuzz::target!(frames);
