//! A connection through which answers come as slowly as one likes.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Passes connections on to a Hub; what comes back is let through at a rate.
pub(crate) struct Valve {
    /// Where it listens.
    pub(crate) url: String,
    bytes_per_second: Arc<AtomicU64>,
}

/// One portion.
const PORTION: Duration = Duration::from_millis(100);

impl Valve {
    /// Open.
    pub(crate) fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let target = target.trim_start_matches("http://").to_owned();
        let bytes_per_second = Arc::new(AtomicU64::new(u64::MAX));
        let rate = Arc::clone(&bytes_per_second);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&target) else {
                    continue;
                };
                let (again, rate) = (
                    (
                        near.try_clone().expect("a socket"),
                        far.try_clone().expect("a socket"),
                    ),
                    Arc::clone(&rate),
                );
                thread::spawn(move || pass(near, far, &AtomicU64::new(u64::MAX)));
                thread::spawn(move || pass(again.1, again.0, &rate));
            }
        });
        Self {
            url,
            bytes_per_second,
        }
    }

    /// From now on.
    pub(crate) fn set(&self, bytes_per_second: u64) {
        self.bytes_per_second
            .store(bytes_per_second, Ordering::Relaxed);
    }
}

/// Reads no more than may be passed on, so that what is held back waits at the sender's.
fn pass(mut from: TcpStream, mut to: TcpStream, rate: &AtomicU64) {
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let portion = match rate.load(Ordering::Relaxed) {
            u64::MAX => chunk.len(),
            rate => {
                thread::sleep(PORTION);
                usize::try_from(rate / 10)
                    .unwrap_or(usize::MAX)
                    .min(chunk.len())
            }
        };
        if portion == 0 {
            continue;
        }
        match from.read(&mut chunk[..portion]) {
            Ok(count @ 1..) if to.write_all(&chunk[..count]).is_ok() => {}
            Ok(_) | Err(_) => break,
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
