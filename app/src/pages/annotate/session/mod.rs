//! What the annotate page knows and decides, without a browser: a state machine that takes events and returns effects.
//!
//! Photos arrive in claims, wait in a queue and are shown one after the other. A finished photo's answers go to the
//! [`outbox`] and the next photo is shown at once; nothing here ever waits for a save. Times are milliseconds that only
//! grow, from any origin.

mod outbox;
mod sheet;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use kenami_domain::{
    answer::Answer,
    view::annotate::{Claimed, ClaimedPhoto, GivenAnswer, MyProgress, Stopped, Submission},
};
use uuid::Uuid;

pub use outbox::{Entry, Failure, Left, Outbox, Outgoing, Record, SaveState};
pub use sheet::Sheet;

/// Photos that are asked for at once.
const WANTED: usize = 8;
/// Fewer photos than this behind the current one: ask for more.
const LOW: usize = 5;
/// The server takes no larger wish.
const MOST_WANTED: usize = 20;
/// Finished photos that can be taken back.
const UNDO_DEPTH: usize = 10;
/// Pause before asking again when there was nothing (more) to get.
const DRY_PAUSE_MS: f64 = 15_000.0;
/// Someone who has not answered for this long is not kept in possession of photos.
const IDLE_MS: f64 = 300_000.0;

/// An attribute as the page asks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Attribute key.
    pub key: String,
    /// Keys of the values on offer, in order.
    pub values: Vec<String>,
    /// Version of the guideline that is shown.
    pub guideline_version: Option<i32>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An answer was chosen for the attribute in focus.
    Answer(Answer),
    /// "Unsure" was chosen: its note field opens.
    OpenNote,
    /// The note is written (or left empty): the answer is unsure.
    Note(String),
    /// The note field was left without an answer.
    CloseNote,
    /// Attribute by index.
    Focus(usize),
    /// The next (or, if false, the previous) attribute.
    Step(bool),
    /// Take back the last answer.
    Undo,
    /// Finish the photo, if every attribute has an answer.
    Advance,
    /// The photo of this claim has been painted or is ready to be.
    PhotoReady(i64),
    /// The page came to the foreground or left it.
    Visible(bool),
    /// The server's answer to [`Effect::Claim`].
    Claimed(Claimed),
    /// A claim that failed.
    ClaimFailed(Failure),
    /// Ask for photos now.
    Refill,
    /// The server has the answers.
    Saved(Uuid, MyProgress),
    /// The server does not have the answers.
    SaveFailed(Uuid, Failure),
    /// Answers that an earlier visit left in the browser, oldest first.
    Restored(Vec<Left>),
    /// Photos that an earlier visit finished, newest first, for undo.
    History(Vec<ClaimedPhoto>),
    /// Answer a refused photo again.
    Rework(Uuid),
    /// Throw a refused photo's answers away.
    Discard(Uuid),
    /// The setting "go to the next photo by itself".
    AutoAdvance(bool),
    /// Guidelines were read again.
    Questions(Vec<Question>),
    /// Time passes.
    Tick,
    /// The network is back.
    Online,
    /// The page came back from the browser's cache: its claims were given back when it was left.
    Resumed,
}

/// What the page must do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the server for photos.
    Claim {
        /// How many this page wants to hold in all.
        want: usize,
        /// Claims that it holds already.
        have: Vec<i64>,
    },
    /// Send answers.
    Send(Submission),
    /// Keep answers in the browser until they are confirmed.
    Store(Record),
    /// Forget what [`Effect::Store`] kept.
    Forget(Uuid),
    /// Tell the server that a finished photo is open again.
    Reopen(i64),
}

/// What the page shows in place of a photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The project asks nothing of annotators.
    NoAttributes,
    /// Photos have been asked for.
    Loading,
    /// A photo is open.
    Working,
    /// The project has no photos.
    NoPhotos,
    /// This annotator has answered everything that could come.
    AllDone,
    /// The rest is held by others: as many slots.
    HeldByOthers(i64),
    /// This annotator is given no photos.
    Stopped(Stopped),
    /// Photos could not be fetched.
    Trouble(Failure),
}

/// The state of one annotator's visit.
#[derive(Debug, Clone)]
pub struct Session {
    questions: Vec<Question>,
    current: Option<Sheet>,
    queue: VecDeque<Sheet>,
    finished: VecDeque<Sheet>,
    outbox: Outbox,
    progress: MyProgress,
    held_by_others: i64,
    stopped: Option<Stopped>,
    /// Claims that were answered here: a server that has not seen the answers yet offers them again.
    answered: BTreeSet<i64>,
    ready: BTreeSet<i64>,
    claiming: bool,
    claimed_once: bool,
    claim_failure: Option<Failure>,
    claim_not_before: f64,
    extended_at: f64,
    lease_ms: f64,
    last_action: f64,
    auto_advance: bool,
    visible: bool,
    make_key: fn() -> Uuid,
}

