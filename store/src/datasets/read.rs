//! Reading frozen datasets.

use kenami_domain::{
    dataset::{Item, Manifest, Policy},
    roles::Role,
    view::dataset::{DatasetDetail, DatasetRow, DatasetSummary},
};
use sqlx::{PgConnection, PgExecutor, types::Json};
use time::OffsetDateTime;

use crate::{
    actor::Actor,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
};

/// One photo of a frozen dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetItem {
    /// Line of items.jsonl, from 0.
    pub position: i32,
    /// The photo.
    pub photo_id: i64,
    /// The line of items.jsonl.
    pub item: Item,
    /// blake3 of the photo's file.
    pub file_hash: [u8; 32],
    /// The file's media type.
    pub media_type: String,
}

/// A row as the database has it.
struct Row {
    id: i64,
    name: String,
    policy: String,
    hash: String,
    photos: i64,
    created_by: String,
    created_at: OffsetDateTime,
}

impl TryFrom<Row> for DatasetRow {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            policy: row.policy.parse::<Policy>().map_err(Error::internal)?,
            hash: row.hash,
            photos: row.photos,
            created_by: row.created_by,
            created_at: row.created_at,
        })
    }
}

/// All datasets of a project, newest first.
///
/// # Errors
/// Rights; the database.
pub async fn list(actor: &Actor, db: &Db, project: &str) -> Result<Vec<DatasetRow>> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT d.id, d.name, d.policy, d.hash, (d.manifest ->> 'items')::bigint AS "photos!", u.name AS created_by,
                  d.created_at
           FROM datasets d JOIN users u ON u.id = d.created_by
           WHERE d.project_id = $1 ORDER BY d.id DESC"#,
        access.project_id,
    );
    rows.fetch_all(db).await?.into_iter().map(DatasetRow::try_from).collect()
}

/// One dataset's row, without a check of rights.
pub(super) async fn row(connection: &mut PgConnection, project_id: i64, name: &str) -> Result<DatasetRow> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT d.id, d.name, d.policy, d.hash, (d.manifest ->> 'items')::bigint AS "photos!", u.name AS created_by,
                  d.created_at
           FROM datasets d JOIN users u ON u.id = d.created_by
           WHERE d.project_id = $1 AND d.name = $2"#,
        project_id,
        name,
    );
    row.fetch_optional(connection).await?.ok_or(Error::NotFound("dataset"))?.try_into()
}

/// One dataset with its counts.
///
/// # Errors
/// [`Error::NotFound`] for an unknown dataset; rights; the database.
pub async fn get(actor: &Actor, db: &Db, project: &str, name: &str) -> Result<DatasetDetail> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    let mut connection = db.acquire().await?;
    let row = row(&mut connection, access.project_id, name).await?;
    let stored = sqlx::query!(
        r#"SELECT manifest AS "manifest: Json<Manifest>", summary AS "summary: Json<DatasetSummary>"
           FROM datasets WHERE id = $1"#,
        row.id,
    )
    .fetch_one(&mut *connection)
    .await?;
    Ok(DatasetDetail { row, manifest: stored.manifest.0, summary: stored.summary.0 })
}

