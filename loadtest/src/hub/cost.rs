//! What a process has cost so far: CPU time and memory.

use std::{fs, ops::Sub, time::Duration};

use anyhow::Context as _;
use nix::{time::ClockId, unistd::Pid};

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

fn rss_bytes(process: &str) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    resident(&status).with_context(|| format!("{path} names no VmRSS"))
}

fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .parse::<u64>()
        .ok()?
        .checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_bytes() {
        assert_eq!(
            resident("Name:\tx\nVmRSS:\t   12 kB\nThreads: 1\n"),
            Some(12_288)
        );
        assert_eq!(resident("Name:\tx\n"), None);
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
