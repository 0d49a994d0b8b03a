//! How much each head counts in the sum of losses.

use candle_core::{DType, Device, Result as CandleResult, Tensor, Var};
use kenami_domain::run_config::{LossConfig, Weighting};

use crate::{error::Result, optim::Parameter};

/// Where a learned log-variance may lie: no head can be switched off, none can take over.
const BOUNDS: (f32, f32) = (-2.0, 3.0);

/// Fixed factors, and with `weighting = "learned"` a log-variance `s` per head: a head counts `exp(-s) L + s / 2` (Kendall,
/// Gal and Cipolla 2018), with `s` held in [-2, 3].
#[derive(Debug, Clone)]
pub struct Weights {
    factors: Vec<f64>,
    /// `[heads]`, 0 at first.
    log_variances: Option<Var>,
}

impl Weights {
    /// For heads with these weights of their own, of which some are of annotated attributes.
    ///
    /// # Errors
    /// Memory cannot be had on `device`.
    pub fn new(config: &LossConfig, heads: &[(f64, bool)], device: &Device) -> Result<Self> {
        let factor = |(weight, annotated): &(f64, bool)| weight * if *annotated { config.attributes } else { 1.0 };
        let log_variances = match config.weighting {
            Weighting::Fixed => None,
            Weighting::Learned => Some(Var::zeros(heads.len(), DType::F32, device)?),
        };
        Ok(Self { factors: heads.iter().map(factor).collect(), log_variances })
    }

    /// What is learned, for the optimiser (`loss.log_variances`, `[heads]`).
    pub fn parameters(&self) -> Vec<Parameter> {
        self.log_variances.iter().map(|s| Parameter::new("loss.log_variances", s.clone(), false)).collect()
    }

    /// The learned log-variances, in the order of the heads; none where weights are fixed.
    ///
    /// # Errors
    /// They cannot be read from the device.
    pub fn log_variances(&self) -> Result<Option<Vec<f32>>> {
        Ok(self.log_variances.as_ref().map(|s| s.as_tensor().to_vec1()).transpose()?)
    }

    /// What head `index` adds with this loss.
    ///
    /// # Errors
    /// The loss is not a scalar.
    pub fn weighed(&self, index: usize, loss: &Tensor) -> CandleResult<Tensor> {
        let loss = (loss * self.factors[index])?;
        let Some(log_variances) = &self.log_variances else { return Ok(loss) };
        let s = log_variances.as_tensor().get(index)?;
        (s.neg()?.exp()? * loss)? + (s / 2.0)?
    }

    /// Brings the log-variances back into their bounds after a step. Clamping them in the loss instead would leave one that
    /// has once crossed without a gradient.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn project(&self) -> CandleResult<()> {
        let Some(log_variances) = &self.log_variances else { return Ok(()) };
        log_variances.set(&log_variances.as_tensor().detach().clamp(BOUNDS.0, BOUNDS.1)?)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;
    use kenami_domain::run_config::OptimizerConfig;

    use super::*;
    use crate::optim::{Gradients, Optimizer};

    fn scalar(value: f32) -> Tensor {
        Tensor::new(value, &Device::Cpu).unwrap()
    }

    fn config(weighting: Weighting) -> LossConfig {
        LossConfig { weighting, attributes: 0.5, ..LossConfig::default() }
    }

    #[test]
    fn fixed_weights_multiply() {
        let weights = Weights::new(&config(Weighting::Fixed), &[(2.0, false), (3.0, true)], &Device::Cpu).unwrap();
        assert_eq!(weights.weighed(0, &scalar(1.5)).unwrap().to_scalar::<f32>().unwrap(), 3.0);
        assert_eq!(weights.weighed(1, &scalar(2.0)).unwrap().to_scalar::<f32>().unwrap(), 3.0);
        assert!(weights.parameters().is_empty() && weights.log_variances().unwrap().is_none());
    }

    #[test]
    fn learned_weights_settle_where_the_formula_has_its_minimum_and_stay_in_bounds() {
        // d/ds (exp(-s) L + s / 2) = 0 at s = ln(2 L): ln 3 for 1.5; far out for the other two.
        let heads = [(1.0, false), (1.0, false), (1.0, false)];
        let weights = Weights::new(&config(Weighting::Learned), &heads, &Device::Cpu).unwrap();
        let optimizer = OptimizerConfig { momentum: 0.0, ..OptimizerConfig::default() };
        let mut optimizer = Optimizer::new(&optimizer, weights.parameters()).unwrap();
        for _ in 0..400 {
            let losses = [1.5, 1000.0, 1e-3].map(scalar);
            let weighed = losses.iter().enumerate().map(|(i, l)| weights.weighed(i, l).unwrap());
            let total = weighed.reduce(|a, b| (a + b).unwrap()).unwrap();
            let gradients = Gradients::of(optimizer.parameters(), &total.backward().unwrap());
            optimizer.step(&gradients, 0.1).unwrap();
            weights.project().unwrap();
        }
        let s = weights.log_variances().unwrap().unwrap();
        assert_relative_eq!(s[0], 3f32.ln(), epsilon = 1e-4);
        assert_eq!(s[1..], [3.0, -2.0]);
        let value = weights.weighed(0, &scalar(1.5)).unwrap().to_scalar::<f32>().unwrap();
        assert_relative_eq!(value, 0.5 + 3f32.ln() / 2.0, epsilon = 1e-4);
    }
}
