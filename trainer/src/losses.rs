//! Losses per photo on logits and (soft) targets and their masked mean; losses on pooled features; their sum
//! ([`Objective`]).
//!
//! Label smoothing is part of the targets: `(1 - a) t + a / K`.

use candle_core::{D, Result, Tensor};
use candle_nn::ops::log_softmax;
use kenami_domain::run_config::LossName;

mod center;
mod objective;
mod triplet;
mod weighting;

pub use center::CenterLoss;
pub use objective::{Batch, HeadLoss, Objective, Total};
pub use triplet::batch_hard_triplet;
pub use weighting::Weights;

/// Loss of each row: `logits` and `targets` are `[batch, classes]`, the result is `[batch]`.
///
/// # Errors
/// The shapes disagree.
pub fn per_photo(loss: LossName, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    match loss {
        LossName::CrossEntropy => cross_entropy(logits, targets),
        LossName::Kl => cross_entropy(logits, targets)? - entropy(targets)?,
        LossName::Bce => binary_cross_entropy(logits, targets),
    }
}

/// `-sum_k t_k ln p_k` with `p = softmax(logits)`.
fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    (targets * log_softmax(logits, D::Minus1)?)?.sum(D::Minus1)?.neg()
}

/// `-sum_k t_k ln t_k`, where `0 ln 0` is 0.
fn entropy(targets: &Tensor) -> Result<Tensor> {
    let smallest = f64::from(f32::MIN_POSITIVE);
    (targets * targets.clamp(smallest, 1.0)?.log()?)?.sum(D::Minus1)?.neg()
}

/// Mean over values of `ln(1 + e^x) - x t`. The first term is taken as the log of the sum of e^x and e^0, which neither
/// overflows nor has a kink at 0.
fn binary_cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let softplus = Tensor::stack(&[logits, &logits.zeros_like()?], 0)?.log_sum_exp(0)?;
    (softplus - (logits * targets)?)?.mean(D::Minus1)
}

/// Mean of `losses` `[batch]` over the rows whose `mask` is 1; `None` where there is none: such a batch adds nothing.
///
/// # Errors
/// The shapes disagree.
pub fn masked_mean(losses: &Tensor, mask: &Tensor) -> Result<Option<Tensor>> {
    let count = mask.sum_all()?.to_scalar::<f32>()?;
    if count == 0.0 {
        return Ok(None);
    }
    Ok(Some(((losses * mask)?.sum_all()? / f64::from(count))?))
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use candle_core::{Device, Var};

    use super::*;

    /// candle-nn's own loss test input.
    const LOGITS: [[f32; 5]; 3] = [
        [1.1050, 0.3013, -1.5394, -2.1528, -0.8634],
        [1.0730, -0.9419, -0.1670, -0.6582, 0.5061],
        [0.8318, 1.1154, -0.3610, 0.5351, 1.0830],
    ];

    fn tensor(rows: &[[f32; 5]]) -> Tensor {
        Tensor::from_vec(rows.concat(), (rows.len(), 5), &Device::Cpu).unwrap()
    }

    fn smoothed(labels: [usize; 3], a: f32) -> Tensor {
        let rows = labels.map(|label| std::array::from_fn(|k| a / 5.0 + if k == label { 1.0 - a } else { 0.0 }));
        tensor(&rows)
    }

    fn mean(loss: LossName, targets: &Tensor) -> f32 {
        per_photo(loss, &tensor(&LOGITS), targets).unwrap().mean_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn label_smoothing_has_the_reference_values() {
        for (a, expected) in [(0.0, 1.131_234), (0.05, 1.172_632), (0.1, 1.214_03), (0.2, 1.296_827)] {
            assert_relative_eq!(mean(LossName::CrossEntropy, &smoothed([1, 0, 4], a)), expected, epsilon = 1e-5);
        }
    }

    fn gradient(loss: LossName, logits: &[[f32; 5]], targets: &Tensor) -> Vec<Vec<f32>> {
        let logits = Var::from_tensor(&tensor(logits)).unwrap();
        let total = per_photo(loss, logits.as_tensor(), targets).unwrap().sum_all().unwrap();
        total.backward().unwrap().get(logits.as_tensor()).unwrap().to_vec2().unwrap()
    }

    #[test]
    fn kl_and_cross_entropy_differ_by_the_targets_entropy_alone() {
        let targets = tensor(&[[0.2, 0.3, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0], [0.2; 5]]);
        let (a, b) = (gradient(LossName::CrossEntropy, &LOGITS, &targets), gradient(LossName::Kl, &LOGITS, &targets));
        a.iter().flatten().zip(b.iter().flatten()).for_each(|(a, b)| assert_relative_eq!(*a, *b, epsilon = 1e-6));
        let entropy = (-(0.2 * 0.2f32.ln() + 0.3 * 0.3f32.ln() + 0.5 * 0.5f32.ln()) + 5f32.ln()) / 3.0;
        let difference = mean(LossName::CrossEntropy, &targets) - mean(LossName::Kl, &targets);
        assert_relative_eq!(difference, entropy, epsilon = 1e-5);
    }

    #[test]
    fn a_prediction_equal_to_the_target_has_no_divergence() {
        let targets = tensor(&[[0.1, 0.2, 0.3, 0.15, 0.25]]);
        let loss = per_photo(LossName::Kl, &targets.log().unwrap(), &targets).unwrap();
        assert!(loss.to_vec1::<f32>().unwrap()[0].abs() < 1e-6);
    }

    #[test]
    fn binary_cross_entropy_is_stable_and_smooth() {
        // At logit 0 the loss is ln 2 and its slope (1/2 - t) / K; far out it is |x| / K on the wrong side, 0 on the right.
        let logits = [[0.0, 1000.0, -1000.0, 1000.0, -1000.0]];
        let targets = tensor(&[[1.0, 1.0, 0.0, 0.0, 1.0]]);
        let loss = per_photo(LossName::Bce, &tensor(&logits), &targets).unwrap().to_vec1::<f32>().unwrap()[0];
        assert_relative_eq!(loss, (2f32.ln() + 2000.0) / 5.0, epsilon = 1e-3);
        let gradient = gradient(LossName::Bce, &logits, &targets);
        for (found, expected) in gradient[0].iter().zip([-0.1, 0.0, 0.0, 0.2, -0.2]) {
            assert_relative_eq!(*found, expected, epsilon = 1e-6);
        }
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let targets = tensor(&[[0.2, 0.3, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0], [0.2; 5]]);
        for loss in LossName::ALL {
            let analytic = gradient(*loss, &LOGITS, &targets);
            for (i, k) in [(0, 0), (0, 4), (1, 2), (2, 3)] {
                let at = |step: f32| {
                    let mut logits = LOGITS;
                    logits[i][k] += step;
                    let losses = per_photo(*loss, &tensor(&logits), &targets).unwrap();
                    losses.sum_all().unwrap().to_scalar::<f32>().unwrap()
                };
                assert_relative_eq!(analytic[i][k], (at(0.01) - at(-0.01)) / 0.02, epsilon = 2e-4);
            }
        }
    }

    #[test]
    fn masked_rows_do_not_count_and_an_empty_batch_adds_nothing() {
        let losses = Tensor::new(&[1f32, 5.0, 100.0], &Device::Cpu).unwrap();
        let mask = |mask: [f32; 3]| masked_mean(&losses, &Tensor::new(&mask, &Device::Cpu).unwrap()).unwrap();
        assert_eq!(mask([1.0, 1.0, 0.0]).unwrap().to_scalar::<f32>().unwrap(), 3.0);
        assert!(mask([0.0; 3]).is_none());
    }
}
