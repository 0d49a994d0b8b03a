//! Changes of attributes and values: labels are kept and mapped, counts are shown first, and a change is undone until somebody
//! labels on top of it.

use std::collections::BTreeMap;

use kenami_domain::{
    roles::Role,
    schema::{Prior, Texts},
    view::{
        review::{Cause, DecisionInput},
        schema_change::{AnswerMap, Bound, NewValue, SchemaChange, SchemaCounts},
    },
};
use kenami_store::{actor::Actor, annotate, error::Error, gold, review, schema, schema_changes};
use sqlx::PgPool;

mod doubts;
mod given;
mod names;
#[path = "../world/mod.rs"]
mod world;

use world::{PETS, World, submission};

/// Two annotators have answered three photos: x says semi_erect where y says erect on a and b, both say drop on c.
async fn answered(db: PgPool) -> (World, Actor, Actor, Actor) {
    let world = World::new(db).await;
    world.photos(&["a", "b", "c"]).await;
    let lead = world.member("lead", Role::Lead).await;
    let (x, y) = (world.member("x", Role::Annotator).await, world.member("y", Role::Annotator).await);
    world.annotate(&x, |photo| (if photo == "c" { "drop" } else { "semi_erect" }, "short")).await;
    world.annotate(&y, |photo| (if photo == "c" { "drop" } else { "erect" }, "long")).await;
    (world, lead, x, y)
}

fn value(key: &str) -> NewValue {
    NewValue { key: key.to_owned(), names: Texts::default() }
}

fn merge() -> SchemaChange {
    let values = vec!["semi_erect".to_owned()];
    SchemaChange::MergeValues { attribute: "ear".to_owned(), values, into: "erect".to_owned() }
}

impl World {
    /// Standing answers as `photo annotator attribute value` lines.
    async fn standing(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT p.name || ' ' || n.name || ' ' || a.key || ' ' || coalesce(v.key, l.answer)
             FROM labels l JOIN photos p ON p.id = l.photo_id JOIN annotators n ON n.id = l.annotator_id
             JOIN attributes a ON a.id = l.attribute_id LEFT JOIN attribute_values v ON v.id = l.value_id
             WHERE l.superseded_at IS NULL ORDER BY 1",
        )
        .fetch_all(&self.db)
        .await
        .unwrap()
    }

    /// Keys of the attribute's offered values, in order.
    async fn offered(&self, actor: &Actor, attribute: &str) -> Vec<String> {
        let attributes = schema::attributes(actor, &self.db, PETS).await.unwrap();
        let attribute = attributes.into_iter().find(|one| one.key == attribute).unwrap();
        attribute.values.into_iter().filter(|value| !value.retired).map(|value| value.key).collect()
    }
}

