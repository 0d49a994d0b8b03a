//! Freezing: rules from `kenami_domain::freeze`, rows written while they are made.

use std::collections::BTreeMap;

use kenami_domain::{
    answer::Answer,
    dataset::{Item, Manifest},
    freeze::{self as rules, FreezeError, Frozen},
    view::dataset::{AttributeSummary, DatasetRow, DatasetSummary, FreezeInput},
};
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::{is_valid_name, read, source::Source};
use crate::{
    actor::Actor,
    audit,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
};

/// Items written with one statement.
const CHUNK: usize = 1_000;

/// Freezes the project as it is now, given attributes alone included, under a new name.
///
/// The same content gives the same hash. Rows are written while they are made, so that a million photos need not be in
/// memory as items.
///
/// # Errors
/// [`Error::Invalid`] for a malformed name, a seed above 2^63 - 1 or a run without predictions, [`Error::Conflict`] if
/// the name is taken or there are no photos, [`Error::NotFound`] for an unknown run; rights; the database.
pub async fn freeze(actor: &Actor, db: &Db, project: &str, input: FreezeInput) -> Result<DatasetRow> {
    let access = rights::require(actor, db, Operation::Freeze, project).await?;
    if !is_valid_name(&input.name) {
        let message = "1 to 100 letters, digits, `.`, `_` or `-`, beginning with a letter or digit";
        return Err(Error::invalid("name", message));
    }
    let seed = i64::try_from(input.seed).map_err(|_| Error::invalid("seed", "at most 2^63 - 1"))?;
    let taken = || Error::Conflict(format!("there is a dataset `{}` already: choose another name", input.name));
    let mut tx = db.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
    let same = sqlx::query_scalar!(
        "SELECT id FROM datasets WHERE project_id = $1 AND name = $2",
        access.project_id,
        input.name,
    );
    if same.fetch_optional(&mut *tx).await?.is_some() {
        return Err(taken());
    }
    let source = Source::read(&mut tx, access.project_id, input.policy, input.run.as_deref()).await?;
    let (sender, mut parts) = mpsc::channel(4);
    let (name, policy, seed_of_split) = (input.name.clone(), input.policy, input.seed);
    let work = tokio::task::spawn_blocking(move || produce(&source, &name, policy, seed_of_split, &sender));
    let Some(Part::Manifest(manifest)) = parts.recv().await else {
        return Err(match work.await.map_err(Error::internal)? {
            Err(error) => explain(&error),
            Ok(()) => Error::internal("freezing ended before it began"),
        });
    };
    let id = sqlx::query_scalar!(
        "INSERT INTO datasets (project_id, name, policy, seed, hash, manifest, summary, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, '{}', $7) RETURNING id",
        access.project_id,
        input.name,
        input.policy.as_str(),
        seed,
        manifest.hash,
        serde_json::to_value(&manifest)?,
        access.user_id,
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(|error| {
        if Error::is_unique_violation(&error, "datasets_project_id_name_key") { taken() } else { error.into() }
    })?;
    let summary = write(&mut tx, id, &mut parts).await?;
    work.await.map_err(Error::internal)?.map_err(|error| explain(&error))?;
    let summary = summary.ok_or_else(|| Error::internal("freezing ended half-way"))?;
    sqlx::query!("UPDATE datasets SET summary = $2 WHERE id = $1", id, serde_json::to_value(&summary)?)
        .execute(&mut *tx)
        .await?;
    let details = json!({ "dataset": input.name, "policy": input.policy, "hash": manifest.hash, "run": input.run });
    audit::record(&mut tx, &access, Operation::Freeze, details).await?;
    let row = read::row(&mut tx, access.project_id, &input.name).await?;
    tx.commit().await?;
    Ok(row)
}

fn explain(error: &FreezeError) -> Error {
    Error::Conflict(error.to_string())
}

/// What the freezing thread hands over, in this order.
enum Part {
    Manifest(Box<Manifest>),
    /// The next items.
    Items(Vec<NewItem>),
    Summary(Box<DatasetSummary>),
}

struct NewItem {
    photo_id: i64,
    file_id: i64,
    item: Value,
}

/// Runs the rules and sends what they make. Ends early where nobody listens any more.
fn produce(
    source: &Source,
    name: &str,
    policy: kenami_domain::dataset::Policy,
    seed: u64,
    sender: &Sender<Part>,
) -> Result<(), FreezeError> {
    let frozen = rules::freeze(&rules::FreezeInput {
        name,
        project: &source.project,
        photos: &source.photos,
        votes: &source.votes,
        adjudications: &source.adjudications,
        policy,
        seed,
        schema: &source.schema,
        priors: &source.priors,
        guideline_versions: &source.guideline_versions,
        probabilities: source.probabilities.as_ref(),
        stratify_by: None,
    })?;
    let mut summary = summary(&frozen);
    // A closed channel: the receiver has failed and says why itself.
    if sender.blocking_send(Part::Manifest(Box::new(frozen.manifest.clone()))).is_err() {
        return Ok(());
    }
    let mut chunk = Vec::with_capacity(CHUNK);
    for (number, item) in frozen.items() {
        count_values(&mut summary.attributes, &item);
        let (photo_id, file_id) = source.ids[number];
        // An item has string keys and finite numbers alone.
        chunk.push(NewItem { photo_id, file_id, item: serde_json::to_value(&item).unwrap_or_default() });
        if chunk.len() == CHUNK {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK));
            if sender.blocking_send(Part::Items(full)).is_err() {
                return Ok(());
            }
        }
    }
    let _ = sender.blocking_send(Part::Items(chunk));
    let _ = sender.blocking_send(Part::Summary(Box::new(summary)));
    Ok(())
}

