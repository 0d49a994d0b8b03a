use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use kenami_domain::view::photo::PhotoCard;
use time::macros::datetime;

use super::*;

fn key() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u64_pair(7, NEXT.fetch_add(1, Ordering::Relaxed))
}

fn questions() -> Vec<Question> {
    [("ear", vec!["erect", "drop"]), ("coat", vec!["short", "long"])]
        .into_iter()
        .enumerate()
        .map(|(i, (key, values))| Question {
            key: key.to_owned(),
            values: values.into_iter().map(str::to_owned).collect(),
            guideline_version: Some(i as i32 + 3),
        })
        .collect()
}

fn photo(claim_id: i64) -> ClaimedPhoto {
    ClaimedPhoto {
        claim_id,
        photo: PhotoCard {
            id: claim_id + 1000,
            name: format!("{claim_id}.jpg"),
            width: 400,
            height: 300,
            given: BTreeMap::new(),
        },
        expires_at: datetime!(2026-11-24 08:00 UTC),
        answers: BTreeMap::new(),
        in_doubt: Vec::new(),
        suggestions: Default::default(),
    }
}

fn claimed(ids: impl IntoIterator<Item = i64>) -> Claimed {
    Claimed {
        photos: ids.into_iter().map(photo).collect(),
        progress: MyProgress { done: 0, open: 20, project_done: 0, project_total: 40 },
        held_by_others: 0,
        stopped: None,
    }
}

/// A session that shows claim 1 of 1..=8, painted at 0.
fn working() -> Session {
    let mut session = Session::new(questions(), 600, key);
    session.handle(Event::Tick, 0.0);
    session.handle(Event::Claimed(claimed(1..=8)), 0.0);
    for id in 1..=8 {
        session.handle(Event::PhotoReady(id), 0.0);
    }
    session
}

fn value(key: &str) -> Event {
    Event::Answer(Answer::Value(key.to_owned()))
}

fn sent(effects: &[Effect]) -> Vec<Submission> {
    effects.iter().filter_map(|e| if let Effect::Send(s) = e { Some(s.clone()) } else { None }).collect()
}

fn asked(effects: &[Effect]) -> Option<(usize, Vec<i64>)> {
    effects.iter().find_map(|e| if let Effect::Claim { want, have } = e { Some((*want, have.clone())) } else { None })
}

fn shown(session: &Session) -> Option<i64> {
    session.current().map(|sheet| sheet.photo().claim_id)
}

/// Answers the open photo at `now` with the first value of each attribute, and returns what was sent.
fn finish(session: &mut Session, now: f64) -> Vec<Submission> {
    session.handle(value("erect"), now);
    sent(&session.handle(value("short"), now))
}

#[test]
fn the_first_event_asks_for_photos_once() {
    let mut session = Session::new(questions(), 600, key);
    assert_eq!(session.stage(), Stage::Loading);
    assert_eq!(asked(&session.handle(Event::Tick, 0.0)), Some((8, vec![])));
    assert_eq!(asked(&session.handle(Event::Tick, 1000.0)), None, "one request at a time");
    assert_eq!(asked(&session.handle(Event::Claimed(claimed(1..=8)), 1100.0)), None);
    assert_eq!((session.stage(), shown(&session)), (Stage::Working, Some(1)));
}

#[test]
fn answers_move_the_focus_and_the_last_one_shows_the_next_photo_without_waiting() {
    let mut session = working();
    assert_eq!(session.current().unwrap().focus(), 0);
    let effects = session.handle(value("drop"), 100.0);
    assert_eq!((effects, session.current().unwrap().focus()), (vec![], 1));
    let effects = session.handle(Event::Answer(Answer::NotVisible), 250.0);
    assert_eq!(shown(&session), Some(2), "the save has only been started");
    let submission = &sent(&effects)[0];
    assert_eq!(submission.claim_id, 1);
    let answers: Vec<_> = submission
        .answers
        .iter()
        .map(|a| (a.attribute.as_str(), a.answer.key(), a.duration_ms, a.guideline_version))
        .collect();
    assert_eq!(answers, [("ear", "drop", Some(100), Some(3)), ("coat", "not_visible", Some(150), Some(4))]);
    assert!(matches!(&effects[0], Effect::Store(record) if record.submission == *submission), "kept before it is sent");
    assert_eq!(session.outbox().unsaved(), 1);
    let forget = session.handle(Event::Saved(submission.idempotency_key, session.progress()), 300.0);
    assert_eq!((forget, session.outbox().is_empty()), (vec![Effect::Forget(submission.idempotency_key)], true));
}

