//! Labels that deserve a second look, found over all votes and a model's predictions at once.

use std::collections::HashSet;

use kenami_domain::{
    consensus::{ConsensusOptions, Method, Winner, decide},
    csvio::Probabilities,
    label_issues::{RankBy, label_issues},
    view::review::{QueueCause, Suspects},
    votes::VoteTable,
};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    actor::Actor,
    audit,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
    runs::unseen,
    votes,
};

/// A consensus that is less probable than this is uncertain.
const SURE: f64 = 0.75;

/// A label to look at.
struct Suspect {
    cause: QueueCause,
    photo_id: i64,
    attribute_id: i64,
    score: f32,
}

/// How many labels are suspect, and from what that was computed; none where it never was.
///
/// # Errors
/// Rights; the database.
pub async fn suspects(actor: &Actor, db: &Db, project: &str) -> Result<Option<Suspects>> {
    let access = rights::require(actor, db, Operation::ReadDisagreements, project).await?;
    let mut connection = db.acquire().await?;
    state(&mut connection, access.project_id).await
}

/// Computes suspects anew: consensus by CROWDLAB with what the latest run says of photos that it has not seen, by
/// Dawid-Skene where there is no such run; labels that confident learning finds contradicted by the same run.
///
/// # Errors
/// Rights; the database.
pub async fn find_suspects(actor: &Actor, db: &Db, project: &str) -> Result<Suspects> {
    let access = rights::require(actor, db, Operation::Decide, project).await?;
    let mut tx = db.begin().await?;
    // Two who ask at once take turns.
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('review_suspects'), $1::bigint::integer)", access.project_id)
        .execute(&mut *tx)
        .await?;
    let label_id = newest_label(&mut tx, access.project_id).await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let names = votes::photo_names(&mut tx, access.project_id).await?;
    let name = |id| names.get(&id).map(String::as_str);
    let table = votes::load(&mut tx, access.project_id, &catalog, name).await?;
    let run_id = unseen::latest_run(&mut tx, access.project_id).await?;
    let probabilities = match run_id {
        Some(run_id) => unseen::probabilities(&mut tx, run_id, &catalog, name).await?,
        None => Probabilities::new(),
    };
    let decided = decided(&mut tx, access.project_id).await?;
    let keys: Vec<(i64, String)> = catalog.annotated().map(|entry| (entry.id, entry.key().to_owned())).collect();
    let found = tokio::task::spawn_blocking(move || {
        let find = |(id, key): &(i64, String)| of_attribute(&table, *id, key, &probabilities);
        keys.iter().flat_map(find).collect::<Vec<Suspect>>()
    });
    let mut found = found.await.map_err(Error::internal)?;
    found.retain(|suspect| !decided.contains(&(suspect.photo_id, suspect.attribute_id)));
    replace(&mut tx, access.project_id, &found).await?;
    sqlx::query!(
        "INSERT INTO review_states (project_id, label_id, run_id) VALUES ($1, $2, $3)
         ON CONFLICT (project_id) DO UPDATE SET label_id = $2, run_id = $3, computed_at = now()",
        access.project_id,
        label_id,
        run_id,
    )
    .execute(&mut *tx)
    .await?;
    audit::record(&mut tx, &access, Operation::Decide, json!({ "suspects": found.len() })).await?;
    let state = state(&mut tx, access.project_id).await?;
    tx.commit().await?;
    state.ok_or_else(|| Error::internal("a state that was just written is missing"))
}

