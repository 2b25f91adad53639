//! One case of a file, and what can be said of it.

use serde_json::Value;

/// Passed, or why not.
pub(crate) type Verdict = Result<(), String>;

/// How a case is judged.
pub(crate) type Check = fn(&Case<'_>) -> Verdict;

/// The fields of a case: its own, and those that its group has for all.
pub(crate) struct Case<'a> {
    own: &'a Value,
    group: Option<&'a Value>,
}

impl<'a> Case<'a> {
    pub(crate) fn alone(own: &'a Value) -> Self {
        Self { own, group: None }
    }

    pub(crate) fn in_group(own: &'a Value, group: &'a Value) -> Self {
        Self {
            own,
            group: Some(group),
        }
    }

    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        self.own.get(name).or_else(|| self.group?.get(name))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    pub(crate) fn text(&self, name: &str) -> Result<&'a str, String> {
        self.value(name)
            .and_then(Value::as_str)
            .ok_or_else(|| format!("no field {name}"))
    }

    /// The bytes of a field in hex.
    pub(crate) fn hex(&self, name: &str) -> Result<Vec<u8>, String> {
        hex::decode(self.text(name)?).map_err(|_| format!("field {name} is not hex"))
    }

    /// The bytes of a field in hex, or none if there is no such field.
    pub(crate) fn hex_or_empty(&self, name: &str) -> Result<Vec<u8>, String> {
        if self.has(name) {
            self.hex(name)
        } else {
            Ok(Vec::new())
        }
    }

    /// The `N` bytes of a field in hex.
    pub(crate) fn array<const N: usize>(&self, name: &str) -> Result<[u8; N], String> {
        self.hex(name)?
            .try_into()
            .map_err(|_| format!("field {name} is not of {N} bytes"))
    }

    /// A number, which some files write as text.
    pub(crate) fn number(&self, name: &str) -> Result<u32, String> {
        let found = match self.value(name) {
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_u64().and_then(|number| number.try_into().ok()),
            None => None,
        };
        found.ok_or_else(|| format!("no number {name}"))
    }

    pub(crate) fn truth(&self, name: &str) -> Result<bool, String> {
        self.value(name)
            .and_then(Value::as_bool)
            .ok_or_else(|| format!("no truth value {name}"))
    }

    /// Wycheproof's flags.
    pub(crate) fn has_flag(&self, flag: &str) -> bool {
        let flags = self.value("flags").and_then(Value::as_array);
        flags.is_some_and(|flags| flags.iter().any(|found| found == flag))
    }

    /// Whether the case must be refused: Wycheproof's word for it, or OpenSSL's.
    pub(crate) fn is_invalid(&self) -> Result<bool, String> {
        Ok(matches!(
            self.text("result")?,
            "invalid" | "CIPHERFINAL_ERROR"
        ))
    }

    /// How the file counts its cases, if it does.
    pub(crate) fn name(&self) -> String {
        let name = ["tcId", "count", "protocol_name", "handshake"]
            .iter()
            .find_map(|n| self.value(n));
        name.map_or_else(|| "without a number".into(), ToString::to_string)
    }
}

pub(crate) fn expect_equal(what: &str, computed: &[u8], expected: &[u8]) -> Verdict {
    if computed == expected {
        Ok(())
    } else {
        differs(what)
    }
}

pub(crate) fn expect_refused<T, E>(what: &str, result: Result<T, E>) -> Verdict {
    match result {
        Ok(_) => Err(format!("{what} was accepted and must be refused")),
        Err(_) => Ok(()),
    }
}

pub(crate) fn differs(what: &str) -> Verdict {
    Err(format!("{what} differs"))
}
