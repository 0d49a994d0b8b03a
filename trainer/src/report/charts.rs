//! The report's pictures.

use std::collections::BTreeMap;

use kenami_domain::metrics::{Confusion, CurveRow};

use super::canvas::{BLUE, Canvas, Colour, INK, LETTER, ORANGE, PALE, WHITE, shortened, width_of};
use crate::{
    evaluate::ReliabilityBin,
    lr_finder::{Found, Row},
};

const MARGIN: i32 = 16;
/// Letters of a label beside or above a matrix.
const LABEL: usize = 24;
/// Height of the title's line.
const TITLE: i32 = 32;

/// A confusion matrix: rows are answers, columns predictions, the darker the larger the share of the row.
pub(super) fn confusion(title: &str, Confusion { labels, counts }: &Confusion) -> Canvas {
    let classes = labels.len().max(1) as i32;
    // Room for three figures as long as the whole stays readable on a screen.
    let cell = (1000 / classes).clamp(4, 40);
    let has_labels = cell > LETTER;
    let labels: Vec<String> = labels.iter().map(|label| shortened(label, LABEL)).collect();
    let longest = labels.iter().map(|label| width_of(label)).max().unwrap_or(0);
    let beside = if has_labels { longest + LETTER } else { 0 };
    let (left, top) = (MARGIN + beside, MARGIN + TITLE + beside);
    let side = cell * classes;
    let least = width_of(title).max(width_of(AXES)) + 2 * MARGIN;
    let mut canvas = Canvas::new((left + side + MARGIN).max(least), top + side + MARGIN + 2 * LETTER);
    canvas.text((MARGIN, MARGIN), title, 1, INK);
    for (k, label) in labels.iter().enumerate().filter(|_| has_labels) {
        let middle = k as i32 * cell + (cell - LETTER) / 2;
        canvas.text((left - LETTER / 2 - width_of(label), top + middle), label, 1, INK);
        canvas.text_upwards((left + middle, top - LETTER / 2), label, INK);
    }
    for (row, counts) in counts.iter().enumerate() {
        let total: u32 = counts.iter().sum();
        for (column, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let share = f64::from(*count) / f64::from(total);
            let corner = (left + column as i32 * cell, top + row as i32 * cell);
            canvas.fill(corner, (cell, cell), blend(WHITE, BLUE, 0.12 + 0.88 * share));
            let text = count.to_string();
            let (width, ink) = (width_of(&text), if share > 0.45 { WHITE } else { INK });
            if width < cell {
                canvas.text((corner.0 + (cell - width) / 2, corner.1 + (cell - LETTER) / 2), &text, 1, ink);
            }
        }
    }
    canvas.frame((left - 1, top - 1), (side + 2, side + 2), PALE);
    canvas.text((MARGIN, top + side + MARGIN / 2), AXES, 1, INK);
    canvas
}

const AXES: &str = "rows: answer, columns: prediction";

fn blend(from: Colour, to: Colour, share: f64) -> Colour {
    std::array::from_fn(|i| (f64::from(from[i]) * (1.0 - share) + f64::from(to[i]) * share).round() as u8)
}

const RELIABILITY_LEGEND: &str = "up: accuracy, across: confidence (orange: mean); below: photos";
/// Side of a panel of [`reliability`].
const PANEL: i32 = 300;

/// Reliability diagrams side by side: accuracy over confidence, with the diagonal of a calibrated model and, below, how the
/// photos spread over the bins.
pub(super) fn reliability(title: &str, panels: &[(String, Vec<ReliabilityBin>)]) -> Canvas {
    let pitch = PANEL + 4 * LETTER + MARGIN;
    let widest = width_of(title).max(width_of(RELIABILITY_LEGEND)) + 2 * MARGIN;
    let width = (panels.len() as i32 * pitch + MARGIN).max(widest);
    let mut canvas = Canvas::new(width, MARGIN + TITLE + PANEL + 100);
    canvas.text((MARGIN, MARGIN), title, 1, INK);
    for (number, (name, bins)) in panels.iter().enumerate() {
        let (left, top) = (MARGIN + 4 * LETTER + number as i32 * pitch, MARGIN + TITLE);
        canvas.text((left, top - LETTER - 4), name, 1, INK);
        let side = f64::from(PANEL);
        let most = bins.iter().map(|bin| bin.n).max().unwrap_or(0).max(1) as f64;
        for bin in bins.iter().filter(|bin| bin.n > 0) {
            let x = left + (bin.range.0 * side).round() as i32;
            let width = (bin.range.1 * side).round() as i32 - (bin.range.0 * side).round() as i32;
            let height = (bin.accuracy * side).round() as i32;
            canvas.fill((x + 1, top + PANEL - height), (width - 1, height), blend(WHITE, BLUE, 0.75));
            // Where the bar should end.
            let confidence = (bin.confidence * side).round() as i32;
            canvas.fill((x + 1, top + PANEL - confidence - 1), (width - 1, 3), ORANGE);
            let photos = (bin.n as f64 / most * 40.0).ceil() as i32;
            canvas.fill((x + 1, top + PANEL + 24), (width - 1, photos), PALE);
        }
        canvas.line((f64::from(left), f64::from(top + PANEL)), (f64::from(left + PANEL), f64::from(top)), INK);
        canvas.frame((left, top), (PANEL, PANEL), INK);
        for (value, text) in [(0, "0"), (1, ".5"), (2, "1")] {
            let at = value * PANEL / 2;
            canvas.text((left - width_of(text) - 4, top + PANEL - at - LETTER / 2), text, 1, INK);
            canvas.text((left + at - width_of(text) / 2, top + PANEL + 6), text, 1, INK);
        }
    }
    canvas.text((MARGIN, MARGIN + TITLE + PANEL + 76), RELIABILITY_LEGEND, 1, INK);
    canvas
}

