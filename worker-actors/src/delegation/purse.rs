//! BRAIN of one tab's bearer: one is enough for all its programs, until it is about to expire or the
//! channel that it was made for is gone.

use schema::ids::ChannelId;
use zeroize::Zeroizing;

/// A bearer, and for which channel it was made.
#[derive(Clone)]
pub(super) struct Bearer {
    pub(super) token: Zeroizing<String>,
    pub(super) channel: ChannelId,
    pub(super) expires_ms: i64,
}

/// The bearer of a tab.
#[derive(Default)]
pub(super) struct Purse(Option<Bearer>);

/// What to do for a program that asks.
pub(super) enum Choice {
    /// Give it this one.
    Give(Bearer),
    /// Get another, by one of these channels.
    Get(Vec<ChannelId>),
    /// There is none, and nobody to get one by.
    Nobody,
}

impl Purse {
    /// Chooses; `open` are the channels that may answer for the tab, the best first.
    pub(super) fn choose(&self, open: Vec<ChannelId>, now_ms: i64) -> Choice {
        let lives = |bearer: &&Bearer| bearer.expires_ms > now_ms.saturating_add(LEAST_MS);
        let held = self.0.as_ref().filter(lives);
        match held {
            // A person who has left may come back; what was given stays good until then.
            Some(bearer) if open.is_empty() || open.contains(&bearer.channel) => {
                Choice::Give(bearer.clone())
            }
            Some(_) | None if open.is_empty() => Choice::Nobody,
            Some(_) | None => Choice::Get(open.into_iter().take(TRIES).collect()),
        }
    }

    /// Keeps what was got.
    pub(super) fn put(&mut self, bearer: Bearer) {
        self.0 = Some(bearer);
    }
}

/// With less left, a bearer is not worth giving.
const LEAST_MS: i64 = 60_000;
/// Channels that are tried: the Hub may have lost one that is still known here.
const TRIES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> ChannelId {
        ChannelId::from_bytes([number; 16])
    }

    fn purse(channel: u8, expires_ms: i64) -> Purse {
        let mut purse = Purse::default();
        purse.put(Bearer {
            token: Zeroizing::new(String::from("secret")),
            channel: id(channel),
            expires_ms,
        });
        purse
    }

    fn gives(purse: &Purse, open: &[ChannelId], now_ms: i64) -> Option<bool> {
        match purse.choose(open.to_vec(), now_ms) {
            Choice::Give(_) => Some(true),
            Choice::Get(tried) => {
                assert!(!tried.is_empty() && tried.len() <= TRIES);
                Some(false)
            }
            Choice::Nobody => None,
        }
    }

    #[test]
    fn one_bearer_serves_until_it_is_about_to_expire() {
        let purse = purse(1, 100_000);
        assert_eq!(gives(&purse, &[id(1)], 0), Some(true));
        assert_eq!(gives(&purse, &[id(1)], 40_000), Some(false));
        assert_eq!(gives(&purse, &[], 40_000), None);
    }

    #[test]
    fn another_channel_of_the_user_gets_another_and_a_user_who_left_none() {
        let purse = purse(1, 100_000);
        assert_eq!(gives(&purse, &[id(2), id(3), id(4), id(5)], 0), Some(false));
        assert_eq!(gives(&purse, &[], 0), Some(true));
        assert_eq!(gives(&Purse::default(), &[], 0), None);
        assert_eq!(gives(&Purse::default(), &[id(1)], 0), Some(false));
    }
}
