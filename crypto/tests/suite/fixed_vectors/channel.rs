//! Vectors of a channel: handshake, renewal, frame.

use crypto::fixed::{self, ClientRandomness, WorkerRandomness};
use crypto::{Established, Mode, Prologue, Renewal, Root};

use super::{CHANNEL_ID, Document, USER_ID, WORKER_ID, bytes, worker, worker_document};

pub(super) fn handshake(mode: Mode) -> Document {
    let worker = worker();
    let prologue = Prologue::new(mode, &CHANNEL_ID, WORKER_ID, USER_ID).expect("good ids");
    let (client, answering) = (
        client_randomness("handshake"),
        worker_randomness("handshake"),
    );
    let (awaiting, message_1) =
        fixed::initiate(mode, &prologue, worker.public(), &client, &[]).expect("starts");
    let (accepted, _) = fixed::accept(&worker, mode, &prologue, &message_1).expect("accepts");
    let (mut at_worker, message_2) =
        fixed::reply(accepted, &worker, &answering, &[]).expect("replies");
    let mut at_client = awaiting.finish(&message_2).expect("finishes");
    Document::new()
        .text("protocol", "Noise_NK_25519_ChaChaPoly_BLAKE2b")
        .object("worker", worker_document())
        .object("prologue", prologue_document(&prologue))
        .object("client_randomness", client_document(mode, &client))
        .object(
            "worker_randomness",
            worker_randomness_document(mode, &answering, true),
        )
        .hex("message_1", &message_1)
        .hex("message_2", &message_2)
        .hex("handshake_hash", at_client.root.hash())
        .hex("renewal_secret", &*fixed::renewal_secret(&at_client.root))
        .list("client_frames", frames(&mut at_client))
        .list("worker_frames", frames(&mut at_worker))
}

pub(super) fn renewal(mode: Mode) -> Document {
    let worker = worker();
    let (base_hash, base_secret) = (bytes("base hash"), bytes("base renewal secret"));
    let root: Root = fixed::root(&base_hash, &base_secret);
    let (client, answering) = (client_randomness("renewal"), worker_randomness("renewal"));
    let asked = Renewal {
        mode,
        serial: 7,
        base: 5,
        received: 1_234_567_890_123,
    };
    let answered = Renewal {
        received: 42,
        ..asked
    };
    let (awaiting, renew) = fixed::renew(&asked, &root, worker.public(), &client).expect("asks");
    let (mut at_worker, _, renewed) =
        fixed::answer_renewal(&answered, &root, &worker, &renew, &answering).expect("answers");
    let (mut at_client, _) = awaiting.finish(&renewed).expect("finishes");
    Document::new()
        .text("mode", mode.as_str())
        .object("worker", worker_document())
        .hex("base_hash", &base_hash)
        .hex("base_renewal_secret", &base_secret)
        .number("serial", asked.serial.into())
        .number("base", asked.base.into())
        .number("client_received", asked.received)
        .number("worker_received", answered.received)
        .object("client_randomness", client_document(mode, &client))
        .object(
            "worker_randomness",
            worker_randomness_document(mode, &answering, false),
        )
        .hex("renew_noise", &renew)
        .hex("renewed_noise", &renewed)
        .hex("hash", at_client.root.hash())
        .hex("renewal_secret", &*fixed::renewal_secret(&at_client.root))
        .list("client_frames", frames(&mut at_client))
        .list("worker_frames", frames(&mut at_worker))
}

/// The header that the Hub reads, and the two fields of it that the ends authenticate.
pub(super) fn frame() -> Document {
    let (epoch, correlation_id, more) = (7_u32, 0x0102_0304_0506_0708_u64, 1_u8);
    let associated_data = [&correlation_id.to_be_bytes()[..], &[more]].concat();
    let header = [
        &[0][..],
        &CHANNEL_ID,
        &epoch.to_be_bytes(),
        &associated_data,
    ]
    .concat();
    let (key, plaintext) = (bytes::<32>("frame key"), b"a chunk of a message");
    let sealed = crypto::primitives::seal(&key, 3, &associated_data, plaintext).expect("seals");
    Document::new()
        .number("kind", 0)
        .hex("channel_id", &CHANNEL_ID)
        .number("epoch", epoch.into())
        .text("correlation_id_decimal", &correlation_id.to_string())
        .number("flags", more.into())
        .hex("header", &header)
        .hex("associated_data", &associated_data)
        .hex("key", &key)
        .number("counter", 3)
        .hex("plaintext", plaintext)
        .hex("ciphertext", &sealed)
        .hex("outer_message", &[header, sealed.clone()].concat())
}

/// The first frames that a side seals, the second of them after nothing else.
fn frames(side: &mut Established) -> Vec<Document> {
    let contents: [(u64, &[u8]); 3] = [(0, b"first"), (u64::MAX, b""), (1, &[0xa5; 300])];
    let seal = |(correlation_id, plaintext): (u64, &[u8])| {
        let associated_data = [&correlation_id.to_be_bytes()[..], &[0]].concat();
        let counter = side.sealer.counter();
        let sealed = side
            .sealer
            .seal(&associated_data, plaintext)
            .expect("seals");
        Document::new()
            .number("counter", counter)
            .hex("associated_data", &associated_data)
            .hex("plaintext", plaintext)
            .hex("ciphertext", &sealed)
    };
    contents.into_iter().map(seal).collect()
}

fn client_randomness(name: &str) -> ClientRandomness {
    ClientRandomness {
        e: bytes(&format!("{name} e")),
        encapsulation: bytes(&format!("{name} client encapsulation")),
        ephemeral_ml_kem: bytes(&format!("{name} ephemeral ml-kem")),
    }
}

fn worker_randomness(name: &str) -> WorkerRandomness {
    WorkerRandomness {
        e2: bytes(&format!("{name} e2")),
        encapsulation: bytes(&format!("{name} worker encapsulation")),
        signature: bytes(&format!("{name} signature")),
    }
}

fn prologue_document(prologue: &Prologue) -> Document {
    Document::new()
        .text("mode", prologue.mode().as_str())
        .hex("mode_byte", &[prologue.mode().byte()])
        .hex("channel_id", &CHANNEL_ID)
        .text("worker_id", WORKER_ID)
        .text("user_id", USER_ID)
        .hex("bytes", prologue.as_bytes())
}

fn client_document(mode: Mode, random: &ClientRandomness) -> Document {
    let document = Document::new().hex("e_secret_key", &random.e);
    match mode {
        Mode::Classic => document,
        Mode::PostQuantum => document
            .hex("encapsulation_m", &random.encapsulation)
            .hex("ephemeral_ml_kem_1024_seed_d_z", &random.ephemeral_ml_kem),
    }
}

fn worker_randomness_document(mode: Mode, random: &WorkerRandomness, signs: bool) -> Document {
    let document = Document::new().hex("e2_secret_key", &random.e2);
    match (mode, signs) {
        (Mode::Classic, _) => document,
        (Mode::PostQuantum, false) => document.hex("encapsulation_m", &random.encapsulation),
        (Mode::PostQuantum, true) => document
            .hex("encapsulation_m", &random.encapsulation)
            .hex("slh_dsa_opt_rand", &random.signature),
    }
}
