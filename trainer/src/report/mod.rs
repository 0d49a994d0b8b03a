//! What a run leaves for people to read: figures, tables and pictures that need no tool of ours.
//!
//! [`write`] is the one entry. It fills a run's folder with
//!
//! | file | content |
//! |---|---|
//! | `README.md` | the model card |
//! | `per_class.csv` | precision, recall and F1 per head, split and value |
//! | `confused.csv` | most confused pairs with their photos |
//! | `top_losses.csv` | the photos with the largest losses |
//! | `accuracy_by_given.csv` | each head's accuracy per value of each given attribute |
//! | `coincidence.csv` | whether a given attribute and another head err on the same photos |
//! | `confusion_HEAD.{csv,png}` | the confusion matrix on test (else validation, else train) |
//! | `reliability_HEAD.{csv,png}` | accuracy over confidence, before and after temperature scaling |
//! | `curves.png` | losses and accuracies over epochs |
//! | `cam/HEAD/*.png` | Grad-CAM overlays of the top losses, where asked for; with attention, its masks below |
//!
//! and returns the [`Metrics`] that the caller completes and writes last.

mod canvas;
mod card;
mod charts;
mod explanations;
mod scored;
mod tables;
mod timing;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write},
    path::Path,
};

use kenami_domain::{
    dataset::Split,
    metrics::{CurveRow, Metrics, PseudoLabels, SplitMetrics, Timing},
    run_config::RunConfig,
};

pub use explanations::Explainer;
pub use scored::ScoredHead;
pub use timing::time_passes;

use crate::{
    data::{Dataset, file_name},
    error::{Error, Result},
    evaluate::{Judged, calibration, evaluate, reliability},
    files::write_atomically,
    lr_finder::Found,
};

const CURVES: &str = "curves.png";
const CAMS: &str = "cam";
const TABLES: [&str; 5] =
    ["per_class.csv", "confused.csv", "top_losses.csv", "accuracy_by_given.csv", "coincidence.csv"];
/// What files of one head begin with.
const OF_A_HEAD: [&str; 2] = ["confusion_", "reliability_"];

/// Everything that a report is made of.
pub struct ReportInput<'a> {
    /// The dataset; heads have a row for each of its items.
    pub dataset: &'a Dataset,
    /// The configuration with what was resolved in it.
    pub config: &'a RunConfig,
    /// What each head says of each item.
    pub heads: &'a [ScoredHead],
    /// The curves.
    pub curves: &'a [CurveRow],
    /// How long a photo takes, see [`time_passes`].
    pub timing: Option<Timing>,
    /// Shows where the network looked; asked for `config.evaluate.explain` photos a head.
    pub explainer: Option<&'a dyn Explainer>,
    /// What a second round learnt from the model's own answers.
    pub pseudo: Option<&'a PseudoLabels>,
}

/// Writes the report into `out_dir` and returns its figures.
///
/// # Errors
/// A file cannot be written, or the explainer fails.
pub fn write(out_dir: &Path, input: &ReportInput<'_>) -> Result<Metrics> {
    let metrics = metrics(input);
    tables::write_all(out_dir, input, &metrics)?;
    for (head, stem) in input.heads.iter().zip(stems(input.heads)) {
        let Some((split, figures)) = headline(&metrics, &head.attribute) else { continue };
        let title = format!("{}: {} on {split} ({} photos)", input.dataset.manifest.name, head.attribute, figures.n);
        write_png(out_dir, &format!("confusion_{stem}.png"), &charts::confusion(&title, &figures.confusion))?;
        let panels = panels(input, head, split, figures);
        write_png(out_dir, &format!("reliability_{stem}.png"), &charts::reliability(&title, &panels))?;
    }
    if !input.curves.is_empty() {
        write_png(out_dir, CURVES, &charts::curves(input.curves))?;
    }
    explanations::write_all(out_dir, input, &metrics)?;
    card::write(out_dir, input, &metrics)?;
    Ok(metrics)
}

