//! Terminals: a program on a pseudo-terminal, a model of its screen, and whoever looks at it.
//!
//! | file | what |
//! |---|---|
//! | `size` | columns and rows within bounds |
//! | `boundary` | BRAIN: where escape sequences begin and end in a byte stream |
//! | `model` | the screen model's ears: what a program may make it remember |
//! | `screen` | BRAIN: the screen as it stands after so many bytes |
//! | `snapshot` | the bytes that rebuild a screen elsewhere |
//! | `pen` | the style of cells, as the sequences that set it |
//! | `answers` | BRAIN: which input is a terminal's answer and not a person's |
//! | `view` | BRAIN: what one client has still to be sent |
//! | `desk` | BRAIN: one terminal with its screen, views, title and state |
//! | `process_tree` | which processes belong to a terminal, and how they end |
//! | `environment` | the shell and the environment a program is given |
//! | `pty` | the pseudo-terminal and its three threads |
//! | `live` | SHELL of one terminal: a desk, a lock, a pty |
//! | `roster` | SHELL of all terminals: open, find, close, keep |

pub mod answers;
pub mod boundary;
pub mod desk;
pub mod environment;
pub mod live;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod looks;
mod model;
mod pen;
pub mod process_tree;
pub mod pty;
pub mod roster;
pub mod screen;
pub mod size;
mod snapshot;
#[cfg(test)]
mod snapshot_tests;
pub mod view;
