//! `kenami consensus`: one answer an item from several annotators' votes; no server needed.

use std::{fs::File, io::BufReader, path::PathBuf};

use anyhow::{Context as _, Result};
use kenami_domain::{
    consensus::{ConsensusOptions, ConsensusReport, Method, consensus},
    csvio,
};

use super::{Usage, agreement::read_votes};

/// `kenami consensus FILE.csv --method M`.
#[derive(Debug, clap::Args)]
pub struct ConsensusArgs {
    /// Votes: item,annotator,attribute,answer
    pub file: PathBuf,
    /// The method
    #[arg(long, value_enum)]
    pub method: MethodArg,
    /// A model's probabilities, for crowdlab: item,attribute,answer,probability
    #[arg(long, value_name = "FILE")]
    pub probabilities: Option<PathBuf>,
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
    let votes = read_votes(&args.file)?;
    let probabilities = args.probabilities.as_ref().map(|path| {
        let explain = || path.display().to_string();
        let read = csvio::read_probabilities(BufReader::new(File::open(path).with_context(explain)?));
        let read = read.with_context(explain)?;
        read.errors.iter().for_each(|error| eprintln!("note: {}: {error}", path.display()));
        anyhow::Ok(read.value)
    });
    let probabilities = probabilities.transpose()?;
    let report = consensus(&votes, args.method.into(), probabilities.as_ref(), &ConsensusOptions::default())?;
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

/// One line an item: attribute, item, answer and its probability.
fn print_report(report: &ConsensusReport) {
    for (attribute, found) in &report.attributes {
        for (item, consensus) in &found.items {
            match &consensus.answer {
                Some(answer) => {
                    let probability = consensus.posterior.get(answer.key()).copied().unwrap_or_default();
                    say!("{attribute}\t{item}\t{answer}\t{probability:.4}");
                }
                None => say!("{attribute}\t{item}\ttie: {}\t", consensus.tied.join(", ")),
            }
        }
        for (annotator, consensus) in &found.annotators {
            if let Some(quality) = consensus.quality {
                eprintln!("{attribute}: quality of {annotator} {quality:.4}");
            }
        }
    }
}
