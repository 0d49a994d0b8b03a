//! The written guidelines: reading, history, drafting, publishing.

mod changes;
mod doubt;
mod draft;
mod editor;
mod effect;
mod history;
mod names;
mod picker;
mod publish;
mod reading;
mod rule_editor;

use kenami_domain::{
    roles::Role,
    schema::{Attribute, AttributeKind},
    view::{
        guidelines::{Guideline, VersionEffect},
        project::Project,
    },
};
use leptos::{either::Either, prelude::*, task::spawn_local};
use leptos_router::hooks::{use_params_map, use_query_map};

use super::project::use_project;
use crate::{
    api::guidelines::{guidelines, read_guideline, version_effects},
    components::{
        alert::EmptyState,
        button::{Button, Weight},
        loaded::loaded_both,
        markdown::Translated,
        page::PageHeader,
        photo::PhotoImage,
        time::Ago,
    },
    text,
};

pub use draft::{own_text, set_text};
use editor::Editor;
use history::History;
use names::NamesDialog;
use reading::Reading;

/// All attributes with the rules in force in short.
#[component]
pub fn GuidelinesPage() -> impl IntoView {
    let project = use_project();
    let all = Resource::new(move || project.key.get(), guidelines);
    view! {
        <PageHeader title=t!("Guidelines") lead=t!("What to look at, and which answer fits. Label what the photo shows; the first rule that fits decides.")/>
        {loaded_both(project.resource, all, |project, all| {
            let change = (project.role >= Role::Lead).then(|| {
                let change = format!("/p/{}/schema", project.key);
                view! { <p><a class="button" href=change>{t!("Change attributes")}</a></p> }
            });
            if all.is_empty() {
                Either::Left(view! {
                    <EmptyState title=t!("This project asks nothing about its photos yet")>
                        <p>{t!("A lead adds attributes, or they come with an import.")}</p>
                        {change}
                    </EmptyState>
                })
            } else {
                let cards = all.into_iter().map(|guideline| view! { <Card project=project.clone() guideline/> }).collect_view();
                Either::Right(view! { <div class="stack">{cards}{change}</div> })
            }
        })}
    }
}

#[component]
fn Card(
    /// The project.
    project: Project,
    /// The guideline of one attribute.
    guideline: Guideline,
) -> impl IntoView {
    let language = text::language();
    let attribute = guideline.attribute;
    let name = text::attribute_name(&attribute, language);
    let introduction = guideline.text.introduction.clone();
    let values = attribute
        .values
        .iter()
        .filter(|value| !value.retired)
        .map(|value| {
            let name = text::value_name(&attribute, &value.key, language);
            let example = guideline.text.rules.iter().find(|rule| rule.value == value.key).and_then(|rule| rule.examples.first());
            let picture = match example {
                Some(example) => Either::Left(view! {
                    <PhotoImage project_key=project.key.clone() photo=example.photo.clone() class="tile-photo" alt=t!("Example of {name}", name = name)/>
                }),
                None => Either::Right(view! { <span class="tile-photo tile-blank">{t!("no example")}</span> }),
            };
            view! { <li class="tile">{picture}<b>{name}</b></li> }
        })
        .collect_view();
    let version = match guideline.current {
        Some(current) => Either::Left(view! {
            <span class="quiet">{text::arranged(t!("version {version}, {time}"), [("version", current.version.into_any()), ("time", view! { <Ago at=current.published_at/> }.into_any())])}</span>
        }),
        None => Either::Right(view! { <span class="badge badge-warning">{t!("no version published")}</span> }),
    };
    let draft = guideline.draft.map(|_| view! { <span class="badge badge-note">{t!("draft")}</span> });
    view! {
        <section class="card">
            <div class="row row-apart">
                <h2><a href=format!("/p/{}/guidelines/{}", project.key, attribute.key)>{name}</a></h2>
                <span class="row">{draft}{version}</span>
            </div>
            <Translated texts=introduction/>
            <ul class="guideline-values">{values}</ul>
        </section>
    }
}

