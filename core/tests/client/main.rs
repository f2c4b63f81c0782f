//! The client machine, seen from outside: a driver and a server that say just what a test wants them to.

mod link;
mod model;
mod resume;
mod rig;
mod robust;
mod rooms;
mod says;
