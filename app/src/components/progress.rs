//! How far something is.

use leptos::prelude::*;

/// A bar; without a total it only says that something goes on.
#[component]
pub fn ProgressBar(
    /// Steps done.
    #[prop(into)]
    done: Signal<i64>,
    /// Steps in all; 0 while unknown.
    #[prop(into)]
    total: Signal<i64>,
    /// What goes on.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    view! {
        <progress
            class="progress"
            aria-label=label
            max=move || (total.get() > 0).then(|| total.get().to_string())
            value=move || (total.get() > 0).then(|| done.get().clamp(0, total.get()).to_string())
        ></progress>
    }
}

/// One part of a [`StackedBar`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it counts.
    pub label: String,
    /// How many.
    pub count: i64,
    /// CSS class of its colour: `part-1` to `part-6`, `part-rest`.
    pub class: &'static str,
}

/// Parts of a whole as one bar with a legend.
#[component]
pub fn StackedBar(
    /// The parts, left to right.
    parts: Vec<Part>,
    /// What the whole is.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    let total = parts.iter().map(|part| part.count.max(0)).sum::<i64>().max(1) as f64;
    let mut x = 0.0;
    let bars = parts
        .iter()
        .map(|part| {
            let width = part.count.max(0) as f64 / total * 100.0;
            let bar = view! { <rect class=part.class x=format!("{x:.3}") y="0" width=format!("{width:.3}") height="10"></rect> };
            x += width;
            bar
        })
        .collect_view();
    let legend = parts
        .iter()
        .map(|part| {
            view! {
                <li>
                    <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class=part.class width="10" height="10"></rect></svg>
                    {part.label.clone()}
                    " "
                    <b>{crate::text::number(part.count)}</b>
                </li>
            }
        })
        .collect_view();
    view! {
        <div class="stacked">
            <svg class="stacked-bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label=label>{bars}</svg>
            <ul class="legend">{legend}</ul>
        </div>
    }
}
