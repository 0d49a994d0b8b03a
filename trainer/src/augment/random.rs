//! Random numbers that depend on what they are for, not on who draws them.

use rand::RngCore;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// What a sequence of numbers is for, so that two uses of one photo share none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A photo's crop, flip, policy, jitter and erasing.
    Photo = 1,
    /// A batch's Mixup or CutMix.
    Mix = 2,
    /// Which photos a contact sheet shows.
    Sheet = 3,
}

/// The random numbers of one photo in one epoch (or of one batch in one epoch): ChaCha8 whose key is (seed, purpose, epoch,
/// index). The same four numbers give the same sequence whatever the threads did before, so an epoch can be entered
/// anywhere.
#[derive(Debug, Clone)]
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// The sequence of a photo or a batch.
    pub fn new(seed: u64, purpose: Purpose, epoch: u64, index: u64) -> Self {
        let mut key = [0; 32];
        for (part, number) in key.chunks_exact_mut(8).zip([seed, purpose as u64, epoch, index]) {
            part.copy_from_slice(&number.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform between `low` and `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in the logarithm between `low` and `high`, both above 0.
    pub fn log_between(&mut self, low: f64, high: f64) -> f64 {
        self.between(low.ln(), high.ln()).exp()
    }

    /// Uniform in 0..n; 0 for n = 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// The generator itself, for distributions of other crates.
    pub(crate) fn generator(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_is_decided_by_its_four_numbers() {
        let first = |seed, purpose, epoch, index| Draws::new(seed, purpose, epoch, index).unit();
        let base = first(1, Purpose::Photo, 2, 3);
        assert_eq!(base, first(1, Purpose::Photo, 2, 3));
        for other in [
            first(2, Purpose::Photo, 2, 3),
            first(1, Purpose::Mix, 2, 3),
            first(1, Purpose::Photo, 3, 3),
            first(1, Purpose::Photo, 2, 4),
            first(1, Purpose::Photo, 3, 2),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn draws_fill_their_range_evenly() {
        let mut draws = Draws::new(0, Purpose::Photo, 0, 0);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[draws.below(7)] += 1;
        }
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
        let mean = (0..50_000).map(|_| draws.between(-1.0, 3.0)).sum::<f64>() / 50_000.0;
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
        let logs = (0..50_000).map(|_| draws.log_between(0.25, 4.0).ln()).sum::<f64>() / 50_000.0;
        assert!(logs.abs() < 0.03, "{logs}");
        assert_eq!(draws.below(0), 0);
    }
}
