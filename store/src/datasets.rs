//! Frozen datasets: made once from a snapshot, never changed.

mod snapshot;

use kenami_domain::{
    dataset::{Item, Manifest},
    freeze::{FreezeInput as Rules, Frozen},
    view::dataset::{AttributeSummary, DatasetDetail, DatasetRow, DatasetSummary, FreezeInput},
};
use serde_json::json;
use sqlx::{PgConnection, types::Json};

use crate::{
    actor::Actor,
    audit,
    db::Db,
    error::{Error, Result},
    rights::{self, Access, Operation},
};
use snapshot::Snapshot;

/// Rows written with one statement.
const CHUNK: usize = 1000;

/// One photo of a frozen dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetItem {
    /// 0-based place in items.jsonl.
    pub position: i32,
    /// The photo.
    pub photo_id: i64,
    /// The line of items.jsonl.
    pub item: Item,
    /// The file's hash.
    pub file_hash: [u8; 32],
    /// The file's media type.
    pub media_type: String,
}

/// Freezes the project's photos, labels and decisions as they are now.
///
/// # Errors
/// [`Error::Invalid`] of `name`, `policy` or `run` if they do not fit or there is nothing to freeze; [`Error::Conflict`] if
/// the project has a dataset of that name; rights; the database.
pub async fn freeze(actor: &Actor, db: &Db, project: &str, input: FreezeInput) -> Result<DatasetRow> {
    let access = rights::require(actor, db, Operation::Freeze, project).await?;
    check_name(&input.name)?;
    let seed = i64::try_from(input.seed).map_err(|_| Error::invalid("seed", "at most 9223372036854775807"))?;
    let mut tx = db.begin().await?;
    // One moment for all that is read: labels that arrive meanwhile are not half in.
    sqlx::query!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *tx).await?;
    let snapshot = Snapshot::read(&mut tx, &access, input.run.as_deref()).await?;
    let project_key = sqlx::query_scalar!("SELECT key FROM projects WHERE id = $1", access.project_id)
        .fetch_one(&mut *tx)
        .await?;
    let frozen = kenami_domain::freeze::freeze(&Rules {
        name: &input.name,
        project: &project_key,
        photos: &snapshot.photos,
        votes: &snapshot.votes,
        adjudications: &snapshot.adjudications,
        policy: input.policy,
        seed: input.seed,
        schema: &snapshot.schema,
        priors: &snapshot.priors,
        guideline_versions: &snapshot.guideline_versions,
        probabilities: snapshot.probabilities.as_ref(),
        stratify_by: None,
    })
    .map_err(|error| Error::invalid("dataset", error.to_string()))?;
    let summary = summarise(&frozen);
    let id = sqlx::query_scalar!(
        "INSERT INTO datasets (project_id, name, policy, seed, hash, manifest, summary, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
        access.project_id,
        input.name,
        input.policy.as_str(),
        seed,
        frozen.manifest.hash,
        serde_json::to_value(&frozen.manifest)?,
        serde_json::to_value(&summary)?,
        access.user_id,
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(|error| match Error::is_unique_violation(&error, "datasets_project_id_name_key") {
        true => Error::Conflict(format!("the project has a dataset `{}` already: choose another name", input.name)),
        false => error.into(),
    })?;
    insert_items(&mut tx, id, &frozen, &snapshot).await?;
    audit::record(&mut tx, access, Operation::Freeze, json!({ "dataset": input.name, "hash": frozen.manifest.hash }))
        .await?;
    tx.commit().await?;
    row(db, access.project_id, &input.name).await
}

fn check_name(name: &str) -> Result<()> {
    let fits = (1..=100).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if fits {
        Ok(())
    } else {
        Err(Error::invalid("name", "1 to 100 letters, digits, `.`, `_` or `-`, the first a letter or digit"))
    }
}

