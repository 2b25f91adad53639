//! What is typed at this terminal, and its changes of size, on their way to the Worker's.
//!
//! What is typed while there is no connection waits in order, up to a bound, and is sent once; the
//! escape works all the while.

use std::{future::pending, pin::pin, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use channel_actors::client::{CallError, Channel, StreamSender};
use prost::Message as _;
use schema::wire::{TerminalInput, terminal_input};
use tokio::{
    io::AsyncReadExt as _,
    signal::unix::{Signal, SignalKind, signal},
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

use super::{
    escape::Escape,
    notice::{self, Notice},
    tty,
};

/// Reads of the keyboard that wait for a connection. What is typed beyond is refused with a bell.
const TYPED_AHEAD: usize = 64;
/// How long what was typed before leaving has to go out, and again to be used by the Worker.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why nothing is passed on any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// The person leaves, and everything that was typed is on its way.
    Person,
    /// The person leaves. What was typed last cannot go out.
    Unheard,
    /// A notice covers the screen, and there is a connection to draw it anew.
    Covered,
}

/// What is typed here.
pub(crate) struct Keyboard {
    taker: Taker,
    resized: Signal,
    queued: mpsc::Receiver<Vec<u8>>,
}

/// Takes what is typed, and hears when the person leaves.
struct Taker {
    typed: mpsc::Receiver<Vec<u8>>,
    escape: Escape,
    /// None once the person leaves.
    queue: Option<mpsc::Sender<Vec<u8>>>,
}

impl Keyboard {
    /// Starts to read standard input, for the whole command.
    ///
    /// # Errors
    ///
    /// Signals cannot be watched.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let (sender, typed) = mpsc::channel(TYPED_AHEAD);
        #[expect(
            clippy::disallowed_methods,
            reason = "standard input has one reader for the whole command"
        )]
        tokio::spawn(read(sender));
        let (queue, queued) = mpsc::channel(TYPED_AHEAD);
        Ok(Self {
            taker: Taker {
                typed,
                escape: Escape::new(),
                queue: Some(queue),
            },
            resized: signal(SignalKind::window_change()).context("the terminal's size")?,
            queued,
        })
    }

    /// Sends until the person leaves, or the screen is to be drawn anew. It stops between two
    /// messages only, so each is sent once.
    ///
    /// # Errors
    ///
    /// The stream or the channel is over.
    pub(crate) async fn pass_on(
        &mut self,
        channel: &Channel,
        sender: &StreamSender,
    ) -> Result<Left, CallError> {
        let Self {
            taker,
            resized,
            queued,
        } = self;
        let is_covered = Notify::new();
        let covering = async {
            Notice::new(channel).covered().await;
            is_covered.notify_one();
            pending::<()>().await;
        };
        let mut sending = pin!(async {
            loop {
                tokio::select! {
                    () = is_covered.notified() => return Ok(Left::Covered),
                    _ = resized.recv() => {
                        send(sender, terminal_input::Body::Resize(tty::size())).await?;
                    }
                    typed = queued.recv() => match typed {
                        Some(typed) => send(sender, terminal_input::Body::Data(typed.into())).await?,
                        None => return Ok(Left::Person),
                    },
                }
            }
        });
        let mut notice = Notice::new(channel);
        tokio::select! {
            left = &mut sending => return left,
            () = taker.until_left(&mut notice) => {}
            () = covering => {}
        }
        if notice.is_reconnecting() {
            return Ok(Left::Unheard);
        }
        // What was typed before `~.` still goes out; who leaves does not wait for a program that
        // reads nothing.
        match timeout(LAST_WORDS, sending).await {
            Ok(Ok(Left::Person)) => Ok(Left::Person),
            Ok(Ok(Left::Covered | Left::Unheard) | Err(_)) | Err(_) => Ok(Left::Unheard),
        }
    }

    /// Comes back when the person leaves. There is no channel meanwhile.
    pub(crate) async fn left(&mut self) {
        self.taker.until_left_alone().await;
    }

    /// Waits while there is no channel; true when the person leaves.
    pub(crate) async fn left_within(&mut self, wait: Duration) -> bool {
        tokio::select! {
            () = sleep(wait) => false,
            () = self.taker.until_left_alone() => true,
        }
    }
}

