//! The server machine under a storm: whatever the world does, in any order, its contracts hold.

#[cfg(test)]
mod fold;
#[cfg(test)]
mod log;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod storm;
#[cfg(test)]
mod world;
