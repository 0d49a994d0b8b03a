//! Guidelines: drafts, versions, and what a publication puts in doubt.

mod world;

use kenami_domain::{
    roles::Role,
    schema::Texts,
    view::guidelines::{Doubt, DraftEdit, ExampleEdit, GuidelineText, Rule, RuleEdit},
};
use kenami_store::{actor::Actor, annotate, error::Error, guidelines};
use sqlx::PgPool;
use world::{PETS, World, photo_ids, submission};

fn rule(value: &str, text: &str) -> RuleEdit {
    RuleEdit { value: value.to_owned(), rule: Texts::en(text), examples: Vec::new() }
}

fn edit(rules: Vec<RuleEdit>) -> DraftEdit {
    DraftEdit {
        introduction: Texts::en("Look at the base of the ear."),
        rules,
        change_note: "First rules".to_owned(),
        based_on: None,
    }
}

async fn publish(lead: &Actor, world: &World, note: &str, doubt: Doubt) -> i32 {
    guidelines::save_draft(lead, &world.db, PETS, "ear", edit(vec![rule("drop", note)])).await.unwrap();
    guidelines::publish(lead, &world.db, PETS, "ear", note, doubt.scope().as_ref()).await.unwrap().version
}

#[sqlx::test(migrations = "../migrations")]
async fn a_draft_becomes_a_version_that_annotators_read(db: PgPool) {
    let world = World::new(db).await;
    let photos = world.photos(&["a.jpg", "b.jpg"]).await;
    let lead = world.member("lea", Role::Lead).await;
    let ann = world.member("ann", Role::Annotator).await;
    let empty = guidelines::all(&ann, &world.db, PETS).await.unwrap();
    assert_eq!(empty.iter().map(|g| g.attribute.key.as_str()).collect::<Vec<_>>(), ["ear", "coat"]);
    assert!(empty.iter().all(|g| g.current.is_none() && g.text.rules.is_empty() && g.history.is_empty()));

    let mut erect = rule("erect", "The tip points up.");
    erect.examples = vec![
        ExampleEdit { photo_id: photos[1], caption: " both ears ".to_owned() },
        ExampleEdit { photo_id: photos[0], caption: String::new() },
    ];
    let saved =
        guidelines::save_draft(&lead, &world.db, PETS, "ear", edit(vec![erect, rule("drop", "It hangs.")])).await;
    let saved = saved.unwrap();
    // Values left out follow with an empty rule.
    let order: Vec<&str> = saved.text.rules.iter().map(|rule| rule.value.as_str()).collect();
    assert_eq!(order, ["erect", "drop", "semi_erect"]);
    assert_eq!(saved.created_by.as_deref(), Some("lea"));
    let examples: Vec<_> =
        saved.text.rules[0].examples.iter().map(|e| (e.photo.name.as_str(), e.caption.as_str())).collect();
    assert_eq!(examples, [("b.jpg", "both ears"), ("a.jpg", "")]);
    assert!(guidelines::get(&ann, &world.db, PETS, "ear").await.unwrap().draft.is_none(), "drafts are for leads");
    assert!(guidelines::get(&lead, &world.db, PETS, "ear").await.unwrap().draft.is_some());

    let published = guidelines::publish(&lead, &world.db, PETS, "ear", "", None).await.unwrap();
    assert_eq!((published.version, published.change_note.as_str()), (1, "First rules"));
    let read = guidelines::get(&ann, &world.db, PETS, "ear").await.unwrap();
    assert_eq!(read.current.as_ref().map(|version| version.version), Some(1));
    assert_eq!(read.text, saved.text);
    assert!(guidelines::get(&lead, &world.db, PETS, "ear").await.unwrap().draft.is_none());

    let claimed = annotate::claim(&ann, &world.db, PETS, 1, &[]).await.unwrap();
    let mut sent = submission(claimed.photos[0].claim_id, "drop", "short");
    sent.answers[0].guideline_version = Some(1);
    annotate::submit(&ann, &world.db, PETS, sent).await.unwrap();
    publish(&lead, &world, "Shorter", Doubt::None).await;
    let history = guidelines::get(&ann, &world.db, PETS, "ear").await.unwrap().history;
    let told: Vec<_> = history.iter().map(|v| (v.version, v.labels, v.published_by.as_deref())).collect();
    assert_eq!(told, [(2, 0, Some("lea")), (1, 1, Some("lea"))]);
    // The first version is still there as it was.
    assert_eq!(guidelines::version(&ann, &world.db, PETS, "ear", 1).await.unwrap(), saved.text);
    assert!(matches!(
        guidelines::version(&ann, &world.db, PETS, "ear", 9).await,
        Err(Error::NotFound("guideline version"))
    ));
    assert_eq!(world.number("SELECT count(*) FROM audit WHERE operation = 'EditGuidelines'").await, 4);
}

