//! Where the database is and how far it has come.

use serde::Serialize;

use super::{OperatorError, check_owner, part, standing, storage};
use crate::{config::HubConfig, store::open::FILE};

/// How far a database has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// This program's version.
    pub leapmux: String,
    /// `sqlite` or `postgres`.
    pub storage: &'static str,
    /// Where it is; never a password.
    pub place: String,
    /// Whether there is one.
    pub exists: bool,
    /// The newest migration that is in it.
    pub applied: Option<String>,
    /// Those that are not.
    pub pending: Vec<String>,
}

/// Where the database of a configuration is: a path, or a server without its password. Nothing is
/// opened.
///
/// # Errors
///
/// [`OperatorError`] for a configuration that names none.
pub fn place(config: &HubConfig) -> Result<String, OperatorError> {
    Ok(storage(config)?.place())
}

/// How far the database has come; nothing is changed.
///
/// # Errors
///
/// [`OperatorError`]
pub async fn version(config: &HubConfig) -> Result<Version, OperatorError> {
    check_owner(&config.data_dir)?;
    let _part = if config.data_dir.join(FILE).exists() {
        part(config)?
    } else {
        None
    };
    let mut version = Version {
        leapmux: env!("CARGO_PKG_VERSION").to_owned(),
        storage: config.storage.kind.label(),
        place: storage(config)?.place(),
        exists: false,
        applied: None,
        pending: Vec::new(),
    };
    if let Some(standing) = standing(config).await? {
        version.exists = true;
        version.applied = standing.applied.last().cloned();
        version.pending = standing.pending;
    }
    Ok(version)
}
