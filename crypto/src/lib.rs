//! The cryptography of a channel between a client and a Worker.
//!
//! A client (a browser or the command line) and a Worker agree on keys through a Hub that neither
//! has to trust. This crate holds everything that has to be right for that: the handshake in its
//! two modes (plain `Noise_NK`, and the hybrid of it with ML-KEM-1024 and SLH-DSA-SHAKE-256f),
//! the transport that follows, its renewal, the keys, what devices sign, fingerprints, pins and
//! the tags that bind both keys at registration.
//!
//! What it never does: it reads no clock, opens no file or socket, draws no random bytes of its
//! own and starts no task. Randomness and time are arguments. It never logs, and no error of it
//! carries bytes that a peer sent.
//!
//! Everything secret is wiped when it is dropped, on every path; no type that holds a secret can
//! be printed or copied. A state of a handshake is used up by the step that follows it:
//!
//! ```compile_fail,E0382
//! # fn twice(awaiting: crypto::AwaitingReply, message_2: &[u8]) {
//! let first = awaiting.finish(message_2);
//! let second = awaiting.finish(message_2); // the ephemeral secrets are gone
//! # }
//! ```
//!
//! Read next: [`handshake`] for the front of both modes, `hybrid` for what the post-quantum mode
//! adds, [`transport`] for the rules of the frames, [`fixed`] and [`primitives`] for auditors.

#[cfg(test)]
mod adversary;
mod aead;
mod device;
mod error;
mod exchange;
mod fingerprint;
mod hash;
mod hybrid;
mod identity;
mod kem;
mod mode;
mod noise_nk;
mod pin;
mod prologue;
mod public_key;
#[cfg(debug_assertions)]
mod recorder;
mod registration;
mod signed;
mod slh;
mod symmetric;
mod wire;
mod x25519;

pub mod fixed;
pub mod handshake;
pub mod primitives;
pub mod renewal;
pub mod transport;

pub use device::DeviceKey;
pub use error::Error;
pub use fingerprint::fingerprint;
pub use handshake::{Accepted, AwaitingReply, Established, Root, accept, initiate};
pub use identity::{Identity, IdentitySeeds};
pub use mode::Mode;
pub use pin::{Pin, PinVerdict, judge};
pub use prologue::{CHANNEL_ID_LEN, Prologue};
pub use public_key::{PUBLIC_KEY_LEN, PublicKey};
pub use registration::{device_tag, verify_device_tag, verify_worker_tag, worker_tag};
pub use renewal::{AwaitingRenewal, Renewal, answer_renewal, renew};
pub use signed::{Algorithm, Label, SignedParts, claim_context, verify};
pub use transport::{Opener, PLAINTEXT_MAX, Sealer, TAG_LEN};
