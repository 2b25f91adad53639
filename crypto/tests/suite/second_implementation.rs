//! Classic mode against `snow`, an implementation that shares no code with ours.

use crypto::fixed::{self, ClientRandomness, WorkerRandomness};
use crypto::{Identity, IdentitySeeds, Mode};
use proptest::prelude::*;
use snow::{Builder, HandshakeState, TransportState};

const PROTOCOL: &str = "Noise_NK_25519_ChaChaPoly_BLAKE2b";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn our_client_talks_to_snow(
        prologue in proptest::collection::vec(any::<u8>(), 0..300),
        keys in any::<[[u8; 32]; 2]>(),
        payload in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let identity = identity(keys[0]);
        let ours = fixed::prologue(Mode::Classic, &prologue);
        let random = ClientRandomness {
            e: keys[1], encapsulation: [0; 32], ephemeral_ml_kem: [0; 64],
        };
        let (awaiting, message_1) =
            fixed::initiate(Mode::Classic, &ours, identity.public(), &random, &payload)
                .expect("starts");
        let mut snow = builder(&prologue).local_private_key(&keys[0]).expect("a key")
            .build_responder().expect("builds");
        let mut buffer = [0; 1024];
        let length = snow.read_message(&message_1, &mut buffer).expect("snow reads message 1");
        prop_assert_eq!(&buffer[..length], payload.as_slice());
        let length = snow.write_message(&payload, &mut buffer).expect("snow writes message 2");
        let (mut client, answer) = fixed::finish(awaiting, &buffer[..length]).expect("finishes");
        prop_assert_eq!(answer.as_slice(), payload.as_slice());
        prop_assert_eq!(client.root.hash().as_slice(), snow.get_handshake_hash());
        let mut snow = transport(snow);
        for _ in 0..3 {
            let sealed = client.sealer.seal(&[], &payload).expect("seals");
            let length = snow.read_message(&sealed, &mut buffer).expect("snow opens");
            prop_assert_eq!(&buffer[..length], payload.as_slice());
            let length = snow.write_message(&payload, &mut buffer).expect("snow seals");
            let opened = client.opener.open(&[], &buffer[..length]).expect("opens");
            prop_assert_eq!(opened.as_slice(), payload.as_slice());
        }
    }

    #[test]
    fn snow_talks_to_our_worker(
        prologue in proptest::collection::vec(any::<u8>(), 0..300),
        keys in any::<[[u8; 32]; 2]>(),
        payload in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let identity = identity(keys[0]);
        let mut snow = builder(&prologue)
            .remote_public_key(identity.public().for_mode(Mode::Classic)).expect("a key")
            .build_initiator().expect("builds");
        let mut buffer = [0; 1024];
        let length = snow.write_message(&payload, &mut buffer).expect("snow writes message 1");
        let ours = fixed::prologue(Mode::Classic, &prologue);
        let (accepted, received) =
            fixed::accept(&identity, Mode::Classic, &ours, &buffer[..length]).expect("accepts");
        prop_assert_eq!(received.as_slice(), payload.as_slice());
        let random = WorkerRandomness {
            e2: keys[1], encapsulation: [0; 32], signature: [0; 32],
        };
        let (mut worker, message_2) =
            fixed::reply(accepted, &identity, &random, &payload).expect("replies");
        let length = snow.read_message(&message_2, &mut buffer).expect("snow reads message 2");
        prop_assert_eq!(&buffer[..length], payload.as_slice());
        prop_assert_eq!(worker.root.hash().as_slice(), snow.get_handshake_hash());
        let mut snow = transport(snow);
        let length = snow.write_message(&payload, &mut buffer).expect("snow seals");
        let opened = worker.opener.open(&[], &buffer[..length]).expect("opens");
        prop_assert_eq!(opened.as_slice(), payload.as_slice());
        let sealed = worker.sealer.seal(&[], &payload).expect("seals");
        let length = snow.read_message(&sealed, &mut buffer).expect("snow opens");
        prop_assert_eq!(&buffer[..length], payload.as_slice());
    }
}

fn builder(prologue: &[u8]) -> Builder<'_> {
    let protocol = PROTOCOL.parse().expect("snow knows the protocol");
    Builder::new(protocol)
        .prologue(prologue)
        .expect("a prologue")
}

fn transport(snow: HandshakeState) -> TransportState {
    snow.into_transport_mode().expect("the handshake is over")
}

fn identity(x25519: [u8; 32]) -> Identity {
    Identity::from_seeds(&IdentitySeeds {
        x25519,
        ml_kem: [0; 64],
        slh_dsa_sk_seed: [0; 32],
        slh_dsa_sk_prf: [0; 32],
        slh_dsa_pk_seed: [0; 32],
    })
}
