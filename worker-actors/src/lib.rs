//! The Worker: dials out to a Hub, holds the keys, runs terminals.

mod clock;
pub mod config;
mod device_book;
pub mod devices;
mod dial;
mod entropy;
pub mod hub_state;
pub mod identity;
mod private_file;
pub mod pulse;
pub mod redial;
pub mod registration;
pub mod services;
pub mod store;
pub mod terminal;

use crypto::Mode;
use schema::wire::EncryptionMode;

pub(crate) const fn announced_mode(mode: Mode) -> EncryptionMode {
    match mode {
        Mode::Classic => EncryptionMode::Classic,
        Mode::PostQuantum => EncryptionMode::PostQuantum,
    }
}
