//! The source in use: chosen, replaced, switched off.

use std::collections::BTreeMap;

use kenami_domain::view::suggestions::{PredictionRow, SourceInput, SourceKind, SuggestionSource};
use serde_json::json;
use sqlx::{PgConnection, PgExecutor};

use crate::{
    actor::Actor,
    audit,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{self, Access, Operation},
};

/// The source in use, if there is one.
///
/// # Errors
/// Rights; the database.
pub async fn source(actor: &Actor, db: &Db, project: &str) -> Result<Option<SuggestionSource>> {
    let access = rights::require(actor, db, Operation::ManageSuggestions, project).await?;
    let active = sqlx::query!(
        "SELECT id, kind, name, control_share, created_at FROM suggestion_sources
         WHERE project_id = $1 AND ended_at IS NULL",
        access.project_id,
    )
    .fetch_optional(db)
    .await?;
    let Some(active) = active else { return Ok(None) };
    let photos = sqlx::query!(
        r#"SELECT a.key, count(s.photo_id) AS "photos!"
           FROM attributes a LEFT JOIN suggestions s ON s.attribute_id = a.id AND s.source_id = $2
           WHERE a.project_id = $1 AND a.kind = 'annotated' AND a.retired_at IS NULL
           GROUP BY a.id ORDER BY a.position, a.id"#,
        access.project_id,
        active.id,
    )
    .fetch_all(db)
    .await?;
    Ok(Some(SuggestionSource {
        id: active.id,
        kind: SourceKind::from_word(&active.kind).ok_or_else(|| Error::internal("an unknown kind of source"))?,
        name: active.name,
        control_share: active.control_share,
        photos: photos.into_iter().map(|row| (row.key, row.photos)).collect(),
        created_at: active.created_at,
    }))
}

/// Takes a run, weighed with the priors where the project has them, or the priors alone as the source from now on; the one
/// before ends.
///
/// # Errors
/// [`Error::Invalid`] for a control share outside 0 to 1, a run that is not there or not finished, or a project without
/// priors; rights; the database.
pub async fn switch_on(actor: &Actor, db: &Db, project: &str, input: &SourceInput) -> Result<()> {
    let access = rights::require(actor, db, Operation::ManageSuggestions, project).await?;
    check_share(input.control_share)?;
    let mut tx = db.begin().await?;
    match input.kind {
        SourceKind::Run => {
            let (run_id, name) = finished_run(&mut *tx, access.project_id, input.run.as_deref()).await?;
            let source = begin(&mut tx, &access, SourceKind::Run, Some(run_id), &name, input.control_share).await?;
            let rows = copy_run(&mut tx, source, run_id, access.project_id).await?;
            some(rows, "run", "the run has no predictions for the attributes that are answered here")?;
        }
        SourceKind::Standards => {
            let source = begin(&mut tx, &access, SourceKind::Standards, None, "standards", input.control_share).await?;
            let rows = copy_priors(&mut tx, source, access.project_id).await?;
            some(rows, "kind", "the project has no standards for its photos: import breed_standards.csv")?;
        }
        SourceKind::Import => {
            return Err(Error::invalid("kind", "predictions from a file are imported, with the file"));
        }
    }
    Ok(tx.commit().await?)
}

/// Takes predictions from a file as the source from now on. Of several rows for one photo and attribute the most probable
/// one counts; rows of photos that the project does not have, and of attributes that come with the photo, are left out. How
/// many suggestions there are now.
///
/// # Errors
/// [`Error::Invalid`] for an unknown attribute or value, or a probability outside 0 to 1, with the row (from 1); nothing is
/// stored then; rights; the database.
pub async fn import(
    actor: &Actor,
    db: &Db,
    project: &str,
    name: &str,
    control_share: f32,
    rows: &[PredictionRow],
) -> Result<u64> {
    let access = rights::require(actor, db, Operation::ManageSuggestions, project).await?;
    check_share(control_share)?;
    let catalog = Catalog::load(db, access.project_id).await?;
    let mut best: BTreeMap<(&str, i64), (f32, i64)> = BTreeMap::new();
    let asked = rows.iter().enumerate().filter(|(_, row)| !catalog.is_given(&row.attribute));
    for (index, row) in asked {
        let invalid = |message: String| Error::invalid("predictions", format!("row {}: {message}", index + 1));
        let entry = catalog
            .annotated()
            .find(|entry| entry.key() == row.attribute)
            .ok_or_else(|| invalid(format!("there is no attribute `{}` to be answered", row.attribute)))?;
        let value = entry
            .suggested_id(&row.answer)
            .ok_or_else(|| invalid(format!("`{}` has no value `{}`", row.attribute, row.answer)))?;
        if !(0.0..=1.0).contains(&row.probability) {
            return Err(invalid(format!("the probability {} is not between 0 and 1", row.probability)));
        }
        let kept = best.entry((&row.image, entry.id)).or_insert((row.probability, value));
        if row.probability > kept.0 {
            *kept = (row.probability, value);
        }
    }
    let names: Vec<String> = best.keys().map(|(image, _)| (*image).to_owned()).collect();
    let attributes: Vec<i64> = best.keys().map(|(_, attribute)| *attribute).collect();
    let values: Vec<i64> = best.values().map(|(_, value)| *value).collect();
    let probabilities: Vec<f32> = best.values().map(|(probability, _)| *probability).collect();
    let mut tx = db.begin().await?;
    let source = begin(&mut tx, &access, SourceKind::Import, None, name, control_share).await?;
    let stored = sqlx::query!(
        "INSERT INTO suggestions (source_id, photo_id, attribute_id, value_id, probability)
         SELECT $1, p.id, r.attribute_id, r.value_id, r.probability
         FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::real[]) AS r(name, attribute_id, value_id, probability)
         JOIN photos p ON p.project_id = $2 AND p.name = r.name",
        source,
        access.project_id,
        &names,
        &attributes,
        &values,
        &probabilities,
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    some(stored, "predictions", "no row names a photo of this project")?;
    tx.commit().await?;
    Ok(stored)
}

