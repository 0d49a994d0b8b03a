//! Freezing a dataset.

use std::str::FromStr;

use kenami_domain::{
    dataset::Policy,
    view::{job::JobState, run::RunRow},
};
use leptos::{prelude::*, task::spawn_local};
use leptos_router::hooks::use_navigate;

use crate::{
    api::{ApiError, datasets},
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
        dialog::Dialog,
        field::{Field, described_by},
    },
};

/// A policy in words.
pub fn policy_name(policy: Policy) -> &'static str {
    match policy {
        Policy::AdjudicatedFirst => t!("decisions first, else majority"),
        Policy::Majority => t!("majority alone"),
        Policy::DawidSkene => "Dawid-Skene",
        Policy::Crowdlab => "CROWDLAB",
    }
}

/// What a policy does.
fn policy_note(policy: Policy) -> &'static str {
    match policy {
        Policy::AdjudicatedFirst => {
            t!(
                "A reviewer's decision holds where there is one, the majority elsewhere. A tie stays a tie: it is kept out of \
             training, and so are not visible and unsure."
            )
        }
        Policy::Majority => {
            t!("The answer with the most votes; decisions are ignored. A tie stays a tie and is kept out of training.")
        }
        Policy::DawidSkene => {
            t!(
                "Estimates from all votes how reliable each annotator is, and weighs them by it. Good with three or more annotators a photo."
            )
        }
        Policy::Crowdlab => {
            t!(
                "Weighs votes together with a finished run's predictions. Helps where most photos have one or two votes."
            )
        }
    }
}

/// All policies, the default first.
const POLICIES: [Policy; 4] = [Policy::AdjudicatedFirst, Policy::Majority, Policy::DawidSkene, Policy::Crowdlab];

/// Name, policy, seed.
#[component]
pub fn FreezeDialog(
    /// Whether it shows.
    open: RwSignal<bool>,
    /// The project's key.
    key: String,
    /// The project's runs, for CROWDLAB.
    runs: Vec<RunRow>,
) -> impl IntoView {
    let name = RwSignal::new(String::new());
    let policy = RwSignal::new(Policy::default());
    let run = RwSignal::new(String::new());
    let seed = RwSignal::new("0".to_owned());
    let busy = RwSignal::new(false);
    let error = RwSignal::new(None::<ApiError>);
    let navigate = use_navigate();
    let finished: Vec<String> =
        runs.into_iter().filter(|run| run.state == JobState::Done).map(|run| run.name).collect();
    let (finished, key) = (StoredValue::new(finished), StoredValue::new(key));
    let submit = StoredValue::new(move || {
        let Ok(seed) = seed.with_untracked(|seed| u64::from_str(seed.trim())) else {
            error.set(Some(ApiError::Invalid {
                field: "seed".into(),
                message: t!("Give a whole number, 0 or more.").into(),
            }));
            return;
        };
        let navigate = navigate.clone();
        let policy = policy.get_untracked();
        let run = (policy == Policy::Crowdlab).then(|| run.get_untracked()).filter(|run| !run.is_empty());
        busy.set(true);
        error.set(None);
        spawn_local(async move {
            let result = datasets::freeze(key.get_value(), name.get_untracked(), policy, run, seed).await;
            busy.try_set(false);
            match result {
                Ok(row) => {
                    open.try_set(false);
                    navigate(&format!("/p/{}/datasets/{}", key.get_value(), row.name), Default::default());
                }
                Err(problem) => {
                    error.try_set(Some(problem));
                }
            }
        });
    });
    let of = move |field: &'static str| {
        Signal::derive(move || error.with(|error| error.as_ref().and_then(|e| e.for_field(field)).map(str::to_owned)))
    };
    // What belongs to no field of the form.
    let other = Signal::derive(move || {
        error
            .get()
            .filter(|error| ["name", "policy", "run", "seed"].iter().all(|field| error.for_field(field).is_none()))
    });
    view! {
        <Dialog open title=t!("Freeze a dataset")>
            <p>
                {t!("Freezing takes the answers as they stand now, makes one of each photo's votes, parts the photos into \
                 train, validation and test, and keeps the result for ever. Answering goes on meanwhile and changes nothing in it.")}
            </p>
            <form
                class="form"
                on:submit=move |event| {
                    event.prevent_default();
                    submit.with_value(|submit| submit());
                }
            >
                <Field id="freeze-name" label=t!("Name") hint=t!("Letters, digits, . _ -") error=of("name")>
                    <input
                        class="input"
                        id="freeze-name"
                        required
                        maxlength="64"
                        autocomplete="off"
                        aria-describedby=described_by("freeze-name")
                        prop:value=name
                        on:input=move |event| name.set(event_target_value(&event))
                    />
                </Field>
                <Field id="freeze-policy" label=t!("How votes become one answer") error=of("policy")>
                    <select
                        class="select"
                        id="freeze-policy"
                        aria-describedby="freeze-policy-note"
                        on:change=move |event| policy.set(event_target_value(&event).parse().unwrap_or_default())
                    >
                        {POLICIES.map(|one| view! {
                            <option value=one.as_str() selected=move || policy.get() == one>{policy_name(one)}</option>
                        }).collect_view()}
                    </select>
                </Field>
                <p class="quiet" id="freeze-policy-note">{move || policy_note(policy.get())}</p>
                {move || (policy.get() == Policy::Crowdlab).then(|| {
                    let runs = finished.get_value();
                    let hint = if runs.is_empty() { t!("There is no finished run yet: train one first.") } else { t!("Its predictions are weighed with the votes.") };
                    view! {
                        <Field id="freeze-run" label=t!("Run") hint=hint error=of("run")>
                            <select
                                class="select"
                                id="freeze-run"
                                aria-describedby=described_by("freeze-run")
                                on:change=move |event| run.set(event_target_value(&event))
                            >
                                <option value="">{t!("Choose a run")}</option>
                                {runs.into_iter().map(|name| view! { <option value=name.clone()>{name.clone()}</option> }).collect_view()}
                            </select>
                        </Field>
                    }
                })}
                <Field
                    id="freeze-seed"
                    label=t!("Seed of the split")
                    hint=t!("The same photos and seed give the same split. A split that came with the photos is kept.")
                    error=of("seed")
                >
                    <input
                        class="input input-short"
                        id="freeze-seed"
                        inputmode="numeric"
                        aria-describedby=described_by("freeze-seed")
                        prop:value=seed
                        on:input=move |event| seed.set(event_target_value(&event))
                    />
                </Field>
                <ErrorAlert error=other/>
                <div class="dialog-actions">
                    <Button on:click=move |_| open.set(false)>{t!("Cancel")}</Button>
                    <Button weight=Weight::Primary submit=true busy=busy>{t!("Freeze")}</Button>
                </div>
            </form>
        </Dialog>
    }
}
