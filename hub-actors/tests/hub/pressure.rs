//! Backpressure with real sockets: whoever does not read, or floods, hurts only themselves, and what
//! the Hub holds for them is bounded.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use hub_actors::Mode;
use schema::{
    frame::Outer,
    wire::{self, CloseReason, FromWorker, RefusalReason, control::Body, from_worker, to_worker},
};
use tokio::{
    io::AsyncWriteExt as _,
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

use crate::{
    books::Books,
    stage::closed,
    support::{Browser, PATIENCE, Stopwatch, TestHub, TestWorker, frame, hello, open},
};

/// What a place costs.
const PLACE: usize = 256;
/// What one direction of a channel may hold: the largest queue of the protocol, of frames of
/// [`LARGE`].
const LANE: usize = 5_443_072 + 5_443_072 / LARGE * PLACE;
/// A window of conforming bytes.
const WINDOW: usize = 4 * 1024 * 1024;
/// Ciphertext of the frames that fill queues.
const LARGE: usize = 16 * 1024;
/// So many of them are sent before it is counted what waits: less than lies between a window and
/// what a lane holds.
const AT_ONCE: u64 = 16;
/// The channel of whoever does not behave.
const WEDGED: u8 = 0;
const ROUNDS: u64 = 25;

/// A Worker that has other things to say beside its echo.
struct Echo {
    /// What is sent over its link.
    out: mpsc::Sender<FromWorker>,
    /// Closes that it heard, with their channels' first bytes.
    closes: mpsc::UnboundedReceiver<(u8, CloseReason)>,
    /// Answers to its heartbeats.
    answers: mpsc::UnboundedReceiver<u64>,
    /// Ends with this.
    _task: JoinSet<()>,
}

impl Echo {
    fn start(mut worker: TestWorker) -> Self {
        let (heard, closes) = mpsc::unbounded_channel();
        let (answered, answers) = mpsc::unbounded_channel();
        let out = worker.to_hub.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Some(body) = worker.next().await {
                match body {
                    to_worker::Body::Heartbeat(wire::Heartbeat { nonce }) if nonce % 2 == 1 => {
                        let nonce = nonce + 1;
                        let answer = wire::Heartbeat { nonce };
                        worker.say(from_worker::Body::Heartbeat(answer)).await;
                    }
                    to_worker::Body::Relay(raw) => match Outer::parse(raw).unwrap() {
                        Outer::Frame(frame) => worker.send(frame).await,
                        Outer::Control(Body::Close(close)) => {
                            heard.send((close.channel_id[0], close.reason())).unwrap();
                        }
                        Outer::Control(_) => {}
                    },
                    to_worker::Body::Heartbeat(wire::Heartbeat { nonce }) => {
                        answered.send(nonce).unwrap();
                    }
                    to_worker::Body::Welcome(_) | to_worker::Body::Goodbye(_) => {}
                }
            }
        });
        Self {
            out,
            closes,
            answers,
            _task: task,
        }
    }

    /// Says so many frames of the wedged channel, and waits until the Hub has read them: its
    /// answer to a heartbeat comes behind them.
    async fn fill(&mut self, frames: u64) {
        for correlation in 0..frames {
            self.say(frame(WEDGED, correlation, &[9; LARGE])).await;
        }
        let question = from_worker::Body::Heartbeat(wire::Heartbeat { nonce: 1 });
        let body = Some(question);
        self.out.send(FromWorker { body }).await.unwrap();
        assert_eq!(self.answers.recv().await, Some(2));
    }

    async fn say(&self, outer: impl Into<Outer>) {
        let body = Some(from_worker::Body::Relay(outer.into().encode()));
        self.out.send(FromWorker { body }).await.unwrap();
    }
}

