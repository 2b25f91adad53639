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
        certificates::{self, Pieces},
        ledger, organisations, standing,
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
    certificates: Pieces,
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

    /// What the owner and the user's devices have signed, for the Worker to look at: what is
    /// announced with the channel,
    pub(crate) fn certificates(&self) -> &[Signed] {
        self.certificates.first().map_or(&[], Vec::as_slice)
    }

    /// and what did not fit there, in messages of its own.
    pub(crate) fn more_certificates(&self) -> &[Vec<Signed>] {
        self.certificates.get(1..).unwrap_or_default()
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
    // The owner of a Worker is at home there without any workspace.
    let is_home = reach.owner == plea.user && plea.binding.is_none() && plea.asked.is_empty();
    if reach.roles.is_empty() && !is_home {
        return Ok(Err(RefusalReason::NotFound));
    }
    let (worker, roles) = (&plea.worker, &reach.roles);
    let certificates = certificates::for_channel(conn, worker, &plea.user, roles, now_ms)?;
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

#[cfg(test)]
mod tests {
    use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
    use prost::Message as _;
    use schema::{
        ids::WorkspaceId,
        wire::{GrantCertificate, OrganisationRole, Role},
    };

    use super::*;
    use crate::devices::signed::tests::a_grant;
    use crate::store::{
        both::{Sandbox, on_both},
        cast,
        credentials::{self, Kind, NewCredential},
        ledger::Reason,
        tables::{grant_certificates, users, worker_workspaces, workspace_shares, workspaces},
    };

    on_both! {
        the_owner_stands_with_credential_and_worker_and_others_with_what_let_them_in,
        a_delegation_is_for_one_worker_and_one_workspace,
        the_owner_of_a_worker_is_at_home_there_without_any_workspace,
        whoever_may_not_sign_in_is_granted_nothing,
        a_grant_knows_what_was_revoked_before_it_and_stands_until_the_next,
        certificates_of_the_grantee_go_along,
        what_was_taken_back_goes_first_and_then_what_is_asked_for,
    }

    struct Cast {
        ann: Caller,
        bob: Caller,
        worker: WorkerId,
    }

    /// Ann's Worker hosts `s1`, which is shared with bob, and not `s2`, which is too.
    async fn set(sandbox: &Sandbox) -> Cast {
        let ann = cast::person(sandbox, "ann").await;
        let bob = cast::person(sandbox, "bob").await;
        let role = OrganisationRole::Member;
        let team = cast::team(sandbox, "team", &[(&ann, role), (&bob, role)]).await;
        for id in ["s1", "s2"] {
            cast::workspace(sandbox, id, &team, &ann).await;
        }
        let worker = cast::worker(sandbox, "w", &team, &ann).await;
        let people = [ann.clone(), bob.clone()];
        cast::ask(sandbox, move |conn| {
            for person in &people {
                let login = NewCredential {
                    id: &person.credential,
                    user: &person.user,
                    kind: Kind::Login,
                    parent: None,
                    hash: None,
                    expires_ms: None,
                };
                credentials::insert(conn, &login, 1)?;
            }
            for id in ["s1", "s2"] {
                diesel::insert_into(workspace_shares::table)
                    .values((
                        workspace_shares::workspace_id.eq(id),
                        workspace_shares::grantee_kind.eq(1_i16),
                        workspace_shares::grantee_id.eq("bob"),
                        workspace_shares::role.eq(2_i16),
                        workspace_shares::granted_by.eq("ann"),
                        workspace_shares::granted_ms.eq(1_i64),
                    ))
                    .execute(conn)?;
            }
            let hosts = diesel::insert_into(worker_workspaces::table);
            hosts
                .values((
                    worker_workspaces::worker_id.eq("w"),
                    worker_workspaces::workspace_id.eq("s1"),
                ))
                .execute(conn)?;
            Ok(())
        })
        .await;
        Cast { ann, bob, worker }
    }

    async fn asks(
        sandbox: &Sandbox,
        caller: &Caller,
        worker: &WorkerId,
    ) -> Result<Grant, RefusalReason> {
        let plea = Plea::new(caller.clone(), worker.clone(), Vec::new());
        let defaults = OrganisationQuotas::default();
        authorise(&sandbox.store, defaults, plea).await.unwrap()
    }

    fn texts(grant: &Grant) -> Vec<String> {
        let text = |topic: &Topic| format!("{} {topic}", topic.kind().label());
        grant.topics().iter().map(text).collect()
    }

    fn announced_to(grant: &Grant) -> Vec<&str> {
        let workspaces = grant.workspaces().iter();
        workspaces.map(|one| one.workspace_id.as_str()).collect()
    }

    async fn the_owner_stands_with_credential_and_worker_and_others_with_what_let_them_in(
        sandbox: &Sandbox,
    ) {
        let Cast { ann, bob, worker } = set(sandbox).await;
        let owner = asks(sandbox, &ann, &worker).await.unwrap();
        assert_eq!(texts(&owner), ["credential c_ann", "worker w"]);
        assert_eq!(announced_to(&owner), ["s1", "s2"]);
        let other = asks(sandbox, &bob, &worker).await.unwrap();
        assert_eq!(announced_to(&other), ["s1"]);
        assert_eq!(
            texts(&other),
            [
                "credential c_bob",
                "worker w",
                "access s1 bob",
                "hosting w s1"
            ]
        );
        assert_eq!(other.payer().as_str(), "team");
        let stranger = cast::person(sandbox, "eve").await;
        let eve = Caller {
            credential: bob.credential.clone(),
            ..stranger
        };
        assert_eq!(
            asks(sandbox, &eve, &worker).await.unwrap_err(),
            RefusalReason::NotFound
        );
    }

    async fn a_delegation_is_for_one_worker_and_one_workspace(sandbox: &Sandbox) {
        let Cast { ann, bob, worker } = set(sandbox).await;
        let bound = |to: &Caller, worker: &str, workspace: &str| Caller {
            binding: Some(Binding {
                worker: WorkerId::parse(worker).unwrap(),
                workspace: WorkspaceId::parse(workspace).unwrap(),
            }),
            ..to.clone()
        };
        let its = asks(sandbox, &bound(&ann, "w", "s2"), &worker)
            .await
            .unwrap();
        assert_eq!(announced_to(&its), ["s2"]);
        assert_eq!(
            texts(&its),
            ["credential c_ann", "worker w", "access s2 ann"]
        );
        for elsewhere in [
            bound(&ann, "v", "s2"),
            bound(&bob, "w", "s2"),
            bound(&bob, "w", "s9"),
        ] {
            let refused = asks(sandbox, &elsewhere, &worker).await.unwrap_err();
            assert_eq!(refused, RefusalReason::NotFound);
        }
    }

    async fn the_owner_of_a_worker_is_at_home_there_without_any_workspace(sandbox: &Sandbox) {
        let Cast { ann, worker, .. } = set(sandbox).await;
        cast::ask(sandbox, |conn| {
            diesel::delete(worker_workspaces::table).execute(conn)?;
            diesel::delete(workspace_shares::table).execute(conn)?;
            Ok(diesel::delete(workspaces::table).execute(conn)?)
        })
        .await;
        let its = asks(sandbox, &ann, &worker).await.unwrap();
        assert_eq!(texts(&its), ["credential c_ann", "worker w"]);
        assert_eq!(announced_to(&its), [""; 0]);
        let refused = |plea: Plea| async move {
            let defaults = OrganisationQuotas::default();
            let granted = authorise(&sandbox.store, defaults, plea).await.unwrap();
            assert_eq!(granted.unwrap_err(), RefusalReason::NotFound);
        };
        refused(Plea::new(
            ann.clone(),
            worker.clone(),
            vec!["s1".to_owned()],
        ))
        .await;
        let bound = Caller {
            binding: Some(Binding {
                worker: worker.clone(),
                workspace: WorkspaceId::parse("s1").unwrap(),
            }),
            ..ann
        };
        refused(Plea::new(bound, worker, Vec::new())).await;
    }

    async fn whoever_may_not_sign_in_is_granted_nothing(sandbox: &Sandbox) {
        let Cast { bob, worker, .. } = set(sandbox).await;
        let grant = asks(sandbox, &bob, &worker).await.unwrap();
        cast::ask(sandbox, |conn| {
            let disabled = diesel::update(users::table.find("bob"));
            Ok(disabled.set(users::disabled_ms.eq(1)).execute(conn)?)
        })
        .await;
        let refused = asks(sandbox, &bob, &worker).await.unwrap_err();
        assert_eq!(refused, RefusalReason::Credential);
        assert!(!stands(&sandbox.store, &grant).await.unwrap());
    }

    async fn a_grant_knows_what_was_revoked_before_it_and_stands_until_the_next(sandbox: &Sandbox) {
        let Cast { bob, worker, .. } = set(sandbox).await;
        let revoke = |topic: Topic| {
            sandbox.store.write(move |conn| {
                let one = [(topic.clone(), Reason::Revoked)];
                ledger::append_all(conn, &one, 1).map(Ok::<_, ()>)
            })
        };
        let of_bob = Topic::Access(WorkspaceId::parse("s1").unwrap(), bob.user.clone());
        revoke(of_bob.clone()).await.unwrap().unwrap();
        let grant = asks(sandbox, &bob, &worker).await.unwrap();
        assert_eq!(grant.as_of(), 1);
        let elsewhere = Topic::Worker(WorkerId::parse("v").unwrap());
        revoke(elsewhere).await.unwrap().unwrap();
        assert!(stands(&sandbox.store, &grant).await.unwrap());
        revoke(of_bob).await.unwrap().unwrap();
        assert!(!stands(&sandbox.store, &grant).await.unwrap());
    }

    async fn certificates_of_the_grantee_go_along(sandbox: &Sandbox) {
        let Cast { ann, bob, worker } = set(sandbox).await;
        let store = |id: &'static str, serial: i64, expires_ms: i64, bytes: usize| {
            cast::ask(sandbox, move |conn| {
                let signed = Signed {
                    body: vec![7; bytes].into(),
                    ..Signed::default()
                };
                let row = (
                    grant_certificates::id.eq(id),
                    grant_certificates::worker_id.eq("w"),
                    grant_certificates::workspace_id.eq("s1"),
                    grant_certificates::grantee_user_id.eq("bob"),
                    grant_certificates::serial.eq(serial),
                    grant_certificates::signed.eq(signed.encode_to_vec()),
                    grant_certificates::expires_ms.eq(expires_ms),
                    grant_certificates::created_ms.eq(1_i64),
                );
                let insert = diesel::insert_into(grant_certificates::table);
                Ok(insert.values(row).execute(conn)?)
            })
        };
        store("g1", 1, 1, 1).await;
        store("g2", 2, i64::MAX, 2).await;
        store("g3", 3, i64::MAX, 3).await;
        let length = |signed: &Signed| signed.body.len();
        let lengths = |grant: &Grant| -> Vec<Vec<usize>> {
            let pieces = grant.certificates.iter();
            pieces
                .map(|piece| piece.iter().map(length).collect())
                .collect()
        };
        let grant = asks(sandbox, &bob, &worker).await.unwrap();
        assert_eq!(lengths(&grant), [[3, 2]], "the newest first, none expired");
        let owner = asks(sandbox, &ann, &worker).await.unwrap();
        assert!(lengths(&owner).is_empty());
        store("g4", 4, i64::MAX, 40_000).await;
        store("g5", 5, i64::MAX, 20_000).await;
        let grant = asks(sandbox, &bob, &worker).await.unwrap();
        assert_eq!(lengths(&grant), [vec![20_000], vec![40_000, 3, 2]]);
        let first = grant.certificates().iter().map(length);
        assert_eq!(first.collect::<Vec<_>>(), [20_000]);
        assert_eq!(grant.more_certificates().len(), 1);
    }

    /// A share of long ago has a low serial, and one of today a low one too: serials are counted by
    /// workspace.
    async fn what_was_taken_back_goes_first_and_then_what_is_asked_for(sandbox: &Sandbox) {
        let Cast { bob, worker, .. } = set(sandbox).await;
        let store = |at: &'static str, serial: u64, role: Role, created_ms: i64| {
            cast::ask(sandbox, move |conn| {
                let signed = a_grant(|said| {
                    said.worker_id = "w".to_owned();
                    said.workspace_id = at.to_owned();
                    said.role = role.into();
                    said.serial = serial;
                });
                let row = (
                    grant_certificates::id.eq(format!("{at}{serial}")),
                    grant_certificates::worker_id.eq("w"),
                    grant_certificates::workspace_id.eq(at),
                    grant_certificates::grantee_user_id.eq("bob"),
                    grant_certificates::serial.eq(i64::try_from(serial).unwrap()),
                    grant_certificates::signed.eq(signed),
                    grant_certificates::expires_ms.eq(i64::MAX),
                    grant_certificates::created_ms.eq(created_ms),
                );
                let insert = diesel::insert_into(grant_certificates::table);
                Ok(insert.values(row).execute(conn)?)
            })
        };
        store("s2", 90, Role::Viewer, 10).await;
        store("s1", 1, Role::Viewer, 11).await;
        store("s2", 91, Role::Editor, 12).await;
        store("s2", 2, Role::Unspecified, 9).await;
        let serials = |pieces: &[Vec<Signed>]| -> Vec<u64> {
            let all = pieces.iter().flatten();
            let says = all.map(|one| GrantCertificate::decode(one.body.clone()).unwrap());
            says.map(|says| says.serial).collect()
        };
        let grant = asks(sandbox, &bob, &worker).await.unwrap();
        assert_eq!(announced_to(&grant), ["s1"]);
        assert_eq!(serials(&grant.certificates), [2, 1, 91, 90]);
        let now_ms = clock::unix_ms();
        let of_all = cast::ask(sandbox, move |conn| {
            certificates::withdrawn(conn, &worker, now_ms)
        });
        assert_eq!(serials(&of_all.await), [2], "whoever's they are");
    }
}
