//! The model card (M. Mitchell et al., Model Cards for Model Reporting, FAT* 2019) as `README.md`.

use std::{fmt::Write as _, fs, io, path::Path};

use kenami_domain::{
    dataset::Split,
    metrics::{Metrics, PseudoLabels, SplitMetrics},
    run_config::{RunConfig, WeightsKind, weights_kind},
};

use super::{ReportInput, headline};
use crate::{error::Result, files::write_atomically};

const CARD: &str = "README.md";
/// Where a README.md of the user's own lies in the folder.
const OTHER_CARD: &str = "MODEL_CARD.md";
/// The first line, by which a card is known again.
const MARK: &str = "<!-- model card, written by kenami train -->";
/// Pairs named as most confused.
const PAIRS: usize = 5;

/// Whether a file is a card that an earlier run left.
pub(super) fn is_card(path: &Path) -> bool {
    let is_named = path.file_name().is_some_and(|name| name == CARD || name == OTHER_CARD);
    is_named && fs::read(path).is_ok_and(|bytes| bytes.starts_with(MARK.as_bytes()))
}

/// Writes the card; a README.md that is no card stays, the card then has another name.
pub(super) fn write(out_dir: &Path, input: &ReportInput<'_>, metrics: &Metrics) -> Result<()> {
    let path = out_dir.join(CARD);
    let path = if path.exists() && !is_card(&path) { out_dir.join(OTHER_CARD) } else { path };
    let text = text(input, metrics);
    write_atomically(&path, |file: &mut dyn io::Write| file.write_all(text.as_bytes()))
}

fn text(input: &ReportInput<'_>, metrics: &Metrics) -> String {
    let mut card = format!("{MARK}\n# Model card: {}\n\n", input.dataset.manifest.name);
    let heads: Vec<String> = input.heads.iter().map(|head| format!("`{}`", head.attribute)).collect();
    line(
        &mut card,
        &format!(
            "A network (`{}`) that predicts {} of a photo, trained by Kenami {} on the dataset below.\n",
            input.config.model.name,
            heads.join(", "),
            env!("CARGO_PKG_VERSION"),
        ),
    );
    data(&mut card, input);
    if let Some(pseudo) = input.pseudo {
        pseudo_labels(&mut card, pseudo);
    }
    configuration(&mut card, input.config);
    figures(&mut card, metrics);
    calibration(&mut card, metrics);
    mistakes(&mut card, metrics);
    if let Some(timing) = metrics.timing {
        line(
            &mut card,
            &format!(
                "## Time\n\nOne photo at a time, network and heads without decoding: median {:.1} ms, 95th percentile {:.1} ms \
                 ({} passes on the machine that trained it).\n",
                timing.median_ms, timing.p95_ms, timing.passes
            ),
        );
    }
    uses(&mut card, input);
    loading(&mut card);
    files(&mut card);
    card
}

fn line(card: &mut String, text: &str) {
    card.push_str(text);
    card.push('\n');
}

fn data(card: &mut String, input: &ReportInput<'_>) {
    let manifest = &input.dataset.manifest;
    let or_none = |text: &str| if text.is_empty() { "not recorded".to_owned() } else { format!("`{text}`") };
    line(card, "## Data\n");
    line(card, &format!("- dataset: {}", or_none(&manifest.name)));
    line(card, &format!("- project: {}", or_none(&manifest.project)));
    line(card, &format!("- content hash: {}", or_none(&manifest.hash)));
    line(card, &format!("- answers of several people became one by: {}", manifest.policy));
    let versions = manifest.guideline_versions.iter();
    let versions: Vec<String> = versions.map(|(attribute, version)| format!("{attribute} {version}")).collect();
    if !versions.is_empty() {
        line(card, &format!("- guideline versions: {}", versions.join(", ")));
    }
    line(card, "\n| | train | validation | test |\n|---|---:|---:|---:|");
    let row = |card: &mut String, name: &str, count: &dyn Fn(Split) -> usize| {
        let counts = Split::ALL.map(|split| count(split).to_string()).join(" | ");
        line(card, &format!("| {name} | {counts} |"));
    };
    let items = &input.dataset.items;
    row(card, "photos", &|split| items.iter().filter(|item| item.split == split).count());
    for head in input.heads {
        row(card, &format!("with an answer to `{}`", head.attribute), &|split| head.answered(items, split).count());
    }
    line(card, "");
    for head in input.heads {
        line(card, &format!("- `{}`: {}", head.attribute, head.labels.join(", ")));
    }
    line(card, "");
}

