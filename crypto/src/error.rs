//! Why something was refused, in a closed list that says nothing about what was received.

use std::fmt;

/// What this crate refuses.
///
/// Every way in which a handshake message can be wrong (cut, altered, made for another key, mode,
/// channel or user, an all-zero Diffie-Hellman result, an ML-KEM key that fails its check) is one
/// variant, so that a peer learns nothing from the difference. The same holds for frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// An id is empty, longer than 64 bytes or not ASCII.
    Identifier,
    /// The prologue, label or algorithm belongs to another mode.
    Mode,
    /// A key has the wrong length, version or checksum, or fails its check (FIPS 203, 7.2).
    Key,
    /// A handshake or renewal message was refused; all state of the exchange is gone.
    Handshake,
    /// The Worker's SLH-DSA signature does not verify; all state of the exchange is gone.
    WorkerSignature,
    /// A plaintext is longer than [`PLAINTEXT_MAX`](crate::PLAINTEXT_MAX).
    PlaintextTooLong,
    /// The frame's counter would exceed 2^32 - 1, the hard limit of an epoch.
    CounterExhausted,
    /// A frame was refused. Final for the channel: the opener has wiped its key.
    Decrypt,
    /// A field of something to be signed or tagged is empty or longer than 65,535 bytes.
    Field,
    /// A device's or Worker's statement does not verify.
    Signature,
    /// A registration tag is missing or wrong.
    Tag,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identifier => "identifier is empty, too long or not ASCII",
            Self::Mode => "not valid in this encryption mode",
            Self::Key => "key is malformed",
            Self::Handshake => "handshake message was refused",
            Self::WorkerSignature => "noise-hybrid: SLH-DSA signature verification failed",
            Self::PlaintextTooLong => "plaintext is too long for one frame",
            Self::CounterExhausted => "frame counter is exhausted",
            Self::Decrypt => "frame was refused",
            Self::Field => "signed field is empty or too long",
            Self::Signature => "signature verification failed",
            Self::Tag => "registration tag is missing or wrong",
        })
    }
}

impl std::error::Error for Error {}
