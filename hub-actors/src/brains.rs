//! A door for the simulation (feature `brains`): the brains of the Hub as its shells ask them, and
//! nothing else of it. Numbers of sessions and links are those that the directory gives.

use std::time::{Duration, Instant};

use channel_actors::{CloseReason, Refusal, RefusalReason, fence::Fence, relay::Side};
use schema::{
    ids::{ChannelId, CredentialId, OrganisationId, UserId, WorkerId},
    wire::control::Body,
};

use crate::{
    config::Quotas,
    departure, directory, liveness,
    messages::{Census, LinkId, SessionId},
    registry,
    telemetry::{LinkEnd, SessionEnd, SessionKind},
    topic::Topic,
};

/// Who is here: the brain of the Registry.
#[derive(Debug)]
pub struct Directory(directory::Directory);

/// Who asks for a channel to whom.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The channel.
    pub channel: ChannelId,
    /// Over which session.
    pub session: u64,
    /// To which Worker.
    pub worker: WorkerId,
    /// Whose it is.
    pub user: UserId,
    /// What the session stands with.
    pub credential: CredentialId,
}

/// A taken channel id.
#[derive(Debug, Clone, Copy)]
pub struct Reservation(directory::Reservation);

/// What a renewal is at this Hub.
#[derive(Debug, Clone, Copy)]
pub enum Renewal {
    /// Of a channel whose actor runs.
    Known(Reservation),
    /// Of one that only its two ends know.
    Anew(Reservation),
}

/// Why a session may not stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSession {
    /// Its credential was revoked.
    Revoked,
    /// The user has too many.
    Quota,
    /// The Hub goes down.
    Draining,
}

/// A link that may stay.
#[derive(Debug)]
pub struct Admitted {
    /// Its number.
    pub link: u64,
    /// The one whose place it took, and the channels over that.
    pub replaced: Option<(u64, Vec<ChannelId>)>,
}

/// A connection that broke the rules too often.
#[derive(Debug)]
pub enum Offender {
    /// Close this session.
    Session(u64),
    /// Close this link.
    Link(WorkerId, u64),
}

/// What a revocation ends.
#[derive(Debug)]
pub struct Revoked {
    /// Paths of channels.
    pub paths: Vec<(ChannelId, u64)>,
    /// Sessions.
    pub sessions: Vec<u64>,
}

/// Whom to say goodbye to.
#[derive(Debug)]
pub struct Leavers {
    /// Sessions.
    pub sessions: Vec<u64>,
    /// Links.
    pub links: Vec<(WorkerId, u64)>,
}

/// Whoever pays, it is one and the same.
const ORGANISATION: &str = "home";
/// A credential here is revoked once, and nothing is granted on it afterwards: two numbers of the
/// ledger are enough.
const BEFORE: i64 = 0;
const AFTER: i64 = 1;

impl Asked {
    /// Its own Worker, as far as topics go.
    fn inside(self) -> directory::Asked {
        let topics = [
            Topic::Credential(self.credential),
            Topic::Worker(self.worker.clone()),
        ];
        directory::Asked {
            channel: self.channel,
            session: SessionId(self.session),
            worker: self.worker,
            user: self.user,
            organisation: OrganisationId::parse(ORGANISATION).expect("letters"),
            organisation_channels: 0,
            topics: topics.into(),
            as_of: BEFORE,
        }
    }
}

impl Directory {
    /// Nobody is here.
    #[must_use]
    pub fn new(quotas: Quotas) -> Self {
        Self(directory::Directory::new(quotas))
    }

    /// A browser or command line came.
    ///
    /// # Errors
    ///
    /// Why it may not stay.
    pub fn admit_session(
        &mut self,
        user: UserId,
        credential: CredentialId,
    ) -> Result<u64, NoSession> {
        let admitted = self
            .0
            .admit_session(user, credential, BEFORE, SessionKind::Relay);
        admitted.map(|id| id.0).map_err(no_session)
    }

