//! Optimisers whose whole state can be stored and restored.

use candle_core::{Tensor, Var, backprop::GradStore};
use kenami_domain::run_config::{OptimizerConfig, OptimizerName};

use crate::error::Result;

/// A trained tensor.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Name in checkpoints.
    pub name: String,
    /// The value.
    pub var: Var,
    /// Whether weight decay applies: weights yes, biases and norms no.
    pub decays: bool,
}

/// SGD, Adam or AdamW as PyTorch defines them.
#[derive(Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    parameters: Vec<Parameter>,
    /// Per parameter: momentum (SGD), or means of gradients and of squared gradients (Adam, AdamW). Zero at first.
    moments: Vec<Vec<Var>>,
    steps: u64,
}

impl Optimizer {
    /// For these parameters, in this order.
    ///
    /// # Errors
    /// Memory for the state cannot be had.
    pub fn new(config: &OptimizerConfig, parameters: Vec<Parameter>) -> Result<Self> {
        let count = if config.name == OptimizerName::Sgd { 1 } else { 2 };
        let zeros = |parameter: &Parameter| {
            (0..count).map(|_| Var::from_tensor(&parameter.var.zeros_like()?)).collect::<candle_core::Result<Vec<_>>>()
        };
        let moments = parameters.iter().map(zeros).collect::<candle_core::Result<_>>()?;
        Ok(Self { config: config.clone(), parameters, moments, steps: 0 })
    }

    /// One step at rate `lr`; a parameter without a gradient stays as it is.
    ///
    /// # Errors
    /// A gradient's shape is not its parameter's.
    pub fn step(&mut self, gradients: &GradStore, lr: f64) -> Result<()> {
        self.steps += 1;
        for (parameter, moments) in self.parameters.iter().zip(&self.moments) {
            let Some(gradient) = gradients.get(parameter.var.as_tensor()) else { continue };
            let decay = if parameter.decays { self.config.weight_decay } else { 0.0 };
            let value = parameter.var.as_tensor().detach();
            let gradient = gradient.detach();
            let moved = match self.config.name {
                OptimizerName::Sgd => self.sgd(&value, &gradient, &moments[0], decay, lr)?,
                OptimizerName::Adam => self.adam(&value, &(gradient + (&value * decay)?)?, moments, lr)?,
                OptimizerName::AdamW => self.adam(&(&value * (1.0 - lr * decay))?, &gradient, moments, lr)?,
            };
            parameter.var.set(&moved)?;
        }
        Ok(())
    }

    /// Counts a step of a batch in which no photo has an answer: nothing moves, the schedule goes on.
    pub fn skip(&mut self) {
        self.steps += 1;
    }

    /// `g += d w; m = mu m + g; w -= lr m`, or with Nesterov `w -= lr (g + mu m)`.
    fn sgd(&self, value: &Tensor, gradient: &Tensor, moment: &Var, decay: f64, lr: f64) -> Result<Tensor> {
        let mu = self.config.momentum;
        let gradient = (gradient + (value * decay)?)?;
        let moving = ((moment.as_tensor().detach() * mu)? + &gradient)?;
        moment.set(&moving)?;
        let direction = if self.config.nesterov { (gradient + (moving * mu)?)? } else { moving };
        Ok((value - (direction * lr)?)?)
    }

    /// `m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= lr m' / (sqrt(v') + e)` with bias-corrected m' and v'.
    fn adam(&self, value: &Tensor, gradient: &Tensor, moments: &[Var], lr: f64) -> Result<Tensor> {
        let OptimizerConfig { beta1, beta2, eps, .. } = self.config;
        let mean = ((moments[0].as_tensor().detach() * beta1)? + (gradient * (1.0 - beta1))?)?;
        let square = ((moments[1].as_tensor().detach() * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
        moments[0].set(&mean)?;
        moments[1].set(&square)?;
        let steps = self.steps as f64;
        let corrected = (square / (1.0 - beta2.powf(steps)))?.sqrt()?;
        let direction = ((mean / (1.0 - beta1.powf(steps)))? / (corrected + eps)?)?;
        Ok((value - (direction * lr)?)?)
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Parameters and state by name, for a checkpoint.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = Vec::new();
        for (parameter, moments) in self.parameters.iter().zip(&self.moments) {
            state.push((parameter.name.clone(), parameter.var.as_tensor().clone()));
            for (i, moment) in moments.iter().enumerate() {
                state.push((format!("optimizer.{i}.{}", parameter.name), moment.as_tensor().clone()));
            }
        }
        state
    }

    /// Takes parameters and state from a checkpoint, through `find` by name.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn restore(&mut self, steps: u64, find: impl Fn(&str) -> Result<Tensor>) -> Result<()> {
        for (parameter, moments) in self.parameters.iter().zip(&self.moments) {
            parameter.var.set(&find(&parameter.name)?)?;
            for (i, moment) in moments.iter().enumerate() {
                moment.set(&find(&format!("optimizer.{i}.{}", parameter.name))?)?;
            }
        }
        self.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
