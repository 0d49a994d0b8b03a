//! What an annotator may say of one attribute of one photo.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The answer's key for a part that is outside the photo, hidden or too small to judge.
pub const NOT_VISIBLE: &str = "not_visible";
/// The answer's key for a part that is visible while the rules do not decide.
pub const UNSURE: &str = "unsure";

/// One answer about one attribute: a value by its stable key, or one of the two answers that every attribute has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Answer {
    /// A value of the attribute, by key (`semi_erect`).
    Value(String),
    /// The part that the rule looks at cannot be judged in this photo.
    NotVisible,
    /// The part is visible, but the guidelines do not decide.
    Unsure,
}

impl Answer {
    /// The answer's key: the value's key, `not_visible` or `unsure`.
    pub fn key(&self) -> &str {
        match self {
            Self::Value(key) => key,
            Self::NotVisible => NOT_VISIBLE,
            Self::Unsure => UNSURE,
        }
    }

    /// The value's key, if the answer is a value.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Value(key) => Some(key),
            Self::NotVisible | Self::Unsure => None,
        }
    }
}

/// In the REST API's description an answer is its key.
#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Answer {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let description = "A value's key, `not_visible` or `unsure`";
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some(description))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Answer {}

impl From<&str> for Answer {
    fn from(key: &str) -> Self {
        match key {
            NOT_VISIBLE => Self::NotVisible,
            UNSURE => Self::Unsure,
            value => Self::Value(value.to_owned()),
        }
    }
}

impl From<String> for Answer {
    fn from(key: String) -> Self {
        Self::from(key.as_str())
    }
}

impl From<Answer> for String {
    fn from(answer: Answer) -> Self {
        answer.key().to_owned()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_key_in_json() {
        for (answer, json) in [
            (Answer::Value("drop".into()), "\"drop\""),
            (Answer::NotVisible, "\"not_visible\""),
            (Answer::Unsure, "\"unsure\""),
        ] {
            assert_eq!(serde_json::to_string(&answer).unwrap(), json);
            assert_eq!(serde_json::from_str::<Answer>(json).unwrap(), answer);
        }
    }
}
