//! What the grid page knows and decides, without a browser: a state machine that takes events and returns effects.
//!
//! A screen holds photos for which the same value of one attribute is suggested. One key accepts it; marks are exceptions.
//! The next screen is fetched while the present one shows, and nothing waits for a save. Times are milliseconds that only
//! grow, from any origin.

mod screen;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use kenami_domain::{
    answer::Answer,
    view::grid::{GridPhoto, GridScreen, Waiting},
};
use uuid::Uuid;

pub use screen::{Mark, Pending, Shown};

use crate::pages::annotate::session::{Failure, Left, Outbox, Outgoing, Question};

/// Screens that can be taken back.
const UNDO_DEPTH: usize = 10;
/// Digits that belong to one number come within this time.
const DIGITS_MS: f64 = 1_200.0;
/// Pause before asking again after a failure.
const PAUSE_MS: f64 = 5_000.0;

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The page is there, or the window changed: how much fits.
    Room {
        /// Photos.
        want: usize,
        /// Columns that they stand in.
        columns: usize,
    },
    /// Another attribute, by index.
    Attribute(usize),
    /// A value's screens.
    Value(String),
    /// A screen came, the answer to the [`Effect::Fetch`] with this number.
    Screen(u64, GridScreen),
    /// It did not come.
    ScreenFailed(u64, Failure),
    /// Every photo as suggested, but for the marks.
    Accept,
    /// The cursor by as many photos to the right and down.
    Move(i32, i32),
    /// The cursor to a photo by index.
    Point(usize),
    /// A digit of a photo's number.
    Digit(u8),
    /// The value with this index for the photo at the cursor.
    MarkValue(usize),
    /// Another answer for it.
    Mark(Mark),
    /// Its mark away.
    Unmark,
    /// The last mark away, or the last screen back.
    Undo,
    /// The server has the answers.
    Saved(Uuid),
    /// The server does not have the answers.
    SaveFailed(Uuid, Failure),
    /// Answers that an earlier visit left in the browser, oldest first.
    Restored(Vec<Left<Pending>>),
    /// Throw refused answers away.
    Discard(Uuid),
    /// Guidelines were read again.
    Questions(Vec<Question>),
    /// Look again.
    Refill,
    /// Time passes.
    Tick,
    /// The network is back.
    Online,
}

/// What the page must do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the server for a screen.
    Fetch {
        /// Given back with the answer.
        number: u64,
        /// Attribute key.
        attribute: String,
        /// Value key; none for the one with the most photos.
        value: Option<String>,
        /// Photos that fit.
        want: usize,
        /// Claims whose photos are not to come.
        skip: Vec<i64>,
    },
    /// Send answers.
    Send(Pending),
    /// Keep answers in the browser until they are confirmed.
    Store(Pending),
    /// Forget what [`Effect::Store`] kept.
    Forget(Uuid),
}

/// What the page shows in place of a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The project asks nothing of annotators.
    NoAttributes,
    /// A screen has been asked for.
    Loading,
    /// A screen is open.
    Working,
    /// The project suggests nothing to this annotator.
    NoSuggestions,
    /// Nothing waits for this attribute.
    Done,
    /// A screen could not be fetched.
    Trouble(Failure),
}

/// One annotator's visit to the grid.
#[derive(Debug, Clone)]
pub struct Session {
    questions: Vec<Question>,
    attribute: usize,
    want: usize,
    columns: usize,
    shown: Option<Shown>,
    /// Fetched, not shown yet.
    next: Option<GridScreen>,
    /// The last empty answer: what it says of the project.
    empty: Option<GridScreen>,
    waiting: Vec<Waiting>,
    past: VecDeque<Shown>,
    /// Claims put off to the annotate page.
    later: BTreeSet<i64>,
    outbox: Outbox<Pending>,
    /// The number of the request under way.
    fetching: Option<u64>,
    number: u64,
    failure: Option<Failure>,
    not_before: f64,
    typed: (usize, f64),
    answered: i64,
    make_key: fn() -> Uuid,
}

impl Session {
    /// A visit that has not fetched anything. `make_key` makes the idempotency keys.
    pub fn new(questions: Vec<Question>, make_key: fn() -> Uuid) -> Self {
        Self {
            questions,
            attribute: 0,
            want: 0,
            columns: 1,
            shown: None,
            next: None,
            empty: None,
            waiting: Vec::new(),
            past: VecDeque::new(),
            later: BTreeSet::new(),
            outbox: Outbox::default(),
            fetching: None,
            number: 0,
            failure: None,
            not_before: f64::NEG_INFINITY,
            typed: (0, f64::NEG_INFINITY),
            answered: 0,
            make_key,
        }
    }

