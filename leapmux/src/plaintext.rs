//! `leapmux-plaintext`: the same program with encryption taken out, for one test only.
//!
//! The test that searches everything at the Hub for what was typed has to be able to fail; this
//! binary makes it fail. It is built by no release and says what it is at every start.

fn main() -> std::process::ExitCode {
    eprintln!("leapmux-plaintext: NOT ENCRYPTED, a test build; never use it for anything else");
    leapmux::main()
}
