//! All that a freeze reads, in one transaction.

use std::collections::{BTreeMap, HashMap};

use kenami_domain::{
    csvio::Probabilities,
    dataset::Schema,
    freeze::{Adjudication, FreezePhoto},
    schema::Prior,
    votes::VoteTable,
};
use sqlx::{PgConnection, types::Json};

use crate::{
    catalog::Catalog,
    error::{Error, Result},
    rights::Access,
    schema::load_priors,
};

/// A photo's rows.
pub(super) struct Ids {
    pub photo: i64,
    pub file: i64,
}

/// A project at one moment. Votes, decisions and probabilities name a file by its hash, since duplicates share them.
pub(super) struct Snapshot {
    pub photos: Vec<FreezePhoto>,
    /// One per photo, in the same order.
    pub ids: Vec<Ids>,
    pub votes: VoteTable,
    pub adjudications: Vec<Adjudication>,
    pub schema: Schema,
    pub priors: Vec<Prior>,
    pub guideline_versions: BTreeMap<String, i32>,
    pub probabilities: Option<Probabilities>,
}

impl Snapshot {
    /// Reads the project; with the probabilities of `run` if one is named.
    pub(super) async fn read(tx: &mut PgConnection, access: &Access, run: Option<&str>) -> Result<Self> {
        let project = access.project_id;
        let catalog = Catalog::load(&mut *tx, project).await?;
        let (photos, ids) = photos(tx, project, &catalog).await?;
        Ok(Self {
            votes: votes(tx, project, &catalog).await?,
            adjudications: adjudications(tx, project, &catalog).await?,
            priors: load_priors(&mut *tx, project).await?,
            guideline_versions: guideline_versions(tx, project).await?,
            probabilities: match run {
                Some(run) => Some(probabilities(tx, project, run).await?),
                None => None,
            },
            schema: Schema {
                attributes: catalog
                    .entries
                    .into_iter()
                    .filter(|entry| !entry.retired)
                    .map(|entry| entry.attribute)
                    .collect(),
            },
            photos,
            ids,
        })
    }
}

fn hex(hash: &[u8]) -> Result<String> {
    let hash: [u8; 32] = hash.try_into().map_err(Error::internal)?;
    Ok(blake3::Hash::from_bytes(hash).to_hex().to_string())
}

/// The file extension of a media type.
fn extension(media_type: &str) -> Option<String> {
    match media_type {
        "image/jpeg" => Some("jpg".to_owned()),
        "image/png" => Some("png".to_owned()),
        "image/webp" => Some("webp".to_owned()),
        _ => None,
    }
}

async fn photos(tx: &mut PgConnection, project: i64, catalog: &Catalog) -> Result<(Vec<FreezePhoto>, Vec<Ids>)> {
    let mut given: HashMap<i64, BTreeMap<String, String>> = HashMap::new();
    for row in sqlx::query!(
        "SELECT pv.photo_id, pv.attribute_id, pv.value_id
         FROM photo_values pv JOIN photos p ON p.id = pv.photo_id WHERE p.project_id = $1",
        project,
    )
    .fetch_all(&mut *tx)
    .await?
    {
        let entry = catalog.by_id(row.attribute_id)?;
        if let (false, Some(value)) = (entry.retired, entry.value_key(row.value_id)) {
            given.entry(row.photo_id).or_default().insert(entry.key().to_owned(), value.to_owned());
        }
    }
    let rows = sqlx::query!(
        "SELECT p.id, p.name, p.file_id, p.imported_split, f.hash, f.media_type
         FROM photos p JOIN files f ON f.id = p.file_id WHERE p.project_id = $1 ORDER BY p.id",
        project,
    )
    .fetch_all(tx)
    .await?;
    let mut photos = Vec::with_capacity(rows.len());
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        photos.push(FreezePhoto {
            name: row.name,
            file_hash: hex(&row.hash)?,
            given: given.remove(&row.id).unwrap_or_default(),
            imported: row.imported_split.as_deref().map(str::parse).transpose().map_err(Error::internal)?,
            extension: extension(&row.media_type),
        });
        ids.push(Ids { photo: row.id, file: row.file_id });
    }
    Ok((photos, ids))
}

