//! What a finished run measured.

use std::collections::BTreeMap;

use kenami_domain::{
    dataset::Split,
    metrics::{CalibratedMetrics, Metrics, PseudoLabels, SplitMetrics, StopReason},
    schema::Attribute,
    view::project::Project,
};
use leptos::prelude::*;

use super::{
    confusion::Matrix,
    mistakes::{Cell, MistakesDialog},
};
use crate::{
    components::{
        alert::{Alert, Tone},
        page::Table,
    },
    text,
};

/// Accuracy and macro-F1 of all heads, and one head's confusions at a time.
#[component]
pub fn Results(
    /// The results.
    metrics: Metrics,
    /// The project.
    project: Project,
    /// The run.
    run_id: i64,
) -> impl IntoView {
    let language = text::language();
    let name = |head: &str| text::attribute_name_of(&project.attributes, head, language);
    let figures = |metrics: Option<&SplitMetrics>| {
        metrics.map(|m| {
            let calibrated = |of: fn(&CalibratedMetrics) -> f64, show: fn(f64) -> String| {
                m.calibrated.as_ref().map(|after| format!(" → {}", show(of(after))))
            };
            let (nats, share) = (|nll: f64| format!("{nll:.3}"), |ece: f64| text::percent(ece, 1));
            view! {
                <td class="numeric">{text::number(m.n as i64)}</td>
                <td class="numeric"><b>{text::percent(m.accuracy, 1)}</b></td>
                <td class="numeric">{text::percent(m.mean_per_class_accuracy, 1)}</td>
                <td class="numeric">{text::percent(m.macro_f1, 1)}</td>
                <td class="numeric">{nats(m.nll)}{calibrated(|after| after.nll, nats)}</td>
                <td class="numeric">{share(m.ece)}{calibrated(|after| after.ece, share)}</td>
            }
        })
    };
    let rows = metrics
        .heads
        .iter()
        .flat_map(|(head, splits)| {
            let own = ["validation", "test"].into_iter().map(|split| (text::split_name_of(split), splits.get(split)));
            let shown: Vec<_> = own
                .chain([(t!("out of sample"), metrics.out_of_sample.get(head))])
                .filter(|(_, figures)| figures.is_some())
                .collect();
            let span = shown.len().to_string();
            let head_name = name(head);
            shown
                .into_iter()
                .enumerate()
                .map(|(index, (split, of_split))| {
                    let heading = (index == 0)
                        .then(|| view! { <th scope="rowgroup" rowspan=span.clone()>{head_name.clone()}</th> });
                    view! { <tr>{heading}<td>{split}</td>{figures(of_split)}</tr> }
                })
                .collect::<Vec<_>>()
        })
        .collect_view();
    let warnings = metrics
        .warnings
        .clone()
        .into_iter()
        .map(|warning| view! { <Alert tone=Tone::Warning>{text::translate_sentence(&warning).into_owned()}</Alert> })
        .collect_view();
    let speed = speed(&metrics);
    let ended = ended(&metrics);
    let pseudo = metrics.pseudo.map(|pseudo| {
        view! { <SecondRound pseudo heads=metrics.heads.clone() attributes=project.attributes.clone()/> }
    });
    view! {
        <section class="stack-s">
            <h2>{t!("Results")}</h2>
            <Table caption=t!("Results per head and split")>
                <thead>
                    <tr>
                        <th scope="col">{t!("Head")}</th>
                        <th scope="col">{t!("Split")}</th>
                        <th scope="col" class="numeric">{t!("Photos")}</th>
                        <th scope="col" class="numeric">{t!("Accuracy")}</th>
                        <th scope="col" class="numeric" title=t!("Mean over the values of the share found")>{t!("Per class")}</th>
                        <th scope="col" class="numeric" title=t!("Mean F1 over the values")>{t!("Macro-F1")}</th>
                        <th scope="col" class="numeric" title=t!("Mean negative log-likelihood of the answer, in nats; after the arrow with temperature scaling")>{t!("NLL")}</th>
                        <th scope="col" class="numeric" title=t!("Expected calibration error, 15 bins; after the arrow with temperature scaling")>{t!("ECE")}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </Table>
            {ended.map(|ended| view! { <p>{ended}</p> })}
            <p class="quiet">{speed}</p>
            {warnings}
        </section>
        {pseudo}
        <Confusions heads=metrics.heads project run_id/>
    }
}

/// How long it took, and how long one photo takes.
fn speed(metrics: &Metrics) -> String {
    let duration = text::duration(metrics.seconds * 1000.0);
    // Of features that lay ready the speed says nothing.
    let whole = if metrics.features_computed == 0 && metrics.features_cached > 0 {
        t!("{duration}, with features from the cache", duration = duration)
    } else {
        let speed = text::number(metrics.images_per_second.round() as i64);
        t!("{duration} at {speed} photos a second", duration = duration, speed = speed)
    };
    match metrics.timing {
        Some(timing) => t!(
            "{whole}; the network takes {duration} for one photo alone",
            whole = whole,
            duration = text::duration(timing.median_ms.max(1.0))
        ),
        None => whole,
    }
}

