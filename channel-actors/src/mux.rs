//! BRAIN of a connection: which of its channels a frame belongs to.
//!
//! A frame for a channel that is not this connection's is dropped and counted; the 16th is no
//! accident any more. Frames that were under way when their channel closed are forgiven.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use schema::ids::ChannelId;

use crate::limits::Limits;

/// The channels of one connection, each with its route `R`.
#[derive(Debug)]
pub struct Mux<R> {
    live: BTreeMap<ChannelId, R>,
    closed: VecDeque<(ChannelId, Instant)>,
    foreign: u32,
    grace: Duration,
    remembered: usize,
    foreign_max: u32,
}

/// Where a frame goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Route<'a, R> {
    /// To this channel.
    To(&'a R),
    /// Its channel has just closed: drop and count it.
    Late,
    /// Not one of ours: drop and count it.
    Foreign,
    /// One time too often not ours: close the connection with `foreign_channel`.
    Offender,
}

/// The channel id is in use on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the channel id is taken")]
pub struct Taken;

impl<R> Mux<R> {
    /// No channels yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            live: BTreeMap::new(),
            closed: VecDeque::new(),
            foreign: 0,
            grace: limits.closed_grace,
            remembered: limits.remembered_channels,
            foreign_max: limits.foreign_frames,
        }
    }

    /// Adds a channel.
    ///
    /// # Errors
    ///
    /// [`Taken`] when there is one of this id: the older keeps its route.
    pub fn insert(&mut self, channel: ChannelId, route: R) -> Result<(), Taken> {
        if self.live.contains_key(&channel) {
            return Err(Taken);
        }
        self.closed.retain(|(closed, _)| *closed != channel);
        self.live.insert(channel, route);
        Ok(())
    }

    /// Takes a closed channel out, and remembers it for the frames that are still under way.
    pub fn remove(&mut self, channel: &ChannelId, now: Instant) -> Option<R> {
        let route = self.live.remove(channel)?;
        self.forget(now);
        if self.closed.len() >= self.remembered {
            self.closed.pop_front();
        }
        self.closed.push_back((*channel, now + self.grace));
        Some(route)
    }

    /// The route of a live channel.
    #[must_use]
    pub fn get(&self, channel: &ChannelId) -> Option<&R> {
        self.live.get(channel)
    }

    /// The route of a live channel, to change it.
    pub fn get_mut(&mut self, channel: &ChannelId) -> Option<&mut R> {
        self.live.get_mut(channel)
    }

    /// Where a frame of this channel goes.
    pub fn route(&mut self, channel: &ChannelId, now: Instant) -> Route<'_, R> {
        if !self.live.contains_key(channel) {
            return self.stray(channel, now);
        }
        self.live.get(channel).map_or(Route::Foreign, Route::To)
    }

    /// Takes all channels out, in the order of their ids: the connection ends.
    pub fn drain(&mut self) -> impl Iterator<Item = (ChannelId, R)> + use<R> {
        std::mem::take(&mut self.live).into_iter()
    }

    /// The live channels, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&ChannelId, &R)> {
        self.live.iter()
    }

    /// How many channels are live.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    fn stray(&mut self, channel: &ChannelId, now: Instant) -> Route<'_, R> {
        self.forget(now);
        if self.closed.iter().any(|(closed, _)| closed == channel) {
            return Route::Late;
        }
        self.foreign = self.foreign.saturating_add(1);
        if self.foreign >= self.foreign_max {
            Route::Offender
        } else {
            Route::Foreign
        }
    }

    fn forget(&mut self, now: Instant) {
        while self.closed.front().is_some_and(|(_, until)| *until <= now) {
            self.closed.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test may ask what time it is")]
    use super::*;

    const fn id(byte: u8) -> ChannelId {
        ChannelId::from_bytes([byte; 16])
    }

    fn mux() -> Mux<&'static str> {
        Mux::new(&Limits::default())
    }

    #[test]
    fn a_frame_goes_to_its_channel() {
        let now = Instant::now();
        let mut mux = mux();
        assert_eq!(mux.insert(id(1), "one"), Ok(()));
        assert_eq!(mux.insert(id(1), "again"), Err(Taken));
        assert_eq!(mux.route(&id(1), now), Route::To(&"one"));
    }

    #[test]
    fn frames_of_a_closed_channel_are_forgiven_for_30_seconds() {
        let now = Instant::now();
        let mut mux = mux();
        assert_eq!(mux.insert(id(1), "one"), Ok(()));
        assert_eq!(mux.remove(&id(1), now), Some("one"));
        for _ in 0..100 {
            assert_eq!(
                mux.route(&id(1), now + Duration::from_secs(29)),
                Route::Late
            );
        }
        assert_eq!(
            mux.route(&id(1), now + Duration::from_secs(30)),
            Route::Foreign
        );
    }

    #[test]
    fn the_16th_foreign_frame_makes_an_offender() {
        let now = Instant::now();
        let mut mux = mux();
        for _ in 0..15 {
            assert_eq!(mux.route(&id(9), now), Route::Foreign);
        }
        assert_eq!(mux.route(&id(8), now), Route::Offender);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let now = Instant::now();
        let limits = Limits {
            remembered_channels: 2,
            ..Limits::default()
        };
        let mut mux = Mux::new(&limits);
        for byte in 0..5 {
            assert_eq!(mux.insert(id(byte), ()), Ok(()));
            assert_eq!(mux.remove(&id(byte), now), Some(()));
        }
        assert_eq!(mux.closed.len(), 2);
        assert_eq!(mux.route(&id(0), now), Route::Foreign);
        assert_eq!(mux.route(&id(4), now), Route::Late);
    }
}
