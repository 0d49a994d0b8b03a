//! The queue: which photos are open, for how many answers, and in which order they are given.
//!
//! `tasks.needed` says how many answers a photo gets: the project's overlap or one, by the photo's share, and one more
//! at a time while its answers differ ([`needed`]). `tasks.priority` says which come first ([`order`]). An annotator's
//! place in the queue keeps the walk to the next photo short ([`place`]). Claims and slots are in [`crate::slots`].

mod needed;
mod order;
mod place;

pub(crate) use needed::{add_tasks, settle};
pub(crate) use place::{Place, lock_open};

use std::time::Duration;

use kenami_domain::view::queue::{QueueOrder, Reordered};
use serde_json::json;
use sqlx::PgExecutor;

use crate::{
    actor::Actor,
    audit,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
};

/// Photos that one step over a whole project changes, and that nobody can claim for that moment.
const BATCH: i64 = 1_000;
/// After so many steps people's places begin anew: what such steps open or bring forward is hidden from them until then.
const EPOCH: usize = 100;
/// How long one waits for work on a whole project, before it goes on by itself.
const WAIT: Duration = Duration::from_secs(10);

/// Puts the open photos in the project's order anew: by the latest run's predictions, or by what has been finished. While
/// it works, photos can be claimed.
///
/// # Errors
/// Rights; the database.
pub async fn reprioritise(actor: &Actor, db: &Db, project: &str) -> Result<Reordered> {
    let access = rights::require(actor, db, Operation::ManageProject, project).await?;
    let changed = in_background(db, move |db| async move { order::apply(&db, access.project_id).await }).await?;
    if changed != Some(0) {
        let mut tx = db.begin().await?;
        audit::record(&mut tx, access, Operation::ManageProject, json!({ "queue_reordered": changed })).await?;
        tx.commit().await?;
    }
    Ok(Reordered { changed })
}

/// Photos have come in, which come last: gives them their places, where the project's order has others. To the end, however
/// long it takes.
///
/// # Errors
/// Rights; the database.
pub async fn photos_imported(actor: &Actor, db: &Db, project: &str) -> Result<()> {
    let access = rights::require(actor, db, Operation::ImportPhotos, project).await?;
    if order::wanted(db, access.project_id).await? != QueueOrder::Order {
        order::apply(db, access.project_id).await?;
    }
    Ok(())
}

/// Finishes what a change of settings began and a stopped server left: answers needed, and the order. How many projects.
///
/// # Errors
/// Rights; the database.
pub async fn catch_up(actor: &Actor, db: &Db) -> Result<u64> {
    rights::require_server(actor, db, Operation::Work).await?;
    let pending = sqlx::query_scalar!("SELECT id FROM projects WHERE queue_pending IS NOT NULL ORDER BY id");
    let pending = pending.fetch_all(db).await?;
    for project_id in &pending {
        apply_settings(db, *project_id).await?;
    }
    Ok(pending.len() as u64)
}

/// Brings the tasks to the project's settings, which the caller has stored with `queue_pending`; it goes on by itself
/// where it takes long.
pub(crate) async fn settings_changed(db: &Db, project_id: i64) -> Result<()> {
    in_background(db, move |db| async move { apply_settings(&db, project_id).await }).await?;
    Ok(())
}

/// A run has been finished: the photos take the order of its doubts, where the project wants that.
pub(crate) async fn run_finished(db: &Db, project_id: i64) -> Result<()> {
    let wanted = order::wanted(db, project_id).await?;
    if wanted.follows_model() {
        order::apply(db, project_id).await?;
    }
    Ok(())
}

async fn apply_settings(db: &Db, project_id: i64) -> Result<()> {
    let pending = sqlx::query_scalar!("SELECT queue_pending FROM projects WHERE id = $1", project_id);
    let pending = pending.fetch_one(db).await?;
    needed::settle_all(db, project_id).await?;
    order::apply(db, project_id).await?;
    // Settings that have changed meanwhile are still pending.
    sqlx::query!("UPDATE projects SET queue_pending = NULL WHERE id = $1 AND queue_pending = $2", project_id, pending)
        .execute(db)
        .await?;
    Ok(())
}

/// Does work that must not end half-way when the request that began it does; `None` where it takes longer than one waits.
async fn in_background<T, F>(db: &Db, work: impl FnOnce(Db) -> F) -> Result<Option<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let work = work(db.clone());
    let (done, ended) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        if let Err(unheard) = done.send(work.await)
            && let Err(error) = unheard
        {
            tracing::error!("the queue could not be brought up to date: {error}");
        }
    });
    match tokio::time::timeout(WAIT, ended).await {
        Ok(Ok(result)) => result.map(Some),
        Ok(Err(gone)) => Err(Error::internal(gone)),
        Err(_) => Ok(None),
    }
}

/// Many tasks have changed their places: what annotators remember of the queue ends.
async fn begin_epoch(db: impl PgExecutor<'_>, project_id: i64) -> Result<()> {
    sqlx::query!("UPDATE projects SET queue_epoch = queue_epoch + 1 WHERE id = $1", project_id).execute(db).await?;
    Ok(())
}
