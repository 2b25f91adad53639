//! Length-prefixed fields, and reading what was received without indexing.

use crate::Error;

/// Appends LP(field): a big-endian `u16` length, then the bytes. An LP field is never empty.
pub(crate) fn put_lp(out: &mut Vec<u8>, field: &[u8]) -> Result<(), Error> {
    let length = u16::try_from(field.len()).map_err(|_| Error::Field)?;
    if length == 0 {
        return Err(Error::Field);
    }
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(field);
    Ok(())
}

/// The bytes of an id in its text form: ASCII, 1 to 64 bytes.
pub(crate) fn id(text: &str) -> Result<&[u8], Error> {
    let fits = (1..=64).contains(&text.len()) && text.is_ascii();
    if fits {
        Ok(text.as_bytes())
    } else {
        Err(Error::Identifier)
    }
}

/// Takes the first `N` bytes of `input`, or nothing if there are fewer.
pub(crate) fn take<'a, const N: usize>(input: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(first)
}