/// What the dataset holds, in numbers.
fn summarise(frozen: &Frozen<'_>) -> DatasetSummary {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let mut summary = DatasetSummary {
        splits: frozen.counts.splits.iter().map(|(split, photos)| (*split, count(*photos))).collect(),
        attributes: frozen
            .counts
            .attributes
            .iter()
            .map(|(key, counts)| {
                let summary = AttributeSummary {
                    usable: count(counts.answered),
                    adjudicated: count(counts.adjudicated),
                    tied: count(counts.tied),
                    not_visible: count(counts.not_visible),
                    unsure: count(counts.unsure),
                    unlabelled: count(counts.unlabelled),
                    values: Default::default(),
                };
                (key.clone(), summary)
            })
            .collect(),
        warnings: frozen.warnings.clone(),
    };
    for (_, item) in frozen.items() {
        for (key, answer) in &item.answers {
            let usable = item.masks.get(key) == Some(&1);
            if let (true, Some(value), Some(attribute)) = (usable, answer.value(), summary.attributes.get_mut(key)) {
                *attribute.values.entry(value.to_owned()).or_default() += 1;
            }
        }
    }
    summary
}

async fn insert_items(tx: &mut PgConnection, dataset_id: i64, frozen: &Frozen<'_>, snapshot: &Snapshot) -> Result<()> {
    let mut items = frozen.items().enumerate().peekable();
    while items.peek().is_some() {
        let (mut positions, mut photos, mut files, mut lines) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (position, (photo, item)) in items.by_ref().take(CHUNK) {
            positions.push(i32::try_from(position).map_err(Error::internal)?);
            photos.push(snapshot.ids[photo].photo);
            files.push(snapshot.ids[photo].file);
            lines.push(serde_json::to_value(&item)?);
        }
        sqlx::query!(
            "INSERT INTO dataset_items (dataset_id, position, photo_id, file_id, item)
             SELECT $1, * FROM unnest($2::integer[], $3::bigint[], $4::bigint[], $5::jsonb[])",
            dataset_id,
            &positions,
            &photos,
            &files,
            &lines,
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// A dataset as its columns have it.
struct Row {
    id: i64,
    name: String,
    policy: String,
    hash: String,
    photos: i64,
    created_by: String,
    created_at: time::OffsetDateTime,
}

impl TryFrom<Row> for DatasetRow {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            policy: row.policy.parse().map_err(Error::internal)?,
            hash: row.hash,
            photos: row.photos,
            created_by: row.created_by,
            created_at: row.created_at,
        })
    }
}

async fn row(db: &Db, project_id: i64, name: &str) -> Result<DatasetRow> {
    rows(db, project_id, Some(name)).await?.pop().ok_or(Error::NotFound("dataset"))
}

async fn rows(db: &Db, project_id: i64, name: Option<&str>) -> Result<Vec<DatasetRow>> {
    sqlx::query_as!(
        Row,
        r#"SELECT d.id, d.name, d.policy, d.hash, (d.manifest ->> 'items')::bigint AS "photos!", u.name AS created_by,
                  d.created_at
           FROM datasets d JOIN users u ON u.id = d.created_by
           WHERE d.project_id = $1 AND ($2::text IS NULL OR d.name = $2)
           ORDER BY d.id DESC"#,
        project_id,
        name,
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(DatasetRow::try_from)
    .collect()
}

/// All datasets, newest first.
///
/// # Errors
/// Rights; the database.
pub async fn list(actor: &Actor, db: &Db, project: &str) -> Result<Vec<DatasetRow>> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    rows(db, access.project_id, None).await
}

/// One dataset with its counts.
///
/// # Errors
/// [`Error::NotFound`] if the project has none of that name; rights; the database.
pub async fn get(actor: &Actor, db: &Db, project: &str, name: &str) -> Result<DatasetDetail> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    let stored = sqlx::query!(
        r#"SELECT manifest AS "manifest: Json<Manifest>", summary AS "summary: Json<DatasetSummary>"
           FROM datasets WHERE project_id = $1 AND name = $2"#,
        access.project_id,
        name,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound("dataset"))?;
    let row = row(db, access.project_id, name).await?;
    Ok(DatasetDetail { row, manifest: stored.manifest.0, summary: stored.summary.0 })
}

