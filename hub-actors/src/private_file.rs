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
    whole(file, limit).map(Some)
}

/// Reads at most `limit` bytes of a secret that was put there for us, like one that a cluster mounts:
/// it belongs to whoever put it, and a group may be how we get at it. Nothing there is `None`.
///
/// # Errors
///
/// [`PrivateFileError`]; a file that strangers may read is refused.
pub(crate) fn read_mounted(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, PrivateFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if file.metadata()?.mode() & 0o007 != 0 {
        return Err(PrivateFileError::Exposed);
    }
    whole(file, limit).map(Some)
}

fn whole(file: File, limit: u64) -> Result<Vec<u8>, PrivateFileError> {
    // Room for all of it: a buffer that grows leaves copies of a key behind.
    let room = file.metadata()?.len().min(limit).saturating_add(1);
    let mut content = Vec::with_capacity(usize::try_from(room).unwrap_or_default());
    file.take(limit + 1).read_to_end(&mut content)?;
    match u64::try_from(content.len()) {
        Ok(length) if length <= limit => Ok(content),
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
    write_by(path, content, &mut |_| Ok(()))
}

/// What writing has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// An empty file stands beside.
    Made,
    /// It is filled.
    Filled,
    /// It is on the disk.
    Synced,
    /// It has the name.
    Renamed,
}

/// The same, and after each step `go_on` may end it there, as a crash would.
fn write_by(
    path: &Path,
    content: &[u8],
    go_on: &mut dyn FnMut(Step) -> io::Result<()>,
) -> io::Result<()> {
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
    go_on(Step::Made)?;
    file.write_all(content)?;
    go_on(Step::Filled)?;
    file.sync_all()?;
    go_on(Step::Synced)?;
    fs::rename(&beside, path)?;
    go_on(Step::Renamed)?;
    sync_folder(path)
}

/// Removes a file for good.
///
/// # Errors
///
/// What the operating system says; nothing there is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn sync_folder(of: &Path) -> io::Result<()> {
    let folder = of.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
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
    fn a_crash_at_any_step_leaves_the_old_content_or_the_new() {
        for crash in [Step::Made, Step::Filled, Step::Synced, Step::Renamed] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("encryption.key");
            write(&path, b"old").unwrap();
            let mut die = |step| match step == crash {
                true => Err(io::Error::other("crash")),
                false => Ok(()),
            };
            assert!(write_by(&path, b"newer", &mut die).is_err());
            let expected: &[u8] = match crash {
                Step::Renamed => b"newer",
                Step::Made | Step::Filled | Step::Synced => b"old",
            };
            assert_eq!(read(&path, 8).unwrap().as_deref(), Some(expected));
            // What lies about does not hinder the next try.
            write(&path, b"newest").unwrap();
            assert_eq!(read(&path, 8).unwrap().as_deref(), Some(&b"newest"[..]));
        }
    }

    #[test]
    fn what_is_removed_is_gone_and_may_be_gone_already() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pepper.key");
        write(&path, b"secret").unwrap();
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(read(&path, 8).unwrap().is_none());
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
    fn a_secret_that_was_mounted_for_our_group_is_read_and_one_for_everybody_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        write(&path, b"secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
        let read = |limit| read_mounted(&path, limit);
        assert_eq!(read(8).unwrap().as_deref(), Some(&b"secret"[..]));
        assert!(matches!(read(5), Err(PrivateFileError::TooLarge)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        assert!(matches!(read(8), Err(PrivateFileError::Exposed)));
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
