//! Handshakes, renewals, frames, statements and keys. Random bytes never get past a tag, so most
//! targets start from something genuine and let the fuzzer alter it: what was altered is refused,
//! what was not is taken.

use std::sync::{Arc, OnceLock};

use arbitrary::{Arbitrary, Unstructured};
use crypto::{
    AwaitingReply, DeviceKey, Identity, Label, Mode, Pin, PinVerdict, Prologue, PublicKey, Renewal,
    Root, SignedParts,
};

use crate::dice::Dice;

/// Changes to genuine bytes.
#[derive(Arbitrary, Debug)]
pub(crate) struct Edit {
    at: u16,
    with: u8,
    kind: Kind,
}

#[derive(Arbitrary, Debug)]
enum Kind {
    Exclusive,
    Cut,
    Append,
    Replace,
}

/// The bytes after all edits.
pub(crate) fn edited(genuine: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = genuine.to_vec();
    for edit in edits.iter().take(8) {
        let at = usize::from(edit.at) % bytes.len().max(1);
        match edit.kind {
            Kind::Exclusive => bytes
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|b| *b ^= edit.with),
            Kind::Cut => bytes.truncate(at),
            Kind::Append => bytes.push(edit.with),
            Kind::Replace => bytes
                .iter_mut()
                .skip(at)
                .take(32)
                .for_each(|b| *b = edit.with),
        }
    }
    bytes
}

/// The Worker of all targets.
pub(crate) fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| Identity::generate(&mut Dice::new(1)))
}

/// The client's device in all targets.
pub(crate) fn device() -> &'static Arc<DeviceKey> {
    static DEVICE: OnceLock<Arc<DeviceKey>> = OnceLock::new();
    DEVICE.get_or_init(|| Arc::new(DeviceKey::from_seeds(&[3; 32], &[4; 32])))
}

fn mode(is_classic: bool) -> Mode {
    if is_classic {
        Mode::Classic
    } else {
        Mode::PostQuantum
    }
}

fn prologue(mode: Mode) -> Prologue {
    Prologue::new(mode, &[9; 16], "worker", "user").expect("the ids are good")
}

fn begun(mode: Mode) -> (AwaitingReply, Vec<u8>) {
    crypto::initiate(
        mode,
        &prologue(mode),
        identity().public(),
        &mut Dice::new(2),
    )
    .expect("the key is good")
}

#[derive(Arbitrary, Debug)]
struct Altered {
    is_classic: bool,
    edits: Vec<Edit>,
}

fn parsed<'a, T: Arbitrary<'a>>(data: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(data)).ok()
}

/// Message 1 at the Worker.
pub fn message_1(data: &[u8]) {
    let Some(Altered { is_classic, edits }) = parsed(data) else {
        return;
    };
    let mode = mode(is_classic);
    let (_, genuine) = begun(mode);
    let sent = edited(&genuine, &edits);
    let accepted = crypto::accept(identity(), mode, &prologue(mode), &sent).is_ok();
    assert_eq!(accepted, sent == genuine);
    let raw = crypto::accept(identity(), mode, &prologue(mode), data);
    assert!(raw.is_err() || data == genuine);
}

/// Message 2 at the client; the post-quantum one carries the Worker's signature.
pub fn message_2(data: &[u8]) {
    static ANSWERS: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let answers = ANSWERS.get_or_init(|| [mode(false), mode(true)].map(answered));
    let Some(Altered { is_classic, edits }) = parsed(data) else {
        return;
    };
    let [hybrid, classic] = answers;
    let genuine = if is_classic { classic } else { hybrid };
    let sent = edited(genuine, &edits);
    let (awaiting, _) = begun(mode(is_classic));
    assert_eq!(awaiting.finish(&sent).is_ok(), &sent == genuine);
}

fn answered(mode: Mode) -> Vec<u8> {
    let (_, message_1) = begun(mode);
    let accepted = crypto::accept(identity(), mode, &prologue(mode), &message_1);
    let answer = accepted.and_then(|accepted| accepted.reply(identity(), &mut Dice::new(5)));
    answer.expect("it is genuine").1
}

