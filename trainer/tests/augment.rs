//! Augmentation against torchvision (fixtures/augment.py), and what a whole pass over a photo keeps.

use fast_image_resize::Resizer;
use image::RgbImage;
use kenami_domain::run_config::{AugmentConfig, AugmentPolicy};
use kenami_trainer::augment::{
    AUTOAUGMENT, Augment, DRAWN_EVENLY, Draws, Mix, Operation, Policy, Purpose, Rectangle, Space, Step, hue,
    resized_crop,
};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/augment.json")).unwrap()
}

/// The same formula as in augment.py.
fn photo(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb(if !(x / 4 + y / 3).is_multiple_of(5) {
            [0, 1, 2].map(|c| ((x * 9 + y * 5 + c * 40 + (x * y * 3) % 31 * 4) % 200 + 10 * ((x + y) % 3)) as u8)
        } else {
            [((x * 15 + y) % 256) as u8; 3]
        })
    })
}

/// The same formula as in augment.py.
fn smooth(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([0, 1, 2].map(|c| (if x < 2 * width / 3 { (2 * x + y) % 160 + 30 * c } else { 250 - 40 * c }) as u8))
    })
}

fn operation(name: &str) -> Operation {
    Operation::ALL.into_iter().find(|operation| operation.as_str() == name).unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Bytes that differ, and the largest difference.
fn difference(ours: &RgbImage, theirs: &Value) -> (usize, u8) {
    let theirs = bytes(theirs);
    assert_eq!(ours.len(), theirs.len());
    let differences = ours.iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b));
    (differences.clone().filter(|d| *d > 0).count(), differences.max().unwrap_or(0))
}

#[test]
fn operations_give_torchvisions_bytes() {
    for case in fixture()["operations"].as_array().unwrap() {
        let photo = if case["photo"] == "small" { photo(17, 13) } else { photo(12, 16) };
        let operation = operation(case["operation"].as_str().unwrap());
        let magnitude = case["magnitude"].as_f64().unwrap();
        let ours = operation.apply(photo, magnitude);
        assert_eq!(difference(&ours, &case["pixels"]), (0, 0), "{operation:?} {magnitude} {}", case["photo"]);
    }
}

#[test]
fn hue_gives_torchvisions_bytes() {
    for case in fixture()["hue"].as_array().unwrap() {
        let mut ours = photo(17, 13);
        hue(&mut ours, case["turn"].as_f64().unwrap() as f32);
        assert_eq!(difference(&ours, &case["pixels"]), (0, 0), "{}", case["turn"]);
    }
}

#[test]
fn resized_crops_are_torchvisions_to_one_step() {
    for case in fixture()["crops"].as_array().unwrap() {
        let [left, top, width, height] = [0, 1, 2, 3].map(|at| case["crop"][at].as_u64().unwrap() as u32);
        let size = case["size"].as_u64().unwrap() as u32;
        let crop = Rectangle { left, top, width, height };
        let ours = resized_crop(&smooth(61, 47), crop, size, &mut Resizer::new());
        let (differing, largest) = difference(&ours, &case["pixels"]);
        assert!(
            largest <= 1 && differing * 20 <= ours.len(),
            "{crop:?} {size}: {differing} of {}, {largest}",
            ours.len()
        );
    }
}

#[test]
fn magnitudes_are_torchvisions() {
    let fixture = fixture();
    let cases = fixture["spaces"].as_array().unwrap();
    assert_eq!(cases.len(), 14 * 3);
    for case in cases {
        let space = if case["space"] == "wide" { Space::Wide } else { Space::Narrow };
        let operation = operation(case["operation"].as_str().unwrap());
        let bins = case["bins"].as_u64().unwrap() as usize;
        for (bin, theirs) in case["values"].as_array().unwrap().iter().enumerate() {
            let ours = space.magnitude(operation, bins, bin, 320, 200);
            let theirs = theirs.as_f64().unwrap();
            assert!(
                (ours.value - theirs).abs() <= 1e-6 * theirs.abs().max(0.1),
                "{operation:?} {bin} {ours:?} {theirs}"
            );
            assert_eq!(ours.has_direction, case["signed"].as_bool().unwrap(), "{operation:?}");
        }
    }
}

#[test]
fn the_autoaugment_policy_is_torchvisions() {
    let fixture = fixture();
    let theirs = fixture["autoaugment"].as_array().unwrap();
    assert_eq!(theirs.len(), AUTOAUGMENT.len());
    for (ours, theirs) in AUTOAUGMENT.iter().zip(theirs) {
        for (at, (operation, probability, bin)) in ours.iter().enumerate() {
            assert_eq!(operation.as_str(), theirs[at][0]);
            assert_eq!(*probability, theirs[at][1].as_f64().unwrap());
            assert_eq!(u64::from(*bin), theirs[at][2].as_u64().unwrap());
        }
    }
}

#[test]
fn mixing_is_torchvisions() {
    let fixture = fixture();
    let rectangle = Rectangle { left: 1, top: 0, width: 2, height: 4 };
    for (name, mix) in [("mixup", Mix::Mixup { lambda: 0.7 }), ("cutmix", Mix::CutMix { rectangle, lambda: 0.5 })] {
        let mut images: Vec<f32> = (0..3 * 4 * 4 * 3).map(|value| value as f32).collect();
        let (mut targets, mut mask) = (vec![1.0, 0.0, 0.25, 0.75, 0.0, 1.0], vec![1.0; 3]);
        mix.images(&mut images, 4);
        mix.targets(&mut targets, &mut mask, 2);
        for (ours, key) in [(images, "images"), (targets, "targets")] {
            let theirs = fixture["mix"][name][key].as_array().unwrap();
            assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.iter().zip(theirs) {
                let theirs = theirs.as_f64().unwrap() as f32;
                assert!((ours - theirs).abs() <= 1e-5 * theirs.abs().max(1.0), "{name} {key} {ours} {theirs}");
            }
        }
    }
}

