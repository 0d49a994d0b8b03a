//! Accuracy over the number of labels, and what more labels would bring.

use kenami_domain::{
    learning_curve::{Gain, LearningCurve, REACH, Refusal},
    schema::Attribute,
};
use leptos::prelude::*;

use super::tables::points;
use crate::{
    components::page::Table,
    pages::runs::chart::{Chart, Line},
    text,
};

/// Labels that the sentence asks about.
const NEXT: u64 = 500;
/// Labels that the table asks about.
const SHOWN: [u64; 3] = [100, 500, 1_000];
/// Points of the line that is extrapolated.
const STEPS: u32 = 24;

/// The learning curves of all annotated heads.
#[component]
pub fn Curves(
    /// One a head.
    curves: Vec<LearningCurve>,
    /// The project's attributes.
    attributes: Vec<Attribute>,
) -> impl IntoView {
    let name = |head: &str| text::attribute_name_of(&attributes, head, text::language());
    let lines: Vec<Line> = curves
        .iter()
        .enumerate()
        .flat_map(|(colour, curve)| {
            let measured = Line {
                label: name(&curve.head),
                colour,
                dashed: false,
                points: curve.points.iter().map(|point| (point.labels, point.accuracy)).collect(),
            };
            [Some(measured), extrapolated(curve, &name(&curve.head), colour)].into_iter().flatten()
        })
        .collect();
    let rows = curves
        .iter()
        .map(|curve| {
            let last = curve.points.last();
            let gains = SHOWN.map(|more| {
                let found = curve.gains.iter().find(|gain| gain.more == more);
                let words = found.map_or_else(
                    || if curve.law.is_some() { t!("too far").to_owned() } else { "–".to_owned() },
                    gained,
                );
                view! { <td class="numeric nowrap">{words}</td> }
            });
            view! {
                <tr>
                    <th scope="row">{name(&curve.head)}</th>
                    <td class="numeric">{last.map(|point| text::number(point.labels.round() as i64))}</td>
                    <td class="numeric">{last.map(|point| text::percent(point.accuracy, 1))}</td>
                    <td class="numeric">{text::number(curve.photos as i64)}</td>
                    {gains.collect_view()}
                    <td class="pay-why">{curve.refused.map(refusal)}</td>
                </tr>
            }
        })
        .collect_view();
    let heads = SHOWN
        .map(|more| view! { <th scope="col" class="numeric">{t!("Next {count}", count = text::number(more as i64))}</th> })
        .collect_view();
    view! {
        <section class="stack-s" aria-label=t!("What would more labels bring?")>
            <h2>{t!("What would more labels bring?")}</h2>
            <p class="measure"><b>{answer(&curves, &name)}</b></p>
            <div class="charts">
                <Chart title=t!("Accuracy over labels") unit=t!("share") percent=true lines=Signal::stored(lines) across=t!("labels of the training part")/>
            </div>
            <Table caption=t!("What more labels would bring, in points of accuracy")>
                <thead>
                    <tr>
                        <th scope="col">{t!("Attribute")}</th>
                        <th scope="col" class="numeric">{t!("Labels")}</th>
                        <th scope="col" class="numeric">{t!("Accuracy")}</th>
                        <th scope="col" class="numeric" title=t!("Validation and test photos with an answer")>{t!("Measured on")}</th>
                        {heads}
                        <th scope="col"><span class="visually-hidden">{t!("Why")}</span></th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </Table>
            <p class="quiet measure">
                {t!(
                    "Heads on frozen features, measured on validation and test photos; each training draws its labels anew, the same share of every value. Dashed: errors are taken to fall as an inverse power of the number of labels towards a floor (Cortes et al. 1993, Figueroa et al. 2012), no further than {reach} times the labels that there are. Intervals of 95 % come from drawing photos and trainings anew; they do not hold the doubt about the law itself.",
                    reach = REACH
                )}
            </p>
        </section>
    }
}

/// The law beyond what was measured, as far as it is followed.
fn extrapolated(curve: &LearningCurve, name: &str, colour: usize) -> Option<Line> {
    let (law, last) = (curve.law?, curve.points.last()?);
    let most = curve.gains.iter().map(|gain| gain.more).filter(|more| SHOWN.contains(more)).max()? as f64;
    let at = |step: u32| last.labels + most * f64::from(step) / f64::from(STEPS);
    let points = (0..=STEPS).map(|step| (at(step), 1.0 - law.error(at(step)))).collect();
    Some(Line { label: t!("{name}, expected", name = name), colour, dashed: true, points })
}

/// `+2.1 (+0.4 to +5.0)`.
fn gained(gain: &Gain) -> String {
    t!("{ratio} ({low} to {high})", ratio = points(gain.gain), low = points(gain.low), high = points(gain.high))
}

fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::TooFewRuns => t!("four sizes and two trainings of each are the least"),
        Refusal::Flat => t!("accuracy has not surely risen with the labels so far"),
        Refusal::Scattered => t!("the points follow no such law"),
    }
}

/// For which attribute the next labels would bring most, or why that cannot be said. Attributes are compared over so many labels
/// as can be told of each of them.
fn answer(curves: &[LearningCurve], name: &impl Fn(&str) -> String) -> String {
    let gain_of = |curve: &LearningCurve, more: u64| curve.gains.iter().copied().find(|gain| gain.more == more);
    let followed: Vec<&LearningCurve> = curves.iter().filter(|curve| curve.law.is_some()).collect();
    let near = SHOWN.into_iter().rev().filter(|more| *more <= NEXT);
    let common = near.into_iter().find(|more| followed.iter().all(|curve| gain_of(curve, *more).is_some()));
    let Some(more) = common.filter(|_| !followed.is_empty()) else {
        return if followed.is_empty() {
            t!("What the next {count} labels would bring cannot be said from these trainings.", count = NEXT)
        } else {
            t!(
                "What the next {count} labels would bring is too far from what was measured; nearer numbers stand in the table.",
                count = NEXT
            )
        };
    };
    let mut gains: Vec<(&LearningCurve, Gain)> =
        followed.into_iter().filter_map(|curve| Some((curve, gain_of(curve, more)?))).collect();
    gains.sort_by(|(_, a), (_, b)| b.gain.total_cmp(&a.gain));
    let (best, gain) = gains[0];
    let most = t!(
        "The next {count} labels would bring most for {attribute}: {gain} points of accuracy.",
        count = more,
        attribute = name(&best.head),
        gain = gained(&gain)
    );
    let unsure = gains.get(1).filter(|(_, second)| second.high > gain.low).map(|(second, _)| {
        t!("Whether {other} would profit as much is open: the intervals overlap.", other = name(&second.head))
    });
    let far = (more < NEXT).then(|| {
        t!("What the next {count} would bring is too far from what was measured for some attributes.", count = NEXT)
    });
    [Some(most), unsure, far].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use kenami_domain::learning_curve::{PowerLaw, SizePoint};

    use super::*;

    fn curve(head: &str, gains: &[(u64, f64, f64, f64)]) -> LearningCurve {
        LearningCurve {
            head: head.into(),
            photos: 111,
            seeds: 5,
            points: vec![SizePoint { labels: 100.0, accuracy: 0.7, deviation: Some(0.01) }],
            law: Some(PowerLaw { floor: 0.1, scale: 2.0, exponent: 0.5, explained: 0.9 }),
            refused: None,
            gains: gains.iter().map(|&(more, gain, low, high)| Gain { more, gain, low, high }).collect(),
        }
    }

    #[test]
    fn the_answer_names_the_attribute_or_says_why_not() {
        let name = |head: &str| head.to_uppercase();
        let of = |curves: &[LearningCurve]| answer(curves, &name);
        let coat = curve("coat", &[(500, 0.021, 0.01, 0.05)]);
        let said = of(&[curve("ear", &[(500, 0.004, 0.0, 0.006)]), coat.clone()]);
        assert_eq!(said, "The next 500 labels would bring most for COAT: +2.1 (+1.0 to +5.0) points of accuracy.");
        assert!(
            of(&[curve("ear", &[(500, 0.01, 0.0, 0.03)]), coat]).contains("Whether EAR would profit as much is open")
        );
        // Five hundred can be told of one of them alone: that is no comparison.
        let near = curve("body", &[(100, 0.097, 0.04, 0.12)]);
        let said = of(&[curve("ear", &[(100, 0.006, 0.0, 0.02), (500, 0.011, 0.0, 0.05)]), near]);
        assert!(said.starts_with("The next 100 labels would bring most for BODY: +9.7"), "{said}");
        assert!(said.ends_with("What the next 500 would bring is too far from what was measured for some attributes."));
        assert!(of(&[curve("ear", &[(1_000, 0.01, 0.0, 0.03)])]).contains("nearer numbers stand in the table"));
        let refused = LearningCurve { law: None, refused: Some(Refusal::Flat), ..curve("ear", &[]) };
        assert!(of(&[refused]).contains("cannot be said"));
    }

    #[test]
    fn the_law_is_drawn_from_the_last_point_on() {
        let line = extrapolated(&curve("coat", &[(100, 0.1, 0.0, 0.2), (2_000, 0.1, 0.0, 0.2)]), "Coat", 2).unwrap();
        assert_eq!((line.points[0].0, line.points[24].0, line.colour), (100.0, 200.0, 2));
        assert_eq!(extrapolated(&curve("coat", &[]), "Coat", 2), None);
    }
}
