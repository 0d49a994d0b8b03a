//! A project's settings.

mod queue;

pub use queue::order_name;

use kenami_domain::{
    schema::{Attribute, AttributeKind},
    view::project::{Project, ProjectSettings},
};
use leptos::prelude::*;

use super::project::use_project;
use crate::{
    api::projects::{UpdateProject, read_project_settings},
    components::{
        alert::ErrorAlert,
        button::{Button, Weight},
        field::{Field, described_by},
        loaded::loaded_both,
        page::PageHeader,
        toast::use_toasts,
    },
    text,
};

/// Name, description, how many annotators a photo gets and in which order, how long a photo is held; and what is asked
/// about each photo.
#[component]
pub fn SettingsPage() -> impl IntoView {
    let project = use_project();
    let settings = Resource::new(move || project.key.get(), read_project_settings);
    let update = ServerAction::<UpdateProject>::new();
    let toasts = use_toasts();
    Effect::new(move |_| {
        if let Some(Ok(())) = update.value().get() {
            project.resource.refetch();
            toasts.good(t!("Saved."));
        }
    });
    view! {
        <PageHeader title=t!("Settings")/>
        {loaded_both(settings, project.resource, move |settings, project| view! {
            <div class="columns">
                <SettingsForm key=project.key.clone() settings update/>
                <Schema project/>
            </div>
        })}
    }
}

#[component]
fn SettingsForm(
    /// The project's key.
    key: String,
    /// Its settings now.
    settings: ProjectSettings,
    /// Saves them.
    update: ServerAction<UpdateProject>,
) -> impl IntoView {
    let failed = Signal::derive(move || update.value().get().and_then(Result::err));
    let of_field = move |field: &'static str| {
        Signal::derive(move || failed.get().and_then(|error| error.for_field(field).map(str::to_owned)))
    };
    let fields = ["name", "description", "overlap", "overlap_share", "extra_votes", "lease_seconds"];
    let error = Signal::derive(move || {
        failed.get().filter(|error| fields.iter().all(|field| error.for_field(field).is_none()))
    });
    view! {
        <ActionForm action=update attr:class="form">
            <ErrorAlert error/>
            <input type="hidden" name="key" value=key/>
            <Field id="name" label=t!("Name") error=of_field("name")>
                <input class="input" id="name" name="name" required maxlength="120" value=settings.name aria-describedby=described_by("name")/>
            </Field>
            <Field id="description" label=t!("Description") hint=t!("One or two sentences; members see it on the overview.") error=of_field("description")>
                <textarea class="textarea" id="description" name="description" maxlength="2000" aria-describedby=described_by("description")>{settings.description}</textarea>
            </Field>
            <Field
                id="overlap" label=t!("Annotators a photo") error=of_field("overlap")
                hint=t!("Two or more show where the rules are read differently. Lowering it takes away no answers.")
            >
                <input class="input input-short" id="overlap" name="overlap" type="number" min="1" max="20" required value=settings.overlap.to_string() aria-describedby=described_by("overlap")/>
            </Field>
            <queue::ShareField share=settings.overlap_share error=of_field("overlap_share")/>
            <queue::ExtraVotesField extra=settings.extra_votes error=of_field("extra_votes")/>
            <queue::OrderField current=settings.queue_order/>
            <Field
                id="lease" label=t!("Seconds a photo is held") error=of_field("lease_seconds")
                hint=t!("A photo that is not answered by then goes to somebody else.")
            >
                <input class="input input-short" id="lease" name="lease_seconds" type="number" min="30" max="86400" required value=settings.lease_seconds.to_string() aria-describedby=described_by("lease")/>
            </Field>
            <div class="row"><Button submit=true weight=Weight::Primary busy=update.pending()>{t!("Save")}</Button></div>
        </ActionForm>
    }
}

#[component]
fn Schema(
    /// The project.
    project: Project,
) -> impl IntoView {
    let export = format!("/p/{}/labels.csv", project.key);
    let change = format!("/p/{}/schema", project.key);
    let attributes = project
        .attributes
        .iter()
        .map(|attribute| view! { <AttributeItem attribute=attribute.clone()/> })
        .collect_view();
    view! {
        <aside class="stack">
            <section class="card">
                <h2>{t!("Attributes")}</h2>
                <dl class="schema">{attributes}</dl>
                <p class="quiet">{t!("Keys never change; values are retired, never deleted.")}</p>
                <p><a class="button" href=change>{t!("Change attributes")}</a></p>
            </section>
            <queue::OrderCard/>
            <section class="card">
                <h2>{t!("Labels")}</h2>
                <p class="quiet">{t!("Every answer that stands, one row each.")}</p>
                <p><a class="button" href=export rel="external" download>{t!("Download labels.csv")}</a></p>
            </section>
        </aside>
    }
}

/// Values of an attribute whose list may need no scrolling.
const SHORT: usize = 12;

#[component]
fn AttributeItem(
    /// The attribute.
    attribute: Attribute,
) -> impl IntoView {
    let language = text::language();
    let kind = match attribute.kind {
        AttributeKind::Given => t!("given with the photo"),
        AttributeKind::Annotated => t!("answered by annotators"),
    };
    let values = attribute
        .values
        .iter()
        .map(|value| {
            let name = value.names.or_key(language, &value.key).to_owned();
            view! { <li class:retired=value.retired><span class="badge" title=value.key.clone()>{name}</span></li> }
        })
        .collect_view();
    let name = text::attribute_name(&attribute, language);
    // A list that is longer than its room must scroll by keyboard.
    let scrolls = (attribute.values.len() > SHORT).then_some("0");
    view! {
        <dt>{name.clone()}" "<span class="quiet">{kind}</span></dt>
        <dd><ul class="badges" tabindex=scrolls aria-label=name>{values}</ul></dd>
    }
}
