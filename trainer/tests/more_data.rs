//! Out-of-sample predictions over folds, and a second round on pseudo-labelled photos.
#![allow(missing_docs)]

mod common;

use std::{collections::BTreeSet, fs, path::Path};

use common::{CONFIG, attribute, drawn, export, manifest, request, run};
use kenami_domain::{
    csvio::read_probabilities,
    dataset::{Item, Split},
    schema::AttributeKind,
};
use kenami_trainer::{Dataset, Error, Event, Observer, Silent, TrainRequest, auxiliary, pseudo, train};
use safetensors::SafeTensors;

fn name(image: &str) -> &str {
    image.rsplit('/').next().unwrap()
}

#[test]
fn every_photo_but_those_of_test_is_predicted_out_of_sample() {
    let dir = tempfile::tempdir().unwrap();
    let dataset = drawn();
    let text = format!("{CONFIG}[evaluate]\nfolds = 3\n");
    let metrics = run(&dataset, dir.path(), &text);
    let bytes = fs::read(dir.path().join("oof_predictions.csv")).unwrap();
    let parsed = read_probabilities(bytes.as_slice()).unwrap();
    assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
    let items: BTreeSet<&str> = parsed.value.iter().map(|(item, ..)| item).collect();
    let expected = dataset.items.iter().filter(|item| item.split != Split::Test).map(|item| name(&item.image));
    assert_eq!(items, expected.collect());
    for item in items {
        for (attribute, values) in [("breed", 3), ("ear", 2)] {
            let row = parsed.value.row(item, attribute).unwrap();
            assert_eq!(row.len(), values);
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{item} {row:?}");
        }
    }
    let breed = &metrics.out_of_sample["breed"];
    assert_eq!(breed.n, 39);
    assert!(breed.accuracy > 0.7, "{}", breed.accuracy);

    let again = tempfile::tempdir().unwrap();
    run(&dataset, again.path(), &text);
    assert!(fs::read(again.path().join("oof_predictions.csv")).unwrap() == bytes);
    let with_test = run(&dataset, again.path(), &format!("{text}folds_test = true\n"));
    let read = |file: &str| fs::read(again.path().join(file)).unwrap();
    let parsed = read_probabilities(read("oof_predictions.csv").as_slice()).unwrap();
    let items: BTreeSet<&str> = parsed.value.iter().map(|(item, ..)| item).collect();
    assert_eq!(items, dataset.items.iter().map(|item| name(&item.image)).collect(), "test takes part in the folds");
    assert_eq!(with_test.out_of_sample["breed"].n, 48);
    assert_eq!(with_test.heads, metrics.heads, "the run's own model has not seen the test part");
    run(&dataset, again.path(), CONFIG);
    assert!(!again.path().join("oof_predictions.csv").exists());
}

#[test]
fn what_a_model_is_sure_of_is_trained_on_in_a_second_round() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, first, second) = (dir.path().join("dataset"), dir.path().join("first"), dir.path().join("second"));
    let all = drawn();
    export(&all, &folder);
    let mut few = all.clone();
    // Every other variant of each breed keeps its labels.
    let is_even = |image: &str| image.trim_end_matches(".png").ends_with(['0', '2', '4', '6', '8']);
    few.items.retain(|item| item.split != Split::Train || is_even(&item.image));
    let unlabelled = all.items.iter().filter(|item| !few.items.contains(item) || item.image.ends_with("akita_14.png"));
    let photos: Vec<_> = unlabelled.map(|item| folder.join(&item.image)).collect();
    assert!(photos.len() > 5 && few.items.len() < all.items.len());
    // Enough epochs for a model whose answers are worth learning.
    let config = CONFIG.replace("epochs = 6", "epochs = 20");
    let before = run(&few, &first, &config).heads["breed"]["test"].accuracy;
    let (extended, labelled) = pseudo::from_run(&few, &first, &photos, 0.3, &Silent).unwrap();
    // Of three values one always has a third; the test photo among them is known and left out.
    assert_eq!((labelled.known, labelled.unsure, labelled.items.len()), (1, 0, photos.len() - 1));
    assert_eq!(labelled.answers["breed"], labelled.items.len());
    assert_eq!(extended.items[..few.items.len()], few.items);
    assert!(extended.items[few.items.len()..].iter().all(|item| item.split == Split::Train));
    let metrics = run(&extended, &second, &config);
    assert_eq!(metrics.photos, few.items.len() + labelled.items.len());
    assert_eq!(metrics.heads["breed"]["test"].n, 9);
    let after = metrics.heads["breed"]["test"].accuracy;
    assert!(before > 0.7 && after > 0.7, "{before} {after}");
    // Nothing is certain enough for a threshold of 1.
    let (extended, labelled) = pseudo::from_run(&few, &first, &photos, 1.0, &Silent).unwrap();
    assert_eq!((extended.items.len(), labelled.unsure), (few.items.len(), photos.len()));
}

