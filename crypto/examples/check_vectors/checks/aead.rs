//! ChaCha20-Poly1305 and XChaCha20-Poly1305, in the terms that Wycheproof and the RFCs share.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, XChaCha20Poly1305};
use crypto::primitives;

use super::{Case, Verdict, expect_equal, expect_refused};

pub(crate) fn chacha20_poly1305(case: &Case<'_>) -> Verdict {
    let vector = Vector::read(case)?;
    let Ok(nonce) = <[u8; 12]>::try_from(vector.nonce.as_slice()) else {
        return refused_nonce(case);
    };
    let cipher = ChaCha20Poly1305::new(&vector.key.into());
    vector.check(
        case,
        cipher.encrypt(&nonce.into(), vector.plain()),
        cipher.decrypt(&nonce.into(), vector.sealed()),
    )?;
    // Where the nonce has the form that frames use, the crate's own function must agree too.
    match nonce.split_first_chunk::<4>() {
        Some(([0, 0, 0, 0], counter)) if !invalid(case)? => {
            let counter = u64::from_le_bytes(counter.try_into().map_err(|_| "nonce")?);
            let sealed = primitives::seal(
                &vector.key,
                counter,
                &vector.associated_data,
                &vector.message,
            )
            .map_err(|error| error.to_string())?;
            expect_equal("the frame", &sealed, &vector.ciphertext)
        }
        Some(_) | None => Ok(()),
    }
}

pub(crate) fn xchacha20_poly1305(case: &Case<'_>) -> Verdict {
    let vector = Vector::read(case)?;
    let Ok(nonce) = <[u8; 24]>::try_from(vector.nonce.as_slice()) else {
        return refused_nonce(case);
    };
    let cipher = XChaCha20Poly1305::new(&vector.key.into());
    vector.check(
        case,
        cipher.encrypt(&nonce.into(), vector.plain()),
        cipher.decrypt(&nonce.into(), vector.sealed()),
    )
}

struct Vector {
    key: [u8; 32],
    nonce: Vec<u8>,
    associated_data: Vec<u8>,
    message: Vec<u8>,
    /// Ciphertext and tag.
    ciphertext: Vec<u8>,
}

impl Vector {
    fn read(case: &Case<'_>) -> Result<Self, String> {
        let either = |name, other| case.hex(if case.has(name) { name } else { other });
        Ok(Self {
            key: case.array("key")?,
            nonce: either("iv", "nonce")?,
            associated_data: case.hex_or_empty("aad")?,
            message: either("msg", "plaintext")?,
            ciphertext: [either("ct", "ciphertext")?, case.hex("tag")?].concat(),
        })
    }

    fn plain(&self) -> Payload<'_, '_> {
        Payload {
            msg: &self.message,
            aad: &self.associated_data,
        }
    }

    fn sealed(&self) -> Payload<'_, '_> {
        Payload {
            msg: &self.ciphertext,
            aad: &self.associated_data,
        }
    }

    fn check<E>(
        &self,
        case: &Case<'_>,
        sealed: Result<Vec<u8>, E>,
        opened: Result<Vec<u8>, E>,
    ) -> Verdict {
        if invalid(case)? {
            return expect_refused("the ciphertext", opened);
        }
        let sealed = sealed.map_err(|_| "it was not sealed")?;
        expect_equal("ciphertext", &sealed, &self.ciphertext)?;
        let opened = opened.map_err(|_| "it was not opened")?;
        expect_equal("plaintext", &opened, &self.message)
    }
}

/// A nonce of the wrong length has no meaning in either cipher.
fn refused_nonce(case: &Case<'_>) -> Verdict {
    if invalid(case)? {
        Ok(())
    } else {
        Err("the nonce has the wrong length".into())
    }
}

/// RFC vectors have no `result`: they are valid.
fn invalid(case: &Case<'_>) -> Result<bool, String> {
    if case.has("result") {
        case.is_invalid()
    } else {
        Ok(false)
    }
}
