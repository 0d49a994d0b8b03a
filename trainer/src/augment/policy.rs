//! Policies: which operations a photo gets, with which magnitudes. Dialect: torchvision (timm's differs).

use image::RgbImage;

use super::{Draws, Operation, fast_autoaugment, geometry};

/// One thing done to a photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// An operation at a magnitude.
    Apply(Operation, f64),
    /// A painted square about (x, y), in pixels.
    Cutout {
        /// Column of the centre.
        x: f64,
        /// Row of the centre.
        y: f64,
        /// Its side.
        side: f64,
    },
}

/// The colour of Fast AutoAugment's cutout: about ImageNet's mean.
const CUTOUT_COLOUR: [u8; 3] = [125, 123, 114];

impl Step {
    /// The photo after the step.
    pub fn apply(self, mut photo: RgbImage) -> RgbImage {
        match self {
            Self::Apply(operation, magnitude) => operation.apply(photo, magnitude),
            Self::Cutout { x, y, side } => {
                geometry::cutout(&mut photo, x, y, side, CUTOUT_COLOUR);
                photo
            }
        }
    }
}

/// Number of magnitudes of AutoAugment.
const AUTOAUGMENT_BINS: usize = 10;
/// Number of magnitudes of RandAugment and TrivialAugment.
pub const BINS: usize = 31;

/// How a photo's steps are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// AutoAugment's ImageNet policy (arXiv 1805.09501): one of 25 pairs, each half with its probability.
    AutoAugment,
    /// Fast AutoAugment's policy for ImageNet (arXiv 1905.00397), the published ResNet-50 one.
    FastAutoAugment,
    /// RandAugment (arXiv 1909.13719): operations drawn evenly, all at one magnitude.
    RandAugment {
        /// Operations a photo.
        operations: usize,
        /// Magnitude, from 0 to [`BINS`] - 1.
        magnitude: usize,
    },
    /// TrivialAugment, wide (arXiv 2103.10158): one operation at a magnitude, both drawn evenly.
    TrivialAugment,
}

impl Policy {
    /// Draws the steps for a photo of this size.
    pub fn draw(self, draws: &mut Draws, width: u32, height: u32) -> Vec<Step> {
        let size = (width, height);
        match self {
            Self::AutoAugment => {
                let pair = &AUTOAUGMENT[draws.below(AUTOAUGMENT.len())];
                let mut steps = Vec::with_capacity(2);
                for (operation, probability, bin) in pair {
                    if draws.unit() <= *probability {
                        steps.push(drawn(draws, *operation, Space::Narrow, AUTOAUGMENT_BINS, usize::from(*bin), size));
                    }
                }
                steps
            }
            Self::FastAutoAugment => fast_autoaugment::draw(draws, width, height),
            Self::RandAugment { operations, magnitude } => (0..operations)
                .map(|_| {
                    let operation = DRAWN_EVENLY[draws.below(DRAWN_EVENLY.len())];
                    drawn(draws, operation, Space::Narrow, BINS, magnitude, size)
                })
                .collect(),
            Self::TrivialAugment => {
                let operation = DRAWN_EVENLY[draws.below(DRAWN_EVENLY.len())];
                let bin = draws.below(BINS);
                vec![drawn(draws, operation, Space::Wide, BINS, bin, size)]
            }
        }
    }
}

/// The operation at a bin's magnitude, turned round half of the time where it has a direction.
fn drawn(
    draws: &mut Draws,
    operation: Operation,
    space: Space,
    bins: usize,
    bin: usize,
    (width, height): (u32, u32),
) -> Step {
    let magnitude = space.magnitude(operation, bins, bin, width, height);
    let turned = magnitude.has_direction && draws.chance(0.5);
    Step::Apply(operation, if turned { -magnitude.value } else { magnitude.value })
}

/// How far operations go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// AutoAugment's and RandAugment's.
    Narrow,
    /// TrivialAugment's.
    Wide,
}

/// A magnitude, and whether its negative is as good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Magnitude {
    /// As [`Operation::apply`] takes it.
    pub value: f64,
    /// Whether half of the photos get the negative.
    pub has_direction: bool,
}