/// Stops after so many epochs over all rounds.
struct StopsAfter(std::sync::atomic::AtomicI32);

impl Observer for StopsAfter {
    fn event(&self, event: Event) {
        if let Event::Epoch { .. } = event {
            self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        }
    }

    fn cancelled(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed) <= 0
    }
}

#[test]
fn a_run_makes_its_second_round_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let all = drawn();
    let unlabelled = dir.path().join("unlabelled");
    fs::create_dir_all(&unlabelled).unwrap();
    let mut few = all.clone();
    few.items.retain(|item| item.split != Split::Train || !item.image.ends_with("5.png"));
    for item in all.items.iter().filter(|item| !few.items.contains(item)) {
        fs::write(unlabelled.join(name(&item.image)), all.bytes(item).unwrap()).unwrap();
    }
    let taken = all.items.len() - few.items.len();
    assert!(taken >= 3);
    for (part, more) in [("heads", ""), ("all", ""), ("all", "attention = \"multi\"\n[optimizer]\nema = 0.9\n")] {
        let text = format!(
            "epochs = 3\nbatch_size = 8\nimage_size = 32\n[model]\ntrain = \"{part}\"\n{more}[pseudo]\nimages = \"{}\"\nthreshold = 0.3\nepochs = 2\n",
            unlabelled.display()
        );
        let folder = |name: &str| dir.path().join(format!("{part}-{}-{name}", more.len()));
        let (whole, broken) = (folder("a"), folder("b"));
        let metrics = train(request(&few, &whole, &text), &Silent).unwrap();
        assert_eq!((metrics.epochs, metrics.photos), (2, few.items.len() + taken));
        assert!(whole.join("first_round/model.safetensors").exists());
        assert!(!whole.join("first_round/checkpoint.safetensors").exists());
        let rows = fs::read_to_string(whole.join("predictions.csv")).unwrap();
        assert!(!rows.contains("pseudo"), "results are those of the dataset's own photos");
        assert_eq!(metrics.heads["breed"]["test"].n, 9);
        // Broken off in the first round, and in the second.
        for stop_after in [2, 4] {
            let stops = StopsAfter(stop_after.into());
            assert!(matches!(train(request(&few, &broken, &text), &stops), Err(Error::Cancelled)));
            train(TrainRequest { resume: true, ..request(&few, &broken, &text) }, &Silent).unwrap();
            for file in ["model.safetensors", "predictions.csv", "curves.csv"] {
                assert!(
                    fs::read(whole.join(file)).unwrap() == fs::read(broken.join(file)).unwrap(),
                    "{part} {more} {file}"
                );
            }
        }
    }
}

