//! What an endpoint tells its application.

use std::time::Duration;

use bytes::Bytes;
use schema::{
    ids::WorkspaceId,
    wire::{self, FailureReason},
};

use super::ClaimedDevice;
use crate::{close::CloseReason, refusal::RefusalReason};

/// Something happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Worker: a claim came whose signature and user id hold. Ask whether the device is trusted,
    /// then `accept_claim` or `reject_device` with the same epoch. It comes anew in every epoch.
    Claimed {
        /// Of the channel.
        epoch: u32,
        /// Who claims.
        device: ClaimedDevice,
    },
    /// The first claim is accepted. The client may use these workspaces, with these roles.
    Established {
        /// What the user may use.
        workspaces: Vec<wire::WorkspaceAccess>,
    },
    /// Worker: a call to answer with `respond`.
    Request {
        /// Used once in the channel. A small request may overtake an older one.
        id: u64,
        /// The method's name, as the client sent it.
        method: String,
        /// Protobuf.
        payload: Bytes,
        /// Whether a stream of the same id was opened with it.
        opens_stream: bool,
        /// Whose role is asked for; none for methods of the owner.
        workspace: Option<WorkspaceId>,
    },
    /// Client: the answer to a call. An error also ends the call's stream.
    Response {
        /// Of the request.
        id: u64,
        /// Protobuf, or a gRPC code and a message.
        result: Result<Bytes, wire::RpcError>,
    },
    /// Bytes of a stream; call `stream_consumed` when they have been used.
    StreamData {
        /// Of the request that opened it.
        id: u64,
        /// At most 256 KiB.
        data: Bytes,
    },
    /// The other side sends no more on this stream; with an error the whole stream is over, and a
    /// Worker says with `finished` when its handler has ended.
    StreamEnd {
        /// Of the request that opened it.
        id: u64,
        /// None when it ended well.
        error: Option<wire::RpcError>,
    },
    /// A stream that had no room has some.
    StreamRoom {
        /// Of the request that opened it.
        id: u64,
        /// Bytes that `stream_send` takes now.
        room: usize,
    },
    /// Worker: the client has given the call up. Answer it no more; once its handler has ended,
    /// say so with `finished`: until then it counts as open.
    Cancelled {
        /// Of the request.
        id: u64,
    },
    /// The answer to `ping`.
    Pong {
        /// There and back.
        rtt: Duration,
    },
    /// Client: the keys are getting old, on a path that stands: call `renew`. Told once in an epoch.
    RenewalDue,
    /// The path counts as lost. Calls and streams stay; at a client, call `renew` on a new path, or
    /// on this one after a while.
    Detached,
    /// A claim was accepted in a new epoch: all goes on.
    Attached,
    /// Client: the renewal was refused for a reason that passes. The channel is detached: call
    /// `renew` again later.
    RenewalRefused {
        /// Busy, quota, timeout, draining or Worker offline.
        reason: RefusalReason,
        /// When it is worth asking again; zero = nobody knows.
        retry_after: Duration,
    },
    /// The last event.
    Closed {
        /// Why.
        reason: CloseReason,
        /// Client: the Worker's last word.
        failure: Option<Failure>,
    },
}

/// Why a Worker did not believe a claim. Displayed, it is the text that the protocol fixes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The claim names another user than the Hub announced.
    #[error("user ID mismatch")]
    UserIdMismatch,
    /// Something other than the claim came first.
    #[error("user ID not verified")]
    UserIdNotVerified,
    /// The device is not known to the Worker.
    #[error("device not trusted")]
    DeviceNotTrusted {
        /// The four words of the device's key, as the Worker computed them; empty if it sent
        /// something else.
        fingerprint: String,
    },
    /// The claim's signature or form does not hold, or it was not the first frame.
    #[error("user ID claim is invalid")]
    ClaimInvalid,
}

impl Failure {
    pub(super) fn to_wire(&self) -> wire::Failure {
        let (reason, detail) = match self {
            Self::UserIdMismatch => (FailureReason::UserIdMismatch, ""),
            Self::UserIdNotVerified => (FailureReason::UserIdNotVerified, ""),
            Self::DeviceNotTrusted { fingerprint } => {
                (FailureReason::DeviceNotTrusted, fingerprint.as_str())
            }
            Self::ClaimInvalid => (FailureReason::ClaimInvalid, ""),
        };
        wire::Failure {
            reason: reason.into(),
            detail: detail.to_owned(),
        }
    }

    pub(super) fn from_wire(failure: wire::Failure) -> Option<Self> {
        match FailureReason::try_from(failure.reason).ok()? {
            FailureReason::Unspecified => None,
            FailureReason::UserIdMismatch => Some(Self::UserIdMismatch),
            FailureReason::UserIdNotVerified => Some(Self::UserIdNotVerified),
            FailureReason::DeviceNotTrusted => {
                let fingerprint = Some(failure.detail).filter(|text| is_four_words(text));
                Some(Self::DeviceNotTrusted {
                    fingerprint: fingerprint.unwrap_or_default(),
                })
            }
            FailureReason::ClaimInvalid => Some(Self::ClaimInvalid),
        }
    }
}

/// Why something was not taken for sending. Nothing was sent; the channel is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The channel is closed.
    #[error("the channel is closed")]
    Closed,
    /// The call belongs to the other end.
    #[error("this end of a channel cannot do that")]
    WrongEnd,
    /// The message is larger than this channel takes.
    #[error("the message is too large")]
    TooLarge,
    /// As many requests or streams are open as may be.
    #[error("too many requests or streams are open")]
    TooMany,
    /// The stream's credit, or the queue, does not hold all of it. Wait for `StreamRoom`.
    #[error("the stream has no room")]
    NoRoom,
    /// The channel has no path, and the stream's credit does not hold all of it: the stream has
    /// ended with the error `behind`. Who must not lose it waits while `stream_room` is too small.
    #[error("the stream has fallen behind on a channel without a path")]
    Behind,
    /// No such request or stream, or it is over.
    #[error("no such request or stream")]
    Unknown,
}

/// Words of the BIP-39 list have 3 to 8 letters.
fn is_four_words(text: &str) -> bool {
    let word = |word: &str| {
        (3..=8).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    text.split('-').count() == 4 && text.split('-').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_are_those_of_the_protocol() {
        let fingerprint = String::from("able-bird-cage-dock");
        for (failure, text) in [
            (Failure::UserIdMismatch, "user ID mismatch"),
            (Failure::UserIdNotVerified, "user ID not verified"),
            (
                Failure::DeviceNotTrusted { fingerprint },
                "device not trusted",
            ),
            (Failure::ClaimInvalid, "user ID claim is invalid"),
        ] {
            assert_eq!(failure.to_string(), text);
            assert_eq!(Failure::from_wire(failure.to_wire()), Some(failure));
        }
    }

    #[test]
    fn a_detail_that_is_no_fingerprint_is_not_repeated() {
        for detail in [
            "",
            "<b>hi</b>",
            "able-bird-cage",
            "able-bird-cage-dock-extra",
            "A-b-c-d",
        ] {
            let sent = wire::Failure {
                reason: FailureReason::DeviceNotTrusted.into(),
                detail: detail.to_owned(),
            };
            let fingerprint = String::new();
            assert_eq!(
                Failure::from_wire(sent),
                Some(Failure::DeviceNotTrusted { fingerprint })
            );
        }
    }
}
