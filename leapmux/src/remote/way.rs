//! The two ways to a Worker: by a person's own login, or by what the Worker gives to a program that it
//! started.

use std::path::PathBuf;

use anyhow::anyhow;
use schema::ids::WorkspaceId;

use super::{
    channel::{self, NotOpen, Open},
    delegation,
    folder::Folder,
    hub::Hub,
};

/// How this process gets to Workers.
pub(crate) enum Way {
    /// By the login that is kept for a Hub.
    Login(Hub, Folder),
    /// By the socket of the tab that it runs in.
    Delegation(PathBuf),
}

/// Where to.
#[derive(Clone, Default)]
pub(crate) struct Destination {
    /// Needed when there are several.
    pub(crate) worker: Option<String>,
    /// Needed where somebody else's Worker hosts several.
    pub(crate) workspace: Option<WorkspaceId>,
}

impl Way {
    /// Whether it is a delegation.
    pub(crate) const fn is_delegated(&self) -> bool {
        matches!(self, Self::Delegation(_))
    }

    /// Opens a channel.
    ///
    /// # Errors
    ///
    /// Each says what to do next.
    pub(crate) async fn open(&self, to: &Destination) -> Result<Open, NotOpen> {
        let open = match self {
            Self::Login(hub, folder) => channel::open(hub, folder, to).await?,
            Self::Delegation(socket) => {
                let given = delegation::ask(socket).await?;
                let is_other = |wanted: &String| wanted.as_str() != given.worker.as_str();
                if to.worker.as_ref().is_some_and(is_other) {
                    return Err(elsewhere("Worker", given.worker.as_str()));
                }
                let is_other = |wanted: &WorkspaceId| *wanted != given.workspace;
                if to.workspace.as_ref().is_some_and(is_other) {
                    return Err(elsewhere("workspace", given.workspace.as_str()));
                }
                channel::open_delegated(given).await?
            }
        };
        Ok(open)
    }
}

fn elsewhere(what: &str, only: &str) -> NotOpen {
    NotOpen::Final(anyhow!(
        "a program in a tab reaches only the {what} of the tab ({only}); name --hub to use your own \
         login"
    ))
}
