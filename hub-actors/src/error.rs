//! The two ways in which a request fails: the caller is told why, or we are.

use std::time::Duration;

use diesel::result::DatabaseErrorKind;

use crate::{keyring::Unopened, store::postgres::failure};

/// What a caller is told: a closed list, each with its RPC code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request cannot be read, or a field is out of its bounds.
    #[error("{0}")]
    Malformed(Field),
    /// No credential, or one that is not live.
    #[error("sign in first")]
    NotSignedIn,
    /// A sign-in that failed. It does not say whether the token ever existed.
    #[error("the access token is not valid")]
    WrongToken,
    /// A sign-in that failed. It does not say what was wrong.
    #[error("the user name or the password is wrong")]
    WrongPassword,
    /// A code from a mail, or of a login, that is wrong, used or too old.
    #[error("the code is wrong, was used, or is too old; ask for a new one")]
    WrongCode,
    /// The caller may see the thing and not do this to it.
    #[error("your role does not allow this")]
    Forbidden,
    /// The token is for other things.
    #[error("this token is not for this; sign in with a browser, or use a token with the scope")]
    OutOfScope,
    /// Something else has to be true first.
    #[error("{0}")]
    Unmet(Unmet),
    /// Too many wrong tries; nobody is let in before.
    #[error("too many attempts; try again later")]
    Locked(Duration),
    /// No such thing, or not the caller's: one and the same answer.
    #[error("not found")]
    NotFound,
    /// The id is taken.
    #[error("it exists already")]
    Exists,
    /// Something came between what the caller had read and what it wrote.
    #[error("somebody else was faster: read it again, then try again")]
    Overtaken,
    /// A quota is used up.
    #[error("a quota is used up: {quota}", quota = .0.label())]
    Quota(Quota, Duration),
    /// The Hub goes down; another try, soon and elsewhere, will do.
    #[error("the Hub is going down; try again")]
    Draining(Duration),
    /// Not for this way of calling.
    #[error("sign in over HTTP; over gRPC send `authorization: Bearer` and the access token")]
    CookieOnly,
    /// Nothing is served under this name.
    #[error("there is no such method")]
    NoSuchMethod,
    /// The database is held, crowded, or has no room; another try, later, may do.
    #[error("the Hub's database takes nothing at the moment; try again")]
    Unavailable(Duration),
    /// More passwords are to be checked than the Hub has threads for.
    #[error("the Hub has too many passwords to check at the moment; try again")]
    Crowded(Duration),
    /// It was written down, and the Hub cannot say yet that it has taken effect everywhere.
    #[error(
        "it is done; that it has taken effect everywhere is not confirmed yet: look again in a minute"
    )]
    Unconfirmed,
    /// Our fault; the log knows more.
    #[error("internal error")]
    Internal,
}

/// What has to be true first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    /// An organisation keeps one owner at least.
    #[error("the last owner cannot go: make somebody else an owner first")]
    LastOwner,
    /// The Hub keeps one admin at least.
    #[error("the last admin cannot go: make somebody else an admin first")]
    LastAdmin,
    /// A personal organisation is its user's alone and goes with the account.
    #[error("a personal organisation cannot do this: make a team organisation")]
    Personal,
    /// Whoever it is for does not belong to the organisation.
    #[error("this user is not a member of the organisation")]
    NotMember,
    /// Whoever it is for belongs to the organisation already.
    #[error("this user is a member already")]
    Member,
    /// An account keeps one way in at least.
    #[error("this is the last way into the account: set a password or link another account first")]
    LastWayIn,
    /// Sign-up is switched off.
    #[error(
        "this Hub makes no accounts on its own: ask its operator for one, or for an invitation"
    )]
    SignUpClosed,
    /// The first admin has been set up.
    #[error("this Hub is set up already: sign in")]
    SetUpDone,
    /// No mail server is configured.
    #[error("this Hub sends no mail: ask its operator")]
    NoMail,
    /// A registration key is extended in its last two minutes only.
    #[error("the key is good for longer than two minutes yet")]
    TooEarly,
    /// Solo's own Worker.
    #[error("the bundled Worker goes with its Hub and cannot be taken away")]
    Bundled,
    /// An archived workspace.
    #[error("the workspace is archived: restore it first")]
    Archived,
    /// The log of a layout has no more room.
    #[error("the layout's log is full: send the whole document in its place")]
    LayoutFull,
    /// The organisation still has Workers.
    #[error("deregister or transfer the Workers of this organisation first")]
    HasWorkers,
    /// Not in solo mode.
    #[error("solo mode has no accounts: run `leapmux hub`")]
    Solo,
    /// No longer: the thing said no.
    #[error("it was declined")]
    Declined,
}

