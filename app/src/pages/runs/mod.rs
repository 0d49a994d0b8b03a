//! Training runs: starting one, watching it, reading its results.
//!
//! - [`chart`]: curves as pictures.
//! - [`series`]: points that arrive become curves.
//! - `start`: the form; `live`: a run in progress; `results`, `confusion`, `mistakes`: what it measured; [`errors`]: what it gets
//!   wrong, and why.

pub mod chart;
pub mod series;

pub(crate) mod choices;
mod confusion;
pub mod errors;
pub(crate) mod files;
mod live;
mod mistakes;
mod results;
mod start;

use kenami_domain::{roles::Role, schema::Attribute, view::run::RunRow};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use self::{live::RunView, start::StartDialog};
use crate::{
    api::{self, ApiError},
    components::{
        alert::EmptyState,
        button::{Button, Weight},
        job::JobBadge,
        loaded::loaded_both,
        page::{PageHeader, Table},
        time::Ago,
    },
    pages::project::use_project,
    text,
};

/// All runs of a project.
#[component]
pub fn RunsPage() -> impl IntoView {
    let project = use_project();
    let query = use_query_map();
    // `?dataset=3`: the way here from a dataset opens the form for it.
    let wanted = Memo::new(move |_| query.with(|query| query.get("dataset").and_then(|id| id.parse::<i64>().ok())));
    let data = Resource::new(
        move || project.key.get(),
        |key| async move {
            let runs = api::runs::runs(key.clone()).await?;
            let datasets = api::datasets::datasets(key).await?;
            Ok::<_, ApiError>((runs, datasets))
        },
    );
    let starting = RwSignal::new(false);
    Effect::new(move |_| {
        if wanted.get().is_some() {
            starting.set(true);
        }
    });
    loaded_both(project.resource, data, move |project, (runs, datasets)| {
        let lead = project.role == Role::Lead;
        let can_start = lead && !datasets.is_empty();
        let start = move || {
            can_start.then(|| {
                view! {
                    <Button weight=Weight::Primary on:click=move |_| starting.set(true)>{t!("Start a run")}</Button>
                }
            })
        };
        let (none, no_datasets) = (runs.is_empty(), datasets.is_empty());
        let datasets_href = format!("/p/{}/datasets", project.key);
        let loop_href = format!("/p/{}/loop", project.key);
        let pay_href = format!("/p/{}/pay", project.key);
        view! {
            <PageHeader title=t!("Runs") lead=t!("A run trains one model with a head per attribute on a frozen dataset.")>
                <a class="button" href=loop_href>{t!("Learning loop")}</a>
                <a class="button" href=pay_href>{t!("Do the labels pay?")}</a>
                {(!none).then(start)}
            </PageHeader>
            {if none {
                view! {
                    <EmptyState title=t!("No run yet")>
                        {if no_datasets {
                            view! {
                                <p>{t!("A run needs a dataset.")}</p>
                                <a class="button button-primary" href=datasets_href>{t!("Freeze a dataset first")}</a>
                            }.into_any()
                        } else {
                            view! { <p>{t!("Train on a dataset to see whether its labels pay.")}</p> {start()} }.into_any()
                        }}
                    </EmptyState>
                }.into_any()
            } else {
                view! { <Rows runs key=project.key.clone() attributes=project.attributes.clone()/> }.into_any()
            }}
            {can_start.then(|| view! {
                <StartDialog open=starting key=project.key.clone() datasets wanted=wanted.get_untracked()/>
            })}
        }
    })
}

#[component]
fn Rows(
    /// The runs.
    runs: Vec<RunRow>,
    /// The project's key.
    key: String,
    /// The project's attributes.
    attributes: Vec<Attribute>,
) -> impl IntoView {
    let mut heads: Vec<String> = runs.iter().flat_map(|run| run.accuracy.keys().cloned()).collect();
    heads.sort();
    heads.dedup();
    let head_cells =
        heads.iter().map(|head| view! { <th scope="col" class="numeric">{text::attribute_name_of(&attributes, head, text::language())}</th> }).collect_view();
    let rows = runs
        .into_iter()
        .map(|run| {
            let accuracies = heads
                .iter()
                .map(|head| {
                    let shown = run.accuracy.get(head).map(|&share| text::percent(share, 1));
                    view! { <td class="numeric">{shown}</td> }
                })
                .collect_view();
            view! {
                <tr>
                    <th scope="row"><a href=format!("/p/{key}/runs/{}", run.id)>{run.name.clone()}</a></th>
                    <td><JobBadge state=Signal::stored(run.state)/></td>
                    <td><a href=format!("/p/{key}/datasets/{}", run.dataset)>{run.dataset.clone()}</a></td>
                    {accuracies}
                    <td>{run.created_by.clone()}</td>
                    <td class="nowrap"><Ago at=run.created_at/></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Table caption=t!("Runs, with the accuracy of each head on test")>
            <thead>
                <tr>
                    <th scope="col">{t!("Name")}</th>
                    <th scope="col">{t!("State")}</th>
                    <th scope="col">{t!("Dataset")}</th>
                    {head_cells}
                    <th scope="col">{t!("Started by")}</th>
                    <th scope="col">{t!("When")}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
        {(!heads.is_empty()).then(|| view! { <p class="quiet">{t!("Percentages are accuracies on the test split, per head.")}</p> })}
    }
}

/// One run.
#[component]
pub fn RunPage() -> impl IntoView {
    let project = use_project();
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<i64>().ok())));
    let run = Resource::new(
        move || (project.key.get(), id.get()),
        |(key, id)| async move {
            match id {
                Some(id) => api::runs::run(key, id).await,
                None => Err(ApiError::NotFound("run".to_owned())),
            }
        },
    );
    loaded_both(project.resource, run, move |project, detail| {
        view! { <RunView project detail finished=Callback::new(move |()| run.refetch())/> }
    })
}
