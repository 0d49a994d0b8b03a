//! One comparison: how far it is, and what the trainings that have finished say.

use kenami_domain::{
    experiment::{CellState, Results},
    roles::Role,
    run_config::{RunConfig, TrainPart},
    view::{
        experiment::ExperimentDetail,
        job::{Job, JobKind, JobState},
        project::Project,
    },
};
use leptos::{prelude::*, task::spawn_local};
use leptos_router::hooks::use_params_map;
use time::OffsetDateTime;

use super::{
    curve::Curves,
    tables::{HeadTables, variant_name},
    verdict::Verdicts,
};
use crate::{
    api::{self, ApiError},
    components::{
        alert::{Alert, Tone},
        button::Button,
        job::{JobBadge, JobProgress, follow_job},
        loaded::loaded_both,
        page::PageHeader,
        time::Ago,
        toast::use_toasts,
    },
    pages::project::use_project,
    text,
};

/// One comparison.
#[component]
pub fn ExperimentPage() -> impl IntoView {
    let project = use_project();
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<i64>().ok())));
    let detail = Resource::new(
        move || (project.key.get(), id.get()),
        |(key, id)| async move {
            match id {
                Some(id) => api::experiments::experiment(key, id).await,
                None => Err(ApiError::NotFound("experiment".to_owned())),
            }
        },
    );
    // The job is followed once, however often the results are read again; and it is shown outside of what these replace.
    let job = RwSignal::new(None::<Job>);
    Effect::new(move |_| {
        if let Some(Ok(detail)) = detail.get() {
            job.set(detail.job);
        }
    });
    let running =
        Memo::new(move |_| job.with(|job| job.as_ref().filter(|job| !job.state.is_final()).map(|job| job.id)));
    Effect::new(move |_| {
        let Some(running) = running.get() else { return };
        follow_job(running, &["job"], move |_, data| {
            let Ok(now) = serde_json::from_str::<Job>(&data) else { return };
            let heard = |before: &Option<Job>| before.as_ref().is_none_or(|before| is_news(before, &now));
            let news = job.try_with_untracked(heard).unwrap_or(false);
            job.try_set(Some(now));
            if news {
                detail.refetch();
            }
        });
    });
    // Outside of what the results are read into: that is replaced, while the bar still moves.
    let shown = Signal::derive(move || job.get().unwrap_or_else(idle));
    let progress = move || running.get().map(|_| view! { <JobProgress job=shown/> });
    view! {
        {progress}
        {loaded_both(project.resource, detail, move |project, detail| view! { <Experiment project detail/> })}
    }
}

/// A job of which nothing has been heard yet.
fn idle() -> Job {
    Job {
        id: 0,
        kind: JobKind::Experiment,
        project_id: 0,
        state: JobState::Queued,
        progress_done: 0,
        progress_total: 0,
        message: String::new(),
        error: None,
        result: None,
        attempts: 0,
        cancel_requested: false,
        created_by: String::new(),
        created_at: OffsetDateTime::UNIX_EPOCH,
        finished_at: None,
    }
}

/// Whether there is more to read than how far the job is: it has begun, a training has ended, or all of them.
fn is_news(before: &Job, now: &Job) -> bool {
    let counts_runs =
        now.message == RUNS && (before.progress_done, &before.message) != (now.progress_done, &now.message);
    counts_runs || before.state != now.state
}

/// What the job says while it counts trainings, before translation.
const RUNS: &str = "Training runs";

