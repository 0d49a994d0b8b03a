//! Fast AutoAugment's ImageNet policy (arXiv 1905.00397), as published by its authors (`fa_resnet50_rimagenet`), with the
//! ranges of their operations and the operations themselves as torchvision does them.

use std::sync::LazyLock;

use super::{Draws, Operation, policy::Step};

/// One pair of halves a line, a half as code, probability, level: `SY1414,5131` is ShearY with probability 0.1414 at level
/// 0.5131.
const TABLE: &str = include_str!("fast_autoaugment.txt");

/// An operation with its range: the magnitude at levels 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// One of torchvision's; the magnitude is turned round half of the time where `has_direction`.
    Known { operation: Operation, low: f64, high: f64, has_direction: bool },
    /// A shift by a share of the width.
    TranslateX,
    /// A shift by a share of the height.
    TranslateY,
    /// A painted square, its side a share of the width.
    Cutout,
}

/// Half of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Half {
    kind: Kind,
    probability: f64,
    level: f64,
}

static PAIRS: LazyLock<Vec<[Half; 2]>> = LazyLock::new(|| {
    TABLE.lines().filter(|line| !line.is_empty()).map(|line| pair(line).expect("a well-formed table")).collect()
});

/// Shift at levels 0 and 1, as a share of the side.
const SHIFT: f64 = 0.45;
/// Side of the cutout at level 1, as a share of the width.
const CUTOUT: f64 = 0.2;

/// Draws a pair and, for each half, whether it is done.
pub(super) fn draw(draws: &mut Draws, width: u32, height: u32) -> Vec<Step> {
    let pair = &PAIRS[draws.below(PAIRS.len())];
    let mut steps = Vec::with_capacity(2);
    for half in pair {
        if draws.unit() <= half.probability {
            steps.extend(step(draws, half, f64::from(width), f64::from(height)));
        }
    }
    steps
}

fn step(draws: &mut Draws, half: &Half, width: f64, height: f64) -> Option<Step> {
    let level = half.level;
    let shift = |draws: &mut Draws, side: f64| {
        let share = -SHIFT + level * 2.0 * SHIFT;
        side * if draws.chance(0.5) { -share } else { share }
    };
    match half.kind {
        Kind::Known { operation, low, high, has_direction } => {
            let magnitude = low + level * (high - low);
            let turned = has_direction && draws.chance(0.5);
            Some(Step::Apply(operation, if turned { -magnitude } else { magnitude }))
        }
        Kind::TranslateX => Some(Step::Apply(Operation::TranslateX, shift(draws, width))),
        Kind::TranslateY => Some(Step::Apply(Operation::TranslateY, shift(draws, height))),
        Kind::Cutout => {
            let side = level * CUTOUT * width;
            let (x, y) = (draws.between(0.0, width), draws.between(0.0, height));
            (side > 0.0).then_some(Step::Cutout { x, y, side })
        }
    }
}

fn pair(line: &str) -> Option<[Half; 2]> {
    let (first, second) = line.split_once(' ')?;
    Some([half(first)?, half(second)?])
}

fn half(text: &str) -> Option<Half> {
    let (code, numbers) = text.split_at_checked(2)?;
    let (probability, level) = numbers.split_once(',')?;
    let share = |digits: &str| digits.parse::<u32>().ok().map(|number| f64::from(number) / 1e4);
    Some(Half { kind: kind(code)?, probability: share(probability)?, level: share(level)? })
}

fn kind(code: &str) -> Option<Kind> {
    let known = |operation, low, high, has_direction| Kind::Known { operation, low, high, has_direction };
    // The enhancing operations' published magnitudes are factors from 0.1 to 1.9; ours are what they add to 1.
    let enhancing = |operation| known(operation, -0.9, 0.9, false);
    Some(match code {
        "SX" => known(Operation::ShearX, -0.3, 0.3, true),
        "SY" => known(Operation::ShearY, -0.3, 0.3, true),
        "TX" => Kind::TranslateX,
        "TY" => Kind::TranslateY,
        "RO" => known(Operation::Rotate, -30.0, 30.0, true),
        "AC" => known(Operation::AutoContrast, 0.0, 0.0, false),
        "IN" => known(Operation::Invert, 0.0, 0.0, false),
        "EQ" => known(Operation::Equalize, 0.0, 0.0, false),
        "SO" => known(Operation::Solarize, 0.0, 256.0 / 255.0, false),
        "PO" => known(Operation::Posterize, 4.0, 8.0, false),
        "CN" => enhancing(Operation::Contrast),
        "CO" => enhancing(Operation::Color),
        "BR" => enhancing(Operation::Brightness),
        "SH" => enhancing(Operation::Sharpness),
        "CU" => Kind::Cutout,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Purpose;

    #[test]
    fn the_table_is_well_formed() {
        for (number, line) in TABLE.lines().filter(|line| !line.is_empty()).enumerate() {
            let pair = pair(line).unwrap_or_else(|| panic!("line {}: {line}", number + 1));
            for half in pair {
                assert!((0.0..=1.0).contains(&half.probability) && (0.0..=1.0).contains(&half.level), "{line}");
            }
        }
    }

    #[test]
    fn magnitudes_keep_the_published_ranges() {
        for index in 0..20_000 {
            for step in draw(&mut Draws::new(0, Purpose::Photo, 0, index), 200, 100) {
                match step {
                    Step::Cutout { x, y, side } => {
                        assert!((0.0..200.0).contains(&x) && (0.0..100.0).contains(&y) && side <= 40.0);
                    }
                    Step::Apply(operation, magnitude) => {
                        let (low, high) = match operation {
                            Operation::ShearX | Operation::ShearY => (-0.3, 0.3),
                            Operation::TranslateX => (-90.0, 90.0),
                            Operation::TranslateY => (-45.0, 45.0),
                            Operation::Rotate => (-30.0, 30.0),
                            Operation::Posterize => (4.0, 8.0),
                            Operation::Solarize => (0.0, 256.0 / 255.0),
                            Operation::AutoContrast | Operation::Equalize | Operation::Invert => (0.0, 0.0),
                            _ => (-0.9, 0.9),
                        };
                        assert!((low..=high).contains(&magnitude), "{operation:?} {magnitude}");
                    }
                }
            }
        }
    }

    #[test]
    fn as_many_steps_are_drawn_as_the_probabilities_say() {
        let expected = PAIRS.iter().flatten().map(|half| half.probability).sum::<f64>() / PAIRS.len() as f64;
        let photos = 20_000;
        let steps: usize =
            (0..photos).map(|index| draw(&mut Draws::new(5, Purpose::Photo, 0, index), 9, 9).len()).sum();
        let mean = steps as f64 / photos as f64;
        assert!((mean - expected).abs() < 0.03, "{mean} {expected}");
    }
}
