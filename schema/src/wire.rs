//! The generated types: everything under `proto/leapmux/v1`, with proto3 JSON.

#![expect(missing_docs, reason = "the documentation stands in the .proto files")]
#![expect(unused_qualifications, reason = "generated code")]
#![expect(clippy::use_self, reason = "generated code")]

include!(concat!(env!("OUT_DIR"), "/leapmux.v1.rs"));
include!(concat!(env!("OUT_DIR"), "/leapmux.v1.serde.rs"));

/// The message of the `unauthenticated` status with which a Hub's `WorkerLink` says that it does
/// not know a Worker's token. The status alone may come from anything on the way.
pub const UNKNOWN_WORKER_TOKEN: &str = "the worker token is not valid";

/// The same for a Worker that was deregistered and is still to say that it goes, by
/// `WorkerRegistration.Deregister`.
pub const DEREGISTERED_WORKER: &str = "the worker was deregistered and is to say that it goes";
