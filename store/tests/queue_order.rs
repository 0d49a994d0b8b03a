//! Which photos come first.

mod world;

use std::collections::BTreeMap;

use kenami_domain::{
    dataset::Policy,
    roles::Role,
    view::{dataset::FreezeInput, queue::QueueOrder, run::TrainInput},
};
use kenami_store::{
    actor::Actor,
    annotate, datasets,
    error::Error,
    projects, queue,
    runs::{self, Prediction},
};
use serde_json::json;
use sqlx::PgPool;
use world::{PETS, World, submission};

const LEAD: Actor = Actor::System;

async fn order_by(world: &World, order: QueueOrder) {
    let mut settings = projects::settings(&LEAD, &world.db, PETS).await.unwrap();
    settings.queue_order = order;
    projects::update(&LEAD, &world.db, PETS, settings).await.unwrap();
}

/// Priorities by photo name.
async fn priorities(world: &World) -> BTreeMap<String, f32> {
    sqlx::query_as::<_, (String, f32)>(
        "SELECT p.name, t.priority FROM tasks t JOIN photos p ON p.id = t.photo_id ORDER BY p.name",
    )
    .fetch_all(&world.db)
    .await
    .unwrap()
    .into_iter()
    .collect()
}

fn assert_close(found: &BTreeMap<String, f32>, expected: &[(&str, f64)]) {
    assert_eq!(found.len(), expected.len());
    for (name, value) in expected {
        assert!((f64::from(found[*name]) - value).abs() < 1e-6, "{name}: {} is not {value}", found[*name]);
    }
}

/// The photos that a newcomer is given, in order.
async fn given(world: &World, name: &str) -> Vec<String> {
    let newcomer = world.member(name, Role::Annotator).await;
    let claimed = annotate::claim(&newcomer, &world.db, PETS, 20, &[]).await.unwrap();
    annotate::release_all(&newcomer, &world.db).await.unwrap();
    claimed.photos.into_iter().map(|photo| photo.photo.name).collect()
}

/// A run on all photos with these distributions over drop, semi_erect, erect; and of coats short for sure. Its breeds do
/// not count.
async fn run(world: &World, name: &str, ears: &[[f64; 3]]) {
    let input = FreezeInput { name: name.to_owned(), policy: Policy::AdjudicatedFirst, run: None, seed: 0 };
    let dataset_id = datasets::freeze(&LEAD, &world.db, PETS, input).await.unwrap().id;
    let train = TrainInput { dataset_id, name: name.to_owned(), config: String::new() };
    let id = runs::create(&LEAD, &world.db, PETS, train).await.unwrap().row.id;
    let mut predictions = Vec::new();
    let items = datasets::items(&LEAD, &world.db, PETS, name).await.unwrap();
    for (place, ear) in ears.iter().enumerate() {
        let position = items[place].position;
        let ear = BTreeMap::from([("drop", ear[0]), ("semi_erect", ear[1]), ("erect", ear[2])]);
        let of = |attribute: &str, distribution: BTreeMap<&str, f64>| Prediction {
            position,
            attribute: attribute.to_owned(),
            distribution: distribution.into_iter().map(|(value, p)| (value.to_owned(), p)).collect(),
        };
        predictions.push(of("ear", ear));
        predictions.push(of("coat", BTreeMap::from([("short", 1.0), ("long", 0.0)])));
        predictions.push(of("breed", BTreeMap::from([("pug", 0.5), ("poodle", 0.5)])));
    }
    runs::store_predictions(&LEAD, &world.db, id, &predictions).await.unwrap();
    runs::finish(&LEAD, &world.db, id, json!({}), "runs/1").await.unwrap();
}

/// Four photos that Ann calls drop and short; two annotators a photo.
async fn answered(db: PgPool) -> World {
    let world = World::new(db).await;
    world.photos(&["a.jpg", "b.jpg", "c.jpg", "d.jpg"]).await;
    let ann = world.member("ann", Role::Annotator).await;
    world.annotate(&ann, |_| ("drop", "short")).await;
    world
}

