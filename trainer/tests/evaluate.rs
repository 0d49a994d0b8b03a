//! Figures against scikit-learn, the temperature against PyTorch's LBFGS (fixtures/evaluate.py).
#![allow(missing_docs)]

mod common;

use approx::assert_relative_eq;
use common::uniform;
use kenami_domain::{metrics::CalibratedMetrics, run_config::LossName};
use kenami_trainer::{
    calibrate::{fit, tempered},
    evaluate::{Judged, calibration, evaluate},
};

const PHOTOS: usize = 240;
const CLASSES: usize = 7;
const LOSS: LossName = LossName::CrossEntropy;

#[derive(serde::Deserialize)]
struct Expected {
    accuracy: f64,
    mean_per_class_accuracy: f64,
    top5_accuracy: f64,
    macro_f1: f64,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    support: Vec<u32>,
    confusion: Vec<Vec<u32>>,
    plain: CalibratedMetrics,
    temperature: f64,
    calibrated: CalibratedMetrics,
}

fn cases() -> (Vec<usize>, Vec<f32>) {
    let answers = uniform("evaluate/answers", PHOTOS);
    let answers: Vec<usize> = answers.iter().map(|u| ((u + 0.5) * (CLASSES - 1) as f64) as usize).collect();
    let mut logits: Vec<f64> = uniform("evaluate/logits", PHOTOS * CLASSES).iter().map(|u| u * 6.0).collect();
    answers.iter().enumerate().for_each(|(i, answer)| logits[i * CLASSES + answer] += 1.5);
    (answers, logits.iter().map(|x| (x * 2.5) as f32).collect())
}

fn assert_calibration(found: CalibratedMetrics, expected: CalibratedMetrics) {
    assert_relative_eq!(found.nll, expected.nll, epsilon = 1e-6);
    assert_relative_eq!(found.brier, expected.brier, epsilon = 1e-6);
    assert_relative_eq!(found.ece, expected.ece, epsilon = 1e-6);
}

#[test]
fn figures_are_those_of_scikit_learn() {
    let expected: Expected = serde_json::from_str(include_str!("fixtures/evaluate.json")).unwrap();
    let (answers, logits) = cases();
    let judged = |temperature: f64| -> Vec<Vec<f64>> {
        logits.chunks(CLASSES).map(|row| tempered(LOSS, row, temperature)).collect()
    };
    let photos = |rows: &[Vec<f64>], check: &dyn Fn(&[Judged<'_>])| {
        let photos = answers.iter().zip(rows);
        check(
            &photos.map(|(answer, row)| Judged { image: "", answer: *answer, probabilities: row }).collect::<Vec<_>>(),
        );
    };
    photos(&judged(1.0), &|photos| {
        let labels: Vec<String> = (0..CLASSES).map(|k| k.to_string()).collect();
        let metrics = evaluate(&labels, photos).unwrap();
        assert_relative_eq!(metrics.accuracy, expected.accuracy, epsilon = 1e-12);
        assert_relative_eq!(metrics.mean_per_class_accuracy, expected.mean_per_class_accuracy, epsilon = 1e-12);
        assert_relative_eq!(metrics.top5_accuracy, expected.top5_accuracy, epsilon = 1e-12);
        assert_relative_eq!(metrics.macro_f1, expected.macro_f1, epsilon = 1e-12);
        assert_eq!(metrics.confusion.counts, expected.confusion);
        for (k, class) in metrics.per_class.iter().enumerate() {
            assert_eq!(class.support, expected.support[k]);
            assert_relative_eq!(class.precision, expected.precision[k], epsilon = 1e-12);
            assert_relative_eq!(class.recall, expected.recall[k], epsilon = 1e-12);
            assert_relative_eq!(class.f1, expected.f1[k], epsilon = 1e-12);
        }
        let found = CalibratedMetrics { nll: metrics.nll, brier: metrics.brier, ece: metrics.ece };
        assert_calibration(found, expected.plain);
    });
    let rows: Vec<(&[f32], usize)> = logits.chunks(CLASSES).zip(answers.iter().copied()).collect();
    let temperature = fit(LOSS, &rows).unwrap();
    assert_relative_eq!(temperature, expected.temperature, max_relative = 1e-5);
    photos(&judged(temperature), &|photos| assert_calibration(calibration(photos), expected.calibrated));
}
