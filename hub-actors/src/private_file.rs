//! Files that only we may read: mode 0600 from birth, and whole or not there at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

/// Why a private file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Others may read or write it.
    #[error("others may read it; run `chmod 600` on it and consider its content known")]
    Exposed,
    /// Its owner can read and write it whatever its mode says.
    #[error("another user owns it; run `chown` on it and consider its content known")]
    Foreign,
    /// It is larger than anything we wrote.
    #[error("it is larger than anything that was written there; restore it from a backup")]
    TooLarge,
}

/// Reads at most `limit` bytes; nothing there is `None`.
///
/// # Errors
///
/// [`PrivateFileError`]; a file that anybody else may touch is refused.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, PrivateFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    check(&file)?;
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content)?;
    match u64::try_from(content.len()) {
        Ok(length) if length <= limit => Ok(Some(content)),
        _ => Err(PrivateFileError::TooLarge),
    }
}

/// Whether an open file is ours alone.
///
/// # Errors
///
/// [`PrivateFileError`] says whose else it is.
pub(crate) fn check(file: &File) -> Result<(), PrivateFileError> {
    let about = file.metadata()?;
    judge(about.mode(), about.uid(), nix::unistd::geteuid().as_raw())
}

/// Ours, and ours alone.
const fn judge(mode: u32, owner: u32, me: u32) -> Result<(), PrivateFileError> {
    if owner != me {
        return Err(PrivateFileError::Foreign);
    }
    if mode & 0o077 != 0 {
        return Err(PrivateFileError::Exposed);
    }
    Ok(())
}

/// Writes, syncs, renames, syncs the folder: a crash leaves the old content or the new.
///
/// # Errors
///
/// What the operating system says.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pepper.key");
        assert!(read(&path, 8).unwrap().is_none());
        write(&path, b"secret").unwrap();
        write(&path, b"newer").unwrap();
        assert_eq!(read(&path, 8).unwrap().as_deref(), Some(&b"newer"[..]));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pepper.key");
        write(&path, b"secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path, 8), Err(PrivateFileError::Exposed)));
    }

    #[test]
    fn a_file_of_another_user_is_refused_whatever_its_mode() {
        assert!(matches!(judge(0o600, 1, 2), Err(PrivateFileError::Foreign)));
        assert!(judge(0o600, 2, 2).is_ok());
    }

    #[test]
    fn a_file_that_has_grown_is_refused_before_it_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pepper.key");
        write(&path, b"123456789").unwrap();
        assert!(matches!(read(&path, 8), Err(PrivateFileError::TooLarge)));
    }
}
