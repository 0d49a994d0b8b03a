//! Experiments, from start to results.

mod world;

use kenami_domain::{
    dataset::Policy,
    experiment::{Contrast, Outcome, Results},
    roles::Role,
    view::{
        dataset::FreezeInput,
        experiment::ExperimentInput,
        job::{JobKind, JobState},
    },
};
use kenami_store::{actor::Actor, datasets, error::Error, experiments, jobs};
use serde_json::json;
use sqlx::PgPool;
use world::{PETS, World};

async fn frozen(db: &PgPool, project: &str, name: &str) -> i64 {
    let input = FreezeInput { name: name.to_owned(), policy: Policy::AdjudicatedFirst, run: None, seed: 0 };
    datasets::freeze(&Actor::System, db, project, input).await.unwrap().id
}

/// Twenty photos with labels, and the dataset `v1`.
async fn world(db: PgPool) -> (World, i64) {
    let world = World::new(db).await;
    let names: Vec<String> = (0..20).map(|n| format!("{n:02}.jpg")).collect();
    world.photos(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let annotator = world.member("ann", Role::Annotator).await;
    world.annotate(&annotator, |_| ("drop", "short")).await;
    let dataset = frozen(&world.db, PETS, "v1").await;
    (world, dataset)
}

fn input(dataset_id: i64) -> ExperimentInput {
    ExperimentInput { dataset_id, seeds: 3, config: "epochs = 2".to_owned(), curve: true }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_experiment_queues_its_job_and_shows_what_has_finished(db: PgPool) {
    let (world, dataset) = world(db).await;
    let lead = world.member("lea", Role::Lead).await;
    let started = experiments::create(&lead, &world.db, PETS, input(dataset)).await.unwrap();
    let id = started.row.id;
    assert_eq!((started.row.dataset.as_str(), started.row.state, started.results), ("v1", JobState::Queued, None));
    assert_eq!(started.input, input(dataset));
    let job = started.job.unwrap();
    assert_eq!((job.kind, job.created_by.as_str()), (JobKind::Experiment, "lea"));
    let payload: serde_json::Value = sqlx::query_scalar("SELECT payload FROM jobs").fetch_one(&world.db).await.unwrap();
    assert_eq!(payload, json!({ "experiment_id": id }));
    let work = experiments::to_run(&Actor::System, &world.db, id).await.unwrap();
    assert_eq!((work.project_key.as_str(), work.dataset_name.as_str(), work.input), (PETS, "v1", input(dataset)));

    let contrast = Contrast {
        head: "ear".to_owned(),
        variant: "instance-level".to_owned(),
        against: "class-level".to_owned(),
        seeds: 3,
        photos: 4,
        difference: 0.25,
        interval: Some((-0.1, 0.6)),
        outcome: Outcome::Unclear,
        needed: None,
    };
    let results = Results { contrasts: vec![contrast], ..Results::default() };
    experiments::report(&Actor::System, &world.db, id, &Results::default()).await.unwrap();
    experiments::report(&Actor::System, &world.db, id, &results).await.unwrap();
    let rae = world.member("rae", Role::Reviewer).await;
    assert_eq!(experiments::get(&rae, &world.db, PETS, id).await.unwrap().results, Some(results));
    assert_eq!(experiments::list(&rae, &world.db, PETS).await.unwrap().len(), 1);

    experiments::cancel(&lead, &world.db, PETS, id).await.unwrap();
    assert_eq!(jobs::get(&lead, &world.db, job.id).await.unwrap().state, JobState::Cancelled);
    let kept = experiments::get(&rae, &world.db, PETS, id).await.unwrap();
    assert!(kept.row.state == JobState::Cancelled && kept.results.is_some(), "what had finished stays");
    for unknown in [
        experiments::cancel(&lead, &world.db, PETS, 99).await,
        experiments::report(&Actor::System, &world.db, 99, &Results::default()).await,
        experiments::get(&lead, &world.db, PETS, 99).await.map(drop),
    ] {
        assert!(matches!(unknown, Err(Error::NotFound("experiment"))));
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_cannot_be_compared_is_refused(db: PgPool) {
    let (world, dataset) = world(db.clone()).await;
    let create = |input| experiments::create(&Actor::System, &world.db, PETS, input);
    for (seeds, config, field) in [
        (1, "", "seeds"),
        (21, "", "seeds"),
        (3, "epoch = 1", "config"),
        (3, "[model]\nweights = \"/etc/x\"", "config"),
    ] {
        let refused = create(ExperimentInput { seeds, config: config.to_owned(), ..input(dataset) }).await;
        assert!(
            matches!(&refused, Err(Error::Invalid { field: found, .. }) if *found == field),
            "{config}: {refused:?}"
        );
    }
    let cats = world::project(&db, "cats").await;
    world::photos(&db, cats, &["c.jpg"]).await;
    let foreign = frozen(&db, "cats", "v1").await;
    assert!(matches!(create(input(foreign)).await, Err(Error::NotFound("dataset"))));
    // A dataset whose attributes are all annotated has no baseline.
    for (kind, told) in [("given", "baseline"), ("annotated", "no labels")] {
        let schema = format!(
            "UPDATE datasets SET manifest = jsonb_set(manifest, '{{schema,attributes}}',
             jsonb_path_query_array(manifest, '$.schema.attributes[*] ? (@.kind != \"{kind}\")')) WHERE id = {dataset}"
        );
        let manifest: serde_json::Value = sqlx::query_scalar("SELECT manifest FROM datasets WHERE id = $1")
            .bind(dataset)
            .fetch_one(&db)
            .await
            .unwrap();
        world.run(&schema).await;
        match create(input(dataset)).await {
            Err(Error::Invalid { field: "dataset_id", message }) => assert!(message.contains(told), "{message}"),
            other => panic!("{kind}: {other:?}"),
        }
        sqlx::query("UPDATE datasets SET manifest = $2 WHERE id = $1")
            .bind(dataset)
            .bind(manifest)
            .execute(&db)
            .await
            .unwrap();
    }
    create(input(dataset)).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM jobs").await, 1);
}
