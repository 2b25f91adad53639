//! Who may open a channel to which Worker. Only this file makes a [`Grant`].
//!
//! A grant is as true as the rows were that it was made from, and carries the number of the ledger
//! that was read before them: whatever was revoked up to that number, it knew of. What is revoked
//! later finds the channel by the topics that the grant names.

use std::collections::BTreeSet;

use channel_actors::{RefusalReason, limits::WORKSPACES};
use schema::{
    ids::{CredentialId, OrganisationId, UserId, WorkerId},
    wire::{Signed, WorkspaceAccess},
};

use crate::{
    caller::{Binding, Caller},
    clock,
    config::OrganisationQuotas,
    error::Fault,
    store::{
        Connection, Store,
        access::{self, Reach, Roles},
        certificates, ledger, organisations, standing,
    },
    topic::Topic,
};

/// What somebody asks for: it can be asked again.
#[derive(Debug, Clone)]
pub(crate) struct Plea {
    pub(crate) user: UserId,
    pub(crate) organisation: OrganisationId,
    pub(crate) credential: CredentialId,
    pub(crate) binding: Option<Binding>,
    pub(crate) worker: WorkerId,
    /// Workspaces; none for all that are granted.
    pub(crate) asked: Vec<String>,
}

impl Plea {
    pub(crate) fn new(caller: Caller, worker: WorkerId, asked: Vec<String>) -> Self {
        Self {
            user: caller.user,
            organisation: caller.organisation,
            credential: caller.credential,
            binding: caller.binding,
            worker,
            asked,
        }
    }

    fn wants(&self, workspace: &str) -> bool {
        let is_bound = |binding: &Binding| binding.workspace.as_str() == workspace;
        self.binding.as_ref().is_none_or(is_bound)
            && (self.asked.is_empty() || self.asked.iter().any(|one| one == workspace))
    }
}

/// Proof that a credential may open a channel to a Worker.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    plea: Plea,
    workspaces: Vec<WorkspaceAccess>,
    certificates: Vec<Signed>,
    topics: BTreeSet<Topic>,
    as_of: i64,
    payer: OrganisationId,
    quotas: OrganisationQuotas,
}

impl Grant {
    pub(crate) const fn plea(&self) -> &Plea {
        &self.plea
    }

    pub(crate) const fn user(&self) -> &UserId {
        &self.plea.user
    }

    pub(crate) const fn organisation(&self) -> &OrganisationId {
        &self.plea.organisation
    }

    pub(crate) const fn credential(&self) -> &CredentialId {
        &self.plea.credential
    }

    pub(crate) const fn worker(&self) -> &WorkerId {
        &self.plea.worker
    }

    pub(crate) fn workspaces(&self) -> &[WorkspaceAccess] {
        &self.workspaces
    }

    /// What the owner and the user's devices have signed, for the Worker to look at.
    pub(crate) fn certificates(&self) -> &[Signed] {
        &self.certificates
    }

    /// What it stands with.
    pub(crate) const fn topics(&self) -> &BTreeSet<Topic> {
        &self.topics
    }

    /// The number of the newest revocation that it knew of.
    pub(crate) const fn as_of(&self) -> i64 {
        self.as_of
    }

    /// The organisation of the Worker, which the channel counts for,
    pub(crate) const fn payer(&self) -> &OrganisationId {
        &self.payer
    }

    /// and what that may have.
    pub(crate) const fn quotas(&self) -> &OrganisationQuotas {
        &self.quotas
    }
}

/// Checks, in this order: the credential is live and its user may sign in; the Worker exists and
/// the user may route to it, which is one and the same answer; the workspaces asked for.
pub(crate) async fn authorise(
    store: &Store,
    defaults: OrganisationQuotas,
    plea: Plea,
) -> Result<Result<Grant, RefusalReason>, Fault> {
    store.run(move |conn| judge(conn, &defaults, plea)).await
}

/// Whether nothing that it stands with was revoked since, or has expired.
pub(crate) async fn stands(store: &Store, grant: &Grant) -> Result<bool, Fault> {
    let (topics, as_of) = (grant.topics.clone(), grant.as_of);
    let credential = grant.credential().clone();
    store
        .run(move |conn| {
            Ok(!ledger::touches(conn, as_of, &topics)?
                && standing::is_live(conn, &credential, clock::unix_ms())?)
        })
        .await
}

fn judge(
    conn: &mut Connection,
    defaults: &OrganisationQuotas,
    plea: Plea,
) -> Result<Result<Grant, RefusalReason>, Fault> {
    // First: what is revoked behind this number may be missed by what is read next.
    let (as_of, now_ms) = (ledger::last(conn)?, clock::unix_ms());
    if !standing::is_live(conn, &plea.credential, now_ms)? {
        return Ok(Err(RefusalReason::Credential));
    }
    let is_elsewhere = |binding: &Binding| binding.worker != plea.worker;
    if plea.binding.as_ref().is_some_and(is_elsewhere) {
        return Ok(Err(RefusalReason::NotFound));
    }
    let Some(mut reach) = access::reach(conn, &plea.user, &plea.worker)? else {
        return Ok(Err(RefusalReason::NotFound));
    };
    reach.roles.retain(|id, _| plea.wants(id.as_str()));
    if reach.roles.is_empty() {
        return Ok(Err(RefusalReason::NotFound));
    }
    let certificates = certificates::for_channel(conn, &plea.worker, &plea.user, now_ms)?;
    let organisation = organisations::find(conn, &reach.organisation)?;
    let quotas = organisation.map_or(*defaults, |its| its.quotas(defaults));
    Ok(Ok(Grant {
        topics: topics(&plea, &reach),
        workspaces: announced(&reach.roles),
        certificates,
        as_of,
        payer: reach.organisation,
        quotas,
        plea,
    }))
}

/// The Worker's own owner may be there whatever becomes of a workspace; anybody else is there for the
/// workspaces alone, and a delegation for the one that it is bound to.
fn topics(plea: &Plea, reach: &Reach) -> BTreeSet<Topic> {
    let mut topics = BTreeSet::from([
        Topic::Credential(plea.credential.clone()),
        Topic::Worker(plea.worker.clone()),
    ]);
    let is_owner = reach.owner == plea.user;
    for workspace in reach.roles.keys() {
        if !is_owner || plea.binding.is_some() {
            topics.insert(Topic::Access(workspace.clone(), plea.user.clone()));
        }
        if !is_owner {
            topics.insert(Topic::Hosting(plea.worker.clone(), workspace.clone()));
        }
    }
    topics
}

/// No more than a Worker looks at.
fn announced(roles: &Roles) -> Vec<WorkspaceAccess> {
    let roles = roles.iter().take(WORKSPACES);
    roles
        .map(|(workspace, role)| WorkspaceAccess {
            workspace_id: workspace.as_str().to_owned(),
            role: (*role).into(),
        })
        .collect()
}