/// One attribute's guideline: reading with its history, or the editor.
#[component]
pub fn GuidelinePage() -> impl IntoView {
    let project = use_project();
    let params = use_params_map();
    let attribute = Memo::new(move |_| params.with(|params| params.get("attribute").unwrap_or_default()));
    let resource =
        Resource::new(move || (project.key.get(), attribute.get()), |(key, attribute)| read_guideline(key, attribute));
    // Who comes from a confused pair goes on with the draft at once (`?edit=yes&a=drop&b=erect`).
    let query = use_query_map();
    let wanted = query.with_untracked(|query| query.get("edit").is_some());
    let pair = query.with_untracked(|query| query.get("a").into_iter().chain(query.get("b")).collect::<Vec<String>>());
    let pair = StoredValue::new(if wanted { pair } else { Vec::new() });
    let (editing, naming) = (RwSignal::new(wanted), RwSignal::new(false));
    // The editor, and the pair, belong to one attribute.
    Effect::new(move |before: Option<String>| {
        let now = attribute.get();
        if before.is_some_and(|before| before != now) {
            editing.set(false);
            pair.set_value(Vec::new());
        }
        now
    });
    let effects = RwSignal::new(Vec::<VersionEffect>::new());
    Effect::new(move |_| {
        let reads =
            project.resource.get().is_some_and(|project| project.is_ok_and(|project| project.role >= Role::Reviewer));
        // Another version may have been published.
        resource.track();
        let (key, attribute) = (project.key.get(), attribute.get());
        effects.set(Vec::new());
        if reads {
            load_effects(key, attribute, effects);
        }
    });
    loaded_both(project.resource, resource, move |of_project, guideline| {
        let name = text::attribute_name(&guideline.attribute, text::language());
        let lead = of_project.role >= Role::Lead;
        let verb = if guideline.draft.is_some() { t!("Go on with the draft") } else { t!("Edit") };
        let actions = lead.then(|| {
            view! {
                <span class="row" hidden=move || editing.get()>
                    <Button on:click=move |_| naming.set(true)>{t!("Names")}</Button>
                    <Button weight=Weight::Primary on:click=move |_| editing.set(true)>{verb}</Button>
                </span>
            }
        });
        let renamed = Callback::new(move |()| {
            resource.refetch();
            project.resource.refetch();
        });
        let names = lead.then(|| {
            view! { <NamesDialog open=naming attribute=guideline.attribute.clone() done=renamed/> }
        });
        let tabs = view! { <Tabs project=of_project.clone() current=guideline.attribute.key.clone()/> };
        view! {
            <PageHeader title=t!("Guideline: {name}", name = name)>{actions}</PageHeader>
            {names}
            {tabs}
            {move || if editing.get() && lead {
                let done = Callback::new(move |()| {
                    editing.set(false);
                    pair.set_value(Vec::new());
                    resource.refetch();
                });
                Either::Left(view! { <Editor project=of_project.clone() guideline=guideline.clone() pair=pair.get_value() done/> })
            } else {
                Either::Right(view! {
                    <div class="columns">
                        <Reading project_key=of_project.key.clone() attribute=guideline.attribute.clone() text=guideline.text.clone()/>
                        <History project_key=of_project.key.clone() guideline=guideline.clone() effects/>
                    </div>
                })
            }}
        }
    })
}

/// Asks what the versions did to agreement; where that fails, the history shows without.
fn load_effects(key: String, attribute: String, effects: RwSignal<Vec<VersionEffect>>) {
    spawn_local(async move {
        if let Ok(found) = version_effects(key, attribute).await {
            effects.try_set(found);
        }
    });
}

#[component]
fn Tabs(
    /// The project.
    project: Project,
    /// The key of the attribute that shows.
    current: String,
) -> impl IntoView {
    let language = text::language();
    let link = |attribute: &Attribute| {
        let here = (attribute.key == current).then_some("page");
        view! {
            <li><a class="tab" aria-current=here href=format!("/p/{}/guidelines/{}", project.key, attribute.key)>
                {text::attribute_name(attribute, language)}
            </a></li>
        }
    };
    let links = project
        .attributes
        .iter()
        .filter(|attribute| attribute.kind == AttributeKind::Annotated)
        .map(link)
        .collect_view();
    view! { <nav aria-label=t!("Attributes")><ul class="tabs">{links}</ul></nav> }
}
