//! Frames that never arrive are in the books all the same.

use schema::wire::{self, from_worker, to_worker};

use crate::{
    stage::{Stage, stage},
    support::{frame, open},
};

#[tokio::test]
async fn what_nobody_reads_is_counted_when_its_connection_ends() {
    let Stage {
        hub,
        mut worker,
        worker_id,
        mut browser,
    } = stage().await;
    open(&mut browser, &mut worker, 1, &worker_id).await;
    // More than the sockets hold, less than the channel's lane.
    for correlation in 0..320 {
        worker.send(frame(1, correlation, &[7; 16_384])).await;
    }
    drop(browser);
    hub.until(|census| census.sessions + census.channels == 0)
        .await;
    for correlation in 320..340 {
        worker.send(frame(1, correlation, &[7; 17])).await;
    }
    // Its answer comes behind them: the link has read them all.
    let question = wire::Heartbeat { nonce: 1 };
    worker.say(from_worker::Body::Heartbeat(question)).await;
    let answer = to_worker::Body::Heartbeat(wire::Heartbeat { nonce: 2 });
    while worker.next().await.expect("the link stands") != answer {}
    hub.settled().await;
    let books = hub.books().await;
    // Some waited for the browser's socket, others had not come so far.
    let unsent = books.sum("leapmux_hub_relay_drops_total", "\"unsent\"");
    let undelivered = books.sum("leapmux_hub_relay_drops_total", "\"undelivered\"");
    let lost = unsent + undelivered + books.sum("leapmux_hub_stray_frames_total", "\"late\"");
    assert!(lost > 0.0, "the sockets held it all");
}
