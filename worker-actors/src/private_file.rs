//! Files that only their owner may read, and that are whole or not there.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::Path,
};

use nix::unistd::getuid;
use zeroize::Zeroizing;

/// What is wrong with a file that was to be private.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Others may read or write it.
    #[error("it is readable by others (mode {0:04o}); run chmod 600 on it")]
    Exposed(u32),
    /// It belongs to somebody else.
    #[error("it belongs to another user")]
    Foreign,
    /// It is larger than it can be.
    #[error("it is larger than it can be")]
    TooLarge,
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Makes the folder with its parents, and makes it private if it is new.
///
/// # Errors
///
/// The system refused.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes the file beside its place, syncs it, moves it there and syncs the folder, so that a
/// crash leaves the old file or the new one.
///
/// # Errors
///
/// The system refused; the old file is as it was.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

/// Reads the file; None = there is none.
///
/// # Errors
///
/// Others may read it, or the system refused.
pub(crate) fn read(path: &Path, most: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Unfit> {
    read_with(path, most, 0o077)
}

/// Reads a file that others may read but not write; None = there is none.
///
/// # Errors
///
/// Others may write it, or the system refused.
pub(crate) fn read_public(path: &Path, most: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Unfit> {
    read_with(path, most, 0o022)
}

fn read_with(path: &Path, most: u64, forbidden: u32) -> Result<Option<Zeroizing<Vec<u8>>>, Unfit> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let about = file.metadata()?;
    if about.uid() != getuid().as_raw() {
        return Err(Unfit::Foreign);
    }
    if about.mode() & forbidden != 0 {
        return Err(Unfit::Exposed(about.mode() & 0o7777));
    }
    if about.len() > most {
        return Err(Unfit::TooLarge);
    }
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(most).unwrap_or(0)));
    file.take(most).read_to_end(&mut content)?;
    Ok(Some(content))
}
