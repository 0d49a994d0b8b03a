//! Which votes a publication puts in doubt: the choice, and how many that are.

use kenami_domain::{
    answer::{NOT_VISIBLE, UNSURE},
    schema::Attribute,
    view::guidelines::{DoubtScope, Requeue, ScopeCount},
};
use leptos::{either::Either, prelude::*};

use crate::{
    api::{ApiError, guidelines::count_scope},
    components::{field::Field, time::start_of_day},
    text,
};

/// Which answers are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    None,
    All,
    Some,
}

/// What the lead chooses. Copies are handles to the same.
#[derive(Clone, Copy)]
pub struct Choice {
    answers: RwSignal<Answers>,
    values: RwSignal<Vec<String>>,
    only_unsure: RwSignal<bool>,
    only_disputed: RwSignal<bool>,
    /// As the date field has it.
    since: RwSignal<String>,
    to: RwSignal<Requeue>,
}

impl Choice {
    /// With some answers chosen: none in doubt where there are none.
    pub fn new(values: Vec<String>) -> Self {
        Self {
            answers: RwSignal::new(if values.is_empty() { Answers::None } else { Answers::Some }),
            values: RwSignal::new(values),
            only_unsure: RwSignal::new(false),
            only_disputed: RwSignal::new(false),
            since: RwSignal::new(String::new()),
            to: RwSignal::new(Requeue::Same),
        }
    }

    /// Some answers are meant, and none is named: not to be taken for all of them.
    pub fn is_unfinished(self) -> bool {
        self.answers.get() == Answers::Some && self.values.with(Vec::is_empty)
    }

    /// The choice as it is sent; none where no vote is in doubt.
    pub fn scope(self) -> Option<DoubtScope> {
        let values = match self.answers.get() {
            Answers::None => return None,
            Answers::All => Vec::new(),
            Answers::Some if self.is_unfinished() => return None,
            Answers::Some => self.values.get(),
        };
        Some(DoubtScope {
            values,
            since: start_of_day(&self.since.get()),
            only_unsure: self.only_unsure.get(),
            only_disputed: self.only_disputed.get(),
            to: self.to.get(),
        })
    }

    fn toggle(self, key: &str, on: bool) {
        self.values.update(|values| {
            values.retain(|value| value != key);
            if on {
                values.push(key.to_owned());
            }
        });
    }
}

/// The choice as fields, and what it takes.
#[component]
pub fn DoubtFields(
    /// The project's key.
    key: String,
    /// The attribute.
    attribute: Attribute,
    /// What is chosen.
    choice: Choice,
) -> impl IntoView {
    let language = text::language();
    let some = Memo::new(move |_| choice.answers.get() != Answers::None);
    let answer = |value: Answers, name: &'static str, why: &'static str| {
        view! {
            <label class="check">
                <input type="radio" name="doubt" prop:checked=move || choice.answers.get() == value on:change=move |_| choice.answers.set(value)/>
                <span><b>{name}</b>" "<span class="quiet">{why}</span></span>
            </label>
        }
    };
    let mut answers: Vec<(String, String)> = attribute
        .values
        .iter()
        .map(|value| (value.key.clone(), text::value_name(&attribute, &value.key, language)))
        .collect();
    answers.push((NOT_VISIBLE.to_owned(), t!("not visible").to_owned()));
    answers.push((UNSURE.to_owned(), t!("unsure").to_owned()));
    let boxes = StoredValue::new(answers);
    let values = move || {
        (choice.answers.get() == Answers::Some).then(|| {
            let boxes = boxes.get_value().into_iter().map(|(key, name)| {
                let mine = key.clone();
                view! {
                    <label class="check">
                        <input type="checkbox" prop:checked=move || choice.values.with(|values| values.contains(&mine))
                            on:change:target=move |event| choice.toggle(&key, event.target().checked())/>
                        <span>{name}</span>
                    </label>
                }
            });
            view! { <div class="doubt-values" role="group" aria-label=t!("Answers in doubt")>{boxes.collect_view()}</div> }
        })
    };
    let narrow = |signal: RwSignal<bool>, name: &'static str| {
        view! {
            <label class="check">
                <input type="checkbox" prop:checked=signal on:change:target=move |event| signal.set(event.target().checked())/>
                <span>{name}</span>
            </label>
        }
    };
    let to = |value: Requeue, name: &'static str| {
        view! {
            <label class="check">
                <input type="radio" name="requeue" prop:checked=move || choice.to.get() == value on:change=move |_| choice.to.set(value)/>
                <span>{name}</span>
            </label>
        }
    };
    view! {
        <fieldset class="stack-s">
            <legend class="label">{t!("Which labels come back?")}</legend>
            {answer(Answers::None, t!("None"), t!("The change only says it better."))}
            {answer(Answers::All, t!("All answers"), t!("The rules decide differently than before."))}
            {answer(Answers::Some, t!("Some answers"), t!("The change is about these alone."))}
            {values}
        </fieldset>
        <div class="stack-s" hidden=move || !some.get()>
            <div class="doubt-narrow" role="group" aria-label=t!("Of these only")>
                {narrow(choice.only_unsure, t!("Only unsure answers"))}
                {narrow(choice.only_disputed, t!("Only where answers differ"))}
            </div>
            <Field id="doubt-from" label=t!("Given since (UTC)") hint=t!("Empty: all of them.")>
                <input class="input input-short" id="doubt-from" type="date" prop:value=choice.since
                    on:input:target=move |event| choice.since.set(event.target().value())/>
            </Field>
            <fieldset class="stack-s">
                <legend class="label">{t!("Who answers again?")}</legend>
                {to(Requeue::Same, t!("Those who gave the labels"))}
                {to(Requeue::Others, t!("Others, who have not had the photo"))}
            </fieldset>
            <Count key attribute=attribute.key.clone() choice/>
        </div>
    }
}

