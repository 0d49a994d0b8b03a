//! From dispute to rule: examples for the next version, the votes that its publication puts in doubt, and what came of it.

mod world;

use kenami_domain::{
    csvio::LabelRow,
    roles::Role,
    schema::Texts,
    view::{
        guidelines::{AmendExample, Compared, DoubtScope, DraftEdit, ExampleEdit, Requeue, RuleEdit},
        review::{AgreementBy, Cause, DecisionInput},
    },
};
use kenami_store::{actor::Actor, annotate, error::Error, guidelines, labels, reports, review};
use sqlx::PgPool;
use time::OffsetDateTime;
use world::{PETS, World, photo_ids, submission};

const NAMES: [&str; 6] = ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg"];

/// Two annotators' votes on six photos, one of them decided, and a third annotator who has not begun.
struct Planted {
    world: World,
    photos: Vec<i64>,
    lead: Actor,
    ann: Actor,
    ben: Actor,
    cyd: Actor,
    /// Between ann's votes and ben's.
    since: OffsetDateTime,
}

impl Planted {
    async fn new(db: PgPool) -> Self {
        let world = World::new(db).await;
        let photos = world.photos(&NAMES).await;
        let lead = world.member("lea", Role::Lead).await;
        let ann = world.member("ann", Role::Annotator).await;
        let ben = world.member("ben", Role::Annotator).await;
        let cyd = world.member("cyd", Role::Annotator).await;
        let say = |ears: [&'static str; 6]| {
            move |photo: &str| (ears[NAMES.iter().position(|name| *name == photo).unwrap()], "short")
        };
        world.annotate(&ann, say(["drop", "drop", "erect", "semi_erect", "unsure", "erect"])).await;
        let since = OffsetDateTime::now_utc();
        world.annotate(&ben, say(["semi_erect", "drop", "semi_erect", "drop", "drop", "erect"])).await;
        let planted = Self { world, photos, lead, ann, ben, cyd, since };
        planted.decide(3, "semi_erect", "The tip\n bends.").await;
        planted
    }

    async fn decide(&self, photo: usize, answer: &str, reason: &str) {
        let input = DecisionInput {
            photo_id: self.photos[photo],
            attribute: "ear".to_owned(),
            answer: answer.into(),
            cause: Cause::RuleGap,
            reason: reason.to_owned(),
        };
        review::decide(&self.lead, &self.world.db, PETS, input).await.unwrap();
    }

    /// Publishes a version of the ear's guideline.
    async fn publish(&self, scope: Option<&DoubtScope>) -> i32 {
        let edit = DraftEdit {
            introduction: Texts::en("Look."),
            rules: Vec::new(),
            change_note: "Sharper".to_owned(),
            based_on: None,
        };
        guidelines::save_draft(&self.lead, &self.world.db, PETS, "ear", edit).await.unwrap();
        guidelines::publish(&self.lead, &self.world.db, PETS, "ear", "", scope).await.unwrap().version
    }

    async fn count(&self, scope: &DoubtScope) -> (i64, i64, i64) {
        let count = guidelines::scope_count(&self.lead, &self.world.db, PETS, "ear", scope).await.unwrap();
        (count.labels, count.photos, count.decided)
    }

