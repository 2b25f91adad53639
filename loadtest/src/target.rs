//! The Hub of a run: one that is started for it, or one that runs already.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use schema::{
    ids::UserId,
    wire::{WhoAmIRequest, WhoAmIResponse},
};

use crate::{
    cli::TargetOptions,
    hub::{
        cost::{Cost, Footprint},
        door::Door,
        figures::Figures,
        process::{Blow, OwnHub},
    },
};

/// The Hub, as far as a run needs it.
pub(crate) struct Target {
    pub(crate) door: Door,
    pub(crate) user: UserId,
    admin: Option<Door>,
    process: Option<u32>,
    own: Option<OwnHub>,
}

/// There is no Hub, or it lets nobody in.
#[derive(Debug, thiserror::Error)]
#[error("the Hub cannot be reached")]
pub(crate) struct Unreachable;

impl Target {
    /// Starts or calls it, and asks who we are.
    ///
    /// # Errors
    ///
    /// [`Unreachable`], with what went wrong.
    pub(crate) async fn reach(options: &TargetOptions) -> anyhow::Result<Self> {
        match &options.hub {
            Some(url) => {
                let door = Door::new(url, options.access_token_file.as_deref())?;
                let admin = options.admin_url.as_deref().map(|url| Door::new(url, None));
                Self::meet(door, admin.transpose()?, options.hub_pid, None).await
            }
            None => Self::start(options.hub_bin.as_deref()).await,
        }
    }

    /// Starts one.
    ///
    /// # Errors
    ///
    /// [`Unreachable`], with the end of its log.
    pub(crate) async fn start(binary: Option<&Path>) -> anyhow::Result<Self> {
        let binary = binary.map_or_else(beside, |path| Ok(path.to_owned()))?;
        let own = OwnHub::start(&binary).await.map_err(unreachable)?;
        let door = Door::new(&own.url, Some(&own.access_token_file()))?;
        let admin = Door::new(&own.admin_url, None)?;
        Self::meet(door, Some(admin), Some(own.id()), Some(own)).await
    }

    async fn meet(
        door: Door,
        admin: Option<Door>,
        process: Option<u32>,
        own: Option<OwnHub>,
    ) -> anyhow::Result<Self> {
        let me = door.call("AccountService/WhoAmI", &WhoAmIRequest {}).await;
        let me: WhoAmIResponse = me.map_err(unreachable)?;
        let user = UserId::parse(&me.user_id).ok().filter(|_| me.signed_in);
        let user = user
            .context("the Hub wants a login: --access-token-file")
            .map_err(unreachable)?;
        Ok(Self {
            door,
            user,
            admin,
            process,
            own,
        })
    }

    /// Whether nobody else uses it.
    pub(crate) const fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// What it has cost so far, if its process is known and lives.
    pub(crate) fn cost(&self) -> Option<Cost> {
        Cost::of(self.process?).ok()
    }

    /// Ends it, if it is our own.
    ///
    /// # Errors
    ///
    /// It is not ours, or does not end.
    pub(crate) async fn strike(&mut self, blow: Blow) -> anyhow::Result<()> {
        self.own.as_mut().context(NOT_OURS)?.strike(blow).await
    }

    /// Starts it again where it was.
    ///
    /// # Errors
    ///
    /// It is not ours, or does not start.
    pub(crate) async fn start_again(&mut self) -> anyhow::Result<()> {
        let own = self.own.as_mut().context(NOT_OURS)?;
        own.start_again().await?;
        self.process = Some(own.id());
        Ok(())
    }

    /// What it holds now, if its process is known and lives.
    pub(crate) fn footprint(&self) -> Option<Footprint> {
        Footprint::of(self.process?).ok()
    }

    /// What it says of itself, if its admin address is known and answers.
    pub(crate) async fn figures(&self) -> Option<Figures> {
        Figures::scrape(self.admin.as_ref()?).await.ok()
    }
}

const NOT_OURS: &str = "only a Hub of our own is ended";

fn unreachable(error: anyhow::Error) -> anyhow::Error {
    // The kind outside, for the exit code; what happened inside, for people.
    error.context(Unreachable)
}

/// `leapmux` where this binary is.
fn beside() -> anyhow::Result<PathBuf> {
    let own = env::current_exe().context("this binary's own path")?;
    Ok(own.with_file_name("leapmux"))
}