#[test]
fn values_that_are_not_offered_change_nothing() {
    let mut session = working();
    session.handle(value("curly"), 1.0);
    assert!(session.current().unwrap().answer_to(0).is_none());
    assert_eq!(session.current().unwrap().focus(), 0);
}

#[test]
fn without_auto_advance_a_complete_photo_waits_for_enter() {
    let mut session = working();
    session.handle(Event::AutoAdvance(false), 0.0);
    assert!(finish(&mut session, 5.0).is_empty());
    assert_eq!(shown(&session), Some(1));
    session.handle(value("long"), 6.0);
    let submission = &sent(&session.handle(Event::Advance, 7.0))[0];
    assert_eq!(submission.answers[1].answer.key(), "long", "the answer in focus could still be changed");
    assert!(sent(&session.handle(Event::Advance, 8.0)).is_empty(), "the next photo has no answers yet");
}

#[test]
fn unsure_waits_for_its_note() {
    let mut session = working();
    session.handle(Event::OpenNote, 10.0);
    assert!(session.current().unwrap().note_open() && session.current().unwrap().answer_to(0).is_none());
    session.handle(Event::Note("tip bends".into()), 900.0);
    let sheet = session.current().unwrap();
    assert_eq!(sheet.answer_to(0), Some(&GivenAnswer { answer: Answer::Unsure, note: "tip bends".into() }));
    assert_eq!((sheet.focus(), sheet.note_open()), (1, false));
    session.handle(Event::OpenNote, 950.0);
    session.handle(Event::Undo, 960.0);
    let sheet = session.current().unwrap();
    assert!(!sheet.note_open() && sheet.answer_to(0).is_some(), "undo closes the note first");
}

#[test]
fn time_counts_for_the_attribute_in_focus_while_the_photo_can_be_seen() {
    let mut session = Session::new(questions(), 600, key);
    session.handle(Event::Tick, 0.0);
    session.handle(Event::Claimed(claimed(1..=8)), 0.0);
    session.handle(Event::PhotoReady(1), 1_000.0); // a slow download is nobody's thinking time
    session.handle(Event::Focus(1), 1_300.0);
    session.handle(Event::Visible(false), 1_400.0);
    session.handle(Event::Visible(true), 61_400.0);
    session.handle(value("long"), 61_450.0); // 100 + 50 on coat; focus goes to ear, which had 300
    let submission = &sent(&session.handle(value("drop"), 61_550.0))[0];
    let times: Vec<_> = submission.answers.iter().map(|a| a.duration_ms).collect();
    assert_eq!(times, [Some(400), Some(150)]);
}

#[test]
fn photos_are_kept_ahead_and_never_shown_twice() {
    let mut session = working();
    let mut asks = Vec::new();
    for n in 0..3 {
        session.handle(value("erect"), f64::from(n));
        asks.extend(asked(&session.handle(value("short"), f64::from(n))));
    }
    // 4 is shown, 5..=8 wait: below the mark, asked once, with the three unconfirmed photos on top.
    assert_eq!(asks, [(11, vec![4, 5, 6, 7, 8])]);
    // The server has not seen the answers of 1..=3: it offers them again.
    session.handle(Event::Claimed(claimed(1..=11)), 5.0);
    assert_eq!(session.held(), [4, 5, 6, 7, 8, 9, 10, 11]);
}