    /// Whether it still may stay.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn may_stay(&self, session: u64) -> Result<(), NoSession> {
        self.0.may_stay(SessionId(session)).map_err(no_session)
    }

    /// A session went; the channels that it was a path of are to be told.
    pub fn session_gone(&mut self, session: u64) -> Vec<ChannelId> {
        self.0.session_gone(SessionId(session))
    }

    /// A Worker's link came.
    ///
    /// # Errors
    ///
    /// The Hub drains.
    pub fn admit_link(&mut self, worker: WorkerId) -> Result<Admitted, RefusalReason> {
        let admitted = self.0.admit_link(worker, BEFORE)?;
        Ok(Admitted {
            link: admitted.link.0,
            replaced: admitted.replaced.map(|(old, channels)| (old.0, channels)),
        })
    }

    /// A link went; `None` when another had already taken its place.
    pub fn link_gone(&mut self, worker: &WorkerId, link: u64) -> Option<Vec<ChannelId>> {
        self.0.link_gone(worker, LinkId(link))
    }

    /// From now on nobody new is let in.
    pub const fn drain(&mut self) {
        self.0.drain();
    }

    /// So many who have not been said goodbye to yet.
    pub fn send_away(&mut self, count: usize) -> Leavers {
        let leavers = self.0.send_away(count);
        let links = leavers.links.into_iter();
        Leavers {
            sessions: leavers.sessions.into_iter().map(|id| id.0).collect(),
            links: links.map(|(worker, id)| (worker, id.0)).collect(),
        }
    }

    /// The channels that a session is a path of.
    #[must_use]
    pub fn channels_of(&self, session: u64) -> Vec<ChannelId> {
        self.0.channels_of(SessionId(session))
    }

    /// The channels over one link.
    #[must_use]
    pub fn channels_over(&self, worker: &WorkerId) -> Vec<ChannelId> {
        self.0.channels_over(worker)
    }

    /// Takes a channel id.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub fn reserve(&mut self, asked: Asked) -> Result<Reservation, Refusal> {
        let reserved = self.0.reserve(asked.inside());
        reserved.map(Reservation).map_err(|denied| denied.refusal)
    }

    /// Lets a reserved channel run; gives the number of its link.
    ///
    /// # Errors
    ///
    /// Something ended it meanwhile.
    pub fn commit(&mut self, Reservation(inside): Reservation) -> Result<u64, RefusalReason> {
        self.0.commit(inside).map(|link| link.0)
    }

    /// Gives a reserved id back.
    pub fn release(&mut self, Reservation(inside): Reservation) {
        self.0.release(inside);
    }

    /// A channel ended.
    pub fn channel_gone(
        &mut self,
        channel: ChannelId,
        path: Option<u64>,
        offender: Option<Side>,
    ) -> Option<Offender> {
        let gone = self.0.channel_gone(channel, path.map(SessionId), offender);
        Some(match gone? {
            directory::Offender::Session(id) => Offender::Session(id.0),
            directory::Offender::Link(worker, id) => Offender::Link(worker, id.0),
        })
    }

    /// Takes a place for a renewal.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub fn renew(&mut self, asked: Asked) -> Result<Renewal, Refusal> {
        match self.0.renew(asked.inside()) {
            Ok(directory::Renewal::Known(inside)) => Ok(Renewal::Known(Reservation(inside))),
            Ok(directory::Renewal::Anew(inside)) => Ok(Renewal::Anew(Reservation(inside))),
            Err(denied) => Err(denied.refusal),
        }
    }

    /// Whether a renewal of a running channel may be passed on over this session.
    ///
    /// # Errors
    ///
    /// `None`: the channel ended meanwhile, and is to be renewed anew.
    pub fn commit_path(
        &self,
        Reservation(inside): Reservation,
        session: u64,
    ) -> Result<(), Option<RefusalReason>> {
        self.0.commit_path(inside, SessionId(session))
    }

    /// The actor of a channel does not know a path that went.
    pub fn forget_path(&mut self, channel: ChannelId, session: u64) {
        // One that is here may be asking again in this moment.
        if self.0.user_of(SessionId(session)).is_none() {
            self.0.forget_path(channel, SessionId(session));
        }
    }

    /// A credential was revoked.
    pub fn revoke(&mut self, credential: CredentialId, now: Instant) -> Revoked {
        let topic = Topic::Credential(credential);
        self.0.forget_old(now);
        let revoked = self.0.revoke(topic, AFTER, now);
        let paths = revoked.paths.into_iter();
        Revoked {
            paths: paths
                .map(|(channel, session)| (channel, session.0))
                .collect(),
            sessions: revoked.sessions.into_iter().map(|id| id.0).collect(),
        }
    }

    /// How many of everything there are.
    #[must_use]
    pub fn census(&self) -> Census {
        self.0.census()
    }

    /// Users of whom anything is counted.
    #[must_use]
    pub fn users(&self) -> usize {
        self.0.users()
    }
}