const EARS: [[f64; 3]; 4] = [[0.9, 0.1, 0.0], [0.1, 0.45, 0.45], [0.4, 0.3, 0.3], [1.0, 0.0, 0.0]];

#[sqlx::test(migrations = "../migrations")]
async fn what_the_model_doubts_comes_first(db: PgPool) {
    let world = answered(db).await;
    order_by(&world, QueueOrder::Entropy).await;
    assert_close(&priorities(&world).await, &[("a.jpg", 0.0), ("b.jpg", 0.0), ("c.jpg", 0.0), ("d.jpg", 0.0)]);
    // The queue follows a run when it is finished. The coat is sure: half of the ear's doubt remains.
    run(&world, "one", &EARS).await;
    let entropy = |p: [f64; 3]| p.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum::<f64>() / 3f64.ln() / 2.0;
    let expected = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"].into_iter().zip(EARS.map(entropy)).collect::<Vec<_>>();
    assert_close(&priorities(&world).await, &expected);
    assert_eq!(given(&world, "ben").await, ["c.jpg", "b.jpg", "a.jpg", "d.jpg"]);

    order_by(&world, QueueOrder::Margin).await;
    let expected = [("a.jpg", 0.1), ("b.jpg", 0.5), ("c.jpg", 0.45), ("d.jpg", 0.0)];
    assert_close(&priorities(&world).await, &expected);
    assert_eq!(given(&world, "cyd").await, ["b.jpg", "c.jpg", "a.jpg", "d.jpg"]);

    // Ann's ears are believed as far as their probability, her coats wholly.
    order_by(&world, QueueOrder::Disagreement).await;
    let expected = [("a.jpg", 0.05), ("b.jpg", 0.45), ("c.jpg", 0.3), ("d.jpg", 0.0)];
    assert_close(&priorities(&world).await, &expected);

    order_by(&world, QueueOrder::Order).await;
    assert_eq!(given(&world, "dan").await, ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_latest_finished_run_counts_and_photos_that_it_lacks_come_last(db: PgPool) {
    let world = answered(db).await;
    order_by(&world, QueueOrder::Margin).await;
    run(&world, "one", &EARS).await;
    run(&world, "two", &[[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.9, 0.1, 0.0]]).await;
    let expected = [("a.jpg", 0.5), ("b.jpg", 0.0), ("c.jpg", 0.0), ("d.jpg", 0.1)];
    assert_close(&priorities(&world).await, &expected);
    world.photos(&["0.jpg"]).await;
    assert_eq!(given(&world, "ben").await, ["a.jpg", "d.jpg", "b.jpg", "c.jpg", "0.jpg"]);
    assert_eq!(queue::reprioritise(&LEAD, &world.db, PETS).await.unwrap().changed, Some(0));
}

#[sqlx::test(migrations = "../migrations")]
async fn votes_for_no_value_and_photos_without_votes_are_no_disagreement(db: PgPool) {
    let world = World::new(db).await;
    world.photos(&["a.jpg", "b.jpg", "c.jpg"]).await;
    let ann = world.member("ann", Role::Annotator).await;
    for claim in annotate::claim(&ann, &world.db, PETS, 2, &[]).await.unwrap().photos {
        let ear = if claim.photo.name == "a.jpg" { "not_visible" } else { "erect" };
        annotate::submit(&ann, &world.db, PETS, submission(claim.claim_id, ear, "long")).await.unwrap();
    }
    order_by(&world, QueueOrder::Disagreement).await;
    run(&world, "one", &[[0.2, 0.2, 0.6]; 3]).await;
    // Of a.jpg only the coat counts; b.jpg has an ear at 0.6, too.
    assert_close(&priorities(&world).await, &[("a.jpg", 1.0), ("b.jpg", 0.7), ("c.jpg", 0.0)]);
}

#[sqlx::test(migrations = "../migrations")]
async fn breeds_take_turns_beginning_with_the_one_that_has_least(db: PgPool) {
    let world = World::new(db).await;
    world.run("UPDATE projects SET overlap = 1").await;
    // Pugs at even places, poodles at odd ones.
    world.photos(&["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "6.jpg", "7.jpg"]).await;
    let ann = world.member("ann", Role::Annotator).await;
    // Two pugs are finished and no poodle.
    for claim in annotate::claim(&ann, &world.db, PETS, 3, &[]).await.unwrap().photos {
        if claim.photo.given["breed"] == "pug" {
            annotate::submit(&ann, &world.db, PETS, submission(claim.claim_id, "drop", "short")).await.unwrap();
        }
    }
    annotate::release_all(&ann, &world.db).await.unwrap();
    order_by(&world, QueueOrder::Balance).await;
    assert_eq!(given(&world, "ben").await, ["1.jpg", "3.jpg", "4.jpg", "5.jpg", "6.jpg", "7.jpg"]);
    // It stays balanced as photos are answered, without being put in order anew.
    let cyd = world.member("cyd", Role::Annotator).await;
    for _ in 0..3 {
        let claim = annotate::claim(&cyd, &world.db, PETS, 1, &[]).await.unwrap().photos[0].claim_id;
        annotate::submit(&cyd, &world.db, PETS, submission(claim, "drop", "short")).await.unwrap();
    }
    let done = "SELECT count(*) FROM claims c JOIN photo_values v USING (photo_id) JOIN attribute_values a ON a.id = v.value_id
                WHERE done_at IS NOT NULL AND a.key = ";
    let pugs = world.number(&format!("{done} 'pug'")).await;
    let poodles = world.number(&format!("{done} 'poodle'")).await;
    assert_eq!((pugs, poodles), (3, 2));
    // Ann, who had come past them under the old order, is served by the new one.
    let next = annotate::claim(&ann, &world.db, PETS, 1, &[]).await.unwrap();
    assert_eq!(next.photos[0].photo.name, "5.jpg");
    // New photos wait for their places, which they get when an import is over: the fifth pug is less wanted than 7.jpg.
    world.photos(&["8.jpg", "9.jpg"]).await;
    assert_eq!(given(&world, "dan").await.last().unwrap(), "9.jpg");
    world
        .run(
            "UPDATE photo_values SET value_id = (SELECT id FROM attribute_values WHERE key = 'pug')
               WHERE photo_id IN (SELECT id FROM photos WHERE name IN ('1.jpg', '3.jpg', '5.jpg'))",
        )
        .await;
    queue::photos_imported(&LEAD, &world.db, PETS).await.unwrap();
    assert_eq!(given(&world, "eve").await[..2], ["7.jpg", "9.jpg"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_lead_puts_the_queue_in_order_and_a_started_change_is_finished(db: PgPool) {
    let world = World::new(db).await;
    world.photos(&["a.jpg", "b.jpg", "c.jpg"]).await;
    order_by(&world, QueueOrder::Balance).await;
    world.run("UPDATE tasks SET priority = 0").await;
    let ann = world.member("ann", Role::Annotator).await;
    assert!(matches!(queue::reprioritise(&ann, &world.db, PETS).await, Err(Error::Forbidden)));
    let lead = world.member("lea", Role::Lead).await;
    assert_eq!(queue::reprioritise(&lead, &world.db, PETS).await.unwrap().changed, Some(3));
    assert_close(&priorities(&world).await, &[("a.jpg", 1.0), ("b.jpg", 1.0), ("c.jpg", 0.5)]);
    // As if the server had been stopped between the settings and the queue.
    world.run("UPDATE projects SET queue_order = 'order', overlap = 1, queue_pending = now()").await;
    assert_eq!(queue::catch_up(&LEAD, &world.db).await.unwrap(), 1);
    assert_close(&priorities(&world).await, &[("a.jpg", 0.0), ("b.jpg", 0.0), ("c.jpg", 0.0)]);
    assert_eq!(world.number("SELECT count(*) FROM tasks WHERE needed = 1").await, 3);
    assert_eq!(queue::catch_up(&LEAD, &world.db).await.unwrap(), 0);
}
