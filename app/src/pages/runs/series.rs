//! Points of curves as they arrive become lines of a chart.

use std::collections::BTreeMap;

use kenami_domain::view::run::CurvePoint;

use super::chart::Line;

/// What a curve measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Mean loss.
    Loss,
    /// Share of photos whose first answer is right.
    Accuracy,
}

impl Measure {
    fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
        }
    }
}

/// Head of a series that holds `measure`: `ear/loss` is the ear's loss. Other series (`lr`) have none.
fn head_of(series: &str, measure: Measure) -> Option<&str> {
    series.rsplit_once('/').filter(|(_, name)| *name == measure.name()).map(|(head, _)| head)
}

/// Takes in points that arrived: a point that is there already is replaced (a run that resumes repeats epochs).
pub fn merge(points: &mut Vec<CurvePoint>, arrived: Vec<CurvePoint>) {
    for point in arrived {
        let same =
            |old: &&mut CurvePoint| old.epoch == point.epoch && old.split == point.split && old.series == point.series;
        match points.iter_mut().find(same) {
            Some(old) => *old = point,
            None => points.push(point),
        }
    }
}

/// Heads that have curves, in alphabetical order.
pub fn heads(points: &[CurvePoint]) -> Vec<String> {
    let mut heads: Vec<String> = points
        .iter()
        .filter_map(|point| head_of(&point.series, Measure::Loss).or(head_of(&point.series, Measure::Accuracy)))
        .map(str::to_owned)
        .collect();
    heads.sort();
    heads.dedup();
    heads
}

/// One line per head and split of `measure`; points without a finite value are left out.
pub fn lines(points: &[CurvePoint], measure: Measure, name: impl Fn(&str) -> String) -> Vec<Line> {
    let heads = heads(points);
    // By head, training apart, and split.
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for point in points.iter().filter(|point| point.value.is_finite()) {
        let Some(head) = head_of(&point.series, measure) else { continue };
        let Some(index) = heads.iter().position(|known| known == head) else { continue };
        let train = point.split == "train";
        found.entry((index, train, point.split.as_str())).or_default().push((f64::from(point.epoch), point.value));
    }
    found
        .into_iter()
        .map(|((index, train, split), mut points)| {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            Line {
                label: t!("{head}, {split}", head = name(&heads[index]), split = crate::text::split_name_of(split)),
                colour: index,
                dashed: train,
                points,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(epoch: i32, split: &str, series: &str, value: f64) -> CurvePoint {
        CurvePoint { epoch, split: split.into(), series: series.into(), value }
    }

    #[test]
    fn series_become_a_line_per_head_and_split() {
        let points = [
            point(2, "validation", "ear/loss", 0.5),
            point(1, "validation", "ear/loss", 0.7),
            point(1, "train", "ear/loss", 0.9),
            point(1, "validation", "breed/loss", f64::NAN),
            point(1, "validation", "breed/accuracy", 0.8),
            point(1, "train", "lr", 0.01),
        ];
        assert_eq!(heads(&points), ["breed", "ear"]);
        let loss = lines(&points, Measure::Loss, str::to_uppercase);
        let summary: Vec<_> = loss.iter().map(|l| (l.label.as_str(), l.colour, l.dashed, l.points.clone())).collect();
        assert_eq!(
            summary,
            [("EAR, validation", 1, false, vec![(1.0, 0.7), (2.0, 0.5)]), ("EAR, train", 1, true, vec![(1.0, 0.9)]),]
        );
        assert_eq!(lines(&points, Measure::Accuracy, str::to_owned).len(), 1);
    }

    #[test]
    fn a_point_that_comes_again_replaces_the_old_one() {
        let mut points = vec![point(1, "train", "ear/loss", 0.9)];
        merge(&mut points, vec![point(1, "train", "ear/loss", 0.8), point(2, "train", "ear/loss", 0.7)]);
        assert_eq!(points.iter().map(|p| p.value).collect::<Vec<_>>(), [0.8, 0.7]);
    }
}