/// What a second round learnt from, and what that changed on test.
#[component]
fn SecondRound(
    /// What it learnt from.
    pseudo: PseudoLabels,
    /// Results per head and split.
    heads: BTreeMap<String, BTreeMap<String, SplitMetrics>>,
    /// The project's attributes.
    attributes: Vec<Attribute>,
) -> impl IntoView {
    let learnt = n!(
        pseudo.photos as i64,
        "After a first round a second one learnt also what the model was sure of (from {sure}): answers for {taken} of {count} photo that lacked some.",
        "After a first round a second one learnt also what the model was sure of (from {sure}): answers for {taken} of {count} photos that lacked some.",
        sure = text::percent(pseudo.threshold, 0),
        taken = text::number(pseudo.taken as i64)
    );
    let of_head = |head: &str| {
        let after = heads.get(head).and_then(|splits| splits.get(Split::Test.as_str())).map(|after| after.accuracy);
        let share = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), |share| text::percent(share, 1));
        view! {
            <tr>
                <th scope="row">{text::attribute_name_of(&attributes, head, text::language())}</th>
                <td class="numeric">{text::number(pseudo.answers.get(head).copied().unwrap_or(0) as i64)}</td>
                <td class="numeric">{share(pseudo.before.get(head).copied())}</td>
                <td class="numeric">{share(after)}</td>
            </tr>
        }
    };
    let rows = pseudo.attributes().into_iter().map(of_head).collect_view();
    view! {
        <section class="stack-s">
            <h2>{t!("Pseudo-labels")}</h2>
            <p class="measure">{learnt}</p>
            <Table caption=t!("The model's own answers that were learnt, and accuracy on test before and after")>
                <thead>
                    <tr>
                        <th scope="col">{t!("Head")}</th>
                        <th scope="col" class="numeric">{t!("Answers learnt")}</th>
                        <th scope="col" class="numeric">{t!("Test before")}</th>
                        <th scope="col" class="numeric">{t!("Test after")}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </Table>
        </section>
    }
}

/// Why the run ended early and which weights it kept, where that is not as usual.
fn ended(metrics: &Metrics) -> Option<String> {
    // As the curves count them: a second round's epochs follow those of the first.
    let earlier = metrics.pseudo.as_ref().map_or(0, |pseudo| pseudo.epochs);
    let last = earlier + metrics.epochs;
    let stopped = metrics.stopped.map(|reason| match reason {
        StopReason::Patience => t!("Stopped after epoch {epoch}: validation made no progress.", epoch = last),
        StopReason::Minutes => t!("Stopped in epoch {epoch}: its minutes were spent.", epoch = last),
    });
    let kept = metrics
        .best_epoch
        .map(|epoch| t!("The weights are those of epoch {epoch}, the best on validation.", epoch = earlier + epoch));
    let parts: Vec<String> = stopped.into_iter().chain(kept).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

#[component]
fn Confusions(
    /// Results per head and split.
    heads: BTreeMap<String, BTreeMap<String, SplitMetrics>>,
    /// The project.
    project: Project,
    /// The run.
    run_id: i64,
) -> impl IntoView {
    // Annotated attributes first: they have few values and are what the project is about.
    let mut order: Vec<String> = heads.keys().cloned().collect();
    order.sort_by_key(|head| heads[head].values().map(|m| m.confusion.labels.len()).max().unwrap_or(0));
    let head = RwSignal::new(order.first().cloned().unwrap_or_default());
    let split = RwSignal::new(Split::Test);
    let cell = RwSignal::new(None::<Cell>);
    let language = text::language();
    let head_buttons = order
        .into_iter()
        .map(|key| {
            let name = text::attribute_name_of(&project.attributes, &key, language);
            let mine = key.clone();
            let chosen = Memo::new(move |_| head.with(|head| *head == mine));
            view! {
                <button type="button" class="button" aria-pressed=move || chosen.get().to_string() on:click=move |_| head.set(key.clone())>
                    {name}
                </button>
            }
        })
        .collect_view();
    let split_buttons = [Split::Validation, Split::Test]
        .map(|one| {
            view! {
                <button
                    type="button"
                    class="button"
                    aria-pressed=move || (split.get() == one).to_string()
                    on:click=move |_| split.set(one)
                >
                    {text::split_name(one)}
                </button>
            }
        })
        .collect_view();
    let (heads, attributes) = (StoredValue::new(heads), StoredValue::new(project.attributes.clone()));
    let shown = Memo::new(move |_| {
        heads.with_value(|heads| head.with(|head| heads.get(head)?.get(split.get().as_str()).cloned()))
    });
    let pick = Callback::new(move |(answer, predicted): (String, String)| {
        cell.set(Some(Cell { head: head.get_untracked(), answer, predicted, split: split.get_untracked() }));
    });
    view! {
        <section class="stack-s">
            <h2>{t!("Confusions")}</h2>
            <div class="row row-apart">
                <div class="row" role="group" aria-label=t!("Head")>{head_buttons}</div>
                <div class="row" role="group" aria-label=t!("Split")>{split_buttons}</div>
            </div>
            {move || match shown.get() {
                None => view! { <p class="quiet">{t!("No photo of this split has an answer.")}</p> }.into_any(),
                Some(metrics) => {
                    let attribute = attributes
                        .with_value(|attributes| attributes.iter().find(|a| head.with(|head| a.key == *head)).cloned());
                    view! { <Matrix metrics attribute pick/> }.into_any()
                }
            }}
        </section>
        <MistakesDialog cell key=project.key run_id attributes=project.attributes/>
    }
}
