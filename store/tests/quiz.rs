//! The quiz before the first real photo.

mod world;

use std::collections::HashSet;

use kenami_domain::{
    answer::Answer,
    roles::Role,
    view::{
        annotate::Stopped,
        gold::GoldRow,
        project::GoldSettings,
        quiz::{QuizAnswer, QuizFeedback, QuizState, QuizSubmission},
    },
};
use kenami_store::{actor::Actor, annotate, error::Error, gold, projects, quiz, reports};
use sqlx::PgPool;
use world::{PETS, World};

const LEAD: Actor = Actor::System;

/// Ten photos, so many of them gold (ear: drop, coat: short), and a quiz of three.
async fn world_with_quiz(db: PgPool, gold_photos: usize, repeats: bool) -> World {
    let world = World::new(db).await;
    let names: Vec<String> = (0..10).map(|n| format!("{n}.jpg")).collect();
    world.photos(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let rows: Vec<GoldRow> = names[..gold_photos]
        .iter()
        .flat_map(|name| [("ear", "drop"), ("coat", "short")].map(|(attribute, answer)| (name, attribute, answer)))
        .map(|(name, attribute, answer)| GoldRow {
            line: 2,
            image: name.clone(),
            attribute: attribute.to_owned(),
            answer: Answer::from(answer),
            explanation: format!("the {attribute} of {name}"),
        })
        .collect();
    gold::put(&LEAD, &world.db, PETS, &rows).await.unwrap();
    let mut settings = projects::settings(&LEAD, &world.db, PETS).await.unwrap();
    settings.gold = GoldSettings { gold_rate: 0.0, quiz_length: 3, quiz_pass_mark: 0.8, quiz_repeats: repeats };
    projects::update(&LEAD, &world.db, PETS, settings).await.unwrap();
    world
}

async fn answer(world: &World, actor: &Actor, state: &QuizState, ear: &str) -> QuizFeedback {
    let question = state.question.as_ref().unwrap();
    assert_eq!(question.attributes, ["ear", "coat"]);
    let given = |attribute: &str, answer: &str| QuizAnswer {
        attribute: attribute.to_owned(),
        answer: Answer::from(answer),
        duration_ms: Some(900),
    };
    let submission = QuizSubmission {
        quiz_id: question.quiz_id,
        photo_id: question.photo.id,
        answers: vec![given("ear", ear), given("coat", "short")],
    };
    let feedback = quiz::answer(actor, &world.db, PETS, &submission).await.unwrap();
    // The same again changes nothing.
    assert_eq!(quiz::answer(actor, &world.db, PETS, &submission).await.unwrap(), feedback);
    feedback
}

/// Takes a quiz with these ears; its photos, and the state after it.
async fn take(world: &World, actor: &Actor, ears: [&str; 3]) -> (HashSet<i64>, QuizState) {
    let mut state = quiz::begin(actor, &world.db, PETS).await.unwrap();
    let mut photos = HashSet::new();
    for (number, ear) in ears.into_iter().enumerate() {
        let question = state.question.as_ref().unwrap();
        assert_eq!((question.number, question.of), (number as i64 + 1, 3));
        photos.insert(question.photo.id);
        state = answer(world, actor, &state, ear).await.state;
    }
    assert_eq!(state.question, None);
    (photos, state)
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_gets_a_photo_before_the_quiz_and_wrong_answers_are_explained(db: PgPool) {
    let world = world_with_quiz(db, 5, true).await;
    let ann = world.member("ann", Role::Annotator).await;
    let claimed = annotate::claim(&ann, &world.db, PETS, 5, &[]).await.unwrap();
    assert_eq!((claimed.photos.len(), claimed.stopped), (0, Some(Stopped::Quiz)));
    let state = quiz::state(&ann, &world.db, PETS).await.unwrap();
    assert!(state.due && state.can_begin && state.question.is_none() && state.results.is_empty());
    let state = quiz::begin(&ann, &world.db, PETS).await.unwrap();
    assert_eq!(quiz::begin(&ann, &world.db, PETS).await.unwrap(), state, "an open quiz goes on");
    let feedback = answer(&world, &ann, &state, "erect").await;
    let name = &state.question.as_ref().unwrap().photo.name;
    let mark = &feedback.marks[0];
    assert_eq!((mark.given.key(), mark.right.key(), mark.correct), ("erect", "drop", false));
    assert_eq!(mark.explanation, format!("the ear of {name}"));
    assert!(feedback.marks[1].correct);
    let feedback = answer(&world, &ann, &feedback.state, "drop").await;
    let done = answer(&world, &ann, &feedback.state, "drop").await.state;
    let result = &done.results[0];
    assert_eq!((result.attempt, result.answers, result.right, result.passed), (1, 6, 5, true));
    assert!((result.score - 5.0 / 6.0).abs() < 1e-9);
    assert!(!done.due);
    assert!(!annotate::claim(&ann, &world.db, PETS, 5, &[]).await.unwrap().photos.is_empty());
    assert_eq!(world.number("SELECT count(*) FROM labels").await, 0, "a quiz gives no labels");
    assert_eq!(quiz::begin(&ann, &world.db, PETS).await.unwrap(), done, "there is nothing to begin");
    // Those who know the answers take none.
    for role in [Role::Reviewer, Role::Lead] {
        let other = world.member(role.as_str(), role).await;
        assert_eq!(annotate::claim(&other, &world.db, PETS, 1, &[]).await.unwrap().stopped, None);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_failed_quiz_is_repeated_with_other_photos_while_there_are_some(db: PgPool) {
    let world = world_with_quiz(db, 6, true).await;
    let ann = world.member("ann", Role::Annotator).await;
    let (first, state) = take(&world, &ann, ["erect", "erect", "drop"]).await;
    assert!(state.due && state.can_begin && !state.results[0].passed);
    assert_eq!(annotate::claim(&ann, &world.db, PETS, 5, &[]).await.unwrap().stopped, Some(Stopped::Quiz));
    let (second, state) = take(&world, &ann, ["erect", "erect", "erect"]).await;
    assert!(first.is_disjoint(&second), "{first:?} {second:?}");
    assert!(state.due && !state.can_begin, "there is no other gold");
    let rows = reports::annotators(&LEAD, &world.db, PETS).await.unwrap();
    assert_eq!(rows[0].quiz.as_ref().unwrap().attempt, 2);
    quiz::grant(&LEAD, &world.db, PETS, rows[0].id, true).await.unwrap();
    assert_eq!(annotate::claim(&ann, &world.db, PETS, 5, &[]).await.unwrap().stopped, None);
}

#[sqlx::test(migrations = "../migrations")]
async fn where_it_does_not_repeat_a_lead_decides(db: PgPool) {
    let world = world_with_quiz(db, 9, false).await;
    let ann = world.member("ann", Role::Annotator).await;
    let (_, state) = take(&world, &ann, ["erect", "erect", "drop"]).await;
    assert!(state.due && !state.can_begin);
    assert!(matches!(quiz::begin(&ann, &world.db, PETS).await, Err(Error::Conflict(_))));
    let rows = reports::annotators(&LEAD, &world.db, PETS).await.unwrap();
    assert!(rows[0].quiz_waiting);
    quiz::grant(&LEAD, &world.db, PETS, rows[0].id, false).await.unwrap();
    let (_, state) = take(&world, &ann, ["erect", "drop", "drop"]).await;
    assert!(!state.due && state.results.len() == 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn too_little_gold_is_no_quiz_and_gold_that_goes_is_not_asked(db: PgPool) {
    let world = world_with_quiz(db, 2, true).await;
    let ann = world.member("ann", Role::Annotator).await;
    assert!(!quiz::state(&ann, &world.db, PETS).await.unwrap().due);
    let row = |n: usize| GoldRow {
        line: 2,
        image: format!("{n}.jpg"),
        attribute: "ear".to_owned(),
        answer: Answer::from("drop"),
        explanation: String::new(),
    };
    gold::put(&LEAD, &world.db, PETS, &[row(2)]).await.unwrap();
    let state = quiz::begin(&ann, &world.db, PETS).await.unwrap();
    let submission = |answers: Vec<QuizAnswer>| QuizSubmission {
        quiz_id: state.question.as_ref().unwrap().quiz_id,
        photo_id: state.question.as_ref().unwrap().photo.id,
        answers,
    };
    let refused = quiz::answer(&ann, &world.db, PETS, &submission(Vec::new())).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "answers", .. })), "{refused:?}");
    let ben = world.member("ben", Role::Annotator).await;
    annotate::claim(&ben, &world.db, PETS, 1, &[]).await.unwrap();
    assert!(matches!(quiz::answer(&ben, &world.db, PETS, &submission(Vec::new())).await, Err(Error::NotFound("quiz"))));
    // All gold goes while the quiz is open: it ends without a pass, and a lead decides.
    for photo in gold::list(&LEAD, &world.db, PETS, None, 50).await.unwrap().items {
        gold::remove(&LEAD, &world.db, PETS, photo.photo.id, &photo.attribute).await.unwrap();
    }
    assert_eq!(quiz::state(&ann, &world.db, PETS).await.unwrap().question, None);
    assert!(matches!(quiz::begin(&ann, &world.db, PETS).await, Err(Error::Conflict(_))));
}