#[test]
fn magnitude_zero_changes_nothing() {
    for operation in Operation::ALL {
        let nothing = match operation {
            Operation::Posterize => 8.0,
            Operation::Solarize => 1.1,
            Operation::AutoContrast | Operation::Equalize | Operation::Invert => continue,
            _ => 0.0,
        };
        for (width, height) in [(17, 13), (1, 1), (2, 9), (64, 64)] {
            assert_eq!(operation.apply(photo(width, height), nothing), photo(width, height), "{operation:?}");
        }
    }
}

#[test]
fn every_operation_takes_every_size() {
    for operation in Operation::ALL {
        for (width, height) in [(1, 1), (1, 7), (3, 2), (31, 5)] {
            for magnitude in [0.0, 0.3, 4.0, -0.9] {
                let result = operation.apply(photo(width, height), magnitude);
                assert_eq!(result.dimensions(), (width, height));
            }
        }
    }
}

fn steps(policy: Policy, photos: u64) -> Vec<Vec<Step>> {
    (0..photos).map(|index| policy.draw(&mut Draws::new(11, Purpose::Photo, 0, index), 224, 224)).collect()
}

#[test]
fn autoaugment_does_as_much_as_its_probabilities_say() {
    let expected = AUTOAUGMENT.iter().flatten().map(|half| half.1).sum::<f64>() / 25.0;
    let drawn = steps(Policy::AutoAugment, 20_000);
    let mean = drawn.iter().map(Vec::len).sum::<usize>() as f64 / 20_000.0;
    assert!((mean - expected).abs() < 0.02, "{mean} {expected}");
    let negative = drawn.iter().flatten().filter(|step| matches!(step, Step::Apply(Operation::Rotate, m) if *m < 0.0));
    let positive = drawn.iter().flatten().filter(|step| matches!(step, Step::Apply(Operation::Rotate, m) if *m > 0.0));
    let (negative, positive) = (negative.count() as f64, positive.count() as f64);
    assert!((negative / (negative + positive) - 0.5).abs() < 0.03);
}

#[test]
fn randaugment_and_trivialaugment_draw_evenly() {
    for (policy, steps_a_photo, space) in [
        (Policy::RandAugment { operations: 2, magnitude: 9 }, 2, Space::Narrow),
        (Policy::TrivialAugment, 1, Space::Wide),
    ] {
        let drawn = steps(policy, 14_000);
        assert!(drawn.iter().all(|steps| steps.len() == steps_a_photo));
        let all = drawn.iter().flatten().count();
        for wanted in DRAWN_EVENLY {
            let magnitudes: Vec<f64> = drawn
                .iter()
                .flatten()
                .filter_map(|step| match step {
                    Step::Apply(operation, magnitude) if *operation == wanted => Some(*magnitude),
                    _ => None,
                })
                .collect();
            let share = magnitudes.len() as f64 / all as f64 * 14.0;
            assert!((share - 1.0).abs() < 0.15, "{wanted:?} {share}");
            let bins: Vec<f64> = (0..31).map(|bin| space.magnitude(wanted, 31, bin, 224, 224).value).collect();
            assert!(magnitudes.iter().all(|magnitude| bins.contains(&magnitude.abs())), "{wanted:?}");
            if policy == Policy::TrivialAugment {
                assert!(
                    bins.iter().all(|bin| magnitudes.iter().any(|magnitude| magnitude.abs() == *bin)),
                    "{wanted:?}"
                );
            } else {
                assert!(magnitudes.iter().all(|magnitude| magnitude.abs() == bins[9]), "{wanted:?}");
            }
        }
    }
}

#[test]
fn a_photo_depends_on_seed_epoch_and_index_alone() {
    let photo = photo(90, 70);
    let mut resizer = Resizer::new();
    for policy in AugmentPolicy::ALL {
        let config = AugmentConfig {
            policy: *policy,
            jitter: [0.4, 0.4, 0.4, 0.1],
            erasing: Some(0.5),
            ..AugmentConfig::default()
        };
        let augment = Augment::new(&config, 3, 32);
        let first = augment.photo(&photo, 1, 8, &mut resizer);
        augment.photo(&photo, 2, 9, &mut resizer);
        assert_eq!(first, augment.photo(&photo, 1, 8, &mut Resizer::new()));
        assert_eq!(first.photo.dimensions(), (32, 32));
        assert_ne!(first, augment.photo(&photo, 1, 9, &mut resizer));
        assert_ne!(first, augment.photo(&photo, 2, 8, &mut resizer));
        assert_ne!(first, Augment::new(&config, 4, 32).photo(&photo, 1, 8, &mut resizer));
    }
}

#[test]
fn half_of_the_photos_are_flipped() {
    let photo = RgbImage::from_fn(64, 64, |x, _| image::Rgb([(x * 4) as u8; 3]));
    let augment = Augment::new(&AugmentConfig::default(), 0, 16);
    let flipped = (0..2000)
        .filter(|index| {
            let square = augment.photo(&photo, 0, *index, &mut Resizer::new()).photo;
            square.get_pixel(0, 0)[0] > square.get_pixel(15, 0)[0]
        })
        .count();
    assert!((930..1070).contains(&flipped), "{flipped}");
}
