//! What Rust makes of outer messages, in a form that another language can be held against: the
//! page's parser has to say the same of the same corpus (`web/test/channel/outer.test.ts`).

use bytes::Bytes;
use schema::frame::{Frame, Outer};

/// One line: `refused`, or the fields of a frame, or a control message encoded again.
#[must_use]
pub fn of_outer(message: &[u8]) -> String {
    match Outer::parse(Bytes::copy_from_slice(message)) {
        Err(_) => "refused".to_owned(),
        Ok(Outer::Frame(frame)) => fields(&frame),
        Ok(control @ Outer::Control(_)) => format!("control {}", hex(&control.encode())),
    }
}

fn fields(frame: &Frame) -> String {
    format!(
        "frame {} {} {} {} {}",
        frame.channel(),
        frame.epoch(),
        frame.correlation(),
        frame.flags(),
        frame.ciphertext().len()
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
