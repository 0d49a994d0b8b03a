//! The projects that one may see.

use kenami_domain::view::project::ProjectRow;
use leptos::{either::Either, prelude::*};
use leptos_router::hooks::use_navigate;

use crate::{
    api::projects::{CreateProject, projects},
    app::SignedIn,
    components::{
        alert::{EmptyState, ErrorAlert},
        button::{Button, Weight},
        field::{Field, described_by},
        loaded::{loaded, loaded_both},
        page::PageHeader,
        progress::ProgressBar,
    },
    text,
};

/// All projects of the signed-in user as cards.
#[component]
pub fn ProjectsPage() -> impl IntoView {
    let SignedIn(me) = expect_context();
    let list = Resource::new(|| (), |()| projects());
    view! {
        <main id="main" class="page">
            <PageHeader title=t!("Projects")/>
            {loaded_both(list, me, |projects, me| {
                let administrator = me.is_some_and(|me| me.administrator);
                if projects.is_empty() {
                    let hint = if administrator { t!("Make one below.") } else { t!("An invitation from a lead brings you into one.") };
                    Either::Left(view! { <EmptyState title=t!("You are in no project yet")><p>{hint}</p></EmptyState> })
                } else {
                    let cards = projects.into_iter().map(|project| view! { <Card project/> }).collect_view();
                    Either::Right(view! { <div class="grid-cards">{cards}</div> })
                }
            })}
            {loaded(me, |me| me.filter(|me| me.administrator).map(|_| view! { <NewProject/> }))}
        </main>
    }
}

#[component]
fn Card(
    /// The project.
    project: ProjectRow,
) -> impl IntoView {
    let done = text::whole_percent(project.slots_done, project.slots);
    view! {
        <a class="card card-link" href=format!("/p/{}", project.key)>
            <span class="row row-apart">
                <h2>{project.name}</h2>
                <span class="badge">{project.role.map_or(t!("Administrator"), text::role_name)}</span>
            </span>
            <p class="quiet clamp">{project.description}</p>
            <ProgressBar done=project.slots_done total=project.slots.max(1) label=t!("Answered")/>
            <span class="row row-apart quiet numeric">
                <span>{n!(project.photos, "{count} photo", "{count} photos")}</span>
                <span>{t!("{percent} % answered", percent = done)}</span>
            </span>
        </a>
    }
}

#[component]
fn NewProject() -> impl IntoView {
    let create = ServerAction::<CreateProject>::new();
    let navigate = use_navigate();
    Effect::new(move |_| {
        if let Some(Ok(key)) = create.value().get() {
            navigate(&format!("/p/{key}/import"), Default::default());
        }
    });
    let failed = Signal::derive(move || create.value().get().and_then(Result::err));
    let of_field = move |field: &'static str| {
        Signal::derive(move || failed.get().and_then(|error| error.for_field(field).map(str::to_owned)))
    };
    let error = Signal::derive(move || {
        failed.get().filter(|error| error.for_field("key").is_none() && error.for_field("name").is_none())
    });
    view! {
        <section class="stack">
            <h2>{t!("New project")}</h2>
            <ErrorAlert error/>
            <ActionForm action=create attr:class="form-inline card">
                <Field id="project-name" label=t!("Name") hint=t!("What people read.") error=of_field("name")>
                    <input class="input" id="project-name" name="name" required maxlength="120" aria-describedby=described_by("project-name")/>
                </Field>
                <Field id="project-key" label=t!("Key") hint=t!("In addresses; letters, digits, _ and -.") error=of_field("key")>
                    <input
                        class="input" id="project-key" name="key" required maxlength="64" pattern="[A-Za-z0-9][A-Za-z0-9_\\-]*"
                        autocapitalize="none" spellcheck="false" autocomplete="off" aria-describedby=described_by("project-key")
                    />
                </Field>
                <Button submit=true weight=Weight::Primary busy=create.pending()>{t!("Make the project")}</Button>
            </ActionForm>
        </section>
    }
}
