//! What a database knows of its keys: values that only they can have made, and what refers to them.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _, TextExpressionMethods as _};

use super::{
    KeyringError,
    ring::Ring,
    sealed::{Place, Sealed},
};
use crate::{
    clock,
    error::Fault,
    store::{Connection, hashes, sealed, tables::settings},
    token,
};

/// `settings.key` of what one version's key has sealed, with the version behind it.
const KEY_CHECK: &str = "encryption_key_check.";
/// `settings.key` of what the pepper makes of a constant.
const PEPPER_CHECK: &str = "pepper_check";
/// What is sealed to know a key again.
const CONSTANT: &[u8] = b"leapmux";

/// What refers to keys.
#[derive(Default)]
pub(crate) struct Traces {
    checks: BTreeMap<u32, Sealed>,
    pepper: Option<Vec<u8>>,
    /// Versions that rows were sealed with.
    pub(crate) sealed: BTreeSet<u32>,
    hashes: bool,
}

/// Looks for them.
pub(crate) fn read(conn: &mut Connection) -> Result<Traces, Fault> {
    let mut traces = Traces {
        sealed: sealed::references(conn)?.into_keys().collect(),
        hashes: hashes::any(conn)?,
        ..Traces::default()
    };
    let rows = settings::table
        .filter(settings::key.like(format!("{KEY_CHECK}%")))
        .or_filter(settings::key.eq(PEPPER_CHECK))
        .select((settings::key, settings::value))
        .load::<(String, String)>(conn)?;
    for (key, value) in rows {
        let value = STANDARD
            .decode(value)
            .map_err(|_| Fault::Row("settings.value"))?;
        if key == PEPPER_CHECK {
            traces.pepper = Some(value);
        } else if let Some(version) = key.strip_prefix(KEY_CHECK) {
            let version = version.parse().map_err(|_| Fault::Row("settings.key"))?;
            traces.checks.insert(version, Sealed::stored(value));
        }
    }
    Ok(traces)
}

impl Traces {
    /// Whether anything depends on keys.
    pub(crate) fn need_keys(&self) -> bool {
        !self.checks.is_empty() || !self.sealed.is_empty()
    }

    /// Whether anything depends on the file.
    pub(crate) fn need_file(&self) -> bool {
        self.need_keys() || self.hashes || self.pepper.is_some()
    }

    /// No version that was ever used here is used again.
    pub(crate) fn next_version(&self, ring: &Ring) -> Option<u32> {
        let known = self.checks.keys().chain(&self.sealed).copied();
        known.chain([ring.active()]).max()?.checked_add(1)
    }

    /// Whether the ring is the database's.
    pub(crate) fn judge(&self, ring: &Ring) -> Result<(), KeyringError> {
        for (version, sealed) in &self.checks {
            let opened = ring.open(&Place::KeyCheck, sealed);
            let is_right = opened.is_ok_and(|opened| opened.as_slice() == CONSTANT);
            if ring.has(*version) && !is_right {
                return Err(KeyringError::WrongKey(*version));
            }
        }
        if let Some(version) = self.sealed.iter().find(|version| !ring.has(**version)) {
            return Err(KeyringError::MissingVersion(*version));
        }
        // A version that nothing refers to may have been removed; but not all of them.
        if let Some(version) = self.checks.keys().next_back()
            && !self.checks.keys().any(|version| ring.has(*version))
        {
            return Err(KeyringError::MissingVersion(*version));
        }
        match &self.pepper {
            Some(pepper) if pepper.as_slice() != token::check(ring.pepper()).as_bytes() => {
                Err(KeyringError::WrongPepper)
            }
            _ => Ok(()),
        }
    }
}

/// Leaves a trace of each key and of the pepper, and takes away those of keys that are gone. The
/// ring was found to be the database's.
pub(crate) fn note(conn: &mut Connection, ring: &Ring) -> Result<(), Fault> {
    let known = read(conn)?;
    for version in known.checks.keys().filter(|version| !ring.has(**version)) {
        forget(conn, &format!("{KEY_CHECK}{version}"))?;
    }
    for version in ring.versions() {
        if !known.checks.contains_key(&version) {
            let sealed = ring.seal_with(version, &Place::KeyCheck, clock::random()?, CONSTANT);
            let sealed = sealed.ok_or(Fault::Row("a version just read"))?;
            set(conn, &format!("{KEY_CHECK}{version}"), sealed.as_bytes())?;
        }
    }
    if known.pepper.is_none() {
        set(
            conn,
            PEPPER_CHECK,
            token::check(ring.pepper()).as_bytes().as_slice(),
        )?;
    }
    Ok(())
}

/// Forgets the pepper: none is right or wrong until [`note`] is next called.
pub(crate) fn forget_pepper(conn: &mut Connection) -> Result<(), Fault> {
    forget(conn, PEPPER_CHECK)
}

fn set(conn: &mut Connection, key: &str, value: &[u8]) -> Result<(), Fault> {
    crate::store::settings::set(conn, key, &STANDARD.encode(value))
}

fn forget(conn: &mut Connection, key: &str) -> Result<(), Fault> {
    diesel::delete(settings::table.find(key)).execute(conn)?;
    Ok(())
}