    /// The labels in doubt that nobody has given again: photo and annotator, in order.
    async fn doubted(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT left(p.name, 1) || ' ' || a.name FROM labels l JOIN photos p ON p.id = l.photo_id
             JOIN annotators a ON a.id = l.annotator_id JOIN attributes t ON t.id = l.attribute_id AND t.key = 'ear'
             WHERE l.superseded_at IS NULL AND l.id IN (SELECT label_id FROM doubted_labels) ORDER BY 1",
        )
        .fetch_all(&self.world.db)
        .await
        .unwrap()
    }

    /// What an annotator is given now, by place among the photos.
    async fn given(&self, actor: &Actor) -> Vec<usize> {
        let claimed = annotate::claim(actor, &self.world.db, PETS, 20, &[]).await.unwrap();
        let mut given: Vec<usize> =
            photo_ids(&claimed).iter().map(|id| self.photos.iter().position(|photo| photo == id).unwrap()).collect();
        given.sort_unstable();
        given
    }

    /// Answers all that an annotator is given, under a version of the guideline.
    async fn answer(&self, actor: &Actor, version: i32, ear: impl Fn(&str) -> &'static str) {
        let claimed = annotate::claim(actor, &self.world.db, PETS, 20, &[]).await.unwrap();
        for photo in claimed.photos {
            let mut sent = submission(photo.claim_id, ear(&photo.photo.name), "short");
            sent.answers[0].guideline_version = Some(version);
            annotate::submit(actor, &self.world.db, PETS, sent).await.unwrap();
        }
    }

    /// What the tables of the queue say of themselves holds.
    async fn assert_counts_hold(&self) {
        let wrong = "SELECT count(*) FROM tasks t WHERE taken <> (SELECT count(*) FROM claims c
                     WHERE c.photo_id = t.photo_id AND c.released_at IS NULL AND c.slot IS NOT NULL)";
        assert_eq!(self.world.number(wrong).await, 0);
        let wrong = "SELECT count(*) FROM annotators a WHERE photos_done <> (SELECT count(*) FROM claims c
                     WHERE c.annotator_id = a.id AND c.done_at IS NOT NULL AND c.released_at IS NULL)";
        assert_eq!(self.world.number(wrong).await, 0);
    }
}

fn pair() -> DoubtScope {
    DoubtScope { values: vec!["drop".to_owned(), "semi_erect".to_owned()], ..DoubtScope::default() }
}

#[sqlx::test(migrations = "../migrations")]
async fn every_choice_is_counted_and_they_combine(db: PgPool) {
    let planted = Planted::new(db).await;
    let since = Some(planted.since);
    let unsure = |scope| DoubtScope { only_unsure: true, ..scope };
    let disputed = |scope| DoubtScope { only_disputed: true, ..scope };
    let none = DoubtScope::default;
    for (scope, counted, what) in [
        (none(), (10, 5, 2), "all"),
        (pair(), (6, 4, 2), "the pair"),
        (disputed(pair()), (2, 1, 2), "where the pair meets"),
        (disputed(none()), (6, 3, 2), "where votes differ"),
        (DoubtScope { since, ..pair() }, (4, 4, 1), "ben's of the pair"),
        (unsure(none()), (1, 1, 0), "unsure"),
        (unsure(pair()), (1, 1, 0), "unsure beside drop"),
        (unsure(DoubtScope { values: vec!["erect".to_owned()], ..none() }), (0, 0, 0), "unsure beside erect"),
        (unsure(DoubtScope { since, ..none() }), (0, 0, 0), "ben is sure"),
        (DoubtScope { values: vec!["unsure".to_owned()], ..none() }, (1, 1, 0), "unsure by its key"),
    ] {
        assert_eq!(planted.count(&scope).await, counted, "{what}");
    }
    let unknown = DoubtScope { values: vec!["floppy".to_owned()], ..none() };
    let refused = guidelines::scope_count(&planted.lead, &planted.world.db, PETS, "ear", &unknown).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "values", .. })));
    assert_eq!(planted.world.number("SELECT count(*) FROM doubted_labels").await, 0, "counting changes nothing");
}

