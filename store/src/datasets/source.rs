//! What a dataset is made of, read from one snapshot of the project.

use std::collections::{BTreeMap, HashMap};

use futures::TryStreamExt;
use kenami_domain::{
    csvio::Probabilities,
    dataset::{Policy, Schema},
    freeze::{Adjudication, FreezePhoto},
    schema::Prior,
    split::ImportedSplit,
    votes::VoteTable,
};
use sqlx::{PgConnection, types::Json};

use crate::{
    catalog::Catalog,
    error::{Error, Result},
    runs::unseen,
    schema, votes,
};

/// Everything that freezing looks at.
pub(super) struct Source {
    pub(super) project: String,
    pub(super) photos: Vec<FreezePhoto>,
    /// Photo and file ids, in the photos' order.
    pub(super) ids: Vec<(i64, i64)>,
    pub(super) votes: VoteTable,
    pub(super) adjudications: Vec<Adjudication>,
    pub(super) schema: Schema,
    pub(super) priors: Vec<Prior>,
    pub(super) guideline_versions: BTreeMap<String, i32>,
    pub(super) probabilities: Option<Probabilities>,
}

impl Source {
    /// Reads the project as it is in the connection's transaction. `run` names the run whose probabilities the policy
    /// uses.
    pub(super) async fn read(
        connection: &mut PgConnection,
        project_id: i64,
        policy: Policy,
        run: Option<&str>,
    ) -> Result<Self> {
        let project = sqlx::query_scalar!("SELECT key FROM projects WHERE id = $1", project_id)
            .fetch_one(&mut *connection)
            .await?;
        let catalog = Catalog::load(&mut *connection, project_id).await?;
        let (photos, ids) = photos(connection, project_id).await?;
        let hashes: HashMap<i64, &str> =
            ids.iter().zip(&photos).map(|((photo, _), row)| (*photo, row.file_hash.as_str())).collect();
        let votes = votes::load(connection, project_id, &catalog, |id| hashes.get(&id).copied()).await?;
        let adjudications = adjudications(connection, project_id, &catalog, &hashes).await?;
        let probabilities = match policy {
            Policy::Crowdlab => Some(probabilities(connection, project_id, &catalog, &hashes, run).await?),
            _ => None,
        };
        let offered = catalog.entries.iter().filter(|entry| !entry.retired);
        let schema = Schema { attributes: offered.map(|entry| entry.attribute.clone()).collect() };
        let priors = schema::load_priors(&mut *connection, project_id).await?;
        let guideline_versions = guideline_versions(connection, project_id).await?;
        drop(hashes);
        Ok(Self { project, photos, ids, votes, adjudications, schema, priors, guideline_versions, probabilities })
    }
}

async fn photos(connection: &mut PgConnection, project_id: i64) -> Result<(Vec<FreezePhoto>, Vec<(i64, i64)>)> {
    let mut rows = sqlx::query!(
        r#"SELECT p.id, p.name, p.file_id, p.imported_split, encode(f.hash, 'hex') AS "hash!", f.media_type,
                  g.given AS "given?: Json<BTreeMap<String, String>>"
           FROM photos p JOIN files f ON f.id = p.file_id
           LEFT JOIN (
               SELECT pv.photo_id, jsonb_object_agg(a.key, v.key) AS given
               FROM photo_values pv JOIN photos o ON o.id = pv.photo_id
               JOIN attributes a ON a.id = pv.attribute_id AND a.retired_at IS NULL
               JOIN attribute_values v ON v.id = pv.value_id
               WHERE o.project_id = $1 GROUP BY pv.photo_id
           ) g ON g.photo_id = p.id
           WHERE p.project_id = $1 ORDER BY p.id"#,
        project_id,
    )
    .fetch(connection);
    let (mut photos, mut ids) = (Vec::new(), Vec::new());
    while let Some(row) = rows.try_next().await? {
        let imported = row.imported_split.as_deref().map(str::parse::<ImportedSplit>).transpose();
        let extension = match row.media_type.as_str() {
            "image/png" => "png",
            "image/webp" => "webp",
            _ => "jpg",
        };
        photos.push(FreezePhoto {
            name: row.name,
            file_hash: row.hash,
            given: row.given.map(|given| given.0).unwrap_or_default(),
            imported: imported.map_err(Error::internal)?,
            extension: Some(extension.to_owned()),
        });
        ids.push((row.id, row.file_id));
    }
    Ok((photos, ids))
}

async fn adjudications(
    connection: &mut PgConnection,
    project_id: i64,
    catalog: &Catalog,
    hashes: &HashMap<i64, &str>,
) -> Result<Vec<Adjudication>> {
    let rows = sqlx::query!(
        "SELECT photo_id, attribute_id, answer, value_id FROM adjudications
         WHERE project_id = $1 AND superseded_at IS NULL ORDER BY created_at, id",
        project_id,
    )
    .fetch_all(connection)
    .await?;
    let mut decided = Vec::with_capacity(rows.len());
    for row in rows {
        let entry = catalog.by_id(row.attribute_id)?;
        if let (false, Some(hash)) = (entry.retired, hashes.get(&row.photo_id)) {
            decided.push(Adjudication {
                file_hash: (*hash).to_owned(),
                attribute: entry.key().to_owned(),
                answer: entry.answer(&row.answer, row.value_id)?,
            });
        }
    }
    Ok(decided)
}

/// The version in force, per attribute key.
async fn guideline_versions(connection: &mut PgConnection, project_id: i64) -> Result<BTreeMap<String, i32>> {
    let rows = sqlx::query!(
        r#"SELECT a.key, max(g.version) AS "version!"
           FROM attributes a JOIN guideline_versions g ON g.attribute_id = a.id AND g.version IS NOT NULL
           WHERE a.project_id = $1 AND a.retired_at IS NULL GROUP BY a.key"#,
        project_id,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.key, row.version)).collect())
}

/// What the run that the policy asks for says of photos that it has not seen.
async fn probabilities(
    connection: &mut PgConnection,
    project_id: i64,
    catalog: &Catalog,
    hashes: &HashMap<i64, &str>,
    run: Option<&str>,
) -> Result<Probabilities> {
    let run = run.ok_or_else(|| Error::invalid("run", "the policy crowdlab needs a run: give the name of one"))?;
    let run = sqlx::query_scalar!("SELECT id FROM runs WHERE project_id = $1 AND name = $2", project_id, run)
        .fetch_optional(&mut *connection)
        .await?
        .ok_or(Error::NotFound("run"))?;
    let probabilities = unseen::probabilities(connection, run, catalog, |id| hashes.get(&id).copied()).await?;
    if probabilities.is_empty() {
        let message = "the run has no predictions yet on photos that it was not trained on";
        return Err(Error::invalid("run", message));
    }
    Ok(probabilities)
}
