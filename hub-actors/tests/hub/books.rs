//! The sums that must come out, read from the metrics of a Hub.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// What a Hub counted.
pub(crate) struct Books {
    text: String,
}

impl Books {
    /// From the answer of `/metrics`.
    pub(crate) fn of(text: String) -> Self {
        Self { text }
    }

    /// Asks in the blocking way, for where nothing can be awaited. None when nobody answers.
    pub(crate) fn ask(admin: SocketAddr) -> Option<Self> {
        let patience = Duration::from_secs(2);
        let mut stream = TcpStream::connect_timeout(&admin, patience).ok()?;
        stream.set_read_timeout(Some(patience)).ok()?;
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.contains("leapmux_hub_ready").then_some(Self { text })
    }

    /// The sum over all series of a metric that have this text in their labels.
    pub(crate) fn sum(&self, metric: &str, label: &str) -> f64 {
        let series = self.text.lines().filter(|line| {
            let rest = line.strip_prefix(metric);
            rest.is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(label)
        });
        series
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    /// Channels begun, and channels that are there or have ended: the same, at any time.
    pub(crate) fn channels(&self) -> (f64, f64) {
        let opened = self.sum("leapmux_hub_channel_opens_total", "\"ok\"");
        let attached = self.sum("leapmux_hub_channel_renewals_total", "\"attached\"");
        let live = self.sum("leapmux_hub_channels", "\"live\"");
        let waiting = self.sum("leapmux_hub_channels", "\"waiting\"");
        let closed = self.sum("leapmux_hub_channel_closes_total", "");
        (opened + attached, live + waiting + closed)
    }

    /// Frames that came, and frames that went or were discarded: the same, when none is under way.
    pub(crate) fn frames(&self) -> (f64, f64) {
        let received = self.sum("leapmux_hub_relay_received_total", "");
        let passed_on = self.sum("leapmux_hub_relay_messages_total", "");
        let dropped = self.sum("leapmux_hub_relay_drops_total", "");
        let stray = self.sum("leapmux_hub_stray_frames_total", "");
        (received, passed_on + dropped + stray)
    }

    /// Ends that nobody can give a reason for.
    pub(crate) fn unexplained(&self) -> f64 {
        let internal = self.sum("leapmux_hub_channel_closes_total", "\"internal\"");
        internal + self.sum("leapmux_hub", "\"unknown\"")
    }
}