impl Taker {
    /// Queues what is typed until the person leaves.
    async fn until_left(&mut self, notice: &mut Notice) {
        while let Some(queue) = &self.queue {
            let (data, leaves) = next(&mut self.typed, &mut self.escape).await;
            if !data.is_empty() {
                place(queue, data, notice).await;
            }
            if leaves {
                self.queue = None;
            }
        }
    }

    /// The same where nothing takes anything out of the queue.
    async fn until_left_alone(&mut self) {
        while let Some(queue) = &self.queue {
            let (data, leaves) = next(&mut self.typed, &mut self.escape).await;
            if !data.is_empty() && queue.try_send(data).is_err() {
                notice::ring();
            }
            if leaves {
                self.queue = None;
            }
        }
    }
}

/// The next read, without its escapes, and whether the person leaves behind it.
async fn next(typed: &mut mpsc::Receiver<Vec<u8>>, escape: &mut Escape) -> (Vec<u8>, bool) {
    match typed.recv().await {
        Some(read) => {
            let typed = escape.take(&read);
            (typed.data, typed.detach)
        }
        // Standard input at its end: nobody can type any more.
        None => (Vec::new(), true),
    }
}

/// Waits for a place where there is a connection that makes one.
async fn place(queue: &mpsc::Sender<Vec<u8>>, data: Vec<u8>, notice: &mut Notice) {
    while queue.capacity() == 0 {
        if notice.is_reconnecting() {
            notice::ring();
            return;
        }
        tokio::select! {
            _ = queue.reserve() => {}
            () = notice.changed() => {}
        }
    }
    if queue.try_send(data).is_err() {
        notice::ring();
    }
}

async fn read(sender: mpsc::Sender<Vec<u8>>) {
    let mut input = tokio::io::stdin();
    let mut chunk = vec![0; 4096];
    while let Ok(count @ 1..) = input.read(&mut chunk).await {
        let typed = chunk.get(..count).unwrap_or_default().to_vec();
        if sender.send(typed).await.is_err() {
            break;
        }
    }
}

async fn send(sender: &StreamSender, body: terminal_input::Body) -> Result<(), CallError> {
    let input = TerminalInput { body: Some(body) };
    sender.send(Bytes::from(input.encode_to_vec())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Desk {
        keys: mpsc::Sender<Vec<u8>>,
        taker: Taker,
        queued: mpsc::Receiver<Vec<u8>>,
    }

    fn desk() -> Desk {
        let (keys, typed) = mpsc::channel(200);
        let (queue, queued) = mpsc::channel(TYPED_AHEAD);
        let taker = Taker {
            typed,
            escape: Escape::new(),
            queue: Some(queue),
        };
        Desk {
            keys,
            taker,
            queued,
        }
    }

    impl Desk {
        fn types(&self, text: &str) {
            self.keys.try_send(text.into()).expect("a place");
        }

        fn waiting(&mut self) -> Vec<String> {
            let text = |read| String::from_utf8(read).expect("text");
            std::iter::from_fn(|| self.queued.try_recv().ok())
                .map(text)
                .collect()
        }
    }

    #[tokio::test]
    async fn what_is_typed_without_a_connection_waits_in_order_up_to_a_bound() {
        let mut desk = desk();
        for read in 0..100 {
            desk.types(&format!("{read}\r"));
        }
        desk.types("~.");
        desk.taker.until_left_alone().await;
        let kept: Vec<_> = (0..TYPED_AHEAD).map(|read| format!("{read}\r")).collect();
        assert_eq!(desk.waiting(), kept);
    }

    #[tokio::test]
    async fn who_has_left_stays_gone() {
        let mut desk = desk();
        desk.types("ls\r~.rest");
        desk.taker.until_left_alone().await;
        desk.types("more");
        desk.taker.until_left_alone().await;
        assert_eq!(desk.waiting(), ["ls\r"]);
        assert_eq!(desk.queued.recv().await, None);
    }

    #[tokio::test]
    async fn an_input_at_its_end_is_a_person_who_left() {
        let mut desk = desk();
        drop(std::mem::replace(&mut desk.keys, mpsc::channel(1).0));
        desk.taker.until_left_alone().await;
        assert!(desk.taker.queue.is_none());
    }
}
