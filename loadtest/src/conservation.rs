//! BRAIN: whether the Hub's own books balance. What came is here or went, each for a reason that
//! has a name.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::hub::figures::Figures;

/// One sum that has to come out even.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Balance {
    pub(crate) came: f64,
    /// Still here.
    pub(crate) here: f64,
    /// Went, by reason; what is zero is left out.
    pub(crate) gone: BTreeMap<String, f64>,
}

/// What a Hub's metrics say of everything that it took.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Conservation {
    /// Channels that were opened or attached: live, or closed by reason.
    pub(crate) channels: Balance,
    /// Frames that were read: passed on, or discarded by reason. None where a Hub does not count.
    pub(crate) frames: Option<Balance>,
    /// Sessions that connected: open, or ended by reason.
    pub(crate) sessions: Balance,
    /// Links that were welcomed: up, or ended by reason.
    pub(crate) links: Balance,
    /// Series whose reason says nothing, with what they count.
    pub(crate) unnamed: BTreeMap<String, f64>,
}

impl Balance {
    /// Whether nothing is missing and nothing was made up.
    pub(crate) fn is_even(&self) -> bool {
        (self.came - self.here - self.gone.values().sum::<f64>()).abs() < 0.5
    }

    fn new(came: f64, here: f64, gone: impl IntoIterator<Item = (String, f64)>) -> Self {
        let gone = gone.into_iter().filter(|(_, count)| *count != 0.0);
        Self {
            came,
            here,
            gone: gone.collect(),
        }
    }
}

/// Reasons that are none. `internal` is a fault of the Hub's own.
const UNNAMED: [&str; 3] = ["unknown", "other", "internal"];

impl Conservation {
    /// From one scrape of a Hub that this run began with.
    pub(crate) fn of(figures: &Figures) -> Self {
        let opens = figures.by("leapmux_hub_channel_opens_total", "result");
        let renewals = figures.by("leapmux_hub_channel_renewals_total", "result");
        let states = figures.by("leapmux_hub_channels", "state");
        let count = |of: &BTreeMap<String, f64>, name| of.get(name).copied().unwrap_or_default();
        let welcomed = |name| figures.by(name, "result").remove("ok").unwrap_or_default();
        Self {
            channels: Balance::new(
                count(&opens, "ok") + count(&renewals, "attached"),
                count(&states, "live") + count(&states, "waiting"),
                figures.by("leapmux_hub_channel_closes_total", "reason"),
            ),
            frames: frames(figures),
            sessions: Balance::new(
                welcomed("leapmux_hub_session_connects_total"),
                figures.sum("leapmux_hub_sessions"),
                figures.by("leapmux_hub_session_disconnects_total", "reason"),
            ),
            links: Balance::new(
                welcomed("leapmux_hub_link_connects_total"),
                figures.sum("leapmux_hub_links"),
                figures.by("leapmux_hub_link_disconnects_total", "reason"),
            ),
            unnamed: unnamed(figures),
        }
    }

    /// What does not come out even, in words.
    pub(crate) fn faults(&self) -> Vec<String> {
        let sums = [
            ("channels", Some(&self.channels)),
            ("frames", self.frames.as_ref()),
            ("sessions", Some(&self.sessions)),
            ("links", Some(&self.links)),
        ];
        let uneven = sums.into_iter().filter_map(|(name, balance)| {
            let balance = balance.filter(|balance| !balance.is_even())?;
            Some(format!("the Hub's {name} do not add up: {balance}"))
        });
        let unnamed = self.unnamed.iter();
        let unnamed = unnamed.map(|(series, count)| format!("{count} without a reason: {series}"));
        uneven.chain(unnamed).collect()
    }
}

fn frames(figures: &Figures) -> Option<Balance> {
    const READ: &str = "leapmux_hub_relay_received_total";
    if !figures.has(READ) {
        return None;
    }
    let passed = figures.sum("leapmux_hub_relay_messages_total");
    let dropped = figures.by("leapmux_hub_relay_drops_total", "reason");
    let stray = figures.by("leapmux_hub_stray_frames_total", "reason");
    let stray = stray.into_iter();
    let stray = stray.map(|(reason, count)| (format!("stray_{reason}"), count));
    let gone = dropped.into_iter().chain(stray);
    let gone = gone.chain([("passed_on".to_owned(), passed)]);
    Some(Balance::new(figures.sum(READ), 0.0, gone))
}

fn unnamed(figures: &Figures) -> BTreeMap<String, f64> {
    let series = UNNAMED.iter().flat_map(|value| figures.labelled(value));
    series.filter(|(_, count)| *count != 0.0).collect()
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} here", self.came, self.here)?;
        let each = self.gone.iter();
        for (reason, count) in each {
            write!(f, " + {count} {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Conservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "channels   {}", self.channels)?;
        match &self.frames {
            Some(frames) => writeln!(f, "frames     {frames}")?,
            None => writeln!(f, "frames     not counted by this Hub")?,
        }
        writeln!(f, "sessions   {}", self.sessions)?;
        writeln!(f, "links      {}", self.links)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "leapmux_hub_channel_opens_total{result=\"ok\"} 5\n\
        leapmux_hub_channel_opens_total{result=\"busy\"} 9\n\
        leapmux_hub_channels{state=\"live\"} 2\n\
        leapmux_hub_channels{state=\"opening\"} 1\n\
        leapmux_hub_channel_closes_total{reason=\"closed_by_client\"} 3\n\
        leapmux_hub_channel_closes_total{reason=\"internal\"} 0\n\
        leapmux_hub_session_connects_total{result=\"ok\"} 4\n\
        leapmux_hub_session_disconnects_total{reason=\"client\"} 4\n";

    #[test]
    fn what_came_is_here_or_went() {
        let books = Conservation::of(&Figures::parse(PAGE));
        assert_eq!(books.faults(), Vec::<String>::new());
        assert_eq!(
            books.channels.to_string(),
            "5 = 2 here + 3 closed_by_client"
        );
        assert_eq!(books.frames, None);
    }

    #[test]
    fn what_is_missing_is_a_fault() {
        let lost = PAGE.replace("} 3\n", "} 2\n");
        let faults = Conservation::of(&Figures::parse(&lost)).faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains("channels"), "{faults:?}");
    }

    #[test]
    fn an_end_without_a_reason_is_a_fault_though_it_adds_up() {
        let unnamed = PAGE.replace("{reason=\"closed_by_client\"}", "{reason=\"unknown\"}");
        let faults = Conservation::of(&Figures::parse(&unnamed)).faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
    }

    #[test]
    fn frames_that_vanish_are_a_fault() {
        let page = "leapmux_hub_relay_received_total{direction=\"to_worker\"} 7\n\
            leapmux_hub_relay_messages_total{direction=\"to_worker\"} 5\n\
            leapmux_hub_relay_drops_total{reason=\"closed\"} 1\n\
            leapmux_hub_stray_frames_total{reason=\"late\"} 1\n";
        assert!(Conservation::of(&Figures::parse(page)).faults().is_empty());
        let vanished = page.replace("} 7\n", "} 8\n");
        assert_eq!(
            Conservation::of(&Figures::parse(&vanished)).faults().len(),
            1
        );
    }
}
