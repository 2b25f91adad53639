//! `leapmux`.

#[cfg(feature = "plaintext")]
compile_error!(
    "the feature `plaintext` is for the binary leapmux-plaintext alone: add `--bin leapmux-plaintext`"
);

fn main() -> std::process::ExitCode {
    leapmux::main()
}
