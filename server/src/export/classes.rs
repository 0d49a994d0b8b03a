//! Class folders: `SPLIT/CLASS/photo.jpg`, and lines of `metadata.jsonl` that say everything else.

use kenami_domain::{
    dataset::{Item, Manifest},
    schema::{Attribute, AttributeKind},
};
use serde_json::{Map, Value};

use super::{ExportError, Result};

/// The attribute whose values are the folders.
pub(super) fn class_attribute<'a>(manifest: &'a Manifest, by: Option<&str>) -> Result<&'a Attribute> {
    let attributes = &manifest.schema.attributes;
    if let Some(key) = by {
        let found = attributes.iter().find(|attribute| attribute.key == key);
        return found.ok_or_else(|| ExportError::UnknownAttribute(key.to_owned()));
    }
    // Of equals, the first.
    let most_values = attributes
        .iter()
        .filter(|attribute| attribute.kind == AttributeKind::Given)
        .rev()
        .max_by_key(|attribute| attribute.values.len());
    most_values.or_else(|| attributes.first()).ok_or(ExportError::NoAttribute)
}

/// Where the photo lies below its split's folder; none where it has no class that can be trusted.
pub(super) fn path_in_split(item: &Item, attribute: &Attribute) -> Option<String> {
    let class = match attribute.kind {
        AttributeKind::Given => item.given.get(&attribute.key).map(String::as_str),
        AttributeKind::Annotated => {
            let trusted = item.masks.get(&attribute.key) == Some(&1);
            item.answers.get(&attribute.key).filter(|_| trusted).and_then(|answer| answer.value())
        }
    };
    let name = item.image.rsplit('/').next().unwrap_or(&item.image);
    class.map(|class| format!("{class}/{name}"))
}

/// A line of metadata.jsonl: `file_name` below the line's own file, the split, every attribute's value, and targets and
/// masks of the annotated ones.
pub(super) fn metadata_line(item: &Item, file_name: String) -> Vec<u8> {
    let mut line = Map::new();
    line.insert("file_name".to_owned(), Value::from(file_name));
    line.insert("split".to_owned(), Value::from(item.split.as_str()));
    for (key, value) in &item.given {
        line.insert(key.clone(), Value::from(value.as_str()));
    }
    for attribute in item.masks.keys() {
        let answer = item.answers.get(attribute).map(|answer| answer.key());
        line.insert(attribute.clone(), answer.map_or(Value::Null, Value::from));
    }
    line.insert("targets".to_owned(), serde_json::json!(item.targets));
    line.insert("masks".to_owned(), serde_json::json!(item.masks));
    let mut bytes = serde_json::to_vec(&line).expect("a map of strings and numbers");
    bytes.push(b'\n');
    bytes
}
