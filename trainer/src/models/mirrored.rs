//! A trunk that looks at each photo twice.

use super::{GraphTrunk, Trunk, Workspace};
use crate::error::Result;

/// The mean of a photo's features and those of its mirror image. A linear head on it gives the mean of both logits.
struct Mirrored(Box<dyn Trunk>);

/// A trunk that averages each photo's features with those of the mirrored photo.
pub fn mirrored(trunk: Box<dyn Trunk>) -> Box<dyn Trunk> {
    Box::new(Mirrored(trunk))
}

impl Trunk for Mirrored {
    fn features(&self) -> usize {
        self.0.features()
    }

    fn forward(&self, pixels: &[u8], size: usize, workspace: &mut Workspace, features: &mut [f32]) -> Result<()> {
        self.0.forward(pixels, size, workspace, features)?;
        let mut other = vec![0.0; features.len()];
        self.0.forward(&flipped(pixels, size), size, workspace, &mut other)?;
        features.iter_mut().zip(other).for_each(|(feature, other)| *feature = (*feature + other) / 2.0);
        Ok(())
    }

    fn network(&self) -> Option<&GraphTrunk> {
        self.0.network()
    }
}

/// A square of RGB values, left and right swapped.
pub(crate) fn flipped<T: Copy>(pixels: &[T], size: usize) -> Vec<T> {
    let rows = pixels.chunks_exact(size * 3);
    rows.flat_map(|row| row.as_chunks::<3>().0.iter().rev().flatten().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The red of the first pixel, and of the last one.
    struct Corners;

    impl Trunk for Corners {
        fn features(&self) -> usize {
            2
        }

        fn forward(&self, pixels: &[u8], size: usize, _: &mut Workspace, features: &mut [f32]) -> Result<()> {
            features[0] = f32::from(pixels[0]);
            features[1] = f32::from(pixels[(size * size - 1) * 3]);
            Ok(())
        }
    }

    #[test]
    fn features_are_the_mean_over_both_sides() {
        // Reds 10, 20 over 30, 50: mirrored 20, 10 over 50, 30.
        let pixels = [10, 0, 0, 20, 0, 0, 30, 0, 0, 50, 0, 0];
        assert_eq!(flipped(&pixels, 2), [20, 0, 0, 10, 0, 0, 50, 0, 0, 30, 0, 0]);
        let mut features = [0.0; 2];
        mirrored(Box::new(Corners)).forward(&pixels, 2, &mut Workspace::default(), &mut features).unwrap();
        assert_eq!(features, [15.0, 40.0]);
    }
}
