//! What the quiz page knows and does.

use std::collections::BTreeMap;

use kenami_domain::{
    answer::Answer,
    keys::Layout,
    schema::Attribute,
    view::{
        guidelines::Guideline,
        quiz::{QuizAnswer, QuizFeedback, QuizQuestion, QuizState, QuizSubmission},
    },
};
use leptos::{ev, prelude::*, task::spawn_local};

use crate::{
    api::{ApiError, quiz},
    pages::annotate::{
        driver::now,
        keyboard::{is_inside, press},
        keys::{Command, command},
    },
};

/// What shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// What comes.
    Before,
    /// A photo with its questions.
    Question,
    /// What was wrong.
    Feedback,
    /// The score.
    After,
}

/// A quiz in a window. Copies are handles to the same one.
#[derive(Clone, Copy)]
pub struct Desk {
    /// The project's key.
    pub key: StoredValue<String>,
    /// Guidelines of the annotated attributes.
    pub guides: StoredValue<Vec<Guideline>>,
    /// Where the annotator stands.
    pub state: RwSignal<QuizState>,
    /// The photo that shows, also while its answers are gone through.
    pub question: RwSignal<Option<QuizQuestion>>,
    /// Answers to it so far, by attribute key.
    pub answers: RwSignal<BTreeMap<String, Answer>>,
    /// Index of the attribute in focus among those that are asked.
    pub focus: RwSignal<usize>,
    /// What is right, once the photo is answered and something was wrong.
    pub feedback: RwSignal<Option<QuizFeedback>>,
    /// A request is under way.
    pub busy: RwSignal<bool>,
    /// What went wrong with it.
    pub error: RwSignal<Option<ApiError>>,
    /// What the annotator's keys mean.
    pub layout: StoredValue<Layout>,
    /// A quiz was finished in this visit.
    finished: RwSignal<bool>,
    since: StoredValue<f64>,
    durations: StoredValue<BTreeMap<String, f64>>,
}

impl Desk {
    /// A visit in which nothing has been done.
    pub fn new(key: String, guides: Vec<Guideline>, state: QuizState, layout: StoredValue<Layout>) -> Self {
        Self {
            layout,
            key: StoredValue::new(key),
            guides: StoredValue::new(guides),
            question: RwSignal::new(state.question.clone()),
            finished: RwSignal::new(state.due && state.question.is_none() && !state.results.is_empty()),
            state: RwSignal::new(state),
            answers: RwSignal::default(),
            focus: RwSignal::new(0),
            feedback: RwSignal::new(None),
            busy: RwSignal::new(false),
            error: RwSignal::new(None),
            since: StoredValue::new(0.0),
            durations: StoredValue::default(),
        }
    }

    /// What shows now.
    pub fn stage(self) -> Stage {
        if self.feedback.with(Option::is_some) {
            Stage::Feedback
        } else if self.question.with(Option::is_some) {
            Stage::Question
        } else if self.finished.get() {
            Stage::After
        } else {
            Stage::Before
        }
    }

    /// The attributes that are asked, in order.
    pub fn asked(self) -> Vec<Attribute> {
        let keys = self.question.with(|question| question.as_ref().map(|q| q.attributes.clone()).unwrap_or_default());
        self.guides.with_value(|guides| {
            guides.iter().map(|guide| &guide.attribute).filter(|a| keys.contains(&a.key)).cloned().collect()
        })
    }

