//! What a caller is to an organisation: the gate that every method of this service goes through.

use schema::{
    ids::{OrganisationId, UserId},
    wire::OrganisationRole,
};

use crate::{
    error::{Refusal, Unmet},
    stop::Stop,
    store::{
        Connection, memberships,
        organisations::{self, Organisation},
    },
};

/// An organisation that the caller belongs to, and as what.
pub(super) struct Standing {
    pub(super) organisation: Organisation,
    pub(super) role: OrganisationRole,
}

impl Standing {
    /// Looks; whoever does not belong to it is told what is told of one that is not there.
    pub(super) fn of(
        conn: &mut Connection,
        user: &UserId,
        id: &OrganisationId,
    ) -> Result<Self, Stop> {
        let role = memberships::role_of(conn, id, user)?.ok_or(Refusal::NotFound)?;
        let organisation = organisations::find(conn, id)?.ok_or(Refusal::NotFound)?;
        Ok(Self { organisation, role })
    }

    /// For what owners and admins may do.
    pub(super) fn looks_after(&self) -> Result<(), Refusal> {
        self.at_least(OrganisationRole::Admin)
    }

    /// For what owners alone may do.
    pub(super) fn owns(&self) -> Result<(), Refusal> {
        self.at_least(OrganisationRole::Owner)
    }

    /// For making somebody this, or no longer: an admin neither makes owners nor touches them.
    pub(super) fn may_give(&self, role: OrganisationRole) -> Result<(), Refusal> {
        self.looks_after()?;
        self.at_least(role)
    }

    /// For what a personal organisation cannot do.
    pub(super) fn is_team(&self) -> Result<(), Refusal> {
        match self.organisation.personal {
            None => Ok(()),
            Some(_) => Err(Refusal::Unmet(Unmet::Personal)),
        }
    }

    fn at_least(&self, role: OrganisationRole) -> Result<(), Refusal> {
        (self.role >= role).then_some(()).ok_or(Refusal::Forbidden)
    }
}
