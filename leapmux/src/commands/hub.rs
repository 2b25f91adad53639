//! `leapmux hub`.

use std::process::ExitCode;

use clap::Args;
use hub_actors::{HubConfig, Mode};

use super::serve::{self, Daemon, Listening, Storing};
use crate::{
    layers::{Layers, set},
    lifecycle::Signals,
    logging, paths,
};

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    listening: Listening,
    #[command(flatten)]
    storing: Storing,
}

pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let mut flags = options.daemon.flags()?;
    options.listening.set(&mut flags)?;
    options.storing.set(&mut flags)?;
    set(&mut flags, "data_dir", options.daemon.data_dir.as_ref())?;
    let layers = Layers::new("LEAPMUX_HUB_", options.daemon.config.as_deref(), flags)?;
    let defaults = HubConfig {
        mode: Mode::Hub,
        data_dir: paths::data_dir_or_none("hub"),
        ..HubConfig::default()
    };
    let (log, config) = serve::merge_hub(&layers, defaults)?;
    paths::check_chosen(&config.data_dir)?;
    if options.daemon.print_config {
        return serve::print_config(&log, &config);
    }
    logging::install(&log)?;
    serve::runtime()?.block_on(serve_hub(config))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve_hub(config: HubConfig) -> anyhow::Result<()> {
    let mut signals = Signals::register()?;
    let hub = serve::start_hub(config).await?;
    serve::announce(&hub)?;
    serve::until_asked(&mut signals, &hub).await?;
    signals.hurry(hub.drain()).await;
    Ok(())
}
