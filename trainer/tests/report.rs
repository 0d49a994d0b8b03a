//! What a run leaves to read: tables, pictures and the model card say what the figures say.
#![allow(missing_docs)]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use common::{CONFIG, drawn, export, run};
use kenami_domain::dataset::Split;
use kenami_trainer::{Dataset, Silent, predict};

/// The drawn dataset with every fifth ear answered wrongly, so that mistakes are certain.
fn noisy() -> Dataset {
    let mut dataset = drawn();
    for (number, item) in dataset.items.iter_mut().enumerate().filter(|(number, _)| number % 5 == 2) {
        if item.masks["ear"] == 1 {
            let other = if number % 3 == 1 { "drop" } else { "erect" };
            item.answers.insert("ear".into(), other.into());
            item.targets.insert("ear".into(), BTreeMap::from([(other.to_owned(), 1.0)]));
        }
    }
    dataset
}

type Row = BTreeMap<String, String>;

fn table(path: &Path) -> Vec<Row> {
    let mut csv = csv::Reader::from_path(path).unwrap();
    let header: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = csv.records().map(|row| header.iter().cloned().zip(row.unwrap().iter().map(str::to_owned)).collect());
    rows.collect()
}

fn number(row: &Row, column: &str) -> f64 {
    row[column].parse().unwrap()
}

#[test]
fn tables_and_pictures_say_what_the_figures_say() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path();
    let metrics = run(&noisy(), out, CONFIG);
    let ear = &metrics.heads["ear"]["test"];

    let classes = table(&out.join("per_class.csv"));
    let of_ear: Vec<_> = classes.iter().filter(|row| row["attribute"] == "ear" && row["split"] == "test").collect();
    assert_eq!(of_ear.iter().map(|row| number(row, "support")).sum::<f64>(), ear.n as f64);
    for (row, class) in of_ear.iter().zip(&ear.per_class) {
        assert_eq!(row["value"], class.value);
        assert!((number(row, "f1") - class.f1).abs() < 1e-6);
    }

    let matrix = fs::read_to_string(out.join("confusion_ear.csv")).unwrap();
    let cells: Vec<Vec<&str>> = matrix.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(cells[0], ["test: answer / predicted", "drop", "erect"]);
    for (k, counts) in ear.confusion.counts.iter().enumerate() {
        let text: Vec<String> = counts.iter().map(u32::to_string).collect();
        assert_eq!(cells[k + 1][1..], text);
    }

    let confused = table(&out.join("confused.csv"));
    let mistakes: f64 =
        confused.iter().filter(|row| row["split"] == "validation").map(|row| number(row, "count")).sum();
    let missed = |head: &str| {
        let figures = &metrics.heads[head]["validation"];
        figures.n as f64 * (1.0 - figures.accuracy)
    };
    assert!(mistakes > 0.0 && (mistakes - missed("ear") - missed("breed")).abs() < 1e-9);

    for name in ["confusion_ear.png", "confusion_breed.png", "reliability_ear.png", "curves.png"] {
        let picture = image::open(out.join(name)).unwrap().into_rgb8();
        let colours: BTreeSet<[u8; 3]> = picture.pixels().map(|pixel| pixel.0).collect();
        assert!(picture.width() > 100 && picture.height() > 100 && colours.len() > 3, "{name}");
    }
    let timing = metrics.timing.unwrap();
    assert!(timing.median_ms > 0.0 && timing.p95_ms >= timing.median_ms && timing.passes >= 11);

    let card = fs::read_to_string(out.join("README.md")).unwrap();
    for word in [
        "# Model card: drawn".to_owned(),
        "| photos | 30 | 9 | 9 |".to_owned(),
        format!("| ear | test | {} | {:.2} +- ", ear.n, 100.0 * ear.accuracy),
        "epochs = 6".to_owned(),
        "Apache-2.0".to_owned(),
        "kenami predict".to_owned(),
    ] {
        assert!(card.contains(&word), "{word} in\n{card}");
    }
}

