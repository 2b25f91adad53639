//! NIST ACVP: ML-KEM-1024 and SLH-DSA-SHAKE-256f.
//!
//! Prompt and expected results must stand in one file, as in `internalProjection.json`; fields may
//! stand on the test or on its group.

use crypto::primitives;
use serde_json::Value;

use super::{Case, Check, Verdict, differs, expect_equal, expect_refused, kem};

/// The check of a group's cases, or `None` if they are of another parameter set or interface.
pub(crate) fn check_of(file: &Value, group: &Value) -> Option<Check> {
    let [algorithm, mode] = ["algorithm", "mode"].map(|name| file.get(name)?.as_str());
    let named = |name: &str| group.get(name).and_then(Value::as_str);
    match (algorithm?, mode?, named("parameterSet")?) {
        ("ML-KEM", "keyGen", "ML-KEM-1024") => Some(kem_key_generation),
        ("ML-KEM", "encapDecap", "ML-KEM-1024") => match named("function")? {
            "encapsulation" => Some(kem_encapsulation),
            "decapsulation" => Some(kem_decapsulation),
            "encapsulationKeyCheck" => Some(kem_public_key_check),
            "decapsulationKeyCheck" => Some(kem_secret_key_check),
            _ => None,
        },
        ("SLH-DSA", "keyGen", "SLH-DSA-SHAKE-256f") => Some(slh_key_generation),
        ("SLH-DSA", mode, "SLH-DSA-SHAKE-256f") => {
            let ours =
                named("signatureInterface") == Some("external") && named("preHash") == Some("pure");
            match mode {
                "sigGen" if ours => Some(slh_signature),
                "sigVer" if ours => Some(slh_verification),
                _ => None,
            }
        }
        _ => None,
    }
}

fn kem_key_generation(case: &Case<'_>) -> Verdict {
    let seed = [case.hex("d")?, case.hex("z")?].concat();
    kem::key_generation(&seed, &case.hex("ek")?, Some(&case.hex("dk")?))
}

fn kem_encapsulation(case: &Case<'_>) -> Verdict {
    kem::encapsulation(
        &case.hex("ek")?,
        &case.hex("m")?,
        &case.hex("c")?,
        &case.hex("k")?,
    )
}

/// A modified ciphertext gives the implicit-rejection secret, which is the expected one.
fn kem_decapsulation(case: &Case<'_>) -> Verdict {
    let ciphertext = case.hex("c")?;
    let secret = if case.has("dk") {
        kem::decapsulate_expanded(&case.hex("dk")?, &ciphertext)?
    } else {
        kem::decapsulate(&[case.hex("d")?, case.hex("z")?].concat(), &ciphertext)?
    };
    expect_equal("k", &secret, &case.hex("k")?)
}

fn kem_public_key_check(case: &Case<'_>) -> Verdict {
    let checked = kem::encapsulate(&case.hex("ek")?, &[0; 32]);
    as_expected(case, "ek", checked.map(|_| ()))
}

fn kem_secret_key_check(case: &Case<'_>) -> Verdict {
    let checked = kem::decapsulate_expanded(&case.hex("dk")?, &[0; 1568]);
    as_expected(case, "dk", checked.map(|_| ()))
}

fn slh_key_generation(case: &Case<'_>) -> Verdict {
    let secret = primitives::slh_dsa_key(
        &case.array("skSeed")?,
        &case.array("skPrf")?,
        &case.array("pkSeed")?,
    );
    expect_equal("sk", &*secret, &case.hex("sk")?)?;
    let public = secret.last_chunk::<64>().ok_or("sk is too short")?;
    expect_equal("pk", public, &case.hex("pk")?)
}

fn slh_signature(case: &Case<'_>) -> Verdict {
    let randomness = if case.truth("deterministic")? {
        None
    } else {
        Some(case.array("additionalRandomness")?)
    };
    let (secret, message) = (case.hex("sk")?, case.hex("message")?);
    let context = case.hex_or_empty("context")?;
    let signature = primitives::slh_dsa_sign(&secret, &context, &message, randomness.as_ref())
        .map_err(|error| error.to_string())?;
    expect_equal("signature", &signature, &case.hex("signature")?)?;
    let public = secret.last_chunk::<64>().ok_or("sk is too short")?;
    let verifies = primitives::slh_dsa_verifies(public, &context, &message, &signature);
    if verifies {
        Ok(())
    } else {
        differs("verdict on our own signature")
    }
}

fn slh_verification(case: &Case<'_>) -> Verdict {
    let (key, signature) = (case.hex("pk")?, case.hex("signature")?);
    let (context, message) = (case.hex_or_empty("context")?, case.hex("message")?);
    let verifies = primitives::slh_dsa_verifies(&key, &context, &message, &signature);
    if verifies == case.truth("testPassed")? {
        Ok(())
    } else {
        differs("verdict")
    }
}

fn as_expected(case: &Case<'_>, what: &str, checked: Result<(), String>) -> Verdict {
    if case.truth("testPassed")? {
        checked
    } else {
        expect_refused(what, checked)
    }
}
