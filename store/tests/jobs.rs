//! Jobs and workers.

mod world;

use std::{collections::HashSet, time::Duration};

use futures::future::join_all;
use kenami_domain::{
    roles::Role,
    view::job::{JobKind, JobState},
};
use kenami_store::{
    actor::Actor,
    error::Error,
    jobs::{self, ClaimedJob, Heartbeat, JobProgress, Outcome},
};
use serde_json::json;
use sqlx::{PgPool, postgres::PgListener};
use world::{PETS, World};

const SYSTEM: Actor = Actor::System;
const LEASE: Duration = Duration::from_secs(60);
const PROGRESS: JobProgress<'_> = JobProgress { done: 3, total: 9, message: "reading" };

async fn queue(db: &PgPool) -> i64 {
    jobs::create(&SYSTEM, db, PETS, JobKind::Import, json!({ "folder": "x" })).await.unwrap()
}

async fn claim(db: &PgPool, worker: &str) -> Option<ClaimedJob> {
    jobs::claim(&SYSTEM, db, worker, LEASE, 3).await.unwrap()
}

async fn state(db: &PgPool, id: i64) -> JobState {
    jobs::get(&SYSTEM, db, id).await.unwrap().state
}

async fn let_leases_run_out(db: &PgPool) {
    sqlx::query("UPDATE jobs SET lease_until = now() - interval '1 second' WHERE state = 'running'")
        .execute(db)
        .await
        .unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn workers_never_share_a_job(db: PgPool) {
    World::new(db.clone()).await;
    let mut queued = HashSet::new();
    for _ in 0..30 {
        queued.insert(queue(&db).await);
    }
    let workers = (0..8).map(|n| {
        let db = db.clone();
        async move {
            let mut claimed = Vec::new();
            while let Some(job) = claim(&db, &format!("worker-{n}")).await {
                claimed.push(job.id);
            }
            claimed
        }
    });
    let claimed: Vec<i64> = join_all(workers).await.into_iter().flatten().collect();
    // A worker that found every waiting job locked for a moment went home: none is left behind by all of them.
    assert_eq!(claimed.len(), claimed.iter().collect::<HashSet<_>>().len(), "{claimed:?}");
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>(), queued);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_job_goes_from_hand_to_hand_and_keeps_who_asked(db: PgPool) {
    let world = World::new(db.clone()).await;
    let lead = world.member("lea", Role::Lead).await;
    let id = jobs::create(&lead, &db, PETS, JobKind::Train, json!({ "run_id": 7 })).await.unwrap();
    let later = queue(&db).await;
    let job = claim(&db, "w1").await.unwrap();
    assert_eq!(
        (job.id, job.kind, job.project_key.as_str(), job.attempts),
        (id, JobKind::Train, PETS, 1),
        "oldest first"
    );
    assert_eq!((&job.created_by, &job.payload), (&lead, &json!({ "run_id": 7 })));
    assert_eq!(claim(&db, "w2").await.unwrap().created_by, Actor::System);
    assert_eq!(claim(&db, "w3").await, None);
    let beat = jobs::heartbeat(&SYSTEM, &db, id, "w1", LEASE, PROGRESS).await.unwrap();
    assert_eq!(beat, Heartbeat { cancel_requested: false, lost: false });
    let seen = jobs::get(&lead, &db, id).await.unwrap();
    assert_eq!(
        (seen.state, seen.progress_done, seen.progress_total, seen.message.as_str()),
        (JobState::Running, 3, 9, "reading")
    );
    assert_eq!(seen.created_by, "lea");
    assert!(jobs::finish(&SYSTEM, &db, id, "w1", Outcome::Done(json!({ "ok": true }))).await.unwrap());
    let seen = jobs::get(&lead, &db, id).await.unwrap();
    assert_eq!((seen.state, seen.result, seen.error), (JobState::Done, Some(json!({ "ok": true })), None));
    assert!(seen.finished_at.is_some());
    assert!(!jobs::finish(&SYSTEM, &db, id, "w1", Outcome::Cancelled).await.unwrap(), "an end is an end");
    assert!(jobs::finish(&SYSTEM, &db, later, "w2", Outcome::Failed("disk full".to_owned())).await.unwrap());
    assert_eq!(jobs::get(&SYSTEM, &db, later).await.unwrap().error.as_deref(), Some("disk full"));
    let listed: Vec<i64> = jobs::list(&lead, &db, PETS, 10).await.unwrap().iter().map(|job| job.id).collect();
    assert_eq!(listed, [later, id]);
    assert_eq!(jobs::list(&lead, &db, PETS, 1).await.unwrap().len(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_abandoned_job_is_taken_up_again_and_its_old_worker_has_lost_it(db: PgPool) {
    World::new(db.clone()).await;
    let id = queue(&db).await;
    claim(&db, "dead").await.unwrap();
    assert_eq!(claim(&db, "alive").await, None, "while the lease runs");
    let_leases_run_out(&db).await;
    let job = claim(&db, "alive").await.unwrap();
    assert_eq!((job.id, job.attempts), (id, 2));
    let beat = jobs::heartbeat(&SYSTEM, &db, id, "dead", LEASE, PROGRESS).await.unwrap();
    assert!(beat.lost);
    assert!(!jobs::finish(&SYSTEM, &db, id, "dead", Outcome::Done(json!(null))).await.unwrap());
    assert_eq!(state(&db, id).await, JobState::Running);
    assert_eq!(jobs::get(&SYSTEM, &db, id).await.unwrap().progress_done, 0, "the lost worker wrote nothing");
    // A late heartbeat before anybody else came keeps the job.
    let_leases_run_out(&db).await;
    assert!(!jobs::heartbeat(&SYSTEM, &db, id, "alive", LEASE, PROGRESS).await.unwrap().lost);
    assert_eq!(claim(&db, "third").await, None);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_job_that_kills_its_workers_is_given_up(db: PgPool) {
    World::new(db.clone()).await;
    let id = queue(&db).await;
    for attempt in 1..=3 {
        assert_eq!(claim(&db, &format!("w{attempt}")).await.unwrap().attempts, attempt);
        let_leases_run_out(&db).await;
    }
    assert_eq!(claim(&db, "w4").await, None);
    let job = jobs::get(&SYSTEM, &db, id).await.unwrap();
    assert_eq!((job.state, job.error.as_deref()), (JobState::Failed, Some(jobs::INTERRUPTED)));
    assert!(job.finished_at.is_some());
}

#[sqlx::test(migrations = "../migrations")]
async fn cancelling_ends_what_waits_and_tells_what_runs(db: PgPool) {
    let world = World::new(db.clone()).await;
    let lead = world.member("lea", Role::Lead).await;
    let running = queue(&db).await;
    claim(&db, "w").await.unwrap();
    let waiting = queue(&db).await;
    for id in [running, waiting] {
        jobs::cancel(&lead, &db, id).await.unwrap();
        jobs::cancel(&lead, &db, id).await.unwrap();
    }
    assert_eq!((state(&db, running).await, state(&db, waiting).await), (JobState::Running, JobState::Cancelled));
    assert_eq!(claim(&db, "v").await, None);
    assert!(jobs::heartbeat(&SYSTEM, &db, running, "w", LEASE, PROGRESS).await.unwrap().cancel_requested);
    assert!(jobs::finish(&SYSTEM, &db, running, "w", Outcome::Cancelled).await.unwrap());
    assert_eq!(state(&db, running).await, JobState::Cancelled);
    // A worker that died before it heard: cancelled all the same, not begun anew.
    let orphan = queue(&db).await;
    claim(&db, "w").await.unwrap();
    jobs::cancel(&lead, &db, orphan).await.unwrap();
    let_leases_run_out(&db).await;
    assert_eq!(claim(&db, "v").await, None);
    assert_eq!(state(&db, orphan).await, JobState::Cancelled);
    assert_eq!(world.number("SELECT count(*) FROM audit WHERE operation = 'CancelJob'").await, 3);
    assert!(matches!(jobs::cancel(&lead, &db, -1).await, Err(Error::NotFound("job"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_orderly_shutdown_gives_jobs_back_and_costs_no_attempt(db: PgPool) {
    World::new(db.clone()).await;
    let id = queue(&db).await;
    claim(&db, "w").await.unwrap();
    assert_eq!(jobs::release(&SYSTEM, &db, "someone else").await.unwrap(), 0);
    assert_eq!(jobs::release(&SYSTEM, &db, "w").await.unwrap(), 1);
    assert_eq!(state(&db, id).await, JobState::Queued);
    assert_eq!(claim(&db, "v").await.unwrap().attempts, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn every_change_is_announced(db: PgPool) {
    World::new(db.clone()).await;
    let mut listener = PgListener::connect_with(&db).await.unwrap();
    listener.listen(jobs::CHANNEL).await.unwrap();
    let id = queue(&db).await;
    claim(&db, "w").await.unwrap();
    jobs::heartbeat(&SYSTEM, &db, id, "w", LEASE, PROGRESS).await.unwrap();
    jobs::cancel(&SYSTEM, &db, id).await.unwrap();
    jobs::finish(&SYSTEM, &db, id, "w", Outcome::Cancelled).await.unwrap();
    for step in ["create", "claim", "heartbeat", "cancel", "finish"] {
        let heard = tokio::time::timeout(Duration::from_secs(5), listener.recv()).await.expect(step).unwrap();
        assert_eq!(heard.payload(), id.to_string(), "{step}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_queue_is_read_by_its_index(db: PgPool) {
    let world = World::new(db.clone()).await;
    // A long history and a few that wait.
    sqlx::query(
        "INSERT INTO jobs (kind, project_id, created_by, payload, state)
         SELECT 'import', $1, (SELECT id FROM users LIMIT 1), '{}', CASE WHEN n % 1000 = 0 THEN 'queued' ELSE 'done' END
         FROM generate_series(1, 20000) n",
    )
    .bind(world.project_id)
    .execute(&db)
    .await
    .unwrap();
    world.run("ANALYZE jobs").await;
    let plan: Vec<String> = sqlx::query_scalar(
        "EXPLAIN SELECT id FROM jobs WHERE state IN ('queued', 'running') AND (state = 'queued' OR lease_until < now())
         ORDER BY id FOR NO KEY UPDATE SKIP LOCKED LIMIT 1",
    )
    .fetch_all(&db)
    .await
    .unwrap();
    assert!(plan.iter().any(|line| line.contains("jobs_claimable")), "{plan:#?}");
}