/// The Worker of a registration, linked.
async fn another_worker(hub: &TestHub, key: &str, byte: u8) -> (String, TestWorker) {
    let (id, token) = crate::workers::register(hub, key, byte).await;
    let mut worker = TestWorker::connect(hub, &token).await.unwrap();
    worker.say(from_worker::Body::Hello(hello(byte))).await;
    assert!(matches!(
        worker.next().await,
        Some(to_worker::Body::Welcome(_))
    ));
    (id, worker)
}

async fn round_trip((id, browser): &mut (u8, Browser), round: u64) {
    let sent = frame(*id, round, &[7; 256]);
    browser.send(sent.clone()).await;
    assert_eq!(browser.frame().await, sent);
}

/// Waits until the Hub has read what a browser sent: its answer comes behind.
async fn heard(browser: &mut Browser) {
    browser.ask(200, "no/id").await;
    let answer = browser.outer().await;
    assert!(matches!(answer, Outer::Control(Body::Refused(_))));
}

/// The 99th percentile of round trips, one after another over all of these channels at a time.
async fn p99(honest: &mut [(u8, Browser)]) -> Duration {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        for one in &mut *honest {
            let watch = Stopwatch::start();
            round_trip(one, round).await;
            times.push(watch.elapsed());
        }
    }
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

