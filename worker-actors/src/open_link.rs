//! Opening the stream to the Hub: dial, authenticate, hello, welcome.

use std::{path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _, stream};
use schema::wire::{self, from_worker, to_worker, worker_link_client::WorkerLinkClient};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming, metadata::MetadataValue};
use zeroize::Zeroizing;

use crate::{
    dial::{self, DialError, HubAddress},
    hub_link::{self, EndReason},
};

/// Who calls whom.
pub(crate) struct Caller {
    pub(crate) hub: HubAddress,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) token: Zeroizing<String>,
    pub(crate) hello: wire::WorkerHello,
    pub(crate) worker: String,
    pub(crate) patience: Duration,
}

/// A stream that was welcomed. Dropping it ends it.
pub(crate) struct Open {
    /// Frames and whatever has its place among them; who finds it full waits.
    pub(crate) frames: mpsc::Sender<wire::FromWorker>,
    /// Heartbeats and answers to opens, which go before frames.
    pub(crate) control: mpsc::Sender<wire::FromWorker>,
    /// Whose the Hub says the Worker is.
    pub(crate) owner: String,
}

/// What the Hub says.
pub(crate) type Heard = Streaming<wire::ToWorker>;

/// Why there is no link, or no more.
#[derive(Debug, Error)]
pub(crate) enum Lost {
    /// It could not be dialled.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The Hub, or something before it, ended the stream or did not begin it.
    #[error("the Hub ended the stream ({0})")]
    Status(Code),
    /// There was no welcome in time.
    #[error("the Hub did not welcome this Worker")]
    Unwelcome,
    /// The stream ended without a word.
    #[error("the stream ended")]
    Ended,
    /// Heartbeats stayed unanswered.
    #[error("the Hub is silent")]
    Silent,
    /// The Hub speaks and does not read.
    #[error("the Hub does not read what it is answered")]
    Deaf,
    /// The Hub broke the protocol.
    #[error("the Hub sent what it may not send")]
    Nonsense,
    /// The Hub said goodbye, and may be called again.
    #[error("the Hub said goodbye")]
    Goodbye,
    /// The Hub does not know this Worker any more.
    #[error("this Worker was deregistered")]
    Deregistered,
    /// Another stream took this one's place.
    #[error("another process took this Worker's place")]
    Replaced,
}

impl Lost {
    /// The reason, when it is of no use to dial again.
    pub(crate) const fn is_final(&self) -> Option<EndReason> {
        match self {
            Self::Deregistered => Some(EndReason::Deregistered),
            Self::Replaced => Some(EndReason::Replaced),
            Self::Dial(_)
            | Self::Status(_)
            | Self::Unwelcome
            | Self::Ended
            | Self::Silent
            | Self::Deaf
            | Self::Nonsense
            | Self::Goodbye => None,
        }
    }
}

/// Opens a stream and waits for its welcome.
pub(crate) async fn open(caller: Arc<Caller>) -> Result<(Open, Heard), Lost> {
    let channel = dial::dial(&caller.hub, caller.ca_file.as_ref(), caller.patience).await?;
    let (frames, out_frames) = mpsc::channel(FRAMES);
    let (control, out_control) = mpsc::channel(CONTROLS);
    let hello = wire::FromWorker {
        body: Some(from_worker::Body::Hello(caller.hello.clone())),
    };
    let saying = stream::iter([hello]).chain(controls_first(out_control, out_frames));
    let mut request = Request::new(saying);
    let bearer = Zeroizing::new(format!("Bearer {}", caller.token.as_str()));
    let mut value = MetadataValue::try_from(bearer.as_str()).map_err(|_| Lost::Deregistered)?;
    value.set_sensitive(true);
    request.metadata_mut().insert("authorization", value);
    let greeting = async {
        let mut client = WorkerLinkClient::new(channel).max_decoding_message_size(MESSAGE_MAX);
        let mut heard = client.connect(request).await.map_err(code)?.into_inner();
        let first = heard.message().await.map_err(code)?.ok_or(Lost::Ended)?;
        match first.body {
            Some(to_worker::Body::Welcome(welcome)) => Ok((heard, welcome)),
            Some(to_worker::Body::Goodbye(goodbye)) => Err(refused(&goodbye)),
            Some(to_worker::Body::Relay(_) | to_worker::Body::Heartbeat(_)) | None => {
                Err(Lost::Nonsense)
            }
        }
    };
    let greeted = tokio::time::timeout(caller.patience, greeting).await;
    let (heard, welcome) = greeted.map_err(|_| Lost::Unwelcome)??;
    if welcome.worker_id != caller.worker {
        return Err(Lost::Nonsense);
    }
    let open = Open {
        frames,
        control,
        owner: welcome.owner_user_id,
    };
    Ok((open, heard))
}

/// The stream with its end as its last item.
pub(crate) fn to_the_end(heard: Heard, generation: u64) -> impl Stream<Item = hub_link::Heard> {
    let items = heard.map(|item| item.map_err(code));
    let end = stream::once(async { Err(Lost::Ended) });
    items
        .chain(end)
        .map(move |what| hub_link::Heard { generation, what })
}

type Saying = Pin<Box<dyn Stream<Item = wire::FromWorker> + Send>>;

fn controls_first(
    controls: mpsc::Receiver<wire::FromWorker>,
    frames: mpsc::Receiver<wire::FromWorker>,
) -> Saying {
    let (controls, frames) = (ReceiverStream::new(controls), ReceiverStream::new(frames));
    let first = |_: &mut ()| stream::PollNext::Left;
    Box::pin(stream::select_with_strategy(controls, frames, first))
}

fn refused(goodbye: &wire::LinkGoodbye) -> Lost {
    match goodbye.reason() {
        wire::LinkGoodbyeReason::Deregistered => Lost::Deregistered,
        wire::LinkGoodbyeReason::Replaced
        | wire::LinkGoodbyeReason::Draining
        | wire::LinkGoodbyeReason::ProtocolError
        | wire::LinkGoodbyeReason::Offender
        | wire::LinkGoodbyeReason::Unspecified => Lost::Goodbye,
    }
}

/// Only the Hub's own word makes a Worker give up: a proxy in maintenance says `unauthenticated`
/// and `permission denied` as well.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn code(status: Status) -> Lost {
    let code = status.code();
    let is_final = [wire::UNKNOWN_WORKER_TOKEN, wire::DEREGISTERED_WORKER];
    if code == Code::Unauthenticated && is_final.contains(&status.message()) {
        return Lost::Deregistered;
    }
    Lost::Status(code)
}

/// Frames of all channels that may wait for the socket: 16 MiB at most.
const FRAMES: usize = 256;
/// Answers to opens that may wait: some more than may be signed at a time, 51 KiB each.
const CONTROLS: usize = 256;
/// One message: a control message of 128 KiB and what is round it.
const MESSAGE_MAX: usize = 256 << 10;
