//! The queue and the labels, by annotators who work at the same time.

mod world;

use std::collections::{BTreeMap, HashSet};

use futures::future::join_all;
use kenami_domain::{answer::Answer, roles::Role, view::annotate::Submission};
use kenami_store::{annotate, error::Error};
use sqlx::PgPool;
use uuid::Uuid;
use world::{PETS, World, answer, photo_ids, submission};

const WRONG_COUNTS: &str = "SELECT count(*) FROM tasks t WHERE taken <> (SELECT count(*) FROM claims c
                        WHERE c.photo_id = t.photo_id AND c.released_at IS NULL)";
const WRONG_DONE: &str = "SELECT count(*) FROM annotators a WHERE photos_done <> (SELECT count(*) FROM claims c
                        WHERE c.annotator_id = a.id AND c.released_at IS NULL AND c.done_at IS NOT NULL)";

/// `taken` is what it says, the claims that are held or done; and `photos_done`, those that are done.
async fn assert_counts_hold(world: &World) {
    assert_eq!(world.number(WRONG_COUNTS).await, 0, "tasks.taken differs from the claims");
    assert_eq!(world.number(WRONG_DONE).await, 0, "annotators.photos_done differs from the claims");
}

#[sqlx::test(migrations = "../migrations")]
async fn two_annotators_share_a_photo_and_never_a_slot(db: PgPool) {
    let world = World::new(db).await;
    world.photos(&["a.jpg", "b.jpg"]).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    let cyd = world.member("cyd", Role::Annotator).await;
    let first = annotate::claim(&ann, &world.db, PETS, 5, &[]).await.unwrap();
    assert_eq!(first.photos.iter().map(|p| p.photo.name.as_str()).collect::<Vec<_>>(), ["a.jpg", "b.jpg"]);
    assert_eq!(first.photos[0].photo.given["breed"], "pug");
    // Held photos are open ones, too.
    assert_eq!((first.progress.open, first.progress.project_total), (2, 4));
    let second = annotate::claim(&ben, &world.db, PETS, 5, &[]).await.unwrap();
    assert_eq!(photo_ids(&second), photo_ids(&first));
    assert_eq!(world.number("SELECT count(DISTINCT (photo_id, slot)) FROM claims").await, 4);
    // Both slots of both photos are held: nothing for a third, who is told that they may come back.
    let third = annotate::claim(&cyd, &world.db, PETS, 5, &[]).await.unwrap();
    assert!(third.photos.is_empty());
    assert_eq!(third.held_by_others, 4);
    assert_counts_hold(&world).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn twenty_annotators_at_once_serve_every_slot_once(db: PgPool) {
    let world = World::new(db).await;
    world.run("UPDATE projects SET overlap = 3").await;
    let names: Vec<String> = (0..60).map(|n| format!("{n:03}.jpg")).collect();
    world.photos(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut actors = Vec::new();
    for n in 0..20 {
        actors.push(world.member(&format!("annotator-{n}"), Role::Annotator).await);
    }
    let work = actors.iter().map(|actor| {
        let world = &world;
        async move {
            let mut seen = Vec::new();
            loop {
                // Two tabs of the same annotator ask at once.
                let (one, other) = futures::join!(
                    annotate::claim(actor, &world.db, PETS, 3, &[]),
                    annotate::claim(actor, &world.db, PETS, 2, &[])
                );
                let (one, other) = (one.unwrap(), other.unwrap());
                let claims: BTreeMap<i64, i64> =
                    one.photos.iter().chain(&other.photos).map(|p| (p.claim_id, p.photo.id)).collect();
                if claims.is_empty() {
                    return seen;
                }
                for (claim, photo) in claims {
                    seen.push(photo);
                    annotate::submit(actor, &world.db, PETS, submission(claim, "drop", "short")).await.unwrap();
                }
            }
        }
    });
    let seen = join_all(work).await;
    for photos in &seen {
        assert_eq!(photos.iter().collect::<HashSet<_>>().len(), photos.len(), "a photo came twice to one annotator");
    }
    assert_eq!(seen.iter().map(Vec::len).sum::<usize>(), 180);
    assert_eq!(
        world.number("SELECT count(DISTINCT (photo_id, slot)) FROM claims WHERE done_at IS NOT NULL").await,
        180
    );
    assert_eq!(world.number("SELECT count(*) FROM claims").await, 180);
    assert_eq!(world.number("SELECT max(slot)::bigint FROM claims").await, 3);
    assert_eq!(world.number("SELECT count(*) FROM labels WHERE superseded_at IS NULL").await, 360);
    assert_counts_hold(&world).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn an_abandoned_slot_returns_when_its_time_is_over(db: PgPool) {
    let world = World::new(db).await;
    world.run("UPDATE projects SET overlap = 1").await;
    let photos = world.photos(&["a.jpg"]).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    let held = annotate::claim(&ann, &world.db, PETS, 1, &[]).await.unwrap();
    assert!(annotate::claim(&ben, &world.db, PETS, 1, &[]).await.unwrap().photos.is_empty());
    world.run("UPDATE claims SET expires_at = now() - interval '1 second'").await;
    // Who holds it keeps it while nobody else asks.
    let again = annotate::claim(&ann, &world.db, PETS, 1, &[held.photos[0].claim_id]).await.unwrap();
    assert_eq!(again.photos[0].claim_id, held.photos[0].claim_id);
    assert!(again.photos[0].expires_at > held.photos[0].expires_at - time::Duration::seconds(1));
    world.run("UPDATE claims SET expires_at = now() - interval '1 second'").await;
    let taken = annotate::claim(&ben, &world.db, PETS, 1, &[]).await.unwrap();
    assert_eq!(photo_ids(&taken), photos);
    assert_counts_hold(&world).await;

    // The first annotator's answers come too late for the slot; they are kept all the same, in a slot of their own.
    let claim = held.photos[0].claim_id;
    let progress = annotate::submit(&ann, &world.db, PETS, submission(claim, "drop", "short")).await.unwrap();
    assert_eq!(progress.done, 1);
    annotate::submit(&ben, &world.db, PETS, submission(taken.photos[0].claim_id, "erect", "long")).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM labels WHERE superseded_at IS NULL").await, 4);
    assert_eq!(world.number("SELECT taken::bigint FROM tasks").await, 2);
    assert_counts_hold(&world).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn an_expired_claim_whose_slot_is_still_free_is_accepted(db: PgPool) {
    let world = World::new(db).await;
    world.run("UPDATE projects SET overlap = 1").await;
    world.photos(&["a.jpg"]).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    let claim = annotate::claim(&ann, &world.db, PETS, 1, &[]).await.unwrap().photos[0].claim_id;
    annotate::release(&ben, &world.db, PETS, &[claim]).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM claims WHERE released_at IS NULL").await, 1, "not ben's to release");
    annotate::release(&ann, &world.db, PETS, &[claim]).await.unwrap();
    assert_eq!(world.number("SELECT taken::bigint FROM tasks").await, 0);
    annotate::submit(&ann, &world.db, PETS, submission(claim, "drop", "short")).await.unwrap();
    assert_eq!(world.number("SELECT taken::bigint FROM tasks").await, 1);
    assert!(annotate::claim(&ben, &world.db, PETS, 1, &[]).await.unwrap().photos.is_empty());
    assert_counts_hold(&world).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn signing_out_gives_everything_back(db: PgPool) {
    let world = World::new(db).await;
    world.photos(&["a.jpg", "b.jpg", "c.jpg"]).await;
    let ann = world.member("ann", Role::Annotator).await;
    let held = annotate::claim(&ann, &world.db, PETS, 3, &[]).await.unwrap();
    annotate::submit(&ann, &world.db, PETS, submission(held.photos[1].claim_id, "drop", "short")).await.unwrap();
    annotate::release_all(&ann, &world.db).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM claims WHERE released_at IS NULL").await, 1);
    assert_counts_hold(&world).await;
    let again = annotate::claim(&ann, &world.db, PETS, 3, &[]).await.unwrap();
    let names: Vec<_> = again.photos.iter().map(|photo| photo.photo.name.as_str()).collect();
    assert_eq!(names, ["a.jpg", "c.jpg"], "the answered photo does not come again");
}

#[sqlx::test(migrations = "../migrations")]
async fn photos_in_hand_come_first_in_the_order_of_the_page(db: PgPool) {
    let world = World::new(db).await;
    let photos = world.photos(&["a.jpg", "b.jpg", "c.jpg", "d.jpg"]).await;
    let ann = world.member("ann", Role::Annotator).await;
    let held = annotate::claim(&ann, &world.db, PETS, 3, &[]).await.unwrap();
    let [a, b, c] = [0, 1, 2].map(|n| held.photos[n].claim_id);
    let next = annotate::claim(&ann, &world.db, PETS, 4, &[c, a]).await.unwrap();
    assert_eq!(photo_ids(&next), [photos[2], photos[0], photos[1], photos[3]]);
    assert_eq!(next.photos[2].claim_id, b);
    assert_eq!(photo_ids(&annotate::claim(&ann, &world.db, PETS, 1, &[c]).await.unwrap()), [photos[2]]);
    assert_eq!(annotate::claim(&ann, &world.db, PETS, 0, &[]).await.unwrap().photos.len(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn urgent_photos_come_first(db: PgPool) {
    let world = World::new(db).await;
    let photos = world.photos(&["a.jpg", "b.jpg", "c.jpg"]).await;
    world.run("UPDATE tasks SET priority = 1 WHERE photo_id = (SELECT id FROM photos WHERE name = 'c.jpg')").await;
    let ann = world.member("ann", Role::Annotator).await;
    let claimed = annotate::claim(&ann, &world.db, PETS, 2, &[]).await.unwrap();
    assert_eq!(photo_ids(&claimed), [photos[2], photos[0]]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_repeated_submission_changes_nothing(db: PgPool) {
    let world = World::new(db).await;
    world.photos(&["a.jpg", "b.jpg"]).await;
    let ann = world.member("ann", Role::Annotator).await;
    let held = annotate::claim(&ann, &world.db, PETS, 2, &[]).await.unwrap();
    let sent = submission(held.photos[0].claim_id, "drop", "short");
    let (one, other) = futures::join!(
        annotate::submit(&ann, &world.db, PETS, sent.clone()),
        annotate::submit(&ann, &world.db, PETS, sent.clone())
    );
    assert_eq!((one.unwrap().done, other.unwrap().done), (1, 1));
    // Also after the answer has been changed: a retry that was long under way does not undo the change.
    let claim = held.photos[0].claim_id;
    annotate::undo(&ann, &world.db, PETS, claim).await.unwrap();
    annotate::submit(&ann, &world.db, PETS, submission(claim, "erect", "short")).await.unwrap();
    annotate::submit(&ann, &world.db, PETS, sent.clone()).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM labels").await, 4);
    let stands: String = sqlx::query_scalar(
        "SELECT v.key FROM labels l JOIN attribute_values v ON v.id = l.value_id JOIN attributes a ON a.id = l.attribute_id
         WHERE a.key = 'ear' AND superseded_at IS NULL",
    )
    .fetch_one(&world.db)
    .await
    .unwrap();
    assert_eq!(stands, "erect");
    // The same key for another photo is a mistake of the page.
    let reused = Submission { claim_id: held.photos[1].claim_id, ..sent };
    assert!(matches!(annotate::submit(&ann, &world.db, PETS, reused).await, Err(Error::Conflict(_))));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_undone_photo_keeps_its_labels_until_it_is_answered_again(db: PgPool) {
    let world = World::new(db).await;
    world.run("UPDATE projects SET overlap = 1").await;
    world.photos(&["a.jpg", "b.jpg"]).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    let held = annotate::claim(&ann, &world.db, PETS, 1, &[]).await.unwrap();
    let claim = held.photos[0].claim_id;
    let mut sent = submission(claim, "unsure", "short");
    sent.answers[0].note = " only the tip bends ".to_owned();
    annotate::submit(&ann, &world.db, PETS, sent).await.unwrap();
    let history = annotate::history(&ann, &world.db, PETS, 5).await.unwrap();
    assert_eq!(history.iter().map(|photo| photo.claim_id).collect::<Vec<_>>(), [claim]);

    let undone = annotate::undo(&ann, &world.db, PETS, claim).await.unwrap();
    assert_eq!(undone.answers["ear"].answer, Answer::Unsure);
    assert_eq!(undone.answers["ear"].note, "only the tip bends");
    assert!(undone.in_doubt.is_empty());
    assert_eq!(annotate::my_progress(&ann, &world.db, PETS).await.unwrap().done, 0);
    assert!(matches!(annotate::undo(&ben, &world.db, PETS, claim).await, Err(Error::NotFound("claim"))));
    // Neither time nor signing out takes it away, since its labels stand.
    world.run("UPDATE claims SET expires_at = now() - interval '1 second'").await;
    annotate::release_all(&ann, &world.db).await.unwrap();
    let others = annotate::claim(&ben, &world.db, PETS, 5, &[]).await.unwrap();
    assert_eq!(others.photos.iter().map(|p| p.photo.name.as_str()).collect::<Vec<_>>(), ["b.jpg"]);
    assert_eq!(annotate::claim(&ann, &world.db, PETS, 1, &[]).await.unwrap().photos[0].claim_id, claim);

    annotate::submit(&ann, &world.db, PETS, submission(claim, "drop", "long")).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM labels").await, 4);
    let chained = "SELECT count(*) FROM labels new JOIN labels old ON old.id = new.supersedes
                   WHERE old.superseded_at IS NOT NULL AND new.superseded_at IS NULL AND old.attribute_id = new.attribute_id";
    assert_eq!(world.number(chained).await, 2);
    assert_counts_hold(&world).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn answers_must_fit_the_schema(db: PgPool) {
    let world = World::new(db).await;
    world.photos(&["a.jpg"]).await;
    world.run("UPDATE attribute_values SET retired_at = now() WHERE key = 'semi_erect'").await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    let claim = annotate::claim(&ann, &world.db, PETS, 1, &[]).await.unwrap().photos[0].claim_id;
    let good = submission(claim, "drop", "short");
    let mut cases = Vec::new();
    for (change, told) in [
        (vec![answer("ear", "drop")], "`coat` has no answer"),
        (vec![answer("ear", "drop"), answer("coat", "short"), answer("ear", "erect")], "`ear` is answered twice"),
        (vec![answer("ear", "drop"), answer("coat", "short"), answer("breed", "pug")], "`breed`"),
        (vec![answer("ear", "floppy"), answer("coat", "short")], "`ear` has no value `floppy`"),
        (vec![answer("ear", "semi_erect"), answer("coat", "short")], "has been retired"),
    ] {
        cases.push((Submission { answers: change, ..good.clone() }, told));
    }
    let mut long = good.clone();
    long.answers[1].note = "x".repeat(1001);
    cases.push((long, "`coat` is longer"));
    let mut version = good.clone();
    version.answers[0].guideline_version = Some(3);
    cases.push((version, "no guideline version 3"));
    let mut negative = good.clone();
    negative.answers[0].duration_ms = Some(-1);
    cases.push((negative, "negative"));
    for (bad, told) in cases {
        match annotate::submit(&ann, &world.db, PETS, bad).await {
            Err(Error::Invalid { field: "answers", message }) => assert!(message.contains(told), "{message}"),
            other => panic!("{told}: {other:?}"),
        }
    }
    assert_eq!(world.number("SELECT count(*) FROM labels").await, 0);
    for (actor, claim) in [(&ben, claim), (&ann, claim + 1000)] {
        let sent = submission(claim, "drop", "short");
        assert!(matches!(annotate::submit(actor, &world.db, PETS, sent).await, Err(Error::NotFound("claim"))));
    }
    annotate::submit(&ann, &world.db, PETS, good).await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn labels_cannot_be_changed_or_deleted(db: PgPool) {
    let world = World::new(db).await;
    world.photos(&["a.jpg"]).await;
    let ann = world.member("ann", Role::Annotator).await;
    world.annotate(&ann, |_| ("drop", "short")).await;
    for sql in [
        "UPDATE labels SET note = 'other'",
        "UPDATE labels SET answer = 'unsure', value_id = NULL, superseded_at = now()",
        "DELETE FROM labels",
        "TRUNCATE labels CASCADE",
    ] {
        let error = sqlx::query(sql).execute(&world.db).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
    world.run("UPDATE labels SET superseded_at = now()").await;
    let error = sqlx::query("UPDATE labels SET superseded_at = NULL").execute(&world.db).await.unwrap_err();
    assert!(error.to_string().contains("append-only"));
}

#[sqlx::test(migrations = "../migrations")]
async fn who_has_imported_labels_becomes_that_annotator(db: PgPool) {
    let world = World::new(db).await;
    world.photos(&["a.jpg"]).await;
    let id = world
        .number(&format!("INSERT INTO annotators (project_id, name) VALUES ({}, 'Ann') RETURNING id", world.project_id))
        .await;
    let ann = world.member("ann", Role::Annotator).await;
    annotate::claim(&ann, &world.db, PETS, 1, &[]).await.unwrap();
    assert_eq!(world.number("SELECT annotator_id FROM claims").await, id);
    assert_eq!(world.number("SELECT count(*) FROM annotators").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_repeated_key_needs_the_same_page(db: PgPool) {
    let world = World::new(db).await;
    world.photos(&["a.jpg"]).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    let key = Uuid::new_v4();
    // Keys belong to their annotator: another's are no hindrance.
    for actor in [&ann, &ben] {
        let claim = annotate::claim(actor, &world.db, PETS, 1, &[]).await.unwrap().photos[0].claim_id;
        let sent = Submission { idempotency_key: key, ..submission(claim, "drop", "short") };
        annotate::submit(actor, &world.db, PETS, sent).await.unwrap();
    }
    assert_eq!(world.number("SELECT count(*) FROM labels").await, 4);
}
