//! Migrations go back and come again on a database that has been worked with: no label is lost on the way.

mod world;

use std::collections::BTreeMap;

use kenami_domain::{
    roles::Role,
    schema::Texts,
    view::{
        guidelines::{DoubtScope, DraftEdit},
        schema_change::{NewValue, SchemaChange},
    },
};
use kenami_store::{annotate, db::MIGRATIONS, guidelines, oversight, schema_changes};
use sqlx::PgPool;
use world::{PETS, World, submission};

/// The first version of the schema, and the one before its changes were recorded.
const SPINE: i64 = 20261124080000;
const BEFORE_SCHEMA_CHANGES: i64 = 20261127170000;

/// A project with labels, a publication's doubts, a merge, and a split whose slots partly go to others.
async fn worked_with(db: PgPool) -> World {
    let world = World::new(db).await;
    world.photos(&["a", "b", "c"]).await;
    let lead = world.member("lead", Role::Lead).await;
    let (x, y) = (world.member("x", Role::Annotator).await, world.member("y", Role::Annotator).await);
    world.annotate(&x, |_| ("semi_erect", "short")).await;
    world.annotate(&y, |photo| (if photo == "a" { "semi_erect" } else { "drop" }, "long")).await;
    let edit = DraftEdit {
        introduction: Texts::en("Look."),
        rules: Vec::new(),
        change_note: "First".to_owned(),
        based_on: None,
    };
    guidelines::save_draft(&lead, &world.db, PETS, "ear", edit).await.unwrap();
    let scope = DoubtScope { values: vec!["drop".to_owned()], ..DoubtScope::default() };
    guidelines::publish(&lead, &world.db, PETS, "ear", "", Some(&scope)).await.unwrap();
    let x_id = world.number("SELECT id FROM annotators WHERE name = 'x'").await;
    oversight::pause(&lead, &world.db, PETS, x_id).await.unwrap();
    let ears = |values| SchemaChange::Rename { attribute: "ear".to_owned(), names: None, values };
    for change in [
        SchemaChange::MergeValues {
            attribute: "coat".to_owned(),
            values: vec!["long".to_owned()],
            into: "short".to_owned(),
        },
        SchemaChange::SplitValue {
            attribute: "ear".to_owned(),
            value: "semi_erect".to_owned(),
            into: vec![NewValue { key: "tipped".to_owned(), names: Texts::default() }],
            keep: true,
        },
        ears(BTreeMap::from([("tipped".to_owned(), Texts::en("Tipped"))])),
    ] {
        schema_changes::apply(&lead, &world.db, PETS, &change).await.unwrap();
    }
    world
}

const LABELS: &str = "SELECT count(*) FROM labels WHERE superseded_at IS NULL";
const ALL_LABELS: &str = "SELECT count(*) FROM labels";
const DOUBTED: &str = "SELECT count(*) FROM label_doubts";

#[sqlx::test(migrations = "../migrations")]
async fn they_go_back_and_come_again_without_losing_a_label(db: PgPool) {
    let world = worked_with(db).await;
    let (labels, all) = (world.number(LABELS).await, world.number(ALL_LABELS).await);
    assert_eq!((labels, all), (12, 15));
    assert_eq!(world.number(DOUBTED).await, 2 + 4, "the publication's and the split's");
    for (target, marked) in [(BEFORE_SCHEMA_CHANGES, 2), (SPINE, 2)] {
        // Each step on a connection of its own: prepared statements know the tables as they were.
        let fresh = PgPool::connect_with((*world.db.connect_options()).clone()).await.unwrap();
        MIGRATIONS.undo(&fresh, target).await.unwrap();
        let back = World { db: fresh.clone(), project_id: world.project_id };
        assert_eq!((back.number(LABELS).await, back.number(ALL_LABELS).await), (labels, all), "back at {target}");
        assert_eq!(back.number(DOUBTED).await, marked, "what a publication doubts stays marked");
        MIGRATIONS.run(&fresh).await.unwrap();
        fresh.close().await;
    }
    let fresh = PgPool::connect_with((*world.db.connect_options()).clone()).await.unwrap();
    let again = World { db: fresh, project_id: world.project_id };
    let (votes, doubts) = ("SELECT count(*) FROM doubted_labels", "SELECT count(*) FROM annotator_doubts");
    assert_eq!((again.number(votes).await, again.number(doubts).await), (0, 0), "no doubt of a lead comes of it");
    // The project goes on.
    again.photos(&["d"]).await;
    let z = again.member("z", Role::Annotator).await;
    let claimed = annotate::claim(&z, &again.db, PETS, 20, &[]).await.unwrap();
    for photo in &claimed.photos {
        annotate::submit(&z, &again.db, PETS, submission(photo.claim_id, "tipped", "short")).await.unwrap();
    }
    assert!(claimed.photos.iter().any(|claimed| claimed.photo.name == "d"));
}
