//! Freezing and reading datasets.

mod world;

use std::collections::BTreeMap;

use kenami_domain::{
    answer::Answer,
    dataset::{Item, Policy, Split},
    freeze::content_hash,
    roles::Role,
    view::{
        dataset::FreezeInput,
        review::{Cause, DecisionInput},
    },
};
use kenami_store::{
    actor::Actor,
    datasets::{self, DatasetItem},
    error::Error,
    review,
};
use sqlx::PgPool;
use world::{PETS, World};

fn named(name: &str) -> FreezeInput {
    FreezeInput { name: name.to_owned(), policy: Policy::AdjudicatedFirst, run: None, seed: 7 }
}

/// Six photos and a copy of the first; two annotators. Ears: a agree, b tie, c not visible, d unsure, e decided against
/// the votes, f without a label.
async fn labelled(db: PgPool) -> (World, Vec<i64>) {
    let world = World::new(db).await;
    let photos = world.photos(&["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    let rae = world.member("rae", Role::Reviewer).await;
    let ear = |photo: &str| match photo {
        "a.jpg" | "e.jpg" => ("drop", "drop"),
        "b.jpg" => ("drop", "erect"),
        "c.jpg" => ("not_visible", "not_visible"),
        _ => ("unsure", "unsure"),
    };
    world.annotate(&ann, |photo| (ear(photo).0, "short")).await;
    world.annotate(&ben, |photo| (ear(photo).1, "short")).await;
    let decision = DecisionInput {
        photo_id: photos[4],
        attribute: "ear".to_owned(),
        answer: Answer::from("semi_erect"),
        cause: Cause::Slip,
        reason: String::new(),
    };
    review::decide(&rae, &world.db, PETS, decision).await.unwrap();
    world.duplicate("a copy.jpg", photos[0]).await;
    world.photos(&["f.jpg"]).await;
    (world, photos)
}

async fn items(world: &World, name: &str) -> Vec<DatasetItem> {
    datasets::items(&Actor::System, &world.db, PETS, name).await.unwrap()
}

fn ear<'a>(items: &'a [DatasetItem], image: &str) -> (Option<&'a str>, BTreeMap<String, f64>, u8) {
    let item = &items.iter().find(|item| item.item.image == format!("images/{image}")).unwrap().item;
    (item.answers.get("ear").map(Answer::key), item.targets["ear"].clone(), item.masks["ear"])
}

fn target(of: &[(&str, f64)]) -> BTreeMap<String, f64> {
    of.iter().map(|(value, share)| ((*value).to_owned(), *share)).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_dataset_holds_what_the_labels_come_to(db: PgPool) {
    let (world, photos) = labelled(db).await;
    let lead = world.member("lea", Role::Lead).await;
    let row = datasets::freeze(&lead, &world.db, PETS, named("first")).await.unwrap();
    assert_eq!((row.photos, row.created_by.as_str(), row.policy), (7, "lea", Policy::AdjudicatedFirst));
    let items = items(&world, "first").await;
    for (image, expected) in [
        ("a.jpg", (Some("drop"), target(&[("drop", 1.0)]), 1)),
        ("a_copy.jpg", (Some("drop"), target(&[("drop", 1.0)]), 1)),
        ("b.jpg", (None, target(&[("drop", 0.5), ("erect", 0.5)]), 0)),
        ("c.jpg", (Some("not_visible"), target(&[]), 0)),
        ("d.jpg", (Some("unsure"), target(&[]), 0)),
        ("e.jpg", (Some("semi_erect"), target(&[("semi_erect", 1.0)]), 1)),
        ("f.jpg", (None, target(&[]), 0)),
    ] {
        assert_eq!(ear(&items, image), expected, "{image}");
    }
    assert_eq!(items[0].photo_id, photos[0]);
    assert_eq!(items[0].item.given["breed"], "pug");
    assert_eq!(items[0].item.votes["ear"], BTreeMap::from([("drop".to_owned(), 2)]));
    assert_eq!(items.iter().map(|item| item.position).collect::<Vec<_>>(), (0..7).collect::<Vec<_>>());
    assert!(items.windows(2).all(|pair| pair[0].item.image < pair[1].item.image));
    let split = |image: &str| items.iter().find(|item| item.item.image.ends_with(image)).unwrap().item.split;
    assert_eq!(split("/a.jpg"), split("/a_copy.jpg"), "duplicates stay together");

    let detail = datasets::get(&lead, &world.db, PETS, "first").await.unwrap();
    let counts = &detail.summary.attributes["ear"];
    assert_eq!((counts.usable, counts.tied, counts.not_visible, counts.unsure), (3, 1, 1, 1));
    assert_eq!((counts.unlabelled, counts.adjudicated), (1, 1));
    assert_eq!(counts.values, BTreeMap::from([("drop".to_owned(), 2), ("semi_erect".to_owned(), 1)]));
    assert_eq!(detail.summary.splits.values().sum::<i64>(), 7);
    assert_eq!(detail.manifest.items, 7);
    // What is stored is what was hashed, to the last digit.
    let stored: Vec<Item> = items.into_iter().map(|item| item.item).collect();
    let manifest = datasets::manifest(&lead, &world.db, PETS, "first").await.unwrap();
    assert_eq!(content_hash(&manifest.schema, manifest.policy, &manifest.priors, &stored), row.hash);
    assert_eq!(world.number("SELECT count(*) FROM audit WHERE operation = 'Freeze'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_same_content_has_the_same_hash_and_stays_as_it_was(db: PgPool) {
    let (world, _) = labelled(db).await;
    let freeze = |name: &'static str| datasets::freeze(&Actor::System, &world.db, PETS, named(name));
    let first = freeze("first").await.unwrap();
    let before = items(&world, "first").await;
    assert_eq!(freeze("second").await.unwrap().hash, first.hash);
    let cyd = world.member("cyd", Role::Annotator).await;
    world.run("UPDATE tasks SET needed = 3").await;
    // A third vote of three makes shares that no short decimal can hold.
    world.annotate(&cyd, |_| ("erect", "long")).await;
    let third = freeze("third").await.unwrap();
    assert_ne!(third.hash, first.hash);
    assert_eq!(
        ear(&items(&world, "third").await, "b.jpg"),
        (Some("erect"), target(&[("drop", 1.0 / 3.0), ("erect", 2.0 / 3.0)]), 1)
    );
    let manifest = datasets::manifest(&Actor::System, &world.db, PETS, "third").await.unwrap();
    let stored: Vec<Item> = items(&world, "third").await.into_iter().map(|item| item.item).collect();
    assert_eq!(content_hash(&manifest.schema, manifest.policy, &manifest.priors, &stored), third.hash);
    // The frozen one has not moved.
    assert_eq!(items(&world, "first").await, before);
    let seeds = FreezeInput { seed: 8, policy: Policy::DawidSkene, ..named("fourth") };
    let fourth = datasets::freeze(&Actor::System, &world.db, PETS, seeds).await.unwrap();
    assert_eq!(fourth.policy, Policy::DawidSkene);
    let names: Vec<String> =
        datasets::list(&Actor::System, &world.db, PETS).await.unwrap().into_iter().map(|d| d.name).collect();
    assert_eq!(names, ["fourth", "third", "second", "first"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn names_are_unique_and_plain(db: PgPool) {
    let world = World::new(db).await;
    let freeze = |input| datasets::freeze(&Actor::System, &world.db, PETS, input);
    assert!(matches!(freeze(named("empty")).await, Err(Error::Conflict(_))), "nothing to freeze");
    world.photos(&["a.jpg", "b.jpg", "c.jpg"]).await;
    for bad in ["", ".hidden", "a b", "a/b", &"x".repeat(101)] {
        assert!(matches!(freeze(named(bad)).await, Err(Error::Invalid { field: "name", .. })), "{bad}");
    }
    let seed = FreezeInput { seed: u64::MAX, ..named("v1") };
    assert!(matches!(freeze(seed).await, Err(Error::Invalid { field: "seed", .. })));
    // Given attributes alone are enough.
    freeze(named("v1")).await.unwrap();
    assert!(matches!(freeze(named("v1")).await, Err(Error::Conflict(_))));
    let (one, other) = futures::join!(freeze(named("v2")), freeze(named("v2")));
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1);
    assert!([one, other].into_iter().any(|result| matches!(result, Err(Error::Conflict(_)))));
    assert_eq!(world.number("SELECT count(*) FROM datasets").await, 2);
    assert_eq!(world.number("SELECT count(*) FROM dataset_items").await, 6);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_dataset_is_found_by_name_or_by_project_and_name(db: PgPool) {
    let world = World::new(db.clone()).await;
    world.photos(&["a.jpg"]).await;
    let other = world::project(&db, "cats").await;
    world::photos(&db, other, &["c.jpg"]).await;
    for (project, name) in [(PETS, "v1"), (PETS, "v2"), ("cats", "v2")] {
        datasets::freeze(&Actor::System, &db, project, named(name)).await.unwrap();
    }
    let find = async |actor: &Actor, reference: &str| datasets::find(actor, &db, reference).await;
    let place = |project: &str, name: &str| (project.to_owned(), name.to_owned());
    assert_eq!(find(&Actor::System, "v1").await.unwrap(), place(PETS, "v1"));
    assert_eq!(find(&Actor::System, "cats/v2").await.unwrap(), place("cats", "v2"));
    match find(&Actor::System, "v2").await {
        Err(Error::Conflict(message)) => assert!(message.contains("cats/v2 or pets/v2"), "{message}"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(find(&Actor::System, "v9").await, Err(Error::NotFound("dataset"))));
    assert!(matches!(find(&Actor::System, "cats/v1").await, Err(Error::NotFound("dataset"))));
    // Somebody of one project does not learn of the others'.
    let rae = world.member("rae", Role::Reviewer).await;
    assert_eq!(find(&rae, "v2").await.unwrap(), place(PETS, "v2"));
    assert!(matches!(find(&rae, "cats/v2").await, Err(Error::NotFound("project"))));
    let ann = world.member("ann", Role::Annotator).await;
    assert!(matches!(find(&ann, "v1").await, Err(Error::NotFound("dataset"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn pages_of_items_are_the_items(db: PgPool) {
    let world = World::new(db).await;
    let names: Vec<String> = (0..2_345).map(|n| format!("{n:04}.jpg")).collect();
    world.photos(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    datasets::freeze(&Actor::System, &world.db, PETS, named("big")).await.unwrap();
    let all = items(&world, "big").await;
    assert_eq!(all.len(), 2_345);
    assert_eq!(all[2_344].item.image, "images/2344.jpg");
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = datasets::items_page(&Actor::System, &world.db, PETS, "big", after, 1_000).await.unwrap();
        after = page.last().map(|item| item.position);
        let is_last = page.len() < 1_000;
        paged.extend(page);
        if is_last {
            break;
        }
    }
    assert_eq!(paged, all);
    let shares = Split::ALL.map(|split| all.iter().filter(|item| item.item.split == split).count());
    assert!(shares[0] > shares[1] && shares[0] > shares[2] && shares[1] > 0 && shares[2] > 0, "{shares:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_imported_split_is_kept(db: PgPool) {
    let world = World::new(db).await;
    let names: Vec<String> = (0..30).map(|n| format!("{n:02}.jpg")).collect();
    world.photos(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    world.run("UPDATE photos SET imported_split = CASE WHEN name < '20' THEN 'trainval' ELSE 'test' END").await;
    datasets::freeze(&Actor::System, &world.db, PETS, named("v1")).await.unwrap();
    for item in items(&world, "v1").await {
        let is_test = item.item.image.as_str() >= "images/20.jpg";
        assert_eq!(item.item.split == Split::Test, is_test, "{}", item.item.image);
    }
    let summary = datasets::get(&Actor::System, &world.db, PETS, "v1").await.unwrap().summary;
    assert_eq!(summary.splits[&Split::Validation], 4);
}
