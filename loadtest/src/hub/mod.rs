//! The Hub under load: started or only called, asked, scraped, and what it costs.

pub(crate) mod cost;
pub(crate) mod door;
pub(crate) mod figures;
pub(crate) mod process;
