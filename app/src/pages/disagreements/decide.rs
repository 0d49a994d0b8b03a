//! The decision: one key for the answer, one for the cause, Enter.

use kenami_domain::{
    answer::Answer,
    schema::Attribute,
    view::review::{Cause, Decision},
};
use leptos::{ev, html, prelude::*, wasm_bindgen::JsCast};

use crate::{
    api::ApiError,
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
    },
    text,
};

/// A cause in words.
pub fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::RuleGap => t!("the rules do not say"),
        Cause::EdgeCase => t!("border case"),
        Cause::Slip => t!("slip"),
        Cause::NotVisible => t!("part not visible"),
        Cause::WrongPhoto => t!("photo does not belong"),
        Cause::Other => t!("other"),
    }
}

/// A cause's key.
fn cause_key(cause: Cause) -> &'static str {
    match cause {
        Cause::RuleGap => "R",
        Cause::EdgeCase => "E",
        Cause::Slip => "S",
        Cause::NotVisible => "V",
        Cause::WrongPhoto => "W",
        Cause::Other => "O",
    }
}

/// What a key means here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Choose this answer.
    Answer(Answer),
    /// Choose this cause.
    Cause(Cause),
    /// Write the reason.
    Reason,
    /// Decide, or go to the next one.
    Enter,
    /// Back to the list.
    Back,
    /// The next (or, if false, the previous) disagreement.
    Step(bool),
}

/// The meaning of `key`; `values` are the value keys on offer.
pub fn meaning(key: &str, values: &[String]) -> Option<Key> {
    if let Ok(digit @ 1..=9) = key.parse::<usize>() {
        return values.get(digit - 1).map(|value| Key::Answer(Answer::Value(value.clone())));
    }
    Some(match key.to_lowercase().as_str() {
        "0" | "n" => Key::Answer(Answer::NotVisible),
        "u" => Key::Answer(Answer::Unsure),
        "c" => Key::Reason,
        "enter" => Key::Enter,
        "escape" => Key::Back,
        "arrowright" => Key::Step(true),
        "arrowleft" => Key::Step(false),
        letter => Key::Cause(Cause::ALL.into_iter().find(|&cause| cause_key(cause).to_lowercase() == letter)?),
    })
}

/// The form's state, shared with the keys of the page.
#[derive(Clone, Copy)]
pub struct Draft {
    /// The answer that is to hold.
    pub answer: RwSignal<Option<Answer>>,
    /// Why the votes differed.
    pub cause: RwSignal<Option<Cause>>,
    /// The reason's field.
    pub reason: NodeRef<html::Textarea>,
    /// What is missing, or what the server said.
    pub error: RwSignal<Option<ApiError>>,
    /// The decision is on its way.
    pub busy: RwSignal<bool>,
}

impl Draft {
    /// A form that is empty, or holds the decision that is to be changed.
    pub fn new(decision: Option<&Decision>) -> Self {
        Self {
            answer: RwSignal::new(decision.map(|decision| decision.answer.clone())),
            cause: RwSignal::new(decision.map(|decision| decision.cause)),
            reason: NodeRef::new(),
            error: RwSignal::new(None),
            busy: RwSignal::new(false),
        }
    }

    /// Answer, cause and reason, once both choices are made; else says what is missing.
    pub fn complete(self) -> Option<(Answer, Cause, String)> {
        let missing = |message: &str| {
            self.error.set(Some(ApiError::Invalid { field: String::new(), message: message.to_owned() }));
        };
        let Some(answer) = self.answer.get_untracked() else {
            missing(t!("Choose the answer that holds."));
            return None;
        };
        let Some(cause) = self.cause.get_untracked() else {
            missing(t!("Choose why the votes differed."));
            return None;
        };
        let reason = self.reason.get_untracked().map(|field| field.value()).unwrap_or_default();
        Some((answer, cause, reason.trim().to_owned()))
    }
}

/// Whether a key press belongs to the page and not to the browser, a field or a button.
pub fn is_for_page(event: &ev::KeyboardEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let inside = |selector: &str| target.as_ref().is_some_and(|t| t.closest(selector).ok().flatten().is_some());
    let modified = event.ctrl_key() || event.alt_key() || event.meta_key();
    let own = event.key() == "Enter" && inside("a, button, summary");
    let scrolls = event.key().starts_with("Arrow") && inside(".table-frame, .project-nav");
    !(modified || event.repeat() || event.is_composing() || own || scrolls || inside("textarea, input, select, dialog"))
}

