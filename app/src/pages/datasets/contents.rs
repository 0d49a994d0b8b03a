//! What a dataset holds: splits, answers per attribute, warnings.

use kenami_domain::{
    dataset::{Schema, Split},
    schema::{Attribute, AttributeKind},
    view::dataset::{AttributeSummary, DatasetSummary},
};
use leptos::prelude::*;

use crate::{
    components::{
        alert::{Alert, Tone},
        progress::{Part, StackedBar},
    },
    text,
};

/// Splits, warnings, and a card per annotated attribute.
#[component]
pub fn Contents(
    /// The schema at freezing.
    schema: Schema,
    /// The counts.
    summary: DatasetSummary,
    /// Photos in all.
    photos: i64,
) -> impl IntoView {
    let parts = Split::ALL
        .into_iter()
        .zip(["part-1", "part-2", "part-3"])
        .map(|(split, class)| Part {
            label: text::split_name(split).to_owned(),
            count: summary.splits.get(&split).copied().unwrap_or(0),
            class,
        })
        .collect();
    let warnings = (!summary.warnings.is_empty()).then(|| {
        let lines = summary.warnings.iter().map(|warning| view! { <li>{text::translate_sentence(warning).into_owned()}</li> }).collect_view();
        view! {
            <Alert tone=Tone::Warning>
                <details open=summary.warnings.len() <= 3>
                    <summary>{n!(summary.warnings.len() as i64, "{count} thing to know", "{count} things to know")}</summary>
                    <ul class="warnings">{lines}</ul>
                </details>
            </Alert>
        }
    });
    let cards = schema
        .attributes
        .iter()
        .filter(|attribute| attribute.kind == AttributeKind::Annotated)
        .map(|attribute| {
            let counts = summary.attributes.get(&attribute.key).cloned().unwrap_or_default();
            view! { <AttributeCard attribute=attribute.clone() counts photos/> }
        })
        .collect_view();
    view! {
        <section class="stack-s">
            <h2>{t!("Splits")}</h2>
            <StackedBar parts label=t!("Photos per split")/>
        </section>
        {warnings}
        <section class="stack-s">
            <h2>{t!("Answers")}</h2>
            <div class="grid-cards">{cards}</div>
        </section>
    }
}

#[component]
fn AttributeCard(
    /// The attribute.
    attribute: Attribute,
    /// Its counts.
    counts: AttributeSummary,
    /// Photos in all.
    photos: i64,
) -> impl IntoView {
    let language = text::language();
    let parts = [
        (t!("to train on"), counts.usable, "part-1"),
        (t!("tied"), counts.tied, "part-2"),
        (t!("not visible"), counts.not_visible, "part-3"),
        (t!("unsure"), counts.unsure, "part-4"),
        (t!("unlabelled"), counts.unlabelled, "part-rest"),
    ]
    .map(|(label, count, class)| Part { label: label.to_owned(), count, class })
    .into();
    let most = counts.values.values().copied().max().unwrap_or(0).max(1);
    // In the attribute's order; a value that nobody chose shows as 0.
    let bars = attribute
        .values
        .iter()
        .map(|value| (value, counts.values.get(&value.key).copied().unwrap_or(0)))
        .filter(|(value, count)| *count > 0 || !value.retired)
        .map(|(value, count)| {
            view! {
                <tr>
                    <th scope="row">{value.names.or_key(language, &value.key).to_owned()}</th>
                    <td class="bar-cell">
                        <svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                            <rect class="part-1" width=format!("{:.2}", count as f64 / most as f64 * 100.0) height="8"></rect>
                        </svg>
                    </td>
                    <td class="numeric">{text::number(count)}</td>
                </tr>
            }
        })
        .collect_view();
    let name = text::attribute_name(&attribute, language);
    view! {
        <article class="card">
            <h3>{name.clone()}</h3>
            <StackedBar parts label=n!(photos, "{name}: what becomes of {count} photo", "{name}: what becomes of {count} photos", name = name)/>
            <p class="quiet">{n!(counts.adjudicated, "{count} photo was decided by a reviewer", "{count} photos were decided by a reviewer")}</p>
            <table class="bars">
                <caption class="visually-hidden">{t!("{name}: photos per value", name = name)}</caption>
                <tbody>{bars}</tbody>
            </table>
        </article>
    }
}
