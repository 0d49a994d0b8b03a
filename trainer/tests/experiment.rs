//! A whole experiment on the small drawn dataset.
#![allow(missing_docs)]

mod common;

use std::{
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use common::{demo_file, drawn};
use kenami_domain::{dataset::Split, learning_curve::Refusal, statistics::mcnemar};
use kenami_trainer::{
    Error, Event, Observer, Silent, WeightsInput,
    experiment::{CellState, ExperimentRequest, Measure, Plan, Results, run},
};

const PLAN: &str = r#"
title = "SIMULATED <b> & \"more\""
seeds = [3, 1]
[base]
epochs = 4
batch_size = 8
image_size = 32
[[variant]]
name = "baseline"
[variant.heads.breed]
[[variant]]
name = "both"
[variant.heads]
breed = {}
ear = { targets = "instance" }
[[variant]]
name = "hopeless"
epochs = 1
optimizer.lr = 1e-6
[variant.heads.breed]
"#;

fn request(out_dir: &Path, plan: &str) -> ExperimentRequest {
    ExperimentRequest {
        plan: Plan::from_toml(plan).unwrap(),
        dataset: drawn(),
        out_dir: out_dir.to_owned(),
        cache_dir: None,
        weights: Some(WeightsInput::Bytes(demo_file().into())),
        keep_weights: true,
    }
}

/// Remembers which cells were trained; stops in the middle of the `stop_in`-th.
#[derive(Default)]
struct Watch {
    trained: Mutex<Vec<(String, u64, bool)>>,
    stop_in: Option<usize>,
    stopped: AtomicBool,
}

impl Observer for Watch {
    fn event(&self, event: Event) {
        match event {
            Event::Cell { variant, seed, finished, cells, .. } => {
                assert_eq!(cells, 6);
                self.trained.lock().unwrap().push((variant, seed, !finished));
            }
            Event::Epoch { epoch: 2, .. } if Some(self.trained.lock().unwrap().len()) == self.stop_in => {
                self.stopped.store(true, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn an_experiment_is_broken_off_goes_on_and_says_what_its_runs_say() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path(), PLAN);
    let watch = Watch { stop_in: Some(4), ..Watch::default() };
    assert!(matches!(run(&request, &watch).unwrap_err(), Error::Cancelled));
    // What was finished is reported.
    let early: Results = serde_json::from_str(&read(&dir.path().join("experiment.json"))).unwrap();
    assert_eq!(early.cells.len(), 3);
    assert!(early.differences.iter().all(|difference| difference.paired.difference.n == 1));
    assert!(dir.path().join("baseline/seed-1/checkpoint.safetensors").exists());

    let watch = Watch::default();
    let results = run(&request, &watch).unwrap();
    let trained = watch.trained.lock().unwrap();
    let expected = [
        ("baseline", 3, false),
        ("both", 3, false),
        ("hopeless", 3, false),
        ("baseline", 1, true),
        ("both", 1, true),
        ("hopeless", 1, true),
    ];
    assert_eq!(*trained, expected.map(|(variant, seed, trained)| (variant.to_owned(), seed, trained)));

    assert_eq!(results.heads().into_iter().collect::<Vec<_>>(), ["breed", "ear"]);
    assert_eq!(results.cells.len(), 6);
    assert!(results.cells.iter().all(|cell| cell.state == CellState::Finished));
    // Figures are those of the cells' own files.
    let accuracy = |variant: &str, seed: u64| {
        let metrics = read(&dir.path().join(format!("{variant}/seed-{seed}/metrics.json")));
        let metrics: serde_json::Value = serde_json::from_str(&metrics).unwrap();
        metrics["heads"]["breed"]["test"]["accuracy"].as_f64().unwrap()
    };
    let figure = results.figure("breed", "hopeless", Split::Test, Measure::Accuracy).unwrap();
    let mean = (accuracy("hopeless", 3) + accuracy("hopeless", 1)) / 2.0;
    assert_eq!(figure.n, 2);
    assert!((figure.mean - mean).abs() < 1e-12);
    let difference = results.difference("breed", "hopeless", Split::Test, Measure::Accuracy).unwrap();
    let baseline = (accuracy("baseline", 3) + accuracy("baseline", 1)) / 2.0;
    assert!((difference.difference.mean - (mean - baseline)).abs() < 1e-12);
    // No baseline to compare the ear with.
    assert!(results.difference("ear", "both", Split::Test, Measure::Accuracy).is_none());

    // McNemar's counts by hand, of nine test photos a seed, named by their breed.
    let right = |variant: &str, seed: u64| -> Vec<bool> {
        let rows = read(&dir.path().join(format!("{variant}/seed-{seed}/predictions.csv")));
        let first = rows.lines().filter(|row| row.contains(",test,breed,") && row.ends_with(",1"));
        first.map(|row| row.split('_').next() == row.split(',').nth(3)).collect()
    };
    let mut total = (0, 0);
    for seed in [3, 1] {
        let (a, b) = (right("baseline", seed), right("hopeless", seed));
        assert_eq!((a.len(), b.len()), (9, 9));
        let only = |a: &[bool], b: &[bool]| a.iter().zip(b).filter(|(a, b)| **a && !**b).count() as u64;
        let counts = (only(&a, &b), only(&b, &a));
        total = (total.0 + counts.0, total.1 + counts.1);
        let found = results
            .comparisons
            .iter()
            .find(|c| c.against == "baseline" && c.variant == "hopeless" && c.seed == Some(seed))
            .unwrap();
        assert_eq!((found.photos, found.test), (9, mcnemar(counts.0, counts.1)));
    }
    let pooled = results
        .comparisons
        .iter()
        .find(|c| c.against == "baseline" && c.variant == "hopeless" && c.seed.is_none())
        .unwrap();
    assert_eq!((pooled.photos, pooled.test), (18, mcnemar(total.0, total.1)));
    assert!(total.0 > 0, "the comparison compares nothing");

    let stored: Results = serde_json::from_str(&read(&dir.path().join("experiment.json"))).unwrap();
    assert_eq!(stored, results);
}

#[test]
fn shares_of_the_labels_make_a_curve_and_are_not_compared() {
    let dir = tempfile::tempdir().unwrap();
    let share =
        |name: &str, share: f64| format!("[[variant]]\nname = \"{name}\"\nlabels = {share}\n[variant.heads.ear]\n");
    let plan = format!("{}{}{}", PLAN.replace("epochs = 4", "epochs = 1"), share("half", 0.5), share("whole", 1.0));
    let request = ExperimentRequest { keep_weights: false, ..request(dir.path(), &plan) };
    let results = run(&request, &Silent).unwrap();
    assert_eq!(results.variants, ["baseline", "both", "hopeless"]);
    assert!(results.comparisons.iter().all(|comparison| results.variants.contains(&comparison.variant)));
    let [curve] = &results.curves[..] else { panic!("{:?}", results.curves) };
    assert_eq!((curve.head.as_str(), curve.seeds, curve.points.len()), ("ear", 2, 2));
    assert!(curve.points[0].labels < curve.points[1].labels);
    assert_eq!(curve.refused, Some(Refusal::TooFewRuns));
    // Labels are those that the cells were trained on; the accuracy is that of validation and test together.
    let metrics: serde_json::Value = serde_json::from_str(&read(&dir.path().join("half/seed-3/metrics.json"))).unwrap();
    let ear = &metrics["heads"]["ear"];
    let photos = ["validation", "test"].map(|split| ear[split]["n"].as_u64().unwrap());
    assert_eq!(curve.photos as u64, photos[0] + photos[1]);
    assert!(curve.points[0].labels >= ear["train"]["n"].as_f64().unwrap() - 1.0);
    assert!(!dir.path().join("half/seed-3/model.safetensors").exists());
    // Without the weights the cells are still finished.
    let written = || fs::metadata(dir.path().join("half/seed-1/metrics.json")).unwrap().modified().unwrap();
    let before = written();
    assert_eq!(run(&request, &Silent).unwrap(), results);
    assert_eq!(written(), before);
}

#[test]
fn the_report_is_readable_anywhere_and_escapes_what_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let results = run(&request(dir.path(), PLAN), &Silent).unwrap();
    let markdown = read(&dir.path().join("table.md"));
    assert!(markdown.starts_with("# SIMULATED <b> & \"more\"\n"), "{markdown}");
    let figure = results.figure("breed", "both", Split::Test, Measure::Accuracy).unwrap();
    let spread = format!("{:.2} ± {:.2}", figure.mean * 100.0, figure.deviation.unwrap() * 100.0);
    let row = markdown.lines().find(|line| line.starts_with("| both | 2 |")).unwrap();
    assert!(row.contains(&spread), "{row}");

    let table = read(&dir.path().join("table.csv"));
    let mut csv = csv::Reader::from_reader(table.as_bytes());
    let columns = csv.headers().unwrap().len();
    let rows: Vec<_> = csv.records().map(Result::unwrap).collect();
    assert_eq!(columns, 16);
    // Three variants with a breed, one with an ear too; two splits, two measures.
    assert_eq!(rows.len(), 4 * 2 * 2);

    let page = read(&dir.path().join("index.html"));
    assert!(page.contains("SIMULATED &lt;b&gt; &amp; &quot;more&quot;"));
    for forbidden in ["<script", "http:", "https:", "<b>", "src=", "@import", "url("] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("prefers-color-scheme:dark"));
    // A line for each of the six runs in each of the breed's four pictures; single epochs are dots.
    assert_eq!(page.matches("<polyline").count() + page.matches("<circle").count(), 6 * 4 + 2 * 4);
    assert_eq!(page.matches("<circle").count(), 2 * 4);
    for tag in ["section", "table", "tr", "td", "th", "svg", "figure", "div", "details", "main"] {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn a_changed_configuration_and_a_failed_run_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    run(&request(dir.path(), PLAN), &Silent).unwrap();
    let changed = PLAN.replace("optimizer.lr = 1e-6", "optimizer.lr = 1e30");
    let watch = Watch::default();
    let results = run(&request(dir.path(), &changed), &watch).unwrap();
    for (variant, _, trained) in watch.trained.lock().unwrap().iter() {
        assert_eq!(*trained, variant == "hopeless");
    }
    let failed: Vec<_> = results.cells.iter().filter(|cell| matches!(&cell.state, CellState::Failed(_))).collect();
    assert_eq!(failed.iter().map(|cell| cell.variant.as_str()).collect::<Vec<_>>(), ["hopeless"; 2]);
    assert!(results.figure("breed", "hopeless", Split::Test, Measure::Accuracy).is_none());
    assert!(read(&dir.path().join("table.md")).contains("hopeless with seed 3 failed"));
    assert!(!dir.path().join("hopeless/seed-3/metrics.json").exists());
}
