//! One screen with its marks.

use std::collections::BTreeMap;

use kenami_domain::{
    answer::Answer,
    view::grid::{GridAnswer, GridPhoto, GridScreen, GridSubmission},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What an exception is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// Another answer than the suggested one.
    Answer(Answer),
    /// Not here: it comes on the annotate page.
    Later,
}

/// A screen's answers on their way to the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// Names it among all that are on their way.
    pub key: Uuid,
    /// What is sent.
    pub submission: GridSubmission,
}

/// An open screen: its photos, the cursor, and what is marked.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    screen: GridScreen,
    cursor: Option<usize>,
    /// By index; the last one last.
    marks: Vec<(usize, Mark)>,
    /// What the server was told when the screen was accepted before.
    told: BTreeMap<i64, Answer>,
    since: f64,
}

impl Shown {
    pub(super) fn new(screen: GridScreen, now: f64) -> Self {
        Self { screen, cursor: None, marks: Vec::new(), told: BTreeMap::new(), since: now }
    }

    /// The suggested answer.
    pub fn suggested(&self) -> Answer {
        Answer::from(self.value())
    }

    /// The suggested answer's key: a value's, or `not_visible`.
    pub fn value(&self) -> &str {
        self.screen.value.as_deref().unwrap_or_default()
    }

    /// The photos.
    pub fn photos(&self) -> &[GridPhoto] {
        &self.screen.photos
    }

    /// Index of the photo at the cursor.
    pub fn cursor(&self) -> Option<usize> {
        self.cursor
    }

    /// The mark of the photo with this index.
    pub fn mark_of(&self, index: usize) -> Option<&Mark> {
        self.marks.iter().find(|(marked, _)| *marked == index).map(|(_, mark)| mark)
    }

    /// Photos with a mark.
    pub fn marked(&self) -> usize {
        self.marks.len()
    }

    pub(super) fn has_marks(&self) -> bool {
        !self.marks.is_empty()
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = i64> + '_ {
        self.screen.photos.iter().map(|photo| photo.claim_id)
    }

    pub(super) fn into_screen(self) -> GridScreen {
        self.screen
    }

    pub(super) fn point(&mut self, index: usize) {
        if index < self.photos().len() {
            self.cursor = Some(index);
        }
    }

    /// Moves the cursor; it stays on the screen. The first move only shows it.
    pub(super) fn step(&mut self, right: i32, down: i32, columns: usize) {
        let count = self.photos().len() as i64;
        let Some(cursor) = self.cursor else {
            self.point(0);
            return;
        };
        let target = cursor as i64 + i64::from(right) + i64::from(down) * columns as i64;
        if (0..count).contains(&target) {
            self.cursor = Some(target as usize);
        }
    }

    /// Marks the photo at the cursor. The suggested answer is no exception: it takes the mark away.
    pub(super) fn mark(&mut self, mark: Mark) {
        let Some(cursor) = self.cursor else { return };
        self.unmark();
        if mark != Mark::Answer(self.suggested()) {
            self.marks.push((cursor, mark));
        }
    }

    pub(super) fn unmark(&mut self) {
        let cursor = self.cursor;
        self.marks.retain(|(index, _)| Some(*index) != cursor);
    }

    /// Takes the last mark away; false if there is none.
    pub(super) fn undo(&mut self) -> bool {
        self.marks.pop().is_some()
    }

    pub(super) fn put_off(&self) -> Vec<i64> {
        let later = self.marks.iter().filter(|(_, mark)| *mark == Mark::Later);
        later.map(|(index, _)| self.screen.photos[*index].claim_id).collect()
    }

    /// The answer to each photo that is answered here.
    fn answers(&self) -> BTreeMap<i64, Answer> {
        let answer = |(index, photo): (usize, &GridPhoto)| match self.mark_of(index) {
            None => Some((photo.claim_id, self.suggested())),
            Some(Mark::Answer(answer)) => Some((photo.claim_id, answer.clone())),
            Some(Mark::Later) => None,
        };
        self.screen.photos.iter().enumerate().filter_map(answer).collect()
    }

    /// Photos that are answered now and were not before.
    pub(super) fn fresh(&self) -> usize {
        self.answers().keys().filter(|claim| !self.told.contains_key(*claim)).count()
    }

    /// What is to be sent: all answers, or those that changed since the screen was accepted before.
    pub(super) fn submission(&self, version: Option<i32>, make_key: fn() -> Uuid, now: f64) -> Option<Pending> {
        let changed = self.answers().into_iter().filter(|(claim, answer)| self.told.get(claim) != Some(answer));
        let answers: Vec<GridAnswer> =
            changed.map(|(claim_id, answer)| GridAnswer { claim_id, answer, idempotency_key: make_key() }).collect();
        let key = answers.first()?.idempotency_key;
        let submission = GridSubmission {
            attribute: self.screen.attribute.clone(),
            source_id: self.screen.source_id?,
            answers,
            duration_ms: Some((now - self.since).max(0.0).min(f64::from(i32::MAX)).round() as i32),
            guideline_version: version,
        };
        Some(Pending { key, submission })
    }

    pub(super) fn accepted(&mut self) {
        self.told.extend(self.answers());
    }

    pub(super) fn reopen(&mut self, now: f64) {
        self.since = now;
    }
}
