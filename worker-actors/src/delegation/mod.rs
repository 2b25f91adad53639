//! Delegations: a program that the Worker started reaches the Worker as the user for whom it runs, in
//! the one workspace of its tab, for an hour at most, and holds no secret of that user's.
//!
//! | file | what it does |
//! |---|---|
//! | `guests` | BRAIN: the keys of such programs, which are trusted while they ask to be |
//! | `sponsors` | which open channels may answer for a tab |
//! | `purse` | BRAIN: whether the bearer at hand will do, and by whose channel to get another |
//! | `mint` | asks the Hub for a bearer, with the Worker's own token |
//! | `door` | the tab's Unix socket |
//! | `visit` | one program at that socket |
//!
//! The boundary is the user of this machine: whoever runs as the Worker's user can read the Worker's
//! own key. What a delegation bounds is the reach of a program that keeps to what it is given.

mod door;
pub(crate) mod guests;
mod mint;
mod purse;
mod sponsors;
mod visit;

use std::{path::PathBuf, sync::Arc};

use crypto::{Mode, PublicKey};
use schema::ids::{ChannelId, TerminalId, UserId, WorkerId, WorkspaceId};

pub(crate) use self::{door::Door, sponsors::Sponsorship};
use self::{door::Folder, mint::Mint, sponsors::Sponsors};
use crate::{device_book::DeviceBook, open_link};

/// What all tabs share.
#[derive(Clone)]
pub(crate) struct Delegations(Arc<Inner>);

struct Inner {
    parts: Parts,
    mint: Mint,
    sponsors: Sponsors,
    folder: Option<Folder>,
}

/// What delegations are made with.
pub(crate) struct Parts {
    pub(crate) caller: Arc<open_link::Caller>,
    pub(crate) devices: DeviceBook,
    pub(crate) worker: WorkerId,
    pub(crate) public_key: PublicKey,
    pub(crate) mode: Mode,
    /// The Hub's address as a person would write it.
    pub(crate) hub: String,
    /// The Worker's own folder.
    pub(crate) data_dir: PathBuf,
}

/// Whose program, and where.
#[derive(Clone, Debug)]
pub(crate) struct Tab {
    pub(crate) user: UserId,
    pub(crate) workspace: WorkspaceId,
    /// None for a command.
    pub(crate) terminal: Option<TerminalId>,
    /// The channel over which it was started.
    pub(crate) opener: ChannelId,
}

impl Delegations {
    /// Makes the folder of the sockets. Blocks.
    pub(crate) fn new(parts: Parts) -> Self {
        let folder = Folder::make(&parts.data_dir)
            .inspect_err(|error| tracing::warn!(%error, "programs get no delegations"));
        Self(Arc::new(Inner {
            mint: Mint::new(Arc::clone(&parts.caller)),
            sponsors: Sponsors::default(),
            folder: folder.ok(),
            parts,
        }))
    }

    /// A place for a channel among those that answer for tabs; it ends with what is given.
    pub(crate) fn sponsorship(&self, channel: ChannelId, user: UserId) -> Sponsorship {
        self.0.sponsors.join(channel, user)
    }
}
