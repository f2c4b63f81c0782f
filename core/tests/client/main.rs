//! The client machine, seen from outside: a driver and a server that say just what a test wants them to.

#[cfg(test)]
mod account;
#[cfg(test)]
mod link;
#[cfg(test)]
mod model;
#[cfg(test)]
mod order;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod robust;
#[cfg(test)]
mod rooms;
#[cfg(test)]
mod says;