#[sqlx::test(migrations = "../migrations")]
async fn votes_of_a_pair_return_to_those_who_gave_them(db: PgPool) {
    let planted = Planted::new(db).await;
    let Planted { world, lead, ann, ben, cyd, .. } = &planted;
    let counted = planted.count(&pair()).await;
    let version = planted.publish(Some(&pair())).await;
    let doubted = planted.doubted().await;
    assert_eq!(doubted, ["a ann", "a ben", "b ann", "b ben", "c ben", "e ben"]);
    assert_eq!(counted, (doubted.len() as i64, 4, 2));
    // They are no votes: of the open photos only erect and unsure are left, and d keeps its decision and its votes.
    let exported = labels::export(lead, &world.db, PETS).await.unwrap();
    let ears = exported.iter().filter(|row| row.attribute == "ear").map(|row| (row.image.as_str(), row.answer.key()));
    let mut ears: Vec<_> = ears.collect();
    ears.sort_unstable();
    let expected = [
        ("c.jpg", "erect"),
        ("d.jpg", "drop"),
        ("d.jpg", "semi_erect"),
        ("e.jpg", "unsure"),
        ("f.jpg", "erect"),
        ("f.jpg", "erect"),
    ];
    assert_eq!(ears, expected);
    assert_eq!(exported.iter().filter(|row| row.attribute == "coat").count(), 12, "other attributes are untouched");
    planted.assert_counts_hold().await;
    // Who gave them has them again, and nobody else.
    assert_eq!(planted.given(ann).await, [0, 1]);
    assert_eq!(planted.given(ben).await, [0, 1, 2, 4]);
    assert!(planted.given(cyd).await.is_empty());
    let held = annotate::claim(ann, &world.db, PETS, 20, &[]).await.unwrap();
    assert!(held.photos.iter().all(|photo| photo.in_doubt == ["ear"]));
    // It is nothing against the annotators.
    assert!(reports::annotators(lead, &world.db, PETS).await.unwrap().iter().all(|row| row.doubted == 0));
    // A second publication finds only what is a vote.
    assert_eq!(planted.count(&pair()).await, (0, 0, 2));

    planted.answer(ann, version, |_| "semi_erect").await;
    planted.answer(ben, version, |photo| if photo == "b.jpg" { "drop" } else { "semi_erect" }).await;
    assert!(planted.doubted().await.is_empty());
    assert_eq!(world.number("SELECT count(*) FROM labels").await, 24 + 6 * 2, "nothing is deleted");
    planted.assert_counts_hold().await;

    let effects = guidelines::effects(lead, &world.db, PETS, "ear").await.unwrap();
    let effect = &effects[0];
    assert_eq!((effect.version, effect.labels, effect.photos), (1, 6, 4));
    assert_eq!((effect.compared, effect.doubt.as_ref()), (Compared::Returned, Some(&pair())));
    // Before: on a, b, c and e the two agreed on b alone. After: both have answered a and b again, and agree on a.
    assert_eq!((effect.before.photos, effect.before.votes, effect.before.percent), (4, 8, Some(0.25)));
    assert_eq!((effect.after.photos, effect.after.votes, effect.after.percent), (2, 4, Some(0.5)));
    // drop 4, semi_erect 2, erect 1, unsure 1 among 8; 6 of 8 coincidences disagree: 1 - 7 * 6 / (64 - 22).
    assert!((effect.before.alpha.unwrap() - (1.0 - 7.0 * 6.0 / 42.0)).abs() < 1e-12, "{:?}", effect.before);

    // A version that sends nothing back is compared over all votes, and the first one's figures stay.
    planted.publish(None).await;
    let later = guidelines::effects(lead, &world.db, PETS, "ear").await.unwrap();
    assert_eq!(later[1], *effect);
    assert_eq!((later[0].compared, later[0].photos, later[0].before.photos), (Compared::All, 0, 6));
    assert_eq!((later[0].after.photos, later[0].after.percent), (0, None));
}

#[sqlx::test(migrations = "../migrations")]
async fn others_answer_what_is_not_sent_back_to_the_same(db: PgPool) {
    let planted = Planted::new(db).await;
    let Planted { world, ann, ben, cyd, since, .. } = &planted;
    let scope = DoubtScope { since: Some(*since), to: Requeue::Others, ..pair() };
    assert_eq!(planted.count(&scope).await, (4, 4, 1));
    let version = planted.publish(Some(&scope)).await;
    assert_eq!(planted.doubted().await, ["a ben", "b ben", "c ben", "e ben"]);
    assert!(planted.given(ann).await.is_empty());
    assert!(planted.given(ben).await.is_empty());
    assert_eq!(planted.given(cyd).await, [0, 1, 2, 4]);
    planted.answer(cyd, version, |_| "drop").await;
    planted.assert_counts_hold().await;
    let dan = world.member("dan", Role::Annotator).await;
    assert!(planted.given(&dan).await.is_empty(), "one slot each, and it is filled");
    let votes = review::disagreement(&planted.lead, &world.db, PETS, planted.photos[0], "ear").await.unwrap().votes;
    assert_eq!(votes.iter().map(|vote| vote.annotator.as_str()).collect::<Vec<_>>(), ["ann", "cyd"]);
    assert_eq!(planted.doubted().await.len(), 4, "ben's are still no votes");
}

