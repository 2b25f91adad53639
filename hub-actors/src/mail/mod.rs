//! Mail: letters leave their senders at once and their sender's answer never waits for one.
//!
//! | file | holds |
//! |---|---|
//! | this one | the queue, and tries |
//! | [`letters`] | what is written to whom |
//! | [`delivery`] | one try at one mail server |

use std::{sync::Arc, time::Duration};

use tokio::sync::{Semaphore, mpsc};

pub use self::delivery::MailError;
use self::{
    delivery::{Delivery, Tried},
    letters::Letter,
};
use crate::{
    clock,
    config::MailConfig,
    telemetry::{self, MailFate},
};

mod delivery;
pub(crate) mod letters;

/// Letters that may wait for their first try.
const QUEUE: usize = 256;
/// Letters that are being tried, or wait for another try.
const AT_ONCE: usize = 64;
/// Tries for one letter, the first included.
const TRIES: u32 = 5;
/// No pause between two tries is longer.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Where letters are posted.
#[derive(Clone)]
pub(crate) struct Mailer(Option<mpsc::Sender<Letter>>);

impl Mailer {
    /// A task that delivers what is posted, until the last mailer is gone. It is the actix system's
    /// in which this is called.
    pub(crate) fn start(config: &MailConfig, public_url: &str) -> Result<Self, MailError> {
        let Some(delivery) = Delivery::new(config, public_url)? else {
            return Ok(Self(None));
        };
        let (post, posted) = mpsc::channel(QUEUE);
        let pause = Duration::from_millis(config.retry_ms.max(1));
        actix_rt::spawn(deliver(Arc::new(delivery), pause, posted));
        Ok(Self(Some(post)))
    }

    /// Whether letters could be posted with these settings; nobody is dialled.
    pub(crate) fn could_start(config: &MailConfig, public_url: &str) -> Result<bool, MailError> {
        Ok(Delivery::new(config, public_url)?.is_some())
    }

    /// Whether there is a mail server at all.
    pub(crate) const fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Posts a letter. Without a mail server, or with too many letters before it, it is lost: its
    /// reader asks again.
    pub(crate) fn post(&self, letter: Letter) {
        if let Some(post) = &self.0
            && post.try_send(letter).is_err()
        {
            telemetry::mail(MailFate::Dropped);
            tracing::warn!("a mail was dropped: too many wait for the mail server");
        }
    }
}

async fn deliver(delivery: Arc<Delivery>, pause: Duration, mut posted: mpsc::Receiver<Letter>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(letter) = posted.recv().await {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else {
            return;
        };
        let delivery = Arc::clone(&delivery);
        actix_rt::spawn(async move {
            let _turn = turn;
            telemetry::mail(try_all(&delivery, pause, &letter).await);
        });
    }
}

async fn try_all(delivery: &Delivery, pause: Duration, letter: &Letter) -> MailFate {
    for tried in 1..=TRIES {
        match delivery.try_once(letter).await {
            Tried::Sent => return MailFate::Sent,
            Tried::Never => return MailFate::Refused,
            Tried::NotNow if tried < TRIES => tokio::time::sleep(after(tried, pause)).await,
            Tried::NotNow => {}
        }
    }
    tracing::warn!(tries = TRIES, "a mail was given up");
    MailFate::GivenUp
}

/// Four times as long after each try, and between half and all of that.
fn after(tried: u32, pause: Duration) -> Duration {
    let longest = pause
        .saturating_mul(4_u32.saturating_pow(tried - 1))
        .min(PAUSE_MAX);
    let random = clock::random::<1>().map_or(0, |[byte]| byte);
    longest / 2 + longest * u32::from(random) / 512
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_an_end() {
        let second = Duration::from_secs(1);
        for (tried, longest) in [(1, 1), (2, 4), (3, 16), (4, 64), (5, 256), (9, 300)] {
            let pause = after(tried, second);
            let longest = Duration::from_secs(longest);
            assert!(
                pause >= longest / 2 && pause <= longest,
                "{tried} {pause:?}"
            );
        }
    }
}