/// Project key and dataset name of `NAME` or `PROJECT/NAME`, among the projects whose datasets the actor may see.
///
/// # Errors
/// [`Error::Conflict`] if several projects have a dataset of this name; [`Error::NotFound`] if none has; rights; the
/// database.
pub async fn find(actor: &Actor, db: &Db, reference: &str) -> Result<(String, String)> {
    if let Some((project, name)) = reference.split_once('/') {
        let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
        id(db, access.project_id, name).await?;
        return Ok((project.to_owned(), name.to_owned()));
    }
    let user_id = rights::require_server(actor, db, Operation::ListProjects).await?;
    let roles: Vec<String> =
        Role::ALL.into_iter().filter(|role| *role >= Role::Reviewer).map(|role| role.as_str().to_owned()).collect();
    let projects = sqlx::query_scalar!(
        "SELECT p.key FROM datasets d JOIN projects p ON p.id = d.project_id JOIN users u ON u.id = $2
         LEFT JOIN memberships m ON m.project_id = p.id AND m.user_id = u.id
         WHERE d.name = $1 AND (u.built_in OR u.administrator OR m.role = ANY($3))
         ORDER BY p.key",
        reference,
        user_id,
        &roles,
    )
    .fetch_all(db)
    .await?;
    match projects.as_slice() {
        [] => Err(Error::NotFound("dataset")),
        [project] => Ok((project.clone(), reference.to_owned())),
        several => {
            let choices: Vec<String> = several.iter().map(|project| format!("{project}/{reference}")).collect();
            let message = format!("several projects have a dataset `{reference}`: write {}", choices.join(" or "));
            Err(Error::Conflict(message))
        }
    }
}

async fn id(db: impl PgExecutor<'_>, project_id: i64, name: &str) -> Result<i64> {
    sqlx::query_scalar!("SELECT id FROM datasets WHERE project_id = $1 AND name = $2", project_id, name)
        .fetch_optional(db)
        .await?
        .ok_or(Error::NotFound("dataset"))
}

/// dataset.json.
///
/// # Errors
/// [`Error::NotFound`] for an unknown dataset; rights; the database.
pub async fn manifest(actor: &Actor, db: &Db, project: &str, name: &str) -> Result<Manifest> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    let manifest = sqlx::query_scalar!(
        r#"SELECT manifest AS "manifest: Json<Manifest>" FROM datasets WHERE project_id = $1 AND name = $2"#,
        access.project_id,
        name,
    )
    .fetch_optional(db)
    .await?;
    manifest.map(|manifest| manifest.0).ok_or(Error::NotFound("dataset"))
}

/// All items in order. For large datasets see [`items_page`].
///
/// # Errors
/// [`Error::NotFound`] for an unknown dataset; rights; the database.
pub async fn items(actor: &Actor, db: &Db, project: &str, name: &str) -> Result<Vec<DatasetItem>> {
    let access = rights::require(actor, db, Operation::ExportDataset, project).await?;
    let id = id(db, access.project_id, name).await?;
    load(db, id, None, i64::MAX).await
}

/// Up to `limit` items (1 to 10,000) in order, after the position `after`. Fewer than `limit`: these are the last.
///
/// # Errors
/// [`Error::NotFound`] for an unknown dataset; rights; the database.
pub async fn items_page(
    actor: &Actor,
    db: &Db,
    project: &str,
    name: &str,
    after: Option<i32>,
    limit: i64,
) -> Result<Vec<DatasetItem>> {
    let access = rights::require(actor, db, Operation::ExportDataset, project).await?;
    let id = id(db, access.project_id, name).await?;
    load(db, id, after, limit.clamp(1, 10_000)).await
}

async fn load(db: &Db, dataset_id: i64, after: Option<i32>, limit: i64) -> Result<Vec<DatasetItem>> {
    let rows = sqlx::query!(
        r#"SELECT i.position, i.photo_id, i.item AS "item: Json<Item>", f.hash, f.media_type
           FROM dataset_items i JOIN files f ON f.id = i.file_id
           WHERE i.dataset_id = $1 AND i.position > $2
           ORDER BY i.position LIMIT $3"#,
        dataset_id,
        after.unwrap_or(-1),
        limit,
    )
    .fetch_all(db)
    .await?;
    let item = rows.into_iter().map(|row| {
        let file_hash = row.hash.as_slice().try_into().map_err(Error::internal)?;
        let (position, photo_id, media_type) = (row.position, row.photo_id, row.media_type);
        Ok(DatasetItem { position, photo_id, item: row.item.0, file_hash, media_type })
    });
    item.collect()
}