#[test]
fn undo_takes_back_answers_and_then_photos_up_to_ten() {
    let mut session = working();
    session.handle(value("drop"), 10.0);
    session.handle(Event::Undo, 20.0);
    assert!(session.current().unwrap().answer_to(0).is_none());
    assert_eq!(finish(&mut session, 30.0).len(), 1);
    let effects = session.handle(Event::Undo, 40.0);
    assert!(effects.contains(&Effect::Reopen(1)));
    let sheet = session.current().unwrap();
    assert_eq!(sheet.photo().claim_id, 1);
    assert_eq!((sheet.answer_to(0).unwrap().answer.key(), sheet.answer_to(1), sheet.focus()), ("erect", None, 1));
    session.handle(Event::Undo, 45.0);
    assert_eq!(session.current().unwrap().focus(), 0);
    assert_eq!(session.held()[..3], [1, 2, 3], "the photo that was open is next");
    for n in 0..12 {
        let id = shown(&session).unwrap();
        session.handle(Event::Claimed(claimed(id..id + 8)), f64::from(n) + 50.0);
        finish(&mut session, f64::from(n) + 50.0);
    }
    let mut back = 0;
    while session.can_undo() {
        back += usize::from(session.handle(Event::Undo, 100.0).iter().any(|e| matches!(e, Effect::Reopen(_))));
    }
    assert_eq!(back, 10);
}

#[test]
fn undo_restores_the_answer_that_was_replaced() {
    let mut session = working();
    session.handle(value("drop"), 1.0);
    session.handle(Event::Focus(0), 2.0);
    session.handle(value("erect"), 3.0);
    session.handle(Event::Undo, 4.0);
    assert_eq!(session.current().unwrap().answer_to(0).unwrap().answer.key(), "drop");
}

#[test]
fn answers_given_again_are_sent_after_the_first_ones() {
    let mut session = working();
    let first = finish(&mut session, 1.0).remove(0);
    session.handle(Event::Undo, 2.0);
    let second = session.handle(value("long"), 3.0);
    assert!(sent(&second).is_empty(), "the first answers are still on their way");
    let effects = session.handle(Event::Saved(first.idempotency_key, MyProgress::default()), 4.0);
    let second = sent(&effects).remove(0);
    assert_eq!((second.claim_id, second.answers[1].answer.key()), (1, "long"));
    assert_ne!(second.idempotency_key, first.idempotency_key);
}

#[test]
fn a_failed_save_is_tried_again_with_the_same_key_and_growing_pauses() {
    let mut session = working();
    let submission = finish(&mut session, 0.0).remove(0);
    let mut now = 0.0;
    for pause in [1_000.0, 2_000.0, 4_000.0, 8_000.0, 16_000.0, 30_000.0, 30_000.0] {
        session.handle(Event::SaveFailed(submission.idempotency_key, Failure::Unreachable), now);
        assert!(session.outbox().in_trouble());
        assert!(sent(&session.handle(Event::Tick, now + pause - 1.0)).is_empty());
        now += pause;
        assert_eq!(sent(&session.handle(Event::Tick, now)), std::slice::from_ref(&submission));
    }
    session.handle(Event::SaveFailed(submission.idempotency_key, Failure::Unreachable), now);
    assert_eq!(sent(&session.handle(Event::Online, now + 1.0)), [submission], "no pause once the network is back");
}

#[test]
fn work_goes_on_while_nothing_can_be_saved() {
    let mut session = working();
    for n in 0..8 {
        for submission in finish(&mut session, f64::from(n)) {
            session.handle(Event::SaveFailed(submission.idempotency_key, Failure::Unreachable), f64::from(n));
        }
    }
    assert_eq!((shown(&session), session.outbox().unsaved()), (None, 8));
    session.handle(Event::ClaimFailed(Failure::Unreachable), 10.0);
    assert_eq!(session.stage(), Stage::Trouble(Failure::Unreachable));
    assert_eq!(session.progress().done, 8, "what waits here is work done");
}

#[test]
fn at_most_three_saves_are_on_their_way() {
    let mut session = working();
    let sent: usize = (0..5).map(|n| finish(&mut session, f64::from(n)).len()).sum();
    assert_eq!((sent, session.outbox().unsaved()), (3, 5));
}

