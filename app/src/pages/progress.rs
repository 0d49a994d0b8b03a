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
        <PageHeader title=t!("Progress")/>
        {loaded_both(project.resource, report, move |project, report| view! {
            <div class="columns columns-even">
                <Left report=report.clone()/>
                <section class="card">
                    <h2>{t!("Photos a day")}</h2>
                    <p class="quiet">{t!("Photos that annotators finished, in the last 30 days.")}</p>
                    <DayBars days=report.days.clone() label=t!("Photos a day")/>
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
        None if report.votes_left == 0 => t!("done").to_owned(),
        None => "—".to_owned(),
    };
    let median = report.median_ms.map_or_else(|| t!("no time yet").to_owned(), text::duration);
    let parts = vec![
        Part { label: t!("votes in").into(), count: report.votes_done, class: "part-1" },
        Part { label: t!("votes left").into(), count: report.votes_left, class: "part-rest" },
    ];
    view! {
        <section class="card">
            <h2>{t!("What is left")}</h2>
            <StackedBar parts label=t!("Votes that are in and that are left")/>
            <dl class="figures">
                {figure(t!("Photos finished"), t!("{done} of {total}", done = text::number(report.photos_done), total = text::number(report.photos)))}
                {figure(t!("Votes left"), text::number(report.votes_left))}
                {figure(t!("Time left"), left)}
            </dl>
            <p class="quiet">{t!(
                "Time left = median time a photo in the last 24 hours ({median}) × votes left ({votes}) / annotators active in the last 24 hours ({active}), if all of them work on without a pause. A vote is one annotator's answers to one photo.",
                median = median,
                votes = text::number(report.votes_left),
                active = report.active,
            )}</p>
            {report.counted_at.map(|at| view! { <p class="quiet">{text::arranged(t!("Counted {time}"), [("time", view! { <Ago at/> }.into_any())])}</p> })}
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
                Part { label: t!("a value").into(), count: attribute.values, class: "part-1" },
                Part { label: t!("not visible").into(), count: attribute.not_visible, class: "part-3" },
                Part { label: t!("unsure").into(), count: attribute.unsure, class: "part-2" },
            ];
            view! {
                <section class="card">
                    <h3>{name.clone()}</h3>
                    <StackedBar parts label=t!("Votes on {name}", name = name)/>
                </section>
            }
        })
        .collect_view();
    view! { <section class="stack-s"><h2>{t!("Votes by attribute")}</h2><div class="progress-attributes">{cards}</div></section> }
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
                    <span class="numeric">{t!("{done} of {total}", done = text::number(value.photos_done), total = text::number(value.photos))}</span>
                </li>
            }
        })
        .collect_view();
    Either::Right(view! {
        <section class="stack-s">
            <h2>{t!("Photos finished by {name}", name = name)}</h2>
            {(all > LISTED).then(|| view! { <p class="quiet">{t!("The {listed} of {all} with most votes left.", listed = LISTED, all = all)}</p> })}
            <ul class="given-bars progress-values">{rows}</ul>
        </section>
    })
}
