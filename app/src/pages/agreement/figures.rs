//! Coefficients of agreement, whole and in parts.

use std::collections::BTreeMap;

use kenami_domain::{
    agreement::{AgreementReport, AttributeAgreement},
    schema::Attribute,
    view::review::{AgreementBy, UNKNOWN_VERSION},
};
use leptos::{either::Either, prelude::*};

use crate::{components::page::Table, pages::disagreements::reading, text};

/// The columns of coefficients: the name in the report, the head, what it is.
const COLUMNS: [(&str, &str, &str); 5] = [
    ("percent", mark!("Agreement"), mark!("Mean share of agreeing pairs of votes")),
    ("alpha", mark!("Alpha"), mark!("Krippendorff's alpha, nominal; not visible and unsure count as answers")),
    (
        "alpha_not_visible_missing",
        mark!("Alpha, values alone"),
        mark!("Krippendorff's alpha with not visible and unsure left out"),
    ),
    ("fleiss", mark!("Fleiss"), mark!("Fleiss' kappa; needs the same number of votes on every photo")),
    ("ac1", mark!("AC1"), mark!("Gwet's AC1; steady where nearly all answers are the same")),
];

/// A row per attribute, and in words why a figure is undefined.
#[component]
pub fn Figures(
    /// The annotated attributes.
    attributes: Vec<Attribute>,
    /// The report.
    report: AgreementReport,
) -> impl IntoView {
    let language = text::language();
    let found: Vec<_> =
        attributes.iter().filter_map(|attribute| Some((attribute, report.attributes.get(&attribute.key)?))).collect();
    let rows = found
        .iter()
        .map(|(attribute, found)| {
            view! {
                <tr>
                    <th scope="row">{text::attribute_name(attribute, language)}</th>
                    {counts(found)}
                    {coefficients(found)}
                    <td class="quiet nowrap">{found.alpha.map(reading)}</td>
                </tr>
            }
        })
        .collect_view();
    let reasons =
        reasons(found.iter().map(|(attribute, found)| (text::attribute_name(attribute, language), *found)).collect());
    view! {
        <Table caption=t!("Figures by attribute")>
            <thead><tr>
                <th scope="col">{t!("Attribute")}</th>
                {head()}
                <th scope="col"><span class="visually-hidden">{t!("What it means")}</span></th>
            </tr></thead>
            <tbody>{rows}</tbody>
        </Table>
        {reasons}
    }
}

/// A table per attribute, a row per part of its votes.
#[component]
pub fn Groups(
    /// The annotated attributes.
    annotated: Vec<Attribute>,
    /// Those that come with the photo.
    given: Vec<Attribute>,
    /// The report, with one kind of groups.
    parts: AgreementReport,
) -> impl IntoView {
    let language = text::language();
    let Some((by, groups)) = parts.groups.into_iter().next() else { return ().into_any() };
    let of_given = given.iter().find(|attribute| attribute.key == by);
    let name = |group: &str| match (&of_given, by.as_str()) {
        (Some(attribute), _) => text::value_name(attribute, group, language),
        (None, AgreementBy::VERSION) if group == UNKNOWN_VERSION => t!("Unknown (imported)").to_owned(),
        (None, AgreementBy::VERSION) => t!("Version {version}", version = group),
        _ => group.to_owned(),
    };
    let head_name = match (&of_given, by.as_str()) {
        (Some(attribute), _) => text::attribute_name(attribute, language),
        (None, AgreementBy::VERSION) => t!("Guideline version").to_owned(),
        _ => t!("Week").to_owned(),
    };
    let tables = annotated
        .iter()
        .filter_map(|attribute| {
            let sorted = in_order(groups.get(&attribute.key)?, &by);
            let rows = sorted
                .iter()
                .map(|(group, found)| view! { <tr><th scope="row">{name(group)}</th>{counts(found)}{coefficients(found)}</tr> })
                .collect_view();
            let (title, head_name) = (text::attribute_name(attribute, language), head_name.clone());
            let reasons = reasons(sorted.iter().map(|(group, found)| (name(group), *found)).collect());
            Some(view! {
                <div class="stack-s">
                    <h3>{title.clone()}</h3>
                    <Table caption=t!("Figures of {name}", name = title)>
                        <thead><tr><th scope="col">{head_name}</th>{head()}</tr></thead>
                        <tbody>{rows}</tbody>
                    </Table>
                    {reasons}
                </div>
            })
        })
        .collect_view();
    view! { {tables} }.into_any()
}

