//! An experiment's tables as Markdown and CSV.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use kenami_domain::{
    dataset::Split,
    statistics::{PairedDifference, Summary},
};

use super::{CellState, Comparison, Measure, Results};

/// Where there is no figure.
const NONE: &str = "–";
/// The columns of figures.
pub(super) const COLUMNS: [(Split, Measure, &str); 4] = [
    (Split::Validation, Measure::Accuracy, "Validation accuracy"),
    (Split::Validation, Measure::MeanPerClassAccuracy, "Validation mean per class"),
    (Split::Test, Measure::Accuracy, "Test accuracy"),
    (Split::Test, Measure::MeanPerClassAccuracy, "Test mean per class"),
];

/// What all tables say in words, as paragraphs.
pub(super) fn notes(results: &Results) -> Vec<String> {
    let level = results.level * 100.0;
    let mut notes = vec![format!(
        "Figures are mean ± sample standard deviation over seeds, in percent. Differences are to {}, in points, over pairs \
         of the same seed, with Student's {level:.0} % interval. McNemar's test compares the test predictions of a pair of \
         runs.",
        results.variants[0]
    )];
    if results.seeds.len() > 1 {
        notes.push(
            "All seeds together, McNemar's test takes the predictions of several runs on one photo for independent: its \
             p is smaller than it should be."
                .to_owned(),
        );
    }
    for cell in &results.cells {
        if let CellState::Failed(reason) = &cell.state {
            notes.push(format!("{} with seed {} failed: {reason}", cell.variant, cell.seed));
        }
    }
    notes
}

/// Rows of cells: one a variant, with a head line.
pub(super) fn figures(results: &Results, head: &str) -> Vec<Vec<String>> {
    let mut header = vec!["Variant".to_owned(), "Seeds".to_owned()];
    header.extend(COLUMNS.iter().map(|(_, _, name)| (*name).to_owned()));
    let mut rows = vec![header];
    for variant in &results.variants {
        let cells = COLUMNS.map(|(split, measure, _)| spread(results.figure(head, variant, split, measure)));
        let seeds = results.finished(variant, head);
        rows.push([variant.clone(), seeds.to_string()].into_iter().chain(cells).collect());
    }
    rows
}

/// Rows of differences to the baseline: one a variant, with a head line.
pub(super) fn differences(results: &Results, head: &str) -> Vec<Vec<String>> {
    let mut header = vec![format!("Less {}", results.variants[0])];
    header.extend(COLUMNS.iter().map(|(_, _, name)| (*name).to_owned()));
    let mut rows = vec![header];
    for variant in &results.variants[1..] {
        let cells = COLUMNS.map(|(split, measure, _)| paired(results.difference(head, variant, split, measure)));
        if cells.iter().any(|cell| cell != NONE) {
            rows.push(std::iter::once(variant.clone()).chain(cells).collect());
        }
    }
    rows
}

/// Rows of McNemar's tests, with a head line.
pub(super) fn comparisons(results: &Results, head: &str) -> Vec<Vec<String>> {
    let baseline = &results.variants[0];
    let header =
        ["McNemar, test", "Seed", "Photos", &format!("Only {baseline} right"), "Only the variant right", "p", "mid-p"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let to_baseline = |comparison: &&Comparison| comparison.head == head && comparison.against == *baseline;
    for comparison in results.comparisons.iter().filter(to_baseline) {
        let test = &comparison.test;
        rows.push(vec![
            comparison.variant.clone(),
            comparison.seed.map_or_else(|| "all".to_owned(), |seed| seed.to_string()),
            comparison.photos.to_string(),
            test.only_first.to_string(),
            test.only_second.to_string(),
            chance(test.exact_p),
            chance(test.mid_p),
        ]);
    }
    rows
}

/// A title for people.
pub(super) fn title(results: &Results) -> String {
    results.title.clone().unwrap_or_else(|| format!("Experiment on {}", results.dataset))
}

/// The whole report as Markdown.
pub(super) fn markdown(results: &Results) -> String {
    let mut text = format!("# {}\n\n", one_line(&title(results)));
    for head in results.heads() {
        let _ = write!(text, "## {}\n\n", one_line(head));
        for rows in [figures(results, head), differences(results, head), comparisons(results, head)] {
            if rows.len() > 1 {
                table(&mut text, &rows);
            }
        }
    }
    for note in notes(results) {
        let _ = write!(text, "{}\n\n", one_line(&note));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The head line's cells stand left in the first column and right in the others.
fn table(text: &mut String, rows: &[Vec<String>]) {
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|cell| one_line(cell).replace('|', "\\|")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
        if number == 0 {
            let _ = writeln!(text, "|---{}|", "|---:".repeat(row.len() - 1));
        }
    }
    text.push('\n');
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `table.csv`: a line per head, variant, split and measure; shares are 0 to 1; the difference is to the first variant, and
/// McNemar's columns are those of all seeds together.
pub(super) fn csv(results: &Results, file: &mut dyn Write) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    csv.write_record([
        "head",
        "variant",
        "split",
        "measure",
        "seeds",
        "mean",
        "deviation",
        "pairs",
        "difference",
        "low",
        "high",
        "p",
        "mcnemar_only_first",
        "mcnemar_only_variant",
        "mcnemar_p",
        "mcnemar_mid_p",
    ])?;
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
    for figure in &results.figures {
        let split = if figure.split == Split::Test.as_str() { Split::Test } else { Split::Validation };
        let paired = results.difference(&figure.head, &figure.variant, split, figure.measure);
        let mut record = vec![
            figure.head.clone(),
            figure.variant.clone(),
            figure.split.clone(),
            figure.measure.to_string(),
            figure.summary.n.to_string(),
            number(Some(figure.summary.mean)),
            number(figure.summary.deviation),
            paired.map_or_else(String::new, |paired| paired.difference.n.to_string()),
            number(paired.map(|paired| paired.difference.mean)),
            number(paired.and_then(|paired| Some(paired.interval?.0))),
            number(paired.and_then(|paired| Some(paired.interval?.1))),
            number(paired.and_then(|paired| paired.p)),
        ];
        // Of a single seed, its own test is the one of all.
        let of_figure = results.comparisons.iter().rev().find(|comparison| {
            comparison.head == figure.head
                && results.variants.first() == Some(&comparison.against)
                && comparison.variant == figure.variant
                && split == Split::Test
                && figure.measure == Measure::Accuracy
        });
        record.extend(match of_figure.map(|comparison| comparison.test) {
            Some(test) => [
                test.only_first.to_string(),
                test.only_second.to_string(),
                format!("{:.6e}", test.exact_p),
                format!("{:.6e}", test.mid_p),
            ],
            None => Default::default(),
        });
        csv.write_record(record)?;
    }
    csv.flush()
}

fn spread(summary: Option<&Summary>) -> String {
    match summary {
        None => NONE.to_owned(),
        Some(Summary { mean, deviation: Some(deviation), .. }) => {
            format!("{:.2} ± {:.2}", mean * 100.0, deviation * 100.0)
        }
        Some(Summary { mean, .. }) => format!("{:.2}", mean * 100.0),
    }
}

fn paired(paired: Option<&PairedDifference>) -> String {
    let Some(paired) = paired else { return NONE.to_owned() };
    let mean = signed(paired.difference.mean);
    match paired.interval {
        Some((low, high)) => format!("{mean} [{}, {}]", signed(low), signed(high)),
        None => mean,
    }
}

fn signed(share: f64) -> String {
    // No "-0.00".
    let points = (share * 10_000.0).round() / 100.0 + 0.0;
    format!("{points:+.2}")
}

fn chance(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}
