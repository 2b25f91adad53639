//! Bytes off the wire: outer messages, ids, and every protobuf message in both of its forms.

use std::fmt::Debug;

use bytes::Bytes;
use prost::Message;
use schema::{
    frame::{CONTROL_MAX, Frame, Outer},
    ids::{TEXT_ID_MAX, UserId, WorkerId},
    wire,
};
use serde::{Serialize, de::DeserializeOwned};

/// An outer message: a frame comes back byte for byte, a control message in one stable form.
pub fn outer(data: &[u8]) {
    let raw = Bytes::copy_from_slice(data);
    let Ok(outer) = Outer::parse(raw.clone()) else {
        return;
    };
    if let Outer::Frame(frame) = &outer {
        let made = Frame::new(
            frame.channel(),
            frame.epoch(),
            frame.correlation(),
            frame.flags(),
            frame.ciphertext(),
        );
        assert_eq!(made.into_bytes(), raw, "a frame is its fields");
    }
    let encoded = outer.clone().encode();
    // A negative enum value may come in 5 bytes and goes out in 10.
    if encoded.len() <= CONTROL_MAX {
        assert_eq!(Outer::parse(encoded.clone()), Ok(outer.clone()));
    }
    assert_eq!(outer.encode(), encoded);
}

/// Ids in text form: what is taken is taken as it is, and needs no quoting anywhere.
pub fn ids(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let worker = WorkerId::parse(text);
    assert_eq!(worker.is_ok(), UserId::parse(text).is_ok());
    if let Ok(id) = worker {
        assert_eq!(id.as_str(), text);
        assert!((1..=TEXT_ID_MAX).contains(&text.len()));
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!text.contains(['/', '.', '"', '\\', ':', '=', ';']));
    }
}

/// What the ends say to each other inside the channel.
pub fn inner(data: &[u8]) {
    protobuf::<wire::Inner>(data);
}

/// Both directions of a Worker's link, and its registration; the first byte chooses.
pub fn link(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    match choice {
        0 => protobuf::<wire::ToWorker>(data),
        1 => protobuf::<wire::FromWorker>(data),
        2 => protobuf::<wire::RegisterRequest>(data),
        3 => protobuf::<wire::RegisterResponse>(data),
        _ => (),
    }
}

/// Requests and answers of a Worker's services, and what devices sign; the first byte chooses.
pub fn services(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    match choice {
        0 => protobuf::<wire::WorkerInfo>(data),
        1 => protobuf::<wire::TerminalList>(data),
        2 => protobuf::<wire::TerminalOpen>(data),
        3 => protobuf::<wire::TerminalAttach>(data),
        4 => protobuf::<wire::TerminalInput>(data),
        5 => protobuf::<wire::TerminalEvent>(data),
        6 => protobuf::<wire::TerminalRename>(data),
        7 => protobuf::<wire::TerminalClose>(data),
        8 => protobuf::<wire::ExecStart>(data),
        9 => protobuf::<wire::ExecInput>(data),
        10 => protobuf::<wire::ExecOutput>(data),
        11 => protobuf::<wire::DeviceList>(data),
        12 => protobuf::<wire::DeviceApprove>(data),
        13 => protobuf::<wire::DeviceRemove>(data),
        14 => protobuf::<wire::UserIdClaim>(data),
        15 => protobuf::<wire::DeviceCertificate>(data),
        16 => protobuf::<wire::GrantCertificate>(data),
        _ => (),
    }
}

/// Bodies of the Hub's methods, as JSON and as protobuf; the first byte chooses.
pub fn hub_methods(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    match choice {
        0 => both::<wire::SignInRequest>(data),
        1 => both::<wire::WhoAmIResponse>(data),
        2 => both::<wire::ListWorkersResponse>(data),
        3 => both::<wire::GetHandshakeParametersRequest>(data),
        4 => both::<wire::GetHandshakeParametersResponse>(data),
        5 => both::<wire::CreateRegistrationKeyRequest>(data),
        6 => both::<wire::RevokeRegistrationKeyRequest>(data),
        7 => both::<wire::HubEvent>(data),
        8 => both::<wire::RegisterRequest>(data),
        9 => both::<wire::RegisterResponse>(data),
        _ => (),
    }
}

/// A generated message with both of its forms.
trait Shape: Message + Default + PartialEq + Debug + Serialize + DeserializeOwned {}

impl<M: Message + Default + PartialEq + Debug + Serialize + DeserializeOwned> Shape for M {}

fn both<M: Shape>(data: &[u8]) {
    protobuf::<M>(data);
    if let Ok(message) = serde_json::from_slice::<M>(data) {
        forms(&message);
    }
}

fn protobuf<M: Shape>(data: &[u8]) {
    if let Ok(message) = M::decode(data) {
        forms(&message);
    }
}

/// A message is the same after a journey in either form.
fn forms<M: Shape>(message: &M) {
    let bytes = message.encode_to_vec();
    assert_eq!(bytes.len(), message.encoded_len());
    let again = M::decode(bytes.as_slice()).expect("it was encoded a moment ago");
    assert_eq!(&again, message);
    // JSON has no word for an enum value that nobody has named.
    if let Ok(text) = serde_json::to_vec(message) {
        let again: M = serde_json::from_slice(&text).expect("it was written a moment ago");
        assert_eq!(&again, message);
    }
}
