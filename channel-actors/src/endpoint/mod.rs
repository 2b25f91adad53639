//! BRAINS of the two ends of a channel: what is sealed, opened, said and believed.
//!
//! | file | what it decides |
//! |---|---|
//! | [`initiator`] | the client's half of an open, up to the claim |
//! | [`responder`] | the Worker's half of an open, up to the claim |
//! | [`live`] | [`Endpoint`]: either end of a channel that has keys; `arrivals`, `judgement` and `speech` are its input, `sealing` its output |
//! | `renewal` | new keys for a channel that exists; `renewals` is the client's half, `epoch` the keys |
//! | `attachment` | whether there is a path, and what time does |
//! | `gate` | what may be said before and after the claim is accepted |
//! | [`claim`] | the statement of who the client is |
//! | [`access`] | what a user may do in which workspace |
//! | `outbox` | whose turn it is: no keystroke waits behind a file |
//! | `window` | what is sent and not acknowledged; when to acknowledge |
//! | `calls`, `streams` | requests, and streams with their credit |
//! | [`trust`] | which devices a Worker believes; `devices`, `certificates` and `standing` are its words, proofs and sums |
//! | [`admission`] | how many handshakes a Worker takes on, and whose is next |
//!
//! Nothing here does I/O. An input (a frame, a control message, the time, a call of the
//! application) changes the state; then [`Endpoint::poll_outgoing`] and [`Endpoint::poll_event`]
//! are asked until they have nothing more, and [`Endpoint::deadline`] says when to
//! [`expire`](Endpoint::expire). Frames are sealed as they are taken out, so that sealing and
//! queueing are one step: who cannot queue what was taken out has to close.

pub mod access;
pub mod admission;
mod arrivals;
mod attachment;
mod calls;
mod certificates;
pub mod claim;
mod devices;
mod echo;
mod epoch;
mod event;
mod gate;
pub mod initiator;
mod judgement;
pub mod live;
mod outbox;
mod renewal;
mod renewals;
pub mod responder;
mod sealing;
mod speech;
mod standing;
mod streams;
pub mod trust;
mod window;

pub use claim::ClaimedDevice;
// What these take and give, for a caller that needs nothing else of cryptography.
pub use attachment::Dropped;
pub use crypto::{DeviceKey, Identity, Mode, PublicKey};
pub use event::{Event, Failure, SendError};
pub use initiator::{Initiator, OpenError, OpenParts};
pub use live::Endpoint;
pub use renewals::RenewError;
pub use responder::{AcceptParts, Responder, SignedReply, SigningJob};
pub use speech::Call;