impl Space {
    /// The magnitude of bin `bin` of `bins`, for a photo of this size.
    pub fn magnitude(self, operation: Operation, bins: usize, bin: usize, width: u32, height: u32) -> Magnitude {
        use Operation as O;
        let is_wide = self == Self::Wide;
        let up_to = |end: f64| Magnitude { value: linspace(0.0, end as f32, bins, bin), has_direction: true };
        let translate = |side: u32| if is_wide { 32.0 } else { 150.0 / 331.0 * f64::from(side) };
        let fixed = |value: f64| Magnitude { value, has_direction: false };
        match operation {
            O::ShearX | O::ShearY => up_to(if is_wide { 0.99 } else { 0.3 }),
            O::TranslateX => up_to(translate(width)),
            O::TranslateY => up_to(translate(height)),
            O::Rotate => up_to(if is_wide { 135.0 } else { 30.0 }),
            O::Brightness | O::Color | O::Contrast | O::Sharpness => up_to(if is_wide { 0.99 } else { 0.9 }),
            O::Posterize => {
                let lost_bits = if is_wide { 6.0 } else { 4.0 };
                let step = ((bins - 1) as f64 / lost_bits) as f32;
                fixed(f64::from((8.0 - bin as f32 / step).round_ties_even()))
            }
            O::Solarize => fixed(linspace(1.0, 0.0, bins, bin)),
            O::Identity | O::AutoContrast | O::Equalize | O::Invert => fixed(0.0),
        }
    }
}

/// torch's `linspace(start, end, steps)[index]`, in single precision and from the nearer end as there.
fn linspace(start: f32, end: f32, steps: usize, index: usize) -> f64 {
    let step = (end - start) / (steps - 1) as f32;
    let value = if index < steps / 2 { start + step * index as f32 } else { end - step * (steps - 1 - index) as f32 };
    f64::from(value)
}

/// What RandAugment and TrivialAugment draw from.
pub const DRAWN_EVENLY: [Operation; 14] = [
    Operation::Identity,
    Operation::ShearX,
    Operation::ShearY,
    Operation::TranslateX,
    Operation::TranslateY,
    Operation::Rotate,
    Operation::Brightness,
    Operation::Color,
    Operation::Contrast,
    Operation::Sharpness,
    Operation::Posterize,
    Operation::Solarize,
    Operation::AutoContrast,
    Operation::Equalize,
];

/// Operation, probability, bin of ten.
type Half = (Operation, f64, u8);

/// AutoAugment's ImageNet policy, with its repeated pairs.
pub const AUTOAUGMENT: [[Half; 2]; 25] = {
    use Operation::{AutoContrast, Color, Contrast, Equalize, Invert, Posterize, Rotate, Sharpness, ShearX, Solarize};
    [
        [(Posterize, 0.4, 8), (Rotate, 0.6, 9)],
        [(Solarize, 0.6, 5), (AutoContrast, 0.6, 0)],
        [(Equalize, 0.8, 0), (Equalize, 0.6, 0)],
        [(Posterize, 0.6, 7), (Posterize, 0.6, 6)],
        [(Equalize, 0.4, 0), (Solarize, 0.2, 4)],
        [(Equalize, 0.4, 0), (Rotate, 0.8, 8)],
        [(Solarize, 0.6, 3), (Equalize, 0.6, 0)],
        [(Posterize, 0.8, 5), (Equalize, 1.0, 0)],
        [(Rotate, 0.2, 3), (Solarize, 0.6, 8)],
        [(Equalize, 0.6, 0), (Posterize, 0.4, 6)],
        [(Rotate, 0.8, 8), (Color, 0.4, 0)],
        [(Rotate, 0.4, 9), (Equalize, 0.6, 0)],
        [(Equalize, 0.0, 0), (Equalize, 0.8, 0)],
        [(Invert, 0.6, 0), (Equalize, 1.0, 0)],
        [(Color, 0.6, 4), (Contrast, 1.0, 8)],
        [(Rotate, 0.8, 8), (Color, 1.0, 2)],
        [(Color, 0.8, 8), (Solarize, 0.8, 7)],
        [(Sharpness, 0.4, 7), (Invert, 0.6, 0)],
        [(ShearX, 0.6, 5), (Equalize, 1.0, 0)],
        [(Color, 0.4, 0), (Equalize, 0.6, 0)],
        [(Equalize, 0.4, 0), (Solarize, 0.2, 4)],
        [(Solarize, 0.6, 5), (AutoContrast, 0.6, 0)],
        [(Invert, 0.6, 0), (Equalize, 1.0, 0)],
        [(Color, 0.6, 4), (Contrast, 1.0, 8)],
        [(Equalize, 0.8, 0), (Equalize, 0.6, 0)],
    ]
};
