//! A run: how far it is, its curves as they grow, its results once they are there.

use kenami_domain::{
    metrics::Metrics,
    roles::Role,
    run_config::RunConfig,
    view::{
        job::{Job, JobState},
        project::Project,
        run::{CurvePoint, RunDetail},
    },
};
use leptos::{prelude::*, task::spawn_local};

use super::{
    chart::Chart,
    files::Files,
    results::Results,
    series::{self, Measure},
};
use crate::{
    api::runs::cancel_run,
    components::{
        alert::{Alert, Tone},
        button::Button,
        job::{JobBadge, JobProgress, follow_job},
        page::PageHeader,
        time::Ago,
        toast::use_toasts,
    },
    text,
};

/// One run.
#[component]
pub fn RunView(
    /// The project.
    project: Project,
    /// The run as it was when the page was made.
    detail: RunDetail,
    /// Called when the run ends, to read it again.
    finished: Callback<()>,
) -> impl IntoView {
    let row = detail.row.clone();
    let lead = project.role == Role::Lead;
    let job = RwSignal::new(detail.job.clone());
    let curves = RwSignal::new(detail.curves.clone());
    follow(job, curves, finished);
    let state = Memo::new(move |_| job.with(|job| job.as_ref().map_or(row.state, |job| job.state)));
    let config = RunConfig::from_toml(&detail.config).ok();
    let epochs = config.as_ref().map(|config| f64::from(config.epochs));
    let (run_id, dataset_href) = (row.id, format!("/p/{}/datasets/{}", project.key, row.dataset));
    let metrics = detail.metrics.clone().map(serde_json::from_value::<Metrics>);
    let files = match &metrics {
        Some(Ok(metrics)) => metrics.files.clone(),
        _ => Vec::new(),
    };
    let results = match metrics {
        Some(Ok(metrics)) => {
            Some(view! { <Results metrics project=project.clone() run_id/> }.into_any())
        }
        Some(Err(error)) => Some(view! {
            <Alert tone=Tone::Warning>{t!("The results cannot be read ({error}); metrics.json below has them.", error = error)}</Alert>
        }.into_any()),
        None => None,
    };
    let done = row.state == JobState::Done;
    let errors_href = format!("/p/{}/runs/{run_id}/errors", project.key);
    let attributes = project.attributes.clone();
    let (of_cancel, key) = (project.key.clone(), project.key.clone());
    view! {
        <PageHeader title=row.name.clone()>
            <JobBadge state=state/>
            {done.then(|| view! { <a class="button" href=errors_href>{t!("Look at its errors")}</a> })}
            {lead.then(|| view! { <Cancel key=of_cancel run_id state job/> })}
        </PageHeader>
        <p class="quiet">
            {text::arranged(t!("On {dataset}, started {time} by {person}"), [
                ("dataset", view! { <a href=dataset_href>{row.dataset.clone()}</a> }.into_any()),
                ("time", view! { <Ago at=row.created_at/> }.into_any()),
                ("person", row.created_by.clone().into_any()),
            ])}
        </p>
        {move || job.get().filter(|job| job.state != JobState::Done).map(|current| {
            // Made once a state; within it the numbers change in place.
            let signal = Signal::derive(move || job.get().unwrap_or_else(|| current.clone()));
            view! { <JobProgress job=signal/> }
        })}
        {results}
        <Curves curves epochs project state/>
        <details class="run-configuration" open=!done>
            <summary>{t!("Configuration")}</summary>
            <pre tabindex="0">{configuration(&detail.config)}</pre>
        </details>
        {done.then(|| view! { <Files key run_id files attributes=attributes.clone()/> })}
    }
}

/// What was given, or that nothing was.
fn configuration(config: &str) -> String {
    if config.trim().is_empty() { "# all defaults".to_owned() } else { config.to_owned() }
}

/// Follows the run's job by server-sent events until it ends.
fn follow(job: RwSignal<Option<Job>>, curves: RwSignal<Vec<CurvePoint>>, finished: Callback<()>) {
    Effect::new(move |_| {
        let Some(id) = job.with_untracked(|job| job.as_ref().filter(|job| !job.state.is_final()).map(|job| job.id))
        else {
            return;
        };
        follow_job(id, &["job", "curves"], move |event, data| match event {
            "job" => {
                let Ok(now) = serde_json::from_str::<Job>(&data) else { return };
                let ended = now.state.is_final();
                job.try_set(Some(now));
                if ended {
                    finished.try_run(());
                }
            }
            _ => {
                let Ok(points) = serde_json::from_str::<Vec<CurvePoint>>(&data) else { return };
                curves.try_update(|curves| series::merge(curves, points));
            }
        });
    });
}

#[component]
fn Cancel(
    /// The project's key.
    key: String,
    /// The run.
    run_id: i64,
    /// Where it stands.
    state: Memo<JobState>,
    /// Its job.
    job: RwSignal<Option<Job>>,
) -> impl IntoView {
    let toasts = use_toasts();
    let key = StoredValue::new(key);
    let asked = Signal::derive(move || job.with(|job| job.as_ref().is_some_and(|job| job.cancel_requested)));
    let cancel = move |_| {
        spawn_local(async move {
            match cancel_run(key.get_value(), run_id).await {
                Ok(()) => {
                    job.try_update(|job| {
                        if let Some(job) = job {
                            job.cancel_requested = true;
                        }
                    });
                    toasts.good(t!("It stops at the next step."));
                }
                Err(error) => toasts.bad(error.to_string()),
            }
        });
    };
    move || {
        (!state.get().is_final()).then(|| {
            view! {
                <Button disabled=asked on:click=cancel>
                    {move || if asked.get() { t!("Stopping…") } else { t!("Cancel the run") }}
                </Button>
            }
        })
    }
}

#[component]
fn Curves(
    /// Points so far.
    curves: RwSignal<Vec<CurvePoint>>,
    /// Epochs that the run will have.
    epochs: Option<f64>,
    /// The project, for the heads' names.
    project: Project,
    /// Where the run stands.
    state: Memo<JobState>,
) -> impl IntoView {
    let attributes = StoredValue::new(project.attributes);
    let lines = move |measure: Measure| {
        Memo::new(move |_| {
            curves.with(|points| {
                series::lines(points, measure, |key| {
                    attributes.with_value(|attributes| text::attribute_name_of(attributes, key, text::language()))
                })
            })
        })
    };
    let (loss, accuracy) = (lines(Measure::Loss), lines(Measure::Accuracy));
    let any = Memo::new(move |_| curves.with(|points| !series::heads(points).is_empty()));
    move || {
        (any.get() || state.get() == JobState::Running).then(|| {
            view! {
                <section class="stack-s">
                    <h2>{t!("Curves")}</h2>
                    <div class="charts">
                        <Chart title=t!("Loss") unit=t!("loss") lines=loss epochs=Signal::stored(epochs)/>
                        <Chart title=t!("Accuracy") unit=t!("share") percent=true lines=accuracy epochs=Signal::stored(epochs)/>
                    </div>
                </section>
            }
        })
    }
}
