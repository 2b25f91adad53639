//! Wiring only: what the Channel actor does with its brains' verdicts.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

mod bench;
mod moving;
mod wiring;
