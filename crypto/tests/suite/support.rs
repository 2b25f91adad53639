//! What several tests need: a Worker made once, a prologue, an exchange that went well.

use std::sync::OnceLock;

use crypto::{Established, Identity, Mode, Prologue};
use rand::SeedableRng;
use rand::rngs::StdRng;

pub(crate) const BOTH: [Mode; 2] = [Mode::Classic, Mode::PostQuantum];

/// One identity for all tests of a binary: making one takes 10 ms.
pub(crate) fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| Identity::generate(&mut StdRng::seed_from_u64(1)))
}

/// Fresh randomness; a test that needs the same twice says so with a seed.
pub(crate) fn rng() -> StdRng {
    rand::make_rng()
}

pub(crate) fn prologue(mode: Mode) -> Prologue {
    Prologue::new(mode, &[7; 16], "worker-1", "user-1").expect("good ids")
}

/// Client's and Worker's end after a handshake.
pub(crate) fn establish(mode: Mode) -> (Established, Established) {
    let prologue = prologue(mode);
    let (awaiting, message_1) =
        crypto::initiate(mode, &prologue, identity().public(), &mut rng()).expect("starts");
    let accepted = crypto::accept(identity(), mode, &prologue, &message_1).expect("accepts");
    let (worker, message_2) = accepted.reply(identity(), &mut rng()).expect("replies");
    (awaiting.finish(&message_2).expect("finishes"), worker)
}