/// dataset.json.
///
/// # Errors
/// [`Error::NotFound`] if the project has none of that name; rights; the database.
pub async fn manifest(actor: &Actor, db: &Db, project: &str, name: &str) -> Result<Manifest> {
    let access = rights::require(actor, db, Operation::ExportDataset, project).await?;
    let stored = sqlx::query_scalar!(
        r#"SELECT manifest AS "manifest: Json<Manifest>" FROM datasets WHERE project_id = $1 AND name = $2"#,
        access.project_id,
        name,
    )
    .fetch_optional(db)
    .await?;
    Ok(stored.ok_or(Error::NotFound("dataset"))?.0)
}

/// Project key and dataset name of `NAME` or `PROJECT/NAME`.
///
/// # Errors
/// [`Error::NotFound`] if there is none that the actor may see, [`Error::Conflict`] if several projects have one; rights;
/// the database.
pub async fn find(actor: &Actor, db: &Db, reference: &str) -> Result<(String, String)> {
    let (project, name) = match reference.split_once('/') {
        Some((project, name)) => (Some(project), name),
        None => (None, reference),
    };
    let keys = sqlx::query_scalar!(
        "SELECT p.key FROM datasets d JOIN projects p ON p.id = d.project_id
         WHERE d.name = $1 AND ($2::text IS NULL OR p.key = $2) ORDER BY p.key",
        name,
        project,
    )
    .fetch_all(db)
    .await?;
    let mut seen = Vec::new();
    for key in keys {
        match rights::require(actor, db, Operation::ReadDatasets, key.as_str()).await {
            Ok(_) => seen.push(key),
            Err(Error::NotFound(_) | Error::Forbidden) => {}
            Err(error) => return Err(error),
        }
    }
    match seen.as_slice() {
        [] => Err(Error::NotFound("dataset")),
        [key] => Ok((key.clone(), name.to_owned())),
        several => {
            let names: Vec<String> = several.iter().map(|key| format!("{key}/{name}")).collect();
            Err(Error::Conflict(format!("several projects have a dataset `{name}`: say {}", names.join(" or "))))
        }
    }
}

/// All items in order.
///
/// # Errors
/// [`Error::NotFound`] if the project has none of that name; rights; the database.
pub async fn items(actor: &Actor, db: &Db, project: &str, name: &str) -> Result<Vec<DatasetItem>> {
    items_page(actor, db, project, name, None, i64::MAX).await
}

/// Up to `limit` items in order, after the position `after`.
///
/// # Errors
/// [`Error::NotFound`] if the project has none of that name; rights; the database.
pub async fn items_page(
    actor: &Actor,
    db: &Db,
    project: &str,
    name: &str,
    after: Option<i32>,
    limit: i64,
) -> Result<Vec<DatasetItem>> {
    let access = rights::require(actor, db, Operation::ExportDataset, project).await?;
    let id = id_of(db, &access, name).await?;
    let rows = sqlx::query!(
        r#"SELECT i.position, i.photo_id, i.item AS "item: Json<Item>", f.hash, f.media_type
           FROM dataset_items i JOIN files f ON f.id = i.file_id
           WHERE i.dataset_id = $1 AND i.position > $2 ORDER BY i.position LIMIT $3"#,
        id,
        after.unwrap_or(-1),
        limit,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let file_hash = row.hash.as_slice().try_into().map_err(Error::internal)?;
            Ok(DatasetItem {
                position: row.position,
                photo_id: row.photo_id,
                item: row.item.0,
                file_hash,
                media_type: row.media_type,
            })
        })
        .collect()
}

async fn id_of(db: &Db, access: &Access, name: &str) -> Result<i64> {
    sqlx::query_scalar!("SELECT id FROM datasets WHERE project_id = $1 AND name = $2", access.project_id, name)
        .fetch_optional(db)
        .await?
        .ok_or(Error::NotFound("dataset"))
}
