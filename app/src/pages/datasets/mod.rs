//! Datasets: frozen once, the same for ever.

mod contents;
mod freeze;

use kenami_domain::{
    roles::Role,
    view::{
        dataset::{DatasetDetail, DatasetRow, ExportFormat},
        project::Project,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use self::{contents::Contents, freeze::FreezeDialog};
use crate::{
    api::{self, ApiError},
    components::{
        alert::EmptyState,
        button::{Button, Weight},
        loaded::loaded_both,
        page::{PageHeader, Table},
        time::Ago,
    },
    pages::project::use_project,
    text,
};

/// All datasets of a project.
#[component]
pub fn DatasetsPage() -> impl IntoView {
    let project = use_project();
    let data = Resource::new(
        move || project.key.get(),
        |key| async move {
            let datasets = api::datasets::datasets(key.clone()).await?;
            let runs = api::runs::runs(key).await?;
            Ok::<_, ApiError>((datasets, runs))
        },
    );
    let freezing = RwSignal::new(false);
    loaded_both(project.resource, data, move |project, (datasets, runs)| {
        let lead = project.role == Role::Lead;
        let none = datasets.is_empty();
        let freeze = move || {
            lead.then(|| {
                view! {
                    <Button weight=Weight::Primary on:click=move |_| freezing.set(true)>{t!("Freeze a dataset")}</Button>
                }
            })
        };
        view! {
            <PageHeader
                title=t!("Datasets")
                lead=t!("A dataset is the project as it stood at one moment: photos, answers, splits. It never changes.")
            >
                {(!none).then(freeze)}
            </PageHeader>
            {if none {
                view! {
                    <EmptyState title=t!("No dataset yet")>
                        <p>{t!("Freeze one to export the answers or to train on them. Work on the project goes on untouched.")}</p>
                        {freeze()}
                    </EmptyState>
                }.into_any()
            } else {
                view! { <Rows datasets key=project.key.clone()/> }.into_any()
            }}
            {lead.then(|| view! { <FreezeDialog open=freezing key=project.key.clone() runs/> })}
        }
    })
}

#[component]
fn Rows(
    /// The datasets.
    datasets: Vec<DatasetRow>,
    /// The project's key.
    key: String,
) -> impl IntoView {
    let rows = datasets
        .into_iter()
        .map(|row| {
            let href = format!("/p/{key}/datasets/{}", row.name);
            view! {
                <tr>
                    <th scope="row"><a href=href>{row.name.clone()}</a></th>
                    <td>{freeze::policy_name(row.policy)}</td>
                    <td class="numeric">{text::number(row.photos)}</td>
                    <td><code title=row.hash.clone()>{short_hash(&row.hash)}</code></td>
                    <td>{row.created_by.clone()}</td>
                    <td class="nowrap"><Ago at=row.created_at/></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <Table caption=t!("Datasets")>
            <thead>
                <tr>
                    <th scope="col">{t!("Name")}</th>
                    <th scope="col">{t!("Policy")}</th>
                    <th scope="col" class="numeric">{t!("Photos")}</th>
                    <th scope="col">{t!("Hash")}</th>
                    <th scope="col">{t!("Frozen by")}</th>
                    <th scope="col">{t!("When")}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
    }
}

/// Enough of a hash to tell two apart.
fn short_hash(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// One dataset.
#[component]
pub fn DatasetPage() -> impl IntoView {
    let project = use_project();
    let params = use_params_map();
    let name = Memo::new(move |_| params.with(|params| params.get("name").unwrap_or_default()));
    let dataset =
        Resource::new(move || (project.key.get(), name.get()), |(key, name)| api::datasets::dataset(key, name));
    loaded_both(project.resource, dataset, |project, dataset| view! { <Detail project dataset/> })
}

#[component]
fn Detail(
    /// The project.
    project: Project,
    /// The dataset.
    dataset: DatasetDetail,
) -> impl IntoView {
    let row = dataset.row.clone();
    let lead = project.role == Role::Lead;
    let train = lead.then(|| {
        view! {
            <a class="button button-primary" href=format!("/p/{}/runs?dataset={}", project.key, row.id)>{t!("Train on it")}</a>
        }
    });
    let versions = dataset
        .manifest
        .guideline_versions
        .iter()
        .map(|(attribute, version)| {
            let name = text::attribute_name_of(&dataset.manifest.schema.attributes, attribute, text::language());
            let href = format!("/p/{}/guidelines/{attribute}", project.key);
            view! { <li><a href=href>{t!("{name} version {version}", name = name, version = version)}</a></li> }
        })
        .collect_view();
    let downloads = lead.then(|| view! { <Downloads key=project.key.clone() name=row.name.clone()/> });
    view! {
        <PageHeader title=row.name.clone()>{train}</PageHeader>
        <dl class="facts">
            <div><dt>{t!("Photos")}</dt><dd class="numeric">{text::number(row.photos)}</dd></div>
            <div><dt>{t!("Policy")}</dt><dd>{freeze::policy_name(row.policy)}</dd></div>
            <div><dt>{t!("Seed of the split")}</dt><dd class="numeric">{dataset.manifest.seed.to_string()}</dd></div>
            <div><dt>{t!("Frozen")}</dt><dd>{text::arranged(t!("{time} by {person}"), [("time", view! { <Ago at=row.created_at/> }.into_any()), ("person", row.created_by.clone().into_any())])}</dd></div>
            <div><dt>{t!("Guidelines")}</dt><dd><ul class="facts-list">{versions}</ul></dd></div>
            <div class="facts-wide">
                <dt>{t!("Content hash (blake3)")}</dt>
                <dd><code class="hash">{row.hash.clone()}</code></dd>
            </div>
        </dl>
        <Contents schema=dataset.manifest.schema.clone() summary=dataset.summary.clone() photos=row.photos/>
        {downloads}
    }
}

/// What a format is good for.
fn format_use(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Csv => t!("one row a photo: for spreadsheets and data frames"),
        ExportFormat::Jsonl => t!("one line a photo, with votes and targets"),
        ExportFormat::Folder => t!("photos and everything else in one zip: what kenami train reads"),
        ExportFormat::Imagefolder => t!("class folders and metadata.jsonl in one zip: what many training scripts read"),
    }
}

#[component]
fn Downloads(
    /// The project's key.
    key: String,
    /// The dataset's name.
    name: String,
) -> impl IntoView {
    let rows = ExportFormat::ALL
        .into_iter()
        .map(|format| {
            let href = format!("/p/{key}/datasets/{name}/download?format={}", format.as_str());
            view! {
                <li>
                    <a class="button" href=href rel="external" download>{format.as_str()}</a>
                    <span class="quiet">{format_use(format)}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="stack-s">
            <h2>{t!("Download")}</h2>
            <p class="quiet">{t!("The same dataset gives the same bytes, every time.")}</p>
            <ul class="downloads">{rows}</ul>
        </section>
    }
}
