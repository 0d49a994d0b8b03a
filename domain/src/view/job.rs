//! Long work and how far it is.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Takes in uploaded photos.
    Import,
    /// Writes a dataset as one zip.
    Export,
    /// Trains a run.
    Train,
    /// Predicts photos with a run.
    Predict,
    /// Trains an experiment's runs.
    Experiment,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for a worker.
    Queued,
    /// A worker is at it.
    Running,
    /// Finished.
    Done,
    /// Stopped by an error.
    Failed,
    /// Stopped by somebody.
    Cancelled,
}

impl JobState {
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// A job as pages show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Job {
    /// Job id.
    pub id: i64,
    /// What it does.
    pub kind: JobKind,
    /// Its project.
    pub project_id: i64,
    /// Where it stands.
    pub state: JobState,
    /// Steps done.
    pub progress_done: i64,
    /// Steps in all; 0 while unknown.
    pub progress_total: i64,
    /// What it is doing.
    pub message: String,
    /// Why it failed, for people.
    pub error: Option<String>,
    /// What came of it; its shape depends on the kind ([`ImportReport`] for imports).
    pub result: Option<serde_json::Value>,
    /// Times a worker took it up.
    pub attempts: i32,
    /// Somebody asked it to stop.
    pub cancel_requested: bool,
    /// Who asked for it.
    pub created_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportReport {
    /// Photos that came in.
    pub added: u64,
    /// Of those, photos whose file the project already had under another name.
    pub duplicates: u64,
    /// Photos that were there already, unchanged.
    pub unchanged: u64,
    /// Files that were left out, each with its reason.
    pub skipped: Vec<SkippedFile>,
    /// Labels that came in with them.
    #[serde(default)]
    pub labels: u64,
    /// What else to know.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// A file that an import left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SkippedFile {
    /// Its name, and line where it is a row of a table.
    pub name: String,
    /// Why, for people.
    pub reason: String,
}
