//! What the Registry hears and says.
//!
//! Introductions, orders, questions, events, ends; the grammar is that of `channel_actors`.

use std::{fmt, time::Duration};

use actix::{Addr, ArbiterHandle, Message, Recipient};
use bytes::Bytes;
use channel_actors::{
    PathId, Refusal,
    guard::ChannelReport,
    messages::{ControlToBrowser, ControlToWorker, MeetBrowser, MeetWorker, ToBrowser, ToWorker},
    post::Kept,
};
use schema::{
    ids::{ChannelId, CredentialId, OrganisationId, UserId, WorkerId},
    wire,
};

use crate::{
    claim::Claim,
    directory::{NoSession, OpenChannel as OpenChannelEntry},
    edge::Stall,
    grant::Grant,
    notes::{About, News},
    registry::Registry,
    revocation::Own,
    store::{certificates::Pieces, ledger::Entry},
    telemetry::{LinkEnd, SessionEnd, SessionKind},
    whereabouts::Whereabout,
};

/// A session's number within this Hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SessionId(pub(crate) u64);

/// A link's number within this Hub; a later link of the same Worker has a higher one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LinkId(pub(crate) u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A session is a path to the channels that run over it.
impl From<SessionId> for PathId {
    fn from(SessionId(number): SessionId) -> Self {
        Self(number)
    }
}

impl From<PathId> for SessionId {
    fn from(PathId(number): PathId) -> Self {
        Self(number)
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Session -> Registry, once it runs. An error: it has to go.
#[derive(Message)]
#[rtype(result = "Result<(), NoSession>")]
pub(crate) struct MeetSession {
    pub(crate) id: SessionId,
    pub(crate) ways: SessionWays,
    pub(crate) depart: Recipient<Depart>,
}

/// How a session is spoken to.
pub(crate) enum SessionWays {
    /// One that carries channels.
    Relay {
        frames: Recipient<ToBrowser>,
        control: Recipient<ControlToBrowser>,
        meet: Recipient<MeetBrowser>,
        /// Its thread.
        arbiter: ArbiterHandle,
    },
    /// One that watches, from a cursor on.
    Events {
        notices: Kept<Notice>,
        cursor: Option<u64>,
    },
}

/// Link -> Registry, after its Hello.
#[derive(Message)]
#[rtype(result = "Result<LinkGuard, channel_actors::RefusalReason>")]
pub(crate) struct MeetLink {
    pub(crate) worker: WorkerId,
    pub(crate) owner: UserId,
    /// Every revocation up to this one was known when its token was looked up.
    pub(crate) as_of: i64,
    pub(crate) encryption_mode: i32,
    pub(crate) version: String,
    pub(crate) frames: Recipient<ToWorker>,
    pub(crate) control: Recipient<ControlToWorker>,
    pub(crate) meet: Recipient<MeetWorker>,
    pub(crate) depart: Recipient<DepartLink>,
}

/// Order: a place for a session that was authenticated.
#[derive(Message)]
#[rtype(result = "Result<SessionGuard, NoSession>")]
pub(crate) struct AdmitSession {
    pub(crate) user: UserId,
    pub(crate) credential: CredentialId,
    /// Every revocation up to this one was known when the credential was looked up.
    pub(crate) as_of: i64,
    /// How much longer the credential is good; `None`: until it is revoked.
    pub(crate) ends_in: Option<Duration>,
    pub(crate) kind: SessionKind,
}

/// Order: a channel for a session.
#[derive(Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct OpenChannel {
    pub(crate) grant: Grant,
    pub(crate) session: SessionId,
    pub(crate) channel: ChannelId,
    pub(crate) noise: Bytes,
    /// Settled by the Registry when it opens, and before that by whoever gives up.
    pub(crate) claim: Claim,
    pub(crate) max_message_bytes: u32,
}

/// Order: new keys for a channel, over the session that it has or over another.
#[derive(Message)]
#[rtype(result = "Result<(), Refusal>")]
pub(crate) struct RenewChannel {
    pub(crate) grant: Grant,
    pub(crate) session: SessionId,
    pub(crate) channel: ChannelId,
    pub(crate) renew: wire::Renew,
}

/// Order: nobody new from now on. Answers how many are to be said goodbye to.
#[derive(Message)]
#[rtype(result = "usize")]
pub(crate) struct RefuseNew;

/// Order: say goodbye to so many.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SendAway {
    pub(crate) count: usize,
    pub(crate) reconnect_after: Duration,
}

/// Question: how many of everything there are.
#[derive(Message)]
#[rtype(result = "Census")]
pub(crate) struct TakeCensus;

/// Question: whose a running channel is.
#[derive(Message)]
#[rtype(result = "Option<Standing>")]
pub(crate) struct ChannelStanding {
    pub(crate) channel: ChannelId,
}

