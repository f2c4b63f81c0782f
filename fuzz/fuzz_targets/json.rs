//! Lines of json, read as strictly as they must be.
#![cfg_attr(fuzzing, no_main, allow(unsafe_code))]

qun_fuzz::target!(json);
