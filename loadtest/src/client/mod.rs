//! Sessions, their channels, and what is sent on them.

pub(crate) mod junk;
pub(crate) mod lane;
mod population;
mod sealed;

pub(crate) use population::{Connections, Population, Stage, Whom};
