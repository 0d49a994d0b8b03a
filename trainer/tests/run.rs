//! Whole runs on a small drawn dataset.
#![allow(missing_docs)]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use common::{CONFIG, demo_file, drawn, export, request};
use kenami_domain::{
    dataset::Split,
    metrics::{CurveRow, Metrics, StopReason},
    run_config::RunConfig,
};
use kenami_trainer::{
    Dataset, Error, Event, Observer, Predictor, Silent, TrainRequest, WeightsInput, check_available, predict, train,
    write_predictions_csv,
};

/// Remembers events; cancels once epoch `stop_after` is over.
#[derive(Default)]
struct Watch {
    events: Mutex<Vec<Event>>,
    stop_after: Option<u32>,
    stopped: AtomicBool,
}

impl Observer for Watch {
    fn event(&self, event: Event) {
        if let Event::Epoch { epoch, .. } = &event
            && Some(*epoch) == self.stop_after
        {
            self.stopped.store(true, Ordering::Relaxed);
        }
        self.events.lock().unwrap().push(event);
    }

    fn cancelled(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

const FILES: [&str; 4] = ["model.safetensors", "config.toml", "predictions.csv", "curves.csv"];

fn assert_same_results(a: &Path, b: &Path) {
    for file in FILES {
        assert!(fs::read(a.join(file)).unwrap() == fs::read(b.join(file)).unwrap(), "{file} differs");
    }
}

#[test]
fn a_run_learns_and_leaves_everything_that_was_promised() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, out) = (dir.path().join("dataset"), dir.path().join("run"));
    export(&drawn(), &folder);
    let dataset = Dataset::open(&folder).unwrap();
    let watch = Watch::default();
    let metrics = train(request(&dataset, &out, CONFIG), &watch).unwrap();

    assert_eq!(metrics.heads.keys().collect::<Vec<_>>(), ["breed", "ear"]);
    assert!(metrics.warnings.iter().any(|text| text.contains("`tail`")), "{:?}", metrics.warnings);
    for split in ["train", "validation", "test"] {
        assert!(metrics.heads["breed"][split].accuracy > 0.8, "{split}: {:?}", metrics.heads["breed"][split]);
    }
    let ear = &metrics.heads["ear"]["test"];
    let hidden = dataset.items.iter().filter(|item| item.split == Split::Test && item.masks["ear"] == 0).count();
    assert_eq!(ear.n, 9 - hidden);
    assert_eq!(ear.confusion.counts.iter().flatten().sum::<u32>() as usize, ear.n);

    let text = fs::read_to_string(out.join("metrics.json")).unwrap();
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(parsed(&text), parsed(&serde_json::to_string(&metrics).unwrap()));
    let written: Metrics = serde_json::from_str(&text).unwrap();
    assert!(written.seconds > 0.0 && written.images_per_second > 0.0);
    let config = RunConfig::from_toml(&fs::read_to_string(out.join("config.toml")).unwrap()).unwrap();
    assert_eq!(config.heads["breed"].smoothing, Some(0.1));
    assert_eq!(config.heads["ear"].smoothing, Some(0.2));
    assert!(!out.join("checkpoint.safetensors").exists());

    let rows: Vec<CurveRow> =
        csv::Reader::from_path(out.join("curves.csv")).unwrap().deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.iter().filter(|row| row.series == "lr").count(), 6);
    assert_eq!(rows.iter().filter(|row| row.series == "breed/accuracy" && row.split == "validation").count(), 6);
    let events = watch.events.lock().unwrap();
    let sent: Vec<CurveRow> = events
        .iter()
        .filter_map(|event| if let Event::Epoch { rows, .. } = event { Some(rows.clone()) } else { None })
        .flatten()
        .collect();
    assert_eq!(sent, rows);
    assert!(matches!(events.last(), Some(Event::Finished { .. })));
    assert!(events.contains(&Event::Features { done: 48, total: 48, cached: 0 }));
}

