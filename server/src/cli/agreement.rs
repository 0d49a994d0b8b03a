//! `kenami agreement`: how far annotators agree; no server needed.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::Result;
use kenami_domain::agreement::{
    AgreementOptions, AgreementReport, AttributeAgreement, AttributeGroups, Bootstrap, agreement, grouped,
};

use super::votes::read_votes;

/// Rows of the longer tables in the text; the JSON holds all.
const ROWS: usize = 10;

/// `kenami agreement FILE.csv`.
#[derive(Debug, clap::Args)]
pub struct AgreementArgs {
    /// Votes: item,annotator,attribute,answer
    pub file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    /// 95 % intervals from N resamples of the items (percentile bootstrap)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub bootstrap: Option<u32>,
    /// Seed of the resampling
    #[arg(long, default_value_t = 0, requires = "bootstrap")]
    pub seed: u64,
    /// The figures for each value of this column of the file, as breed or guideline_version; may be given several times
    #[arg(long, value_name = "COLUMN")]
    pub by: Vec<String>,
}

/// Runs `kenami agreement`.
///
/// # Errors
/// The file cannot be read, lacks a column, or holds no vote.
pub async fn run(args: AgreementArgs) -> Result<()> {
    let (votes, columns) = read_votes(&args.file, &args.by)?;
    let bootstrap = args.bootstrap.map(|resamples| Bootstrap {
        resamples: resamples as usize,
        seed: args.seed,
        ..Default::default()
    });
    let options = AgreementOptions { bootstrap, pairs: true };
    let mut report = agreement(&votes, &options);
    for (name, column) in args.by.iter().zip(&columns) {
        let options = AgreementOptions { pairs: false, ..options };
        let of = |number| column.of(number).map(str::to_owned);
        report.groups.insert(name.clone(), grouped(&votes, &options, |number, _| of(number)));
    }
    for warning in &report.warnings {
        eprintln!("note: {warning}");
    }
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        say!("{}", text(&report).trim_end());
    }
    Ok(())
}

/// The report for people.
fn text(report: &AgreementReport) -> String {
    let mut out = String::new();
    for (attribute, found) in &report.attributes {
        figures(&mut out, attribute, found);
        confused(&mut out, found);
        annotators(&mut out, found);
        pairs(&mut out, found);
        for (column, groups) in &report.groups {
            by(&mut out, column, attribute, groups);
        }
        out.push('\n');
    }
    if let Some(bootstrap) = report.bootstrap {
        let (level, resamples, seed) = (bootstrap.level * 100.0, bootstrap.resamples, bootstrap.seed);
        let _ = writeln!(
            out,
            "[...]: {level:.0} % intervals by the percentile bootstrap over items, {resamples} resamples, seed {seed}"
        );
    }
    out
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{:.1} %", value * 100.0))
}

/// The attribute's figures, a line each; an undefined one with its reason.
fn figures(out: &mut String, attribute: &str, found: &AttributeAgreement) {
    let AttributeAgreement { items, annotators, votes, .. } = found;
    let _ = writeln!(out, "{attribute}: {items} items, {annotators} annotators, {votes} votes");
    let lines = [
        ("percent", "agreeing pairs of votes", found.percent),
        ("alpha", "Krippendorff's alpha", found.alpha),
        ("alpha_not_visible_missing", "  not visible, unsure missing", found.alpha_not_visible_missing),
        ("fleiss", "Fleiss' kappa", found.fleiss),
        ("ac1", "Gwet's AC1", found.ac1),
    ];
    for (key, name, value) in lines {
        let Some(value) = value else {
            let reason = found.undefined.get(key).map_or("", String::as_str);
            let _ = writeln!(out, "  {name:<30} undefined: {reason}");
            continue;
        };
        let interval =
            found.intervals.get(key).map_or_else(String::new, |[low, high]| format!("  [{low:.4}, {high:.4}]"));
        let _ = writeln!(out, "  {name:<30} {value:>7.4}{interval}");
    }
}

/// The answers that stand against each other.
fn confused(out: &mut String, found: &AttributeAgreement) {
    let shown = &found.confused[..found.confused.len().min(ROWS)];
    let names: Vec<String> = shown.iter().map(|pair| format!("{} / {}", pair.a, pair.b)).collect();
    let rows = shown.iter().zip(names).map(|(pair, name)| {
        let (items, votes) = (pair.items.to_string(), pair.votes.to_string());
        vec![name, items, votes, percent(Some(pair.rate)), number(pair.cost), number(pair.alpha_merged)]
    });
    let head = ["confused answers", "items", "pairs of votes", "how often", "costs alpha", "alpha as one answer"];
    table(out, &head, rows.collect(), found.confused.len());
}

