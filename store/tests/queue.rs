//! How many answers photos get, and the walk to the next one.

mod world;

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use futures::future::join_all;
use kenami_domain::{
    answer::Answer,
    csvio::LabelRow,
    roles::Role,
    view::{
        project::ProjectSettings,
        review::{Cause, DecisionInput},
    },
};
use kenami_store::{
    actor::Actor,
    annotate, labels,
    photos::{self, NewFile, NewPhoto},
    projects, queue, review,
};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use world::{PETS, World, photo_ids, submission};

const LEAD: Actor = Actor::System;

async fn change(world: &World, change: impl FnOnce(&mut ProjectSettings)) {
    let mut settings = projects::settings(&LEAD, &world.db, PETS).await.unwrap();
    change(&mut settings);
    projects::update(&LEAD, &world.db, PETS, settings).await.unwrap();
}

/// Claims one photo and answers it.
async fn answer_one(world: &World, actor: &Actor, ear: &str) -> Option<i64> {
    let claimed = annotate::claim(actor, &world.db, PETS, 1, &[]).await.unwrap();
    let photo = claimed.photos.first()?;
    annotate::submit(actor, &world.db, PETS, submission(photo.claim_id, ear, "short")).await.unwrap();
    Some(photo.photo.id)
}

async fn needed(world: &World) -> Vec<i16> {
    sqlx::query_scalar("SELECT needed FROM tasks ORDER BY photo_id").fetch_all(&world.db).await.unwrap()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:05}.jpg")).collect()
}

async fn many_photos(world: &World, count: usize) -> Vec<i64> {
    world.photos(&names(count).iter().map(String::as_str).collect::<Vec<_>>()).await
}

#[sqlx::test(migrations = "../migrations")]
async fn a_share_of_the_photos_gets_the_overlap(db: PgPool) {
    let world = World::new(db).await;
    let new = |name: &String, n: usize| NewPhoto {
        name: name.clone(),
        file: NewFile { hash: [u8::try_from(n).unwrap(); 32], bytes: 1, media_type: "image/jpeg", width: 1, height: 1 },
        given: BTreeMap::new(),
        split: None,
    };
    let add = async |from: usize, to: usize| {
        let photos = (from..to).map(|n| new(&names(200)[n], n)).collect();
        photos::add_batch(&LEAD, &world.db, PETS, photos).await.unwrap();
    };
    add(0, 100).await;
    assert_eq!(needed(&world).await, [2; 100]);
    change(&world, |settings| (settings.overlap, settings.overlap_share) = (3, 0.2)).await;
    let chosen = needed(&world).await;
    let count = chosen.iter().filter(|needed| **needed == 3).count();
    assert!((18..=22).contains(&count) && chosen.iter().all(|needed| [1, 3].contains(needed)), "{chosen:?}");
    // New photos follow the same rule, and what has been chosen stays so.
    add(100, 200).await;
    let grown = needed(&world).await;
    assert_eq!(grown[..100], chosen);
    assert!((18..=22).contains(&grown[100..].iter().filter(|needed| **needed == 3).count()), "{grown:?}");
    // A larger share takes nothing away from a smaller one.
    change(&world, |settings| settings.overlap_share = 0.5).await;
    let larger = needed(&world).await;
    assert!(grown.iter().zip(&larger).all(|(before, now)| now >= before), "{larger:?}");
    assert!((95..=105).contains(&larger.iter().filter(|needed| **needed == 3).count()), "{larger:?}");
    change(&world, |settings| settings.overlap_share = 0.2).await;
    assert_eq!(needed(&world).await, grown);
    change(&world, |settings| settings.overlap_share = 0.0).await;
    assert_eq!(needed(&world).await, [1; 200]);
}

