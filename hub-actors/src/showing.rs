//! Certificates that a Worker is shown beside any channel.

use schema::wire::{AccessChanged, Signed, control::Body};

/// No channel: it heeds the certificates of whatever it hears, and ignores the rest.
const NO_CHANNEL: [u8; 16] = [0; 16];

/// One message that holds certificates and nothing else.
pub(crate) fn shown(certificates: Vec<Signed>) -> Body {
    Body::AccessChanged(AccessChanged {
        channel_id: NO_CHANNEL.to_vec().into(),
        change: 0,
        workspaces: Vec::new(),
        certificates,
    })
}
