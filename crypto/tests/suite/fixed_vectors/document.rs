//! JSON objects that keep their fields in the order they were written.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A JSON object.
pub(crate) struct Document(Vec<(&'static str, Item)>);

enum Item {
    Text(String),
    Number(u64),
    Object(Document),
    List(Vec<Document>),
}

impl Document {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn text(self, name: &'static str, text: &str) -> Self {
        self.with(name, Item::Text(text.into()))
    }

    pub(crate) fn hex(self, name: &'static str, bytes: &[u8]) -> Self {
        self.with(name, Item::Text(hex::encode(bytes)))
    }

    /// Counters of this protocol end below 2^53, so every JSON reader keeps them whole.
    pub(crate) fn number(self, name: &'static str, number: u64) -> Self {
        self.with(name, Item::Number(number))
    }

    pub(crate) fn object(self, name: &'static str, object: Self) -> Self {
        self.with(name, Item::Object(object))
    }

    pub(crate) fn list(self, name: &'static str, list: Vec<Self>) -> Self {
        self.with(name, Item::List(list))
    }

    /// The text of the file.
    pub(crate) fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("strings and numbers serialise");
        json.push('\n');
        json
    }

    fn with(mut self, name: &'static str, item: Item) -> Self {
        self.0.push((name, item));
        self
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, item) in &self.0 {
            match item {
                Item::Text(text) => map.serialize_entry(name, text)?,
                Item::Number(number) => map.serialize_entry(name, number)?,
                Item::Object(object) => map.serialize_entry(name, object)?,
                Item::List(list) => map.serialize_entry(name, list)?,
            }
        }
        map.end()
    }
}