#[test]
fn a_refused_answer_is_kept_with_its_reason_until_someone_decides() {
    let mut session = working();
    let submission = finish(&mut session, 0.0).remove(0);
    session.handle(Event::SaveFailed(submission.idempotency_key, Failure::Refused("retired".into())), 1.0);
    assert!(sent(&session.handle(Event::Tick, 100_000.0)).is_empty());
    let (record, reason) = session.outbox().refused().remove(0);
    assert_eq!((record.photo.claim_id, reason.as_str(), session.outbox().unsaved()), (1, "retired", 0));
    let effects = session.handle(Event::Rework(submission.idempotency_key), 2.0);
    assert!(effects.contains(&Effect::Forget(submission.idempotency_key)));
    assert_eq!((shown(&session), session.held()[1]), (Some(1), 2));
    assert!(session.current().unwrap().is_complete(), "with the answers that were refused");
    let again = sent(&session.handle(value("drop"), 3.0)).remove(0);
    assert_ne!(again.idempotency_key, submission.idempotency_key);
    session.handle(Event::SaveFailed(again.idempotency_key, Failure::Refused("no".into())), 4.0);
    assert_eq!(session.handle(Event::Discard(again.idempotency_key), 5.0), [Effect::Forget(again.idempotency_key)]);
    assert!(session.outbox().is_empty());
}

#[test]
fn a_lost_sign_in_keeps_everything_waiting() {
    let mut session = working();
    let submission = finish(&mut session, 0.0).remove(0);
    session.handle(Event::SaveFailed(submission.idempotency_key, Failure::SignedOut), 1.0);
    assert!(session.outbox().signed_out());
    assert_eq!(sent(&session.handle(Event::Tick, 2_000.0)), std::slice::from_ref(&submission));
    session.handle(Event::Saved(submission.idempotency_key, MyProgress::default()), 2_100.0);
    assert!(!session.outbox().signed_out());
}

#[test]
fn what_an_earlier_visit_left_is_sent_and_not_shown_again() {
    let mut first = working();
    let effects = {
        first.handle(value("erect"), 1.0);
        first.handle(value("short"), 2.0)
    };
    let record = effects.iter().find_map(|e| if let Effect::Store(r) = e { Some(r.clone()) } else { None }).unwrap();
    let text = serde_json::to_string(&record).unwrap();
    let mut second = Session::new(questions(), 600, key);
    let restored = Event::Restored(vec![Left { record: serde_json::from_str(&text).unwrap(), age: 60_000.0 }]);
    assert_eq!(sent(&second.handle(restored.clone(), 5.0)), [record.submission]);
    assert_eq!(second.outbox().unsaved_since(), Some(-59_995.0));
    assert!(sent(&second.handle(restored, 6.0)).is_empty(), "known by its key");
    second.handle(Event::Claimed(claimed(1..=8)), 2.0);
    assert_eq!(shown(&second), Some(2));
}

#[test]
fn what_was_left_goes_before_what_was_answered_while_it_was_being_read() {
    let mut first = working();
    first.handle(value("erect"), 1.0);
    let effects = first.handle(value("short"), 2.0);
    let left = effects.iter().find_map(|e| if let Effect::Store(r) = e { Some(r.clone()) } else { None }).unwrap();
    let mut second = working();
    let newer = finish(&mut second, 3.0).remove(0);
    second.handle(Event::SaveFailed(newer.idempotency_key, Failure::Unreachable), 4.0);
    assert_eq!(newer.claim_id, left.submission.claim_id, "an answer to the same photo");
    let effects = second.handle(Event::Restored(vec![Left { record: left.clone(), age: 10.0 }]), 5.0);
    assert_eq!(sent(&effects), std::slice::from_ref(&left.submission), "the newer one waits for the older one");
    let effects = second.handle(Event::Saved(left.submission.idempotency_key, MyProgress::default()), 5_000.0);
    assert_eq!(sent(&effects), [newer]);
}

#[test]
fn earlier_photos_can_be_taken_back_after_a_reload() {
    let mut session = working();
    let mut done = photo(90);
    done.answers = ["ear", "coat"]
        .into_iter()
        .zip(["drop", "long"])
        .map(|(key, value)| (key.to_owned(), GivenAnswer { answer: value.into(), note: String::new() }))
        .collect();
    session.handle(Event::History(vec![done]), 1.0);
    assert!(session.handle(Event::Undo, 2.0).contains(&Effect::Reopen(90)));
    let sheet = session.current().unwrap();
    assert_eq!((sheet.photo().claim_id, sheet.answer_to(0).unwrap().answer.key(), sheet.focus()), (90, "drop", 1));
}