/// Which part of a request cannot be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Field {
    /// The whole message.
    #[error("the request message cannot be decoded")]
    Message,
    /// `worker_id`
    #[error("worker_id is not an id")]
    WorkerId,
    /// `registration_id`
    #[error("registration_id is not 16 to 64 of A-Z a-z 0-9 - _")]
    RegistrationId,
    /// `device_algorithm` and `device_key`
    #[error("device_key is not a key of device_algorithm")]
    DeviceKey,
    /// `device_tag` or `tag`
    #[error("the tag is not 64 bytes")]
    Tag,
    /// `public_key` and `encryption_mode`
    #[error("public_key is not a key of encryption_mode")]
    PublicKey,
    /// `worker_name`
    #[error("worker_name is longer than 128 bytes or has control characters")]
    WorkerName,
    /// `version`
    #[error("version is longer than 64 bytes or has control characters")]
    Version,
    /// A provider's address.
    #[error("the issuer is not https://HOST[/PATH]")]
    Issuer,
    /// The rest of a provider.
    #[error(
        "name, client id, client secret and scopes of a provider may not be empty, nor longer than \
         64, 512, 8192 and 512 bytes"
    )]
    Provider,
    /// `access_token`
    #[error("access_token is longer than 256 bytes")]
    AccessToken,
    /// `username`
    #[error("username is not 1 to 32 of a-z 0-9 -, with no hyphen at an end and no two together")]
    Username,
    /// `password` or `new_password`
    #[error("a password has 8 to 128 characters")]
    Password,
    /// `username`, where it is typed again so that nothing is deleted by accident.
    #[error("username is not the account's: type it as it is")]
    TypedUsername,
    /// `display_name`
    #[error("display_name is longer than 128 bytes or has control characters")]
    DisplayName,
    /// `email`
    #[error("email is not an e-mail address")]
    Email,
    /// `slug`
    #[error("slug is not 1 to 32 of a-z 0-9 -, without - at its ends and without --")]
    Slug,
    /// `slug`, typed again
    #[error("slug is not the organisation's: type it as it is")]
    SlugTyped,
    /// `name`
    #[error("name is not 1 to 128 bytes without control characters")]
    Name,
    /// `title`
    #[error("title is not 1 to 128 bytes without control characters")]
    Title,
    /// `role`
    #[error("role is not one that can be given here")]
    Role,
    /// `uses`
    #[error("uses is not 1 to 100")]
    Uses,
    /// `lifetime_seconds`
    #[error("lifetime_seconds is longer than 30 days")]
    Lifetime,
    /// `grantee`
    #[error("grantee is neither a user nor the organisation")]
    Grantee,
    /// `quotas`
    #[error("a number in quotas is too large")]
    Quotas,
    /// `label`
    #[error("label is longer than 128 bytes or has control characters")]
    Label,
    /// `signed`
    #[error("signed is not a certificate for this, or holds for too long")]
    Certificate,
    /// `update`
    #[error("update is longer than 64 KiB: send less at once, or the whole document")]
    LayoutUpdate,
    /// `update`, of a whole document
    #[error("the layout is empty or larger than 512 KiB: begin a new workspace")]
    LayoutSize,
    /// `client_id` and `focus`
    #[error("client_id and focus are not 1 to 64 of A-Z a-z 0-9 - _")]
    ClientId,
    /// `label`
    #[error("label is empty, longer than 128 bytes, or has control characters")]
    TokenLabel,
    /// `scopes`
    #[error("scopes are one or more of: read, workspaces, workers, organisations, channels")]
    Scopes,
    /// `client`
    #[error("client is empty, longer than 128 bytes, or has control characters")]
    Client,
    /// `challenge`
    #[error("challenge is not the base64url of a SHA-256, 43 characters (S256)")]
    Challenge,
    /// `verifier`
    #[error("verifier is not 43 to 128 of A-Z a-z 0-9 - . _ ~")]
    Verifier,
    /// `redirect_uri`
    #[error("redirect_uri is not http://127.0.0.1:PORT/PATH or http://[::1]:PORT/PATH")]
    RedirectUri,
    /// `state`
    #[error("state is longer than 256 bytes or has other characters than A-Z a-z 0-9 - . _ ~")]
    State,
    /// `lifetime_seconds`
    #[error("lifetime_seconds is more than 3600")]
    DelegationLifetime,
    /// `tab_id`
    #[error("tab_id is not an id")]
    TabId,
}