#[test]
fn predictions_use_the_temperature_that_validation_names() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, out, plain) = (dir.path().join("dataset"), dir.path().join("run"), dir.path().join("plain"));
    let dataset = noisy();
    export(&dataset, &folder);
    let metrics = run(&dataset, &out, CONFIG);
    let temperature = metrics.temperatures["ear"];
    let figures = &metrics.heads["ear"]["validation"];
    let calibrated = figures.calibrated.unwrap();
    assert!(calibrated.nll < figures.nll && (temperature - 1.0).abs() > 1e-3, "{temperature} {figures:?}");

    let answers: BTreeMap<&str, &str> = dataset
        .items
        .iter()
        .filter(|item| item.split == Split::Validation && item.masks["ear"] == 1)
        .map(|item| (item.image.trim_start_matches("images/"), item.answers["ear"].value().unwrap()))
        .collect();
    let nll = |out: &Path| {
        let rows = table(&out.join("predictions.csv"));
        let of_ear = rows.iter().filter(|row| row["attribute"] == "ear" && row["split"] == "validation");
        let hits = of_ear.filter(|row| answers.get(row["image"].as_str()) == Some(&row["answer"].as_str()));
        let losses: Vec<f64> = hits.map(|row| -number(row, "probability").ln()).collect();
        assert_eq!(losses.len(), answers.len());
        losses.iter().sum::<f64>() / losses.len() as f64
    };
    assert!((nll(&out) - calibrated.nll).abs() < 1e-4);
    let unscaled = run(&dataset, &plain, &format!("{CONFIG}[evaluate]\ntemperature = false\n"));
    assert!(unscaled.temperatures.is_empty() && unscaled.heads["ear"]["test"].calibrated.is_none());
    assert!((nll(&plain) - figures.nll).abs() < 1e-4);

    let losses = table(&out.join("top_losses.csv"));
    let first = losses.iter().find(|row| row["attribute"] == "ear" && row["split"] == "test").unwrap();
    assert!((number(first, "loss") + number(first, "probability").ln()).abs() < 1e-4);
    assert!(first["answer"] != first["predicted"]);
    let photo = folder.join("images").join(&first["image"]);
    let prediction = &predict(&out, &[photo], &Silent).unwrap()[0].heads["ear"];
    let of_answer = prediction.iter().find(|(answer, _)| *answer == first["answer"]).unwrap();
    assert!((of_answer.1 - number(first, "probability")).abs() < 1e-4);
}

#[test]
fn mistakes_are_told_by_the_given_attribute() {
    let dir = tempfile::tempdir().unwrap();
    let dataset = noisy();
    let metrics = run(&dataset, dir.path(), CONFIG);
    let c = metrics.coincidences.iter().find(|c| c.split == "train").unwrap();
    assert_eq!((c.given.as_str(), c.attribute.as_str()), ("breed", "ear"));
    let (breed, ear) = (&metrics.heads["breed"]["train"], &metrics.heads["ear"]["train"]);
    let total = c.both_right + c.attribute_wrong + c.given_wrong + c.both_wrong;
    assert_eq!(total, ear.n.min(breed.n));
    assert_eq!(c.both_right + c.given_wrong, (ear.accuracy * ear.n as f64).round() as usize);

    let rows = table(&dir.path().join("accuracy_by_given.csv"));
    let of_train: Vec<_> = rows.iter().filter(|row| row["split"] == "train").collect();
    assert_eq!(of_train.iter().map(|row| row["value"].as_str()).collect::<Vec<_>>(), ["akita", "beagle", "corgi"]);
    let right: f64 = of_train.iter().map(|row| number(row, "n") * number(row, "accuracy")).sum();
    assert!((right - ear.accuracy * ear.n as f64).abs() < 1e-3);
}

#[test]
fn another_run_in_the_folder_leaves_no_file_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    run(&drawn(), dir.path(), CONFIG);
    assert!(dir.path().join("confusion_ear.png").exists());
    run(&drawn(), dir.path(), &format!("{CONFIG}[heads.breed]\n"));
    assert!(!dir.path().join("confusion_ear.png").exists() && dir.path().join("confusion_breed.png").exists());

    let own = tempfile::tempdir().unwrap();
    fs::write(own.path().join("README.md"), "mine").unwrap();
    run(&drawn(), own.path(), CONFIG);
    assert_eq!(fs::read_to_string(own.path().join("README.md")).unwrap(), "mine");
    assert!(own.path().join("MODEL_CARD.md").exists());
}