/// The answers, the causes, the reason.
#[component]
pub fn DecisionForm(
    /// The form's state.
    draft: Draft,
    /// The attribute.
    attribute: Attribute,
    /// The reason that stands, if the decision is to be changed.
    reason: String,
    /// What happens on deciding.
    decide: Callback<()>,
) -> impl IntoView {
    let language = text::language();
    let answers = attribute
        .values
        .iter()
        .filter(|value| !value.retired)
        .enumerate()
        .map(|(place, value)| {
            let key = (place < 9).then(|| (place + 1).to_string());
            (Answer::Value(value.key.clone()), value.names.or_key(language, &value.key).to_owned(), key)
        })
        .chain([
            (Answer::NotVisible, t!("Not visible").to_owned(), Some("0".to_owned())),
            (Answer::Unsure, t!("Unsure").to_owned(), Some("U".to_owned())),
        ])
        .map(|(answer, name, key)| {
            let mine = answer.clone();
            let chosen = Memo::new(move |_| draft.answer.with(|chosen| chosen.as_ref() == Some(&mine)));
            view! { <Choice name key chosen choose=move || draft.answer.set(Some(answer.clone()))/> }
        })
        .collect_view();
    let causes = Cause::ALL
        .into_iter()
        .map(|cause| {
            let chosen = Memo::new(move |_| draft.cause.get() == Some(cause));
            view! {
                <Choice
                    name=cause_name(cause).to_owned()
                    key=Some(cause_key(cause).to_owned())
                    chosen
                    choose=move || draft.cause.set(Some(cause))
                />
            }
        })
        .collect_view();
    // Enter alone makes a line; the key that ends the form is the usual one.
    let on_key = move |event: ev::KeyboardEvent| match event.key().as_str() {
        "Enter" if event.ctrl_key() || event.meta_key() => {
            event.prevent_default();
            decide.run(());
        }
        "Escape" => {
            event.prevent_default();
            event.stop_propagation();
            let _ = event_target::<web_sys::HtmlElement>(&event).blur();
        }
        _ => {}
    };
    view! {
        <div class="decision">
            <div role="group" aria-labelledby="decision-answer">
                <h2 id="decision-answer">{t!("Which answer holds?")}</h2>
                <div class="choices">{answers}</div>
            </div>
            <div role="group" aria-labelledby="decision-cause">
                <h2 id="decision-cause">{t!("Why did they differ?")}</h2>
                <div class="choices">{causes}</div>
            </div>
            <div class="field">
                <label for="decision-reason">{t!("Reason")} " " <kbd>"C"</kbd></label>
                <textarea
                    class="textarea decision-reason"
                    id="decision-reason"
                    maxlength="1000"
                    rows="2"
                    node_ref=draft.reason
                    on:keydown=on_key
                    prop:value=reason
                ></textarea>
            </div>
            <ErrorAlert error=draft.error/>
            <div class="row">
                <Button weight=Weight::Primary busy=draft.busy on:click=move |_| decide.run(())>{t!("Decide")} " " <kbd>"Enter"</kbd></Button>
            </div>
        </div>
    }
}

#[component]
fn Choice(
    /// Its words.
    name: String,
    /// Its key.
    key: Option<String>,
    /// It is chosen.
    chosen: Memo<bool>,
    /// What happens on choosing it.
    choose: impl Fn() + 'static,
) -> impl IntoView {
    let shown = key.clone().map(|key| view! { <kbd aria-hidden="true">{key}</kbd> });
    view! {
        <button
            type="button"
            class="button choice"
            aria-pressed=move || if chosen.get() { "true" } else { "false" }
            aria-keyshortcuts=key
            on:click=move |_| choose()
        >
            {shown}
            {name}
        </button>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_choose_answers_and_causes() {
        let values = ["erect".to_owned(), "drop".to_owned()];
        assert_eq!(meaning("2", &values), Some(Key::Answer("drop".into())));
        assert_eq!(meaning("3", &values), None);
        assert_eq!(meaning("0", &values), Some(Key::Answer(Answer::NotVisible)));
        assert_eq!(meaning("U", &values), Some(Key::Answer(Answer::Unsure)));
        assert_eq!(meaning("Enter", &values), Some(Key::Enter));
        assert_eq!(meaning("q", &values), None);
        for cause in Cause::ALL {
            for key in [cause_key(cause).to_owned(), cause_key(cause).to_lowercase()] {
                assert_eq!(meaning(&key, &values), Some(Key::Cause(cause)), "{key}");
            }
        }
    }
}