fn pseudo_labels(card: &mut String, pseudo: &PseudoLabels) {
    line(card, "## Pseudo-labels\n");
    line(
        card,
        &format!(
            "A second round learnt also from what the first round's model was sure of (probability {} and more): {} of {} photos \
             that lacked an answer.\n",
            pseudo.threshold, pseudo.taken, pseudo.photos
        ),
    );
    line(card, "| head | answers taken | test accuracy before |\n|---|---:|---:|");
    for attribute in pseudo.attributes() {
        let taken = pseudo.answers.get(attribute).copied().unwrap_or(0);
        let before = pseudo.before.get(attribute).map(|before| format!("{:.2}", 100.0 * before)).unwrap_or_default();
        line(card, &format!("| {attribute} | {taken} | {before} |"));
    }
    line(card, "");
}

fn configuration(card: &mut String, config: &RunConfig) {
    line(card, "## Configuration\n");
    line(card, "With every default written out (`config.toml` is the same):\n");
    let _ = writeln!(card, "```toml\n{}\n```\n", config.to_toml().trim_end());
}

/// Every head and split.
fn rows(metrics: &Metrics) -> impl Iterator<Item = (&String, Split, &SplitMetrics)> {
    metrics.heads.iter().flat_map(|(attribute, splits)| {
        Split::ALL.into_iter().filter_map(move |split| Some((attribute, split, splits.get(split.as_str())?)))
    })
}

fn figures(card: &mut String, metrics: &Metrics) {
    line(card, "## Figures\n");
    line(
        card,
        "Accuracies in percent with their standard error; choices belong on validation, test is looked at once.\n",
    );
    line(card, "| head | split | photos | accuracy | mean per class | top 5 | macro F1 | NLL |");
    line(card, "|---|---|---:|---:|---:|---:|---:|---:|");
    for (attribute, split, m) in rows(metrics) {
        let error = (m.accuracy * (1.0 - m.accuracy) / m.n as f64).sqrt();
        // Five of at most five values hold the answer whatever the model does.
        let top5 = if m.confusion.labels.len() > 5 { format!("{:.2}", 100.0 * m.top5_accuracy) } else { String::new() };
        line(
            card,
            &format!(
                "| {attribute} | {split} | {} | {:.2} +- {:.2} | {:.2} | {top5} | {:.2} | {:.4} |",
                m.n,
                100.0 * m.accuracy,
                100.0 * error,
                100.0 * m.mean_per_class_accuracy,
                100.0 * m.macro_f1,
                m.nll
            ),
        );
    }
    line(card, "");
    if !metrics.coincidences.is_empty() {
        line(card, "Do mistakes fall on the same photos? (`coincidence.csv`)\n");
        line(card, "| given | head | split | both right | only head wrong | only given wrong | both wrong | phi |");
        line(card, "|---|---|---|---:|---:|---:|---:|---:|");
        for c in &metrics.coincidences {
            let phi = c.phi.map(|phi| format!("{phi:.2}")).unwrap_or_default();
            let names = format!("| {} | {} | {}", c.given, c.attribute, c.split);
            let counts = [c.both_right, c.attribute_wrong, c.given_wrong, c.both_wrong].map(|n| n.to_string());
            line(card, &format!("{names} | {} | {phi} |", counts.join(" | ")));
        }
        line(card, "");
    }
}

