//! Everything true of a channel, whoever holds it.
//!
//! ```text
//!   client                      Hub                         Worker
//!   Endpoint  <- session ->  Channel (Relay)  <- link ->  Endpoint
//! ```
//!
//! The Hub's half counts and passes on what it cannot read; the two ends seal, open and speak.
//! Every rule lives in a brain, a plain struct that is given the time and never takes it:
//! [`tally`], [`relay`], [`renewals`], [`mux`] and, behind the feature `endpoint`, everything in
//! `endpoint`. The [`channel`] actor and, behind the feature `client`, the task in `client` carry
//! verdicts out.
//!
//! What it never does: without `endpoint` no cryptography is in reach, so the Hub cannot decrypt;
//! the relay keeps no payload but what waits for a socket; no frame is ever skipped to catch up, a side that is too slow loses
//! the channel instead; no brain reads a clock, draws a random number or names an actor.
//!
//! Read next: [`limits`] for the numbers, [`relay`], then `endpoint`.

mod announcements;
mod arrival;
pub mod budget;
pub mod channel;
#[cfg(feature = "endpoint")]
pub mod chunks;
pub mod close;
mod control;
pub mod fence;
pub mod figures;
pub mod guard;
pub mod lane;
pub mod limits;
pub mod messages;
pub mod mux;
mod outlets;
mod parts;
mod paths;
pub mod post;
pub mod refusal;
pub mod relay;
pub mod renewals;
pub mod tally;

#[cfg(feature = "endpoint")]
pub mod endpoint;

#[cfg(feature = "client")]
pub mod client;

pub use channel::Channel;
pub use close::CloseReason;
pub use limits::Limits;
pub use parts::{Begin, BrowserSide, ChannelParts, LinkSide, Renewal};
pub use refusal::{Refusal, RefusalReason};
pub use renewals::PathId;
