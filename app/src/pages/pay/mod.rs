//! Do the labels pay? Training without labels, with class-level and with instance-level ones, compared; and what more labels
//! would bring.
//!
//! - `start`: the form; `one`: an experiment; `verdict`: what its differences amount to, in words; `tables`: its figures;
//!   `curve`: accuracy over labels.

mod curve;
mod one;
mod start;
mod tables;
mod verdict;

use kenami_domain::{roles::Role, view::experiment::ExperimentRow};
use leptos::prelude::*;

pub use self::one::ExperimentPage;
use self::start::StartForm;
use crate::{
    api::{self, ApiError},
    components::{
        alert::EmptyState,
        job::JobBadge,
        loaded::loaded_both,
        page::{PageHeader, Table},
        time::Ago,
    },
    pages::project::use_project,
};

/// All comparisons of a project, and the form that starts one.
#[component]
pub fn PayPage() -> impl IntoView {
    let project = use_project();
    let data = Resource::new(
        move || project.key.get(),
        |key| async move {
            let experiments = api::experiments::experiments(key.clone()).await?;
            let datasets = api::datasets::datasets(key).await?;
            Ok::<_, ApiError>((experiments, datasets))
        },
    );
    loaded_both(project.resource, data, move |project, (experiments, datasets)| {
        let key = project.key.clone();
        let runs_href = format!("/p/{key}/runs");
        let lead = project.role == Role::Lead;
        let no_datasets = datasets.is_empty();
        view! {
            <PageHeader
                title=t!("Do the labels pay?")
                lead=t!("The same training without labels, with one row of labels for each breed, and with each photo's own labels: which does better on photos that it has not seen?")
            >
                <a class="button button-quiet" href=runs_href>{t!("Back to the runs")}</a>
            </PageHeader>
            {if no_datasets {
                view! {
                    <EmptyState title=t!("There is no dataset yet")>
                        <p>{t!("A comparison needs a frozen dataset.")}</p>
                        <a class="button button-primary" href=format!("/p/{key}/datasets")>{t!("Freeze a dataset first")}</a>
                    </EmptyState>
                }.into_any()
            } else {
                view! {
                    {lead.then(|| view! { <StartForm key=key.clone() datasets/> })}
                    <Rows experiments key=key.clone()/>
                }.into_any()
            }}
        }
    })
}

#[component]
fn Rows(
    /// Newest first.
    experiments: Vec<ExperimentRow>,
    /// The project's key.
    key: String,
) -> impl IntoView {
    if experiments.is_empty() {
        return view! { <p class="quiet">{t!("Nothing has been compared yet.")}</p> }.into_any();
    }
    let rows = experiments
        .into_iter()
        .map(|one| {
            view! {
                <tr>
                    <th scope="row"><a href=format!("/p/{key}/pay/{}", one.id)>{t!("Comparison {number}", number = one.id)}</a></th>
                    <td><a href=format!("/p/{key}/datasets/{}", one.dataset)>{one.dataset.clone()}</a></td>
                    <td><JobBadge state=Signal::stored(one.state)/></td>
                    <td>{one.created_by.clone()}</td>
                    <td class="nowrap"><Ago at=one.created_at/></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Table caption=t!("Comparisons")>
            <thead>
                <tr>
                    <th scope="col">{t!("Name")}</th>
                    <th scope="col">{t!("Dataset")}</th>
                    <th scope="col">{t!("State")}</th>
                    <th scope="col">{t!("Started by")}</th>
                    <th scope="col">{t!("When")}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
    }
    .into_any()
}
