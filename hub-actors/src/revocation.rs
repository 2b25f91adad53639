//! ACTOR LedgerTail: reads the ledger in order and tells the Registry.
//!
//! There is one way for a revocation to take effect, whoever committed it: an order of this Hub pokes
//! the tail and waits until it has come so far; what `leapmux admin` or another Hub wrote is found by
//! looking ten times a second. Whoever missed entries, or cannot read them for too long, knows no more
//! who may be here: then everybody is let go, and comes back to be judged anew.

use std::time::{Duration, Instant};

use actix::{
    Actor, ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler, Message, WrapFuture as _,
};
use tokio::sync::watch;

use crate::{
    clock,
    error::Fault,
    messages::{Lapse, Revoke, SeeAgain},
    registry::Registry,
    state::ask,
    store::{
        Store, expiry,
        ledger::{self, Entry, Page},
    },
    telemetry,
};

/// How often it is looked for what others wrote.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Entries at once.
const PAGE: i64 = 1_000;
/// One look takes no longer.
const LOOK_WITHIN: Duration = Duration::from_secs(5);
/// How long whoever gave an order waits for its fences to be down.
const REACH_WITHIN: Duration = Duration::from_secs(10);
/// How often what has expired is swept up.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// Readers that are further behind than this read nothing that they can use.
const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// BRAIN: what a page means to a reader who has come up to `after`.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing new.
    Nothing,
    /// These, in order, and nothing is missing before or between them.
    Revoked(Vec<Entry>),
    /// Entries are missing, up to this number.
    Missed(i64),
}

fn judge(after: i64, page: Page) -> Verdict {
    let mut next = after;
    let is_whole = page.entries.iter().all(|entry| {
        next += 1;
        entry.seq == next
    });
    let is_short = i64::try_from(page.entries.len()).is_ok_and(|length| length < PAGE);
    if page.last < after && page.entries.is_empty() {
        // A counter that went back belongs to another history.
        return Verdict::Missed(page.last);
    }
    if !is_whole || (is_short && next < page.last) {
        return Verdict::Missed(page.last.max(next));
    }
    if page.entries.is_empty() {
        return Verdict::Nothing;
    }
    Verdict::Revoked(page.entries)
}

/// The reader of one Hub's ledger.
pub(crate) struct LedgerTail {
    /// What it reads by, and nobody else,
    beside: Store,
    /// and where it writes what has expired.
    store: Store,
    registry: Addr<Registry>,
    after: watch::Sender<i64>,
    /// Entries up to here were written by this Hub's own orders, and this many.
    own: Own,
    looking: bool,
    /// Somebody wrote while it was looked.
    again: bool,
    seen: Instant,
    /// So long without a look, and what runs may have been revoked long since.
    blind_after: Duration,
    blind: bool,
}

/// Which entries this Hub wrote itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Own(Vec<(i64, i64)>);

impl Own {
    fn note(&mut self, newest: i64, count: usize) {
        let count = i64::try_from(count).unwrap_or_default();
        self.0.push((newest - count, newest));
    }

    fn pass(&mut self, after: i64) {
        self.0.retain(|(_, newest)| *newest > after);
    }

    /// Whether the entry of this number is one of them.
    pub(crate) fn has(&self, seq: i64) -> bool {
        let mut ranges = self.0.iter();
        ranges.any(|(before, newest)| *before < seq && seq <= *newest)
    }
}

/// Whoever wrote so many entries, up to this number, wants them to take effect.
#[derive(Message)]
#[rtype(result = "()")]
struct Look {
    newest: i64,
    count: usize,
}

/// How the rest of the Hub speaks to its tail.
#[derive(Clone)]
pub(crate) struct Tail {
    addr: Addr<LedgerTail>,
    after: watch::Receiver<i64>,
}

impl Tail {
    /// The number up to which every revocation has taken effect here. Whatever is read after this
    /// was asked for knows of them all.
    pub(crate) fn reached(&self) -> i64 {
        *self.after.borrow()
    }