fn calibration(card: &mut String, metrics: &Metrics) {
    line(card, "## Calibration\n");
    if metrics.temperatures.is_empty() {
        line(card, "No temperature was fitted: probabilities are the network's own.\n");
        return;
    }
    line(
        card,
        "Logits are divided by a temperature that was fitted on validation; predictions and `kenami predict` use it. ECE: \
         expected calibration error, 15 bins.\n",
    );
    line(card, "| head | T | split | ECE before | ECE after | NLL before | NLL after |");
    line(card, "|---|---:|---|---:|---:|---:|---:|");
    for (attribute, split, m) in rows(metrics) {
        if let (Some(t), Some(after)) = (metrics.temperatures.get(attribute), m.calibrated) {
            let figures = [m.ece, after.ece, m.nll, after.nll].map(|value| format!("{value:.4}")).join(" | ");
            line(card, &format!("| {attribute} | {t:.3} | {split} | {figures} |"));
        }
    }
    line(card, "");
}

fn mistakes(card: &mut String, metrics: &Metrics) {
    line(card, "## Mistakes\n");
    for attribute in metrics.heads.keys() {
        let Some((split, figures)) = headline(metrics, attribute) else { continue };
        let pairs = figures.most_confused.iter().take(PAIRS);
        let pairs: Vec<String> =
            pairs.map(|pair| format!("{} taken for {} ({})", pair.answer, pair.predicted, pair.count)).collect();
        let text = if pairs.is_empty() { "none".to_owned() } else { pairs.join("; ") };
        line(card, &format!("- `{attribute}`, {split}: {text}"));
    }
    line(card, "");
}

fn uses(card: &mut String, input: &ReportInput<'_>) {
    line(card, "## Intended use and limits\n");
    line(
        card,
        "- For photos like those of the dataset: one subject a photo, the largest counts. Others were not looked at.",
    );
    line(card, "- It knows the values listed above and answers with one of them, whatever the photo shows.");
    line(card, "- It says what the labels say: where people disagree or guidelines leave room, so does it.");
    line(card, "- A value with few photos has figures of little weight: see the support in `per_class.csv`.");
    line(card, "\n## Licence\n");
    let source = match weights_kind(&input.config.model.weights) {
        WeightsKind::None => "The network was not pretrained; the licence of the photos and labels decides.".to_owned(),
        WeightsKind::Demo => "Pretrained weights: those that come with Kenami, licence Apache-2.0.".to_owned(),
        WeightsKind::Run(_) | WeightsKind::Hub(_) | WeightsKind::Path(_) => format!(
            "The licence of the pretrained weights (`{}`) is not known here: ask their source before passing the model on.",
            input.config.model.weights
        ),
    };
    line(card, &format!("{source} That of the photos and labels is not recorded in the dataset.\n"));
}

fn loading(card: &mut String) {
    line(card, "## How to load\n");
    line(card, "```sh\nkenami predict --run . --images PHOTOS --out predictions.csv\n```\n");
    line(card, "Without Kenami, in Python (package safetensors):\n");
    line(
        card,
        "```python\n\
         import json\n\
         from safetensors import safe_open\n\
         \n\
         with safe_open(\"model.safetensors\", \"numpy\") as file:\n\
         \x20   about = json.loads(file.metadata()[\"kenami\"])  # configuration, heads with their values, temperatures\n\
         \x20   tensors = {name: file.get_tensor(name) for name in file.keys()}\n\
         ```\n",
    );
    line(
        card,
        "`trunk.*` are the network's tensors under PyTorch's names, `heads.ATTRIBUTE.{weight,bias}` the linear heads on its \
         pooled features.\n",
    );
}

fn files(card: &mut String) {
    line(card, "## Files\n");
    for (name, content) in [
        ("metrics.json", "all figures"),
        (
            "predictions.csv",
            "every value of every head for every photo, after temperature scaling; where a second round learnt the model's own answer, the first round's",
        ),
        ("per_class.csv", "precision, recall, F1 and support per value"),
        ("confused.csv", "most confused pairs with their photos, the model's surest mistake first"),
        ("top_losses.csv", "the photos with the largest losses"),
        ("accuracy_by_given.csv", "accuracy of each head per value of each given attribute"),
        ("confusion_HEAD.csv, .png", "confusion matrices"),
        ("reliability_HEAD.csv, .png", "accuracy over confidence"),
        ("curves.csv, .png", "losses and accuracies over epochs"),
    ] {
        line(card, &format!("- `{name}`: {content}"));
    }
}
