//! The Hub: accounts, Worker registration, and an authenticated relay of frames that it cannot
//! read.
//!
//! ```text
//! Hub
//! ├─ Store           a bounded pool; a failing query fails its request only
//! ├─ Registry        permanent; its death ends the Hub
//! │   ├─ Session ×n  a browser's WebSocket; death -> its channels are told
//! │   ├─ Link ×n     a Worker's stream; death -> its channels are told, the Worker is offline
//! │   └─ Channel ×n  of channel-actors; death -> both ends are told
//! ├─ LedgerTail      permanent; reads revocations in order and tells the Registry
//! ├─ Servers         one port: HTTP/1.1 for actix, HTTP/2 for tonic; and the admin door
//! └─ Drain           refuse new, goodbyes in slices, wait, down
//! ```
//!
//! Who came is in the directory, and the only way out of it is the drop of a guard. Rules live
//! in brains (`directory`, `origin`, `limiter`, `liveness`, `events`, `assembly`, `departure`,
//! `drain`); the rest carries verdicts out.
//!
//! What it never does: decrypt (no cryptography of channels is in reach of this crate), keep a
//! payload, look a frame up in anything shared, restart an actor, or store a secret that it was
//! shown otherwise than as a keyed hash.
//!
//! Read next: `hub.rs` for the face, `registry.rs`, then `session.rs` and `link.rs`.

mod abuse;
mod accounts;
mod admin;
mod administration;
mod asked;
mod assembly;
#[cfg(feature = "brains")]
pub mod brains;
mod caller;
mod claim;
mod clock;
mod compact;
mod config;
mod departure;
mod devices;
mod directory;
mod drain;
mod edge;
mod error;
mod events;
mod folder;
mod forwarded;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod grant;
mod grpc;
mod http;
mod http2;
mod hub;
mod keyring;
mod limiter;
mod link;
mod link_stream;
mod listen;
mod liveness;
mod mail;
mod messages;
mod names;
mod notes;
mod oauth;
pub mod operator;
mod orders;
mod organisations;
mod origin;
mod outbox;
mod pace;
mod page;
mod presence;
mod private_file;
mod registry;
mod revocation;
mod rpc;
mod scope;
mod servers;
mod session;
mod showing;
mod start;
mod state;
mod stay;
mod stop;
mod store;
mod takeover;
mod telemetry;
mod token;
mod tokens;
mod topic;
mod whereabouts;
mod workers;
mod workspaces;

pub use config::{
    DrainConfig, HubConfig, MailConfig, MailSecurity, Mode, OrganisationQuotas, Quotas,
    RelayConfig, SecretDsn, StorageConfig, StorageKind, Timeouts,
};
pub use error::{Fault, Field, Quota, Refusal, Unmet};
pub use folder::FolderError;
pub use forwarded::BadProxy;
pub use hub::{BundledWorker, Hub};
pub use keyring::{
    KeyringError, RingError, Unopened,
    orders::{KeyOrderError, KeyVersion, PEPPER_WARNING, Reencrypted, Unpeppered},
};
pub use listen::{Bound, ListenError};
pub use mail::MailError;
pub use messages::Census;
pub use private_file::PrivateFileError;
pub use start::StartError;
pub use store::{open::DatabaseError, postgres::ConnectError};
pub use token::SecretText;

/// Every unary method that a Hub answers, as `Service/Method`, in the order of `docs/access.md`.
pub fn methods() -> impl Iterator<Item = &'static str> {
    let names = rpc::Method::ALL.iter().map(|method| method.name());
    names.filter_map(|name| name.strip_prefix("leapmux.v1."))
}
