//! Settings of the queue: who answers how many photos, and which come first.

use kenami_domain::view::queue::{QueueOrder, Reordered};
use leptos::prelude::*;

use crate::{
    api::projects::Reprioritise,
    components::{
        alert::ErrorAlert,
        button::Button,
        field::{Field, described_by},
        toast::use_toasts,
    },
    pages::project::use_project,
};

/// The share of photos that get all annotators, in percent.
#[component]
pub fn ShareField(
    /// 0 to 1.
    share: f64,
    /// What is wrong with it.
    error: Signal<Option<String>>,
) -> impl IntoView {
    // 0.07 * 100 is not 7 to the last digit.
    let percent = ((share * 1e6).round() / 1e4).to_string();
    view! {
        <Field
            id="overlap-percent" label=t!("On what share of the photos, in percent") error
            hint=t!("The other photos get one annotator. Which photos these are is fixed and even over the project.")
        >
            <input class="input input-short" id="overlap-percent" name="overlap_percent" type="number" min="0" max="100" step="any" required value=percent aria-describedby=described_by("overlap-percent")/>
        </Field>
    }
}

/// How many more annotators a photo gets.
#[component]
pub fn ExtraVotesField(
    /// 0 to 5.
    extra: i16,
    /// What is wrong with it.
    error: Signal<Option<String>>,
) -> impl IntoView {
    view! {
        <Field
            id="extra-votes" label=t!("More annotators where answers differ") error
            hint=t!("One at a time, as long as the answers differ and no reviewer has decided. 0: none.")
        >
            <input class="input input-short" id="extra-votes" name="extra_votes" type="number" min="0" max="5" required value=extra.to_string() aria-describedby=described_by("extra-votes")/>
        </Field>
    }
}

/// What people read for an order.
pub fn order_name(order: QueueOrder) -> &'static str {
    match order {
        QueueOrder::Order => t!("as imported"),
        QueueOrder::Entropy => t!("what the model is least sure of (entropy)"),
        QueueOrder::Margin => t!("where its two best answers are closest (margin)"),
        QueueOrder::Disagreement => t!("where it disagrees with the answers so far"),
        QueueOrder::Balance => t!("breeds in turn, those with least finished first"),
    }
}

/// Which photos come first.
#[component]
pub fn OrderField(
    /// The order chosen at first.
    current: QueueOrder,
) -> impl IntoView {
    let options = QueueOrder::ALL
        .into_iter()
        .map(|order| view! { <option value=order.as_str() selected=order == current>{order_name(order)}</option> })
        .collect_view();
    view! {
        <Field
            id="queue-order" label=t!("Photos that come first")
            hint=t!("The model is the latest finished run; without one photos come as imported. Breeds are the values of the first given attribute.")
        >
            <select class="select" id="queue-order" name="queue_order" aria-describedby=described_by("queue-order")>{options}</select>
        </Field>
    }
}

/// Puts the queue in order anew.
#[component]
pub fn OrderCard() -> impl IntoView {
    let project = use_project();
    let reprioritise = ServerAction::<Reprioritise>::new();
    let toasts = use_toasts();
    Effect::new(move |_| {
        if let Some(Ok(done)) = reprioritise.value().get() {
            toasts.good(told(done));
        }
    });
    let error = Signal::derive(move || reprioritise.value().get().and_then(Result::err));
    view! {
        <section class="card">
            <h2>{t!("Queue")}</h2>
            <p class="quiet">
                {t!("The queue is put in order when the order is changed, after an import and when a run is finished. Do it by \
                 hand to take in what has been answered since.")}
            </p>
            <ErrorAlert error/>
            <p>
                <Button busy=reprioritise.pending() on:click=move |_| {
                    reprioritise.dispatch(Reprioritise { key: project.key.get_untracked() });
                }>{t!("Put in order now")}</Button>
            </p>
        </section>
    }
}

fn told(done: Reordered) -> String {
    match done.changed {
        None => t!("This takes a while. It goes on by itself.").to_owned(),
        Some(0) => t!("The queue is in order.").to_owned(),
        Some(count) => n!(count, "{count} photo has another place.", "{count} photos have another place."),
    }
}