#[derive(Arbitrary, Debug)]
struct Renewing {
    is_classic: bool,
    serial: u32,
    base: u32,
    received: [u64; 2],
    asked: Vec<Edit>,
    answered: Vec<Edit>,
}

/// Both messages of a renewal; the numbers in them arrive as they were sent.
pub fn renewal(data: &[u8]) {
    let Some(case) = parsed::<Renewing>(data) else {
        return;
    };
    let root = || -> Root { crypto::fixed::root(&[1; 64], &[2; 64]) };
    let stated = |received| Renewal {
        mode: mode(case.is_classic),
        serial: case.serial,
        base: case.base,
        received,
    };
    let [mine, yours] = case.received;
    let (awaiting, genuine) = crypto::renew(
        &stated(mine),
        &root(),
        identity().public(),
        &mut Dice::new(6),
    )
    .expect("the key is good");
    let sent = edited(&genuine, &case.asked);
    let answer = crypto::answer_renewal(
        &stated(yours),
        &root(),
        identity(),
        &sent,
        &mut Dice::new(7),
    );
    assert_eq!(answer.is_ok(), sent == genuine);
    let Ok((_, heard, genuine)) = answer else {
        return;
    };
    assert_eq!(heard, mine);
    let sent = edited(&genuine, &case.answered);
    let finished = awaiting.finish(&sent);
    assert_eq!(finished.is_ok(), sent == genuine);
    assert!(finished.map_or(true, |(_, heard)| heard == yours));
}

#[derive(Arbitrary, Debug)]
struct Sealed<'a> {
    plaintext: &'a [u8],
    associated: [u8; 9],
    edits: Vec<Edit>,
    claimed: Option<[u8; 9]>,
}

/// Frames in a row: each opens once and as it was sealed, and the counter stands after a failure.
pub fn transport(data: &[u8]) {
    let Some(frames) = parsed::<Vec<Sealed<'_>>>(data) else {
        return;
    };
    let (mut sealer, mut opener) = epoch();
    for frame in frames.iter().take(32) {
        let sealed = sealer.seal(&frame.associated, frame.plaintext);
        let genuine = sealed.expect("a plaintext of the fuzzer is short");
        let sent = edited(&genuine, &frame.edits);
        let claimed = frame.claimed.unwrap_or(frame.associated);
        let counter = opener.counter();
        let opened = opener.open(&claimed, &sent);
        let intact = sent == genuine && claimed == frame.associated;
        assert_eq!(opened.is_ok(), intact);
        let Ok(opened) = opened else {
            assert_eq!(
                opener.counter(),
                counter,
                "a failure does not move the counter"
            );
            return;
        };
        assert_eq!(opened.as_slice(), frame.plaintext);
        assert_eq!(opener.counter(), counter + 1);
    }
}

fn epoch() -> (crypto::Sealer, crypto::Opener) {
    let mode = Mode::Classic;
    let (awaiting, message_1) = begun(mode);
    let accepted = crypto::accept(identity(), mode, &prologue(mode), &message_1);
    let answer = accepted.and_then(|accepted| accepted.reply(identity(), &mut Dice::fresh()));
    let (worker, message_2) = answer.expect("it is genuine");
    let client = awaiting.finish(&message_2).expect("it is genuine");
    (client.sealer, worker.opener)
}

#[derive(Arbitrary, Debug)]
struct Statement<'a> {
    is_classic: bool,
    algorithm: Option<u8>,
    key: Vec<Edit>,
    body: &'a [u8],
    changed_body: Vec<Edit>,
    signature: Vec<Edit>,
    context: Vec<Edit>,
    label: u8,
}

