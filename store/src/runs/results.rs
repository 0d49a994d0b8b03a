//! What workers read and write of a run, and what people look up in its predictions.

use std::collections::BTreeMap;

use kenami_domain::{
    dataset::{Item, Split},
    view::{
        Page,
        run::{CurvePoint, Mistake},
    },
};
use serde_json::Value;
use sqlx::{PgExecutor, types::Json};

use crate::{
    actor::Actor,
    cards::Cards,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
};

/// What a worker needs to train a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunForTraining {
    /// Run id.
    pub run_id: i64,
    /// Run name.
    pub name: String,
    /// The project's id.
    pub project_id: i64,
    /// The project's key.
    pub project_key: String,
    /// The dataset's id.
    pub dataset_id: i64,
    /// The dataset's name.
    pub dataset_name: String,
    /// TOML as given.
    pub config: String,
}

/// A run's distribution for one photo and attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The photo's position in the dataset (the line of items.jsonl, from 0).
    pub position: i32,
    /// Attribute key.
    pub attribute: String,
    /// Value key to probability.
    pub distribution: BTreeMap<String, f64>,
}

/// Which mistakes of a head to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MistakeFilter {
    /// Attribute key of the head.
    pub head: String,
    /// Value key in the dataset; any if none.
    pub answer: Option<String>,
    /// Value key that the head put first; any if none.
    pub predicted: Option<String>,
    /// One split; all if none.
    pub split: Option<Split>,
    /// From the previous page.
    pub cursor: Option<i64>,
}

/// Allows a worker's operation on a run, and returns its project's id.
async fn work_on(actor: &Actor, db: &Db, run_id: i64) -> Result<i64> {
    let project = sqlx::query_scalar!("SELECT project_id FROM runs WHERE id = $1", run_id).fetch_optional(db).await?;
    Ok(rights::require_of(actor, db, Operation::Work, project, "run").await?.project_id)
}

/// What a worker needs.
///
/// # Errors
/// [`Error::NotFound`] if there is no such run; rights; the database.
pub async fn training(actor: &Actor, db: &Db, run_id: i64) -> Result<RunForTraining> {
    work_on(actor, db, run_id).await?;
    sqlx::query_as!(
        RunForTraining,
        "SELECT r.id AS run_id, r.name, r.project_id, p.key AS project_key, r.dataset_id, d.name AS dataset_name, r.config
         FROM runs r JOIN projects p ON p.id = r.project_id JOIN datasets d ON d.id = r.dataset_id WHERE r.id = $1",
        run_id,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound("run"))
}

/// Adds points of curves; a point that is there already is replaced, as after a resumed epoch.
///
/// # Errors
/// [`Error::NotFound`] if there is no such run; rights; the database.
pub async fn add_curves(actor: &Actor, db: &Db, run_id: i64, points: &[CurvePoint]) -> Result<()> {
    work_on(actor, db, run_id).await?;
    let epochs: Vec<i32> = points.iter().map(|point| point.epoch).collect();
    let splits: Vec<String> = points.iter().map(|point| point.split.clone()).collect();
    let series: Vec<String> = points.iter().map(|point| point.series.clone()).collect();
    let values: Vec<f64> = points.iter().map(|point| point.value).collect();
    sqlx::query!(
        "INSERT INTO run_curves (run_id, epoch, split, series, value)
         SELECT $1, * FROM unnest($2::integer[], $3::text[], $4::text[], $5::double precision[])
         ON CONFLICT (run_id, series, split, epoch) DO UPDATE SET value = excluded.value",
        run_id,
        &epochs,
        &splits,
        &series,
        &values,
    )
    .execute(db)
    .await?;
    announce(db, run_id).await
}

