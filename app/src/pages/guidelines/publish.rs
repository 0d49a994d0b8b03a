//! Publishing a draft as the next version.

use kenami_domain::schema::Attribute;
use leptos::{prelude::*, task::spawn_local};

use super::{
    doubt::{Choice, DoubtFields},
    draft::DraftState,
};
use crate::{
    api::{ApiError, guidelines::publish},
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
        dialog::Dialog,
        field::{Field, described_by},
        toast::use_toasts,
    },
    text,
};

/// Asks what changed and which votes are in doubt, and publishes.
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
    /// The answers that are in doubt to begin with: those of the pair that the lead comes from.
    doubted: Vec<String>,
    /// The version is published.
    done: Callback<()>,
) -> impl IntoView {
    let title = t!("Publish the guideline of {name}", name = text::attribute_name(&attribute, text::language()));
    let place = StoredValue::new((project_key, attribute));
    let choice = Choice::new(doubted);
    let error = RwSignal::new(None::<ApiError>);
    let busy = RwSignal::new(false);
    let toasts = use_toasts();
    Effect::new(move |_| {
        if open.get() {
            error.set(None);
        }
    });
    let go = move |_| {
        let (key, attribute) = place.get_value();
        let note = state.change_note.get_untracked();
        let doubt = untrack(|| choice.scope());
        busy.set(true);
        spawn_local(async move {
            let result = publish(key, attribute.key, note, doubt).await;
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
    let unfinished =
        Signal::derive(move || choice.is_unfinished() || state.change_note.with(|note| note.trim().is_empty()));
    view! {
        <Dialog open title>
            <ErrorAlert error/>
            <Field id="change-note" label=t!("What changed, and why") hint=t!("Annotators read this; it stays in the history.")>
                <textarea
                    class="textarea" id="change-note" aria-describedby=described_by("change-note") prop:value=state.change_note
                    on:input:target=move |event| state.change_note.set(event.target().value())
                >{state.change_note.get_untracked()}</textarea>
            </Field>
            {
                let (key, attribute) = place.get_value();
                view! { <DoubtFields key attribute choice/> }
            }
            <div class="dialog-actions">
                <Button on:click=move |_| open.set(false)>{t!("Not yet")}</Button>
                <Button weight=Weight::Primary busy disabled=unfinished on:click=go>{t!("Publish")}</Button>
            </div>
        </Dialog>
    }
}
