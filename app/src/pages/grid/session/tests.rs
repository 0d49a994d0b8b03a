use kenami_domain::view::photo::PhotoCard;

use super::*;

const DROP: &str = "drop";

fn questions() -> Vec<Question> {
    let question = |key: &str, values: &[&str]| Question {
        key: key.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        guideline_version: Some(2),
    };
    vec![question("ear", &[DROP, "semi_erect", "erect"]), question("coat", &["short", "long"])]
}

/// Photos with claims `from..to` under a suggested value; so many wait for each value.
fn screen(value: &str, claims: std::ops::Range<i64>, waiting: &[(&str, i64)]) -> GridScreen {
    let photo = |claim_id: i64| GridPhoto {
        claim_id,
        photo: PhotoCard {
            id: claim_id,
            name: format!("{claim_id}.jpg"),
            width: 4,
            height: 3,
            given: Default::default(),
        },
        probability: 0.9,
    };
    GridScreen {
        attribute: "ear".to_owned(),
        value: Some(value.to_owned()),
        source_id: Some(7),
        photos: claims.map(photo).collect(),
        waiting: waiting
            .iter()
            .map(|(value, photos)| Waiting { value: (*value).to_owned(), photos: *photos })
            .collect(),
    }
}

/// A session with one screen of four photos open, and the number of the request for the next.
fn open() -> (Session, u64) {
    let mut session = Session::new(questions(), Uuid::new_v4);
    let effects = session.handle(Event::Room { want: 4, columns: 2 }, 0.0);
    let [Effect::Fetch { number, value: None, want: 4, .. }] = &effects[..] else { panic!("{effects:?}") };
    let effects = session.handle(Event::Screen(*number, screen(DROP, 0..4, &[(DROP, 9)])), 10.0);
    let [Effect::Fetch { number, value: Some(value), skip, .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((value.as_str(), &skip[..]), (DROP, &[0, 1, 2, 3][..]), "the next one is fetched ahead");
    (session, *number)
}

fn sent(effects: &[Effect]) -> &Pending {
    effects.iter().find_map(|e| if let Effect::Send(pending) = e { Some(pending) } else { None }).expect("sent")
}

fn answers(pending: &Pending) -> Vec<(i64, &str)> {
    pending.submission.answers.iter().map(|answer| (answer.claim_id, answer.answer.key())).collect()
}

#[test]
fn one_key_accepts_the_screen_and_the_next_one_shows_at_once() {
    let (mut session, number) = open();
    session.handle(Event::Screen(number, screen(DROP, 4..6, &[(DROP, 5)])), 20.0);
    assert_eq!(session.upcoming().len(), 2);
    let effects = session.handle(Event::Accept, 4_010.0);
    let pending = sent(&effects);
    assert_eq!(answers(pending), [(0, DROP), (1, DROP), (2, DROP), (3, DROP)]);
    let submission = &pending.submission;
    assert_eq!((submission.duration_ms, submission.guideline_version, submission.source_id), (Some(4_000), Some(2), 7));
    assert!(effects.contains(&Effect::Store(pending.clone())), "kept in the browser until the server has it");
    assert_eq!(session.shown().unwrap().photos()[0].claim_id, 4);
    // The photos whose answers are on their way do not come again.
    let Some(Effect::Fetch { skip, .. }) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(skip[..], [0, 1, 2, 3, 4, 5]);
    session.handle(Event::Saved(pending.key), 4_100.0);
    assert_eq!((session.outbox().len(), session.answered()), (0, 4));
}

#[test]
fn exceptions_are_marked_by_number_arrows_or_pointing() {
    let (mut session, _) = open();
    session.handle(Event::MarkValue(1), 20.0);
    assert_eq!(session.shown().unwrap().marked(), 0, "no photo is meant yet");
    session.handle(Event::Digit(2), 20.0);
    session.handle(Event::MarkValue(1), 30.0);
    session.handle(Event::Move(1, 0), 40.0);
    session.handle(Event::Mark(Mark::Answer(Answer::NotVisible)), 50.0);
    session.handle(Event::Move(0, 1), 60.0);
    assert_eq!(session.shown().unwrap().cursor(), Some(2), "it stays on the screen");
    session.handle(Event::Point(0), 70.0);
    session.handle(Event::MarkValue(2), 80.0);
    session.handle(Event::MarkValue(0), 90.0);
    assert_eq!(session.shown().unwrap().mark_of(0), None, "the suggested value is no exception");
    session.handle(Event::Point(3), 100.0);
    session.handle(Event::Mark(Mark::Later), 110.0);
    let effects = session.handle(Event::Accept, 200.0);
    assert_eq!(answers(sent(&effects)), [(0, DROP), (1, "semi_erect"), (2, "not_visible")]);
    assert_eq!(session.answered(), 3, "what is put off is not answered");
}

#[test]
fn digits_make_numbers_while_they_come_quickly() {
    let mut session = Session::new(questions(), Uuid::new_v4);
    session.handle(Event::Room { want: 12, columns: 4 }, 0.0);
    session.handle(Event::Screen(1, screen(DROP, 0..12, &[])), 0.0);
    let mut cursor = |digit, at| {
        session.handle(Event::Digit(digit), at);
        session.shown().unwrap().cursor().unwrap()
    };
    assert_eq!(cursor(1, 0.0), 0);
    assert_eq!(cursor(2, 300.0), 11);
    assert_eq!(cursor(3, 500.0), 2, "there is no photo 123");
    assert_eq!(cursor(1, 2_000.0), 0);
    assert_eq!(cursor(1, 5_000.0), 0, "too late for 11");
    session.handle(Event::MarkValue(1), 5_100.0);
    session.handle(Event::Digit(2), 5_200.0);
    assert_eq!(session.shown().unwrap().cursor(), Some(1), "a mark ends the number");
}

#[test]
fn a_screen_comes_back_and_only_what_changed_is_sent_again() {
    let (mut session, number) = open();
    session.handle(Event::Screen(number, screen(DROP, 4..6, &[])), 20.0);
    let effects = session.handle(Event::Accept, 100.0);
    session.handle(Event::Saved(sent(&effects).key), 150.0);
    session.handle(Event::Undo, 200.0);
    assert_eq!(session.shown().unwrap().photos()[0].claim_id, 0);
    assert_eq!(session.upcoming()[0].claim_id, 4, "what was open comes next");
    session.handle(Event::Point(1), 210.0);
    session.handle(Event::MarkValue(2), 220.0);
    session.handle(Event::Point(2), 230.0);
    session.handle(Event::MarkValue(2), 240.0);
    session.handle(Event::Undo, 250.0);
    let effects = session.handle(Event::Accept, 300.0);
    assert_eq!(answers(sent(&effects)), [(1, "erect")]);
    assert_eq!(session.answered(), 4);
    assert_eq!(session.shown().unwrap().photos()[0].claim_id, 4);
}

#[test]
fn the_value_with_the_most_photos_follows_one_that_has_run_out() {
    let (mut session, number) = open();
    let effects = session.handle(Event::Screen(number, screen(DROP, 0..0, &[(DROP, 0), ("erect", 3)])), 20.0);
    let [Effect::Fetch { number, value: None, .. }] = &effects[..] else { panic!("{effects:?}") };
    session.handle(Event::Screen(*number, screen("erect", 8..9, &[("erect", 3)])), 30.0);
    session.handle(Event::Accept, 40.0);
    assert_eq!(session.shown().unwrap().value(), "erect");
}

#[test]
fn an_attribute_without_photos_is_done_and_a_project_without_suggestions_says_so() {
    let mut session = Session::new(questions(), Uuid::new_v4);
    session.handle(Event::Room { want: 4, columns: 2 }, 0.0);
    let mut none = screen(DROP, 0..0, &[]);
    session.handle(Event::Screen(1, none.clone()), 0.0);
    assert_eq!(session.stage(), Stage::Done);
    assert_eq!(session.handle(Event::Tick, 60_000.0), [], "it is not asked for again and again");
    let effects = session.handle(Event::Attribute(1), 70_000.0);
    assert!(matches!(&effects[..], [Effect::Fetch { attribute, .. }] if attribute == "coat"), "{effects:?}");
    none.source_id = None;
    session.handle(Event::Screen(2, none), 70_010.0);
    assert_eq!(session.stage(), Stage::NoSuggestions);
}

#[test]
fn what_comes_for_an_earlier_choice_is_left_out() {
    let (mut session, number) = open();
    let effects = session.handle(Event::Value("erect".to_owned()), 20.0);
    assert!(matches!(&effects[..], [Effect::Fetch { value: Some(value), .. }] if value == "erect"), "{effects:?}");
    session.handle(Event::Screen(number, screen(DROP, 4..6, &[])), 30.0);
    assert_eq!(session.stage(), Stage::Loading);
}

#[test]
fn failures_are_tried_again_and_refusals_are_kept_for_the_annotator() {
    let (mut session, number) = open();
    session.handle(Event::ScreenFailed(number, Failure::Unreachable), 20.0);
    let effects = session.handle(Event::Accept, 30.0);
    let key = sent(&effects).key;
    assert_eq!(session.stage(), Stage::Trouble(Failure::Unreachable));
    session.handle(Event::SaveFailed(key, Failure::Unreachable), 40.0);
    assert_eq!(session.handle(Event::Tick, 500.0), []);
    let effects = session.handle(Event::Tick, 6_000.0);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Send(_))), "{effects:?}");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Fetch { .. })), "{effects:?}");
    session.handle(Event::SaveFailed(key, Failure::Refused("no".to_owned())), 6_100.0);
    assert_eq!(session.outbox().refused().len(), 1);
    assert_eq!(session.handle(Event::Discard(key), 6_200.0), [Effect::Forget(key)]);
}

#[test]
fn a_screen_of_photos_in_which_the_part_does_not_show_is_accepted_like_any_other() {
    let (mut session, _) = open();
    let effects = session.handle(Event::Value("not_visible".to_owned()), 20.0);
    let Some(Effect::Fetch { number, .. }) = effects.first() else { panic!("{effects:?}") };
    session.handle(Event::Screen(*number, screen("not_visible", 4..7, &[("not_visible", 3)])), 30.0);
    session.handle(Event::Point(1), 40.0);
    session.handle(Event::MarkValue(0), 50.0);
    session.handle(Event::Point(2), 60.0);
    session.handle(Event::Mark(Mark::Answer(Answer::NotVisible)), 70.0);
    assert_eq!(session.shown().unwrap().mark_of(2), None, "the suggested answer is no exception");
    let effects = session.handle(Event::Accept, 80.0);
    let pending = sent(&effects);
    assert_eq!(answers(pending), [(4, "not_visible"), (5, DROP), (6, "not_visible")]);
    assert_eq!(pending.submission.answers[0].answer, Answer::NotVisible);
}