#[sqlx::test(migrations = "../migrations")]
async fn differing_answers_ask_for_more_one_at_a_time(db: PgPool) {
    let world = World::new(db).await;
    let photos = world.photos(&["a.jpg"]).await;
    change(&world, |settings| settings.extra_votes = 2).await;
    let mut people = Vec::new();
    for name in ["ann", "ben", "cyd", "dan", "eve"] {
        people.push(world.member(name, Role::Annotator).await);
    }
    let mut after = Vec::new();
    for (person, ear) in people.iter().zip(["drop", "erect", "drop", "drop", "drop"]) {
        let answered = answer_one(&world, person, ear).await;
        after.push((answered.is_some(), needed(&world).await[0]));
    }
    // Two differ, so a third is asked, then a fourth; that is all there is.
    assert_eq!(after, [(true, 2), (true, 3), (true, 4), (true, 4), (false, 4)]);
    // Fewer extra votes later take away no answers.
    change(&world, |settings| settings.extra_votes = 0).await;
    assert_eq!(needed(&world).await, [2]);
    let progress = projects::progress(&LEAD, &world.db, PETS).await.unwrap();
    assert_eq!((progress.slots, progress.slots_done, progress.photos_done), (4, 4, 1));
    // And asked for again they count for photos that are there already.
    change(&world, |settings| settings.extra_votes = 3).await;
    assert_eq!(needed(&world).await, [5]);
    assert_eq!(answer_one(&world, &people[4], "drop").await, Some(photos[0]));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_decision_or_agreement_ends_extra_votes(db: PgPool) {
    let world = World::new(db).await;
    let photos = world.photos(&["a.jpg", "b.jpg"]).await;
    change(&world, |settings| settings.extra_votes = 1).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    let cyd = world.member("cyd", Role::Annotator).await;
    world.annotate(&ann, |_| ("drop", "short")).await;
    world.annotate(&ben, |photo| if photo == "a.jpg" { ("erect", "short") } else { ("drop", "long") }).await;
    assert_eq!(needed(&world).await, [3, 3]);
    let input = DecisionInput {
        photo_id: photos[0],
        attribute: "ear".to_owned(),
        answer: Answer::from("drop"),
        cause: Cause::Slip,
        reason: String::new(),
    };
    review::decide(&LEAD, &world.db, PETS, input).await.unwrap();
    assert_eq!(needed(&world).await, [2, 3]);
    review::reopen(&LEAD, &world.db, PETS, photos[0], "ear").await.unwrap();
    assert_eq!(needed(&world).await, [3, 3]);
    // Ben looks at b.jpg again and agrees.
    let claim = annotate::history(&ben, &world.db, PETS, 5).await.unwrap();
    let claim = claim.iter().find(|claim| claim.photo.id == photos[1]).unwrap().claim_id;
    annotate::undo(&ben, &world.db, PETS, claim).await.unwrap();
    annotate::submit(&ben, &world.db, PETS, submission(claim, "drop", "short")).await.unwrap();
    assert_eq!(needed(&world).await, [3, 2]);
    assert_eq!(answer_one(&world, &cyd, "erect").await, Some(photos[0]));
    assert_eq!(answer_one(&world, &cyd, "erect").await, None);
}

#[sqlx::test(migrations = "../migrations")]
async fn imported_answers_that_differ_ask_for_more(db: PgPool) {
    let world = World::new(db).await;
    world.photos(&["a.jpg", "b.jpg"]).await;
    change(&world, |settings| settings.extra_votes = 1).await;
    let mut rows = Vec::new();
    for (annotator, ear) in [("x", "drop"), ("y", "erect")] {
        for (attribute, answer) in [("ear", ear), ("coat", "short")] {
            rows.push(LabelRow {
                line: 2,
                image: "a.jpg".to_owned(),
                annotator: annotator.to_owned(),
                attribute: attribute.to_owned(),
                answer: Answer::from(answer),
                duration_ms: None,
                note: None,
            });
        }
    }
    labels::import(&LEAD, &world.db, PETS, &rows).await.unwrap();
    assert_eq!(needed(&world).await, [3, 2]);
}

/// Fifty clients that claim and answer at the same time, with answers that differ here and there, until nothing is open:
/// no slot is given twice, none is lost, nobody starves.
#[sqlx::test(migrations = "../migrations")]
async fn fifty_annotators_at_once_fill_every_slot_and_nobody_starves(_: PgPoolOptions, options: PgConnectOptions) {
    // A connection for each.
    let db = PgPoolOptions::new().max_connections(50).connect_with(options).await.unwrap();
    let world = World::new(db).await;
    change(&world, |s| (s.overlap, s.overlap_share, s.extra_votes) = (3, 0.5, 2)).await;
    many_photos(&world, 200).await;
    let mut people = Vec::new();
    for n in 0..50 {
        people.push(world.member(&format!("annotator-{n}"), Role::Annotator).await);
    }
    let work = people.iter().enumerate().map(|(n, actor)| {
        let world = &world;
        async move {
            let (mut seen, mut dry) = (Vec::new(), 0);
            // Who finds nothing asks again: others' answers may open photos again.
            while dry < 20 {
                let claimed = annotate::claim(actor, &world.db, PETS, 2, &[]).await.unwrap();
                assert!(!seen.is_empty() || !claimed.photos.is_empty(), "there is enough for everybody at first");
                for photo in &claimed.photos {
                    seen.push(photo.photo.id);
                    // A third of the photos is disputed.
                    let ear = if photo.photo.id % 3 == 0 && n % 2 == 0 { "erect" } else { "drop" };
                    annotate::submit(actor, &world.db, PETS, submission(photo.claim_id, ear, "short")).await.unwrap();
                }
                dry = if claimed.photos.is_empty() { dry + 1 } else { 0 };
                if dry > 0 {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            seen
        }
    });
    let seen = join_all(work).await;
    for photos in &seen {
        assert_eq!(photos.iter().collect::<HashSet<_>>().len(), photos.len(), "a photo came twice to one annotator");
        assert!(!photos.is_empty());
    }
    let done = "SELECT count(*) FROM claims WHERE done_at IS NOT NULL AND released_at IS NULL";
    assert_eq!(seen.iter().map(Vec::len).sum::<usize>() as i64, world.number(done).await);
    assert_eq!(
        world.number("SELECT count(*) FROM claims").await,
        world.number(done).await,
        "nothing was taken in vain"
    );
    assert_eq!(
        world.number("SELECT count(*) FROM (SELECT FROM claims GROUP BY photo_id, slot HAVING count(*) > 1) c").await,
        0
    );
    // Every photo has the answers that it needs: its overlap, and two more where the first ones differ.
    let wrong = "WITH photo AS (
                     SELECT t.photo_id, t.needed, t.taken, photo_overlap(t.photo_id, 3::smallint, 0.5) AS base,
                            (SELECT count(*) FROM claims c WHERE c.photo_id = t.photo_id AND done_at IS NOT NULL) AS done,
                            (SELECT count(DISTINCT value_id) FROM labels l JOIN attributes a ON a.id = l.attribute_id
                             WHERE l.photo_id = t.photo_id AND a.key = 'ear') AS ears
                     FROM tasks t)
                 SELECT count(*) FROM photo
                 WHERE NOT (taken = done AND needed = done AND done = CASE WHEN ears > 1 THEN base + 2 ELSE base END)";
    assert_eq!(world.number(wrong).await, 0);
    assert!(world.number("SELECT count(*) FROM tasks WHERE needed = 5").await > 5, "some were disputed");
}

/// Settings change and the queue is put in order anew while people work: what is open is found all the same.
#[sqlx::test(migrations = "../migrations")]
async fn nothing_is_lost_while_settings_change(db: PgPool) {
    let world = World::new(db).await;
    many_photos(&world, 300).await;
    change(&world, |settings| settings.overlap = 1).await;
    let mut people = Vec::new();
    for n in 0..8 {
        people.push(world.member(&format!("annotator-{n}"), Role::Annotator).await);
    }
    let lead = async {
        for (overlap, order) in [(3, "balance"), (2, "order"), (4, "balance"), (3, "entropy"), (3, "balance")] {
            change(&world, |s| (s.overlap, s.queue_order) = (overlap, order.parse().unwrap())).await;
            queue::reprioritise(&LEAD, &world.db, PETS).await.unwrap();
        }
    };
    let work = people.iter().map(|actor| world.annotate(actor, |_| ("drop", "short")));
    futures::join!(lead, join_all(work));
    // Whoever was done before the last change comes back.
    join_all(people.iter().map(|actor| world.annotate(actor, |_| ("drop", "short")))).await;
    assert_eq!(world.number("SELECT count(*) FROM tasks WHERE taken < 3").await, 0);
    assert_eq!(world.number("SELECT count(*) FROM tasks WHERE needed <> 3").await, 0);
    assert_eq!(world.number("SELECT count(*) FROM projects WHERE queue_pending IS NOT NULL").await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_opens_again_is_found_by_those_who_have_passed_it(db: PgPool) {
    let world = World::new(db).await;
    let photos = world.photos(&["a.jpg", "b.jpg", "c.jpg", "d.jpg"]).await;
    change(&world, |settings| settings.overlap = 1).await;
    let ann = world.member("ann", Role::Annotator).await;
    let ben = world.member("ben", Role::Annotator).await;
    let held = annotate::claim(&ben, &world.db, PETS, 2, &[]).await.unwrap();
    let [a, b] = [0, 1].map(|n| held.photos[n].claim_id);
    world.annotate(&ann, |_| ("drop", "short")).await;
    // Ann has come to the end. Ben gives one back, and goes away with the other.
    annotate::release(&ben, &world.db, PETS, &[a]).await.unwrap();
    assert_eq!(answer_one(&world, &ann, "drop").await, Some(photos[0]));
    assert_eq!(answer_one(&world, &ann, "drop").await, None);
    world.run("UPDATE claims SET expires_at = now() - interval '1 second' WHERE done_at IS NULL").await;
    assert_eq!(answer_one(&world, &ann, "drop").await, Some(photos[1]));
    assert_eq!(
        world.number(&format!("SELECT count(*) FROM claims WHERE id = {b} AND released_at IS NOT NULL")).await,
        1
    );

    // What Ann gives back herself comes back to her.
    let more = world.photos(&["e.jpg", "f.jpg"]).await;
    let own = annotate::claim(&ann, &world.db, PETS, 2, &[]).await.unwrap();
    assert_eq!(photo_ids(&own), more, "new photos come behind");
    annotate::release_all(&ann, &world.db).await.unwrap();
    assert_eq!(photo_ids(&annotate::claim(&ann, &world.db, PETS, 2, &[]).await.unwrap()), more);
    world.annotate(&ann, |_| ("drop", "short")).await;

    // More answers for all: Ben gets what Ann has answered, Ann nothing; more for those that differ: neither, but Cyd.
    change(&world, |settings| settings.overlap = 2).await;
    assert_eq!(answer_one(&world, &ann, "drop").await, None);
    change(&world, |settings| settings.extra_votes = 1).await;
    let cyd = world.member("cyd", Role::Annotator).await;
    world.annotate(&ben, |photo| if photo == "c.jpg" { ("drop", "short") } else { ("erect", "short") }).await;
    let third = annotate::claim(&cyd, &world.db, PETS, 20, &[]).await.unwrap();
    assert_eq!(photo_ids(&third), [photos[0], photos[1], photos[3], more[0], more[1]]);
    // A disputed photo behind which Cyd's place lies by now.
    let claim = annotate::history(&ben, &world.db, PETS, 20).await.unwrap();
    let claim = claim.iter().find(|claim| claim.photo.id == photos[2]).unwrap().claim_id;
    annotate::undo(&ben, &world.db, PETS, claim).await.unwrap();
    annotate::submit(&ben, &world.db, PETS, submission(claim, "unsure", "short")).await.unwrap();
    let next = annotate::claim(&cyd, &world.db, PETS, 20, &[]).await.unwrap();
    assert_eq!(photo_ids(&next).last(), Some(&photos[2]));
}

/// The queue's hot path walks the partial index, and a step of it costs the same for one who has answered thousands of
/// photos that are still open to others.
#[sqlx::test(migrations = "../migrations")]
async fn a_claim_costs_the_same_after_thousands_of_answers(db: PgPool) {
    let world = World::new(db).await;
    many_photos(&world, 20_000).await;
    let ann = world.member("ann", Role::Annotator).await;
    annotate::claim(&ann, &world.db, PETS, 1, &[]).await.unwrap();
    world
        .run(
            "INSERT INTO claims (project_id, photo_id, annotator_id, slot, expires_at, done_at)
             SELECT t.project_id, t.photo_id, a.id, 1, now(), now() FROM tasks t, annotators a WHERE taken = 0
             ORDER BY photo_id LIMIT 10000;
             UPDATE tasks SET taken = 1 WHERE photo_id IN (SELECT photo_id FROM claims);
             ANALYZE tasks; ANALYZE claims;",
        )
        .await;
    let claimed = annotate::claim(&ann, &world.db, PETS, 3, &[]).await.unwrap();
    assert_eq!(claimed.photos[1].photo.name, "10001.jpg");
    let (annotator, priority, photo, since): (i64, f32, i64, i64) =
        sqlx::query_as("SELECT annotator_id, priority, photo_id, since FROM queue_places")
            .fetch_one(&world.db)
            .await
            .unwrap();
    assert_eq!(photo, claimed.photos[2].photo.id + 1);
    let query = include_str!("../queries/lock_open.sql");
    let mut connection = world.db.acquire().await.unwrap();
    let prepare = format!(
        "SET plan_cache_mode = force_generic_plan;
         PREPARE hot (bigint, bigint, bigint, real, bigint, bigint) AS {query}"
    );
    sqlx::raw_sql(&prepare).execute(&mut *connection).await.unwrap();
    let values = format!("{}, {annotator}, 8, {priority}, {photo}, {since}", world.project_id);
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS) EXECUTE hot({values})");
    let plan: Vec<String> = sqlx::query_scalar(&explain).fetch_all(&mut *connection).await.unwrap();
    let pages = plan.iter().find_map(|line| line.trim().strip_prefix("Buffers: shared hit=")).unwrap();
    let pages: u32 = pages.split(' ').next().unwrap().parse().unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("using tasks_open on tasks") && plan.contains("using tasks_reopened on tasks"), "{plan}");
    assert!(!plan.contains("Seq Scan"), "{plan}");
    assert!(pages < 100, "{pages} pages for 8 photos:\n{plan}");
}