#[test]
fn a_label_in_doubt_is_asked_again_and_the_others_stand() {
    let mut session = Session::new(questions(), 600, key);
    session.handle(Event::Tick, 0.0);
    let mut returned = photo(1);
    for (attribute, answer) in [("ear", "drop"), ("coat", "long")] {
        returned.answers.insert(attribute.into(), GivenAnswer { answer: answer.into(), note: String::new() });
    }
    returned.in_doubt = vec!["coat".into()];
    session.handle(Event::Claimed(Claimed { photos: vec![returned], ..claimed([]) }), 0.0);
    session.handle(Event::PhotoReady(1), 0.0);
    let sheet = session.current().unwrap();
    assert_eq!((sheet.focus(), sheet.answer_to(1)), (1, None));
    assert_eq!(sheet.doubted("coat").unwrap().answer.key(), "long");
    let submission = sent(&session.handle(value("short"), 40.0)).remove(0);
    let times: Vec<_> = submission.answers.iter().map(|a| a.duration_ms).collect();
    assert_eq!(times, [None, Some(40)], "nobody looked at the ear");
}

#[test]
fn held_photos_are_extended_while_someone_works() {
    let mut session = working();
    session.handle(value("erect"), 250_000.0);
    assert_eq!(asked(&session.handle(Event::Tick, 299_000.0)), None);
    assert_eq!(asked(&session.handle(Event::Tick, 301_000.0)).unwrap().1, (1..=8).collect::<Vec<_>>());
    session.handle(Event::Claimed(claimed(1..=8)), 302_000.0);
    assert_eq!(asked(&session.handle(Event::Tick, 700_000.0)), None, "nobody has been there for minutes");
}

#[test]
fn an_empty_page_says_why() {
    let mut session = Session::new(Vec::new(), 600, key);
    assert_eq!((session.stage(), session.handle(Event::Tick, 0.0)), (Stage::NoAttributes, vec![]));

    let empty = |total, open, others| Claimed {
        photos: vec![],
        progress: MyProgress { done: 0, open, project_done: 0, project_total: total },
        held_by_others: others,
        stopped: None,
    };
    for (answer, stage) in [
        (empty(0, 0, 0), Stage::NoPhotos),
        (empty(10, 0, 0), Stage::AllDone),
        (empty(10, 2, 2), Stage::HeldByOthers(2)),
    ] {
        let mut session = Session::new(questions(), 600, key);
        session.handle(Event::Tick, 0.0);
        session.handle(Event::Claimed(answer), 100.0);
        assert_eq!(session.stage(), stage);
        assert_eq!(asked(&session.handle(Event::Tick, 10_000.0)), None);
        assert!(asked(&session.handle(Event::Refill, 10_100.0)).is_some(), "the button asks at once");
        session.handle(Event::ClaimFailed(Failure::Unreachable), 10_200.0);
        assert!(asked(&session.handle(Event::Tick, 16_000.0)).is_some(), "and it asks by itself after a while");
    }
}

#[test]
fn somebody_on_pause_is_told_and_goes_on_when_it_ends() {
    let mut session = working();
    session.handle(value("drop"), 1.0);
    session.handle(Event::Claimed(Claimed { stopped: Some(Stopped::Paused), ..claimed([]) }), 2.0);
    assert_eq!((session.stage(), session.held()), (Stage::Stopped(Stopped::Paused), vec![]));
    assert_eq!(session.handle(value("long"), 3.0), vec![], "there is no photo to answer");
    assert!(asked(&session.handle(Event::Tick, 20_000.0)).is_some(), "it looks again by itself");
    session.handle(Event::Claimed(claimed([3, 4])), 20_001.0);
    assert_eq!((session.stage(), shown(&session)), (Stage::Working, Some(3)));
}

#[test]
fn new_guidelines_change_the_version_and_nothing_else() {
    let mut session = working();
    session.handle(value("drop"), 1.0);
    let mut newer = questions();
    newer[0].guideline_version = Some(9);
    session.handle(Event::Questions(newer), 2.0);
    let submission = sent(&session.handle(value("long"), 3.0)).remove(0);
    assert_eq!(submission.answers[0].answer.key(), "drop");
    assert_eq!(shown(&session), Some(2));
}