#[sqlx::test(migrations = "../migrations")]
async fn who_cannot_answer_again_leaves_the_slot_to_others(db: PgPool) {
    let world = World::new(db).await;
    let photos = world.photos(&["a.jpg"]).await;
    let lead = world.member("lea", Role::Lead).await;
    let row = |annotator: &str, attribute: &str, answer: &str| LabelRow {
        line: 1,
        image: "a.jpg".to_owned(),
        annotator: annotator.to_owned(),
        attribute: attribute.to_owned(),
        answer: answer.into(),
        duration_ms: None,
        note: None,
    };
    let rows: Vec<LabelRow> = ["x", "y"]
        .iter()
        .flat_map(|name| [row(name, "ear", if *name == "x" { "drop" } else { "erect" }), row(name, "coat", "short")])
        .collect();
    labels::import(&lead, &world.db, PETS, &rows).await.unwrap();
    let ann = world.member("ann", Role::Annotator).await;
    assert!(annotate::claim(&ann, &world.db, PETS, 20, &[]).await.unwrap().photos.is_empty());
    let edit =
        DraftEdit { introduction: Texts::en("Look."), rules: Vec::new(), change_note: String::new(), based_on: None };
    guidelines::save_draft(&lead, &world.db, PETS, "ear", edit).await.unwrap();
    let scope = DoubtScope { values: vec!["drop".to_owned()], ..DoubtScope::default() };
    guidelines::publish(&lead, &world.db, PETS, "ear", "", Some(&scope)).await.unwrap();
    let claimed = annotate::claim(&ann, &world.db, PETS, 20, &[]).await.unwrap();
    assert_eq!(photo_ids(&claimed), photos);
    let ben = world.member("ben", Role::Annotator).await;
    assert!(annotate::claim(&ben, &world.db, PETS, 20, &[]).await.unwrap().photos.is_empty(), "y's vote stands");
}

#[sqlx::test(migrations = "../migrations")]
async fn disputed_photos_become_examples_and_nothing_of_a_draft_is_lost(db: PgPool) {
    let planted = Planted::new(db).await;
    let Planted { world, lead, photos, .. } = &planted;
    let example =
        |photo: usize, value: Option<&str>| AmendExample { photo_id: photos[photo], value: value.map(str::to_owned) };
    let amend = async |examples: &[AmendExample]| guidelines::amend(lead, &world.db, PETS, "ear", examples).await;
    planted.decide(4, "not_visible", "").await;
    for (wrong, why) in [
        (vec![], "no photo"),
        (vec![example(0, None)], "no side"),
        (vec![example(0, Some("unsure"))], "no value"),
        (vec![example(0, Some("floppy"))], "an unknown value"),
        (vec![example(4, Some("drop"))], "decided as not visible"),
    ] {
        let refused = amend(&wrong).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "examples", .. })), "{why}: {refused:?}");
    }
    assert_eq!(world.number("SELECT count(*) FROM guideline_versions").await, 0);

    // Without a draft one begins, as a copy of what is in force.
    let rule = |value: &str, text: &str, of: Vec<usize>| RuleEdit {
        value: value.to_owned(),
        rule: Texts::en(text),
        examples: of.iter().map(|at| ExampleEdit { photo_id: photos[*at], caption: "old".to_owned() }).collect(),
    };
    let edit = DraftEdit {
        introduction: Texts::en("Look at the tip."),
        rules: vec![rule("semi_erect", "It bends.", vec![5]), rule("drop", "It hangs.", vec![0])],
        change_note: String::new(),
        based_on: None,
    };
    guidelines::save_draft(lead, &world.db, PETS, "ear", edit).await.unwrap();
    guidelines::publish(lead, &world.db, PETS, "ear", "", None).await.unwrap();
    // The decision goes before the side that the lead picks; a photo that is an example already stays one.
    let chosen = [example(3, Some("drop")), example(0, Some("drop")), example(1, Some("semi_erect"))];
    let draft = amend(&chosen).await.unwrap();
    assert_eq!(draft.text.introduction, Texts::en("Look at the tip."));
    let told = |draft: &kenami_domain::view::guidelines::Draft| {
        let of = |rule: &kenami_domain::view::guidelines::Rule| {
            let examples = rule.examples.iter().map(|e| format!("{} {}", e.photo.name, e.caption)).collect::<Vec<_>>();
            (rule.value.clone(), rule.rule.own("en").map(str::to_owned), examples.join(", "))
        };
        draft.text.rules.iter().map(of).collect::<Vec<_>>()
    };
    let expected = |drop: &str, semi: &str| {
        let text = |text: &str| Some(text.to_owned());
        vec![
            ("semi_erect".to_owned(), text("It bends."), semi.to_owned()),
            ("drop".to_owned(), text("It hangs."), drop.to_owned()),
            ("erect".to_owned(), None, String::new()),
        ]
    };
    assert_eq!(told(&draft), expected("a.jpg old", "f.jpg old, d.jpg The tip bends., b.jpg "));

    // A draft that is being written keeps its words and gets a new date: who has it open is told.
    let edit = DraftEdit {
        introduction: Texts::en("Mine."),
        rules: vec![rule("semi_erect", "It bends.", vec![5]), rule("drop", "It hangs.", vec![])],
        change_note: "Because".to_owned(),
        based_on: Some(draft.updated_at),
    };
    let saved = guidelines::save_draft(lead, &world.db, PETS, "ear", edit.clone()).await.unwrap();
    let draft = amend(&[example(2, Some("drop"))]).await.unwrap();
    assert_eq!((draft.text.introduction.own("en"), draft.change_note.as_str()), (Some("Mine."), "Because"));
    assert_eq!(told(&draft), expected("c.jpg ", "f.jpg old"));
    let stale = DraftEdit { based_on: Some(saved.updated_at), ..edit };
    let refused = guidelines::save_draft(lead, &world.db, PETS, "ear", stale).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
}

