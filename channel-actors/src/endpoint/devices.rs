//! What a Worker can know of a device, and what it keeps of that.

use bytes::Bytes;
use schema::{
    ids::{UserId, WorkspaceId},
    wire::Role,
};

use super::access::Roles;

/// Whom a Worker believes without having been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Nobody.
    #[default]
    KnownDevices,
    /// Each user's first device. Gives up: a Hub that is hostile at that moment can be that user.
    Tofu,
    /// Every device. Gives up: whoever runs the Hub can be any user.
    Any,
}

/// How a device came to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// By the secret of the registration.
    Registration,
    /// It was the first.
    FirstUse,
    /// A person approved it at the Worker.
    Approved,
    /// It belongs to the same user of this machine. It does not count as the first.
    Local,
    /// An older device of the same user signed for it.
    Certificate,
    /// A device of the owner signed for it.
    Grant,
}

/// A device that a Worker believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedDevice {
    /// Whose.
    pub user: UserId,
    /// 1 or 2.
    pub algorithm: u8,
    /// Its public key.
    pub key: Bytes,
    /// Why.
    pub source: Source,
    /// Until when, in Unix seconds; none = until it is removed.
    pub expires_at: Option<u64>,
    /// The key of the user's device that signed for it, if one did: it is trusted no longer than
    /// that one. A granted device rests on its grants instead.
    pub signer: Option<Bytes>,
}

/// A device that waits for a person's approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingDevice {
    /// Whose, as the Hub and the device say.
    pub user: UserId,
    /// 1 or 2.
    pub algorithm: u8,
    /// Its public key.
    pub key: Bytes,
}

/// A role that the owner signed for. One that was withdrawn has no role, and is kept so that the
/// certificate it came with cannot be answered by another with the same serial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whom it is granted to.
    pub user: UserId,
    /// Where.
    pub workspace: WorkspaceId,
    /// At most this.
    pub role: Role,
    /// Until when, in Unix seconds.
    pub expires_at: u64,
    /// The public key of the user's device that it was granted to.
    pub device: Bytes,
    /// The key of the owner's device that signed.
    pub signer: Bytes,
}

/// What a serial belongs to: it rises for each signer's user, subject and workspace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SerialOf {
    /// The user whose device signed.
    pub signer: UserId,
    /// The device's key, or the grantee's id.
    pub subject: Bytes,
    /// Of a grant.
    pub workspace: Option<WorkspaceId>,
}

/// What is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A device is trusted now.
    Trusted(TrustedDevice),
    /// A device is trusted no more, and no old certificate brings it back. What it has signed is
    /// forgotten: devices, what they signed in turn, and grants with the devices that had no other.
    Removed {
        /// Whose.
        user: UserId,
        /// Which.
        key: Bytes,
    },
    /// A role is granted now.
    Granted(Grant),
    /// The highest serial that was seen.
    Serial(SerialOf, u64),
    /// A device waits for approval.
    Waiting(WaitingDevice),
}

/// Whether a claim is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Trusted {
        /// What the owner signed for at most; none = what the Hub announces.
        cap: Option<Roles>,
        /// When to ask again, in Unix seconds.
        expires_at: Option<u64>,
    },
    /// `device not trusted`; a person may approve it.
    Waiting,
    /// `device not trusted`; nobody is asked.
    Unknown,
}

/// What a channel rests on, looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What the owner signed for at most; none = what the Hub announces.
    pub cap: Option<Roles>,
    /// When to ask again, in Unix seconds.
    pub expires_at: Option<u64>,
}

/// A verdict, and what came of finding it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// To be kept, in order.
    pub changes: Vec<Change>,
}

impl Policy {
    /// The policy of its name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "known-devices" => Some(Self::KnownDevices),
            "tofu" => Some(Self::Tofu),
            "any" => Some(Self::Any),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KnownDevices => "known-devices",
            Self::Tofu => "tofu",
            Self::Any => "any",
        }
    }
}
