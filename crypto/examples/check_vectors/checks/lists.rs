//! Files that are a list of cases, or one case: Noise, CCTV and those taken from RFCs.

use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};
use blake2::Blake2bMac512;
use blake2::digest::{KeyInit, Mac};
use chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use chacha20::{ChaCha20, R20, hchacha};
use crypto::primitives;
use serde_json::Value;

use super::{Case, Check, Tally, Verdict, aead, expect_equal, expect_refused, kem, noise};

/// Each entry is recognised by itself.
pub(crate) fn entries(entries: &[Value], tally: &mut Tally) {
    for entry in entries {
        let case = Case::alone(entry);
        tally.run(&case, check_of(&case));
    }
}

/// Cases that stand on the file itself, under a name of their own.
pub(crate) fn single(file: &Value, tally: &mut Tally) {
    let named: [(&str, Check); 3] = [
        ("vector", cctv_decapsulation),
        ("aead_xchacha20_poly1305", aead::xchacha20_poly1305),
        ("hchacha20", hchacha20),
    ];
    for (name, check) in named {
        if let Some(case) = file.get(name) {
            tally.run(&Case::alone(case), Some(check));
        }
    }
    // CCTV's encapsulation keys with coefficients beyond the modulus: a list of bare hex.
    let must_be_rejected = file.get("must").and_then(Value::as_str).is_some();
    for key in file
        .get("ek")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let case = serde_json::json!({ "ek": key });
        tally.run(
            &Case::alone(&case),
            must_be_rejected.then_some(cctv_bad_key as _),
        );
    }
}

fn check_of(case: &Case<'_>) -> Option<Check> {
    let has = |names: &[&str]| names.iter().all(|name| case.has(name));
    if has(&["messages"]) {
        noise::check_of(case)
    } else if has(&["input_scalar", "input_u", "output_u"]) {
        Some(x25519)
    } else if has(&["hash", "in", "out"]) {
        (case.text("hash") == Ok("blake2b")).then_some(blake2b as _)
    } else if has(&["memcost", "iter", "lanes", "output"]) {
        Some(argon2id)
    } else if has(&["initial_block_counter", "plaintext", "ciphertext"]) {
        Some(chacha20)
    } else if has(&["key", "iv", "aad", "tag", "plaintext", "ciphertext"]) {
        Some(aead::chacha20_poly1305)
    } else {
        None
    }
}

fn x25519(case: &Case<'_>) -> Verdict {
    let shared = primitives::x25519(&case.array("input_scalar")?, &case.array("input_u")?)
        .map_err(|error| error.to_string())?;
    expect_equal("output_u", &*shared, &case.hex("output_u")?)
}

fn blake2b(case: &Case<'_>) -> Verdict {
    let (key, input) = (case.hex_or_empty("key")?, case.hex("in")?);
    let digest = if key.is_empty() {
        primitives::blake2b_512(&input).to_vec()
    } else {
        let mut mac = Blake2bMac512::new_from_slice(&key).map_err(|_| "the key is too long")?;
        mac.update(&input);
        mac.finalize().into_bytes().to_vec()
    };
    expect_equal("out", &digest, &case.hex("out")?)
}

fn argon2id(case: &Case<'_>) -> Verdict {
    let refused = |error: argon2::Error| error.to_string();
    let data = AssociatedData::new(&case.hex_or_empty("ad")?).map_err(refused)?;
    let mut output = vec![0; usize::try_from(case.number("length")?).map_err(|_| "length")?];
    let parameters = ParamsBuilder::new()
        .m_cost(case.number("memcost")?)
        .t_cost(case.number("iter")?)
        .p_cost(case.number("lanes")?)
        .data(data)
        .output_len(output.len())
        .build()
        .map_err(refused)?;
    let secret = case.hex_or_empty("secret")?;
    Argon2::new_with_secret(&secret, Algorithm::Argon2id, Version::V0x13, parameters)
        .and_then(|argon2| {
            let (password, salt) = (case.hex("pass"), case.hex("salt"));
            argon2.hash_password_into(
                &password.unwrap_or_default(),
                &salt.unwrap_or_default(),
                &mut output,
            )
        })
        .map_err(refused)?;
    expect_equal("output", &output, &case.hex("output")?)
}

fn chacha20(case: &Case<'_>) -> Verdict {
    let (key, nonce) = (case.array::<32>("key")?, case.array::<12>("nonce")?);
    let mut cipher = ChaCha20::new(&key.into(), &nonce.into());
    cipher.seek(u64::from(case.number("initial_block_counter")?) * 64);
    let mut text = case.hex("plaintext")?;
    cipher.apply_keystream(&mut text);
    expect_equal("ciphertext", &text, &case.hex("ciphertext")?)
}

fn hchacha20(case: &Case<'_>) -> Verdict {
    let (key, nonce) = (case.array::<32>("key")?, case.array::<16>("nonce")?);
    let subkey = hchacha::<R20>(&key.into(), &nonce.into());
    expect_equal("subkey", &subkey, &case.hex("subkey")?)
}

/// Implicit rejection must compare the whole ciphertext.
fn cctv_decapsulation(case: &Case<'_>) -> Verdict {
    let secret = kem::decapsulate_expanded(&case.hex("dk")?, &case.hex("c")?)?;
    expect_equal("K", &secret, &case.hex("K")?)
}

fn cctv_bad_key(case: &Case<'_>) -> Verdict {
    expect_refused("ek", kem::encapsulate(&case.hex("ek")?, &[0; 32]))
}