/// The suspects among one attribute's votes. Items are photo ids.
fn of_attribute(table: &VoteTable, attribute_id: i64, key: &str, probabilities: &Probabilities) -> Vec<Suspect> {
    let Some(ratings) = table.ratings(key) else { return Vec::new() };
    let modelled = !probabilities.answers(key).is_empty();
    let method = if modelled { Method::Crowdlab } else { Method::DawidSkene };
    let Ok(decision) = decide(key, ratings, method, Some(probabilities), &ConsensusOptions::default()) else {
        return Vec::new();
    };
    let suspect = |cause, item: &str, score: f64| {
        Some(Suspect { cause, photo_id: item.parse().ok()?, attribute_id, score: score as f32 })
    };
    let uncertain = decision.items.iter().enumerate().filter_map(|(number, item)| {
        let probability = match decision.quality.get(number) {
            Some(quality) => *quality,
            None => decision.posterior(number).iter().copied().fold(0.0, f64::max),
        };
        (probability < SURE).then(|| suspect(QueueCause::Uncertain, item, 1.0 - probability)).flatten()
    });
    let mut suspects: Vec<Suspect> = uncertain.collect();
    if modelled {
        let labels = decision.items.iter().zip(&decision.winners).filter_map(|(item, winner)| match winner {
            Winner::Answer(answer) => Some((*item, decision.answers[*answer as usize].as_str())),
            Winner::Tied(_) => None,
        });
        let issues = label_issues(labels, key, probabilities, RankBy::SelfConfidence).issues;
        suspects.extend(
            issues.iter().filter_map(|issue| suspect(QueueCause::Model, &issue.item, 1.0 - issue.self_confidence)),
        );
    }
    suspects
}

async fn replace(connection: &mut PgConnection, project_id: i64, found: &[Suspect]) -> Result<()> {
    sqlx::query!("DELETE FROM review_suspects WHERE project_id = $1", project_id).execute(&mut *connection).await?;
    let causes: Vec<String> = found.iter().map(|suspect| suspect.cause.as_str().to_owned()).collect();
    let photos: Vec<i64> = found.iter().map(|suspect| suspect.photo_id).collect();
    let attributes: Vec<i64> = found.iter().map(|suspect| suspect.attribute_id).collect();
    let scores: Vec<f32> = found.iter().map(|suspect| suspect.score).collect();
    sqlx::query!(
        "INSERT INTO review_suspects (project_id, cause, photo_id, attribute_id, score)
         SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::real[])",
        project_id,
        &causes,
        &photos,
        &attributes,
        &scores,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn state(connection: &mut PgConnection, project_id: i64) -> Result<Option<Suspects>> {
    let state = sqlx::query!(
        r#"SELECT s.label_id, s.run_id, s.computed_at, r.name AS "run?" FROM review_states s
           LEFT JOIN runs r ON r.id = s.run_id WHERE s.project_id = $1"#,
        project_id,
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(state) = state else { return Ok(None) };
    let open = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE cause = 'uncertain') AS "uncertain!",
                  count(*) FILTER (WHERE cause = 'model') AS "model!"
           FROM review_suspects s
           WHERE s.project_id = $1 AND NOT EXISTS (
               SELECT 1 FROM adjudications x
               WHERE x.photo_id = s.photo_id AND x.attribute_id = s.attribute_id AND x.superseded_at IS NULL
           )"#,
        project_id,
    )
    .fetch_one(&mut *connection)
    .await?;
    let stale = newest_label(connection, project_id).await? != state.label_id
        || unseen::latest_run(connection, project_id).await? != state.run_id;
    Ok(Some(Suspects {
        uncertain: open.uncertain,
        model: open.model,
        run: state.run,
        stale,
        computed_at: state.computed_at,
    }))
}

/// The id of the newest label; 0 where there is none.
async fn newest_label(connection: &mut PgConnection, project_id: i64) -> Result<i64> {
    let newest =
        sqlx::query_scalar!("SELECT id FROM labels WHERE project_id = $1 ORDER BY id DESC LIMIT 1", project_id,);
    Ok(newest.fetch_optional(connection).await?.unwrap_or(0))
}

/// Photos and attributes that a reviewer has decided.
async fn decided(connection: &mut PgConnection, project_id: i64) -> Result<HashSet<(i64, i64)>> {
    let rows = sqlx::query!(
        "SELECT photo_id, attribute_id FROM adjudications WHERE project_id = $1 AND superseded_at IS NULL",
        project_id,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.photo_id, row.attribute_id)).collect())
}
