//! Photos of a project: listing, serving, and adding them in batches.

mod add;

use std::collections::{BTreeMap, HashMap};

use kenami_domain::view::{
    Page,
    photo::{ImportedSplit, PhotoCard},
};

use crate::{
    actor::Actor,
    cards::Cards,
    db::Db,
    error::{Error, Result},
    rights::{Operation, require},
};

pub use add::add_batch;

/// A file that lies in the object store already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewFile {
    /// BLAKE3 of the original bytes: its name in the object store.
    pub hash: [u8; 32],
    /// Size of the original.
    pub bytes: i64,
    /// `image/jpeg`, `image/png` or `image/webp`.
    pub media_type: &'static str,
    /// Pixels across, after the EXIF orientation.
    pub width: i32,
    /// Pixels down, after the EXIF orientation.
    pub height: i32,
}

/// A photo to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPhoto {
    /// Unique in the project.
    pub name: String,
    /// Its file.
    pub file: NewFile,
    /// The split that came with it.
    pub split: Option<ImportedSplit>,
    /// Value key per key of a given attribute.
    pub given: BTreeMap<String, String>,
}

/// What [`add_batch`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// Photos that came in, duplicates included.
    pub added: u64,
    /// Of those, photos whose file the project had already under another name.
    pub duplicates: u64,
    /// Photos that were there already.
    pub unchanged: u64,
    /// Photos that were left out, by name, each with a reason for people.
    pub conflicts: Vec<(String, String)>,
}

/// Which photos to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PhotoQuery {
    /// From the previous page.
    pub cursor: Option<i64>,
    /// Photos a page, 1 to 200; 0 for 60.
    pub limit: usize,
    /// Attribute key and value key that a photo must have.
    pub given: Option<(String, String)>,
    /// Text that the name must contain, whatever its case.
    pub name_contains: Option<String>,
}

/// What is needed to serve a photo's picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// BLAKE3 of the original: its name in the object store.
    pub hash: [u8; 32],
    /// Media type of the original.
    pub media_type: String,
    /// Size of the original.
    pub bytes: i64,
}

/// Which of these names the project has, with their files' hashes: what an import may skip.
///
/// # Errors
/// As [`require`] for [`Operation::ImportPhotos`].
pub async fn known_names(actor: &Actor, db: &Db, key: &str, names: &[String]) -> Result<HashMap<String, [u8; 32]>> {
    let access = require(actor, db, Operation::ImportPhotos, key).await?;
    let rows = sqlx::query!(
        "SELECT p.name, f.hash FROM photos p JOIN files f ON f.id = p.file_id
         WHERE p.project_id = $1 AND p.name = ANY ($2)",
        access.project_id,
        names,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|row| Ok((row.name, hash_from(&row.hash)?))).collect()
}

fn hash_from(bytes: &[u8]) -> Result<[u8; 32]> {
    bytes.try_into().map_err(Error::internal)
}

/// Photos in the order of their ids, a page at a time.
///
/// # Errors
/// As [`require`] for [`Operation::ReadPhotos`].
pub async fn list(actor: &Actor, db: &Db, key: &str, query: PhotoQuery) -> Result<Page<PhotoCard>> {
    let access = require(actor, db, Operation::ReadPhotos, key).await?;
    let limit = if query.limit == 0 { 60 } else { query.limit.min(200) };
    let after = query.cursor.unwrap_or(0);
    let rows = i64::try_from(limit + 1).map_err(Error::internal)?;
    let name = query.name_contains.filter(|text| !text.is_empty());
    // Two queries, so that each has the plan that fits it: by value, the index on values leads.
    let ids = match query.given {
        None => {
            sqlx::query_scalar!(
                "SELECT id FROM photos
                 WHERE project_id = $1 AND id > $2 AND ($3::text IS NULL OR position(lower($3) IN lower(name)) > 0)
                 ORDER BY id LIMIT $4",
                access.project_id,
                after,
                name,
                rows,
            )
            .fetch_all(db)
            .await?
        }
        Some((attribute, value)) => {
            sqlx::query_scalar!(
                "SELECT p.id FROM photos p JOIN photo_values pv ON pv.photo_id = p.id
                 WHERE p.project_id = $1 AND p.id > $2 AND ($3::text IS NULL OR position(lower($3) IN lower(p.name)) > 0)
                   AND pv.value_id = (SELECT v.id FROM attributes a JOIN attribute_values v ON v.attribute_id = a.id
                                      WHERE a.project_id = $1 AND a.key = $5 AND v.key = $6)
                 ORDER BY p.id LIMIT $4",
                access.project_id,
                after,
                name,
                rows,
                attribute,
                value,
            )
            .fetch_all(db)
            .await?
        }
    };
    let cards = Cards::load(db, &ids).await?;
    let items = ids.into_iter().map(|id| cards.get(id)).collect::<Result<Vec<_>>>()?;
    Ok(Page::from_rows(items, limit, |card| card.id))
}

/// One photo.
///
/// # Errors
/// [`Error::NotFound`] if the project has no such photo.
pub async fn get(actor: &Actor, db: &Db, key: &str, photo_id: i64) -> Result<PhotoCard> {
    let access = require(actor, db, Operation::ReadPhotos, key).await?;
    sqlx::query_scalar!("SELECT id FROM photos WHERE id = $1 AND project_id = $2", photo_id, access.project_id)
        .fetch_optional(db)
        .await?
        .ok_or(Error::NotFound("photo"))?;
    Cards::load(db, &[photo_id]).await?.get(photo_id)
}

/// What is needed to serve a photo's picture.
///
/// # Errors
/// [`Error::NotFound`] if the project has no such photo.
pub async fn file_of(actor: &Actor, db: &Db, key: &str, photo_id: i64) -> Result<MediaFile> {
    let access = require(actor, db, Operation::ReadPhotos, key).await?;
    let row = sqlx::query!(
        "SELECT f.hash, f.media_type, f.bytes FROM photos p JOIN files f ON f.id = p.file_id
         WHERE p.id = $1 AND p.project_id = $2",
        photo_id,
        access.project_id,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound("photo"))?;
    Ok(MediaFile { hash: hash_from(&row.hash)?, media_type: row.media_type, bytes: row.bytes })
}
