//! Disagreements, decisions and agreement.

mod world;

use kenami_domain::{
    answer::Answer,
    roles::Role,
    view::review::{Cause, DecisionInput, DisagreementFilter, QueueCause},
};
use kenami_store::{actor::Actor, annotate, error::Error, gold, review};
use sqlx::PgPool;
use world::{PETS, World, submission};

/// Two annotators: ears differ on a, c and e; coats on c; d is unsure to both.
async fn disputed(db: PgPool) -> (World, Vec<i64>, Actor) {
    let world = World::new(db).await;
    let photos = world.photos(&["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    let answers = |of: &str| match of {
        "a.jpg" => (("drop", "short"), ("semi_erect", "short")),
        "b.jpg" => (("drop", "short"), ("drop", "short")),
        "c.jpg" => (("semi_erect", "long"), ("drop", "short")),
        "d.jpg" => (("unsure", "short"), ("unsure", "short")),
        _ => (("erect", "short"), ("not_visible", "short")),
    };
    world.annotate(&ann, |photo| answers(photo).0).await;
    world.annotate(&ben, |photo| answers(photo).1).await;
    let rae = world.member("rae", Role::Reviewer).await;
    (world, photos, rae)
}

async fn found(world: &World, actor: &Actor, filter: &DisagreementFilter) -> Vec<(String, String)> {
    let page = review::disagreements(actor, &world.db, PETS, filter, 50).await.unwrap();
    assert_eq!(page.next_cursor, None);
    page.items.into_iter().map(|item| (item.photo.name, item.attribute)).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

fn decision(photo_id: i64, answer: &str) -> DecisionInput {
    DecisionInput {
        photo_id,
        attribute: "ear".to_owned(),
        answer: Answer::from(answer),
        cause: Cause::EdgeCase,
        reason: " The tip bends. ".to_owned(),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn disagreements_by_attribute_and_pair(db: PgPool) {
    let (world, _, rae) = disputed(db).await;
    let of = |attribute: Option<&str>, pair: Option<(&str, &str)>| DisagreementFilter {
        attribute: attribute.map(str::to_owned),
        pair: pair.map(|(a, b)| (a.to_owned(), b.to_owned())),
        ..DisagreementFilter::default()
    };
    let all = [("a.jpg", "ear"), ("c.jpg", "ear"), ("c.jpg", "coat"), ("e.jpg", "ear")];
    for (filter, expected) in [
        (of(None, None), &all[..]),
        (of(Some("coat"), None), &all[2..3]),
        (of(None, Some(("drop", "semi_erect"))), &all[..2]),
        (of(None, Some(("semi_erect", "drop"))), &all[..2]),
        (of(Some("ear"), Some(("not_visible", "erect"))), &all[3..]),
        (of(None, Some(("short", "long"))), &all[2..3]),
        (of(Some("ear"), Some(("drop", "erect"))), &[]),
        (of(None, Some(("drop", "round"))), &[]),
        (of(None, Some(("unsure", "unsure"))), &[("d.jpg", "ear")]),
    ] {
        assert_eq!(found(&world, &rae, &filter).await, pairs(expected), "{filter:?}");
    }
    let unknown = review::disagreements(&rae, &world.db, PETS, &of(Some("tail"), None), 5).await;
    assert!(matches!(unknown, Err(Error::NotFound("attribute"))));

    let page = review::disagreements(&rae, &world.db, PETS, &of(None, None), 1).await.unwrap();
    let votes: Vec<_> = page.items[0].votes.iter().map(|vote| (vote.annotator.as_str(), vote.answer.key())).collect();
    assert_eq!(votes, [("ann", "drop"), ("ben", "semi_erect")]);
    assert_eq!(page.items[0].votes[0].duration_ms, Some(1200));
    assert_eq!(page.items[0].photo.given["breed"], "pug");
}

#[sqlx::test(migrations = "../migrations")]
async fn pages_go_on_within_a_photo(db: PgPool) {
    let (world, _, rae) = disputed(db).await;
    for limit in 1..=5 {
        let mut filter = DisagreementFilter::default();
        let mut seen = Vec::new();
        loop {
            let page = review::disagreements(&rae, &world.db, PETS, &filter, limit).await.unwrap();
            assert!(page.items.len() <= limit);
            seen.extend(page.items.into_iter().map(|item| (item.photo.name, item.attribute)));
            filter.cursor = page.next_cursor;
            if filter.cursor.is_none() {
                break;
            }
        }
        let all = [("a.jpg", "ear"), ("c.jpg", "ear"), ("c.jpg", "coat"), ("e.jpg", "ear")];
        assert_eq!(seen, pairs(&all), "pages of {limit}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn superseded_votes_and_retired_attributes_do_not_disagree(db: PgPool) {
    let (world, _, rae) = disputed(db).await;
    let ann = world.number("SELECT id FROM users WHERE name = 'ann'").await;
    let ann = Actor::User(kenami_store::actor::UserActor { id: ann, name: "ann".to_owned(), administrator: false });
    let history = annotate::history(&ann, &world.db, PETS, 10).await.unwrap();
    let claim = history.iter().find(|done| done.photo.name == "a.jpg").unwrap().claim_id;
    annotate::submit(&ann, &world.db, PETS, submission(claim, "semi_erect", "short")).await.unwrap();
    world.run("UPDATE attributes SET retired_at = now() WHERE key = 'coat'").await;
    let left = found(&world, &rae, &DisagreementFilter::default()).await;
    assert_eq!(left, pairs(&[("c.jpg", "ear"), ("e.jpg", "ear")]));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_decision_closes_and_a_later_one_supersedes(db: PgPool) {
    let (world, photos, rae) = disputed(db).await;
    let copy = world.duplicate("copy.jpg", photos[0]).await;
    let decided = review::decide(&rae, &world.db, PETS, decision(photos[0], "drop")).await.unwrap();
    assert_eq!((decided.answer.key(), decided.cause, decided.reviewer.as_str()), ("drop", Cause::EdgeCase, "rae"));
    assert_eq!(decided.reason, "The tip bends.");
    let open = DisagreementFilter::default();
    let all = DisagreementFilter { decided: true, ..open.clone() };
    assert_eq!(found(&world, &rae, &open).await.len(), 3);
    assert_eq!(found(&world, &rae, &all).await.len(), 4);
    // The copy is the same photo.
    review::decide(&rae, &world.db, PETS, decision(copy, "not_visible")).await.unwrap();
    let seen = review::disagreement(&rae, &world.db, PETS, copy, "ear").await.unwrap();
    assert_eq!(seen.photo.id, photos[0]);
    assert_eq!(seen.decision.unwrap().answer, Answer::NotVisible);
    assert_eq!(seen.votes.len(), 2, "votes stay");
    assert_eq!(world.number("SELECT count(*) FROM adjudications WHERE supersedes IS NOT NULL").await, 1);
    assert_eq!(review::decisions(&rae, &world.db, PETS, copy, "ear").await.unwrap().len(), 2);

    review::reopen(&rae, &world.db, PETS, photos[0], "ear").await.unwrap();
    assert_eq!(found(&world, &rae, &open).await.len(), 4);
    let again = review::reopen(&rae, &world.db, PETS, photos[0], "ear").await;
    assert!(matches!(again, Err(Error::NotFound("decision"))));
    assert_eq!(world.number("SELECT count(*) FROM adjudications").await, 2, "nothing is deleted");
    let error = sqlx::query("DELETE FROM adjudications").execute(&world.db).await.unwrap_err();
    assert!(error.to_string().contains("append-only"));

    for (bad, field) in [
        (decision(photos[0], "floppy"), "answer"),
        (DecisionInput { reason: "x".repeat(1001), ..decision(photos[0], "drop") }, "reason"),
    ] {
        match review::decide(&rae, &world.db, PETS, bad).await {
            Err(Error::Invalid { field: told, .. }) => assert_eq!(told, field),
            other => panic!("{other:?}"),
        }
    }
    let unknown = review::decide(&rae, &world.db, PETS, decision(photos[4] + 100, "drop")).await;
    assert!(matches!(unknown, Err(Error::NotFound("photo"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn two_reviewers_at_once_leave_one_decision(db: PgPool) {
    let (world, photos, rae) = disputed(db).await;
    let rob = world.member("rob", Role::Reviewer).await;
    let (one, other) = futures::join!(
        review::decide(&rae, &world.db, PETS, decision(photos[0], "drop")),
        review::decide(&rob, &world.db, PETS, decision(photos[0], "erect"))
    );
    one.unwrap();
    other.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM adjudications WHERE superseded_at IS NULL").await, 1);
    assert_eq!(world.number("SELECT count(*) FROM adjudications").await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn pairs_are_counted_per_attribute(db: PgPool) {
    let (world, photos, rae) = disputed(db).await;
    review::decide(&rae, &world.db, PETS, decision(photos[0], "drop")).await.unwrap();
    let told = review::pairs(&rae, &world.db, PETS).await.unwrap();
    let told: Vec<_> =
        told.iter().map(|p| (p.attribute.as_str(), p.a.as_str(), p.b.as_str(), p.photos, p.open)).collect();
    assert_eq!(
        told,
        [("ear", "drop", "semi_erect", 2, 1), ("ear", "erect", "not_visible", 1, 1), ("coat", "long", "short", 1, 1),]
    );
}

/// Percent by hand; alpha = 1 - (n - 1) (1 - o) / (n - s) with o the sum of diagonal coincidences over n, s the sum of
/// squared marginals over n (Krippendorff, nominal data).
#[sqlx::test(migrations = "../migrations")]
async fn agreement_has_the_textbook_values(db: PgPool) {
    let (world, _, rae) = disputed(db).await;
    let told = review::agreement(&rae, &world.db, PETS).await.unwrap();
    assert_eq!(told.iter().map(|a| a.attribute.as_str()).collect::<Vec<_>>(), ["ear", "coat"]);
    let ear = &told[0];
    assert_eq!((ear.photos, ear.votes), (5, 10));
    // Two of five photos agree. Marginals of the ten votes: drop 4, semi_erect 2, erect 1, not_visible 1, unsure 2.
    assert!((ear.percent.unwrap() - 0.4).abs() < 1e-12);
    let expected_pairs = f64::from(4 * 3 + 2 + 2) / 90.0;
    let alpha = 1.0 - 0.6 / (1.0 - expected_pairs);
    assert!((ear.alpha.unwrap() - alpha).abs() < 1e-12, "{:?} {alpha}", ear.alpha);
    // Without not visible and unsure: a, b and c are left: drop 4, semi_erect 2; one of three agrees.
    let alpha = 1.0 - (2.0 / 3.0) / (1.0 - f64::from(4 * 3 + 2) / 30.0);
    assert!((ear.alpha_not_visible_missing.unwrap() - alpha).abs() < 1e-12);
    assert_eq!(ear.undefined, None);
    assert!((told[1].percent.unwrap() - 0.8).abs() < 1e-12);
}

#[sqlx::test(migrations = "../migrations")]
async fn agreement_says_why_it_is_undefined(db: PgPool) {
    let world = World::new(db).await;
    world.photos(&["a.jpg", "b.jpg"]).await;
    let rae = world.member("rae", Role::Reviewer).await;
    for told in review::agreement(&rae, &world.db, PETS).await.unwrap() {
        assert_eq!((told.photos, told.votes, told.percent, told.alpha), (0, 0, None, None));
        assert!(told.undefined.is_some());
    }
    let ann = world.member("ann", Role::Annotator).await;
    world.annotate(&ann, |_| ("drop", "short")).await;
    for told in review::agreement(&rae, &world.db, PETS).await.unwrap() {
        assert_eq!((told.photos, told.percent, told.alpha), (0, None, None));
        assert!(told.undefined.is_some());
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn several_are_decided_at_once_or_none(db: PgPool) {
    let (world, photos, rae) = disputed(db).await;
    let refused = [decision(photos[0], "drop"), decision(photos[2], "round")];
    let refused = review::decide_many(&rae, &world.db, PETS, &refused).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "answer", .. })), "{refused:?}");
    let nothing = review::decide_many(&rae, &world.db, PETS, &[]).await;
    assert!(matches!(nothing, Err(Error::Invalid { field: "decisions", .. })), "{nothing:?}");
    assert_eq!(world.number("SELECT count(*) FROM adjudications").await, 0);

    let both = [decision(photos[2], "drop"), decision(photos[0], "drop")];
    assert_eq!(review::decide_many(&rae, &world.db, PETS, &both).await.unwrap(), 2);
    let open =
        found(&world, &rae, &DisagreementFilter { attribute: Some("ear".to_owned()), ..Default::default() }).await;
    assert_eq!(open, pairs(&[("e.jpg", "ear")]));
}

#[sqlx::test(migrations = "../migrations")]
async fn missed_gold_waits_until_it_is_decided_again(db: PgPool) {
    let (world, photos, rae) = disputed(db).await;
    let lead = world.member("lead", Role::Lead).await;
    let filter = |decided| DisagreementFilter { cause: QueueCause::Gold, decided, ..DisagreementFilter::default() };
    for photo in [photos[0], photos[1]] {
        review::decide(&rae, &world.db, PETS, decision(photo, "drop")).await.unwrap();
        gold::make(&lead, &world.db, PETS, photo, "ear").await.unwrap();
    }
    assert!(found(&world, &rae, &filter(true)).await.is_empty(), "votes are not answers to gold");
    world
        .run(
            "INSERT INTO annotators (project_id, name) SELECT id, 'zoe' FROM projects;
             INSERT INTO labels (project_id, photo_id, attribute_id, annotator_id, answer, value_id, gold)
             SELECT p.project_id, p.id, a.id, n.id, 'value', v.id, true
             FROM photos p JOIN attributes a ON a.project_id = p.project_id AND a.key = 'ear'
             JOIN annotators n ON n.name = 'zoe'
             JOIN attribute_values v ON v.attribute_id = a.id
                  AND v.key = CASE p.name WHEN 'a.jpg' THEN 'erect' ELSE 'drop' END
             WHERE p.name IN ('a.jpg', 'b.jpg')",
        )
        .await;
    assert_eq!(found(&world, &rae, &filter(false)).await, pairs(&[("a.jpg", "ear")]));
    let one = review::disagreement(&rae, &world.db, PETS, photos[0], "ear").await.unwrap();
    let given: Vec<_> = one.votes.iter().map(|vote| (vote.annotator.as_str(), vote.answer.key(), vote.gold)).collect();
    assert_eq!(given, [("ann", "drop", false), ("ben", "semi_erect", false), ("zoe", "erect", true)]);

    review::decide(&rae, &world.db, PETS, decision(photos[0], "drop")).await.unwrap();
    assert!(found(&world, &rae, &filter(false)).await.is_empty());
    assert_eq!(found(&world, &rae, &filter(true)).await, pairs(&[("a.jpg", "ear")]));
}
