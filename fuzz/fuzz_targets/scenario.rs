//! Whole worlds of the simulator.
#![cfg_attr(fuzzing, no_main, allow(unsafe_code))]

qun_fuzz::target!(scenario);