#[test]
fn predictions_hold_whole_distributions_and_predict_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, out) = (dir.path().join("dataset"), dir.path().join("run"));
    export(&drawn(), &folder);
    train(request(&Dataset::open(&folder).unwrap(), &out, CONFIG), &Silent).unwrap();
    let mut csv = csv::Reader::from_path(out.join("predictions.csv")).unwrap();
    assert_eq!(csv.headers().unwrap(), vec!["image", "split", "attribute", "answer", "probability", "rank"]);
    let rows: Vec<(String, String, String, String, f64, usize)> = csv.deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 48 * (3 + 2));
    let of = |image: &str, head: &str| -> Vec<(String, f64)> {
        let rows = rows.iter().filter(|row| row.0 == image && row.2 == head);
        rows.map(|row| (row.3.clone(), row.4)).collect()
    };

    let bad = dir.path().join("not_a_photo.png");
    fs::write(&bad, b"hello").unwrap();
    let images: Vec<PathBuf> = ["akita_3.png", "corgi_14.png"]
        .iter()
        .map(|name| folder.join("images").join(name))
        .chain([bad.clone()])
        .collect();
    let watch = Watch::default();
    let predictions = predict(&out, &images, &watch).unwrap();
    assert_eq!(predictions.len(), 2);
    for prediction in &predictions {
        for (head, ranked) in &prediction.heads {
            assert!((ranked.iter().map(|(_, p)| p).sum::<f64>() - 1.0).abs() < 1e-9);
            assert!(ranked.windows(2).all(|pair| pair[0].1 >= pair[1].1));
            for ((a, p), (b, q)) in ranked.iter().zip(of(&prediction.image, head)) {
                assert!(*a == b && (p - q).abs() < 1e-5, "{a} {p} {b} {q}");
            }
        }
    }
    let warned = |event: &Event| matches!(event, Event::Warning(text) if text.contains("not_a_photo.png"));
    assert!(watch.events.lock().unwrap().iter().any(warned));
    assert!(predict(&out, &[bad], &Silent).is_err());

    let mut csv = Vec::new();
    write_predictions_csv(&mut csv, &predictions).unwrap();
    let text = String::from_utf8(csv).unwrap();
    assert_eq!(text.lines().next(), Some("image,attribute,answer,probability"));
    assert_eq!(text.lines().count(), 1 + 2 * 2);
    let predictor = Predictor::from_bytes(&fs::read(out.join("model.safetensors")).unwrap()).unwrap();
    let photo = ("x.png".to_owned(), fs::read(folder.join("images/akita_3.png")).unwrap());
    assert_eq!(predictor.predict(&[photo])[0].as_ref().unwrap().heads, predictions[0].heads);
    assert!(Predictor::open(dir.path()).is_err());
}

#[test]
fn two_runs_are_bit_identical_also_when_one_was_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let dataset = drawn();
    for optimizer in ["", "[optimizer]\nname = \"adamw\"\nlr = 0.001\n"] {
        let text = format!("{CONFIG}{optimizer}");
        let out = |name: &str| dir.path().join(format!("{name}{}", optimizer.len()));
        train(request(&dataset, &out("a"), &text), &Silent).unwrap();
        train(request(&dataset, &out("b"), &text), &Silent).unwrap();
        assert_same_results(&out("a"), &out("b"));

        let watch = Watch { stop_after: Some(3), ..Watch::default() };
        let stopped = train(request(&dataset, &out("c"), &text), &watch).unwrap_err();
        assert!(matches!(stopped, Error::Cancelled));
        assert!(!out("c").join("metrics.json").exists());
        let watch = Watch::default();
        train(TrainRequest { resume: true, ..request(&dataset, &out("c"), &text) }, &watch).unwrap();
        let events = watch.events.lock().unwrap();
        let epochs = events.iter().filter_map(|e| if let Event::Epoch { epoch, .. } = e { Some(*epoch) } else { None });
        assert_eq!(epochs.collect::<Vec<_>>(), [4, 5, 6]);
        assert_same_results(&out("a"), &out("c"));
    }
}

/// Fine-tuning settings that the drawn set learns with in a moment.
fn fine_tuning(part: &str) -> String {
    format!(
        "epochs = 3\nbatch_size = 8\nimage_size = 64\n[model]\ntrain = \"{part}\"\n[optimizer]\nlr = 0.05\nema = 0.9\n\
         [schedule]\nfreeze_epochs = 1\n[augment]\nmixup = 0.2\n"
    )
}

