//! Every published vector that is kept with the code.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::checks;

#[test]
fn every_published_vector_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/published");
    let manifest = read(&folder, "MANIFEST.json");
    let files: Vec<Value> = serde_json::from_str(&manifest).expect("the manifest is a list");
    assert_eq!(files.len(), 22);
    for file in files {
        let name = file["file"].as_str().expect("a file has a name");
        let tally = checks::check(&read(&folder, name));
        assert_eq!(tally.failures, Vec::<String>::new(), "{name}");
        assert_eq!(Some(tally.passed as u64), file["cases"].as_u64(), "{name}");
        assert_eq!(tally.skipped, 0, "{name}");
    }
}

#[test]
fn a_wrong_expectation_is_a_failure() {
    let right = r#"{ "vectors": [{ "hash": "blake2b", "in": "", "key": "",
        "out": "786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce" }] }"#;
    assert_eq!(checks::check(right).passed, 1);
    let wrong = checks::check(&right.replace("786a", "786b"));
    assert_eq!((wrong.passed, wrong.failures.len()), (0, 1));
}

#[test]
fn other_protocols_and_parameter_sets_are_skipped_and_not_passed() {
    let noise = r#"{ "vectors": [{ "protocol_name": "Noise_XX_25519_AESGCM_SHA256",
        "messages": [] }] }"#;
    let acvp = r#"[{ "acvVersion": "1.0" }, { "algorithm": "ML-KEM", "mode": "keyGen",
        "testGroups": [{ "parameterSet": "ML-KEM-512", "tests": [{ "tcId": 1 }] }] }]"#;
    for text in [noise, acvp] {
        let tally = checks::check(text);
        assert_eq!(
            (tally.passed, tally.failures.len(), tally.skipped),
            (0, 0, 1)
        );
    }
    for text in [
        "",
        "{}",
        "[]",
        "not json",
        "7",
        r#"{ "vectors": 7, "testGroups": 7 }"#,
    ] {
        let tally = checks::check(text);
        assert_eq!(
            (tally.passed, tally.failures.len(), tally.skipped),
            (0, 0, 0),
            "{text}"
        );
    }
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).expect("the file is kept with the code")
}
