//! Written guidelines: versions per attribute, a rule per value, example photos.

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

/// Which votes a publication puts in doubt, in one word: shorthand for a [`DoubtScope`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// None: the change only says it better.
    #[default]
    None,
    /// Those answered unsure.
    Unsure,
    /// Every vote on the attribute.
    All,
}

impl Doubt {
    /// The same at length; none where no vote is in doubt.
    pub fn scope(self) -> Option<DoubtScope> {
        match self {
            Self::None => None,
            Self::Unsure => Some(DoubtScope { only_unsure: true, ..DoubtScope::default() }),
            Self::All => Some(DoubtScope::default()),
        }
    }
}

/// Which votes on its attribute a publication puts in doubt: those that fit everything said here. They are no votes until
/// they are given again, and their photos go back to the queue. Photos that a reviewer has decided keep their votes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DoubtScope {
    /// Only votes for one of these answers (value keys, `not_visible`, `unsure`); empty: for any answer.
    #[serde(default)]
    pub values: Vec<String>,
    /// Only votes given at this moment or later.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
    /// Only unsure votes: of all photos, or with `values` of those that have a vote for one of these.
    #[serde(default)]
    pub only_unsure: bool,
    /// Only on photos whose votes differ; with `values`, on those with votes for two of these.
    #[serde(default)]
    pub only_disputed: bool,
    /// Who answers them again.
    #[serde(default)]
    pub to: Requeue,
}

/// Who answers again what a publication puts in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Requeue {
    /// The annotators who gave the votes; others for those who have left, are on pause or have no account.
    #[default]
    Same,
    /// Annotators who have not had the photo.
    Others,
}

/// What a [`DoubtScope`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScopeCount {
    /// Votes that are put in doubt.
    pub labels: i64,
    /// Their photos.
    pub photos: i64,
    /// Votes that fit and stay, because a reviewer has decided their photos.
    pub decided: i64,
}

/// A photo to show as an example in the next version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AmendExample {
    /// A photo of the project.
    pub photo_id: i64,
    /// The key of the value that it shows. Where a reviewer has decided the photo, the decision goes before.
    #[serde(default)]
    pub value: Option<String>,
}

/// A published version with how far annotators agreed before and after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionEffect {
    /// 1, 2, ...
    pub version: i32,
    /// What was put in doubt; none where nothing was.
    pub doubt: Option<DoubtScope>,
    /// How many votes that were.
    pub labels: i64,
    /// Their photos.
    pub photos: i64,
    /// What `before` and `after` are measured on.
    pub compared: Compared,
    /// Before the publication.
    pub before: Agreed,
    /// Votes given under this version.
    pub after: Agreed,
}

/// Which votes are compared before and after a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// The photos that came back: the votes that they had then, and those given under the version.
    Returned,
    /// Nothing came back: all votes given before the publication, and those under the version, on whatever photos they are.
    All,
}

/// Agreement on some photos. Undefined figures are none, with the reason beside.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Agreed {
    /// Photos with two or more votes.
    pub photos: i64,
    /// Votes on them.
    pub votes: i64,
    /// Mean over photos of the share of agreeing pairs, 0 to 1.
    pub percent: Option<f64>,
    /// Krippendorff's alpha, nominal, with not visible and unsure as values.
    pub alpha: Option<f64>,
    /// Why a figure is undefined.
    pub undefined: Option<String>,
}
