//! `kenami agreement`: how far annotators agree; no server needed.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use kenami_domain::{
    agreement::{AgreementOptions, AgreementReport, agreement},
    csvio,
    votes::VoteTable,
};

/// `kenami agreement FILE.csv`.
#[derive(Debug, clap::Args)]
pub struct AgreementArgs {
    /// Votes: item,annotator,attribute,answer
    pub file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Runs `kenami agreement`.
///
/// # Errors
/// The file cannot be read, or holds no vote.
pub async fn run(args: AgreementArgs) -> Result<()> {
    let votes = read_votes(&args.file)?;
    let report = agreement(&votes, &AgreementOptions::default());
    for warning in &report.warnings {
        eprintln!("note: {warning}");
    }
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print_report(&report);
    }
    Ok(())
}

/// Reads votes; rows that cannot be read are named on standard error.
pub(super) fn read_votes(path: &Path) -> Result<VoteTable> {
    let explain = || path.display().to_string();
    let file = File::open(path).with_context(explain)?;
    let read = csvio::read_votes(BufReader::new(file)).with_context(explain)?;
    for error in &read.errors {
        eprintln!("note: {}: {error}", path.display());
    }
    anyhow::ensure!(!read.value.is_empty(), "{}: no vote can be read from it", path.display());
    Ok(read.value)
}

fn print_report(report: &AgreementReport) {
    say!("attribute       items  votes  percent   alpha  alpha*  fleiss     ac1");
    for (attribute, found) in &report.attributes {
        let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        say!(
            "{attribute:<15} {:>5} {:>6} {:>8} {:>7} {:>7} {:>7} {:>7}",
            found.items,
            found.votes,
            figure(found.percent),
            figure(found.alpha),
            figure(found.alpha_not_visible_missing),
            figure(found.fleiss),
            figure(found.ac1)
        );
        for pair in &found.cohen {
            say!("  kappa {} - {}: {} ({} items)", pair.a, pair.b, figure(pair.kappa), pair.items);
        }
        for (figure, reason) in &found.undefined {
            say!("  {figure} is undefined: {reason}");
        }
    }
    say!("alpha*: not_visible and unsure taken as missing");
}
