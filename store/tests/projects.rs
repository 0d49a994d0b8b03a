//! Projects, settings, progress, members, schema and priors.

mod world;

use std::collections::BTreeMap;

use kenami_domain::{
    roles::Role,
    schema::{Attribute, AttributeKind, AttributeValue, Prior, Texts},
    view::{project::ProjectSettings, queue::QueueOrder},
};
use kenami_store::{
    actor::{Actor, UserActor},
    annotate,
    error::Error,
    members, people, projects, schema,
};
use sqlx::PgPool;
use world::{PETS, World, submission};

const SYSTEM: Actor = Actor::System;

fn value(key: &str) -> AttributeValue {
    AttributeValue { key: key.to_owned(), names: Texts::default(), retired: false }
}

fn attribute(key: &str, kind: AttributeKind, values: &[&str]) -> Attribute {
    Attribute { key: key.to_owned(), names: Texts::default(), kind, values: values.iter().map(|v| value(v)).collect() }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_command_line_makes_a_project_once_and_others_need_it_to_exist(db: PgPool) {
    let (one, two) = tokio::join!(projects::ensure(&SYSTEM, &db, "cats"), projects::ensure(&SYSTEM, &db, "cats"));
    assert_eq!(one.unwrap(), two.unwrap());
    assert!(matches!(projects::create(&SYSTEM, &db, "cats", "Cats").await, Err(Error::Conflict(_))));
    for bad in ["", "-cats", "a b", "a/b", "é", "unsure"] {
        assert!(matches!(projects::ensure(&SYSTEM, &db, bad).await, Err(Error::Invalid { field: "key", .. })), "{bad}");
    }
    assert!(matches!(projects::create(&SYSTEM, &db, "dogs", " ").await, Err(Error::Invalid { field: "name", .. })));
    let id = people::create(&SYSTEM, &db, "root", true).await.unwrap();
    let root = Actor::User(UserActor { id, name: "root".to_owned(), administrator: true });
    assert!(matches!(projects::ensure(&root, &db, "dogs").await, Err(Error::NotFound("project"))));
    assert!(projects::ensure(&root, &db, "cats").await.is_ok());
    let listed = projects::list(&root, &db).await.unwrap();
    assert_eq!((listed.len(), listed[0].role), (1, None));
}

#[sqlx::test(migrations = "../migrations")]
async fn one_sees_ones_own_projects(db: PgPool) {
    let world = World::new(db.clone()).await;
    world::project(&db, "other").await;
    let ann = world.member("ann", Role::Annotator).await;
    let keys: Vec<_> = projects::list(&ann, &db).await.unwrap().into_iter().map(|p| (p.key, p.role)).collect();
    assert_eq!(keys, [(PETS.to_owned(), Some(Role::Annotator))]);
    assert_eq!(projects::list(&SYSTEM, &db).await.unwrap().len(), 2);
    let project = projects::get(&ann, &db, PETS).await.unwrap();
    assert_eq!(project.attributes.iter().map(|a| a.key.as_str()).collect::<Vec<_>>(), ["breed", "ear", "coat"]);
    assert_eq!((project.overlap, project.lease_seconds), (2, 900));
    assert!(matches!(projects::get(&ann, &db, "other").await, Err(Error::NotFound("project"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn settings_are_checked_and_the_overlap_reaches_the_queue(db: PgPool) {
    let world = World::new(db.clone()).await;
    world.photos(&["a.jpg", "b.jpg"]).await;
    let lead = world.member("lea", Role::Lead).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    for annotator in [&ann, &ben] {
        world.annotate(annotator, |_| ("drop", "short")).await;
    }
    let settings = projects::settings(&lead, &db, PETS).await.unwrap();
    let refused =
        async |field: &str, settings: ProjectSettings| match projects::update(&lead, &db, PETS, settings).await {
            Err(Error::Invalid { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{field}: {other:?}"),
        };
    refused("name", ProjectSettings { name: String::new(), ..settings.clone() }).await;
    refused("description", ProjectSettings { description: "x".repeat(2001), ..settings.clone() }).await;
    refused("overlap", ProjectSettings { overlap: 0, ..settings.clone() }).await;
    refused("overlap", ProjectSettings { overlap: 21, ..settings.clone() }).await;
    for share in [-0.1, 1.1, f64::NAN] {
        refused("overlap_share", ProjectSettings { overlap_share: share, ..settings.clone() }).await;
    }
    for extra in [-1, 6] {
        refused("extra_votes", ProjectSettings { extra_votes: extra, ..settings.clone() }).await;
    }
    refused("lease_seconds", ProjectSettings { lease_seconds: 29, ..settings.clone() }).await;
    projects::update(&lead, &db, PETS, ProjectSettings { overlap: 1, ..settings.clone() }).await.unwrap();
    // Two answers a photo were given: they count although one would do now.
    let progress = projects::progress(&ann, &db, PETS).await.unwrap();
    assert_eq!((progress.slots, progress.slots_done, progress.photos_done), (4, 4, 2));
    let more = ProjectSettings {
        overlap: 3,
        overlap_share: 0.99,
        extra_votes: 2,
        queue_order: QueueOrder::Margin,
        ..settings
    };
    projects::update(&lead, &db, PETS, more.clone()).await.unwrap();
    assert_eq!(projects::settings(&lead, &db, PETS).await.unwrap(), more);
    let progress = projects::progress(&ann, &db, PETS).await.unwrap();
    assert_eq!((progress.slots, progress.slots_done, progress.photos_done), (6, 4, 0));
    assert_eq!(annotate::claim(&lead, &db, PETS, 5, &[]).await.unwrap().photos.len(), 2);
    assert_eq!(world.number("SELECT count(*) FROM audit WHERE operation = 'ManageProject'").await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn progress_counts_what_there_is(db: PgPool) {
    let world = World::new(db.clone()).await;
    let ids = world.photos(&["a.jpg", "b.jpg", "c.jpg"]).await;
    world.duplicate("a2.jpg", ids[0]).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    world.annotate(&ann, |name| if name == "a.jpg" { ("drop", "short") } else { ("unsure", "long") }).await;
    // Ben disagrees on one ear, answers b as Ann did, and holds c.
    for photo in annotate::claim(&ben, &db, PETS, 3, &[]).await.unwrap().photos {
        let answers = match photo.photo.name.as_str() {
            "a.jpg" => submission(photo.claim_id, "erect", "short"),
            "b.jpg" => submission(photo.claim_id, "unsure", "long"),
            _ => continue,
        };
        annotate::submit(&ben, &db, PETS, answers).await.unwrap();
    }
    let progress = projects::progress(&ann, &db, PETS).await.unwrap();
    assert_eq!((progress.photos, progress.duplicates), (4, 1));
    assert_eq!((progress.slots, progress.slots_done, progress.slots_held, progress.photos_done), (6, 5, 1, 2));
    assert_eq!((progress.open_disagreements, progress.open_unsure), (1, 3));
    let annotators: Vec<_> =
        progress.annotators.iter().map(|a| (a.name.as_str(), a.photos_done, a.median_ms)).collect();
    // Two attributes of 1,200 ms each make a photo of 2,400.
    assert_eq!(annotators, [("ann", 3, Some(2400.0)), ("ben", 2, Some(2400.0))]);
    let given: Vec<_> = progress.given.iter().map(|g| (g.value.as_str(), g.photos)).collect();
    assert_eq!(given, [("pug", 2), ("poodle", 1)]);
    let row = &projects::list(&ann, &db).await.unwrap()[0];
    assert_eq!((row.photos, row.slots, row.slots_done), (4, 6, 5));
    let empty = world::project(&db, "empty").await;
    assert!(empty > 0);
    let progress = projects::progress(&SYSTEM, &db, "empty").await.unwrap();
    assert_eq!((progress.photos, progress.slots, progress.photos_done, progress.open_unsure), (0, 0, 0, 0));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_removed_member_leaves_labels_and_blocks_no_slot(db: PgPool) {
    let world = World::new(db.clone()).await;
    world.photos(&["a.jpg", "b.jpg"]).await;
    let lead = world.member("lea", Role::Lead).await;
    let ann = world.member("ann", Role::Annotator).await;
    let id = ann.user().unwrap().id;
    let claimed = annotate::claim(&ann, &db, PETS, 2, &[]).await.unwrap();
    annotate::submit(&ann, &db, PETS, submission(claimed.photos[0].claim_id, "drop", "short")).await.unwrap();
    let rows = members::list(&lead, &db, PETS).await.unwrap();
    assert_eq!(
        rows.iter().map(|m| (m.name.as_str(), m.role, m.photos_done)).collect::<Vec<_>>(),
        [("ann", Role::Annotator, 1), ("lea", Role::Lead, 0)]
    );
    members::remove(&lead, &db, PETS, id).await.unwrap();
    assert_eq!(world.number("SELECT sum(taken) FROM tasks").await, 1, "the answered slot alone");
    assert_eq!(world.number("SELECT count(*) FROM labels WHERE superseded_at IS NULL").await, 2);
    assert!(matches!(projects::get(&ann, &db, PETS).await, Err(Error::NotFound("project"))));
    assert!(matches!(members::set_role(&lead, &db, PETS, id, Role::Lead).await, Err(Error::NotFound("member"))));
    members::add(&lead, &db, PETS, "ann", Role::Reviewer).await.unwrap();
    assert_eq!(projects::get(&ann, &db, PETS).await.unwrap().role, Role::Reviewer);
    assert!(matches!(members::add(&lead, &db, PETS, "nobody", Role::Lead).await, Err(Error::NotFound("user"))));
    assert!(matches!(members::add(&lead, &db, PETS, "system", Role::Lead).await, Err(Error::NotFound("user"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn attributes_grow_and_never_shrink(db: PgPool) {
    projects::ensure(&SYSTEM, &db, "cats").await.unwrap();
    let ensure = async |attribute: &Attribute| schema::ensure_attribute(&SYSTEM, &db, "cats", attribute).await;
    let keys = async || -> Vec<String> {
        schema::attributes(&SYSTEM, &db, "cats").await.unwrap()[0].values.iter().map(|v| v.key.clone()).collect()
    };
    ensure(&attribute("ear", AttributeKind::Annotated, &["drop", "erect"])).await.unwrap();
    let mut more = attribute("ear", AttributeKind::Annotated, &["semi_erect", "drop"]);
    more.names = Texts::en("Ears");
    more.values[1].names = Texts::en("Drop");
    ensure(&more).await.unwrap();
    ensure(&more).await.unwrap();
    assert_eq!(keys().await, ["drop", "erect", "semi_erect"]);
    let stored = &schema::attributes(&SYSTEM, &db, "cats").await.unwrap()[0];
    assert_eq!((stored.names.get("en"), stored.values[0].names.get("en")), (Some("Ears"), Some("Drop")));
    more.names = Texts::en("Something else");
    ensure(&more).await.unwrap();
    assert_eq!(schema::attributes(&SYSTEM, &db, "cats").await.unwrap()[0].names.get("en"), Some("Ears"), "names stay");
    assert!(matches!(ensure(&attribute("ear", AttributeKind::Given, &[])).await, Err(Error::Conflict(_))));
    for (key, values) in
        [("", vec![]), ("unsure", vec![]), ("x", vec!["not_visible"]), ("x", vec!["a", "a"]), ("x", vec!["a b"])]
    {
        let bad = attribute(key, AttributeKind::Annotated, &values);
        assert!(matches!(ensure(&bad).await, Err(Error::Invalid { .. })), "{key} {values:?}");
    }
    // A folder may have any visible name; a path it may not be.
    ensure(&attribute("class", AttributeKind::Given, &["Golden Retriever", "柴犬"])).await.unwrap();
    for bad in ["..", "a/b", "a\\b", " a", "a\n", ""] {
        let bad = attribute("class", AttributeKind::Given, &[bad]);
        assert!(matches!(ensure(&bad).await, Err(Error::Invalid { .. })), "{bad:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn priors_replace_each_other_and_must_be_distributions(db: PgPool) {
    World::new(db.clone()).await;
    let prior = |value: &str, drop: f64, erect: f64| Prior {
        given_attribute: "breed".to_owned(),
        given_value: value.to_owned(),
        attribute: "ear".to_owned(),
        distribution: BTreeMap::from([("drop".to_owned(), drop), ("erect".to_owned(), erect)]),
    };
    let set = async |priors: &[Prior]| schema::set_priors(&SYSTEM, &db, PETS, priors).await;
    assert_eq!(set(&[prior("pug", 0.25, 0.75), prior("poodle", 1.0, 0.0), prior("akita", 0.0, 1.0)]).await.unwrap(), 2);
    assert_eq!(set(&[prior("pug", 0.5, 0.5)]).await.unwrap(), 1);
    assert_eq!(schema::priors(&SYSTEM, &db, PETS).await.unwrap(), [prior("pug", 0.5, 0.5), prior("poodle", 1.0, 0.0)]);
    let unknown = Prior { attribute: "tail".to_owned(), ..prior("pug", 0.5, 0.5) };
    let of_given = Prior { attribute: "breed".to_owned(), ..prior("pug", 0.5, 0.5) };
    let mut no_value = prior("pug", 0.5, 0.0);
    no_value.distribution.insert("floppy".to_owned(), 0.5);
    for bad in
        [prior("pug", 0.5, 0.4), prior("pug", 1.5, -0.5), prior("pug", f64::NAN, 1.0), unknown, of_given, no_value]
    {
        assert!(
            matches!(set(std::slice::from_ref(&bad)).await, Err(Error::Invalid { field: "priors", .. })),
            "{bad:?}"
        );
    }
    assert!(matches!(set(&[prior("pug", 0.5, 0.5), prior("pug", 1.0, 0.0)]).await, Err(Error::Invalid { .. })));
    assert_eq!(schema::priors(&SYSTEM, &db, PETS).await.unwrap().len(), 2, "what is refused changes nothing");
}
