//! The Worker: dials out to a Hub, holds the keys, runs terminals.
//!
//! [`Worker::start`] is the whole of it; [`registration::register`] comes before it where the Hub
//! is somebody else's, and [`devices`] is for the person at the machine.
//!
//! What it never does: it listens on no port, it believes no user whom only the Hub vouches for,
//! it writes no channel key and no keystroke anywhere, and it makes no new identity while there is
//! an old one that it cannot read.
//!
//! Read next: `hub_link` (the stream to the Hub), `secure_channel` (one client), [`services`] (what
//! it may ask for), [`terminal`] (what most ask for).

mod clock;
pub mod config;
mod delegation;
mod device_book;
pub mod devices;
mod dial;
mod entropy;
pub mod farewell;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod hub_link;
pub mod hub_state;
pub mod identity;
mod messages;
mod open_link;
mod private_file;
pub mod pulse;
pub mod redial;
pub mod registration;
mod secure_channel;
pub mod services;
pub mod store;
mod streams;
pub mod terminal;
mod words;
mod worker;

use crypto::Mode;
use schema::wire::EncryptionMode;

pub use config::{DeviceTrust, Timings, WorkerConfig};
pub use dial::{DialError, HubAddress};
pub use hub_link::{Census, EndReason, LinkState};
pub use hub_state::{Credentials, KnownHub};
pub use worker::{StartError, Worker};

pub(crate) const fn announced_mode(mode: Mode) -> EncryptionMode {
    match mode {
        Mode::Classic => EncryptionMode::Classic,
        Mode::PostQuantum => EncryptionMode::PostQuantum,
    }
}
