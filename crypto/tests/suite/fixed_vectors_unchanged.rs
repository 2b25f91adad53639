//! The vectors in `vectors/` are what the code computes.

use std::fs;
use std::path::Path;

use crate::fixed_vectors;

#[test]
fn our_own_vectors_are_what_the_code_computes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    for (name, document) in fixed_vectors::all() {
        let kept = fs::read_to_string(folder.join(name)).expect("the file is kept with the code");
        // Not assert_eq: on a difference it would print some 100 KB of hex.
        assert!(
            kept == document.to_json(),
            "{name} differs; run the example make_vectors"
        );
    }
}