/// How many labels the choice takes now.
#[component]
fn Count(
    /// The project's key.
    key: String,
    /// The attribute's key.
    attribute: String,
    /// What is chosen.
    choice: Choice,
) -> impl IntoView {
    let place = StoredValue::new((key, attribute));
    let scope = Memo::new(move |_| choice.scope());
    // Made only in the browser, when the dialog opens.
    let count = LocalResource::new(move || {
        let (key, attribute) = place.get_value();
        let scope = scope.get();
        async move {
            match scope {
                Some(scope) => count_scope(key, attribute, scope).await.map(Some),
                None => Ok::<_, ApiError>(None),
            }
        }
    });
    let said = move || match count.get() {
        None => Either::Left("…".to_owned()),
        Some(Err(error)) => Either::Left(error.to_string()),
        Some(Ok(None)) => Either::Left(t!("Choose an answer.").to_owned()),
        Some(Ok(Some(count))) => Either::Right(told(count)),
    };
    view! {
        <div class="doubt-count" aria-live="polite">
            <Transition fallback=|| "…">{said}</Transition>
            <p class="quiet">{t!("Labels that come back no longer count until they are given again. Nothing is deleted.")}</p>
        </div>
    }
}

fn told(count: ScopeCount) -> impl IntoView {
    let sentence = text::arranged(
        t!("Back in the queue: {labels} on {photos}."),
        [
            ("labels", view! { <b>{n!(count.labels, "{count} label", "{count} labels")}</b> }.into_any()),
            ("photos", n!(count.photos, "{count} photo", "{count} photos").into_any()),
        ],
    );
    let decided = (count.decided > 0).then(|| {
        view! {
            <p class="quiet">{n!(count.decided, "{count} more stays: a reviewer has decided its photo.", "{count} more stay: a reviewer has decided their photos.")}</p>
        }
    });
    view! { <p>{sentence}</p> {decided} }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_answers_without_any_are_not_all() {
        Owner::new().with(|| {
            let choice = Choice::new(Vec::new());
            assert_eq!(choice.scope(), None);
            choice.answers.set(Answers::All);
            assert_eq!(choice.scope(), Some(DoubtScope::default()));
            choice.answers.set(Answers::Some);
            assert!(choice.is_unfinished());
            assert_eq!(choice.scope(), None);
            choice.toggle("drop", true);
            choice.toggle("drop", true);
            choice.since.set("2026-11-24".to_owned());
            let scope = choice.scope().unwrap();
            assert_eq!(scope.values, ["drop"]);
            assert_eq!(scope.since, start_of_day("2026-11-24"));
            assert!(scope.since.is_some());
            choice.toggle("drop", false);
            assert!(choice.is_unfinished());
        });
    }

    #[test]
    fn the_pair_that_one_comes_from_is_chosen() {
        Owner::new().with(|| {
            let choice = Choice::new(vec!["drop".to_owned(), "erect".to_owned()]);
            assert_eq!(choice.scope().unwrap().values, ["drop", "erect"]);
        });
    }
}
