//! Publishing a draft as the next version, and which labels it puts in doubt.

use kenami_domain::{schema::Attribute, view::guidelines::Doubt};
use leptos::{prelude::*, task::spawn_local};

use super::draft::DraftState;
use crate::{
    api::{
        ApiError,
        guidelines::{doubt_count, publish},
    },
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
        dialog::Dialog,
        field::{Field, described_by},
        toast::use_toasts,
    },
    text,
};

/// The choices: what, in words, why.
const CHOICES: [(Doubt, &str, &str); 3] = [
    (Doubt::None, mark!("None"), mark!("The change only says it better.")),
    (Doubt::Unsure, mark!("Unsure answers"), mark!("The new rules may decide them now.")),
    (Doubt::All, mark!("All answers"), mark!("The rules decide differently than before.")),
];

/// Asks what changed and which labels are in doubt, and publishes.
#[component]
pub fn PublishDialog(
    /// Whether it shows.
    open: RwSignal<bool>,
    /// The project's key.
    project_key: String,
    /// The attribute.
    attribute: Attribute,
    /// The draft, saved.
    state: DraftState,
    /// The version is published.
    done: Callback<()>,
) -> impl IntoView {
    let title = t!("Publish the guideline of {name}", name = text::attribute_name(&attribute, text::language()));
    let place = StoredValue::new((project_key, attribute.key));
    let doubt = RwSignal::new(Doubt::None);
    let counts = RwSignal::new(Vec::<(Doubt, Result<i64, ApiError>)>::new());
    let error = RwSignal::new(None::<ApiError>);
    let busy = RwSignal::new(false);
    let toasts = use_toasts();
    Effect::new(move |_| {
        if open.get() {
            error.set(None);
            load_counts(place.get_value(), counts);
        }
    });
    let go = move |_| {
        let (key, attribute) = place.get_value();
        let note = state.change_note.get_untracked();
        let doubt = doubt.get_untracked();
        busy.set(true);
        spawn_local(async move {
            let result = publish(key, attribute, note, doubt).await;
            busy.set(false);
            match result {
                Ok(version) => {
                    open.set(false);
                    toasts.good(t!("Version {version} is in force.", version = version.version));
                    done.run(());
                }
                Err(failed) => error.set(Some(failed)),
            }
        });
    };
    let without_note = Signal::derive(move || state.change_note.with(|note| note.trim().is_empty()));
    view! {
        <Dialog open title>
            <ErrorAlert error/>
            <Field id="change-note" label=t!("What changed, and why") hint=t!("Annotators read this; it stays in the history.")>
                <textarea
                    class="textarea" id="change-note" aria-describedby=described_by("change-note") prop:value=state.change_note
                    on:input:target=move |event| state.change_note.set(event.target().value())
                >{state.change_note.get_untracked()}</textarea>
            </Field>
            <fieldset class="stack-s">
                <legend class="label">{t!("Which labels are in doubt?")}</legend>
                {CHOICES.map(|(value, name, why)| view! { <Choice value name why doubt counts/> })}
            </fieldset>
            <p class="quiet">{t!("Photos whose labels are in doubt return to the annotators who gave them. Labels stand until they are answered again.")}</p>
            <div class="dialog-actions">
                <Button on:click=move |_| open.set(false)>{t!("Not yet")}</Button>
                <Button weight=Weight::Primary busy disabled=without_note on:click=go>{t!("Publish")}</Button>
            </div>
        </Dialog>
    }
}

#[component]
fn Choice(
    /// What it chooses.
    value: Doubt,
    /// In words.
    name: &'static str,
    /// When it is right.
    why: &'static str,
    /// What is chosen.
    doubt: RwSignal<Doubt>,
    /// Labels that each choice puts in doubt.
    counts: RwSignal<Vec<(Doubt, Result<i64, ApiError>)>>,
) -> impl IntoView {
    let count = move || {
        let found = counts.with(|counts| counts.iter().find(|(of, _)| *of == value).map(|(_, count)| count.clone()));
        match (value, found) {
            (Doubt::None, _) => None,
            (_, Some(Ok(count))) => Some(n!(count, "{count} label", "{count} labels")),
            (_, Some(Err(error))) => Some(error.to_string()),
            (_, None) => Some("…".to_owned()),
        }
    };
    view! {
        <label class="check">
            <input type="radio" name="doubt" prop:checked=move || doubt.get() == value on:change=move |_| doubt.set(value)/>
            <span><b>{text::translate(name)}</b>" "<span class="quiet">{text::translate(why)}</span>" "<span class="numeric">{count}</span></span>
        </label>
    }
}

/// Asks how many labels each choice puts in doubt.
fn load_counts(place: (String, String), counts: RwSignal<Vec<(Doubt, Result<i64, ApiError>)>>) {
    counts.set(Vec::new());
    for doubt in [Doubt::Unsure, Doubt::All] {
        let (key, attribute) = place.clone();
        spawn_local(async move {
            let count = doubt_count(key, attribute, doubt).await;
            counts.update(|counts| counts.push((doubt, count)));
        });
    }
}