    /// Waits until what was just committed has taken effect: `count` entries up to `newest`.
    ///
    /// # Errors
    ///
    /// [`Fault::Actor`]: it has not yet, and will as soon as the ledger can be read.
    pub(crate) async fn reach(&self, newest: i64, count: usize) -> Result<(), Fault> {
        channel_actors::post::tell_addr(&self.addr, Look { newest, count });
        let mut after = self.after.clone();
        let reached = after.wait_for(|after| *after >= newest);
        match tokio::time::timeout(REACH_WITHIN, reached).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Fault::Actor),
        }
    }
}

impl LedgerTail {
    /// Starts it behind what has been written before this Hub lets anybody in.
    pub(crate) fn begin(
        beside: Store,
        store: Store,
        registry: Addr<Registry>,
        after: i64,
        blind_after: Duration,
    ) -> Tail {
        let (sender, receiver) = watch::channel(after);
        let tail = Self {
            beside,
            store,
            registry,
            after: sender,
            own: Own::default(),
            looking: false,
            again: false,
            seen: clock::now(),
            blind_after,
            blind: false,
        };
        Tail {
            addr: tail.start(),
            after: receiver,
        }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.looking, true) {
            return;
        }
        self.again = false;
        let after = *self.after.borrow();
        self.own.pass(after);
        let (beside, registry) = (self.beside.clone(), self.registry.clone());
        let own = self.own.clone();
        let looked = async move { look(&beside, &registry, after, own).await };
        ctx.spawn(looked.into_actor(self).map(|looked, tail, ctx| {
            tail.looking = false;
            match looked {
                Ok(Looked { reached, more }) => tail.reached(reached, more, ctx),
                Err(fault) => {
                    let error = &fault as &dyn std::error::Error;
                    tracing::warn!(error, "the ledger of revocations was not read");
                }
            }
        }));
    }

    fn reached(&mut self, reached: i64, more: bool, ctx: &mut Context<Self>) {
        self.seen = clock::now();
        if !more && std::mem::take(&mut self.blind) {
            tracing::warn!("revocations can be read again");
            channel_actors::post::tell_addr(&self.registry, SeeAgain);
        }
        let before = self.after.send_replace(reached);
        if more || self.again || before > reached {
            self.look(ctx);
        }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let unseen = clock::now().saturating_duration_since(self.seen);
        telemetry::ledger_unseen(unseen);
        if unseen >= self.blind_after && !std::mem::replace(&mut self.blind, true) {
            tracing::error!(
                "revocations cannot be read: every channel is closed until they can be"
            );
            let seq = *self.after.borrow();
            let is_blind = true;
            channel_actors::post::tell_addr(&self.registry, Lapse { seq, is_blind });
        }
        self.look(ctx);
    }

    fn sweep(&mut self, ctx: &mut Context<Self>) {
        let store = self.store.clone();
        let swept = async move { sweep(&store).await };
        ctx.spawn(swept.into_actor(self).map(|swept, tail, ctx| match swept {
            Ok(()) => tail.look(ctx),
            Err(fault) => {
                let error = &fault as &dyn std::error::Error;
                tracing::warn!(error, "what has expired was not swept up");
            }
        }));
    }
}

impl Actor for LedgerTail {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(LOOK_EVERY, Self::tick);
        ctx.run_interval(SWEEP_EVERY, Self::sweep);
    }
}

impl Handler<Look> for LedgerTail {
    type Result = ();

    fn handle(&mut self, Look { newest, count }: Look, ctx: &mut Context<Self>) {
        self.own.note(newest, count);
        self.again = true;
        self.look(ctx);
    }
}

struct Looked {
    reached: i64,
    /// A page was full.
    more: bool,
}

