//! Answers that stand against each other, the costliest first.

use kenami_domain::{
    agreement::{AgreementReport, ConfusedPair},
    schema::Attribute,
    view::review::DisputedPair,
};
use leptos::{either::Either, prelude::*};

use super::href;
use crate::{
    components::{alert::EmptyState, page::Table},
    text,
};

/// Rows before the rest is folded away.
const ROWS: usize = 10;

/// Pairs of answers over all attributes; each leads to its photos.
#[component]
pub fn ConfusedAnswers(
    /// The annotated attributes.
    attributes: Vec<Attribute>,
    /// The report.
    report: AgreementReport,
    /// How many of each pair's photos nobody has decided.
    pairs: Vec<DisputedPair>,
    /// Sorted by how often, not by cost.
    by_count: Memo<bool>,
    /// The other choice of the page.
    by: Option<String>,
    /// The project's key.
    key: String,
) -> impl IntoView {
    let sorted = sorted(&report, by_count.get_untracked());
    let none = sorted.is_empty();
    let mut rows: Vec<_> = sorted
        .into_iter()
        .map(|(attribute, pair)| {
            let open = pairs.iter().find(|p| p.attribute == attribute && p.a == pair.a && p.b == pair.b);
            let open = open.map_or(0, |pair| pair.open);
            view! { <Row attributes=attributes.clone() attribute=attribute.to_owned() pair=pair.clone() open key=key.clone()/> }
        })
        .collect();
    let rest = rows.split_off(rows.len().min(ROWS));
    let all = RwSignal::new(false);
    let more = rest.len() as i64;
    let (by_cost_href, by_count_href) = (href(by.as_deref(), false), href(by.as_deref(), true));
    let sort = move |of_count: bool, href: String, name: &'static str| {
        view! {
            <a class="button" class:button-chosen=move || by_count.get() == of_count href=href
                aria-current=move || (by_count.get() == of_count).then_some("true")>{name}</a>
        }
    };
    view! {
        <section class="stack-s">
            <div class="row row-apart">
                <h2>{t!("Confused answers")}</h2>
                <nav class="row" aria-label=t!("Order")>
                    {sort(false, by_cost_href, t!("Costliest first"))}
                    {sort(true, by_count_href, t!("Most photos first"))}
                </nav>
            </div>
            {if none {
                Either::Left(view! { <EmptyState title=t!("No two answers stand against each other")/> })
            } else {
                Either::Right(view! {
                    <Table caption=t!("Confused answers")>
                        <thead><tr>
                            <th scope="col">{t!("Answers")}</th>
                            <th scope="col">{t!("Attribute")}</th>
                            <th scope="col" class="numeric" title=t!("What alpha would gain if these votes agreed")>{t!("Costs alpha")}</th>
                            <th scope="col" class="numeric" title=t!("Photos with votes for both")>{t!("Photos")}</th>
                            <th scope="col" class="numeric" title=t!("Those that nobody has decided")>{t!("Open")}</th>
                            <th scope="col" class="numeric" title=t!("Pairs of votes, one for each answer, on the same photo")>{t!("Pairs of votes")}</th>
                            <th scope="col" class="numeric" title=t!("How often a vote for one of them meets one for the other")>{t!("Confused")}</th>
                            <th scope="col" class="numeric" title=t!("Alpha if the two were one answer")>{t!("Alpha as one answer")}</th>
                        </tr></thead>
                        <tbody>
                            {rows}
                        </tbody>
                        <tbody hidden=move || !all.get()>{rest}</tbody>
                    </Table>
                    {(more > 0).then(|| view! {
                        <p hidden=move || all.get()>
                            <button type="button" class="button button-quiet" on:click=move |_| all.set(true)>
                                {n!(more, "Show {count} more", "Show {count} more")}
                            </button>
                        </p>
                    })}
                })
            }}
        </section>
    }
}

/// The pairs of all attributes; those of an attribute whose alpha is undefined have no cost and come last.
fn sorted(report: &AgreementReport, by_count: bool) -> Vec<(&str, &ConfusedPair)> {
    let mut pairs: Vec<(&str, &ConfusedPair)> = report
        .attributes
        .iter()
        .flat_map(|(attribute, found)| found.confused.iter().map(|pair| (attribute.as_str(), pair)))
        .collect();
    let cost = |pair: &ConfusedPair| pair.cost.unwrap_or(f64::NEG_INFINITY);
    pairs.sort_by(|(_, one), (_, other)| {
        let count = other.items.cmp(&one.items);
        let cost = cost(other).total_cmp(&cost(one));
        if by_count { count.then(cost) } else { cost.then(count) }
    });
    pairs
}

#[component]
fn Row(
    /// The annotated attributes.
    attributes: Vec<Attribute>,
    /// The attribute's key.
    attribute: String,
    /// The pair.
    pair: ConfusedPair,
    /// Photos that nobody has decided.
    open: i64,
    /// The project's key.
    key: String,
) -> impl IntoView {
    let language = text::language();
    let of = attributes.iter().find(|a| a.key == attribute);
    let name = |key: &str| of.map_or_else(|| key.to_owned(), |of| text::answer_name(of, &key.into(), language));
    let href = format!("/p/{key}/agreement/{attribute}/{}/{}", pair.a, pair.b);
    let figure = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), text::coefficient);
    view! {
        <tr>
            <th scope="row"><a href=href>{format!("{} / {}", name(&pair.a), name(&pair.b))}</a></th>
            <td>{text::attribute_name_of(&attributes, &attribute, language)}</td>
            <td class="numeric"><b>{figure(pair.cost)}</b></td>
            <td class="numeric">{text::number(pair.items as i64)}</td>
            <td class="numeric">{text::number(open)}</td>
            <td class="numeric">{text::number(i64::try_from(pair.votes).unwrap_or(i64::MAX))}</td>
            <td class="numeric">{text::percent(pair.rate, 0)}</td>
            <td class="numeric">{figure(pair.alpha_merged)}</td>
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
    fn pairs_are_sorted_over_attributes_by_cost_or_count() {
        let mut votes = VoteTable::new();
        let mut say = |attribute: &str, photo: usize, a: &str, b: &str| {
            votes.push(&photo.to_string(), "x", attribute, a);
            votes.push(&photo.to_string(), "y", attribute, b);
        };
        // Coat: one dispute of two photos, which costs much. Ear: two of ten.
        say("coat", 0, "long", "short");
        say("coat", 1, "long", "long");
        for photo in 0..10 {
            say("ear", photo, "drop", if photo < 2 { "erect" } else { "drop" });
        }
        let report = agreement(&votes, &AgreementOptions::default());
        let attributes = |by_count| sorted(&report, by_count).iter().map(|(of, _)| of.to_string()).collect::<Vec<_>>();
        assert_eq!(attributes(true), ["ear", "coat"]);
        let costs: Vec<f64> = sorted(&report, false).iter().map(|(_, pair)| pair.cost.unwrap()).collect();
        assert!(costs[0] >= costs[1], "{costs:?}");
    }
}