/// Whose a running channel is, and what it stands with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) worker: WorkerId,
    pub(crate) user: UserId,
    /// Of the newest session that it was opened or renewed over.
    pub(crate) credential: CredentialId,
}

/// How many of everything there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// WebSockets that carry channels.
    pub sessions: usize,
    /// WebSockets that watch events.
    pub watchers: usize,
    /// Linked Workers.
    pub links: usize,
    /// Channels whose actor runs.
    pub channels: usize,
    /// Channels whose credential is being looked at once more.
    pub opening: usize,
    /// Credentials that something stands with.
    pub topics: usize,
    /// Bytes of frames that wait for a socket.
    pub waiting_bytes: usize,
}

impl Census {
    /// Whether nobody is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let waiting_bytes = 0;
        Self {
            waiting_bytes,
            ..*self
        } == Self::default()
    }
}

/// Event: a session ended, however it did.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SessionGone {
    pub(crate) id: SessionId,
    pub(crate) kind: SessionKind,
    pub(crate) reason: SessionEnd,
}

/// Event: a link ended, however it did.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct LinkGone {
    pub(crate) worker: WorkerId,
    pub(crate) owner: UserId,
    pub(crate) id: LinkId,
    pub(crate) reason: LinkEnd,
}

/// Event: a channel ended, however it did.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ChannelGone(pub(crate) ChannelReport);

/// Event: a channel did not take the frames that came for it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ChannelOverrun {
    pub(crate) channel: ChannelId,
}

/// Order: committed revocations, in the order of the ledger. Everything that stands with their topics
/// ends; answered when every fence is down.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Revoke {
    pub(crate) entries: Vec<Entry>,
    /// Those that this Hub wrote.
    pub(crate) own: Own,
}

/// Order: revocations up to this number may be unknown. Everybody goes, and is judged anew.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Lapse {
    pub(crate) seq: i64,
    /// Nobody is let in before [`SeeAgain`].
    pub(crate) is_blind: bool,
}

/// Order: revocations are read again, and all that there were have taken effect.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SeeAgain;

/// Order: these users may do more than before, or their Workers are to see more certificates. Told to
/// the Workers of their open channels.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RefreshAccess {
    pub(crate) users: Vec<UserId>,
}

/// Order: a Worker is to see these, whoever has a channel to it. One that is not linked sees them when
/// it is, as far as it has to.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ShowCertificates {
    pub(crate) worker: WorkerId,
    pub(crate) pieces: Pieces,
}

/// Question: every channel that is open.
#[derive(Message)]
#[rtype(result = "Vec<OpenChannelEntry>")]
pub(crate) struct ListOpenChannels;

/// Question: how many channels these organisations have.
#[derive(Message)]
#[rtype(result = "Vec<u32>")]
pub(crate) struct CountChannels {
    pub(crate) organisations: Vec<OrganisationId>,
}

/// Event: something changed that these users may want to know.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Announce(pub(crate) News);

/// Event: a page says where it is; to be told to these, who are something there.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Speak {
    pub(crate) said: Whereabout,
    pub(crate) people: Vec<UserId>,
}

/// Registry -> events session: something changed.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub(crate) struct Notice {
    pub(crate) cursor: u64,
    pub(crate) about: About,
}

/// Registry -> Session: go, and say why.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub(crate) struct Depart {
    pub(crate) end: SessionEnd,
    pub(crate) reconnect_after: Duration,
}

/// Registry -> Link: go, and say why.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub(crate) struct DepartLink {
    pub(crate) end: LinkEnd,
    pub(crate) reconnect_after: Duration,
}

/// A session's place in the directory; dropping it gives the place back.
pub(crate) struct SessionGuard {
    pub(crate) id: SessionId,
    pub(crate) kind: SessionKind,
    /// Set before it is dropped by whoever knows better than "error".
    pub(crate) reason: SessionEnd,
    pub(crate) stall: Stall,
    pub(crate) registry: Addr<Registry>,
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        if self.reason == SessionEnd::Error && self.stall.is_over() {
            self.reason = SessionEnd::Slow;
        }
        let gone = SessionGone {
            id: self.id,
            kind: self.kind,
            reason: self.reason,
        };
        channel_actors::post::tell_addr(&self.registry, gone);
    }
}

/// A link's place in the directory; dropping it gives the place back.
pub(crate) struct LinkGuard {
    pub(crate) worker: WorkerId,
    pub(crate) owner: UserId,
    pub(crate) id: LinkId,
    /// Set before it is dropped by whoever knows better than "error".
    pub(crate) reason: LinkEnd,
    pub(crate) registry: Addr<Registry>,
}

impl Drop for LinkGuard {
    fn drop(&mut self) {
        let gone = LinkGone {
            worker: self.worker.clone(),
            owner: self.owner.clone(),
            id: self.id,
            reason: self.reason,
        };
        channel_actors::post::tell_addr(&self.registry, gone);
    }
}
