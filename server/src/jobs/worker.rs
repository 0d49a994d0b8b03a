//! The worker: takes jobs while it lives, one in each of its slots.

use std::{sync::Arc, time::Duration};

use kenami_domain::view::job::JobKind;
use kenami_store::{
    actor::Actor,
    db::Db,
    jobs::{self, ClaimedJob, JobProgress, Outcome},
};
use sqlx::postgres::PgListener;
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Ended, Progress, experiment, import, train};
use crate::cli::Context;

/// Jobs at once: an import need not wait for a training.
const SLOTS: usize = 2;
/// How long a job is held without a sign of life; another worker takes it up afterwards.
const LEASE: Duration = Duration::from_secs(60);
/// How often a job says how far it is.
const BEAT: Duration = Duration::from_secs(1);
/// How often an idle worker looks for jobs when nothing has been heard.
const IDLE: Duration = Duration::from_secs(10);
/// Times that a job is taken up before it counts as failed: one that kills its worker must not do so for ever.
const MAX_ATTEMPTS: i32 = 5;

/// Carries out jobs until `shutdown`; jobs under way then stop and go back to the queue, to be resumed later.
pub async fn run(context: Context, shutdown: CancellationToken) {
    let name = format!("{}-{}", std::process::id(), Uuid::new_v4().simple());
    let news = Arc::new(Notify::new());
    let listener = tokio::spawn(listen(context.db.clone(), news.clone()));
    let slots = (0..SLOTS).map(|slot| {
        let (context, news, shutdown) = (context.clone(), news.clone(), shutdown.clone());
        serve_slot(context, format!("{name}/{slot}"), news, shutdown)
    });
    futures::future::join_all(slots).await;
    listener.abort();
}

/// Wakes the slots when the database says that something has happened to a job.
async fn listen(db: Db, news: Arc<Notify>) {
    loop {
        let outcome: sqlx::Result<()> = async {
            let mut listener = PgListener::connect_with(&db).await?;
            listener.listen(jobs::CHANNEL).await?;
            loop {
                listener.recv().await?;
                news.notify_waiters();
            }
        }
        .await;
        if let Err(error) = outcome {
            tracing::warn!(%error, "the worker hears nothing from the database; it looks by itself meanwhile");
        }
        sleep(IDLE).await;
    }
}

async fn serve_slot(context: Context, worker: String, news: Arc<Notify>, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        // Registered before looking, so that a job queued in between is not missed.
        let woken = news.notified();
        match jobs::claim(&Actor::System, &context.db, &worker, LEASE, MAX_ATTEMPTS).await {
            Ok(Some(job)) => {
                carry_out(&context, &worker, job, &shutdown).await;
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the worker cannot look for jobs"),
        }
        tokio::select! {
            () = woken => {}
            () = sleep(IDLE) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// Why a job was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Asked,
    Shutdown,
    Lost,
}

async fn carry_out(context: &Context, worker: &str, job: ClaimedJob, shutdown: &CancellationToken) {
    let (id, kind, payload) = (job.id, job.kind, job.payload.clone());
    tracing::info!(job = id, ?kind, attempt = job.attempts, "job taken up");
    let progress = Progress::default();
    let mut work = tokio::spawn(work(context.clone(), job, progress.clone()));
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop = None;
    let result = loop {
        tokio::select! {
            result = &mut work => break result,
            _ = beat.tick() => {
                if let Some(reason) = say_how_far(&context.db, id, worker, &progress).await {
                    stop.get_or_insert(reason);
                    progress.cancel();
                }
            }
            () = shutdown.cancelled(), if stop.is_none() => {
                stop = Some(Stop::Shutdown);
                progress.cancel();
            }
        }
    };
    let outcome = match (result, stop) {
        // Somebody else has the job now; what they say of it counts.
        (_, Some(Stop::Lost)) => None,
        (Ok(Ok(Ended::Done(value))), _) => Some(Outcome::Done(value)),
        (Ok(Ok(Ended::Stopped)), Some(Stop::Shutdown)) => {
            put_back(&context.db, worker).await;
            None
        }
        (Ok(Ok(Ended::Stopped)), _) => Some(Outcome::Cancelled),
        (Ok(Err(error)), _) => {
            tracing::error!(job = id, ?kind, "job failed: {error:#}");
            Some(Outcome::Failed(for_people(&error)))
        }
        (Err(panic), _) => {
            tracing::error!(job = id, ?kind, %panic, "job panicked");
            Some(Outcome::Failed("something went wrong on the server; it has been logged".to_owned()))
        }
    };
    if let Some(outcome) = outcome {
        finish(&context.db, id, worker, outcome).await;
        clean_up(context, kind, &payload).await;
    }
}

/// Errors of the database are for the log; all others say what to do.
fn for_people(error: &anyhow::Error) -> String {
    use kenami_store::error::Error;
    match error.downcast_ref::<Error>() {
        Some(Error::Database(_) | Error::Internal(_) | Error::Migrate(_)) => {
            "something went wrong on the server; it has been logged".to_owned()
        }
        _ => format!("{error:#}"),
    }
}

async fn work(context: Context, job: ClaimedJob, progress: Progress) -> anyhow::Result<Ended> {
    match job.kind {
        JobKind::Import => import::work(&context, &job, &progress).await,
        JobKind::Train => train::work(&context, &job, &progress).await,
        JobKind::Experiment => experiment::work(&context, &job, &progress).await,
        JobKind::Export | JobKind::Predict => anyhow::bail!("no worker of this version does such jobs"),
    }
}

/// Removes what a job that has ended for good kept in the data folder.
async fn clean_up(context: &Context, kind: JobKind, payload: &serde_json::Value) {
    let folder = match kind {
        JobKind::Import => import::folder(context, payload),
        JobKind::Train => train::folder(context, payload),
        JobKind::Experiment => experiment::folder(context, payload),
        JobKind::Export | JobKind::Predict => None,
    };
    let Some(folder) = folder.filter(|folder| folder.is_dir()) else { return };
    let outcome = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(&folder)).await;
    if let Ok(Err(error)) = outcome {
        tracing::warn!(%error, "a job's folder could not be removed");
    }
}

async fn say_how_far(db: &Db, id: i64, worker: &str, progress: &Progress) -> Option<Stop> {
    let (done, total, message) = progress.now();
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let far = JobProgress { done: number(done), total: number(total), message: &message };
    match jobs::heartbeat(&Actor::System, db, id, worker, LEASE, far).await {
        Ok(heard) if heard.lost => Some(Stop::Lost),
        Ok(heard) if heard.cancel_requested => Some(Stop::Asked),
        Ok(_) => None,
        Err(error) => {
            // The lease outlives a short failure of the database; a long one shows as a lost job later.
            tracing::warn!(job = id, %error, "the job could not say how far it is");
            None
        }
    }
}

async fn put_back(db: &Db, worker: &str) {
    if let Err(error) = jobs::release(&Actor::System, db, worker).await {
        tracing::warn!(%error, "a job could not be put back; it will be taken up when its lease ends");
    }
}

async fn finish(db: &Db, id: i64, worker: &str, outcome: Outcome) {
    for _ in 0..3 {
        match jobs::finish(&Actor::System, db, id, worker, outcome.clone()).await {
            Ok(_) => return,
            Err(error) => tracing::error!(job = id, %error, "the job's end could not be stored"),
        }
        sleep(BEAT).await;
    }
}
