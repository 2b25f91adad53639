//! The folder of `leapmux remote`: this device's key, the pins, the logins. Ours alone (0700, 0600).

use std::{
    fs::{self, DirBuilder, File},
    io::{ErrorKind, Write as _},
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use zeroize::Zeroizing;

/// A folder whose files only their owner can read.
#[derive(Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes it when missing.
    ///
    /// # Errors
    ///
    /// When it belongs to somebody else or others may write to it.
    pub(crate) fn open(path: PathBuf) -> anyhow::Result<Self> {
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("the folder {} cannot be made", path.display()))?;
        let about = fs::metadata(&path)?;
        let ours = about.uid() == nix::unistd::geteuid().as_raw();
        if !ours || about.permissions().mode() & 0o022 != 0 {
            bail!(
                "{} must be ours alone: run 'chmod 700 {0}' as its owner",
                path.display()
            );
        }
        Ok(Self(path))
    }

    /// Where a file of this name lies.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The bytes of a private file, or nothing when there is none.
    ///
    /// # Errors
    ///
    /// When others may read it: what it held may be known to them.
    pub(crate) fn read(&self, name: &str) -> anyhow::Result<Option<Zeroizing<Vec<u8>>>> {
        let path = self.path(name);
        let about = match fs::metadata(&path) {
            Ok(about) => about,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
        };
        if about.permissions().mode() & 0o077 != 0 {
            bail!(
                "{} can be read by others: run 'chmod 600 {0}'",
                path.display()
            );
        }
        let bytes = fs::read(&path).with_context(|| format!("{}", path.display()))?;
        Ok(Some(Zeroizing::new(bytes)))
    }

    /// Replaces a file as a whole: write, sync, rename, sync the folder.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        self.put(name, bytes)
            .with_context(|| format!("{} cannot be written", self.path(name).display()))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        // Made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(self.path(name))?;
        Ok(File::open(&self.0)?.sync_all()?)
    }

    /// Keeps other `leapmux remote` processes out while a file is read, changed and replaced.
    pub(crate) fn lock(&self) -> anyhow::Result<Lock> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.path("lock"))?;
        file.lock().context("the folder's lock")?;
        Ok(Lock { _file: file })
    }
}

/// Held until dropped.
pub(crate) struct Lock {
    _file: File,
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(dir.path().join("remote")).expect("it is made");
        folder
            .write("device.key", b"secret")
            .expect("it is written");
        let path = folder.path("device.key");
        assert_eq!(
            fs::metadata(&path).expect("there").permissions().mode() & 0o777,
            0o600
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
        let error = folder
            .read("device.key")
            .expect_err("readable by others")
            .to_string();
        assert!(error.contains("chmod 600"), "{error}");
        assert!(folder.read("nothing").expect("no error").is_none());
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("ours");
        assert!(Folder::open(dir.path().to_owned()).is_err());
    }
}
