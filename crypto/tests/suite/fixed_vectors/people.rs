//! Vectors of who is who: claims, certificates, fingerprints, registration tags.

use crypto::{Algorithm, Label, Mode, SignedParts, claim_context, fixed};

use super::{
    Document, USER_ID, WORKER_ID, bytes, device, device_document, worker, worker_document,
};

/// A claim and each certificate, by each algorithm that may sign it.
///
/// The bodies are the protobuf messages of `channel.proto`, written out by hand so that this
/// crate needs no schema; to a verifier they are bytes.
pub(super) fn statements() -> Document {
    let hash: [u8; 64] = bytes("final handshake hash");
    let claim = [string(1, USER_ID), string(2, "01JCWORKSPACE0000000000001")].concat();
    let mut list = Vec::new();
    for mode in [Mode::Classic, Mode::PostQuantum] {
        list.push(by_device(
            mode,
            Label::Claim,
            &claim_context(&hash, WORKER_ID),
            claim.clone(),
        ));
        list.push(by_device(
            mode,
            Label::Device,
            USER_ID.as_bytes(),
            certificate(mode),
        ));
        list.push(by_device(
            mode,
            Label::Grant,
            WORKER_ID.as_bytes(),
            grant(mode),
        ));
    }
    list.push(rotation());
    Document::new()
        .object("device", device_document("device"))
        .object("worker", worker_document())
        .hex("claim_hash", &hash)
        .text("claim_worker_id", WORKER_ID)
        .list("statements", list)
}

pub(super) fn fingerprints() -> Document {
    let device = device("device");
    let kinds = [
        ("composite", worker().public().as_bytes().to_vec()),
        ("device classic", device.public_bytes(Mode::Classic)),
        (
            "device post-quantum",
            device.public_bytes(Mode::PostQuantum),
        ),
    ];
    let entry = |(kind, key): (&str, Vec<u8>)| {
        Document::new()
            .text("kind", kind)
            .hex("public_key", &key)
            .text("fingerprint", &crypto::fingerprint(&key))
    };
    Document::new().list("fingerprints", kinds.into_iter().map(entry).collect())
}

pub(super) fn registration() -> Document {
    let (id, secret) = ("01JCREGISTRATION0000000001", bytes("registration secret"));
    let composite = worker().public().as_bytes().to_vec();
    let tag = crypto::worker_tag(&secret, id, &composite).expect("good id");
    let devices = [Mode::Classic, Mode::PostQuantum].map(|mode| {
        let (key, algorithm) = (
            device("device").public_bytes(mode),
            Algorithm::for_mode(mode),
        );
        let tag = crypto::device_tag(&secret, id, USER_ID, algorithm, &key).expect("good ids");
        Document::new()
            .text("user_id", USER_ID)
            .number("algorithm", algorithm.byte().into())
            .hex("public_key", &key)
            .hex("tag", &tag)
    });
    Document::new()
        .text("id", id)
        .hex("secret", &secret)
        .object(
            "worker",
            Document::new()
                .hex("public_key", &composite)
                .hex("tag", &tag),
        )
        .list("devices", devices.into())
}

fn by_device(mode: Mode, label: Label, context: &[u8], body: Vec<u8>) -> Document {
    let randomness = bytes(&format!("{} {}", label.as_str(), mode.as_str()));
    let parts = fixed::sign(&device("device"), mode, label, context, body, &randomness)
        .expect("a device signs it");
    let document = statement(mode, label, context, &parts);
    match mode {
        Mode::Classic => document,
        Mode::PostQuantum => document.hex("ml_dsa_65_rnd", &randomness),
    }
}

fn rotation() -> Document {
    let randomness = bytes("rotation");
    let body = [field(1, worker().public().as_bytes()), number(2, 1)].concat();
    let parts =
        fixed::sign_rotation(&worker(), WORKER_ID, body, &randomness).expect("a Worker signs it");
    statement(
        Mode::PostQuantum,
        Label::Rotation,
        WORKER_ID.as_bytes(),
        &parts,
    )
    .hex("slh_dsa_opt_rand", &randomness)
}

fn statement(mode: Mode, label: Label, context: &[u8], parts: &SignedParts) -> Document {
    crypto::verify(mode, label, context, parts).expect("our own statement verifies");
    Document::new()
        .text("label", label.as_str())
        .text("mode", mode.as_str())
        .number("algorithm", parts.algorithm.into())
        .hex("context", context)
        .hex("key", &parts.key)
        .hex("body", &parts.body)
        .hex("signature", &parts.signature)
}

/// `DeviceCertificate`.
fn certificate(mode: Mode) -> Vec<u8> {
    let algorithm = Algorithm::for_mode(mode).byte().into();
    [
        string(1, USER_ID),
        number(2, algorithm),
        field(3, &device("second device").public_bytes(mode)),
        number(4, 3),
        number(5, 1_800_000_000),
    ]
    .concat()
}

/// `GrantCertificate`.
fn grant(mode: Mode) -> Vec<u8> {
    let algorithm = Algorithm::for_mode(mode).byte().into();
    [
        string(1, WORKER_ID),
        string(2, "01JCWORKSPACE0000000000001"),
        string(3, "01JCUSER000000000000000002"),
        number(4, algorithm),
        field(5, &device("grantee's device").public_bytes(mode)),
        number(6, 2),
        number(7, 9),
        number(8, 1_800_000_000),
    ]
    .concat()
}

fn string(tag: u8, text: &str) -> Vec<u8> {
    field(tag, text.as_bytes())
}

/// A length-delimited field of protobuf.
fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u64::try_from(content.len()).expect("a length fits");
    [&[tag << 3 | 2][..], &varint(length), content].concat()
}

/// A varint field of protobuf.
fn number(tag: u8, number: u64) -> Vec<u8> {
    [&[tag << 3][..], &varint(number)].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number > 0x7f {
        out.push(u8::try_from(number & 0x7f).expect("seven bits") | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).expect("seven bits"));
    out
}