#[sqlx::test(migrations = "../migrations")]
async fn two_editors_do_not_overwrite_each_other(db: PgPool) {
    let world = World::new(db).await;
    let lead = world.member("lea", Role::Lead).await;
    let other = world.member("leo", Role::Lead).await;
    let save = |actor, edit| guidelines::save_draft(actor, &world.db, PETS, "ear", edit);
    let first = save(&lead, edit(vec![rule("drop", "one")])).await.unwrap();
    // Another editor who knows of no draft, or of an older one.
    assert!(matches!(save(&other, edit(vec![rule("drop", "two")])).await, Err(Error::Conflict(_))));
    let based = |at| DraftEdit { based_on: Some(at), ..edit(vec![rule("drop", "three")]) };
    let second = save(&other, based(first.updated_at)).await.unwrap();
    assert!(second.updated_at > first.updated_at);
    assert!(matches!(save(&lead, based(first.updated_at)).await, Err(Error::Conflict(_))));
    let third = save(&lead, based(second.updated_at)).await.unwrap();
    assert_eq!(third.text.rules[0].rule, Texts::en("three"));
    guidelines::discard_draft(&lead, &world.db, PETS, "ear").await.unwrap();
    assert!(matches!(save(&other, based(third.updated_at)).await, Err(Error::Conflict(_))));
    let discard = guidelines::discard_draft(&lead, &world.db, PETS, "ear");
    assert!(matches!(discard.await, Err(Error::NotFound("draft"))));
    let publish = guidelines::publish(&lead, &world.db, PETS, "ear", "x", None);
    assert!(matches!(publish.await, Err(Error::NotFound("draft"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn drafts_that_do_not_fit_are_refused_whole(db: PgPool) {
    let world = World::new(db.clone()).await;
    let photos = world.photos(&["a.jpg"]).await;
    let elsewhere = world::project(&db, "elsewhere").await;
    let foreign = world::photos(&db, elsewhere, &["b.jpg"]).await;
    let lead = world.member("lea", Role::Lead).await;
    let with_example = |photo_id, caption: &str| RuleEdit {
        examples: vec![ExampleEdit { photo_id, caption: caption.to_owned() }],
        ..rule("drop", "x")
    };
    for (bad, field) in [
        (edit(vec![rule("floppy", "x")]), "rules"),
        (edit(vec![rule("drop", "x"), rule("drop", "y")]), "rules"),
        (edit(vec![rule("drop", &"x".repeat(20_001))]), "rules"),
        (DraftEdit { change_note: "x".repeat(1_001), ..edit(vec![]) }, "change_note"),
        (edit(vec![with_example(photos[0], &"x".repeat(201))]), "caption"),
        (edit(vec![with_example(foreign[0], "")]), "photo"),
    ] {
        match guidelines::save_draft(&lead, &db, PETS, "ear", bad).await {
            Err(Error::Invalid { field: told, .. }) => assert_eq!(told, field),
            Err(Error::NotFound(told)) => assert_eq!(told, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert_eq!(world.number("SELECT count(*) FROM guideline_versions").await, 0);
    let unknown = guidelines::save_draft(&lead, &db, PETS, "breed", edit(vec![])).await;
    assert!(matches!(unknown, Err(Error::NotFound("attribute"))), "given attributes have no guideline");
    publish(&lead, &world, "one", Doubt::None).await;
    let silent = DraftEdit { change_note: String::new(), ..edit(vec![]) };
    guidelines::save_draft(&lead, &db, PETS, "ear", silent).await.unwrap();
    let refused = guidelines::publish(&lead, &db, PETS, "ear", " ", None).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "change_note", .. })));
    assert!(guidelines::get(&lead, &db, PETS, "ear").await.unwrap().draft.is_some(), "the draft is still there");
}

#[sqlx::test(migrations = "../migrations")]
async fn doubted_photos_return_to_those_who_answered_them(db: PgPool) {
    let world = World::new(db).await;
    let photos = world.photos(&["a.jpg", "b.jpg", "c.jpg"]).await;
    let lead = world.member("lea", Role::Lead).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    let gone = world.member("gus", Role::Annotator).await;
    world.annotate(&ann, |photo| (if photo == "b.jpg" { "unsure" } else { "drop" }, "short")).await;
    world.annotate(&ben, |photo| (if photo == "a.jpg" { "unsure" } else { "drop" }, "short")).await;
    world.run("UPDATE projects SET overlap = 3, queue_epoch = 1; UPDATE tasks SET needed = 3").await;
    world.annotate(&gone, |_| ("unsure", "short")).await;
    world.run("DELETE FROM memberships WHERE user_id = (SELECT id FROM users WHERE name = 'gus')").await;
    for (doubt, labels) in [(Doubt::Unsure, 5), (Doubt::All, 9)] {
        let count = guidelines::scope_count(&lead, &world.db, PETS, "ear", &doubt.scope().unwrap()).await.unwrap();
        assert_eq!((count.labels, count.photos, count.decided), (labels, 3, 0));
    }
    publish(&lead, &world, "one", Doubt::None).await;
    assert_eq!(world.number("SELECT count(*) FROM claims WHERE returned_at IS NOT NULL").await, 0);

    publish(&lead, &world, "two", Doubt::Unsure).await;
    assert_eq!(world.number("SELECT count(*) FROM label_doubts").await, 5);
    let back = annotate::claim(&ann, &world.db, PETS, 20, &[]).await.unwrap();
    assert_eq!(photo_ids(&back), [photos[1]]);
    assert_eq!(back.photos[0].in_doubt, ["ear"]);
    assert_eq!(back.photos[0].answers["coat"].answer.key(), "short");
    assert_eq!(photo_ids(&annotate::claim(&ben, &world.db, PETS, 20, &[]).await.unwrap()), [photos[0]]);
    // Who has left cannot answer again: their photos stay done.
    assert_eq!(world.number("SELECT count(*) FROM claims WHERE done_at IS NULL").await, 2);
    // Answering settles it; nothing of the history is lost.
    annotate::submit(&ann, &world.db, PETS, submission(back.photos[0].claim_id, "erect", "short")).await.unwrap();
    assert!(annotate::claim(&ann, &world.db, PETS, 20, &[]).await.unwrap().photos.is_empty());
    let history = annotate::history(&ann, &world.db, PETS, 1).await.unwrap();
    assert_eq!(history[0].photo.id, photos[1]);
    assert!(history[0].in_doubt.is_empty());

    publish(&lead, &world, "three", Doubt::All).await;
    let back = annotate::claim(&ann, &world.db, PETS, 20, &[]).await.unwrap();
    assert_eq!(photo_ids(&back), photos);
    assert_eq!(annotate::my_progress(&ann, &world.db, PETS).await.unwrap().done, 0);
    assert_eq!(world.number("SELECT count(*) FROM labels").await, 20);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_import_publishes_version_one_once(db: PgPool) {
    let world = World::new(db).await;
    let lead = world.member("lea", Role::Lead).await;
    let text = GuidelineText {
        introduction: Texts::en("Look at the base."),
        rules: vec![Rule { value: "drop".to_owned(), rule: Texts::en("It hangs."), examples: Vec::new() }],
    };
    assert!(guidelines::import(&Actor::System, &world.db, PETS, "ear", &text).await.unwrap());
    assert!(!guidelines::import(&Actor::System, &world.db, PETS, "ear", &text).await.unwrap());
    let read = guidelines::get(&lead, &world.db, PETS, "ear").await.unwrap();
    assert_eq!(read.history.len(), 1);
    assert_eq!(read.current.unwrap().published_by, None);
    assert_eq!(read.text.introduction, text.introduction);
    assert_eq!(read.text.rules[0], text.rules[0]);
    let unknown = GuidelineText { rules: vec![Rule { value: "round".to_owned(), ..text.rules[0].clone() }], ..text };
    let refused = guidelines::import(&Actor::System, &world.db, PETS, "coat", &unknown).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "rules", .. })));
}

#[sqlx::test(migrations = "../migrations")]
async fn retired_values_leave_the_rules(db: PgPool) {
    let world = World::new(db).await;
    let lead = world.member("lea", Role::Lead).await;
    publish(&lead, &world, "one", Doubt::None).await;
    world.run("UPDATE attribute_values SET retired_at = now() WHERE key = 'semi_erect'").await;
    let read = guidelines::get(&lead, &world.db, PETS, "ear").await.unwrap();
    assert_eq!(read.text.rules.iter().map(|rule| rule.value.as_str()).collect::<Vec<_>>(), ["drop", "erect"]);
    assert_eq!(guidelines::version(&lead, &world.db, PETS, "ear", 1).await.unwrap().rules.len(), 3);
}
