//! Labels that deserve a second look.

mod world;

use kenami_domain::{
    answer::Answer,
    dataset::Policy,
    roles::Role,
    view::{
        dataset::FreezeInput,
        review::{Cause, DecisionInput, DisagreementFilter, QueueCause},
        run::TrainInput,
        suggestions::{SourceInput, SourceKind},
    },
};
use kenami_store::{
    actor::Actor,
    datasets, review,
    runs::{self, Prediction},
    suggestions,
};
use serde_json::json;
use sqlx::PgPool;
use world::{PETS, World};

/// What both annotators say of a photo's ears. On 07.jpg both are wrong; 10.jpg is left open.
fn ears(photo: &str, ben: bool) -> &'static str {
    let number: u32 = photo[..2].parse().expect("a number");
    match number {
        7 => "erect",
        10 if ben => "erect",
        39 if ben => "unsure",
        _ if number.is_multiple_of(3) => "erect",
        _ => "drop",
    }
}

async fn labelled(db: PgPool) -> (World, Actor, i64) {
    let world = World::new(db).await;
    let names: Vec<String> = (0..40).map(|n| format!("{n:02}.jpg")).collect();
    let ids = world.photos(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    world.annotate(&ann, |photo| (ears(photo, false), "short")).await;
    world.annotate(&ben, |photo| (ears(photo, true), "short")).await;
    let rae = world.member("rae", Role::Reviewer).await;
    (world, rae, ids[7])
}

/// A finished run whose folds' models are right about the ears, but torn about 10.jpg; its own model repeats the labels.
async fn trained(world: &World) {
    let freeze = FreezeInput { name: "v1".to_owned(), policy: Policy::AdjudicatedFirst, run: None, seed: 0 };
    let dataset = datasets::freeze(&Actor::System, &world.db, PETS, freeze).await.unwrap().id;
    let train = TrainInput { dataset_id: dataset, name: "one".to_owned(), config: "epochs = 1".to_owned() };
    let run = runs::create(&Actor::System, &world.db, PETS, train).await.unwrap().row.id;
    let items = datasets::items(&Actor::System, &world.db, PETS, "v1").await.unwrap();
    let of = |drop: &dyn Fn(&str) -> f64| -> Vec<Prediction> {
        let prediction = |position, drop: f64| Prediction {
            position,
            attribute: "ear".to_owned(),
            distribution: [("drop".to_owned(), drop), ("erect".to_owned(), 1.0 - drop)].into(),
        };
        items
            .iter()
            .map(|item| prediction(item.position, drop(item.item.image.trim_start_matches("images/"))))
            .collect()
    };
    let repeats = of(&|photo| if ears(photo, false) == "drop" { 0.99 } else { 0.01 });
    let sees = of(&|photo| match &photo[..2] {
        "07" => 0.95,
        "10" => 0.5,
        _ if ears(photo, false) == "drop" => 0.9,
        _ => 0.1,
    });
    runs::store_predictions(&Actor::System, &world.db, run, &repeats).await.unwrap();
    runs::store_held_out(&Actor::System, &world.db, run, &sees).await.unwrap();
    runs::finish(&Actor::System, &world.db, run, json!({}), "runs/1").await.unwrap();
}

async fn listed(world: &World, rae: &Actor, cause: QueueCause, decided: bool) -> Vec<(String, String)> {
    let filter = DisagreementFilter { cause, decided, ..DisagreementFilter::default() };
    let mut found = Vec::new();
    let mut cursor = None;
    // One a page: going on must neither skip nor repeat.
    loop {
        let filter = DisagreementFilter { cursor, ..filter.clone() };
        let page = review::disagreements(rae, &world.db, PETS, &filter, 1).await.unwrap();
        found.extend(page.items.into_iter().map(|item| (item.photo.name, item.attribute)));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return found;
        }
    }
}

fn ear(photo: &str) -> (String, String) {
    (photo.to_owned(), "ear".to_owned())
}

#[sqlx::test(migrations = "../migrations")]
async fn what_the_model_contradicts_and_what_the_votes_leave_open_is_found(db: PgPool) {
    let (world, rae, wrong) = labelled(db).await;
    assert_eq!(review::suspects(&rae, &world.db, PETS).await.unwrap(), None);
    let votes_alone = review::find_suspects(&rae, &world.db, PETS).await.unwrap();
    assert_eq!((votes_alone.model, &votes_alone.run, votes_alone.stale), (0, &None, false));
    trained(&world).await;
    assert!(review::suspects(&rae, &world.db, PETS).await.unwrap().unwrap().stale, "there is a run now");

    let found = review::find_suspects(&rae, &world.db, PETS).await.unwrap();
    assert_eq!((found.model, found.run.as_deref(), found.stale), (1, Some("one"), false));
    assert_eq!(listed(&world, &rae, QueueCause::Model, false).await, [ear("07.jpg")]);
    let uncertain = listed(&world, &rae, QueueCause::Uncertain, false).await;
    assert_eq!(uncertain.len() as i64, found.uncertain);
    // Also where the model alone stands against two votes.
    assert_eq!(uncertain, [ear("39.jpg"), ear("10.jpg"), ear("07.jpg")]);
    assert_eq!(listed(&world, &rae, QueueCause::Unsure, false).await, [ear("39.jpg")]);
    assert_eq!(listed(&world, &rae, QueueCause::Differ, false).await, [ear("10.jpg"), ear("39.jpg")]);

    // What is decided leaves the queue, and stays out of it.
    let decision = DecisionInput {
        photo_id: wrong,
        attribute: "ear".to_owned(),
        answer: Answer::from("drop"),
        cause: Cause::Slip,
        reason: String::new(),
    };
    review::decide(&rae, &world.db, PETS, decision).await.unwrap();
    assert_eq!(listed(&world, &rae, QueueCause::Model, false).await, []);
    assert_eq!(listed(&world, &rae, QueueCause::Model, true).await, [ear("07.jpg")]);
    assert_eq!(review::suspects(&rae, &world.db, PETS).await.unwrap().unwrap().model, 0);
    assert_eq!(review::find_suspects(&rae, &world.db, PETS).await.unwrap().model, 0);
    assert_eq!(listed(&world, &rae, QueueCause::Model, true).await, []);

    world.run("UPDATE tasks SET needed = 3").await;
    let cat = world.member("cat", Role::Annotator).await;
    world.annotate(&cat, |photo| (ears(photo, false), "short")).await;
    assert!(review::suspects(&rae, &world.db, PETS).await.unwrap().unwrap().stale, "there are newer labels");
}

#[sqlx::test(migrations = "../migrations")]
async fn suggestions_come_from_models_that_have_not_seen_the_photo(db: PgPool) {
    let (world, ..) = labelled(db).await;
    trained(&world).await;
    let run = SourceInput { kind: SourceKind::Run, run: None, control_share: 0.0 };
    suggestions::switch_on(&Actor::System, &world.db, PETS, &run).await.unwrap();
    let suggested = "SELECT v.key FROM suggestions s JOIN photos p ON p.id = s.photo_id
                     JOIN attribute_values v ON v.id = s.value_id WHERE p.name = '07.jpg'";
    let suggested: Vec<String> = sqlx::query_scalar(suggested).fetch_all(&world.db).await.unwrap();
    assert_eq!(suggested, ["drop"], "the run's own model repeats the label");
}
