//! Placeholder build.
fn main() {}
