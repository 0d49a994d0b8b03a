//! Adding photos in batches: a handful of statements a batch, whatever its size.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use kenami_domain::schema::AttributeKind;
use serde_json::json;
use sqlx::PgConnection;

use super::{Added, NewPhoto, hash_from};
use crate::{
    actor::Actor,
    audit,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    queue,
    rights::{Operation, require},
    schema::{is_valid_given_key, lock},
};

/// Adds photos whose files lie in the object store, all in one transaction; doing it again changes nothing.
///
/// - A name that the project has with the same bytes is unchanged; given values and a split that it lacks are filled in.
/// - A name that the project has with other bytes, or with another given value, is a conflict: reported and left as it is.
/// - A file that the project has under another name becomes a duplicate, which is labelled with the original.
/// - Values that a given attribute lacks are added to it; the attribute itself must exist. Under the key of a value that has
///   become another one, a photo has that one.
///
/// # Errors
/// [`Error::Invalid`] of `given` if the project has no such given attribute.
pub async fn add_batch(actor: &Actor, db: &Db, key: &str, photos: Vec<NewPhoto>) -> Result<Added> {
    let access = require(actor, db, Operation::ImportPhotos, key).await?;
    let mut tx = db.begin().await?;
    lock(&mut tx, access.project_id).await?;
    let mut batch = Batch { project_id: access.project_id, added: Added::default() };
    let mut photos = batch.reject_unusable(photos);
    follow_merges(&mut tx, access.project_id, &mut photos).await?;
    let catalog = batch.catalog(&mut tx, &photos).await?;
    let (known, fresh) = batch.part(&mut tx, &photos).await?;
    fill_splits(&mut tx, &known).await?;
    let inserted = batch.insert(&mut tx, fresh).await?;
    link_values(&mut tx, known.iter().chain(&inserted), &catalog).await?;
    if batch.added.added > 0 {
        let details = json!({ "photos": batch.added.added, "duplicates": batch.added.duplicates });
        audit::record(&mut tx, access, Operation::ImportPhotos, details).await?;
    }
    tx.commit().await?;
    Ok(batch.added)
}

/// A photo that has its id.
struct Placed<'a> {
    id: i64,
    photo: &'a NewPhoto,
}

struct Batch {
    project_id: i64,
    added: Added,
}

impl Batch {
    fn conflict(&mut self, name: &str, reason: impl Into<String>) {
        self.added.conflicts.push((name.to_owned(), reason.into()));
    }

    /// Leaves out photos whose name or values cannot be kept, and names that occur twice in the batch.
    fn reject_unusable(&mut self, photos: Vec<NewPhoto>) -> Vec<NewPhoto> {
        let mut names = HashSet::new();
        let mut kept = Vec::with_capacity(photos.len());
        for photo in photos {
            let bad_value = photo.given.values().find(|value| !is_valid_given_key(value)).cloned();
            if photo.name.is_empty() || photo.name.len() > 500 || photo.name.chars().any(char::is_control) {
                self.conflict(&photo.name, "a name has 1 to 500 bytes and no control characters");
            } else if let Some(value) = bad_value {
                self.conflict(&photo.name, format!("`{value}` cannot be a value"));
            } else if !names.insert(photo.name.clone()) {
                self.conflict(&photo.name, "the name occurs twice");
            } else {
                kept.push(photo);
            }
        }
        kept
    }

    /// The project's attributes, after adding the values that the photos bring.
    async fn catalog(&self, tx: &mut PgConnection, photos: &[NewPhoto]) -> Result<Catalog> {
        let catalog = Catalog::load(&mut *tx, self.project_id).await?;
        let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (attribute, value) in photos.iter().flat_map(|photo| &photo.given) {
            wanted.entry(attribute).or_default().insert(value);
        }
        let mut missing = false;
        for (key, values) in wanted {
            let entry = catalog
                .entries
                .iter()
                .find(|entry| entry.key() == key && entry.attribute.kind == AttributeKind::Given)
                .ok_or_else(|| Error::invalid("given", format!("the project has no given attribute `{key}`")))?;
            let new: Vec<String> =
                values.into_iter().filter(|value| entry.value_id(value).is_none()).map(str::to_owned).collect();
            if !new.is_empty() {
                missing = true;
                sqlx::query!(
                    "INSERT INTO attribute_values (attribute_id, key, position)
                     SELECT $1, v.key, (SELECT coalesce(max(position), 0) FROM attribute_values WHERE attribute_id = $1)
                                       + v.number::integer
                     FROM unnest($2::text[]) WITH ORDINALITY AS v (key, number)",
                    entry.id,
                    &new,
                )
                .execute(&mut *tx)
                .await?;
            }
        }
        if missing { Catalog::load(&mut *tx, self.project_id).await } else { Ok(catalog) }
    }

