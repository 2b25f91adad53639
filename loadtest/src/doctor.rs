//! What this machine can hold, and what runs out first.

use std::{fs, thread};

use anyhow::Context as _;
use nix::sys::resource::{Resource, getrlimit};
use schema::frame::MESSAGE_MAX;

/// The limits that a population meets.
pub(crate) struct Report {
    files: u64,
    ports: u64,
    cores: u64,
    memory_bytes: u64,
    congestion_control: String,
}

/// Files that are not sockets: the program's own, its database, its logs.
const FILES_RESERVED: u64 = 256;
/// What one idle session may cost at either end: buffers of one frame each way, and change.
const BYTES_PER_SESSION: u64 = 2 * MESSAGE_MAX as u64 + 32 * 1024;

impl Report {
    /// Sessions that one process can hold here, and the limit that ends it.
    fn largest_population(&self) -> (u64, &'static str) {
        let by_files = (self.files.saturating_sub(FILES_RESERVED), "open files");
        let by_ports = (self.ports, "local ports of one source address");
        let by_memory = (
            self.memory_bytes / 2 / BYTES_PER_SESSION,
            "half of the memory",
        );
        [by_files, by_ports, by_memory]
            .into_iter()
            .min()
            .unwrap_or_default()
    }

    /// A line a limit, the verdict last.
    #[expect(clippy::print_stdout, reason = "the report is the command's output")]
    pub(crate) fn print(&self) {
        let (population, limit) = self.largest_population();
        println!("open files         {}", self.files);
        println!("local ports        {}", self.ports);
        println!("cores              {}", self.cores);
        println!("memory available   {} MiB", self.memory_bytes >> 20);
        println!("congestion control {}", self.congestion_control);
        println!(
            "largest population {population} sessions from one process; the limit is: {limit}"
        );
    }
}

/// Reads the limits of this process and machine.
///
/// # Errors
///
/// Names the file under `/proc` that could not be read.
pub(crate) fn examine() -> anyhow::Result<Report> {
    let (files, _) = getrlimit(Resource::RLIMIT_NOFILE).context("the limit of open files")?;
    Ok(Report {
        files,
        ports: local_ports(&proc("sys/net/ipv4/ip_local_port_range")?)?,
        cores: thread::available_parallelism()?.get().try_into()?,
        memory_bytes: available_memory(&proc("meminfo")?)?,
        congestion_control: proc("sys/net/ipv4/tcp_congestion_control")?
            .trim()
            .to_owned(),
    })
}

fn proc(name: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{name}");
    fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))
}

fn local_ports(range: &str) -> anyhow::Result<u64> {
    let (low, high) = range
        .trim()
        .split_once(char::is_whitespace)
        .context("a range of ports")?;
    Ok(high.trim().parse::<u64>()?.saturating_sub(low.parse()?) + 1)
}

fn available_memory(meminfo: &str) -> anyhow::Result<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes = line
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .context("MemAvailable")?;
    Ok(kibibytes.parse::<u64>()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ports_counts_both_ends() {
        assert_eq!(local_ports("32768\t60999\n").expect("a range"), 28_232);
        assert!(local_ports("32768").is_err());
    }

    #[test]
    fn available_memory_is_read_in_bytes() {
        let text = "MemTotal: 10 kB\nMemAvailable:   2048 kB\n";
        assert_eq!(available_memory(text).expect("a size"), 2 << 20);
    }

    #[test]
    fn the_scarcest_thing_decides() {
        let report = Report {
            files: 1_256,
            ports: 28_000,
            cores: 2,
            memory_bytes: 8 << 30,
            congestion_control: "cubic".into(),
        };
        assert_eq!(report.largest_population(), (1_000, "open files"));
    }
}
