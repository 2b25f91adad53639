//! Events go to standard error, one line each; standard output belongs to the command.

use anyhow::Context as _;
use tracing_subscriber::{EnvFilter, filter::LevelFilter, fmt};

use crate::layers::{LogConfig, LogFormat};

/// Installs the process's subscriber.
///
/// # Errors
///
/// When the filter cannot be parsed; the message shows what one looks like.
pub(crate) fn install(config: &LogConfig) -> anyhow::Result<()> {
    let filter = filter(&config.log_level)?;
    let builder = fmt::Subscriber::builder()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => builder.with_ansi(is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}

/// A word alone has to be a level: as the name of a module it would silence everything else.
fn filter(text: &str) -> anyhow::Result<EnvFilter> {
    let words = text.split(',').filter(|part| !part.contains(['=', '[']));
    let levels = words.map(|word| word.trim().parse::<LevelFilter>());
    levels.collect::<Result<Vec<_>, _>>().context(HOW)?;
    EnvFilter::builder().parse(text).context(HOW)
}

const HOW: &str =
    "--log-level takes error, warn, info, debug, trace or a filter like info,hub_actors=debug";

fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}