/// Versions and weeks the newest first; values those first that agree least.
fn in_order<'a>(groups: &'a BTreeMap<String, AttributeAgreement>, by: &str) -> Vec<(&'a str, &'a AttributeAgreement)> {
    let mut sorted: Vec<_> = groups.iter().map(|(group, found)| (group.as_str(), found)).collect();
    match by {
        AgreementBy::VERSION => sorted.sort_by_key(|(group, _)| std::cmp::Reverse(group.parse::<i32>().unwrap_or(0))),
        AgreementBy::WEEK => sorted.reverse(),
        _ => sorted.sort_by(|(_, one), (_, other)| {
            let percent = |found: &AttributeAgreement| found.percent.unwrap_or(f64::INFINITY);
            percent(one).total_cmp(&percent(other))
        }),
    }
    sorted
}

fn head() -> impl IntoView {
    let columns = COLUMNS
        .map(|(_, name, title)| view! { <th scope="col" class="numeric" title=text::translate(title)>{text::translate(name)}</th> });
    view! {
        <th scope="col" class="numeric">{t!("Photos")}</th>
        <th scope="col" class="numeric">{t!("Votes")}</th>
        {columns.collect_view()}
    }
}

fn counts(found: &AttributeAgreement) -> impl IntoView + use<> {
    view! {
        <td class="numeric">{text::number(found.items as i64)}</td>
        <td class="numeric">{text::number(found.votes as i64)}</td>
    }
}

fn coefficients(found: &AttributeAgreement) -> impl IntoView + use<> {
    let values = [found.percent, found.alpha, found.alpha_not_visible_missing, found.fleiss, found.ac1];
    COLUMNS
        .iter()
        .zip(values)
        .map(|((name, ..), value)| {
            let shown = |value: f64| if *name == "percent" { text::percent(value, 1) } else { text::coefficient(value) };
            let reason = found.undefined.get(*name).map(|reason| text::translate_sentence(reason).into_owned());
            let interval = found.intervals.get(*name).filter(|_| value.is_some()).map(|[low, high]| interval(*low, *high, *name == "percent"));
            let value = match value {
                Some(value) => Either::Left(shown(value)),
                None => Either::Right(view! { <span class="quiet">{t!("undefined")}</span> }),
            };
            view! {
                <td class="numeric nowrap" title=reason>{value}{interval.map(|interval| view! { <small class="interval">{interval}</small> })}</td>
            }
        })
        .collect_view()
}

/// An interval in brackets.
pub fn interval(low: f64, high: f64, percent: bool) -> String {
    if percent {
        format!("[{:.0}–{}]", low * 100.0, text::percent(high, 0))
    } else {
        format!("[{}, {}]", text::coefficient(low), text::coefficient(high))
    }
}

/// Why figures are undefined: each reason once, with whom it is about.
fn reasons(found: Vec<(String, &AttributeAgreement)>) -> impl IntoView + use<> {
    let mut about: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, found) in found {
        for (figure, reason) in &found.undefined {
            let column = COLUMNS
                .iter()
                .find(|(key, ..)| key == figure)
                .map_or(figure.as_str(), |(_, name, _)| text::translate(name));
            about.entry(text::translate_sentence(reason).into_owned()).or_default().push(t!(
                "{figure} of {name}",
                figure = column,
                name = name
            ));
        }
    }
    let some = !about.is_empty();
    some.then(|| {
        let items = about
            .into_iter()
            .map(|(reason, figures)| {
                let count = figures.len();
                let mut figures = figures;
                figures.truncate(6);
                let more = if count > 6 { " …" } else { "" };
                view! { <li>{figures.join(t!(", "))}{more}": "{reason}"."</li> }
            })
            .collect_view();
        view! {
            <details class="quiet">
                <summary>{t!("Why figures are undefined")}</summary>
                <ul class="reasons">{items}</ul>
            </details>
        }
    })
}
