//! Gold photos: who makes them, how they are mixed in, and that answers to them are no votes.

mod world;

use std::collections::HashSet;

use futures::future::join_all;
use kenami_domain::{
    answer::Answer,
    roles::Role,
    view::{
        dataset::FreezeInput,
        gold::GoldRow,
        project::GoldSettings,
        review::{Cause, DecisionInput, DisagreementFilter},
    },
};
use kenami_store::{actor::Actor, annotate, datasets, error::Error, gold, labels, projects, reports, review};
use sqlx::PgPool;
use world::{PETS, World, photo_ids, submission};

const LEAD: Actor = Actor::System;

async fn use_gold(world: &World, gold: GoldSettings) {
    let mut settings = projects::settings(&LEAD, &world.db, PETS).await.unwrap();
    settings.gold = gold;
    projects::update(&LEAD, &world.db, PETS, settings).await.unwrap();
}

async fn rate(world: &World, gold_rate: f64) {
    use_gold(world, GoldSettings { gold_rate, ..GoldSettings::default() }).await;
}

fn row(image: &str, attribute: &str, answer: &str) -> GoldRow {
    GoldRow {
        line: 2,
        image: image.to_owned(),
        attribute: attribute.to_owned(),
        answer: Answer::from(answer),
        explanation: "look at the tip".to_owned(),
    }
}

