//! Suggestions, and screens of photos that are answered at once.

mod world;

use kenami_domain::{
    answer::Answer,
    dataset::Policy,
    roles::Role,
    view::{
        dataset::FreezeInput,
        grid::{GridAnswer, GridScreen, GridSubmission},
        run::TrainInput,
        suggestions::{PredictionRow, SourceInput, SourceKind},
    },
};
use kenami_store::{
    actor::Actor,
    annotate, datasets,
    error::Error,
    grid::{self, ScreenQuery},
    runs::{self, Prediction},
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
        _ => Answer::from(suggested.as_str()),
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

/// What a photo's suggestions are: name, attribute, answer, probability in percent.
async fn stored(world: &World) -> Vec<(String, String, String, i32)> {
    sqlx::query_as(
        "SELECT p.name, a.key, coalesce(v.key, 'not_visible'), round(s.probability * 100)::integer
         FROM suggestions s JOIN photos p ON p.id = s.photo_id JOIN attributes a ON a.id = s.attribute_id
         LEFT JOIN attribute_values v ON v.id = s.value_id ORDER BY p.name, a.key",
    )
    .fetch_all(&world.db)
    .await
    .unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_run_is_weighed_with_the_standards_and_says_where_the_part_does_not_show(db: PgPool) {
    let world = World::new(db).await;
    // 0 and 2 are pugs, 1 and 3 poodles, of which no standard says anything.
    world.photos(&["0.jpg", "1.jpg", "2.jpg", "3.jpg"]).await;
    let lead = world.member("lead", Role::Lead).await;
    world
        .run(
            "INSERT INTO priors SELECT g.id, v.id, CASE v.key WHEN 'drop' THEN 0.8 WHEN 'semi_erect' THEN 0.2 ELSE 0 END
             FROM attribute_values g, attribute_values v JOIN attributes a ON a.id = v.attribute_id
             WHERE g.key = 'pug' AND a.key = 'ear'",
        )
        .await;
    let freeze = FreezeInput { name: "v1".to_owned(), policy: Policy::Majority, run: None, seed: 0 };
    let dataset_id = datasets::freeze(&Actor::System, &world.db, PETS, freeze).await.unwrap().id;
    let train = TrainInput { dataset_id, name: "one".to_owned(), config: String::new() };
    let run = runs::create(&Actor::System, &world.db, PETS, train).await.unwrap().row.id;
    let says = |position: i32, pairs: &[(&str, f64)]| Prediction {
        position,
        attribute: "ear".to_owned(),
        distribution: pairs.iter().map(|(answer, p)| ((*answer).to_owned(), *p)).collect(),
    };
    let doubtful = [("drop", 0.3), ("semi_erect", 0.1), ("erect", 0.4), ("not_visible", 0.2)];
    let unseen = [("drop", 0.2), ("semi_erect", 0.1), ("erect", 0.1), ("not_visible", 0.6)];
    let rows = [says(0, &doubtful), says(1, &doubtful), says(2, &unseen), says(3, &unseen)];
    runs::store_predictions(&Actor::System, &world.db, run, &rows).await.unwrap();
    runs::finish(&Actor::System, &world.db, run, serde_json::json!({}), "runs/1").await.unwrap();
    let wish = SourceInput { kind: SourceKind::Run, run: None, control_share: 0.0 };
    suggestions::switch_on(&lead, &world.db, PETS, &wish).await.unwrap();
    let row = |photo: &str, answer: &str, percent| (photo.to_owned(), "ear".to_owned(), answer.to_owned(), percent);
    // 0.8 x 0.3 x 0.83 / (0.3 x 0.83 + 0.1 x 0.23 + 0.4 x 0.03)
    let expected = [
        row("0.jpg", "drop", 70),
        row("1.jpg", "erect", 40),
        row("2.jpg", "not_visible", 60),
        row("3.jpg", "not_visible", 60),
    ];
    assert_eq!(stored(&world).await, expected);

    // On a screen of its own, and beside the single photo.
    let ann = world.member("ann", Role::Annotator).await;
    let first = screen(&world, &ann, "ear", None, 9).await;
    let waiting: Vec<(&str, i64)> = first.waiting.iter().map(|w| (w.value.as_str(), w.photos)).collect();
    assert_eq!(waiting, [("drop", 1), ("semi_erect", 0), ("erect", 1), ("not_visible", 2)]);
    assert_eq!((first.value.as_deref(), names(&first)), (Some("not_visible"), vec!["3.jpg", "2.jpg"]));
    grid::submit(&ann, &world.db, PETS, &answers(&first, Some("drop"))).await.unwrap();
    let labels: Vec<(String, String, serde_json::Value)> = sqlx::query_as(
        "SELECT p.name, l.answer, l.suggestion FROM labels l JOIN photos p ON p.id = l.photo_id ORDER BY p.name",
    )
    .fetch_all(&world.db)
    .await
    .unwrap();
    let told: Vec<_> =
        labels.iter().map(|(name, answer, s)| (name.as_str(), answer.as_str(), s["value"].as_str())).collect();
    assert_eq!(
        told,
        [("2.jpg", "not_visible", Some("not_visible")), ("3.jpg", "value", Some("not_visible"))],
        "each label remembers what was suggested"
    );
    let pull = suggestions::report(&lead, &world.db, PETS).await.unwrap();
    assert_eq!((pull[0].grid.labels, pull[0].grid.agree), (2, 1));
    let other = world.member("other", Role::Annotator).await;
    let claimed = annotate::claim(&other, &world.db, PETS, 9, &[]).await.unwrap();
    let photo = claimed.photos.iter().find(|photo| photo.photo.name == "2.jpg").unwrap();
    assert_eq!(photo.suggestions["ear"].value, "not_visible");
    let single = submission(photo.claim_id, "not_visible", "long");
    annotate::submit(&other, &world.db, PETS, single).await.unwrap();
}