    /// Takes an event and says what must be done about it.
    pub fn handle(&mut self, event: Event, now: f64) -> Vec<Effect> {
        let mut effects = Vec::new();
        // A number ends with whatever is done about its photo.
        if !matches!(event, Event::Digit(_) | Event::Tick | Event::Screen(..) | Event::Saved(_)) {
            self.typed = (0, f64::NEG_INFINITY);
        }
        match event {
            Event::Room { want, columns } => {
                (self.want, self.columns) = (want.max(1), columns.max(1));
            }
            Event::Attribute(index) => self.choose(index, now),
            Event::Value(value) => effects.extend(self.choose_value(value, now)),
            Event::Screen(number, screen) => effects.extend(self.arrived(number, screen, now)),
            Event::ScreenFailed(number, failure) => self.failed(number, failure, now),
            Event::Accept => effects.extend(self.accept(now)),
            Event::Move(right, down) => self.on_screen(|shown, columns| shown.step(right, down, columns)),
            Event::Point(index) => self.on_screen(|shown, _| shown.point(index)),
            Event::Digit(digit) => self.digit(digit, now),
            Event::MarkValue(index) => self.mark_value(index),
            Event::Mark(mark) => self.on_screen(|shown, _| shown.mark(mark)),
            Event::Unmark => self.on_screen(|shown, _| shown.unmark()),
            Event::Undo => self.undo(now),
            Event::Saved(key) => effects.extend(self.settled(key)),
            Event::SaveFailed(key, failure) => self.outbox.failed(key, failure, now),
            Event::Restored(left) => self.outbox.restore(left, now),
            Event::Discard(key) => effects.extend(self.settled(key)),
            Event::Questions(questions) => self.set_questions(questions),
            Event::Refill => self.not_before = now,
            Event::Tick => {}
            Event::Online => {
                self.outbox.retry_now(now);
                self.not_before = now;
            }
        }
        effects.extend(self.outbox.due(now).into_iter().map(Effect::Send));
        effects.extend(self.fetch(now));
        effects
    }

    fn on_screen(&mut self, change: impl FnOnce(&mut Shown, usize)) {
        if let Some(shown) = &mut self.shown {
            change(shown, self.columns);
        }
    }

    /// Asks for the next screen, if there is none waiting and none on its way.
    fn fetch(&mut self, now: f64) -> Option<Effect> {
        let done = self.empty.is_some();
        if self.want == 0 || self.fetching.is_some() || self.next.is_some() || done || now < self.not_before {
            return None;
        }
        let value = self.shown.as_ref().map(|shown| shown.value().to_owned());
        self.request(value)
    }

    fn request(&mut self, value: Option<String>) -> Option<Effect> {
        let attribute = self.questions.get(self.attribute)?.key.clone();
        self.number += 1;
        self.fetching = Some(self.number);
        Some(Effect::Fetch { number: self.number, attribute, value, want: self.want, skip: self.held() })
    }

    /// Claims whose photos must not come again: on the screen, put off, or on their way to the server.
    fn held(&self) -> Vec<i64> {
        let mut held = self.later.clone();
        held.extend(self.shown.iter().flat_map(Shown::claims));
        held.extend(self.outbox.waiting_claims());
        held.into_iter().collect()
    }

    fn arrived(&mut self, number: u64, screen: GridScreen, now: f64) -> Option<Effect> {
        if self.fetching != Some(number) {
            return None;
        }
        (self.fetching, self.failure) = (None, None);
        self.waiting.clone_from(&screen.waiting);
        if !screen.photos.is_empty() {
            self.empty = None;
            if self.shown.is_none() {
                self.show(screen, now)
            } else {
                self.next = Some(screen)
            }
            return None;
        }
        // This value has run out: the one with the most photos comes next.
        if screen.value.is_some() && screen.waiting.iter().any(|waiting| waiting.photos > 0) {
            return self.request(None);
        }
        self.empty = Some(screen);
        None
    }

    fn failed(&mut self, number: u64, failure: Failure, now: f64) {
        if self.fetching == Some(number) {
            self.fetching = None;
            self.failure = Some(failure);
            self.not_before = now + PAUSE_MS;
        }
    }

    fn show(&mut self, screen: GridScreen, now: f64) {
        self.shown = Some(Shown::new(screen, now));
        self.typed = (0, f64::NEG_INFINITY);
    }

    fn choose(&mut self, index: usize, now: f64) {
        if index < self.questions.len() && index != self.attribute {
            self.attribute = index;
            self.past.clear();
            self.start_over(now);
        }
    }

    fn choose_value(&mut self, value: String, now: f64) -> Option<Effect> {
        if self.shown.as_ref().is_some_and(|shown| shown.value() == value) {
            return None;
        }
        self.start_over(now);
        self.request(Some(value))
    }

    /// Forgets screens that were fetched under another choice; their photos stay claimed for a while and come again.
    fn start_over(&mut self, now: f64) {
        (self.shown, self.next, self.empty, self.fetching, self.failure) = (None, None, None, None, None);
        self.not_before = now;
    }

