//! The command line.

use std::{path::PathBuf, time::Duration};

use channel_actors::{
    endpoint::Mode,
    limits::{PLAINTEXT_MAX, TAG_LEN},
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::{
    churn::ChurnOptions,
    memory::MemoryOptions,
    payload::PAYLOAD_MIN,
    restart::RestartOptions,
    schedule::Sizes,
    threshold::{Threshold, duration},
};

/// Size a LeapMux Hub.
#[derive(Parser)]
#[command(name = "leapmux-loadtest", version, arg_required_else_help = true, after_help = CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const CODES: &str = "Exit codes: 0 passed, 1 internal error, 2 usage, 3 the Hub cannot be reached, \
4 not valid (the harness was the limit), 98 interrupted, 99 a gate did not hold";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say what this machine can hold: files, ports, cores, and the largest population that fits
    Doctor,
    /// Send messages through channels to simulated Workers and back, at a rate that waits for
    /// nothing, and audit that each came back once and in order
    Echo(Box<EchoOptions>),
    /// Connect, open, exchange and go, politely or not, many times, and show that the Hub ends as
    /// it was
    Churn(Box<ChurnOptions>),
    /// Measure what one more idle session, link and channel holds of the Hub's memory
    Memory(Box<MemoryOptions>),
    /// Kill the Hub under live channels and start it again, while messages go on arriving, and
    /// audit that each came back once and in order
    Restart(Box<RestartOptions>),
    /// Compare with something cheaper
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// The bench's other side: one TCP connection out for each one in
    #[command(hide = true)]
    Splice {
        /// Where to connect to
        #[arg(long)]
        upstream: std::net::SocketAddr,
    },
}

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// CPU per frame of the Hub and of a TCP splice with 64 KiB buffers, in turns
    Relay(RelayOptions),
}

/// Which Hub.
#[derive(Args)]
pub(crate) struct TargetOptions {
    /// A running Hub, http://127.0.0.1:PORT; without it, one is started and ended with the run
    #[arg(long, value_name = "URL", conflicts_with = "hub_bin")]
    pub(crate) hub: Option<String>,
    /// Its admin address, for metrics
    #[arg(long, value_name = "URL", requires = "hub")]
    pub(crate) admin_url: Option<String>,
    /// Its access token
    #[arg(long, value_name = "FILE", requires = "hub")]
    pub(crate) access_token_file: Option<PathBuf>,
    /// Its process id, for CPU and memory
    #[arg(long, value_name = "PID", requires = "hub")]
    pub(crate) hub_pid: Option<u32>,
    /// The binary to start a Hub of [default: leapmux, beside this binary]
    #[arg(long, value_name = "PATH")]
    pub(crate) hub_bin: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct EchoOptions {
    #[command(flatten)]
    pub(crate) target: TargetOptions,
    /// Sessions: WebSockets to the Hub
    #[arg(long, default_value_t = 100, value_parser = count(20_000))]
    pub(crate) sessions: u64,
    /// Channels of each session
    #[arg(long, default_value_t = 1, value_parser = count(64))]
    pub(crate) channels: u64,
    /// Simulated Workers; channels go to them in turn
    #[arg(long, default_value_t = 4, value_parser = count(1_000))]
    pub(crate) workers: u64,
    /// What the ends do: real handshakes and seals, or noise of their shape
    #[arg(long, value_enum, default_value_t = Crypto::Pq)]
    pub(crate) crypto: Crypto,
    /// Messages in a second, over all channels
    #[arg(long, default_value_t = 500, value_parser = count(1_000_000))]
    pub(crate) rate: u64,
    /// Bytes of a payload, as FROM..TO
    #[arg(long, default_value = "64..4096", value_parser = sizes)]
    pub(crate) size: Sizes,
    /// How long messages are sent
    #[arg(long, default_value = "10s", value_parser = run_time)]
    pub(crate) duration: Duration,
    /// How much of that is not counted in percentiles
    #[arg(long, default_value = "2s", value_parser = duration)]
    pub(crate) warmup: Duration,
    /// Replays the load
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// A gate, like response:p99<50ms; may be given several times
    #[arg(long)]
    pub(crate) threshold: Vec<Threshold>,
    /// A run whose sends are later than this (99th percentile) is not valid
    #[arg(long, default_value = "10ms", value_parser = duration)]
    pub(crate) lag_limit: Duration,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct RelayOptions {
    /// The binary to start a Hub of [default: leapmux, beside this binary]
    #[arg(long, value_name = "PATH")]
    pub(crate) hub_bin: Option<PathBuf>,
    /// Connections on the client's side
    #[arg(long, default_value_t = 8, value_parser = count(64))]
    pub(crate) sessions: u64,
    /// Frames under way on each, 256 KiB of them at most
    #[arg(long, default_value_t = 32, value_parser = count(1_024))]
    pub(crate) window: u64,
    /// Turns of Hub and splice at each size
    #[arg(long, default_value_t = 5, value_parser = count(50))]
    pub(crate) alternations: u64,
    /// How long each turn is measured
    #[arg(long, default_value = "2s", value_parser = run_time)]
    pub(crate) duration: Duration,
    /// Bytes of a frame's ciphertext
    #[arg(long, value_delimiter = ',', default_values_t = [256, 4_096, 32_768],
          value_parser = clap::value_parser!(u64).range(32..=PLAINTEXT_MAX as u64))]
    pub(crate) sizes: Vec<u64>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the two ends of a channel do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Crypto {
    /// Noise of the right shape: measures the Hub alone
    Opaque,
    /// Real, X25519 alone
    Classic,
    /// Real, post-quantum
    Pq,
}

impl Crypto {
    /// The mode that Workers announce.
    pub(crate) const fn mode(self) -> Mode {
        match self {
            Self::Classic => Mode::Classic,
            Self::Opaque | Self::Pq => Mode::PostQuantum,
        }
    }

