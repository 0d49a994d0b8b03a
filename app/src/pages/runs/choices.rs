//! The configuration's main choices as fields. The text stays the truth: a choice rewrites it, and it fills the choices.

use kenami_domain::run_config::{
    Attention, AugmentPolicy, Keep, ModelName, OptimizerName, RunConfig, ScheduleName, TrainPart, hub_models,
};
use leptos::prelude::*;

use crate::components::field::Field;

/// What is trained, in words.
pub fn part_label(part: TrainPart) -> &'static str {
    match part {
        TrainPart::Heads => t!("The heads alone (a minute)"),
        TrainPart::LastStage => t!("The last stage and the heads"),
        TrainPart::All => t!("Everything (hours without a GPU)"),
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

/// The choice that is this word of the configuration.
fn find<T: Copy>(all: &[T], word: fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter().copied().find(|one| word(*one) == text)
}

/// Words of the configuration, shown as they are.
fn options<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<(&'static str, &'static str)> {
    all.iter().map(|one| (word(*one), word(*one))).collect()
}

/// Fields for what most people change.
#[component]
pub fn Choices(
    /// The configuration as TOML.
    config: RwSignal<String>,
) -> impl IntoView {
    let parsed = Memo::new(move |_| config.with(|text| RunConfig::from_toml(text).ok()));
    let shown = move |read: fn(&RunConfig) -> String| {
        Signal::derive(move || parsed.with(|config| config.as_ref().map(read).unwrap_or_default()))
    };
    let set = move |change: fn(&mut RunConfig, &str)| {
        Callback::new(move |text: String| {
            let Some(mut now) = parsed.get_untracked() else { return };
            change(&mut now, &text);
            config.set(now.to_brief_toml());
        })
    };
    let broken = Signal::derive(move || parsed.with(Option::is_none));
    // Only whole photos are augmented: the other parts learn from cached features.
    let caches = move || parsed.with(|c| c.as_ref().is_some_and(|c| c.model.train != TrainPart::All));
    // Attention stands on a map that is not pooled yet.
    let frozen = move || parsed.with(|c| c.as_ref().is_some_and(|c| c.model.train == TrainPart::Heads));
    let parts = TrainPart::ALL.iter().map(|part| (part.as_str(), part_label(*part))).collect();
    view! {
        <div class="run-choices">
            <Select id="run-train" label=t!("What learns") options=parts value=shown(|c| c.model.train.to_string()) broken
                change=set(|c, text| if let Some(part) = find(TrainPart::ALL, TrainPart::as_str, text) { c.take_recipe(part) })/>
            <Select id="run-model" label=t!("Network") options=options(ModelName::ALL, ModelName::as_str)
                value=shown(|c| c.model.name.to_string()) broken
                change=set(|c, text| if let Some(name) = find(ModelName::ALL, ModelName::as_str, text) {
                    c.model.name = name;
                    c.model.weights = usual_weights(name);
                })/>
            <Number id="run-epochs" label=t!("Epochs") value=shown(|c| c.epochs.to_string()) broken
                change=set(|c, text| set_number(&mut c.epochs, text))/>
            <Number id="run-lr" label=t!("Learning rate") value=shown(|c| c.optimizer.lr.to_string()) broken
                change=set(|c, text| set_number(&mut c.optimizer.lr, text))/>
            <Number id="run-batch" label=t!("Photos a batch") value=shown(|c| c.batch_size.to_string()) broken
                change=set(|c, text| set_number(&mut c.batch_size, text))/>
            <Number id="run-seed" label=t!("Seed") value=shown(|c| c.seed.to_string()) broken
                change=set(|c, text| set_number(&mut c.seed, text))/>
            <Select id="run-optimizer" label=t!("Optimiser") options=options(OptimizerName::ALL, OptimizerName::as_str)
                value=shown(|c| c.optimizer.name.to_string()) broken
                change=set(|c, text| if let Some(name) = find(OptimizerName::ALL, OptimizerName::as_str, text) {
                    c.optimizer.name = name;
                })/>
            <Select id="run-schedule" label=t!("Schedule") options=options(ScheduleName::ALL, ScheduleName::as_str)
                value=shown(|c| c.schedule.name.to_string()) broken
                change=set(|c, text| if let Some(name) = find(ScheduleName::ALL, ScheduleName::as_str, text) {
                    c.schedule.name = name;
                })/>
            <Select id="run-augment" label=t!("Augmentation") options=options(AugmentPolicy::ALL, AugmentPolicy::as_str)
                value=shown(|c| c.augment.policy.to_string())
                broken=Signal::derive(move || broken.get() || caches())
                change=set(|c, text| if let Some(policy) = find(AugmentPolicy::ALL, AugmentPolicy::as_str, text) {
                    c.augment.policy = policy;
                })/>
        </div>
        <details class="run-more">
            <summary>{t!("More choices")}</summary>
            <div class="run-choices">
                <Select id="run-attention" label=t!("Attention") options=options(Attention::ALL, Attention::as_str)
                    value=shown(|c| c.model.attention.to_string())
                    broken=Signal::derive(move || broken.get() || frozen())
                    change=set(|c, text| if let Some(attention) = find(Attention::ALL, Attention::as_str, text) {
                        c.model.attention = attention;
                    })/>
                <Select id="run-keep" label=t!("Weights that are kept") options=options(Keep::ALL, Keep::as_str)
                    value=shown(|c| c.stop.keep.to_string()) broken
                    change=set(|c, text| if let Some(keep) = find(Keep::ALL, Keep::as_str, text) {
                        c.stop.keep = keep;
                    })/>
                <Number id="run-patience" label=t!("Stop after epochs without progress (0: never)")
                    value=shown(|c| c.stop.patience.to_string()) broken
                    change=set(|c, text| set_number(&mut c.stop.patience, text))/>
                <Number id="run-minutes" label=t!("Stop after minutes (0: never)")
                    value=shown(|c| c.stop.minutes.to_string()) broken
                    change=set(|c, text| set_number(&mut c.stop.minutes, text))/>
                <Number id="run-folds" label=t!("Folds for out-of-sample predictions")
                    value=shown(|c| c.evaluate.folds.to_string()) broken
                    change=set(|c, text| set_number(&mut c.evaluate.folds, text))/>
                <Number id="run-explain" label=t!("Photos with a Grad-CAM overlay")
                    value=shown(|c| c.evaluate.explain.to_string()) broken
                    change=set(|c, text| set_number(&mut c.evaluate.explain, text))/>
                <Select id="run-pseudo" label=t!("Answers that photos lack")
                    options=vec![("false", t!("not learnt from")), ("true", t!("the model's, where it is sure"))]
                    value=shown(|c| c.pseudo.unlabelled.to_string()) broken
                    change=set(|c, text| c.pseudo.unlabelled = text == "true")/>
                <Select id="run-flip" label=t!("Mirrored photos in evaluation") options=vec![("false", t!("not looked at")), ("true", t!("averaged with the photo"))]
                    value=shown(|c| c.evaluate.flip.to_string()) broken
                    change=set(|c, text| c.evaluate.flip = text == "true")/>
            </div>
        </details>
    }
}

#[component]
fn Select(
    id: &'static str,
    label: &'static str,
    /// Words of the configuration and what is shown for them.
    options: Vec<(&'static str, &'static str)>,
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
                on:change=move |event| {
                    change.run(event_target_value(&event));
                    // What is no number, or none that the configuration takes, does not stay in the field.
                    event_target::<web_sys::HtmlInputElement>(&event).set_value(&value.get_untracked());
                }/>
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