/// What a user can have too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quota {
    /// Open WebSockets.
    Sessions,
    /// Live channels.
    Channels,
    /// Opens within a time.
    Opens,
    /// Renewals within a time.
    Renewals,
    /// Registered Workers.
    Workers,
    /// Unused registration keys.
    RegistrationKeys,
    /// Failed sign-ins, or right passwords, within a time.
    SignIns,
    /// New accounts within a time.
    SignUps,
    /// Links for forgotten passwords within a time.
    Resets,
    /// Mails within a time.
    Mails,
    /// Registrations of Workers, or keys for them, within a time.
    Registrations,
    /// Requests within a time.
    Requests,
    /// Changes that are ordered, within a time or at once.
    Orders,
    /// Requests within a time, of whoever is not signed in.
    StrangerRequests,
    /// Live channels to the Workers of an organisation.
    OrganisationChannels,
    /// Members of an organisation.
    Members,
    /// Organisations of a user.
    Organisations,
    /// Workspaces of a user.
    Workspaces,
    /// Invitations of an organisation that are open.
    Invitations,
    /// Workspaces that a Worker hosts.
    Hosted,
    /// Devices of a user.
    Devices,
    /// Certificates for a user.
    Certificates,
    /// API tokens.
    ApiTokens,
    /// Refreshes of one API token within a time.
    Refreshes,
    /// Logins of command lines that wait.
    CommandLineLogins,
    /// Typed codes within a time.
    CodeTries,
    /// Questions for the outcome of a login within a time.
    Polls,
    /// Live delegations of one credential.
    Delegations,
}

impl Quota {
    /// Every one, in order.
    pub const ALL: [Self; 28] = [
        Self::Sessions,
        Self::Channels,
        Self::Opens,
        Self::Renewals,
        Self::Workers,
        Self::RegistrationKeys,
        Self::SignIns,
        Self::SignUps,
        Self::Resets,
        Self::Mails,
        Self::Registrations,
        Self::Requests,
        Self::Orders,
        Self::StrangerRequests,
        Self::OrganisationChannels,
        Self::Members,
        Self::Organisations,
        Self::Workspaces,
        Self::Invitations,
        Self::Hosted,
        Self::Devices,
        Self::Certificates,
        Self::ApiTokens,
        Self::Refreshes,
        Self::CommandLineLogins,
        Self::CodeTries,
        Self::Polls,
        Self::Delegations,
    ];

    /// The word in answers, logs and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Channels => "channels",
            Self::Opens => "opens",
            Self::Renewals => "renewals",
            Self::Workers => "workers",
            Self::RegistrationKeys => "registration_keys",
            Self::SignIns => "sign_ins",
            Self::SignUps => "sign_ups",
            Self::Resets => "password_resets",
            Self::Mails => "mails",
            Self::Registrations => "registrations",
            Self::Requests => "requests",
            Self::Orders => "orders",
            Self::StrangerRequests => "stranger_requests",
            Self::OrganisationChannels => "organisation_channels",
            Self::Members => "members",
            Self::Organisations => "organisations",
            Self::Workspaces => "workspaces",
            Self::Invitations => "invitations",
            Self::Hosted => "hosted_workspaces",
            Self::Devices => "devices",
            Self::Certificates => "certificates",
            Self::ApiTokens => "api_tokens",
            Self::Refreshes => "refreshes",
            Self::CommandLineLogins => "command_line_logins",
            Self::CodeTries => "code_tries",
            Self::Polls => "polls",
            Self::Delegations => "delegations",
        }
    }
}

