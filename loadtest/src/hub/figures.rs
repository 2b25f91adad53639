//! The Hub's own metrics, as text of its admin port.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Serialize;

use super::door::Door;

/// One scrape.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<String, f64>);

/// What is connected to a Hub.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Connected {
    /// WebSockets.
    pub(crate) sessions: f64,
    /// Workers.
    pub(crate) links: f64,
    /// In any state.
    pub(crate) channels: f64,
}

impl Figures {
    /// Scrapes the admin port.
    ///
    /// # Errors
    ///
    /// It does not answer with text.
    pub(crate) async fn scrape(admin: &Door) -> anyhow::Result<Self> {
        let page = admin.get("/metrics").await?;
        Ok(Self::parse(
            std::str::from_utf8(&page).context("metrics are text")?,
        ))
    }

    /// Sums every series over its labels.
    fn parse(text: &str) -> Self {
        let mut sums = BTreeMap::new();
        let series = text.lines().filter(|line| !line.starts_with('#'));
        for (series, value) in series.filter_map(|line| line.rsplit_once(' ')) {
            let name = series.split('{').next().unwrap_or_default();
            let value: f64 = value.parse().unwrap_or_default();
            *sums.entry(name.to_owned()).or_default() += value;
        }
        Self(sums)
    }

    /// A metric, summed over its labels; 0 when there is none of this name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// What is connected.
    pub(crate) fn connected(&self) -> Connected {
        Connected {
            sessions: self.sum("leapmux_hub_sessions"),
            links: self.sum("leapmux_hub_links"),
            channels: self.sum("leapmux_hub_channels"),
        }
    }

    /// Frames relayed, in both directions.
    pub(crate) fn frames(&self) -> f64 {
        self.sum("leapmux_hub_relay_messages_total")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_labels() {
        let text = "# HELP leapmux_hub_channels x\n\
                    leapmux_hub_channels{state=\"open\"} 3\n\
                    leapmux_hub_channels{state=\"opening\"} 1\n\
                    leapmux_hub_channels_other 9\n\
                    leapmux_hub_sessions{kind=\"relay\"} 2\n";
        let connected = Figures::parse(text).connected();
        assert_eq!(
            connected,
            Connected {
                sessions: 2.0,
                links: 0.0,
                channels: 4.0
            }
        );
        assert_eq!(Figures::parse("").connected(), Connected::default());
    }
}
