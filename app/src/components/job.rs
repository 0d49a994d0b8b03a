//! Jobs whose progress comes by server-sent events.

use kenami_domain::view::job::{Job, JobState};
use leptos::{either::Either, prelude::*, task::spawn_local};

use super::{
    alert::Tone,
    button::{Button, Weight},
    progress::ProgressBar,
    toast::use_toasts,
};
use crate::{api::jobs::cancel_job, text};

/// Follows job `id` by server-sent events (`/events/jobs/{id}`) until it ends or the component goes: `on_event` is
/// called with the event's name (`job`, or others the job's kind sends) and its JSON. The browser reconnects by itself.
/// Does nothing on the server; call it from an effect or an event handler.
pub fn follow_job(id: i64, names: &'static [&'static str], on_event: impl Fn(&str, String) + Clone + 'static) {
    use leptos::wasm_bindgen::{JsCast, closure::Closure};

    let Ok(source) = web_sys::EventSource::new(&format!("/events/jobs/{id}")) else { return };
    for &name in names {
        let (source_of_event, on_event) = (source.clone(), on_event.clone());
        let listener = Closure::<dyn FnMut(web_sys::MessageEvent)>::new(move |event: web_sys::MessageEvent| {
            let data = event.data().as_string().unwrap_or_default();
            // Closed here, or the browser would reconnect for ever to a stream that has ended.
            let ended = name == "job" && serde_json::from_str::<Job>(&data).is_ok_and(|job| job.state.is_final());
            on_event(name, data);
            if ended {
                source_of_event.close();
            }
        });
        let _ = source.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref());
        // Lives as long as the source; a page has a handful.
        listener.forget();
    }
    let source = send_wrapper::SendWrapper::new(source);
    on_cleanup(move || source.close());
}

/// A job's bar, message and button to stop it.
#[component]
pub fn JobProgress(
    /// The job.
    #[prop(into)]
    job: Signal<Job>,
    /// Offers to stop it.
    #[prop(optional)]
    can_cancel: bool,
) -> impl IntoView {
    let toasts = use_toasts();
    let cancel = move |_| {
        let id = job.with_untracked(|job| job.id);
        spawn_local(async move {
            match cancel_job(id).await {
                Ok(()) => toasts.good(t!("It stops at the next step.")),
                Err(error) => toasts.bad(error.to_string()),
            }
        });
    };
    let running = Memo::new(move |_| job.with(|job| !job.state.is_final()));
    let asked = Signal::derive(move || job.with(|job| job.cancel_requested));
    view! {
        <div class="job">
            <div class="job-line">
                <JobBadge state=Signal::derive(move || job.with(|job| job.state))/>
                <span class="job-message">{move || job.with(|job| text::translate_sentence(&job.message).into_owned())}</span>
                <span class="numeric quiet">
                    {move || job.with(|job| (job.progress_total > 0).then(|| {
                        t!("{done} of {total}", done = text::number(job.progress_done), total = text::number(job.progress_total))
                    }))}
                </span>
                {move || if can_cancel && running.get() {
                    Either::Left(view! { <Button weight=Weight::Quiet disabled=asked on:click=cancel>{t!("Stop")}</Button> })
                } else {
                    Either::Right(())
                }}
            </div>
            {move || running.get().then(|| view! {
                <ProgressBar
                    done=Signal::derive(move || job.with(|job| job.progress_done))
                    total=Signal::derive(move || job.with(|job| job.progress_total))
                    label=text::job_kind_name(job.with_untracked(|job| job.kind))
                />
            })}
            {move || job.with(|job| job.error.clone()).map(|error| view! { <p class="field-error">{text::translate_sentence(&error).into_owned()}</p> })}
        </div>
    }
}

/// Where a job stands, as a coloured word.
#[component]
pub fn JobBadge(
    /// Where it stands.
    #[prop(into)]
    state: Signal<JobState>,
) -> impl IntoView {
    let class = move || {
        let tone = match state.get() {
            JobState::Queued | JobState::Running => Tone::Note,
            JobState::Done => Tone::Good,
            JobState::Failed => Tone::Bad,
            JobState::Cancelled => Tone::Warning,
        };
        format!("badge badge-{}", tone.class())
    };
    view! { <span class=class>{move || text::job_state_name(state.get())}</span> }
}
