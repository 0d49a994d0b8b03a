//! From a feature map to one vector a photo: average pooling, or pooling under learned masks; and dropout.

use candle_core::{D, Device, Result as CandleResult, Tensor, Var};
use candle_nn::ops::softmax;
use kenami_domain::run_config::{Attention, ModelConfig};
use rand::Rng;

use crate::{error::Result, optim::Parameter, random};

/// The masks' weight, in checkpoints and in a run's model.
pub const WEIGHT: &str = "attention.weight";

/// Pools maps `[n, h, w, c]` to `[n, width]`.
///
/// With attention, one 1x1 convolution gives `m` values a position, which a softmax over the photo's positions makes into
/// masks that sum to 1; each mask pools the map to its weighted mean. `single` starts at 0, where the mask is uniform and
/// pooling is plain averaging. `multi` puts the `m` pooled vectors side by side (width `m c`), so that a head can look for
/// different things in different places; its masks start at random, as equal ones would stay equal.
#[derive(Debug, Clone)]
pub struct SpatialPool {
    masks: Option<Masks>,
    channels: usize,
}

#[derive(Debug, Clone)]
struct Masks {
    /// `[m, c]`. There is no bias: a constant added to a mask before its softmax changes nothing.
    weight: Var,
    count: usize,
}

/// What pooling gives.
#[derive(Debug, Clone)]
pub struct Pooled {
    /// `[n, width]`.
    pub features: Tensor,
    /// `[n, m, h, w]`, each mask summing to 1; absent without attention.
    pub masks: Option<Tensor>,
}

impl SpatialPool {
    /// For maps of `channels` channels, with random masks from `seed` where there are several.
    ///
    /// # Errors
    /// Memory cannot be had on `device`.
    pub fn new(config: &ModelConfig, channels: usize, seed: u64, device: &Device) -> Result<Self> {
        let count = match config.attention {
            Attention::None => return Ok(Self::average(channels)),
            Attention::Single => 1,
            Attention::Multi => config.attention_masks as usize,
        };
        let mut values = vec![0f32; count * channels];
        if config.attention == Attention::Multi {
            let bound = 1.0 / (channels as f32).sqrt();
            let mut rng = random::at(seed, "attention", 0);
            values.iter_mut().for_each(|value| *value = rng.random_range(-bound..bound));
        }
        let weight = Var::from_tensor(&Tensor::from_vec(values, (count, channels), device)?)?;
        Ok(Self { masks: Some(Masks { weight, count }), channels })
    }

    /// Plain averaging.
    pub fn average(channels: usize) -> Self {
        Self { masks: None, channels }
    }

    /// With the masks of a finished run: `weight` is `[masks, channels]`.
    ///
    /// # Errors
    /// The weight has another shape.
    pub fn with_weight(weight: &Tensor) -> Result<Self> {
        let (count, channels) = weight.dims2()?;
        Ok(Self { masks: Some(Masks { weight: Var::from_tensor(weight)?, count }), channels })
    }

    /// The masks' weight `[masks, channels]`; absent without attention.
    pub fn weight(&self) -> Option<&Var> {
        self.masks.as_ref().map(|masks| &masks.weight)
    }

    /// Features of a pooled photo: what heads take.
    pub fn width(&self) -> usize {
        self.channels * self.masks.as_ref().map_or(1, |masks| masks.count)
    }

    /// What is trained, for the optimiser and for checkpoints ([`WEIGHT`]).
    pub fn parameters(&self) -> Vec<Parameter> {
        self.masks.iter().map(|masks| Parameter::new(WEIGHT, masks.weight.clone(), true)).collect()
    }

    /// Pools; differentiable in map and masks.
    ///
    /// # Errors
    /// The map is not `[n, h, w, c]` with as many channels as said.
    pub fn forward(&self, map: &Tensor) -> CandleResult<Pooled> {
        let (n, h, w, c) = map.dims4()?;
        let Some(Masks { weight, count }) = &self.masks else {
            return Ok(Pooled { features: map.mean((1, 2))?, masks: None });
        };
        let positions = map.reshape((n, h * w, c))?;
        let values = positions.reshape((n * h * w, c))?.matmul(&weight.as_tensor().t()?)?;
        let values = values.reshape((n, h * w, *count))?.transpose(1, 2)?.contiguous()?;
        // Not softmax_last_dim: that one has no gradient.
        let masks = softmax(&values, D::Minus1)?;
        let features = masks.matmul(&positions)?.reshape((n, count * c))?;
        Ok(Pooled { features, masks: Some(masks.reshape((n, *count, h, w))?) })
    }
}

