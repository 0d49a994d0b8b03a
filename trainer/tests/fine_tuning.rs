//! Runs that train the trunk: with attention, and predictions of photos that a fold has not seen.
#![allow(missing_docs)]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use candle_core::Device;
use common::{drawn, request, run};
use kenami_domain::{
    dataset::Split,
    run_config::{ModelName, RunConfig},
};
use kenami_trainer::{
    Dataset, Error, Event, Observer, Predictor, Silent, TrainRequest, WeightsInput,
    attention::{SpatialPool, WEIGHT},
    graph::ParameterKind,
    models, train,
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

const CHANNELS: usize = 1280;
const MASKS: usize = 3;

fn config(train: &str, attention: &str) -> String {
    format!(
        "epochs = 3\nbatch_size = 8\nimage_size = 64\n[model]\ntrain = \"{train}\"\nattention = \"{attention}\"\n\
         attention_masks = {MASKS}\n[optimizer]\nlr = 0.05\nema = 0.9\n[schedule]\nfreeze_epochs = 1\n"
    )
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// `predictions.csv`: per photo and head, values with their probability, most likely first.
fn written(out: &Path) -> BTreeMap<(String, String), Vec<(String, f64)>> {
    let mut of: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in csv::Reader::from_path(out.join("predictions.csv")).unwrap().deserialize() {
        let (image, _, head, answer, probability, _): (String, String, String, String, f64, usize) = row.unwrap();
        of.entry((image, head)).or_default().push((answer, probability));
    }
    of
}

/// Whether the run's own model says of every photo what the run says.
fn assert_predicts_the_same(dataset: &Dataset, out: &Path) {
    let written = written(out);
    let photos: Vec<(String, Vec<u8>)> = dataset
        .items
        .iter()
        .map(|item| (item.image.trim_start_matches("images/").to_owned(), dataset.bytes(item).unwrap()))
        .collect();
    let predictor = Predictor::open(out).unwrap();
    for prediction in predictor.predict(&photos) {
        let prediction = prediction.unwrap();
        for (head, ranked) in prediction.heads {
            let rows = &written[&(prediction.image.clone(), head)];
            assert_eq!(rows.len(), ranked.len());
            for ((a, p), (b, q)) in ranked.iter().zip(rows) {
                assert!(a == b && (p - q).abs() < 1e-5, "{}: {a} {p} {b} {q}", prediction.image);
            }
        }
    }
}

#[test]
fn masks_are_trained_kept_and_used_for_what_the_run_says() {
    let (dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    for (part, attention, masks) in [("last-stage", "multi", MASKS), ("all", "multi", MASKS), ("all", "single", 1)] {
        let out = dir.path().join(format!("{part}-{attention}"));
        let text = config(part, attention);
        let metrics = run(&dataset, &out, &text);
        let file = fs::read(out.join("model.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&file).unwrap();
        let weight = file.tensor(WEIGHT).unwrap();
        assert_eq!(weight.shape(), [masks, CHANNELS]);
        assert_eq!(file.tensor("heads.breed.weight").unwrap().shape(), [3, masks * CHANNELS]);
        let start = first_masks(&text, CHANNELS);
        for (mask, (end, start)) in floats(weight.data()).chunks(CHANNELS).zip(start.chunks(CHANNELS)).enumerate() {
            let moved = end.iter().zip(start).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(moved > 1e-5, "{part} {attention}: mask {mask} stayed where it was ({moved})");
        }
        // Validation within training and the evaluation at its end go different ways to the same answer.
        let rows: Vec<kenami_domain::metrics::CurveRow> =
            csv::Reader::from_path(out.join("curves.csv")).unwrap().deserialize().collect::<Result<_, _>>().unwrap();
        let last = |row: &&kenami_domain::metrics::CurveRow| {
            row.epoch == 3 && row.split == "validation" && row.series == "breed/accuracy"
        };
        let last = rows.iter().find(last).unwrap().value;
        assert!((metrics.heads["breed"]["validation"].accuracy - last).abs() < 1e-9);
        assert_predicts_the_same(&dataset, &out);
    }
}

#[test]
fn masks_change_what_is_said() {
    let (dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    let out = dir.path().join("run");
    run(&dataset, &out, &config("last-stage", "multi"));
    let path = out.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let photo = [("photo.png".to_owned(), dataset.bytes(&dataset.items[0]).unwrap())];
    let said = |bytes: &[u8]| Predictor::from_bytes(bytes).unwrap().predict(&photo).remove(0).unwrap().heads;
    let before = said(&bytes);
    // Other masks in the same file, by the tensor's place in it.
    let (header, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let (from, to) = metadata.info(WEIGHT).unwrap().data_offsets;
    let mut other = bytes.clone();
    for (i, value) in other[8 + header + from..8 + header + to].chunks_exact_mut(4).enumerate() {
        value.copy_from_slice(&((i as f32 * 0.7).sin() * 3.0).to_le_bytes());
    }
    assert_ne!(said(&other), before);
}

/// Remembers epochs and folds, and cancels once `stop` says so of an event.
struct Watch<F> {
    events: Mutex<Vec<Event>>,
    stopped: AtomicBool,
    stop: F,
}

impl<F: Fn(&Event) -> bool> Watch<F> {
    fn new(stop: F) -> Self {
        Self { events: Mutex::default(), stopped: AtomicBool::default(), stop }
    }
}

impl<F: Fn(&Event) -> bool + Send + Sync> Observer for Watch<F> {
    fn event(&self, event: Event) {
        if (self.stop)(&event) {
            self.stopped.store(true, Ordering::Relaxed);
        }
        self.events.lock().unwrap().push(event);
    }

    fn cancelled(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

#[test]
fn a_run_with_masks_that_was_interrupted_ends_bit_identical() {
    let (dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    let text = config("last-stage", "multi");
    let (whole, broken) = (dir.path().join("whole"), dir.path().join("broken"));
    run(&dataset, &whole, &text);
    let watch = Watch::new(|event| matches!(event, Event::Epoch { epoch: 2, .. }));
    let stopped = train(request(&dataset, &broken, &text), &watch);
    assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
    let checkpoint = fs::read(broken.join("checkpoint.safetensors")).unwrap();
    let names = SafeTensors::deserialize(&checkpoint).unwrap();
    for name in [WEIGHT, "optimizer.0.attention.weight", "ema.attention.weight"] {
        assert!(names.tensor(name).is_ok(), "the checkpoint has no {name}");
    }
    train(TrainRequest { resume: true, ..request(&dataset, &broken, &text) }, &Silent).unwrap();
    for file in ["model.safetensors", "predictions.csv", "curves.csv"] {
        assert!(fs::read(whole.join(file)).unwrap() == fs::read(broken.join(file)).unwrap(), "{file} differs");
    }
}

/// A ConvNeXt's weights, quicker made than drawn: norms and layer scales at 1, shifts at 0.
fn convnext_file() -> Vec<u8> {
    let tensors = models::parameters(ModelName::ConvnextTiny).into_iter().map(|parameter| {
        let scale = (1.0 / parameter.shape[1..].iter().product::<usize>() as f32).sqrt();
        let value = |i: usize| match parameter.kind {
            ParameterKind::Weight => scale * ((i % 1009) as f32 * 0.37).sin(),
            ParameterKind::NormScale | ParameterKind::LayerScale => 1.0,
            _ => 0.0,
        };
        let bytes = (0..parameter.shape.iter().product()).flat_map(|i| value(i).to_le_bytes()).collect();
        (parameter.name.clone(), parameter.shape.clone(), bytes)
    });
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = tensors.collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn the_norm_after_pooling_of_a_convnext_learns_along_once_the_trunk_does() {
    let (mut dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    dataset.items.retain(|item| item.image.ends_with("_1.png") || item.image.ends_with("_2.png"));
    let text = "epochs = 2\nbatch_size = 3\nimage_size = 32\n[model]\nname = \"convnext_tiny\"\nweights = \"run:x\"\n\
                train = \"last-stage\"\nattention = \"multi\"\nattention_masks = 2\n[optimizer]\nlr = 0.05\n\
                [schedule]\nfreeze_epochs = 1\n";
    let floats_of =
        |file: &[u8], name: &str| floats(SafeTensors::deserialize(file).unwrap().tensor(name).unwrap().data());
    let checkpoint = dir.path().join("checkpoint.safetensors");
    let frozen: Mutex<Option<(Vec<f32>, Vec<f32>)>> = Mutex::default();
    let watch = Watch::new(|event| {
        if matches!(event, Event::Epoch { epoch: 1, .. }) {
            let file = fs::read(&checkpoint).unwrap();
            *frozen.lock().unwrap() = Some((floats_of(&file, "trunk.head.norm.weight"), floats_of(&file, WEIGHT)));
        }
        false
    });
    let weights = Some(WeightsInput::Bytes(convnext_file().into()));
    train(TrainRequest { weights, ..request(&dataset, dir.path(), text) }, &watch).unwrap();
    let (norm, masks) = frozen.lock().unwrap().take().unwrap();
    assert!(norm.iter().all(|x| *x == 1.0), "a frozen trunk's norm is frozen, too");
    assert_ne!(masks, first_masks(text, 768), "the masks learn from the start");
    let file = fs::read(dir.path().join("model.safetensors")).unwrap();
    for (part, start) in [("weight", 1.0), ("bias", 0.0)] {
        let end = floats_of(&file, &format!("trunk.head.norm.{part}"));
        assert!(end.iter().filter(|x| **x != start).count() > end.len() / 2, "the norm's {part} stays at {start}");
    }
    assert_eq!(floats_of(&file, "heads.breed.weight").len(), 3 * 2 * 768);
    assert_predicts_the_same(&dataset, dir.path());
}

/// The masks that a run of this configuration begins with.
fn first_masks(text: &str, channels: usize) -> Vec<f32> {
    let config = RunConfig::from_toml(text).unwrap();
    let start = SpatialPool::new(&config.model, channels, config.seed, &Device::Cpu).unwrap();
    start.weight().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
}

/// `oof_predictions.csv`: per photo and head, each value's probability.
fn out_of_sample(out: &Path) -> BTreeMap<(String, String), Vec<f64>> {
    let mut of: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in csv::Reader::from_path(out.join("oof_predictions.csv")).unwrap().deserialize() {
        let (image, head, _, probability): (String, String, String, f64) = row.unwrap();
        of.entry((image, head)).or_default().push(probability);
    }
    of
}

const FOLDS: &str =
    "epochs = 2\nbatch_size = 8\nimage_size = 64\n[optimizer]\nlr = 0.05\n[evaluate]\nfolds = 3\n[model]\n";

#[test]
fn each_fold_trains_a_trunk_that_has_not_seen_its_photos() {
    let (dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    let (out, other_out) = (dir.path().join("run"), dir.path().join("other"));
    let text = format!("{FOLDS}train = \"last-stage\"\nattention = \"single\"\n");
    let watch = Watch::new(|_| false);
    let metrics = train(request(&dataset, &out, &text), &watch).unwrap();
    let events = watch.events.into_inner().unwrap();
    let told = events.iter().filter_map(|event| match event {
        Event::Fold { number, folds: 3, epoch, epochs: 2 } => Some((*number, *epoch)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [1, 2, 3].map(|fold| [0, 1, 2].map(|epoch| (fold, epoch))).concat());
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Epoch { .. })).count(), 2);
    let found = out_of_sample(&out);
    let known = dataset.items.iter().filter(|item| item.split != Split::Test);
    let known: Vec<&str> = known.map(|item| item.image.trim_start_matches("images/")).collect();
    let photos = |head: &str| found.keys().filter(|(_, of)| of == head).count();
    assert_eq!((photos("breed"), photos("ear")), (known.len(), known.len()));
    for ((image, _), probabilities) in &found {
        assert!(known.contains(&image.as_str()) && (probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-4);
    }
    assert!(metrics.out_of_sample["breed"].accuracy > 0.5, "{:?}", metrics.out_of_sample["breed"]);

    // Another answer to one photo: its own fold's models never learn of it, all others do.
    let mut changed = dataset.clone();
    let item = &mut changed.items[0];
    assert_eq!((item.split, item.masks["ear"]), (Split::Train, 1));
    let answer = if item.answers["ear"] == "drop".into() { "erect" } else { "drop" };
    item.answers.insert("ear".to_owned(), answer.into());
    item.targets.insert("ear".to_owned(), BTreeMap::from([(answer.to_owned(), 1.0)]));
    run(&changed, &other_out, &text);
    let other = out_of_sample(&other_out);
    let folds =
        kenami_trainer::folds::of_dataset(&dataset, 3, RunConfig::from_toml(&text).unwrap().seed, false).unwrap();
    assert_eq!(
        folds,
        kenami_trainer::folds::of_dataset(&changed, 3, RunConfig::from_toml(&text).unwrap().seed, false).unwrap()
    );
    for (item, fold) in dataset.items.iter().zip(&folds).filter(|(_, fold)| fold.is_some()) {
        let key = (item.image.trim_start_matches("images/").to_owned(), "ear".to_owned());
        assert_eq!(found[&key] == other[&key], *fold == folds[0], "{}", item.image);
    }
}

#[test]
fn folds_of_a_whole_trunk_can_be_stopped() {
    let (dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    let text = format!("{FOLDS}train = \"all\"\n").replace("epochs = 2", "epochs = 1");
    let watch = Watch::new(|event| matches!(event, Event::Fold { number: 2, epoch: 0, .. }));
    let stopped = train(request(&dataset, dir.path(), &text), &watch);
    assert!(matches!(stopped, Err(Error::Cancelled)), "{stopped:?}");
    let events = watch.events.into_inner().unwrap();
    assert!(events.contains(&Event::Fold { number: 1, folds: 3, epoch: 1, epochs: 1 }));
    assert!(!events.contains(&Event::Fold { number: 2, folds: 3, epoch: 1, epochs: 1 }));
    assert!(!dir.path().join("metrics.json").exists());
}

#[test]
fn a_trained_network_can_be_evaluated_on_larger_pictures() {
    let (dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    let (usual, larger) = (dir.path().join("usual"), dir.path().join("larger"));
    let text = config("all", "none");
    run(&dataset, &usual, &text);
    run(&dataset, &larger, &format!("{text}[evaluate]\nimage_size = 96\nexplain = 1\n"));
    let [small, large] = [&usual, &larger].map(|out| fs::read(out.join("model.safetensors")).unwrap());
    let head =
        |bytes: &[u8]| SafeTensors::deserialize(bytes).unwrap().tensor("heads.breed.weight").unwrap().data().to_vec();
    assert!(head(&small) == head(&large), "training is the same");
    assert_ne!(written(&usual), written(&larger));
    assert_predicts_the_same(&dataset, &larger);
}
