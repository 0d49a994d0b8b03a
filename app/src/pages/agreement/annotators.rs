//! Annotators against the others, and two by two.

use std::collections::BTreeMap;

use kenami_domain::{
    agreement::{AgreementReport, CohenPair},
    schema::Attribute,
};
use leptos::{either::Either, prelude::*};

use super::figures::interval;
use crate::{components::page::Table, text};

/// How far an annotator agrees with the others.
#[derive(Debug, Clone, PartialEq)]
struct WithOthers {
    annotator: String,
    /// Answers that were compared, one an attribute, photo and other annotator.
    compared: usize,
    /// Share of them that are alike.
    percent: f64,
}

/// From every pair of annotators, all attributes together; the least agreeing first.
fn with_others(report: &AgreementReport) -> Vec<WithOthers> {
    let mut sums: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for pair in report.attributes.values().flat_map(|found| &found.cohen) {
        let Some(percent) = pair.percent else { continue };
        for annotator in [&pair.a, &pair.b] {
            let (compared, alike) = sums.entry(annotator).or_default();
            *compared += pair.items;
            *alike += percent * pair.items as f64;
        }
    }
    let one = |(annotator, (compared, alike)): (&str, (usize, f64))| WithOthers {
        annotator: annotator.to_owned(),
        compared,
        percent: alike / compared as f64,
    };
    let mut all: Vec<WithOthers> = sums.into_iter().filter(|(_, (compared, _))| *compared > 0).map(one).collect();
    all.sort_by(|one, other| one.percent.total_cmp(&other.percent));
    all
}

/// Each annotator's agreement with the others, the least first. With two annotators it says nothing of either.
#[component]
pub fn Annotators(
    /// The report.
    report: AgreementReport,
) -> impl IntoView {
    let all = with_others(&report);
    (all.len() > 2).then(|| {
        let rows = all
            .into_iter()
            .map(|one| {
                view! {
                    <tr>
                        <th scope="row">{one.annotator}</th>
                        <td class="numeric">{text::number(one.compared as i64)}</td>
                        <td class="numeric"><b>{text::percent(one.percent, 1)}</b></td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <section class="stack-s">
                <h2>{t!("Annotators, least agreeing first")}</h2>
                <Table caption=t!("Annotators, least agreeing first")>
                    <thead><tr>
                        <th scope="col">{t!("Annotator")}</th>
                        <th scope="col" class="numeric" title=t!("Pairs of an answer of theirs and a vote of somebody else on the same photo")>{t!("Answers compared")}</th>
                        <th scope="col" class="numeric">{t!("Agreement with the others")}</th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </Table>
            </section>
        }
    })
}

/// A table per attribute, a row per pair of annotators, the least agreeing first.
#[component]
pub fn Pairs(
    /// The annotated attributes.
    attributes: Vec<Attribute>,
    /// The report.
    report: AgreementReport,
) -> impl IntoView {
    let language = text::language();
    attributes
        .iter()
        .filter_map(|attribute| {
            let mut pairs: Vec<&CohenPair> = report.attributes.get(&attribute.key)?.cohen.iter().collect();
            pairs.sort_by(|one, other| {
                let percent = |pair: &CohenPair| pair.percent.unwrap_or(f64::INFINITY);
                percent(one).total_cmp(&percent(other))
            });
            let rows = pairs.into_iter().map(row).collect_view();
            let title = text::attribute_name(attribute, language);
            Some(view! {
                <div class="stack-s">
                    <h3>{title.clone()}</h3>
                    <Table caption=t!("Figures of {name}", name = title)>
                        <thead><tr>
                            <th scope="col">{t!("Pair of annotators")}</th>
                            <th scope="col" class="numeric" title=t!("Photos that both answered")>{t!("Photos")}</th>
                            <th scope="col" class="numeric">{t!("Agreement")}</th>
                            <th scope="col" class="numeric">{t!("Alpha")}</th>
                            <th scope="col" class="numeric">{t!("Alpha, values alone")}</th>
                            <th scope="col" class="numeric" title=t!("Cohen's kappa, with its 95 % interval")>{t!("Cohen's kappa")}</th>
                            <th scope="col" class="numeric">{t!("AC1")}</th>
                        </tr></thead>
                        <tbody>{rows}</tbody>
                    </Table>
                </div>
            })
        })
        .collect_view()
}

fn row(pair: &CohenPair) -> impl IntoView + use<> {
    let reason = pair.undefined.as_ref().map(|reason| text::translate_sentence(reason).into_owned());
    let figure = |value: Option<String>| match value {
        Some(value) => Either::Left(value),
        None => Either::Right(view! { <span class="quiet" title=reason.clone()>{t!("undefined")}</span> }),
    };
    let kappa_interval =
        pair.interval.map(|[low, high]| view! { <small class="interval">{interval(low, high, false)}</small> });
    view! {
        <tr>
            <th scope="row">{format!("{} / {}", pair.a, pair.b)}</th>
            <td class="numeric">{text::number(pair.items as i64)}</td>
            <td class="numeric">{figure(pair.percent.map(|share| text::percent(share, 1)))}</td>
            <td class="numeric">{figure(pair.alpha.map(text::coefficient))}</td>
            <td class="numeric">{figure(pair.alpha_not_visible_missing.map(text::coefficient))}</td>
            <td class="numeric nowrap">{figure(pair.kappa.map(text::coefficient))}{kappa_interval}</td>
            <td class="numeric">{figure(pair.ac1.map(text::coefficient))}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use kenami_domain::{
        agreement::{AgreementOptions, agreement},
        votes::VoteTable,
    };

    use super::*;

    #[test]
    fn the_one_who_differs_comes_first() {
        let mut votes = VoteTable::new();
        for photo in 0..4 {
            for annotator in ["x", "y", "z"] {
                let odd = annotator == "z" && photo != 0;
                votes.push(&photo.to_string(), annotator, "ear", if odd { "erect" } else { "drop" });
            }
        }
        let all = with_others(&agreement(&votes, &AgreementOptions::default()));
        let told: Vec<_> = all.iter().map(|one| (one.annotator.as_str(), one.compared)).collect();
        assert_eq!(told, [("z", 8), ("x", 8), ("y", 8)]);
        // z agrees on one of four photos with each; x with y on all and with z on one.
        assert!((all[0].percent - 0.25).abs() < 1e-12 && (all[1].percent - 0.625).abs() < 1e-12);
    }
}
