//! Bringing photos in: choose, send, follow the job, read its report.

use kenami_domain::{
    roles::Role,
    view::job::{ImportReport, Job, JobKind, JobState},
};
use leptos::{either::Either, prelude::*};

use super::project::use_project;
use crate::{
    api::{ApiError, jobs},
    components::{
        alert::{Alert, EmptyState, ErrorView, Tone},
        job::{JobBadge, JobProgress, follow_job},
        loaded::loaded_both,
        page::{PageHeader, Table},
        time::Ago,
    },
    text,
};

pub(super) mod send;
mod upload;

use upload::UploadForm;

/// Skipped files that are listed before the rest is only counted.
const LISTED: usize = 500;

/// Upload form, the running import, earlier imports.
#[component]
pub fn ImportPage() -> impl IntoView {
    let project = use_project();
    let list = Resource::new(move || project.key.get(), jobs::jobs);
    // The import that this page follows.
    let followed = RwSignal::new(None::<Job>);
    Effect::new(move |_| {
        // An import that goes on already is followed, whoever began it.
        if let Some(Ok(jobs)) = list.get()
            && followed.with_untracked(Option::is_none)
        {
            let running = jobs.into_iter().find(|job| job.kind == JobKind::Import && !job.state.is_final());
            if running.is_some() {
                followed.set(running);
            }
        }
    });
    let followed_id = Memo::new(move |_| followed.with(|job| job.as_ref().map(|job| job.id)));
    Effect::new(move |_| {
        let Some(id) = followed_id.get() else { return };
        follow_job(id, &["job"], move |_, data| {
            if let Ok(job) = serde_json::from_str::<Job>(&data) {
                if job.state.is_final() {
                    list.refetch();
                    project.resource.refetch();
                }
                followed.set(Some(job));
            }
        });
    });
    view! {
        <PageHeader title=t!("Import") lead=t!("JPEG, PNG and WebP photos. What is there already is not added twice; what cannot be read is left out and listed.")/>
        {loaded_both(project.resource, list, move |project, jobs| if project.role >= Role::Lead {
            let earlier = jobs.into_iter().filter(|job| job.kind == JobKind::Import && job.state.is_final()).collect::<Vec<_>>();
            Either::Left(view! {
                <UploadForm project_key=project.key.clone() followed/>
                <Followed project_key=project.key followed/>
                <Earlier jobs=earlier followed/>
            })
        } else {
            Either::Right(view! { <ErrorView error=ApiError::Forbidden/> })
        })}
    }
}

#[component]
fn Followed(
    /// The project's key.
    project_key: String,
    /// The import that is followed.
    followed: RwSignal<Option<Job>>,
) -> impl IntoView {
    let there = Memo::new(move |_| followed.with(Option::is_some));
    let report = Memo::new(move |_| followed.with(|job| job.as_ref().and_then(report_of)));
    move || {
        there.get().then(|| {
            let project_key = project_key.clone();
            let job = Signal::derive(move || followed.get());
            view! {
                <section class="card" aria-live="polite">
                    <h2>{t!("This import")}</h2>
                    {move || job.get().map(|job| view! { <JobProgress job=job can_cancel=true/> })}
                    {move || report.get().map(|report| view! {
                        <p>{t!("{summary}.", summary = summary(&report))}</p>
                        <Report report/>
                        <p class="row">
                            <a class="button button-primary" href=format!("/p/{project_key}")>{t!("To the overview")}</a>
                            <a class="button" href=format!("/p/{project_key}/annotate")>{t!("Annotate")}</a>
                        </p>
                    })}
                </section>
            }
        })
    }
}

