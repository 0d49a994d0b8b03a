use approx::assert_relative_eq;
use kenami_domain::run_config::HeadConfig;
use rand::Rng;

use super::*;
use crate::observer::Silent;

/// Two heads over 12 photos of 4 features: the first is the largest of the first three features, the second its parity,
/// known for even photos only.
fn problem() -> (Vec<f32>, Vec<HeadData>) {
    let mut rng = crate::random::epoch(7, 99);
    let features: Vec<f32> = (0..48).map(|_| rng.random_range(0.0..1.0)).collect();
    let class = |row: usize| (0..3).max_by(|a, b| features[row * 4 + a].total_cmp(&features[row * 4 + b])).unwrap();
    let head = |name: &str, classes: usize, answer: &dyn Fn(usize) -> Option<usize>| {
        let truth: Vec<_> = (0..12).map(answer).collect();
        let one_hot =
            |truth: &Option<usize>| (0..classes).map(|k| f32::from(u8::from(Some(k) == *truth))).collect::<Vec<_>>();
        HeadData {
            attribute: name.to_owned(),
            annotated: name == "odd",
            config: HeadConfig::default(),
            labels: (0..classes).map(|k| k.to_string()).collect(),
            targets: truth.iter().flat_map(one_hot).collect(),
            mask: truth.iter().map(|truth| f32::from(u8::from(truth.is_some()))).collect(),
            truth,
        }
    };
    let heads = vec![
        head("largest", 3, &|row| Some(class(row))),
        head("odd", 2, &|row| row.is_multiple_of(2).then(|| class(row) % 2)),
    ];
    (features, heads)
}

fn config() -> RunConfig {
    RunConfig { epochs: 30, batch_size: 4, ..RunConfig::default() }
}

