//! Several photos of one attribute decided at once.

use std::collections::BTreeSet;

use kenami_domain::{
    answer::{Answer, NOT_VISIBLE, UNSURE},
    schema::Attribute,
    view::review::{Cause, DecisionInput},
};
use leptos::{prelude::*, task::spawn_local};

use super::decide::cause_name;
use crate::{
    api::{ApiError, review::decide_many},
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
        toast::use_toasts,
    },
    text,
};

/// What is chosen, and the one answer and cause for all of it.
#[component]
pub fn Together(
    /// The attribute.
    attribute: Attribute,
    /// All photos that show.
    all: Vec<i64>,
    /// Those that are chosen.
    chosen: RwSignal<BTreeSet<i64>>,
    /// The project's key.
    key: String,
    /// Called when they are decided.
    decided: Callback<()>,
) -> impl IntoView {
    let toasts = use_toasts();
    let language = text::language();
    let (answer, cause) = (RwSignal::new(String::new()), RwSignal::new(Cause::EdgeCase));
    let reason = RwSignal::new(String::new());
    let (busy, error) = (RwSignal::new(false), RwSignal::new(None::<ApiError>));
    let answers: Vec<(String, String)> = (attribute.values.iter().filter(|value| !value.retired))
        .map(|value| value.key.as_str())
        .chain([NOT_VISIBLE, UNSURE])
        .map(|key| (key.to_owned(), text::answer_name(&attribute, &Answer::from(key), language)))
        .collect();
    let place = StoredValue::new((key, attribute.key));
    let decide = move |_| {
        let (key, attribute) = place.get_value();
        let (answer, cause, reason) = (answer.get_untracked(), cause.get_untracked(), reason.get_untracked());
        if answer.is_empty() {
            let message = t!("Choose the answer that holds.").to_owned();
            error.set(Some(ApiError::Invalid { field: String::new(), message }));
            return;
        }
        let decisions: Vec<DecisionInput> = chosen.with_untracked(|chosen| {
            let one = |photo_id: &i64| DecisionInput {
                photo_id: *photo_id,
                attribute: attribute.clone(),
                answer: Answer::from(answer.as_str()),
                cause,
                reason: reason.trim().to_owned(),
            };
            chosen.iter().map(one).collect()
        });
        busy.set(true);
        spawn_local(async move {
            let made = decide_many(key, decisions).await;
            busy.set(false);
            match made {
                Ok(count) => {
                    error.set(None);
                    toasts.good(n!(count as i64, "{count} photo is decided.", "{count} photos are decided."));
                    decided.run(());
                }
                Err(failed) => error.set(Some(failed)),
            }
        });
    };
    let count = move || chosen.with(BTreeSet::len) as i64;
    view! {
        <div class="together card" role="group" aria-label=t!("Decide several at once")>
            <div class="row">
                <Button on:click=move |_| chosen.set(all.iter().copied().collect())>{t!("Choose all that show")}</Button>
                <Button on:click=move |_| chosen.set(BTreeSet::new())>{t!("Choose none")}</Button>
                <span class="quiet" aria-live="polite">{move || n!(count(), "{count} photo chosen", "{count} photos chosen")}</span>
            </div>
            {move || (count() > 0).then(|| view! {
                <div class="row together-decision">
                    <label class="visually-hidden" for="together-answer">{t!("Answer")}</label>
                    <select class="select select-short" id="together-answer" on:change:target=move |event| answer.set(event.target().value())>
                        <option value="">{t!("Which answer holds?")}</option>
                        {answers.clone().into_iter().map(|(key, name)| {
                            let own = key.clone();
                            view! { <option value=key selected=move || answer.get() == own>{name}</option> }
                        }).collect_view()}
                    </select>
                    <label class="visually-hidden" for="together-cause">{t!("Why did they differ?")}</label>
                    <select
                        class="select select-short" id="together-cause"
                        on:change:target=move |event| cause.set(event.target().value().parse().unwrap_or(Cause::Other))
                    >
                        {Cause::ALL.into_iter().map(|one| view! {
                            <option value=one.as_str() selected=move || cause.get() == one>{cause_name(one)}</option>
                        }).collect_view()}
                    </select>
                    <label class="visually-hidden" for="together-reason">{t!("Reason")}</label>
                    <input class="input" id="together-reason" maxlength="1000" placeholder=t!("Reason") bind:value=reason/>
                    <Button weight=Weight::Primary busy on:click=decide>
                        {move || n!(count(), "Decide {count} photo", "Decide {count} photos")}
                    </Button>
                </div>
            })}
            <ErrorAlert error/>
        </div>
    }
}