/// Ends the source in use: nothing is proposed any more.
///
/// # Errors
/// Rights; the database.
pub async fn switch_off(actor: &Actor, db: &Db, project: &str) -> Result<()> {
    let access = rights::require(actor, db, Operation::ManageSuggestions, project).await?;
    let mut tx = db.begin().await?;
    end(&mut tx, access.project_id).await?;
    audit::record(&mut tx, &access, Operation::ManageSuggestions, json!({"source": null})).await?;
    Ok(tx.commit().await?)
}

/// Says whether a member sees suggestions.
///
/// # Errors
/// [`Error::NotFound`] if the account is no member; rights; the database.
pub async fn set_viewer(actor: &Actor, db: &Db, project: &str, user_id: i64, sees: bool) -> Result<()> {
    let access = rights::require(actor, db, Operation::ManageSuggestions, project).await?;
    let mut tx = db.begin().await?;
    let changed = sqlx::query!(
        "UPDATE memberships SET sees_suggestions = $3 WHERE project_id = $1 AND user_id = $2",
        access.project_id,
        user_id,
        sees,
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(Error::NotFound("member"));
    }
    let details = json!({"user_id": user_id, "sees": sees});
    audit::record(&mut tx, &access, Operation::ManageSuggestions, details).await?;
    Ok(tx.commit().await?)
}

fn check_share(share: f32) -> Result<()> {
    if (0.0..=1.0).contains(&share) { Ok(()) } else { Err(Error::invalid("control_share", "is not between 0 and 1")) }
}

fn some(rows: u64, field: &'static str, otherwise: &str) -> Result<()> {
    if rows == 0 { Err(Error::invalid(field, otherwise)) } else { Ok(()) }
}

async fn finished_run(db: impl PgExecutor<'_>, project_id: i64, name: Option<&str>) -> Result<(i64, String)> {
    let run = sqlx::query!(
        "SELECT id, name FROM runs
         WHERE project_id = $1 AND finished_at IS NOT NULL AND ($2::text IS NULL OR name = $2)
         ORDER BY finished_at DESC, id DESC LIMIT 1",
        project_id,
        name,
    )
    .fetch_optional(db)
    .await?;
    let missing = || match name {
        Some(name) => Error::invalid("run", format!("there is no finished run `{name}`")),
        None => Error::invalid("run", "no run has finished yet"),
    };
    run.map(|run| (run.id, run.name)).ok_or_else(missing)
}

async fn begin(
    connection: &mut PgConnection,
    access: &Access,
    kind: SourceKind,
    run_id: Option<i64>,
    name: &str,
    control_share: f32,
) -> Result<i64> {
    end(connection, access.project_id).await?;
    let id = sqlx::query_scalar!(
        "INSERT INTO suggestion_sources (project_id, kind, run_id, name, control_share, created_by)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
        access.project_id,
        kind.as_str(),
        run_id,
        name,
        control_share,
        access.user_id,
    )
    .fetch_one(&mut *connection)
    .await?;
    let details = json!({"source": kind.as_str(), "name": name, "control_share": control_share});
    audit::record(connection, access, Operation::ManageSuggestions, details).await?;
    Ok(id)
}

/// Ends the source in use. Two who choose at once take turns.
async fn end(connection: &mut PgConnection, project_id: i64) -> Result<()> {
    sqlx::query!("SELECT id FROM projects WHERE id = $1 FOR NO KEY UPDATE", project_id)
        .fetch_one(&mut *connection)
        .await?;
    let ended = sqlx::query_scalar!(
        "UPDATE suggestion_sources SET ended_at = now() WHERE project_id = $1 AND ended_at IS NULL RETURNING id",
        project_id,
    )
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query!("DELETE FROM suggestions WHERE source_id = ANY($1)", &ended).execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM grid_places WHERE source_id = ANY($1)", &ended).execute(connection).await?;
    Ok(())
}

/// Each photo's and attribute's most probable answer of the run, weighed with the project's priors, by the model of a fold that
/// has not seen the photo where there is one: of photos that it was trained on, a model says what it was told.
async fn copy_run(connection: &mut PgConnection, source_id: i64, run_id: i64, project_id: i64) -> Result<u64> {
    let rows =
        sqlx::query_file!("queries/suggestions_of_run.sql", source_id, run_id, project_id).execute(connection).await?;
    Ok(rows.rows_affected())
}

/// Each photo's most probable value by the priors of what is given with it.
async fn copy_priors(connection: &mut PgConnection, source_id: i64, project_id: i64) -> Result<u64> {
    let rows = sqlx::query!(
        "INSERT INTO suggestions (source_id, photo_id, attribute_id, value_id, probability)
         SELECT DISTINCT ON (pv.photo_id, v.attribute_id) $1, pv.photo_id, v.attribute_id, v.id, pr.probability
         FROM photos p
         JOIN photo_values pv ON pv.photo_id = p.id
         JOIN priors pr ON pr.given_value_id = pv.value_id
         JOIN attribute_values v ON v.id = pr.value_id AND v.retired_at IS NULL
         JOIN attributes a ON a.id = v.attribute_id AND a.kind = 'annotated' AND a.retired_at IS NULL
         WHERE p.project_id = $2
         ORDER BY pv.photo_id, v.attribute_id, pr.probability DESC, v.position",
        source_id,
        project_id,
    )
    .execute(connection)
    .await?;
    Ok(rows.rows_affected())
}
