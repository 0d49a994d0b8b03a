//! Why photos are looked at: the queues, and when suspects were last looked for.

use kenami_domain::view::review::{QueueCause, Suspects};
use leptos::prelude::*;

use super::filter::Filter;
use crate::{
    api::review::FindSuspects,
    components::{alert::ErrorAlert, button::Button, time::Ago},
    text,
};

/// A queue's name.
fn name(cause: QueueCause) -> &'static str {
    match cause {
        QueueCause::Differ => t!("Answers differ"),
        QueueCause::Uncertain => t!("Consensus uncertain"),
        QueueCause::Model => t!("Model contradicts"),
        QueueCause::Unsure => t!("Unsure answers"),
        QueueCause::Gold => t!("Gold missed"),
    }
}

/// What a queue holds, in a sentence.
fn meaning(cause: QueueCause) -> &'static str {
    match cause {
        QueueCause::Differ => t!("Photos whose annotators gave different answers."),
        QueueCause::Uncertain => {
            t!(
                "Photos whose votes, weighed by how reliable each annotator is, leave the answer open. The most open first."
            )
        }
        QueueCause::Model => {
            t!("Labels that a model which has not seen the photo contradicts with confidence. The surest first.")
        }
        QueueCause::Unsure => t!("Photos that an annotator was unsure about; their notes stand beside the votes."),
        QueueCause::Gold => {
            t!(
                "Gold photos that an annotator answered otherwise since they were decided: the annotator is wrong, the rule is unclear, or the gold is."
            )
        }
    }
}

/// The queues as tabs, and what the chosen one holds.
#[component]
pub fn Queues(
    /// The filter in use.
    filter: Memo<Filter>,
    /// The suspects as they were last found.
    suspects: Option<Suspects>,
    /// Looks for suspects.
    find: ServerAction<FindSuspects>,
    /// The project's key.
    key: Memo<String>,
) -> impl IntoView {
    let counted = suspects.clone();
    let tabs = QueueCause::ALL
        .into_iter()
        .map(|cause| {
            let chosen = Memo::new(move |_| filter.with(|filter| filter.cause == cause));
            let href = move || {
                let (attribute, decided) = filter.with(|filter| (filter.attribute.clone(), filter.decided));
                Filter { cause, attribute, decided, ..Filter::default() }.href()
            };
            let count = counted.as_ref().and_then(|suspects| match cause {
                QueueCause::Uncertain => Some(suspects.uncertain),
                QueueCause::Model => Some(suspects.model),
                QueueCause::Differ | QueueCause::Unsure | QueueCause::Gold => None,
            });
            view! {
                <li>
                    <a class="tab" href=href aria-current=move || chosen.get().then_some("page")>
                        {name(cause)}
                        {count.map(|count| view! { " "<span class="numeric quiet">{text::number(count)}</span> })}
                    </a>
                </li>
            }
        })
        .collect_view();
    let computed =
        Memo::new(move |_| filter.with(|filter| matches!(filter.cause, QueueCause::Uncertain | QueueCause::Model)));
    view! {
        <nav aria-label=t!("Queues")><ul class="tabs">{tabs}</ul></nav>
        <p class="quiet">{move || filter.with(|filter| meaning(filter.cause))}</p>
        {move || computed.get().then(|| view! { <Found suspects=suspects.clone() find key/> })}
    }
}

/// When suspects were found, and the button that looks again.
#[component]
fn Found(
    /// The suspects as they were last found.
    suspects: Option<Suspects>,
    /// Looks for suspects.
    find: ServerAction<FindSuspects>,
    /// The project's key.
    key: Memo<String>,
) -> impl IntoView {
    let error = Signal::derive(move || find.value().get().and_then(Result::err));
    let stale = suspects.as_ref().is_none_or(|suspects| suspects.stale);
    let said = match suspects {
        None => view! { <span>{t!("Nobody has looked yet.")}</span> }.into_any(),
        Some(Suspects { run, computed_at, .. }) => {
            let from = match run {
                Some(run) => t!("From all votes and run {run}", run = run),
                None => t!("From all votes; no run has predictions of photos that it has not seen").to_owned(),
            };
            view! { <span>{from}", "<Ago at=computed_at/>". "{stale.then(|| t!("There are newer labels or runs."))}</span> }
                .into_any()
        }
    };
    view! {
        <ErrorAlert error/>
        <div class="row queue-found">
            {said}
            <Button
                busy=find.pending()
                on:click=move |_| { find.dispatch(FindSuspects { key: key.get_untracked() }); }
            >
                {if stale { t!("Look now") } else { t!("Look again") }}
            </Button>
        </div>
    }
}
