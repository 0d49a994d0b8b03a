//! Starting a comparison.

use kenami_domain::{
    run_config::{RunConfig, TrainPart},
    view::{
        dataset::DatasetRow,
        experiment::{ExperimentInput, SEEDS},
    },
};
use leptos::{prelude::*, task::spawn_local};
use leptos_router::hooks::use_navigate;

use crate::{
    api::{ApiError, experiments},
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
        field::{Field, described_by},
    },
    pages::runs::choices::part_label,
};

/// What is offered first. Only where weights are shared can one head's labels change another head.
fn usual() -> String {
    let mut config = RunConfig::default();
    config.take_recipe(TrainPart::LastStage);
    config.to_brief_toml()
}

/// Dataset, seeds, what learns.
#[component]
pub fn StartForm(
    /// The project's key.
    key: String,
    /// The datasets to choose from, newest first.
    datasets: Vec<DatasetRow>,
) -> impl IntoView {
    let dataset = RwSignal::new(datasets.first().map(|dataset| dataset.id).unwrap_or_default());
    let seeds = RwSignal::new("5".to_owned());
    let config = RwSignal::new(usual());
    let curve = RwSignal::new(true);
    let (busy, error) = (RwSignal::new(false), RwSignal::new(None::<ApiError>));
    let navigate = use_navigate();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (key, navigate) = (key.clone(), navigate.clone());
        let input = ExperimentInput {
            dataset_id: dataset.get_untracked(),
            // What is no number is refused as too few.
            seeds: seeds.with_untracked(|seeds| seeds.trim().parse().unwrap_or_default()),
            config: config.get_untracked(),
            curve: curve.get_untracked(),
        };
        busy.set(true);
        error.set(None);
        spawn_local(async move {
            let started = experiments::start_experiment(key.clone(), input).await;
            busy.try_set(false);
            match started {
                Ok(one) => navigate(&format!("/p/{key}/pay/{}", one.row.id), Default::default()),
                Err(problem) => {
                    error.try_set(Some(problem));
                }
            }
        });
    };
    let part = Memo::new(move |_| config.with(|text| RunConfig::from_toml(text).ok()).map(|config| config.model.train));
    let choose = move |word: String| {
        let chosen = TrainPart::ALL.iter().copied().find(|part| part.as_str() == word);
        if let (Some(chosen), Ok(mut now)) = (chosen, config.with_untracked(|text| RunConfig::from_toml(text))) {
            now.take_recipe(chosen);
            config.set(now.to_brief_toml());
        }
    };
    let parts = [TrainPart::LastStage, TrainPart::Heads, TrainPart::All]
        .map(|one| {
            view! { <option value=one.as_str() selected=move || part.get() == Some(one)>{part_label(one)}</option> }
        })
        .collect_view();
    let of = move |field: &'static str| {
        Signal::derive(move || error.with(|error| error.as_ref().and_then(|e| e.for_field(field)).map(str::to_owned)))
    };
    let other = Signal::derive(move || {
        let placed = ["dataset_id", "seeds", "config"];
        error.get().filter(|error| placed.iter().all(|field| error.for_field(field).is_none()))
    });
    let options = datasets
        .into_iter()
        .map(|row| {
            let name = n!(row.photos, "{name} ({count} photo)", "{name} ({count} photos)", name = row.name);
            view! { <option value=row.id.to_string() selected=move || dataset.get() == row.id>{name}</option> }
        })
        .collect_view();
    view! {
        <form class="pay-form" on:submit=submit>
            <h2>{t!("Compare")}</h2>
            <div class="pay-fields">
                <Field id="pay-dataset" label=t!("Dataset") error=of("dataset_id")>
                    <select class="select" id="pay-dataset" aria-describedby=described_by("pay-dataset")
                        on:change=move |event| dataset.set(event_target_value(&event).parse().unwrap_or_default())>
                        {options}
                    </select>
                </Field>
                <Field
                    id="pay-part"
                    label=t!("What learns")
                    hint=t!("Where the heads alone learn they share no weights, and labels cannot change the breed.")
                >
                    <select class="select" id="pay-part" aria-describedby=described_by("pay-part") on:change=move |event| choose(event_target_value(&event))>{parts}</select>
                </Field>
                <Field
                    id="pay-seeds"
                    label=t!("Trainings of each kind")
                    hint=t!("{least} to {most}, each with a seed of its own", least = SEEDS.start(), most = SEEDS.end())
                    error=of("seeds")
                >
                    <input class="input" id="pay-seeds" inputmode="numeric" autocomplete="off" aria-describedby=described_by("pay-seeds")
                        prop:value=seeds on:input=move |event| seeds.set(event_target_value(&event))/>
                </Field>
            </div>
            <label class="check">
                <input type="checkbox" prop:checked=curve on:change=move |event| curve.set(event_target_checked(&event))/>
                {t!("Also train on shares of the labels: what would more of them bring?")}
            </label>
            <details>
                <summary>{t!("Configuration (TOML)")}</summary>
                <Field id="pay-config" label=t!("For all of them; heads and seeds are set by the comparison")>
                    <textarea class="textarea textarea-code" id="pay-config" rows="8" spellcheck="false" autocapitalize="off"
                        aria-describedby=described_by("pay-config")
                        prop:value=config on:input=move |event| config.set(event_target_value(&event))></textarea>
                </Field>
            </details>
            {move || of("config").get().map(|message| view! { <p class="field-error" role="alert">{message}</p> })}
            <ErrorAlert error=other/>
            <div class="row"><Button weight=Weight::Primary submit=true busy=busy>{t!("Start")}</Button></div>
        </form>
    }
}