async fn decide(world: &World, lead: &Actor, photo: &str, answer: &str) {
    let photo_id = world.number(&format!("SELECT id FROM photos WHERE name = '{photo}'")).await;
    let input = DecisionInput {
        photo_id,
        attribute: "ear".to_owned(),
        answer: answer.into(),
        cause: Cause::EdgeCase,
        reason: String::new(),
    };
    review::decide(lead, &world.db, PETS, input).await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn merged_values_take_labels_decisions_gold_and_priors_along_and_come_back(db: PgPool) {
    let (world, lead, ..) = answered(db).await;
    let distribution =
        BTreeMap::from([("drop".to_owned(), 0.5), ("semi_erect".to_owned(), 0.2), ("erect".to_owned(), 0.3)]);
    let prior = Prior {
        given_attribute: "breed".to_owned(),
        given_value: "pug".to_owned(),
        attribute: "ear".to_owned(),
        distribution,
    };
    schema::set_priors(&lead, &world.db, PETS, std::slice::from_ref(&prior)).await.unwrap();
    decide(&world, &lead, "a", "semi_erect").await;
    let a = world.number("SELECT id FROM photos WHERE name = 'a'").await;
    gold::make(&lead, &world.db, PETS, a, "ear").await.unwrap();
    let before = world.standing().await;

    let counts = schema_changes::preview(&lead, &world.db, PETS, &merge()).await.unwrap();
    let expected = SchemaCounts {
        labels_moved: 2,
        decisions_moved: 1,
        gold_moved: 1,
        photos_settled: 2,
        ..SchemaCounts::default()
    };
    assert_eq!(counts, expected);
    assert_eq!(world.standing().await, before, "a preview changes nothing");
    assert!(schema_changes::list(&lead, &world.db, PETS).await.unwrap().is_empty());

    let made = schema_changes::apply(&lead, &world.db, PETS, &merge()).await.unwrap();
    assert_eq!((made.counts, made.bound), (counts, None));
    let attributes = schema_changes::attributes(&lead, &world.db, PETS).await.unwrap();
    assert_eq!(attributes[1].labels, BTreeMap::from([("drop".to_owned(), 2), ("erect".to_owned(), 4)]));
    assert_eq!(attributes[0].labels, BTreeMap::from([("pug".to_owned(), 2), ("poodle".to_owned(), 1)]));
    let after = world.standing().await;
    assert_eq!(after, before.iter().map(|line| line.replace("semi_erect", "erect")).collect::<Vec<_>>());
    assert_eq!(world.offered(&lead, "ear").await, ["drop", "erect"]);
    assert_eq!(world.number("SELECT count(*) FROM labels").await, 12 + 2, "appended");
    let decided = "SELECT count(*) FROM adjudications d JOIN attribute_values v ON v.id = d.value_id
                   WHERE d.superseded_at IS NULL AND v.key = 'erect'";
    let golden = "SELECT count(*) FROM gold_answers g JOIN attribute_values v ON v.id = g.value_id
                  WHERE g.removed_at IS NULL AND v.key = 'erect'";
    assert_eq!((world.number(decided).await, world.number(golden).await), (1, 1));
    let priors = schema::priors(&lead, &world.db, PETS).await.unwrap();
    assert!((priors[0].distribution["erect"] - 0.5).abs() < 1e-12, "{priors:?}");
    assert!(!priors[0].distribution.contains_key("semi_erect"));

    schema_changes::undo(&lead, &world.db, PETS, made.id).await.unwrap();
    assert_eq!(world.standing().await, before);
    assert_eq!(world.offered(&lead, "ear").await, ["drop", "semi_erect", "erect"]);
    assert_eq!((world.number(decided).await, world.number(golden).await), (0, 0));
    assert_eq!(schema::priors(&lead, &world.db, PETS).await.unwrap(), [prior]);
    assert_eq!(world.number("SELECT count(*) FROM gold_answers WHERE removed_at IS NULL").await, 1);
    let again = schema_changes::undo(&lead, &world.db, PETS, made.id).await;
    assert!(matches!(again, Err(Error::NotFound(_))), "{again:?}");
    // What undoing writes is nobody's label: a change may be made and undone again.
    let again = schema_changes::apply(&lead, &world.db, PETS, &merge()).await.unwrap();
    schema_changes::undo(&lead, &world.db, PETS, again.id).await.unwrap();
    assert_eq!(world.standing().await, before);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_somebody_has_labelled_on_top_of_stays(db: PgPool) {
    let (world, lead, x, _) = answered(db).await;
    let made = schema_changes::apply(&lead, &world.db, PETS, &merge()).await.unwrap();
    world.photos(&["d"]).await;
    world.annotate(&x, |_| ("erect", "short")).await;
    let refused = schema_changes::undo(&lead, &world.db, PETS, made.id).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    let listed = schema_changes::list(&lead, &world.db, PETS).await.unwrap();
    assert_eq!(listed[0].bound, Some(Bound::Labelled));
}

#[sqlx::test(migrations = "../migrations")]
async fn changes_are_undone_from_the_newest_on(db: PgPool) {
    let (world, lead, ..) = answered(db).await;
    let before = world.standing().await;
    let first = schema_changes::apply(&lead, &world.db, PETS, &merge()).await.unwrap();
    let coat = SchemaChange::MergeValues {
        attribute: "coat".to_owned(),
        values: vec!["long".to_owned()],
        into: "short".to_owned(),
    };
    let second = schema_changes::apply(&lead, &world.db, PETS, &coat).await.unwrap();
    let refused = schema_changes::undo(&lead, &world.db, PETS, first.id).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert_eq!(schema_changes::list(&lead, &world.db, PETS).await.unwrap()[1].bound, Some(Bound::Later));
    schema_changes::undo(&lead, &world.db, PETS, second.id).await.unwrap();
    schema_changes::undo(&lead, &world.db, PETS, first.id).await.unwrap();
    assert_eq!(world.standing().await, before);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_attribute_is_split_and_merged_by_maps_of_answers(db: PgPool) {
    let (world, lead, x, _) = answered(db).await;
    let before = world.standing().await;
    let answers = [("short", "smooth"), ("long", "not_visible")];
    let answers = answers.map(|(from, to)| (from.to_owned(), to.to_owned()));
    let from = AnswerMap { attribute: "coat".to_owned(), answers: BTreeMap::from(answers) };
    let texture = SchemaChange::AddAttribute {
        key: "texture".to_owned(),
        names: Texts::en("Texture"),
        values: vec![value("smooth"), value("curly")],
        from: Some(from),
        ask: false,
    };
    let added = schema_changes::apply(&lead, &world.db, PETS, &texture).await.unwrap();
    assert_eq!((added.counts.labels_moved, added.counts.photos_returned), (6, 0));
    let standing = world.standing().await;
    assert!(standing.contains(&"a x texture smooth".to_owned()), "{standing:?}");
    assert!(standing.contains(&"a y texture not_visible".to_owned()));
    assert!(standing.contains(&"a x coat short".to_owned()), "the old labels stay");

    let answers = BTreeMap::from([("smooth".to_owned(), "long".to_owned())]);
    let back = SchemaChange::MergeAttributes {
        from: AnswerMap { attribute: "texture".to_owned(), answers },
        into: "coat".to_owned(),
    };
    let merged = schema_changes::apply(&lead, &world.db, PETS, &back).await.unwrap();
    assert_eq!(merged.counts.labels_moved, 0, "every annotator has said the coat already");
    assert_eq!(merged.counts.labels_kept, 6);
    let attributes = schema::attributes(&lead, &world.db, PETS).await.unwrap();
    assert!(attributes.iter().all(|attribute| attribute.key != "texture"), "retired");
    schema_changes::undo(&lead, &world.db, PETS, merged.id).await.unwrap();
    schema_changes::undo(&lead, &world.db, PETS, added.id).await.unwrap();
    assert_eq!(world.standing().await, before);

    // Asked of those who have answered the photos already.
    let legs = SchemaChange::AddAttribute {
        key: "legs".to_owned(),
        names: Texts::default(),
        values: vec![value("short"), value("long")],
        from: None,
        ask: true,
    };
    let asked = schema_changes::apply(&lead, &world.db, PETS, &legs).await.unwrap();
    assert_eq!(asked.counts.photos_returned, 6);
    assert_eq!(annotate::claim(&x, &world.db, PETS, 20, &[]).await.unwrap().photos.len(), 3);
    schema_changes::undo(&lead, &world.db, PETS, asked.id).await.unwrap();
    assert!(annotate::claim(&x, &world.db, PETS, 20, &[]).await.unwrap().photos.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn orders_and_what_is_retired_come_back(db: PgPool) {
    let (world, lead, x, _) = answered(db).await;
    let keys = |keys: &[&str]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    let order = |values| SchemaChange::OrderValues { attribute: "ear".to_owned(), values };
    let made = schema_changes::apply(&lead, &world.db, PETS, &order(keys(&["erect", "drop", "semi_erect"]))).await;
    let made = made.unwrap();
    assert_eq!(world.offered(&lead, "ear").await, ["erect", "drop", "semi_erect"]);
    schema_changes::undo(&lead, &world.db, PETS, made.id).await.unwrap();
    assert_eq!(world.offered(&lead, "ear").await, ["drop", "semi_erect", "erect"]);
    for wrong in [keys(&["erect", "drop"]), keys(&["erect", "drop", "drop"]), keys(&["erect", "drop", "round"])] {
        let refused = schema_changes::preview(&lead, &world.db, PETS, &order(wrong)).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "values", .. })), "{refused:?}");
    }
    let attributes = SchemaChange::OrderAttributes { attributes: keys(&["coat", "breed", "ear"]) };
    schema_changes::apply(&lead, &world.db, PETS, &attributes).await.unwrap();
    let order: Vec<String> =
        schema::attributes(&lead, &world.db, PETS).await.unwrap().into_iter().map(|one| one.key).collect();
    assert_eq!(order, ["coat", "breed", "ear"]);

    let retire = SchemaChange::RetireValue { attribute: "ear".to_owned(), value: "semi_erect".to_owned() };
    let retired = schema_changes::apply(&lead, &world.db, PETS, &retire).await.unwrap();
    assert_eq!(retired.counts.labels_kept, 2);
    assert_eq!(world.offered(&lead, "ear").await, ["drop", "erect"]);
    world.photos(&["d"]).await;
    let claimed = annotate::claim(&x, &world.db, PETS, 20, &[]).await.unwrap().photos;
    let refused = annotate::submit(&x, &world.db, PETS, submission(claimed[0].claim_id, "semi_erect", "short")).await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    schema_changes::undo(&lead, &world.db, PETS, retired.id).await.unwrap();
    annotate::submit(&x, &world.db, PETS, submission(claimed[0].claim_id, "semi_erect", "short")).await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn keys_and_names_are_checked(db: PgPool) {
    let (world, lead, ..) = answered(db).await;
    let add = |key: &str| SchemaChange::AddValue { attribute: "ear".to_owned(), value: value(key) };
    for (change, field) in [(add("not_visible"), "values"), (add("a b"), "values")] {
        let refused = schema_changes::apply(&lead, &world.db, PETS, &change).await;
        assert!(matches!(&refused, Err(Error::Invalid { field: f, .. }) if *f == field), "{refused:?}");
    }
    let taken = schema_changes::apply(&lead, &world.db, PETS, &add("drop")).await;
    assert!(matches!(taken, Err(Error::Conflict(_))), "{taken:?}");
    let made = schema_changes::apply(&lead, &world.db, PETS, &add("folded")).await.unwrap();
    schema_changes::undo(&lead, &world.db, PETS, made.id).await.unwrap();
    let restore = SchemaChange::RestoreValue { attribute: "ear".to_owned(), value: "folded".to_owned() };
    schema_changes::apply(&lead, &world.db, PETS, &restore).await.unwrap();
    assert_eq!(world.offered(&lead, "ear").await, ["drop", "semi_erect", "erect", "folded"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn whoever_answers_meanwhile_comes_before_the_change_or_sees_it(db: PgPool) {
    let (world, lead, x, _) = answered(db).await;
    let names: Vec<String> = (0..40).map(|number| format!("more-{number}")).collect();
    world.photos(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let claimed = annotate::claim(&x, &world.db, PETS, 20, &[]).await.unwrap().photos;
    assert_eq!(claimed.len(), 20);
    let (halfway, begin) = tokio::sync::oneshot::channel();
    let answering = async {
        let (mut halfway, mut refused) = (Some(halfway), 0);
        for (number, claim) in claimed.iter().enumerate() {
            if number == 5 {
                halfway.take().unwrap().send(()).unwrap();
            }
            match annotate::submit(&x, &world.db, PETS, submission(claim.claim_id, "semi_erect", "short")).await {
                Ok(_) => {}
                Err(Error::Invalid { field: "answers", .. }) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        refused
    };
    let changing = async {
        begin.await.unwrap();
        schema_changes::apply(&lead, &world.db, PETS, &merge()).await.unwrap()
    };
    let (refused, made) = tokio::join!(answering, changing);
    let stale = world.standing().await.into_iter().filter(|line| line.ends_with("semi_erect")).count();
    assert_eq!((stale, made.counts.labels_moved + refused), (0, 2 + 20));
}