/// Reads one page, and has the Registry carry it out before anybody is told that it was.
async fn look(
    store: &Store,
    registry: &Addr<Registry>,
    after: i64,
    own: Own,
) -> Result<Looked, Fault> {
    let page = store.run(move |conn| ledger::page(conn, after, PAGE));
    let page = tokio::time::timeout(LOOK_WITHIN, page).await;
    let verdict = match page.map_err(|_| Fault::Crowded)? {
        Ok(page) => judge(after, page),
        // Of a newer version than this: it may be anything.
        Err(Fault::Row(_)) => Verdict::Missed(store.run(ledger::last).await?),
        Err(fault) => return Err(fault),
    };
    match verdict {
        Verdict::Nothing => Ok(Looked {
            reached: after,
            more: false,
        }),
        Verdict::Revoked(entries) => {
            let reached = entries.last().map_or(after, |entry| entry.seq);
            let more = i64::try_from(entries.len()).is_ok_and(|length| length >= PAGE);
            ask(registry, Revoke { entries, own }).await?;
            Ok(Looked { reached, more })
        }
        Verdict::Missed(seq) => {
            tracing::error!(after, seq, "revocations were missed: everybody is let go");
            let is_blind = false;
            ask(registry, Lapse { seq, is_blind }).await?;
            Ok(Looked {
                reached: seq,
                more: false,
            })
        }
    }
}

async fn sweep(store: &Store) -> Result<(), Fault> {
    loop {
        let swept = store.write(|conn| expiry::sweep(conn, clock::unix_ms()).map(Ok::<_, Fault>));
        let swept = i64::try_from(swept.await??).unwrap_or_default();
        if swept < expiry::SWEEP_MAX {
            break;
        }
    }
    let forgotten = store.write(|conn| {
        let now_ms = clock::unix_ms();
        ledger::prune(conn, now_ms.saturating_sub(KEPT_MS))?;
        expiry::forget(conn, now_ms).map(Ok::<_, Fault>)
    });
    forgotten.await??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use schema::ids::CredentialId;

    use super::*;
    use crate::{store::ledger::Reason, topic::Topic};

    fn page(last: i64, numbers: impl IntoIterator<Item = i64>) -> Page {
        let entry = |seq| Entry {
            seq,
            topic: Topic::Credential(CredentialId::parse("c").unwrap()),
            reason: Reason::Revoked,
            at_ms: 0,
        };
        let entries = numbers.into_iter().map(entry).collect();
        Page { last, entries }
    }

    #[test]
    fn what_follows_without_a_gap_is_told_in_order() {
        assert_eq!(judge(4, page(4, [])), Verdict::Nothing);
        let Verdict::Revoked(entries) = judge(4, page(6, 5..=7)) else {
            panic!("nothing was missed");
        };
        let numbers: Vec<i64> = entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(numbers, [5, 6, 7], "one came while it was read");
        let Verdict::Revoked(entries) = judge(0, page(5_000, 1..=PAGE)) else {
            panic!("the rest comes with the next page");
        };
        assert_eq!(entries.len(), 1_000);
    }

    #[test]
    fn a_gap_is_seen_wherever_it_is() {
        assert_eq!(judge(4, page(9, [])), Verdict::Missed(9), "all were pruned");
        assert_eq!(judge(4, page(9, 7..=9)), Verdict::Missed(9), "the first");
        assert_eq!(judge(4, page(9, [5, 6, 8, 9])), Verdict::Missed(9));
        assert_eq!(judge(4, page(9, 5..=7)), Verdict::Missed(9), "the last");
        assert_eq!(judge(4, page(2, [])), Verdict::Missed(2), "another history");
    }

    #[test]
    fn a_hub_knows_which_entries_are_its_own() {
        let mut own = Own::default();
        own.note(7, 2);
        own.note(10, 1);
        let numbers = (1..=12).filter(|seq| own.has(*seq));
        assert_eq!(numbers.collect::<Vec<_>>(), [6, 7, 10]);
        own.pass(7);
        assert!(!own.has(7) && own.has(10));
    }
}
