//! Progress, for leads: what is done, what is left and for how long, by attribute and breed, day by day.

use kenami_domain::view::{
    project::Project,
    report::{AttributeProgress, ProgressReport, ValueProgress},
};
use leptos::{either::Either, prelude::*};

use super::project::use_project;
use crate::{
    api::reports::read_report,
    components::{
        loaded::loaded_both,
        page::PageHeader,
        picture::DayBars,
        progress::{Part, ProgressBar, StackedBar},
        time::Ago,
    },
    text,
};

/// Values of the given attribute that are listed: those with most left.
const LISTED: usize = 60;

/// The page.
#[component]
pub fn ProgressPage() -> impl IntoView {
    let project = use_project();
    let report = Resource::new(move || project.key.get(), read_report);
    view! {
        <PageHeader title="Progress"/>
        {loaded_both(project.resource, report, move |project, report| view! {
            <div class="columns columns-even">
                <Left report=report.clone()/>
                <section class="card">
                    <h2>"Photos a day"</h2>
                    <p class="quiet">"Photos that annotators finished, in the last 30 days."</p>
                    <DayBars days=report.days.clone() label="Photos a day"/>
                </section>
            </div>
            <Attributes project=project.clone() attributes=report.attributes.clone()/>
            <Values project report/>
        })}
    }
}

#[component]
fn Left(
    /// How far it is.
    report: ProgressReport,
) -> impl IntoView {
    let figure = |name: &'static str, value: String| {
        view! { <div class="figure"><dt>{name}</dt><dd>{value}</dd></div> }
    };
    let left = match report.left_ms() {
        Some(ms) => text::duration(ms),
        None if report.votes_left == 0 => "done".to_owned(),
        None => "—".to_owned(),
    };
    let median = report.median_ms.map_or_else(|| "no time yet".to_owned(), text::duration);
    let parts = vec![
        Part { label: "votes in".into(), count: report.votes_done, class: "part-1" },
        Part { label: "votes left".into(), count: report.votes_left, class: "part-rest" },
    ];
    view! {
        <section class="card">
            <h2>"What is left"</h2>
            <StackedBar parts label="Votes that are in and that are left"/>
            <dl class="figures">
                {figure("Photos finished", format!("{} of {}", text::number(report.photos_done), text::number(report.photos)))}
                {figure("Votes left", text::number(report.votes_left))}
                {figure("Time left", left)}
            </dl>
            <p class="quiet">{format!(
                "Time left = median time a photo in the last 24 hours ({median}) × votes left ({}) / annotators active in the last 24 hours ({}), if all of them work on without a pause. A vote is one annotator's answers to one photo.",
                text::number(report.votes_left),
                report.active,
            )}</p>
            {report.counted_at.map(|at| view! { <p class="quiet">"Counted "<Ago at/></p> })}
        </section>
    }
}

#[component]
fn Attributes(
    /// The project.
    project: Project,
    /// Votes per attribute.
    attributes: Vec<AttributeProgress>,
) -> impl IntoView {
    let language = text::language();
    let cards = attributes
        .into_iter()
        .map(|attribute| {
            let name = text::attribute_name_of(&project.attributes, &attribute.attribute, language);
            let parts = vec![
                Part { label: "a value".into(), count: attribute.values, class: "part-1" },
                Part { label: "not visible".into(), count: attribute.not_visible, class: "part-3" },
                Part { label: "unsure".into(), count: attribute.unsure, class: "part-2" },
            ];
            view! {
                <section class="card">
                    <h3>{name.clone()}</h3>
                    <StackedBar parts label=format!("Votes on {name}")/>
                </section>
            }
        })
        .collect_view();
    view! { <section class="stack-s"><h2>"Votes by attribute"</h2><div class="progress-attributes">{cards}</div></section> }
}

#[component]
fn Values(
    /// The project.
    project: Project,
    /// How far it is.
    report: ProgressReport,
) -> impl IntoView {
    let language = text::language();
    let Some(key) = report.given else { return Either::Left(()) };
    let attribute = project.attributes.iter().find(|attribute| attribute.key == key);
    let name = text::attribute_name_of(&project.attributes, &key, language);
    let all = report.values.len();
    let mut values: Vec<ValueProgress> = report.values;
    if all > LISTED {
        values.sort_by_key(|value| std::cmp::Reverse(value.votes_left));
        values.truncate(LISTED);
    }
    let rows = values
        .into_iter()
        .map(|value| {
            let name = attribute.map_or_else(|| value.value.clone(), |a| text::value_name(a, &value.value, language));
            view! {
                <li>
                    <span class="given-name" title=name.clone()>{name.clone()}</span>
                    <ProgressBar done=value.photos_done total=value.photos label=name/>
                    <span class="numeric">{format!("{} of {}", text::number(value.photos_done), text::number(value.photos))}</span>
                </li>
            }
        })
        .collect_view();
    Either::Right(view! {
        <section class="stack-s">
            <h2>{format!("Photos finished by {name}")}</h2>
            {(all > LISTED).then(|| view! { <p class="quiet">{format!("The {LISTED} of {all} with most votes left.")}</p> })}
            <ul class="given-bars progress-values">{rows}</ul>
        </section>
    })
}
