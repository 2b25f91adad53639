//! Events go to standard error, one line each; standard output belongs to the command.

use anyhow::Context as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::layers::{LogConfig, LogFormat};

/// Installs the process's subscriber.
///
/// # Errors
///
/// When the filter cannot be parsed; the message shows what one looks like.
pub(crate) fn install(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&config.log_level).context(
        "--log-level takes error, warn, info, debug, trace or a filter like info,hub_actors=debug",
    )?;
    let builder = fmt::Subscriber::builder()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => builder.with_ansi(is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}

fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}
