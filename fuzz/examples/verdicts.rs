//! Writes `verdicts/outer`, a line for each line of `corpus/outer`, after the corpus has grown.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = fs::read_to_string(folder.join("corpus/outer")).expect("the corpus is there");
    let verdict = |line: &str| {
        let message = STANDARD.decode(line).expect("a line is base64");
        fuzz::verdict::of_outer(&message) + "\n"
    };
    let verdicts: String = corpus.lines().map(verdict).collect();
    fs::create_dir_all(folder.join("verdicts")).expect("the folder can be made");
    fs::write(folder.join("verdicts/outer"), verdicts).expect("it can be written");
}