/// Size of a panel of [`curves`] with its labels, and the plot's place in it.
const CURVE: (i32, i32) = (440, 250);
const PLOT: (i32, i32, i32, i32) = (72, 28, 352, 180);

/// Per split: epochs and values.
type Splits<'a> = BTreeMap<&'a str, Vec<(f64, f64)>>;

/// One panel a series, one line a split.
pub(super) fn curves(rows: &[CurveRow]) -> Canvas {
    // In order of their first row, so that a head's loss and accuracy stay together.
    let mut names: Vec<&str> = Vec::new();
    let mut series: BTreeMap<&str, Splits<'_>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.value.is_finite()) {
        if !series.contains_key(row.series.as_str()) {
            names.push(&row.series);
        }
        let points = series.entry(&row.series).or_default().entry(&row.split).or_default();
        points.push((f64::from(row.epoch), row.value));
    }
    let columns = names.len().clamp(1, 2) as i32;
    let lines = (names.len() as i32 + columns - 1) / columns;
    let mut canvas = Canvas::new(columns * CURVE.0 + MARGIN, lines * CURVE.1 + MARGIN);
    for (number, name) in names.iter().enumerate() {
        let corner = (number as i32 % columns * CURVE.0, number as i32 / columns * CURVE.1);
        panel(&mut canvas, corner, name, &series[name], |first, last| (format!("{first}"), format!("epoch {last}")));
    }
    canvas
}

/// The losses of a learning-rate search over the rate's logarithm; a green line marks the suggestion.
pub(super) fn rates(found: &Found) -> Canvas {
    let points = |of: fn(&Row) -> f64| found.rows.iter().map(|row| (row.lr.log10(), of(row))).collect::<Vec<_>>();
    let lines = Splits::from([("smoothed", points(|row| row.smoothed)), ("train", points(|row| row.loss))]);
    let mut canvas = Canvas::new(CURVE.0 + MARGIN, CURVE.1 + MARGIN);
    let rate = |log: f64| format!("{:.1e}", 10f64.powf(log));
    panel(&mut canvas, (0, 0), "loss", &lines, |first, last| (rate(first), rate(last)));
    let ends = found.rows.first().zip(found.rows.last()).map(|(first, last)| (first.lr.log10(), last.lr.log10()));
    if let (Some(lr), Some((first, last))) = (found.suggestion, ends) {
        let across = (lr.log10() - first) / (last - first).max(f64::MIN_POSITIVE) * f64::from(PLOT.2 - 8);
        let x = PLOT.0 + 3 + across.round() as i32;
        canvas.fill((x, PLOT.1), (2, PLOT.3), GREEN);
        let text = format!("{lr:.1e}");
        canvas.text((x - width_of(&text) / 2, PLOT.1 + PLOT.3 + 5 + LETTER), &text, 1, GREEN);
    }
    canvas
}

const GREEN: Colour = [20, 130, 70];

fn panel(
    canvas: &mut Canvas,
    (x, y): (i32, i32),
    name: &str,
    splits: &Splits<'_>,
    ends: impl Fn(f64, f64) -> (String, String),
) {
    let (left, top, width, height) = (x + PLOT.0, y + PLOT.1, PLOT.2, PLOT.3);
    canvas.text((left, y + 12), &shortened(name, 26), 1, INK);
    canvas.frame((left, top), (width, height), PALE);
    let points = || splits.values().flatten();
    let range = |of: fn(&(f64, f64)) -> f64| {
        let least = points().map(of).fold(f64::INFINITY, f64::min);
        (least, points().map(of).fold(f64::NEG_INFINITY, f64::max))
    };
    let (first, last) = range(|point| point.0);
    let (low, high) = range(|point| point.1);
    let at = |(epoch, value): &(f64, f64)| {
        let share = |value: f64, low: f64, high: f64| if high > low { (value - low) / (high - low) } else { 0.5 };
        let across = share(*epoch, first, last) * f64::from(width - 8);
        (f64::from(left + 3) + across, f64::from(top + height - 5) - share(*value, low, high) * f64::from(height - 10))
    };
    for (text, place) in [(high, top), (low, top + height - LETTER)] {
        let text = number(text);
        canvas.text((left - width_of(&text) - 4, place), &text, 1, INK);
    }
    let ends = if first.is_finite() { ends(first, last) } else { Default::default() };
    canvas.text((left, top + height + 5), &ends.0, 1, INK);
    canvas.text((left + width - width_of(&ends.1), top + height + 5), &ends.1, 1, INK);
    let mut key = left + width;
    for (split, points) in splits.iter().rev() {
        let colour = if *split == "train" { BLUE } else { ORANGE };
        key -= width_of(split) + LETTER;
        canvas.text((key, y + 12), split, 1, colour);
        for pair in points.windows(2) {
            canvas.line(at(&pair[0]), at(&pair[1]), colour);
        }
        for point in points {
            let (x, y) = at(point);
            canvas.fill((x.round() as i32 - 1, y.round() as i32 - 1), (4, 4), colour);
        }
    }
}

