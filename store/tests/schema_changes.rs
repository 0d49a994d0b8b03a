//! Changes of attributes and values: labels are kept and mapped, counts are shown first, and a change is undone until somebody
//! labels on top of it.

use std::collections::BTreeMap;

use kenami_domain::{
    dataset::Policy,
    roles::Role,
    schema::{Prior, Texts},
    view::{
        dataset::FreezeInput,
        review::{Cause, DecisionInput},
        schema_change::{AnswerMap, Bound, NewValue, Renamed, SchemaChange, SchemaCounts},
    },
};
use kenami_store::{
    actor::Actor,
    annotate, datasets,
    error::Error,
    gold, labels, oversight,
    photos::{self, NewFile, NewPhoto},
    reports, review, schema, schema_changes,
};
use sqlx::PgPool;

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

fn rename(attribute: &str, names: Option<Texts>, values: &[(&str, Texts)]) -> SchemaChange {
    let values = values.iter().map(|(key, names)| ((*key).to_owned(), names.clone())).collect();
    SchemaChange::Rename { attribute: attribute.to_owned(), names, values }
}

fn both(en: &str, ja: &str) -> Texts {
    Texts(BTreeMap::from([("en".to_owned(), en.to_owned()), ("ja".to_owned(), ja.to_owned())]))
}

fn merge() -> SchemaChange {
    let values = vec!["semi_erect".to_owned()];
    SchemaChange::MergeValues { attribute: "ear".to_owned(), values, into: "erect".to_owned() }
}

fn split(keep: bool) -> SchemaChange {
    let into = vec![value("tipped"), value("half")];
    SchemaChange::SplitValue { attribute: "ear".to_owned(), value: "semi_erect".to_owned(), into, keep }
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

    /// Votes as [`Self::standing`] has labels.
    async fn votes(&self, lead: &Actor) -> Vec<String> {
        let votes = labels::export(lead, &self.db, PETS).await.unwrap().into_iter();
        let mut votes: Vec<String> = votes
            .map(|row| format!("{} {} {} {}", row.image, row.annotator, row.attribute, row.answer.key()))
            .collect();
        votes.sort();
        votes
    }

    /// What the tables of the queue say of themselves holds.
    async fn assert_counts_hold(&self) {
        let wrong = "SELECT count(*) FROM tasks t WHERE taken <> (SELECT count(*) FROM claims c
                     WHERE c.photo_id = t.photo_id AND c.released_at IS NULL AND c.slot IS NOT NULL)";
        assert_eq!(self.number(wrong).await, 0);
        let wrong = "SELECT count(*) FROM annotators a WHERE (photos_done, photos_outside) <> (
                         SELECT count(*), count(*) FILTER (WHERE slot IS NULL) FROM claims c
                         WHERE c.annotator_id = a.id AND c.done_at IS NOT NULL AND c.released_at IS NULL)";
        assert_eq!(self.number(wrong).await, 0);
    }

    /// Keys of the attribute's offered values, in order.
    async fn offered(&self, actor: &Actor, attribute: &str) -> Vec<String> {
        let attributes = schema::attributes(actor, &self.db, PETS).await.unwrap();
        let attribute = attributes.into_iter().find(|one| one.key == attribute).unwrap();
        attribute.values.into_iter().filter(|value| !value.retired).map(|value| value.key).collect()
    }
}