/// Removes an earlier report from a run's folder; files that no report writes stay.
///
/// # Errors
/// The folder cannot be listed or a file not removed.
pub(crate) fn clear(out_dir: &Path) -> Result<()> {
    let entries = match fs::read_dir(out_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(Error::io(out_dir))?,
    };
    for entry in entries {
        let path = entry.map_err(Error::io(out_dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_of_a_head = OF_A_HEAD.iter().any(|start| name.starts_with(start))
            && [".csv", ".png"].iter().any(|end| name.ends_with(end));
        if name == CURVES || TABLES.contains(&name.as_str()) || is_of_a_head || card::is_card(&path) {
            fs::remove_file(&path).map_err(Error::io(&path))?;
        } else if name == CAMS && path.is_dir() {
            fs::remove_dir_all(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

/// Writes a learning-rate search as a picture, and its steps as CSV beside it.
///
/// # Errors
/// A file cannot be written.
pub fn write_rates(picture: &Path, found: &Found) -> Result<()> {
    let (dir, name) = (picture.parent().unwrap_or(Path::new("")), picture.file_name().unwrap_or_default());
    write_png(dir, &name.to_string_lossy(), &charts::rates(found))?;
    write_atomically(&picture.with_extension("csv"), |file| {
        let mut csv = csv::Writer::from_writer(file);
        found.rows.iter().try_for_each(|row| csv.serialize(row))?;
        csv.flush()
    })
}

/// Figures per head and split, temperatures and coincidences.
fn metrics(input: &ReportInput<'_>) -> Metrics {
    let of_head = |head: &ScoredHead| -> BTreeMap<String, SplitMetrics> {
        let splits = Split::ALL.iter().filter_map(|split| {
            let mut figures = with_judged(input.dataset, head, *split, false, |p| evaluate(&head.labels, p))?;
            if head.temperature.is_some() {
                figures.calibrated = Some(with_judged(input.dataset, head, *split, true, calibration));
            }
            Some((split.to_string(), figures))
        });
        splits.collect()
    };
    let temperatures = input.heads.iter().filter_map(|head| Some((head.attribute.clone(), head.temperature?)));
    Metrics {
        heads: input.heads.iter().map(|head| (head.attribute.clone(), of_head(head))).collect(),
        temperatures: temperatures.collect(),
        timing: input.timing,
        coincidences: tables::coincidences(input),
        pseudo: input.pseudo.cloned(),
        ..Metrics::default()
    }
}

/// Calls `then` with the split's photos that have an answer, with distributions before or after temperature scaling.
fn with_judged<T>(
    dataset: &Dataset,
    head: &ScoredHead,
    split: Split,
    is_calibrated: bool,
    then: impl FnOnce(&[Judged<'_>]) -> T,
) -> T {
    let temperature = if is_calibrated { head.temperature.unwrap_or(1.0) } else { 1.0 };
    let rows: Vec<(usize, usize, Vec<f64>)> = head
        .answered(&dataset.items, split)
        .map(|(item, answer)| (item, answer, head.distribution(item, temperature)))
        .collect();
    let judged = rows.iter().map(|(item, answer, probabilities)| Judged {
        image: file_name(&dataset.items[*item].image),
        answer: *answer,
        probabilities,
    });
    then(&judged.collect::<Vec<_>>())
}

/// The split that counts: test where it has answers, else validation, else train.
fn headline<'a>(metrics: &'a Metrics, attribute: &str) -> Option<(Split, &'a SplitMetrics)> {
    let splits = metrics.heads.get(attribute)?;
    Split::ALL.into_iter().rev().find_map(|split| Some((split, splits.get(split.as_str())?)))
}

fn panels(
    input: &ReportInput<'_>,
    head: &ScoredHead,
    split: Split,
    figures: &SplitMetrics,
) -> Vec<(String, Vec<crate::evaluate::ReliabilityBin>)> {
    let bins = |is_calibrated| with_judged(input.dataset, head, split, is_calibrated, reliability);
    let mut panels = vec![(format!("before scaling: ECE {:.4}", figures.ece), bins(false))];
    if let (Some(calibrated), Some(temperature)) = (figures.calibrated, head.temperature) {
        panels.push((format!("T = {temperature:.3}: ECE {:.4}", calibrated.ece), bins(true)));
    }
    panels
}

/// Attribute keys as parts of file names: unlike letters become `_`, what would then be equal is numbered.
fn stems(heads: &[ScoredHead]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut unique = |attribute: &str| {
        let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let stem: String = attribute.chars().map(safe).collect();
        let numbered = (2..).map(|n| format!("{stem}_{n}"));
        let mut candidates = std::iter::once(stem.clone()).chain(numbered);
        // Some systems take names for equal that differ in case alone.
        candidates.find(|name| taken.insert(name.to_ascii_lowercase())).unwrap_or_default()
    };
    heads.iter().map(|head| unique(&head.attribute)).collect()
}

fn write_png(out_dir: &Path, name: &str, canvas: &canvas::Canvas) -> Result<()> {
    write_atomically(&out_dir.join(name), |file| file.write_all(&canvas.png()))
}

/// Writes a table with a header.
fn write_csv(path: &Path, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<()> {
    write_atomically(path, |file: &mut dyn Write| {
        let mut csv = csv::Writer::from_writer(file);
        csv.write_record(header)?;
        for row in rows {
            csv.write_record(row)?;
        }
        csv.flush()
    })
}

#[cfg(test)]
mod tests;