impl Session {
    /// A visit that has not fetched anything. `make_key` makes the idempotency keys.
    pub fn new(questions: Vec<Question>, lease_seconds: i32, make_key: fn() -> Uuid) -> Self {
        Self {
            questions,
            current: None,
            queue: VecDeque::new(),
            finished: VecDeque::new(),
            outbox: Outbox::default(),
            progress: MyProgress::default(),
            held_by_others: 0,
            stopped: None,
            answered: BTreeSet::new(),
            ready: BTreeSet::new(),
            claiming: false,
            claimed_once: false,
            claim_failure: None,
            claim_not_before: f64::NEG_INFINITY,
            extended_at: f64::NEG_INFINITY,
            lease_ms: f64::from(lease_seconds) * 1000.0,
            last_action: f64::NEG_INFINITY,
            auto_advance: true,
            visible: true,
            make_key,
        }
    }

    /// Takes an event and says what must be done about it.
    pub fn handle(&mut self, event: Event, now: f64) -> Vec<Effect> {
        if is_action(&event) {
            self.last_action = now;
        }
        let mut effects = match event {
            Event::Answer(answer) => self.answer(answer, String::new(), now),
            Event::Note(note) => self.answer(Answer::Unsure, note, now),
            Event::OpenNote => self.on_sheet(|sheet| sheet.set_note_open(true)),
            Event::CloseNote => self.on_sheet(|sheet| sheet.set_note_open(false)),
            Event::Focus(index) => self.on_sheet(|sheet| sheet.focus_on(index, now)),
            Event::Step(forward) => self.on_sheet(|sheet| sheet.step(forward, now)),
            Event::Undo => self.undo(now),
            Event::Advance => self.finish(now),
            Event::PhotoReady(claim) => self.photo_ready(claim, now),
            Event::Visible(visible) => self.set_visible(visible, now),
            Event::Claimed(claimed) => self.claimed(claimed, now),
            Event::ClaimFailed(failure) => self.claim_failed(failure, now),
            Event::Refill => {
                self.claim_not_before = now;
                Vec::new()
            }
            Event::Saved(key, progress) => self.saved(key, progress),
            Event::SaveFailed(key, failure) => {
                self.outbox.failed(key, failure, now);
                Vec::new()
            }
            Event::Restored(left) => {
                self.answered.extend(left.iter().map(|left| left.record.submission.claim_id));
                self.outbox.restore(left, now);
                Vec::new()
            }
            Event::History(photos) => self.remember(photos),
            Event::Rework(key) => self.rework(key, now),
            Event::Discard(key) => {
                self.outbox.take(key);
                vec![Effect::Forget(key)]
            }
            Event::AutoAdvance(on) => {
                self.auto_advance = on;
                Vec::new()
            }
            Event::Questions(questions) => self.set_questions(questions),
            Event::Tick => Vec::new(),
            Event::Online => {
                self.outbox.retry_now(now);
                self.claim_not_before = now;
                Vec::new()
            }
            Event::Resumed => {
                self.queue.clear();
                self.claim_not_before = now;
                Vec::new()
            }
        };
        effects.extend(self.outbox.due(now).into_iter().map(|record| Effect::Send(record.submission)));
        effects.extend(self.claim_if_low(now));
        effects
    }

    fn on_sheet(&mut self, change: impl FnOnce(&mut Sheet)) -> Vec<Effect> {
        if let Some(sheet) = &mut self.current {
            change(sheet);
        }
        Vec::new()
    }

    fn answer(&mut self, answer: Answer, note: String, now: f64) -> Vec<Effect> {
        let Some(sheet) = &mut self.current else { return Vec::new() };
        let offered =
            answer.value().is_none_or(|value| self.questions[sheet.focus()].values.iter().any(|v| v == value));
        if !offered {
            return Vec::new();
        }
        sheet.answer(GivenAnswer { answer, note }, now);
        if sheet.is_complete() && self.auto_advance { self.finish(now) } else { Vec::new() }
    }

