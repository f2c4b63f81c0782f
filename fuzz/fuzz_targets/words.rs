//! Codes, names, texts and identifiers.
#![cfg_attr(fuzzing, no_main, allow(unsafe_code))]

qun_fuzz::target!(words);
