//! Written guidelines: versions per attribute, a rule per value, example photos.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    schema::{Attribute, Texts},
    view::photo::PhotoCard,
};

/// The rule of one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rule {
    /// Value key.
    pub value: String,
    /// Markdown per language.
    pub rule: Texts,
    /// Photos that show it.
    pub examples: Vec<Example>,
}

/// A photo that shows a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Example {
    /// The photo.
    pub photo: PhotoCard,
    /// What to see in it.
    pub caption: String,
}

/// The text of one version, published or draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GuidelineText {
    /// What to look at, and how the rules are applied; markdown per language.
    pub introduction: Texts,
    /// In the order in which they are applied.
    pub rules: Vec<Rule>,
}

/// A published version in the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GuidelineVersion {
    /// 1, 2, ...
    pub version: i32,
    /// What changed and why.
    pub change_note: String,
    /// Who published it; nobody for an imported one.
    pub published_by: Option<String>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub published_at: OffsetDateTime,
    /// Labels given under this version that still stand.
    pub labels: i64,
}

/// Everything the guidelines page shows of one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Guideline {
    /// The attribute.
    pub attribute: Attribute,
    /// The version in force, if any has been published.
    pub current: Option<GuidelineVersion>,
    /// Its text (empty where there is none).
    pub text: GuidelineText,
    /// The draft of the next version, for leads.
    pub draft: Option<Draft>,
    /// All published versions, newest first.
    pub history: Vec<GuidelineVersion>,
}

/// Names of an attribute and its values, as a lead edits them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamesEdit {
    /// The attribute's, per language.
    pub attribute: Texts,
    /// Those of its values, by value key.
    pub values: BTreeMap<String, Texts>,
}

/// The draft of the next version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Draft {
    /// Its text.
    pub text: GuidelineText,
    /// What changed and why.
    pub change_note: String,
    /// Who began it.
    pub created_by: Option<String>,
    /// When it was last saved: give it back when saving, so that two editors do not overwrite each other.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// What an editor sends to save a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DraftEdit {
    /// Markdown per language.
    pub introduction: Texts,
    /// One per value; values left out have an empty rule.
    pub rules: Vec<RuleEdit>,
    /// What changed and why.
    pub change_note: String,
    /// The draft's `updated_at` that the editor started from; none for a new draft.
    #[serde(with = "time::serde::rfc3339::option")]
    pub based_on: Option<OffsetDateTime>,
}

/// One rule as an editor sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleEdit {
    /// Value key.
    pub value: String,
    /// Markdown per language.
    pub rule: Texts,
    /// Photo ids with captions.
    pub examples: Vec<ExampleEdit>,
}

/// One example as an editor sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExampleEdit {
    /// A photo of the project.
    pub photo_id: i64,
    /// What to see in it; at most 200 characters.
    pub caption: String,
}

/// Which standing labels a publication puts in doubt; their photos return to the annotators who gave them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// None: the change only says it better.
    #[default]
    None,
    /// Those answered unsure.
    Unsure,
    /// Every label of the attribute.
    All,
}
