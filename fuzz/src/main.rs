//! libFuzzer's process: `FUZZ_TARGET` names the target, the arguments are libFuzzer's.
#![no_main]

use std::sync::OnceLock;

use fuzz::{TARGETS, Target, find};

static CHOSEN: OnceLock<Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| (CHOSEN.get_or_init(choose).run)(data));

#[expect(clippy::disallowed_methods, reason = "libFuzzer owns the command line")]
fn choose() -> Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    find(&name).unwrap_or_else(|| {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("FUZZ_TARGET is one of {}", names.join(" "));
        std::process::exit(2)
    })
}
