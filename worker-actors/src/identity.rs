//! The Worker's composite key, `identity.key`: made once, mode 0600, never made again silently.

use std::path::{Path, PathBuf};

use crypto::Identity;
use thiserror::Error;

use crate::{
    entropy,
    private_file::{self, Unfit},
};

/// Why there is no identity. One line that says what to do.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The file cannot be trusted or read.
    #[error("cannot use the Worker's key {path}: {unfit}")]
    Unfit {
        /// Which file.
        path: PathBuf,
        /// Why.
        unfit: Unfit,
    },
    /// The file is damaged. A new key would look like an attack to everybody who knows the old.
    #[error(
        "the Worker's key {0} is damaged; restore it from a backup, or move it away to get a new \
         one, which every client will ask about"
    )]
    Damaged(PathBuf),
    /// A new one could not be written.
    #[error("cannot write the Worker's key {path}: {error}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// Reads the identity, or makes one where there is none. Blocks.
///
/// # Errors
///
/// Nothing was made or changed then.
pub fn load_or_create(data_dir: &Path) -> Result<Identity, IdentityError> {
    let path = data_dir.join(FILE);
    match private_file::read(&path, FILE_MAX) {
        Ok(Some(content)) => Identity::decode(&content).map_err(|_| IdentityError::Damaged(path)),
        Ok(None) => create(data_dir, path),
        Err(unfit) => Err(IdentityError::Unfit { path, unfit }),
    }
}

fn create(data_dir: &Path, path: PathBuf) -> Result<Identity, IdentityError> {
    let identity = Identity::generate(&mut entropy::source());
    let written = private_file::make_folder(data_dir)
        .and_then(|()| private_file::write(&path, &identity.encode()));
    match written {
        Ok(()) => Ok(identity),
        Err(error) => Err(IdentityError::Write { path, error }),
    }
}

const FILE: &str = "identity.key";
/// An encoded identity has 257 bytes; anything much longer is something else.
const FILE_MAX: u64 = 4096;

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use tempfile::tempdir;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a file").permissions().mode() & 0o7777
    }

    #[test]
    fn an_identity_is_made_once_and_is_private() {
        let folder = tempdir().expect("a folder");
        let data_dir = folder.path().join("deep/inside");
        let first = load_or_create(&data_dir).expect("an identity");
        let second = load_or_create(&data_dir).expect("the identity");
        assert!(first.public() == second.public());
        assert_eq!(mode(&data_dir.join(FILE)), 0o600);
        assert_eq!(mode(&data_dir), 0o700);
        assert!(!data_dir.join("identity.new").exists());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_and_left_alone() {
        let folder = tempdir().expect("a folder");
        load_or_create(folder.path()).expect("an identity");
        let path = folder.path().join(FILE);
        for mode in [0o640, 0o604, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
            let error = load_or_create(folder.path())
                .map(drop)
                .expect_err("an error")
                .to_string();
            assert!(
                error.contains("chmod 600") && !error.contains('\n'),
                "{error}"
            );
        }
    }

    #[test]
    fn a_damaged_key_is_refused_and_never_replaced() {
        let folder = tempdir().expect("a folder");
        load_or_create(folder.path()).expect("an identity");
        let path = folder.path().join(FILE);
        let whole = fs::read(&path).expect("a file");
        let mut flipped = whole.clone();
        flipped[100] ^= 1;
        for content in [
            Vec::new(),
            whole[..200].to_vec(),
            flipped,
            vec![0; 300],
            vec![1; 5000],
        ] {
            fs::write(&path, &content).expect("a file");
            assert!(load_or_create(folder.path()).is_err());
            assert_eq!(fs::read(&path).expect("a file"), content);
        }
    }
}
