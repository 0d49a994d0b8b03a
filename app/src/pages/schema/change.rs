//! The dialog in which a change is put together, with what it would do.

use std::time::Duration;

use kenami_domain::view::schema_change::{SchemaAttribute, SchemaChange, SchemaCounts};
use leptos::{prelude::*, task::spawn_local};

use super::{
    Form,
    forms::{AddAttribute, AddValue, MergeValue, SplitValue},
    map::MergeAttribute,
    rename::{Rename, renamed_line},
};
use crate::{
    api::{
        ApiError,
        schema::{change_schema, preview_schema_change},
    },
    components::{
        alert::{Alert, ErrorAlert, Tone},
        button::{Button, Weight},
        dialog::Dialog,
        toast::use_toasts,
    },
    pages::project::use_project,
    text,
};

/// How long nothing must be typed before the preview is asked for.
const QUIET: Duration = Duration::from_millis(250);

/// Asks for one change, shows what it does, makes it.
#[component]
pub fn ChangeDialog(
    /// Whether it shows.
    open: RwSignal<bool>,
    /// What is to be changed.
    form: RwSignal<Option<Form>>,
    /// All attributes.
    all: Signal<Vec<SchemaAttribute>>,
    /// Called when the change is made.
    done: Callback<()>,
) -> impl IntoView {
    let wide = Signal::derive(move || form.with(|form| matches!(form, Some(Form::Rename(_, None)))));
    view! {
        <Dialog open title=t!("Change attributes") wide>
            {move || form.get().map(|form| view! { <ChangeForm open form all done/> })}
        </Dialog>
    }
}

/// What is inside of the dialog.
#[component]
pub fn ChangeForm(
    /// Set to false when it is done.
    open: RwSignal<bool>,
    /// What is to be changed.
    form: Form,
    /// All attributes.
    all: Signal<Vec<SchemaAttribute>>,
    /// Called when the change is made.
    done: Callback<()>,
) -> impl IntoView {
    let project = use_project();
    let toasts = use_toasts();
    let change = RwSignal::new(None::<SchemaChange>);
    let preview = RwSignal::new(None::<Result<SchemaCounts, ApiError>>);
    let (busy, error) = (RwSignal::new(false), RwSignal::new(None::<ApiError>));
    Effect::new(move |_| {
        let asked = change.get();
        preview.set(None);
        error.set(None);
        let Some(asked) = asked else { return };
        // What is changed meanwhile has a preview of its own.
        let current = move |asked: &SchemaChange| {
            change.try_with_untracked(|change| change.as_ref() == Some(asked)).unwrap_or_default()
        };
        let ask = move || {
            if !current(&asked) {
                return;
            }
            let key = project.key.get_untracked();
            spawn_local(async move {
                let found = preview_schema_change(key, asked.clone()).await;
                if current(&asked) {
                    preview.set(Some(found));
                }
            });
        };
        set_timeout(ask, QUIET);
    });
    let apply = move |_| {
        let Some(change) = change.get_untracked() else { return };
        let key = project.key.get_untracked();
        busy.set(true);
        spawn_local(async move {
            let made = change_schema(key, change).await;
            busy.set(false);
            match made {
                Ok(_) => {
                    open.set(false);
                    toasts.good(t!("Changed."));
                    done.run(());
                }
                Err(failed) => error.set(Some(failed)),
            }
        });
    };
    let ready = Signal::derive(move || preview.with(|preview| matches!(preview, Some(Ok(_)))));
    view! {
        <div class="stack">
            {fields(form, all, change)}
            <div class="schema-preview" aria-live="polite">
                {move || match (change.with(Option::is_some), preview.get()) {
                    (false, _) => ().into_any(),
                    (true, None) => view! { <p class="quiet">{t!("Counting…")}</p> }.into_any(),
                    (true, Some(Err(error))) => view! { <Alert tone=Tone::Bad>{error.to_string()}</Alert> }.into_any(),
                    (true, Some(Ok(counts))) => view! { <Consequences counts/> }.into_any(),
                }}
            </div>
            <ErrorAlert error/>
            <div class="dialog-actions">
                <Button on:click=move |_| open.set(false)>{t!("Cancel")}</Button>
                <Button weight=Weight::Primary busy disabled=Signal::derive(move || !ready.get()) on:click=apply>{t!("Change")}</Button>
            </div>
        </div>
    }
}

