//! Reports, pauses, doubts and progress: what a lead sees of annotators and does about them.

mod world;

use std::collections::BTreeMap;

use kenami_domain::{
    answer::Answer,
    roles::Role,
    schema::Texts,
    view::{
        annotate::Stopped,
        guidelines::{Doubt, DraftEdit},
        report::DoubtInput,
        review::{Cause, DecisionInput},
    },
};
use kenami_store::{actor::Actor, annotate, error::Error, guidelines, labels, oversight, reports, review};
use sqlx::PgPool;
use time::OffsetDateTime;
use world::{PETS, World, photo_ids, submission};

const LEAD: Actor = Actor::System;
const WRONG_COUNTS: &str = "SELECT count(*) FROM tasks t WHERE taken <> (SELECT count(*) FROM claims c
                        WHERE c.photo_id = t.photo_id AND c.released_at IS NULL AND c.slot IS NOT NULL)";
const WRONG_DONE: &str = "SELECT count(*) FROM annotators a WHERE (photos_done, photos_outside) <>
                        (SELECT count(*), count(*) FILTER (WHERE slot IS NULL) FROM claims c
                        WHERE c.annotator_id = a.id AND c.released_at IS NULL AND c.done_at IS NOT NULL)";

async fn assert_counts_hold(world: &World) {
    assert_eq!(world.number(WRONG_COUNTS).await, 0, "tasks.taken differs from the claims");
    assert_eq!(world.number(WRONG_DONE).await, 0, "annotators.photos_done differs from the claims");
}

/// Ids of annotators by name.
async fn ids(world: &World) -> BTreeMap<String, i64> {
    let rows = reports::annotators(&LEAD, &world.db, PETS).await.unwrap();
    rows.into_iter().map(|row| (row.name, row.id)).collect()
}

const NAMES: [&str; 6] = ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg"];

