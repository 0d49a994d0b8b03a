//! What pretrained weights expect of a photo's colours.

use pulp::Arch;
use serde::{Deserialize, Serialize};

/// Bytes that are normalised in one go: a multiple of 3 and of every vector's length.
const BLOCK: usize = 48;

/// A byte `x` of colour `c` enters the network as `(x - mean[c]) / deviation[c]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "Saved")]
pub struct Normalisation {
    /// Of red, green and blue, from 0 to 255.
    pub mean: [f32; 3],
    /// Of red, green and blue, from 0 to 255.
    pub deviation: [f32; 3],
}

impl Normalisation {
    /// Mean and deviation of ImageNet's photos: .485, .456, .406 and .229, .224, .225 of the range.
    pub const IMAGENET: Self = Self {
        mean: [0.485 * 255.0, 0.456 * 255.0, 0.406 * 255.0],
        deviation: [0.229 * 255.0, 0.224 * 255.0, 0.225 * 255.0],
    };
    /// From -1 to 1: timm's Lite weights.
    pub const HALF: Self = Self { mean: [127.5; 3], deviation: [127.5; 3] };
    /// efficientnet-lite-pytorch's, and the demo's.
    pub const LITE_PYTORCH: Self = Self { mean: [127.0; 3], deviation: [128.0; 3] };

    /// From shares of the range, as timm and torchvision write them.
    pub fn from_shares(mean: [f64; 3], deviation: [f64; 3]) -> Self {
        let bytes = |shares: [f64; 3]| shares.map(|share| (share * 255.0) as f32);
        Self { mean: bytes(mean), deviation: bytes(deviation) }
    }

    /// Normalises RGB bytes.
    pub fn apply(&self, bytes: &[u8], target: &mut [f32]) {
        let mean: [f32; BLOCK] = std::array::from_fn(|i| self.mean[i % 3]);
        let deviation: [f32; BLOCK] = std::array::from_fn(|i| self.deviation[i % 3]);
        Arch::new().dispatch(|| {
            let (blocks, rest) = bytes.as_chunks::<BLOCK>();
            let (targets, rest_target) = target.as_chunks_mut::<BLOCK>();
            for (block, target) in blocks.iter().zip(targets) {
                for i in 0..BLOCK {
                    target[i] = (f32::from(block[i]) - mean[i]) / deviation[i];
                }
            }
            for (i, (byte, target)) in rest.iter().zip(rest_target).enumerate() {
                *target = (f32::from(*byte) - mean[i]) / deviation[i];
            }
        });
    }
}

/// As runs have it in their model file: the first versions knew one mean and deviation for all colours.
#[derive(Deserialize)]
#[serde(untagged)]
enum Saved {
    All(f32, f32),
    Each { mean: [f32; 3], deviation: [f32; 3] },
}

impl From<Saved> for Normalisation {
    fn from(saved: Saved) -> Self {
        match saved {
            Saved::All(mean, deviation) => Self { mean: [mean; 3], deviation: [deviation; 3] },
            Saved::Each { mean, deviation } => Self { mean, deviation },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_new_files_are_read() {
        let old: Normalisation = serde_json::from_str("[127.0, 128.0]").unwrap();
        assert_eq!(old, Normalisation::LITE_PYTORCH);
        let text = serde_json::to_string(&Normalisation::IMAGENET).unwrap();
        assert_eq!(serde_json::from_str::<Normalisation>(&text).unwrap(), Normalisation::IMAGENET);
    }

    #[test]
    fn each_colour_has_its_own_mean_and_deviation() {
        let mut values = [0.0; 6];
        Normalisation::IMAGENET.apply(&[0, 128, 255, 255, 0, 0], &mut values);
        let expected = |x: f32, mean: f32, deviation: f32| (x / 255.0 - mean) / deviation;
        for (value, expected) in values.iter().zip([
            expected(0.0, 0.485, 0.229),
            expected(128.0, 0.456, 0.224),
            expected(255.0, 0.406, 0.225),
            expected(255.0, 0.485, 0.229),
        ]) {
            assert!((value - expected).abs() < 1e-5, "{value} {expected}");
        }
        let shares = Normalisation::from_shares([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        assert!((shares.mean[0] - Normalisation::IMAGENET.mean[0]).abs() < 1e-4);
    }
}
