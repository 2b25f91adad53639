//! Checks this crate against test vectors, for auditors.
//!
//! ```text
//! cargo run --release -p crypto --example check_vectors -- FILE_OR_DIRECTORY…
//! ```
//!
//! Formats are recognised by content: Noise (cacophony and flynn, `NK_25519_ChaChaPoly_BLAKE2b`),
//! NIST ACVP (ML-KEM-1024; SLH-DSA-SHAKE-256f, external and pure), Wycheproof (X25519, ML-KEM-1024,
//! ChaCha20-Poly1305, XChaCha20-Poly1305, Ed25519, ML-DSA-65 verification), CCTV (ML-KEM-1024) and lists of RFC vectors
//! (X25519, ChaCha20, ChaCha20-Poly1305, XChaCha20-Poly1305, HChaCha20, BLAKE2b, Argon2id).
//!
//! Cases of other protocols and parameter sets in the same file are counted as skipped. From a
//! directory, and all directories in it, every `*.json` but `MANIFEST.json` is taken. The last
//! line is `N passed, N failed`; the exit code is 1 after a failure, an unreadable file or a file
//! without a recognised case, 2 without arguments.
#![expect(
    clippy::print_stdout,
    reason = "a program for people; its output is its purpose"
)]

mod checks;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

use checks::Tally;

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    if arguments.is_empty() {
        eprintln!("usage: check_vectors FILE_OR_DIRECTORY…");
        return ExitCode::from(2);
    }
    let mut run = Run::default();
    arguments.iter().for_each(|path| run.visit(path));
    println!("{} passed, {} failed", run.passed, run.failed);
    if run.failed == 0 && run.useless == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What all files came to.
#[derive(Default)]
struct Run {
    passed: usize,
    failed: usize,
    /// Files that could not be read or held nothing recognised, and directories without a file.
    useless: usize,
}

impl Run {
    fn visit(&mut self, path: &Path) {
        if !path.is_dir() {
            return self.check(path);
        }
        match vector_files(path) {
            Ok(files) if files.is_empty() => self.give_up(path, "no vector files in it"),
            Ok(files) => files.iter().for_each(|file| self.check(file)),
            Err(error) => self.give_up(path, &error.to_string()),
        }
    }

    fn check(&mut self, path: &Path) {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.give_up(path, &error.to_string()),
        };
        let tally = checks::check(&text);
        for failure in &tally.failures {
            println!("{}: {failure}", path.display());
        }
        println!("{}: {tally}", path.display());
        self.add(path, &tally);
    }

    fn add(&mut self, path: &Path, tally: &Tally) {
        self.passed += tally.passed;
        self.failed += tally.failures.len();
        if tally.passed + tally.failures.len() == 0 {
            self.give_up(path, "no recognised case");
        }
    }

    fn give_up(&mut self, path: &Path, reason: &str) {
        self.useless += 1;
        println!("{}: {reason}", path.display());
    }
}

/// Every vector file below `directory`, in the order of their names.
fn vector_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() {
            files.extend(vector_files(&path)?);
        } else if is_vector_file(&path) {
            files.push(path);
        }
    }
    Ok(files)
}

fn is_vector_file(path: &Path) -> bool {
    let json = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    json && path.file_name() != Some(OsStr::new("MANIFEST.json"))
}