    /// Parts the photos into those that the project has already, with their ids, and new ones.
    async fn part<'a>(
        &mut self,
        tx: &mut PgConnection,
        photos: &'a [NewPhoto],
    ) -> Result<(Vec<Placed<'a>>, Vec<&'a NewPhoto>)> {
        let names: Vec<String> = photos.iter().map(|photo| photo.name.clone()).collect();
        let mut stored = HashMap::new();
        for row in sqlx::query!(
            "SELECT p.id, p.name, f.hash FROM photos p JOIN files f ON f.id = p.file_id
             WHERE p.project_id = $1 AND p.name = ANY ($2)",
            self.project_id,
            &names,
        )
        .fetch_all(&mut *tx)
        .await?
        {
            stored.insert(row.name, (row.id, hash_from(&row.hash)?));
        }
        let ids: Vec<i64> = stored.values().map(|(id, _)| *id).collect();
        let given = given_values(tx, &ids).await?;
        let (mut known, mut fresh) = (Vec::new(), Vec::new());
        for photo in photos {
            let Some(&(id, hash)) = stored.get(&photo.name) else {
                fresh.push(photo);
                continue;
            };
            let other = photo.given.iter().find_map(|(attribute, value)| {
                let stored = given.get(&(id, attribute.clone()))?;
                (stored != value).then(|| format!("its {attribute} is {stored} already, not {value}"))
            });
            if hash != photo.file.hash {
                self.conflict(&photo.name, "another photo of this name, with other contents, is there already");
            } else if let Some(reason) = other {
                self.conflict(&photo.name, reason);
            } else {
                self.added.unchanged += 1;
                known.push(Placed { id, photo });
            }
        }
        Ok((known, fresh))
    }

    /// Inserts files, photos and tasks. Of several photos with one file, the first that the project got is the original.
    async fn insert<'a>(&mut self, tx: &mut PgConnection, fresh: Vec<&'a NewPhoto>) -> Result<Vec<Placed<'a>>> {
        if fresh.is_empty() {
            return Ok(Vec::new());
        }
        let files = insert_files(tx, &fresh).await?;
        let file_ids: Vec<i64> = fresh.iter().map(|photo| files[&photo.file.hash]).collect();
        let mut originals: HashMap<i64, i64> = sqlx::query!(
            "SELECT file_id, id FROM photos WHERE project_id = $1 AND file_id = ANY ($2) AND duplicate_of IS NULL",
            self.project_id,
            &file_ids,
        )
        .fetch_all(&mut *tx)
        .await?
        .into_iter()
        .map(|row| (row.file_id, row.id))
        .collect();
        // Originals first, since duplicates point to them.
        let mut chosen = HashSet::new();
        let (first, later): (Vec<_>, Vec<_>) = fresh
            .into_iter()
            .zip(file_ids)
            .partition(|(_, file)| !originals.contains_key(file) && chosen.insert(*file));
        let mut placed = self.insert_photos(tx, &first, &HashMap::new()).await?;
        originals.extend(placed.iter().zip(&first).map(|(photo, (_, file))| (*file, photo.id)));
        let tasks: Vec<i64> = placed.iter().map(|photo| photo.id).collect();
        queue::add_tasks(&mut *tx, self.project_id, &tasks).await?;
        placed.extend(self.insert_photos(tx, &later, &originals).await?);
        self.added.added += placed.len() as u64;
        self.added.duplicates += later.len() as u64;
        Ok(placed)
    }

    /// Inserts photos as duplicates of the originals of their files, or as originals where there is none; in order.
    async fn insert_photos<'a>(
        &self,
        tx: &mut PgConnection,
        photos: &[(&'a NewPhoto, i64)],
        originals: &HashMap<i64, i64>,
    ) -> Result<Vec<Placed<'a>>> {
        let names: Vec<String> = photos.iter().map(|(photo, _)| photo.name.clone()).collect();
        let files: Vec<i64> = photos.iter().map(|(_, file)| *file).collect();
        let duplicate_of: Vec<Option<i64>> = files.iter().map(|file| originals.get(file).copied()).collect();
        let splits: Vec<Option<String>> =
            photos.iter().map(|(photo, _)| photo.split.map(|split| split.as_str().to_owned())).collect();
        let ids: HashMap<String, i64> = sqlx::query!(
            "INSERT INTO photos (project_id, name, file_id, duplicate_of, imported_split)
             SELECT $1, t.name, t.file_id, t.duplicate_of, t.split
             FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[])
                  WITH ORDINALITY AS t (name, file_id, duplicate_of, split, number)
             ORDER BY t.number
             RETURNING name, id",
            self.project_id,
            &names,
            &files,
            &duplicate_of as &[Option<i64>],
            &splits as &[Option<String>],
        )
        .fetch_all(tx)
        .await?
        .into_iter()
        .map(|row| (row.name, row.id))
        .collect();
        Ok(photos.iter().map(|(photo, _)| Placed { id: ids[&photo.name], photo }).collect())
    }
}

