//! Standing labels as rows of a file.

use kenami_domain::csvio::LabelRow;
use sqlx::PgConnection;

use crate::{
    actor::Actor,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
};

/// Photos of one page while all are exported.
const PAGE: i64 = 5_000;

/// All votes, by photo name, annotator and attribute: labels that stand, without answers to gold photos and labels that are
/// in doubt, so that what is computed from the file is what the pages show. Labels of exact duplicates bear
/// the original's name.
///
/// # Errors
/// Rights; the database.
pub async fn export(actor: &Actor, db: &Db, project: &str) -> Result<Vec<LabelRow>> {
    let access = rights::require(actor, db, Operation::ExportLabels, project).await?;
    // One snapshot for all pages.
    let mut tx = db.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let (rows, next) = page(&mut tx, access.project_id, &catalog, after.as_deref(), PAGE).await?;
        all.extend(rows);
        match next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

/// The votes on the next `photos` photos (1 to 10,000) whose names come after `after`, and the name to go on
/// from, if there are more photos. A page may be empty where photos have no labels.
///
/// # Errors
/// Rights; the database.
pub async fn export_page(
    actor: &Actor,
    db: &Db,
    project: &str,
    after: Option<&str>,
    photos: i64,
) -> Result<(Vec<LabelRow>, Option<String>)> {
    let access = rights::require(actor, db, Operation::ExportLabels, project).await?;
    let mut connection = db.acquire().await?;
    let catalog = Catalog::load(&mut *connection, access.project_id).await?;
    page(&mut connection, access.project_id, &catalog, after, photos.clamp(1, 10_000)).await
}

async fn page(
    connection: &mut PgConnection,
    project_id: i64,
    catalog: &Catalog,
    after: Option<&str>,
    photos: i64,
) -> Result<(Vec<LabelRow>, Option<String>)> {
    let named = sqlx::query!(
        "SELECT id, name FROM photos
         WHERE project_id = $1 AND ($2::text IS NULL OR name > $2)
         ORDER BY name LIMIT $3",
        project_id,
        after,
        photos,
    )
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<i64> = named.iter().map(|photo| photo.id).collect();
    let is_full = i64::try_from(named.len()).map_err(Error::internal)? == photos;
    let next = if is_full { named.last().map(|photo| photo.name.clone()) } else { None };
    let labels = sqlx::query!(
        "SELECT p.name AS image, n.name AS annotator, l.attribute_id, l.answer, l.value_id, l.duration_ms, l.note
         FROM labels l JOIN photos p ON p.id = l.photo_id
         JOIN annotators n ON n.id = l.annotator_id
         JOIN attributes a ON a.id = l.attribute_id
         WHERE l.photo_id = ANY($1) AND l.superseded_at IS NULL AND NOT l.gold
           AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)
         ORDER BY p.name, n.name, a.position, a.id",
        &ids,
    )
    .fetch_all(connection)
    .await?;
    let rows = labels.into_iter().map(|label| {
        let entry = catalog.by_id(label.attribute_id)?;
        Ok(LabelRow {
            line: 0,
            image: label.image,
            annotator: label.annotator,
            attribute: entry.key().to_owned(),
            answer: entry.answer(&label.answer, label.value_id)?,
            duration_ms: label.duration_ms.and_then(|duration| u32::try_from(duration).ok()),
            note: Some(label.note).filter(|note| !note.is_empty()),
        })
    });
    Ok((rows.collect::<Result<_>>()?, next))
}