    fn accept(&mut self, now: f64) -> Option<Effect> {
        let mut shown = self.shown.take()?;
        self.later.extend(shown.put_off());
        let version = self.questions.get(self.attribute)?.guideline_version;
        let pending = shown.submission(version, self.make_key, now);
        self.answered += shown.fresh() as i64;
        shown.accepted();
        self.past.push_back(shown);
        if self.past.len() > UNDO_DEPTH {
            self.past.pop_front();
        }
        if let Some(screen) = self.next.take() {
            self.show(screen, now);
        }
        let pending = pending?;
        self.outbox.push(pending.clone(), now);
        Some(Effect::Store(pending))
    }

    fn digit(&mut self, digit: u8, now: f64) {
        let Some(shown) = &mut self.shown else { return };
        let (before, at) = self.typed;
        let digit = usize::from(digit);
        let longer = before * 10 + digit;
        let number = if now - at < DIGITS_MS && longer <= shown.photos().len() { longer } else { digit };
        self.typed = (number, now);
        if number > 0 {
            shown.point(number - 1);
        }
    }

    fn mark_value(&mut self, index: usize) {
        let value = self.questions.get(self.attribute).and_then(|question| question.values.get(index)).cloned();
        if let (Some(value), Some(shown)) = (value, &mut self.shown) {
            shown.mark(Mark::Answer(Answer::Value(value)));
        }
    }

    fn undo(&mut self, now: f64) {
        if self.shown.as_mut().is_some_and(Shown::undo) {
            return;
        }
        let Some(mut last) = self.past.pop_back() else { return };
        for claim in last.put_off() {
            self.later.remove(&claim);
        }
        // The screen that is put aside comes next, before the one that was fetched after it.
        if let Some(shown) = self.shown.take() {
            self.next = Some(shown.into_screen());
        }
        last.reopen(now);
        self.shown = Some(last);
    }

    fn settled(&mut self, key: Uuid) -> Option<Effect> {
        self.outbox.take(key);
        Some(Effect::Forget(key))
    }

    fn set_questions(&mut self, questions: Vec<Question>) {
        let key = self.questions.get(self.attribute).map(|question| question.key.clone());
        self.attribute = questions.iter().position(|question| Some(&question.key) == key.as_ref()).unwrap_or(0);
        self.questions = questions;
    }

    /// What shows.
    pub fn stage(&self) -> Stage {
        if self.questions.is_empty() {
            return Stage::NoAttributes;
        }
        match (&self.shown, &self.failure, &self.empty) {
            (Some(_), ..) => Stage::Working,
            (None, Some(failure), _) => Stage::Trouble(failure.clone()),
            (None, None, Some(empty)) if empty.source_id.is_none() => Stage::NoSuggestions,
            (None, None, Some(_)) => Stage::Done,
            (None, None, None) => Stage::Loading,
        }
    }

    /// What is asked.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// Index of the attribute.
    pub fn attribute(&self) -> usize {
        self.attribute
    }

    /// The open screen.
    pub fn shown(&self) -> Option<&Shown> {
        self.shown.as_ref()
    }

    /// Photos of the next screen, to be loaded ahead.
    pub fn upcoming(&self) -> Vec<GridPhoto> {
        self.next.as_ref().map(|screen| screen.photos.clone()).unwrap_or_default()
    }

    /// What waits under each value.
    pub fn waiting(&self) -> &[Waiting] {
        &self.waiting
    }

    /// Answers on their way.
    pub fn outbox(&self) -> &Outbox<Pending> {
        &self.outbox
    }

    /// Photos answered in this visit.
    pub fn answered(&self) -> i64 {
        self.answered
    }

    /// Whether there is something to take back.
    pub fn can_undo(&self) -> bool {
        !self.past.is_empty() || self.shown.as_ref().is_some_and(Shown::has_marks)
    }

    /// Claims to give back when the page is left.
    pub fn open_claims(&self) -> Vec<i64> {
        let next = self.next.iter().flat_map(|screen| screen.photos.iter().map(|photo| photo.claim_id));
        self.shown.iter().flat_map(Shown::claims).chain(next).filter(|claim| !self.outbox.has_claim(*claim)).collect()
    }
}

impl Outbox<Pending> {
    fn waiting_claims(&self) -> Vec<i64> {
        self.all().flat_map(|pending| pending.submission.answers.iter().map(|answer| answer.claim_id)).collect()
    }
}

impl Outgoing for Pending {
    fn key(&self) -> Uuid {
        self.key
    }

    fn collides(&self, other: &Self) -> bool {
        self.submission.attribute == other.submission.attribute
            && self.submission.answers.iter().any(|answer| other.answers(answer.claim_id))
    }

    fn answers(&self, claim_id: i64) -> bool {
        self.submission.answers.iter().any(|answer| answer.claim_id == claim_id)
    }
}
