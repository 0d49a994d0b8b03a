//! A confusion matrix, and the pairs that are confused most.

use kenami_domain::{
    metrics::{ConfusedPair, SplitMetrics},
    schema::Attribute,
};
use leptos::prelude::*;

use crate::{components::picture::cell_class, text};

/// Confused pairs that are listed.
const PAIRS: usize = 8;

/// Answers down, predictions across; a cell leads to its photos. The most confused pairs below.
#[component]
pub fn Matrix(
    /// The head's results on one split.
    metrics: SplitMetrics,
    /// The head's attribute, for the values' names.
    attribute: Option<Attribute>,
    /// Called with answer and prediction of a cell.
    pick: Callback<(String, String)>,
) -> impl IntoView {
    let name = {
        let attribute = attribute.clone();
        move |key: &str| {
            attribute.as_ref().map_or_else(|| key.to_owned(), |a| text::value_name(a, key, text::language()))
        }
    };
    let labels = metrics.confusion.labels.clone();
    let names: Vec<String> = labels.iter().map(|label| name(label)).collect();
    let totals: Vec<u32> = metrics.confusion.counts.iter().map(|row| row.iter().sum()).collect();
    let columns = names.iter().map(|name| view! { <th scope="col"><span>{name.clone()}</span></th> }).collect_view();
    let rows = metrics
        .confusion
        .counts
        .iter()
        .enumerate()
        .map(|(answer, counts)| {
            let cells = counts
                .iter()
                .enumerate()
                .map(|(predicted, &count)| {
                    let right = answer == predicted;
                    let class = cell_class(count.into(), totals[answer].into(), right);
                    let inside = if count > 0 && !right {
                        let pair = (labels[answer].clone(), labels[predicted].clone());
                        let label = n!(i64::from(count), "{count} photo of {answer} taken for {predicted}", "{count} photos of {answer} taken for {predicted}", answer = names[answer], predicted = names[predicted]);
                        view! {
                            <button type="button" title=label.clone() aria-label=label on:click=move |_| pick.run(pair.clone())>{count}</button>
                        }
                        .into_any()
                    } else {
                        (count > 0).then_some(count).into_any()
                    };
                    view! { <td class=class>{inside}</td> }
                })
                .collect_view();
            view! { <tr><th scope="row">{names[answer].clone()}</th>{cells}</tr> }
        })
        .collect_view();
    let many = labels.len() > 12;
    view! {
        <p class="quiet">{t!("Rows: what the photos are. Columns: what the model says. Choose a number to see its photos.")}</p>
        <div class="table-frame confusion-frame" role="region" aria-label=t!("Confusion matrix") tabindex="0">
            <table class="confusion" class:confusion-many=many>
                <caption class="visually-hidden">{t!("Confusion matrix: photos per answer (rows) and prediction (columns)")}</caption>
                <thead><tr><td></td>{columns}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        <Pairs pairs=metrics.most_confused attribute pick/>
    }
}

/// The most confused pairs.
#[component]
fn Pairs(
    /// Most frequent first.
    pairs: Vec<ConfusedPair>,
    /// The head's attribute.
    attribute: Option<Attribute>,
    /// Called with answer and prediction.
    pick: Callback<(String, String)>,
) -> impl IntoView {
    let name =
        |key: &str| attribute.as_ref().map_or_else(|| key.to_owned(), |a| text::value_name(a, key, text::language()));
    let rows = pairs
        .iter()
        .take(PAIRS)
        .map(|pair| {
            let both = (pair.answer.clone(), pair.predicted.clone());
            view! {
                <li>
                    <button type="button" class="button" on:click=move |_| pick.run(both.clone())>
                        <b class="numeric">{pair.count}</b>
                        {t!("{answer} taken for {predicted}", answer = name(&pair.answer), predicted = name(&pair.predicted))}
                    </button>
                </li>
            }
        })
        .collect_view();
    (!pairs.is_empty()).then(|| {
        view! {
            <h3>{t!("Most confused")}</h3>
            <ul class="confused">{rows}</ul>
        }
    })
}
