//! `kenami consensus`: one answer an item from several annotators' votes; no server needed.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::Result;
use kenami_domain::consensus::{AttributeConsensus, ConsensusOptions, ConsensusReport, Method, consensus};

use super::{
    Usage,
    votes::{read_decisions, read_probabilities, read_votes},
};

/// `kenami consensus FILE.csv --method M`.
#[derive(Debug, clap::Args)]
pub struct ConsensusArgs {
    /// Votes: item,annotator,attribute,answer
    pub file: PathBuf,
    /// The method
    #[arg(long, value_enum)]
    pub method: MethodArg,
    /// A model's out-of-sample probabilities, for crowdlab: item,attribute,answer,probability
    #[arg(long, value_name = "FILE")]
    pub probabilities: Option<PathBuf>,
    /// Reviewers' decisions, which stand above the votes: item,attribute,answer
    #[arg(long, value_name = "FILE")]
    pub decisions: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// A consensus method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum MethodArg {
    /// The answer with most votes
    Majority,
    /// Confusion matrices by expectation maximisation
    DawidSkene,
    /// One error rate an annotator, by expectation maximisation
    OneCoin,
    /// Votes weighed together with a model's probabilities
    Crowdlab,
}

impl From<MethodArg> for Method {
    fn from(argument: MethodArg) -> Self {
        match argument {
            MethodArg::Majority => Self::Majority,
            MethodArg::DawidSkene => Self::DawidSkene,
            MethodArg::OneCoin => Self::OneCoin,
            MethodArg::Crowdlab => Self::Crowdlab,
        }
    }
}

/// Runs `kenami consensus`.
///
/// # Errors
/// The files cannot be read, or crowdlab lacks probabilities.
pub async fn run(args: ConsensusArgs) -> Result<()> {
    if args.method == MethodArg::Crowdlab && args.probabilities.is_none() {
        return Err(Usage::error("the method crowdlab needs --probabilities FILE.csv"));
    }
    let (votes, _) = read_votes(&args.file, &[])?;
    let probabilities = args.probabilities.as_deref().map(read_probabilities).transpose()?;
    let decisions = read_decisions(args.decisions.as_ref())?;
    let mut report = consensus(&votes, args.method.into(), probabilities.as_ref(), &ConsensusOptions::default())?;
    decisions.iter().for_each(|row| report.adjudicate(&row.item, &row.attribute, &row.answer));
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

/// The report for people: a line an item, cells parted by tabs; then the annotators, the worst first.
fn text(report: &ConsensusReport) -> String {
    let mut out = String::from("attribute\titem\tanswer\tprobability\n");
    for (attribute, found) in &report.attributes {
        for (item, consensus) in &found.items {
            let _ = match &consensus.answer {
                Some(answer) if consensus.adjudicated => writeln!(out, "{attribute}\t{item}\t{answer}\tdecided"),
                Some(answer) => {
                    let probability = consensus.posterior.get(answer.key()).copied().unwrap_or_default();
                    writeln!(out, "{attribute}\t{item}\t{answer}\t{probability:.4}")
                }
                None => writeln!(out, "{attribute}\t{item}\ttie: {}\t", consensus.tied.join(", ")),
            };
        }
    }
    out.push_str("\nattribute\tannotator\tquality\tvotes\n");
    for (attribute, found) in &report.attributes {
        annotators(&mut out, attribute, found);
    }
    out
}

/// A line an annotator, the worst first, those of whom nothing can be said last; then how the fit ended.
fn annotators(out: &mut String, attribute: &str, found: &AttributeConsensus) {
    let mut sorted: Vec<_> = found.annotators.iter().collect();
    let key = |quality: Option<f64>| quality.unwrap_or(f64::INFINITY);
    sorted.sort_by(|one, other| key(one.1.quality).total_cmp(&key(other.1.quality)));
    for (annotator, consensus) in sorted {
        let quality = consensus.quality.map_or_else(|| "-".to_owned(), |quality| format!("{quality:.4}"));
        let _ = writeln!(out, "{attribute}\t{annotator}\t{quality}\t{}", consensus.votes);
    }
    if let (Some(iterations), Some(log_likelihood)) = (found.iterations, found.log_likelihood) {
        let ended = if found.converged == Some(true) { "converged" } else { "did not converge" };
        eprintln!("{attribute}: {ended} in {iterations} iterations, log-likelihood {log_likelihood:.6}");
    }
}
