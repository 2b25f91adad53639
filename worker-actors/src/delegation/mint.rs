//! Asking the Hub for a bearer, with the Worker's own token.

use std::sync::Arc;

use schema::{
    ids::ChannelId,
    wire::{MintDelegationRequest, delegation_service_client::DelegationServiceClient},
};
use thiserror::Error;
use tokio::time;
use tonic::{Code, Request, metadata::MetadataValue};
use zeroize::Zeroizing;

use super::{Tab, purse::Bearer};
use crate::{dial, open_link::Caller};

/// The Hub as the maker of bearers.
pub(super) struct Mint(Arc<Caller>);

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum MintError {
    /// The Hub does not know the channel, or its user may not be there.
    #[error("the Hub knows no such channel")]
    Unknown,
    /// It gives no more.
    #[error("the Hub refused ({0})")]
    Refused(Code),
    /// It cannot be reached, or does not answer in time.
    #[error("the Hub cannot be reached")]
    Away,
}

impl Mint {
    pub(super) const fn new(caller: Arc<Caller>) -> Self {
        Self(caller)
    }

    /// A bearer for the user of the channel, bound to the tab and its workspace.
    pub(super) async fn bearer(&self, tab: &Tab, channel: ChannelId) -> Result<Bearer, MintError> {
        let asking = time::timeout(self.0.patience, self.ask(tab, channel));
        asking.await.unwrap_or(Err(MintError::Away))
    }

    async fn ask(&self, tab: &Tab, channel: ChannelId) -> Result<Bearer, MintError> {
        let Caller {
            hub,
            ca_file,
            token,
            patience,
            ..
        } = &*self.0;
        let dialled = dial::dial(hub, ca_file.as_ref(), *patience).await;
        let connection = dialled.map_err(|error| {
            tracing::debug!(%error, "no delegation");
            MintError::Away
        })?;
        let mut request = Request::new(MintDelegationRequest {
            channel_id: channel.as_bytes().to_vec().into(),
            workspace_id: tab.workspace.as_str().to_owned(),
            tab_id: tab
                .terminal
                .as_ref()
                .map_or_else(String::new, |id| id.as_str().to_owned()),
            lifetime_seconds: 0,
        });
        let bearer = Zeroizing::new(format!("Bearer {}", token.as_str()));
        let mut value = MetadataValue::try_from(bearer.as_str())
            .map_err(|_| MintError::Refused(Code::Unauthenticated))?;
        value.set_sensitive(true);
        request.metadata_mut().insert("authorization", value);
        let answer = DelegationServiceClient::new(connection)
            .mint_delegation(request)
            .await;
        let minted = answer
            .map_err(|status| refused(status.code()))?
            .into_inner();
        Ok(Bearer {
            token: Zeroizing::new(minted.delegation_token),
            channel,
            expires_ms: minted.expires_unix_ms,
        })
    }
}

fn refused(code: Code) -> MintError {
    let away = [Code::Unavailable, Code::DeadlineExceeded, Code::Cancelled];
    if code == Code::NotFound {
        MintError::Unknown
    } else if away.contains(&code) {
        MintError::Away
    } else {
        MintError::Refused(code)
    }
}
