//! Configuration in layers: defaults < YAML file < environment < flags given.
//!
//! Later layers win, nested keys are written with `__` in the environment, and a key that nobody
//! knows is refused with the place it came from, because a misspelt limit is a limit not set.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Env, Format as _, Serialized, Yaml},
    value::{Dict, Map},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// What every role takes beside its own configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LogConfig {
    /// Least severe level that is written, or a filter such as `info,hub_actors=debug`.
    pub(crate) log_level: String,
    /// `text` or `json`, one line an event, on standard error.
    pub(crate) log_format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            log_level: "info,actix_server=warn".into(),
            log_format: LogFormat::Text,
        }
    }
}

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The layers of one role, not yet merged.
pub(crate) struct Layers {
    file: Option<PathBuf>,
    section: Option<&'static str>,
    prefix: &'static str,
    flags: Dict,
}

impl Layers {
    /// Reads `file` when given, `<prefix>*` of the environment, and `flags` above both.
    pub(crate) fn new(
        prefix: &'static str,
        file: Option<&Path>,
        flags: Dict,
    ) -> anyhow::Result<Self> {
        if let Some(path) = file {
            check_readable(path)?;
        }
        Ok(Self {
            file: file.map(Path::to_owned),
            section: None,
            prefix,
            flags,
        })
    }

    /// Takes the role's keys from under `section` of the file, as `solo` does for its two roles.
    /// The log settings stay at the top.
    pub(crate) fn in_section(mut self, section: &'static str) -> Self {
        self.section = Some(section);
        self
    }

    /// The merged log settings, and the configuration of the role merged over its defaults.
    pub(crate) fn merge_over<T>(&self, defaults: &T) -> anyhow::Result<(LogConfig, T)>
    where
        T: Serialize + DeserializeOwned,
    {
        let log = self.figment(&LogConfig::default(), Keys::Log).extract();
        let role = self.figment(defaults, Keys::Role).extract();
        Ok((log.map_err(explain)?, role.map_err(explain)?))
    }

    fn figment<T: Serialize>(&self, defaults: &T, keys: Keys) -> Figment {
        let mut figment = Figment::from(Serialized::defaults(defaults));
        if let Some(path) = &self.file {
            let section = self.section.filter(|_| keys == Keys::Role);
            figment = figment.merge(Picked {
                source: Yaml::file_exact(path),
                keys,
                section,
            });
        }
        let environment = Env::prefixed(self.prefix).split("__");
        let flags = Serialized::defaults(&self.flags);
        figment
            .merge(Picked {
                source: environment,
                keys,
                section: None,
            })
            .merge(Picked {
                source: flags,
                keys,
                section: None,
            })
    }
}

const LOG_KEYS: [&str; 2] = ["log_level", "log_format"];

/// Which keys of a source are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    Log,
    Role,
}

/// A source of which only some keys count.
struct Picked<P> {
    source: P,
    keys: Keys,
    section: Option<&'static str>,
}

impl<P: Provider> Provider for Picked<P> {
    fn metadata(&self) -> Metadata {
        self.source.metadata()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut data = self.source.data()?;
        for dict in data.values_mut() {
            dict.retain(|key, _| (self.keys == Keys::Log) == LOG_KEYS.contains(&key.as_str()));
            if let Some(section) = self.section {
                *dict = within(dict, section).map_err(figment::Error::from)?;
            }
        }
        Ok(data)
    }
}

/// The two sections of solo's file.
const SECTIONS: [&str; 2] = ["hub", "worker"];

fn within(dict: &Dict, section: &str) -> Result<Dict, figment::error::Kind> {
    if let Some(unknown) = dict.keys().find(|key| !SECTIONS.contains(&key.as_str())) {
        return Err(figment::error::Kind::UnknownField(
            unknown.clone(),
            &SECTIONS,
        ));
    }
    match dict.get(section) {
        None => Ok(Dict::new()),
        Some(figment::value::Value::Dict(_, inner)) => Ok(inner.clone()),
        Some(other) => Err(figment::error::Kind::InvalidType(
            other.to_actual(),
            "the keys of a section".into(),
        )),
    }
}

fn check_readable(path: &Path) -> anyhow::Result<()> {
    let about = std::fs::metadata(path)
        .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
    if !about.is_file() {
        bail!("the configuration file {} is not a file", path.display());
    }
    Ok(())
}

fn explain(error: figment::Error) -> anyhow::Error {
    let lines: Vec<String> = error.into_iter().map(|one| place(&one)).collect();
    anyhow::anyhow!("configuration: {}", lines.join("; "))
}

/// What is wrong, with which key, and where it was said.
fn place(error: &figment::Error) -> String {
    let key = error.path.join(".").to_lowercase();
    let key = if key.is_empty() {
        key
    } else {
        format!("{key}: ")
    };
    let said = error
        .metadata
        .as_ref()
        .map(|metadata| match &metadata.source {
            Some(figment::Source::File(path)) => format!(" (in {})", path.display()),
            Some(_) => " (in a flag)".to_owned(),
            None => format!(" (in the {})", metadata.name.replace('`', "")),
        });
    format!("{key}{}{}", error.kind, said.unwrap_or_default())
}

