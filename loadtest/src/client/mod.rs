//! Sessions, their channels, and what is sent on them.

mod driven;
pub(crate) mod junk;
pub(crate) mod lane;
mod population;
mod sealed;
mod stage;

pub(crate) use population::{Connections, Population, Whom};
pub(crate) use stage::Stage;
