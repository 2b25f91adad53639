//! Our own vectors: every input fixed and written down, every output beside it.
//!
//! `cargo run -p crypto --example make_vectors` writes them into `crypto/vectors/`, and a test
//! compares them with what the code computes now. The page's own implementation reads the same
//! files. All bytes are lower-case hex.

mod channel;
mod document;
mod people;

pub(crate) use document::Document;

use crypto::{DeviceKey, Identity, IdentitySeeds};

/// File name and content of every vector file.
pub(crate) fn all() -> Vec<(&'static str, Document)> {
    vec![
        (
            "handshake_classic.json",
            channel::handshake(crypto::Mode::Classic),
        ),
        (
            "handshake_post_quantum.json",
            channel::handshake(crypto::Mode::PostQuantum),
        ),
        (
            "renewal_classic.json",
            channel::renewal(crypto::Mode::Classic),
        ),
        (
            "renewal_post_quantum.json",
            channel::renewal(crypto::Mode::PostQuantum),
        ),
        ("frame.json", channel::frame()),
        ("statements.json", people::statements()),
        ("fingerprint.json", people::fingerprints()),
        ("registration.json", people::registration()),
    ]
}

const CHANNEL_ID: [u8; 16] = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
const WORKER_ID: &str = "01JCWORKER0000000000000001";
const USER_ID: &str = "01JCUSER000000000000000001";

/// Bytes that stand for randomness: BLAKE2b-512 of a name. The files give them in full.
fn bytes<const N: usize>(name: &str) -> [u8; N] {
    let digest = crypto::primitives::blake2b_512(format!("leapmux vector {name}").as_bytes());
    *digest
        .first_chunk()
        .expect("at most 64 bytes are asked for")
}

fn seeds(name: &str) -> IdentitySeeds {
    IdentitySeeds {
        x25519: bytes(&format!("{name} x25519")),
        ml_kem: bytes(&format!("{name} ml-kem")),
        slh_dsa_sk_seed: bytes(&format!("{name} slh-dsa sk seed")),
        slh_dsa_sk_prf: bytes(&format!("{name} slh-dsa sk prf")),
        slh_dsa_pk_seed: bytes(&format!("{name} slh-dsa pk seed")),
    }
}

fn worker() -> Identity {
    Identity::from_seeds(&seeds("worker"))
}

fn device(name: &str) -> DeviceKey {
    let [ed25519, ml_dsa] = device_seeds(name);
    DeviceKey::from_seeds(&ed25519, &ml_dsa)
}

fn device_seeds(name: &str) -> [[u8; 32]; 2] {
    [
        bytes(&format!("{name} ed25519")),
        bytes(&format!("{name} ml-dsa")),
    ]
}

/// How a Worker's identity is written down.
fn worker_document() -> Document {
    let seeds = seeds("worker");
    Document::new()
        .hex("x25519_secret_key", &seeds.x25519)
        .hex("ml_kem_1024_seed_d_z", &seeds.ml_kem)
        .hex("slh_dsa_sk_seed", &seeds.slh_dsa_sk_seed)
        .hex("slh_dsa_sk_prf", &seeds.slh_dsa_sk_prf)
        .hex("slh_dsa_pk_seed", &seeds.slh_dsa_pk_seed)
        .hex("encoded_identity", &worker().encode())
        .hex("composite_public_key", worker().public().as_bytes())
}

/// How a device's key is written down.
fn device_document(name: &str) -> Document {
    let [ed25519, ml_dsa] = device_seeds(name);
    let device = device(name);
    Document::new()
        .hex("ed25519_secret_key", &ed25519)
        .hex("ml_dsa_65_seed", &ml_dsa)
        .hex("encoded_device_key", &device.encode())
        .hex(
            "public_key_classic",
            &device.public_bytes(crypto::Mode::Classic),
        )
        .hex(
            "public_key_post_quantum",
            &device.public_bytes(crypto::Mode::PostQuantum),
        )
}
