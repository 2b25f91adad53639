//! Faults as tests: each breaks one thing under a running Hub and Worker, and measures how long it
//! takes until that is noticed and until all is well again.
//!
//! They need root, for what they break is broken in namespaces of their own, which go with their
//! last process. Each figure is printed as `fault: what: seconds (bound)`.

mod cells;
mod clock;
mod crash;
mod disk;
mod freeze;
mod gauge;
mod network;
mod rig;
mod running;
mod slow;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "the other suite uses the rest")]
mod support;
mod valve;
