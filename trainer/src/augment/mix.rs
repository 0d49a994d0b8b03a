//! Mixup (arXiv 1710.09412) and CutMix (arXiv 1905.04899) on a normalised batch, in torchvision's form: every photo's
//! partner is the one before it in the batch (the first one's is the last), one lambda a batch.

use kenami_domain::run_config::AugmentConfig;
use rand_distr::{Beta, Distribution};

use super::{Draws, Purpose, crop::Rectangle};

/// What happens to one batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mix {
    /// x = lambda x + (1 - lambda) partner.
    Mixup {
        /// The photo's own share.
        lambda: f64,
    },
    /// The partner's rectangle is pasted over the photo.
    CutMix {
        /// What is pasted; it may be empty.
        rectangle: Rectangle,
        /// The photo's own share of the area.
        lambda: f64,
    },
}

/// Draws what happens to a batch of squares of `size` pixels; `None` where neither is configured. With both, half of the
/// batches get the one, half the other. lambda ~ Beta(a, a); CutMix's rectangle has the share 1 - lambda of the area about
/// an even centre, is cut at the edges, and lambda becomes what is left of the photo.
pub fn draw_mix(config: &AugmentConfig, seed: u64, epoch: u64, batch: u64, size: u32) -> Option<Mix> {
    let mut draws = Draws::new(seed, Purpose::Mix, epoch, batch);
    let is_mixup = match (config.mixup > 0.0, config.cutmix > 0.0) {
        (false, false) => return None,
        (true, true) => draws.chance(0.5),
        (mixup, _) => mixup,
    };
    let a = if is_mixup { config.mixup } else { config.cutmix };
    let lambda = Beta::new(a, a).expect("a validated configuration").sample(draws.generator());
    if is_mixup {
        return Some(Mix::Mixup { lambda });
    }
    let side = i64::from(size);
    let (x, y) = (draws.below(size as usize) as i64, draws.below(size as usize) as i64);
    let half = (0.5 * (1.0 - lambda).max(0.0).sqrt() * f64::from(size)) as i64;
    let (left, right) = ((x - half).max(0), (x + half).min(side));
    let (top, bottom) = ((y - half).max(0), (y + half).min(side));
    let rectangle =
        Rectangle { left: left as u32, top: top as u32, width: (right - left) as u32, height: (bottom - top) as u32 };
    let lambda = 1.0 - ((right - left) * (bottom - top)) as f64 / (side * side) as f64;
    Some(Mix::CutMix { rectangle, lambda })
}

impl Mix {
    /// The photo's own share, from 0 to 1.
    pub fn lambda(&self) -> f64 {
        match self {
            Self::Mixup { lambda } | Self::CutMix { lambda, .. } => *lambda,
        }
    }

    /// Mixes images `[n, size, size, 3]`.
    pub fn images(&self, images: &mut [f32], size: u32) {
        let photo = size as usize * size as usize * 3;
        match *self {
            Self::Mixup { lambda } => with_partners(images, photo, |own, partner| blend(own, partner, lambda)),
            Self::CutMix { rectangle, .. } => with_partners(images, photo, |own, partner| {
                let stride = size as usize * 3;
                for row in rectangle.top..rectangle.top + rectangle.height {
                    let start = row as usize * stride + rectangle.left as usize * 3;
                    let end = start + rectangle.width as usize * 3;
                    own[start..end].copy_from_slice(&partner[start..end]);
                }
            }),
        }
    }

    /// Mixes one head's targets `[n, classes]` and masks `[n]` (1: may be trained on). An own target counts lambda times
    /// its mask, the partner's (1 - lambda) times its mask; the mask becomes the sum of the two weights and the target
    /// their mean, so that a masked photo says nothing, and a photo with a masked partner says its own, weighted less.
    ///
    /// With all masks 1 this is torchvision's lambda t + (1 - lambda) partner.
    pub fn targets(&self, targets: &mut [f32], mask: &mut [f32], classes: usize) {
        let lambda = self.lambda();
        let (old_targets, old_mask) = (targets.to_vec(), mask.to_vec());
        let n = mask.len();
        for photo in 0..n {
            let partner = (photo + n - 1) % n;
            let (own, other) = (lambda * f64::from(old_mask[photo]), (1.0 - lambda) * f64::from(old_mask[partner]));
            let sum = own + other;
            mask[photo] = sum as f32;
            if sum > 0.0 {
                for class in 0..classes {
                    let mixed = own * f64::from(old_targets[photo * classes + class])
                        + other * f64::from(old_targets[partner * classes + class]);
                    targets[photo * classes + class] = (mixed / sum) as f32;
                }
            }
        }
    }
}