/// A machine that does other things as well makes single round trips slow, wedge or not.
fn assert_unharmed(alone: Duration, beside: Duration) {
    eprintln!("p99 of a round trip: {alone:?} alone, {beside:?} beside a wedge");
    assert!(
        beside < alone * 5 + Duration::from_millis(25),
        "{alone:?} became {beside:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_never_reads_harms_none_of_twenty_others() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let worker_id = bundled.worker_id.as_str();
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let mut wedged = Browser::open(&hub).await;
    open(&mut wedged, &mut worker, WEDGED, worker_id).await;
    let mut honest = Vec::new();
    for id in 1..=20 {
        let mut browser = Browser::open(&hub).await;
        open(&mut browser, &mut worker, id, worker_id).await;
        honest.push((id, browser));
    }
    let mut worker = Echo::start(worker);
    let alone = p99(&mut honest).await;

    // As much as a conforming Worker may send to somebody who acknowledges nothing, and what
    // sockets take.
    let (beside, census) = loop {
        while hub.hub.census().await.waiting_bytes < WINDOW {
            worker.fill(AT_ONCE).await;
        }
        let beside = p99(&mut honest).await;
        let census = hub.hub.census().await;
        // Sockets go on taking for a while.
        if census.waiting_bytes >= WINDOW {
            break (beside, census);
        }
    };
    assert_unharmed(alone, beside);
    assert!(census.waiting_bytes <= LANE);
    assert_eq!(census.channels, 21);

    // One byte more than may wait, and all of it goes, though its socket takes nothing.
    while hub.hub.census().await.channels == 21 {
        worker.fill(AT_ONCE).await;
    }
    assert_eq!(
        worker.closes.recv().await,
        Some((WEDGED, CloseReason::TooSlow))
    );
    let census = hub.until(|census| census.waiting_bytes == 0).await;
    assert_eq!((census.sessions, census.channels), (21, 20));
    p99(&mut honest).await;
    assert!(worker.closes.try_recv().is_err(), "nobody else fell");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_never_reads_harms_no_other_worker_and_its_opens_time_out() {
    let hub = TestHub::with(Mode::Solo, |config| config.timeouts.link_dead_ms = 60_000).await;
    let bundled = hub.bundled().await;
    // It is kept, and never read again.
    let mut wedged = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let (other_id, mut other) = another_worker(&hub, "abcdefghijklmnop", 8).await;
    let mut flooder = Browser::open(&hub).await;
    open(
        &mut flooder,
        &mut wedged,
        WEDGED,
        bundled.worker_id.as_str(),
    )
    .await;
    let mut honest = Vec::new();
    for id in 1..=10 {
        let mut browser = Browser::open(&hub).await;
        open(&mut browser, &mut other, id, &other_id).await;
        honest.push((id, browser));
    }
    let mut other = Echo::start(other);
    let alone = p99(&mut honest).await;

    let mut sent = 0;
    let (beside, census) = loop {
        while hub.hub.census().await.waiting_bytes < WINDOW {
            for _ in 0..AT_ONCE {
                flooder.send(frame(WEDGED, sent, &[9; LARGE])).await;
                sent += 1;
            }
            heard(&mut flooder).await;
        }
        let beside = p99(&mut honest).await;
        let census = hub.hub.census().await;
        // Sockets go on taking for a while.
        if census.waiting_bytes >= WINDOW {
            break (beside, census);
        }
    };
    assert_unharmed(alone, beside);
    assert!(census.waiting_bytes <= LANE);

    while hub.hub.census().await.channels == 11 {
        flooder.send(frame(WEDGED, sent, &[9; LARGE])).await;
        sent += 1;
    }
    assert_eq!(closed(&mut flooder).await, CloseReason::TooSlow);
    let census = hub.until(|census| census.waiting_bytes == 0).await;
    assert_eq!((census.links, census.channels), (2, 10));

    // Nobody is kept waiting by it for longer than an open may take.
    flooder.ask(30, bundled.worker_id.as_str()).await;
    let answer = tokio::time::timeout(PATIENCE * 2, flooder.socket.next()).await;
    let raw = answer.unwrap().unwrap().unwrap().into_data();
    let Ok(Outer::Control(Body::Refused(refused))) = Outer::parse(raw) else {
        panic!("not refused")
    };
    assert_eq!(refused.reason(), RefusalReason::Timeout);
    assert!(other.closes.try_recv().is_err());
    p99(&mut honest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_floods_leaves_room_for_the_other_channel_of_its_browser() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let mut flooding = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let (other_id, mut other) = another_worker(&hub, "abcdefghijklmnop", 8).await;
    let mut browser = Browser::open(&hub).await;
    open(
        &mut browser,
        &mut flooding,
        WEDGED,
        bundled.worker_id.as_str(),
    )
    .await;
    open(&mut browser, &mut other, 1, &other_id).await;
    let (mut flooding, mut other) = (Echo::start(flooding), Echo::start(other));

    // As much under way as a window allows.
    let window = Arc::new(Semaphore::new(WINDOW / LARGE));
    let flooded = Arc::new(AtomicUsize::new(0));
    let mut flood = JoinSet::new();
    {
        let (window, flooded, out) = (window.clone(), flooded.clone(), flooding.out.clone());
        flood.spawn(async move {
            for correlation in 0.. {
                window.acquire().await.unwrap().forget();
                let raw = Outer::from(frame(WEDGED, correlation, &[9; LARGE])).encode();
                let body = Some(from_worker::Body::Relay(raw));
                if out.send(FromWorker { body }).await.is_err() {
                    return;
                }
                flooded.fetch_add(LARGE, Ordering::Relaxed);
            }
        });
    }
    let mut slowest = Duration::ZERO;
    for round in 0..50 {
        let sent = frame(1, round, &[7; 256]);
        let watch = Stopwatch::start();
        browser.send(sent.clone()).await;
        loop {
            let came = browser.frame().await;
            if came == sent {
                break;
            }
            assert_eq!(came.channel(), crate::support::channel(WEDGED));
            window.add_permits(1);
        }
        slowest = slowest.max(watch.elapsed());
    }
    flood.abort_all();
    let flooded = flooded.load(Ordering::Relaxed);
    eprintln!("slowest of 50 round trips {slowest:?} beside {flooded} bytes");
    assert!(flooded > WINDOW, "{flooded} bytes were no flood");
    assert!(flooding.closes.try_recv().is_err() && other.closes.try_recv().is_err());
    assert_eq!(hub.hub.census().await.channels, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_evicted_gives_its_bytes_back_at_once_and_its_neighbour_keeps_its_own() {
    const BUDGET: usize = 2 * 1024 * 1024;
    let hub = TestHub::with(Mode::Solo, |config| config.relay.waiting_bytes = BUDGET).await;
    let bundled = hub.bundled().await;
    let worker_id = bundled.worker_id.as_str();
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let mut browser = Browser::open(&hub).await;
    open(&mut browser, &mut worker, WEDGED, worker_id).await;
    open(&mut browser, &mut worker, 1, worker_id).await;
    let mut worker = Echo::start(worker);

    while hub.hub.census().await.waiting_bytes < BUDGET / 2 {
        worker.fill(AT_ONCE).await;
    }
    let small = frame(1, 1, &[5; 1_000]);
    worker.say(small.clone()).await;
    while hub.hub.census().await.channels == 2 {
        worker.fill(AT_ONCE).await;
    }
    let watch = Stopwatch::start();
    assert_eq!(
        worker.closes.recv().await,
        Some((WEDGED, CloseReason::TooSlow))
    );
    // The socket still takes nothing: what is left is the neighbour's.
    let mine = small.as_bytes().len() + PLACE;
    let census = hub.until(|census| census.waiting_bytes == mine).await;
    eprintln!("given back after {:?}", watch.elapsed());
    assert!(watch.elapsed() < Duration::from_secs(1));
    assert_eq!((census.sessions, census.channels), (1, 1));

    // It reads again, and finds what was for the other channel.
    loop {
        match browser.outer().await {
            Outer::Frame(came) if came == small => break,
            Outer::Frame(came) => assert_eq!(came.channel(), crate::support::channel(WEDGED)),
            Outer::Control(body) => assert!(matches!(body, Body::Close(_))),
        }
    }
}

#[tokio::test]
async fn whoever_asks_more_than_anybody_has_to_ask_is_let_go() {
    let hub = TestHub::solo().await;
    let mut browser = Browser::open(&hub).await;
    // Each is answered at once, and none is an open.
    for _ in 0..5_000 {
        browser.ask(1, "no/id").await;
    }
    let (goodbye, code) = browser.end().await;
    assert_eq!(goodbye, Some(CloseReason::ProtocolError));
    assert_eq!(code, Some(1_002));
    hub.until(|census| census.sessions == 0).await;
}

#[tokio::test]
async fn a_frame_that_says_it_never_ends_ends_its_socket() {
    let hub = TestHub::solo().await;
    let head = [0x82, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let relay = Browser::open(&hub).await;
    let watcher = Browser::upgrade(hub.addr(), "/ws/events", &[]).await;
    let watcher = watcher.map_err(|refused| refused.0).unwrap();
    for (mut browser, bytes) in [(relay, 128 * 1024 + 14), (watcher, 14)] {
        let mut raw = head.to_vec();
        raw.resize(bytes, 0);
        browser.socket.get_mut().write_all(&raw).await.unwrap();
        let (_, code) = browser.end().await;
        assert_eq!(code, Some(1_002));
    }
    hub.until(|census| census.sessions == 0).await;
}

#[tokio::test]
async fn a_socket_that_is_given_up_is_counted_as_slow() {
    let hub = TestHub::with(Mode::Solo, |config| config.timeouts.write_stall_ms = 200).await;
    let bundled = hub.bundled().await;
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let mut browser = Browser::open(&hub).await;
    open(&mut browser, &mut worker, 1, bundled.worker_id.as_str()).await;
    let slow = |books: Books| books.sum("leapmux_hub_session_disconnects_total", "\"slow\"");
    let before = slow(hub.books().await);
    // More than the sockets hold, less than the channel's lane.
    for correlation in 0..320 {
        worker.send(frame(1, correlation, &[7; LARGE])).await;
    }
    hub.until(|census| census.sessions == 0).await;
    assert!(slow(hub.books().await) >= before + 1.0);
}
