//! What the differences amount to, in words.

use kenami_domain::{
    experiment::{Contrast, Outcome, contrast::MARGIN},
    schema::{Attribute, AttributeKind},
    view::experiment::VARIANTS,
};
use leptos::prelude::*;

use super::tables::{points, variant_name};
use crate::text;

/// Sentences on what was compared: for heads of given attributes each pair of kinds, for annotated ones class-level and
/// instance-level labels.
#[component]
pub fn Verdicts(
    /// All contrasts.
    contrasts: Vec<Contrast>,
    /// The project's attributes.
    attributes: Vec<Attribute>,
    /// Only heads learnt, on features that stay.
    frozen: bool,
    /// All trainings have finished.
    finished: bool,
) -> impl IntoView {
    let kind = |head: &str| attributes.iter().find(|a| a.key == head).map(|a| a.kind);
    let of_kind = |wanted: AttributeKind| {
        let mut found: Vec<&Contrast> =
            contrasts.iter().filter(|contrast| kind(&contrast.head) == Some(wanted)).collect();
        found.sort_by_key(|contrast| (place(&contrast.head, &attributes), order(contrast)));
        let name = |head: &str| text::attribute_name_of(&attributes, head, text::language());
        let (silent, found): (Vec<&Contrast>, Vec<&Contrast>) = found
            .into_iter()
            .partition(|contrast| frozen && wanted == AttributeKind::Given && contrast.outcome == Outcome::Identical);
        let mut heads: Vec<String> = silent.iter().map(|contrast| name(&contrast.head)).collect();
        heads.dedup();
        let silent = (!heads.is_empty()).then(|| view! { <li class="verdict">{frozen_sentence(&heads)}</li> });
        let sentences = found.into_iter().map(|contrast| {
            let name = name(&contrast.head);
            let tone = match contrast.outcome {
                Outcome::Better => "verdict verdict-better",
                Outcome::Worse => "verdict verdict-worse",
                Outcome::Same | Outcome::Identical | Outcome::Unclear => "verdict",
            };
            view! { <li class=tone>{sentence(contrast, &name)}</li> }.into_any()
        });
        silent.map(IntoAny::into_any).into_iter().chain(sentences).collect::<Vec<_>>()
    };
    let (given, annotated) = (of_kind(AttributeKind::Given), of_kind(AttributeKind::Annotated));
    if given.is_empty() && annotated.is_empty() {
        return view! { <p class="quiet">{t!("There is nothing to compare yet: two kinds of training must have finished.")}</p> }
            .into_any();
    }
    view! {
        <section class="stack-s" aria-label=t!("In words")>
            <h2>{t!("In words")}</h2>
            {(!finished).then(|| view! { <p class="quiet">{t!("From the trainings that have finished so far.")}</p> })}
            {(!given.is_empty()).then(|| view! {
                <h3>{t!("Do labels help what came with the photos?")}</h3>
                <ul class="verdicts">{given}</ul>
            })}
            {(!annotated.is_empty()).then(|| view! {
                <h3>{t!("Do each photo's own labels beat one row for each breed?")}</h3>
                <ul class="verdicts">{annotated}</ul>
            })}
            <p class="quiet measure">{t!("On test photos alone. An interval of 95 % holds what both the photos and the trainings leave open (crossed samples, Owen 2007; Student's t with Satterthwaite's degrees of freedom). Each sentence is a question of its own.")}</p>
        </section>
    }
    .into_any()
}

fn place(head: &str, attributes: &[Attribute]) -> usize {
    attributes.iter().position(|attribute| attribute.key == head).unwrap_or(usize::MAX)
}

/// Each photo's own labels first: what the study asked.
fn order(contrast: &Contrast) -> usize {
    let number = |name: &str| VARIANTS.iter().position(|variant| *variant == name).unwrap_or(0);
    10 * (2 - number(&contrast.variant).min(2)) + number(&contrast.against)
}

