//! The configuration's main choices as fields. The text stays the truth: a choice rewrites it, and it fills the choices.

use kenami_domain::run_config::{
    AugmentPolicy, ModelName, OptimizerName, RunConfig, ScheduleName, TrainPart, hub_models,
};
use leptos::prelude::*;

use crate::components::field::Field;

/// Changes one thing of a configuration by the text of a field.
type Change = fn(&mut RunConfig, &str);

/// What is trained, in words.
fn part_label(part: TrainPart) -> &'static str {
    match part {
        TrainPart::Heads => "The heads, on a frozen network (a minute)",
        TrainPart::LastStage => "The last stage and the heads",
        TrainPart::All => "Everything (hours without a GPU)",
    }
}

/// Weights that go with a network: the demo's where there are some, else the hub's.
fn usual_weights(model: ModelName) -> String {
    if model == ModelName::default() {
        return "demo".to_owned();
    }
    hub_models(model).next().unwrap_or("none").to_owned()
}

fn set_number<T: std::str::FromStr>(field: &mut T, text: &str) {
    if let Ok(number) = text.trim().parse() {
        *field = number;
    }
}

/// A word of the configuration.
fn words<T: Copy + PartialEq>(all: &[T], word: fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter().copied().find(|one| word(*one) == text)
}

/// Fields for what most people change.
#[component]
pub fn Choices(
    /// The configuration as TOML.
    config: RwSignal<String>,
) -> impl IntoView {
    let parsed = Memo::new(move |_| config.with(|text| RunConfig::from_toml(text).ok()));
    let change = Callback::new(move |(change, text): (Change, String)| {
        let Some(mut now) = parsed.get_untracked() else { return };
        change(&mut now, &text);
        config.set(now.to_brief_toml());
    });
    let shown = move |read: fn(&RunConfig) -> String| {
        Signal::derive(move || parsed.with(|config| config.as_ref().map(read).unwrap_or_default()))
    };
    let broken = Signal::derive(move || parsed.with(Option::is_none));
    let options = |list: Vec<(&'static str, String)>| list;
    let parts = TrainPart::ALL.iter().map(|part| (part.as_str(), part_label(*part).to_owned())).collect();
    let models = ModelName::ALL.iter().map(|m| (m.as_str(), m.as_str().to_owned())).collect();
    let optimizers = OptimizerName::ALL.iter().map(|o| (o.as_str(), o.as_str().to_owned())).collect();
    let schedules = ScheduleName::ALL.iter().map(|s| (s.as_str(), s.as_str().to_owned())).collect();
    let policies = AugmentPolicy::ALL.iter().map(|p| (p.as_str(), p.as_str().to_owned())).collect();
    view! {
        <div class="run-choices">
            <Select id="run-train" label="What learns" options=options(parts) value=shown(|c| c.model.train.to_string()) broken
                change=Callback::new(move |text| change.run((|c, text| {
                    if let Some(part) = words(TrainPart::ALL, TrainPart::as_str, text) { c.take_recipe(part) }
                }, text)))/>
            <Select id="run-model" label="Network" options=options(models) value=shown(|c| c.model.name.to_string()) broken
                change=Callback::new(move |text| change.run((|c, text| {
                    if let Some(name) = words(ModelName::ALL, ModelName::as_str, text) {
                        c.model.name = name;
                        c.model.weights = usual_weights(name);
                    }
                }, text)))/>
            <Number id="run-epochs" label="Epochs" value=shown(|c| c.epochs.to_string()) broken
                change=Callback::new(move |text| change.run((|c, text| set_number(&mut c.epochs, text), text)))/>
            <Number id="run-lr" label="Learning rate" value=shown(|c| c.optimizer.lr.to_string()) broken
                change=Callback::new(move |text| change.run((|c, text| set_number(&mut c.optimizer.lr, text), text)))/>
            <Number id="run-batch" label="Photos a batch" value=shown(|c| c.batch_size.to_string()) broken
                change=Callback::new(move |text| change.run((|c, text| set_number(&mut c.batch_size, text), text)))/>
            <Number id="run-seed" label="Seed" value=shown(|c| c.seed.to_string()) broken
                change=Callback::new(move |text| change.run((|c, text| set_number(&mut c.seed, text), text)))/>
            <Select id="run-optimizer" label="Optimiser" options=options(optimizers) value=shown(|c| c.optimizer.name.to_string()) broken
                change=Callback::new(move |text| change.run((|c, text| {
                    if let Some(name) = words(OptimizerName::ALL, OptimizerName::as_str, text) { c.optimizer.name = name }
                }, text)))/>
            <Select id="run-schedule" label="Schedule" options=options(schedules) value=shown(|c| c.schedule.name.to_string()) broken
                change=Callback::new(move |text| change.run((|c, text| {
                    if let Some(name) = words(ScheduleName::ALL, ScheduleName::as_str, text) { c.schedule.name = name }
                }, text)))/>
            <Select id="run-augment" label="Augmentation" options=options(policies) value=shown(|c| c.augment.policy.to_string())
                broken=Signal::derive(move || broken.get() || parsed.with(|c| c.as_ref().is_some_and(|c| c.model.train == TrainPart::Heads)))
                change=Callback::new(move |text| change.run((|c, text| {
                    if let Some(policy) = words(AugmentPolicy::ALL, AugmentPolicy::as_str, text) { c.augment.policy = policy }
                }, text)))/>
        </div>
    }
}

#[component]
fn Select(
    id: &'static str,
    label: &'static str,
    /// Words of the configuration and what is shown for them.
    options: Vec<(&'static str, String)>,
    value: Signal<String>,
    /// Nothing can be chosen now.
    broken: Signal<bool>,
    change: Callback<String>,
) -> impl IntoView {
    let options = options
        .into_iter()
        .map(|(word, shown)| view! { <option value=word selected=move || value.get() == word>{shown}</option> })
        .collect_view();
    view! {
        <Field id label>
            <select class="select" id=id disabled=broken prop:value=value on:change=move |event| change.run(event_target_value(&event))>
                {options}
            </select>
        </Field>
    }
}

#[component]
fn Number(
    id: &'static str,
    label: &'static str,
    value: Signal<String>,
    /// Nothing can be entered now.
    broken: Signal<bool>,
    change: Callback<String>,
) -> impl IntoView {
    view! {
        <Field id label>
            <input class="input" id=id inputmode="decimal" autocomplete="off" disabled=broken prop:value=value
                on:change=move |event| change.run(event_target_value(&event))/>
        </Field>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_has_weights_that_a_page_may_name() {
        for model in ModelName::ALL {
            let weights = usual_weights(*model);
            assert!(weights == "demo" || hub_models(*model).any(|hub| hub == weights), "{model}: {weights}");
        }
    }
}
