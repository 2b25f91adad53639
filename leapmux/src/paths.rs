//! Where things lie when nobody says otherwise (XDG base directories).

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// `$XDG_DATA_HOME/leapmux/<role>`, else `~/.local/share/leapmux/<role>`.
pub(crate) fn data_dir(role: &str) -> anyhow::Result<PathBuf> {
    let base = variable("XDG_DATA_HOME").map(PathBuf::from);
    let base = base
        .filter(|path| path.is_absolute())
        .map_or_else(|| under_home(".local/share"), Ok)?;
    Ok(base.join("leapmux").join(role))
}

/// The same, or an empty path where there is no home, as under a service manager.
pub(crate) fn data_dir_or_none(role: &str) -> PathBuf {
    data_dir(role).unwrap_or_default()
}

/// Refuses the empty path that nobody has replaced.
pub(crate) fn check_chosen(data_dir: &Path) -> anyhow::Result<()> {
    if data_dir.as_os_str().is_empty() {
        bail!("HOME is not set: say where with --data-dir");
    }
    Ok(())
}

/// `$XDG_CONFIG_HOME/leapmux/remote`, else `~/.config/leapmux/remote`: device key, pins, logins.
pub(crate) fn remote_dir() -> anyhow::Result<PathBuf> {
    let base = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let base = base
        .filter(|path| path.is_absolute())
        .map_or_else(|| under_home(".config"), Ok)?;
    Ok(base.join("leapmux").join("remote"))
}

fn under_home(rest: &str) -> anyhow::Result<PathBuf> {
    let home = variable("HOME").context("HOME is not set: say where with --data-dir")?;
    Ok(PathBuf::from(home).join(rest))
}

/// One variable of the environment; empty counts as unset.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
