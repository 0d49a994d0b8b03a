//! Augmentation on the CPU, on photos of RGB bytes. Dialect: torchvision (`transforms.v2` on uint8 tensors): what an
//! operation does at a magnitude and how magnitudes are spread is torchvision's, tested against it.
//!
//! The order is crop, flip, policy, colour jitter, normalisation, erasing, then Mixup or CutMix on the batch. Everything
//! random about a photo comes from (seed, epoch, the photo's index) alone: it does not depend on threads, on the batch, or
//! on where in an epoch a run was resumed.

mod colour;
mod crop;
mod erase;
mod fast_autoaugment;
mod geometry;
mod mix;
mod operation;
mod policy;
mod random;
mod tone;

use fast_image_resize::Resizer;
use image::RgbImage;
use kenami_domain::run_config::{AugmentConfig, AugmentPolicy};

pub use colour::hue;
pub use crop::{Rectangle, draw_crop, flip, resized_crop};
pub use erase::{draw_erasing, erase};
pub use mix::{Mix, draw_mix};
pub use operation::Operation;
pub use policy::{AUTOAUGMENT, BINS, DRAWN_EVENLY, Magnitude, Policy, Space, Step};
pub use random::{Draws, Purpose};

/// A configuration made ready for photos.
#[derive(Debug, Clone, PartialEq)]
pub struct Augment {
    config: AugmentConfig,
    policy: Option<Policy>,
    seed: u64,
    size: u32,
}

/// A photo after augmentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Augmented {
    /// The square, not yet normalised.
    pub photo: RgbImage,
    /// What is set to 0 after normalising.
    pub erased: Option<Rectangle>,
}

impl Augment {
    /// For squares of `size` pixels. `config` must have been validated.
    pub fn new(config: &AugmentConfig, seed: u64, size: u32) -> Self {
        let policy = match config.policy {
            AugmentPolicy::None | AugmentPolicy::Basic | AugmentPolicy::RandomErasing => None,
            AugmentPolicy::AutoAugment => Some(Policy::AutoAugment),
            AugmentPolicy::FastAutoAugment => Some(Policy::FastAutoAugment),
            AugmentPolicy::RandAugment => Some(Policy::RandAugment {
                operations: config.operations as usize,
                magnitude: config.magnitude as usize,
            }),
            AugmentPolicy::TrivialAugment => Some(Policy::TrivialAugment),
        };
        Self { config: config.clone(), policy, seed, size }
    }

    /// Side of the square, in pixels.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Whether crops are random; otherwise the photo's centre is taken as in evaluation.
    pub fn crops(&self) -> bool {
        self.config.policy != AugmentPolicy::None
    }

    /// Length of a photo's shorter edge, in pixels, beyond which no crop gains: the smallest crop still has the square's
    /// size. Larger photos may be reduced to it before they are kept.
    pub fn largest_useful_edge(&self) -> u32 {
        let [narrow, broad] = self.config.crop_ratio;
        // The shorter side of the smallest crop of a square photo, as a share of the photo's side.
        let share = if self.crops() { (self.config.crop_scale[0] * narrow.min(1.0 / broad)).sqrt() } else { 0.875 };
        (f64::from(self.size) / share.max(0.1)).ceil() as u32
    }

    /// Augments a decoded photo for one epoch. `index` is the photo's place in the dataset.
    pub fn photo(&self, photo: &RgbImage, epoch: u64, index: u64, resizer: &mut Resizer) -> Augmented {
        let mut draws = Draws::new(self.seed, Purpose::Photo, epoch, index);
        let (width, height) = photo.dimensions();
        let crop = if self.crops() {
            draw_crop(&mut draws, width, height, self.config.crop_scale, self.config.crop_ratio)
        } else {
            evaluation_crop(width, height)
        };
        let mut square = resized_crop(photo, crop, self.size, resizer);
        if self.crops() && draws.chance(self.config.flip) {
            flip(&mut square);
        }
        if let Some(policy) = self.policy {
            for step in policy.draw(&mut draws, self.size, self.size) {
                square = step.apply(square);
            }
        }
        let photo = self.jitter(square, &mut draws);
        let erased = draw_erasing(&mut draws, self.size, self.config.erasing_probability());
        Augmented { photo, erased }
    }

    /// Colour jitter (torchvision's `ColorJitter`): factors evenly from 1 - x to 1 + x (hue from -x to x), in a random order.
    fn jitter(&self, mut photo: RgbImage, draws: &mut Draws) -> RgbImage {
        let [brightness, contrast, saturation, hue_turn] = self.config.jitter;
        if self.config.jitter == [0.0; 4] {
            return photo;
        }
        let mut order = [0, 1, 2, 3];
        for last in (1..order.len()).rev() {
            order.swap(last, draws.below(last + 1));
        }
        // Drawn in a fixed order, so that an unused factor takes its number too.
        let changes = [brightness, contrast, saturation].map(|x| draws.between((-x).max(-1.0), x));
        let turn = draws.between(-hue_turn, hue_turn);
        for which in order {
            match which {
                0 if brightness > 0.0 => photo = Operation::Brightness.apply(photo, changes[0]),
                1 if contrast > 0.0 => photo = Operation::Contrast.apply(photo, changes[1]),
                2 if saturation > 0.0 => photo = Operation::Color.apply(photo, changes[2]),
                3 if hue_turn > 0.0 => hue(&mut photo, turn as f32),
                _ => {}
            }
        }
        photo
    }
}

/// The centre square with 224 / 256 of the shorter edge: what evaluation sees.
fn evaluation_crop(width: u32, height: u32) -> Rectangle {
    let side = (f64::from(width.min(height)) * 224.0 / 256.0).round().max(1.0) as u32;
    Rectangle { left: (width - side) / 2, top: (height - side) / 2, width: side, height: side }
}
