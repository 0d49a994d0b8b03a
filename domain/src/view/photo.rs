//! Photos. Their pictures are at `/media/{project_key}/{photo_id}/{thumbnail|web|original}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::split::ImportedSplit;

/// A photo in a grid or list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PhotoCard {
    /// Photo id.
    pub id: i64,
    /// File name at import.
    pub name: String,
    /// Pixels across, as shown.
    pub width: i32,
    /// Pixels down, as shown.
    pub height: i32,
    /// Given attributes: value key per attribute key.
    pub given: BTreeMap<String, String>,
}
