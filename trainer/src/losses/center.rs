//! Center loss: draws a photo's features towards the centre of its class.

use candle_core::{DType, Device, Result as CandleResult, Tensor, Var, backprop::GradStore};

use crate::error::Result;

/// `sum_i |x_i - c_{y_i}|^2 / B` over the `B` photos of a batch that have a class (Wen et al. 2016, who halve it). The
/// centres are learned by gradient descent with a rate of their own, as in the widely used PyTorch version, not by the
/// paper's counted means; they start at 0, and their step does not depend on the loss's factor in the sum of losses.
#[derive(Debug, Clone)]
pub struct CenterLoss {
    /// `[classes, width]`.
    centers: Var,
    lr: f64,
}

impl CenterLoss {
    /// With centres at 0.
    ///
    /// # Errors
    /// Memory cannot be had on `device`.
    pub fn new(classes: usize, width: usize, lr: f64, device: &Device) -> Result<Self> {
        Ok(Self { centers: Var::zeros((classes, width), DType::F32, device)?, lr })
    }

    /// The centres, `[classes, width]`.
    pub fn centers(&self) -> &Var {
        &self.centers
    }

    /// The loss of `features` `[n, width]`; `None` where no photo has a class.
    ///
    /// # Errors
    /// The shapes disagree, or a class is out of range.
    pub fn loss(&self, features: &Tensor, classes: &[Option<u32>]) -> CandleResult<Option<Tensor>> {
        let (rows, classes): (Vec<u32>, Vec<u32>) =
            classes.iter().enumerate().filter_map(|(row, class)| Some((row as u32, (*class)?))).unzip();
        if rows.is_empty() {
            return Ok(None);
        }
        let pick = |from: &Tensor, rows: &[u32]| from.index_select(&Tensor::new(rows, features.device())?, 0);
        let apart = (pick(features, &rows)? - pick(self.centers.as_tensor(), &classes)?)?;
        Ok(Some((apart.sqr()?.sum_all()? / rows.len() as f64)?))
    }

    /// Moves the centres by one step; `factor` is the loss's factor in the sum that `gradients` belong to.
    ///
    /// # Errors
    /// The gradient is not the centres'.
    pub fn step(&self, gradients: &GradStore, factor: f64) -> CandleResult<()> {
        let Some(gradient) = gradients.get(self.centers.as_tensor()) else { return Ok(()) };
        let moved = (self.centers.as_tensor().detach() - (gradient.detach() * (self.lr / factor))?)?;
        self.centers.set(&moved)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn loss_gradient_and_step_are_those_computed_by_hand() {
        let center = CenterLoss::new(3, 2, 0.5, &Device::Cpu).unwrap();
        let start = Tensor::new(&[[1f32, 0.0], [0.0, 2.0], [5.0, 5.0]], &Device::Cpu).unwrap();
        center.centers().set(&start).unwrap();
        let features =
            Var::from_tensor(&Tensor::new(&[[2f32, 1.0], [0.0, 0.0], [9.0, 9.0], [1.0, 3.0]], &Device::Cpu).unwrap())
                .unwrap();
        let classes = [Some(0), Some(1), None, Some(1)];
        let loss = center.loss(features.as_tensor(), &classes).unwrap().unwrap();
        // |(1, 1)|^2 + |(0, -2)|^2 + |(1, 1)|^2 over three photos.
        assert_relative_eq!(loss.to_scalar::<f32>().unwrap(), 8.0 / 3.0, epsilon = 1e-6);
        let gradients = (loss * 0.1).unwrap().backward().unwrap();
        let of_features = gradients.get(features.as_tensor()).unwrap().to_vec2::<f32>().unwrap();
        let expected = [[2.0, 2.0], [0.0, -4.0], [0.0, 0.0], [2.0, 2.0]];
        for (row, expected) in of_features.iter().zip(expected) {
            row.iter().zip(expected).for_each(|(a, b)| assert_relative_eq!(*a, 0.1 * b / 3.0, epsilon = 1e-6));
        }
        center.step(&gradients, 0.1).unwrap();
        // c0 += .5 * 2 (1, 1) / 3; c1 += .5 * 2 ((0, -2) + (1, 1)) / 3; c2 is not there.
        let moved = center.centers().as_tensor().to_vec2::<f32>().unwrap();
        let expected = [[4.0 / 3.0, 1.0 / 3.0], [1.0 / 3.0, 5.0 / 3.0], [5.0, 5.0]];
        for (row, expected) in moved.iter().zip(expected) {
            row.iter().zip(expected).for_each(|(a, b)| assert_relative_eq!(*a, b, epsilon = 1e-5));
        }
        assert!(center.loss(features.as_tensor(), &[None; 4]).unwrap().is_none());
    }
}
