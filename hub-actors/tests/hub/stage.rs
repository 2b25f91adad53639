//! A Hub with a linked Worker and a browser, and what most tests ask of the browser.

use schema::wire::{CloseReason, RefusalReason, control::Body};

use crate::support::{Browser, TestHub, TestWorker};

/// A Hub with a linked Worker and a browser.
pub(crate) struct Stage {
    pub(crate) hub: TestHub,
    pub(crate) worker: TestWorker,
    pub(crate) worker_id: String,
    pub(crate) browser: Browser,
}

pub(crate) async fn stage() -> Stage {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let browser = Browser::open(&hub).await;
    Stage {
        hub,
        worker,
        worker_id: bundled.worker_id.as_str().to_owned(),
        browser,
    }
}

pub(crate) async fn refusal(browser: &mut Browser) -> RefusalReason {
    let Body::Refused(refused) = browser.control().await else {
        panic!("not refused")
    };
    refused.reason()
}

pub(crate) async fn closed(browser: &mut Browser) -> CloseReason {
    let Body::Close(close) = browser.control().await else {
        panic!("not closed")
    };
    close.reason()
}