/// A signed statement with anything altered, and one that is the fuzzer's alone.
pub fn signed(data: &[u8]) {
    let Some(case) = parsed::<Statement<'_>>(data) else {
        return;
    };
    let mode = mode(case.is_classic);
    let body = if case.body.is_empty() {
        b"body"
    } else {
        case.body
    };
    let context = b"context".as_slice();
    let genuine = device()
        .sign(
            mode,
            Label::Claim,
            context,
            body.to_vec(),
            &mut Dice::new(8),
        )
        .expect("body and context are short and not empty");
    let sent = SignedParts {
        algorithm: case.algorithm.unwrap_or(genuine.algorithm),
        key: edited(&genuine.key, &case.key),
        body: edited(&genuine.body, &case.changed_body),
        signature: edited(&genuine.signature, &case.signature),
    };
    let other = edited(context, &case.context);
    let label = [Label::Claim, Label::Device, Label::Grant, Label::Rotation];
    let label = label[usize::from(case.label) % label.len()];
    let taken = crypto::verify(mode, label, &other, &sent).is_ok();
    let intact = sent == genuine && other == context && label == Label::Claim;
    assert_eq!(taken, intact);
}

#[derive(Arbitrary, Debug)]
struct Keys<'a> {
    public: Vec<Edit>,
    identity: Vec<Edit>,
    device: Vec<Edit>,
    raw: &'a [u8],
}

/// Public keys and the two key files.
pub fn keys(data: &[u8]) {
    let Some(case) = parsed::<Keys<'_>>(data) else {
        return;
    };
    let key = edited(identity().public().as_bytes(), &case.public);
    for bytes in [key.as_slice(), case.raw] {
        if let Ok(key) = PublicKey::from_bytes(bytes) {
            assert_eq!(key.as_bytes(), bytes);
            assert_eq!(key.for_mode(Mode::PostQuantum), bytes);
        }
    }
    let genuine = device().encode();
    let file = edited(&genuine, &case.device);
    assert_eq!(DeviceKey::decode(&file).is_ok(), file == *genuine);
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    let genuine = FILE.get_or_init(|| identity().encode().to_vec());
    let file = edited(genuine, &case.identity);
    // Reading a whole one computes a tree of hashes: not for every input.
    if &file != genuine {
        assert!(Identity::decode(&file).is_err());
    }
    assert!(DeviceKey::decode(case.raw).is_err() && Identity::decode(case.raw).is_err());
}

#[derive(Arbitrary, Debug)]
struct Registered<'a> {
    secret: [u8; 32],
    id: &'a str,
    user: &'a str,
    key: &'a [u8],
    tag: Vec<Edit>,
    pinned: Option<(&'a [u8], bool)>,
    offered: (&'a [u8], bool),
}

/// Registration tags, and the judgement of a pin.
pub fn trust_of_keys(data: &[u8]) {
    let Some(case) = parsed::<Registered<'_>>(data) else {
        return;
    };
    if let Ok(tag) = crypto::worker_tag(&case.secret, case.id, case.key) {
        let sent = edited(&tag, &case.tag);
        let taken = crypto::verify_worker_tag(&case.secret, case.id, case.key, &sent);
        assert_eq!(taken.is_ok(), sent == tag);
        // One kind of tag never stands for the other.
        let algorithm = crypto::Algorithm::Ed25519;
        let device = crypto::verify_device_tag;
        assert!(device(&case.secret, case.id, case.user, algorithm, case.key, &tag).is_err());
    }
    let pin = case.pinned.map(|(key, is_classic)| Pin {
        public_key: key.to_vec(),
        mode: mode(is_classic),
    });
    let (key, is_classic) = case.offered;
    let verdict = crypto::judge(pin.as_ref(), key, mode(is_classic));
    match (&pin, verdict.stops()) {
        (None, stops) => assert!(!stops && verdict == PinVerdict::FirstUse),
        (Some(pin), false) => {
            assert!(pin.public_key == key && !mode(is_classic).is_weaker_than(pin.mode));
        }
        (Some(pin), true) => {
            assert!(pin.public_key != key || mode(is_classic).is_weaker_than(pin.mode));
        }
    }
}