#[component]
fn Experiment(
    /// The project.
    project: Project,
    /// The comparison.
    detail: ExperimentDetail,
) -> impl IntoView {
    let row = detail.row;
    let key = project.key.clone();
    let asked_to_stop = detail.job.as_ref().is_some_and(|job| job.cancel_requested);
    let error = detail.job.as_ref().and_then(|job| job.error.clone());
    let frozen = RunConfig::from_toml(&detail.input.config).is_ok_and(|config| config.model.train == TrainPart::Heads);
    let seeds = i64::from(detail.input.seeds);
    let asked = if detail.input.curve {
        n!(
            seeds,
            "{count} training of each kind, and on shares of the labels",
            "{count} trainings of each kind, and on shares of the labels"
        )
    } else {
        n!(seeds, "{count} training of each kind", "{count} trainings of each kind")
    };
    let finished = row.state == JobState::Done;
    let lead = project.role == Role::Lead;
    let (attributes, cancel_key) = (project.attributes, key.clone());
    let results = detail.results.filter(|results| results.cells.iter().any(|cell| !cell.heads.is_empty()));
    view! {
        <PageHeader title=t!("Do the labels of {dataset} pay?", dataset = row.dataset)>
            <a class="button button-quiet" href=format!("/p/{key}/pay")>{t!("All comparisons")}</a>
            <JobBadge state=Signal::stored(row.state)/>
            {(lead && !row.state.is_final()).then(|| view! { <Cancel key=cancel_key id=row.id asked_to_stop/> })}
        </PageHeader>
        <p class="quiet">
            {asked}"; "
            {text::arranged(t!("started {time} by {person}"), [
                ("time", view! { <Ago at=row.created_at/> }.into_any()),
                ("person", row.created_by.clone().into_any()),
            ])}
        </p>
        {error.map(|error| view! { <Alert tone=Tone::Bad>{text::translate_sentence(&error).into_owned()}</Alert> })}
        {match results {
            None => view! { <p class="quiet">{t!("No training has finished yet.")}</p> }.into_any(),
            Some(results) => {
                let failed = failures(&results);
                let heads: Vec<String> = results.heads().into_iter().map(str::to_owned).collect();
                let tables = heads
                    .iter()
                    .map(|head| view! { <HeadTables head=head.clone() results=results.clone() attributes=attributes.clone()/> })
                    .collect_view();
                view! {
                    {failed}
                    <Verdicts contrasts=results.contrasts.clone() attributes=attributes.clone() frozen finished/>
                    {(!results.curves.is_empty()).then(|| view! { <Curves curves=results.curves.clone() attributes=attributes.clone()/> })}
                    <section class="stack-s">
                        <h2>{t!("Figures")}</h2>
                        <p class="quiet measure">{t!("Mean ± sample standard deviation over trainings. A difference is taken between trainings of the same seed, with Student's 95 % interval of its mean: it says how the training varies, not how the photos do.")}</p>
                        {tables}
                    </section>
                }.into_any()
            }
        }}
    }
}

/// Trainings that failed, with their reasons.
fn failures(results: &Results) -> impl IntoView + use<> {
    results
        .cells
        .iter()
        .filter_map(|cell| match &cell.state {
            CellState::Failed(reason) => {
                let variant = variant_name(&cell.variant);
                let words = t!(
                    "{variant} with seed {seed} failed: {reason}",
                    variant = variant,
                    seed = cell.seed,
                    reason = reason
                );
                Some(view! { <Alert tone=Tone::Warning>{words}</Alert> })
            }
            CellState::Finished => None,
        })
        .collect_view()
}

#[component]
fn Cancel(
    /// The project's key.
    key: String,
    /// The comparison.
    id: i64,
    /// Somebody has asked already.
    asked_to_stop: bool,
) -> impl IntoView {
    let toasts = use_toasts();
    let asked = RwSignal::new(asked_to_stop);
    let cancel = move |_| {
        let key = key.clone();
        asked.set(true);
        spawn_local(async move {
            match api::experiments::cancel_experiment(key, id).await {
                Ok(()) => toasts.good(t!("It stops at the next step; what has finished stays.")),
                Err(error) => toasts.bad(error.to_string()),
            }
        });
    };
    view! { <Button disabled=asked on:click=cancel>{t!("Stop the comparison")}</Button> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_again_where_a_training_has_ended() {
        let at =
            |done: i64, message: &str, state| Job { progress_done: done, message: message.to_owned(), state, ..idle() };
        let running = at(2, RUNS, JobState::Running);
        assert!(is_news(&idle(), &at(0, "Reading the dataset", JobState::Running)), "it has begun");
        assert!(is_news(&running, &at(3, RUNS, JobState::Running)));
        assert!(!is_news(&running, &running));
        assert!(!is_news(
            &at(3, "Computing features", JobState::Running),
            &at(64, "Computing features", JobState::Running)
        ));
        assert!(is_news(&running, &at(2, RUNS, JobState::Cancelled)));
    }
}
