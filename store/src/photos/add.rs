//! Adding photos in batches: a handful of statements a batch, whatever its size.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use kenami_domain::schema::AttributeKind;
use serde_json::json;
use sqlx::PgConnection;

use super::{Added, NewFile, NewPhoto, hash_from};
use crate::{
    actor::Actor,
    audit,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{Operation, require},
    schema::{is_valid_given_key, lock},
};

/// Adds photos whose files lie in the object store, all in one transaction; doing it again changes nothing.
///
/// - A name that the project has with the same bytes is unchanged; given values and a split that it lacks are filled in.
/// - A name that the project has with other bytes, or with another given value, is a conflict: reported and left as it is.
/// - A file that the project has under another name becomes a duplicate, which is labelled with the original.
/// - Values that a given attribute lacks are added to it; the attribute itself must exist.
///
/// # Errors
/// [`Error::Invalid`] of `given` if the project has no such given attribute.
pub async fn add_batch(actor: &Actor, db: &Db, key: &str, photos: Vec<NewPhoto>) -> Result<Added> {
    let access = require(actor, db, Operation::ImportPhotos, key).await?;
    let mut tx = db.begin().await?;
    let overlap = lock(&mut tx, access.project_id).await?;
    let mut batch = Batch { project_id: access.project_id, added: Added::default() };
    let photos = batch.reject_unusable(photos);
    let values = batch.values(&mut tx, &photos).await?;
    let (known, fresh) = batch.part(&mut tx, photos, &values).await?;
    let inserted = batch.insert(&mut tx, &fresh, overlap).await?;
    batch.link_values(&mut tx, known.iter().chain(&inserted), &values).await?;
    fill_splits(&mut tx, &known).await?;
    if batch.added.added > 0 {
        let details = json!({ "photos": batch.added.added, "duplicates": batch.added.duplicates });
        audit::record(&mut tx, access, Operation::ImportPhotos, details).await?;
    }
    tx.commit().await?;
    Ok(batch.added)
}

/// Value id per attribute key and value key, with the attribute's id.
type Values = HashMap<String, (i64, HashMap<String, i64>)>;

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
}