    fn finish(&mut self, now: f64) -> Vec<Effect> {
        let Some(mut sheet) = self.current.take_if(|sheet| sheet.is_complete()) else { return Vec::new() };
        sheet.pause(now);
        let claim_id = sheet.photo().claim_id;
        let submission =
            Submission { claim_id, answers: sheet.inputs(&self.questions), idempotency_key: (self.make_key)() };
        let record = Record { submission, photo: sheet.photo().clone() };
        self.answered.insert(claim_id);
        self.ready.remove(&claim_id);
        self.finished.push_back(sheet);
        if self.finished.len() > UNDO_DEPTH {
            self.finished.pop_front();
        }
        self.outbox.push(record.clone(), now);
        self.show_next(now);
        if self.current.is_none() {
            // Perhaps something has come back meanwhile.
            self.claim_not_before = now;
        }
        vec![Effect::Store(record)]
    }

    fn show_next(&mut self, now: f64) {
        if let Some(sheet) = self.queue.pop_front() {
            self.open(sheet, now);
        }
    }

    fn open(&mut self, mut sheet: Sheet, now: f64) {
        if self.visible && self.ready.contains(&sheet.photo().claim_id) {
            sheet.run(now);
        }
        self.current = Some(sheet);
    }

    fn undo(&mut self, now: f64) -> Vec<Effect> {
        if self.current.as_mut().is_some_and(|sheet| sheet.undo(now)) {
            return Vec::new();
        }
        let Some(mut sheet) = self.finished.pop_back() else { return Vec::new() };
        self.put_back(now);
        sheet.reopen(now);
        let claim_id = sheet.photo().claim_id;
        self.answered.remove(&claim_id);
        self.progress.done = (self.progress.done - 1).max(0);
        self.open(sheet, now);
        vec![Effect::Reopen(claim_id)]
    }

    /// The open photo goes back to the head of the queue; answers begun on it stay with it.
    fn put_back(&mut self, now: f64) {
        if let Some(mut sheet) = self.current.take() {
            sheet.pause(now);
            self.queue.push_front(sheet);
        }
    }

    fn rework(&mut self, key: Uuid, now: f64) -> Vec<Effect> {
        let Some(record) = self.outbox.take(key) else { return Vec::new() };
        self.put_back(now);
        let claim_id = record.submission.claim_id;
        self.finished.retain(|sheet| sheet.photo().claim_id != claim_id);
        self.queue.retain(|sheet| sheet.photo().claim_id != claim_id);
        self.answered.remove(&claim_id);
        let sheet = Sheet::from_record(record, &self.questions);
        self.open(sheet, now);
        vec![Effect::Forget(key)]
    }

    fn photo_ready(&mut self, claim: i64, now: f64) -> Vec<Effect> {
        self.ready.insert(claim);
        if let Some(sheet) = &mut self.current
            && self.visible
            && sheet.photo().claim_id == claim
        {
            sheet.run(now);
        }
        Vec::new()
    }

    fn set_visible(&mut self, visible: bool, now: f64) -> Vec<Effect> {
        self.visible = visible;
        if let Some(sheet) = &mut self.current {
            if !visible {
                sheet.pause(now);
            } else if self.ready.contains(&sheet.photo().claim_id) {
                sheet.run(now);
            }
        }
        Vec::new()
    }

    fn claimed(&mut self, claimed: Claimed, now: f64) -> Vec<Effect> {
        (self.claiming, self.claimed_once, self.claim_failure) = (false, true, None);
        (self.progress, self.held_by_others, self.extended_at) = (claimed.progress, claimed.held_by_others, now);
        self.stopped = claimed.stopped;
        if self.stopped.is_some() {
            // What was in hand has gone back to the queue.
            self.queue.clear();
            self.current = None;
        }
        for photo in claimed.photos {
            let here = self.holds(photo.claim_id);
            let stale = self.answered.contains(&photo.claim_id)
                && (photo.in_doubt.is_empty() || self.outbox.has_claim(photo.claim_id));
            if !here && !stale {
                self.answered.remove(&photo.claim_id);
                self.queue.push_back(Sheet::new(photo, &self.questions));
            }
        }
        if self.current.is_none() {
            self.show_next(now);
        }
        // Whoever got less than asked for need not ask again at the next key.
        if self.queue.len() < LOW {
            self.claim_not_before = now + DRY_PAUSE_MS;
        }
        Vec::new()
    }

    fn claim_failed(&mut self, failure: Failure, now: f64) -> Vec<Effect> {
        self.claiming = false;
        self.claim_failure = Some(failure);
        self.claim_not_before = now + DRY_PAUSE_MS / 3.0;
        Vec::new()
    }