/// Tells those who follow the run's job that there is something new.
async fn announce(db: impl PgExecutor<'_>, run_id: i64) -> Result<()> {
    sqlx::query!(
        "SELECT pg_notify($2, job_id::text) FROM runs WHERE id = $1 AND job_id IS NOT NULL",
        run_id,
        crate::jobs::CHANNEL,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Stores a run's metrics and where its files lie.
///
/// # Errors
/// [`Error::NotFound`] if there is no such run; rights; the database.
pub async fn finish(actor: &Actor, db: &Db, run_id: i64, metrics: Value, artifacts: &str) -> Result<()> {
    work_on(actor, db, run_id).await?;
    sqlx::query!(
        "UPDATE runs SET metrics = $2, artifacts = $3, finished_at = now() WHERE id = $1",
        run_id,
        metrics,
        artifacts,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Stores predictions; earlier ones of the same photo and attribute are replaced.
///
/// # Errors
/// [`Error::NotFound`] if there is no such run or the project has no such attribute; rights; the database.
pub async fn store_predictions(actor: &Actor, db: &Db, run_id: i64, predictions: &[Prediction]) -> Result<()> {
    let project_id = work_on(actor, db, run_id).await?;
    let catalog = Catalog::load(db, project_id).await?;
    let ids: BTreeMap<&str, i64> = catalog.entries.iter().map(|entry| (entry.key(), entry.id)).collect();
    let (mut positions, mut attributes, mut distributions) = (Vec::new(), Vec::new(), Vec::new());
    for prediction in predictions {
        let attribute = ids.get(prediction.attribute.as_str()).ok_or(Error::NotFound("attribute"))?;
        positions.push(prediction.position);
        attributes.push(*attribute);
        distributions.push(serde_json::to_value(&prediction.distribution)?);
    }
    sqlx::query!(
        "INSERT INTO run_predictions (run_id, photo_id, attribute_id, distribution)
         SELECT r.id, i.photo_id, t.attribute_id, t.distribution
         FROM unnest($2::integer[], $3::bigint[], $4::jsonb[]) AS t (position, attribute_id, distribution)
         JOIN runs r ON r.id = $1
         JOIN dataset_items i ON i.dataset_id = r.dataset_id AND i.position = t.position
         ON CONFLICT (run_id, photo_id, attribute_id) DO UPDATE SET distribution = excluded.distribution",
        run_id,
        &positions,
        &attributes,
        &distributions,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Photos that a head got wrong, in the dataset's order; of annotated attributes, those with a mask of 1.
///
/// # Errors
/// [`Error::NotFound`] if the project has no such run; rights; the database.
pub async fn mistakes(
    actor: &Actor,
    db: &Db,
    project: &str,
    run_id: i64,
    filter: &MistakeFilter,
    limit: usize,
) -> Result<Page<Mistake>> {
    let access = rights::require(actor, db, Operation::ReadDatasets, project).await?;
    sqlx::query_scalar!("SELECT id FROM runs WHERE id = $1 AND project_id = $2", run_id, access.project_id)
        .fetch_optional(db)
        .await?
        .ok_or(Error::NotFound("run"))?;
    let limit = limit.clamp(1, 200);
    let rows = sqlx::query!(
        r#"SELECT i.position, i.photo_id, i.item AS "item!: Json<Item>", best.key AS "predicted!",
                  best.value AS "probability!"
           FROM runs r
           JOIN attributes a ON a.project_id = r.project_id AND a.key = $2
           JOIN run_predictions p ON p.run_id = r.id AND p.attribute_id = a.id
           JOIN dataset_items i ON i.dataset_id = r.dataset_id AND i.photo_id = p.photo_id
           CROSS JOIN LATERAL (
               SELECT key, value::double precision AS value FROM jsonb_each(p.distribution)
               ORDER BY value::double precision DESC, key LIMIT 1
           ) AS best
           CROSS JOIN LATERAL (
               SELECT CASE WHEN a.kind = 'given' THEN i.item -> 'given' ->> a.key
                           WHEN i.item -> 'masks' ->> a.key = '1' THEN i.item -> 'answers' ->> a.key END AS answer
           ) AS truth
           WHERE r.id = $1 AND i.position > $6 AND truth.answer IS NOT NULL AND truth.answer <> best.key
             AND ($3::text IS NULL OR truth.answer = $3)
             AND ($4::text IS NULL OR best.key = $4)
             AND ($5::text IS NULL OR i.item ->> 'split' = $5)
           ORDER BY i.position LIMIT $7"#,
        run_id,
        filter.head,
        filter.answer,
        filter.predicted,
        filter.split.map(Split::as_str),
        i32::try_from(filter.cursor.unwrap_or(-1)).map_err(Error::internal)?,
        i64::try_from(limit + 1).map_err(Error::internal)?,
    )
    .fetch_all(db)
    .await?;
    let photos: Vec<i64> = rows.iter().map(|row| row.photo_id).collect();
    let cards = Cards::load(db, &photos).await?;
    let mut mistakes = Vec::with_capacity(rows.len());
    for row in rows {
        let item = row.item.0;
        let answer = match item.given.get(&filter.head) {
            Some(value) => value.clone(),
            None => item.answers.get(&filter.head).map(|answer| answer.key().to_owned()).unwrap_or_default(),
        };
        let mistake = Mistake {
            photo: cards.get(row.photo_id)?,
            split: item.split,
            answer,
            predicted: row.predicted,
            probability: row.probability,
        };
        mistakes.push((i64::from(row.position), mistake));
    }
    let page = Page::from_rows(mistakes, limit, |(position, _)| *position);
    Ok(Page { items: page.items.into_iter().map(|(_, mistake)| mistake).collect(), next_cursor: page.next_cursor })
}