#[component]
fn Earlier(
    /// Imports that have ended, newest first.
    jobs: Vec<Job>,
    /// The import that is followed, which is shown above.
    followed: RwSignal<Option<Job>>,
) -> impl IntoView {
    if jobs.is_empty() {
        return Either::Left(view! { <EmptyState title=t!("No earlier imports")/> });
    }
    let items = jobs
        .into_iter()
        .map(|job| {
            let id = job.id;
            let summary = match (report_of(&job), &job.error) {
                (Some(report), _) => summary(&report),
                (None, Some(error)) => text::translate_sentence(error).into_owned(),
                (None, None) => text::translate_sentence(&job.message).into_owned(),
            };
            let head = view! {
                <JobBadge state=Signal::from(job.state)/>
                <span class="import-summary-text">{summary}</span>
                <span class="quiet nowrap">{job.created_by.clone()}" · "<Ago at=job.created_at/></span>
            };
            // Only a report with something to list can be opened.
            let long = report_of(&job).filter(|report| !report.skipped.is_empty() || !report.warnings.is_empty());
            let item = match long {
                Some(report) => Either::Left(view! {
                    <details class="card"><summary class="import-summary">{head}</summary><Report report/></details>
                }),
                None => Either::Right(view! { <div class="card"><div class="import-summary">{head}</div></div> }),
            };
            view! { <li hidden=move || followed.with(|job| job.as_ref().is_some_and(|job| job.id == id))>{item}</li> }
        })
        .collect_view();
    Either::Right(view! {
        <section class="stack-s">
            <h2>{t!("Earlier imports")}</h2>
            <ul class="plain-list stack-s">{items}</ul>
        </section>
    })
}

/// The report of an import that is done.
fn report_of(job: &Job) -> Option<ImportReport> {
    (job.state == JobState::Done).then(|| serde_json::from_value(job.result.clone()?).ok()).flatten()
}

/// A report in a line.
fn summary(report: &ImportReport) -> String {
    let (duplicates, unchanged) = (report.duplicates as i64, report.unchanged as i64);
    let (skipped, labels) = (report.skipped.len() as i64, report.labels as i64);
    let mut parts = vec![n!(report.added as i64, "{count} photo added", "{count} photos added")];
    parts.extend((duplicates > 0).then(|| n!(duplicates, "{count} of them a duplicate", "{count} of them duplicates")));
    parts.extend((unchanged > 0).then(|| n!(unchanged, "{count} there already", "{count} there already")));
    parts.extend((skipped > 0).then(|| n!(skipped, "{count} left out", "{count} left out")));
    parts.extend((labels > 0).then(|| n!(labels, "{count} label", "{count} labels")));
    parts.join(t!(", "))
}

#[component]
fn Report(
    /// What the import did.
    report: ImportReport,
) -> impl IntoView {
    let warnings = report
        .warnings
        .iter()
        .map(|warning| view! { <li>{text::translate_sentence(warning).into_owned()}</li> })
        .collect_view();
    let rest = report.skipped.len().saturating_sub(LISTED);
    let rows = report
        .skipped
        .iter()
        .take(LISTED)
        .map(|file| view! { <tr><th scope="row" class="file-name">{file.name.clone()}</th><td>{text::translate_sentence(&file.reason).into_owned()}</td></tr> })
        .collect_view();
    view! {
        {(!report.warnings.is_empty()).then(|| view! { <Alert tone=Tone::Warning><ul class="plain-list">{warnings}</ul></Alert> })}
        {(!report.skipped.is_empty()).then(|| view! {
            <h3>{n!(report.skipped.len() as i64, "{count} file was left out", "{count} files were left out")}</h3>
            <Table caption=t!("Files that were left out")>
                <thead><tr><th scope="col">{t!("File")}</th><th scope="col">{t!("Why")}</th></tr></thead>
                <tbody>{rows}</tbody>
            </Table>
            {(rest > 0).then(|| view! { <p class="quiet">{n!(rest as i64, "and {count} more", "and {count} more")}</p> })}
        })}
    }
}

#[cfg(test)]
mod tests {
    use kenami_domain::view::job::SkippedFile;

    use super::*;

    #[test]
    fn a_report_is_summed_up_without_zeros() {
        let mut report = ImportReport { added: 1, ..Default::default() };
        assert_eq!(summary(&report), "1 photo added");
        report.unchanged = 5_000;
        report.skipped = vec![SkippedFile { name: "a.jpg".into(), reason: "empty".into() }];
        assert_eq!(summary(&report), "1 photo added, 5,000 there already, 1 left out");
    }
}
