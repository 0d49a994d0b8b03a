//! Seconds for a million votes of 200 annotators: reading the CSV, agreement, consensus, and writing their JSON.
//!
//! `cargo run --release -p kenami-domain --example votes_bench [-- VOTES [FILE.csv]]`; with FILE.csv the votes are also
//! written there, for other programs to be timed on the same table.

use std::{error::Error, time::Instant};

use kenami_domain::{
    agreement::{AgreementOptions, agreement},
    consensus::{ConsensusOptions, Method, consensus},
    csvio::{Probabilities, read_votes, write_votes},
    votes::VoteTable,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ANNOTATORS: usize = 200;
const VOTES_AN_ITEM: usize = 5;
const ANSWERS: [&str; 5] = ["drop", "semi_erect", "erect", "cropped", "not_visible"];

/// Annotators of accuracies from .4 to .95, five on each item, four values and not visible.
fn simulated(votes: usize) -> (VoteTable, Vec<&'static str>) {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut table = VoteTable::new();
    let mut truths = Vec::new();
    for item in 0..votes / VOTES_AN_ITEM {
        let truth = rng.random_range(0..ANSWERS.len());
        truths.push(ANSWERS[truth]);
        let first = rng.random_range(0..ANNOTATORS);
        for vote in 0..VOTES_AN_ITEM {
            let annotator = (first + vote * 37) % ANNOTATORS;
            let accuracy = 0.4 + 0.55 * annotator as f64 / ANNOTATORS as f64;
            let answer =
                if rng.random_bool(accuracy) { truth } else { (truth + rng.random_range(1..5)) % ANSWERS.len() };
            table.push(&format!("{item:07}.jpg"), &format!("annotator-{annotator:03}"), "ear", ANSWERS[answer]);
        }
    }
    (table, truths)
}

/// A model that gives the truth .6.
fn model(truths: &[&str]) -> Probabilities {
    let mut probabilities = Probabilities::new();
    for (item, truth) in truths.iter().enumerate() {
        for answer in ANSWERS {
            let p = if answer == *truth { 0.6 } else { 0.1 };
            probabilities.push(&format!("{item:07}.jpg"), "ear", answer, p);
        }
    }
    probabilities
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what}: {:.3} s", start.elapsed().as_secs_f64());
    result
}

fn main() -> Result<(), Box<dyn Error>> {
    let votes: usize = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let (table, truths) = simulated(votes);
    let mut file = Vec::new();
    write_votes(&mut file, &table)?;
    if let Some(path) = std::env::args().nth(2) {
        std::fs::write(path, &file)?;
    }
    println!("{} votes, {} annotators, {} items", table.len(), table.annotators().len(), table.items().len());
    let table = timed("read csv", || read_votes(file.as_slice()))?.value;
    let report = timed("agreement", || agreement(&table, &AgreementOptions::default()));
    println!("  alpha {:?}", report.attributes["ear"].alpha);
    let json = timed("agreement json", || serde_json::to_vec(&report))?;
    println!("  {} bytes", json.len());
    let probabilities = model(&truths);
    for method in Method::ALL {
        let options = ConsensusOptions::default();
        let report = timed(method.as_str(), || consensus(&table, method, Some(&probabilities), &options))?;
        let ear = &report.attributes["ear"];
        let right = ear
            .items
            .values()
            .zip(&truths)
            .filter(|(item, truth)| item.answer.as_ref().is_some_and(|answer| answer.key() == **truth));
        let accuracy = right.count() as f64 / truths.len() as f64;
        println!("  accuracy {accuracy:.4}, iterations {:?}, log-likelihood {:?}", ear.iterations, ear.log_likelihood);
        timed(&format!("{method} json"), || serde_json::to_vec(&report))?;
    }
    Ok(())
}