const fn no_session(why: directory::NoSession) -> NoSession {
    match why {
        directory::NoSession::Revoked => NoSession::Revoked,
        directory::NoSession::Quota => NoSession::Quota,
        directory::NoSession::Draining => NoSession::Draining,
    }
}

/// What a revocation stops.
#[derive(Debug)]
pub struct Fences(registry::Fences);

impl Default for Fences {
    fn default() -> Self {
        Self(registry::Fences::new())
    }
}

impl Fences {
    /// A fence that falls with this credential.
    pub fn raise(&mut self, credential: &CredentialId) -> Fence {
        let topic = Topic::Credential(credential.clone());
        self.0.raise(&[(topic, BEFORE)].into())
    }

    /// What stands with this credential passes no more.
    pub fn fall(&mut self, credential: &CredentialId) {
        let topic = Topic::Credential(credential.clone());
        self.0.fall(&topic, AFTER);
    }
}

/// What silence means.
#[derive(Debug)]
pub struct Liveness(liveness::Liveness);

/// What is to be done about a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Nothing yet.
    Fine,
    /// Ask whether anybody is there.
    Ask,
    /// Nobody is.
    Dead,
}

impl Liveness {
    /// Listens to one connection.
    #[must_use]
    pub const fn new(ask_after: Duration, dead_after: Duration, now: Instant) -> Self {
        Self(liveness::Liveness::new(ask_after, dead_after, now))
    }

    /// The peer said something.
    pub const fn heard(&mut self, now: Instant) {
        self.0.heard(now);
    }

    /// To be asked now and then.
    pub fn judge(&mut self, now: Instant) -> Silence {
        match self.0.judge(now) {
            liveness::Silence::Fine => Silence::Fine,
            liveness::Silence::Ask => Silence::Ask,
            liveness::Silence::Dead => Silence::Dead,
        }
    }
}

/// Why a connection ends, of either kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It broke, or fell silent.
    Lost,
    /// It sent what cannot be read.
    Protocol,
    /// It broke rules too often.
    Offender,
    /// It sent too many frames for channels that are not its own.
    Foreign,
    /// What it stood with was revoked.
    Revoked,
    /// The Hub goes down.
    Draining,
    /// A newer link of the same Worker came.
    Replaced,
}

impl End {
    const fn of_session(self) -> SessionEnd {
        match self {
            Self::Lost | Self::Replaced => SessionEnd::Silent,
            Self::Protocol => SessionEnd::Protocol,
            Self::Offender => SessionEnd::Offender,
            Self::Foreign => SessionEnd::Foreign,
            Self::Revoked => SessionEnd::Revoked,
            Self::Draining => SessionEnd::Draining,
        }
    }

    const fn of_link(self) -> LinkEnd {
        match self {
            Self::Lost | Self::Revoked => LinkEnd::Silent,
            Self::Protocol => LinkEnd::Protocol,
            Self::Offender | Self::Foreign => LinkEnd::Offender,
            Self::Draining => LinkEnd::Draining,
            Self::Replaced => LinkEnd::Replaced,
        }
    }
}

/// What the end of a session is to each of its channels.
#[must_use]
pub const fn to_channels_of_a_session(end: End) -> CloseReason {
    departure::of_its_channels(end.of_session())
}

/// What the end of a link is to each of its channels.
#[must_use]
pub const fn to_channels_of_a_link(end: End) -> CloseReason {
    departure::of_a_link(end.of_link()).1
}

/// The channel that is no more after this message.
#[must_use]
pub fn ended(body: &Body) -> Option<ChannelId> {
    departure::ended(body)
}

/// The channel that a renewal of it was answered by this message, and its serial if it went well.
#[must_use]
pub fn renewed(body: &Body) -> Option<(ChannelId, u32)> {
    departure::renewed(body)
}

/// The channel that this message asks its Worker to renew, and the serial.
#[must_use]
pub fn asked(body: &Body) -> Option<(ChannelId, u32)> {
    departure::asked(body)
}
