//! What the program itself reads: configuration, addresses, what is typed, the folder of `remote`.

use std::fs;

use arbitrary::{Arbitrary, Unstructured};
use leapmux::fuzzing;
use tempfile::tempdir;

use crate::worker::private;

/// A configuration file, read for every role. What is printed of it can be read in its place.
pub fn configuration(data: &[u8]) {
    let folder = tempdir().expect("a folder of our own can be made");
    let file = folder.path().join("leapmux.yaml");
    fs::write(&file, data).expect("the folder is there");
    for printed in fuzzing::configuration(&file) {
        assert!(serde_json::from_str::<serde_json::Value>(&printed).is_ok());
    }
}

/// What `--hub` takes: the one text of an address is an address, and its own text.
pub fn address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Some((key, authority)) = fuzzing::address(text) else {
        return;
    };
    assert!(!authority.is_empty());
    let again = fuzzing::address(&key);
    assert_eq!(again, Some((key, authority)));
}

/// What is typed, in pieces: cutting it differently changes nothing, and only tildes go missing.
pub fn escape(data: &[u8]) {
    let Some((cut, typed)) = data.split_first() else {
        return;
    };
    let (one, two) = typed.split_at(typed.len() * usize::from(*cut) / 256);
    let whole = fuzzing::typed(&[typed]);
    assert_eq!(fuzzing::typed(&[one, two]), whole);
    let each: Vec<&[u8]> = typed.chunks(1).collect();
    assert_eq!(fuzzing::typed(&each), whole);
    let (sent, left) = whole;
    let mut rest = typed.iter();
    assert!(
        sent.iter().all(|byte| rest.any(|typed| typed == byte)),
        "in the order typed"
    );
    assert!(!left || typed.windows(2).any(|pair| pair == b"~."));
    if !typed.contains(&b'~') {
        assert_eq!(sent, typed);
    }
}

#[derive(Arbitrary, Debug)]
struct Files<'a> {
    key: &'a str,
    pins: &'a [u8],
    registrations: &'a [u8],
    credentials: &'a [u8],
}

/// `pins.json`, `registrations.json` and `credentials.json`.
pub fn remote_files(data: &[u8]) {
    let Ok(files) = Files::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let folder = tempdir().expect("a folder of our own can be made");
    let folder = folder.path();
    private(&folder.join("pins.json"), files.pins);
    private(&folder.join("registrations.json"), files.registrations);
    private(&folder.join("credentials.json"), files.credentials);
    let read = fuzzing::remote_files(folder.to_owned(), files.key);
    let (usable, secret) = read.expect("the folder is ours alone");
    // A key in hexadecimal alone takes more than this.
    assert!(usable <= files.pins.len() / 3_000);
    assert!(secret.is_none() || files.registrations.len() > 43);
}