/// The labels that stand, of attributes in use.
async fn votes(tx: &mut PgConnection, project: i64, catalog: &Catalog) -> Result<VoteTable> {
    let mut votes = VoteTable::new();
    for row in sqlx::query!(
        "SELECT f.hash, n.name AS annotator, l.attribute_id, l.answer, l.value_id
         FROM labels l JOIN photos p ON p.id = l.photo_id JOIN files f ON f.id = p.file_id
         JOIN annotators n ON n.id = l.annotator_id
         WHERE l.project_id = $1 AND l.superseded_at IS NULL ORDER BY l.id",
        project,
    )
    .fetch_all(tx)
    .await?
    {
        let entry = catalog.by_id(row.attribute_id)?;
        if !entry.retired {
            let answer = entry.answer(&row.answer, row.value_id)?;
            votes.push(&hex(&row.hash)?, &row.annotator, entry.key(), answer.key());
        }
    }
    Ok(votes)
}

async fn adjudications(tx: &mut PgConnection, project: i64, catalog: &Catalog) -> Result<Vec<Adjudication>> {
    let rows = sqlx::query!(
        "SELECT f.hash, d.attribute_id, d.answer, d.value_id
         FROM adjudications d JOIN photos p ON p.id = d.photo_id JOIN files f ON f.id = p.file_id
         WHERE d.project_id = $1 AND d.superseded_at IS NULL ORDER BY d.id",
        project,
    )
    .fetch_all(tx)
    .await?;
    let mut decisions = Vec::with_capacity(rows.len());
    for row in rows {
        let entry = catalog.by_id(row.attribute_id)?;
        if !entry.retired {
            decisions.push(Adjudication {
                file_hash: hex(&row.hash)?,
                attribute: entry.key().to_owned(),
                answer: entry.answer(&row.answer, row.value_id)?,
            });
        }
    }
    Ok(decisions)
}

async fn guideline_versions(tx: &mut PgConnection, project: i64) -> Result<BTreeMap<String, i32>> {
    Ok(sqlx::query!(
        r#"SELECT a.key, max(g.version) AS "version!"
           FROM attributes a JOIN guideline_versions g ON g.attribute_id = a.id
           WHERE a.project_id = $1 AND a.retired_at IS NULL AND g.version IS NOT NULL GROUP BY a.key"#,
        project,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(|row| (row.key, row.version))
    .collect())
}

/// A run's distributions.
async fn probabilities(tx: &mut PgConnection, project: i64, run: &str) -> Result<Probabilities> {
    let id = sqlx::query_scalar!("SELECT id FROM runs WHERE project_id = $1 AND name = $2", project, run)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(|| Error::invalid("run", format!("the project has no run `{run}`")))?;
    let mut probabilities = Probabilities::default();
    for row in sqlx::query!(
        r#"SELECT f.hash, a.key, r.distribution AS "distribution: Json<BTreeMap<String, f64>>"
           FROM run_predictions r JOIN photos p ON p.id = r.photo_id JOIN files f ON f.id = p.file_id
           JOIN attributes a ON a.id = r.attribute_id
           WHERE r.run_id = $1 AND p.duplicate_of IS NULL"#,
        id,
    )
    .fetch_all(tx)
    .await?
    {
        let item = hex(&row.hash)?;
        for (answer, probability) in &row.distribution.0 {
            probabilities.push(&item, &row.key, answer, *probability);
        }
    }
    if probabilities.is_empty() {
        return Err(Error::invalid("run", format!("the run `{run}` has no predictions")));
    }
    Ok(probabilities)
}