/// Puts the values that values have become ([`crate::schema_changes`]) in their places.
async fn follow_merges(tx: &mut PgConnection, project_id: i64, photos: &mut [NewPhoto]) -> Result<()> {
    let merged = sqlx::query!(
        r#"WITH RECURSIVE ends AS (
               SELECT t.id, t.key FROM attribute_values t
               WHERE t.merged_into IS NULL AND EXISTS (SELECT 1 FROM attribute_values v WHERE v.merged_into = t.id)
               UNION ALL
               SELECT v.id, e.key FROM attribute_values v JOIN ends e ON v.merged_into = e.id)
           SELECT a.key AS attribute, v.key AS value, e.key AS "end!"
           FROM ends e JOIN attribute_values v ON v.id = e.id AND v.merged_into IS NOT NULL
           JOIN attributes a ON a.id = v.attribute_id AND a.project_id = $1"#,
        project_id,
    )
    .fetch_all(tx)
    .await?;
    for photo in photos {
        for row in &merged {
            if let Some(value) = photo.given.get_mut(&row.attribute).filter(|value| **value == row.value) {
                value.clone_from(&row.end);
            }
        }
    }
    Ok(())
}

/// The given values that photos have: value key by photo and attribute key.
async fn given_values(tx: &mut PgConnection, photos: &[i64]) -> Result<HashMap<(i64, String), String>> {
    Ok(sqlx::query!(
        "SELECT pv.photo_id, a.key AS attribute, v.key AS value
         FROM photo_values pv JOIN attributes a ON a.id = pv.attribute_id JOIN attribute_values v ON v.id = pv.value_id
         WHERE pv.photo_id = ANY ($1)",
        photos,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(|row| ((row.photo_id, row.attribute), row.value))
    .collect())
}

/// Makes the rows of files that are new, and returns the ids of all, by hash.
async fn insert_files(tx: &mut PgConnection, photos: &[&NewPhoto]) -> Result<HashMap<[u8; 32], i64>> {
    let mut seen = HashSet::new();
    let files: Vec<_> = photos.iter().map(|photo| photo.file).filter(|file| seen.insert(file.hash)).collect();
    let hashes: Vec<Vec<u8>> = files.iter().map(|file| file.hash.to_vec()).collect();
    let bytes: Vec<i64> = files.iter().map(|file| file.bytes).collect();
    let types: Vec<String> = files.iter().map(|file| file.media_type.to_owned()).collect();
    let widths: Vec<i32> = files.iter().map(|file| file.width).collect();
    let heights: Vec<i32> = files.iter().map(|file| file.height).collect();
    // In the order of their hashes, so that two imports of the same files cannot wait for each other.
    sqlx::query!(
        "INSERT INTO files (hash, bytes, media_type, width, height)
         SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::integer[], $5::integer[]) ORDER BY 1
         ON CONFLICT (hash) DO NOTHING",
        &hashes,
        &bytes,
        &types,
        &widths,
        &heights,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("SELECT hash, id FROM files WHERE hash = ANY ($1)", &hashes)
        .fetch_all(tx)
        .await?
        .into_iter()
        .map(|row| Ok((hash_from(&row.hash)?, row.id)))
        .collect()
}

/// Gives photos the values that came with them and that they lack.
async fn link_values<'a>(
    tx: &mut PgConnection,
    photos: impl Iterator<Item = &'a Placed<'a>>,
    catalog: &Catalog,
) -> Result<()> {
    let (mut ids, mut attributes, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for placed in photos {
        for (attribute, value) in &placed.photo.given {
            let entry = catalog.entries.iter().find(|entry| entry.key() == attribute);
            let found = entry.and_then(|entry| Some((entry.id, entry.value_id(value)?)));
            let (attribute_id, value_id) = found.ok_or(Error::NotFound("value"))?;
            ids.push(placed.id);
            attributes.push(attribute_id);
            values.push(value_id);
        }
    }
    sqlx::query!(
        "INSERT INTO photo_values (photo_id, attribute_id, value_id)
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
         ON CONFLICT DO NOTHING",
        &ids,
        &attributes,
        &values,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Gives known photos the split that they lack.
async fn fill_splits(tx: &mut PgConnection, known: &[Placed<'_>]) -> Result<()> {
    let (ids, splits): (Vec<i64>, Vec<String>) =
        known.iter().filter_map(|placed| Some((placed.id, placed.photo.split?.as_str().to_owned()))).unzip();
    sqlx::query!(
        "UPDATE photos p SET imported_split = t.split
         FROM unnest($1::bigint[], $2::text[]) AS t (id, split)
         WHERE p.id = t.id AND p.imported_split IS NULL",
        &ids,
        &splits,
    )
    .execute(tx)
    .await?;
    Ok(())
}