/// The counts; those per value are still to come.
fn summary(frozen: &Frozen<'_>) -> DatasetSummary {
    let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let attributes = frozen.counts.attributes.iter().map(|(key, counts)| {
        let summary = AttributeSummary {
            usable: whole(counts.answered),
            adjudicated: whole(counts.adjudicated),
            tied: whole(counts.tied),
            not_visible: whole(counts.not_visible),
            unsure: whole(counts.unsure),
            unlabelled: whole(counts.unlabelled),
            values: BTreeMap::new(),
        };
        (key.clone(), summary)
    });
    DatasetSummary {
        splits: frozen.counts.splits.iter().map(|(split, count)| (*split, whole(*count))).collect(),
        attributes: attributes.collect(),
        warnings: frozen.warnings.clone(),
    }
}

fn count_values(attributes: &mut BTreeMap<String, AttributeSummary>, item: &Item) {
    for (key, answer) in &item.answers {
        if let (Answer::Value(value), Some(1), Some(summary)) = (answer, item.masks.get(key), attributes.get_mut(key)) {
            *summary.values.entry(value.clone()).or_default() += 1;
        }
    }
}

/// Writes items as they come; the summary that follows them.
async fn write(
    connection: &mut PgConnection,
    dataset_id: i64,
    parts: &mut Receiver<Part>,
) -> Result<Option<DatasetSummary>> {
    let mut position = 0_i32;
    while let Some(part) = parts.recv().await {
        let items = match part {
            Part::Items(items) => items,
            Part::Summary(summary) => return Ok(Some(*summary)),
            Part::Manifest(_) => continue,
        };
        let photos: Vec<i64> = items.iter().map(|item| item.photo_id).collect();
        let files: Vec<i64> = items.iter().map(|item| item.file_id).collect();
        let count = i32::try_from(items.len()).map_err(Error::internal)?;
        let rows: Vec<Value> = items.into_iter().map(|item| item.item).collect();
        sqlx::query!(
            "INSERT INTO dataset_items (dataset_id, position, photo_id, file_id, item)
             SELECT $1, $2 + (i.place - 1)::integer, i.photo_id, i.file_id, i.item
             FROM unnest($3::bigint[], $4::bigint[], $5::jsonb[]) WITH ORDINALITY AS i(photo_id, file_id, item, place)",
            dataset_id,
            position,
            &photos,
            &files,
            &rows,
        )
        .execute(&mut *connection)
        .await?;
        position += count;
    }
    Ok(None)
}