fn blend(own: &mut [f32], partner: &[f32], lambda: f64) {
    let (lambda, rest) = (lambda as f32, (1.0 - lambda) as f32);
    for (own, partner) in own.iter_mut().zip(partner) {
        *own = *own * lambda + *partner * rest;
    }
}

/// Calls `mix` with every photo and its unmixed partner; one photo is kept aside, not the batch.
fn with_partners(images: &mut [f32], photo: usize, mut mix: impl FnMut(&mut [f32], &[f32])) {
    if images.is_empty() || photo == 0 {
        return;
    }
    let last = images.len() - photo;
    let kept = images[last..].to_vec();
    let mut start = last;
    // From the end: a photo is mixed before it is anybody's partner no longer.
    while start > 0 {
        let (before, own) = images[..start + photo].split_at_mut(start);
        mix(own, &before[start - photo..]);
        start -= photo;
    }
    mix(&mut images[..photo], &kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(mixup: f64, cutmix: f64) -> AugmentConfig {
        AugmentConfig { mixup, cutmix, ..AugmentConfig::default() }
    }

    #[test]
    fn what_is_not_asked_for_is_not_drawn() {
        assert_eq!(draw_mix(&config(0.0, 0.0), 0, 0, 0, 8), None);
        assert!(matches!(draw_mix(&config(0.2, 0.0), 0, 0, 0, 8), Some(Mix::Mixup { .. })));
        assert!(matches!(draw_mix(&config(0.0, 1.0), 0, 0, 0, 8), Some(Mix::CutMix { .. })));
        let mixups = (0..2000)
            .filter(|batch| matches!(draw_mix(&config(0.2, 1.0), 0, 0, *batch, 8), Some(Mix::Mixup { .. })))
            .count();
        assert!((900..1100).contains(&mixups), "{mixups}");
    }

    #[test]
    fn lambda_is_beta_distributed() {
        for a in [0.2, 1.0, 4.0] {
            let drawn: Vec<f64> =
                (0..8000).map(|batch| draw_mix(&config(a, 0.0), 7, 1, batch, 8).unwrap().lambda()).collect();
            let mean = drawn.iter().sum::<f64>() / 8000.0;
            let variance = drawn.iter().map(|lambda| (lambda - mean).powi(2)).sum::<f64>() / 8000.0;
            // Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)).
            assert!((mean - 0.5).abs() < 0.02, "{a} {mean}");
            assert!((variance * 4.0 * (2.0 * a + 1.0) - 1.0).abs() < 0.06, "{a} {variance}");
        }
    }

    #[test]
    fn mixup_of_a_batch_and_its_targets() {
        let mix = Mix::Mixup { lambda: 0.75 };
        let mut images: Vec<f32> = [0.0f32, 4.0, 8.0].iter().flat_map(|value| [*value; 12]).collect();
        mix.images(&mut images, 2);
        assert_eq!([images[0], images[12], images[24]], [2.0, 3.0, 7.0]);
        let (mut targets, mut mask) = (vec![1.0, 0.0, 0.0, 1.0, 0.5, 0.5], vec![1.0; 3]);
        mix.targets(&mut targets, &mut mask, 2);
        assert_eq!(targets, [0.875, 0.125, 0.25, 0.75, 0.375, 0.625]);
        assert_eq!(mask, [1.0; 3]);
    }

    #[test]
    fn a_masked_photo_says_nothing() {
        let mix = Mix::Mixup { lambda: 0.75 };
        let (mut targets, mut mask) = (vec![1.0, 0.0, 0.0, 0.0], vec![1.0, 0.0]);
        mix.targets(&mut targets, &mut mask, 2);
        assert_eq!(mask, [0.75, 0.25]);
        assert_eq!(targets, [1.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn cutmix_pastes_what_lambda_says() {
        let size = 10;
        for batch in 0..200 {
            let mix = draw_mix(&config(0.0, 1.0), 0, 0, batch, size).unwrap();
            let mut images: Vec<f32> = [1.0f32, 2.0, 3.0].iter().flat_map(|value| [*value; 300]).collect();
            mix.images(&mut images, size);
            for (photo, partner) in [(0, 3.0), (1, 1.0), (2, 2.0)] {
                let own = images[photo * 300..][..300].iter().filter(|value| **value != partner).count();
                assert!((own as f64 / 300.0 - mix.lambda()).abs() < 1e-12);
            }
        }
    }
}
