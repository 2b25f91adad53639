//! Going down politely.

use hub_actors::Mode;
use schema::wire::{CloseReason, LinkGoodbyeReason, control::Body};
use tokio::net::TcpStream;

use crate::support::{Browser, Stopwatch, TestHub, TestWorker, open};

#[tokio::test]
async fn everybody_is_told_and_nothing_is_left() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let mut worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let mut browser = Browser::open(&hub).await;
    open(&mut browser, &mut worker, 1, bundled.worker_id.as_str()).await;
    let ends = async {
        let Body::Close(close) = browser.control().await else {
            panic!("no Close")
        };
        assert_eq!(close.reason(), CloseReason::Draining);
        let (goodbye, code) = browser.end().await;
        assert_eq!((goodbye, code), (Some(CloseReason::Draining), Some(1012)));
        let Body::Close(close) = worker.control().await else {
            panic!("no Close")
        };
        assert_eq!(close.reason(), CloseReason::Draining);
        let goodbye = worker.end().await.unwrap();
        assert_eq!(goodbye.reason(), LinkGoodbyeReason::Draining);
        assert!(goodbye.reconnect_after_ms >= 500);
    };
    let watch = Stopwatch::start();
    tokio::join!(hub.hub.drain(), ends);
    assert!(watch.elapsed() < crate::support::PATIENCE);
    assert!(hub.hub.census().await.is_empty());
    hub.hub.ended().await;
    assert!(TcpStream::connect(hub.addr()).await.is_err());
}

#[tokio::test]
async fn a_draining_hub_is_not_ready_while_it_still_serves() {
    let hub = TestHub::with(Mode::Solo, |config| config.drain.delay_ms = 500).await;
    let _browser = Browser::open(&hub).await;
    let watching = async {
        while hub.admin("/readyz").await.status != 503 {}
        let said = hub.admin("/readyz").await.text();
        assert!(said.contains("[-] not_draining"), "{said}");
        assert_eq!(hub.admin("/livez").await.status, 200);
        assert_eq!(hub.call("AccountService/WhoAmI", "{}").await.status, 200);
        assert_eq!(hub.hub.census().await.sessions, 1);
    };
    tokio::join!(hub.hub.drain(), watching);
    assert!(hub.hub.census().await.is_empty());
}
