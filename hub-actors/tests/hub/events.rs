//! The events socket: what changed, resumable by cursor.

use hub_actors::Mode;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Browser, TestHub, TestWorker};

async fn watch(hub: &TestHub, query: &str) -> Browser {
    let path = format!("/ws/events{query}");
    Browser::upgrade(hub.addr(), &path, &[])
        .await
        .map_err(|refused| refused.0)
        .unwrap()
}

#[tokio::test]
async fn a_worker_that_comes_and_goes_is_told() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let mut watcher = watch(&hub, "").await;
    assert!(watcher.text().await.get("resync").is_some());
    let worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let came = watcher.text().await;
    let said = &came["workerChanged"]["worker"];
    assert_eq!(
        (&said["workerId"], &said["online"]),
        (&bundled.worker_id.as_str().into(), &true.into())
    );
    assert_eq!(said["encryptionMode"], "ENCRYPTION_MODE_POST_QUANTUM");
    assert_eq!(said["version"], "1.2.3");
    drop(worker);
    let went = watcher.text().await;
    assert!(went["workerChanged"]["worker"].get("online").is_none());
    let number =
        |event: &serde_json::Value| event["cursor"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(number(&went) > number(&came));
}

#[tokio::test]
async fn a_watcher_goes_on_from_its_cursor_and_an_unknown_one_means_everything() {
    let hub = TestHub::solo().await;
    let bundled = hub.bundled().await;
    let mut watcher = watch(&hub, "").await;
    let resync = watcher.text().await;
    let cursor = resync["cursor"].as_str().unwrap().to_owned();
    drop(watcher);
    let _worker = TestWorker::link(&hub, bundled.worker_token.expose()).await;
    let mut watcher = watch(&hub, &format!("?cursor={cursor}")).await;
    assert!(watcher.text().await.get("workerChanged").is_some());
    for strange in [
        "?cursor=1",
        "?cursor=99999999999999999999",
        "?cursor=x",
        "?cursor=",
    ] {
        let mut watcher = watch(&hub, strange).await;
        assert!(watcher.text().await.get("resync").is_some(), "{strange}");
    }
}

#[tokio::test]
async fn a_watcher_that_talks_is_sent_away() {
    let hub = TestHub::solo().await;
    for said in [
        Message::Text("hello".into()),
        Message::Binary(vec![0; 17].into()),
    ] {
        let mut watcher = watch(&hub, "").await;
        watcher.send_raw(said).await;
        assert_eq!(watcher.end().await.1, Some(1002));
    }
    hub.until(|census| census.watchers == 0).await;
}

#[tokio::test]
async fn nobody_watches_without_a_credential() {
    let hub = TestHub::with(Mode::Hub, |_| {}).await;
    let refused = Browser::upgrade(hub.addr(), "/ws/events", &[]).await;
    assert_eq!(refused.err().unwrap().0, 401);
}
