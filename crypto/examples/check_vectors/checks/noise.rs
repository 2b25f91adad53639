//! Noise vectors: cacophony's fields (also snow's) and flynn's.
//!
//! The handshake runs through the same code as a channel's in classic mode, with the prologue and
//! the payloads of the vector.

use crypto::fixed::{self, ClientRandomness, WorkerRandomness};
use crypto::{Established, Identity, IdentitySeeds, Mode, Opener, Sealer};
use serde_json::Value;

use super::{Case, Check, Verdict, expect_equal};

const PROTOCOL: &str = "Noise_NK_25519_ChaChaPoly_BLAKE2b";

/// The check of a Noise case, or `None` if it is of another protocol.
pub(crate) fn check_of(case: &Case<'_>) -> Option<Check> {
    let protocol = case
        .text("protocol_name")
        .or_else(|_| case.text("handshake"));
    (protocol == Ok(PROTOCOL)).then_some(run as Check)
}

fn run(case: &Case<'_>) -> Verdict {
    let messages = messages(case)?;
    let [first, second, transport @ ..] = messages.as_slice() else {
        return Err("fewer than two messages".into());
    };
    let (mut client, mut worker) = handshake(case, first, second)?;
    if case.has("handshake_hash") {
        expect_equal(
            "handshake_hash",
            client.root.hash(),
            &case.hex("handshake_hash")?,
        )?;
    }
    expect_equal(
        "hash of the responder",
        worker.root.hash(),
        client.root.hash(),
    )?;
    // The responder of a two-message handshake receives first.
    for (index, message) in transport.iter().enumerate() {
        let (sealer, opener) = if index % 2 == 0 {
            (&mut client.sealer, &mut worker.opener)
        } else {
            (&mut worker.sealer, &mut client.opener)
        };
        exchange(sealer, opener, message).map_err(|why| format!("message {}: {why}", index + 2))?;
    }
    Ok(())
}

struct Message {
    payload: Vec<u8>,
    ciphertext: Vec<u8>,
}

fn messages(case: &Case<'_>) -> Result<Vec<Message>, String> {
    let list = case
        .value("messages")
        .and_then(Value::as_array)
        .ok_or("no messages")?;
    let read = |entry: &Value| {
        let entry = Case::alone(entry);
        Ok(Message {
            payload: entry.hex("payload")?,
            ciphertext: entry.hex("ciphertext")?,
        })
    };
    list.iter().map(read).collect()
}

fn handshake(
    case: &Case<'_>,
    first: &Message,
    second: &Message,
) -> Result<(Established, Established), String> {
    let worker = Identity::from_seeds(&seeds(case.array("resp_static")?));
    if case.has("init_remote_static") {
        let known = case.hex("init_remote_static")?;
        expect_equal(
            "init_remote_static",
            worker.public().for_mode(Mode::Classic),
            &known,
        )?;
    }
    let at_client = fixed::prologue(Mode::Classic, &prologue(case, "init_prologue")?);
    let at_worker = fixed::prologue(Mode::Classic, &prologue(case, "resp_prologue")?);
    let random = ClientRandomness {
        e: ephemeral(case, "init_ephemeral", "gen_init_ephemeral")?,
        encapsulation: [0; 32],
        ephemeral_ml_kem: [0; 64],
    };
    let (awaiting, message_1) = fixed::initiate(
        Mode::Classic,
        &at_client,
        worker.public(),
        &random,
        &first.payload,
    )
    .map_err(|error| error.to_string())?;
    expect_equal("message 0", &message_1, &first.ciphertext)?;
    let (accepted, payload) = fixed::accept(&worker, Mode::Classic, &at_worker, &message_1)
        .map_err(|error| error.to_string())?;
    expect_equal("payload of message 0", &payload, &first.payload)?;
    let random = WorkerRandomness {
        e2: ephemeral(case, "resp_ephemeral", "gen_resp_ephemeral")?,
        encapsulation: [0; 32],
        signature: [0; 32],
    };
    let (established, message_2) = fixed::reply(accepted, &worker, &random, &second.payload)
        .map_err(|error| error.to_string())?;
    expect_equal("message 1", &message_2, &second.ciphertext)?;
    let (finished, payload) =
        fixed::finish(awaiting, &message_2).map_err(|error| error.to_string())?;
    expect_equal("payload of message 1", &payload, &second.payload)?;
    Ok((finished, established))
}

/// Seals and opens one transport message; published vectors have no associated data.
fn exchange(sealer: &mut Sealer, opener: &mut Opener, message: &Message) -> Verdict {
    let sealed = sealer
        .seal(&[], &message.payload)
        .map_err(|error| error.to_string())?;
    expect_equal("ciphertext", &sealed, &message.ciphertext)?;
    let opened = opener
        .open(&[], &sealed)
        .map_err(|error| error.to_string())?;
    expect_equal("payload", &opened, &message.payload)
}

/// Classic mode uses the X25519 key alone; the rest of the identity may be anything.
fn seeds(x25519: [u8; 32]) -> IdentitySeeds {
    IdentitySeeds {
        x25519,
        ml_kem: [0; 64],
        slh_dsa_sk_seed: [0; 32],
        slh_dsa_sk_prf: [0; 32],
        slh_dsa_pk_seed: [0; 32],
    }
}

/// A missing prologue is the empty one; flynn's files have one for both sides.
fn prologue(case: &Case<'_>, name: &str) -> Result<Vec<u8>, String> {
    if case.has(name) {
        case.hex(name)
    } else {
        case.hex_or_empty("prologue")
    }
}

fn ephemeral(case: &Case<'_>, name: &str, other: &str) -> Result<[u8; 32], String> {
    case.array(if case.has(name) { name } else { other })
}