/// The form's words and fields.
fn fields(form: Form, all: Signal<Vec<SchemaAttribute>>, change: RwSignal<Option<SchemaChange>>) -> AnyView {
    let language = text::language();
    let plain = |words: String, made: SchemaChange| {
        change.set(Some(made));
        view! { <p>{words}</p> }.into_any()
    };
    match form {
        Form::AddAttribute => view! { <AddAttribute all change/> }.into_any(),
        Form::Rename(attribute, only) => view! { <Rename attribute only change/> }.into_any(),
        Form::MergeAttribute(attribute) => view! { <MergeAttribute attribute all change/> }.into_any(),
        Form::AddValue(attribute) => view! { <AddValue attribute change/> }.into_any(),
        Form::MergeValue(attribute, value) => view! { <MergeValue attribute value change/> }.into_any(),
        Form::SplitValue(attribute, value) => view! { <SplitValue attribute value change/> }.into_any(),
        Form::RetireAttribute(attribute) => {
            let name = text::attribute_name(&attribute, language);
            let words =
                t!("{name} is asked for no more. Its labels and guidelines stay, and it can be restored.", name = name);
            plain(words, SchemaChange::RetireAttribute { attribute: attribute.key })
        }
        Form::RestoreAttribute(attribute) => {
            let name = text::attribute_name(&attribute, language);
            let words = t!("{name} is asked for again, with the labels that it has.", name = name);
            plain(words, SchemaChange::RestoreAttribute { attribute: attribute.key })
        }
        Form::RetireValue(attribute, value) => {
            let name = value_name(&attribute, &value);
            let words =
                t!("{name} is offered no more. Its labels stay votes for it, and it can be restored.", name = name);
            plain(words, SchemaChange::RetireValue { attribute: attribute.key, value })
        }
        Form::RestoreValue(attribute, value) => {
            let words = t!("{name} is offered again.", name = value_name(&attribute, &value));
            plain(words, SchemaChange::RestoreValue { attribute: attribute.key, value })
        }
    }
}

/// What a value is called.
pub fn value_name(attribute: &kenami_domain::schema::Attribute, key: &str) -> String {
    attribute.value(key).map_or_else(|| key.to_owned(), |value| value.names.or_key(text::language(), key).to_owned())
}

/// What a change does, a line each.
#[component]
pub fn Consequences(
    /// How much it concerns.
    counts: SchemaCounts,
) -> impl IntoView {
    let lines = [
        (counts.labels_moved, n!(counts.labels_moved, "{count} label moves", "{count} labels move")),
        (counts.decisions_moved, n!(counts.decisions_moved, "{count} decision moves", "{count} decisions move")),
        (counts.gold_moved, n!(counts.gold_moved, "{count} gold answer moves", "{count} gold answers move")),
        (counts.photos_moved, n!(counts.photos_moved, "{count} photo moves", "{count} photos move")),
        (
            counts.photos_settled,
            n!(
                counts.photos_settled,
                "Annotators agree on {count} photo on which they differed",
                "Annotators agree on {count} photos on which they differed"
            ),
        ),
        (
            counts.labels_in_doubt,
            n!(
                counts.labels_in_doubt,
                "{count} label is in doubt, and no vote until it is given again",
                "{count} labels are in doubt, and no votes until they are given again"
            ),
        ),
        (
            counts.photos_returned,
            n!(
                counts.photos_returned,
                "{count} photo goes back to whoever answered it",
                "{count} photos go back to those who answered them"
            ),
        ),
        (
            counts.photos_opened,
            n!(
                counts.photos_opened,
                "{count} photo goes to others: whoever answered it cannot answer again",
                "{count} photos go to others: whoever answered them cannot answer again"
            ),
        ),
        (counts.labels_kept, n!(counts.labels_kept, "{count} label stays as it is", "{count} labels stay as they are")),
    ];
    let renamed = counts.renamed.iter().map(renamed_line);
    let lines: Vec<String> =
        renamed.chain(lines.into_iter().filter(|(count, _)| *count > 0).map(|(_, line)| line)).collect();
    if lines.is_empty() {
        return view! { <p class="quiet">{t!("No label is touched.")}</p> }.into_any();
    }
    view! { <ul class="schema-lines">{lines.into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}</ul> }
        .into_any()
}