    /// Begins a quiz, or another one.
    pub fn begin(self) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        let key = self.key.get_value();
        spawn_local(async move {
            let begun = quiz::begin_quiz(key).await;
            self.busy.try_set(false);
            match begun {
                Ok(state) => self.show(state),
                Err(error) => drop(self.error.try_set(Some(error))),
            }
        });
    }

    /// Answers the attribute in focus; with the last one the answers are sent.
    pub fn answer(self, answer: Answer) {
        let asked = untrack(|| self.asked());
        let focus = self.focus.get_untracked();
        let Some(attribute) = asked.get(focus).filter(|_| !self.busy.get_untracked()) else { return };
        let took = (now() - self.since.get_value()).max(0.0);
        self.since.set_value(now());
        self.durations.update_value(|all| *all.entry(attribute.key.clone()).or_default() += took);
        self.answers.update(|answers| drop(answers.insert(attribute.key.clone(), answer)));
        let open = (1..=asked.len())
            .map(|ahead| (focus + ahead) % asked.len())
            .find(|&at| self.answers.with_untracked(|answers| !answers.contains_key(&asked[at].key)));
        match open {
            Some(next) => self.focus.set(next),
            None => self.send(),
        }
    }

    fn send(self) {
        let Some(question) = self.question.get_untracked() else { return };
        let durations = self.durations.get_value();
        let answer = |(attribute, answer): (String, Answer)| QuizAnswer {
            duration_ms: durations.get(&attribute).map(|ms| ms.round() as i32),
            attribute,
            answer,
        };
        let submission = QuizSubmission {
            quiz_id: question.quiz_id,
            photo_id: question.photo.id,
            answers: self.answers.get_untracked().into_iter().map(answer).collect(),
        };
        self.busy.set(true);
        let key = self.key.get_value();
        spawn_local(async move {
            let answered = quiz::answer_quiz(key, submission).await;
            self.busy.try_set(false);
            match answered {
                Ok(feedback) if feedback.marks.iter().all(|mark| mark.correct) => self.show(feedback.state),
                Ok(feedback) => {
                    self.error.try_set(None);
                    self.feedback.try_set(Some(feedback));
                }
                Err(error) => drop(self.error.try_set(Some(error))),
            }
        });
    }

    /// Goes on after what was wrong.
    pub fn go_on(self) {
        if let Some(feedback) = self.feedback.get_untracked() {
            self.feedback.set(None);
            self.show(feedback.state);
        }
    }

    fn show(self, state: QuizState) {
        self.error.try_set(None);
        self.answers.try_set(BTreeMap::new());
        self.focus.try_set(0);
        self.durations.try_set_value(BTreeMap::new());
        self.since.try_set_value(now());
        self.finished.try_set(state.question.is_none() && !state.results.is_empty());
        self.question.try_set(state.question.clone());
        self.state.try_set(state);
    }

    /// Keys as on the annotate page.
    pub fn on_key(self, event: &ev::KeyboardEvent) {
        let key = event.key();
        let Some(command) = self.layout.with_value(|layout| command(layout, press(event, &key))) else { return };
        let own = command == Command::Advance && is_inside(event, "a, button, summary");
        if own || event.default_prevented() {
            return;
        }
        if self.run(command) {
            event.prevent_default();
        }
    }

    /// Does what a key asks for; false if it means nothing now.
    fn run(self, command: Command) -> bool {
        let stage = untrack(|| self.stage());
        match (stage, command) {
            (Stage::Feedback, Command::Advance) => self.go_on(),
            (Stage::Before | Stage::After, Command::Advance) if self.state.with_untracked(|state| state.can_begin) => {
                self.begin();
            }
            (Stage::Question, Command::Value(index)) => {
                let asked = untrack(|| self.asked());
                let attribute = asked.get(self.focus.get_untracked());
                let value = attribute.and_then(|a| a.values.iter().filter(|v| !v.retired).nth(index));
                match value {
                    Some(value) => self.answer(Answer::Value(value.key.clone())),
                    None => return false,
                }
            }
            (Stage::Question, Command::NotVisible) => self.answer(Answer::NotVisible),
            (Stage::Question, Command::Unsure) => self.answer(Answer::Unsure),
            (Stage::Question, Command::Step(forward)) => {
                let count = untrack(|| self.asked()).len().max(1);
                self.focus.update(|focus| *focus = (*focus + if forward { 1 } else { count - 1 }) % count);
            }
            _ => return false,
        }
        true
    }
}
