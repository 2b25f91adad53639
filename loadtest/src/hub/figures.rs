//! The Hub's own metrics, as text of its admin port.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Serialize;

use super::door::Door;

/// One scrape: every series, as `name{label="value"}`.
#[derive(Debug, Default, Clone)]
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

    /// Takes every series of a page.
    pub(crate) fn parse(text: &str) -> Self {
        let series = text.lines().filter(|line| !line.starts_with('#'));
        let series = series.filter_map(|line| line.rsplit_once(' '));
        let read = |(series, value): (&str, &str)| Some((series.to_owned(), value.parse().ok()?));
        Self(series.filter_map(read).collect())
    }

    /// A metric, summed over its labels; 0 when there is none of this name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.series(name).map(|(_, value)| value).sum()
    }

    /// Whether there is a metric of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.series(name).next().is_some()
    }

    /// A metric by the values of one label; series without it are left out.
    pub(crate) fn by(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        let key = format!("{label}=\"");
        for (labels, value) in self.series(name) {
            let found = labels
                .split(['{', ','])
                .find_map(|one| one.strip_prefix(&key));
            if let Some(of) = found.and_then(|rest| rest.split('"').next()) {
                *sums.entry(of.to_owned()).or_default() += value;
            }
        }
        sums
    }

    /// Everything whose label has this value, whatever the metric.
    pub(crate) fn labelled(&self, value: &str) -> BTreeMap<String, f64> {
        let quoted = format!("=\"{value}\"");
        let found = self.0.iter().filter(|(series, _)| series.contains(&quoted));
        found
            .map(|(series, value)| (series.clone(), *value))
            .collect()
    }

    /// The series of one metric, with their labels.
    fn series<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.iter().filter_map(move |(series, value)| {
            let labels = series.strip_prefix(name)?;
            (labels.is_empty() || labels.starts_with('{')).then_some((labels, *value))
        })
    }

    /// What is connected.
    pub(crate) fn connected(&self) -> Connected {
        Connected {
            sessions: self.sum("leapmux_hub_sessions"),
            links: self.sum("leapmux_hub_links"),
            channels: self.sum("leapmux_hub_channels"),
        }
    }

    /// Entries of each table of the Hub's directory, where it says.
    pub(crate) fn tables(&self) -> Vec<(String, f64)> {
        let tables = self.by("leapmux_hub_directory_entries", "table");
        tables.into_iter().collect()
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

    #[test]
    fn a_metric_is_told_apart_by_a_label() {
        let text = "x_total{reason=\"a\",kind=\"k\"} 3\nx_total{kind=\"l\",reason=\"a\"} 1\n\
                    x_total{reason=\"b\"} 2\ny 5\nx_total_more{reason=\"a\"} 9\n";
        let figures = Figures::parse(text);
        let reasons = figures.by("x_total", "reason");
        assert_eq!(reasons.get("a"), Some(&4.0));
        assert_eq!(reasons.get("b"), Some(&2.0));
        assert_eq!(figures.by("x_total", "kind").len(), 2);
        assert_eq!(figures.labelled("b").len(), 1);
        assert!(figures.has("y") && !figures.has("x"));
    }
}