/// Photos that are gold in full: ears drop, coats short.
async fn golden(world: &World, count: usize) -> Vec<i64> {
    let names: Vec<String> = (0..count).map(|n| format!("gold-{n:04}.jpg")).collect();
    let ids = world.photos(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let rows: Vec<GoldRow> =
        names.iter().flat_map(|name| [row(name, "ear", "drop"), row(name, "coat", "short")]).collect();
    gold::put(&LEAD, &world.db, PETS, &rows).await.unwrap();
    ids
}

async fn many_photos(world: &World, count: usize) -> Vec<i64> {
    let names: Vec<String> = (0..count).map(|n| format!("{n:05}.jpg")).collect();
    world.photos(&names.iter().map(String::as_str).collect::<Vec<_>>()).await
}

async fn decide(world: &World, photo_id: i64, attribute: &str, answer: &str) {
    let input = DecisionInput {
        photo_id,
        attribute: attribute.to_owned(),
        answer: Answer::from(answer),
        cause: Cause::Slip,
        reason: "because".to_owned(),
    };
    review::decide(&LEAD, &world.db, PETS, input).await.unwrap();
}

async fn needed(world: &World, photo: i64) -> i64 {
    world.number(&format!("SELECT needed::bigint FROM tasks WHERE photo_id = {photo}")).await
}

#[sqlx::test(migrations = "../migrations")]
async fn a_table_makes_gold_and_decides(db: PgPool) {
    let world = World::new(db).await;
    let photos = world.photos(&["a.jpg", "b.jpg"]).await;
    world.duplicate("copy.jpg", photos[0]).await;
    let rows = [
        row("copy.jpg", "ear", "drop"),
        row("a.jpg", "coat", "not_visible"),
        row("b.jpg", "ear", "unsure"),
        row("b.jpg", "ear", "floppy"),
        row("b.jpg", "breed", "pug"),
        row("none.jpg", "ear", "drop"),
    ];
    let made = gold::put(&LEAD, &world.db, PETS, &rows).await.unwrap();
    assert_eq!((made.made, made.unchanged, made.problems.len()), (2, 0, 4), "{made:?}");
    let again = gold::put(&LEAD, &world.db, PETS, &rows).await.unwrap();
    assert_eq!((again.made, again.unchanged), (0, 2));
    // Both attributes are gold: the photo asks for no votes, and its answers are decisions.
    assert_eq!([needed(&world, photos[0]).await, needed(&world, photos[1]).await], [0, 2]);
    let decided = review::disagreement(&LEAD, &world.db, PETS, photos[0], "ear").await.unwrap().decision.unwrap();
    assert_eq!((decided.answer.key(), decided.reason.as_str()), ("drop", "look at the tip"));
    let freeze = FreezeInput { name: "v1".to_owned(), policy: Default::default(), run: None, seed: 0 };
    datasets::freeze(&LEAD, &world.db, PETS, freeze).await.unwrap();
    let items = datasets::items(&LEAD, &world.db, PETS, "v1").await.unwrap();
    assert!(format!("{items:?}").contains("drop"), "the gold answer is in the dataset: {items:?}");
    // Another answer replaces it, and the old one stays in the history.
    let other = gold::put(&LEAD, &world.db, PETS, &[row("a.jpg", "ear", "erect")]).await.unwrap();
    assert_eq!(other.made, 1);
    let list = gold::list(&LEAD, &world.db, PETS, None, 50).await.unwrap().items;
    assert_eq!(
        list.iter().map(|g| (g.attribute.as_str(), g.answer.key())).collect::<Vec<_>>(),
        [("ear", "erect"), ("coat", "not_visible")]
    );
    assert_eq!(world.number("SELECT count(*) FROM gold_answers WHERE removed_at IS NOT NULL").await, 1);
    gold::remove(&LEAD, &world.db, PETS, photos[0], "coat").await.unwrap();
    assert_eq!(needed(&world, photos[0]).await, 2, "its coat may be voted on again");
    assert!(matches!(
        gold::remove(&LEAD, &world.db, PETS, photos[0], "coat").await,
        Err(Error::NotFound("gold answer"))
    ));
    assert_eq!(world.number("SELECT count(*) FROM gold_answers").await, 3);
}

#[sqlx::test(migrations = "../migrations")]
async fn decisions_become_gold_and_gold_follows_them(db: PgPool) {
    let world = World::new(db).await;
    let photos = world.photos(&["a.jpg", "b.jpg", "c.jpg"]).await;
    let missing = gold::make(&LEAD, &world.db, PETS, photos[0], "ear").await;
    assert!(matches!(missing, Err(Error::NotFound("decision"))));
    decide(&world, photos[0], "ear", "drop").await;
    decide(&world, photos[1], "ear", "erect").await;
    decide(&world, photos[1], "coat", "unsure").await;
    decide(&world, photos[2], "coat", "unsure").await;
    let open = gold::make(&LEAD, &world.db, PETS, photos[2], "coat").await;
    assert!(matches!(open, Err(Error::Invalid { field: "answer", .. })));
    assert_eq!(gold::summary(&LEAD, &world.db, PETS).await.unwrap().decided, 2);
    gold::make(&LEAD, &world.db, PETS, photos[0], "ear").await.unwrap();
    gold::make(&LEAD, &world.db, PETS, photos[0], "ear").await.unwrap();
    assert_eq!(gold::make_many(&LEAD, &world.db, PETS, 5).await.unwrap(), 1);
    let summary = gold::summary(&LEAD, &world.db, PETS).await.unwrap();
    assert_eq!((summary.photos, summary.answers, summary.decided), (2, 2, 0));
    assert_eq!(gold::list(&LEAD, &world.db, PETS, None, 1).await.unwrap().items[0].explanation, "because");
    // A decision that says the same leaves gold alone; another one, or none, ends it.
    decide(&world, photos[0], "ear", "drop").await;
    assert_eq!(gold::summary(&LEAD, &world.db, PETS).await.unwrap().photos, 2);
    decide(&world, photos[0], "ear", "erect").await;
    review::reopen(&LEAD, &world.db, PETS, photos[1], "ear").await.unwrap();
    assert_eq!(gold::summary(&LEAD, &world.db, PETS).await.unwrap().photos, 0);
    for (photos, fits) in [(0, false), (1001, false), (1000, true)] {
        assert_eq!(gold::make_many(&LEAD, &world.db, PETS, photos).await.is_ok(), fits);
    }
}

/// Hundreds of claims by several annotators at once: everybody has the share of gold, nobody a photo twice, and the queue
/// gives every slot once all the same.
#[sqlx::test(migrations = "../migrations")]
async fn gold_is_mixed_in_at_the_rate_and_takes_nothing_from_the_queue(db: PgPool) {
    let world = World::new(db).await;
    let gold: HashSet<i64> = golden(&world, 60).await.into_iter().collect();
    many_photos(&world, 400).await;
    rate(&world, 0.1).await;
    let mut people = Vec::new();
    for n in 0..4 {
        people.push(world.member(&format!("annotator-{n}"), Role::Annotator).await);
    }
    let work = people.iter().enumerate().map(|(n, actor)| {
        let (world, gold) = (&world, &gold);
        async move {
            let mut seen = Vec::new();
            loop {
                let claimed = annotate::claim(actor, &world.db, PETS, 1 + n * 2, &[]).await.unwrap();
                if claimed.photos.is_empty() {
                    return seen;
                }
                for photo in &claimed.photos {
                    seen.push(photo.photo.id);
                    let ear = if gold.contains(&photo.photo.id) && n == 3 { "erect" } else { "drop" };
                    let sent = submission(photo.claim_id, ear, "short");
                    let progress = annotate::submit(actor, &world.db, PETS, sent).await.unwrap();
                    assert_eq!(progress.done, seen.len() as i64);
                }
            }
        }
    });
    let seen = join_all(work).await;
    for photos in &seen {
        assert_eq!(photos.iter().collect::<HashSet<_>>().len(), photos.len(), "a photo came twice to one annotator");
        let given = photos.iter().filter(|photo| gold.contains(photo)).count() as f64;
        assert!((given - photos.len() as f64 * 0.1).abs() <= 1.5, "{given} of {}", photos.len());
    }
    // The queue: two votes on each of the others, none on gold.
    assert_eq!(world.number("SELECT count(*) FROM tasks WHERE taken <> needed").await, 0);
    assert_eq!(world.number("SELECT count(*) FROM claims WHERE slot IS NOT NULL").await, 800);
    assert_eq!(world.number("SELECT count(*) FROM claims WHERE gold = (slot IS NOT NULL)").await, 0);
    assert_eq!(
        world.number("SELECT count(*) FROM annotators WHERE (photos_done, photos_outside) <>
                      (SELECT count(*), count(*) FILTER (WHERE gold) FROM claims c WHERE c.annotator_id = annotators.id)")
            .await,
        0
    );
    let progress = projects::progress(&LEAD, &world.db, PETS).await.unwrap();
    assert_eq!((progress.slots, progress.slots_done, progress.photos_done), (800, 800, 460));
    // Answers to gold are labels with a mark, and no votes.
    let marked = world.number("SELECT count(*) FROM labels WHERE gold").await;
    assert_eq!(marked, 2 * seen.iter().flatten().filter(|photo| gold.contains(photo)).count() as i64);
    let filter = DisagreementFilter::default();
    assert!(review::disagreements(&LEAD, &world.db, PETS, &filter, 10).await.unwrap().items.is_empty());
    assert_eq!(labels::export(&LEAD, &world.db, PETS).await.unwrap().len(), 1600);
    let agreement = review::agreement(&LEAD, &world.db, PETS).await.unwrap();
    assert_eq!((agreement[0].photos, agreement[0].votes, agreement[0].percent), (400, 800, Some(1.0)));
    // And the report knows who was right.
    let rows = reports::annotators(&LEAD, &world.db, PETS).await.unwrap();
    for row in rows {
        let right = if row.name == "annotator-3" { row.gold.answers / 2 } else { row.gold.answers };
        assert!(row.gold.answers > 10 && row.gold.right == right, "{row:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_payload_and_the_progress_do_not_tell(db: PgPool) {
    let world = World::new(db).await;
    let gold: HashSet<i64> = golden(&world, 30).await.into_iter().collect();
    many_photos(&world, 60).await;
    rate(&world, 0.25).await;
    let ann = world.member("ann", Role::Annotator).await;
    let (mut before, mut had) = (None::<kenami_domain::view::annotate::MyProgress>, 0);
    loop {
        let claimed = annotate::claim(&ann, &world.db, PETS, 8, &[]).await.unwrap();
        if claimed.photos.is_empty() {
            break;
        }
        let ids: Vec<i64> = claimed.photos.iter().map(|photo| photo.claim_id).collect();
        assert!(ids.is_sorted(), "claims are numbered as they are shown: {ids:?}");
        let fields =
            |photo| serde_json::to_value(photo).unwrap().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(claimed.photos.iter().map(fields).collect::<HashSet<_>>().len(), 1);
        for photo in claimed.photos {
            had += i64::from(gold.contains(&photo.photo.id));
            let sent = submission(photo.claim_id, "drop", "short");
            let progress = annotate::submit(&ann, &world.db, PETS, sent).await.unwrap();
            if let Some(before) = before {
                let moved = (progress.done - before.done, progress.open - before.open);
                assert_eq!(moved, (1, -1), "{before:?} {progress:?}");
                assert_eq!(progress.project_done - before.project_done, 1);
                assert_eq!(progress.project_total, before.project_total);
            }
            before = Some(progress);
        }
    }
    // Gold behind the last photo is not given.
    assert!((19..=20).contains(&had), "{had}");
    assert_eq!(before.unwrap().open, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_gold_photo_is_given_back_expires_and_comes_again(db: PgPool) {
    let world = World::new(db).await;
    let gold = golden(&world, 2).await;
    many_photos(&world, 10).await;
    rate(&world, 0.5).await;
    let ann = world.member("ann", Role::Annotator).await;
    let lead = world.member("lead", Role::Lead).await;
    let first = annotate::claim(&ann, &world.db, PETS, 6, &[]).await.unwrap();
    let mine: Vec<i64> = photo_ids(&first).into_iter().filter(|photo| gold.contains(photo)).collect();
    assert_eq!(mine.len(), 2, "{:?}", photo_ids(&first));
    annotate::release_all(&ann, &world.db).await.unwrap();
    assert_eq!(world.number("SELECT sum(taken)::bigint FROM tasks").await, 0);
    let again = annotate::claim(&ann, &world.db, PETS, 6, &[]).await.unwrap();
    assert_eq!(photo_ids(&again), photo_ids(&first), "the same photos in the same order");
    // Expired and swept by somebody else; the late answer is kept, marked, and takes no slot.
    world.run("UPDATE claims SET expires_at = now() - interval '1 second'").await;
    let others = annotate::claim(&lead, &world.db, PETS, 20, &[]).await.unwrap();
    assert!(photo_ids(&others).iter().all(|photo| !gold.contains(photo)), "leads know the answers");
    let late = again.photos.iter().find(|photo| gold.contains(&photo.photo.id)).unwrap();
    annotate::submit(&ann, &world.db, PETS, submission(late.claim_id, "erect", "short")).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM labels WHERE gold").await, 2);
    assert_eq!(world.number("SELECT taken::bigint FROM tasks WHERE needed = 0 ORDER BY taken DESC LIMIT 1").await, 0);
    // Taken back and answered again it is still gold.
    annotate::undo(&ann, &world.db, PETS, late.claim_id).await.unwrap();
    annotate::submit(&ann, &world.db, PETS, submission(late.claim_id, "drop", "short")).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM labels WHERE gold AND superseded_at IS NULL").await, 2);
    assert_eq!(world.number("SELECT photos_done - photos_outside FROM annotators WHERE name = 'ann'").await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn gold_in_part_waits_until_its_votes_are_in(db: PgPool) {
    let world = World::new(db).await;
    let photos = many_photos(&world, 4).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    let cyd = world.member("cyd", Role::Annotator).await;
    gold::put(&LEAD, &world.db, PETS, &[row("00000.jpg", "ear", "drop")]).await.unwrap();
    rate(&world, 0.5).await;
    // It needs votes on its coat: it is a photo like any other.
    world.annotate(&ann, |_| ("drop", "short")).await;
    assert_eq!(world.number("SELECT count(*) FROM claims WHERE gold").await, 0);
    world.annotate(&ben, |_| ("drop", "long")).await;
    world.photos(&["u.jpg", "v.jpg", "w.jpg", "x.jpg", "y.jpg", "z.jpg"]).await;
    let claimed = annotate::claim(&cyd, &world.db, PETS, 4, &[]).await.unwrap();
    assert!(photo_ids(&claimed).contains(&photos[0]) && claimed.photos.len() == 4, "{:?}", photo_ids(&claimed));
    assert_eq!(world.number("SELECT photo_id FROM claims WHERE gold").await, photos[0]);
}
