//! Writes our own test vectors into `crypto/vectors/`. They change only with the protocol.
//!
//! ```text
//! cargo run -p crypto --example make_vectors
//! ```

#[path = "../tests/suite/fixed_vectors/mod.rs"]
mod fixed_vectors;

use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    fs::create_dir_all(&folder)?;
    for (name, document) in fixed_vectors::all() {
        fs::write(folder.join(name), document.to_json())?;
    }
    Ok(())
}
