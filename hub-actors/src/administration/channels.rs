//! Open channels: who talks to which Worker, and not a word of what.

use schema::wire;

use crate::{asked::Asked, error::Refusal};

pub(crate) async fn list_channels(
    _asked: &Asked,
    _: wire::ListChannelsRequest,
) -> Result<wire::ListChannelsResponse, Refusal> {
    Err(Refusal::NoSuchMethod)
}
