//! The sums that must come out, in a process of their own: the recorder is the process's.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(
    dead_code,
    unused_imports,
    reason = "the support of the other tests holds more than this one needs"
)]

#[path = "hub/books.rs"]
mod books;
#[path = "hub/people.rs"]
mod people;
#[path = "hub/support.rs"]
mod support;

use hub_actors::Mode;
use schema::wire::control::Body;

use support::{Browser, TestHub, TestWorker, frame, open};

#[tokio::test]
async fn opened_is_live_plus_all_that_closed() {
    let hub = TestHub::with(Mode::Solo, |config| config.quotas.channels_per_user = 5).await;
    let bundled = hub.bundled().await;
    let id = bundled.worker_id.as_str();
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let mut browser = Browser::open(&hub).await;
    for channel in 0..5 {
        open(&mut browser, &mut worker, channel, id).await;
    }
    browser.send(frame(0, 1, &[0; 100])).await;
    worker.frame().await;
    // One that is of no channel.
    worker.send(frame(77, 1, &[0; 17])).await;
    // One by a breach; one refused for the quota before that.
    browser.ask(9, id).await;
    let Body::Refused(_) = browser.control().await else {
        panic!("not refused")
    };
    browser.send(frame(1, 1, &[0; 16])).await;
    let Body::Close(_) = browser.control().await else {
        panic!("not closed")
    };
    hub.until(|census| census.channels == 4).await;

    let books = hub.books().await;
    let opened = books.sum("leapmux_hub_channel_opens_total", "\"ok\"");
    let live = books.sum("leapmux_hub_channels", "\"live\"");
    let closed = books.sum("leapmux_hub_channel_closes_total", "");
    assert_eq!((opened, live, closed), (5.0, 4.0, 1.0));
    assert_eq!(
        books.sum("leapmux_hub_channel_closes_total", "\"frame_size\""),
        1.0
    );
    assert_eq!(
        books.sum("leapmux_hub_channel_opens_total", "\"quota\""),
        1.0
    );
    assert_eq!(
        books.sum("leapmux_hub_quota_refusals_total", "\"channels\""),
        1.0
    );
    assert_eq!(
        books.sum("leapmux_hub_relay_messages_total", "\"to_worker\""),
        1.0
    );
    assert_eq!(
        books.sum("leapmux_hub_relay_bytes_total", "\"to_worker\""),
        100.0
    );
    assert_eq!(books.channels(), (5.0, 5.0));
    hub.settled().await;
    let lines = hub.admin("/metrics").await.text().lines().count();

    drop(browser);
    drop(worker);
    hub.until(|census| census.is_empty()).await;
    let books = hub.books().await;
    assert_eq!(books.sum("leapmux_hub_channels", ""), 0.0);
    assert_eq!(books.sum("leapmux_hub_channel_closes_total", ""), 5.0);
    assert_eq!(books.sum("leapmux_hub_sessions", ""), 0.0);
    assert_eq!(books.sum("leapmux_hub_links", ""), 0.0);
    assert_eq!(books.sum("leapmux_hub_session_disconnects_total", ""), 1.0);
    assert_eq!(books.sum("leapmux_hub_link_disconnects_total", ""), 1.0);
    assert_eq!(
        hub.admin("/metrics").await.text().lines().count(),
        lines,
        "series came into being while it ran"
    );
    assert_eq!(books.channels(), (5.0, 5.0));
    let (received, accounted) = books.frames();
    assert_eq!((received, accounted), (3.0, 3.0));
    assert_eq!(
        books.sum("leapmux_hub_relay_drops_total", "\"violation\""),
        1.0
    );
    assert_eq!(books.unexplained(), 0.0);
}
