//! What something stands or falls with. A revocation names a topic; sessions, links and channels
//! are registered under those that they were let in by.

use std::fmt;

use schema::ids::{CredentialId, UserId, WorkerId, WorkspaceId};

/// One reason to be let in, which can be taken back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// A login, an API token's family, a delegation, the access token.
    Credential(CredentialId),
    /// A Worker: its link, and every channel to it.
    Worker(WorkerId),
    /// What one user may do in one workspace.
    Access(WorkspaceId, UserId),
    /// That a Worker hosts a workspace.
    Hosting(WorkerId, WorkspaceId),
}

/// The kind of a topic; `ledger.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// [`Topic::Credential`]
    Credential = 1,
    /// [`Topic::Worker`]
    Worker = 2,
    /// [`Topic::Access`]
    Access = 3,
    /// [`Topic::Hosting`]
    Hosting = 4,
}

impl Kind {
    /// Every one, in the order of their numbers.
    pub(crate) const ALL: [Self; 4] = [Self::Credential, Self::Worker, Self::Access, Self::Hosting];

    /// The word in metrics and logs.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Worker => "worker",
            Self::Access => "access",
            Self::Hosting => "hosting",
        }
    }
}

impl Topic {
    /// Its kind.
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Credential(_) => Kind::Credential,
            Self::Worker(_) => Kind::Worker,
            Self::Access(..) => Kind::Access,
            Self::Hosting(..) => Kind::Hosting,
        }
    }

    /// The topic of this kind and text, as a row holds them.
    pub(crate) fn read(kind: i16, subject: &str) -> Option<Self> {
        let kind = Kind::ALL.into_iter().find(|one| *one as i16 == kind)?;
        Some(match kind {
            Kind::Credential => Self::Credential(CredentialId::parse(subject).ok()?),
            Kind::Worker => Self::Worker(WorkerId::parse(subject).ok()?),
            Kind::Access => {
                let (workspace, user) = subject.split_once(' ')?;
                Self::Access(
                    WorkspaceId::parse(workspace).ok()?,
                    UserId::parse(user).ok()?,
                )
            }
            Kind::Hosting => {
                let (worker, workspace) = subject.split_once(' ')?;
                Self::Hosting(
                    WorkerId::parse(worker).ok()?,
                    WorkspaceId::parse(workspace).ok()?,
                )
            }
        })
    }
}

/// The text in a row: one id, or two with a space between.
impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential(id) => f.write_str(id.as_str()),
            Self::Worker(id) => f.write_str(id.as_str()),
            Self::Access(workspace, user) => {
                write!(f, "{} {}", workspace.as_str(), user.as_str())
            }
            Self::Hosting(worker, workspace) => {
                write!(f, "{} {}", worker.as_str(), workspace.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_read_as_it_was_written() {
        let workspace = WorkspaceId::parse("s_1").unwrap();
        let worker = WorkerId::parse("w_1").unwrap();
        for topic in [
            Topic::Credential(CredentialId::parse("c_1").unwrap()),
            Topic::Worker(worker.clone()),
            Topic::Access(workspace.clone(), UserId::parse("u_1").unwrap()),
            Topic::Hosting(worker, workspace),
        ] {
            let read = Topic::read(topic.kind() as i16, &topic.to_string());
            assert_eq!(read, Some(topic));
        }
        for (kind, subject) in [
            (0, "c_1"),
            (5, "c_1"),
            (1, ""),
            (3, "s_1"),
            (3, "s_1 "),
            (4, " "),
        ] {
            assert_eq!(Topic::read(kind, subject), None, "{kind} {subject:?}");
        }
    }
}
