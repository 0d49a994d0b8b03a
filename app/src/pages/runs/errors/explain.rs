//! Whether a wrong attribute goes with a wrong breed.

use kenami_domain::{
    schema::Attribute,
    statistics::tables::Ratio,
    view::errors::{Explanation, ToldApart},
};
use leptos::prelude::*;

use crate::{components::page::Table, text};

/// Below this, chance alone does not explain what is seen.
const ALPHA: f64 = 0.05;
/// Photos of a wrong attribute below which only a great difference shows.
const FEW: u64 = 20;

/// For each annotated attribute: is the breed wrong more often where it is wrong?
#[component]
pub fn Explanations(
    /// One a given and an annotated attribute.
    explanations: Vec<Explanation>,
    /// The project's attributes.
    attributes: Vec<Attribute>,
) -> impl IntoView {
    if explanations.is_empty() {
        return ().into_any();
    }
    let names = |explanation: &Explanation| {
        let name = |key: &str| text::attribute_name_of(&attributes, key, text::language());
        Names { given: name(&explanation.given), attribute: name(&explanation.attribute) }
    };
    let rows = explanations.iter().map(|explanation| row(explanation, &names(explanation))).collect_view();
    let said = explanations
        .iter()
        .map(|explanation| {
            let names = names(explanation);
            let apart = explanation.told_apart.iter().map(|pair| apart(pair, explanation, &attributes)).collect_view();
            let heading = t!("Confused, though {attribute} tells them apart", attribute = names.attribute);
            view! {
                <li>
                    <p class="measure">{verdict(explanation, &names)}</p>
                    {(!explanation.told_apart.is_empty()).then(|| view! {
                        <details>
                            <summary>{heading}</summary>
                            <ul class="told-apart">{apart}</ul>
                        </details>
                    })}
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="stack-s" aria-label=t!("Does one mistake explain another?")>
            <h2>{t!("Does one mistake explain another?")}</h2>
            <Table caption=t!("Wrong answers to given attributes, by whether an annotated attribute is wrong")>
                <thead>
                    <tr>
                        <th scope="col">{t!("Attribute")}</th>
                        <th scope="col" class="numeric">{t!("Wrong where the attribute is right")}</th>
                        <th scope="col" class="numeric">{t!("Wrong where the attribute is wrong")}</th>
                        <th scope="col" class="numeric" title=t!("95 % interval by Katz; a half more in each cell where a rate is 0")>{t!("Times as often")}</th>
                        <th scope="col" class="numeric" title=t!("Fisher's exact test, two-sided")>{t!("By chance")}</th>
                        <th scope="col" class="numeric" title=t!("Mantel-Haenszel, with the interval of Greenland and Robins")>{t!("Within values")}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </Table>
            <p class="quiet measure">{t!("Each row is a question of its own: of twenty where there is nothing to find, one shows p below 0.05. That two mistakes fall on the same photos does not say which of them leads to the other.")}</p>
            <ul class="verdicts">{said}</ul>
        </section>
    }
    .into_any()
}

/// Names of the two attributes.
struct Names {
    given: String,
    attribute: String,
}

fn row(explanation: &Explanation, names: &Names) -> impl IntoView + use<> {
    let table = explanation.table;
    let rate = |wrong: u64, all: u64, rate: Option<f64>| {
        let counts = t!("{wrong} of {photos}", wrong = wrong, photos = all);
        rate.map(|rate| format!("{} ({counts})", text::percent(rate, 0))).unwrap_or(counts)
    };
    let within = explanation.stratified.map(|within| match within.ratio {
        Some(ratio) => format!("{}, p {}", times(ratio), chance(within.p)),
        None => format!("p {}", chance(within.p)),
    });
    view! {
        <tr>
            <th scope="row">{t!("{given} by {attribute}", given = names.given, attribute = names.attribute)}</th>
            <td class="numeric nowrap">{rate(table.other_hit, table.others(), table.other_rate())}</td>
            <td class="numeric nowrap">{rate(table.group_hit, table.group(), table.group_rate())}</td>
            <td class="numeric nowrap">{explanation.ratio.map_or_else(|| "–".to_owned(), times)}</td>
            <td class="numeric nowrap">{format!("p {}", chance(explanation.fisher))}</td>
            <td class="numeric nowrap">{within.unwrap_or_else(|| "–".to_owned())}</td>
        </tr>
    }
}

/// `2.4 (1.2 to 4.8)`.
fn times(ratio: Ratio) -> String {
    let one = |value: f64| if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") };
    t!("{ratio} ({low} to {high})", ratio = one(ratio.ratio), low = one(ratio.low), high = one(ratio.high))
}

/// A probability with three decimals, or that it is less.
pub fn chance(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// What the figures show, in words.
fn verdict(explanation: &Explanation, names: &Names) -> String {
    let table = explanation.table;
    let (given, attribute) = (&names.given, &names.attribute);
    let (Some(there), Some(elsewhere)) = (table.group_rate(), table.other_rate()) else {
        return t!(
            "{attribute} is right, or wrong, on all of these photos: nothing can be compared.",
            attribute = attribute
        );
    };
    let hits = table.group_hit + table.other_hit;
    if hits == 0 {
        return t!("{given} is right on all of these photos: there is nothing to explain.", given = given);
    }
    let rates =
        t!("{there} against {elsewhere}", there = text::percent(there, 0), elsewhere = text::percent(elsewhere, 0));
    if explanation.fisher >= ALPHA {
        let nothing = t!(
            "These photos do not show that a wrong {attribute} goes with a wrong {given}: {rates}, and chance alone parts them as far with probability {p}.",
            attribute = attribute,
            given = given,
            rates = rates,
            p = chance(explanation.fisher)
        );
        let few = (table.group() < FEW).then(|| {
            n!(
                table.group() as i64,
                "With {count} photo of a wrong {attribute}, only a great difference would show.",
                "With {count} photos of a wrong {attribute}, only a great difference would show.",
                attribute = attribute
            )
        });
        return [Some(nothing), few].into_iter().flatten().collect::<Vec<_>>().join(" ");
    }
    if there < elsewhere {
        return t!(
            "Where {attribute} is wrong, {given} is wrong less often than elsewhere ({rates}): its mistakes lie elsewhere.",
            attribute = attribute,
            given = given,
            rates = rates
        );
    }
    let together = t!(
        "Where {attribute} is wrong, {given} is wrong more often ({rates}) than chance explains; {hits} of {all} mistakes in {given} are on such photos.",
        attribute = attribute,
        given = given,
        rates = rates,
        hits = table.group_hit,
        all = hits
    );
    let within = explanation.stratified.map(|within| {
        if within.p < ALPHA {
            t!("This holds among photos of the same {given}, too: that some are harder than others does not explain it.", given = given)
        } else {
            t!("Among photos of the same {given} it is not certain: those that are hard in {given} may be hard in {attribute} as well.", given = given, attribute = attribute)
        }
    });
    [Some(together), within].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Two confused values and the attribute that tells them apart.
fn apart(pair: &ToldApart, explanation: &Explanation, attributes: &[Attribute]) -> impl IntoView + use<> {
    let value = |attribute: &str, key: &str| {
        let of = attributes.iter().find(|one| one.key == attribute);
        of.map_or_else(|| key.to_owned(), |of| text::value_name(of, key, text::language()))
    };
    let (given, attribute) = (&explanation.given, &explanation.attribute);
    let pair_words = t!(
        "{answer} ({of_answer}) taken for {predicted} ({of_predicted})",
        answer = value(given, &pair.answer),
        of_answer = value(attribute, &pair.of_answer),
        predicted = value(given, &pair.predicted),
        of_predicted = value(attribute, &pair.of_predicted)
    );
    let counts = n!(
        pair.photos,
        "{count} photo; {attribute} wrong on {wrong} of {judged}",
        "{count} photos; {attribute} wrong on {wrong} of {judged}",
        attribute = text::attribute_name_of(attributes, attribute, text::language()),
        wrong = pair.wrong,
        judged = pair.judged
    );
    view! { <li>{pair_words}" "<span class="quiet">{counts}</span></li> }
}

#[cfg(test)]
mod tests {
    use kenami_domain::statistics::tables::{TwoByTwo, stratified};

    use super::*;

    fn said(group_hit: u64, group_miss: u64, other_hit: u64, other_miss: u64, strata: &[TwoByTwo]) -> String {
        let table = TwoByTwo { group_hit, group_miss, other_hit, other_miss };
        let explanation = Explanation {
            given: "breed".into(),
            attribute: "coat".into(),
            table,
            ratio: table.ratio(),
            fisher: table.fisher(),
            stratified: stratified(strata),
            told_apart: Vec::new(),
        };
        verdict(&explanation, &Names { given: "breed".into(), attribute: "coat".into() })
    }

    #[test]
    fn the_sentence_fits_the_figures() {
        let strata = [TwoByTwo { group_hit: 40, group_miss: 40, other_hit: 10, other_miss: 10 }];
        let words = said(12, 30, 7, 90, &strata);
        assert!(words.starts_with("Where coat is wrong, breed is wrong more often (29 % against 7 %)"), "{words}");
        assert!(words.contains("12 of 19 mistakes in breed") && words.contains("it is not certain"), "{words}");
        let surely = [TwoByTwo { group_hit: 40, group_miss: 10, other_hit: 10, other_miss: 40 }];
        assert!(said(12, 30, 7, 90, &surely).contains("This holds among photos of the same breed"));
        let unclear = said(1, 3, 9, 40, &[]);
        assert!(unclear.contains("do not show") && unclear.contains("With 4 photos of a wrong coat"), "{unclear}");
        assert!(said(0, 80, 20, 60, &[]).contains("less often than elsewhere"));
        assert!(said(0, 0, 4, 9, &[]).contains("nothing can be compared"));
        assert!(said(0, 5, 0, 9, &[]).contains("nothing to explain"));
    }

    #[test]
    fn ratios_are_short() {
        assert_eq!(times(Ratio { ratio: 2.41, low: 1.2, high: 48.4, adjusted: false }), "2.4 (1.2 to 48)");
        assert_eq!(chance(0.0004), "< 0.001");
    }
}
