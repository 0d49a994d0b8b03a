//! Figures of a comparison, head by head.

use kenami_domain::{
    dataset::Split,
    experiment::{Comparison, Measure, Results},
    schema::Attribute,
    statistics::{PairedDifference, Summary},
};
use leptos::prelude::*;

use crate::{components::page::Table, pages::runs::errors::chance, text};

/// Where there is no figure.
const NONE: &str = "–";
const SPLITS: [Split; 2] = [Split::Validation, Split::Test];

/// A kind of training in words; of another name, the name.
pub fn variant_name(variant: &str) -> &str {
    match variant {
        "baseline" => t!("no labels"),
        "class-level" => t!("class-level"),
        "instance-level" => t!("instance-level"),
        other => other,
    }
}

/// A share as points with a sign: `+1.2`.
pub fn points(share: f64) -> String {
    // No "-0.0".
    let points = (share * 1_000.0).round() / 10.0 + 0.0;
    format!("{points:+.1}").replace('-', "−")
}

/// One head: accuracy by kind of training, differences, and McNemar's tests.
#[component]
pub fn HeadTables(
    /// The head's attribute.
    head: String,
    /// The results.
    results: Results,
    /// The project's attributes.
    attributes: Vec<Attribute>,
) -> impl IntoView {
    let name = text::attribute_name_of(&attributes, &head, text::language());
    let with_head: Vec<&String> =
        results.variants.iter().filter(|variant| results.finished(variant, &head) > 0).collect();
    if with_head.is_empty() {
        return ().into_any();
    }
    let rows = with_head
        .iter()
        .map(|variant| {
            let figures = SPLITS.map(|split| {
                let figure = results.figure(&head, variant, split, Measure::Accuracy);
                view! { <td class="numeric nowrap">{figure.map_or_else(|| NONE.to_owned(), spread)}</td> }
            });
            view! {
                <tr>
                    <th scope="row">{variant_name(variant).to_owned()}</th>
                    <td class="numeric">{text::number(results.finished(variant, &head) as i64)}</td>
                    {figures.collect_view()}
                </tr>
            }
        })
        .collect_view();
    let differences = pairs(&with_head)
        .map(|(variant, against)| {
            let figures = SPLITS.map(|split| {
                let found = results.differences.iter().find(|one| {
                    one.head == head
                        && one.variant == *variant
                        && one.against == *against
                        && one.split == split.as_str()
                        && one.measure == Measure::Accuracy
                });
                view! { <td class="numeric nowrap">{found.map_or_else(|| NONE.to_owned(), |one| paired(&one.paired))}</td> }
            });
            view! {
                <tr>
                    <th scope="row">{t!("{variant} less {against}", variant = variant_name(variant), against = variant_name(against))}</th>
                    <td></td>
                    {figures.collect_view()}
                </tr>
            }
        })
        .collect_view();
    let tests: Vec<Comparison> = results.comparisons.iter().filter(|one| one.head == head).cloned().collect();
    view! {
        <h3>{name.clone()}</h3>
        <Table caption=t!("{head}: accuracy by kind of training", head = name)>
            <thead>
                <tr>
                    <th scope="col">{t!("Labels")}</th>
                    <th scope="col" class="numeric">{t!("Trainings")}</th>
                    <th scope="col" class="numeric">{t!("Validation")}</th>
                    <th scope="col" class="numeric">{t!("Test")}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
            <tbody>{differences}</tbody>
        </Table>
        {(!tests.is_empty()).then(|| view! { <Tests tests head=name/> })}
    }
    .into_any()
}

/// Each kind of training with those before it.
fn pairs<'a>(variants: &'a [&'a String]) -> impl Iterator<Item = (&'a String, &'a String)> {
    variants
        .iter()
        .enumerate()
        .flat_map(|(number, variant)| variants[..number].iter().map(move |other| (*variant, *other)))
}

/// McNemar's tests, seed by seed.
#[component]
fn Tests(
    /// The tests.
    tests: Vec<Comparison>,
    /// The head's name.
    head: String,
) -> impl IntoView {
    let rows = tests
        .into_iter()
        .map(|one| {
            let seed = one.seed.map_or_else(|| t!("all").to_owned(), |seed| seed.to_string());
            view! {
                <tr>
                    <th scope="row">{t!("{variant} less {against}", variant = variant_name(&one.variant), against = variant_name(&one.against))}</th>
                    <td class="numeric">{seed}</td>
                    <td class="numeric">{text::number(one.photos as i64)}</td>
                    <td class="numeric">{one.test.only_second}</td>
                    <td class="numeric">{one.test.only_first}</td>
                    <td class="numeric">{chance(one.test.exact_p)}</td>
                    <td class="numeric">{chance(one.test.mid_p)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <details>
            <summary>{t!("McNemar's test, training by training")}</summary>
            <p class="quiet measure">{t!("Of the test photos that exactly one of two trainings has right, is it one of them more often? All seeds together, predictions of several trainings on one photo are taken for independent: that p is too small.")}</p>
            <Table caption=t!("{head}: McNemar's test on the test photos", head = head)>
                <thead>
                    <tr>
                        <th scope="col">{t!("Labels")}</th>
                        <th scope="col" class="numeric">{t!("Seed")}</th>
                        <th scope="col" class="numeric">{t!("Photos")}</th>
                        <th scope="col" class="numeric">{t!("Only the first right")}</th>
                        <th scope="col" class="numeric">{t!("Only the second right")}</th>
                        <th scope="col" class="numeric">"p"</th>
                        <th scope="col" class="numeric">"mid-p"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </Table>
        </details>
    }
}

/// `92.4 ± 0.2`, in percent.
fn spread(summary: &Summary) -> String {
    match summary.deviation {
        Some(deviation) => t!(
            "{mean} ± {deviation} %",
            mean = format!("{:.1}", summary.mean * 100.0),
            deviation = format!("{:.1}", deviation * 100.0)
        ),
        None => text::percent(summary.mean, 1),
    }
}

/// `+0.3 (−0.2 to +0.8)`, in points.
fn paired(paired: &PairedDifference) -> String {
    let mean = points(paired.difference.mean);
    match paired.interval {
        Some((low, high)) => t!("{ratio} ({low} to {high})", ratio = mean, low = points(low), high = points(high)),
        None => mean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(points(-0.0004), "+0.0");
        assert_eq!(points(-0.0312), "−3.1");
        let summary = Summary { n: 5, mean: 0.9238, deviation: Some(0.0024) };
        assert_eq!(spread(&summary), "92.4 ± 0.2 %");
        let paired_of = PairedDifference { difference: summary, interval: Some((-0.01, 0.02)), p: None };
        assert_eq!(paired(&paired_of), "+92.4 (−1.0 to +2.0)");
    }

    #[test]
    fn each_kind_is_compared_with_those_before_it() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let variants: Vec<&String> = names.iter().collect();
        let found: Vec<_> = pairs(&variants).map(|(one, other)| format!("{one}{other}")).collect();
        assert_eq!(found, ["ba", "ca", "cb"]);
    }
}
