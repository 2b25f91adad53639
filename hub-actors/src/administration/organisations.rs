//! Organisations.

use schema::wire;

use super::{limit, page, rows};
use crate::{
    asked::Asked,
    error::Refusal,
    operator::{OrganisationAccount, organisations},
};

pub(crate) async fn list_all_organisations(
    asked: &Asked,
    request: wire::ListAllOrganisationsRequest,
) -> Result<wire::ListAllOrganisationsResponse, Refusal> {
    let limit = limit(request.limit);
    let listed = asked
        .state
        .store
        .run(move |conn| organisations::list(conn, &request.after, rows(limit)));
    let (listed, next_after) = page(listed.await?, limit, |one| &one.slug);
    Ok(wire::ListAllOrganisationsResponse {
        organisations: listed.into_iter().map(account).collect(),
        next_after,
    })
}

fn account(one: OrganisationAccount) -> wire::OrganisationAccount {
    let quota = |quota: Option<i32>| u32::try_from(quota.unwrap_or_default()).unwrap_or_default();
    let rate = one.max_bytes_per_second.unwrap_or_default();
    wire::OrganisationAccount {
        organisation_id: one.organisation_id,
        slug: one.slug,
        name: one.name,
        personal: one.personal,
        members: one.members,
        workers: one.workers,
        workspaces: one.workspaces,
        max_members: quota(one.max_members),
        max_workers: quota(one.max_workers),
        max_channels: quota(one.max_channels),
        max_bytes_per_second: u64::try_from(rate).unwrap_or_default(),
    }
}