/// Once for all heads and kinds of training: nothing was to be found.
fn frozen_sentence(heads: &[String]) -> String {
    t!(
        "{heads}: nothing changes, and nothing can: on frozen features heads share no weights. Let the last stage learn to ask this question.",
        heads = heads.join(t!(", "))
    )
}

fn sentence(contrast: &Contrast, head: &str) -> String {
    let (variant, against) = (variant_name(&contrast.variant), variant_name(&contrast.against));
    let photos = n!(contrast.photos as i64, "{count} test photo", "{count} test photos");
    let figures = match contrast.interval {
        Some((low, high)) => t!(
            "{difference} points ({low} to {high})",
            difference = points(contrast.difference),
            low = points(low),
            high = points(high)
        ),
        None => t!("{difference} points", difference = points(contrast.difference)),
    };
    let lead = t!(
        "{head}, {variant} less {against}: {figures}.",
        head = head,
        variant = variant,
        against = against,
        figures = figures
    );
    let said = match contrast.outcome {
        Outcome::Identical => t!("All {photos} are answered alike.", photos = photos),
        Outcome::Better => t!("{variant} is better.", variant = variant),
        Outcome::Worse => t!("{variant} is worse.", variant = variant),
        Outcome::Same => t!("They are equal to within {margin} point.", margin = format!("{:.0}", MARGIN * 100.0)),
        Outcome::Unclear => match contrast.needed {
            Some(needed) => t!(
                "Not enough data to say, with {photos}: some {needed} test photos and {seeds} trainings of each kind would show a difference of one point in four of five cases.",
                photos = photos,
                needed = text::number(rounded(needed.photos)),
                seeds = text::number(needed.seeds as i64)
            ),
            None => t!("Not enough data to say: two trainings of each kind are the least.").to_owned(),
        },
    };
    format!("{lead} {said}")
}

/// With two figures: more would feign a precision that the estimate does not have.
fn rounded(count: u64) -> i64 {
    let mut unit = 1;
    while count / unit >= 100 {
        unit *= 10;
    }
    (count.div_ceil(unit) * unit) as i64
}

#[cfg(test)]
mod tests {
    use kenami_domain::experiment::contrast::Needed;

    use super::*;

    fn contrast(outcome: Outcome) -> Contrast {
        Contrast {
            head: "breed".into(),
            variant: "instance-level".into(),
            against: "baseline".into(),
            seeds: 5,
            photos: 74,
            difference: 0.0123,
            interval: Some((-0.031, 0.0554)),
            outcome,
            needed: Some(Needed { photos: 32_938, seeds: 12 }),
        }
    }

    #[test]
    fn the_sentence_says_what_would_be_enough() {
        let said = sentence(&contrast(Outcome::Unclear), "Breed");
        assert!(said.starts_with("Breed, instance-level less no labels: +1.2 points (−3.1 to +5.5)."), "{said}");
        assert!(
            said.contains("Not enough data to say, with 74 test photos: some 33,000 test photos and 12 trainings"),
            "{said}"
        );
        assert!(sentence(&contrast(Outcome::Better), "Breed").ends_with("instance-level is better."));
        assert!(sentence(&contrast(Outcome::Identical), "Breed").ends_with("All 74 test photos are answered alike."));
        let silent = frozen_sentence(&["Breed".to_owned(), "Species".to_owned()]);
        assert!(silent.starts_with("Breed, Species: nothing changes") && silent.contains("share no weights"));
        assert!(sentence(&contrast(Outcome::Same), "Breed").contains("within 1 point"));
    }

    #[test]
    fn the_study_s_question_comes_first() {
        let of = |variant: &str, against: &str| {
            order(&Contrast { variant: variant.into(), against: against.into(), ..contrast(Outcome::Same) })
        };
        let orders =
            [of("instance-level", "baseline"), of("instance-level", "class-level"), of("class-level", "baseline")];
        assert!(orders.is_sorted(), "{orders:?}");
        assert_eq!([rounded(7), rounded(99), rounded(101), rounded(32_938)], [7, 99, 110, 33_000]);
    }
}