impl World {
    /// What the attribute and its values are called, by key.
    async fn names(&self, actor: &Actor, attribute: &str) -> BTreeMap<String, Texts> {
        let attributes = schema_changes::attributes(actor, &self.db, PETS).await.unwrap();
        let attribute = attributes.into_iter().find(|one| one.attribute.key == attribute).unwrap().attribute;
        let values = attribute.values.into_iter().map(|value| (value.key, value.names));
        values.chain([(attribute.key, attribute.names)]).collect()
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
async fn a_split_value_is_asked_for_again_where_it_was_given(db: PgPool) {
    let (world, lead, x, y) = answered(db).await;
    let counts = schema_changes::preview(&lead, &world.db, PETS, &split(false)).await.unwrap();
    assert_eq!((counts.labels_in_doubt, counts.photos_returned, counts.photos_opened), (2, 2, 0));
    let (labels, votes) = (world.standing().await, world.votes(&lead).await);
    assert_eq!(votes, labels);
    let made = schema_changes::apply(&lead, &world.db, PETS, &split(false)).await.unwrap();
    assert_eq!(made.counts, counts);
    assert_eq!(world.standing().await, labels, "no label is lost");
    let left = votes.iter().filter(|vote| !vote.ends_with("semi_erect")).cloned().collect::<Vec<_>>();
    assert_eq!((left.len(), world.votes(&lead).await), (10, left), "what nobody can read is no vote");
    assert_eq!(world.offered(&lead, "ear").await, ["drop", "tipped", "half", "erect"]);
    assert!(annotate::claim(&y, &world.db, PETS, 20, &[]).await.unwrap().photos.is_empty(), "y never said it");
    let back = annotate::claim(&x, &world.db, PETS, 20, &[]).await.unwrap().photos;
    let names: Vec<&str> = back.iter().map(|claimed| claimed.photo.name.as_str()).collect();
    assert_eq!((names, &back[0].in_doubt), (vec!["a", "b"], &vec!["ear".to_owned()]));

    // As long as nothing is answered, all comes back; then nothing does.
    schema_changes::undo(&lead, &world.db, PETS, made.id).await.unwrap();
    assert!(annotate::claim(&x, &world.db, PETS, 20, &[]).await.unwrap().photos.is_empty());
    assert_eq!(world.offered(&lead, "ear").await, ["drop", "semi_erect", "erect"]);
    assert_eq!(world.number("SELECT count(*) FROM label_doubts").await, 0);
    assert_eq!(world.votes(&lead).await, votes);
    world.assert_counts_hold().await;
    let kept = SchemaChange::SplitValue {
        attribute: "ear".to_owned(),
        value: "semi_erect".to_owned(),
        into: vec![value("folded")],
        keep: true,
    };
    let made = schema_changes::apply(&lead, &world.db, PETS, &kept).await.unwrap();
    assert_eq!(world.offered(&lead, "ear").await, ["drop", "semi_erect", "folded", "erect"]);
    world.annotate(&x, |photo| (if photo == "a" { "folded" } else { "semi_erect" }, "short")).await;
    let refused = schema_changes::undo(&lead, &world.db, PETS, made.id).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    let again = world.votes(&lead).await;
    assert_eq!(again, world.standing().await, "what is given again is a vote");
    assert!(again.contains(&"a x ear folded".to_owned()) && again.contains(&"b x ear semi_erect".to_owned()));
    world.assert_counts_hold().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn others_answer_a_split_value_where_it_was_given_by_somebody_who_cannot(db: PgPool) {
    let (world, lead, ..) = answered(db).await;
    let z = world.member("z", Role::Annotator).await;
    let x_id = world.number("SELECT id FROM annotators WHERE name = 'x'").await;
    oversight::pause(&lead, &world.db, PETS, x_id).await.unwrap();
    let votes = world.votes(&lead).await;
    let made = schema_changes::apply(&lead, &world.db, PETS, &split(true)).await.unwrap();
    assert_eq!((made.counts.photos_returned, made.counts.photos_opened), (0, 2));
    world.assert_counts_hold().await;
    assert_eq!(world.number("SELECT count(*) FROM tasks WHERE taken < needed").await, 2, "open to others");

    // It is nothing about the annotator, and a lead does not take it back as if it were.
    let report = reports::annotator(&lead, &world.db, PETS, x_id).await.unwrap();
    assert!(report.doubts.is_empty());
    assert!(reports::annotators(&lead, &world.db, PETS).await.unwrap().iter().all(|row| row.doubted == 0));
    let doubt = world.number("SELECT max(id) FROM annotator_doubts WHERE undone_at IS NULL").await;
    let refused = oversight::undo_doubt(&lead, &world.db, PETS, x_id, doubt).await;
    assert!(matches!(refused, Err(Error::NotFound("doubt"))), "{refused:?}");

    schema_changes::undo(&lead, &world.db, PETS, made.id).await.unwrap();
    assert_eq!(world.votes(&lead).await, votes);
    assert!(annotate::claim(&z, &world.db, PETS, 20, &[]).await.unwrap().photos.is_empty(), "the slots are x's again");
    world.assert_counts_hold().await;

    // Once others have answered, it stays.
    let into = vec![value("folded")];
    let split =
        SchemaChange::SplitValue { attribute: "ear".to_owned(), value: "semi_erect".to_owned(), into, keep: true };
    let made = schema_changes::apply(&lead, &world.db, PETS, &split).await.unwrap();
    world.annotate(&z, |_| ("folded", "short")).await;
    let votes = world.votes(&lead).await;
    assert!(votes.contains(&"a z ear folded".to_owned()) && !votes.iter().any(|vote| vote.ends_with("semi_erect")));
    let refused = schema_changes::undo(&lead, &world.db, PETS, made.id).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    world.assert_counts_hold().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_doubt_goes_along_when_values_are_merged_and_ends_with_its_split(db: PgPool) {
    let (world, lead, ..) = answered(db).await;
    let votes = world.votes(&lead).await;
    let split = schema_changes::apply(&lead, &world.db, PETS, &split(true)).await.unwrap();
    let merged = schema_changes::apply(&lead, &world.db, PETS, &merge()).await.unwrap();
    let left = votes.iter().filter(|vote| !vote.ends_with("semi_erect")).cloned().collect::<Vec<_>>();
    assert_eq!(world.votes(&lead).await, left, "still nobody knows what they mean");
    schema_changes::undo(&lead, &world.db, PETS, merged.id).await.unwrap();
    assert_eq!(world.votes(&lead).await, left);
    schema_changes::undo(&lead, &world.db, PETS, split.id).await.unwrap();
    assert_eq!(world.votes(&lead).await, votes);
    world.assert_counts_hold().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn answers_on_gold_stay_when_their_value_is_split(db: PgPool) {
    let (world, lead, x, _) = answered(db).await;
    // As if y had met the photo as gold.
    world.photos(&["g"]).await;
    world.annotate(&x, |_| ("semi_erect", "short")).await;
    world
        .run(
            "INSERT INTO labels (project_id, photo_id, attribute_id, annotator_id, answer, value_id, gold)
              SELECT l.project_id, l.photo_id, l.attribute_id, y.id, l.answer, l.value_id, true
              FROM labels l JOIN photos p ON p.id = l.photo_id JOIN attributes a ON a.id = l.attribute_id,
                   annotators y
              WHERE p.name = 'g' AND a.key = 'ear' AND y.name = 'y'",
        )
        .await;
    let made = schema_changes::apply(&lead, &world.db, PETS, &split(true)).await.unwrap();
    assert_eq!((made.counts.labels_in_doubt, made.counts.labels_kept, made.counts.photos_returned), (3, 1, 3));
    let golden = "SELECT count(*) FROM doubted_labels d JOIN labels l ON l.id = d.label_id WHERE l.gold";
    assert_eq!(world.number(golden).await, 0);
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
async fn names_are_changed_for_all_languages_and_come_back_whoever_has_labelled(db: PgPool) {
    let (world, lead, x, _) = answered(db).await;
    let (labels, before) = (world.standing().await, world.names(&lead, "ear").await);
    let change =
        rename("ear", Some(both("Ears", " 耳 ")), &[("drop", both("", "垂れ耳")), ("erect", Texts::default())]);
    let counts = schema_changes::preview(&lead, &world.db, PETS, &change).await.unwrap();
    let one = |value: Option<&str>, to: Texts, labels| {
        let value = value.map(str::to_owned);
        Renamed { value, from: Texts::default(), to, labels, photos: 0 }
    };
    let japanese = Texts::of("ja", "垂れ耳");
    let renamed = vec![one(None, both("Ears", "耳"), 6), one(Some("drop"), japanese.clone(), 2)];
    assert_eq!(
        counts,
        SchemaCounts { renamed, ..SchemaCounts::default() },
        "an empty name is none; erect has none yet"
    );
    assert_eq!(world.names(&lead, "ear").await, before, "a preview changes nothing");

    let made = schema_changes::apply(&lead, &world.db, PETS, &change).await.unwrap();
    assert_eq!((&made.counts, made.bound, made.by.as_str()), (&counts, None, "lead"));
    let after = world.names(&lead, "ear").await;
    assert_eq!((&after["ear"], &after["drop"]), (&both("Ears", "耳"), &japanese));
    assert_eq!((&after["erect"], &after["semi_erect"]), (&before["erect"], &before["semi_erect"]));
    assert_eq!(world.standing().await, labels);

    // A label is of a key: it means the same whatever that is called, so that labels on top bind nothing.
    world.photos(&["d"]).await;
    world.annotate(&x, |_| ("drop", "short")).await;
    assert_eq!(schema_changes::list(&lead, &world.db, PETS).await.unwrap()[0].bound, None);
    schema_changes::undo(&lead, &world.db, PETS, made.id).await.unwrap();
    assert_eq!(world.names(&lead, "ear").await, before);
    assert!(world.standing().await.contains(&"d x ear drop".to_owned()));
    let undone = schema_changes::list(&lead, &world.db, PETS).await.unwrap();
    assert_eq!(
        (&undone[0].change, undone[0].undone.as_ref().map(|undone| undone.by.as_str())),
        (&change, Some("lead"))
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn names_are_checked_and_undone_from_the_newest_on(db: PgPool) {
    let (world, lead, x, _) = answered(db).await;
    let call = |name: &str| rename("ear", Some(Texts::en(name)), &[]);
    let (long, unknown) = (call(&"x".repeat(101)), rename("ear", None, &[("tail", Texts::en("Tail"))]));
    let same = rename("ear", Some(Texts::en(" ")), &[("drop", Texts::default())]);
    for wrong in [long, unknown, same] {
        let refused = schema_changes::apply(&lead, &world.db, PETS, &wrong).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "names", .. })), "{refused:?}");
    }
    let nowhere = schema_changes::apply(&lead, &world.db, PETS, &rename("tail", Some(Texts::en("Tail")), &[])).await;
    assert!(matches!(nowhere, Err(Error::NotFound("attribute"))), "{nowhere:?}");
    let annotator = schema_changes::apply(&x, &world.db, PETS, &call("Ears")).await;
    assert!(matches!(annotator, Err(Error::Forbidden)), "{annotator:?}");
    assert!(schema_changes::list(&lead, &world.db, PETS).await.unwrap().is_empty());

    let first = schema_changes::apply(&lead, &world.db, PETS, &call("Ears")).await.unwrap();
    let breed = rename("breed", Some(Texts::en("Race")), &[("pug", Texts::en("Mops"))]);
    let second = schema_changes::apply(&lead, &world.db, PETS, &breed).await.unwrap();
    assert_eq!(second.counts.renamed.iter().map(|one| (one.labels, one.photos)).collect::<Vec<_>>(), [(0, 3), (0, 2)]);
    let refused = schema_changes::undo(&lead, &world.db, PETS, first.id).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert_eq!(world.names(&lead, "ear").await["ear"], Texts::en("Ears"));
    schema_changes::undo(&lead, &world.db, PETS, second.id).await.unwrap();
    assert_eq!(world.names(&lead, "breed").await["pug"], Texts::default());
    schema_changes::undo(&lead, &world.db, PETS, first.id).await.unwrap();
    assert_eq!(world.names(&lead, "ear").await["ear"], Texts::default());
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

#[sqlx::test(migrations = "../migrations")]
async fn given_values_are_merged_with_their_photos_and_standards_and_come_back(db: PgPool) {
    let (world, lead, ..) = answered(db).await;
    let standard = |breed: &str, drop: f64, attribute: &str, other: &str| Prior {
        given_attribute: "breed".to_owned(),
        given_value: breed.to_owned(),
        attribute: attribute.to_owned(),
        distribution: BTreeMap::from([
            (if attribute == "ear" { "drop" } else { "short" }.to_owned(), drop),
            (other.to_owned(), 1.0 - drop),
        ]),
    };
    let standards = [
        standard("pug", 0.9, "ear", "semi_erect"),
        standard("pug", 0.8, "coat", "long"),
        standard("poodle", 0.3, "ear", "erect"),
    ];
    schema::set_priors(&lead, &world.db, PETS, &standards).await.unwrap();
    let (labels, votes) = (world.standing().await, world.votes(&lead).await);
    let merge = |values: &[&str], into: &str| SchemaChange::MergeValues {
        attribute: "breed".to_owned(),
        values: values.iter().map(ToString::to_string).collect(),
        into: into.to_owned(),
    };
    let counts = schema_changes::preview(&lead, &world.db, PETS, &merge(&["pug"], "poodle")).await.unwrap();
    assert_eq!(counts, SchemaCounts { photos_moved: 2, ..SchemaCounts::default() });
    let made = schema_changes::apply(&lead, &world.db, PETS, &merge(&["pug"], "poodle")).await.unwrap();
    let photos = async || schema_changes::attributes(&lead, &world.db, PETS).await.unwrap()[0].labels.clone();
    assert_eq!(photos().await, BTreeMap::from([("poodle".to_owned(), 3)]));
    assert_eq!(world.offered(&lead, "breed").await, ["poodle"]);
    assert_eq!((world.standing().await, world.votes(&lead).await), (labels.clone(), votes));

    // Two pugs and a poodle: (2 * 0.9 + 0.3) / 3. Nothing was expected of a poodle's coat.
    let merged = schema::priors(&lead, &world.db, PETS).await.unwrap();
    let expected =
        [("ear", "drop", 0.7), ("ear", "semi_erect", 0.2 / 3.0), ("ear", "erect", 0.7 / 3.0), ("coat", "short", 0.8)];
    for (attribute, value, probability) in expected {
        let prior = merged.iter().find(|prior| prior.attribute == attribute).unwrap();
        assert_eq!(prior.given_value, "poodle");
        assert!((prior.distribution[value] - probability).abs() < 1e-12, "{attribute} {value}: {prior:?}");
    }

    // What comes in under the old key is of the value that stays.
    let file = |contents: &[u8; 32]| NewFile {
        hash: *contents,
        bytes: 1000,
        media_type: "image/jpeg",
        width: 640,
        height: 480,
    };
    let old = sqlx::query_scalar::<_, Vec<u8>>(
        "SELECT hash FROM files f JOIN photos p ON p.file_id = f.id WHERE p.name = 'a'",
    );
    let old: [u8; 32] = old.fetch_one(&world.db).await.unwrap().try_into().unwrap();
    let given = BTreeMap::from([("breed".to_owned(), "pug".to_owned())]);
    let batch = [("a", old), ("late", [7; 32])].map(|(name, hash)| NewPhoto {
        name: name.to_owned(),
        file: file(&hash),
        split: None,
        given: given.clone(),
    });
    let added = photos::add_batch(&lead, &world.db, PETS, batch.to_vec()).await.unwrap();
    assert_eq!((added.added, added.unchanged, added.conflicts.len()), (1, 1, 0));
    assert_eq!(photos().await, BTreeMap::from([("poodle".to_owned(), 4)]));
    let input = FreezeInput { name: "merged".to_owned(), policy: Policy::Majority, run: None, seed: 0 };
    datasets::freeze(&lead, &world.db, PETS, input).await.unwrap();
    let frozen = "SELECT count(*) FROM dataset_items WHERE item -> 'given' ->> 'breed' = 'poodle'";
    assert_eq!(world.number(frozen).await, 4);
    let gone = schema_changes::apply(&lead, &world.db, PETS, &merge(&["pug"], "poodle")).await;
    assert!(matches!(gone, Err(Error::Invalid { field: "value", .. })), "{gone:?}");

    schema_changes::undo(&lead, &world.db, PETS, made.id).await.unwrap();
    assert_eq!(photos().await, BTreeMap::from([("poodle".to_owned(), 2), ("pug".to_owned(), 2)]));
    assert_eq!(world.offered(&lead, "breed").await, ["pug", "poodle"]);
    assert_eq!(schema::priors(&lead, &world.db, PETS).await.unwrap(), standards);
    assert_eq!(world.standing().await, labels);
    let added = photos::add_batch(&lead, &world.db, PETS, batch[..1].to_vec()).await.unwrap();
    assert_eq!((added.unchanged, added.conflicts.len()), (1, 0), "the key is its own again");
}
