//! The relay's WebSocket as a transport of a session, and the way to the next one.

use bytes::Bytes;
use channel_actors::client::{Dial, DialError, Signal, Transport};
use futures_util::{
    SinkExt as _, StreamExt as _, TryStreamExt as _,
    future::{self, BoxFuture},
};
use tokio_tungstenite::tungstenite::{self, Message};

use super::hub::{Hub, NotServed, RelaySocket};

/// Dials the same Hub with the same credential.
pub(crate) struct Redial(pub(crate) Hub);

impl Dial for Redial {
    fn dial(&mut self) -> BoxFuture<'static, Result<Transport, DialError>> {
        let hub = self.0.clone();
        Box::pin(async move {
            hub.relay().await.map(transport).map_err(|not_served| {
                let (error, is) = match not_served {
                    NotServed::Denied(error) => (error, DialError::Denied),
                    NotServed::Absent(error) => (error, DialError::Unreachable),
                };
                tracing::debug!(error = %error, "still not connected");
                is
            })
        })
    }
}

/// Binary messages in, binary messages out; pings and pongs are its beats.
pub(crate) fn transport(socket: RelaySocket) -> Transport {
    let (sink, stream) = socket.split();
    let outgoing = sink.with(|signal| {
        future::ready(Ok::<_, tungstenite::Error>(match signal {
            Signal::Message(bytes) => Message::Binary(bytes),
            Signal::Beat => Message::Ping(Bytes::new()),
        }))
    });
    let incoming = stream.try_filter_map(|message| {
        future::ready(Ok(match message {
            Message::Binary(bytes) => Some(Signal::Message(bytes)),
            // Pings are answered by the library.
            Message::Ping(_) | Message::Pong(_) => Some(Signal::Beat),
            // Text has no meaning here, and after a close the stream ends by itself.
            Message::Text(_) | Message::Close(_) | Message::Frame(_) => None,
        }))
    });
    Transport::with_beats(incoming, outgoing)
}
