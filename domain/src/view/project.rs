//! Projects and their progress.

use serde::{Deserialize, Serialize};

use crate::{roles::Role, schema::Attribute, view::queue::QueueOrder};

/// A project in the list of projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectRow {
    /// Project id.
    pub id: i64,
    /// Stable key, used in addresses.
    pub key: String,
    /// What people read.
    pub name: String,
    /// One or two sentences.
    pub description: String,
    /// The caller's role; none for an administrator who is not a member.
    pub role: Option<Role>,
    /// Photos, duplicates included.
    pub photos: i64,
    /// Slots that have been answered.
    pub slots_done: i64,
    /// Slots in all (photos times annotators a photo).
    pub slots: i64,
}

/// A project with what every one of its pages needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Project {
    /// Project id.
    pub id: i64,
    /// Stable key, used in addresses.
    pub key: String,
    /// What people read.
    pub name: String,
    /// One or two sentences.
    pub description: String,
    /// The role whose rights the caller has here; administrators count as leads.
    pub role: Role,
    /// Annotators a photo.
    pub overlap: i16,
    /// How long a claimed photo is held, in seconds.
    pub lease_seconds: i32,
    /// Attributes in order, retired ones left out.
    pub attributes: Vec<Attribute>,
}

/// What a lead may change about a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectSettings {
    /// What people read; 1 to 120 characters.
    pub name: String,
    /// At most 2,000 characters.
    pub description: String,
    /// Annotators a photo, 1 to 20. Lowering it takes away no answers.
    pub overlap: i16,
    /// The share of photos, 0 to 1, that as many annotators answer; the others get one. A photo is always on the same side.
    pub overlap_share: f64,
    /// How many more annotators a photo gets, one at a time, while its answers differ; 0 to 5.
    pub extra_votes: i16,
    /// Which photos come first.
    pub queue_order: QueueOrder,
    /// 30 to 86,400 seconds.
    pub lease_seconds: i32,
    /// Gold photos and the quiz.
    #[serde(flatten)]
    pub gold: GoldSettings,
}

/// How gold photos are used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GoldSettings {
    /// The share of an annotator's photos that are gold, 0 to 0.5.
    pub gold_rate: f64,
    /// Gold photos that an annotator answers before their first real photo, 0 (no quiz) to 50.
    pub quiz_length: i16,
    /// The share of right answers that passes, 0 to 1.
    pub quiz_pass_mark: f64,
    /// Whether a failed quiz may be repeated with other gold photos; otherwise a lead decides.
    pub quiz_repeats: bool,
}

impl Default for GoldSettings {
    /// No gold, no quiz.
    fn default() -> Self {
        Self { gold_rate: 0.0, quiz_length: 0, quiz_pass_mark: 0.8, quiz_repeats: true }
    }
}

/// How far a project is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Photos, duplicates included.
    pub photos: i64,
    /// Photos that share their file with another and are labelled with it.
    pub duplicates: i64,
    /// Slots in all.
    pub slots: i64,
    /// Slots that have been answered.
    pub slots_done: i64,
    /// Slots that somebody holds now.
    pub slots_held: i64,
    /// Photos with every slot answered.
    pub photos_done: i64,
    /// Photo and attribute pairs whose answers differ and that nobody has decided.
    pub open_disagreements: i64,
    /// Unsure answers that nobody has decided.
    pub open_unsure: i64,
    /// Per annotator, most photos first.
    pub annotators: Vec<AnnotatorProgress>,
    /// Photos per value of each given attribute, in the attributes' order.
    pub given: Vec<GivenCount>,
}

/// How far one annotator is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AnnotatorProgress {
    /// Annotator's name.
    pub name: String,
    /// Photos finished.
    pub photos_done: i64,
    /// Median milliseconds a photo, where known.
    pub median_ms: Option<f64>,
}

/// Photos that have a value of a given attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GivenCount {
    /// Attribute key.
    pub attribute: String,
    /// Value key.
    pub value: String,
    /// Photos.
    pub photos: i64,
}
