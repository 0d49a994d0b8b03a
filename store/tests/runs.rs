//! Training runs, from start to results.

mod world;

use std::collections::BTreeMap;

use kenami_domain::{
    dataset::{Policy, Split},
    roles::Role,
    view::{
        dataset::FreezeInput,
        errors::Sample,
        job::{JobKind, JobState},
        run::{CurvePoint, RunDetail, TrainInput},
    },
};
use kenami_store::{
    actor::Actor,
    datasets,
    error::Error,
    runs::{self, MistakeFilter, Prediction},
};
use serde_json::json;
use sqlx::{PgPool, postgres::PgListener};
use world::{PETS, World};

fn named(name: &str) -> FreezeInput {
    FreezeInput { name: name.to_owned(), policy: Policy::AdjudicatedFirst, run: None, seed: 0 }
}

fn train(dataset_id: i64, name: &str, config: &str) -> TrainInput {
    TrainInput { dataset_id, name: name.to_owned(), config: config.to_owned() }
}

/// Forty photos whose ears two annotators call drop, and the dataset `v1`.
async fn frozen(db: PgPool) -> (World, i64) {
    let world = World::new(db).await;
    let names: Vec<String> = (0..40).map(|n| format!("{n:02}.jpg")).collect();
    world.photos(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for name in ["ann", "ben"] {
        let annotator = world.member(name, Role::Annotator).await;
        world.annotate(&annotator, |photo| (if photo == "39.jpg" { "unsure" } else { "drop" }, "short")).await;
    }
    let dataset = datasets::freeze(&Actor::System, &world.db, PETS, named("v1")).await.unwrap().id;
    (world, dataset)
}

async fn start(world: &World, dataset: i64, name: &str) -> RunDetail {
    runs::create(&Actor::System, &world.db, PETS, train(dataset, name, "epochs = 3")).await.unwrap()
}

fn point(epoch: i32, series: &str, value: f64) -> CurvePoint {
    CurvePoint { epoch, split: "train".to_owned(), series: series.to_owned(), value }
}

fn prediction(position: i32, attribute: &str, of: &[(&str, f64)]) -> Prediction {
    let distribution = of.iter().map(|(value, p)| ((*value).to_owned(), *p)).collect();
    Prediction { position, attribute: attribute.to_owned(), distribution }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_run_queues_its_job(db: PgPool) {
    let (world, dataset) = frozen(db).await;
    let lead = world.member("lea", Role::Lead).await;
    let run = runs::create(&lead, &world.db, PETS, train(dataset, "", "epochs = 3")).await.unwrap();
    assert_eq!((run.row.name.as_str(), run.row.dataset.as_str(), run.row.state), ("v1-1", "v1", JobState::Queued));
    assert_eq!((run.row.created_by.as_str(), run.config.as_str()), ("lea", "epochs = 3"));
    let job = run.job.unwrap();
    assert_eq!(job.kind, JobKind::Train);
    let payload: serde_json::Value = sqlx::query_scalar("SELECT payload FROM jobs").fetch_one(&world.db).await.unwrap();
    assert_eq!(payload, json!({ "run_id": run.row.id }));
    let (one, other) = futures::join!(
        runs::create(&lead, &world.db, PETS, train(dataset, "", "")),
        runs::create(&lead, &world.db, PETS, train(dataset, "", ""))
    );
    let mut names = [one.unwrap().row.name, other.unwrap().row.name];
    names.sort();
    assert_eq!(names, ["v1-2", "v1-3"]);
    assert_eq!(runs::find(&lead, &world.db, PETS, "v1-1").await.unwrap(), run.row.id);
    assert!(matches!(runs::find(&lead, &world.db, PETS, "v1-9").await, Err(Error::NotFound("run"))));

    runs::cancel(&lead, &world.db, PETS, run.row.id).await.unwrap();
    let states: Vec<_> = runs::list(&lead, &world.db, PETS).await.unwrap().into_iter().map(|run| run.state).collect();
    assert_eq!(states, [JobState::Queued, JobState::Queued, JobState::Cancelled]);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_does_not_fit_is_refused(db: PgPool) {
    let (world, dataset) = frozen(db.clone()).await;
    let other = world::project(&db, "cats").await;
    world::photos(&db, other, &["c.jpg"]).await;
    let foreign = datasets::freeze(&Actor::System, &db, "cats", named("v1")).await.unwrap().id;
    let create = |input| runs::create(&Actor::System, &db, PETS, input);
    for (config, told) in [
        ("epoch = 3", "line 1"),
        ("epochs = 0", "epochs"),
        ("[model]\nweights = \"/etc/passwd\"", "file"),
        ("[model]\nweights = \"../x.safetensors\"", "file"),
        ("[model]\nweights = \"run:77\"", "run 77"),
    ] {
        match create(train(dataset, "", config)).await {
            Err(Error::Invalid { field: "config", message }) => assert!(message.contains(told), "{message}"),
            other => panic!("{config}: {other:?}"),
        }
    }
    let long = create(train(dataset, &"x".repeat(101), "")).await;
    assert!(matches!(long, Err(Error::Invalid { field: "name", .. })));
    assert!(matches!(create(train(foreign, "", "")).await, Err(Error::NotFound("dataset"))));
    create(train(dataset, "lr 0.01", "")).await.unwrap();
    assert!(matches!(create(train(dataset, "lr 0.01", "")).await, Err(Error::Conflict(_))));
    assert_eq!(world.number("SELECT count(*) FROM jobs").await, 1, "no job without its run");
}

#[sqlx::test(migrations = "../migrations")]
async fn curves_and_results_come_as_the_worker_reports_them(db: PgPool) {
    let (world, dataset) = frozen(db).await;
    let lead = world.member("lea", Role::Lead).await;
    let run = start(&world, dataset, "one").await;
    let id = run.row.id;
    let work = runs::training(&Actor::System, &world.db, id).await.unwrap();
    assert_eq!(
        (work.project_key.as_str(), work.dataset_name.as_str(), work.config.as_str()),
        (PETS, "v1", "epochs = 3")
    );
    assert_eq!((work.dataset_id, work.project_id, work.name.as_str()), (dataset, world.project_id, "one"));
    assert!(matches!(runs::training(&lead, &world.db, id).await, Err(Error::Forbidden)));

    let mut listener = PgListener::connect_with(&world.db).await.unwrap();
    listener.listen(kenami_store::jobs::CHANNEL).await.unwrap();
    let points = [point(2, "loss/ear", 0.5), point(1, "loss/ear", 0.9), point(1, "loss/ear", 0.8)];
    runs::add_curves(&Actor::System, &world.db, id, &points).await.unwrap();
    let heard = listener.recv().await.unwrap();
    assert_eq!(heard.payload(), run.job.unwrap().id.to_string());
    // A resumed run repeats its last epoch.
    runs::add_curves(&Actor::System, &world.db, id, &[point(2, "loss/ear", 0.4)]).await.unwrap();
    let curves = runs::get(&lead, &world.db, PETS, id).await.unwrap().curves;
    assert_eq!(curves, [point(1, "loss/ear", 0.8), point(2, "loss/ear", 0.4)]);

    assert_eq!(runs::artifacts(&lead, &world.db, PETS, id).await.unwrap(), None);
    let none = runs::file(&lead, &world.db, PETS, id, "curves.csv").await;
    assert!(matches!(none, Err(Error::NotFound("file"))), "nothing is there before the end");
    let metrics = json!({ "heads": {
        "ear": { "test": { "accuracy": 0.75 }, "validation": { "accuracy": 0.5 } },
        "coat": { "validation": { "accuracy": 0.5 } },
    }, "files": ["curves.png", "cam/ear/001_a.png"] });
    runs::finish(&Actor::System, &world.db, id, metrics.clone(), "runs/1").await.unwrap();
    let row = runs::list(&lead, &world.db, PETS).await.unwrap().remove(0);
    assert_eq!(row.accuracy, BTreeMap::from([("ear".to_owned(), 0.75)]));
    assert_eq!(runs::get(&lead, &world.db, PETS, id).await.unwrap().metrics, Some(metrics));
    assert_eq!(runs::artifacts(&lead, &world.db, PETS, id).await.unwrap().as_deref(), Some("runs/1"));
    for file in ["model.safetensors", "cam/ear/001_a.png"] {
        assert_eq!(runs::file(&lead, &world.db, PETS, id, file).await.unwrap(), format!("runs/1/{file}"));
    }
    for file in ["../2/model.safetensors", "cam/ear", "checkpoint.safetensors", ""] {
        let none = runs::file(&lead, &world.db, PETS, id, file).await;
        assert!(matches!(none, Err(Error::NotFound("file"))), "{file}");
    }
    // Now its weights may begin another run.
    let next = train(dataset, "", &format!("[model]\nweights = \"run:{id}\""));
    runs::create(&lead, &world.db, PETS, next).await.unwrap();
    for unknown in [
        runs::add_curves(&Actor::System, &world.db, 999, &points).await,
        runs::finish(&Actor::System, &world.db, 999, json!({}), "x").await,
    ] {
        assert!(matches!(unknown, Err(Error::NotFound("run"))));
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn mistakes_are_listed_surest_first(db: PgPool) {
    let (world, dataset) = frozen(db).await;
    let run = start(&world, dataset, "one").await.row.id;
    let items = datasets::items(&Actor::System, &world.db, PETS, "v1").await.unwrap();
    let mut predictions = Vec::new();
    for item in &items {
        // Wrong on the first ten and on 39, which has no answer to be wrong about.
        let p = f64::from(51 + item.position) / 100.0;
        let wrong = item.position < 10 || item.position == 39;
        let of = if wrong { [("erect", p), ("drop", 1.0 - p)] } else { [("drop", p), ("erect", 1.0 - p)] };
        predictions.push(prediction(item.position, "ear", &of));
        predictions.push(prediction(item.position, "breed", &[("pug", 0.9), ("poodle", 0.1)]));
    }
    runs::store_predictions(&Actor::System, &world.db, run, &predictions).await.unwrap();
    runs::store_predictions(&Actor::System, &world.db, run, &predictions[..4]).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM run_predictions").await, 80);

    let rae = world.member("rae", Role::Reviewer).await;
    let list =
        async |filter: &MistakeFilter, limit| runs::mistakes(&rae, &world.db, PETS, run, filter, limit).await.unwrap();
    let ear = MistakeFilter { head: "ear".to_owned(), ..MistakeFilter::default() };
    let all = list(&ear, 50).await;
    let names: Vec<&str> = all.items.iter().map(|mistake| mistake.photo.name.as_str()).collect();
    assert_eq!(names, (0..10).rev().map(|n| format!("{n:02}.jpg")).collect::<Vec<_>>());
    assert_eq!((all.items[0].answer.as_str(), all.items[0].predicted.as_str()), ("drop", "erect"));
    assert!((all.items[0].probability - 0.6).abs() < 1e-12);
    // Page by page, and by split and pair.
    let mut paged = Vec::new();
    let mut filter = ear.clone();
    loop {
        let page = list(&filter, 3).await;
        paged.extend(page.items);
        filter.cursor = page.next_cursor;
        if filter.cursor.is_none() {
            break;
        }
    }
    assert_eq!(paged, all.items);
    let mut by_split = 0;
    for split in Split::ALL {
        let of = list(&MistakeFilter { split: Some(split), ..ear.clone() }, 50).await.items;
        assert!(of.iter().all(|mistake| mistake.split == split));
        by_split += of.len();
    }
    assert_eq!(by_split, 10);
    let breed =
        MistakeFilter { head: "breed".to_owned(), answer: Some("poodle".to_owned()), ..MistakeFilter::default() };
    assert_eq!(list(&breed, 50).await.items.len(), 20, "a given attribute has mistakes, too");
    let other = MistakeFilter { predicted: Some("semi_erect".to_owned()), ..ear };
    assert!(list(&other, 50).await.items.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn predictions_must_fit_the_dataset(db: PgPool) {
    let (world, dataset) = frozen(db).await;
    let run = start(&world, dataset, "one").await.row.id;
    let good = prediction(0, "ear", &[("drop", 1.0)]);
    for bad in [
        vec![good.clone(), prediction(40, "ear", &[("drop", 1.0)])],
        vec![good.clone(), prediction(1, "tail", &[("drop", 1.0)])],
        vec![good.clone(), good.clone()],
    ] {
        let refused = runs::store_predictions(&Actor::System, &world.db, run, &bad).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "predictions", .. })));
    }
    assert_eq!(world.number("SELECT count(*) FROM run_predictions").await, 0, "all or nothing");
    let unknown = runs::store_predictions(&Actor::System, &world.db, run + 9, &[good]).await;
    assert!(matches!(unknown, Err(Error::NotFound("run"))));
}

/// CROWDLAB takes the model as one more voter, but not on the photos that the model was trained on.
#[sqlx::test(migrations = "../migrations")]
async fn crowdlab_freezes_with_a_runs_predictions(db: PgPool) {
    let (world, dataset) = frozen(db).await;
    let run = start(&world, dataset, "one").await.row.id;
    let crowdlab = |run: Option<&str>, name: &str| FreezeInput {
        policy: Policy::Crowdlab,
        run: run.map(str::to_owned),
        ..named(name)
    };
    let freeze = |input| datasets::freeze(&Actor::System, &world.db, PETS, input);
    assert!(matches!(freeze(crowdlab(None, "v2")).await, Err(Error::Invalid { field: "run", .. })));
    assert!(matches!(freeze(crowdlab(Some("two"), "v2")).await, Err(Error::NotFound("run"))));
    let items = datasets::items(&Actor::System, &world.db, PETS, "v1").await.unwrap();
    let predict = |split: Split| {
        let of = items.iter().filter(move |item| item.item.split == split);
        of.map(|item| prediction(item.position, "ear", &[("drop", 0.6), ("semi_erect", 0.1), ("erect", 0.3)]))
            .collect::<Vec<_>>()
    };
    runs::store_predictions(&Actor::System, &world.db, run, &predict(Split::Train)).await.unwrap();
    assert!(
        matches!(freeze(crowdlab(Some("one"), "v2")).await, Err(Error::Invalid { field: "run", .. })),
        "predictions of training photos alone do not count"
    );
    runs::store_predictions(&Actor::System, &world.db, run, &predict(Split::Test)).await.unwrap();
    let row = freeze(crowdlab(Some("one"), "v2")).await.unwrap();
    assert_eq!(row.policy, Policy::Crowdlab);
    let frozen = datasets::items(&Actor::System, &world.db, PETS, "v2").await.unwrap();
    // Where the model has a say, the target is a posterior with some doubt; elsewhere the votes' shares.
    for (item, before) in frozen.iter().zip(&items).filter(|(_, before)| before.item.image != "images/39.jpg") {
        let drop = item.item.targets["ear"]["drop"];
        assert_eq!(drop < 1.0, before.item.split == Split::Test, "{} {drop}", item.item.image);
    }

    // A model of a fold has not seen its training photos: there it has a say, too.
    runs::store_held_out(&Actor::System, &world.db, run, &predict(Split::Train)).await.unwrap();
    let unknown = runs::store_held_out(&Actor::System, &world.db, run, &predict(Split::Validation)).await;
    assert!(matches!(unknown, Err(Error::Invalid { .. })), "nothing was predicted before");
    freeze(crowdlab(Some("one"), "v3")).await.unwrap();
    let folds = datasets::items(&Actor::System, &world.db, PETS, "v3").await.unwrap();
    for (item, before) in folds.iter().zip(&items).filter(|(_, before)| before.item.image != "images/39.jpg") {
        let drop = item.item.targets["ear"]["drop"];
        assert_eq!(drop < 1.0, before.item.split != Split::Validation, "{} {drop}", item.item.image);
    }
}

/// Only photos that the model has not seen count; a wrong ear goes with a wrong breed on all of them but one.
#[sqlx::test(migrations = "../migrations")]
async fn errors_are_those_of_unseen_photos(db: PgPool) {
    let (world, dataset) = frozen(db).await;
    let run = start(&world, dataset, "one").await.row.id;
    let rae = world.member("rae", Role::Reviewer).await;
    let errors = async |sample| runs::errors(&rae, &world.db, PETS, run, sample).await;
    assert!(matches!(errors(Sample::Unseen).await, Err(Error::Conflict(_))), "it has not finished");
    let items = datasets::items(&Actor::System, &world.db, PETS, "v1").await.unwrap();
    let of = |split: Split| items.iter().filter(move |item| item.item.split == split && item.item.masks["ear"] == 1);
    let (train, validation, test) = (of(Split::Train), of(Split::Validation), of(Split::Test));
    let (train, validation, test): (Vec<_>, Vec<_>, Vec<_>) = (train.collect(), validation.collect(), test.collect());
    // All training photos would be right; of the test photos the first three have a wrong ear, and of these two a wrong breed.
    let mut predictions = Vec::new();
    for (place, item) in test.iter().chain(&validation).chain(&train).enumerate() {
        let ear = if place < 3 { [("erect", 0.7), ("drop", 0.2)] } else { [("drop", 0.9), ("erect", 0.1)] };
        let breed = item.item.given["breed"].as_str();
        let other = if breed == "pug" { "poodle" } else { "pug" };
        let breed = if place < 2 { [(other, 0.8), (breed, 0.2)] } else { [(breed, 0.8), (other, 0.2)] };
        predictions.push(prediction(item.position, "ear", &ear));
        predictions.push(prediction(item.position, "breed", &breed));
    }
    runs::store_predictions(&Actor::System, &world.db, run, &predictions).await.unwrap();
    let image = test[0].item.image.trim_start_matches("images/").trim_end_matches(".jpg");
    let overlay = format!("cam/ear/001_{image}.png");
    let metrics = json!({ "heads": {}, "seconds": 1.0, "images_per_second": 1.0, "files": [overlay] });
    runs::finish(&Actor::System, &world.db, run, metrics, "runs/1").await.unwrap();

    let found = errors(Sample::Unseen).await.unwrap();
    assert_eq!((found.test, found.validation, found.folds), (test.len() as i64, validation.len() as i64, 0));
    let [ear, breed] = &found.heads[..] else { panic!("{:?}", found.heads) };
    assert_eq!(
        (ear.attribute.as_str(), ear.given, breed.attribute.as_str(), breed.given),
        ("ear", false, "breed", true)
    );
    let unseen = (test.len() + validation.len()) as i64;
    assert_eq!((ear.score.photos, ear.score.right, breed.score.right), (unseen, unseen - 3, unseen - 2));
    let [pair] = &ear.confused[..] else { panic!("one pair") };
    assert_eq!((pair.pair.answer.as_str(), pair.pair.predicted.as_str(), pair.pair.count), ("drop", "erect", 3));
    assert_eq!(pair.cases.len(), 3);
    assert!((pair.cases[0].loss + 0.2f64.ln()).abs() < 1e-6 && pair.cases.iter().all(|case| case.split == Split::Test));
    let with_overlay: Vec<_> = ear.losses.iter().filter_map(|case| case.overlay.clone()).collect();
    assert_eq!(with_overlay, [overlay]);
    assert_eq!(ear.groups.iter().map(|group| group.by.as_str()).collect::<Vec<_>>(), ["ear", "breed"]);
    let [explanation] = &found.explanations[..] else { panic!("breed by ear") };
    assert_eq!((explanation.table.group_hit, explanation.table.group_miss, explanation.table.other_hit), (2, 1, 0));
    assert_eq!(errors(Sample::Test).await.unwrap().validation, 0);

    // Folds judge the training photos, and count there instead of the run's model.
    let held_out: Vec<_> = train.iter().map(|item| prediction(item.position, "ear", &[("erect", 1.0)])).collect();
    runs::store_held_out(&Actor::System, &world.db, run, &held_out).await.unwrap();
    let found = errors(Sample::Unseen).await.unwrap();
    assert_eq!((found.folds, found.heads[0].score.photos), (train.len() as i64, unseen + train.len() as i64));
    assert_eq!(found.heads[0].score.right, unseen - 3);
    assert_eq!(found.heads[1].score.photos, unseen, "no fold has judged the breed");
}