#[sqlx::test(migrations = "../migrations")]
async fn agreement_is_measured_for_parts_of_the_votes(db: PgPool) {
    let planted = Planted::new(db).await;
    let Planted { world, lead, ann, .. } = &planted;
    let report = async |by: Option<AgreementBy>| review::report(lead, &world.db, PETS, by.as_ref()).await.unwrap();
    let whole = report(None).await;
    let ear = &whole.attributes["ear"];
    assert_eq!((ear.items, ear.votes, ear.cohen.len()), (6, 12, 1));
    // Alike on b and f of six.
    assert!((ear.percent.unwrap() - 1.0 / 3.0).abs() < 1e-12);
    let costliest = &ear.confused[0];
    assert_eq!((costliest.a.as_str(), costliest.b.as_str(), costliest.items), ("drop", "semi_erect", 2));
    assert!(ear.intervals.contains_key("alpha") && whole.groups.is_empty());
    // Breeds alternate: a, c and e are pugs.
    let by = report(Some(AgreementBy::from("breed"))).await;
    let groups = &by.groups["breed"]["ear"];
    assert_eq!((groups["pug"].percent, groups["pug"].items), (Some(0.0), 3));
    assert!((groups["poodle"].percent.unwrap() - 2.0 / 3.0).abs() < 1e-12);
    let by = report(Some(AgreementBy::Week)).await;
    assert_eq!(by.groups["week"]["ear"].values().map(|group| group.items).sum::<usize>(), 6);
    let version = planted.publish(Some(&pair())).await;
    planted.answer(ann, version, |_| "drop").await;
    let by = report(Some(AgreementBy::Version)).await;
    let groups = &by.groups["guideline_version"]["ear"];
    assert_eq!(
        groups.iter().map(|(version, group)| (version.as_str(), group.votes)).collect::<Vec<_>>(),
        [("1", 2), ("unknown", 6)]
    );
    assert_eq!(groups["1"].percent, None);
    assert!(groups["1"].undefined.contains_key("percent"));
    let unknown = review::report(lead, &world.db, PETS, Some(&AgreementBy::from("ear"))).await;
    assert!(matches!(unknown, Err(Error::NotFound("given attribute"))), "ear is no given attribute");
}