    fn claim_if_low(&mut self, now: f64) -> Option<Effect> {
        let low = self.queue.len() < LOW;
        let aging = !self.held().is_empty()
            && now - self.extended_at > self.lease_ms / 2.0
            && now - self.last_action < self.lease_ms.min(IDLE_MS);
        // An empty page that nobody looks at asks for nothing.
        let wanted = (low || aging) && (self.visible || self.current.is_some());
        if self.questions.is_empty() || self.claiming || !wanted || now < self.claim_not_before {
            return None;
        }
        self.claiming = true;
        let have = self.held();
        // Photos whose answers are still on their way count as held until the server has them.
        let want = (WANTED + self.outbox.len()).clamp(1, MOST_WANTED);
        Some(Effect::Claim { want, have })
    }

    fn saved(&mut self, key: Uuid, progress: MyProgress) -> Vec<Effect> {
        self.outbox.take(key);
        self.progress = progress;
        vec![Effect::Forget(key)]
    }

    fn remember(&mut self, photos: Vec<ClaimedPhoto>) -> Vec<Effect> {
        for photo in photos {
            let known =
                self.holds(photo.claim_id) || self.finished.iter().any(|s| s.photo().claim_id == photo.claim_id);
            if !known && self.finished.len() < UNDO_DEPTH {
                self.finished.push_front(Sheet::new(photo, &self.questions));
            }
        }
        Vec::new()
    }

    fn set_questions(&mut self, questions: Vec<Question>) -> Vec<Effect> {
        let same_keys = questions.iter().map(|q| &q.key).eq(self.questions.iter().map(|q| &q.key));
        self.questions = questions;
        if !same_keys {
            // Attributes came or went: sheets are about the old ones. The claims stay with the server, which offers them
            // again.
            self.finished.clear();
            self.queue.clear();
            self.current = None;
            self.claim_not_before = f64::NEG_INFINITY;
        }
        Vec::new()
    }

    fn holds(&self, claim_id: i64) -> bool {
        self.current.as_ref().is_some_and(|sheet| sheet.photo().claim_id == claim_id)
            || self.queue.iter().any(|sheet| sheet.photo().claim_id == claim_id)
    }

    /// Claims that are open here, in the order in which they are shown: to keep, or to give back on leaving.
    pub fn held(&self) -> Vec<i64> {
        self.current.iter().chain(&self.queue).map(|sheet| sheet.photo().claim_id).collect()
    }

    /// What is asked.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// The open photo with its answers.
    pub fn current(&self) -> Option<&Sheet> {
        self.current.as_ref()
    }

    /// The open photo and those that follow, at most `count` in all.
    pub fn upcoming(&self, count: usize) -> Vec<ClaimedPhoto> {
        self.current.iter().chain(&self.queue).map(Sheet::photo).take(count).cloned().collect()
    }

    /// Answers that the server has not confirmed.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Progress, with the photos whose answers are on their way.
    pub fn progress(&self) -> MyProgress {
        let ahead = self.outbox.unsaved() as i64;
        MyProgress {
            done: self.progress.done + ahead,
            open: (self.progress.open - ahead).max(0),
            project_done: (self.progress.project_done + ahead).min(self.progress.project_total),
            ..self.progress
        }
    }

    /// Whether there is anything to take back.
    pub fn can_undo(&self) -> bool {
        !self.finished.is_empty() || self.current.as_ref().is_some_and(Sheet::can_undo)
    }

    /// The setting "go to the next photo by itself".
    pub fn auto_advance(&self) -> bool {
        self.auto_advance
    }

    /// What to show.
    pub fn stage(&self) -> Stage {
        if self.questions.is_empty() {
            return Stage::NoAttributes;
        }
        if self.current.is_some() {
            return Stage::Working;
        }
        if let Some(failure) = &self.claim_failure {
            return Stage::Trouble(failure.clone());
        }
        if !self.claimed_once {
            return Stage::Loading;
        }
        if let Some(stopped) = self.stopped {
            return Stage::Stopped(stopped);
        }
        match (self.progress.project_total, self.held_by_others) {
            (0, _) => Stage::NoPhotos,
            (_, 0) if self.claiming && self.progress().open > 0 => Stage::Loading,
            (_, 0) => Stage::AllDone,
            (_, others) => Stage::HeldByOthers(others),
        }
    }
}

/// Whether a person did it.
fn is_action(event: &Event) -> bool {
    matches!(
        event,
        Event::Answer(_)
            | Event::OpenNote
            | Event::Note(_)
            | Event::Focus(_)
            | Event::Step(_)
            | Event::Undo
            | Event::Advance
            | Event::Rework(_)
            | Event::Refill
    )
}
