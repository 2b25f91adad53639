//! Every input that was ever worth keeping, through its target again.

use std::{fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fuzz::{TARGETS, Target};

fn place(of: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), of].iter().collect()
}

#[expect(clippy::print_stdout, reason = "a failing test shows what it was at")]
fn replay(target: Target, input: &[u8]) {
    // Shown when the test fails.
    println!("{} {}", target.name, STANDARD.encode(input));
    (target.run)(input);
}

#[test]
fn no_saved_input_shows_a_bug() {
    for target in TARGETS {
        let corpus = fs::read_to_string(place("corpus").join(target.name)).expect(target.name);
        for line in corpus.lines() {
            replay(*target, &STANDARD.decode(line).expect("a line is base64"));
        }
    }
}

#[test]
fn no_bug_that_was_fixed_is_back() {
    for folder in fs::read_dir(place("regressions")).expect("there were some") {
        let folder = folder.expect("the folder can be read");
        let name = folder.file_name();
        let target = fuzz::find(&name.to_string_lossy()).expect("it has the name of a target");
        for input in fs::read_dir(folder.path()).expect("the folder can be read") {
            let path = input.expect("the folder can be read").path();
            replay(target, &fs::read(path).expect("the file can be read"));
        }
    }
}

#[test]
fn the_verdicts_for_the_page_are_those_of_this_parser() {
    let corpus = fs::read_to_string(place("corpus/outer")).expect("the corpus is there");
    let verdicts = fs::read_to_string(place("verdicts/outer")).expect("the verdicts are there");
    let verdict = |line| fuzz::verdict::of_outer(&STANDARD.decode(line).expect("a line is base64"));
    let found: Vec<String> = corpus.lines().map(verdict).collect();
    let kept: Vec<&str> = verdicts.lines().collect();
    assert_eq!(found, kept, "run `cargo run -p fuzz --example verdicts`");
}

#[test]
fn no_target_minds_an_empty_input() {
    TARGETS.iter().for_each(|target| replay(*target, &[]));
}
