//! One world: clients, Hubs in time, Workers, and the network between them, from one seed.
//!
//! ```text
//!  client            Hub, one life after another                     Worker
//!  Endpoint ─ socket ─ Session ─ Channel ─ Link ─ socket ─ Admission, Endpoint
//!                 (Mux, Liveness)   │  (Mux, Liveness)
//!                           Registry (Directory)
//! ```
//!
//! | real | imitated, as thin as it goes |
//! |---|---|
//! | both ends' [`Endpoint`](channel_actors::endpoint::Endpoint), with cryptography; `Admission` | the client's task and the Worker's link: redial, renew when detached, who has which path |
//! | the `Channel` actor whole: `Relay`, `Renewals`, paths, `Fence`, `Lane`, timers, figures | Session and Link: what is parsed goes to its brain, what waits goes out past its fence |
//! | the `Directory`, `Mux`, `Liveness` and `departure` of the Hub | the Registry: register, look at the credential, introduce |
//! | | the database: credentials and who owns which Worker |
//!
//! A Channel runs on a runtime of one thread whose clock only the scheduler moves. Everything that
//! one part says to another stands in a queue of that pair, first in first out, and comes after a
//! delay that is drawn; so every order that mailboxes and sockets allow is a possible one. A socket
//! takes a few messages at a time, loses its end when it is cut, and swallows everything when it is
//! half-open.
//!
//! What it never does: open a socket, read a clock, sleep, or draw a number that is not from its
//! seed. It is used by its own tests and by nothing else.
//!
//! Read next: [`world`], then `faults` for what goes wrong and `checks` for what has to hold.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a world for tests looks for one thing among many"
)]

mod application;
mod books;
mod checks;
mod client;
mod database;
mod ears;
mod faults;
mod hub;
mod link;
mod opening;
mod pace;
mod registry;
mod session;
mod sockets;
mod tells;
mod trace;
mod worker;
pub mod world;

pub use world::{Control, Outcome, Setting, run};
