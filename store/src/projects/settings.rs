//! What a lead may change about a project.

use kenami_domain::view::project::{GoldSettings, ProjectSettings};
use sqlx::PgConnection;

use super::check_name;
use crate::{
    actor::Actor,
    audit,
    db::Db,
    error::{Error, Result},
    queue,
    rights::{Operation, require},
};

/// What a lead may change.
///
/// # Errors
/// As [`require`] for [`Operation::ManageProject`].
pub async fn settings(actor: &Actor, db: &Db, key: &str) -> Result<ProjectSettings> {
    let access = require(actor, db, Operation::ManageProject, key).await?;
    let row = sqlx::query!(
        "SELECT name, description, overlap, overlap_share, extra_votes, queue_order, lease_seconds, gold_rate, quiz_length,
                quiz_pass_mark, quiz_repeats
         FROM projects WHERE id = $1",
        access.project_id,
    )
    .fetch_one(db)
    .await?;
    Ok(ProjectSettings {
        name: row.name,
        description: row.description,
        overlap: row.overlap,
        overlap_share: row.overlap_share,
        extra_votes: row.extra_votes,
        queue_order: row.queue_order.parse().map_err(Error::internal)?,
        lease_seconds: row.lease_seconds,
        gold: GoldSettings {
            gold_rate: row.gold_rate,
            quiz_length: row.quiz_length,
            quiz_pass_mark: row.quiz_pass_mark,
            quiz_repeats: row.quiz_repeats,
        },
    })
}

/// Changes the settings. A new overlap, share, number of extra votes or order counts for every photo; slots that are taken
/// stay taken. In a large project the photos follow after the answer.
///
/// # Errors
/// [`Error::Invalid`] of a field that does not fit.
pub async fn update(actor: &Actor, db: &Db, key: &str, settings: ProjectSettings) -> Result<()> {
    let access = require(actor, db, Operation::ManageProject, key).await?;
    check(&settings)?;
    let mut tx = db.begin().await?;
    let queue_changes = store(&mut tx, access.project_id, &settings).await?;
    audit::record(&mut tx, access, Operation::ManageProject, serde_json::to_value(&settings)?).await?;
    tx.commit().await?;
    if queue_changes {
        queue::settings_changed(db, access.project_id).await?;
    }
    Ok(())
}

/// Stores the settings; whether the queue must follow.
async fn store(tx: &mut PgConnection, project_id: i64, settings: &ProjectSettings) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"UPDATE projects p SET
               name = $2, description = $3, overlap = $4, overlap_share = $5, extra_votes = $6, queue_order = $7,
               lease_seconds = $8, gold_rate = $9, quiz_length = $10, quiz_pass_mark = $11, quiz_repeats = $12,
               queue_pending = CASE WHEN (old.overlap, old.overlap_share, old.extra_votes, old.queue_order)
                                         IS DISTINCT FROM ($4, $5, $6, $7) THEN clock_timestamp() ELSE p.queue_pending END
           FROM (SELECT id, overlap, overlap_share, extra_votes, queue_order FROM projects WHERE id = $1 FOR NO KEY UPDATE) old
           WHERE p.id = old.id
           RETURNING p.queue_pending IS NOT NULL AS "pending!""#,
        project_id,
        settings.name.trim(),
        settings.description.trim(),
        settings.overlap,
        settings.overlap_share,
        settings.extra_votes,
        settings.queue_order.as_str(),
        settings.lease_seconds,
        settings.gold.gold_rate,
        settings.gold.quiz_length,
        settings.gold.quiz_pass_mark,
        settings.gold.quiz_repeats,
    )
    .fetch_one(tx)
    .await?)
}

fn check(settings: &ProjectSettings) -> Result<()> {
    check_name(&settings.name)?;
    if settings.description.chars().count() > 2000 {
        return Err(Error::invalid("description", "must have at most 2,000 characters"));
    }
    if !(1..=20).contains(&settings.overlap) {
        return Err(Error::invalid("overlap", "must be 1 to 20"));
    }
    if !(0.0..=1.0).contains(&settings.overlap_share) {
        return Err(Error::invalid("overlap_share", "must be 0 to 1, that is 0 to 100 percent"));
    }
    if !(0..=5).contains(&settings.extra_votes) {
        return Err(Error::invalid("extra_votes", "must be 0 to 5"));
    }
    if !(30..=86_400).contains(&settings.lease_seconds) {
        return Err(Error::invalid("lease_seconds", "must be 30 to 86,400"));
    }
    check_gold(&settings.gold)
}

fn check_gold(gold: &GoldSettings) -> Result<()> {
    if !(0.0..=0.5).contains(&gold.gold_rate) {
        return Err(Error::invalid("gold_rate", "must be 0 to 0.5, that is 0 to 50 percent"));
    }
    if !(0..=50).contains(&gold.quiz_length) {
        return Err(Error::invalid("quiz_length", "must be 0 to 50"));
    }
    if !(0.0..=1.0).contains(&gold.quiz_pass_mark) {
        return Err(Error::invalid("quiz_pass_mark", "must be 0 to 1, that is 0 to 100 percent"));
    }
    Ok(())
}
