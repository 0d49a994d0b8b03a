//! Suggestions, and screens of photos that are answered at once.

mod world;

use kenami_domain::{
    answer::Answer,
    roles::Role,
    view::{
        grid::{GridAnswer, GridScreen, GridSubmission},
        suggestions::{PredictionRow, SourceInput, SourceKind},
    },
};
use kenami_store::{
    actor::Actor,
    annotate,
    error::Error,
    grid::{self, ScreenQuery},
    suggestions,
};
use sqlx::PgPool;
use uuid::Uuid;
use world::{PETS, World, submission};

/// Photos n.jpg; ears of even ones drop, the later the surer; all coats are short.
async fn suggested(db: PgPool, photos: usize, control_share: f32) -> (World, Actor) {
    let world = World::new(db).await;
    let names: Vec<String> = (0..photos).map(|n| format!("{n:03}.jpg")).collect();
    world.photos(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let lead = world.member("lead", Role::Lead).await;
    let row = |n: usize, attribute: &str, answer: &str, probability: f32| PredictionRow {
        image: format!("{n:03}.jpg"),
        attribute: attribute.to_owned(),
        answer: answer.to_owned(),
        probability,
    };
    let mut rows = Vec::new();
    for n in 0..photos {
        let sure = 0.5 + n as f32 / 1000.0;
        let (first, second) = if n % 2 == 0 { ("drop", "erect") } else { ("erect", "drop") };
        rows.extend([
            row(n, "breed", "pug", 0.9),
            row(n, "ear", second, 0.1),
            row(n, "ear", first, sure),
            row(n, "coat", "short", sure),
        ]);
    }
    rows.push(row(photos, "ear", "drop", 0.9));
    let stored = suggestions::import(&lead, &world.db, PETS, "file.csv", control_share, &rows).await.unwrap();
    assert_eq!(stored, 2 * photos as u64, "one a photo and attribute, and none for a photo that is not there");
    (world, lead)
}

async fn screen(world: &World, actor: &Actor, attribute: &str, value: Option<&str>, want: usize) -> GridScreen {
    let query =
        ScreenQuery { attribute: attribute.to_owned(), value: value.map(str::to_owned), want, skip: Vec::new() };
    grid::screen(actor, &world.db, PETS, &query).await.unwrap()
}

/// Every photo as suggested, but the first as `exception`.
fn answers(screen: &GridScreen, exception: Option<&str>) -> GridSubmission {
    let suggested = screen.value.clone().unwrap();
    let answer = |index: usize| match exception {
        Some(exception) if index == 0 => Answer::from(exception),
        _ => Answer::Value(suggested.clone()),
    };
    GridSubmission {
        attribute: screen.attribute.clone(),
        source_id: screen.source_id.unwrap(),
        answers: (screen.photos.iter().enumerate())
            .map(|(index, photo)| GridAnswer {
                claim_id: photo.claim_id,
                answer: answer(index),
                idempotency_key: Uuid::new_v4(),
            })
            .collect(),
        duration_ms: Some(4_000),
        guideline_version: None,
    }
}

fn names(screen: &GridScreen) -> Vec<&str> {
    screen.photos.iter().map(|photo| photo.photo.name.as_str()).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn screens_hold_one_suggested_value_and_every_answer_is_a_label_of_its_own(db: PgPool) {
    let (world, _) = suggested(db, 10, 0.0).await;
    let ann = world.member("ann", Role::Annotator).await;
    let first = screen(&world, &ann, "ear", None, 3).await;
    assert_eq!(first.value.as_deref(), Some("drop"), "as many wait for both: the first value");
    assert_eq!(names(&first), ["008.jpg", "006.jpg", "004.jpg"]);
    let waiting: Vec<(&str, i64)> = first.waiting.iter().map(|w| (w.value.as_str(), w.photos)).collect();
    assert_eq!(waiting, [("drop", 5), ("semi_erect", 0), ("erect", 5)]);
    let submission = answers(&first, Some("semi_erect"));
    grid::submit(&ann, &world.db, PETS, &submission).await.unwrap();
    // Sent again: nothing changes.
    grid::submit(&ann, &world.db, PETS, &submission).await.unwrap();
    let labels: Vec<(String, String, String, i32, serde_json::Value)> = sqlx::query_as(
        "SELECT p.name, v.key, l.source, l.duration_ms, l.suggestion FROM labels l JOIN photos p ON p.id = l.photo_id
         JOIN attribute_values v ON v.id = l.value_id ORDER BY p.name",
    )
    .fetch_all(&world.db)
    .await
    .unwrap();
    assert_eq!(labels.len(), 3);
    let (name, value, source, duration, suggestion) = &labels[2];
    assert_eq!((name.as_str(), value.as_str(), source.as_str(), *duration), ("008.jpg", "semi_erect", "grid", 1333));
    assert_eq!((suggestion["value"].as_str(), suggestion["shown"].as_str()), (Some("drop"), Some("grid")));
    // What is answered does not come again; the rest does, and what is being saved can be skipped.
    assert_eq!(names(&screen(&world, &ann, "ear", Some("drop"), 9).await), ["002.jpg", "000.jpg"]);
    // The photos wait with the annotator for their coats, and are done with them.
    let coats = screen(&world, &ann, "coat", None, 3).await;
    assert_eq!(names(&coats), ["009.jpg", "008.jpg", "007.jpg"]);
    let progress = grid::submit(&ann, &world.db, PETS, &answers(&coats, None)).await.unwrap();
    assert_eq!(progress.done, 1, "008.jpg has both");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_photo_begun_in_the_grid_is_finished_alone_and_its_answers_remember_the_grid(db: PgPool) {
    let (world, lead) = suggested(db, 2, 0.0).await;
    let ann = world.member("ann", Role::Annotator).await;
    let first = screen(&world, &ann, "ear", Some("drop"), 5).await;
    grid::submit(&ann, &world.db, PETS, &answers(&first, None)).await.unwrap();
    let claimed = annotate::claim(&ann, &world.db, PETS, 5, &[]).await.unwrap();
    let photo = &claimed.photos[0];
    assert_eq!(photo.photo.name, "000.jpg");
    assert_eq!(photo.answers["ear"].answer, Answer::from("drop"));
    let suggestion = photo.suggestions["coat"].clone();
    assert_eq!((suggestion.value.as_str(), suggestion.probability), ("short", 0.5));
    let mut answers = submission(photo.claim_id, "drop", "long");
    answers.answers[0].duration_ms = None;
    answers.answers[1].suggestion = Some(suggestion);
    annotate::submit(&ann, &world.db, PETS, answers).await.unwrap();
    let of = |attribute: &str| {
        format!(
            "SELECT count(*) FROM labels l JOIN attributes a ON a.id = l.attribute_id
             WHERE a.key = '{attribute}' AND superseded_at IS NULL AND l.suggestion ->> 'shown' = l.source"
        )
    };
    assert_eq!(world.number(&of("ear")).await, 1, "the grid's answer stands");
    assert_eq!(world.number("SELECT count(*) FROM labels WHERE source = 'grid'").await, 1);
    assert_eq!(world.number(&of("coat")).await, 1);
    let pulls = suggestions::report(&lead, &world.db, PETS).await.unwrap();
    assert_eq!((pulls[0].grid.labels, pulls[0].grid.agree), (1, 1));
    assert_eq!((pulls[1].seen.labels, pulls[1].seen.agree), (1, 0));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_share_by_chance_and_whom_the_lead_names_never_see_suggestions(db: PgPool) {
    let (world, lead) = suggested(db, 400, 0.25).await;
    let ann = world.member("ann", Role::Annotator).await;
    let mut seen = 0;
    loop {
        let next = screen(&world, &ann, "coat", None, 100).await;
        if next.photos.is_empty() {
            break;
        }
        seen += next.photos.len();
        grid::submit(&ann, &world.db, PETS, &answers(&next, None)).await.unwrap();
    }
    assert!((270..330).contains(&seen), "three quarters of 400: {seen}");
    // One at a time: what the grid has shown first, without a suggestion then the control group.
    let control = world
        .number(
            "SELECT count(*) FROM photos p, annotators a WHERE a.name = 'ann' AND suggestion_control(p.id, a.id, 0.25)",
        )
        .await;
    assert_eq!(control as usize, 400 - seen);
    loop {
        let claimed = annotate::claim(&ann, &world.db, PETS, 20, &[]).await.unwrap();
        if claimed.photos.is_empty() {
            break;
        }
        for photo in &claimed.photos {
            let mut answers = submission(photo.claim_id, "drop", "short");
            if photo.answers.contains_key("coat") {
                answers.answers[1].duration_ms = None;
            }
            annotate::submit(&ann, &world.db, PETS, answers).await.unwrap();
        }
    }
    let pulls = suggestions::report(&lead, &world.db, PETS).await.unwrap();
    assert_eq!((pulls[1].grid.labels as usize, pulls[1].unseen.labels), (seen, control));
    assert_eq!(pulls[0].unseen.labels, 400, "a page that showed none says so");
    assert_eq!(pulls[0].unseen.agree, 200);

    let ben = world.member("ben", Role::Annotator).await;
    let Actor::User(user) = &ben else { unreachable!() };
    suggestions::set_viewer(&lead, &world.db, PETS, user.id, false).await.unwrap();
    assert_eq!(screen(&world, &ben, "coat", None, 5).await.source_id, None);
    let claimed = annotate::claim(&ben, &world.db, PETS, 5, &[]).await.unwrap();
    assert!(claimed.photos.iter().all(|photo| photo.suggestions.is_empty()));
}

#[sqlx::test(migrations = "../migrations")]
async fn two_annotators_at_one_value_share_no_slot(db: PgPool) {
    let (world, _) = suggested(db, 60, 0.0).await;
    world.run("UPDATE tasks SET needed = 1").await;
    let mut actors = Vec::new();
    for n in 0..6 {
        actors.push(world.member(&format!("annotator-{n}"), Role::Annotator).await);
    }
    let work = actors.iter().map(|actor| {
        let world = &world;
        async move {
            let mut photos = Vec::new();
            // A screen may come back empty while others are just taking its photos.
            let mut dry = 0;
            while dry < 20 {
                let next = screen(world, actor, "coat", None, 5).await;
                if next.photos.is_empty() {
                    dry += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                    continue;
                }
                photos.extend(next.photos.iter().map(|photo| photo.photo.id));
                grid::submit(actor, &world.db, PETS, &answers(&next, None)).await.unwrap();
            }
            photos
        }
    });
    let mut all: Vec<i64> = futures::future::join_all(work).await.concat();
    all.sort_unstable();
    let total = all.len();
    all.dedup();
    assert_eq!((total, all.len()), (60, 60), "every photo once");
    assert_eq!(world.number("SELECT count(*) FROM labels").await, 60);
}

#[sqlx::test(migrations = "../migrations")]
async fn sources_take_each_others_place_and_say_what_is_wrong_with_a_file(db: PgPool) {
    let (world, lead) = suggested(db, 4, 0.1).await;
    let row = |attribute: &str, answer: &str, probability| PredictionRow {
        image: "000.jpg".to_owned(),
        attribute: attribute.to_owned(),
        answer: answer.to_owned(),
        probability,
    };
    for (bad, says) in [
        (row("tail", "long", 0.5), "row 2: there is no attribute `tail`"),
        (row("ear", "long", 0.5), "row 2: `ear` has no value `long`"),
        (row("ear", "drop", 1.5), "row 2: the probability 1.5"),
    ] {
        let rows = [row("ear", "drop", 0.5), bad];
        let error = suggestions::import(&lead, &world.db, PETS, "bad.csv", 0.1, &rows).await.unwrap_err();
        assert!(matches!(&error, Error::Invalid { .. }) && error.to_string().contains(says), "{error}");
    }
    let source = suggestions::source(&lead, &world.db, PETS).await.unwrap().unwrap();
    assert_eq!((source.name.as_str(), source.kind), ("file.csv", SourceKind::Import));
    assert_eq!(source.photos, [("ear".to_owned(), 4), ("coat".to_owned(), 4)]);
    let standards = SourceInput { kind: SourceKind::Standards, run: None, control_share: 0.2 };
    let error = suggestions::switch_on(&lead, &world.db, PETS, &standards).await.unwrap_err();
    assert!(error.to_string().contains("no standards"), "{error}");
    world
        .run(
            "INSERT INTO priors SELECT g.id, v.id, CASE v.key WHEN 'erect' THEN 0.7 ELSE 0.15 END
             FROM attribute_values g, attribute_values v JOIN attributes a ON a.id = v.attribute_id
             WHERE g.key = 'pug' AND a.key = 'ear'",
        )
        .await;
    suggestions::switch_on(&lead, &world.db, PETS, &standards).await.unwrap();
    let source = suggestions::source(&lead, &world.db, PETS).await.unwrap().unwrap();
    assert_eq!((source.kind, source.photos[0].1), (SourceKind::Standards, 2), "pugs are every other photo");
    assert_eq!(world.number("SELECT count(*) FROM suggestions").await, 2, "the file's rows are gone");
    suggestions::switch_off(&lead, &world.db, PETS).await.unwrap();
    assert_eq!(suggestions::source(&lead, &world.db, PETS).await.unwrap(), None);
    assert_eq!(world.number("SELECT count(*) FROM suggestions").await, 0);
}