#[test]
fn a_fine_tuned_trunk_moves_and_predicts_what_the_run_says() {
    let (dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    for part in ["last-stage", "all"] {
        let out = dir.path().join(part);
        let metrics = train(request(&dataset, &out, &fine_tuning(part)), &Silent).unwrap();
        assert_eq!(metrics.epochs, 3);
        let saved = fs::read(out.join("model.safetensors")).unwrap();
        let saved = safetensors::SafeTensors::deserialize(&saved).unwrap();
        let demo = demo_file();
        let demo = common::weights(&demo);
        let moved = |name: &str| {
            let view = saved.tensor(&format!("trunk.{name}")).unwrap();
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            values.zip(demo.values(name).unwrap()).any(|(a, b)| a != b)
        };
        let weights: Vec<String> =
            kenami_trainer::models::graph(Default::default()).unwrap().parameters.into_iter().map(|p| p.name).collect();
        let weights: Vec<&String> = weights.iter().filter(|name| name.ends_with("weight")).collect();
        assert!(moved(weights[weights.len() - 2]), "{part}: the last stage moves");
        assert_eq!(moved(weights[0]), part == "all", "{part}: the stem");
        // What predict says is what the run wrote.
        let photo = dir.path().join("photo.png");
        fs::write(&photo, dataset.bytes(&dataset.items[0]).unwrap()).unwrap();
        let predicted = predict(&out, &[photo], &Silent).unwrap();
        assert!(!predicted[0].heads.is_empty());
        assert!(!out.join("maps").exists(), "cached maps are cleaned up");
    }
}

#[test]
fn a_fine_tuning_that_was_interrupted_ends_bit_identical() {
    let (dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    for part in ["last-stage", "all"] {
        let (whole, broken) = (dir.path().join(format!("{part}-a")), dir.path().join(format!("{part}-b")));
        train(request(&dataset, &whole, &fine_tuning(part)), &Silent).unwrap();
        let watch = Watch { stop_after: Some(2), ..Watch::default() };
        let cancelled = train(request(&dataset, &broken, &fine_tuning(part)), &watch);
        assert!(matches!(cancelled, Err(Error::Cancelled)), "{cancelled:?}");
        train(TrainRequest { resume: true, ..request(&dataset, &broken, &fine_tuning(part)) }, &Silent).unwrap();
        assert_same_results(&whole, &broken);
    }
}

#[test]
fn a_checkpoint_of_another_configuration_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let dataset = drawn();
    let watch = Watch { stop_after: Some(2), ..Watch::default() };
    train(request(&dataset, dir.path(), CONFIG), &watch).unwrap_err();
    let other = format!("seed = 5\n{CONFIG}");
    let watch = Watch::default();
    train(TrainRequest { resume: true, ..request(&dataset, dir.path(), &other) }, &watch).unwrap();
    let events = watch.events.lock().unwrap();
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Epoch { .. })).count(), 6);
}

#[test]
fn features_are_cached_and_cached_photos_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let plain = drawn();
    let mut items = plain.items.clone();
    for item in &mut items {
        item.image_hash = blake3::hash(&plain.bytes(item).unwrap()).to_hex().to_string();
    }
    let reads = Arc::new(AtomicUsize::new(0));
    let (counter, source) = (Arc::clone(&reads), plain.clone());
    let dataset = Dataset::new(plain.manifest.clone(), items, move |item| {
        counter.fetch_add(1, Ordering::Relaxed);
        source.bytes(item).map_err(std::io::Error::other)
    });
    let run = |name: &str, text: &str| {
        let cache_dir = Some(dir.path().join("cache"));
        train(TrainRequest { cache_dir, ..request(&dataset, &dir.path().join(name), text) }, &Silent).unwrap()
    };
    let first = run("a", CONFIG);
    assert_eq!((first.features_computed, first.features_cached), (48, 0));
    let second = run("b", CONFIG);
    assert_eq!((second.features_computed, second.features_cached), (0, 48));
    assert_eq!(reads.load(Ordering::Relaxed), 48);
    assert_same_results(&dir.path().join("a"), &dir.path().join("b"));
    // Another size of input is another feature.
    assert_eq!(run("c", &CONFIG.replace("32", "48")).features_computed, 48);
    // A run's trunk is the same trunk: its features are found again.
    let cache_dir = Some(dir.path().join("cache"));
    let weights = Some(WeightsInput::Path(dir.path().join("a/model.safetensors")));
    let text = format!("{CONFIG}[model]\nweights = \"run:a\"\n");
    let request = TrainRequest { cache_dir, weights, ..request(&dataset, &dir.path().join("d"), &text) };
    assert_eq!(train(request, &Silent).unwrap().features_cached, 48);
}

