//! Bench: what relaying a frame costs the Hub, beside what it costs to copy its bytes.
//!
//! Both relays are processes of their own, started for the run, under the same load: so many
//! connections, a fixed window of frames under way on each, every frame sent back by the far
//! side. They take turns, so that a change of the machine's mood meets both. What is compared is
//! CPU time per frame and direction, never throughput: on a machine that the harness shares,
//! throughput measures the harness.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use schema::{frame::Frame, ids::ChannelId};

use self::{
    report::{Report, Row, Turn},
    splice::Splice,
    window::Shuttles,
};
use crate::{
    cli::{Crypto, RelayOptions},
    client::junk::Junk,
    clock::Clock,
    hub::cost::{self, Cost},
    schedule::Dice,
    target::Target,
    verdict::Verdict,
    worker::{Fleet, Loyalty, Registered},
};

mod plain;
mod report;
pub(crate) mod splice;
mod window;

/// Bytes under way on a connection: more would wait in buffers of the kernel.
const WINDOW_BYTES: u64 = 256 * 1024;
/// Before a turn is measured.
const WARM_UP: Duration = Duration::from_millis(300);

/// Runs it and prints the report.
///
/// # Errors
///
/// A relay cannot be started, or broke under the load.
#[expect(clippy::print_stdout, reason = "the report is the command's output")]
pub(crate) async fn run(options: &RelayOptions) -> anyhow::Result<Verdict> {
    let report = measure(options).await?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(report.verdict)
}

/// Both relays, and what is behind them.
struct Relays {
    hub: Target,
    fleet: Fleet,
    splice: Splice,
}

async fn measure(options: &RelayOptions) -> anyhow::Result<Report> {
    let relays = Relays::start(options.hub_bin.as_deref()).await?;
    let mut rows = Vec::new();
    for bytes in &options.sizes {
        let (mut hub, mut splice) = (Vec::new(), Vec::new());
        let window = options.window.min((WINDOW_BYTES / bytes).max(1));
        for _ in 0..options.alternations {
            hub.push(relays.turn_of_hub(options, *bytes, window).await?);
            splice.push(relays.turn_of_splice(options, *bytes, window).await?);
        }
        rows.push(Row::new(*bytes, window, &hub, &splice));
    }
    relays.fleet.end().await;
    Ok(Report::new(options, rows))
}

impl Relays {
    async fn start(binary: Option<&Path>) -> anyhow::Result<Self> {
        let hub = Target::start(binary).await?;
        let registered = Fleet::register(&hub.door, 1, Crypto::Opaque).await?;
        let fleet = Fleet::link(&hub.door, registered, Loyalty::Once).await?;
        Ok(Self {
            hub,
            fleet,
            splice: Splice::start().await?,
        })
    }

    async fn turn_of_hub(
        &self,
        options: &RelayOptions,
        bytes: u64,
        window: u64,
    ) -> anyhow::Result<Turn> {
        let worker = self.fleet.workers.first().context("a Worker")?;
        let mut shuttles = Shuttles::new(usize::try_from(window)?);
        for _ in 0..options.sessions {
            let (session, channel) = self.session(worker).await?;
            let frame = Frame::new(channel, 0, 1, 0, &noise(bytes)?).into_bytes();
            shuttles.add_socket(session, frame);
        }
        turn(shuttles, options.duration, || {
            self.hub.cost().context("the Hub's process is known")
        })
        .await
    }

    async fn session(&self, worker: &Registered) -> anyhow::Result<(Junk, ChannelId)> {
        let mut session = Junk::new(self.hub.door.relay().await?);
        let channel = session.open_at_once(&worker.id).await?;
        Ok((session, channel))
    }

    async fn turn_of_splice(
        &self,
        options: &RelayOptions,
        bytes: u64,
        window: u64,
    ) -> anyhow::Result<Turn> {
        let mut shuttles = Shuttles::new(usize::try_from(window)?);
        for _ in 0..options.sessions {
            shuttles.add_stream(self.splice.connect().await?, plain::frame(&noise(bytes)?));
        }
        turn(shuttles, options.duration, || self.splice.cost()).await
    }
}

fn noise(bytes: u64) -> anyhow::Result<Bytes> {
    Ok(Dice(bytes).bytes(usize::try_from(bytes)?).into())
}

/// Warms up, measures, and lets the connections go.
async fn turn(
    mut shuttles: Shuttles,
    duration: Duration,
    relay: impl Fn() -> anyhow::Result<Cost>,
) -> anyhow::Result<Turn> {
    shuttles.run_for(WARM_UP).await?;
    let clock = Clock::start();
    let before = (
        relay()?,
        Cost::own()?,
        shuttles.returned(),
        cost::machine()?,
    );
    shuttles.run_for(duration).await?;
    let after = (
        relay()?,
        Cost::own()?,
        shuttles.returned(),
        cost::machine()?,
    );
    let wall = clock.elapsed();
    shuttles.end().await;
    Ok(Turn {
        // There and back.
        frames: 2 * after.2.saturating_sub(before.2),
        relay: (after.0 - before.0).cpu,
        harness: (after.1 - before.1).cpu,
        machine: after.3.saturating_sub(before.3),
        wall,
    })
}
