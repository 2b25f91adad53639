//! A stream as a service sees it: an inlet that grants credit as it is used, and an outlet that
//! waits for credit.

use bytes::Bytes;
use schema::wire::RpcError;
use tokio::sync::{mpsc, watch};

/// Both directions.
pub struct Stream {
    /// From the client.
    pub inlet: Inlet,
    /// To the client.
    pub outlet: Outlet,
}

/// What comes from the client.
pub struct Inlet {
    id: u64,
    data: mpsc::Receiver<Bytes>,
    orders: mpsc::UnboundedSender<Order>,
}

/// What goes to the client.
pub struct Outlet {
    id: u64,
    sent: u64,
    allowed: watch::Receiver<u64>,
    orders: mpsc::UnboundedSender<Order>,
}

/// What a service wants of its channel. Bounded in number by the stream's credit.
#[derive(Debug)]
pub enum Order {
    /// Bytes of the client were used.
    Consumed {
        /// The stream.
        id: u64,
        /// How many.
        bytes: usize,
    },
    /// Send this; credit covers it.
    Send {
        /// The stream.
        id: u64,
        /// At most 256 KiB.
        data: Bytes,
    },
    /// The service is done with the stream.
    End {
        /// The stream.
        id: u64,
        /// None = well.
        error: Option<RpcError>,
    },
}

/// The channel's side of a stream.
pub struct Far {
    /// Into the inlet; dropped when the client has ended its side.
    pub data: Option<mpsc::Sender<Bytes>>,
    /// How many bytes the outlet may have sent since the stream began.
    pub allowed: watch::Sender<u64>,
}

/// A stream and the channel's side of it.
#[must_use]
pub fn stream(id: u64, orders: mpsc::UnboundedSender<Order>) -> (Stream, Far) {
    let (data_in, data) = mpsc::channel(INLET_MESSAGES);
    let (allow, allowed) = watch::channel(0);
    let inlet = Inlet {
        id,
        data,
        orders: orders.clone(),
    };
    let outlet = Outlet {
        id,
        sent: 0,
        allowed,
        orders,
    };
    (
        Stream { inlet, outlet },
        Far {
            data: Some(data_in),
            allowed: allow,
        },
    )
}

impl Inlet {
    /// The next message; None = the client has ended its side.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.data.recv().await
    }

    /// So many bytes of messages were used: the client may send as many more.
    pub fn consumed(&self, bytes: usize) {
        // A channel that is gone wants no credit.
        let _ = self.orders.send(Order::Consumed { id: self.id, bytes });
    }
}

impl Outlet {
    /// Bytes that may be sent now.
    #[must_use]
    pub fn room(&self) -> usize {
        let allowed = *self.allowed.borrow();
        usize::try_from(allowed.saturating_sub(self.sent)).unwrap_or(usize::MAX)
    }

    /// Waits until there is more room than when it was last looked.
    pub async fn more_room(&mut self) {
        if self.allowed.changed().await.is_err() {
            // The channel is gone, and this service will be dropped with it.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until there is room for so many bytes.
    pub async fn room_for(&mut self, bytes: usize) {
        while self.room() < bytes {
            self.more_room().await;
        }
    }

    /// Sends what fits the room.
    pub fn send(&mut self, data: Bytes) {
        self.sent += data.len() as u64;
        // A channel that is gone sends nothing.
        let _ = self.orders.send(Order::Send { id: self.id, data });
    }
}

/// Messages that may wait for a service; beyond that the client is flooding it with tiny ones.
const INLET_MESSAGES: usize = 8192;
