//! A Hub that cannot read what was revoked: its database goes, and comes back.

use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;

use super::*;

/// What stands in front of a database, and can be cut.
struct Proxy {
    port: u16,
    state: Arc<Mutex<Wires>>,
}

#[derive(Default)]
struct Wires {
    is_cut: bool,
    running: Vec<JoinHandle<()>>,
}

impl Proxy {
    async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::default(),
        };
        let state = Arc::clone(&proxy.state);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut wires = state.lock().unwrap();
                if wires.is_cut {
                    continue;
                }
                wires.running.push(tokio::spawn(async move {
                    let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    let _ended = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }));
            }
        });
        proxy
    }

    fn cut(&self) {
        let mut wires = self.state.lock().unwrap();
        wires.is_cut = true;
        wires.running.drain(..).for_each(|wire| wire.abort());
    }

    fn mend(&self) {
        self.state.lock().unwrap().is_cut = false;
    }
}

/// When what runs may have been revoked long since.
const BLIND_MS: u64 = 1_500;

#[tokio::test]
async fn channels_close_when_the_database_dies_and_come_back_with_it() {
    let database = test_postgres::database();
    let dsn = database.tcp_dsn("disable");
    let port = dsn.split(['@', '/']).nth(3).unwrap();
    let port = port.rsplit(':').next().unwrap();
    let proxy = Proxy::before(port.parse().unwrap()).await;
    let dsn = dsn.replace(&format!(":{port}/"), &format!(":{}/", proxy.port));
    let team = Team::on_postgres_by(&database, dsn, |config| {
        config.timeouts.ledger_blind_ms = BLIND_MS;
    });
    let team = team.await;
    let mut worker = team.link().await;
    let mut browser = team.browser(&team.bob).await;
    open(&mut browser, &mut worker, 1, &team.worker_id).await;

    proxy.cut();
    let watch = Stopwatch::start();
    let Body::Close(close) = browser.control().await else {
        panic!("no Close")
    };
    assert_eq!(close.reason(), CloseReason::ConnectionLost);
    assert!(watch.elapsed() > Duration::from_millis(BLIND_MS / 2));
    assert!(watch.elapsed() < Duration::from_millis(BLIND_MS) + PATIENCE / 2);
    assert!(worker.end().await.is_some());
    team.hub.until(Census::is_empty).await;
    let cookie = [("Cookie", team.bob.cookie.as_str())];
    assert!(Browser::open_with(&team.hub, &cookie).await.is_err());

    proxy.mend();
    let watch = Stopwatch::start();
    let mut browser = loop {
        if let Ok(browser) = Browser::open_with(&team.hub, &cookie).await {
            break browser;
        }
        assert!(watch.elapsed() < 3 * PATIENCE, "nobody is let in again");
    };
    while TestWorker::connect(&team.hub, &team.worker_token)
        .await
        .is_err()
    {
        assert!(watch.elapsed() < 3 * PATIENCE, "no Worker is let in again");
    }
    let mut worker = team.link().await;
    open(&mut browser, &mut worker, 2, &team.worker_id).await;
    browser.send(frame(2, 1, &[0; 17])).await;
    assert_eq!(worker.frame().await.correlation(), 1);
}
