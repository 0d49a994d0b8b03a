//! Reading the files of votes, decisions and probabilities: a row that cannot be read is named by file, line and column.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use kenami_domain::{
    csvio::{self, CsvError, DecisionRow, Parsed, Probabilities, VoteColumn},
    votes::VoteTable,
};

/// Bad rows that are named; the rest is counted.
const NAMED: usize = 20;

/// Reads votes, and what the columns `more` say of each.
pub(super) fn read_votes(path: &Path, more: &[String]) -> Result<(VoteTable, Vec<VoteColumn>)> {
    let (table, columns) = read(path, |reader| csvio::read_votes_with(reader, more))?;
    anyhow::ensure!(!table.is_empty(), "{}: no vote can be read from it", path.display());
    Ok((table, columns))
}

/// Reads decisions, if a file is given.
pub(super) fn read_decisions(path: Option<&PathBuf>) -> Result<Vec<DecisionRow>> {
    path.map_or_else(|| Ok(Vec::new()), |path| read(path, csvio::read_decisions))
}

/// Reads a model's probabilities.
pub(super) fn read_probabilities(path: &Path) -> Result<Probabilities> {
    let probabilities = read(path, csvio::read_probabilities)?;
    anyhow::ensure!(!probabilities.is_empty(), "{}: no probability can be read from it", path.display());
    Ok(probabilities)
}

fn read<T>(path: &Path, parse: impl FnOnce(BufReader<File>) -> Result<Parsed<T>, CsvError>) -> Result<T> {
    let explain = || path.display().to_string();
    let file = File::open(path).with_context(explain)?;
    let parsed = parse(BufReader::with_capacity(1 << 18, file)).with_context(explain)?;
    for error in parsed.errors.iter().take(NAMED) {
        eprintln!("note: {}: {error}; the row is left out", path.display());
    }
    if parsed.errors.len() > NAMED {
        eprintln!("note: {}: {} more rows are left out", path.display(), parsed.errors.len() - NAMED);
    }
    Ok(parsed.value)
}
