//! What a process has cost so far: CPU time and memory.

use std::{fs, ops::Sub, time::Duration};

use anyhow::Context as _;
use nix::{
    time::ClockId,
    unistd::{Pid, SysconfVar, sysconf},
};
use serde::Serialize;

/// One reading.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// CPU time of all its threads, dead ones too.
    pub(crate) cpu: Duration,
    /// Resident memory.
    pub(crate) rss_bytes: u64,
}

impl Cost {
    /// Of another process of the same user.
    ///
    /// # Errors
    ///
    /// There is none of this id.
    pub(crate) fn of(process: u32) -> anyhow::Result<Self> {
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(process.cast_signed()));
        let clock = clock.with_context(|| format!("process {process} cannot be measured"))?;
        Ok(Self {
            cpu: clock.now()?.into(),
            rss_bytes: rss_bytes(&process.to_string())?,
        })
    }

    /// Of this process.
    pub(crate) fn own() -> anyhow::Result<Self> {
        let cpu = ClockId::CLOCK_PROCESS_CPUTIME_ID.now()?.into();
        Ok(Self {
            cpu,
            rss_bytes: rss_bytes("self")?,
        })
    }
}

/// What a process holds at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Footprint {
    /// Resident memory.
    pub(crate) rss_bytes: u64,
    /// Of it what no file is behind: heap and stacks.
    pub(crate) anonymous_bytes: u64,
    /// Open files and sockets.
    pub(crate) files: u64,
}

impl Footprint {
    /// Of another process of the same user.
    ///
    /// # Errors
    ///
    /// There is none of this id.
    pub(crate) fn of(process: u32) -> anyhow::Result<Self> {
        let status = status(&process.to_string())?;
        let bytes = |field| bytes_of(&status, field).context("no memory in /proc's status");
        let files = fs::read_dir(format!("/proc/{process}/fd")).context("its open files")?;
        Ok(Self {
            rss_bytes: bytes("VmRSS:")?,
            anonymous_bytes: bytes("RssAnon:")?,
            files: files.count() as u64,
        })
    }
}

/// What came on top; memory that was given back counts as nothing.
impl Sub for Cost {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            rss_bytes: self.rss_bytes.saturating_sub(before.rss_bytes),
        }
    }
}

/// CPU time that everything on this machine has used so far.
///
/// # Errors
///
/// `/proc/stat` cannot be read.
pub(crate) fn machine() -> anyhow::Result<Duration> {
    let stat = fs::read_to_string("/proc/stat").context("/proc/stat cannot be read")?;
    let ticks = busy_ticks(&stat).context("/proc/stat names no cpu")?;
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("the length of a tick")?;
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// proc(5): user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already.
fn busy_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Option<Vec<u64>> = line
        .split_whitespace()
        .map(|field| field.parse().ok())
        .collect();
    let fields = fields?;
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = fields.as_slice() else {
        return None;
    };
    Some(user + nice + system + irq + softirq + steal)
}

fn rss_bytes(process: &str) -> anyhow::Result<u64> {
    bytes_of(&status(process)?, "VmRSS:").context("no memory in /proc's status")
}

fn status(process: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{process}/status");
    fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))
}

fn bytes_of(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes = line.trim().strip_suffix(" kB")?;
    kibibytes.parse::<u64>().ok()?.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(
            bytes_of("Name:\tx\nVmRSS:\t   12 kB\nThreads: 1\n", "VmRSS:"),
            Some(12_288)
        );
        assert_eq!(bytes_of("Name:\tx\n", "VmRSS:"), None);
    }

    #[test]
    fn a_machine_is_busy_with_everything_but_idling_and_waiting() {
        let stat = "cpu  1 2 4 1000 2000 8 16 32 0 0\ncpu0 9 9 9 9 9 9 9 9 0 0\n";
        assert_eq!(busy_ticks(stat), Some(63));
        assert_eq!(busy_ticks("cpu  1 2\n"), None);
    }

    #[test]
    fn an_open_file_counts() {
        let before = Footprint::of(std::process::id()).expect("this process");
        let files = [(); 40].map(|()| fs::File::open("/proc/stat").expect("a file"));
        let after = Footprint::of(std::process::id()).expect("this process");
        drop(files);
        // Tests beside this one open and close some, too.
        assert!(after.files >= before.files + 20, "{before:?} {after:?}");
        assert!(after.anonymous_bytes <= after.rss_bytes);
    }

    #[test]
    fn work_costs_cpu_time() {
        let before = Cost::of(std::process::id()).expect("this process");
        let sum: u64 = (0..3_000_000_u64)
            .map(|n| std::hint::black_box(n) % 7)
            .sum();
        assert!(sum > 0);
        let cost = Cost::own().expect("this process") - before;
        assert!(cost.cpu > Duration::from_micros(100), "{cost:?}");
    }
}