/// Four significant figures or so, in at most eight letters.
fn number(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e4).contains(&value.abs()) { format!("{value:.1e}") } else { format!("{value:.4}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confusion_matrix_is_dark_where_the_photos_are() {
        let labels = ["a", "b"].map(str::to_owned).to_vec();
        let canvas = confusion("t", &Confusion { labels, counts: vec![vec![9, 1], vec![0, 0]] });
        let dark = |colour: Colour| canvas.image().pixels().filter(|pixel| pixel.0 == colour).count();
        let (often, seldom) = (blend(WHITE, BLUE, 0.12 + 0.88 * 0.9), blend(WHITE, BLUE, 0.12 + 0.88 * 0.1));
        // A cell of 40 by 40 less its figure.
        assert!((1500..1600).contains(&dark(often)) && (1500..1600).contains(&dark(seldom)));
    }

    #[test]
    fn matrices_of_any_size_are_drawn() {
        for classes in [1, 37, 250] {
            let labels: Vec<String> = (0..classes).map(|k| format!("a_rather_long_name_of_value_{k}")).collect();
            let counts = vec![vec![100; classes]; classes];
            let size = confusion("title", &Confusion { labels, counts }).image().dimensions();
            assert!(size.0 < 1400 && size.1 < 1500 && size.0 > 100, "{classes}: {size:?}");
        }
    }

    #[test]
    fn the_legend_of_a_lone_reliability_diagram_is_not_cut() {
        let canvas = reliability("t", &[("before scaling".to_owned(), Vec::new())]);
        assert!(canvas.image().width() as i32 >= width_of(RELIABILITY_LEGEND) + 2 * MARGIN);
    }

    #[test]
    fn curves_of_one_epoch_and_of_none_are_drawn() {
        assert!(curves(&[]).image().width() > 0);
        let row = |epoch, split: &str, value| CurveRow {
            epoch,
            split: split.to_owned(),
            series: "breed/loss".to_owned(),
            value,
        };
        let one = curves(&[row(1, "train", 0.5)]);
        let count = |canvas: &Canvas, colour| canvas.image().pixels().filter(|pixel| pixel.0 == colour).count();
        assert!(count(&one, BLUE) > 16 && count(&one, ORANGE) == 0);
        let two = curves(&[row(1, "train", 0.5), row(1, "validation", f64::NAN), row(2, "validation", 1e-9)]);
        assert!(count(&two, ORANGE) > 16);
    }

    #[test]
    fn a_search_shows_its_losses_and_its_suggestion() {
        let row = |step: u32, lr: f64, loss: f64| Row { step, lr, loss, smoothed: loss };
        let rows = vec![row(0, 1e-4, 2.0), row(1, 1e-3, 1.0), row(2, 1e-2, 3.0)];
        let green = |suggestion| {
            let canvas = rates(&Found { rows: rows.clone(), suggestion });
            let of = |column: u32| (0..PLOT.3 as u32).all(|y| canvas.image()[(column, PLOT.1 as u32 + y)].0 == GREEN);
            (0..canvas.image().width()).filter(|column| of(*column)).collect::<Vec<_>>()
        };
        // Half way between the ends: 1e-3.
        let middle = (PLOT.0 + 3 + (PLOT.2 - 8) / 2) as u32;
        assert_eq!(green(Some(1e-3)), [middle, middle + 1]);
        assert!(green(None).is_empty());
        assert!(rates(&Found { rows: Vec::new(), suggestion: None }).image().width() > 0);
    }

    #[test]
    fn a_bar_is_as_high_as_the_accuracy() {
        let bin = ReliabilityBin { range: (0.8, 0.9), n: 4, confidence: 0.85, accuracy: 0.5 };
        let canvas = reliability("t", &[("before".to_owned(), vec![bin])]);
        let bar = blend(WHITE, BLUE, 0.75);
        let column = canvas.image().enumerate_pixels().filter(|(x, _, pixel)| *x == 16 + 32 + 255 && pixel.0 == bar);
        assert!((146..=150).contains(&column.count()));
    }

    #[test]
    fn numbers_fit_beside_a_panel() {
        for (value, text) in
            [(0.12345, "0.1235"), (1.0, "1.0000"), (4e-8, "4.0e-8"), (-123456.0, "-1.2e5"), (0.0, "0.0000")]
        {
            assert_eq!(number(value), text);
        }
    }
}