    /// Whether anything is encrypted.
    pub(crate) fn is_real(self) -> bool {
        self != Self::Opaque
    }
}

/// The largest payload that is one frame with whatever is round it.
const PAYLOAD_MAX: usize = PLAINTEXT_MAX - 64;
/// Keys are renewed after an hour, and a load generator has to end.
const RUN_MAX: Duration = Duration::from_secs(30 * 60);
const _: () = assert!(PAYLOAD_MIN + TAG_LEN >= schema::frame::CIPHERTEXT_MIN);

pub(crate) fn count(most: u64) -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=most)
}

pub(crate) fn sizes(text: &str) -> Result<Sizes, String> {
    let how = || format!("FROM..TO, in {PAYLOAD_MIN}..{PAYLOAD_MAX}");
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let low = low.parse().map_err(|_| how())?;
    let high = high.parse().map_err(|_| how())?;
    let fits = PAYLOAD_MIN <= low && low <= high && high <= PAYLOAD_MAX;
    fits.then_some(Sizes { low, high }).ok_or_else(how)
}

pub(crate) fn run_time(text: &str) -> Result<Duration, String> {
    let time = duration(text).map_err(|error| error.to_string())?;
    let fits = (Duration::from_millis(100)..=RUN_MAX).contains(&time);
    fits.then_some(time)
        .ok_or_else(|| "from 100ms to 30m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn sizes_and_times_are_bounded() {
        assert_eq!(
            sizes("64..4096"),
            Ok(Sizes {
                low: 64,
                high: 4_096
            })
        );
        assert_eq!(
            sizes("100"),
            Ok(Sizes {
                low: 100,
                high: 100
            })
        );
        for text in ["", "15..20", "20..16", "64..70000", "a..b"] {
            assert!(sizes(text).is_err(), "{text}");
        }
        assert!(run_time("31m").is_err());
        assert!(run_time("10s").is_ok());
    }
}
