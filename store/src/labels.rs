//! Labels in and out of files.

use kenami_domain::csvio::LabelRow;

use crate::{actor::Actor, db::Db, error::Result};

/// What an import of labels did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelImport {
    /// Labels that came in, changed ones included.
    pub imported: u64,
    /// Rows that were there already.
    pub unchanged: u64,
    /// Rows that were left out: line and reason.
    pub problems: Vec<(u64, String)>,
}

/// Brings labels in.
pub async fn import(actor: &Actor, db: &Db, project: &str, rows: &[LabelRow]) -> Result<LabelImport> {
    let _ = (actor, db, project, rows);
    unimplemented!()
}

/// Standing labels.
pub async fn export(actor: &Actor, db: &Db, project: &str) -> Result<Vec<LabelRow>> {
    let _ = (actor, db, project);
    unimplemented!()
}

/// Standing labels of up to `photos` photos, by photo name after `after`.
pub async fn export_page(
    actor: &Actor,
    db: &Db,
    project: &str,
    after: Option<&str>,
    photos: i64,
) -> Result<(Vec<LabelRow>, Option<String>)> {
    let _ = (actor, db, project, after, photos);
    unimplemented!()
}