#[test]
fn every_loss_optimiser_and_schedule_on_offer_trains() {
    let dir = tempfile::tempdir().unwrap();
    let dataset = drawn();
    for (i, text) in [
        "[heads.breed]\nloss = \"kl\"\n[schedule]\nname = \"cosine\"\n",
        "[heads.breed]\nloss = \"bce\"\n[optimizer]\nname = \"adamw\"\nlr = 0.01\n[schedule]\nname = \"constant\"\n",
        "[heads.breed]\n[optimizer]\nname = \"adam\"\nlr = 0.01\n[schedule]\nname = \"step\"\n",
        "[heads.breed]\n[optimizer]\nnesterov = true\n[schedule]\nwarmup_epochs = 1\n",
        "[heads.ear]\n[heads.breed]\nweight = 2.0\n[augment]\npolicy = \"randaugment\"\n",
    ]
    .iter()
    .enumerate()
    {
        let out = dir.path().join(i.to_string());
        let metrics = train(request(&dataset, &out, &format!("{CONFIG}{text}")), &Silent).unwrap();
        assert!(metrics.heads["breed"]["train"].accuracy > 0.8, "{text}: {:?}", metrics.heads["breed"]["train"]);
        assert_eq!(metrics.heads.contains_key("ear"), text.contains("heads.ear"));
        assert_eq!(metrics.warnings.iter().any(|text| text.contains("augment.policy")), text.contains("policy"));
    }
}

#[test]
fn one_epoch_of_one_step_and_missing_splits_work() {
    let dir = tempfile::tempdir().unwrap();
    let mut dataset = drawn();
    dataset.items.retain(|item| item.split == Split::Train);
    let text = "epochs = 1\nbatch_size = 1000\nimage_size = 32\n[model]\nweights = \"none\"\n";
    let metrics = train(TrainRequest { weights: None, ..request(&dataset, dir.path(), text) }, &Silent).unwrap();
    assert_eq!(metrics.heads["breed"].keys().collect::<Vec<_>>(), ["train"]);
    dataset.items.clear();
    let error = train(request(&dataset, dir.path(), text), &Silent).unwrap_err();
    assert!(matches!(error, Error::Dataset(_)), "{error}");
}

#[test]
fn a_broken_photo_stops_the_run_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let plain = drawn();
    let source = plain.clone();
    let dataset = Dataset::new(plain.manifest.clone(), plain.items.clone(), move |item| {
        if item.image.ends_with("corgi_5.png") {
            Ok(vec![1, 2, 3])
        } else {
            source.bytes(item).map_err(std::io::Error::other)
        }
    });
    let error = train(request(&dataset, dir.path(), CONFIG), &Silent).unwrap_err();
    assert!(matches!(&error, Error::Image { image, .. } if image == "images/corgi_5.png"), "{error}");
}

#[test]
fn what_this_version_cannot_do_is_said_at_the_start() {
    for (text, word) in [
        (
            "[model]\nname = \"dinov2_vits14\"\ntrain = \"all\"",
            "training the trunk of dinov2_vits14 is not available in this version; available: model.train = \"heads\"",
        ),
        ("image_size = 225\n[model]\nname = \"dinov2_vits14\"", "image_size is a multiple of 14 for dinov2_vits14"),
        (
            "[model]\nname = \"dinov2_vits14\"\n[evaluate]\nexplain = 1",
            "evaluate.explain = 1 with dinov2_vits14 is not available",
        ),
        (
            "[model]\nattention = \"multi\"",
            "model.attention = \"multi\" with model.train = \"heads\" is not available in this version; available: \
             model.train = \"last-stage\" and \"all\"",
        ),
        ("[loss]\ncenter = 0.003", "loss.center = 0.003 with model.train = \"heads\""),
        ("[loss]\ntriplet = 1", "loss.triplet = 1 with model.train = \"heads\""),
    ] {
        let config = RunConfig::from_toml(text).unwrap();
        let error = check_available(&config).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
        let dir = tempfile::tempdir().unwrap();
        let request = request(&drawn(), &dir.path().join("run"), text);
        assert_eq!(train(request, &Silent).unwrap_err().to_string(), error);
        assert!(!dir.path().join("run").exists());
    }
}

