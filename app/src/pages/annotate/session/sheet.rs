//! One photo with its answers and the time that each attribute took.

use kenami_domain::view::annotate::{AnswerInput, ClaimedPhoto, GivenAnswer};

use super::{Question, Record};

/// One attribute's answer.
#[derive(Debug, Clone, Default, PartialEq)]
struct Line {
    answer: Option<GivenAnswer>,
    /// Milliseconds in focus until the last answer.
    until_answer: f64,
    /// Milliseconds in focus so far.
    in_focus: f64,
    /// Whether the answer was given here, not found with the photo.
    touched: bool,
}

/// An open photo: answers, focus, and a stopwatch that runs while the photo can be seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    photo: ClaimedPhoto,
    keys: Vec<String>,
    lines: Vec<Line>,
    focus: usize,
    note_open: bool,
    /// Answers in the order in which they were given, each with what stood there before.
    given: Vec<(usize, Option<GivenAnswer>)>,
    /// Since when the stopwatch runs.
    running: Option<f64>,
}

impl Sheet {
    /// Opens a claimed photo. Earlier answers stand, except those that a newer guideline puts in doubt.
    pub fn new(photo: ClaimedPhoto, questions: &[Question]) -> Self {
        let lines: Vec<Line> = questions
            .iter()
            .map(|question| Line {
                answer: photo.answers.get(&question.key).filter(|_| !photo.in_doubt.contains(&question.key)).cloned(),
                ..Line::default()
            })
            .collect();
        let focus = lines.iter().position(|line| line.answer.is_none()).unwrap_or(0);
        let keys = questions.iter().map(|question| question.key.clone()).collect();
        Self { photo, keys, lines, focus, note_open: false, given: Vec::new(), running: None }
    }

    /// A photo whose answers were refused, to be looked at again.
    pub fn from_record(record: Record, questions: &[Question]) -> Self {
        let mut photo = record.photo;
        photo.in_doubt.clear();
        photo.answers = record
            .submission
            .answers
            .into_iter()
            .map(|input| (input.attribute, GivenAnswer { answer: input.answer, note: input.note }))
            .collect();
        Self::new(photo, questions)
    }

    /// The photo.
    pub fn photo(&self) -> &ClaimedPhoto {
        &self.photo
    }

    /// Index of the attribute in focus.
    pub fn focus(&self) -> usize {
        self.focus
    }

    /// The answer to the attribute with this index.
    pub fn answer_to(&self, index: usize) -> Option<&GivenAnswer> {
        self.lines.get(index)?.answer.as_ref()
    }

    /// The earlier answer that a newer guideline puts in doubt.
    pub fn doubted(&self, key: &str) -> Option<&GivenAnswer> {
        self.photo.answers.get(key).filter(|_| self.photo.in_doubt.iter().any(|doubted| doubted == key))
    }

    /// Whether the note of an unsure answer is being written.
    pub fn note_open(&self) -> bool {
        self.note_open
    }

    /// Whether every attribute has an answer.
    pub fn is_complete(&self) -> bool {
        self.lines.iter().all(|line| line.answer.is_some())
    }

    /// Whether an answer given here can be taken back.
    pub fn can_undo(&self) -> bool {
        !self.given.is_empty()
    }

    pub(super) fn set_note_open(&mut self, open: bool) {
        self.note_open = open;
    }

    pub(super) fn focus_on(&mut self, index: usize, now: f64) {
        if index < self.lines.len() && index != self.focus {
            self.lap(now);
            self.focus = index;
            self.note_open = false;
        }
    }

    pub(super) fn step(&mut self, forward: bool, now: f64) {
        let count = self.lines.len();
        let index = if forward { self.focus + 1 } else { self.focus + count - 1 };
        self.focus_on(index % count, now);
    }

    pub(super) fn answer(&mut self, answer: GivenAnswer, now: f64) {
        self.lap(now);
        let line = &mut self.lines[self.focus];
        line.until_answer = line.in_focus;
        line.touched = true;
        self.given.push((self.focus, line.answer.replace(answer)));
        self.note_open = false;
        let count = self.lines.len();
        let next = (1..count).map(|ahead| (self.focus + ahead) % count).find(|&i| self.lines[i].answer.is_none());
        // With everything answered the focus stays: the answer can be changed with one key.
        self.focus = next.unwrap_or(self.focus);
    }

    /// Takes back the last answer that was given here; false if there is none.
    pub(super) fn undo(&mut self, now: f64) -> bool {
        if self.note_open {
            self.note_open = false;
            return true;
        }
        let Some((index, before)) = self.given.pop() else { return false };
        self.lap(now);
        self.lines[index].answer = before;
        self.focus = index;
        true
    }

    /// Opens a finished photo again, with its last answer taken back.
    pub(super) fn reopen(&mut self, now: f64) {
        if !self.undo(now) {
            // Finished in an earlier visit, in an order that nobody remembers.
            self.focus = self.lines.len().saturating_sub(1);
            if let Some(line) = self.lines.last_mut() {
                line.answer = None;
            }
        }
    }

    pub(super) fn run(&mut self, now: f64) {
        self.running.get_or_insert(now);
    }

    pub(super) fn pause(&mut self, now: f64) {
        self.lap(now);
        self.running = None;
    }

    /// Books the time since the last lap on the attribute in focus.
    fn lap(&mut self, now: f64) {
        if let (Some(since), Some(line)) = (&mut self.running, self.lines.get_mut(self.focus)) {
            line.in_focus += (now - *since).max(0.0);
            *since = now;
        }
    }

    /// The answers as the server takes them; those without an answer are left out.
    pub(super) fn inputs(&self, questions: &[Question]) -> Vec<AnswerInput> {
        self.lines
            .iter()
            .zip(questions)
            .filter_map(|(line, question)| {
                let given = line.answer.clone()?;
                Some(AnswerInput {
                    attribute: question.key.clone(),
                    answer: given.answer,
                    note: given.note,
                    duration_ms: line.touched.then_some(line.until_answer.round() as i32),
                    guideline_version: question.guideline_version,
                    suggestion: self.photo.suggestions.get(&question.key).cloned(),
                })
            })
            .collect()
    }
}