const TRAIN: [usize; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const VALIDATION: [usize; 3] = [9, 10, 11];

fn value(rows: &[CurveRow], split: &str, series: &str) -> Option<f64> {
    rows.iter().find(|row| row.split == split && row.series == series).map(|row| row.value)
}

fn weights(trainer: &HeadTrainer<'_>) -> Vec<f32> {
    let flat = |var: &Var| var.as_tensor().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    trainer.heads().iter().flat_map(|head| [flat(&head.weight), flat(&head.bias)].concat()).collect()
}

#[test]
fn the_loss_falls_and_the_training_part_is_learnt() {
    let (features, heads) = problem();
    let mut config = config();
    (config.epochs, config.optimizer.lr) = (200, 0.5);
    let mut trainer = HeadTrainer::new(&config, &heads, &features, 4, (&TRAIN, &VALIDATION)).unwrap();
    let (first, _) = trainer.epoch(1, &Silent).unwrap();
    let mut last = Vec::new();
    for epoch in 2..=config.epochs {
        last = trainer.epoch(epoch, &Silent).unwrap().0;
    }
    for series in ["largest/loss", "odd/loss"] {
        assert!(value(&last, "train", series).unwrap() < 0.5 * value(&first, "train", series).unwrap());
    }
    assert_eq!(value(&last, "train", "largest/accuracy"), Some(1.0));
    assert!(value(&last, "validation", "odd/accuracy").is_some());
}

#[test]
fn a_masked_photo_moves_nothing() {
    let (features, mut heads) = problem();
    let (mut config, train) = (config(), [1, 3]);
    config.optimizer.weight_decay = 0.0;
    let mut trainer = HeadTrainer::new(&config, &heads, &features, 4, (&train, &VALIDATION)).unwrap();
    let odd = |trainer: &HeadTrainer<'_>| trainer.heads()[1].weight.as_tensor().to_vec2::<f32>().unwrap();
    let before = odd(&trainer);
    let (rows, _) = trainer.epoch(1, &Silent).unwrap();
    assert_eq!(odd(&trainer), before);
    assert_eq!(value(&rows, "train", "odd/loss"), None);
    assert!(value(&rows, "train", "largest/loss").is_some());

    // No head has an answer: the epoch goes through, nothing moves, the steps count.
    heads.remove(0);
    let mut trainer = HeadTrainer::new(&config, &heads, &features, 4, (&train, &[])).unwrap();
    let before = weights(&trainer);
    let (rows, _) = trainer.epoch(1, &Silent).unwrap();
    assert_eq!(weights(&trainer), before);
    assert_eq!(trainer.steps(), 1);
    assert_eq!(rows.len(), 1, "{rows:?}");
}

#[test]
fn one_seed_gives_one_result_and_another_seed_another() {
    let (features, heads) = problem();
    let run = |seed: u64| {
        let config = RunConfig { seed, ..config() };
        let mut trainer = HeadTrainer::new(&config, &heads, &features, 4, (&TRAIN, &VALIDATION)).unwrap();
        (1..=3).for_each(|epoch| drop(trainer.epoch(epoch, &Silent).unwrap()));
        weights(&trainer)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_with_its_place() {
    let (mut features, heads) = problem();
    features[5] = f32::NAN;
    let config = config();
    let mut trainer = HeadTrainer::new(&config, &heads, &features, 4, (&TRAIN, &VALIDATION)).unwrap();
    let error = trainer.epoch(1, &Silent).unwrap_err();
    assert!(matches!(&error, Error::Diverged { head, epoch: 1, .. } if head == "largest"), "{error}");
}

#[test]
fn nothing_to_train_on_is_an_error() {
    let (features, heads) = problem();
    assert!(HeadTrainer::new(&config(), &heads, &features, 4, (&[], &VALIDATION)).is_err());
}

#[test]
fn probabilities_sum_to_one_and_do_not_overflow() {
    for loss in LossName::ALL {
        for logits in [[0.0, 0.0, 0.0], [1000.0, -1000.0, 0.0], [-1000.0, -1000.0, -1000.0]] {
            let p = probabilities(*loss, &logits);
            assert_relative_eq!(p.iter().sum::<f64>(), 1.0, epsilon = 1e-12);
        }
    }
    let p = probabilities(LossName::CrossEntropy, &[1.0, 2.0]);
    assert_relative_eq!(p[1], 1.0 / (1.0 + (-1f64).exp()), epsilon = 1e-9);
}

/// What the run leaves after `epochs`, broken off and resumed from its checkpoint after `break_after`.
fn leave(config: &RunConfig, epochs: u32, break_after: Option<u32>) -> Vec<f32> {
    let (features, heads) = problem();
    let new = || HeadTrainer::new(config, &heads, &features, 4, (&TRAIN, &VALIDATION)).unwrap();
    let mut trainer = new();
    let mut state = State::new(String::new());
    for epoch in 1..=epochs {
        trainer.epoch(epoch, &Silent).unwrap();
        if break_after == Some(epoch) {
            let tensors = trainer.save(&mut state).unwrap();
            let copies: Vec<_> = tensors.into_iter().map(|(name, t)| (name, t.copy().unwrap())).collect();
            trainer = new();
            let find = |name: &str| Ok(copies.iter().find(|(n, _)| n == name).unwrap().1.clone());
            trainer.restore(&state, find).unwrap();
        }
    }
    trainer.finish().unwrap();
    weights(&trainer)
}

#[test]
fn every_choice_changes_the_run_and_resumes_bit_for_bit() {
    let plain = leave(&config(), 5, None);
    for text in [
        "[model]\ndropout = 0.3",
        "[optimizer]\nclip_norm = 0.05",
        "[optimizer]\naccumulate = 2",
        "[optimizer]\nema = 0.9",
        "[loss]\nweighting = \"learned\"",
        "[loss]\nattributes = 0.3",
        "[sampler]\nkind = \"balanced\"",
        "[sampler]\nkind = \"pk\"\np = 2\nk = 2",
        "[schedule]\nname = \"plateau\"\npatience = 0",
        "[schedule]\nname = \"cosine-restarts\"",
        "[optimizer]\nname = \"adamw\"\nema = 0.5\naccumulate = 2\n[model]\ndropout = 0.2\n[loss]\nweighting = \"learned\"",
    ] {
        let parsed = RunConfig::from_toml(&format!("epochs = 30\nbatch_size = 4\n{text}\n")).unwrap();
        let straight = leave(&parsed, 5, None);
        assert_ne!(straight, plain, "{text} changes nothing");
        assert_eq!(straight, leave(&parsed, 5, Some(2)), "{text}");
        assert!(straight.iter().all(|weight| weight.is_finite()), "{text}");
    }
}

#[test]
fn two_batches_whose_gradients_are_averaged_are_one_of_twice_the_size() {
    let run = |batch_size: u32, accumulate: u32| {
        let (features, mut heads) = problem();
        heads.truncate(1);
        let mut config = RunConfig { batch_size, ..config() };
        config.optimizer.accumulate = accumulate;
        let train = [0, 1, 2, 3, 4, 5, 6, 7];
        let mut trainer = HeadTrainer::new(&config, &heads, &features, 4, (&train, &VALIDATION)).unwrap();
        (1..=3).for_each(|epoch| drop(trainer.epoch(epoch, &Silent).unwrap()));
        (trainer.steps(), weights(&trainer))
    };
    let ((steps, whole), (same_steps, halves)) = (run(4, 1), run(2, 2));
    assert_eq!(steps, same_steps);
    whole.iter().zip(&halves).for_each(|(a, b)| assert_relative_eq!(*a, *b, epsilon = 1e-6));
}
