//! What outlives every Hub: credentials, and who owns which Worker.

use std::collections::BTreeMap;

use schema::{
    ids::{CredentialId, UserId, WorkerId},
    wire::{Role, WorkspaceAccess},
};

#[derive(Default)]
pub(crate) struct Database {
    /// With the end of each, on the clock on the wall; zero once it is revoked.
    credentials: BTreeMap<CredentialId, i64>,
    owners: BTreeMap<WorkerId, UserId>,
    last: u64,
}

/// The clock on the wall when the world begins, in milliseconds since 1970.
pub(crate) const WALL: i64 = 1_800_000_000_000;
/// How long a login holds: longer than any jump of that clock.
const LOGIN_MS: i64 = 30 * 24 * 3_600_000;

impl Database {
    pub(crate) fn own(&mut self, worker: WorkerId, owner: UserId) {
        self.owners.insert(worker, owner);
    }

    pub(crate) fn sign_in(&mut self, wall: i64) -> CredentialId {
        self.last += 1;
        let name = format!("login-{}", self.last);
        let credential = CredentialId::parse(&name).expect("letters and digits");
        self.credentials.insert(credential.clone(), wall + LOGIN_MS);
        credential
    }

    pub(crate) fn revoke(&mut self, credential: &CredentialId) {
        self.credentials.insert(credential.clone(), 0);
    }

    pub(crate) fn is_live(&self, credential: &CredentialId, wall: i64) -> bool {
        self.credentials
            .get(credential)
            .is_some_and(|end| *end > wall)
    }

    pub(crate) fn may_route(&self, user: &UserId, worker: &WorkerId) -> bool {
        self.owners.get(worker) == Some(user)
    }
}

/// What every grant of this world names.
pub(crate) fn garden() -> Vec<WorkspaceAccess> {
    vec![WorkspaceAccess {
        workspace_id: "garden".to_owned(),
        role: Role::Owner.into(),
    }]
}
