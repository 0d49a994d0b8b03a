//! Attributes and their values, with a stable key and a text per language.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A text per language code (`en`, `ja`). The key of the thing itself stands in where no text is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Texts(pub BTreeMap<String, String>);

impl Texts {
    /// A text in English alone.
    pub fn en(text: impl Into<String>) -> Self {
        Self(BTreeMap::from([("en".to_owned(), text.into())]))
    }

    /// A text in one language alone.
    pub fn of(language: &str, text: impl Into<String>) -> Self {
        Self(BTreeMap::from([(language.to_owned(), text.into())]))
    }

    /// The text in exactly `language`; none where it is missing or empty.
    pub fn own(&self, language: &str) -> Option<&str> {
        self.0.get(language).map(String::as_str).filter(|text| !text.trim().is_empty())
    }

    /// The text in `language`, else in English, else in any language, else nothing.
    pub fn get(&self, language: &str) -> Option<&str> {
        self.0.get(language).or_else(|| self.0.get("en")).or_else(|| self.0.values().next()).map(String::as_str)
    }

    /// The text in `language`, else the nearest there is, else `key`.
    pub fn or_key<'a>(&'a self, language: &str, key: &'a str) -> &'a str {
        self.get(language).filter(|text| !text.is_empty()).unwrap_or(key)
    }
}

/// Where an attribute's values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AttributeKind {
    /// Known with the photo (breed, species).
    Given,
    /// Answered by annotators (ear, coat, body).
    Annotated,
}

/// One value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttributeValue {
    /// Stable key, never renamed: `semi_erect`.
    pub key: String,
    /// What people read.
    #[serde(default)]
    pub names: Texts,
    /// Retired values keep their labels but are offered no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
}

/// One attribute of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attribute {
    /// Stable key, never renamed: `ear`.
    pub key: String,
    /// What people read.
    #[serde(default)]
    pub names: Texts,
    /// Given with the photo, or annotated.
    pub kind: AttributeKind,
    /// In the order in which they are offered.
    pub values: Vec<AttributeValue>,
}

impl Attribute {
    /// The value with this key.
    pub fn value(&self, key: &str) -> Option<&AttributeValue> {
        self.values.iter().find(|value| value.key == key)
    }
}

/// What is expected of `attribute` where `given_attribute` has `given_value`: a breed standard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Prior {
    /// Key of a given attribute (`breed`).
    pub given_attribute: String,
    /// One of its values (`pug`).
    pub given_value: String,
    /// Key of the annotated attribute (`ear`).
    pub attribute: String,
    /// Probability per value key; sums to 1.
    pub distribution: BTreeMap<String, f64>,
}

/// Whether `key` may name an attribute, a value or a project: ASCII letters, digits, `_` and `-`, at most 64, not one of
/// the two answers that every attribute has.
pub fn is_valid_key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 64
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && key != crate::answer::NOT_VISIBLE
        && key != crate::answer::UNSURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fall_back_from_language_to_english_to_key() {
        let texts = Texts(BTreeMap::from([("en".into(), "Drop".into()), ("ja".into(), "垂れ耳".into())]));
        assert_eq!(texts.or_key("ja", "drop"), "垂れ耳");
        assert_eq!(texts.or_key("de", "drop"), "Drop");
        assert_eq!(Texts::default().or_key("de", "drop"), "drop");
    }

    #[test]
    fn keys_are_plain() {
        assert!(is_valid_key("american_bulldog"));
        for bad in ["", "a b", "../x", "not_visible", "unsure", "é"] {
            assert!(!is_valid_key(bad), "{bad}");
        }
    }
}