impl Refusal {
    /// The gRPC code; Connect's is its name in snake case.
    #[must_use]
    pub const fn code(self) -> tonic::Code {
        match self {
            Self::Malformed(_) => tonic::Code::InvalidArgument,
            Self::NotSignedIn | Self::WrongToken | Self::WrongPassword => {
                tonic::Code::Unauthenticated
            }
            Self::WrongCode | Self::Unmet(_) => tonic::Code::FailedPrecondition,
            Self::Forbidden | Self::OutOfScope => tonic::Code::PermissionDenied,
            Self::NotFound => tonic::Code::NotFound,
            Self::Exists => tonic::Code::AlreadyExists,
            Self::Overtaken => tonic::Code::Aborted,
            Self::Quota(..) | Self::Locked(_) => tonic::Code::ResourceExhausted,
            Self::Draining(_) | Self::Unavailable(_) | Self::Crowded(_) => tonic::Code::Unavailable,
            Self::CookieOnly | Self::NoSuchMethod => tonic::Code::Unimplemented,
            Self::Unconfirmed => tonic::Code::DeadlineExceeded,
            Self::Internal => tonic::Code::Internal,
        }
    }

    /// How long to wait before another try, where one makes sense.
    #[must_use]
    pub const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Quota(_, after)
            | Self::Locked(after)
            | Self::Draining(after)
            | Self::Unavailable(after)
            | Self::Crowded(after) => Some(after),
            Self::Malformed(_)
            | Self::NotSignedIn
            | Self::WrongToken
            | Self::WrongPassword
            | Self::WrongCode
            | Self::Forbidden
            | Self::OutOfScope
            | Self::Unmet(_)
            | Self::NotFound
            | Self::Exists
            | Self::Overtaken
            | Self::CookieOnly
            | Self::NoSuchMethod
            | Self::Unconfirmed
            | Self::Internal => None,
        }
    }
}

/// What went wrong on our side. Logged once, where it turns into [`Refusal::Internal`].
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A statement failed.
    #[error("the database refused a statement")]
    Database(#[from] diesel::result::Error),
    /// No connection within the time allowed.
    #[error("no database connection within the time allowed")]
    Pool(#[from] r2d2::Error),
    /// The pool's queue is full, or it is going down.
    #[error("the database pool takes no more work")]
    Crowded,
    /// A task of ours panicked.
    #[error("a task ended without an answer")]
    Task,
    /// An actor of ours is gone.
    #[error("an actor did not answer")]
    Actor,
    /// A row holds what no code of ours wrote.
    #[error("a row cannot be read: {0}")]
    Row(&'static str),
    /// The operating system gave no random bytes.
    #[error("no random bytes")]
    Random,
    /// What is sealed at rest does not open.
    #[error("a sealed column cannot be opened: {0}")]
    Sealed(Unopened),
}

/// Room comes back when somebody makes some, and a lock when somebody lets go of it.
const UNAVAILABLE_FOR: Duration = Duration::from_secs(5);

impl Fault {
    /// Whether the same request may succeed later without anything being mended in here.
    fn is_passing(&self) -> bool {
        match self {
            Self::Database(error) => is_passing(error),
            Self::Pool(_) | Self::Crowded => true,
            Self::Task | Self::Actor | Self::Row(_) | Self::Random | Self::Sealed(_) => false,
        }
    }
}

impl Fault {
    /// Whether it is the caller's after all: a text that no text of PostgreSQL's can be.
    fn is_callers(&self) -> bool {
        match self {
            Self::Database(diesel::result::Error::DatabaseError(_, said)) => {
                failure::is_unstorable(said.message())
            }
            Self::Database(_)
            | Self::Pool(_)
            | Self::Crowded
            | Self::Task
            | Self::Actor
            | Self::Row(_)
            | Self::Random
            | Self::Sealed(_) => false,
        }
    }
}

/// diesel tells constraints apart and little else; the rest has SQLite's own fixed texts, or
/// PostgreSQL's codes.
fn is_passing(error: &diesel::result::Error) -> bool {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "diesel's list is open, and the others are mistakes"
    )]
    match error {
        diesel::result::Error::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => true,
        diesel::result::Error::DatabaseError(_, said) => {
            failure::is_passing(said.message())
                || matches!(
                    said.message(),
                    "database is locked" | "database or disk is full" | "disk I/O error"
                )
        }
        diesel::result::Error::RollbackErrorOnCommit { commit_error, .. } => {
            is_passing(commit_error)
        }
        _ => false,
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        if fault.is_callers() {
            return Self::Malformed(Field::Message);
        }
        tracing::error!(error = &fault as &dyn std::error::Error, "a request failed");
        if fault.is_passing() {
            Self::Unavailable(UNAVAILABLE_FOR)
        } else {
            Self::Internal
        }
    }
}
