//! Training as a job: results, restarts, cancelling, weights that a page may not name.

mod fixtures;

use std::time::Duration;

use fixtures::Server;
use kenami_domain::{
    dataset::Policy,
    metrics::Metrics,
    run_config::RunConfig,
    view::{
        dataset::{DatasetRow, FreezeInput},
        job::JobState,
        run::{RunDetail, TrainInput},
    },
};
use kenami_server::jobs::{check_page_config, worker};
use kenami_store::{actor::Actor, datasets, runs};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

const SYSTEM: &Actor = &Actor::System;

async fn frozen(db: PgPool) -> (Server, DatasetRow) {
    let server = Server::new(db);
    server.with_pets().await;
    let input = FreezeInput { name: "v1".into(), policy: Policy::AdjudicatedFirst, run: None, seed: 0 };
    let dataset = datasets::freeze(SYSTEM, server.db(), "pets", input).await.unwrap();
    (server, dataset)
}

async fn start(server: &Server, dataset: &DatasetRow, epochs: u32) -> RunDetail {
    let config = format!("epochs = {epochs}\nimage_size = 32\nbatch_size = 4\n[model]\nweights = \"none\"\n");
    let input = TrainInput { dataset_id: dataset.id, name: String::new(), config };
    runs::create(SYSTEM, server.db(), "pets", input).await.unwrap()
}

async fn points(db: &PgPool, run: i64) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM run_curves WHERE run_id = $1").bind(run).fetch_one(db).await.unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_run_leaves_curves_metrics_predictions_and_files(db: PgPool) {
    let (server, dataset) = frozen(db).await;
    let run = start(&server, &dataset, 3).await;
    let shutdown = CancellationToken::new();
    let working = tokio::spawn(worker::run(server.context.clone(), shutdown.clone()));
    let job = fixtures::ended(server.db(), run.job.unwrap().id).await;
    shutdown.cancel();
    working.await.unwrap();
    assert_eq!(job.state, JobState::Done, "{job:?}");

    let run = runs::get(SYSTEM, server.db(), "pets", run.row.id).await.unwrap();
    let metrics: Metrics = serde_json::from_value(run.metrics.unwrap()).unwrap();
    assert_eq!(metrics.heads["breed"]["test"].n, 4);
    assert!(metrics.heads.contains_key("ear"));
    assert_eq!(run.curves.iter().map(|point| point.epoch).max(), Some(3));
    // Every photo of the dataset, for every head.
    let predictions: i64 = sqlx::query_scalar("SELECT count(*) FROM run_predictions WHERE run_id = $1")
        .bind(run.row.id)
        .fetch_one(server.db())
        .await
        .unwrap();
    assert_eq!(predictions, 12 * metrics.heads.len() as i64);
    let sums: Vec<f64> = sqlx::query_scalar(
        "SELECT (SELECT sum(value::float8) FROM jsonb_each_text(distribution)) FROM run_predictions WHERE run_id = $1",
    )
    .bind(run.row.id)
    .fetch_all(server.db())
    .await
    .unwrap();
    assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-3), "{sums:?}");
    let artifacts = runs::artifacts(SYSTEM, server.db(), "pets", run.row.id).await.unwrap().expect("artifacts");
    assert!(
        runs::RUN_FILES.iter().all(|file| metrics.files.iter().any(|listed| listed == file)),
        "{:?}",
        metrics.files
    );
    assert!(metrics.files.iter().any(|file| file == "confusion_breed.png"), "{:?}", metrics.files);
    assert!(!metrics.files.iter().any(|file| file.contains("checkpoint")));
    for file in &metrics.files {
        let bytes = server.context.storage.get_artifact_bytes(&format!("{artifacts}/{file}")).await.unwrap();
        assert!(!bytes.is_empty(), "{file}");
    }
    assert!(!server.context.data_dir.runs().join(run.row.id.to_string()).exists(), "the working folder is gone");
}

/// Long enough for the worker to be stopped in the middle.
const EPOCHS: u32 = 800;

#[sqlx::test(migrations = "../migrations")]
async fn a_run_survives_the_end_of_its_worker(db: PgPool) {
    let (server, dataset) = frozen(db).await;
    let run = start(&server, &dataset, EPOCHS).await;
    let job = run.job.as_ref().unwrap().id;
    let shutdown = CancellationToken::new();
    let working = tokio::spawn(worker::run(server.context.clone(), shutdown.clone()));
    while points(server.db(), run.row.id).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(10), working).await.expect("the worker ends soon").unwrap();
    let interrupted = kenami_store::jobs::get(SYSTEM, server.db(), job).await.unwrap();
    assert_eq!(interrupted.state, JobState::Queued, "{interrupted:?}");

    let shutdown = CancellationToken::new();
    let working = tokio::spawn(worker::run(server.context.clone(), shutdown.clone()));
    let done = fixtures::ended(server.db(), job).await;
    shutdown.cancel();
    working.await.unwrap();
    // An orderly end is no attempt.
    assert_eq!((done.state, done.attempts), (JobState::Done, 1), "{done:?}");
    let run = runs::get(SYSTEM, server.db(), "pets", run.row.id).await.unwrap();
    // One point an epoch, none twice.
    let losses: Vec<i32> = run
        .curves
        .iter()
        .filter(|point| point.series == "breed/loss" && point.split == "train")
        .map(|point| point.epoch)
        .collect();
    assert_eq!((losses.len(), losses.iter().max()), (EPOCHS as usize, Some(&(EPOCHS as i32))));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_cancelled_run_stops_and_says_so(db: PgPool) {
    let (server, dataset) = frozen(db).await;
    let run = start(&server, &dataset, 1_000_000).await;
    let shutdown = CancellationToken::new();
    let working = tokio::spawn(worker::run(server.context.clone(), shutdown.clone()));
    while points(server.db(), run.row.id).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    runs::cancel(SYSTEM, server.db(), "pets", run.row.id).await.unwrap();
    let job = fixtures::ended(server.db(), run.job.unwrap().id).await;
    shutdown.cancel();
    working.await.unwrap();
    assert_eq!(job.state, JobState::Cancelled);
    assert!(!server.context.data_dir.runs().join(run.row.id.to_string()).exists());
}

#[test]
fn a_page_names_no_files() {
    let refused = |weights: &str| {
        let config = RunConfig::from_toml(&format!("[model]\nweights = \"{weights}\"\n")).unwrap();
        check_page_config(&config).map_err(|error| error.to_string())
    };
    for good in ["demo", "none", "run:7", "timm/tf_efficientnet_lite0.in1k"] {
        assert_eq!(refused(good), Ok(()), "{good}");
    }
    for bad in ["/etc/passwd", "./a/b", "weights.safetensors", "run:../x"] {
        assert!(refused(bad).is_err(), "{bad}");
    }
    assert!(refused("/etc/passwd").unwrap_err().contains("cannot name a file"));
    for other in ["somebody/else", "timm/tf_efficientnet_lite0.in1k@branch"] {
        assert!(refused(other).unwrap_err().contains("not on the list"), "{other}");
    }
}