#[sqlx::test(migrations = "../migrations")]
async fn a_report_says_how_somebody_answers(db: PgPool) {
    let world = World::new(db).await;
    let photos = world.photos(&NAMES).await;
    let [ann, ben] = [world.member("ann", Role::Annotator).await, world.member("ben", Role::Annotator).await];
    assert_eq!(reports::mine(&ann, &world.db, PETS).await.unwrap(), None);
    world.annotate(&ann, |_| ("drop", "short")).await;
    let answer = |name: &str| match name {
        "a.jpg" => ("erect", "short"),
        "b.jpg" => ("erect", "not_visible"),
        "c.jpg" => ("unsure", "short"),
        _ => ("drop", "short"),
    };
    world.annotate(&ben, answer).await;
    let input = DecisionInput {
        photo_id: photos[0],
        attribute: "ear".to_owned(),
        answer: Answer::from("erect"),
        cause: Cause::Slip,
        reason: String::new(),
    };
    review::decide(&LEAD, &world.db, PETS, input).await.unwrap();
    let report = reports::annotator(&LEAD, &world.db, PETS, ids(&world).await["ben"]).await.unwrap();
    assert_eq!(reports::mine(&ben, &world.db, PETS).await.unwrap().unwrap(), report);
    assert_eq!((report.annotator.photos_done, report.speed.photos, report.speed.median_ms), (6, 6, Some(2400.0)));
    assert_eq!((report.speed.lower_ms, report.speed.upper_ms), (Some(2400.0), Some(2400.0)));
    assert_eq!(report.speed.days.iter().map(|day| day.photos).sum::<i64>(), 6);
    let [ear, coat] = &report.attributes[..] else { panic!("{:?}", report.attributes) };
    assert_eq!((ear.labels, ear.unsure, ear.not_visible, ear.pairs), (6, 1, 0, 6));
    assert_eq!((coat.not_visible, coat.percent), (1, Some(5.0 / 6.0)));
    assert_eq!(ear.percent, Some(0.5));
    // By hand: coincidences drop/drop 6, drop/erect 2 + 2, drop/unsure 1 + 1; n = 12, drop 9, erect 2, unsure 1;
    // alpha = 1 - (12 - 1) * 6 / (144 - 81 - 4 - 1).
    assert!((ear.alpha.unwrap() - (1.0 - 11.0 * 6.0 / 58.0)).abs() < 1e-9, "{ear:?}");
    // Down: erect by the decision of a.jpg; drop by Ann's votes on the others.
    let keys: Vec<&str> = ear.confusion.answers.iter().map(Answer::key).collect();
    assert_eq!(keys, ["drop", "semi_erect", "erect", "not_visible", "unsure"]);
    assert_eq!(ear.confusion.counts[0], [3, 0, 1, 0, 1]);
    assert_eq!(ear.confusion.counts[2], [0, 0, 1, 0, 0]);
    assert_eq!((ear.gold.answers, ear.gold_interval), (0, None));
    // Labels of others alone: what is in doubt of them does not count.
    let doubt = DoubtInput::default();
    oversight::doubt(&LEAD, &world.db, PETS, ids(&world).await["ann"], &doubt).await.unwrap();
    let report = reports::annotator(&LEAD, &world.db, PETS, ids(&world).await["ben"]).await.unwrap();
    assert_eq!((report.attributes[0].pairs, report.attributes[0].alpha), (0, None));
    assert!(report.attributes[0].undefined.is_some());
    assert!(matches!(reports::annotator(&LEAD, &world.db, PETS, 0).await, Err(Error::NotFound("annotator"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn somebody_on_pause_gets_nothing_and_loses_nothing(db: PgPool) {
    let world = World::new(db).await;
    world.run("UPDATE projects SET overlap = 1").await;
    let photos = world.photos(&NAMES).await;
    let [ann, ben] = [world.member("ann", Role::Annotator).await, world.member("ben", Role::Annotator).await];
    let held = annotate::claim(&ann, &world.db, PETS, 3, &[]).await.unwrap();
    annotate::submit(&ann, &world.db, PETS, submission(held.photos[0].claim_id, "drop", "short")).await.unwrap();
    annotate::undo(&ann, &world.db, PETS, held.photos[0].claim_id).await.unwrap();
    let id = ids(&world).await["ann"];
    oversight::pause(&LEAD, &world.db, PETS, id).await.unwrap();
    let claimed = annotate::claim(&ann, &world.db, PETS, 3, &[held.photos[1].claim_id]).await.unwrap();
    assert_eq!((claimed.photos.len(), claimed.stopped), (0, Some(Stopped::Paused)));
    assert!(reports::annotators(&LEAD, &world.db, PETS).await.unwrap()[0].paused_at.is_some());
    assert_counts_hold(&world).await;
    // An answer that was under way is kept.
    annotate::submit(&ann, &world.db, PETS, submission(held.photos[1].claim_id, "drop", "short")).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM labels WHERE superseded_at IS NULL").await, 4);
    let others = annotate::claim(&ben, &world.db, PETS, 20, &[]).await.unwrap();
    assert_eq!(photo_ids(&others).len(), 5, "all but the one that was answered late: {:?}", photo_ids(&others));
    assert!(!photo_ids(&others).contains(&photos[1]));
    // A guideline's doubt waits for nobody who is on pause.
    let draft = |note: &str| DraftEdit {
        introduction: Texts::en("Look."),
        rules: Vec::new(),
        change_note: note.to_owned(),
        based_on: None,
    };
    guidelines::save_draft(&LEAD, &world.db, PETS, "ear", draft("")).await.unwrap();
    guidelines::publish(&LEAD, &world.db, PETS, "ear", "", Doubt::All.scope().as_ref()).await.unwrap();
    assert_eq!(
        world.number("SELECT count(*) FROM claims WHERE returned_at IS NOT NULL AND released_at IS NULL").await,
        0
    );
    annotate::release_all(&ben, &world.db).await.unwrap();
    oversight::resume(&LEAD, &world.db, PETS, id).await.unwrap();
    assert_eq!(annotate::claim(&ann, &world.db, PETS, 20, &[]).await.unwrap().photos.len(), 5);
    assert_counts_hold(&world).await;
    assert!(matches!(oversight::pause(&LEAD, &world.db, PETS, 0).await, Err(Error::NotFound("annotator"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn labels_in_doubt_are_no_votes_and_their_photos_go_to_others(db: PgPool) {
    let world = World::new(db).await;
    let photos = world.photos(&NAMES).await;
    let mut people = Vec::new();
    for name in ["ann", "ben", "cyd"] {
        people.push(world.member(name, Role::Annotator).await);
    }
    let [ann, ben, cyd] = [0, 1, 2].map(|n: usize| people[n].clone());
    world.annotate(&ann, |_| ("drop", "short")).await;
    let since = OffsetDateTime::now_utc();
    world.annotate(&ben, |_| ("erect", "short")).await;
    assert!(annotate::claim(&cyd, &world.db, PETS, 20, &[]).await.unwrap().photos.is_empty());
    let id = ids(&world).await["ben"];
    let all = DoubtInput::default();
    let later = DoubtInput { since: Some(OffsetDateTime::now_utc()), ..DoubtInput::default() };
    let ears = DoubtInput { attribute: Some("ear".to_owned()), since: Some(since), reason: "too fast".to_owned() };
    let count = async |input| oversight::doubt_count(&LEAD, &world.db, PETS, id, input).await.unwrap();
    assert_eq!((count(&all).await.labels, count(&all).await.photos), (12, 6));
    assert_eq!((count(&ears).await.labels, count(&ears).await.photos), (6, 6));
    assert_eq!(count(&later).await.labels, 0);
    let none = oversight::doubt(&LEAD, &world.db, PETS, id, &later).await;
    assert!(matches!(none, Err(Error::Invalid { field: "since", .. })), "{none:?}");

    assert_eq!(oversight::doubt(&LEAD, &world.db, PETS, id, &ears).await.unwrap().photos, 6);
    assert_counts_hold(&world).await;
    assert_eq!(world.number("SELECT count(*) FROM labels WHERE superseded_at IS NULL").await, 24, "labels stay");
    let agreement = review::agreement(&LEAD, &world.db, PETS).await.unwrap();
    assert_eq!((agreement[0].votes, agreement[1].votes), (0, 12), "ears of Ann alone; coats of both");
    assert_eq!(labels::export(&LEAD, &world.db, PETS).await.unwrap().len(), 18);
    let report = reports::annotator(&LEAD, &world.db, PETS, id).await.unwrap();
    assert_eq!((report.annotator.doubted, report.doubts[0].labels, report.doubts[0].undone_at), (6, 6, None));
    assert_eq!(report.doubts[0].reason, "too fast");
    // To others, not to Ben.
    assert!(annotate::claim(&ben, &world.db, PETS, 20, &[]).await.unwrap().photos.is_empty());
    let taken = annotate::claim(&cyd, &world.db, PETS, 2, &[]).await.unwrap();
    assert_eq!(photo_ids(&taken), photos[..2]);
    annotate::submit(&cyd, &world.db, PETS, submission(taken.photos[0].claim_id, "drop", "short")).await.unwrap();
    // A second doubt over the first: taking back one of them is not enough.
    oversight::doubt(&LEAD, &world.db, PETS, id, &all).await.unwrap();
    let doubts = reports::annotator(&LEAD, &world.db, PETS, id).await.unwrap().doubts;
    oversight::undo_doubt(&LEAD, &world.db, PETS, id, doubts[1].id).await.unwrap();
    assert_eq!(reports::annotator(&LEAD, &world.db, PETS, id).await.unwrap().annotator.doubted, 12);
    assert_eq!(world.number("SELECT count(*) FROM claims WHERE slot IS NULL").await, 6);
    assert_counts_hold(&world).await;
    // Ben answers one again: that vote counts.
    let again = annotate::history(&ben, &world.db, PETS, 1).await.unwrap()[0].claim_id;
    annotate::undo(&ben, &world.db, PETS, again).await.unwrap();
    annotate::submit(&ben, &world.db, PETS, submission(again, "drop", "short")).await.unwrap();
    assert_eq!(labels::export(&LEAD, &world.db, PETS).await.unwrap().len(), 12 + 2 + 2);
    assert_counts_hold(&world).await;
    oversight::undo_doubt(&LEAD, &world.db, PETS, id, doubts[0].id).await.unwrap();
    assert_eq!(labels::export(&LEAD, &world.db, PETS).await.unwrap().len(), 24 + 2);
    assert_eq!(world.number("SELECT count(*) FROM claims WHERE slot IS NULL").await, 0);
    assert_counts_hold(&world).await;
    let gone = oversight::undo_doubt(&LEAD, &world.db, PETS, id, doubts[0].id).await;
    assert!(matches!(gone, Err(Error::NotFound("doubt"))));
}

#[sqlx::test(migrations = "../migrations")]
async fn progress_says_what_is_left_and_for_how_long(db: PgPool) {
    let world = World::new(db).await;
    world.photos(&NAMES).await;
    let [ann, ben] = [world.member("ann", Role::Annotator).await, world.member("ben", Role::Annotator).await];
    let nothing = reports::progress(&LEAD, &world.db, PETS).await.unwrap();
    assert_eq!((nothing.votes_left, nothing.active, nothing.left_ms()), (12, 0, None));
    world.annotate(&ann, |name| if name == "a.jpg" { ("unsure", "short") } else { ("not_visible", "short") }).await;
    let held = annotate::claim(&ben, &world.db, PETS, 2, &[]).await.unwrap();
    annotate::submit(&ben, &world.db, PETS, submission(held.photos[0].claim_id, "drop", "short")).await.unwrap();
    let report = reports::progress(&LEAD, &world.db, PETS).await.unwrap();
    assert_eq!((report.photos, report.photos_done, report.votes_done, report.votes_left), (6, 1, 7, 5));
    assert_eq!((report.active, report.median_ms), (2, Some(2400.0)));
    assert_eq!(report.left_ms(), Some(2400.0 * 5.0 / 2.0));
    let ear = &report.attributes[0];
    assert_eq!((ear.attribute.as_str(), ear.values, ear.not_visible, ear.unsure), ("ear", 1, 5, 1));
    assert_eq!(report.given.as_deref(), Some("breed"));
    let values: Vec<_> =
        report.values.iter().map(|v| (v.value.as_str(), v.photos, v.photos_done, v.votes_left)).collect();
    assert_eq!(values, [("pug", 3, 1, 2), ("poodle", 3, 0, 3)]);
    assert_eq!(report.days.iter().map(|day| day.photos).sum::<i64>(), 7);
    // Half a year later nobody is active.
    world.run("UPDATE claims SET done_at = done_at - interval '180 days'").await;
    assert_eq!(reports::progress(&LEAD, &world.db, PETS).await.unwrap().left_ms(), None);
}