/// Puts `value` at the dotted `path` when a flag was given.
pub(crate) fn set<V: Serialize>(
    flags: &mut Dict,
    path: &str,
    value: Option<V>,
) -> anyhow::Result<()> {
    let Some(value) = value else { return Ok(()) };
    let value = figment::value::Value::serialize(value)?;
    match path.split_once('.') {
        None => {
            flags.insert(path.to_owned(), value);
        }
        Some((head, rest)) => {
            let inner = flags
                .entry(head.to_owned())
                .or_insert_with(|| figment::value::Value::from(Dict::new()));
            if let figment::value::Value::Dict(_, inner) = inner {
                set(inner, rest, Some(value))?;
            }
        }
    }
    Ok(())
}

/// The merged configuration as YAML-compatible JSON, every secret masked.
pub(crate) fn print<T: Serialize>(log: &LogConfig, role: &T) -> anyhow::Result<String> {
    let mut merged = serde_json::to_value(role)?;
    if let (Some(merged), serde_json::Value::Object(log)) =
        (merged.as_object_mut(), serde_json::to_value(log)?)
    {
        merged.extend(log);
    }
    mask(&mut merged);
    Ok(serde_json::to_string_pretty(&merged)?)
}

fn mask(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, inner) in map {
                if is_secret(key) && inner.as_str().is_some_and(|text| !text.is_empty()) {
                    *inner = "********".into();
                } else {
                    mask(inner);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(mask),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

fn is_secret(key: &str) -> bool {
    ["token", "secret", "password", "key", "dsn"]
        .iter()
        .any(|word| key == *word || key.ends_with(&format!("_{word}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        depth: u32,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Role {
        listen: String,
        access_token: String,
        inner: Inner,
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("it can be written");
        file
    }

    #[test]
    fn a_flag_beats_the_file_and_the_file_beats_the_default() {
        let file = file("listen: from-file\nlog_level: debug\ninner:\n  depth: 2\n");
        let mut flags = Dict::new();
        set(&mut flags, "inner.depth", Some(3)).expect("it is a number");
        let layers = Layers::new("LEAPMUX_TEST_A_", Some(file.path()), flags).expect("readable");
        let (log, role) = layers.merge_over(&Role::default()).expect("it merges");
        assert_eq!((role.listen.as_str(), role.inner.depth), ("from-file", 3));
        assert_eq!(log.log_level, "debug");
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let file = file("lisen: typo\n");
        let layers =
            Layers::new("LEAPMUX_TEST_B_", Some(file.path()), Dict::new()).expect("readable");
        let error = layers
            .merge_over(&Role::default())
            .expect_err("a typo")
            .to_string();
        assert!(error.contains("lisen"), "{error}");
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_it() {
        let path = Path::new("/nonexistent/leapmux.yaml");
        let error = Layers::new("LEAPMUX_TEST_C_", Some(path), Dict::new()).err();
        assert!(error.is_some_and(|e| e.to_string().contains("leapmux.yaml")));
    }

    #[test]
    fn solo_takes_each_role_from_its_section() {
        let file = file("log_level: warn\nhub:\n  listen: here\nworker: {}\n");
        let layers = Layers::new("LEAPMUX_TEST_D_", Some(file.path()), Dict::new());
        let (log, role) = layers
            .expect("readable")
            .in_section("hub")
            .merge_over(&Role::default())
            .expect("it merges");
        assert_eq!(
            (log.log_level.as_str(), role.listen.as_str()),
            ("warn", "here")
        );
    }

    #[test]
    fn solo_refuses_a_section_that_nobody_knows() {
        let file = file("hubb:\n  listen: here\n");
        let layers = Layers::new("LEAPMUX_TEST_E_", Some(file.path()), Dict::new());
        let error = layers
            .expect("readable")
            .in_section("hub")
            .merge_over(&Role::default())
            .expect_err("a typo");
        assert!(error.to_string().contains("hubb"), "{error}");
    }

    #[test]
    fn a_section_that_is_no_section_is_refused() {
        let file = file("hub: 3\n");
        let layers = Layers::new("LEAPMUX_TEST_F_", Some(file.path()), Dict::new());
        let layers = layers.expect("readable").in_section("hub");
        assert!(layers.merge_over(&Role::default()).is_err());
    }

    #[test]
    fn printing_masks_what_is_secret() {
        let role = Role {
            access_token: "hunter2".into(),
            ..Role::default()
        };
        let text = print(&LogConfig::default(), &role).expect("it prints");
        assert!(
            !text.contains("hunter2") && text.contains("********"),
            "{text}"
        );
    }
}