/// The annotators, whom the others agree with least first.
fn annotators(out: &mut String, found: &AttributeAgreement) {
    let mut sorted: Vec<_> = found.by_annotator.iter().filter(|part| part.percent.is_some()).collect();
    sorted.sort_by(|one, other| one.percent.partial_cmp(&other.percent).unwrap_or(std::cmp::Ordering::Equal));
    let rows = sorted.iter().take(ROWS).map(|part| {
        let (votes, items) = (part.votes.to_string(), part.items.to_string());
        vec![part.annotator.clone(), votes, items, percent(part.percent), number(part.alpha_without)]
    });
    let head = ["annotators, least agreeing first", "votes", "items in common", "agreement", "alpha without"];
    table(out, &head, rows.collect(), sorted.len());
}

/// Pairs of annotators, those with the lowest alpha first.
fn pairs(out: &mut String, found: &AttributeAgreement) {
    let mut sorted: Vec<_> = found.cohen.iter().collect();
    // Undefined ones last: both gave one answer throughout.
    let key = |alpha: Option<f64>| alpha.unwrap_or(f64::INFINITY);
    sorted.sort_by(|one, other| key(one.alpha).total_cmp(&key(other.alpha)));
    let rows = sorted.iter().take(ROWS).map(|pair| {
        let interval = pair.interval.map_or_else(|| "-".to_owned(), |[low, high]| format!("{low:.4} to {high:.4}"));
        let items = pair.items.to_string();
        let name = format!("{} / {}", pair.a, pair.b);
        vec![name, items, percent(pair.percent), number(pair.alpha), number(pair.kappa), interval]
    });
    let head = ["pairs, lowest alpha first", "items", "agreement", "alpha", "Cohen's kappa", "95 % interval of kappa"];
    table(out, &head, rows.collect(), sorted.len());
}

/// The figures of each group.
fn by(out: &mut String, column: &str, attribute: &str, groups: &AttributeGroups<String>) {
    let Some(groups) = groups.get(attribute) else { return };
    let rows = groups.iter().map(|(key, found)| {
        let (items, votes) = (found.items.to_string(), found.votes.to_string());
        vec![key.clone(), items, votes, percent(found.percent), number(found.alpha), number(found.ac1)]
    });
    let first = format!("by {column}");
    table(out, &[&first, "items", "votes", "agreement", "alpha", "AC1"], rows.collect(), groups.len());
}

/// A table whose first column is words and whose others are figures; `all` says how many rows there are in truth.
fn table(out: &mut String, head: &[&str], rows: Vec<Vec<String>>, all: usize) {
    if rows.is_empty() {
        return;
    }
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::from("  ");
        for (column, cell) in cells.enumerate() {
            let width = widths[column];
            let _ = if column == 0 { write!(text, "{cell:<width$}") } else { write!(text, "  {cell:>width$}") };
        }
        let _ = writeln!(out, "{}", text.trim_end());
    };
    line(&mut head.iter().copied());
    rows.iter().for_each(|row| line(&mut row.iter().map(String::as_str)));
    if all > rows.len() {
        let _ = writeln!(out, "  and {} more (--json has all)", all - rows.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kenami_domain::votes::VoteTable;

    #[test]
    fn the_text_aligns_its_columns_and_explains_what_is_undefined() {
        let mut table = VoteTable::new();
        for (item, x, y) in [("1", "drop", "drop"), ("2", "semi_erect", "erect"), ("3", "erect", "erect")] {
            table.push(item, "Björn", "ear", x);
            table.push(item, "y", "ear", y);
            table.push(item, "y", "coat", "wire");
        }
        table.push("1", "Björn", "coat", "wire");
        let text = text(&agreement(&table, &AgreementOptions::default()));
        assert!(
            text.contains("ear: 3 items, 2 annotators, 6 votes\n  agreeing pairs of votes         0.6667\n"),
            "{text}"
        );
        assert!(text.contains("Krippendorff's alpha           undefined: every vote is the same answer"), "{text}");
        let line = |start: &str| text.lines().find(|line| line.trim_start().starts_with(start)).unwrap();
        assert_eq!(line("erect / semi_erect").split_whitespace().collect::<Vec<_>>()[3..6], ["1", "1", "50.0"]);
        let ends = ["pairs, lowest", "Björn / y"].map(|start| line(start).chars().count());
        assert!(ends[0] >= ends[1], "{text}");
    }
}
