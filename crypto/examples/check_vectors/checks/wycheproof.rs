//! Wycheproof, recognised by the type of each group.

use crypto::primitives;
use serde_json::Value;

use super::{Case, Check, Verdict, aead, differs, expect_equal, expect_refused, kem};

/// The check of a group's cases, or `None` if they are of another algorithm.
pub(crate) fn check_of(file: &Value, group: &Value) -> Option<Check> {
    let named = |name: &str| group.get(name).and_then(Value::as_str);
    let algorithm = file.get("algorithm")?.as_str()?;
    match (
        named("type")?,
        algorithm,
        named("parameterSet").or_else(|| named("curve")),
    ) {
        ("XdhComp", _, Some("curve25519")) => Some(x25519),
        ("AeadTest", "CHACHA20-POLY1305", _) => Some(aead::chacha20_poly1305),
        ("AeadTest", "XCHACHA20-POLY1305", _) => Some(aead::xchacha20_poly1305),
        ("MLKEMTest", _, Some("ML-KEM-1024")) => Some(kem_decapsulation),
        ("MLKEMDecapsTest" | "MLKEMDecapsValidationTest", _, Some("ML-KEM-1024")) => {
            Some(kem_decapsulation_expanded)
        }
        ("MLKEMEncapsTest", _, Some("ML-KEM-1024")) => Some(kem_encapsulation),
        ("MLKEMKeyGen", _, Some("ML-KEM-1024")) => Some(kem_key_generation),
        ("MlDsaVerify", "ML-DSA-65", _) => Some(ml_dsa),
        ("EddsaVerify", "EDDSA", _) => is_ed25519(group).then_some(ed25519 as _),
        _ => None,
    }
}

/// An all-zero result must be refused; everything else that is "acceptable" must be right.
fn x25519(case: &Case<'_>) -> Verdict {
    let (private, public) = (case.hex("private")?, case.hex("public")?);
    let (Ok(private), Ok(public)) = (<[u8; 32]>::try_from(private), <[u8; 32]>::try_from(public))
    else {
        return if case.is_invalid()? {
            Ok(())
        } else {
            Err("a key is not of 32 bytes".into())
        };
    };
    let shared = primitives::x25519(&private, &public);
    if case.has_flag("ZeroSharedSecret") || case.is_invalid()? {
        return expect_refused("the shared secret", shared);
    }
    let shared = shared.map_err(|error| error.to_string())?;
    expect_equal("shared", &*shared, &case.hex("shared")?)
}

fn kem_decapsulation(case: &Case<'_>) -> Verdict {
    let (seed, ciphertext) = (case.hex("seed")?, case.hex("c")?);
    let secret = kem::decapsulate(&seed, &ciphertext);
    if case.is_invalid()? {
        return expect_refused("the seed or ciphertext", secret);
    }
    if case.has("ek") {
        kem::key_generation(&seed, &case.hex("ek")?, None)?;
    }
    expect_equal("K", &secret?, &case.hex("K")?)
}

fn kem_decapsulation_expanded(case: &Case<'_>) -> Verdict {
    let secret = kem::decapsulate_expanded(&case.hex("dk")?, &case.hex("c")?);
    if case.is_invalid()? {
        return expect_refused("the key or ciphertext", secret);
    }
    let secret = secret?;
    // The validation tests say that it must work, and not with what result.
    if case.has("K") {
        expect_equal("K", &secret, &case.hex("K")?)
    } else {
        Ok(())
    }
}

fn kem_encapsulation(case: &Case<'_>) -> Verdict {
    let (key, m) = (case.hex("ek")?, case.hex("m")?);
    if case.is_invalid()? {
        return expect_refused("ek", kem::encapsulate(&key, &m));
    }
    kem::encapsulation(&key, &m, &case.hex("c")?, &case.hex("K")?)
}

fn kem_key_generation(case: &Case<'_>) -> Verdict {
    let seed = case.hex("seed")?;
    let expanded = if case.has("dk") {
        Some(case.hex("dk")?)
    } else {
        None
    };
    let generated = kem::key_generation(&seed, &case.hex_or_empty("ek")?, expanded.as_deref());
    if case.is_invalid()? {
        expect_refused("the seed", generated)
    } else {
        generated
    }
}

fn is_ed25519(group: &Value) -> bool {
    let curve = group.get("publicKey").and_then(|key| key.get("curve"));
    curve.and_then(Value::as_str) == Some("edwards25519")
}

fn ed25519(case: &Case<'_>) -> Verdict {
    let key = case.value("publicKey").ok_or("no publicKey")?;
    let key = Case::alone(key).hex("pk")?;
    let verifies = primitives::ed25519_verifies(&key, &case.hex("msg")?, &case.hex("sig")?);
    if verifies == case.is_invalid()? {
        differs("verdict")
    } else {
        Ok(())
    }
}

fn ml_dsa(case: &Case<'_>) -> Verdict {
    let verifies = primitives::ml_dsa_verifies(
        &case.hex("publicKey")?,
        &case.hex_or_empty("ctx")?,
        &case.hex("msg")?,
        &case.hex("sig")?,
    );
    if verifies == case.is_invalid()? {
        differs("verdict")
    } else {
        Ok(())
    }
}