#[test]
fn a_folder_that_is_no_dataset_is_said_by_file_and_line() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Dataset::open(dir.path()).unwrap_err().to_string().contains("dataset.json"));
    export(&drawn(), dir.path());
    let items = fs::read_to_string(dir.path().join("items.jsonl")).unwrap();
    for (line, word) in [("{\"image\": 3}", "line 49"), ("{\"image\": \"../a.jpg\", \"split\": \"train\"}", "../a.jpg")]
    {
        fs::write(dir.path().join("items.jsonl"), format!("{items}{line}\n")).unwrap();
        assert!(Dataset::open(dir.path()).unwrap_err().to_string().contains(word));
    }
}

/// Curves in the order they were written.
fn curves(out: &Path, series: &str, split: &str) -> Vec<f64> {
    let rows = csv::Reader::from_path(out.join("curves.csv")).unwrap().into_deserialize::<CurveRow>();
    let rows = rows.map(Result::unwrap).filter(|row| row.series == series && row.split == split);
    rows.map(|row| row.value).collect()
}

#[test]
fn the_best_epoch_is_kept_also_over_an_interruption() {
    let (dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    let stop = "[stop]\npatience = 3\nmetric = \"loss\"\nhead = \"breed\"\nkeep = \"best\"\n";
    // A rate at which the loss soon rises again, with and without a trunk that moves.
    for (part, text) in [
        (
            "heads",
            format!(
                "{}[optimizer]\nlr = 2.0\n[schedule]\nname = \"constant\"\n{stop}",
                CONFIG.replace("epochs = 6", "epochs = 30")
            ),
        ),
        ("all", format!("{}{stop}", fine_tuning("all").replace("epochs = 3", "epochs = 6"))),
    ] {
        let (whole, broken) = (dir.path().join(format!("{part}-a")), dir.path().join(format!("{part}-b")));
        let metrics = train(request(&dataset, &whole, &text), &Silent).unwrap();
        let losses = curves(&whole, "breed/loss", "validation");
        let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
        assert_eq!(metrics.best_epoch, Some(best as u32 + 1), "{part}: {losses:?}");
        assert_eq!(metrics.epochs as usize, losses.len());
        if part == "heads" {
            assert_eq!((metrics.stopped, losses.len()), (Some(StopReason::Patience), best + 4), "{losses:?}");
        }
        // The figures are those of the weights that were kept: without temperature, the validation loss is the curve's.
        let validation = &metrics.heads["breed"]["validation"];
        let accuracy = curves(&whole, "breed/accuracy", "validation")[best];
        assert!((validation.accuracy - accuracy).abs() < 1e-9, "{part}: {} {accuracy}", validation.accuracy);

        let watch = Watch { stop_after: Some(metrics.epochs - 1), ..Watch::default() };
        assert!(matches!(train(request(&dataset, &broken, &text), &watch), Err(Error::Cancelled)));
        let resumed = train(TrainRequest { resume: true, ..request(&dataset, &broken, &text) }, &Silent).unwrap();
        assert_eq!((resumed.best_epoch, resumed.stopped), (metrics.best_epoch, metrics.stopped));
        assert_same_results(&whole, &broken);
    }
    let text = format!("{CONFIG}[stop]\npatience = 1\nhead = \"nose\"\n");
    let error = train(request(&dataset, &dir.path().join("c"), &text), &Silent).unwrap_err().to_string();
    assert!(error.contains("stop.head = \"nose\"") && error.contains("breed, ear"), "{error}");
}

#[test]
fn a_spent_budget_ends_the_run_in_good_order() {
    let (dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    let text = format!("{}[stop]\nminutes = 0.00001\n", CONFIG.replace("epochs = 6", "epochs = 1000"));
    let metrics = train(request(&dataset, dir.path(), &text), &Silent).unwrap();
    assert_eq!(metrics.stopped, Some(StopReason::Minutes));
    assert!(metrics.epochs < 1000 && dir.path().join("model.safetensors").exists());
    assert_eq!(curves(dir.path(), "lr", "train").len(), metrics.epochs as usize);
}

#[test]
fn a_run_leaves_its_curves_for_tensorboard() {
    let (dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    let watch = Watch { stop_after: Some(3), ..Watch::default() };
    train(request(&dataset, dir.path(), CONFIG), &watch).unwrap_err();
    train(TrainRequest { resume: true, ..request(&dataset, dir.path(), CONFIG) }, &Silent).unwrap();
    let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let file = files.into_iter().find(|path| path.to_string_lossy().contains("tfevents")).expect("an event file");
    let scalars = kenami_trainer::tensorboard::read(&file).unwrap();
    let losses = scalars.iter().filter(|scalar| scalar.tag == "breed/loss/train");
    let losses: Vec<(u64, f32)> = losses.map(|scalar| (scalar.step, scalar.value)).collect();
    let expected = curves(dir.path(), "breed/loss", "train").into_iter().map(|value| value as f32);
    assert_eq!(losses, (1..=6).zip(expected).collect::<Vec<_>>());
}

#[test]
fn steps_are_told_one_by_one() {
    let (dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    let watch = Watch::default();
    train(request(&dataset, dir.path(), CONFIG), &watch).unwrap();
    let events = watch.events.lock().unwrap();
    let steps = events.iter().filter_map(|event| match event {
        Event::Step { epoch: 2, step, steps, .. } => Some((*step, *steps)),
        _ => None,
    });
    // 30 training photos in batches of 8.
    assert_eq!(steps.collect::<Vec<_>>(), [(1, 4), (2, 4), (3, 4), (4, 4)]);
}

#[test]
fn mirrored_photos_are_averaged_in_the_run_and_in_predictions() {
    let (dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    let (plain, flipped) = (dir.path().join("plain"), dir.path().join("flipped"));
    // A size whose crop leaves as much on the left as on the right.
    let tuning = fine_tuning("all").replace("image_size = 64", "image_size = 56");
    train(request(&dataset, &plain, &tuning), &Silent).unwrap();
    let text = format!("{tuning}[evaluate]\nflip = true\n");
    train(request(&dataset, &flipped, &text), &Silent).unwrap();
    let [bytes, other] = [&plain, &flipped].map(|out| fs::read(out.join("model.safetensors")).unwrap());
    let tensors = |bytes: &[u8]| -> Vec<u8> {
        let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
        ["heads.breed.weight", "heads.ear.bias"]
            .iter()
            .flat_map(|name| file.tensor(name).unwrap().data().to_vec())
            .collect()
    };
    assert!(tensors(&bytes) == tensors(&other), "training is the same");
    let item = &dataset.items[40];
    let photo = image::load_from_memory(&dataset.bytes(item).unwrap()).unwrap();
    let mut mirrored = std::io::Cursor::new(Vec::new());
    photo.fliph().write_to(&mut mirrored, image::ImageFormat::Png).unwrap();
    let photos = [("a".to_owned(), dataset.bytes(item).unwrap()), ("b".to_owned(), mirrored.into_inner())];
    let of = |out: &Path| {
        let predictions = Predictor::open(out).unwrap().predict(&photos);
        let breed = |prediction: kenami_trainer::Result<kenami_trainer::Prediction>| {
            let ranked = prediction.unwrap().heads["breed"].clone();
            ranked.into_iter().collect::<std::collections::BTreeMap<_, _>>()["akita"]
        };
        let both: Vec<f64> = predictions.into_iter().map(breed).collect();
        [both[0], both[1]]
    };
    let (one_side, both) = (of(&plain), of(&flipped));
    assert!((one_side[0] - one_side[1]).abs() > 1e-4, "the picture is not symmetric: {one_side:?}");
    assert!((both[0] - both[1]).abs() < 1e-5, "{both:?}");
    let rows = fs::read_to_string(flipped.join("predictions.csv")).unwrap();
    let name = item.image.trim_start_matches("images/");
    let row = rows.lines().find(|row| row.starts_with(name) && row.contains("breed,akita")).unwrap();
    let written: f64 = row.split(',').nth(4).unwrap().parse().unwrap();
    assert!((written - both[0]).abs() < 1e-5, "{written} {both:?}");
}