/// Sets each value to 0 with probability `rate` and scales the others by `1 / (1 - rate)`; which ones is decided by
/// `seed` and `step` alone.
///
/// # Errors
/// Memory cannot be had.
pub fn dropout(features: &Tensor, rate: f64, seed: u64, step: u64) -> CandleResult<Tensor> {
    if rate == 0.0 {
        return Ok(features.clone());
    }
    let mut rng = random::at(seed, "dropout", step);
    let kept = (1.0 / (1.0 - rate)) as f32;
    let factors: Vec<f32> =
        (0..features.elem_count()).map(|_| if rng.random::<f64>() < rate { 0.0 } else { kept }).collect();
    features * Tensor::from_vec(factors, features.shape(), features.device())?
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    fn wave(count: usize, phase: f32) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * 0.7 + phase).sin()).collect()
    }

    fn map(values: &[f32]) -> Tensor {
        Tensor::from_slice(values, (2, 2, 3, 4), &Device::Cpu).unwrap()
    }

    fn pool(attention: Attention) -> SpatialPool {
        let config = ModelConfig { attention, attention_masks: 3, ..ModelConfig::default() };
        SpatialPool::new(&config, 4, 7, &Device::Cpu).unwrap()
    }

    fn flat(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_single_mask_starts_as_average_pooling() {
        let map = map(&wave(48, 0.0));
        let plain = pool(Attention::None).forward(&map).unwrap();
        let single = pool(Attention::Single).forward(&map).unwrap();
        assert_eq!(plain.features.dims(), [2, 4]);
        for (a, b) in flat(&plain.features).iter().zip(flat(&single.features)) {
            assert_relative_eq!(*a, b, epsilon = 1e-6);
        }
        let mean: f32 = (0..6).map(|position| wave(48, 0.0)[position * 4 + 1]).sum::<f32>() / 6.0;
        assert_relative_eq!(flat(&plain.features)[1], mean, epsilon = 1e-6);
        assert!(flat(&single.masks.unwrap()).iter().all(|m| (m - 1.0 / 6.0).abs() < 1e-6));
    }

    #[test]
    fn several_masks_pool_side_by_side_and_each_sums_to_one() {
        let pool = pool(Attention::Multi);
        assert_eq!(pool.width(), 12);
        let values = wave(48, 0.3);
        let pooled = pool.forward(&map(&values)).unwrap();
        let masks = pooled.masks.unwrap();
        assert_eq!((masks.dims(), pooled.features.dims()), (&[2, 3, 2, 3][..], &[2, 12][..]));
        let (masks, features) = (flat(&masks), flat(&pooled.features));
        let weight = flat(pool.parameters()[0].var.as_tensor());
        for n in 0..2 {
            for m in 0..3 {
                let logit = |p: usize| (0..4).map(|c| values[(n * 6 + p) * 4 + c] * weight[m * 4 + c]).sum::<f32>();
                let total: f32 = (0..6).map(|p| logit(p).exp()).sum();
                for p in 0..6 {
                    assert_relative_eq!(masks[(n * 3 + m) * 6 + p], logit(p).exp() / total, epsilon = 1e-6);
                }
                let expected: f32 = (0..6).map(|p| logit(p).exp() / total * values[(n * 6 + p) * 4 + 2]).sum();
                assert_relative_eq!(features[n * 12 + m * 4 + 2], expected, epsilon = 1e-5);
            }
        }
    }

    #[test]
    fn gradients_of_map_and_masks_agree_with_finite_differences() {
        let pool = pool(Attention::Multi);
        let values = wave(48, 0.1);
        let probe = Tensor::from_vec(wave(24, 1.0), (2, 12), &Device::Cpu).unwrap();
        let loss = |map: &Tensor| (pool.forward(map).unwrap().features * &probe).unwrap().sum_all().unwrap();
        let number = |tensor: Tensor| tensor.to_scalar::<f32>().unwrap();
        let input = Var::from_tensor(&map(&values)).unwrap();
        let gradients = loss(input.as_tensor()).backward().unwrap();
        let of_map = flat(gradients.get(input.as_tensor()).unwrap());
        let weight = &pool.parameters()[0].var;
        let of_weight = flat(gradients.get(weight.as_tensor()).unwrap());
        for at in [0, 7, 30, 47] {
            let moved = |step: f32| {
                let mut values = values.clone();
                values[at] += step;
                number(loss(&map(&values)))
            };
            assert_relative_eq!(of_map[at], (moved(0.02) - moved(-0.02)) / 0.04, epsilon = 1e-3);
        }
        let start = flat(weight.as_tensor());
        for at in [0, 5, 11] {
            let moved = |step: f32| {
                let mut values = start.clone();
                values[at] += step;
                weight.set(&Tensor::from_vec(values, (3, 4), &Device::Cpu).unwrap()).unwrap();
                number(loss(input.as_tensor()))
            };
            assert_relative_eq!(of_weight[at], (moved(0.02) - moved(-0.02)) / 0.04, epsilon = 1e-3);
        }
    }

    #[test]
    fn dropout_keeps_the_mean_and_depends_on_seed_and_step_alone() {
        let ones = Tensor::ones((40, 100), candle_core::DType::F32, &Device::Cpu).unwrap();
        let dropped = |seed, step| flat(&dropout(&ones, 0.25, seed, step).unwrap());
        let values = dropped(1, 5);
        assert!(values.iter().all(|v| *v == 0.0 || (*v - 4.0 / 3.0).abs() < 1e-6));
        let zeros = values.iter().filter(|v| **v == 0.0).count();
        // 4000 draws: 1000 expected, with a deviation of 27.
        assert!((880..1120).contains(&zeros), "{zeros}");
        assert_eq!(values, dropped(1, 5));
        assert_ne!(values, dropped(1, 6));
        assert_ne!(values, dropped(2, 5));
        assert_eq!(flat(&dropout(&ones, 0.0, 1, 1).unwrap()), flat(&ones));
    }
}
