//! The one binary.
pub fn main() {}
