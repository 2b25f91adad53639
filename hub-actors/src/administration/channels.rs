//! Open channels: who talks to which Worker, and not a word of what.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
use schema::wire;

use crate::{
    asked::Asked, error::Refusal, messages::ListOpenChannels, state::ask, store::tables::users,
};

/// This Hub's own, where several share a database.
pub(crate) async fn list_channels(
    asked: &Asked,
    _: wire::ListChannelsRequest,
) -> Result<wire::ListChannelsResponse, Refusal> {
    let open = ask(&asked.state.registry, ListOpenChannels).await?;
    let of: BTreeSet<String> = open
        .iter()
        .map(|one| one.user.as_str().to_owned())
        .collect();
    let names = asked.state.store.run(move |conn| {
        let mut names = BTreeMap::new();
        // A statement takes only so many values.
        for some in of.into_iter().collect::<Vec<_>>().chunks(500) {
            let found = users::table
                .filter(users::id.eq_any(some))
                .select((users::id, users::username))
                .load::<(String, String)>(conn)?;
            names.extend(found);
        }
        Ok(names)
    });
    let names = names.await?;
    let channel = |one: crate::directory::OpenChannel| wire::OpenChannel {
        channel_id: one.channel.to_string(),
        username: names.get(one.user.as_str()).cloned().unwrap_or_default(),
        user_id: one.user.as_str().to_owned(),
        worker_id: one.worker.as_str().to_owned(),
        organisation_id: one.organisation.as_str().to_owned(),
        credential_id: one
            .credential
            .map_or_else(String::new, |id| id.as_str().to_owned()),
    };
    Ok(wire::ListChannelsResponse {
        channels: open.into_iter().map(channel).collect(),
    })
}
