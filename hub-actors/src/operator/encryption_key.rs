//! The keys of what is sealed at rest, and the pepper: see [`keyring::orders`].

use super::{Operator, OperatorError};
use crate::keyring::orders::{self, KeyVersion, Reencrypted, Unpeppered};

impl Operator {
    /// All versions of the key, oldest first.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn encryption_keys(&self) -> Result<Vec<KeyVersion>, OperatorError> {
        Ok(orders::list(&self.store, &self.config.key_file()).await?)
    }

    /// Adds a key, which seals from now on; its version.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn rotate_encryption_key(&self) -> Result<u32, OperatorError> {
        let author = self.author.clone();
        Ok(orders::rotate(&self.store, &self.config.key_file(), author).await?)
    }

    /// Seals everything with the active key. It can be ended at any point and run again.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn reencrypt(&self) -> Result<Reencrypted, OperatorError> {
        let author = self.author.clone();
        Ok(orders::reencrypt(&self.store, &self.config.key_file(), author).await?)
    }

    /// Takes away a key that nothing needs.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]; the active key and one that rows refer to stay.
    pub async fn remove_encryption_key(&self, version: u32) -> Result<(), OperatorError> {
        let author = self.author.clone();
        Ok(orders::remove(&self.store, &self.config.key_file(), version, author).await?)
    }

    /// Makes a new pepper, which ends every secret that was given out: tell them
    /// [`PEPPER_WARNING`](crate::PEPPER_WARNING) first. It takes two seconds, for running Hubs.
    ///
    /// # Errors
    ///
    /// [`OperatorError`]
    pub async fn rotate_pepper(&self) -> Result<Unpeppered, OperatorError> {
        let (author, path) = (self.author.clone(), self.config.key_file());
        Ok(orders::rotate_pepper(&self.store, &path, author, orders::SETTLE).await?)
    }
}