#[test]
fn a_run_learns_its_own_answers_where_photos_lack_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut few = drawn();
    let is_answered = |item: &Item| item.split == Split::Train && item.masks["ear"] == 1;
    let answered = few.items.iter().filter(|item| is_answered(item)).count();
    let mut lacking = 0;
    let mut asked = String::new();
    for item in few.items.iter_mut().filter(|item| is_answered(item)).step_by(2) {
        (item.answers, item.targets, item.votes) = Default::default();
        item.masks.insert("ear".to_owned(), 0);
        lacking += 1;
        asked = name(&item.image).to_owned();
    }
    assert!(lacking >= 8, "{lacking}");
    for part in ["heads", "all"] {
        let text = |threshold: f64| {
            format!(
                "epochs = 3\nbatch_size = 8\nimage_size = 32\n[model]\ntrain = \"{part}\"\n[pseudo]\nunlabelled = true\nthreshold = {threshold}\nepochs = 2\n"
            )
        };
        let folder = |name: &str| dir.path().join(format!("{part}-{name}"));
        let (whole, broken) = (folder("a"), folder("b"));
        // Of two values one always has a half.
        let metrics = run(&few, &whole, &text(0.5));
        let pseudo = metrics.pseudo.unwrap();
        assert_eq!((pseudo.photos, pseudo.taken, pseudo.threshold), (lacking, lacking, 0.5));
        assert_eq!(pseudo.answers, [("ear".to_owned(), lacking)].into());
        assert!(pseudo.before["breed"] > 0.0 && pseudo.before.contains_key("ear"));
        assert_eq!(metrics.heads["ear"]["train"].n, answered - lacking, "what a model said is no truth");
        assert_eq!(metrics.photos, few.items.len());
        let card = fs::read_to_string(whole.join("README.md")).unwrap();
        assert!(card.contains(&format!("| ear | {lacking} |")), "{card}");
        // Of what it was taught to say, the first round's probability is told.
        let said = |folder: &Path, attribute: &str| -> Vec<String> {
            let rows = fs::read_to_string(folder.join("predictions.csv")).unwrap();
            rows.lines()
                .filter(|row| row.starts_with(&format!("{asked},train,{attribute},")))
                .map(str::to_owned)
                .collect()
        };
        let first = whole.join("first_round");
        assert_eq!((said(&whole, "ear"), said(&whole, "ear").len()), (said(&first, "ear"), 2));
        assert_ne!(said(&whole, "breed"), said(&first, "breed"), "the model has gone on");
        assert_eq!(pseudo.epochs, 3);
        // Broken off in the second round.
        let stops = StopsAfter(4.into());
        assert!(matches!(train(request(&few, &broken, &text(0.5)), &stops), Err(Error::Cancelled)));
        train(TrainRequest { resume: true, ..request(&few, &broken, &text(0.5)) }, &Silent).unwrap();
        let model = |folder: &Path| fs::read(folder.join("model.safetensors")).unwrap();
        assert!(model(&whole) == model(&broken), "{part}");
        // Of nothing certain: the second round learns the same again, another model.
        let unsure = run(&few, &folder("c"), &text(1.0)).pseudo.unwrap();
        assert_eq!((unsure.photos, unsure.taken), (lacking, 0));
        let tensors = |folder: &str| {
            let bytes = model(&dir.path().join(folder));
            let file = SafeTensors::deserialize(&bytes).unwrap();
            file.tensor("heads.ear.weight").unwrap().data().to_vec()
        };
        assert!(tensors(&format!("{part}-a")) != tensors(&format!("{part}-c")), "the answers were learnt");
    }
}

#[test]
fn another_sets_photos_are_trained_on_by_their_similarity() {
    let dir = tempfile::tempdir().unwrap();
    let all = drawn();
    let mut few = all.clone();
    few.items.retain(|item| item.split != Split::Train || !item.image.ends_with("5.png"));
    // The other set knows one breed that the dataset does not, and a tail that it does; one photo is a test photo.
    let mut other = all.clone();
    other.items.retain(|item| !few.items.contains(item) || item.image.ends_with("akita_14.png"));
    other.items.iter_mut().for_each(|item| item.split = Split::Train);
    let strange = other.items.iter_mut().find(|item| item.image.ends_with("corgi_5.png")).unwrap();
    strange.given.insert("breed".into(), "dingo".into());
    (strange.answers, strange.masks) = Default::default();
    let breeds = attribute("breed", AttributeKind::Given, &["akita", "beagle", "corgi", "dingo"]);
    let ear = attribute("ear", AttributeKind::Annotated, &["drop", "erect"]);
    other.manifest = manifest(vec![breeds, ear]);
    let folder = dir.path().join("other");
    export(&other, &folder);
    let extended = auxiliary::extended(&few, &Dataset::open(&folder).unwrap()).unwrap();
    let more: Vec<_> = extended.items[few.items.len()..].iter().collect();
    assert!(more.iter().all(|item| auxiliary::is_auxiliary(item) && item.split == Split::Train));
    assert_eq!(more.len(), other.items.len() - 2, "the test photo and the dingo stay out");

    let run_with = |name: &str, weight: &str| {
        let text = format!("{CONFIG}[auxiliary]\ndataset = \"{}\"\nweight = \"{weight}\"\n", folder.display());
        let metrics = run(&few, &dir.path().join(name), &text);
        assert_eq!(metrics.photos, extended.items.len());
        fs::read(dir.path().join(name).join("model.safetensors")).unwrap()
    };
    let plain = fs::read({
        run(&few, &dir.path().join("plain"), CONFIG);
        dir.path().join("plain/model.safetensors")
    });
    let (alike, weighed) = (run_with("alike", "none"), run_with("weighed", "similarity"));
    assert!(plain.unwrap() != alike && alike != weighed, "each teaches something else");
    let text = format!("{CONFIG}[auxiliary]\ndataset = \"{}\"\n", dir.path().join("none").display());
    assert!(train(request(&few, &dir.path().join("x"), &text), &Silent).is_err());
}
